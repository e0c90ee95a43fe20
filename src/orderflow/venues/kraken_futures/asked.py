"""What Kraken Futures is asked by tools, and how.

One answer has all that a ticker tells, so that most questions about this moment are the same request: of one
product, or of all of them. A rate over REST is an amount divided by the index; the past has fractions.
"""

from orderflow.venues.questions import Question

_RESOLUTIONS = ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d", "1w")
_SECONDS = (60, 300, 900, 1800, 3600, 14_400, 43_200, 86_400, 604_800)
_MOST = 2000  # bars or buckets in an answer


def _series(name: str, kind: str) -> Question:
    """Return a question that analytics answer, a row a bucket."""
    return Question(
        name=name,
        endpoint="analytics",
        params={"analytics_type": kind},
        most=_MOST,
        period="interval",
        periods={ours: str(theirs) for ours, theirs in zip(_RESOLUTIONS, _SECONDS, strict=True)},
        since="since",
        until="to",
        unit="s",
        wants_window=True,
        keeps_s=30.0,
    )


QUESTIONS = (
    *(
        Question(name=name, endpoint="ticker")
        for name in ("ticker", "price", "quote", "mark", "index", "funding", "open_interest")
    ),
    *(
        Question(name=name, endpoint="tickers", of="venue")
        for name in ("tickers", "prices", "quotes", "marks", "fundings", "open_interests")
    ),
    Question(name="book", endpoint="depth"),  # whole, whatever is asked
    Question(name="trades", endpoint="trades", most=100, until="lastTime", unit="iso"),
    Question(
        name="liquidations",
        endpoint="trades",
        most=100,
        until="lastTime",
        unit="iso",
        note="those among a product's last hundred trades",
    ),
    Question(
        name="candles",
        endpoint="candles",
        params={"count": str(_MOST)},  # with a window it would cut the newest bars off
        most=_MOST,
        period="resolution",
        periods={one: one for one in _RESOLUTIONS},
        since="from",
        until="to",
        unit="s",
        wants_window=True,
    ),
    Question(name="funding_history", endpoint="funding_history", keeps_s=60.0),  # all of it in one answer
    _series("open_interest_history", "open-interest"),
    _series("taker_volume", "cvd"),
    _series("long_short", "long-short-info"),
    _series("long_short", "top-traders"),
    Question(name="instruments", endpoint="instruments", of="venue", keeps_s=3600.0),
    Question(name="indices", endpoint="instruments", of="venue", keeps_s=3600.0),
    Question(name="risk_tiers", endpoint="instruments", keeps_s=3600.0),
    Question(name="status", endpoint="time", of="venue"),
)

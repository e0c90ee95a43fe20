"""What OKX is asked by tools about swaps, and in which of its words.

Docs    https://www.okx.com/docs-v5/en/
"""

from orderflow.venues.okx_futures.facts import PERIODS, RATIOS
from orderflow.venues.questions import Question

_CANDLES_REACH = 1440  # bars back from now that the plain endpoint has
_DEEPEST = 400  # levels of the plain book

_BARS = {"1s": "1s", "1m": "1m", "3m": "3m"} | {ours: said for ours, said in PERIODS.items() if ours != "5d"}


def _statistic(name: str, endpoint: str) -> Question:
    """Return a question that is answered by a row a period, the last 1440 of them a hundred at a time."""
    return Question(
        name=name,
        endpoint=endpoint,
        rows="limit",
        most=100,
        period="period",
        periods=PERIODS,
        since="begin",
        until="end",
        keeps_s=30.0,
    )


def _of_family(name: str, endpoint: str, coin: str, keeps_s: float) -> Question:
    """Return a question about a coin's contracts, those of Bitcoin where none is named."""
    return Question(
        name=name,
        endpoint=endpoint,
        of="coin",
        about="instFamily",
        coin=coin,
        params={"instFamily": coin.format(coin="BTC")},
        rows="limit",
        most=100,
        keeps_s=keeps_s,
    )


_OF_ONE = ("mark_price", "index_ticker", "funding", "open_interest")
_EVERY_SWAP = {"instId": "ANY"}

QUESTIONS = (
    *(Question(name="ticker", endpoint=one) for one in ("ticker", *_OF_ONE)),
    *(
        Question(name="tickers", endpoint=one, of="venue")
        for one in ("tickers", "mark_price", "open_interest")
    ),
    Question(name="tickers", endpoint="funding", of="venue", params=_EVERY_SWAP),
    Question(name="quote", endpoint="ticker"),
    Question(name="quotes", endpoint="tickers", of="venue"),
    Question(name="book", endpoint="depth", rows="sz", most=5000, reaches=_DEEPEST, beyond="full_depth"),
    Question(
        name="trades",
        endpoint="trades",
        rows="limit",
        most=500,
        note="single fills, where the stream joins those of one order",
    ),
    Question(
        name="candles",
        endpoint="candles",
        rows="limit",
        most=300,
        period="bar",
        periods=_BARS,
        until="after",
        reaches=_CANDLES_REACH,
        beyond="older_candles",
    ),
    Question(name="mark", endpoint="mark_price"),
    Question(name="marks", endpoint="mark_price", of="venue"),
    Question(name="index", endpoint="index_ticker"),
    *(Question(name="indices", endpoint=one, of="venue") for one in ("indices", "dollar_indices")),
    Question(name="funding", endpoint="funding"),
    Question(name="fundings", endpoint="funding", of="venue", params=_EVERY_SWAP),
    Question(
        name="funding_history",
        endpoint="funding_history",
        rows="limit",
        most=400,
        until="after",
        keeps_s=60.0,
    ),
    Question(name="open_interest", endpoint="open_interest"),
    Question(name="open_interests", endpoint="open_interest", of="venue"),
    _statistic("open_interest_history", "open_interest_history"),
    *(_statistic("long_short", one.name) for one in RATIOS),
    _statistic("taker_volume", "taker_volume"),
    _of_family("insurance_fund", "insurance_fund", "{coin}-USDT", 60.0),
    Question(name="risk_tiers", endpoint="tiers", keeps_s=60.0),
    Question(name="instruments", endpoint="instruments", of="venue", keeps_s=60.0),
    _of_family("settlements", "deliveries", "{coin}-USDT", 60.0),
    _of_family("settlements", "settlements", "{coin}-USDT", 60.0),
    Question(name="announcements", endpoint="announcements", of="venue", keeps_s=60.0),
    Question(name="status", endpoint="status", of="venue", keeps_s=10.0),
    Question(name="volume", endpoint="volume", of="venue", keeps_s=10.0),
)

"""What Binance futures is asked by tools, and by which of its endpoints it answers."""

from orderflow.venues.binance import asked
from orderflow.venues.binance_futures.facts import RATIOS
from orderflow.venues.questions import Question

PERIODS = {one: one for one in ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")}
DEPTHS = (5, 10, 20, 50, 100, 500, 1000)


def _series(name: str, endpoint: str, note: str = "") -> Question:
    """Return a question that is answered by a row a period, of the last 30 days at most."""
    return Question(
        name=name,
        endpoint=endpoint,
        rows="limit",
        most=500,
        period="period",
        periods=PERIODS,
        since="startTime",
        until="endTime",
        keeps_s=30.0,
        note=note,
    )


QUESTIONS = (
    *asked.COMMON,
    Question(name="ticker", endpoint="ticker"),
    Question(name="ticker", endpoint="best"),
    Question(name="ticker", endpoint="premium_index"),
    Question(name="ticker", endpoint="open_interest"),
    Question(name="ticker", endpoint="funding_intervals", of="venue"),
    *asked.of_all("tickers", "ticker", "best", "premium_index", "funding_intervals"),
    Question(name="book", endpoint="depth", rows="limit", most=1000, steps=DEPTHS),
    # Both ends of a window may be an hour apart at most, so that only its beginning is sent.
    Question(name="aggregate_trades", endpoint="agg_trades", rows="limit", most=1000, since="startTime"),
    Question(name="mark", endpoint="premium_index"),
    *asked.of_all("marks", "premium_index"),
    Question(name="index", endpoint="premium_index"),
    *asked.of_all("indices", "composite_indices", "coin_indices"),
    Question(name="funding", endpoint="premium_index"),
    Question(name="funding", endpoint="funding_intervals", of="venue"),
    *asked.of_all("fundings", "premium_index", "funding_intervals"),
    Question(
        name="funding_history",
        endpoint="funding_history",
        rows="limit",
        most=1000,
        since="startTime",
        until="endTime",
        keeps_s=30.0,
    ),
    Question(
        name="funding_history",
        endpoint="funding_intervals",
        of="venue",
        note="interval_hours is today's; a rate of the past may have been paid at another interval",
    ),
    Question(name="open_interest", endpoint="open_interest"),
    _series("open_interest_history", "open_interest_history"),
    *(_series("long_short", one.name) for one in RATIOS),
    _series(
        "taker_volume", "taker_volume", "the venue does not say which end of its period a row's time names"
    ),
    _series("basis", "basis"),
    Question(name="insurance_fund", endpoint="insurance", of="venue", keeps_s=30.0),
    Question(name="settlements", endpoint="deliveries", of="coin", about="pair", coin="{coin}USDT"),
)

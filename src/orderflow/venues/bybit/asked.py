"""What Bybit is asked by tools: a table of questions for each of its markets.

Lists come newest first and end where a page does, so that a beginning would only make them shorter: of what
is told row by row only the end of a window is sent, and a beginning alone is refused by some of the pages.
"""

from orderflow.venues.bybit.envelope import Category
from orderflow.venues.bybit.socket import INTERVALS
from orderflow.venues.questions import Question

_BARS = {ours: native for native, ours in INTERVALS.items()}
_PERIODS = {**{one: f"{one}in" for one in ("5m", "15m", "30m")}, "1h": "1h", "4h": "4h", "1d": "1d"}
_MOST_LEVELS = 1000
_NOTE = "prices in the coin that settles (USDT, or USDC where the name has no ending), not in the underlying"
_LISTED_OF = ("BTC", "ETH", "SOL")  # the venue answers for one coin at a time


def _of_tickers(*names: str) -> tuple[Question, ...]:
    """Return questions that one and the same page answers, about a symbol or about all."""
    return tuple(Question(name=name, endpoint="tickers") for name in names)


def _of_all(*names: str) -> tuple[Question, ...]:
    return tuple(Question(name=name, endpoint="tickers", of="venue") for name in names)


def _market(category: Category) -> tuple[Question, ...]:
    """Return what both markets with a book are asked."""
    return (
        *_of_tickers("ticker", "price", "quote"),
        *_of_all("tickers", "prices", "quotes"),
        Question(name="book", endpoint="depth", rows="limit", most=_MOST_LEVELS),
        Question(name="trades", endpoint="trades", rows="limit", most=60 if category == "spot" else 1000),
        Question(
            name="candles",
            endpoint="candles",
            rows="limit",
            most=1000,
            period="interval",
            periods=_BARS,
            since="start",
            until="end",
        ),
        Question(name="instruments", endpoint="instruments", keeps_s=60.0),
        Question(name="status", endpoint="status", of="venue", keeps_s=30.0),
    )


SPOT = _market("spot")
LINEAR = (
    *_market("linear"),
    *_of_tickers("mark", "index", "funding", "open_interest"),
    *_of_all("marks", "fundings", "open_interests"),
    Question(name="funding_history", endpoint="funding_history", rows="limit", most=200, until="endTime"),
    Question(
        name="open_interest_history",
        endpoint="open_interest_history",
        rows="limit",
        most=200,
        period="intervalTime",
        periods=_PERIODS,
        until="endTime",
        keeps_s=30.0,
        note="one side: the venue's own figure counts both",
    ),
    Question(
        name="long_short",
        endpoint="account_ratio",
        rows="limit",
        most=500,
        period="period",
        periods=_PERIODS,
        until="endTime",
        keeps_s=30.0,
    ),
    Question(name="insurance_fund", endpoint="insurance", of="coin", about="coin", keeps_s=60.0),
    Question(name="risk_tiers", endpoint="risk_limit", keeps_s=60.0),
    Question(name="announcements", endpoint="announcements", of="venue", rows="limit", keeps_s=60.0),
)
OPTION = (
    *(
        Question(
            name="instruments",
            endpoint="instruments",
            of="venue",
            params={"baseCoin": coin},
            keeps_s=60.0,
            note=f"options on {', '.join(_LISTED_OF)}; of other coins the chain tells",
        )
        for coin in _LISTED_OF
    ),
    Question(name="option_underlyings", endpoint="underlyings", of="venue", keeps_s=60.0),
    Question(name="option_expirations", endpoint="chain", of="coin", about="baseCoin", keeps_s=30.0),
    Question(name="option_contracts", endpoint="instruments", of="coin", about="baseCoin", keeps_s=60.0),
    Question(name="option_chain", endpoint="chain", of="coin", about="baseCoin", note=_NOTE),
    Question(name="option", endpoint="chain", of="instrument", about="symbol", note=_NOTE),
    Question(
        name="option_book",
        endpoint="depth",
        of="instrument",
        about="symbol",
        rows="limit",
        most=25,
        note=_NOTE,
    ),
    Question(
        name="realised_volatility",
        endpoint="volatility",
        of="coin",
        about="baseCoin",
        params={"period": "30"},
        since="startTime",
        until="endTime",
        wants_window=True,
        each_s=3600.0,
        most=720,
        keeps_s=60.0,
        note="over 30 days, told every hour; at most 30 days are asked for at once",
    ),
    Question(name="settlements", endpoint="deliveries", of="coin", about="baseCoin", keeps_s=60.0),
    Question(name="status", endpoint="status", of="venue", keeps_s=30.0),
)

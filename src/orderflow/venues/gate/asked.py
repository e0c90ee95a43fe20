"""What is asked of Gate's perpetuals and dated contracts in the same words: endpoints and questions."""

from orderflow.venues.gate.answers import Answers
from orderflow.venues.questions import Question
from orderflow.venues.spec import Answer, Endpoint, Query

SETTLED = {"settle": "usdt"}
OF_CONTRACT = {"contract": "{symbol}"}

# UNCONFIRMED that each market has 2h, 6h and 12h; the venue refuses what it lacks. A week begins on
# Monday, seven days are counted from 1970 on.
PERIODS = {
    one: one for one in ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "7d", "1w")
}
_OF_ONE = ("ticker", "price", "quote", "mark", "index", "open_interest")
_OF_ALL = tuple(f"{name}s" for name in _OF_ONE if name != "index")


def of_contract(name: str, path: str, decode: Answer, params: Query, cache_s: float = 0.0) -> Endpoint:
    """Return an endpoint that is asked about one contract."""
    fixed = {**SETTLED, **params}
    return Endpoint(name, path, decode, fixed, ("contract",), of_symbol=OF_CONTRACT, cache_s=cache_s)


def endpoints(base: str, said: Answers, *, levels: int) -> tuple[Endpoint, ...]:
    """Return what both kinds of contracts offer below a path; a book of `levels` a side unless asked otherwise."""
    return (
        Endpoint("time", "/api/v4/spot/time", said.time),
        Endpoint("instruments", f"{base}/contracts", said.contracts, SETTLED, of_symbol={}, cache_s=60),
        of_contract("instrument", f"{base}/contracts/{{contract}}", said.contract, {}, 60),
        of_contract(
            "depth", f"{base}/order_book", said.order_book, {"limit": str(levels), "with_id": "true"}
        ),
        of_contract("trades", f"{base}/trades", said.trades, {"limit": "1000"}),
        # Without a limit, which is refused beside `from` and `to`: the last hundred where neither is given.
        of_contract("candles", f"{base}/candlesticks", said.candles, {"interval": "1m"}),
        Endpoint("tickers", f"{base}/tickers", said.tickers, SETTLED, of_symbol=OF_CONTRACT),
    )


def questions(*, most_levels: int) -> tuple[Question, ...]:
    """Return what both kinds of contracts are asked; a book has at most so many levels a side."""
    return (
        *(Question(name=name, endpoint="tickers") for name in _OF_ONE),
        *(Question(name=name, endpoint="tickers", of="venue") for name in _OF_ALL),
        Question(name="book", endpoint="depth", rows="limit", most=most_levels),
        Question(
            name="trades", endpoint="trades", rows="limit", most=1000, since="from", until="to", unit="s"
        ),
        Question(
            name="candles",
            endpoint="candles",
            period="interval",
            periods=PERIODS,
            since="from",
            until="to",
            unit="s",
            wants_window=True,  # a number of rows is refused beside a window
        ),
        Question(name="instruments", endpoint="instruments", of="venue", keeps_s=60.0),
    )

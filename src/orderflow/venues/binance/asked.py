"""What both Binance markets are asked alike, and how they word a price that is nothing more."""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import Event, Nanos
from orderflow.market.facts import LastPrice
from orderflow.venues.binance import nanos
from orderflow.venues.questions import Question
from orderflow.venues.spec import Answer, Memory, Query

INTERVALS = {
    one: one
    for one in (
        *("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h"),
        *("1d", "3d", "1w", "1M"),
    )
}
WHOLE_KEEPS_S = 5.0  # an answer about every market weighs tens of times as much as one about a single one


class _Price(msgspec.Struct, gc=False):
    symbol: str
    price: float
    time: int | None = None  # futures say it


_PRICES = msgspec.json.Decoder(_Price | list[_Price], strict=False)


def prices(venue: str) -> Answer:
    """Return the decoder of last prices, one or all; a pair that trades no more is listed at 0."""

    def decode(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        said = _PRICES.decode(body)
        return [
            LastPrice(venue, one.symbol, None if one.time is None else nanos(one.time), ts_recv, one.price)
            for one in (said if isinstance(said, list) else [said])
            if one.price
        ]

    return decode


def of_all(name: str, *endpoints: str) -> tuple[Question, ...]:
    """Return a question about every market at once, answered by these endpoints together."""
    return tuple(Question(name=name, endpoint=one, of="venue", keeps_s=WHOLE_KEEPS_S) for one in endpoints)


COMMON = (
    Question(name="price", endpoint="price"),
    *of_all("prices", "price"),
    Question(name="quote", endpoint="best"),
    *of_all("quotes", "best"),
    Question(name="trades", endpoint="trades", rows="limit", most=1000),
    Question(
        name="candles",
        endpoint="candles",
        rows="limit",
        most=1000,
        period="interval",
        periods=INTERVALS,
        since="startTime",
        until="endTime",
    ),
    Question(name="instruments", endpoint="instruments", of="venue"),
)

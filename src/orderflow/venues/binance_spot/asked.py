"""What Binance spot is asked by tools, and what those of its answers mean that no stream carries.

Docs    https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
Times   of an average, when it was last counted; a price and a best quote come without one.
"""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import Event, Nanos
from orderflow.market.facts import LastPrice
from orderflow.venues import binance
from orderflow.venues.binance import asked, nanos
from orderflow.venues.binance_spot.socket import VENUE
from orderflow.venues.questions import Question
from orderflow.venues.spec import Endpoint, Memory, Query

# Of a rolling ticker; the venue takes every number of minutes, of hours and of days up to a week.
WINDOWS = {"24h": "1d"} | {
    one: one
    for one in (
        *("1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h"),
        *("1d", "2d", "3d", "4d", "5d", "6d", "7d"),
    )
}

# ── Answers ───────────────────────────────────────────────────────────────────────────────────


class _Average(msgspec.Struct, gc=False):
    mins: float
    price: float
    closeTime: int | None = None  # not said before 2023


_AVERAGE = msgspec.json.Decoder(_Average, strict=False)


def _average(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _AVERAGE.decode(body)
    at = None if said.closeTime is None else nanos(said.closeTime)
    return (LastPrice(VENUE, query.get("symbol", ""), at, ts_recv, said.price, "average", said.mins),)


def _window(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return binance.days(VENUE, body, ts_recv)


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

FACTS = (
    Endpoint("price", "/api/v3/ticker/price", asked.prices(VENUE), weight=2, weight_of_all=4),
    Endpoint("average", "/api/v3/avgPrice", _average, needs=("symbol",), weight=2),
    Endpoint("window", "/api/v3/ticker", _window, {"windowSize": "1d"}, ("symbol",), weight=4),
)

# ── Questions ─────────────────────────────────────────────────────────────────────────────────

QUESTIONS = (
    *asked.COMMON,
    Question(name="ticker", endpoint="ticker"),
    Question(name="ticker", endpoint="best"),
    *asked.of_all("tickers", "ticker", "best"),
    Question(name="rolling_ticker", endpoint="window", period="windowSize", periods=WINDOWS),
    Question(name="average_price", endpoint="average"),
    Question(name="book", endpoint="depth", rows="limit", most=1000),
    Question(
        name="aggregate_trades",
        endpoint="agg_trades",
        rows="limit",
        most=1000,
        since="startTime",
        until="endTime",
    ),
)

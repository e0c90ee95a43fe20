"""What the charts of Kraken Futures say: bars of trades; those of marks and indices are left out."""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import MINUTE, MS, Candle, Event, Nanos
from orderflow.venues.kraken_futures.products import VENUE, known
from orderflow.venues.kraken_futures.refusals import unless_refused
from orderflow.venues.spec import Contract, Memory, Query, left_out


class _Bar(msgspec.Struct, gc=False):
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class _Bars(msgspec.Struct):
    candles: list[_Bar]


_BARS = msgspec.json.Decoder(_Bars, strict=False)
_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "12h": 720, "1d": 1440, "1w": 10080}


@unless_refused
def candles(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode bars; a bar is closed once its last instant is past when it was sent.

    Where the time of sending is unknown, the last bar of the list counts as open.
    """
    rows = _BARS.decode(body).candles
    kind, interval = query.get("tick_type", ""), query.get("resolution", "")
    one = known(query.get("symbol", ""), memory)
    if kind != "trade" or interval not in _MINUTES:
        reason = f"no stream for candles of the {kind} price" if kind != "trade" else "an unknown interval"
        return (left_out(VENUE, one.symbol, ts_recv, reason),)
    found: list[Event] = []
    for place, row in enumerate(rows, 1):
        opened = row.time * MS
        ends = opened + _MINUTES[interval] * MINUTE - MS
        closed = ends < ts_recv if ts_recv else place < len(rows)
        found.append(_candle(row, one, interval, ends, closed, ts_recv))
    return found


def _candle(row: _Bar, one: Contract, interval: str, ends: Nanos, closed: bool, ts_recv: Nanos) -> Candle:
    # Contracts of USD are the value that was traded; in base units it is not told.
    worth = row.volume * one.times / one.over
    return Candle(
        VENUE,
        one.symbol,
        ends if closed else None,
        ts_recv,
        interval,
        row.time * MS,
        ends,
        row.open,
        row.high,
        row.low,
        row.close,
        float("nan") if one.inverse else worth,
        quote_volume=worth if one.inverse else None,
        closed=closed,
    )

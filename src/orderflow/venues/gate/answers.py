"""What Gate answers over REST alike about perpetuals and dated contracts."""

from collections.abc import Callable, Sequence
from functools import wraps
from math import isnan, nan
from typing import TypeAlias, TypeVar

import msgspec

from orderflow.market.events import (
    SECOND,
    BookUpdate,
    Control,
    Event,
    Funding,
    FundingInterval,
    IndexPrice,
    Instrument,
    MarkPrice,
    Nanos,
)
from orderflow.market.facts import Basis, LastPrice
from orderflow.venues.gate import complaint
from orderflow.venues.gate.rows import at, candle, day, kind_of, known, listed, rungs, symbol_of, trade
from orderflow.venues.gate.wire import Bar, Day, Fill, Rung
from orderflow.venues.spec import Memory, Query, contract, left_out

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Contract(msgspec.Struct, gc=False):
    name: str
    quanto_multiplier: float | None = None
    type: str = "direct"
    status: str = ""
    in_delisting: bool = False
    position_size: float | None = None
    order_price_round: float | None = None
    order_size_min: float | None = None
    create_time: float = 0.0
    mark_price: float | None = None
    index_price: float | None = None
    funding_rate: float | None = None
    funding_interval: float | None = None
    funding_next_apply: float | None = None


class _Depth(msgspec.Struct, gc=False):
    bids: list[Rung]
    asks: list[Rung]
    update: float
    id: int | None = None


class _ServerTime(msgspec.Struct):
    server_time: int


_CONTRACT = msgspec.json.Decoder(_Contract, strict=False)
_CONTRACTS = msgspec.json.Decoder(list[_Contract], strict=False)
_DEPTH = msgspec.json.Decoder(_Depth, strict=False)
_TRADES = msgspec.json.Decoder(list[Fill], strict=False)
_BARS = msgspec.json.Decoder(list[Bar], strict=False)
_DAYS = msgspec.json.Decoder(list[Day], strict=False)
_SERVER_TIME = msgspec.json.Decoder(_ServerTime, strict=False)

UNNAMED = "an answer whose request is not recorded has no symbol"

# ── What it means ─────────────────────────────────────────────────────────────────────────────

S = TypeVar("S", bound="Answers")
Method: TypeAlias = Callable[[S, bytes, Query, Nanos, Memory], Sequence[Event]]


def unless_refused(decode: Method[S]) -> Method[S]:
    """Return the decoder with errors of the venue left out, and empty texts taken for what is not known."""

    @wraps(decode)
    def decode_or_leave_out(
        self: S, body: bytes, query: Query, ts_recv: Nanos, memory: Memory
    ) -> Sequence[Event]:
        try:
            return decode(self, body, query, ts_recv, memory)
        except msgspec.ValidationError:
            said = complaint(body)
            if said is not None:
                return (left_out(self.venue, "", ts_recv, f"an error answer: {said[0]}"),)
            if b'""' not in body:
                raise
            plain = msgspec.json.encode(known(msgspec.json.decode(body)))
            return decode(self, plain, query, ts_recv, memory)

    return decode_or_leave_out


class Answers:
    """The decoders of one market; `venue` is its name."""

    def __init__(self, venue: str) -> None:
        self.venue = venue

    @unless_refused
    def time(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return (Control(self.venue, "", at(_SERVER_TIME.decode(body).server_time), ts_recv, "pong"),)

    @unless_refused
    def contracts(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        settle = query.get("settle", "")
        return [event for one in _CONTRACTS.decode(body) for event in self._listed(one, settle, ts_recv)]

    @unless_refused
    def contract(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return self._listed(_CONTRACT.decode(body), query.get("settle", ""), ts_recv)

    @unless_refused
    def order_book(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        said = _DEPTH.decode(body)
        if "contract" not in query:
            return (left_out(self.venue, "", ts_recv, UNNAMED),)
        one = listed(query["contract"], memory)
        bids, asks = rungs(said.bids, one), rungs(said.asks, one)
        depth = None if said.id is not None else max(len(bids), len(asks))  # without an id no diff can join
        ts_event = at(said.update)
        return (
            BookUpdate(self.venue, one.symbol, ts_event, ts_recv, True, bids, asks, said.id, depth=depth),
        )

    @unless_refused
    def trades(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [trade(self.venue, row, ts_recv, memory) for row in _TRADES.decode(body)]

    @unless_refused
    def candles(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        rows = _BARS.decode(body)
        if "contract" not in query:
            return (left_out(self.venue, "", ts_recv, UNNAMED),)
        interval, native = query.get("interval", "5m"), query["contract"]
        # Where the time of receipt is unknown, the last bar of the list counts as open.
        return [
            candle(
                self.venue,
                row,
                interval,
                native,
                ts_recv or rows[-1].t * SECOND,
                ts_recv,
                memory,
                sent=False,
            )
            for row in rows
        ]

    @unless_refused
    def tickers(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [event for row in _DAYS.decode(body) for event in self._day(row, ts_recv, memory)]

    def _day(self, row: Day, ts_recv: Nanos, memory: Memory) -> list[Event]:
        """Return what a ticker says, and as facts its last price and the basis of a dated contract."""
        found = day(self.venue, row, None, ts_recv, memory)
        symbol, ts_event = found[0].symbol, found[0].ts_event
        if row.last is not None:
            found.append(LastPrice(self.venue, symbol, ts_event, ts_recv, row.last))
        if row.basis_value is not None:
            found.append(
                Basis(
                    *(self.venue, symbol, ts_event, ts_recv, row.basis_value, row.basis_rate),
                    futures_price=row.mark_price,
                    index_price=row.index_price,
                    contract=row.contract,
                )
            )
        return found

    def _listed(self, one: _Contract, settle: str, ts_recv: Nanos) -> list[Event]:
        symbol, kind = symbol_of(one.name), kind_of(one.name)
        base, quote = [*one.name.split("_"), ""][:2]
        gone = one.in_delisting and not one.position_size
        status = one.status or ("delisted" if gone else "delisting" if one.in_delisting else "trading")
        size = _contract_size(one, linear=quote.lower() == settle)
        least = one.order_size_min if one.type != "inverse" and not isnan(size) else None
        found: list[Event] = [
            Instrument(
                *(self.venue, symbol, None, ts_recv),
                native=one.name,
                kind=kind,
                base=base,
                quote=quote,
                status=status,
                trading=status not in ("prelaunch", "delisted") and not gone,
                contract_size=size,
                tick=one.order_price_round,
                lot=contract(symbol, size).base(least, 0.0) if least else None,
                listed_ts=at(one.create_time) if one.create_time else None,
                inverse=one.type == "inverse",
            )
        ]
        if one.mark_price:
            found.append(MarkPrice(self.venue, symbol, None, ts_recv, one.mark_price, one.index_price))
        if one.index_price:
            found.append(IndexPrice(self.venue, symbol, None, ts_recv, one.index_price))
        if one.funding_interval and kind == "perpetual":
            hours = one.funding_interval / 3600
            found.append(FundingInterval(self.venue, symbol, None, ts_recv, hours))
            if one.funding_rate is not None:
                next_ts = at(one.funding_next_apply) if one.funding_next_apply else None
                found.append(
                    Funding(self.venue, symbol, None, ts_recv, one.funding_rate, None, hours, next_ts)
                )
        return found


def _contract_size(one: _Contract, *, linear: bool) -> float:
    """Return what a contract holds: base units, dollars if inverse, NaN if it pays in a third currency."""
    if one.type == "inverse":
        return 1.0
    return one.quanto_multiplier if linear and one.quanto_multiplier else nan

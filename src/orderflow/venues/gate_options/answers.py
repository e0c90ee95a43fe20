"""What Gate answers about its options, and what that means.

Prices and strikes are USDT for one coin, volatilities fractions a year; vega and rho are said for one point
of a hundred, theta for a day. Sizes are contracts: what one holds stands in the list of contracts, so that
sizes are unknown until that was read.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import nan
from typing import Literal, NamedTuple

import msgspec

from orderflow.market.events import SECOND, BookUpdate, Event, IndexPrice, Nanos, Option
from orderflow.market.facts import Asset, OptionContract
from orderflow.venues.gate.answers import UNNAMED, Answers, unless_refused
from orderflow.venues.gate.rows import at, rungs, symbol_of
from orderflow.venues.gate.wire import Rung
from orderflow.venues.spec import Contract, Memory, Query, contract, left_out

VENUE = "gate_options"

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Underlying(msgspec.Struct, gc=False):
    name: str
    index_price: float | None = None


class _UnderlyingTicker(msgspec.Struct, gc=False):
    index_price: float


class _Contract(msgspec.Struct, gc=False):
    name: str
    expiration_time: float
    is_call: bool
    strike_price: float | None = None
    multiplier: float | None = None
    order_price_round: float | None = None
    underlying: str = ""


class _Ticker(msgspec.Struct, gc=False):
    name: str
    mark_price: float | None = None
    index_price: float | None = None
    ask1_price: float | None = None
    bid1_price: float | None = None
    position_size: float | None = None
    mark_iv: float | None = None
    bid_iv: float | None = None
    ask_iv: float | None = None
    delta: float | None = None
    gamma: float | None = None
    vega: float | None = None
    theta: float | None = None
    rho: float | None = None


class _Depth(msgspec.Struct, gc=False):
    bids: list[Rung]
    asks: list[Rung]
    update: float | None = None
    id: int | None = None


_UNDERLYINGS = msgspec.json.Decoder(list[_Underlying], strict=False)
_UNDERLYING = msgspec.json.Decoder(_UnderlyingTicker, strict=False)
_EXPIRIES = msgspec.json.Decoder(list[int], strict=False)
_CONTRACTS = msgspec.json.Decoder(list[_Contract], strict=False)
_CONTRACT = msgspec.json.Decoder(_Contract, strict=False)
_TICKERS = msgspec.json.Decoder(list[_Ticker], strict=False)
_DEPTH = msgspec.json.Decoder(_Depth, strict=False)

# ── What a name tells ─────────────────────────────────────────────────────────────────────────

_OPTION = re.compile(r"([A-Z0-9]+_[A-Z0-9]+)-(\d{8})-(\d+(?:\.\d+)?)-([CP])")
_EXPIRY_HOUR = 8  # UTC, for all that expires


class _Named(NamedTuple):
    underlying: str
    expiry_ts: Nanos
    strike: float
    kind: Literal["call", "put"]


@lru_cache(maxsize=1 << 14)
def _named(native: str) -> _Named:
    """Tell an option by its name.

    >>> _named("BTC_USDT-20261225-60000-C").strike, _named("BTC_USDT-20261225-60000-C").expiry_ts // SECOND
    (60000.0, 1798185600)
    """
    found = _OPTION.fullmatch(native)
    if found is None:
        raise ValueError(f"{VENUE}: no option is called {native[:60]!r}")
    underlying, day, strike, right = found.groups()
    moment = datetime.strptime(day, "%Y%m%d").replace(hour=_EXPIRY_HOUR, tzinfo=UTC)
    kind: Literal["call", "put"] = "call" if right == "C" else "put"
    return _Named(underlying, int(moment.timestamp()) * SECOND, float(strike), kind)


def _learn(one: _Contract, memory: Memory) -> None:
    if one.multiplier:
        memory.states[f"holds {one.name}"] = one.multiplier


def _sized(native: str, memory: Memory) -> Contract:
    """Return an option as sizes need it; what a contract holds is NaN until its listing was read."""
    return contract(native, memory.states.get(f"holds {native}", nan), kind="option")


def _known(value: float | None) -> float | None:
    """Return a price or a volatility; zero is none."""
    return value or None


# ── What it means ─────────────────────────────────────────────────────────────────────────────


class Options(Answers):
    """The decoders of options."""

    @unless_refused
    def underlyings(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        found: list[Event] = []
        for one in _UNDERLYINGS.decode(body):
            symbol = symbol_of(one.name)
            found.append(
                Asset(VENUE, symbol, None, ts_recv, one.name.partition("_")[0], one.name, "underlying")
            )
            if one.index_price:
                found.append(IndexPrice(VENUE, symbol, None, ts_recv, one.index_price))
        return found

    @unless_refused
    def underlying(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        said = _UNDERLYING.decode(body)
        return [IndexPrice(VENUE, symbol_of(query["underlying"]), None, ts_recv, said.index_price)]

    @unless_refused
    def expirations(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        symbol = symbol_of(query.get("underlying", ""))
        found: list[Event] = []
        for time in sorted(_EXPIRIES.decode(body)):
            expiry_ts = at(time)
            day = f"{datetime.fromtimestamp(expiry_ts // SECOND, UTC):%Y-%m-%d}"
            found.append(Asset(VENUE, symbol, None, ts_recv, day, str(time), "expiry", expiry_ts=expiry_ts))
        return found

    @unless_refused
    def contracts(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [self._option(one, ts_recv, memory) for one in _CONTRACTS.decode(body)]

    @unless_refused
    def contract(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [self._option(_CONTRACT.decode(body), ts_recv, memory)]

    def _option(self, one: _Contract, ts_recv: Nanos, memory: Memory) -> Event:
        _learn(one, memory)
        named = _named(one.name)
        return OptionContract(
            *(VENUE, symbol_of(one.underlying or named.underlying), None, ts_recv),
            *(one.name, at(one.expiration_time), one.strike_price or named.strike),
            "call" if one.is_call else "put",
            contract_size=one.multiplier,
            tick=one.order_price_round,
        )

    @unless_refused
    def tickers(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [self._row(one, ts_recv, memory) for one in _TICKERS.decode(body)]

    def _row(self, one: _Ticker, ts_recv: Nanos, memory: Memory) -> Event:
        named, holds = _named(one.name), memory.states.get(f"holds {one.name}")
        known = one.position_size is not None and holds is not None
        size = _sized(one.name, memory).base(one.position_size or 0.0, 0.0) if known else None
        return Option(
            *(VENUE, symbol_of(named.underlying), None, ts_recv),
            *(one.name, named.expiry_ts, named.strike, named.kind),
            bid=_known(one.bid1_price),
            ask=_known(one.ask1_price),
            bid_iv=_known(one.bid_iv),
            ask_iv=_known(one.ask_iv),
            mark_price=one.mark_price,
            mark_iv=_known(one.mark_iv),
            underlying_price=_known(one.index_price),
            open_interest=size,
            delta=one.delta,
            gamma=one.gamma,
            vega=one.vega,
            theta=one.theta,
            rho=one.rho,
        )

    @unless_refused
    def order_book(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        said = _DEPTH.decode(body)
        if "contract" not in query:
            return (left_out(VENUE, "", ts_recv, UNNAMED),)
        native = query["contract"]
        one = _sized(native, memory)
        bids, asks = rungs(said.bids, one), rungs(said.asks, one)
        ts_event = None if said.update is None else at(said.update)
        depth = max(len(bids), len(asks))
        return (BookUpdate(VENUE, native, ts_event, ts_recv, True, bids, asks, said.id, depth=depth),)

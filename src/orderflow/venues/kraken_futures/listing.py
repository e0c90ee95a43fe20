"""What Kraken Futures lists: its products with their margins, its indices, and how the products fare.

Docs    https://docs.kraken.com/api/docs/futures-api/trading/get-instruments
Units   A step of margins begins at a number of contracts (inverse products) or of units that are none: quote
        units, for linear ones.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from orderflow.market.events import Control, Event, Instrument, Nanos
from orderflow.market.facts import Asset, RiskTier, VenueStatus
from orderflow.venues.kraken_futures.products import VENUE, coin, known, parts, product, unified
from orderflow.venues.kraken_futures.refusals import unless_refused
from orderflow.venues.kraken_futures.unified import When, nanos
from orderflow.venues.spec import Memory, Query, left_out

# ── What it says ──────────────────────────────────────────────────────────────────────────────


class _Margin(msgspec.Struct, gc=False):
    initialMargin: float
    maintenanceMargin: float
    contracts: float | None = None
    numNonContractUnits: float | None = None


class _Listed(msgspec.Struct, gc=False):
    symbol: str
    type: str
    tradeable: bool
    tickSize: float | None = None
    contractSize: float | None = None
    contractValueTradePrecision: int | None = None
    base: str = ""
    quote: str = ""
    openingDate: When | None = None
    lastTradingTime: When | None = None
    postOnly: bool = False
    marginLevels: list[_Margin] | None = None


class _Listing(msgspec.Struct):
    instruments: list[_Listed]
    serverTime: When | None = None


class _State(msgspec.Struct, gc=False):
    """How a product fares; the longer names are the documents', the shorter ones those of older answers."""

    tradeable: str
    isExperiencingDislocation: bool = False
    isExperiencingExtremeVolatility: bool = False
    experiencingDislocation: bool = False
    experiencingExtremeVolatility: bool = False
    priceDislocationDirection: str | None = None


class _States(msgspec.Struct):
    serverTime: When
    instrumentStatus: list[_State] = []


_LISTING = msgspec.json.Decoder(_Listing, strict=False)
_STATES = msgspec.json.Decoder(_States)

# ── Products and indices ──────────────────────────────────────────────────────────────────────

_INVERSE = "futures_inverse"
_INDEX = "spot index"


@unless_refused
def instruments(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the listing: products, the margins of each, and the indices that they follow."""
    said = _LISTING.decode(body)
    ts_event = None if said.serverTime is None else nanos(said.serverTime)
    listed = [one for one in said.instruments if one.type != _INDEX]
    found: list[Event] = [_instrument(one, ts_event, ts_recv) for one in listed]
    found += [tier for one in listed for tier in _tiers(one, ts_event, ts_recv)]
    found += [_index(one, ts_event, ts_recv) for one in said.instruments if one.type == _INDEX]
    return found or (left_out(VENUE, "", ts_recv, "a list without products"),)


def _instrument(one: _Listed, ts_event: Nanos | None, ts_recv: Nanos) -> Instrument:
    name = product(one.symbol)
    base, quote = _coins(one)
    inverse = one.type == _INVERSE
    # An inverse product's smallest order is counted in contracts of USD, which is no step in base units.
    digits = None if inverse else one.contractValueTradePrecision
    return Instrument(
        VENUE,
        unified(name, base, quote),
        ts_event,
        ts_recv,
        native=name,
        kind="perpetual" if name.startswith("P") else "future",
        base=base,
        quote=quote,
        status="post only" if one.postOnly else "tradeable" if one.tradeable else "not tradeable",
        trading=one.tradeable,
        contract_size=one.contractSize,
        tick=one.tickSize,
        lot=None if digits is None else float(f"1e{-digits}") * (one.contractSize or 1.0),
        listed_ts=None if one.openingDate is None else nanos(one.openingDate),
        inverse=inverse,
    )


def _coins(one: _Listed) -> tuple[str, str]:
    base, quote = parts(product(one.symbol))
    return coin(one.base) or base, coin(one.quote) or quote


def _tiers(one: _Listed, ts_event: Nanos | None, ts_recv: Nanos) -> Iterator[RiskTier]:
    """Return the steps of a product's margins: each ends where the next one begins, the last nowhere."""
    symbol = unified(product(one.symbol), *_coins(one))
    levels = [level for level in one.marginLevels or () if _floor(level) is not None]
    for number, (level, above) in enumerate(pairwise([*levels, None]), 1):
        if level is None:
            continue
        yield RiskTier(
            *(VENUE, symbol, ts_event, ts_recv),
            tier=number,
            limit=None if above is None else _floor(above),
            unit="quote" if level.contracts is None else "contracts",
            initial_margin=level.initialMargin,
            maintenance_margin=level.maintenanceMargin,
            max_leverage=1 / level.initialMargin if level.initialMargin > 0 else None,
            floor=_floor(level),
        )


def _floor(level: _Margin) -> float | None:
    return level.numNonContractUnits if level.contracts is None else level.contracts


def _index(one: _Listed, ts_event: Nanos | None, ts_recv: Nanos) -> Asset:
    name = one.symbol.upper()
    return Asset(VENUE, "", ts_event, ts_recv, name=name, native=one.symbol, kind="index")


# ── How they fare ─────────────────────────────────────────────────────────────────────────────


@unless_refused
def states(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the states of all products: the venue's clock, then the venue and each product in trouble.

    That the venue is online is told by its answering: it has no word of its own for it.
    """
    said = _STATES.decode(body)
    ts_event = nanos(said.serverTime)
    venue = VenueStatus(VENUE, "", ts_event, ts_recv, "online")
    troubled = [
        VenueStatus(VENUE, known(one.tradeable, memory).symbol, ts_event, ts_recv, trouble, message)
        for one in said.instrumentStatus
        for trouble, message in _troubles(one)
    ]
    return (Control(VENUE, "", ts_event, ts_recv, "pong"), venue, *troubled)


def _troubles(one: _State) -> Iterator[tuple[str, str]]:
    if one.isExperiencingDislocation or one.experiencingDislocation:
        yield "price dislocation", one.priceDislocationDirection or ""
    if one.isExperiencingExtremeVolatility or one.experiencingExtremeVolatility:
        yield "extreme volatility", ""

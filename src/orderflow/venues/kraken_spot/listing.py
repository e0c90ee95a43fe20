"""What Kraken's spot market lists: pairs and coins, how it fares, what its clock says, and how it says no."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from orderflow.market.events import SECOND, US, Control, Event, Instrument, Nanos
from orderflow.market.facts import Asset, VenueStatus
from orderflow.venues.kraken_spot.words import VENUE, coin, unified
from orderflow.venues.spec import Answer, Memory, Query, left_out

# ── What it says ──────────────────────────────────────────────────────────────────────────────


class _Complaint(msgspec.Struct):
    error: list[str]


class _Pair(msgspec.Struct, gc=False):
    altname: str
    base: str
    quote: str
    wsname: str = ""
    pair_decimals: int | None = None
    lot_decimals: int | None = None
    costmin: float | None = None
    tick_size: float | None = None
    status: str = "online"  # lists of before 2022 have none


class _Pairs(msgspec.Struct):
    result: dict[str, _Pair]


class _Coin(msgspec.Struct, gc=False):
    altname: str
    decimals: int | None = None
    status: str = ""


class _Coins(msgspec.Struct):
    result: dict[str, _Coin]


class _State(msgspec.Struct):
    status: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    message: str = ""


class _System(msgspec.Struct):
    result: _State


class _Clock(msgspec.Struct):
    unixtime: int


class _Time(msgspec.Struct):
    result: _Clock


_COMPLAINT = msgspec.json.Decoder(_Complaint)
_PAIRS = msgspec.json.Decoder(_Pairs, strict=False)
_COINS = msgspec.json.Decoder(_Coins, strict=False)
_SYSTEM = msgspec.json.Decoder(_System)
_TIME = msgspec.json.Decoder(_Time)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# ── How it says no ────────────────────────────────────────────────────────────────────────────


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the code and the text of the error that a body has; what begins with W is a warning alone."""
    try:
        said = _COMPLAINT.decode(body).error
    except msgspec.MsgspecError:
        return None
    return next(((one, one) for one in said if not one.startswith("W")), None)


def unless_refused(decode: Callable[[bytes, Query, Nanos, Memory], Sequence[Event]]) -> Answer:
    """Return a decoder that leaves out errors, and says so where an answer holds nothing."""

    def checked(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        try:
            found = decode(body, query, ts_recv, memory)
        except msgspec.ValidationError:
            said = complaint(body)
            if said is None:
                raise
            return (left_out(VENUE, query.get("pair", ""), ts_recv, f"an error answer: {said[0]}"),)
        return found or (left_out(VENUE, query.get("pair", ""), ts_recv, "an answer without rows"),)

    return checked


# ── Pairs and coins ───────────────────────────────────────────────────────────────────────────

_TRADING = ("online", "limit_only")


@unless_refused
def pairs(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the pairs. Those of the dark pool (`.d`) are further books of the same coins: left out."""
    said = _PAIRS.decode(body).result
    return [_pair(name, one, ts_recv) for name, one in said.items() if not name.endswith(".d")]


def _pair(name: str, one: _Pair, ts_recv: Nanos) -> Instrument:
    base, _, quote = one.wsname.partition("/")
    base, quote = (base, quote) if quote else (one.base, one.quote)
    tick = one.tick_size
    if tick is None and one.pair_decimals is not None:
        tick = float(f"1e{-one.pair_decimals}")
    return Instrument(
        VENUE,
        unified(base, quote),
        None,
        ts_recv,
        native=name,
        kind="spot",
        base=coin(base),
        quote=coin(quote),
        status=one.status,
        trading=one.status in _TRADING,
        tick=tick,
        lot=None if one.lot_decimals is None else float(f"1e{-one.lot_decimals}"),
        min_notional=one.costmin,
    )


@unless_refused
def coins(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        Asset(
            *(VENUE, "", None, ts_recv),
            name=coin(one.altname),
            native=name,
            decimals=one.decimals,
            status=one.status,
        )
        for name, one in _COINS.decode(body).result.items()
    ]


# ── How it fares ──────────────────────────────────────────────────────────────────────────────


@unless_refused
def status(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the venue's own word: online, maintenance, cancel_only, post_only."""
    said = _SYSTEM.decode(body).result
    then = None if said.timestamp is None else round((said.timestamp - _EPOCH).total_seconds() * 1e6) * US
    return (VenueStatus(VENUE, "", then, ts_recv, said.status, said.message),)


@unless_refused
def server_time(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return (Control(VENUE, "", _TIME.decode(body).result.unixtime * SECOND, ts_recv, "pong"),)

"""The envelope of Deribit's REST: how a method is asked, and how its result or its error is taken out."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from orderflow.market.events import US, Event, Nanos
from orderflow.venues.deribit.wire import Error
from orderflow.venues.spec import Answer, Endpoint, Memory, Query, left_out

V2 = "/api/v2/public/"
OF_ALL: dict[str, str] = {}
TIMES = ("start_timestamp", "end_timestamp")

LISTINGS = "listings"  # a bucket of its own

# ── What is answered ──────────────────────────────────────────────────────────────────────────

T = TypeVar("T")
Meaning = Callable[[T, Query, Nanos | None, Nanos], Sequence[Event]]  # result, query, ts_event, ts_recv


class _Answer(msgspec.Struct, Generic[T]):
    result: T | None = None
    error: Error | None = None
    usOut: int | None = None  # microseconds: when it was sent


class _Refused(msgspec.Struct):
    error: Error | None = None


_REFUSED = msgspec.json.Decoder(_Refused)


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the code and the text of an error; None where the body holds none."""
    try:
        said = _REFUSED.decode(body).error
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return None if said is None else (str(said.code), said.said)


def answered(kind: Any, meaning: Meaning[Any], venue: str) -> Answer:
    """Return the decoder of an answer whose result is of a kind."""
    decoder = msgspec.json.Decoder(_Answer[kind])

    def decode(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        said = decoder.decode(body)
        if said.error is not None:
            return (left_out(venue, "", ts_recv, f"an error answer: {said.error.code}"),)
        if said.result is None:
            return (left_out(venue, "", ts_recv, "an answer without a result"),)
        ts_event = None if said.usOut is None else said.usOut * US
        found = meaning(said.result, query, ts_event, ts_recv)
        return found or (left_out(venue, "", ts_recv, "an empty list"),)

    return decode


# ── What may be asked ─────────────────────────────────────────────────────────────────────────


def of_one(
    name: str, method: str, decode: Answer, params: dict[str, str] | None = None, *, between: bool = False
) -> Endpoint:
    """Return what is asked about one instrument, `between` two times if so."""
    needs = ("instrument_name", *TIMES) if between else ("instrument_name",)
    of_symbol = {"instrument_name": "{symbol}"}
    return Endpoint(name, V2 + method, decode, params or {}, needs, of_symbol=of_symbol)


def of_currency(
    name: str, method: str, decode: Answer, params: dict[str, str] | None = None, *, between: bool = False
) -> Endpoint:
    """Return what is asked about all that a currency has, `between` two times if so."""
    needs = ("currency", *TIMES) if between else ("currency",)
    of_symbol = {"currency": "{currency}"}
    return Endpoint(name, V2 + method, decode, params or {}, needs, of_symbol=of_symbol)

"""The envelope of Bybit's REST answers: looked at here, so that decoders see a result and what was asked."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from orderflow.market.events import MS, Event, Nanos
from orderflow.venues.spec import Answer, Memory, Query, left_out

Category: TypeAlias = Literal["linear", "spot", "option"]


class Said(NamedTuple):
    """A result, and what its events need besides."""

    venue: str
    result: msgspec.Raw
    query: Query
    sent: Nanos | None  # when the venue answered
    ts_recv: Nanos


Meaning: TypeAlias = Callable[[Said], Sequence[Event]]


class _Envelope(msgspec.Struct):
    retCode: int
    result: msgspec.Raw = msgspec.Raw(b"{}")
    time: int | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def enveloped(venue: str, category: Category, meaning: Meaning) -> Answer:
    """Return the decoder of a body, whose result means what `meaning` makes of it."""

    def decode(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        said = _ENVELOPE.decode(body)
        symbol = query.get("symbol", "")
        if said.retCode != 0:
            return (left_out(venue, symbol, ts_recv, f"an error answer: {said.retCode}"),)
        asked = query.get("category", category)
        if asked != category:
            return (left_out(venue, symbol, ts_recv, f"another market: {asked}"),)
        sent = None if said.time is None else said.time * MS
        return meaning(Said(venue, said.result, query, sent, ts_recv))

    return decode

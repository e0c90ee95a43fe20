"""How Kraken Futures says no: each of its APIs has a form of its own, often under status 200."""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import Event, Nanos
from orderflow.venues.kraken_futures.products import VENUE
from orderflow.venues.spec import Answer, Memory, Query, left_out


class _Problem(msgspec.Struct):
    """What the charts and the history say; of analytics, in the words of the spot API, piece by piece."""

    code: str | int = ""
    message: str = ""
    severity: str = ""
    error_class: str = ""
    type: str = ""
    msg: str = ""
    field: str = ""
    value: str = ""


class _Complaint(msgspec.Struct):
    error: str = ""
    errors: list[_Problem | str] = []


_COMPLAINT = msgspec.json.Decoder(_Complaint)


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the code and the text of the error that a body is, if it is one."""
    try:
        said = _COMPLAINT.decode(body)
    except msgspec.MsgspecError:
        return None
    if said.error:
        return said.error, said.error
    return next((_told(one) for one in said.errors), None)


def _told(one: _Problem | str) -> tuple[str, str]:
    if isinstance(one, str):
        return one, one
    if not one.error_class:
        return str(one.code), one.message
    code = f"{one.severity}{one.error_class}:{one.type}"
    return code, ": ".join(piece for piece in (one.field, one.msg, one.value) if piece) or code


def unless_refused(decode: Answer) -> Answer:
    """Return a decoder that leaves out the errors which the venue sends in place of an answer."""

    def checked(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        try:
            return decode(body, query, ts_recv, memory)
        except msgspec.ValidationError:
            said = complaint(body)
            if said is None:
                raise
            return (left_out(VENUE, query.get("symbol", ""), ts_recv, f"an error answer: {said[0]}"),)

    return checked

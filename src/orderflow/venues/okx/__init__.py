"""What OKX's markets have in common: the envelope of an answer, how they refuse, what they allow, numbers.

Docs    https://www.okx.com/docs-v5/en/
One protocol (V5) for all markets: the kind of instrument stands in a parameter. Numbers are texts, an empty
one where there is none; times are milliseconds. Lists come newest first and are given oldest first.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from orderflow.market.events import MS, Event, Nanos
from orderflow.venues.spec import Answer, Bucket, Memory, Query, Refusals, left_out

DOCS = "https://www.okx.com/docs-v5/en/"
REST = "https://www.okx.com"

# ── What it allows, and how it refuses ────────────────────────────────────────────────────────

# Allowances are per path and address; a bucket holds the paths that have the same one, together.
IN_2, IN_5, IN_10, IN_20, IN_40, IN_100 = (f"{limit} in 2 s" for limit in (2, 5, 10, 20, 40, 100))
RARE = "1 in 5 s"

BUCKETS = (
    *(Bucket(f"{limit} in 2 s", limit, 2) for limit in (2, 5, 10, 20, 40, 100)),
    Bucket(RARE, 1, 5),
)


class _Complaint(msgspec.Struct, gc=False):
    code: str
    msg: str = ""


_COMPLAINT = msgspec.json.Decoder(_Complaint)


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the code and text of an error, which may come with a status of 200."""
    try:
        said = _COMPLAINT.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return None if said.code == "0" else (said.code, said.msg)


REFUSALS = Refusals(
    limited={429: 2.0},  # the venue names no time: its windows are of 2 s
    complaint=complaint,
    limited_codes=frozenset({"50011"}),
    # under maintenance, timed out, busy, system error
    unavailable_codes=frozenset({"50001", "50004", "50013", "50026"}),
    unknown_symbol_codes=frozenset({"51001"}),
)

# ── Answers ───────────────────────────────────────────────────────────────────────────────────

_T = TypeVar("_T")


class _Answer(msgspec.Struct, Generic[_T], gc=False):
    code: str
    msg: str = ""
    data: list[_T] = []


def reads(
    venue: str, row: Any, meaning: Callable[[list[Any], Query, Nanos, Memory], Sequence[Event]]
) -> Answer:
    """Return a decoder of an answer whose `data` are such rows; an error answer is left out."""
    decoder = msgspec.json.Decoder(_Answer[row], strict=False)

    def decode(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        if error := complaint(body):
            return (left_out(venue, "", ts_recv, f"an error answer: {error[0]}"),)
        return meaning(decoder.decode(body).data[::-1], query, ts_recv, memory)

    return decode


# ── Numbers ───────────────────────────────────────────────────────────────────────────────────


def number(text: str) -> float | None:
    """Return a number, or None for the empty text by which the venue says that there is none."""
    return float(text) if text else None


def nanos(text: str) -> Nanos | None:
    return int(text) * MS if text else None


class LevelRow(msgspec.Struct, array_like=True, gc=False):
    """[price, size, a dead field, orders]; REST leaves fields out or adds some behind these two."""

    price: float
    size: float

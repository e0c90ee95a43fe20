"""Every error we raise on purpose, named by what its catcher can do about it.

    OrderflowError
    ├── Retry                 the same request may succeed later   → wait, then repeat
    │   ├── RateLimited         with the seconds to wait, where the venue says
    │   ├── Banned              the venue shut us out for a while: send nothing until then
    │   ├── Disconnected        a socket closed or never opened
    │   └── VenueUnavailable    the venue answers, but not with data
    ├── Resync                our picture of a market is wrong     → drop it, take a new snapshot
    │   └── BookGap
    ├── VenueChanged          a frame that we cannot read          → keep the frame, count it, go on
    │   └── ProtocolRetired     of a protocol that is spoken no longer
    └── Rejected              the request itself is wrong          → tell the user, do not repeat
        ├── InvalidArgument, UnknownTool, UnknownSymbol, UnknownVenue, UnsupportedByVenue
        ├── NoData, TooLarge, TimedOut
        ├── StatementRefused
        ├── RegionBlocked, KeyRefused
        └── StoreUnusable, RecordingUnreadable, DoorUnavailable, ExtraMissing

Raise the leaf where it happens; catch the branch where something can be done. Every error has a
`code` for machines, a one-line message, and a `hint` that says what would be right.
"""

# What a mistake of ours in pure code raises: caught where frames are decoded, so that one frame of one
# venue does not end the collecting of all, start after start.
DEFECTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class OrderflowError(Exception):
    """Base of the tree; `code` is stable and part of the interface of every door."""

    code = "internal"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Retry(OrderflowError):
    """The same request may succeed later."""

    code = "venue_unavailable"

    def __init__(self, message: str, *, hint: str = "", after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.after_s = after_s


class RateLimited(Retry):
    code = "rate_limited"


class Banned(Retry):
    code = "rate_limited"


class Disconnected(Retry):
    code = "venue_unavailable"


class VenueUnavailable(Retry):
    code = "venue_unavailable"


class Resync(OrderflowError):
    """Our picture of a market is wrong and must be built again."""

    code = "stale_data"


class BookGap(Resync):
    """A diff that does not follow the last one."""


class VenueChanged(OrderflowError):
    """A frame that our decoder cannot read; the frame is kept and counted."""

    code = "venue_unavailable"


class ProtocolRetired(VenueChanged):
    """A frame of a protocol that the venue speaks no longer, named in the message."""


class Rejected(OrderflowError):
    """The request is wrong as it stands; repeating it changes nothing."""

    code = "invalid_argument"


class InvalidArgument(Rejected):
    code = "invalid_argument"


class UnknownTool(Rejected):
    code = "unknown_tool"


class UnknownSymbol(Rejected):
    code = "unknown_symbol"


class UnknownVenue(Rejected):
    code = "invalid_argument"


class UnsupportedByVenue(Rejected):
    code = "unsupported_by_venue"


class NoData(Rejected):
    code = "no_data_for_range"


class TooLarge(Rejected):
    code = "too_large"


class TimedOut(Rejected):
    """A question that took longer than it may: the same one would again."""

    code = "timeout"


class StatementRefused(Rejected):
    """A statement that is more than one question to the tables, or none."""

    code = "invalid_argument"


class RegionBlocked(Rejected):
    code = "venue_unavailable"


class KeyRefused(Rejected):
    """A venue that wants a key, and has none or not a good one: it is not asked again."""

    code = "venue_unavailable"


class StoreUnusable(Rejected):
    """A database that we cannot or must not use: another program's, another kind's, no permission."""

    code = "invalid_argument"


class StoreBroken(StoreUnusable):
    """A database that this process can use no more, and must open anew."""


class ShareLost(StoreBroken):
    """A share of a lake that another collector holds now: what is not written stays in the journal."""


class RecordingUnreadable(Rejected):
    """A recording that is neither a capture nor a journal of ours, or is damaged."""

    code = "invalid_argument"


class RecordingRetired(RecordingUnreadable):
    """A recording of a protocol that is spoken no longer: nothing of it is taken."""


class DoorUnavailable(Rejected):
    """A port or address that we cannot or must not listen on."""

    code = "invalid_argument"


class ExtraMissing(Rejected):
    """What needs a library that is not installed; the hint names the extra that brings it."""

    code = "invalid_argument"

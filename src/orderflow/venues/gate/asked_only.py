"""What a form says of sockets where we have none: Gate's dated contracts and options are asked over REST alone."""

from collections.abc import Sequence

from orderflow.market.errors import VenueChanged
from orderflow.market.events import Event, Nanos
from orderflow.venues.spec import Decode, Limits, Memory, Names

LIMITS = Limits(  # of sockets, of which there are none
    streams_per_connection=1,
    messages_per_s=1,
    names_per_subscribe=1,
    connects_per_minute=1,
    dead_after_s=60,
)


def no_frames(venue: str) -> Decode:
    """Return a decoder that refuses every frame of a socket."""

    def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        raise VenueChanged(f"{venue}: no socket is known of this venue: {payload[:200]!r}")

    return decode


def nothing(names: Names, id: int) -> bytes:
    """Return what is sent for a subscription where none can be made."""
    return b""

"""Health: what a feed knows about itself, as plain structs that every door can show.

Times are UTC nanoseconds; None is "not yet" or "not known". `msgspec.to_builtins` gives dicts.
"""

from typing import Literal, TypeAlias

import msgspec

from orderflow.market.events import Nanos

ConnectionState: TypeAlias = Literal["waiting", "connecting", "connected", "replacing", "stopped"]
FeedState: TypeAlias = Literal["idle", "running", "failed", "stopped", "disabled"]


class ConnectionHealth(msgspec.Struct):
    """One shard of channels: `since` is when `state` began, `reason` why it was last lost or refused.

    `frames` and `bytes` count over all its sockets; `failed` and `silent` name channels as subscribed.
    """

    route: str
    url: str
    state: ConnectionState = "connecting"
    since: Nanos = 0
    reason: str = ""
    frames: int = 0
    bytes: int = 0
    last_frame_ts: Nanos | None = None
    reconnects: int = 0
    rotations: int = 0
    series: list[tuple[str, str]] = []
    failed: list[str] = []
    silent: list[str] = []

    def becomes(self, state: ConnectionState, now: Nanos, reason: str = "") -> None:
        self.state, self.since = state, now
        self.reason = reason or self.reason


class RestHealth(msgspec.Struct):
    """Requests sent to a venue's REST host; `used` is the venue's own count of each bucket."""

    requests: int = 0
    failures: int = 0
    last_status: int | None = None
    last_error: str = ""
    used: dict[str, float] = {}
    banned_until: Nanos | None = None
    circuit_open_until: Nanos | None = None  # after failures in a row: nothing is asked until then


class VenueHealth(msgspec.Struct):
    """One venue's feed; `notes` counts the notes that it wrote, by kind."""

    venue: str
    state: FeedState = "idle"
    error: str = ""
    connections: list[ConnectionHealth] = []
    rest: RestHealth = msgspec.field(default_factory=RestHealth)
    listing: str = ""  # empty until asked, "read", or why it could not be
    refused: list[str] = []
    clock_offset_ms: float | None = None  # the venue's clock less ours
    notes: dict[str, int] = {}
    restarts: int = 0  # of the whole feed, after a failure of our own

"""What OKX says of itself: its volume, its maintenance, its notices.

Docs    https://www.okx.com/docs-v5/en/
Quirks  Notices are answered without a key, as other clients of 2026 have it (UNCONFIRMED). Maintenance is told
        while it is ahead or under way; where none is under way, the venue is taken to be online.
Times   of a notice, when it was published; of the volume, when it was counted.
"""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import MS, Event, Nanos
from orderflow.market.facts import Announcement, VenueStatus, VenueVolume
from orderflow.venues.okx import IN_2, IN_5, RARE, nanos, reads
from orderflow.venues.okx_futures.rows import VENUE
from orderflow.venues.spec import Endpoint, Memory, Query

# ── Answers ───────────────────────────────────────────────────────────────────────────────────


class _Volume(msgspec.Struct, gc=False):
    volUsd: float
    ts: int


class _Maintenance(msgspec.Struct, gc=False):
    state: str
    title: str = ""
    scheDesc: str = ""
    begin: str = ""
    end: str = ""


class _Notice(msgspec.Struct, gc=False):
    title: str
    pTime: str = ""
    annType: str = ""
    url: str = ""


class _Notices(msgspec.Struct, gc=False):
    details: list[_Notice]


def _volume(found: list[_Volume], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [VenueVolume(VENUE, "", one.ts * MS, ts_recv, one.volUsd) for one in found]


_STATES = {"scheduled": "maintenance", "ongoing": "maintenance"}  # others in the venue's own word


def _status(found: list[_Maintenance], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode maintenance, under way or ahead; where none is under way the venue is online."""
    events: list[Event] = [
        VenueStatus(
            *(VENUE, "", None, ts_recv, _STATES.get(one.state, one.state)),
            message=": ".join(text for text in (one.title, one.scheDesc) if text),
            starts=nanos(one.begin),
            ends=nanos(one.end),
            planned=one.state == "scheduled",
        )
        for one in found
    ]
    if not any(one.state in ("ongoing", "pre_open") for one in found):
        events.insert(0, VenueStatus(VENUE, "", None, ts_recv, "online"))
    return events


def _notices(found: list[_Notices], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        Announcement(
            VENUE,
            "",
            nanos(one.pTime),
            ts_recv,
            one.title,
            kind=one.annType.removeprefix("announcements-"),
            url=one.url,
        )
        for page in found
        for one in page.details[::-1]
    ]


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

_V5 = "/api/v5"
_NOTHING: dict[str, str] = {}

NOTICES = (
    Endpoint(
        *("volume", f"{_V5}/market/platform-24-volume", reads(VENUE, _Volume, _volume)),
        bucket=IN_2,
        of_symbol=_NOTHING,
    ),
    Endpoint(
        *("status", f"{_V5}/system/status", reads(VENUE, _Maintenance, _status)),
        bucket=RARE,
        of_symbol=_NOTHING,
    ),
    Endpoint(
        *("announcements", f"{_V5}/support/announcements", reads(VENUE, _Notices, _notices)),
        bucket=IN_5,
        of_symbol=_NOTHING,
    ),
)

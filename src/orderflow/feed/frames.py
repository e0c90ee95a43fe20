"""Frames: what was received and when, and the feed's own notes about its connections.

Live, recorded and replayed data all come as batches of frames, in the order in which they arrived.
Everything after the feed takes frames and cannot know whether a socket or a file gave them.
"""

from typing import Literal, TypeAlias

import msgspec

from orderflow.market.events import Nanos

# How the reason of a note begins where nothing is wrong: somebody asked for it.
ON_PURPOSE = "not collected any more"

FrameKind: TypeAlias = Literal["ws", "http", "table", "note", "book"]


class Frame(msgspec.Struct, frozen=True, gc=False):
    """Bytes of one venue and the time at which we had them (UTC nanoseconds; 0 if not recorded).

    `ws` is a socket's message and `url` its route; `http` a body and `url` the whole address that it
    answers; `table` a row of an archive and `url` its layout (`table:aggTrades?symbol=BTCUSDT`);
    `note` is a `Note` of ours; `book` a kept book of ours, written so that a journal that begins in
    the middle of a stream can be replayed (see feed.journal).
    """

    venue: str
    ts_recv: Nanos
    payload: bytes
    kind: FrameKind = "ws"
    url: str = ""


class Note(msgspec.Struct, frozen=True, gc=False):
    """What happened to a connection; replayed like data, so that gaps are the same each time.

    connected     a route carries `series` from now on
    disconnected  it carries them no longer; `reason` says why
    silent        a series that should speak has said nothing for too long
    refused       the venue does not offer a series
    limited       requests were held back or refused by a limit: `series` were not asked
    recording     a recording begins: nothing before it is known to join what follows
    collecting    of channels that tell of a whole market, `symbols` alone are kept from now on
    """

    kind: Literal["connected", "disconnected", "silent", "refused", "limited", "recording", "collecting"]
    route: str = ""
    series: list[tuple[str, str]] = []  # (stream, symbol)
    reason: str = ""
    since: Nanos = 0  # when the connection last carried data; 0 if it never did
    symbols: list[str] = []


NOTE = msgspec.json.Decoder(Note)


def note(venue: str, ts_recv: Nanos, said: Note) -> Frame:
    """Return a note as a frame."""
    return Frame(venue, ts_recv, msgspec.json.encode(said), "note", said.route)

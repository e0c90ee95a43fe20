"""Record: frames to files that `orderflow replay` plays, without a database."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from orderflow import __version__
from orderflow.feed.inbox import Inbox
from orderflow.feed.journal import Journal, record
from orderflow.feed.live import Feed, live
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.events import Event, Gap
from orderflow.market.streams import KEPT
from orderflow.store.live import Live
from orderflow.store.runs import Kind
from orderflow.venues.spec import Hosts, Venue


class Recorded(msgspec.Struct, frozen=True):
    """What a recording holds so far."""

    folder: str
    kind: str
    frames: int
    unreadable: int
    seconds: float


class _Nowhere:
    """Takes rows and gaps and keeps none: the recording keeps the frames."""

    def adders(self, venue: str) -> dict[type[Event], Callable[[Any], None]]:
        return dict.fromkeys(KEPT, _let_go)

    def gap(self, gap: Gap) -> None:
        return

    def no_gap(self, gap: Gap) -> None:
        return


def _let_go(event: Event) -> None:
    return


async def record_frames(
    folder: Path,
    venues: dict[str, Venue],
    symbols: Sequence[str],
    stop: asyncio.Event,
    *,
    streams: Sequence[str] | None = None,
    hosts: dict[str, Hosts] | None = None,
    keys: dict[str, str] | None = None,
    kind: Kind = "live",
    progress: Callable[[Recorded], None] = lambda so_far: None,
) -> Recorded:
    """Record until `stop` is set. Books are followed, so that the snapshots which they need are recorded.

    Raises `StoreUnusable` where the folder cannot be written.
    """
    began = time.time_ns()
    about = {"kind": kind, "version": __version__, "run": f"recording {began}", "started": began}
    inbox = Inbox()
    feeds = {
        name: Feed(
            venue,
            symbols,
            inbox,
            streams=streams,
            hosts=(hosts or {}).get(name),
            key=venue.key and (keys or {}).get(venue.key.setting),
        )
        for name, venue in venues.items()
    }

    def want_snapshot(venue: str, symbol: str) -> None:
        feeds[venue].request_snapshot(symbol)

    pipeline = Pipeline(venues, _Nowhere(), Live(kind, symbols), want_snapshot=want_snapshot)

    def so_far() -> Recorded:
        tally = pipeline.tally
        return Recorded(
            str(folder), kind, tally.frames, tally.unknown.total(), (time.time_ns() - began) / 1e9
        )

    with Journal(folder, about=about, keep=True) as journal:
        frames = record(live(list(feeds.values())), journal)

        async def take() -> None:
            async for batch in frames:
                pipeline.take(batch)
                if journal.due():
                    journal.rotate(list(pipeline.keep_books(time.time_ns())))
                    journal.trim(journal.position)
                    progress(so_far())

        taking = asyncio.ensure_future(take())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait((taking, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        taking.cancel()
        await asyncio.wait((taking,))
        if not taking.cancelled() and (error := taking.exception()) is not None:
            raise error
        journal.trim(journal.position)
    return so_far()

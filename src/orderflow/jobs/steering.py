"""Steering: what tools may have a running collector do, asked from a thread beside its loop."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import TimeoutError as LateError
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from orderflow.jobs.backfill import Asked, Backfill, Progress
from orderflow.jobs.collect import Collector
from orderflow.jobs.control import Answer, Control
from orderflow.jobs.filling import EASE, SHARE
from orderflow.jobs.tasks import Task, Tasks, Tell
from orderflow.market.errors import InvalidArgument, TimedOut
from orderflow.market.events import Gap, Nanos
from orderflow.market.instruments import venue_id
from orderflow.store.export import Progress as Written
from orderflow.store.export import export
from orderflow.store.manifest import Form, Query

WAIT_S = 30.0
FLUSH_S = (0.1, 60.0)  # the least and the longest time between two flushes

T = TypeVar("T")


class Steering:
    """A collector's controls and the tasks that it was given, for callers on any thread but its loop's."""

    def __init__(self, collector: Collector, control: Control, loop: asyncio.AbstractEventLoop) -> None:
        self._collector, self._control, self._loop = collector, control, loop
        self._tasks = Tasks()

    def state(self) -> dict[str, Any]:
        """Return what is collected, and how often it is written."""
        return {**self._control.state(), "flush_interval_s": self._collector.plan.flush_interval_s}

    def start(self, venues: Sequence[str]) -> Answer:
        """Start what is not running of these venues, each in its turn."""
        return self._ask(self._each(venues, running=False))

    def stop(self, venues: Sequence[str]) -> Answer:
        return self._ask(self._each(venues, running=True))

    async def _each(self, venues: Sequence[str], *, running: bool) -> Answer:
        changed: list[str] = []
        for venue in dict.fromkeys(venue_id(one) for one in venues):
            if (venue in self._collector.plan.venues) == running:
                act = self._control.stop if running else self._control.start
                changed += (await act(venue)).changed
        return Answer(changed, self.state())

    def configure(
        self, symbols: Sequence[str] | None, streams: Sequence[str] | None, flush_interval_s: float | None
    ) -> Answer:
        """Choose symbols, streams and the time between two flushes; None leaves each as it is."""
        return self._ask(self._configure(symbols, streams, flush_interval_s))

    async def _configure(
        self, symbols: Sequence[str] | None, streams: Sequence[str] | None, flush_interval_s: float | None
    ) -> Answer:
        least, most = FLUSH_S
        if flush_interval_s is not None and not least <= flush_interval_s <= most:
            raise InvalidArgument(
                f"flush_interval_s: {flush_interval_s:g}", hint=f"flush_interval_s: {least:g} to {most:g}"
            )
        changed = (await self._control.choose(symbols, streams)).changed
        before = self._collector.plan.flush_interval_s
        if flush_interval_s is not None and flush_interval_s != before:
            self._collector.set_flush_interval(flush_interval_s)
            changed = [*changed, f"written every {flush_interval_s:g} s, before every {before:g} s"]
        return Answer(changed, self.state())

    # ── Tasks ─────────────────────────────────────────────────────────────────────────────────

    def backfill(
        self,
        venues: Sequence[str] | None,
        symbols: Sequence[str] | None,
        streams: Sequence[str] | None,
        window: tuple[Nanos, Nanos] | None,
    ) -> Task:
        """Begin to bring in the past: of a window, or of the gaps that are known."""
        plan = self._collector.plan
        names = [venue_id(one) for one in venues] if venues else list(plan.venues)
        if unknown := [one for one in names if one not in plan.known]:
            raise InvalidArgument(
                f"{unknown[0]} is not collected here", hint=f"venues: {', '.join(plan.known)}"
            )
        asked = Asked(
            symbols=tuple(symbols or plan.symbols),
            streams=tuple(streams) if streams else plan.streams,
            window=window,
        )
        about = {"venues": names, "symbols": list(asked.symbols), "streams": list(asked.streams or ())}

        async def work(tell: Tell) -> dict[str, Any]:
            return await self._fill(names, asked, tell)

        return self._ask(self._begin("backfill", about, work))

    async def _fill(self, venues: Sequence[str], asked: Asked, tell: Tell) -> dict[str, Any]:
        plan = self._collector.plan
        rests = {one.venue.name: one.rest for one in self._collector.feeds if one.running}

        def told(done: Progress) -> None:
            tell(msgspec.structs.asdict(done))

        filling = Backfill(
            self._collector,
            {name: plan.known[name] for name in venues},
            Path(f"{plan.db}.downloads"),
            kind="simulated" if plan.kind == "simulated" else "backfill",
            hosts=plan.hosts,
            share=SHARE,
            ease=EASE,
            rests=rests,
            progress=told,
        )
        try:
            report = await filling.run(asked)
        finally:
            await filling.close()
        for gap in report.filled:
            self._collector.filled(Gap(*gap.series, gap.from_ts, gap.until_ts, gap.reason))
        return {
            "written": report.written,
            "pieces": len(report.pieces),
            "gaps_filled": len(report.filled),
            "failed": [str(one) for one in report.failed][:10],
        }

    def export(
        self,
        streams: Sequence[str],
        symbols: Sequence[str],
        venues: Sequence[str],
        window: tuple[Nanos | None, Nanos | None],
        format: Form,
    ) -> Task:
        """Begin to write rows as files into a folder of their own beside the database."""
        plan = self._collector.plan
        since, until = ("" if one is None else str(one) for one in window)
        among = tuple(venue_id(one) for one in venues)
        query = Query(tuple(streams), tuple(symbols), among, since, until, format)
        folder = Path(f"{plan.db}.exports") / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{format}"
        about = {
            "streams": list(streams),
            "symbols": list(symbols),
            "venues": list(venues),
            "folder": folder.name,
        }

        async def work(tell: Tell) -> dict[str, Any]:
            def told(done: Written) -> None:
                tell({"files": done.files, "of": done.of, "rows": done.rows, "bytes": done.bytes})

            folder.mkdir(parents=True, exist_ok=True)
            made = await asyncio.to_thread(export, plan.db, folder, query, *window, progress=told)
            return {"folder": str(folder), "files": made.written}

        return self._ask(self._begin("export", about, work))

    async def _begin(self, kind: str, about: dict[str, Any], work: Any) -> Task:
        return self._tasks.begin(kind, about, work)

    def tasks(self) -> list[Task]:
        return self._ask(self._listed())

    async def _listed(self) -> list[Task]:
        return self._tasks.all()

    def cancel(self, id: str) -> Task:
        return self._ask(self._tasks.cancel(id))

    async def close(self) -> None:
        """Cancel what is running; from the loop."""
        await self._tasks.close()

    def _ask(self, asked: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(asked, self._loop)
        try:
            return future.result(WAIT_S)
        except LateError as error:
            future.cancel()
            raise TimedOut(
                f"not done in {WAIT_S:.0f} s", hint="stream_status says how things stand"
            ) from error

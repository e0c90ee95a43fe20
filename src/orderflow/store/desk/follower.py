"""The follower: a thread that copies what a flush has committed to a desk's PostgreSQL, and goes on after anything.

It reads with a cursor of its own and never holds up the collector: while PostgreSQL is away, rows wait
in our store, where they are anyway. It looks only when it was told that rows came, and rests far longer
than a look took.
"""

import logging
import threading
import time
from typing import Any

import duckdb
import msgspec

from orderflow.market.errors import InvalidArgument, OrderflowError
from orderflow.store.desk import rows, schema
from orderflow.store.desk.copying import Copier, Series
from orderflow.store.desk.postgres import checked, connect, driver, said, shown
from orderflow.store.reader import Reader

log = logging.getLogger(__name__)

AGAIN_S = 1.0  # the first pause before PostgreSQL is tried again
AGAIN_MOST_S = 30.0
STANDBY_S = 5.0
LOOK_EVERY_S = 30.0  # also where nobody told: a backfill, or another process, may have written
EASE = 20.0  # rests after a look, so many times as long as it took
FINISH_S = 5.0  # for what the last flush has written
BEHIND_S = 60.0  # so long not caught up: health complains

STREAMS = tuple(rows.TABLE_OF)


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """Where to copy to, and which streams. Raises `InvalidArgument`, and `StoreUnusable` without psycopg."""

    url: str
    schema: str = schema.SCHEMA
    streams: tuple[str, ...] = STREAMS

    def __post_init__(self) -> None:
        driver()
        checked(self.url)
        schema.checked(self.schema)
        if unknown := [name for name in self.streams if name not in STREAMS]:
            raise InvalidArgument(
                f"{unknown[0]!r} is no stream of a desk's tables", hint=f"streams: {', '.join(STREAMS)}"
            )

    def __repr__(self) -> str:
        return f"Following({shown(self.url)}, schema={self.schema}, streams={','.join(self.streams)})"


class Follower:
    """Keeps a desk's tables up with a store that `reader` reads. `state` is starting, connected, standby or away."""

    def __init__(self, plan: Following, reader: Reader) -> None:
        self.plan = plan
        self.state = "starting"
        self.error = ""
        self.copied = 0
        self.behind: int | None = None
        self.connections = 0
        self._reader = reader
        self._caught_up = time.monotonic()
        self._pause = AGAIN_S
        self._told = threading.Event()
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._follow, name="postgres", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tell(self) -> None:
        """Say that a flush has committed rows; never waits."""
        self._told.set()

    def close(self) -> None:
        """Give the follower a few seconds for what is left; the rest is copied after the next start."""
        self._deadline = time.monotonic() + FINISH_S
        self._closing.set()
        self._told.set()
        if self._thread.ident is not None:
            self._thread.join(FINISH_S + 1)
        if self.behind:
            log.warning("postgres: %d rows are copied after the next start", self.behind)

    # ── On its own thread ─────────────────────────────────────────────────────────────────────

    def _follow(self) -> None:
        psycopg = driver()
        while True:
            try:
                with connect(self.plan.url) as connection:
                    connection.autocommit = True
                    self.connections += 1
                    self._keep_up(Copier(connection, self._reader, self.plan.schema, self.plan.streams))
            except (psycopg.Error, OrderflowError, duckdb.Error) as error:
                self._away(error)
            if self._closing.is_set():
                return
            self._closing.wait(self._pause)
            self._pause = min(self._pause * 2, AGAIN_MOST_S)

    def _away(self, error: Exception) -> None:
        why = said(error, self.plan.url)
        if isinstance(error, OrderflowError) and error.hint:
            why = f"{why} ({error.hint})"
        if (self.state, self.error) != ("away", why) and not self._closing.is_set():
            log.warning("postgres: %s does not take rows: %s", shown(self.plan.url), why)
        self.state, self.error = "away", why

    def _keep_up(self, copier: Copier) -> None:
        """Copy what is there and what comes, until closing."""
        while not copier.begin():
            self.state, self.error = "standby", ""
            if self._closing.wait(STANDBY_S):
                return
        if self.state != "connected":
            log.info("postgres: copying to %s, schema %s", shown(self.plan.url), self.plan.schema)
        self.state, self.error, self._pause = "connected", "", AGAIN_S
        while True:
            self._told.clear()
            last = self._closing.is_set()  # what is written before is looked at once more
            began = time.monotonic()
            waiting = copier.look()
            took = time.monotonic() - began
            self._pass(copier, waiting)
            if last:
                return
            self._closing.wait(took * EASE)
            self._told.wait(LOOK_EVERY_S)

    def _pass(self, copier: Copier, waiting: dict[str, dict[Series, int]]) -> None:
        self.behind = sum(sum(series.values()) for series in waiting.values())
        for stream, series in waiting.items():
            for count in copier.copy(stream, list(series)):
                self.copied += count
                self.behind = max(0, self.behind - count)
                if time.monotonic() > self._deadline:
                    return
        self.behind, self._caught_up = 0, time.monotonic()

    # ── Health ────────────────────────────────────────────────────────────────────────────────

    @property
    def behind_s(self) -> float:
        """Seconds since all that was there had been copied."""
        return time.monotonic() - self._caught_up

    @property
    def problem(self) -> str:
        """Say in one line why rows do not arrive; nothing where they do."""
        if self.state == "away":
            return f"postgres: away: {self.error}"
        if self.state == "connected" and self.behind and self.behind_s > BEHIND_S:
            return f"postgres: {self.behind} rows behind, not caught up for {self.behind_s:.0f} s"
        return ""

    def health(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "server": shown(self.plan.url),
            "schema": self.plan.schema,
            "streams": list(self.plan.streams),
            "copied": self.copied,
            "behind_rows": self.behind,
            "caught_up_s_ago": round(self.behind_s, 1),
            "connections": self.connections,
            "last_error": self.error or None,
        }

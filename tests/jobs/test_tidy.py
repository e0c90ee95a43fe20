"""Tidying: one pass does it all in order, notes it, tells what failed; beside a collector it takes turns."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orderflow.jobs import tidy
from orderflow.jobs.tidy import Keeping, Tidying
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import HOUR
from orderflow.store import layout, retention, thinning
from orderflow.store.reader import Reader
from tests.store.conftest import T0, Filled

DAYS = 24 * HOUR
KEEPING = Keeping(retention.rules({"trades": "3d"}), tuple(thinning.steps({"1d": "1s"})), 6 * HOUR)


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    made = Filled(tmp_path / "market.duckdb")
    for day in range(6):
        made.trade("okx_futures", day * 86_400 + 60, day + 1)
        for number in range(4):
            made.put("orderbooks", day * 86_400 + 60 + number / 4, day * 4 + number + 1, sequence=number)
    yield made
    made.connection.close()


def test_a_pass_removes_archives_and_thins_and_says_what_it_did(filled: Filled) -> None:
    done = tidy.tidy(filled.connection, KEEPING, now=T0 + 6 * DAYS)
    # kept are the trades of the last three days; day 5 is not over for six hours yet
    assert (done.removed_rows, done.archived_rows) == (3, 2 + 5 * 4)
    assert done.thinned_rows == 5 * 3  # of four books in a second one stays, of days 0 to 4
    counts = Reader(filled.connection).counts()
    assert (counts["trades"], counts["orderbooks"]) == (3, 5 + 4)
    assert tidy.last(Reader(filled.connection).about()) == done
    again = tidy.tidy(filled.connection, KEEPING, now=T0 + 6 * DAYS)
    assert (again.removed_rows, again.archived_rows, again.thinned_rows, again.problem) == (0, 0, 0, "")


def test_what_fails_is_told_and_the_rest_is_done(filled: Filled) -> None:
    layout.archive_root(filled.path).write_text("in the way")
    done = tidy.tidy(filled.connection, KEEPING, now=T0 + 6 * DAYS)
    assert "could not be archived" in done.problem
    assert done.removed_rows == 3


def test_flushes_go_on_while_a_pass_rests_and_none_is_between_its_deed_and_its_commit(filled: Filled) -> None:
    holders: list[str] = []

    async def play() -> None:
        flushing = asyncio.Lock()
        tidying = Tidying(filled.connection, KEEPING, flushing)

        async def flush() -> None:
            while True:
                async with flushing:
                    holders.append("flush")
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.001)

        flusher = asyncio.ensure_future(flush())
        found = await tidying.once()
        flusher.cancel()
        assert tidying.last == found and found.archived_rows > 0

    asyncio.run(play())
    assert len(holders) > 5


def test_a_collector_that_ends_waits_for_the_pass_and_begins_no_other(filled: Filled) -> None:
    begun, said = threading.Event(), list[str]()

    async def play() -> None:
        tidying = Tidying(filled.connection, KEEPING, asyncio.Lock())

        def slow(lock: object) -> None:
            begun.set()
            time.sleep(0.2)
            said.append("done")

        working = asyncio.ensure_future(tidying.alone(slow))
        await asyncio.to_thread(begun.wait)
        working.cancel()  # whoever asked has left; what was begun comes to its end
        await tidying.close()
        said.append("closed")
        with pytest.raises(InvalidArgument, match="being stopped"):
            await tidying.once()

    asyncio.run(play())
    assert said == ["done", "closed"]


def test_a_pass_ends_at_its_next_rest_when_the_collector_does(filled: Filled) -> None:
    async def play() -> None:
        tidying = Tidying(filled.connection, KEEPING, asyncio.Lock())
        pass_ = asyncio.ensure_future(tidying.once())
        await asyncio.sleep(0.01)
        await tidying.close()
        await pass_

    before = Reader(filled.connection).counts()["orderbooks"]
    asyncio.run(play())
    assert Reader(filled.connection).counts()["orderbooks"] <= before

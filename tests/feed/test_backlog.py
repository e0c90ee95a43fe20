"""The backlog: order, bounds, and what comes back from the journal."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.feed.backlog import Backlog
from orderflow.feed.frames import Frame
from orderflow.feed.journal import Journal
from orderflow.market.errors import StoreUnusable


def frame(number: int, size: int = 10) -> Frame:
    return Frame("binance_spot", number, str(number).encode().ljust(size, b"."), "ws", f"route{number % 3}")


def test_what_does_not_fit_into_memory_comes_back_from_the_journal_in_order(tmp_path: Path) -> None:
    with Journal(tmp_path, about={"kind": "live"}) as journal:
        backlog = Backlog(journal.reread, memory_bytes=250)
        batches = [[frame(10 * place + at) for at in range(10)] for place in range(6)]
        for batch in batches:
            begin = journal.position
            backlog.put(batch, begin, journal.append(batch))
        # 100 bytes a batch: two fit into 250, four are read back
        assert (backlog.frames, backlog.bytes, backlog.bytes_in_memory, backlog.spilled) == (60, 600, 200, 40)
        first = backlog.oldest
        assert first is not None and first.offset < journal.position.offset
        assert [backlog.take() for _ in range(6)] == batches
        assert (backlog.frames, backlog.bytes, backlog.bytes_in_memory, len(backlog)) == (0, 0, 0, 0)
        assert backlog.oldest is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30), st.integers(1, 60)), max_size=40))
def test_whatever_is_put_and_taken_nothing_is_lost_or_out_of_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, int, int]]
) -> None:
    with Journal(tmp_path_factory.mktemp("journal"), about={"kind": "live"}) as journal:
        backlog = Backlog(journal.reread, memory_bytes=400)
        put: list[Frame] = []
        taken: list[Frame] = []
        for is_put, count, size in steps:
            if is_put:
                batch = [frame(len(put) + at, size) for at in range(count)]
                begin = journal.position
                backlog.put(batch, begin, journal.append(batch))
                put += batch
            elif len(backlog):
                taken += backlog.take()
            assert backlog.bytes_in_memory <= 400
        while len(backlog):
            taken += backlog.take()
        assert taken == put


def test_a_segment_that_has_ended_is_not_read_back(tmp_path: Path) -> None:
    with Journal(tmp_path, about={"kind": "live"}) as journal:
        begin = journal.position
        end = journal.append([frame(1)])
        journal.rotate()
        with pytest.raises(StoreUnusable, match="is ended"):
            journal.reread(begin, end)

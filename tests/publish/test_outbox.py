"""The outbox: what was committed is there after any crash, in order and once; what was not, is not."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orderflow.market.errors import RecordingUnreadable, StoreUnusable
from orderflow.publish import outbox
from orderflow.publish.outbox import Outbox, Row, Sending, Tail


def rows(first: int, count: int) -> list[Row]:
    return [
        ("trades.v.S", f"id{number}", number, "live", f'{{"n":{number}}}')
        for number in range(first, first + count)
    ]


def opened(folder: Path, **more: Any) -> Outbox:
    return Outbox(folder, **{"streams": ("trades",), **more})


def put(box: Outbox, *counts: int) -> None:
    """Append and commit a batch for each count."""
    for count in counts:
        box.append(rows(box.end, count))
        box.commit()


def read(folder: Path, start: int, end: int) -> list[int]:
    """Return the numbers of the messages, each having been checked."""
    tail = Tail(folder, start)
    found: list[int] = []
    while some := tail.more(end):
        for one in some:
            assert (one.message.id, one.message.seconds) == (f"id{one.number}", one.number)
            assert (one.message.source, one.message.body) == ("live", f'{{"n":{one.number}}}')
            found.append(one.number)
    tail.close()
    return found


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(1, 2500), min_size=1, max_size=8),
    segment_bytes=st.sampled_from([1, 10_000, 1 << 20]),
    data=st.data(),
)
def test_all_that_was_committed_is_read_in_order_from_anywhere(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], segment_bytes: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("outbox")
    box = opened(folder, segment_bytes=segment_bytes)
    put(box, *counts)
    start = data.draw(st.integers(0, box.end), label="start")
    assert read(folder, start, box.end) == list(range(start, sum(counts)))
    box.close()
    again = opened(folder, committed=box.last)
    assert (again.end, again.last, again.waiting) == (sum(counts), box.last, sum(counts))
    put(again, 3)
    assert read(folder, start, again.end) == list(range(start, sum(counts) + 3))
    again.close()


def test_a_reader_goes_on_where_it_was_when_there_is_more(tmp_path: Path) -> None:
    box = opened(tmp_path, segment_bytes=2_000)
    tail = Tail(tmp_path, 0)
    assert tail.more(box.end) == []
    for _ in range(20):
        before = box.end
        put(box, 30)
        assert [one.number for one in tail.more(box.end)] == list(range(before, box.end))
        assert tail.more(box.end) == []
        box.settle(box.end)
    assert len(list(tmp_path.glob("*.outbox"))) == 1
    tail.close()
    box.close()
    assert list(tmp_path.glob("*.outbox")) == []


def test_what_is_not_committed_is_not_read_and_can_be_taken_back(tmp_path: Path) -> None:
    box = opened(tmp_path)
    put(box, 10)
    box.append(rows(10, 5))
    assert (box.stage(), box.end, read(tmp_path, 0, box.end)) == (2, 10, list(range(10)))
    box.rollback()
    assert box.stage() is None
    put(box, 7)
    assert (box.last, read(tmp_path, 0, box.end)) == (2, list(range(17)))
    box.close()


@pytest.mark.parametrize(("committed", "kept"), [(0, 0), (1, 10), (2, 30), (3, 35), (None, 35)])
def test_after_a_crash_the_database_says_what_counts(
    tmp_path: Path, committed: int | None, kept: int
) -> None:
    put(opened(tmp_path), 10, 20, 5)  # and the process dies
    box = opened(tmp_path, committed=committed)
    assert (box.end, box.waiting) == (kept, kept)
    assert read(tmp_path, 0, box.end) == list(range(kept))
    put(box, 4)
    assert box.last == (3 if committed is None else committed) + 1
    assert read(tmp_path, 0, box.end) == list(range(kept + 4))
    box.close()


def test_a_write_that_a_crash_cut_off_anywhere_costs_nothing_before_it(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    put(opened(whole), 3, 2)
    (segment,) = whole.glob("*.outbox")
    data = segment.read_bytes()
    put(opened(tmp_path / "first"), 3)
    (first,) = (tmp_path / "first").glob("*.outbox")
    ends = first.stat().st_size  # of the block that was committed
    for cut in range(len(data)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / segment.name).write_bytes(data[:cut])
        box = opened(folder, committed=1)
        kept = 3 if cut >= ends else 0
        assert (box.end, read(folder, 0, box.end)) == (kept, list(range(kept)))
        put(box, 1)
        assert read(folder, 0, box.end) == list(range(kept + 1))
        box.close()


def test_damage_is_told_with_its_place(tmp_path: Path) -> None:
    put(opened(tmp_path), 3, 2)
    (segment,) = tmp_path.glob("*.outbox")
    data = bytearray(segment.read_bytes())
    data[-40] ^= 1
    segment.write_bytes(data)
    with pytest.raises(RecordingUnreadable, match=r"a block whose sum is wrong, at byte \d+") as raised:
        opened(tmp_path, committed=2)
    assert raised.value.hint


def test_segments_go_when_all_in_them_is_confirmed_and_not_before(tmp_path: Path) -> None:
    box = opened(tmp_path, segment_bytes=1)
    put(box, 10, 10, 10)
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.outbox"))]
    assert len(sizes) == 3
    assert 0 < box.waiting_bytes < sum(sizes)
    box.settle(9)
    assert (len(list(tmp_path.glob("*.outbox"))), box.waiting) == (3, 21)
    box.settle(20)
    assert (len(list(tmp_path.glob("*.outbox"))), box.waiting, box.confirmed_here) == (1, 10, 20)
    box.settle(12)  # an old report
    assert box.waiting == 10
    box.settle(30)
    assert (box.waiting, box.waiting_bytes) == (0, 0)
    box.close()
    assert list(tmp_path.glob("*.outbox")) == []


def test_the_next_run_sends_what_was_not_confirmed_and_numbers_on(tmp_path: Path) -> None:
    put(opened(tmp_path, segment_bytes=1), 10, 10, 10)
    sending = Sending(tmp_path)
    sending.mark(17)
    sending.close()
    box = opened(tmp_path, committed=3)
    assert (box.confirmed, box.waiting, box.confirmed_here) == (17, 13, 0)
    assert read(tmp_path, box.confirmed, box.end) == list(range(17, 30))
    box.settle(30)
    box.close()
    sending = Sending(tmp_path)
    sending.mark(30)
    sending.close()
    assert opened(tmp_path, committed=3).end == 30


@pytest.mark.parametrize("said", [None, b"", b"\x05" * 12, b"\x11" + b"\x00" * 7])
def test_without_a_mark_that_can_be_read_all_is_sent_again(tmp_path: Path, said: bytes | None) -> None:
    put(opened(tmp_path, segment_bytes=1), 10, 10)
    if said is not None:
        (tmp_path / "confirmed").write_bytes(said)
    assert opened(tmp_path, committed=2).waiting == 20


@pytest.mark.parametrize("at", [0, 1])
def test_a_full_disk_is_told_and_leaves_what_was_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    box = opened(tmp_path, segment_bytes=1 if at == 0 else 1 << 20)
    put(box, 10)
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(StoreUnusable, match="No space left") as raised:
            box.append(rows(10, 10))
        assert raised.value.hint
    box.rollback()
    put(box, 12)
    assert read(tmp_path, 0, box.end) == list(range(22))
    box.close()


def test_one_process_sends_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LET_GO_S", 0.1)
    opened(tmp_path).close()
    sending = Sending(tmp_path)
    for second in (lambda: Sending(tmp_path), lambda: opened(tmp_path)):
        with pytest.raises(StoreUnusable, match="another process publishes"):
            second()
    sending.close()
    opened(tmp_path).close()

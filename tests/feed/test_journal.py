"""The journal: what was appended is read again, whatever moment the process died at."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.feed.frames import Frame, Note, note
from orderflow.feed.journal import Journal, Position, read, record, unfinished
from orderflow.market.errors import RecordingUnreadable, StoreUnusable

ABOUT = {"kind": "simulated", "version": "1.0", "run": 3}
SECOND = 1_000_000_000

frames = st.builds(
    Frame,
    st.sampled_from(["binance_futures", "binance_spot"]),
    st.integers(0, 2**63 - 1),
    st.binary(max_size=40),
    st.sampled_from(["ws", "http", "table", "note", "book"]),
    st.sampled_from(["", "public", "https://example.com/x?symbol=ÄRUSDT"]),
)


def said(number: int, payload: bytes = b"") -> Frame:
    return Frame("binance_spot", number, payload or b'{"n":%d}' % number, "ws", "public")


def content(path: Path) -> list[Frame]:
    return [frame for batch in read(path) for frame in batch]


def journal(folder: Path, **options: Any) -> Journal:
    return Journal(folder, about=ABOUT, **options)


def written(folder: Path, batches: list[list[Frame]]) -> tuple[Path, list[int]]:
    """Write batches and return the segment and where each batch ends in it."""
    with journal(folder) as one:
        return one.path, [one.append(batch).offset for batch in batches]


@settings(max_examples=60)
@given(batches=st.lists(st.lists(frames, max_size=6), max_size=8))
def test_what_is_appended_is_read_again_in_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Frame]]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with journal(folder) as one:
        for batch in batches:
            one.append(batch)
        assert content(one.path) == [frame for batch in batches for frame in batch]


def test_a_segment_says_what_run_it_is_of(tmp_path: Path) -> None:
    path, _ = written(tmp_path, [[said(1)]])
    reading = read(path)
    assert [frame for batch in reading for frame in batch] == [said(1)]
    assert {**reading.about, **ABOUT} == reading.about
    assert (reading.about["segment"], reading.about["follows"]) == (1, "")


def test_reading_gives_batches_of_some_hundreds(tmp_path: Path) -> None:
    path, _ = written(tmp_path, [[said(n)] for n in range(700)] + [[said(n) for n in range(700, 2000)]])
    batches = list(read(path))
    assert max(map(len, batches)) <= 512
    assert [frame for batch in batches for frame in batch] == [said(n) for n in range(2000)]
    assert len(batches) == 4  # 2000 = 3 x 512 + 464


@settings(max_examples=60)
@given(cut=st.floats(0, 1))
def test_a_segment_cut_off_anywhere_gives_every_whole_batch(
    tmp_path_factory: pytest.TempPathFactory, cut: float
) -> None:
    batches = [[said(n), said(n + 100)] for n in range(5)]
    path, ends = written(tmp_path_factory.mktemp("journal"), batches)
    whole = path.read_bytes()
    size = round(cut * len(whole))
    path.write_bytes(whole[:size])
    reading = read(path)
    found = [frame for batch in reading for frame in batch]
    complete = sum(end <= size for end in ends)
    assert found == [frame for batch in batches[:complete] for frame in batch]
    if complete:
        assert reading.torn == (size not in ends)


def test_a_write_cut_off_is_warned_of_with_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")  # a command run in this process may have asked for less
    path, ends = written(tmp_path, [[said(1)], [said(2)]])
    os.truncate(path, ends[1] - 1)
    assert content(path) == [said(1)]
    assert (
        f"cut off at byte {ends[0] + 20}" in caplog.text
    )  # the body of the second batch: its head is 20 bytes


@settings(max_examples=60)
@given(data=st.data())
def test_damage_before_the_last_batch_is_told_with_file_and_place(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path, ends = written(tmp_path_factory.mktemp("journal"), [[said(1)], [said(2)], [said(3)]])
    broken = bytearray(path.read_bytes())
    place = data.draw(st.integers(ends[0], ends[1] - 1))
    broken[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(broken)
    found: list[Frame] = []
    with pytest.raises(
        RecordingUnreadable, match=rf"{path.name}: .* at byte {ends[0]}|at byte {ends[0] + 20}"
    ):
        for batch in read(path):
            found += batch


def test_a_file_that_grew_but_was_never_filled_ends_where_the_zeros_begin(tmp_path: Path) -> None:
    path, _ = written(tmp_path, [[said(1)]])
    path.write_bytes(path.read_bytes() + bytes(5000))
    reading = read(path)
    assert [frame for batch in reading for frame in batch] == [said(1)]
    assert reading.torn == 1


@pytest.mark.parametrize("content_of_it", [b"PK\x03\x04 no journal", b"{}" * 40])
def test_another_file_is_not_a_journal(tmp_path: Path, content_of_it: bytes) -> None:
    path = tmp_path / "other.journal"
    path.write_bytes(content_of_it)
    with pytest.raises(RecordingUnreadable, match="not a journal"):
        list(read(path))


def test_a_missing_segment_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnreadable, match="No such file"):
        list(read(tmp_path / "none.journal"))


# ── Segments ──────────────────────────────────────────────────────────────────────────────────


def test_a_segment_is_due_when_it_is_big_or_old_and_never_when_it_is_empty(tmp_path: Path) -> None:
    now = [100 * SECOND]
    with journal(tmp_path, segment_bytes=2000, segment_s=60, clock=lambda: now[0]) as one:
        now[0] += 61 * SECOND
        assert not one.due()
        one.append([said(1)])
        assert one.due()
        one.rotate()
        one.append([said(2, bytes(1000))])
        assert not one.due()
        one.append([said(3, bytes(1000))])
        assert one.due()


def test_a_new_segment_begins_with_its_opening_and_can_be_read_alone(tmp_path: Path) -> None:
    opening = [
        note("binance_spot", 5, Note("connected", "public", [("trades", "BTCUSDT")])),
        said(5, b"book"),
    ]
    with journal(tmp_path) as one:
        one.append([said(1)])
        first = one.path
        one.rotate(opening)
        one.append([said(6)])
        assert content(one.path) == [*opening, said(6)]
        reading = read(one.path)
        list(reading)
        assert reading.about["follows"] == first.name.removesuffix(".journal")
        assert one.path.name > first.name


def test_trimming_deletes_only_the_segments_that_the_store_has_whole(tmp_path: Path) -> None:
    one = journal(tmp_path)
    places = []
    for number in range(3):
        one.append([said(number)])
        places.append((one.path, one.append([said(number + 10)])))
        one.rotate()
    last = one.append([said(99)])
    one.trim(Position(places[1][1].segment, places[1][1].offset - 1))  # the second, but for its last byte
    one.close()
    assert [path.exists() for path, _ in places] == [False, True, True]
    assert len(unfinished(tmp_path)) == 3
    assert last.segment == 4


def test_a_journal_that_the_store_has_whole_leaves_nothing(tmp_path: Path) -> None:
    with journal(tmp_path) as one:
        one.append([said(1)])
        one.rotate()
        one.trim(one.append([said(2)]))
    assert unfinished(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["journal.lock"]


def test_what_was_appended_after_the_last_flush_is_left_for_the_next_run(tmp_path: Path) -> None:
    with journal(tmp_path) as one:
        one.trim(one.append([said(1)]))
        one.append([said(2)])
    with journal(tmp_path) as two:
        assert [content(path) for path in two.left] == [[said(1), said(2)]]
        two.trim(two.append([said(3)]))  # trims this run's segments, not what is left
        assert len(two.left) == 1
        two.settle(two.left)
        assert two.left == []
    assert unfinished(tmp_path) == []


def test_kept_segments_are_compressed_and_read_the_same(tmp_path: Path) -> None:
    batches = [[said(n, b"price" * 50)] for n in range(300)]
    with journal(tmp_path, keep=True) as one:
        for batch in batches:
            one.append(batch)
        size = one.position.offset
        one.rotate()
        one.trim(one.position)
    (kept,) = tmp_path.glob("*.journal.zst")
    assert kept.stat().st_size < size / 5
    assert content(kept) == [frame for batch in batches for frame in batch]
    assert unfinished(tmp_path) == []


def test_a_compressed_segment_cut_off_gives_what_it_still_holds(tmp_path: Path) -> None:
    path, ends = written(tmp_path, [[said(n, os.urandom(3000))] for n in range(100)])
    plain = path.read_bytes()
    packed = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(plain)
    kept = path.with_name(path.name + ".zst")
    kept.write_bytes(packed[: len(packed) // 2])
    reading = read(kept)
    found = [frame for batch in reading for frame in batch]
    assert reading.torn == 1
    assert found == content(path)[: len(found)]
    assert 0 < len(found) < len(ends)


def test_damage_inside_a_compressed_segment_is_told(tmp_path: Path) -> None:
    path, _ = written(tmp_path, [[said(n, b"price" * n)] for n in range(100)])
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(path.read_bytes()))
    packed[len(packed) // 2] ^= 0xFF
    kept = path.with_name(path.name + ".zst")
    kept.write_bytes(packed)
    with pytest.raises(RecordingUnreadable, match=kept.name):
        content(kept)


# ── Locks, full disks, killed processes ───────────────────────────────────────────────────────


def test_two_collectors_cannot_share_a_journal(tmp_path: Path) -> None:
    with (
        journal(tmp_path),
        pytest.raises(StoreUnusable, match=rf"process {os.getpid()}\) writes the journal"),
    ):
        journal(tmp_path)
    journal(tmp_path).close()  # free again


def test_a_folder_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("")
    with pytest.raises(StoreUnusable, match="cannot write the journal in .*here"):
        journal(tmp_path / "here")


@pytest.mark.parametrize("done", [0, 1, 30])
def test_a_batch_that_a_full_disk_cut_off_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    with journal(tmp_path) as one:
        one.append([said(1)])
        before, size = one.position, one.path.stat().st_size
        other = Frame("binance_futures", 2, b"of a source that is new", "ws", "market")
        real = os.write

        def short(descriptor: int, buffers: tuple[bytes, bytes]) -> int:
            return real(descriptor, b"".join(buffers)[:done]) if done else no_more(descriptor, b"")

        def no_more(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as full:
            full.setattr(os, "writev", short)
            full.setattr(os, "write", no_more)
            with pytest.raises(StoreUnusable, match="No space left") as raised:
                one.append([other])
        assert "free some space" in raised.value.hint
        assert (one.position, one.path.stat().st_size) == (before, size)
        one.append([other, said(3)])
        assert content(one.path) == [said(1), other, said(3)]


LIMITED = """
import resource, sys
from pathlib import Path
from orderflow.feed.frames import Frame
from orderflow.feed.journal import Journal
from orderflow.market.errors import StoreUnusable
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
journal = Journal(Path(sys.argv[1]), about={})
for number in range(100):
    try:
        journal.append([Frame("binance_spot", number, bytes(700))])
    except StoreUnusable as error:
        print(number, error)
        break
"""

ENDLESS = """
import sys
from pathlib import Path
from orderflow.feed.frames import Frame
from orderflow.feed.journal import Journal
journal = Journal(Path(sys.argv[1]), about={}, segment_bytes=200_000)
number = 0
while True:
    journal.append([Frame("binance_spot", number + n, b"x" * 200) for n in range(20)])
    number += 20
    print(number, flush=True)
    if journal.due():
        journal.rotate()
"""


def test_a_real_limit_of_size_ends_with_one_clear_error_and_whole_batches(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    number, _, message = done.stdout.strip().partition(" ")
    assert "cannot write the journal" in message
    (path,) = unfinished(tmp_path)
    reading = read(path)
    assert [frame.ts_recv for batch in reading for frame in batch] == list(range(int(number)))
    assert reading.torn == 0


@pytest.mark.parametrize("after", [1, 7, 60])
def test_what_was_appended_survives_kill_9(tmp_path: Path, after: int) -> None:
    command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        told = 0
        for _ in range(after):
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split("\n")
        told = max([told, *(int(line) for line in rest[:-1] if line)])
    with journal(tmp_path) as one:
        found = [frame.ts_recv for path in one.left for frame in content(path)]
    assert found == list(range(len(found)))
    assert len(found) >= told


def test_recording_writes_each_batch_before_it_is_passed_on(tmp_path: Path) -> None:
    async def live() -> AsyncIterator[list[Frame]]:
        for number in range(3):
            yield [said(number)]

    async def run() -> None:
        with journal(tmp_path) as one:
            seen: list[Frame] = []
            async for batch in record(live(), one):
                seen += batch
                assert content(one.path) == seen
            assert len(seen) == 3

    asyncio.run(run())


def test_the_form_is_as_documented(tmp_path: Path) -> None:
    path, _ = written(tmp_path, [[Frame("pyth", 258, b"abc", "http", "u")]])
    data = path.read_bytes()
    assert data[:8] == b"OFJOURN1"
    length = int.from_bytes(data[8:12], "little")
    assert int.from_bytes(data[12:16], "little") == zlib.crc32(data[16 : 16 + length])
    sources = data[16 + length :]
    assert sources[:4] == b"SRCS" and sources[20:40] == b'[["pyth","http","u"]]'[:20]
    batch = sources[41:]
    assert batch[:8] == b"BTCH\x01\x00\x00\x00"
    # source 0, ts_recv 258 = 0x0102, length 3, payload
    assert batch[20:] == bytes(4) + b"\x02\x01" + bytes(6) + b"\x03\x00\x00\x00" + b"abc"

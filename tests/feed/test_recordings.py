"""Recordings: captures, journals and tables are read as frames; what is no recording says why in one line."""

import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.feed.frames import NOTE, Frame
from orderflow.feed.journal import Journal
from orderflow.feed.recordings import digest, expand, recording
from orderflow.market.errors import RecordingUnreadable, UnknownVenue
from orderflow.market.instruments import MARKETS

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures"
AGG = b"agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
ROW = b"1,64000.1,0.5,10,12,1720000000000,true"


def line(**changed: Any) -> bytes:
    said = {"venue": "binance_spot", "kind": "ws", "dir": "in", "t": 1.5, "url": "public", "raw": '{"e":1}'}
    return json.dumps({**said, **changed}).encode() + b"\n"


def capture(folder: Path, *lines: bytes, name: str = "some.jsonl") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(b"".join(lines)) if name.endswith(".gz") else b"".join(lines))
    return path


def frames(path: Path, **options: Any) -> list[Frame]:
    return [one for batch in recording(path, **options) for one in batch]


def received(path: Path, **options: Any) -> list[Frame]:
    return [one for one in frames(path, **options) if one.kind != "note"]


@pytest.mark.parametrize("name", ["some.jsonl", "some.jsonl.gz"])
def test_a_line_is_a_frame_and_a_note_comes_before_the_first_of_each_venue(tmp_path: Path, name: str) -> None:
    path = capture(
        tmp_path,
        line(),
        line(venue="binance_futures", kind="http", url="https://x/y", t=2),
        line(t=None, raw="é"),
        name=name,
    )
    first, spot, second, futures, last = frames(path)
    assert (first.venue, first.kind, NOTE.decode(first.payload).kind) == ("binance_spot", "note", "recording")
    assert spot == Frame("binance_spot", 1_500_000_000, b'{"e":1}', "ws", "public")
    assert (second.venue, NOTE.decode(second.payload).kind) == ("binance_futures", "recording")
    assert futures == Frame("binance_futures", 2_000_000_000, b'{"e":1}', "http", "https://x/y")
    assert (last.ts_recv, last.payload) == (0, "é".encode())  # no time recorded


def test_a_recording_is_read_the_same_each_time_in_batches_of_hundreds(tmp_path: Path) -> None:
    path = capture(tmp_path, *(line(raw=str(n)) for n in range(1300)))
    one = recording(path)
    assert list(one) == list(one)
    assert [len(batch) for batch in one] == [512 + 1, 512, 1300 - 1024]  # the note, then 1300 frames


@given(micros=st.integers(0, 4_000_000_000_000_000))
def test_times_are_exact_to_the_microsecond(tmp_path_factory: pytest.TempPathFactory, micros: int) -> None:
    path = capture(tmp_path_factory.getbasetemp(), line(t=micros / 1_000_000), name="time.jsonl")
    assert received(path)[0].ts_recv == micros * 1000


def test_lines_that_were_sent_are_counted_and_are_no_frames(tmp_path: Path) -> None:
    path = capture(
        tmp_path,
        line(dir="out", event="connect", raw=""),
        line(dir="out", raw='{"method":"SUBSCRIBE"}'),
        line(dir="out"),
        line(),
        line(raw=""),
    )
    one = recording(path)
    assert sum(map(len, one)) == 2  # the note and one frame
    assert one.sent == {"a connection was opened": 1, "sent, not received": 2, "an empty line of the wire": 1}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (b"not json\n", "not a line of a capture"),
        (b"\x00\xff\xfe\n", "not a line of a capture"),
        (b"\n", "not a line of a capture"),
        (b"[" * 100_000 + b"\n", "not a line of a capture"),
        (b'{"venue":"binance_spot"}\n', "missing required field `kind`"),
        (line(venue="nasdaq"), "unknown venue 'nasdaq'"),
        (line(kind="fax"), "fax"),
        (line(t=-1.0), "t is -1.0"),
        (line(t=1e300), r"t is 1e\+300"),
        (line(raw={"e": 1}), "Expected `str`, got `object`"),
    ],
)
def test_a_malformed_line_is_named_after_the_frames_before_it(tmp_path: Path, wrong: bytes, why: str) -> None:
    path = capture(tmp_path, line(raw="1"), line(raw="2"), wrong, line(raw="3"))
    found: list[bytes] = []
    with pytest.raises(RecordingUnreadable, match=rf"some\.jsonl, line 3: .*{why}") as raised:
        for batch in recording(path):
            found += [one.payload for one in batch if one.kind == "ws"]
    assert found == [b"1", b"2"]
    assert "\n" not in raised.value.message
    assert raised.value.hint


def _zip(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, AGG + ROW)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("empty.jsonl", b"", "empty"),
        ("empty.jsonl.gz", gzip.compress(b"", mtime=0), "empty"),
        ("plain.jsonl.gz", line(), "not gzip"),
        ("cut.jsonl.gz", gzip.compress(line() * 1000, mtime=0)[:-20], "cut off"),
        ("nothing.jsonl.gz", b"", "empty"),
        ("binance_spot.csv", b"", "empty"),
        ("binance_spot_BTCUSDT.csv", b"a,b,c\n1,2,3\n", "layout that is not known: columns 'a,b,c'"),
        ("binance_spot_BTCUSDT.csv", b"1,2,3\n", "layout that is not known: 3 columns without names"),
        ("binance_spot_BTCUSDT.csv", b"\xff\xfe\x00\x01", "not a table of text"),
        ("binance_spot_BTCUSDT.zip", b"PK no zip", "not a zip file"),
        ("binance_spot_BTCUSDT.zip", _zip("a.csv", "b.csv"), "holds 2 tables"),
        ("binance_spot_BTCUSDT.zip", _zip("a.csv")[:-30], "not a zip file"),
        ("binance_spot.csv", AGG + ROW, "of which symbol"),
        ("BTCUSDT-aggTrades-2024-01-01.csv", AGG + ROW, "of which venue"),
        ("BTCUSDT_ETHUSDT_binance_spot.csv", AGG + ROW, "of which symbol"),
        ("garbage.journal", b"garbage" * 10, "not a journal"),
        ("picture.png", b"", "not the name of a recording"),
    ],
)
def test_what_is_no_recording_says_so_in_one_line(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingUnreadable, match=why) as raised:
        frames(path)
    assert name in raised.value.message
    assert "\n" not in raised.value.message


def test_a_missing_path_and_a_folder_are_no_recordings(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnreadable, match="no such file"):
        recording(tmp_path / "none.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(RecordingUnreadable, match="a folder"):
        recording(tmp_path / "folder.jsonl")


# ── Tables ────────────────────────────────────────────────────────────────────────────────────

TABLES: list[tuple[bytes, str]] = [
    (AGG + ROW, "aggTrades"),
    (ROW + b",True", "aggTrades"),
    (b"id,price,qty,quote_qty,time,is_buyer_maker\n1,2.5,3,7.5,1720000000000,false", "trades"),
    (b"1,2.5,3,7.5,1720000000000,False,True", "trades"),
    (b"timestamp,id,type,side,price,amount,cost,date\n1720000000000,7,,buy,2,3,6,x", "ccxt_trades"),
]


@pytest.mark.parametrize(("content", "layout"), TABLES)
def test_a_row_is_a_frame_and_its_layout_is_told_by_its_columns(
    tmp_path: Path, content: bytes, layout: str
) -> None:
    folder = tmp_path / "binance_spot"
    folder.mkdir()
    path = folder / "BTCUSDT-trades-2024-01-01.csv"
    path.write_bytes(content + b"\n\n")
    row = content.splitlines()[-1]
    assert received(path) == [Frame("binance_spot", 0, row, "table", f"table:{layout}?symbol=BTCUSDT")]


@pytest.mark.parametrize(
    ("name", "pack"), [("t.csv", bytes), ("t.csv.gz", gzip.compress), ("t.zip", lambda _: _zip("t.csv"))]
)
def test_a_table_may_be_packed_and_may_be_told_its_venue_and_symbol(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(AGG + ROW))
    found = received(path, venue="Binance", symbol="wifusdt")
    assert found == [Frame("binance_futures", 0, ROW, "table", "table:aggTrades?symbol=WIFUSDT")]
    with pytest.raises(UnknownVenue):
        frames(path, venue="nasdaq", symbol="WIFUSDT")


@pytest.mark.parametrize(
    "name", ["BTCUSDT-aggTrades-2024-01-01.csv", "tool_201910_BTCUSDT_aggTrades_part1.csv"]
)
def test_the_symbol_is_read_from_the_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(AGG + ROW)
    assert received(path, venue="binance_spot")[0].url == "table:aggTrades?symbol=BTCUSDT"


# ── Our own journals ──────────────────────────────────────────────────────────────────────────


def test_a_journal_is_a_recording_and_its_next_segment_goes_on_without_a_note(tmp_path: Path) -> None:
    said = [Frame("binance_spot", n, b"{}", "ws", "public") for n in (1, 2)]
    with Journal(tmp_path, about={"run": 1}) as journal:
        journal.append(said[:1])
        first = journal.path
        journal.rotate()
        journal.append(said[1:])
        second = journal.path
    assert [one.kind for one in frames(first)] == ["note", "ws"]
    assert [one.kind for one in frames(second)] == ["note", "ws"]
    assert [one.kind for one in frames(second, after=first)] == ["ws"]
    assert [one.kind for one in frames(first, after=second)] == ["note", "ws"]
    assert received(first) + received(second) == said


def test_a_write_that_was_cut_off_is_counted(tmp_path: Path) -> None:
    with Journal(tmp_path, about={}) as journal:
        journal.append([Frame("binance_spot", 1, b"{}")])
        journal.append([Frame("binance_spot", 2, b"{}")])
        path = journal.path
    path.write_bytes(path.read_bytes()[:-1])
    one = recording(path)
    assert [frame.ts_recv for batch in one for frame in batch if frame.kind == "ws"] == [1]
    assert one.unreadable == {"a last write that was cut off": 1}


# ── Folders and digests ───────────────────────────────────────────────────────────────────────


def test_a_folder_stands_for_the_recordings_inside_in_order(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    for name in (
        "b.jsonl",
        "a.jsonl.gz",
        "INDEX.md",
        "c.csv",
        "d.journal",
        "d.journal.zst",
        "e.journal.zst.part",
    ):
        (inside / name).write_bytes(b"")
    alone = tmp_path / "z.jsonl"
    alone.write_bytes(b"")
    found = expand([alone, inside])
    assert [path.name for path in found] == ["z.jsonl", "a.jsonl.gz", "b.jsonl", "c.csv", "d.journal"]


def test_a_missing_path_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnreadable, match="no such file or folder"):
        expand([tmp_path / "none"])
    with pytest.raises(RecordingUnreadable, match="no recordings in this folder"):
        expand([tmp_path])


def test_a_digest_is_of_the_files_bytes(tmp_path: Path) -> None:
    path = capture(tmp_path, line(), name="x.jsonl.gz")
    assert digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(RecordingUnreadable):
        digest(tmp_path / "none")


def test_every_capture_of_every_venue_is_read_whole() -> None:
    for venue in sorted(folder.name for folder in CAPTURES.iterdir() if folder.name in MARKETS):
        for path in expand([CAPTURES / venue]):
            one = recording(path)
            count = sum(frame.kind != "note" for batch in one for frame in batch)
            text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            headers = 1 if ".csv" in path.name else 0
            assert count + sum(one.sent.values()) == text.count(b"\n") + (not text.endswith(b"\n")) - headers

"""Rows taken away and brought back: the same rows, whole files, and what was collected along with them."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from orderflow.market.errors import (
    InvalidArgument,
    NoData,
    RecordingUnreadable,
    StoreUnusable,
    UnknownSymbol,
    UnknownVenue,
)
from orderflow.market.events import MS, SECOND, Gap, Trade
from orderflow.market.streams import STREAMS
from orderflow.store import access, files, intake, manifest, opening, runs, tables
from orderflow.store.export import export
from orderflow.store.manifest import Query
from orderflow.store.reader import Reader
from orderflow.store.repacked import schema
from orderflow.store.writer import Writer
from tests.store.market import T0
from tests.store.taken import BTC, EACH, EVENING, FUTURES, SPOT, TEXTS, fill, made

ALL = tuple(STREAMS)
FORMS: tuple[files.Form, ...] = ("parquet", "csv", "arrow")
SERIES = 3  # the markets of the source


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("source") / "market.duckdb")


def checksums(path: Path) -> dict[str, str]:
    with access.open_reader(path) as reader:
        return reader.checksums()


def counts(path: Path) -> dict[str, int]:
    with access.open_reader(path) as reader:
        return reader.counts()


def bring(path: Path, *folders: Path) -> intake.TakenIn:
    connection = opening.open_for_writing(path)
    try:
        tables.create(connection, [BTC])
        return [intake.take_in(connection, folder) for folder in folders][-1]
    finally:
        connection.close()


# ── There and back ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("form", "single"), [("parquet", False), *((form, True) for form in FORMS)])
def test_all_of_a_database_comes_back_as_it_was(
    source: Path, tmp_path: Path, form: files.Form, single: bool
) -> None:
    """Every table: streams with their ids, runs, gaps, instruments; a second time changes nothing."""
    done = export(source, tmp_path / "out", Query(ALL, format=form, single=single))
    assert done.manifest.rows == sum(counts(source)[stream] for stream in ALL) > 0
    copy = tmp_path / "copy.duckdb"
    first, second = bring(copy, tmp_path / "out"), bring(copy, tmp_path / "out")
    assert sum(first.written.values()) >= done.manifest.rows - counts(source)["large_trades"]
    assert second.written == {} and second.gaps == second.filled == 0
    assert checksums(copy) == checksums(source)


def test_a_collector_s_rows_are_taken_while_it_serves_them(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"
    connection = opening.open_for_writing(path)
    tables.create(connection, [BTC])
    fill(connection, [(SPOT, BTC)])
    served = access.serve(connection, path)
    done = export(path, tmp_path / "out", Query(ALL, single=True))
    assert connection.execute("SELECT * FROM quack_active_connections()").fetchall() == []
    before = Reader(connection).checksums()
    access.stop(connection, path, served)
    connection.close()
    bring(tmp_path / "copy.duckdb", tmp_path / "out")
    assert checksums(tmp_path / "copy.duckdb") == before and done.manifest.kind == "live"


@pytest.mark.parametrize("form", FORMS)
def test_a_table_of_any_values_is_read_as_it_was_written(tmp_path: Path, form: files.Form) -> None:
    """Null against empty, numbers to their last digit, microseconds, and what looks like something else."""
    texts = [None, *TEXTS, "true", "1", "nan", "-", '"', "\r", "a;b\tc"]
    numbers = [None, 0.1, 1 / 3, 5e-324, -0.0, 1e22, 123456789.123456789, float("inf"), float("-inf")]
    table = pa.table(
        {
            "text": pa.array(texts, pa.string()),
            "number": pa.array((numbers * 3)[: len(texts)], pa.float64()),
            "count": pa.array([None, *range(2**62, 2**62 + len(texts) - 1)], pa.int64()),
            "time": pa.array(
                [None, *(1_763_683_200_123_456 + n for n in range(len(texts) - 1))], pa.timestamp("us")
            ),
            "truth": pa.array(([None, True, False] * 9)[: len(texts)], pa.bool_()),
        }
    )
    path = tmp_path / "rows"
    with path.open("wb") as file:
        rows = files.RowsFile(file, form, table.schema)
        for batch in table.to_batches(max_chunksize=4):
            rows.write(batch)
        rows.close()
    assert (rows.rows, rows.bytes) == (len(texts), path.stat().st_size)
    back = pa.Table.from_batches(files.read(path, form, table.schema), table.schema)
    assert back.to_pylist() == table.to_pylist()
    assert [str(one) for one in back["number"].to_pylist()] == [
        str(one) for one in table["number"].to_pylist()
    ]


# ── What lies in the folder ───────────────────────────────────────────────────────────────────


def test_a_piece_is_a_day_of_a_series_and_says_what_it_is(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "out", Query(("trades",)))
    found = sorted(str(one.relative_to(tmp_path / "out")) for one in (tmp_path / "out").rglob("*.parquet"))
    assert found == [
        f"trades/symbol={symbol}/venue={venue}/day={day}/rows.parquet"
        for symbol, venue in (("1000SATS%2FUSDT", SPOT), (BTC, FUTURES), (BTC, SPOT))
        for day in ("2025-11-20", "2025-11-21")
    ]
    assert not (tmp_path / "out" / ".export").exists()
    one = pq.ParquetFile(tmp_path / "out" / found[-1])
    assert one.schema_arrow.metadata[b"orderflow.stream"] == b"trades"
    times = one.read()["timestamp"].to_pylist()
    assert times == sorted(times) and len(times) == 2 * EACH


def test_others_read_the_folder_as_one_table(source: Path, tmp_path: Path) -> None:
    import polars as pl

    export(source, tmp_path / "out", Query(("trades",)))
    expected = counts(source)["trades"]
    glob = f"{tmp_path}/out/trades/**/*.parquet"
    by_duckdb = duckdb.execute(
        "SELECT count(*), count(DISTINCT symbol), count(DISTINCT day) FROM read_parquet(?, hive_partitioning = true)",
        [glob],
    ).fetchone()
    assert by_duckdb == (expected, 2, 2)
    frame = (
        pl.scan_parquet(glob, hive_partitioning=True).filter(pl.col("symbol") == "1000SATS/USDT").collect()
    )
    assert (len(frame), frame["venue"].unique().to_list()) == (4 * EACH, [SPOT])
    found = ds.dataset(tmp_path / "out" / "trades", partitioning="hive", format="parquet")
    assert found.count_rows(filter=ds.field("venue") == FUTURES) == 4 * EACH


def test_a_window_and_a_choice_are_all_that_is_taken(source: Path, tmp_path: Path) -> None:
    # of each day's two trades a moment, at 0.123456 and 20.123456 s: the second ones of the second day
    query = Query(("trades", "prices"), (BTC.lower(),), ("binance",), since="…", until="…")
    done = export(source, tmp_path / "out", query, T0 + 10 * SECOND, T0 + 30 * SECOND)
    assert {(one.stream, one.venue, one.symbol): one.rows for one in done.manifest.series} == {
        ("trades", FUTURES, BTC): 2,
        ("prices", FUTURES, BTC): 2,
    }
    assert [one.piece.day for one in done.manifest.files] == ["2025-11-21"] * 2
    assert (done.manifest.since, done.manifest.until) == (T0 + 10 * SECOND, T0 + 30 * SECOND)


def test_the_manifest_tells_coverage_gaps_and_runs(source: Path, tmp_path: Path) -> None:
    """The run is from 60 s before midnight to 300 s after it, the gap of 30 s lies from 60 s to 90 s."""
    query = Query(("trades",), (BTC,), (SPOT,), since="…", until="…")
    done = export(source, tmp_path / "out", query, EVENING, T0 + 300 * SECOND)
    found = manifest.load(tmp_path / "out")
    assert found == done.manifest
    (part,) = found.series
    assert part.coverage_pct == pytest.approx(100 * 330 / 360)
    assert part.collected == [(EVENING, T0 + 60 * SECOND), (T0 + 90 * SECOND, T0 + 300 * SECOND)]
    assert [(one.from_ts, one.until_ts, one.reason) for one in found.gaps] == [
        (T0 + 60 * SECOND, T0 + 90 * SECOND, "disconnected")
    ]
    assert [(one.key, one.kind, one.ended) for one in found.runs] == [("live run", "live", T0 + 300 * SECOND)]
    assert [one.native for one in found.instruments] == [BTC] and not found.simulated


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (Query(("nonsense",)), InvalidArgument),
        (Query(("trades",), ("NOSUCHUSDT",)), UnknownSymbol),
        (Query(("trades",), (), ("nowhere",)), UnknownVenue),
        (Query(("trades",), ("ETHUSDT",)), NoData),
    ],
)
def test_what_cannot_be_taken_is_said_and_leaves_nothing(
    source: Path, tmp_path: Path, query: Query, error: type[Exception]
) -> None:
    with pytest.raises(error):
        export(source, tmp_path / "out", query)
    assert not list((tmp_path / "out").glob("**/*")) if (tmp_path / "out").exists() else True


def test_a_folder_holds_one_export(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert export(source, out, Query(("trades",))).written == 2 * SERIES
    before = {one: one.stat().st_mtime_ns for one in out.rglob("*") if one.is_file()}
    assert export(source, out, Query(("trades",))).written == 0  # it is there already
    with pytest.raises(InvalidArgument, match="another export"):
        export(source, out, Query(("prices",)))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidArgument, match="not empty"):
        export(source, tmp_path / "other", Query(("trades",)))
    assert {one: one.stat().st_mtime_ns for one in out.rglob("*") if one.is_file()} == before


def test_an_export_that_broke_off_goes_on_where_it_was(source: Path, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def stop(done: Any) -> None:
        if done.files == 2:
            raise Enough

    query, out = Query(("trades",), since="-1h"), tmp_path / "out"
    with pytest.raises(Enough):
        export(source, out, query, EVENING, None, progress=stop)
    (out / ".export" / "draft").write_bytes(b"half a file")
    with (out / ".export" / "done").open("ab") as file:
        file.write(b'{"piece": {"path": "half a no')
    with pytest.raises(InvalidArgument, match="not finished"):
        export(source, out, Query(("prices",)))
    done = export(source, out, query, EVENING + 40 * SECOND, None)  # -1h means another instant by now
    assert (done.written, done.manifest.since) == (2 * SERIES - 2, EVENING)
    assert done.manifest.rows == counts(source)["trades"]


# ── Bringing in ───────────────────────────────────────────────────────────────────────────────


def test_a_part_of_a_run_is_taken_in_as_that_part(source: Path, tmp_path: Path) -> None:
    """Of the run of six minutes two are exported: what lies before and after them stays uncollected."""
    query = Query(("trades",), (BTC,), (SPOT,), since="…", until="…")
    export(source, tmp_path / "out", query, T0, T0 + 120 * SECOND)
    copy = tmp_path / "copy.duckdb"
    assert bring(copy, tmp_path / "out").written == {"trades": 2 * EACH}
    assert bring(copy, tmp_path / "out").written == {}
    with access.open_reader(copy) as reader:
        (run,) = reader.runs()
        assert (run.started, run.ended, run.kind) == (T0, T0 + 120 * SECOND - 1000, "live")
        for since, until, share in (
            (T0, T0 + 60 * SECOND, 100.0),
            (T0 + 60 * SECOND, T0 + 120 * SECOND, 50.0),  # the gap of 30 s
            (T0 + 120 * SECOND, T0 + 240 * SECOND, None),
            (T0 - 60 * SECOND, T0, None),
        ):
            found = reader.coverages("trades", BTC, [SPOT], since, until)[SPOT]
            assert found.percent == (share if share is None else pytest.approx(share, abs=1e-4))


def test_what_another_collector_missed_is_filled_and_what_it_heard_is_no_gap(
    source: Path, tmp_path: Path
) -> None:
    """Another heard the same market from midnight on; it has a gap from 10 s to 30 s and none at 60 s."""
    path = tmp_path / "other.duckdb"
    connection = opening.open_for_writing(path)
    tables.create(connection, [BTC])
    run = runs.begin(connection, "live", "another", started=T0, ended=T0 + 200 * SECOND)
    writer = Writer(connection, run)
    writer.adders(SPOT)[Trade](
        Trade(SPOT, BTC, T0 + 75 * SECOND, T0 + 75 * SECOND + MS, 777, False, 1.0, 1.0, 1)
    )
    writer.gap(Gap(SPOT, BTC, "trades", T0 + 10 * SECOND, T0 + 30 * SECOND, "restart"))
    writer.flush()
    connection.close()
    export(source, tmp_path / "out", Query(("trades",), (BTC,), (SPOT,)))
    found = bring(path, tmp_path / "out")
    assert (found.written["trades"], found.filled, found.gaps) == (4 * EACH, 1, 0)
    assert bring(path, tmp_path / "out")[1:] == ({}, 0, 0)
    with access.open_reader(path) as reader:
        (gap,) = reader.gaps(BTC, SPOT, stream="trades")
        assert (gap.from_ts, gap.until_ts) == (T0 + 10 * SECOND, T0 + 30 * SECOND)
        assert gap.filled_ts is not None
        assert reader.coverages("trades", BTC, [SPOT], T0, T0 + 200 * SECOND)[SPOT].percent == pytest.approx(
            100
        )


def test_simulated_and_real_rows_never_meet(source: Path, tmp_path: Path) -> None:
    simulated = made(tmp_path / "simulated.duckdb", "simulated")
    done = export(simulated, tmp_path / "out", Query(("trades",)))
    assert done.manifest.simulated
    real = tmp_path / "real.duckdb"
    shutil.copy(source, real)
    opening.open_for_writing(real).close()
    before = checksums(real)
    with pytest.raises(StoreUnusable, match="simulated"):
        bring(real, tmp_path / "out")
    assert checksums(real) == before


def _cut(folder: Path) -> None:
    one = next(folder.rglob("rows.*"))
    one.write_bytes(one.read_bytes()[:-10])


def _changed(folder: Path) -> None:
    one = next(folder.rglob("rows.*"))
    data = bytearray(one.read_bytes())
    data[len(data) // 2] ^= 1
    one.write_bytes(data)


def _gone(folder: Path) -> None:
    next(folder.rglob("rows.*")).unlink()


def _outside(folder: Path) -> None:
    told = json.loads((folder / "manifest.json").read_text())
    told["files"][0]["piece"]["path"] = "../elsewhere.parquet"
    (folder / "manifest.json").write_text(json.dumps(told))


def _no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def _torn_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])


def _of_later(folder: Path) -> None:
    told = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**told, "schema": 1000}))


@pytest.mark.parametrize("harm", [_cut, _changed, _gone, _outside, _no_manifest, _torn_manifest, _of_later])
def test_a_bad_folder_is_refused_in_one_line_and_nothing_is_brought_in(
    source: Path, tmp_path: Path, harm: Any
) -> None:
    export(source, tmp_path / "out", Query(("trades",), format="csv"))
    harm(tmp_path / "out")
    with pytest.raises(RecordingUnreadable) as caught:
        bring(tmp_path / "copy.duckdb", tmp_path / "out")
    assert "\n" not in caught.value.message and caught.value.hint
    assert set(counts(tmp_path / "copy.duckdb").values()) == {0}


def test_a_file_that_turns_out_bad_in_the_middle_is_brought_in_not_at_all(
    source: Path, tmp_path: Path
) -> None:
    """Its checksum is right, so that it is read: to a row whose price is no number."""
    import hashlib

    out = tmp_path / "out"
    export(source, out, Query(("trades",), (BTC,), format="csv"))
    told = json.loads((out / "manifest.json").read_text())
    bad = out / told["files"][1]["piece"]["path"]
    lines = bad.read_text().splitlines(keepends=True)
    bad.write_text("".join([*lines[:-1], lines[-1].replace("300000", "much")]))
    told["files"][1] |= {"bytes": bad.stat().st_size, "sha256": hashlib.sha256(bad.read_bytes()).hexdigest()}
    (out / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(RecordingUnreadable, match="rows.csv"):
        bring(tmp_path / "copy.duckdb", out)
    assert counts(tmp_path / "copy.duckdb")["trades"] == 2 * EACH  # the first file, whole


# ── Killed ────────────────────────────────────────────────────────────────────────────────────

EXPORTER = """
import os, signal, sys, time
from pathlib import Path
from orderflow.store.export import export
from orderflow.store.manifest import Query
for line in sys.stdin:
    kill_after_s, db, out, form, *streams = line.split()
    if (child := os.fork()) == 0:
        export(db, Path(out), Query(tuple(streams), format=form))
        os._exit(0)
    if kill_after_s != "None":
        time.sleep(float(kill_after_s))
        os.kill(child, signal.SIGKILL)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Exporter:
    """Runs exports, each in a process of its own that begins at once: what they need is loaded before."""

    def __init__(self) -> None:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.process = subprocess.Popen(
            [sys.executable, "-c", EXPORTER],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: object, kill_after_s: float | None) -> bool:
        """Return whether it was killed, and not done before."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(" ".join(map(str, (kill_after_s, *arguments))) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()) != 0


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    made = Exporter()
    yield made
    made.process.kill()
    made.process.communicate()


KILLED = ("trades", "prices", "orderbooks", "candles", "options")


@pytest.mark.slow
def test_an_export_that_is_killed_thirty_times_is_whole_in_the_end(
    tmp_path: Path, exporter: Exporter
) -> None:
    """At random moments, one export after another, of each form in turn, until thirty have hit."""
    chance = random.Random(7)
    path = made(tmp_path / "market.duckdb", each=40)
    expected = {stream: count for stream, count in counts(path).items() if stream in KILLED}
    kills, finished = 0, 0
    while kills < 30 or finished < 3:
        form = FORMS[finished % 3]
        out = tmp_path / f"out.{finished}"
        rows: dict[Path, int] = {}
        while not (out / "manifest.json").exists():
            after = chance.uniform(0.0, 0.8) if kills < 30 else None
            kills += exporter.run(path, out, form, *KILLED, kill_after_s=after)
            rows = {one: _rows(one, form) for one in out.rglob("rows.*")}  # what has its name is whole
            assert all(rows.values())
        told = {stream: sum(rows[one] for one in rows if one.parts[-5] == stream) for stream in KILLED}
        assert told == expected
        if finished < 3:
            bring(tmp_path / f"copy.{form}.duckdb", out)
            mine, theirs = checksums(tmp_path / f"copy.{form}.duckdb"), checksums(path)
            assert {one: mine[one] for one in KILLED} == {one: theirs[one] for one in KILLED}
        finished += 1


def _rows(path: Path, form: files.Form) -> int:
    return sum(batch.num_rows for batch in files.read(path, form, schema(STREAMS[path.parts[-5]])))

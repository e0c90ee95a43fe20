"""What is wrong with a database is found and told, mended where it can be, and said to be lost where not."""

import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orderflow.jobs import doctor, upkeep
from orderflow.market.errors import StoreUnusable
from orderflow.market.events import HOUR
from orderflow.store import archive, backfills, checking, layout, mending, opening, tables
from orderflow.store.access import service_file
from orderflow.store.backfills import Ledger, Piece
from orderflow.store.reader import Reader
from tests.store.conftest import T0, Filled

DAY = 86_400.0
NOW = T0 + 240 * HOUR


@pytest.fixture
def kept(filled: Filled) -> Filled:
    """Nine trades on three archived days, and three of today."""
    filled.run("live", 0, 5 * DAY)
    for number in range(12):
        filled.trade("okx_futures", number // 3 * DAY + number % 3 * 60 + 1, number + 1)
    archive.compact_closed(filled.connection, now=T0 + 79 * HOUR)
    assert checking.check(filled.connection, thorough=True) == []
    return filled


def found(made: Filled, thorough: bool = False) -> list[tuple[str, bool]]:
    return [(one.kind, one.wrong) for one in checking.check(made.connection, thorough=thorough)]


def files(made: Filled) -> list[Path]:
    return sorted(layout.archive_root(made.path).rglob("day=*"))


def mended(made: Filled) -> str:
    """Mend as the command does, with the database opened for it alone; return what was said."""
    made.connection.close()
    said = "\n".join(one.said for one in upkeep.repair(made.path))
    made.connection = opening.open_for_writing(made.path)
    assert [one for one in checking.check(made.connection, thorough=True) if one.wrong] == []
    return said


def ids(made: Filled) -> list[int]:
    return [id for (id,) in made.connection.execute("SELECT id FROM trades ORDER BY id").fetchall()]


@pytest.mark.parametrize("damage", ["missing", "cut", "other rows", "a bad page"])
def test_a_file_that_is_lost_is_a_gap_and_the_rest_is_read_again(kept: Filled, damage: str) -> None:
    victim = files(kept)[1]
    whole = victim.read_bytes()
    match damage:
        case "missing":
            victim.unlink()
        case "cut":
            victim.write_bytes(whole[:-20])
        case "other rows":
            shutil.copyfile(files(kept)[0], victim)
            kept.connection.execute("UPDATE archived SET rows = 4 WHERE day = DATE '2025-11-22'")
        case _:
            middle = len(whole) // 5
            victim.write_bytes(whole[:4] + bytes(255 for _ in range(middle)) + whole[4 + middle :])
    kept.connection.close()
    kept.connection = opening.open_for_writing(kept.path)
    assert found(kept, thorough=True) == [("file", True)]
    ledger = Ledger(kept.connection)
    ledger.put(Piece("okx_futures", "BTCUSDT", "trades", T0 + 24 * HOUR, T0 + 48 * HOUR, "daily", "done"))
    said = mended(kept)
    assert "archived file stream=trades/venue=okx_futures/symbol=BTCUSDT/day=2025-11-22.parquet" in said
    assert ids(kept) == [1, 2, 3, 7, 8, 9, 10, 11, 12]
    (gap,) = backfills.holes(kept.connection)
    assert (gap.from_ts - T0, gap.until_ts - T0) == (24 * HOUR + 10**9, 24 * HOUR + 121 * 10**9 + 1000)
    assert gap.reason == "archived file lost: day=2025-11-22.parquet" and not gap.removed
    assert Ledger(kept.connection).pieces() == []  # it is asked for again
    aside = [one.name for one in files(kept) if one.name.endswith(".damaged")]
    assert aside == ([] if damage == "missing" else ["day=2025-11-22.parquet.damaged"])


def test_a_database_that_was_moved_finds_its_archive_again(kept: Filled, tmp_path: Path) -> None:
    before = Reader(kept.connection).checksums()
    kept.connection.close()
    (tmp_path / "new").mkdir()
    moved = tmp_path / "new" / "renamed.duckdb"
    kept.path.rename(moved)
    layout.archive_root(kept.path).rename(layout.archive_root(moved))
    kept.path = moved
    assert "the views look for the archive where it lies now" in "".join(
        one.said for one in upkeep.repair(moved)
    )
    kept.connection = opening.open_for_writing(moved)
    assert Reader(kept.connection).checksums() == before


def test_a_database_that_was_moved_without_its_archive_is_one_clear_line_and_can_go_on(
    kept: Filled, tmp_path: Path
) -> None:
    kept.connection.close()
    alone = tmp_path / "alone.duckdb"
    shutil.copyfile(kept.path, alone)
    shutil.move(layout.archive_root(kept.path), tmp_path / "elsewhere")
    with pytest.raises(StoreUnusable, match="not all of its archive with it"):
        opening.open_for_writing(alone)
    assert len(upkeep.repair(alone)) >= 4  # three files, and the views
    kept.path, kept.connection = alone, opening.open_for_writing(alone)
    assert ids(kept) == [10, 11, 12]


def test_views_that_are_missing_are_made_again(kept: Filled) -> None:
    names = tables.names(kept.connection)
    kept.connection.execute("DROP VIEW btcusdt_okx_futures_trades; DROP VIEW sources")
    assert found(kept) == [("views", True)]
    assert "views are there again" in mended(kept)
    assert tables.names(kept.connection) == names
    kept.connection.execute("FROM sources")


def test_files_that_nothing_names_are_a_note_and_go_under_repair(kept: Filled) -> None:
    left = files(kept)[0].with_name("day=2025-11-21.9.parquet")
    left.write_bytes(b"left by a process that died")
    assert found(kept) == []  # it may be under way
    os.utime(left, (1, 1))
    assert found(kept) == [("orphans", False)]
    assert "1 files that nothing names were deleted" in mended(kept)
    assert left not in files(kept) and len(files(kept)) == 3


def test_runs_that_were_killed_end_with_their_last_row(kept: Filled) -> None:
    kept.connection.execute("UPDATE runs SET ended = NULL")
    kept.run("live", 9 * DAY, None)
    assert found(kept) == [("runs", False)]
    assert "2 runs" in mended(kept)
    last = kept.connection.execute("SELECT epoch_us(ended) * 1000 FROM runs ORDER BY id").fetchall()
    # the row of 3 days and 121 s was received a quarter of a second later; the other run has none
    assert last == [(kept.at(3 * DAY + 121.25),), (kept.at(9 * DAY),)]


@pytest.mark.parametrize("where", ["hot", "archived", "both"])
def test_rows_that_are_there_twice_are_there_once_and_the_first_stays(kept: Filled, where: str) -> None:
    """Of trades 1 to 3 of the first day, and 10 to 12 of the last: one comes again under another id."""
    at = {"hot": 3 * DAY + 61, "archived": 61.0, "both": 61.0}[where]
    kept.trade("okx_futures", at, 50)
    kept.connection.execute(f"UPDATE trades_hot SET trade_id = '{11 if where == 'hot' else 2}' WHERE id = 50")
    if where == "archived":
        archive.compact_closed(kept.connection, now=T0 + 79 * HOUR)
    assert found(kept) == []
    assert found(kept, thorough=True) == [("doubles", True)]
    assert "1 rows of trades of okx_futures BTCUSDT" in mended(kept)
    assert ids(kept) == list(range(1, 13))


def test_equal_numbers_hours_apart_are_no_doubles(kept: Filled) -> None:
    """A venue may begin its counting again: only the same number within the hour is the same update."""
    for at in (100.0, 100.5, 3 * 3600.0):
        kept.quote("binance_spot", "BTCUSDT", at, 1.0, 2.0)
    kept.connection.execute("UPDATE prices_hot SET sequence = 7")
    assert [one.number for one in checking.check(kept.connection, thorough=True)] == [1]


def test_of_a_bar_that_is_there_twice_the_closed_one_stays(kept: Filled) -> None:
    for id, closed, at in ((1, False, 70.0), (2, True, 65.0), (3, False, 75.0)):
        kept.put("candles", at, id, interval="1m", open_time=date(2025, 11, 21), closed=closed)
    mended(kept)
    assert kept.connection.execute("SELECT id, closed FROM candles").fetchall() == [(2, True)]


def test_an_id_that_is_given_twice_is_given_anew(kept: Filled) -> None:
    kept.connection.execute("UPDATE trades_hot SET id = 3 WHERE id = 11")
    assert found(kept, thorough=True) == [("ids", True)]
    assert "1 ids" in mended(kept)
    assert ids(kept) == [*range(1, 11), 12, 13]


def test_the_highest_id_of_a_file_is_noted_again(kept: Filled) -> None:
    kept.connection.execute("UPDATE archived SET last_id = 1 WHERE day = DATE '2025-11-23'")
    assert found(kept, thorough=True) == [("number", True)]
    assert "its highest id is noted" in mended(kept)


# ── The command ───────────────────────────────────────────────────────────────────────────────


def said(db: Path, **more: Any) -> dict[str, str]:
    import asyncio

    return {one.about: one.state for one in asyncio.run(doctor.examine(db, {}, {}, offline=True, **more))}


def test_doctor_tells_what_is_wrong_without_touching_it(kept: Filled) -> None:
    kept.connection.close()
    before = kept.path.read_bytes()
    assert said(kept.path, thorough=True)["store"] == "ok"
    files(kept)[0].unlink()
    told = said(kept.path)
    assert told["store"] == "problem" and told[f"database {kept.path.name}"] == "problem"
    assert kept.path.read_bytes() == before
    kept.connection = duckdb.connect()


def test_a_service_file_of_a_process_that_is_gone_is_removed(kept: Filled) -> None:
    service_file(kept.path).write_text('{"uri": "quack:127.0.0.1:1", "token": "x", "pid": 1, "started": 1}')
    assert "service file" in mended(kept)
    assert not service_file(kept.path).exists()


def test_what_somebody_has_open_is_not_mended(kept: Filled, elsewhere: Any) -> None:
    code = (
        "import sys; from orderflow.jobs import upkeep; from orderflow.market.errors import StoreUnusable\n"
        "from pathlib import Path\n"
        "try: upkeep.repair(Path(sys.argv[1]))\n"
        "except StoreUnusable as error: print(error.message)"
    )
    assert "has it open for writing" in elsewhere(code, kept.path)


def test_mending_what_is_whole_does_nothing(kept: Filled) -> None:
    before = Reader(kept.connection).checksums()
    assert mending.mend(kept.connection) == []
    assert Reader(kept.connection).checksums() == before

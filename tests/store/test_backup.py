"""A backup is the database at one commit, costs what is new, is checked before it is restored, and proven after."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.market.events import HOUR
from orderflow.store import archive, backup, layout, opening, tables
from orderflow.store.access import open_reader
from orderflow.store.reader import Reader
from tests.store.conftest import T0, Filled

DAY = 86_400.0


def filled_up(made: Filled) -> None:
    """Two archived days, a late row, a bar, a gap, a run, and rows that are still hot."""
    made.run("live", 0, None)
    for number in range(40):
        made.trade("okx_futures", number * DAY / 20 + 1, number + 1)
    archive.compact_closed(made.connection, now=T0 + 60 * HOUR)
    made.trade("okx_futures", 5.0, 41)
    archive.compact_closed(made.connection, now=T0 + 60 * HOUR)
    made.put("candles", 60.0, 1, interval="1m", closed=False)
    made.put("liquidations", 3 * DAY, 1, side="long", price=1.0)
    made.gap("trades", 1.0, 2.0)
    tables.add_symbols(made.connection, ["LATEUSDT"])


def test_what_is_restored_is_what_was_backed_up_in_every_respect(filled: Filled, tmp_path: Path) -> None:
    filled_up(filled)
    before, names = Reader(filled.connection).checksums(), tables.names(filled.connection)
    made = backup.back_up(filled.connection, tmp_path / "safe" / "first", version="1.0")
    assert (made.rows, made.files) == (43, 3)  # 41 trades, a bar and a liquidation; the database and two days
    assert backup.verified(tmp_path / "safe" / "first").rows["trades"] == 41
    filled.connection.execute("DELETE FROM liquidations_hot")
    db = tmp_path / "elsewhere" / "back.duckdb"
    assert backup.restore(tmp_path / "safe" / "first", db).version == "1.0"
    with open_reader(db) as reader:
        assert reader.checksums() == before
        assert len(reader.trades("BTCUSDT").price) == 41
    opened = opening.open_for_writing(db)
    assert tables.names(opened) == names
    assert opened.execute("SELECT DISTINCT value FROM about WHERE key = 'archive'").fetchall() == [
        (f"{db}.archive",)
    ]
    assert (
        opened.execute("DESCRIBE trades_hot").fetchall()
        == filled.connection.execute("DESCRIBE trades_hot").fetchall()
    )
    opened.close()
    assert Reader(filled.connection).checksums() != before
    # the backup serves again
    backup.restore(tmp_path / "safe" / "first", tmp_path / "again.duckdb")


def test_a_further_backup_costs_what_is_not_archived(filled: Filled, tmp_path: Path) -> None:
    filled_up(filled)
    first = backup.back_up(filled.connection, tmp_path / "a")
    second = backup.back_up(filled.connection, tmp_path / "b")
    archived = sum(one.bytes for one in backup.verified(tmp_path / "a").files if one.path != backup.DATABASE)
    assert first.bytes - first.copied_bytes == archived == second.bytes - second.copied_bytes
    files = [next((tmp_path / name / "archive").rglob("*.parquet")) for name in "ab"]
    assert os.path.samefile(*files)


def test_an_archive_on_another_disk_is_copied(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled_up(filled)

    def refused(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(backup.os, "link", refused)
    made = backup.back_up(filled.connection, tmp_path / "a")
    assert made.copied_bytes == made.bytes
    backup.restore(tmp_path / "a", tmp_path / "new.duckdb")


def test_rows_that_are_flushed_meanwhile_are_not_in_it(filled: Filled, tmp_path: Path) -> None:
    filled_up(filled)
    before = Reader(filled.connection).checksums()

    @contextmanager
    def flushing() -> Iterator[None]:
        yield

    def progress(*_: object) -> None:
        filled.trade("binance_spot", DAY * 5, 1000 + filled.connection.execute("SELECT count(*) FROM trades").fetchall()[0][0])  # fmt: skip

    backup.back_up(filled.connection, tmp_path / "a", lock=flushing, progress=progress)
    assert Reader(filled.connection).counts()["trades"] == 43
    backup.restore(tmp_path / "a", tmp_path / "new.duckdb")
    with open_reader(tmp_path / "new.duckdb") as reader:
        assert reader.checksums() == before


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "led out", "no manifest"])
def test_a_damaged_backup_is_refused_and_nothing_is_left_of_it(
    filled: Filled, tmp_path: Path, damage: str
) -> None:
    filled_up(filled)
    folder = tmp_path / "a"
    backup.back_up(filled.connection, folder)
    victim = next((folder / "archive").rglob("*.parquet"))
    whole = victim.read_bytes()
    victim.unlink()  # a link: the archive's own file must not change
    match damage:
        case "cut":
            victim.write_bytes(whole[:-1])
        case "changed":
            victim.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
        case "led out":
            victim.write_bytes(whole)
            told = (folder / "manifest.json").read_text()
            (folder / "manifest.json").write_text(told.replace("archive/stream", "../archive/stream"))
        case "no manifest":
            (folder / "manifest.json").unlink()
        case _:
            pass
    with pytest.raises(StoreUnusable):
        backup.restore(folder, tmp_path / "new" / "market.duckdb")
    assert not any(one.is_file() for one in (tmp_path / "new").rglob("*"))


def test_nothing_is_overwritten(filled: Filled, tmp_path: Path) -> None:
    filled_up(filled)
    backup.back_up(filled.connection, tmp_path / "a")
    with pytest.raises(InvalidArgument, match="is there already"):
        backup.back_up(filled.connection, tmp_path / "a")
    with pytest.raises(InvalidArgument, match="lies in the archive"):
        backup.back_up(filled.connection, layout.archive_root(filled.path) / "a")
    (tmp_path / "there.duckdb").touch()
    with pytest.raises(InvalidArgument, match="is there already"):
        backup.restore(tmp_path / "a", tmp_path / "there.duckdb")
    Path(f"{tmp_path / 'b.duckdb'}.archive").mkdir()
    with pytest.raises(InvalidArgument, match="is there already"):
        backup.restore(tmp_path / "a", tmp_path / "b.duckdb")


def test_what_a_process_that_died_had_begun_is_begun_again(filled: Filled, tmp_path: Path) -> None:
    filled_up(filled)
    (tmp_path / "a.unfinished" / "archive").mkdir(parents=True)
    (tmp_path / "a.unfinished" / "orderflow.duckdb").write_bytes(b"half")
    backup.back_up(filled.connection, tmp_path / "a")
    assert not (tmp_path / "a.unfinished").exists()
    (tmp_path / "b.unfinished").mkdir()
    (tmp_path / "b.unfinished" / "thesis.txt").touch()
    with pytest.raises(InvalidArgument, match="no backup of ours"):
        backup.back_up(filled.connection, tmp_path / "b")

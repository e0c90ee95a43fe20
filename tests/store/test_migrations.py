"""A database of an older schema is brought to today's as a whole, or is as it was."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from orderflow.market.errors import StoreUnusable
from orderflow.market.events import HOUR, Quote
from orderflow.store import archive, migrations, opening, runs, tables
from orderflow.store.access import open_reader
from orderflow.store.reader import Reader
from orderflow.store.writer import Writer
from tests.store import schema_one
from tests.store.conftest import T0


def plain(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the file with nothing of ours."""
    connection = duckdb.connect(str(path))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.duckdb"
    schema_one.database(path)
    return path


def shown(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=str)


def test_an_old_database_has_all_its_rows_under_the_same_names_and_the_new_columns(old: Path) -> None:
    names = (
        "trades",
        "candles",
        "btcusdt_binance_spot_trades",
        "ethusdt_binance_futures_candles",
        "gaps",
        "runs",
    )
    before = {name: shown(plain(old, f"FROM {name}")) for name in names}
    assert len(before["trades"]) == 400 and len(before["btcusdt_binance_spot_trades"]) == 100
    connection = opening.open_for_writing(old)
    assert tables.schema(connection) == tables.SCHEMA
    assert {name: shown(connection.execute(f"FROM {name}").fetchall()) for name in names} == before
    assert connection.execute(
        "SELECT count(*), count(told_price), count(bid_price) FROM prices"
    ).fetchall() == [(40, 0, 40)]
    connection.close()
    with open_reader(old) as reader:
        assert reader.counts()["trades"] == 400


def test_what_is_migrated_is_laid_out_as_a_new_one(old: Path, tmp_path: Path) -> None:
    connection = opening.open_for_writing(old)
    tables.create(connection, schema_one.SYMBOLS)
    new = opening.open_for_writing(tmp_path / "new.duckdb")
    tables.create(new, schema_one.SYMBOLS)
    assert tables.names(connection) == tables.names(new)
    for stream in tables.STREAMS:
        for name in (stream, f"{stream}_hot"):
            ours, theirs = (
                {
                    row[:2]
                    for row in one.execute(f"DESCRIBE {name}").fetchall()
                    if row[0] not in ("venue", "symbol")  # their values are in the order of their coming
                }
                for one in (connection, new)
            )
            assert ours == theirs
    connection.close()
    new.close()


def test_it_is_written_to_and_archived_like_any_other(old: Path) -> None:
    connection = opening.open_for_writing(old)
    tables.create(connection, schema_one.SYMBOLS)
    writer = Writer(connection, runs.begin(connection, "live", "second", started=T0 + 40 * HOUR))
    instant = T0 + 40 * HOUR
    writer.adders("pyth")[Quote](
        Quote("pyth", "BTCUSDT", instant, instant, bid=None, ask=None, bid_size=None, ask_size=None, mid=5.0)
    )
    assert writer.flush().rows == {"prices": 1}
    before = Reader(connection).checksums()
    done = archive.compact_closed(connection, now=T0 + 80 * HOUR)
    assert sum(one.rows for one in done) == 400 + 41 + 26  # of forty bars, those that are closed
    assert Reader(connection).checksums() == before
    connection.close()


def test_a_step_that_fails_leaves_the_database_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plain(old, "SELECT sql FROM duckdb_tables() UNION ALL SELECT sql FROM duckdb_views() ORDER BY 1")
    step = migrations.STEPS[2]

    def half(cursor: duckdb.DuckDBPyConnection) -> None:
        step(cursor)
        raise duckdb.IOException("No space left on device")

    monkeypatch.setitem(migrations.STEPS, 2, half)
    with pytest.raises(StoreUnusable, match="could not be brought to schema 2: No space left"):
        opening.open_for_writing(old)
    assert (
        plain(old, "SELECT sql FROM duckdb_tables() UNION ALL SELECT sql FROM duckdb_views() ORDER BY 1")
        == before
    )
    monkeypatch.undo()
    opening.open_for_writing(old).close()


def test_an_old_database_is_refused_to_a_reader_and_one_of_the_future_to_all(old: Path) -> None:
    with pytest.raises(StoreUnusable, match="has schema 1"):
        open_reader(old)
    plain(old, "UPDATE about SET value = '99' WHERE key = 'schema'")
    with pytest.raises(StoreUnusable, match="made by a newer version"):
        opening.open_for_writing(old)

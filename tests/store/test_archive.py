"""Days that are over: in the archive, and told as before; late rows, changes of rows, and what is left hot."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.market.errors import StoreUnusable
from orderflow.market.events import HOUR, Candle, OpenInterest, Trade
from orderflow.market.streams import STREAMS
from orderflow.store import archive, layout, opening, runs, tables
from orderflow.store.access import open_reader
from orderflow.store.reader import Reader
from orderflow.store.writer import Writer
from tests.store.conftest import T0, Filled

DAY = 86_400.0
FIRST = date(2025, 11, 21)
LATER = T0 + 80 * HOUR  # all that the tests put is closed by then


def closed(made: Filled, **more: Any) -> list[archive.Compacted]:
    return archive.compact_closed(made.connection, now=LATER, **more)


def hot(made: Filled, stream: str = "trades") -> int:
    ((found,),) = made.connection.execute(f"SELECT count(*) FROM {stream}_hot").fetchall()
    return found


def two_days(made: Filled) -> None:
    """Six trades: three on each of two days, on two venues, not in the order of their times."""
    for venue in ("binance_spot", "okx_futures"):
        for id, at in ((1, 10.0), (2, DAY + 5), (3, 5.0), (4, DAY + 1), (5, DAY - 0.000001), (6, DAY)):
            made.trade(venue, at, id, price=100.0 + id, sold=id % 2 == 0)


def test_what_is_compacted_is_told_as_before_and_lies_sorted_in_a_file_a_series_and_day(
    filled: Filled,
) -> None:
    two_days(filled)
    reader = Reader(filled.connection)
    before, rows = reader.checksums(), reader.trades("BTCUSDT").price.tolist()
    done = closed(filled)
    assert [(one.stream, one.day, one.rows, one.files) for one in done] == [
        ("trades", FIRST, 6, 2),
        ("trades", FIRST + timedelta(days=1), 6, 2),
    ]
    assert hot(filled) == 0
    assert reader.checksums() == before
    assert reader.trades("BTCUSDT").price.tolist() == rows
    root = layout.archive_root(filled.path)
    files = sorted(str(one.relative_to(root)) for one in root.rglob("*") if one.is_file())
    assert files == [
        f"stream=trades/venue={venue}/symbol=BTCUSDT/day=2025-11-{day}.parquet"
        for venue in ("binance_spot", "okx_futures")
        for day in (21, 22)
    ]
    found = duckdb.sql(f"SELECT id, price FROM read_parquet('{root / files[0]}')").fetchall()
    assert found == [(3, 103.0), (1, 101.0), (5, 105.0)]
    named = filled.connection.execute("SELECT id, venue FROM btcusdt_okx_futures_trades ORDER BY timestamp")
    assert named.fetchall() == [(id, "okx_futures") for id in (3, 1, 5, 6, 4, 2)]
    assert closed(filled) == []


def test_a_day_is_closed_six_hours_after_its_end(filled: Filled) -> None:
    two_days(filled)
    midnight = T0 + 24 * HOUR
    assert archive.closed_days(filled.connection, now=midnight + 6 * HOUR - 1) == []
    assert archive.closed_days(filled.connection, now=midnight + 6 * HOUR) == [("trades", FIRST)]


def test_late_rows_are_united_with_the_file_of_their_day_in_a_further_edition(filled: Filled) -> None:
    two_days(filled)
    closed(filled)
    filled.trade("okx_futures", 7.0, 9)
    before = Reader(filled.connection).checksums()
    (done,) = closed(filled)
    assert (done.rows, done.files) == (1, 1)
    assert Reader(filled.connection).checksums() == before
    found = filled.connection.execute(
        "SELECT file, rows, dropped IS NULL FROM archived WHERE venue = 'okx_futures' AND day = ? ORDER BY file",
        [FIRST],
    ).fetchall()
    folder = "stream=trades/venue=okx_futures/symbol=BTCUSDT"
    assert found == [
        (f"{folder}/day=2025-11-21.2.parquet", 4, True),
        (f"{folder}/day=2025-11-21.parquet", 3, False),
    ]


def test_a_row_without_a_time_and_a_bar_that_is_open_stay_hot(filled: Filled) -> None:
    filled.put("candles", 60.0, 1, interval="1m", closed=True)
    filled.put("candles", 120.0, 2, interval="1m", closed=False)
    filled.put("candles", 180.0, 3, interval="1m", closed=None)
    filled.trade("binance_spot", 1.0, 1)
    filled.connection.execute("UPDATE trades_hot SET timestamp = NULL")
    assert [(one.stream, one.rows) for one in closed(filled)] == [("candles", 1)]
    assert (hot(filled), hot(filled, "candles")) == (1, 2)
    assert Reader(filled.connection).counts()["candles"] == 3


def test_every_stream_comes_out_of_the_archive_with_its_types_and_its_checksum(filled: Filled) -> None:
    values = {"DOUBLE": 1.5, "BIGINT": 2**53 + 1, "INTEGER": 7, "BOOLEAN": True, "VARCHAR": "a'b"}
    values["TIMESTAMP"] = datetime(2025, 12, 1)  # noqa: DTZ001 - as DuckDB has it
    for stream in STREAMS.values():
        row = {
            column.name: layout.FIXED.get(f"{stream.name}.{column.name}", [values[column.type]])[0]
            for column in stream.columns
        }
        filled.put(stream.name, 3.0, 1, **row)
        filled.put(stream.name, 4.0, 2, **({"closed": True} if stream.name == "candles" else {}))
    described = {name: _described(filled, name) for name in STREAMS}
    before = Reader(filled.connection).checksums()
    assert {one.stream for one in closed(filled)} == set(STREAMS)
    assert sum(hot(filled, name) for name in STREAMS) == 0
    assert Reader(filled.connection).checksums() == before
    assert {name: _described(filled, name) for name in STREAMS} == described


def _described(made: Filled, name: str) -> list[Any]:
    return [row[:2] for row in made.connection.execute(f"DESCRIBE {name}").fetchall()]


@pytest.mark.parametrize("symbol", ["A/B:USDT", "ÄUSDT", "X.Y+Z-1"])
def test_any_symbol_finds_its_file(tmp_path: Path, symbol: str) -> None:
    made = Filled(tmp_path / "it's here.duckdb", [symbol, "BTCUSDT"])
    made.put("index_prices", 1.0, 1, venue="okx_futures", symbol=symbol, index_price=5.0)
    before = Reader(made.connection).checksums()
    closed(made)
    assert Reader(made.connection).checksums() == before
    found = made.connection.execute("SELECT index_price FROM index_prices WHERE symbol = ?", [symbol])
    assert found.fetchall() == [(5.0,)]
    made.connection.close()


def test_a_reader_of_the_file_and_the_next_start_see_the_archive(filled: Filled) -> None:
    two_days(filled)
    before = Reader(filled.connection).checksums()
    closed(filled)
    filled.connection.close()
    with open_reader(filled.path) as reader:
        assert reader.checksums() == before
    filled.connection = opening.open_for_writing(filled.path)
    tables.create(filled.connection, ["NEWUSDT"])  # the types grow, and archived texts are cast to them
    assert Reader(filled.connection).checksums() == before


# ── Beside a writer ───────────────────────────────────────────────────────────────────────────


def test_rows_that_are_flushed_meanwhile_stay_hot_and_follow(filled: Filled) -> None:
    two_days(filled)

    def flushing() -> bool:
        if hot(filled) == 12:
            filled.trade("okx_futures", 8.0, 20)
        return True

    assert closed(filled, rest=flushing)[0].rows == 6
    assert hot(filled) == 1
    assert Reader(filled.connection).counts()["trades"] == 13
    assert [one.rows for one in closed(filled)] == [1]


def test_a_row_that_is_changed_meanwhile_puts_the_day_off(filled: Filled) -> None:
    filled.put("candles", 60.0, 1, interval="1m", closed=True, close=1.0)
    filled.put("candles", 60.0, 2, interval="1m", closed=True, close=2.0, venue="okx_futures")

    @contextmanager
    def replacing() -> Iterator[None]:
        # as the writer replaces a bar: the row goes, and another one comes under its id
        filled.connection.execute("DELETE FROM candles_hot WHERE id = 1")
        filled.put("candles", 60.0, 1, interval="1m", closed=True, close=3.0)
        yield

    assert closed(filled, lock=replacing) == []
    assert not any(one.is_file() for one in layout.archive_root(filled.path).rglob("*"))
    assert hot(filled, "candles") == 2
    assert len(closed(filled)) == 1
    found = filled.connection.execute("SELECT id, close FROM candles ORDER BY id").fetchall()
    assert found == [(1, 3.0), (2, 2.0)]


def test_a_late_row_of_open_interest_that_comes_meanwhile_is_reckoned_with_by_the_next_pass(
    filled: Filled,
) -> None:
    """An update of a row that is being archived is lost with it, and made up for when the late row follows."""
    writer = _writer(filled)

    def write(at: float, size: float) -> None:
        instant = filled.at(at)
        writer.adders("okx_futures")[OpenInterest](
            OpenInterest("okx_futures", "BTCUSDT", instant, instant, size=size, usd=None, contracts=None)
        )
        writer.flush()

    write(10.0, 5.0)
    write(30.0, 9.0)

    @contextmanager
    def late() -> Iterator[None]:
        if hot(filled, "open_interest") == 2:
            write(20.0, 6.0)
        yield

    closed(filled, lock=late)
    closed(filled)
    assert hot(filled, "open_interest") == 0
    found = filled.connection.execute("SELECT oi_change FROM open_interest ORDER BY timestamp").fetchall()
    assert found == [(None,), (1.0,), (3.0,)]


def test_a_symbol_that_is_added_meanwhile_puts_the_day_off(filled: Filled) -> None:
    two_days(filled)
    added: list[int] = []

    @contextmanager
    def adding() -> Iterator[None]:
        if not added:
            added.append(tables.add_symbols(filled.connection, ["NEWUSDT"]))
        yield

    assert len(closed(filled, lock=adding)) == 1  # the second day; the first was put off
    assert hot(filled) == 6
    assert len(closed(filled)) == 1
    assert Reader(filled.connection).counts()["trades"] == 12


def test_a_pass_that_is_told_to_rest_for_good_leaves_everything_as_it_was(filled: Filled) -> None:
    two_days(filled)
    asked: list[int] = []
    assert closed(filled, rest=lambda: asked.append(1) or len(asked) < 2) == []
    assert hot(filled) == 12
    assert not any(one.is_file() for one in layout.archive_root(filled.path).rglob("*"))


def test_a_day_of_very_many_rows_is_moved_in_parts(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PART_ROWS", 4)
    two_days(filled)
    before = Reader(filled.connection).checksums()
    asked: list[int] = []
    assert closed(filled, rest=lambda: asked.append(hot(filled)) or True)[0].rows == 6
    assert asked[:2] == [12, 9]  # three rows of the first venue went by themselves
    assert Reader(filled.connection).checksums() == before


def test_a_disk_that_takes_no_file_is_told_and_changes_nothing(filled: Filled) -> None:
    two_days(filled)
    layout.archive_root(filled.path).write_text("in the way")
    with pytest.raises(StoreUnusable, match="trades of 2025-11-21 could not be archived"):
        closed(filled)
    assert hot(filled) == 12


# ── What the writer knows ─────────────────────────────────────────────────────────────────────


def _writer(made: Filled) -> Writer:
    return Writer(made.connection, runs.begin(made.connection, "replay", "test", started=T0))


def _trade(made: Filled, at: float, id: int) -> Trade:
    return Trade("binance_spot", "BTCUSDT", made.at(at), made.at(at), id=id, price=5.0, size=1.0, is_buyer_maker=False)  # fmt: skip


def test_what_is_archived_is_not_written_again_and_ids_go_on(filled: Filled) -> None:
    told = [_trade(filled, at, id) for id, at in ((1, 10.0), (2, 20.0), (3, DAY + 1))]
    first = _writer(filled)
    for one in told:
        first.adders("binance_spot")[Trade](one)
    assert first.flush().rows["trades"] == 3
    closed(filled)
    for writer in (first, _writer(filled)):  # the one that wrote them, and one that starts now
        for one in told:
            writer.adders("binance_spot")[Trade](one)
        assert writer.flush().rows == {}
    again = _writer(filled)
    again.adders("binance_spot")[Trade](_trade(filled, 15.0, 9))
    assert again.flush().rows["trades"] == 1
    assert filled.connection.execute("SELECT id FROM trades_hot").fetchall() == [(4,)]


def test_a_closed_bar_in_the_archive_stands(filled: Filled) -> None:
    def bar(close: float, closed: bool) -> Candle:
        return Candle(
            "binance_spot", "BTCUSDT", filled.at(60), filled.at(61), interval="1m", open_ts=filled.at(0),
            close_ts=filled.at(60), open=1.0, high=9.0, low=1.0, close=close, volume=1.0, quote_volume=1.0,
            trade_count=1, taker_buy_volume=None, taker_buy_quote=None, closed=closed,
        )  # fmt: skip

    writer = _writer(filled)
    writer.adders("binance_spot")[Candle](bar(5.0, True))
    writer.flush()
    closed(filled)
    writer.adders("binance_spot")[Candle](bar(6.0, False))
    assert writer.flush().rows == {}
    assert filled.connection.execute("SELECT close FROM candles").fetchall() == [(5.0,)]


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations([(5.0, 10.0), (DAY - 5, 14.0), (DAY + 5, 13.0), (2 * DAY + 5, 20.0)]))
def test_changes_of_open_interest_are_right_in_whatever_order_days_come_and_are_archived(
    database: Filled, order: list[tuple[float, float]]
) -> None:
    database.clear()
    for at, size in order:
        writer = _writer(database)
        instant = database.at(at)
        writer.adders("okx_futures")[OpenInterest](
            OpenInterest("okx_futures", "BTCUSDT", instant, instant, size=size, usd=None, contracts=None)
        )
        writer.flush()
        closed(database)
    assert hot(database, "open_interest") == 0
    found = database.connection.execute("SELECT oi_change FROM open_interest ORDER BY timestamp").fetchall()
    assert found == [(None,), (4.0,), (-1.0,), (7.0,)]

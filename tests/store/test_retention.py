"""What is kept no longer goes, and says so: by age, by rows, archived or hot; thinned books; swept files."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import HOUR, SECOND
from orderflow.store import archive, backfills, layout, retention, sweeping, thinning
from orderflow.store.backfills import Ledger, Piece
from orderflow.store.reader import Reader
from tests.store.conftest import T0, Filled

DAY = 86_400.0
DAYS = 24 * HOUR


def put(made: Filled, days: int = 4, venue: str = "binance_spot") -> None:
    """Three trades a day: at 1:00, 12:00 and 23:00, ids from 1."""
    for number in range(days * 3):
        hour = (1, 12, 23)[number % 3]
        made.trade(venue, number // 3 * DAY + hour * 3600, number + 1)


def ids(made: Filled, venue: str = "binance_spot") -> list[int]:
    found = made.connection.execute("SELECT id FROM trades WHERE venue = ? ORDER BY id", [venue]).fetchall()
    return [id for (id,) in found]


def keep(made: Filled, rule: str, now: int) -> retention.Removed:
    return retention.remove(made.connection, "trades", retention.rules({"trades": rule})["trades"], now=now)


def gaps(made: Filled) -> list[tuple[Any, ...]]:
    """From and until in hours after the first midnight."""
    found = Reader(made.connection).gaps(stream="trades")
    return [
        ((one.from_ts - T0) / HOUR, ((one.until_ts or 0) - T0) / HOUR, one.reason, one.filled_ts)
        for one in found
    ]


@pytest.mark.parametrize("archived", [False, True])
def test_rows_older_than_a_rule_go_and_the_gap_says_why(filled: Filled, archived: bool) -> None:
    put(filled)
    if archived:
        archive.compact_closed(filled.connection, now=T0 + 10 * DAYS)
    # at noon and a half of day 3, two days are kept: from day 1, 12:30
    now = T0 + 3 * DAYS + 12 * HOUR + HOUR // 2
    done = keep(filled, "2d", now)
    left = [4, 5, 6, 7, 8, 9, 10, 11, 12] if archived else [6, 7, 8, 9, 10, 11, 12]
    assert ids(filled) == left  # an archived day goes when all of it is old
    assert (done.rows, done.files) == (12 - len(left), 1 if archived else 0)
    last = 23 if archived else 36  # hours: row 3, or row 5
    ((since, until, reason, filled_at),) = gaps(filled)
    assert (since, reason, filled_at) == (1.0, "removed: kept for 2 days", None)
    assert until == pytest.approx(last, abs=1e-8) and until > last
    assert keep(filled, "2d", now).rows == 0
    keep(filled, "2d", now + DAYS)
    assert ids(filled) == ([7, 8, 9, 10, 11, 12] if archived else [9, 10, 11, 12])
    ((since, until, _, _),) = gaps(filled)  # extended, not multiplied
    assert (since, until > (47 if archived else 60)) == (1.0, True)


@pytest.mark.parametrize("archived", [False, True])
def test_the_newest_rows_of_each_series_are_kept(filled: Filled, archived: bool) -> None:
    put(filled)
    put(filled, 1, "okx_futures")
    if archived:
        archive.compact_closed(filled.connection, now=T0 + 10 * DAYS)
    keep(filled, "5 rows", T0 + 4 * DAYS)
    # five of twelve: of archived days the last two, which have six rows
    assert ids(filled) == ([7, 8, 9, 10, 11, 12] if archived else [8, 9, 10, 11, 12])
    assert ids(filled, "okx_futures") == [1, 2, 3]
    assert [one[2] for one in gaps(filled)] == ["removed: kept are the newest 5 rows"]


def test_hot_rows_count_before_the_archived_ones(filled: Filled) -> None:
    put(filled, 3)
    archive.compact_closed(filled.connection, now=T0 + 2 * DAYS + 6 * HOUR)  # the third day stays hot
    keep(filled, "3 rows", T0 + 3 * DAYS)
    assert ids(filled) == [7, 8, 9]
    keep(filled, "2 rows", T0 + 3 * DAYS)
    assert ids(filled) == [8, 9]


def test_coverage_counts_what_was_removed_as_missing(filled: Filled) -> None:
    filled.run("live", 0, 4 * DAY)
    put(filled)
    reader = Reader(filled.connection)
    whole = reader.coverage("trades", "binance_spot", "BTCUSDT", T0, T0 + 4 * DAYS)
    assert whole.percent == 100
    keep(filled, "48h", T0 + 4 * DAYS)  # rows 1 to 6 go: from 1:00 of day 0 until 23:00 of day 1
    found = reader.coverage("trades", "binance_spot", "BTCUSDT", T0, T0 + 4 * DAYS)
    assert found.percent == pytest.approx(100 * (96 - 46) / 96)
    assert [gap.reason for gap in found.gaps] == ["removed: kept for 2 days"]


def test_gaps_inside_what_was_removed_give_way_to_it_and_others_stay(filled: Filled) -> None:
    put(filled)
    filled.gap("trades", 3 * 3600, 4 * 3600)
    filled.gap("trades", 5 * 3600, 6 * 3600, filled=7 * 3600)
    filled.gap("trades", 47 * 3600, 49 * 3600)  # reaches beyond
    filled.gap("prices", 3 * 3600, 4 * 3600)
    keep(filled, "2d", T0 + 4 * DAYS)
    assert [(since, reason) for since, _, reason, _ in gaps(filled)] == [
        (1.0, "removed: kept for 2 days"),
        (47.0, "disconnected"),
    ]
    assert len(Reader(filled.connection).gaps(stream="prices")) == 1


def test_a_backfill_forgets_what_it_had_brought_in_there(filled: Filled) -> None:
    put(filled)
    ledger = Ledger(filled.connection)
    series = ("binance_spot", "BTCUSDT", "trades")
    ledger.put(Piece(*series, T0, T0 + DAYS, "daily", "done"))
    ledger.put(Piece(*series, T0 + 3 * DAYS, T0 + 4 * DAYS, "daily", "done"))
    keep(filled, "2d", T0 + 4 * DAYS)
    assert [one.from_ts for one in ledger.pieces()] == [T0 + 3 * DAYS]
    assert [one.removed for one in backfills.holes(filled.connection)] == [True]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"orderboks": "30d"}, "no stream is called 'orderboks'"),
        ({"trades": "30 x"}, "retention of trades: '30 x' cannot be read"),
        ({"trades": "0 rows"}, "would keep nothing"),
        ({"trades": "-3d"}, "cannot be read"),
        ({"trades": ""}, "cannot be read"),
    ],
)
def test_a_rule_that_cannot_be_read_is_one_clear_line(told: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        retention.rules(told)


def test_rules_are_read_in_any_of_their_forms() -> None:
    found = retention.rules(
        {"trades": "30d", "prices": "5_000_000 rows", "orderbooks": "36h", "candles": "1 day", "options": "1 row"}
    )  # fmt: skip
    assert [(one.age, one.rows, one.said) for one in found.values()] == [
        (30 * DAYS, None, "30 days"),
        (None, 5_000_000, "the newest 5,000,000 rows"),
        (36 * HOUR, None, "36 hours"),
        (DAYS, None, "1 day"),
        (None, 1, "the newest 1 rows"),
    ]


# ── Thinning ──────────────────────────────────────────────────────────────────────────────────


def books(made: Filled, day: int) -> None:
    """Eight books a quarter of a second apart: ids 1 to 8 in two whole seconds."""
    for number in range(8):
        at = day * DAY + 3600 + number / 4
        made.put("orderbooks", at, day * 8 + number + 1, bid_1_price=100.0, sequence=number)


def thin(made: Filled, told: dict[str, str], now: int) -> thinning.Thinned:
    return thinning.thin(made.connection, thinning.steps(told), now=now)


def test_books_grow_thinner_with_age_and_the_last_of_each_stretch_stays(filled: Filled) -> None:
    books(filled, 0)
    books(filled, 5)
    archive.compact_closed(filled.connection, now=T0 + 10 * DAYS)
    reader = Reader(filled.connection)
    told = {"2d": "1s", "8d": "2s"}
    done = thin(filled, told, T0 + 3 * DAYS)
    assert (done.files, done.before, done.after) == (1, 8, 2)
    found = filled.connection.execute("SELECT id FROM orderbooks ORDER BY id").fetchall()
    assert [id for (id,) in found] == [4, 8, *range(41, 49)]  # 0.75 s of each second
    (one,) = reader.thinned("orderbooks", "btcusdt", "binance_spot")
    assert (one.first, one.last, one.every_ms) == (date(2025, 11, 21), date(2025, 11, 21), 1000)
    assert reader.thinned("orderbooks", "BTCUSDT", since=T0 + DAYS) == []
    assert thin(filled, told, T0 + 3 * DAYS).files == 0
    assert thin(filled, told, T0 + 9 * DAYS).files == 2
    found = filled.connection.execute("SELECT id FROM orderbooks ORDER BY id").fetchall()
    assert [id for (id,) in found] == [8, 44, 48]
    assert [step.every_ms for step in reader.thinned("orderbooks", "BTCUSDT")] == [2000, 1000]


def test_a_late_row_of_a_thinned_day_is_thinned_with_it(filled: Filled) -> None:
    books(filled, 0)
    archive.compact_closed(filled.connection, now=T0 + 10 * DAYS)
    thin(filled, {"2d": "1s"}, T0 + 3 * DAYS)
    filled.put("orderbooks", 3600.1, 100, bid_1_price=99.0, sequence=50)
    filled.put("orderbooks", 3600.9, 101, bid_1_price=98.0, sequence=51)
    archive.compact_closed(filled.connection, now=T0 + 10 * DAYS)
    found = filled.connection.execute("SELECT id FROM orderbooks ORDER BY timestamp").fetchall()
    assert [id for (id,) in found] == [101, 8]
    assert [one.every_ms for one in Reader(filled.connection).thinned("orderbooks", "BTCUSDT")] == [1000]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"7 weeks": "1s"}, "age of order books to thin: '7 weeks' cannot be read"),
        ({"1h": "1s"}, "once they are a day old"),
        ({"7d": "10s", "30d": "15s"}, "a multiple of the one before"),
    ],
)
def test_a_thinning_that_cannot_be_is_one_clear_line(told: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        thinning.steps(told)


# ── Sweeping ──────────────────────────────────────────────────────────────────────────────────


def files(made: Filled) -> list[str]:
    root = layout.archive_root(made.path)
    return sorted(one.name for one in root.rglob("*") if one.is_file())


def test_files_that_no_longer_count_are_deleted_after_a_while_and_nothing_else(filled: Filled) -> None:
    put(filled, 1)
    archive.compact_closed(filled.connection, now=T0 + 10 * DAYS)
    filled.trade("binance_spot", 5.0, 99)
    archive.compact_closed(filled.connection, now=T0 + 10 * DAYS)
    root = layout.archive_root(filled.path)
    folder = next(root.glob("stream=*/venue=*/symbol=*"))
    for name in ("day=2025-11-21.7.parquet", "day=2025-11-21.8.parquet.draft"):
        (folder / name).write_bytes(b"left by a process that died")
    (root / "notes.txt").write_text("somebody's own")
    assert sweeping.sweep(filled.connection).files == 0  # all of them may still be read
    ((dropped,),) = filled.connection.execute(
        "SELECT epoch_ns(dropped) FROM archived WHERE dropped IS NOT NULL"
    ).fetchall()
    for one in root.rglob("day=*"):
        os.utime(one, ns=(dropped, dropped))
    done = sweeping.sweep(filled.connection, now=dropped + 601 * SECOND)
    assert done.files == 3
    assert files(filled) == ["day=2025-11-21.2.parquet", "notes.txt"]
    assert filled.connection.execute("SELECT count(*) FROM archived").fetchone() == (1,)
    assert ids(filled) == [1, 2, 3, 99]


def test_a_database_in_memory_has_nothing_to_sweep(tmp_path: Path) -> None:
    import duckdb

    from orderflow.store import tables

    connection = duckdb.connect()
    tables.create(connection, ["BTCUSDT"])
    assert sweeping.sweep(connection) == sweeping.Swept()
    assert archive.compact_closed(connection) == []
    connection.close()

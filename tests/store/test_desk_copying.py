"""Copying to a desk's PostgreSQL: every row once, whatever dies, is away, comes late or begins anew."""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import pytest

from orderflow.jobs import doctor
from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.market.events import Event
from orderflow.store.desk import Filters, Follower, Following, StoredDesk, follower
from tests.publish.broker import Wire
from tests.store.desk import NOW, PORT, URL, Desk, Store, begin, own_schema, required
from tests.store.test_desk import book, funding, interest, liquidation, trade


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    required()
    made = Store(tmp_path_factory.mktemp("desk") / "store.duckdb")
    yield made
    made.close()


@pytest.fixture
def desk(opened: Store) -> Iterator[Desk]:
    opened.clear()
    with own_schema() as schema:
        made = Desk(opened, schema)
        yield made
        made.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(PORT)
    yield made
    made.close()


def events(count: int, first: int = 0) -> list[Event]:
    """Return some of every stream that a desk keeps, of several markets."""
    found: list[Event] = []
    for n in range(first, first + count):
        venue = ("binance_futures", "okx_futures")[n % 2]
        found += [
            trade(n, n, 100_000.0, 2.0, venue),
            trade(-n - 1, n, 10.0, 1.0, venue),  # not large: a number between those of the large ones
            liquidation(n, "long", 90_000.0, 1.0, venue=venue),
            funding(venue, n, n / 1e6, 8.0),
            interest(venue, n, 100.0 + n, 1e6 + n),
            book(n, n, 99.0, 1.0, 101.0, 2.0, venue=venue),
        ]
    return found


def alike(desk: Desk) -> None:
    """Check that both stores hold the same rows, and each once."""
    counts = desk.store.reader.counts()
    assert desk.count("large_trades") == counts["large_trades"] + counts["liquidations"]
    assert desk.count("funding_rates") == counts["funding_rates"]
    assert desk.count("open_interest") == counts["open_interest"]
    assert desk.count("exchange_orderbooks") == counts["orderbooks"]
    ours = StoredDesk(lambda: nullcontext(desk.store.reader), clock=lambda: NOW)
    for name in ("large_trades", "funding_rates", "open_interest", "orderbooks"):
        asked = Filters(hours=168, limit=1_000)
        assert ours.answer(name, asked) == desk.postgres.answer(name, asked)


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ── One pass after another ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("batch", [1, 7, 5_000])
def test_what_is_copied_once_is_not_copied_again(desk: Desk, batch: int) -> None:
    desk.store.write(*events(10))
    assert desk.copy(batch) == 50
    assert desk.copy(batch) == 0
    desk.store.write(*events(3, first=10))
    assert desk.copy(batch) == 15
    alike(desk)


def test_rows_that_come_late_are_copied_too(desk: Desk) -> None:
    desk.store.write(*events(5, first=20))
    desk.copy()
    desk.store.write(*events(5))  # earlier ones, as a backfill brings them
    assert desk.copy() == 25
    alike(desk)


def test_a_trade_whose_id_a_venue_uses_again_is_another_trade(desk: Desk) -> None:
    desk.store.write(trade(7, 1, 100_000.0, 2.0), trade(7, 2, 100_000.0, 3.0), trade(8, 3, 100_000.0, 2.0))
    desk.store.write(trade(7, 4, 100_000.0, 4.0))
    desk.copy(1)
    assert [id for (id,) in desk.rows("large_trades", "id")] == [
        "binance_futures_BTCUSDT_7",
        "binance_futures_BTCUSDT_7_1763683202000000",
        "binance_futures_BTCUSDT_7_1763683204000000",
        "binance_futures_BTCUSDT_8",
    ]
    desk.connection.execute(f"DELETE FROM {desk.schema}.desk_progress")
    desk.copy()
    alike(desk)


def test_a_store_that_was_begun_anew_is_copied_from_its_beginning(desk: Desk) -> None:
    desk.store.write(*events(5))
    desk.copy()
    desk.store.clear()
    desk.store.write(*events(7, first=100))  # its ids are those of the rows before, and two more
    desk.copy()
    assert desk.count("open_interest") == 12
    assert desk.copy() == 0


def test_an_older_store_put_in_its_place_goes_on_from_where_it_is(desk: Desk) -> None:
    desk.store.write(*events(5))
    desk.copy()
    desk.store.clear()
    desk.store.write(*events(3))  # a backup: its ids end below the marks
    desk.copy()
    desk.store.write(*events(2, first=50))
    desk.copy()
    assert desk.count("open_interest") == 7


def test_rows_that_were_deleted_in_the_store_stay_at_the_desk(desk: Desk) -> None:
    desk.store.write(*events(6))
    desk.copy()
    for stream in ("open_interest", "funding_rates"):
        desk.store.connection.execute(f"DELETE FROM {stream}_hot WHERE id <= 2")
    desk.store.write(*events(2, first=6))
    assert desk.copy() == 10
    assert desk.count("open_interest") == 8


@pytest.mark.parametrize("batch", [1, 5_000])
def test_days_that_were_archived_before_they_were_copied_are_copied_from_there(
    desk: Desk, batch: int
) -> None:
    desk.store.write(*events(3, first=-86_400))  # of the day before
    desk.copy()
    desk.store.write(*events(3, first=-80_000), *events(3))
    for stream in ("open_interest", "large_trades"):
        desk.store.archive(stream, date(2025, 11, 20))
    assert desk.copy(batch) == 30
    alike(desk)


def test_rows_that_leave_for_the_archive_between_look_and_read_are_not_passed_over(desk: Desk) -> None:
    desk.store.write(*events(4, first=-80_000), *events(4))
    copier = desk.copier()
    begin(copier)
    waiting = copier.look()["open_interest"]
    reading = copier.copy("open_interest", list(waiting))
    archived = copier._archived

    def and_then_archive(stream: str) -> dict[tuple[str, str], int]:
        found = archived(stream)
        copier._archived = archived  # type: ignore[method-assign]
        desk.store.archive("open_interest", date(2025, 11, 20))
        return found

    copier._archived = and_then_archive  # type: ignore[method-assign]
    assert sum(reading) == 0  # what is hot still lies behind what has left: the next look copies all
    copier.close()
    desk.copy()
    alike(desk)


def test_one_store_is_copied_by_one_at_a_time(desk: Desk) -> None:
    desk.store.write(*events(1))
    first, second = desk.copier(), desk.copier()
    assert first.begin()
    assert not second.begin()
    first.close()
    until(second.begin)
    second.close()


def test_a_store_in_which_nothing_ran_has_nothing_to_copy(desk: Desk) -> None:
    desk.store.connection.execute("DELETE FROM runs")
    copier = desk.copier()
    assert not copier.begin()
    copier.close()


def test_two_stores_may_share_a_schema(desk: Desk, tmp_path: Path) -> None:
    desk.store.write(*events(3))
    desk.copy()
    other = Store(tmp_path / "other.duckdb")
    other.connection.execute("UPDATE runs SET key = 'live elsewhere'")
    other.write(*events(4))  # the first three are the same rows
    beside = Desk(other, desk.schema)
    beside.copy()
    assert beside.count("funding_rates") == 4
    alike(beside)
    beside.close()
    other.close()


def test_the_holdings_of_both_are_counted_by_market(desk: Desk) -> None:
    desk.store.write(*events(5))
    assert desk.postgres.holdings() == {}
    desk.copy()
    there = desk.postgres.holdings()
    assert there == desk.duckdb.holdings(follower.STREAMS)
    assert there["large_trades", "okx_futures", "BTCUSDT"] == 4  # two of the tape, two liquidations


def test_the_doctor_tells_what_is_not_there_yet(desk: Desk, tmp_path: Path) -> None:
    store = Store(tmp_path / "store.duckdb")
    store.write(*events(5))
    whole = Desk(store, desk.schema)
    whole.copy()
    store.write(*events(1, first=5))
    store.close()
    whole.close()

    def said(url: str) -> doctor.Finding:
        wanted = Following(url=url, schema=desk.schema)
        found = asyncio.run(doctor.examine(store.path, {}, {}, offline=True, postgres=wanted))
        (one,) = [one for one in found if one.about == f"postgres {desk.schema}"]
        return one

    assert (said(URL).state, said(URL).said) == ("note", "25 rows of 2 markets; 5 are not there yet")
    assert (said("postgresql://127.0.0.1:1/x").state) == "problem"


# ── Left to itself ────────────────────────────────────────────────────────────────────────────


def test_a_follower_keeps_up_while_rows_are_written(desk: Desk) -> None:
    copying = Follower(Following(url=URL, schema=desk.schema), desk.store.reader)
    copying.start()
    for part in range(5):
        desk.store.write(*events(4, first=part * 4))
        copying.tell()
    copying.close()
    assert (copying.state, copying.behind, copying.copied, copying.problem) == ("connected", 0, 100, "")
    alike(desk)


def test_a_follower_waits_for_a_postgresql_that_is_away_and_goes_on_where_it_was(
    desk: Desk, wire: Wire
) -> None:
    url = f"postgresql://root@127.0.0.1:{wire.port}/test"
    wire.cut()
    copying = Follower(Following(url=url, schema=desk.schema), desk.store.reader)
    desk.store.write(*events(4))
    copying.start()
    until(lambda: copying.state == "away")
    assert "postgres: away" in copying.problem
    wire.restore()
    until(lambda: copying.behind == 0)
    for part in range(1, 4):
        wire.cut()
        desk.store.write(*events(4, first=part * 4))
        copying.tell()
        until(lambda: copying.state == "away")
        wire.restore()
        until(lambda: copying.state == "connected" and copying.behind == 0)
    copying.close()
    assert copying.connections >= 4
    alike(desk)


def test_simulated_rows_do_not_come_into_a_schema_of_real_ones(desk: Desk, tmp_path: Path) -> None:
    desk.store.write(*events(1))
    desk.copy()
    simulated = Store(tmp_path / "simulated.duckdb", kind="simulated")
    simulated.write(*events(5))
    copying = Follower(Following(url=URL, schema=desk.schema), simulated.reader)
    copying.start()
    until(lambda: copying.state == "away")
    copying.close()
    simulated.close()
    assert "holds real data, and simulated data must not be mixed into it" in copying.problem
    assert desk.count("open_interest") == 1


def test_a_schema_that_is_dropped_is_made_and_filled_again(desk: Desk) -> None:
    copying = Follower(Following(url=URL, schema=desk.schema), desk.store.reader)
    desk.store.write(*events(2))
    copying.start()
    until(lambda: copying.behind == 0)
    desk.connection.execute(f"DROP SCHEMA {desk.schema} CASCADE")
    desk.store.write(*events(2, first=2))
    copying.tell()
    until(lambda: copying.copied == 30)
    copying.close()
    alike(desk)


def test_following_says_at_once_what_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidArgument, match="no stream of a desk's tables"):
        Following(url=URL, streams=("trades",))
    with pytest.raises(InvalidArgument, match="cannot be the name of a schema"):
        Following(url=URL, schema="Robert'); DROP")
    assert "s3cret" not in repr(Following(url="postgresql://desk:s3cret@127.0.0.1/market"))
    monkeypatch.setattr("orderflow.store.desk.postgres.import_module", _missing)
    with pytest.raises(StoreUnusable, match="psycopg"):
        Following(url=URL)


def _missing(name: str) -> None:
    raise ModuleNotFoundError(name)


# ── Killed ────────────────────────────────────────────────────────────────────────────────────

_COPY = """
import sys, psycopg
from orderflow.store import access
from orderflow.store.desk.copying import Copier
from orderflow.store.desk.follower import STREAMS

path, url, schema = sys.argv[1:]
with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
    copier = Copier(connection, access.open_reader(path), schema, STREAMS, batch=4)
    while not copier.begin():
        pass
    print("ready", flush=True)
    for stream, series in copier.look().items():
        for count in copier.copy(stream, list(series)):
            print(count, flush=True)
            sys.stdin.readline()
"""


def test_killed_anywhere_it_goes_on_and_every_row_is_there_once(desk: Desk, tmp_path: Path) -> None:
    store = Store(tmp_path / "store.duckdb")
    store.write(*events(120))
    store.close()
    chance, before = random.Random(5), 0
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", _COPY, store.path, URL, desk.schema],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        with child:
            assert child.stdout is not None and child.stdin is not None
            assert child.stdout.readline() == b"ready\n"
            for _ in range(chance.randrange(1, 9)):
                assert child.stdout.readline() == b"4\n"
                child.stdin.write(b"\n")
                child.stdin.flush()
            time.sleep(chance.random() * 0.01)  # somewhere within the next batch
            child.kill()
        ((now,),) = desk.connection.execute(
            f"SELECT coalesce(sum(number), 0) FROM {desk.schema}.desk_progress"
        ).fetchall()
        assert now >= before
        before = now
    store = Store(store.path)
    whole = Desk(store, desk.schema)
    assert 0 < before < 600
    assert 0 < whole.copy() < 600
    alike(whole)
    whole.close()
    store.close()

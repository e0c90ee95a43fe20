"""A lake: its address, who may write which share of it, and what becomes of a commit that comes too late."""

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.market.errors import InvalidArgument, ShareLost, StoreUnusable
from orderflow.market.events import HOUR, SECOND, Event, Gap, Instrument, Trade
from orderflow.store import access, lake, runs, standing, tables
from orderflow.store.shares import Division, Lease, Shares
from orderflow.store.writer import Writer
from tests.store.lakes import a_lake, in_postgres

T0 = 1_795_262_400 * SECOND  # 2026-11-21T12:00:00Z
SYMBOLS = ("BTCUSDT", "ETHUSDT")
TWO = Division(2, "symbols", SYMBOLS)


# ── Addresses ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "catalogue", "data"),
    [
        ("ducklake:postgres:dbname=m host=db", "postgres:dbname=m host=db", ""),
        ("ducklake:postgres:dbname=m ; data = s3://bucket/m", "postgres:dbname=m", "s3://bucket/m"),
        ("ducklake:postgres:dbname=m;data=/srv/a b", "postgres:dbname=m", "/srv/a b"),
        ("ducklake:m.ducklake ; data = rows", "m.ducklake", "rows"),
    ],
)
def test_an_address_is_a_catalogue_and_a_folder(said: str, catalogue: str, data: str) -> None:
    assert lake.parse(said) == lake.Lake(catalogue, data)


@pytest.mark.parametrize(
    ("said", "about"),
    [
        ("ducklake:", "no catalogue"),
        ("ducklake:postgres: ; data = x", "no catalogue"),
        ("ducklake:postgres:dbname=m ; rows = x", "no 'rows'"),
    ],
)
def test_an_address_that_is_none_says_what_is_wrong(said: str, about: str) -> None:
    with pytest.raises(InvalidArgument, match=about):
        lake.parse(said)


@pytest.mark.parametrize(
    "secret", ["password=geheim", "password='ge heim'", "host=db password = geheim port=1"]
)
def test_an_address_is_shown_without_its_password(secret: str) -> None:
    shown = str(lake.parse(f"ducklake:postgres:dbname=m {secret}"))
    assert "heim" not in shown and "***" in shown
    assert "heim" not in str(lake.parse("ducklake:postgres:postgresql://me:geheim@db/m"))


def test_a_catalogue_that_does_not_answer_is_told_in_one_line() -> None:
    with pytest.raises(StoreUnusable, match="does not answer") as told:
        lake.open_for_writing(lake.parse("ducklake:postgres:host=127.0.0.1 port=1 dbname=m password=geheim"))
    assert "\n" not in told.value.message and "geheim" not in told.value.message


# ── Divisions ─────────────────────────────────────────────────────────────────────────────────

names = st.lists(st.text("ABCDEF", min_size=1, max_size=4), min_size=1, max_size=30, unique=True)


@given(names, st.data())
def test_every_name_is_in_one_share_and_no_share_is_empty(several: list[str], data: st.DataObject) -> None:
    shares = data.draw(st.integers(1, len(several)))
    division = Division(shares, "symbols", tuple(several))
    found = [division.of(one) for one in range(1, shares + 1)]
    assert sorted(name for share in found for name in share) == sorted(several)
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert all(division.share_of(name) == number for number, share in enumerate(found, 1) for name in share)


@given(names, st.text("XYZ", min_size=1), st.integers(1, 4))
def test_a_name_that_is_added_moves_no_other(several: list[str], added: str, shares: int) -> None:
    before, after = (Division(shares, "symbols", tuple(some)) for some in (several, [*several, added]))
    assert all(before.share_of(name) == after.share_of(name) for name in several)
    assert 1 <= before.share_of(added) <= shares  # what is not collected belongs to one share, too


# ── Holding a share ───────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with a_lake(tmp_path_factory.mktemp("lake")) as address:
        connection = lake.open_for_writing(lake.parse(address))
        tables.create(connection, SYMBOLS)
        connection.close()
        yield address


@pytest.fixture
def address(made: str) -> str:
    """The module's lake, of which no share is held."""
    Shares(lake.parse(made), TWO)
    in_postgres(made, "UPDATE orderflow_shares SET holder = NULL")
    return made


def shares_of(address: str, division: Division = TWO) -> Shares:
    return Shares(lake.parse(address), division)


def taken(shares: Shares, number: int) -> Lease:
    lease = shares.take(number)
    assert lease is not None
    return lease


def test_a_share_is_held_once_until_it_is_given_back(address: str) -> None:
    shares = shares_of(address)
    first = taken(shares, 1)
    assert first.names == ("BTCUSDT",)
    assert shares.take(1) is None
    other = taken(shares, 2)
    first.release()
    again = taken(shares, 1)
    assert again.epoch > other.epoch > first.epoch
    assert [one.holder is not None for one in shares.standing()] == [True, True]
    again.release()
    other.release()


def test_the_share_of_a_connection_that_ended_is_free_at_once(address: str) -> None:
    shares = shares_of(address)
    first = taken(shares, 1)
    first._over.set()  # as a process that was killed: it gives no sign, and gives nothing back
    first._signs.join()
    first._connection.close()
    second = taken(shares, 1)
    assert second.epoch > first.epoch
    second.release()


def test_the_share_of_a_holder_that_is_silent_is_taken_and_it_learns_so(address: str) -> None:
    shares = shares_of(address)
    first = taken(shares, 1)
    with first._turn:  # it cannot give a sign, as if it were paused
        in_postgres(address, "UPDATE orderflow_signs SET seen = seen - INTERVAL '11 seconds'")
        second = taken(shares, 1)
    assert first.lost.wait(5)
    assert not second.lost.is_set()
    second.release()


def test_a_holder_whose_connection_was_cut_goes_on_where_nobody_took_its_share(address: str) -> None:
    shares = shares_of(address)
    lease = taken(shares, 1)
    in_postgres(address, f"SELECT pg_terminate_backend({lease._connection.info.backend_pid})")
    deadline = time.monotonic() + 20
    while lease._connection.closed or lease._connection.broken or shares.standing()[0].holder is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not lease.lost.is_set() and shares.take(1) is None
    lease.release()


def test_a_lake_is_divided_in_one_way_at_a_time(address: str) -> None:
    lease = taken(shares_of(address), 1)
    whole = shares_of(address, Division(1, "symbols", SYMBOLS))
    with pytest.raises(InvalidArgument, match="divided into 2 by symbols") as told:
        whole.take(1)
    assert "holders: " in told.value.hint
    lease.release()
    taken(whole, 1).release()


def test_more_shares_than_names_are_refused(address: str) -> None:
    with pytest.raises(InvalidArgument, match="2 symbols cannot be divided into 3"):
        shares_of(address, Division(3, "symbols", SYMBOLS))


# ── Writing what is held ──────────────────────────────────────────────────────────────────────


class Holding:
    """A share that is held, and a writer into it."""

    def __init__(self, address: str, number: int = 1, key: str = "run") -> None:
        self.lease = taken(shares_of(address), number)
        self.connection = lake.open_for_writing(lake.parse(address), claim=self.lease.claim)
        self.run = runs.begin(self.connection, "simulated", f"{key} {self.lease.epoch}", started=T0)
        self.writer = Writer(self.connection, self.run, since=T0 - HOUR)

    def write(self, *events: Event) -> dict[str, int]:
        for event in events:
            self.writer.adders(event.venue)[type(event)](event)
        return self.writer.flush().rows

    def close(self) -> None:
        self.connection.close()
        self.lease.release()


@pytest.fixture
def holding(address: str) -> Iterator[Holding]:
    one = Holding(address)
    one.connection.execute("DELETE FROM trades")
    one.connection.execute("DELETE FROM gaps")
    yield one
    one.close()


def silenced(address: str, holding: Holding) -> Holding:
    """Let a holder be silent, as if it were paused, until another has its share; return that one."""
    with holding.lease._turn:
        in_postgres(address, "UPDATE orderflow_signs SET seen = seen - INTERVAL '11 seconds'")
        return Holding(address)


def trade(id: int, symbol: str = "BTCUSDT", at: float | None = None) -> Trade:
    ts = T0 + round((id if at is None else at) * SECOND)
    return Trade("binance_spot", symbol, ts, ts, id=id, price=100.0, size=1.0, is_buyer_maker=False)


def stored(address: str) -> list[tuple[str, int]]:
    with access.open_reader(address) as reader:
        found = reader._session.rows("SELECT trade_id, id FROM trades ORDER BY trade_id::BIGINT")
    return [(trade_id, id) for trade_id, id in found]


def test_a_row_that_comes_twice_is_there_once_whoever_holds_the_share(address: str, holding: Holding) -> None:
    assert holding.write(trade(1), trade(2)) == {"trades": 2}
    assert holding.write(trade(2), trade(3)) == {"trades": 1}
    holding.close()
    after = Holding(address)
    assert after.write(trade(3), trade(1), trade(4)) == {"trades": 1}
    after.close()
    rows = stored(address)
    assert [one for one, _ in rows] == ["1", "2", "3", "4"]
    ids = [id for _, id in rows]
    assert ids == sorted(set(ids)), "ids go on in the order of the holdings"
    assert after.run.id > holding.run.id


def test_what_is_older_than_what_was_read_is_looked_up(address: str, holding: Holding) -> None:
    assert holding.write(trade(7, at=-5 * 3600)) == {"trades": 1}  # five hours before: as a backfill has it
    holding.close()
    after = Holding(address)
    assert after.write(trade(7, at=-5 * 3600), trade(8, at=-5 * 3600 + 1)) == {"trades": 1}
    after.close()


def test_a_commit_that_comes_after_the_share_was_taken_is_refused_as_a_whole(
    address: str, holding: Holding
) -> None:
    holding.write(trade(1))
    after = silenced(address, holding)
    with pytest.raises(ShareLost):
        holding.write(trade(2))
    with pytest.raises(ShareLost):  # it does not help to try again
        holding.write(trade(3))
    with pytest.raises(duckdb.Error, match=lake.REFUSED):  # nor another way
        tables.ensure(holding.connection, [("binance_spot", "SOLUSDT")])
    assert after.write(trade(2)) == {"trades": 1}
    after.close()
    assert [one for one, _ in stored(address)] == ["1", "2"]


def test_a_commit_under_way_when_the_share_is_taken_is_refused(address: str, holding: Holding) -> None:
    cursor = holding.connection.cursor()
    cursor.begin()
    cursor.execute("INSERT INTO runs VALUES (7, 'late', '2026-11-21', NULL, 'simulated', '', '{}')")
    after = silenced(address, holding)
    with pytest.raises(duckdb.Error, match="ommit"):
        cursor.commit()
    after.close()
    with access.open_reader(address) as reader:
        assert "late" not in {run.key for run in reader.runs()}


def test_two_holders_write_at_once_and_gaps_of_one_table_are_no_hindrance(
    address: str, holding: Holding
) -> None:
    other = Holding(address, 2)
    opened = {symbol: Gap("binance_spot", symbol, "trades", T0, None, "lost") for symbol in SYMBOLS}
    for number in range(4):
        for one, symbol in ((holding, "BTCUSDT"), (other, "ETHUSDT")):
            until = None if number < 3 else T0 + SECOND
            one.writer.gap(Gap("binance_spot", symbol, "trades", T0, until, opened[symbol].reason))
            one.write(trade(number, symbol))
    other.close()
    with access.open_reader(address) as reader:
        assert [(gap.symbol, gap.until_ts) for gap in reader.gaps()] == [
            ("BTCUSDT", T0 + SECOND),
            ("ETHUSDT", T0 + SECOND),
        ]
        assert reader.counts()["trades"] == 8


def test_an_instrument_is_written_by_the_holder_of_its_share_alone(address: str, holding: Holding) -> None:
    writer = Writer(
        holding.connection,
        holding.run,
        since=T0,
        lists=lambda one: TWO.share_of(one.symbol) == holding.lease.share,
    )
    for symbol in SYMBOLS:
        writer.adders("binance_spot")[Instrument](
            Instrument("binance_spot", symbol, T0, T0, native=symbol, kind="spot", base=symbol[:3],
                       quote="USDT", status="TRADING", trading=True)
        )  # fmt: skip
    writer.flush()
    with access.open_reader(address) as reader:
        assert [one.symbol for one in reader.instruments()] == ["BTCUSDT"]


def test_where_the_lake_ends_is_where_a_venue_was_last_heard(address: str, holding: Holding) -> None:
    now = T0 + 60 * SECOND
    holding.write(trade(1, "BTCUSDT"), trade(5, "ETHUSDT"))
    holding.writer.gap(Gap("binance_spot", "BTCUSDT", "prices", T0, None, "lost"))
    holding.write()
    pairs = [(venue, symbol) for venue in ("binance_spot", "okx_futures") for symbol in SYMBOLS]
    found = standing.standing(holding.connection, pairs, now)
    heard = T0 + 5 * SECOND  # of any of its symbols
    assert found.heard == {("binance_spot", "BTCUSDT"): heard, ("binance_spot", "ETHUSDT"): heard}
    assert found.traded == {
        ("binance_spot", "BTCUSDT"): T0 + SECOND,
        ("binance_spot", "ETHUSDT"): T0 + 5 * SECOND,
    }
    assert [(gap.symbol, gap.stream) for gap in found.open] == [("BTCUSDT", "prices")]


# ── Files ─────────────────────────────────────────────────────────────────────────────────────


def test_tidying_joins_the_files_of_flushes_and_changes_no_row(address: str, holding: Holding) -> None:
    for number in range(6):
        holding.write(trade(number))
    before = stored(address)
    assert lake.tidy(holding.connection, whole=True) >= 6
    assert stored(address) == before
    assert holding.write(trade(5), trade(6)) == {"trades": 1}


def test_a_lake_in_a_file_is_for_one_process_and_reads_like_any(tmp_path: Path) -> None:
    address = lake.Lake(str(tmp_path / "m.ducklake"), str(tmp_path / "rows"))
    with pytest.raises(StoreUnusable, match="no such lake"):
        lake.open_to_read(address)
    with pytest.raises(InvalidArgument, match="one process"):
        Shares(address, TWO)
    connection = lake.open_for_writing(address)
    created = tables.create(connection, SYMBOLS)
    assert len(tables.names(connection)) == created.core + created.others
    writer = Writer(connection, runs.begin(connection, "replay", "a", started=T0))
    writer.adders("binance_spot")[Trade](trade(1))
    assert writer.flush().rows == {"trades": 1}
    assert connection.execute("SELECT id, price FROM btcusdt_binance_spot_trades").fetchall() == [(1, 100.0)]
    connection.close()
    with access.open_reader(str(address)) as reader:
        assert reader.symbols() == list(SYMBOLS) and reader.counts()["trades"] == 1

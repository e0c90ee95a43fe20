"""What is kept of blocks of bars: the same answers as without, whatever came late or was removed since."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.market.errors import NoData
from orderflow.market.events import HOUR, MINUTE, Nanos, Trade
from orderflow.store import archive, cells, runs
from orderflow.store.bar import bar
from orderflow.store.kept import Kept, Summing
from orderflow.store.reader import Reader
from orderflow.store.writer import Writer
from tests.store.conftest import T0, Filled

SPOT, FUTURES = "binance_spot", "binance_futures"


def trade(ms: int, price: float, sold: bool = False, venue: str = SPOT, id: str = "") -> Trade:
    at = T0 + ms * 1_000_000
    return Trade(venue, "BTCUSDT", at, at + 1, id=id or f"{ms}", is_buyer_maker=sold, price=price, size=0.5)


class House:
    """A database with its writer, a reader that keeps, and one that never does."""

    def __init__(self, filled: Filled) -> None:
        filled.clear()
        self.filled = filled
        began, ended = T0, T0 + 5 * HOUR
        self.live = runs.begin(filled.connection, "live", "live", started=began, ended=ended)
        self.past = runs.begin(filled.connection, "backfill", "past", started=ended, ended=ended)
        self.writer = Writer(filled.connection, self.live)
        self.reader = Reader(filled.connection)

    def write(self, trades: list[Trade], *, late: bool = False) -> None:
        for one in trades:
            self.writer.adders(one.venue)[Trade](one)
        self.writer.write(self.writer.take(), self.past if late else self.live)

    def kept(self, first: Nanos, last: Nanos, length: str = "1m", among: Any = None) -> tuple[Any, Any]:
        window = ("BTCUSDT", among, length, first, last)
        return self.reader.cells(*window, 0.5).found, self.reader.flow_bars(*window).found

    def anew(self, first: Nanos, last: Nanos, length: str = "1m", among: Any = None) -> tuple[Any, Any]:
        window = ("BTCUSDT", among, bar(length), first, last)
        session = self.reader._session
        return cells.cells(session, *window, 0.5).found, cells.flow_bars(session, *window).found

    def same(
        self, first: Nanos = T0, last: Nanos = T0 + 4 * HOUR, length: str = "1m", among: Any = None
    ) -> None:
        for had, found in zip(
            self.kept(first, last, length, among), self.anew(first, last, length, among), strict=True
        ):
            assert had.equals(found)


@pytest.fixture
def house(emptied: Filled) -> House:
    return House(emptied)


def hours(minutes: range, venue: str = SPOT) -> list[Trade]:
    return [trade(60_000 * m, 100 + m % 7, sold=m % 3 == 0, venue=venue) for m in minutes]


def reads(house: House, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return the stretches that are summed from now on, in minutes after T0; it grows as they are."""
    found: list[tuple[int, int]] = []
    real = cells._read

    def read(session: Any, symbol: Any, venues: Any, since: int, until: int, sql: str) -> Any:
        found.append(((since - T0) // MINUTE, (until - T0) // MINUTE))
        return real(session, symbol, venues, since, until, sql)

    monkeypatch.setattr(cells, "_read", read)
    return found


def test_what_has_not_changed_is_summed_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.write(hours(range(240)))
    summed = reads(house, monkeypatch)
    window = ("BTCUSDT", [SPOT], "1m")
    house.reader.flow_bars(*window, T0, T0 + 3 * HOUR)
    house.reader.flow_bars(*window, T0 + 30 * MINUTE, T0 + 4 * HOUR)
    # the head begins within the first hour, and the fourth is new; two hours are had
    assert summed == [(0, 180), (30, 60), (180, 240)]
    house.same()


def test_a_backfill_into_a_kept_block_is_in_the_next_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write(hours(range(240)))
    before, _ = house.kept(T0, T0 + 4 * HOUR)
    # a lost second of minute 70: what was traded in it comes two hours later, below the series' highest time
    house.write([trade(70 * 60_000 + 1_000, 103.0, id="late")], late=True)
    summed = reads(house, monkeypatch)
    after, _ = house.kept(T0, T0 + 4 * HOUR)
    assert summed == [(60, 120)] * 2  # that hour alone, once for cells and once for bars
    total = lambda found: sum(found.column("buy").to_pylist())  # noqa: E731
    assert total(after) == total(before) + 0.5
    house.same()


def test_a_venue_that_a_backfill_brings_into_a_kept_block_is_in_the_next_answer(house: House) -> None:
    house.write(hours(range(240)))
    house.kept(T0, T0 + 4 * HOUR)
    house.write(hours(range(60, 90), FUTURES), late=True)
    found, _ = house.kept(T0, T0 + 4 * HOUR)
    assert set(found.column("venue").to_pylist()) == {SPOT, FUTURES}
    house.same()


def test_a_gap_that_a_backfill_fills_is_no_gap_in_the_next_answer(house: House) -> None:
    house.write(hours(range(240)))
    house.filled.gap("trades", 3_600, 3_660)
    window = ("BTCUSDT", [SPOT], "1m", T0, T0 + 4 * HOUR)
    assert len(house.reader.flow_bars(*window).gaps) == 1
    house.filled.connection.execute('UPDATE gaps SET filled_at = "until"')
    # nothing was traded in it: no row tells of it, and coverage does all the same
    assert not house.reader.flow_bars(*window).gaps


def test_what_was_removed_is_in_no_answer(house: House) -> None:
    house.write(hours(range(240)))
    house.kept(T0, T0 + 4 * HOUR)
    house.filled.connection.execute(
        "DELETE FROM trades_hot WHERE timestamp < make_timestamp(?)", [(T0 + 90 * MINUTE) // 1000]
    )
    house.same()
    with pytest.raises(NoData):
        house.reader.flow_bars("BTCUSDT", [SPOT], "1m", T0, T0 + HOUR)


def test_who_is_served_keeps_too(emptied: Filled, reader: Reader) -> None:
    house = House(emptied)
    house.write(hours(range(0, 240, 5)))
    window = ("BTCUSDT", None, "1m", T0, T0 + 4 * HOUR)
    first, second = (reader.cells(*window, 0.5).found for _ in range(2))
    assert first.equals(second) and reader._kept._blocks
    house.write([trade(70 * 60_000 + 1_000, 103.0, id="late")], late=True)
    assert len(reader.cells(*window, 0.5)) == len(first) + 1


def test_a_block_that_grows_is_never_old(house: House) -> None:
    for first in range(0, 60, 7):
        house.write(hours(range(first, first + 7)))
        house.same(last=T0 + HOUR)


def test_rows_that_come_between_stamp_and_sum_are_seen_at_once_and_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write(hours(range(60)))
    real, late = cells._read, iter([[trade(1, 99.0, id="between")], []])

    def read(*asked: Any) -> Any:
        if batch := next(late, []):
            house.write(batch, late=True)
        return real(*asked)

    monkeypatch.setattr(cells, "_read", read)
    first = house.reader.cells("BTCUSDT", [SPOT], "1m", T0, T0 + HOUR, 0.5).found
    assert sum(first.column("buy").to_pylist()) + sum(first.column("sell").to_pylist()) == 0.5 * 61
    house.same(last=T0 + HOUR)


def test_what_was_read_while_its_day_was_archived_is_not_kept(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(filled)
    house.write(hours(range(240)))
    house.reader._session.steadily(lambda: None)  # which knows that nothing is archived yet
    real, moves = cells._read, [True]

    def read(*asked: Any) -> Any:
        if moves.pop() if moves else False:  # the rows leave the hot table between stamp and sum
            archive.compact(filled.connection, "trades", date(2025, 11, 21))
        return real(*asked)

    monkeypatch.setattr(cells, "_read", read)
    found = house.reader.cells("BTCUSDT", [SPOT], "1m", T0, T0 + 4 * HOUR, 0.5).found
    assert sum(found.column("buy").to_pylist()) + sum(found.column("sell").to_pylist()) == 0.5 * 240
    house.same()


def test_a_day_that_goes_to_the_archive_is_what_it_was(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(filled)
    house.write(hours(range(240)))
    house.same()
    archive.compact(filled.connection, "trades", date(2025, 11, 21))
    summed = reads(house, monkeypatch)
    house.kept(T0, T0 + 4 * HOUR)
    assert summed == [(0, 240)]  # of the hot table, in which there was nothing left: asked once and not kept
    house.kept(T0, T0 + 4 * HOUR)
    assert len(summed) == 1
    house.write([trade(70 * 60_000 + 1_000, 103.0, id="late")], late=True)
    house.same()


def test_those_least_asked_for_go_first_when_there_are_too_many(house: House) -> None:
    house.write(hours(range(240)))
    _, whole = house.anew(T0, T0 + HOUR)
    house.reader._kept = kept = Kept(most_bytes=int(2.5 * whole.nbytes))
    for first in (0, 1, 0, 2):
        house.reader.flow_bars("BTCUSDT", None, "1m", T0 + first * HOUR, T0 + (first + 1) * HOUR)
    assert [(key[-1] * HOUR - T0) // HOUR for key in kept._blocks] == [0, 2]
    assert kept._bytes == sum(table.nbytes for _, table in kept._blocks.values()) <= 2.5 * whole.nbytes


def test_a_block_is_whole_bars_and_an_hour_or_more() -> None:
    def blocks(length: str, since: Nanos, until: Nanos) -> tuple[int, range]:
        what = Summing("x", "", "BTCUSDT", None, bar(length), ())
        return what.length // MINUTE, range(
            *(
                (what.begins(one) - T0) // MINUTE
                for one in (what.whole(since, until).start, what.whole(since, until).stop)
            )
        )

    assert blocks("1m", T0 + 1, T0 + 3 * HOUR) == (60, range(60, 180))
    assert blocks("4h", T0, T0 + 9 * HOUR) == (240, range(480))
    assert blocks("7m", T0, T0)[0] == 63
    # weeks begin on Mondays: 24 November 2025 was one
    assert blocks("1w", T0, T0 + 20 * 24 * HOUR) == (10_080, range(3 * 1440, 17 * 1440))


edits = st.lists(
    st.tuples(
        st.sampled_from(["trade", "late", "remove", "ask"]), st.integers(0, 239), st.integers(1, 120),
        st.sampled_from(["1m", "7m", "90m", "2h"]), st.sampled_from([SPOT, FUTURES]),
    ),
    max_size=14,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(edits)
def test_whatever_happens_to_the_rows_answers_are_those_of_who_keeps_nothing(
    emptied: Filled, told: Any
) -> None:
    house = House(emptied)
    house.write(hours(range(0, 240, 3)))
    for number, (what, minute, length, bars, venue) in enumerate(told):
        if what == "remove":
            house.filled.connection.execute(
                "DELETE FROM trades_hot WHERE venue = ? AND epoch_us(timestamp) BETWEEN ? AND ?",
                [venue, (T0 + minute * MINUTE) // 1000, (T0 + (minute + length) * MINUTE) // 1000],
            )
        elif what == "ask":
            try:
                house.same(T0 + minute * MINUTE, T0 + (minute + length) * MINUTE, bars)
            except NoData:
                continue
        else:
            batch = [trade(60_000 * minute + number, 100 + length % 5, venue=venue, id=f"{number}")]
            house.write(batch, late=what == "late")

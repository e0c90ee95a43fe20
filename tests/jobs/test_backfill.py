"""Backfill: wherever it dies, the next attempt ends with every row once and every gap judged rightly."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.feed import archive
from orderflow.jobs.backfill import Asked, Backfill, Owner
from orderflow.jobs.past import instead, pieces
from orderflow.jobs.settling import Report
from orderflow.market.errors import StoreUnusable
from orderflow.market.events import DAY, HOUR, MINUTE, SECOND, Nanos
from orderflow.store import backfills, tables
from orderflow.venues import ALL
from orderflow.venues.spec import Hosts

T = TypeVar("T")
FUTURES, BTC = "binance_futures", "BTCUSDT"
T0: Nanos = 1_763_596_800 * SECOND  # 2025-11-20T00:00:00Z
NOW = T0 + 3 * DAY + 12 * HOUR
A_DAY = 40


class Died(Exception):
    """The process ended here."""


class Mortal(Owner):
    """A desk whose process dies after so many pieces of work."""

    def __init__(self, connection: Any, lives: int) -> None:
        super().__init__(connection)
        self.lives = lives

    async def alone(self, work: Callable[[], T]) -> T:
        self.lives -= 1
        if self.lives < 0:
            raise Died
        return await super().alone(work)


class World:
    """A venue with an archive of days and a history of aggregate trades: id n is made at n × 36 minutes."""

    def __init__(self, ids: range, *, leaves_out: tuple[int, ...] = ()) -> None:
        self.trades = {id: T0 // 1_000_000 + id * (DAY // A_DAY // 1_000_000) for id in ids}
        self.leaves_out = leaves_out
        self.asked: list[str] = []
        self.absent: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, asked = request.url.path, request.url.params
        self.asked.append(path)
        if path.endswith("/aggTrades"):
            first = int(asked.get("fromId", 0))
            since = int(asked.get("startTime", 0))
            rows = [
                {"a": id, "p": "100", "q": "1", "f": id, "l": id, "T": ts, "m": False}
                for id, ts in self.trades.items()
                if id >= first and ts >= since and id not in self.leaves_out
            ]
            return httpx.Response(200, json=rows[:1000])
        name = path.rsplit("/", 1)[-1]
        date = name.removeprefix(f"{BTC}-aggTrades-").partition(".")[0]
        if date in self.absent or len(date) != 10:
            return httpx.Response(404)
        body = self._file(date)
        if path.endswith(".CHECKSUM"):
            digest = hashlib.sha256(body).hexdigest()
            return httpx.Response(200, text=f"{digest}  {name.removesuffix('.CHECKSUM')}")
        return httpx.Response(200, content=body)

    def _file(self, date: str) -> bytes:
        begins = (T0 + (int(date[-2:]) - 20) * DAY) // 1_000_000
        rows = [
            f"{id},100,1,{id},{id},{ts},false"
            for id, ts in self.trades.items()
            if begins <= ts < begins + DAY // 1_000_000
        ]
        found = io.BytesIO()
        with zipfile.ZipFile(found, "w") as packed:
            packed.writestr(zipfile.ZipInfo("a.csv"), "\n".join(rows))
        return found.getvalue()


def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    tables.create(connection, [BTC])
    return connection


def attempt(
    connection: Any, world: World, folder: Path, asked: Asked, lives: int = 10_000, now: Nanos = NOW
) -> Report:
    passed = [0.0]

    async def sleep(seconds: float) -> None:
        passed[0] += seconds

    async def work() -> Report:
        one = Backfill(
            Mortal(connection, lives), {FUTURES: ALL[FUTURES]}, folder,
            hosts={FUTURES: Hosts("http://rest.test", {}, archive="http://files.test")},
            clock=lambda: now + round(passed[0] * SECOND), sleep=sleep, transport=httpx.MockTransport(world),
        )  # fmt: skip
        try:
            return await one.run(asked)
        finally:
            await one.close()

    return asyncio.run(work())


def ids(connection: Any) -> list[int]:
    return [
        int(id)
        for (id,) in connection.execute("SELECT trade_id FROM trades ORDER BY timestamp, id").fetchall()
    ]


def gap(connection: Any, first: Nanos, last: Nanos | None, stream: str = "trades") -> None:
    connection.execute(
        "INSERT INTO gaps VALUES (?, ?, ?, make_timestamp(?), make_timestamp(?), 'disconnected: x', NULL, 1)",
        [FUTURES, BTC, stream, first // 1000, None if last is None else last // 1000],
    )


def gaps(connection: Any) -> list[tuple[Any, ...]]:
    return connection.execute(
        'SELECT epoch_us("from") * 1000, epoch_us("until") * 1000, reason, filled_at IS NOT NULL FROM gaps'
        ' ORDER BY "from", "until"'
    ).fetchall()


WINDOW = (T0, T0 + 3 * DAY)
TRADES = Asked(symbols=(BTC,), streams=("trades",), window=WINDOW)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deaths=st.lists(st.integers(0, 40), max_size=5), chunk=st.integers(3, 50))
def test_wherever_it_dies_each_row_is_there_once_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: list[int], chunk: int
) -> None:
    monkeypatch.setattr(archive, "CHUNK_ROWS", chunk)
    world, connection = World(range(3 * A_DAY)), database()
    for lives in deaths:
        try:
            attempt(connection, world, tmp_path, TRADES, lives)
        except Died:
            found = ids(connection)
            assert found == sorted(set(found)), "a row twice, or out of order"
    report = attempt(connection, world, tmp_path, TRADES)
    assert ids(connection) == list(range(3 * A_DAY))
    assert not report.failed and not gaps(connection)
    asked = len(world.asked)
    assert attempt(connection, world, tmp_path, TRADES).pieces == []
    assert {one.rsplit(".", 1)[-1] for one in world.asked[asked:]} == {"CHECKSUM"}  # is it still the same?


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    world, connection = World(range(3 * A_DAY - 5)), database()
    attempt(connection, world, tmp_path, TRADES)
    world.trades |= World(range(3 * A_DAY)).trades
    assert attempt(connection, world, tmp_path, TRADES).written == 5
    assert ids(connection) == list(range(3 * A_DAY))


def test_a_gap_is_filled_whatever_lies_on_its_sides(tmp_path: Path) -> None:
    world, connection = World(range(3 * A_DAY)), database()
    attempt(connection, world, tmp_path, Asked(symbols=(BTC,), streams=("trades",), window=(T0, T0 + DAY)))
    since, until = T0 + DAY - HOUR, NOW - HOUR
    gap(connection, since, until)
    gap(connection, NOW - MINUTE, None)
    report = attempt(connection, world, tmp_path, Asked(symbols=(BTC,)))
    assert ids(connection) == list(range(3 * A_DAY))
    assert gaps(connection)[0] == (since, until, "disconnected: x", True)
    assert (len(report.filled), report.open) == (1, 1)


def test_only_the_part_that_came_is_marked(tmp_path: Path) -> None:
    world, connection = World(range(3 * A_DAY)), database()
    world.absent = {"2025-11-21"}  # and history reaches back 48 hours only
    later = NOW + 3 * DAY
    gap(connection, T0, T0 + 3 * DAY)
    report = attempt(connection, world, tmp_path, Asked(symbols=(BTC,)), now=later)
    assert ids(connection) == [*range(A_DAY), *range(2 * A_DAY, 3 * A_DAY)]
    first, second, third = gaps(connection)
    assert first == (T0, T0 + DAY, "disconnected: x", True)
    assert third == (T0 + 2 * DAY, T0 + 3 * DAY, "disconnected: x", True)
    assert second[:2] == (T0 + DAY, T0 + 2 * DAY) and not second[3] and "not published" in second[2]
    assert [one.state for one in report.pieces].count("failed") == 1
    world.absent = set()
    attempt(connection, world, tmp_path, Asked(symbols=(BTC,)), now=later)
    assert [one[2:] for one in gaps(connection)] == [("disconnected: x", True)] * 3


def test_what_the_venue_itself_leaves_out_stays_a_gap(tmp_path: Path) -> None:
    world, connection = World(range(4 * A_DAY), leaves_out=(125, 126)), database()
    gap(connection, T0 + 3 * DAY, NOW)
    attempt(connection, world, tmp_path, Asked(symbols=(BTC,)))
    assert 124 in ids(connection) and 125 not in ids(connection)
    (left,) = [one for one in gaps(connection) if not one[3]]
    assert "trade ids 125..126 missing" in left[2]
    assert left[:2] == (world.trades[124] * 1_000_000, world.trades[127] * 1_000_000)


def test_a_stream_without_a_past_keeps_its_gaps_and_says_why(tmp_path: Path) -> None:
    world, connection = World(range(10)), database()
    gap(connection, T0, T0 + HOUR, "orderbooks")
    for _ in range(2):
        report = attempt(connection, world, tmp_path, Asked(symbols=(BTC,)))
        assert gaps(connection) == [
            (T0, T0 + HOUR, "disconnected: x; not filled: binance_futures keeps no past of orderbooks", False)
        ]
        assert len(report.left) == 1 and not world.asked


def test_what_failed_is_not_asked_again_at_once(tmp_path: Path) -> None:
    world, connection = World(range(10)), database()
    world.absent = {"2025-11-20"}
    gap(connection, T0, T0 + HOUR)
    patient = Asked(symbols=(BTC,), retry_after=HOUR)
    later = NOW + 3 * DAY
    assert len(attempt(connection, world, tmp_path, patient, now=later).failed) == 1
    asked = len(world.asked)
    assert attempt(connection, world, tmp_path, patient, now=later + MINUTE).pieces == []
    assert len(world.asked) == asked
    world.absent = set()
    assert len(attempt(connection, world, tmp_path, patient, now=later + HOUR).filled) == 1


def test_real_data_is_not_brought_into_a_simulated_database(tmp_path: Path) -> None:
    connection = database()
    connection.execute("INSERT INTO runs VALUES (1, 'x', make_timestamp(0), NULL, 'simulated', '', '{}')")
    with pytest.raises(StoreUnusable, match="simulated"):
        attempt(connection, World(range(10)), tmp_path, TRADES)


# ── Planning ──────────────────────────────────────────────────────────────────────────────────


@given(
    first=st.integers(0, 70 * 24), hours=st.integers(1, 70 * 24), stream=st.sampled_from(["trades", "candles", "funding_rates", "open_interest"]),
    late=st.integers(0, 40),
)  # fmt: skip
def test_the_pieces_of_a_stretch_are_that_stretch_without_overlap(
    first: int, hours: int, stream: str, late: int
) -> None:
    span = (T0 + first * HOUR, T0 + (first + hours) * HOUR)
    found, beyond = pieces(ALL[FUTURES], BTC, stream, span, span[1] + late * DAY)
    parts = sorted([one.span for one in found] + [one for one, _ in beyond])
    assert parts[0][0] == span[0] and parts[-1][1] == span[1]
    assert all(one[1] == other[0] for one, other in zip(parts, parts[1:], strict=False))
    assert all(one.until_ts - one.from_ts <= DAY for one in found if one.source == "daily")


def test_whole_months_are_months_whole_days_are_days_and_the_rest_is_asked() -> None:
    first, now = T0 - 20 * DAY - HOUR, T0 + 12 * DAY + 3 * HOUR  # 30 October, 23:00 … 2 December, 03:00
    found, beyond = pieces(ALL[FUTURES], BTC, "trades", (first, now), now)
    assert [one.source for one in found] == ["daily", "daily", "monthly", "daily", "history"]
    assert not beyond
    month = found[2]
    assert [one.source for one in instead(ALL[FUTURES], month, now)] == ["daily"] * 30
    assert [one.source for one in instead(ALL[FUTURES], found[3], now)] == ["history"]
    assert instead(ALL[FUTURES], found[0], now) == []


def test_spans() -> None:
    assert backfills.less((5, 5), [(0, 5)]) == [] and backfills.less((5, 5), [(6, 9)]) == [(5, 5)]

"""The past as a user brings it in: archives and REST history, killed half way, damaged, missing, twice."""

import io
import json
import urllib.error
import urllib.request
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.system.product import TWO_VENUES, Product, Simulator, read, until

FUTURES, SPOT, BTC = "binance_futures", "binance_spot", "BTCUSDT"
ROOTS = {FUTURES: "data/futures/um", SPOT: "data/spot"}
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def day(back: int) -> str:
    return f"{TODAY - timedelta(days=back):%Y-%m-%d}"


def file_of(venue: str, date: str, kind: str = "aggTrades", every: str = "daily") -> str:
    folder, name = (f"{BTC}/1m", "1m") if kind == "klines" else (BTC, kind)
    return f"{ROOTS[venue]}/{every}/{kind}/{folder}/{BTC}-{name}-{date}.zip"


def table(simulator: Simulator, venue: str, date: str, kind: str = "aggTrades") -> list[list[str]]:
    """Return the cells of a published file, header and all."""
    with urllib.request.urlopen(f"{simulator.url}/archive/{file_of(venue, date, kind)}") as reply:
        packed = zipfile.ZipFile(io.BytesIO(reply.read()))
    return [line.split(",") for line in packed.read(packed.namelist()[0]).decode().splitlines()]


def trades(simulator: Simulator, venue: str, dates: list[str]) -> dict[str, tuple[float, float]]:
    """Return what the files say: id → price and size."""
    rows = [row for date in dates for row in table(simulator, venue, date)]
    return {row[0]: (float(row[1]), float(row[2])) for row in rows if row[0].isdigit()}


def stored(db: Path, venue: str, where: str = "true") -> list[tuple[Any, ...]]:
    return read(
        db, f"SELECT trade_id, price, quantity FROM trades WHERE venue = '{venue}' AND {where} ORDER BY id"
    )


def asked(simulator: Simulator, db: Path, *more: str) -> list[str]:
    which = [] if "--venues" in more else ["--venues", TWO_VENUES]
    return ["backfill", "--simulator", simulator.url, "--db", str(db), "--symbols", BTC, *which, *more]


def told(product: Product, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a backfill to its end and return what it says."""
    done = product.run(*arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


# ── Killed half way ───────────────────────────────────────────────────────────────────────────


def test_three_days_of_archives_are_there_once_although_it_was_killed_twice(product: Product) -> None:
    simulator, db = product.simulator(BTC, rate=1), product.folder / "market.duckdb"
    dates = [day(back) for back in (5, 4, 3)]
    arguments = asked(simulator, db, "--streams", "trades,candles", "--from", dates[0], "--to", day(2))
    for date in dates[1:]:
        fault = simulator.fault("slow", FUTURES, path=f"*aggTrades-{date}.zip", delay_ms=60_000)
        running = product.start("orderflow", *arguments)
        until(lambda fault=fault: simulator.told(fault)["done"], "it is in the middle of a file")
        running.kill()
        assert 0 < len(stored(db, FUTURES)) < 3 * 4320
    found = told(product, *arguments)
    assert found["finished"] and {one["state"] for one in found["pieces"]} == {"done"}
    for venue in (FUTURES, SPOT):
        truth, here = trades(simulator, venue, dates), stored(db, venue)
        assert len(here) == len(truth) == 3 * 4320
        assert {id: (price, size) for id, price, size in here} == truth
    bars = read(
        db, "SELECT venue, count(*), count(DISTINCT open_time), bool_and(closed) FROM candles GROUP BY ALL"
    )
    assert sorted(bars) == [(FUTURES, 4320, 4320, True), (SPOT, 4320, 4320, True)]
    again = told(product, *arguments)
    assert again["written"] == 0 and again["pieces"] == []


# ── What a collector missed ───────────────────────────────────────────────────────────────────


def test_what_a_collector_missed_is_filled_from_history_and_marked(product: Product) -> None:
    simulator = product.simulator(BTC, rate=40)
    first = product.collector(simulator, symbols=BTC)
    until(lambda: first.health()["frames"] > 500, "frames")
    first.running.kill()
    begun = len(simulator.rows(FUTURES, BTC))
    until(lambda: len(simulator.rows(FUTURES, BTC)) > begun + 50, "trades that nobody hears")
    second = product.collector(simulator, "--backfill", symbols=BTC)
    marked = "SELECT count(*) FROM served.gaps WHERE stream = 'trades' AND filled_at IS NOT NULL"
    until(lambda: second.query(marked)[0][0] >= 2, "the gaps of both venues are filled")
    refused = product.run(*asked(simulator, second.db))
    assert refused.returncode == 1 and "orderflow up --backfill" in refused.stderr
    assert second.running.stop() == 0, second.running.stderr
    for venue in (FUTURES, SPOT):
        ids = [int(id) for id, *_ in stored(second.db, venue)]
        assert sorted(ids) == list(range(min(ids), max(ids) + 1)), "a hole, or a trade twice"
        ledger = {row["id"]: float(row["price"]) for row in simulator.rows(venue, BTC)}
        assert all(price == ledger[int(id)] for id, price, _ in stored(second.db, venue))
    books = read(
        second.db, "SELECT reason, filled_at FROM gaps WHERE stream = 'orderbooks' AND \"until\" IS NOT NULL"
    )
    assert books and all("keeps no past of orderbooks" in reason and at is None for reason, at in books)


def test_gaps_are_filled_afterwards_on_demand(product: Product) -> None:
    simulator = product.simulator(BTC, rate=40)
    for _ in range(2):
        collector = product.collector(simulator, symbols=BTC)
        run = collector.query("SELECT max(id) FROM served.runs")[0][0]
        flows = f"SELECT count(DISTINCT venue) FROM served.trades WHERE run = {run}"
        until(lambda one=collector, sql=flows: one.query(sql)[0][0] == 2, "trades")
        assert collector.running.stop() == 0
    db = product.folder / "market.duckdb"
    closed = (
        "SELECT count(*) FROM gaps WHERE stream = 'trades' AND \"until\" IS NOT NULL AND filled_at IS NULL"
    )
    assert read(db, closed) == [(2,)]
    found = told(product, *asked(simulator, db, "--gaps"))
    assert found["gaps_filled"] >= 2 and f"{SPOT} prices" in found["unfillable"]
    assert read(db, closed) == [(0,)]
    assert found["gaps_open"] >= 2  # since it was stopped: their end is not known yet
    for venue in (FUTURES, SPOT):
        ids = [int(id) for id, *_ in stored(db, venue)]
        assert sorted(ids) == list(range(min(ids), max(ids) + 1))
    assert told(product, *asked(simulator, db, "--gaps"))["written"] == 0


@pytest.mark.parametrize("venue", ["deribit_futures", "gate_futures", "kraken_futures"])
def test_trades_that_nobody_heard_come_from_rest_alone(product: Product, venue: str) -> None:
    simulator = product.simulator(BTC, rate=40, venues=venue)
    db = product.folder / "market.duckdb"
    for _ in range(2):
        collector = product.collector(simulator, venues=venue, symbols=BTC)
        run = collector.query("SELECT max(id) FROM served.runs")[0][0]
        mine = f"SELECT count(*) FROM served.trades WHERE run = {run}"
        until(lambda one=collector, sql=mine: one.query(sql)[0][0] > 20, "trades")
        assert collector.running.stop() == 0
    ((first, last),) = read(db, "SELECT epoch_ms(min(timestamp)), epoch_ms(max(timestamp)) FROM trades")
    found = told(product, *asked(simulator, db, "--gaps", "--venues", venue))
    assert f"{venue} keeps no past of prices" in found["unfillable"][f"{venue} prices"]
    made = [row["time"] for row in simulator.rows(venue, BTC, "trade") if float(row["base"])]
    here = read(db, "SELECT epoch_ms(timestamp) FROM trades ORDER BY ALL")
    # The first instant may have been heard in part: a subscription begins with the last hundred on Kraken.
    assert [time for (time,) in here if first < time < last] == sorted(
        time for time in made if first < time < last
    )
    closed = (
        "SELECT count(*) FROM gaps WHERE stream = 'trades' AND \"until\" IS NOT NULL AND filled_at IS NULL"
    )
    assert read(db, closed) == [(0,)]
    assert told(product, *asked(simulator, db, "--gaps", "--venues", venue))["written"] == 0


# ── Damage ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "says"), [("wrong_checksum", "SHA-256"), ("cut_short", "SHA-256")], ids=["checksum", "cut short"]
)
def test_a_file_that_is_not_what_was_published_is_refused_and_the_gap_stays(
    product: Product, kind: str, says: str
) -> None:
    simulator, db = product.simulator(BTC, rate=1), product.folder / "market.duckdb"
    arguments = asked(
        simulator, db, "--venues", FUTURES, "--streams", "trades", "--from", day(4), "--to", day(2)
    )
    simulator.fault(kind, FUTURES, path=f"*aggTrades-{day(4)}.zip*", count=1)
    done = product.run(*arguments)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("not filled")]
    assert says in line and day(4) in line
    assert {id for id, *_ in stored(db, FUTURES)} == set(trades(simulator, FUTURES, [day(3)]))
    ((reason, begins, filled),) = read(db, 'SELECT reason, "from", filled_at FROM gaps')
    assert says in reason and f"{begins:%Y-%m-%d}" == day(4) and filled is None
    found = told(product, *asked(simulator, db, "--gaps", "--streams", "trades", "--venues", FUTURES))
    assert found["gaps_filled"] == 1 and found["written"] == 4320
    assert read(db, "SELECT count(filled_at) FROM gaps") == [(1,)]


def test_a_day_that_is_not_published_comes_from_history_where_that_reaches(product: Product) -> None:
    simulator, db = product.simulator(BTC, rate=1), product.folder / "market.duckdb"
    simulator.fault("answer", SPOT, status=404, path=f"*aggTrades-{day(4)}*", count=100)
    simulator.fault("answer", FUTURES, status=404, path=f"*aggTrades-{day(4)}*", count=100)
    simulator.fault("answer", SPOT, status=429, path=f"*1m-{day(4)}*", count=1, retry_after=1)
    found = told(
        product,
        *asked(simulator, db, "--streams", "trades,candles", "--from", day(4), "--to", day(3)),
        code=1,
    )
    by_source = {(one["venue"], one["stream"]): (one["source"], one["state"]) for one in found["pieces"]}
    assert by_source == {
        (SPOT, "trades"): ("history", "done"),
        (SPOT, "candles"): ("daily", "done"),
        (FUTURES, "candles"): ("daily", "done"),
        (FUTURES, "trades"): ("daily", "failed"),  # aggregate trades of futures are answered for 48 hours
    }
    assert len(stored(db, SPOT)) == 4320 and not stored(db, FUTURES)
    assert read(db, "SELECT venue, stream FROM gaps WHERE reason LIKE '%not published%'") == [
        (FUTURES, "trades")
    ]


# ── Forms ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("venue", "date", "header", "unit"),
    [
        (FUTURES, "2021-03-05", False, 1_000),
        (FUTURES, "2025-03-05", True, 1_000),
        (SPOT, "2024-12-31", False, 1_000),
        (SPOT, "2025-01-01", False, 1),
    ],
)
def test_files_with_and_without_a_header_in_both_units_give_the_rows_that_they_hold(
    product: Product, venue: str, date: str, header: bool, unit: int
) -> None:
    simulator, db = product.simulator(BTC, rate=1), product.folder / "market.duckdb"
    after = f"{datetime.fromisoformat(date) + timedelta(days=1):%Y-%m-%d}"
    arguments = asked(
        simulator, db, "--venues", venue, "--streams", "trades,candles", "--from", date, "--to", after
    )
    assert told(product, *arguments)["written"] == 4320 + 1440
    rows = table(simulator, venue, date)
    assert rows[0][0].isdigit() is not header
    truth = [(row[0], int(row[5]) * unit, row[6].lower() == "true") for row in rows[header:]]
    assert truth == read(db, "SELECT trade_id, epoch_us(timestamp), is_buyer_maker FROM trades ORDER BY id")
    bars = [
        (int(row[0]) * unit, float(row[4]), int(row[8]))
        for row in table(simulator, venue, date, "klines")[header:]
    ]
    assert bars == read(db, "SELECT epoch_us(open_time), close, trade_count FROM candles ORDER BY open_time")


def test_a_whole_month_is_one_file_and_funding_comes_with_its_hours(product: Product) -> None:
    simulator, db = product.simulator(BTC, rate=1), product.folder / "market.duckdb"
    arguments = asked(simulator, db, "--venues", FUTURES, "--streams", "candles,funding_rates,open_interest")
    found = told(product, *arguments, "--from", "2025-02-01", "--to", "2025-03-01")
    pieces = {
        stream: [one["source"] for one in found["pieces"] if one["stream"] == stream]
        for stream in ("candles", "funding_rates", "open_interest")
    }
    assert pieces == {"candles": ["monthly"], "funding_rates": ["monthly"], "open_interest": ["daily"] * 28}
    assert read(
        db, "SELECT count(*), min(interval_hours), max(epoch_us(timestamp) % 28800000000) FROM funding_rates"
    ) == [(84, 8.0, 0)]
    assert read(db, "SELECT count(*), count(oi_change) FROM open_interest") == [(28 * 288, 28 * 288 - 1)]
    assert read(db, "SELECT count(*) FROM candles") == [(28 * 1440,)]


# ── Asked wrongly ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "yesterday"], "'yesterday' is not a time"),
        (["--to", "2025-01-01"], "--to without --from"),
        (["--from", "2099-01-01"], "lies in the future"),
        (["--from", "2025-02-01", "--to", "2025-01-01"], "is not after"),
        (["--from", "2025-01-01", "--streams", "orderbooks"], "keeps no past of orderbooks"),
        (["--streams", "ordrbooks"], "no stream is called 'ordrbooks'"),
        (["--archive-url", "ftp://x", "--from", "2025-01-01"], "no address of an archive"),
        (["--venues", "nyse"], "nyse"),
    ],
    ids=["word", "to alone", "future", "backwards", "books", "typo", "address", "venue"],
)
def test_what_cannot_be_asked_is_said_in_one_line(product: Product, arguments: list[str], says: str) -> None:
    done = product.run("backfill", "--db", str(product.folder / "market.duckdb"), *arguments)
    assert done.returncode == 1 and says in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) <= 2


def test_an_archive_that_does_not_answer_is_a_failed_piece_and_not_a_crash(product: Product) -> None:
    simulator, db = product.simulator(BTC, rate=1), product.folder / "market.duckdb"
    done = product.run(
        *asked(simulator, db, "--archive-url", "http://127.0.0.1:9", "--venues", FUTURES, "--streams", "trades"),
        "--from", day(4), "--to", day(3),
    )  # fmt: skip
    assert done.returncode == 1 and "ConnectError" in done.stdout and "Traceback" not in done.stderr


def test_the_simulated_archive_has_nothing_of_a_day_that_is_not_over(product: Product) -> None:
    simulator = product.simulator(BTC, rate=1)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        table(simulator, FUTURES, day(0))

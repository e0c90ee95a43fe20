"""What the sandbox answers, and what it refuses: over a file, and beside a process that collects."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orderflow.market.errors import (
    InvalidArgument,
    OrderflowError,
    StatementRefused,
    StoreUnusable,
    TimedOut,
    TooLarge,
)
from orderflow.market.instruments import series
from orderflow.market.streams import STREAMS
from orderflow.store import access, lake, layout, opening, permits, plain, sandbox, tables
from orderflow.store.cell import Cell, confine
from orderflow.store.sandbox import Job, Limits
from tests.store.attempts import EXHAUSTING, REFUSED
from tests.store.conftest import Filled

QUICK = Limits(seconds=15, memory_mb=256)
TIGHT = Limits(seconds=1.5, memory_mb=96)
ARCHIVED_DAY = -20 * 3600  # seconds: 2025-11-20T04:00:00Z


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Trades of two markets: 100, 101, … each second, one of BTCUSDT archived; two quotes; a gap."""
    made = Filled(tmp_path_factory.mktemp("sandbox") / "market.duckdb")
    made.run("live", -90_000, 3600)
    for second in range(6):
        made.trade("binance_spot", second, second + 1, price=100.0 + second, sold=second % 2 == 1)
    made.trade("binance_futures", 2.5, 1, price=99.0)
    made.quote("binance_spot", "BTCUSDT", 0.5, 99.5, 100.5)
    made.quote("binance_spot", "BTCUSDT", 3.5, 102.5, 103.5)
    made.gap("trades", 10, 20)
    archive(made, 7, ARCHIVED_DAY, price=90.0)
    yield made
    made.connection.close()


def archive(made: Filled, id: int, at: float, price: float) -> None:
    """Put a trade of BTCUSDT on binance_spot where archived days lie, as its only row of that day."""
    made.trade("binance_spot", at, id, price=price)
    root = layout.archive_root(made.path)
    file = "stream=trades/venue=binance_spot/symbol=BTCUSDT/day=2025-11-20.parquet"
    (root / file).parent.mkdir(parents=True)
    with tables.transaction(made.connection) as cursor:
        day = "timestamp < TIMESTAMP '2025-11-21'"
        cursor.execute(
            f"COPY (SELECT * EXCLUDE (venue, symbol) FROM trades_hot WHERE {day}) TO '{root / file}' (FORMAT parquet)"
        )
        cursor.execute(f"DELETE FROM trades_hot WHERE {day}")
        cursor.execute(
            "INSERT INTO archived VALUES ('trades', 'binance_spot', 'BTCUSDT', '2025-11-20', ?, 1, 1,"
            " '2025-11-20 04:00', '2025-11-20 04:00', 7, 7, NULL, NULL, now()::TIMESTAMP, NULL)",
            [file],
        )
        tables.unite(cursor)


@pytest.fixture(scope="module", params=["beside a collector", "over a file"])
def path(
    request: pytest.FixtureRequest, market: Filled, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The database, served by this process; or a copy of it that nobody has open."""
    if request.param == "beside a collector":
        served = access.serve(market.connection, market.path)
        yield market.path
        access.stop(market.connection, market.path, served)
        return
    copy = tmp_path_factory.mktemp("copy") / "market.duckdb"
    market.connection.execute("CHECKPOINT")
    shutil.copy(market.path, copy)
    shutil.copytree(layout.archive_root(market.path), layout.archive_root(copy))
    opening.open_for_writing(copy).close()  # it was moved: its views look beside it again
    yield copy


def rows(path: Path, sql: str, limits: Limits = QUICK) -> list[list[Any]]:
    return sandbox.ask(path, sql, limits).rows()


def here(path: Path, sql: str) -> list[list[Any]]:
    """Ask as the process of the sandbox does, without the process: it would take half a second each."""
    table, _ = Cell(Job(str(path), sql, QUICK)).answer()
    return list(plain.rows(table))


# ── What is answered ──────────────────────────────────────────────────────────────────────────

T0_MS = 1_763_683_200_000


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT count(*), sum(price) FROM trades", [[8, 804.0]]),  # 100 + … + 105 = 615, 99 and 90
        ("SELECT count(*) FROM btcusdt_binance_spot_trades", [[7]]),
        ("SELECT min(price) FROM btcusdt_binance_spot_trades", [[90.0]]),  # the archived one
        ("SELECT venue, count(*) FROM trades WHERE timestamp >= '2025-11-21' GROUP BY ALL ORDER BY 1",
         [["binance_futures", 1], ["binance_spot", 6]]),
        ("SELECT price FROM trades WHERE symbol = 'BTCUSDT' AND venue = 'binance_spot'"
         " AND timestamp BETWEEN '2025-11-21 00:00:01' AND '2025-11-21 00:00:02' ORDER BY timestamp",
         [[101.0], [102.0]]),
        ("WITH t AS (SELECT * FROM trades WHERE price > 100) SELECT count(*) FROM t", [[5]]),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT sum(i) FROM n",
         [[10]]),
        ("SELECT price, lag(price) OVER (ORDER BY timestamp) AS before FROM btcusdt_binance_spot_trades"
         " ORDER BY timestamp LIMIT 2", [[90.0, None], [100.0, 90.0]]),
        ("SELECT price FROM trades WHERE timestamp >= '2025-11-21'"
         " QUALIFY row_number() OVER (PARTITION BY venue ORDER BY timestamp DESC) = 1 ORDER BY price",
         [[99.0], [105.0]]),
        ("SELECT t.price, q.bid_price FROM btcusdt_binance_spot_trades t ASOF JOIN btcusdt_binance_spot_prices q"
         " ON t.timestamp >= q.timestamp ORDER BY t.timestamp",
         [[101.0, 99.5], [102.0, 99.5], [103.0, 99.5], [104.0, 102.5], [105.0, 102.5]]),
        # the newest quote before a trade stays its match, though the condition keeps the older one alone
        ("SELECT count(*) FROM btcusdt_binance_spot_trades t ASOF JOIN prices q ON t.timestamp >= q.timestamp"
         " WHERE q.timestamp < '2025-11-21 00:00:03'", [[3]]),
        ("SELECT count(*) FROM trades a LEFT JOIN prices b ON a.timestamp < b.timestamp AND b.bid_price > 100"
         " WHERE b.bid_price IS NULL", [[2]]),  # at 4 and 5 s no later quote is above 100
        ("SELECT time_bucket(INTERVAL 2 SECONDS, timestamp) AS bucket, max(price) FROM btcusdt_binance_spot_trades"
         " WHERE timestamp >= '2025-11-21' GROUP BY 1 ORDER BY 1 LIMIT 2",
         [[T0_MS, 101.0], [T0_MS + 2000, 103.0]]),
        ("SELECT side, sum(value) FROM trades GROUP BY side ORDER BY side", [["buy", 247.5], ["sell", 154.5]]),
        ("SELECT reason FROM gaps", [["disconnected"]]),
        ("SELECT kind FROM runs JOIN trades ON runs.id = trades.run GROUP BY ALL", [["live"]]),
        ("SELECT t.price FROM trades t WHERE EXISTS (SELECT 1 FROM prices p WHERE p.bid_price > t.price - 1"
         " AND p.bid_price < t.price) ORDER BY 1", [[100.0], [103.0]]),
        ("SELECT column_name FROM (DESCRIBE trades) LIMIT 2", [["venue"], ["symbol"]]),
        ("SELECT trades.price FROM trades WHERE trades.timestamp < '2025-11-21'", [[90.0]]),
        ("SELECT t FROM trades t WHERE false", []),
        ("SELECT list(price ORDER BY price) FROM trades WHERE price < 101", [["[90.0,99.0,100.0]"]]),
        ("SELECT count(*) FROM trades, range(3)", [[24]]),
        ("SELECT 'DROP TABLE trades; --' AS said", [["DROP TABLE trades; --"]]),
        ("SELECT count(*) FROM trades -- all of them", [[8]]),
        ("(SELECT price FROM trades WHERE price < 100) UNION ALL (SELECT 1) ORDER BY 1", [[1], [90.0], [99.0]]),
        ("SELECT count(*) FROM trades WHERE timestamp > now() - INTERVAL 1 HOUR", [[0]]),
        ("FROM main.gaps SELECT symbol", [["BTCUSDT"]]),
        ("SELECT DATE '2025-11-21', 1e30::HUGEINT IS NULL, INTERVAL 90 SECONDS::VARCHAR, 2::DECIMAL(9,2), 'nan'::DOUBLE",
         [["2025-11-21", False, "00:01:30", 2, None]]),
    ],
)  # fmt: skip
def test_a_question_is_answered(path: Path, sql: str, found: list[list[Any]]) -> None:
    assert [[_close(cell) for cell in row] for row in here(path, sql)] == found


def _close(cell: Any) -> Any:
    return round(cell, 9) if isinstance(cell, float) else cell


def test_more_rows_than_the_limit_are_cut_off_and_said(path: Path) -> None:
    found = sandbox.ask(path, "SELECT range FROM range(100)", Limits(rows=10))
    assert found.truncated and [row[0] for row in found.rows()] == list(range(10))
    assert not sandbox.ask(path, "SELECT range FROM range(10)", Limits(rows=10)).truncated


def test_a_wrong_column_is_said_in_one_line(path: Path) -> None:
    with pytest.raises(InvalidArgument, match='"prise" not found') as caught:
        rows(path, "SELECT prise FROM trades")
    assert "\n" not in caught.value.message and caught.value.hint


# ── What is refused ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", REFUSED)
def test_whatever_is_no_question_to_the_tables_is_refused_by_its_parse(judging: Any, name: str) -> None:
    with pytest.raises(StatementRefused) as caught:
        judging(REFUSED[name].replace("{db}", "/tmp/market.duckdb"))
    assert caught.value.hint and "\n" not in caught.value.message


@pytest.fixture(scope="module")
def judging() -> Iterator[Any]:
    connection = duckdb.connect()
    known = {*STREAMS, "gaps", "runs", "instruments", "sources", *(one.name for one in series(["BTCUSDT"]))}
    yield lambda sql: permits.judge(connection, sql, known)
    connection.close()


def test_a_refusal_is_told_as_it_was_raised(served: Filled) -> None:
    with pytest.raises(StatementRefused, match="read_text") as caught:
        rows(served.path, "SELECT * FROM read_text('/etc/hostname')")
    assert caught.value.hint


@pytest.fixture(scope="module")
def ended(served: Filled) -> dict[str, OrderflowError | None]:
    """What became of each, two at a time."""

    def asked(name: str) -> OrderflowError | None:
        try:
            rows(served.path, EXHAUSTING[name], TIGHT)
        except OrderflowError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(EXHAUSTING, pool.map(asked, EXHAUSTING), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXHAUSTING)
def test_whatever_takes_too_much_is_ended(ended: dict[str, OrderflowError | None], name: str) -> None:
    error = ended[name]
    assert isinstance(error, TooLarge | TimedOut)
    assert error.hint and "\n" not in error.message


@pytest.fixture(scope="module")
def served(market: Filled) -> Iterator[Filled]:
    found = access.serve(market.connection, market.path)
    yield market
    # nothing that was asked is left in the process that serves, whole or half
    left = market.connection.execute("SELECT * FROM quack_active_connections()").fetchall()
    access.stop(market.connection, market.path, found)
    assert left == []
    assert market.connection.execute("SELECT count(*) FROM trades").fetchone() == (8,)


def test_a_starter_that_is_gone_ends_it(served: Filled) -> None:
    """The process ends by itself when the other end of its input closes."""
    with sandbox._process() as process:
        job = sandbox.Job(str(served.path), EXHAUSTING["a cross join"], Limits(seconds=60))
        assert process.stdin is not None
        process.stdin.write(sandbox.msgspec.json.encode(job) + b"\n")
        process.stdin.close()
        process.stdin = None
        assert process.wait(timeout=30) is not None


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="no such database"):
        sandbox.ask(tmp_path / "nowhere.duckdb", "SELECT 1")


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"seconds": 0}, {"memory_mb": 1}, {"answer_mb": 10**6}])
def test_limits_have_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        Limits(**wrong)


def test_a_third_question_waits_its_turn(served: Filled) -> None:
    with sandbox._turn(1), sandbox._turn(1):
        began = time.monotonic()
        with pytest.raises(OrderflowError, match="two statements") as caught:
            rows(served.path, "SELECT 1", Limits(seconds=0.2))
    assert caught.value.code == "rate_limited" and time.monotonic() - began >= 0.2


def test_nothing_leads_out_of_a_confined_connection(tmp_path: Path) -> None:
    """What the parse would let through by mistake, DuckDB itself refuses."""
    (tmp_path / "archive").mkdir()
    connection = duckdb.connect()
    confine(connection, tmp_path / "archive")
    for sql in (
        "FROM read_text('/etc/hostname')", "FROM '/etc/services.csv'", "LOAD httpfs", "INSTALL httpfs",
        "ATTACH '/tmp/other.duckdb'", "SET memory_limit = '100GB'", "RESET enable_external_access",
        f"COPY (SELECT 1) TO '{tmp_path}/x.csv'", f"FROM glob('{tmp_path}/*')", f"FROM '{tmp_path}/archive/../x.csv'",
        "EXPORT DATABASE '/tmp/stolen'", "CREATE PERSISTENT SECRET s (TYPE http)",
    ):  # fmt: skip
        with pytest.raises(duckdb.Error):
            connection.execute(sql)


def test_a_lake_is_asked_alike(tmp_path: Path) -> None:
    """Its catalogue is a file here; rows lie in a folder, which is all that the statement can read."""
    address = f"ducklake:{tmp_path / 'market.ducklake'} ; data = {tmp_path / 'data'}"
    place = lake.parse(address)
    lake.make(place)
    connection = lake.open_for_writing(place)
    tables.create(connection, ["BTCUSDT"])
    connection.execute(
        "INSERT INTO trades (venue, symbol, id, price, timestamp)"
        " SELECT 'binance_spot', 'BTCUSDT', range, range, make_timestamp(range) FROM range(10)"
    )
    connection.close()
    found = sandbox.ask(
        address, "SELECT count(*), max(price) FROM btcusdt_binance_spot_trades WHERE price > 2"
    )
    assert found.rows() == [[7, 9.0]]
    with pytest.raises(StatementRefused):
        sandbox.ask(address, f"FROM '{tmp_path / 'market.ducklake'}'")

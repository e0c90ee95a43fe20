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
from orderflow.store import access, layout, opening, permits, plain, sandbox, tables
from orderflow.store.cell import Cell, confine
from orderflow.store.sandbox import Job, Limits
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

REFUSED = {
    # writing
    "insert": "INSERT INTO gaps SELECT * FROM gaps",
    "insert behind WITH": "WITH one AS (SELECT 1) INSERT INTO about SELECT 'a', 'b'",
    "update": "UPDATE runs SET kind = 'simulated'",
    "update in a comment's clothes": "/* SELECT */ UPDATE about SET value = '2'",
    "delete": "DELETE FROM trades_hot",
    "truncate": "TRUNCATE trades_hot",
    "create table": "CREATE TABLE mine AS SELECT 1",
    "create temp table": "CREATE TEMP TABLE mine AS SELECT 1",
    "create view": "CREATE OR REPLACE VIEW trades AS SELECT 1",
    "create macro": "CREATE MACRO f() AS 1",
    "create sequence": "CREATE SEQUENCE s",
    "create schema": "CREATE SCHEMA s",
    "create type": "CREATE TYPE t AS ENUM ('a')",
    "drop": "DROP VIEW trades",
    "alter": "ALTER TABLE trades_hot ADD COLUMN mine INTEGER",
    "merge": "MERGE INTO gaps USING runs ON false WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "comment on": "COMMENT ON TABLE trades_hot IS 'mine'",
    "vacuum": "VACUUM",
    "checkpoint": "CHECKPOINT",
    "begin": "BEGIN TRANSACTION",
    "a pivot that makes a type": "PIVOT trades ON side USING sum(price)",
    # several, none, disguised
    "two questions": "SELECT 1; SELECT 2",
    "a question and a deed": "SELECT 1; DROP TABLE gaps",
    "a deed behind a comment": "SELECT 1 --\n; DELETE FROM gaps",
    "nothing": "",
    "a comment alone": "-- SELECT 1",
    "no SQL": "please drop everything",
    "a full-width semicolon": "SELECT 1； DROP TABLE gaps",
    "a no-break space": "DROP\u00a0TABLE\u00a0gaps",
    "a byte of nothing": "SELECT 1\x00; DROP TABLE gaps",
    "letters that look alike": "SELECT * FROM trаdes",  # a Cyrillic а
    "too long": "SELECT " + "1, " * 10_000 + "1",
    "too deep": "SELECT " + "(SELECT " * 500 + "1" + ")" * 500,
    "a sum too deep": "SELECT " + "1+" * 6_000 + "1",
    # prepared
    "prepare": "PREPARE p AS DELETE FROM gaps",
    "execute": "EXECUTE p",
    "a value to be bound": "SELECT * FROM trades WHERE price > ?",
    "a named value": "SELECT $1",
    # files
    "read_csv": "SELECT * FROM read_csv('/etc/passwd', sep = ':')",
    "read_text": "SELECT content FROM read_text('/etc/hostname')",
    "read_blob": "SELECT content FROM read_blob('/etc/hostname')",
    "read_parquet": "SELECT * FROM read_parquet('/tmp/x.parquet')",
    "parquet_scan": "SELECT * FROM parquet_scan('/tmp/x.parquet')",
    "parquet_metadata": "SELECT * FROM parquet_metadata('/tmp/x.parquet')",
    "read_json": "SELECT * FROM read_json('/etc/x.json')",
    "read_duckdb": "SELECT * FROM read_duckdb('{db}')",
    "sniff_csv": "SELECT * FROM sniff_csv('/etc/passwd')",
    "glob": "SELECT * FROM glob('/etc/*')",
    "FROM a file": "SELECT * FROM '/etc/services.csv'",
    "FROM a quoted file": 'SELECT * FROM "/etc/services.csv"',
    "FROM schema.file": "SELECT * FROM services.csv",
    "FROM an archived day": "SELECT * FROM '{db}.archive/stream=trades/venue=binance_spot/symbol=BTCUSDT/day=2025-11-20.parquet'",
    "a file within a subquery": "SELECT (SELECT content FROM read_text('/etc/hostname'))",
    "a file within a CTE": "WITH f AS (FROM read_text('/etc/hostname')) SELECT * FROM f",
    "a CTE named as a file": "WITH \"/etc/services.csv\" AS (SELECT 1) SELECT * FROM \"/etc/services.csv\"",
    "a file beside a lateral join": "SELECT * FROM range(1) r, LATERAL (SELECT * FROM glob('/*'))",
    "the database's own file": "SELECT * FROM '{db}'",
    "the token's file": "SELECT * FROM read_text('{db}.quack')",
    "the token as JSON": "SELECT * FROM '{db}.quack'",
    "copy out": "COPY trades TO '/tmp/stolen.csv'",
    "copy a query out": "COPY (SELECT 1) TO '/dev/stdout'",
    "copy in": "COPY gaps FROM '/etc/passwd'",
    "export": "EXPORT DATABASE '/tmp/stolen'",
    "import": "IMPORT DATABASE '/tmp/stolen'",
    # network, extensions, other databases
    "http": "SELECT * FROM 'http://127.0.0.1:1/x.csv'",
    "s3": "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "load": "LOAD httpfs",
    "install": "INSTALL httpfs",
    "install from": "FORCE INSTALL quack FROM community",
    "attach": "ATTACH '/tmp/other.duckdb'",
    "attach memory": "ATTACH ':memory:' AS other",
    "attach the collector": "ATTACH 'quack:127.0.0.1:1' AS c (TYPE quack, TOKEN 'x')",
    "detach": "DETACH served",
    "use": "USE system",
    "another catalogue": "SELECT * FROM served.main.trades",
    "the system's catalogue": "SELECT * FROM system.main.duckdb_databases",
    "quack_query": "SELECT * FROM quack_query('quack:127.0.0.1:1', 'SELECT 1')",
    "quack_query_by_name": "SELECT * FROM quack_query_by_name('served', 'SELECT 1')",
    "quack_serve": "CALL quack_serve('quack:0.0.0.0:9999')",
    "quack_stop": "CALL quack_stop('quack:127.0.0.1:1')",
    "quack as a function": "SELECT quack_check_token('a', 'b', 'c')",
    # settings, secrets, what the process knows
    "set": "SET memory_limit = '100GB'",
    "set the lock off": "SET lock_configuration = false",
    "set external access on": "SET enable_external_access = true",
    "reset": "RESET memory_limit",
    "a variable": "SET VARIABLE a = 1",
    "pragma": "PRAGMA database_list",
    "pragma assignment": "PRAGMA threads = 8",
    "pragma as a function": "SELECT * FROM pragma_database_size()",
    "settings": "SELECT * FROM duckdb_settings()",
    "current_setting": "SELECT current_setting('allowed_directories')",
    "current_setting by its full name": "SELECT system.main.current_setting('temp_directory')",
    "secrets": "SELECT * FROM duckdb_secrets()",
    "create secret": "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "which_secret": "SELECT * FROM which_secret('s3://x', 's3')",
    "databases with their tokens": "SELECT * FROM duckdb_databases()",
    "databases as a view": "SELECT * FROM pragma_database_list",
    "views with their files": "SELECT sql FROM duckdb_views()",
    "sqlite_master": "SELECT sql FROM sqlite_master",
    "pg_catalog": "SELECT * FROM pg_catalog.pg_views",
    "information_schema": "SELECT * FROM information_schema.tables",
    "a CTE that hides a view": "WITH duckdb_views AS (SELECT 1) SELECT (SELECT 1 FROM duckdb_views)",
    "getenv": "SELECT getenv('HOME')",
    "extensions": "SELECT * FROM duckdb_extensions()",
    "logs": "SELECT * FROM duckdb_logs",
    "write_log": "SELECT write_log('x')",
    "the other statements": "SELECT current_query()",
    "a hot table": "SELECT * FROM trades_hot",
    "what the store notes": "SELECT * FROM about",
    "a Python variable": "SELECT * FROM job",
    # statements within statements
    "query()": "SELECT * FROM query('DROP TABLE gaps')",
    "query_table()": "SELECT * FROM query_table('about')",
    "a serialized statement": "SELECT * FROM json_execute_serialized_sql('{}')",
    "a plan of a file": "SELECT json_serialize_plan('SELECT * FROM ''/etc/services.csv''')",
    "explain analyze": "EXPLAIN ANALYZE DELETE FROM gaps",
    "explain": "EXPLAIN SELECT 1",
    "show": "SHOW ALL TABLES",
    "call": "CALL checkpoint()",
    "force_checkpoint": "SELECT * FROM force_checkpoint()",
    "nextval": "SELECT nextval('s')",
    "sleep": "SELECT sleep_ms(100000)",
    "pg_sleep": "SELECT pg_sleep(100)",
    "setseed": "SELECT setseed(0.1)",
}  # fmt: skip


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


EXHAUSTING = {
    "a list of all": "SELECT list(range) FROM range(300000000)",
    "a long text": "SELECT length(repeat('x', 4000000000))",
    "a long list": "SELECT len(range(1000000000))",
    "a text of all": "SELECT length(string_agg(range::VARCHAR, ',')) FROM range(300000000)",
    "a sort of all": "SELECT count(*) FROM (SELECT range FROM range(300000000) ORDER BY hash(range))",
    "as many groups": "SELECT count(*) FROM (SELECT range, count(*) FROM range(300000000) GROUP BY 1)",
    "distinct": "SELECT count(DISTINCT range) FROM range(300000000)",
    "a cross join": "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) = 1",
    "a cross join of rows": "SELECT sum(a.price * b.price) FROM trades a, trades b, range(100000000), range(100000)",
    "a recursion without end": "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r",
    "a recursion that doubles": "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT unnest([i, i + 1]) FROM r) SELECT count(*) FROM r",
    "a window of all": "SELECT sum(s) FROM (SELECT sum(range) OVER (ORDER BY hash(range)) AS s FROM range(300000000))",
    "one slow function": "SELECT levenshtein(repeat('a', 60000), repeat('b', 60000) || range) FROM range(100000)",
    "an answer too large": "SELECT repeat('x', 100000) FROM range(100000)",
    "a generated series": "SELECT count(*) FROM generate_series(1, 1000000000000)",
    "lists upon lists": "SELECT sum(len(list_sort(list_transform(range(i, i + 100000), lambda x: hash(x))))) FROM range(1000000) t(i)",
}  # fmt: skip


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

"""Who may open a database and how: with real files, and second processes that read over Quack."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orderflow.market.errors import Disconnected, DoorUnavailable, StoreUnusable
from orderflow.store import access, tables

SERVER = """
import sys, time
from orderflow.store import access, opening, tables
connection = opening.open_for_writing(sys.argv[1])
tables.create(connection, ["BTCUSDT"])
access.serve(connection, sys.argv[1])
connection.execute("INSERT INTO trades_hot (venue, symbol, id) SELECT 'pyth', 'BTCUSDT', range FROM range(1000)")
print("serving", flush=True)
time.sleep(60)
"""

COUNT = """
import sys
from orderflow.store import access
with access.open_reader(sys.argv[1]) as reader:
    print(reader.remote, reader.counts()["trades"], reader.checksums()["trades"])
"""


@pytest.fixture(scope="module")
def attached(database: Any) -> Iterator[tuple[Any, access.Service, duckdb.DuckDBPyConnection]]:
    """A database that is served, and a plain DuckDB that has it attached as any user's would."""
    served = access.serve(database.connection, database.path)
    connection = duckdb.connect()
    access.load_quack(connection)
    connection.execute(f"ATTACH '{served.uri}' AS them (TYPE quack, TOKEN '{served.token}')")
    yield database, served, connection
    connection.close()
    access.stop(database.connection, database.path, served)


def remote(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    return connection.execute("FROM quack_query_by_name('them', ?)", [sql]).fetchall()


def test_another_process_reads_while_this_one_writes(filled: Any, elsewhere: Callable[..., str]) -> None:
    served = access.serve(filled.connection, filled.path)
    answers = []
    for id in (1, 2):
        filled.trade("binance_spot", id, id)
        answers.append(elsewhere(COUNT, filled.path).split())
    access.stop(filled.connection, filled.path, served)
    assert [answer[:2] for answer in answers] == [["True", "1"], ["True", "2"]]
    assert answers[0][2] != answers[1][2]


def test_the_service_file_is_for_its_user_alone_and_goes_with_the_service(filled: Any) -> None:
    served = access.serve(filled.connection, filled.path, simulated=True, door="http://127.0.0.1:8022")
    file = access.service_file(filled.path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = json.loads(file.read_text())
    assert (told["pid"], told["simulated"], told["door"]) == (os.getpid(), True, "http://127.0.0.1:8022")
    assert access.service(filled.path) == served and len(served.token) >= 32
    access.stop(filled.connection, filled.path, served)
    assert not file.exists() and access.service(filled.path) is None


def test_without_a_service_the_file_itself_is_read(filled: Any, elsewhere: Callable[..., str]) -> None:
    filled.trade("binance_spot", 1, 1)
    filled.connection.close()
    assert elsewhere(COUNT, filled.path).split()[:2] == ["False", "1"]


def test_a_killed_process_leaves_a_service_file_that_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "killed.duckdb"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(path)], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "serving\n"
        with access.open_reader(path) as reader:
            assert reader.remote and reader.counts()["trades"] == 1000
            process.send_signal(signal.SIGKILL)
            process.wait()
            with pytest.raises(Disconnected):
                reader.counts()
    assert access.service_file(path).exists() and access.service(path) is None
    with access.open_reader(path) as reader:
        assert not reader.remote and reader.counts()["trades"] == 1000


def test_a_token_is_needed_and_only_the_right_one_helps(
    attached: tuple[Any, access.Service, duckdb.DuckDBPyConnection],
) -> None:
    _, served, _ = attached
    with access.open_reader(served.uri, token=served.token) as reader:
        assert reader.symbols() == ["BTCUSDT", "ETHUSDT", "XRPUSDT"]
    for token in ("", "wrong" + served.token):
        with pytest.raises(StoreUnusable, match="does not answer"):
            access.open_reader(served.uri, token=token)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO gaps SELECT * FROM gaps",
        "DELETE FROM runs",
        "SELECT 1; DELETE FROM runs",
        "WITH one AS (SELECT 1) INSERT INTO about SELECT 'a', 'b'",
        "/* SELECT */ UPDATE about SET value = '2'",
        "CREATE TABLE mine (a INTEGER)",
        "DROP VIEW btcusdt_pyth_oracle_prices",
        "COPY trades TO 'stolen.csv'",
        "EXPLAIN ANALYZE DELETE FROM runs",
        "SET GLOBAL quack_authorization_function = 'quack_nop_authorization'",
        "SET threads = 1",
        "ATTACH 'other.duckdb'",
        "CALL quack_stop('quack:127.0.0.1:1')",
        "CHECKPOINT",
        "FROM read_text('/etc/hostname')",
        "SELECT (SELECT content FROM read_text('/etc/hostname'))",
        "FROM '/etc/services.csv'",
        "FROM services.csv",
        "FROM query('SELECT 1')",
        "FROM duckdb_secrets()",
        "not SQL at all",
    ],
)
def test_a_remote_statement_can_only_ask(
    attached: tuple[Any, access.Service, duckdb.DuckDBPyConnection], sql: str
) -> None:
    database, _, connection = attached
    before = database.connection.execute("SELECT view_name FROM duckdb_views()").fetchall()
    with pytest.raises(duckdb.Error, match="Authorization failed"):
        remote(connection, sql)
    assert database.connection.execute("SELECT view_name FROM duckdb_views()").fetchall() == before


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT count(*) FROM btcusdt_binance_spot_trades", [(0,)]),
        ("WITH a AS (SELECT range AS n FROM range(3)) SELECT sum(n) FROM a JOIN a b USING (n)", [(3,)]),
        ("SELECT column_name FROM (DESCRIBE runs) LIMIT 1", [("id",)]),
        ("SELECT a.value FROM about a WHERE key = 'program'", [("crypto-orderflow",)]),
        ("SELECT count(*) FROM main.trades", [(0,)]),
    ],
)
def test_a_remote_question_is_answered(
    attached: tuple[Any, access.Service, duckdb.DuckDBPyConnection], sql: str, rows: list[Any]
) -> None:
    assert remote(attached[2], sql) == rows


def test_an_attached_catalogue_shows_tables_and_series_and_takes_no_rows(
    attached: tuple[Any, access.Service, duckdb.DuckDBPyConnection],
) -> None:
    database, _, connection = attached
    database.quote("binance_spot", "BTCUSDT", 1, 100.0, 101.0)
    for name in ("prices", "btcusdt_binance_spot_prices"):
        assert connection.execute(f"SELECT bid_price FROM them.{name}").fetchall() == [(100.0,)]
    with pytest.raises(duckdb.Error, match="Authorization failed"):
        connection.execute("INSERT INTO them.about VALUES ('a', 'b')")
    database.clear()


def test_a_port_in_use_is_said(filled: Any) -> None:
    said = pytest.raises(DoorUnavailable, match="cannot be listened on")
    with socket.create_server(("127.0.0.1", 0)) as taken, said:
        access.serve(filled.connection, filled.path, port=taken.getsockname()[1])
    assert not access.service_file(filled.path).exists()


def test_what_is_no_database_of_ours_is_refused_in_one_line(tmp_path: Path) -> None:
    theirs, empty, text = (tmp_path / name for name in ("theirs.duckdb", "empty.duckdb", "notes.txt"))
    with duckdb.connect(str(theirs)) as connection:
        connection.execute("CREATE TABLE invoices (total DOUBLE)")
    duckdb.connect(str(empty)).close()
    text.write_text("notes " * 2000)
    for path, said in (
        (theirs, "another program"),
        (empty, "an empty database"),
        (text, "not a DuckDB database"),
        (tmp_path / "nowhere.duckdb", "no such database"),
        (tmp_path, "no such database"),
    ):
        with pytest.raises(StoreUnusable, match=said) as caught:
            access.open_reader(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_writer_that_does_not_serve_is_named(filled: Any, elsewhere: Callable[..., str]) -> None:
    said = elsewhere(
        "import sys\nfrom orderflow.market.errors import StoreUnusable\nfrom orderflow.store import access\n"
        "try:\n    access.open_reader(sys.argv[1])\nexcept StoreUnusable as error:\n    print(error)\n",
        filled.path,
    )
    assert f"process {os.getpid()}" in said


def test_a_symbol_can_be_added_while_a_reader_is_in_the_middle_of_an_answer(
    attached: tuple[Any, access.Service, duckdb.DuckDBPyConnection],
) -> None:
    database, _, connection = attached
    insert = "INSERT INTO trades_hot (venue, symbol, id) SELECT 'pyth', 'BTCUSDT', range FROM range(300000)"
    database.connection.execute(insert)
    half = connection.execute("FROM quack_query_by_name('them', 'SELECT id, symbol FROM trades')")
    first = half.fetchmany(10)
    tables.ensure(database.connection, [("pyth", "ADDEDUSDT")])
    rest = half.fetchall()
    assert {symbol for _, symbol in first + rest} == {"BTCUSDT"} and len(first + rest) == 300_000
    database.clear()

"""What an assistant's SQL can do to a collector that runs: nothing. And what anybody can take away beside it."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pytest

from tests.store.attempts import EXHAUSTING, REFUSED
from tests.system import promise
from tests.system.product import Collector, Product, Simulator, http_json, until

# one of each way out; the parse of all of them is judged in tests/store/test_sandbox.py
TRIED = [
    *[name for place, name in enumerate(REFUSED) if place % 4 == 0],
    "read_text", "the token's file", "databases with their tokens", "copy out", "attach", "quack_stop", "load",
    "set", "a question and a deed", "query()",
]  # fmt: skip
WORN = ["a list of all", "a long text", "as many groups", "one slow function"]


def ask(collector: Collector, statement: str) -> dict[str, Any]:
    return http_json(f"{collector.url}/tools/sql_query", json.dumps({"statement": statement}).encode())


@pytest.mark.slow
@pytest.mark.timeout(400)  # each statement is a process, and one takes all of its 20 s
def test_forty_attempts_leave_a_running_collector_as_it_was(product: Product) -> None:
    simulator = product.simulator(rate=60)
    collector = product.collector(simulator)
    until(lambda: collector.query("SELECT count(*) FROM served.trades")[0][0] > 100, "rows")
    token = json.loads((collector.db.parent / f"{collector.db.name}.quack").read_text())["token"]
    before = rows(collector)

    def tried(statement: str) -> dict[str, Any]:
        return ask(collector, statement.replace("{db}", str(collector.db)))

    statements = {name: (REFUSED | EXHAUSTING)[name] for name in (*dict.fromkeys(TRIED), *WORN)}
    assert len(statements) >= 40
    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(statements, pool.map(tried, statements.values()), strict=True))
    for name, said in answers.items():
        expected = ("too_large", "timeout") if name in WORN else ("invalid_argument",)
        assert said.get("code") in expected, (name, said)
        assert said["hint"] and "\n" not in said["message"], (name, said)
        assert token not in json.dumps(said), name

    # it answers, flushes and is healthy; no connection of anybody's is left in it; nothing was lost
    assert ask(collector, "SELECT count(*) AS n FROM trades")["rows"][0][0] > before
    counted = rows(collector)
    until(lambda: rows(collector) > counted, "further rows")
    assert collector.health()["status"] == "healthy", collector.health()["reasons"]
    assert collector.query("SELECT count(*) FROM served.gaps WHERE reason <> 'start'") == [(0,)]
    assert collector.running.stop() == 0
    series = [
        (venue, symbol) for venue in ("binance_futures", "binance_spot") for symbol in ("BTCUSDT", "ETHUSDT")
    ]
    nothing: promise.Ids = {one: set() for one in series}
    assert promise.check(collector.db, simulator, nothing, series)["missing"] == 0


def rows(collector: Collector) -> int:
    return collector.query("SELECT count(*) FROM served.trades")[0][0]


@pytest.mark.slow
@pytest.mark.timeout(300)  # a dozen commands, each a process
def test_rows_are_asked_taken_and_brought_back_beside_a_collector(product: Product) -> None:
    """The commands of docs/sql.md and docs/taking-away.md, against a collector that runs."""
    simulator: Simulator = product.simulator(rate=40)
    collector = product.collector(simulator)
    until(lambda: rows(collector) > 50, "rows")
    db = ("--db", str(collector.db))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = product.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done

    asked = json.loads(
        run("sql", "SELECT venue, count(*) AS n FROM trades GROUP BY ALL ORDER BY 1", *db, "--json").stdout
    )
    assert [one["venue"] for one in asked["rows"]] == ["binance_futures", "binance_spot"]
    table = run(
        "sql", "SELECT symbol, max(price) AS high FROM btcusdt_binance_spot_trades GROUP BY 1", *db
    ).stdout
    assert table.split()[:2] == ["symbol", "high"] and "BTCUSDT" in table
    run("sql", "SELECT timestamp, price FROM trades", *db, "--limit", "20", "-o", "rows.parquet")
    assert duckdb.execute(
        "SELECT count(*) FROM read_parquet(?)", [str(product.folder / "rows.parquet")]
    ).fetchone() == (20,)
    refused = product.run("sql", "DELETE FROM runs", *db)
    assert refused.returncode == 1 and refused.stderr.splitlines()[1].startswith("Hint: ")

    taken = json.loads(
        run("export", "trades", "prices", "--symbols", "BTCUSDT", "-o", "taken", *db, "--json").stdout
    )
    assert taken["simulated"] and taken["rows"] > 0 and taken["files"] == 4
    brought = json.loads(run("import", "taken", "--db", "copy.duckdb", "--json").stdout)
    assert sum(brought["written"].values()) >= taken["rows"]
    again = json.loads(run("import", "taken", "--db", "copy.duckdb", "--json").stdout)
    assert (again["written"], again["gaps"]) == ({}, 0)
    assert json.loads(
        run("sql", "SELECT DISTINCT source FROM trades", "--db", "copy.duckdb", "--json").stdout
    )["rows"] == [{"source": "simulated"}]
    busy = product.run("import", "taken", *db)
    assert busy.returncode == 1 and "open for writing" in busy.stderr

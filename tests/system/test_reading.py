"""Others read while the collector writes, each door gives the same answer, and all of it says simulated."""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pytest
from mcp import Client, StdioServerParameters

from tests.system.product import ROOT, Collector, Product, Simulator, attach, environment, http_json, until

SERIES = 4  # two symbols on two venues: what is read, and by whom, is the same with more


class House:
    """A simulator, a collector and the folder in which they were started."""

    def __init__(self, simulator: Simulator, collector: Collector, product: Product) -> None:
        self.simulator, self.collector, self.product = simulator, collector, product


@pytest.fixture(scope="module")
def house(shared_product: Product) -> House:
    simulator = shared_product.simulator(rate=40)
    db = shared_product.folder / "data" / "demo.duckdb"  # where the README looks
    collector = shared_product.collector(simulator, db=db)
    for table in ("trades", "prices", "orderbooks"):
        sql = f"SELECT count(DISTINCT venue || symbol) FROM served.{table}"
        until(lambda sql=sql: collector.query(sql)[0][0] == SERIES, "rows of every series")
    return House(simulator, collector, shared_product)


def test_the_readme_s_lines_count_rows_beside_a_running_collector(house: House) -> None:
    readme = (ROOT / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=house.product.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\('binance_spot', [1-9]\d*\)", done.stdout), done.stdout


def test_counts_grow_again_and_again_without_an_error(house: House) -> None:
    tables = ("trades", "prices", "orderbooks")
    seen: dict[str, list[int]] = {table: [] for table in tables}
    with attach(house.collector.db) as connection:
        until_then = time.monotonic() + 3.0
        while time.monotonic() < until_then or any(len(set(counts)) < 4 for counts in seen.values()):
            assert time.monotonic() < until_then + 60, f"counts stand still: {seen}"
            for table in tables:
                ((rows,),) = connection.execute(f"SELECT count(*) FROM served.{table}").fetchall()
                seen[table].append(rows)
    for table, counts in seen.items():
        assert counts == sorted(counts), table
    assert house.collector.health()["status"] == "healthy"


def test_several_readers_at_once_disturb_nobody(house: House) -> None:
    readers = [attach(house.collector.db) for _ in range(5)]
    try:
        before = [one.execute("SELECT count(*) FROM served.trades").fetchall()[0][0] for one in readers]
        sql = "SELECT count(*) FROM served.trades"
        until(lambda: all(one.execute(sql).fetchall()[0][0] > max(before) for one in readers), "all see more")
    finally:
        for one in readers:
            one.close()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO served.gaps SELECT * FROM served.gaps",
        "DELETE FROM served.trades",
        "UPDATE served.about SET value = '2'",
        "CREATE TABLE served.mine (a INTEGER)",
        "DROP TABLE served.trades",
    ],
)
def test_writing_through_the_reading_door_is_refused(house: House, sql: str) -> None:
    with attach(house.collector.db) as connection:
        ((before,),) = connection.execute("SELECT count(*) FROM served.trades").fetchall()
        with pytest.raises(duckdb.Error):
            connection.execute(sql).fetchall()
        ((after,),) = connection.execute("SELECT count(*) FROM served.trades").fetchall()
    assert after >= before > 0


def test_the_file_itself_stays_closed_to_a_second_writer(house: House) -> None:
    with pytest.raises(duckdb.IOException, match="lock"):
        duckdb.connect(str(house.collector.db))


# ── One answer behind every door ──────────────────────────────────────────────────────────────


def of_cli(house: House, name: str, **arguments: Any) -> dict[str, Any]:
    words = [f"{key}={value}" for key, value in arguments.items()]
    done = house.product.run("call", name, *words, "--db", str(house.collector.db), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def of_http(house: House, name: str, **arguments: Any) -> dict[str, Any]:
    return http_json(f"{house.collector.url}/tools/{name}?format=json", json.dumps(arguments).encode())


def of_mcp(house: House, name: str, **arguments: Any) -> dict[str, Any]:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "orderflow", "mcp", "--db", str(house.collector.db)],
        env=environment(),
    )

    async def ask() -> dict[str, Any]:
        async with asyncio.timeout(60), Client(server) as client:
            found = await client.call_tool(name, arguments)
            assert not found.is_error, found
            assert found.structured_content is not None
            return found.structured_content

    return asyncio.run(ask())


def without_time(answer: Any, columns: tuple[str, ...] = ()) -> Any:
    """Leave out what grows while one asks: ages, and the instant of the answer."""
    if isinstance(answer, dict):
        if isinstance(answer.get("columns"), list) and isinstance(answer.get("rows"), list):
            kept = [place for place, name in enumerate(answer["columns"]) if not _of_time(name)]
            answer = {**answer, "rows": [[row[place] for place in kept] for row in answer["rows"]]}
        return {name: without_time(value) for name, value in answer.items() if not _of_time(name)}
    if isinstance(answer, list):
        return [without_time(one) for one in answer]
    return answer


def different(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Name the parts of two answers that differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _of_time(name: str) -> bool:
    return name in ("as_of", "window", "uptime_s") or "age" in name.split("_")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_crypto_prices", {"symbol": "BTCUSDT"}),
        ("xv_prices", {"symbol": "ETHUSDT"}),
        ("xv_spreads", {"symbol": "ETHUSDT", "max_age_ms": 3_600_000}),
        ("compare_exchange_prices", {"symbol": "BTCUSDT"}),
        ("find_tools", {"query": "spread"}),
    ],
)
def test_the_same_question_has_the_same_answer_behind_every_door(
    house: House, name: str, arguments: dict[str, Any]
) -> None:
    quiet = [
        house.simulator.fault("silence", venue, stream="*", seconds=15)
        for venue in house.simulator.said["hosts"]
    ]

    def at_rest() -> list[dict[str, Any]] | None:
        """Ask every door, and the first again at the end: what was under way may still have arrived between."""
        doors = (of_http, of_cli, of_mcp, of_http)
        answers = [without_time(door(house, name, **arguments)) for door in doors]
        return answers if answers[0] == answers[-1] else None

    http, cli, mcp, _ = until(at_rest, "the market stands still")
    assert not any(house.simulator.told(one)["over"] for one in quiet), (
        "the doors took longer than the silence"
    )
    assert http["rows"]
    assert cli == http
    assert mcp == http


def test_a_picture_is_the_same_behind_every_door(house: House) -> None:
    end = time.time_ns() // 1_000_000
    arguments = {"symbol": "BTCUSDT", "since": f"{end - 300_000}", "until": f"{end}", "bar": "5s"}

    def at_rest() -> list[dict[str, Any]] | None:
        if time.time_ns() // 1_000_000 < end + 8_000:
            return None  # late rows, and gaps that are noticed late, are still to come
        doors = (of_http, of_cli, of_mcp, of_http)
        answers = [without_time(door(house, "chart_cvd", **arguments)) for door in doors]
        return answers if answers[0] == answers[-1] else None

    http, cli, mcp, _ = until(at_rest, "the window is written")
    assert http["rows"] and http["picture"]["alt"].endswith("simulated.")
    assert different(http, cli) == [] == different(http, mcp)
    file = house.product.folder / "cvd.png"
    words = [f"{key}={value}" for key, value in arguments.items()]
    done = house.product.run("call", "chart_cvd", *words, "--db", str(house.collector.db), "--png", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    with urllib.request.urlopen(house.collector.url + http["picture"]["href"], timeout=60) as answer:
        assert answer.headers["Content-Type"] == "image/png"
        drawn = answer.read()
    # told by a digest: what pytest would say of two files that differ takes minutes to make
    assert sha256(drawn).hexdigest() == sha256(file.read_bytes()).hexdigest()
    assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


# ── Simulated says so ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["text", "json", "xml"])
def test_every_form_of_an_answer_says_that_it_is_simulated(house: House, form: str) -> None:
    done = house.product.run(
        "call", "get_crypto_prices", "symbol=BTCUSDT", "--db", str(house.collector.db), "--format", form
    )
    assert done.returncode == 0, done.stderr
    assert "binance_futures" in done.stdout and "binance_spot" in done.stdout
    assert "simulated" in done.stdout.lower()
    if form == "json":
        assert json.loads(done.stdout)["meta"]["source"] == "simulated"


def test_health_runs_and_every_row_say_simulated(house: House) -> None:
    health = house.collector.health()
    assert health["kind"] == "simulated" and health["simulated"] is True
    assert house.collector.said["kind"] == "simulated"
    assert house.collector.query("SELECT DISTINCT kind FROM served.runs") == [("simulated",)]
    filled = [name for name, rows in health["store"]["tables"].items() if rows]
    assert {"trades", "prices", "orderbooks", "candles"} <= set(filled)
    for table in filled:
        assert house.collector.query(f"SELECT DISTINCT source FROM served.{table}") == [("simulated",)], table


def test_without_a_collector_the_stored_answer_says_simulated_too(product: Product) -> None:
    simulator = product.simulator()
    collector = product.collector(simulator)
    sql = "SELECT count(DISTINCT venue) FROM served.prices WHERE symbol = 'BTCUSDT'"
    until(lambda: collector.query(sql)[0][0] == 2, "quotes of both venues")
    assert collector.running.stop() == 0, collector.running.stderr
    done = product.run("call", "get_crypto_prices", "symbol=BTCUSDT", "--db", str(collector.db), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["meta"]["source"] == "simulated"
    assert Path(f"{collector.db}.quack").exists() is False

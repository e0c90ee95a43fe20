"""Several collectors and readers on one lake, with a real PostgreSQL: one dies, its share is taken over."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from orderflow.store import access, lake
from tests.store.lakes import a_lake
from tests.system.product import ROOT, TWO_VENUES, Product, Running, Simulator, until
from tests.system.promise import unexplained

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
VENUES = TWO_VENUES.split(",")
RATE = 20.0  # trades a second, symbol and venue
KEYS = {
    "trades": "trade_id",
    "prices": "sequence",
    "orderbooks": "timestamp, sequence",
    "mark_prices": "timestamp",
    "candles": "interval, open_time",
    "instruments": "native",
}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with a_lake(tmp_path) as found:
        yield found
        reading(found).close()


def started(product: Product, simulator: Simulator, address: str, name: str, *more: str) -> Running:
    """Start a collector of the lake, with a folder of its own for what stays on its machine."""
    return product.start(
        "orderflow", "up", "--store", address, "--simulator", simulator.url, "--venues", TWO_VENUES,
        "--symbols", ",".join(SYMBOLS), "--port", "0", "--json", *more,
        ORDERFLOW_STATE=str(product.folder / name / "lake"), FLUSH_INTERVAL="0.5", ORDERFLOW_BACKFILL="false",
    )  # fmt: skip


class Reading(threading.Thread):
    """A reader that asks again and again; what goes wrong with it is kept."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.reader, self.asked, self.failed = access.open_reader(address), 0, list[str]()
        self._over = threading.Event()

    def run(self) -> None:
        before = 0
        while not self._over.wait(0.2):
            rows = self.reader.counts()["trades"]
            if rows < before:
                self.failed.append(f"{rows} trades after {before}")
            before, self.asked = rows, self.asked + 1
            if rows and not self.reader.quotes("BTCUSDT"):
                self.failed.append("no quote of BTCUSDT")

    def stop(self) -> None:
        self._over.set()
        self.join()
        self.reader.close()


@cache
def reading(address: str) -> duckdb.DuckDBPyConnection:
    return lake.open_to_read(lake.parse(address))


def query(address: str, sql: str) -> list[tuple[Any, ...]]:
    with reading(address).cursor() as cursor:
        return cursor.execute(sql).fetchall()


def trades_since(address: str, symbols: tuple[str, ...], us: int) -> bool:
    """Tell whether each of these symbols has trades on each venue that were received since."""
    found = query(
        address,
        f"SELECT count(DISTINCT (venue, symbol)) FROM trades WHERE symbol IN {symbols} AND epoch_us(received) > {us}",
    )
    return found[0][0] == len(symbols) * len(VENUES)


def now_us() -> int:
    return time.time_ns() // 1000


def checked(address: str, simulator: Simulator) -> dict[str, int]:
    """Check that no row is there twice, and that each trade that is missing lies in a gap."""
    for table, key in KEYS.items():
        doubled = query(
            address, f"SELECT venue, symbol, {key} FROM {table} GROUP BY ALL HAVING count(*) > 1 LIMIT 3"
        )
        assert not doubled, f"{table}: {doubled}"
    twice = query(address, "SELECT venue, symbol, id FROM trades GROUP BY ALL HAVING count(*) > 1 LIMIT 3")
    assert not twice, f"ids: {twice}"
    counted = {"stored": 0, "missing": 0}
    for venue in VENUES:
        for symbol in SYMBOLS:
            where = f"venue = '{venue}' AND symbol = '{symbol}'"
            there = {int(id) for (id,) in query(address, f"SELECT trade_id FROM trades WHERE {where}")}
            ledger = [
                row for row in simulator.rows(venue, symbol, from_id=min(there)) if row["id"] <= max(there)
            ]
            missing = [row for row in ledger if row["id"] not in there]
            gaps = query(
                address,
                'SELECT epoch_ms("from"), epoch_ms("until"), reason FROM gaps'
                f" WHERE stream = 'trades' AND {where}",
            )
            silent = unexplained(missing, gaps)  # type: ignore[arg-type]
            assert not silent, f"{venue} {symbol}: missing, and no gap says so: {silent[:3]}; gaps: {gaps}"
            assert all(end is None or since <= end for since, end, _ in gaps), gaps
            counted["stored"] += len(there)
            counted["missing"] += len(missing)
    return counted


@pytest.mark.slow
def test_the_share_of_a_paused_and_of_a_dead_collector_is_taken_over_and_every_row_is_there_once(
    address: str, product: Product
) -> None:
    simulator = product.simulator(",".join(SYMBOLS), RATE)
    other = started(product, simulator, address, "other", "--shard", "2/2")
    second = other.ready()
    one = started(product, simulator, address, "one", "--shards", "2")
    first = one.ready()
    assert (first["share"]["number"], second["share"]["number"]) == (1, 2)
    mine, theirs = tuple(first["share"]["symbols"]), tuple(second["share"]["symbols"])
    assert sorted(mine + theirs) == sorted(SYMBOLS)
    since = now_us()
    until(lambda: trades_since(address, SYMBOLS, since), "trades of all symbols")
    readers = [Reading(address), Reading(address)]
    for reader in readers:
        reader.start()
    # Paused for longer than a holder may be silent: its share is taken; woken, it writes nothing of it.
    other.process.send_signal(signal.SIGSTOP)
    third = one.ready()
    assert third["share"]["symbols"] == list(theirs) and third["share"]["epoch"] > second["share"]["epoch"]
    other.process.send_signal(signal.SIGCONT)
    until(lambda: "another collector" in other.stderr, "that it has lost its share is told")
    since = now_us()
    until(lambda: trades_since(address, SYMBOLS, since), "trades of all symbols")
    # Killed: the share is taken at once, by the one that waits and has a journal of it.
    os.kill(third["pid"], signal.SIGKILL)
    fourth = other.ready()
    assert fourth["share"]["symbols"] == list(theirs) and fourth["share"]["epoch"] > third["share"]["epoch"]
    since = now_us()
    until(lambda: trades_since(address, SYMBOLS, since), "trades of all symbols again")
    for reader in readers:
        reader.stop()
        assert reader.asked > 5 and not reader.failed, reader.failed
    assert other.stop() == 0, other.stderr
    assert one.stop() == 0, one.stderr
    counted = checked(address, simulator)
    assert counted["missing"] > 0, counted
    why = query(address, f"SELECT DISTINCT reason FROM gaps WHERE symbol IN {theirs} AND stream = 'trades'")
    assert any("no collector was running" in reason for (reason,) in why), why
    assert not query(address, f"FROM gaps WHERE symbol IN {mine} AND reason LIKE '%no collector%'")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_dead_nodes_collectors_come_up_on_another(address: str, product: Product, nodes: "Cluster") -> None:
    simulator = product.simulator(",".join(SYMBOLS), RATE)
    up = started(product, simulator, address, "nodes", "--shards", "2", "--ray", nodes.address)
    ready = [up.ready(), up.ready()]
    assert {one["share"]["number"] for one in ready} == {1, 2}
    since = now_us()
    until(lambda: trades_since(address, SYMBOLS, since), "trades of all symbols")
    second = next(node for node in nodes.list_all_nodes() if not node.is_head())
    raylet = second.all_processes["raylet"][0].process.pid
    died = [one for one in ready if one["pid"] in descendants(raylet)]
    assert len(died) == 1, "each node has a collector"
    for pid in [raylet, *descendants(raylet)]:
        os.kill(pid, signal.SIGKILL)
    again = up.ready()
    while again.get("ready") is None:  # that it had ended may have been told before
        again = up.ready()
    assert again["share"]["number"] == died[0]["share"]["number"]
    begun = now_us()
    until(lambda: trades_since(address, SYMBOLS, begun), "trades of all symbols again")
    assert up.stop() == 0, up.stderr
    counted = checked(address, simulator)
    assert counted["missing"] > 0, counted
    names = tuple(died[0]["share"]["symbols"])
    gaps = query(address, f"SELECT DISTINCT symbol FROM gaps WHERE stream = 'trades' AND symbol IN {names}")
    assert {symbol for (symbol,) in gaps} == set(names)


def descendants(pid: int) -> list[int]:
    """Return the processes that this one has started, and those that they have."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator["Cluster"]:
    """A Ray cluster of two nodes on this machine, that tells nobody about itself."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 2, "object_store_memory": 80 << 20}
    notice = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 1000,
        "health_check_failure_threshold": 3,
    }
    head = {**small, "include_dashboard": False, "_system_config": notice}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(**small)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()

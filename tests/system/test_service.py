"""A collector left alone: steered from outside, stopped at any moment, watched by systemd, poisoned, full."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orderflow import venues
from orderflow.jobs.collect import Collector as Collecting
from orderflow.jobs.health import of_collector
from orderflow.jobs.plan import Plan
from orderflow.sim import Simulation
from orderflow.venues.spec import Hosts, Venue
from tests.system.product import Collector, Product, Simulator, read, until
from tests.system.promise import check, journaled

FUTURES, SPOT = "binance_futures", "binance_spot"
FOUR = "binance_futures,binance_spot,gate_futures,bybit_futures"


def states(collector: Collector) -> dict[str, Any]:
    return collector.health()["venues"]


def well(collector: Collector) -> bool:
    return collector.health()["status"] == "healthy"


# ── Steering ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_feeds_are_listed_started_stopped_and_set_by_commands(product: Product) -> None:
    simulator = product.simulator(venues=FOUR)
    collector = product.collector(simulator)
    until(lambda: well(collector), "both are well")
    db = ("--db", str(collector.db))
    done = product.run("feeds", "stop", "binance", *db)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("binance_futures stopped\n(lasts until the next start")
    assert list(states(collector)) == [SPOT]
    done = product.run("feeds", "start", "gateio", *db, "--json")
    assert msgspec.json.decode(done.stdout)["changed"] == ["gate_futures started"]
    done = product.run("feeds", "set", "--symbols", "ethusdt", "--streams", "trades,prices", *db)
    assert "symbols left out: BTCUSDT" in done.stdout
    until(lambda: states(collector)["gate_futures"]["connected"], "the new one is connected")
    rows = "SELECT count(*) FROM served.trades WHERE venue = 'gate_futures' AND symbol = 'ETHUSDT'"
    until(lambda: collector.query(rows)[0][0], "and has trades")
    shown = product.run("feeds", "list", *db).stdout
    assert "gate_futures           running" in shown and "binance_futures        not collected" in shown
    assert "symbols: ETHUSDT\nstreams: trades, prices" in shown.replace("prices, trades", "trades, prices")
    for words, said in (
        (("start", "nyse"), "unknown venue 'nyse'"),
        (("set", "--symbols", "no symbol"), "cannot be a symbol"),
        (("set",), "nothing to set"),
    ):
        done = product.run("feeds", *words, *db)
        assert (done.returncode, done.stdout) == (1, ""), done
        told, *hint = done.stderr.splitlines()
        assert said in told and len(hint) <= 1
    assert collector.running.stop() == 0, collector.running.stderr
    done = product.run("feeds", "list", *db)
    assert done.returncode == 1 and "no collector runs" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_settings_are_read_again_on_a_hangup(product: Product) -> None:
    simulator = product.simulator(venues=FOUR)
    path = product.folder / "orderflow.toml"
    path.write_text('venues = ["binance_spot"]\n')
    collector = product.collector(simulator, symbols="BTCUSDT", venues=None)
    until(lambda: well(collector), "it is well")
    before = collector.health()
    assert list(before["venues"]) == [SPOT]
    path.write_text('venues = ["binance_spot", "bybit"]\nport = 1\n')
    collector.running.process.send_signal(signal.SIGHUP)
    until(lambda: list(states(collector)) == [SPOT, "bybit_futures"], "one more")
    until(
        lambda: "the settings were read again: bybit_futures started" in collector.running.stderr, "the log"
    )
    assert states(collector)[SPOT]["reconnects"] == 0
    for wrong in ('venues = ["nyse"]', "venues = [", 'book_interval = "often"', 'streams = ["gossip"]'):
        count = collector.running.stderr.count("not taken up")
        path.write_text(wrong)
        collector.running.process.send_signal(signal.SIGHUP)
        until(lambda count=count: collector.running.stderr.count("not taken up") == count + 1, wrong)
        assert list(states(collector)) == [SPOT, "bybit_futures"]
    assert "Traceback" not in collector.running.stderr
    path.write_text('venues = ["bybit"]\n')
    collector.running.process.send_signal(signal.SIGHUP)
    until(lambda: list(states(collector)) == ["bybit_futures"], "the first is left")
    assert collector.running.stop() == 0, collector.running.stderr
    again = product.collector(simulator, symbols="BTCUSDT", venues=None)
    assert list(states(again)) == ["bybit_futures"], "the settings say what is collected after a start"


def test_pairs_that_a_venue_does_not_list_are_told_once_and_the_others_go_on(product: Product) -> None:
    collector = product.collector(
        product.simulator(venues=FOUR), symbols="BTCUSDT,NOPEUSDT", venues="binance_spot,gateio"
    )
    until(lambda: all(one["connected"] for one in states(collector).values()), "both are connected")
    until(lambda: all(one["not_listed"] == ["NOPEUSDT"] for one in states(collector).values()), "known")
    until(
        lambda: collector.query("SELECT count(DISTINCT venue) FROM served.trades")[0][0] == 2, "rows of both"
    )
    assert collector.running.stop() == 0
    for name in (SPOT, "gate_futures"):
        assert collector.running.stderr.count(f"{name} does not list NOPEUSDT as trading") == 1


# ── Stopping ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "more"),
    [("refuse", {"seconds": 600}), ("answer", {"path": "*", "status": 503, "count": 10_000})],
    ids=["while it connects", "while a listing is awaited"],
)
def test_a_stop_is_clean_while_nothing_works_yet(product: Product, fault: str, more: dict[str, Any]) -> None:
    simulator = product.simulator()
    simulator.fault(fault, FUTURES, **more)
    simulator.fault(fault, SPOT, **more)
    collector = product.collector(simulator)
    assert collector.running.stop() == 0, collector.running.stderr
    assert "Traceback" not in collector.running.stderr
    assert read(collector.db, "SELECT count(*), count(ended) FROM runs") == [(1, 1)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_stop_while_much_waits_leaves_the_rest_in_the_journal_and_loses_nothing(product: Product) -> None:
    """Rows are let through so slowly that frames wait; the time to stop is none."""
    simulator: Simulator = product.simulator(rate=200)
    slow = {"ORDERFLOW_WAITING_ROWS": "1000", "FLUSH_INTERVAL": "2", "ORDERFLOW_STOP_WITHIN": "0"}
    collector = product.collector(simulator, **slow)
    until(lambda: collector.health()["backlog"]["frames"] > 500, "a backlog")
    assert collector.running.stop() == 0, collector.running.stderr
    assert "the next start does" in collector.running.stderr
    received = journaled(collector.db)
    assert sum(map(len, received.values())) > 100
    series = [(venue, symbol) for venue in (FUTURES, SPOT) for symbol in ("BTCUSDT", "ETHUSDT")]
    again = product.collector(simulator)
    ((run,),) = again.query("SELECT max(id) FROM served.runs")
    sql = f"SELECT count(DISTINCT venue || symbol) FROM served.trades WHERE run = {run}"
    until(lambda: again.query(sql)[0][0] == len(series), "it collects again")
    assert again.running.stop() == 0, again.running.stderr
    assert check(again.db, simulator, received, series)["received"] > 100


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_second_signal_ends_it_at_once_and_loses_nothing(product: Product) -> None:
    simulator: Simulator = product.simulator(rate=200)
    collector = product.collector(simulator, FLUSH_INTERVAL="60")
    until(lambda: collector.health()["frames"] > 5_000, "frames in the journal alone")
    process = collector.running.process
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) in (0, -signal.SIGINT, -signal.SIGTERM)
    received = journaled(collector.db)
    again = product.collector(simulator)
    series = [(venue, symbol) for venue in (FUTURES, SPOT) for symbol in ("BTCUSDT", "ETHUSDT")]
    ((run,),) = again.query("SELECT max(id) FROM served.runs")
    sql = f"SELECT count(DISTINCT venue || symbol) FROM served.trades WHERE run = {run}"
    until(lambda: again.query(sql)[0][0] == len(series), "it collects again")
    assert again.running.stop() == 0, again.running.stderr
    check(again.db, simulator, received, series)


# ── systemd ───────────────────────────────────────────────────────────────────────────────────


class Systemd:
    """The socket on which a service manager is told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        while True:
            try:
                self.said += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.said

    def close(self) -> None:
        self._socket.close()


def test_systemd_is_told_when_it_is_ready_alive_reloading_and_stopping(product: Product) -> None:
    systemd = Systemd(product.folder / "n")
    try:
        simulator = product.simulator()
        telling = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "600000"}
        collector = product.starting(simulator, **telling)
        collector.ready()
        until(lambda: "READY=1" in systemd.heard(), "ready")
        count = systemd.heard().count("WATCHDOG=1")
        until(lambda: systemd.heard().count("WATCHDOG=1") > count + 3, "signs of life")
        collector.running.process.send_signal(signal.SIGHUP)
        until(lambda: systemd.heard().count("READY=1") == 2, "ready again")
        assert "RELOADING=1" in systemd.said and any(
            one.startswith("MONOTONIC_USEC=") for one in systemd.said
        )
        # a process that hangs says nothing: then systemd ends it and starts another
        collector.running.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        count = systemd.heard().count("WATCHDOG=1")
        time.sleep(1.0)
        assert systemd.heard().count("WATCHDOG=1") == count
        collector.running.process.send_signal(signal.SIGCONT)
        until(lambda: systemd.heard().count("WATCHDOG=1") > count, "alive again")
        assert collector.running.stop() == 0, collector.running.stderr
        assert "STOPPING=1" in systemd.heard()
    finally:
        systemd.close()


def test_a_watchdog_of_another_process_is_not_answered(product: Product) -> None:
    systemd = Systemd(product.folder / "n")
    try:
        telling = {
            "NOTIFY_SOCKET": str(systemd.path),
            "WATCHDOG_USEC": "100000",
            "WATCHDOG_PID": str(os.getpid()),
        }
        collector = product.collector(product.simulator(), **telling)
        until(lambda: "READY=1" in systemd.heard(), "ready")
        until(lambda: well(collector), "it works")
        assert "WATCHDOG=1" not in systemd.heard()
    finally:
        systemd.close()


# ── A poisoned decoder ────────────────────────────────────────────────────────────────────────


def poisoned(venue: Venue, times: int) -> tuple[Venue, list[int]]:
    """Return a form whose decoder of the listing fails by a mistake of ours, and of every 50th frame."""
    listings, frames = [0], [0]

    def listing(*arguments: Any) -> Any:
        listings[0] += 1
        if listings[0] <= times:
            raise TypeError("a mistake of ours")
        return venue.endpoint(str(venue.listing)).decode(*arguments)

    def decode(*arguments: Any) -> Any:
        frames[0] += 1
        if frames[0] % 50 == 0:
            raise KeyError("another mistake of ours")
        return venue.decode(*arguments)

    endpoints = tuple(
        msgspec.structs.replace(one, decode=listing) if one.name == venue.listing else one
        for one in venue.endpoints
    )
    return msgspec.structs.replace(venue, endpoints=endpoints, decode=decode), listings


def test_a_feed_with_a_poisoned_decoder_begins_again_and_no_other_notices(tmp_path: Path) -> None:
    async def story() -> None:
        form, listings = poisoned(venues.ALL[SPOT], 2)
        forms = {FUTURES: venues.ALL[FUTURES], SPOT: form}
        simulation = Simulation(("BTCUSDT",), venues=list(forms), rate=30)
        await simulation.start()
        hosts = {name: Hosts(**simulation.hosts(name)) for name in forms}
        plan = Plan(
            db=tmp_path / "m.duckdb",
            venues=forms,
            symbols=("BTCUSDT",),
            kind="simulated",
            hosts=hosts,
            flush_interval_s=0.1,
        )
        stop = asyncio.Event()
        collecting = await asyncio.to_thread(Collecting, plan)
        running = asyncio.ensure_future(collecting.run(stop))
        try:
            async with asyncio.timeout(60):
                while of_collector(collecting)["venues"][SPOT]["restarts"] < 2:
                    await asyncio.sleep(0.02)
                while of_collector(collecting)["venues"][SPOT]["unreadable_frames"] < 3:
                    await asyncio.sleep(0.02)
                while not collecting.live.recent_trades("BTCUSDT", SPOT):
                    await asyncio.sleep(0.02)
            said = of_collector(collecting)["venues"]
            assert listings[0] > 2 and said[SPOT]["restarts"] == 2
            assert said[FUTURES]["restarts"] == said[FUTURES]["unreadable_frames"] == 0
            assert not running.done()
        finally:
            stop.set()
            await running
            await simulation.stop()
        # the frames that could not be read are in no journal that a next start would choke on
        again = await asyncio.to_thread(Collecting, plan)
        ended = asyncio.Event()
        ended.set()
        await again.run(ended)

    asyncio.run(story())

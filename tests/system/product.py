"""The product as its users meet it: commands, a simulator, a collector and a database, each a process or a file."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import duckdb

ROOT = Path(__file__).parents[2]
TWO_VENUES = "binance_futures,binance_spot"  # what a test hears that is not about every venue
PATIENCE_S = 60.0  # for what takes a second or two on an idle machine

T = TypeVar("T")


def until(found: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Ask again and again until the answer is true, and return it; fail with the last one after a while."""
    deadline = time.monotonic() + patience_s
    while True:
        last = found()
        if last:
            return last
        assert time.monotonic() < deadline, f"{what}: not within {patience_s:g} s"
        time.sleep(0.05)


def environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of the product, and with its code to be found."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ORDERFLOW_")
        and name not in ("SYMBOLS", "FLUSH_INTERVAL", "BOOK_INTERVAL", "LOG_LEVEL")
    }
    return {**kept, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1", **more}


class Running:
    """A process of ours that says one JSON line when it is ready; its stderr goes to a file."""

    def __init__(self, arguments: Sequence[str], folder: Path, env: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"stderr.{time.monotonic_ns()}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=env,
                cwd=folder,
                text=True,
            )

    def ready(self) -> dict[str, Any]:
        """Wait for its first line and return what it says; fails with its stderr if it ends instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended with {self.process.wait()}: {self.stderr}"
        return json.loads(line)

    @property
    def stderr(self) -> str:
        return self.log.read_text(errors="replace")

    def unread(self) -> str:
        """Return what a process that has ended had said and nobody read."""
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, wait, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Simulator:
    """A simulator in a process of its own, and its desk."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.said = running.ready()
        self.url = f"http://127.0.0.1:{self.said['port']}"

    def fault(self, kind: str, venue: str, **more: Any) -> dict[str, Any]:
        """Tell it what to do wrong."""
        body = json.dumps({"kind": kind, "venue": venue, **more}).encode()
        return http_json(f"{self.url}/sim/faults", body)

    def told(self, fault: dict[str, Any]) -> dict[str, Any]:
        """Return how a fault stands: `done` counts what it hit."""
        return next(one for one in http_json(f"{self.url}/sim/faults") if one["id"] == fault["id"])

    def rows(
        self, venue: str, symbol: str, stream: str = "aggTrade", from_id: int = 0
    ) -> list[dict[str, Any]]:
        """Return the trades that it has made, by id."""
        asked = f"{self.url}/sim/ledger/rows?venue={venue}&symbol={symbol}&stream={stream}"
        found: list[dict[str, Any]] = []
        while part := http_json(f"{asked}&from_id={from_id}&limit=50000"):
            found += part
            from_id = part[-1]["id"] + 1
            if len(part) < 50_000:
                break
        return found


class Collector:
    """A collector in a process of its own."""

    def __init__(self, running: Running, db: Path) -> None:
        self.running, self.db = running, db
        self.said: dict[str, Any] = {}

    def ready(self) -> "Collector":
        self.said = self.running.ready()
        return self

    @property
    def url(self) -> str:
        return self.said["http"]

    def health(self) -> dict[str, Any]:
        return http_json(f"{self.url}/health")

    def venue(self, name: str) -> dict[str, Any]:
        return self.health()["venues"][name]

    def attached(self) -> duckdb.DuckDBPyConnection:
        """Attach as the README shows, with nothing of ours but the address."""
        return attach(self.db)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask its database through Quack; `served` is the catalogue."""
        connection = self.attached()
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


def attach(db: Path) -> duckdb.DuckDBPyConnection:
    """Attach a database that a collector serves, as the README shows."""
    from importlib.resources import files

    told = json.loads(Path(f"{db}.quack").read_text())
    connection = duckdb.connect()
    for name in ("httpfs", "quack"):
        wheel = files(f"duckdb_extension_{name}") / "extensions" / f"v{duckdb.__version__}"
        connection.execute(f"LOAD '{wheel / f'{name}.duckdb_extension'}'")
    connection.execute(f"ATTACH '{told['uri']}' AS served (TYPE quack, TOKEN '{told['token']}')")
    return connection


def read(db: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask a database that no collector has open."""
    connection = duckdb.connect(str(db), read_only=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def http_json(url: str, body: bytes | None = None) -> Any:
    """Ask an address and return its JSON, whatever the status."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"} if body else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        return json.load(error)


class Product:
    """Starts processes in a folder, and ends every one of them when the test is over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Running] = []

    def start(self, *arguments: str, **env: str) -> Running:
        one = Running(arguments, self.folder, environment(**env))
        self._started.append(one)
        return one

    def simulator(
        self,
        symbols: str = "BTCUSDT,ETHUSDT",
        rate: float = 40,
        seed: int = 7,
        venues: str = TWO_VENUES,
    ) -> Simulator:
        asked = ("--port", "0", "--symbols", symbols, "--rate", str(rate), "--seed", str(seed))
        return Simulator(self.start("orderflow.sim", *asked, "--venues", venues))

    def starting(
        self,
        simulator: Simulator,
        *more: str,
        db: Path | None = None,
        symbols: str = "BTCUSDT,ETHUSDT",
        venues: str | None = TWO_VENUES,
        **env: str,
    ) -> Collector:
        """Start a collector and do not wait for it; with `venues` None its settings choose them."""
        chosen = () if venues is None else ("--venues", venues)
        path = db or self.folder / "market.duckdb"
        running = self.start(
            "orderflow", "up", "--simulator", simulator.url, "--db", str(path), "--port", "0",
            "--symbols", symbols, *chosen, "--json", *more, **{"FLUSH_INTERVAL": "0.2", "ORDERFLOW_BACKFILL": "false", **env},
        )  # fmt: skip
        return Collector(running, path)

    def collector(self, simulator: Simulator, *more: str, **rest: Any) -> Collector:
        """Start a collector and wait until it says that it is ready."""
        return self.starting(simulator, *more, **rest).ready()

    def run(
        self, *arguments: str, preexec: Callable[[], None] | None = None, timeout: float = 120, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "orderflow", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(**env),
            cwd=self.folder,
            preexec_fn=preexec,
            stdin=subprocess.DEVNULL,
        )

    def close(self) -> None:
        for one in reversed(self._started):
            one.close()

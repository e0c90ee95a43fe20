"""Bad input, a bad place or no room: one clear line, an exit code that is not 0, and nothing lost."""

import ctypes
import gzip
import json
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from tests.system.product import TWO_VENUES, Product, Simulator, read, until
from tests.system.promise import check, journaled

NOBODY = 65534


def told(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """One clear line on stderr, and at most a hint beside it; the exit code says that it failed."""
    assert done.returncode not in (0, None), done.stdout
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("event=")]
    assert 1 <= len(lines) <= 2, done.stderr
    assert len(lines) == 1 or lines[1].startswith("Hint: "), done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def told_json(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """One JSON object with `error` on stdout."""
    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] and error["message"]
    for word in words:
        assert word in json.dumps(error), error


def both(product: Product, *arguments: str, words: tuple[str, ...] = ()) -> None:
    """The same failure for people and for machines."""
    told(product.run(*arguments), *words)
    told_json(product.run(*arguments, "--json"), *words)


def up(simulator: Simulator, db: Path) -> tuple[str, ...]:
    return ("up", "--simulator", simulator.url, "--venues", TWO_VENUES, "--db", str(db))


# ── Names ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def laid_out(shared_product: Product) -> Path:
    """A database of ours, laid out and closed."""
    db = shared_product.folder / "laid-out.duckdb"
    done = shared_product.run("init", "--db", str(db), "--symbols", "BTCUSDT,ETHUSDT")
    assert done.returncode == 0, done.stderr
    return db


def test_an_unknown_tool_names_its_neighbours(product: Product, laid_out: Path) -> None:
    both(
        product, "call", "get_crypto_price", "--db", str(laid_out), words=("unknown_tool", "get_crypto_price")
    )


def test_an_unknown_symbol_is_said(product: Product, laid_out: Path) -> None:
    both(
        product, "call", "get_crypto_prices", "symbol=NOSUCHUSDT", "--db", str(laid_out),
        words=("NOSUCHUSDT",),
    )  # fmt: skip


def test_an_argument_without_a_name_is_said(product: Product, laid_out: Path) -> None:
    both(product, "call", "get_crypto_prices", "BTCUSDT", "--db", str(laid_out), words=("key=value",))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--venues", "binance_futurs"), "binance_futurs"),
        (("--streams", "trade"), "orderbooks"),
        (("--port", "70000"), "65535"),
        (("--simulator", "http://127.0.0.1:1"), "orderflow.sim"),
        (("--host", "0.0.0.0"), "token"),
        (("--host", "300.1.1.1", "--token", "secret-enough-for-a-test"), "300.1.1.1"),
    ],
)
def test_up_says_what_it_cannot_do(product: Product, arguments: tuple[str, ...], word: str) -> None:
    db = product.folder / "never.duckdb"
    both(product, "up", "--db", str(db), *arguments, words=(word,))
    assert not db.exists()


def test_settings_of_the_environment_are_checked_like_flags(product: Product) -> None:
    done = product.run("init", "--db", str(product.folder / "a.duckdb"), FLUSH_INTERVAL="soon")
    told(done, "FLUSH_INTERVAL", "soon")


def test_a_symbol_that_no_venue_lists_is_said_and_the_others_are_collected(product: Product) -> None:
    simulator = product.simulator()
    collector = product.collector(simulator, symbols="BTCUSDT,NOSUCHUSDT")
    until(lambda: collector.venue("binance_spot")["not_listed"] == ["NOSUCHUSDT"], "health says so")
    until(lambda: collector.query("SELECT count(*) FROM served.trades")[0][0] > 10, "the other is collected")
    assert collector.query("SELECT DISTINCT symbol FROM served.trades") == [("BTCUSDT",)]
    assert collector.running.stop() == 0


# ── Recordings ────────────────────────────────────────────────────────────────────────────────


def depth_line(update: int) -> str:
    payload = {
        "stream": "btcusdt@aggTrade",
        "data": {
            "e": "aggTrade", "E": 1763683200000 + update, "a": update, "s": "BTCUSDT", "p": "87000.0", "q": "0.1",
            "f": update, "l": update, "T": 1763683200000 + update, "m": True, "st": 1,
        },
    }  # fmt: skip
    return json.dumps(
        {
            "venue": "binance_futures", "kind": "ws", "dir": "in", "t": 1763683200.1 + update / 1000,
            "url": "wss://fstream.binance.com/market/stream", "raw": json.dumps(payload),
        }
    )  # fmt: skip


GOOD = "".join(depth_line(number) + "\n" for number in range(1, 41))
BAD: dict[str, tuple[str, bytes]] = {
    "empty file": ("a.jsonl", b""),
    "no json": ("a.jsonl", GOOD.encode() + b"what is this\n"),
    "a field is missing": ("a.jsonl", GOOD.encode() + b'{"venue": "binance_spot"}\n'),
    "an unknown venue": (
        "a.jsonl",
        GOOD.encode() + GOOD.splitlines()[0].replace("binance_futures", "mtgox").encode(),
    ),
    "a time that cannot be": (
        "a.jsonl",
        GOOD.encode() + GOOD.splitlines()[0].replace('"t": 1', '"t": -1').encode(),
    ),
    "binary garbage": ("a.jsonl", GOOD.encode() + bytes(range(256)) * 10),
    "truncated gzip": ("a.jsonl.gz", gzip.compress(GOOD.encode() * 50)[:-40]),
    "not gzip": ("a.jsonl.gz", GOOD.encode()),
    "not a journal": ("a.journal", GOOD.encode()),
    "an unknown ending": ("a.txt", GOOD.encode()),
    "a table of another layout": ("BTCUSDT.csv", b"alpha,beta\n1,2\n"),
    "not a zip file": ("BTCUSDT.zip", b"PK nothing"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_recording_that_cannot_be_read_is_said_and_named(product: Product, kind: str) -> None:
    name, content = BAD[kind]
    file = product.folder / name
    file.write_bytes(content)
    db = product.folder / "replayed.duckdb"
    arguments = ("replay", str(file), "--db", str(db), "--venue", "binance_futures")
    both(product, *arguments, words=(name,))
    if content.startswith(GOOD.encode()) and name == "a.jsonl":
        # What stood before the damage is in the table, once, although it was replayed twice.
        assert read(db, "SELECT count(*), count(DISTINCT trade_id) FROM trades") == [(40, 40)]


def test_a_good_recording_after_a_failed_replay_is_replayed(product: Product) -> None:
    bad, good = product.folder / "1.jsonl", product.folder / "2.jsonl"
    bad.write_bytes(GOOD.encode() + b"damage\n")
    good.write_text("".join(depth_line(number) + "\n" for number in range(41, 61)))
    db = str(product.folder / "replayed.duckdb")
    told(product.run("replay", str(bad), str(good), "--db", db), "line 41")
    done = product.run("replay", str(good), "--db", db, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["trades"] == 60


def test_a_file_or_folder_without_recordings_is_said(product: Product) -> None:
    (product.folder / "nothing").mkdir()
    db = str(product.folder / "replayed.duckdb")
    both(product, "replay", str(product.folder / "absent.jsonl"), "--db", db, words=("absent.jsonl",))
    both(product, "replay", str(product.folder / "nothing"), "--db", db, words=("nothing",))


# ── Databases ─────────────────────────────────────────────────────────────────────────────────


def of_another_program(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE trades AS SELECT 1 AS price")


def of_sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trades (price REAL)")
    connection.close()


NOT_OURS: dict[str, Callable[[Path], object]] = {
    "another program's": of_another_program,
    "of another kind": of_sqlite,
    "a text": lambda path: path.write_text("dear diary\n" * 1000),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", NOT_OURS)
@pytest.mark.parametrize("command", ["init", "up", "replay", "call"])
def test_a_database_that_is_not_ours_is_refused_and_left_alone(
    product: Product, kind: str, command: str
) -> None:
    db = product.folder / "theirs.duckdb"
    NOT_OURS[kind](db)
    before = db.read_bytes() if db.is_file() else None
    good = product.folder / "good.jsonl"
    good.write_text(GOOD)
    more = {"replay": (str(good),), "call": ("get_crypto_prices",), "up": ("--port", "0")}.get(command, ())
    told(product.run(command, *more, "--db", str(db)), "theirs.duckdb")
    assert (db.read_bytes() if db.is_file() else None) == before


@contextmanager
def held(db: Path) -> Iterator[None]:
    """Another process has the database open."""
    code = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('held', flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(db)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "held\n"
            yield
        finally:
            process.kill()


def test_a_database_that_another_process_holds_is_said(product: Product) -> None:
    db = product.folder / "held.duckdb"
    assert product.run("init", "--db", str(db)).returncode == 0
    with held(db):
        both(product, "init", "--db", str(db), words=("held.duckdb",))
        both(product, "call", "get_crypto_prices", "--db", str(db), words=("held.duckdb",))


def test_a_second_collector_on_a_database_is_refused_and_the_first_goes_on(product: Product) -> None:
    simulator = product.simulator()
    first = product.collector(simulator)
    second = (*up(simulator, first.db), "--port", "0")
    told(product.run(*second), "market.duckdb")
    before = first.query("SELECT count(*) FROM served.trades")[0][0]
    until(lambda: first.query("SELECT count(*) FROM served.trades")[0][0] > before, "the first goes on")
    assert first.running.stop() == 0


def test_simulated_and_real_data_never_share_a_database(product: Product) -> None:
    good = product.folder / "good.jsonl"
    good.write_text(GOOD)
    real, simulated = product.folder / "real.duckdb", product.folder / "simulated.duckdb"
    assert product.run("replay", str(good), "--db", str(real)).returncode == 0
    simulator = product.simulator()
    told(product.run(*up(simulator, real), "--port", "0"), "simulated")
    assert read(real, "SELECT DISTINCT kind FROM runs") == [("replay",)]
    collector = product.collector(simulator, db=simulated)
    assert collector.running.stop() == 0
    told_json(product.run("replay", str(good), "--db", str(simulated), "--json"), "simulated")
    told_json(product.run("up", "--db", str(simulated), "--port", "0", "--json"), "simulated")
    assert read(simulated, "SELECT DISTINCT kind FROM runs") == [("simulated",)]


# ── Ports and permissions ─────────────────────────────────────────────────────────────────────


def test_a_port_in_use_is_said(product: Product) -> None:
    simulator = product.simulator()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        db = product.folder / "market.duckdb"
        told(product.run(*up(simulator, db), "--port", port), port)
        told_json(product.run("demo", "--db", str(db), "--port", port, "--json"), port)
    assert not db.exists()


def without_the_rights_of_root() -> None:
    """Let the process be held to permissions; root is not, until it has given these two rights up."""
    prctl, drop_from_bounding_set = ctypes.CDLL(None, use_errno=True).prctl, 24
    for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if prctl(drop_from_bounding_set, right, 0, 0, 0) != 0:
            os.setuid(NOBODY)
            return


HELD = without_the_rights_of_root if os.geteuid() == 0 else None


@pytest.fixture
def locked_folder(product: Product) -> Iterator[Path]:
    """A folder in which a command that is held to permissions may not write."""
    folder = product.folder / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_said(product: Product, locked_folder: Path) -> None:
    good = product.folder / "good.jsonl"
    good.write_text(GOOD)
    simulator = product.simulator()
    there = ("--db", str(locked_folder / "market.duckdb"))
    for arguments in (
        ("init", *there),
        ("replay", str(good), *there),
        (*up(simulator, locked_folder / "market.duckdb"), "--port", "0"),
        (
            "record",
            "--simulator",
            simulator.url,
            "--venues",
            TWO_VENUES,
            "--out",
            str(locked_folder / "recording"),
            "--seconds",
            "1",
        ),
        ("init", "--db", str(locked_folder / "below" / "market.duckdb")),
    ):
        told(product.run(*arguments, preexec=HELD), "locked")
    assert list(locked_folder.iterdir()) == []


def test_a_database_that_may_only_be_read_is_said(product: Product, locked_folder: Path) -> None:
    locked_folder.chmod(0o755)
    db = locked_folder / "market.duckdb"
    assert product.run("init", "--db", str(db)).returncode == 0
    db.chmod(0o444)
    locked_folder.chmod(0o555)
    told(product.run("init", "--db", str(db), preexec=HELD), "market.duckdb")


# ── A full disk ───────────────────────────────────────────────────────────────────────────────


def at_most(size: int) -> Callable[[], None]:
    """No file of the process may grow beyond so many bytes: a write there fails as on a full disk."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_replay_onto_a_full_disk_says_so_and_goes_on_when_there_is_room(product: Product) -> None:
    many = product.folder / "many.jsonl"
    many.write_text("".join(depth_line(number) + "\n" for number in range(1, 60_001)))
    db = product.folder / "replayed.duckdb"
    assert product.run("init", "--db", str(db), "--symbols", "BTCUSDT").returncode == 0
    full = at_most(db.stat().st_size + 200_000)
    told(product.run("replay", str(many), "--db", str(db), preexec=full), "disk")
    done = product.run("replay", str(many), "--db", str(db), "--json")
    assert done.returncode == 0, done.stderr
    assert read(db, "SELECT count(*), count(DISTINCT trade_id) FROM trades") == [(60_000, 60_000)]


@pytest.mark.slow
def test_a_collector_whose_disk_is_full_waits_and_goes_on_when_there_is_room(product: Product) -> None:
    simulator: Simulator = product.simulator(rate=200)
    db = product.folder / "market.duckdb"
    assert product.run("init", "--db", str(db), "--symbols", "BTCUSDT,ETHUSDT").returncode == 0
    collector = product.collector(simulator)
    pid, no_limit = collector.running.process.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (db.stat().st_size + 6_000_000, no_limit))
    until(lambda: any("store:" in one for one in collector.health()["reasons"]), "the disk is full")
    assert collector.health()["status"] != "healthy"
    written = -1
    while written != (written := collector.health()["store"]["rows_written"]):  # a small batch may still fit
        time.sleep(1.5)
    assert written > 0
    assert collector.query("SELECT count(*) > 0 FROM served.trades") == [
        (True,)
    ]  # and it answers all the same
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (no_limit, no_limit))
    until(lambda: not any("store:" in one for one in collector.health()["reasons"]), "it goes on")
    until(lambda: collector.health()["store"]["rows_written"] > written + 1000, "rows flow again")
    series = [(venue, symbol) for venue in TWO_VENUES.split(",") for symbol in ("BTCUSDT", "ETHUSDT")]
    received = journaled(db)
    assert collector.running.stop() == 0, collector.running.stderr
    assert "Traceback" not in collector.running.stderr
    counted = check(db, simulator, received, series)
    assert counted["stored"] > 1000, counted

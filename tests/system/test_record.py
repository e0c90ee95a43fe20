"""What is recorded from the simulator replays to marked rows, books in step and the simulator's own trades."""

import json
import signal
from pathlib import Path
from typing import Any

from tests.system.product import TWO_VENUES, Product, Simulator, read, until

SYMBOLS = ("BTCUSDT", "ETHUSDT")
VENUES = TWO_VENUES.split(",")


def replayed(product: Product, recording: Path, db: Path) -> dict[str, Any]:
    done = product.run("replay", str(recording), "--db", str(db), "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(product: Product, simulator: Simulator, recording: Path) -> None:
    db = product.folder / "replayed.duckdb"
    report = replayed(product, recording, db)
    assert report["source"] == "simulated"
    assert (report["unknown"], report["gaps"]) == (0, [])
    assert read(db, "SELECT DISTINCT kind FROM runs") == [("simulated",)]
    for table, rows in report["rows"].items():
        if rows and table not in ("gaps", "instruments", "runs"):
            assert read(db, f"SELECT DISTINCT source FROM {table}") == [("simulated",)], table
    for venue in VENUES:
        for symbol in SYMBOLS:
            where = f"WHERE venue = '{venue}' AND symbol = '{symbol}'"
            # A row of a book that is in step has ten levels a side, and no side reaches into the other.
            ((books, crossed),) = read(
                db,
                f"SELECT count(bid_10_price), count(*) FILTER (bid_1_price >= ask_1_price) FROM orderbooks {where}",
            )
            assert books > 0 and crossed == 0, (venue, symbol)
            stored = read(
                db, f"SELECT trade_id::BIGINT, price, quantity, side FROM trades {where} ORDER BY 1"
            )
            made = {row["id"]: row for row in simulator.rows(venue, symbol, from_id=stored[0][0])}
            assert [row[0] for row in stored] == list(range(stored[0][0], stored[-1][0] + 1))
            for id, price, quantity, side in stored:
                row = made[id]
                assert (price, quantity, side) == (float(row["price"]), float(row["quantity"]), row["side"])


def test_a_recording_of_the_simulator_replays_whole_and_marked(product: Product) -> None:
    simulator = product.simulator(",".join(SYMBOLS), rate=40)
    out = product.folder / "recording"
    done = product.run(
        "record", "--simulator", simulator.url, "--out", str(out), "--symbols", ",".join(SYMBOLS),
        "--venues", TWO_VENUES, "--seconds", "4", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["kind"] == "simulated" and said["frames"] > 100 and said["unreadable"] == 0
    check(product, simulator, out)


def test_a_recording_that_is_stopped_or_killed_replays_as_far_as_it_went(product: Product) -> None:
    simulator = product.simulator(",".join(SYMBOLS), rate=40)
    for number in (signal.SIGINT, signal.SIGKILL):
        out = product.folder / f"recording-{number.name}"
        running = product.start(
            "orderflow",
            "record",
            "--simulator",
            simulator.url,
            "--out",
            str(out),
            "--symbols",
            ",".join(SYMBOLS),
            "--venues",
            TWO_VENUES,
        )
        until(
            lambda out=out: sum(one.stat().st_size for one in out.glob("*.journal")) > 1_000_000,
            "a recording",
        )
        code = running.stop(number)
        assert code == (0 if number is signal.SIGINT else -9), running.stderr
        report = replayed(product, out, product.folder / f"{number.name}.duckdb")
        assert (report["source"], report["unknown"], report["gaps"]) == ("simulated", 0, [])
        assert report["rows"]["trades"] > 0 and report["rows"]["orderbooks"] > 0

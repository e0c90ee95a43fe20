"""Kept in order while it is collected into: killed in mid-work, tidied and backed up through the door, restored."""

import json
from pathlib import Path

import pytest

from tests.system.kills import KINDS, killed
from tests.system.product import Product, read, until


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_killed_in_mid_work_loses_no_promised_row_and_holds_none_twice() -> None:
    found = killed(KINDS, kills=2, rows=20_000)
    assert {kind: one["kills"] for kind, one in found.items()} == dict.fromkeys(KINDS, 2)


@pytest.mark.slow
def test_a_collector_tidies_and_is_backed_up_while_it_collects_and_the_backup_is_whole(
    product: Product,
) -> None:
    simulator = product.simulator("BTCUSDT", 50.0)
    collector = product.collector(simulator, symbols="BTCUSDT")
    db, folder, back = collector.db, product.folder / "backups" / "first", product.folder / "back.duckdb"
    until(lambda: collector.query("SELECT count(*) > 500 FROM served.trades")[0][0], "rows")

    def told(*words: str) -> dict[str, object]:
        done = product.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    tidied = told("tidy", "--db", str(db))
    assert tidied["archived_rows"] == 0 and not tidied["problem"]  # no day is over
    assert collector.health()["store"]["tidied"]["seconds"] == tidied["seconds"]
    done = product.run(
        "doctor", "--offline", "--thorough", "--db", str(db), "--json"
    )  # through the collector
    looked = {one["about"]: one for one in json.loads(done.stdout)["findings"]}
    assert looked["store"]["said"].startswith("every row was read") and looked["tidying"]["state"] == "ok"
    refused = product.run("doctor", "--offline", "--repair", "--db", str(db))
    assert refused.returncode == 1 and "has it open for writing" in refused.stderr
    made = told("backup", str(folder), "--db", str(db))
    assert made["files"] == 1
    trades = "SELECT count(*) FROM served.trades"
    had = collector.query(trades)[0][0]
    until(lambda: collector.query(trades)[0][0] > had, "more rows")
    refused = product.run("backup", str(folder), "--db", str(db))
    assert refused.returncode == 1 and "is there already" in refused.stderr
    assert told("restore", str(folder), "--db", str(back))["files"] == 1
    assert told("doctor", "--offline", "--thorough", "--db", str(back))["problems"] == 0
    rows = read(
        back, "SELECT (SELECT count(*) FROM trades), (SELECT count(DISTINCT (venue, trade_id)) FROM trades)"
    )
    assert rows[0][0] == rows[0][1] > 500
    assert collector.running.stop() == 0
    # each trade of the backup is in the database that went on
    mine, theirs = (
        set(read(Path(one), "SELECT venue::VARCHAR, trade_id, price FROM trades")) for one in (back, db)
    )
    assert mine < theirs

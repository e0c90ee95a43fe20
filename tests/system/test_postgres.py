"""A desk's PostgreSQL beside a collector that is killed, and a PostgreSQL that goes away: every row once, asked alike."""

import json
import time
import urllib.request
from typing import Any

import msgspec
import psycopg
import pytest

from orderflow.store.access import open_reader
from orderflow.store.desk import Filters, PostgresDesk, StoredDesk
from tests.publish.broker import Wire
from tests.store.desk import PORT, URL, own_schema, required
from tests.system.product import Collector, Product, http_json, read, until

SOURCES = {
    "large_trades": ("large_trades", "liquidations"),
    "funding_rates": ("funding_rates",),
    "open_interest": ("open_interest",),
    "exchange_orderbooks": ("orderbooks",),
}


def postgres(collector: Collector) -> dict[str, Any]:
    return collector.health()["postgres"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_desk_has_every_row_once_whatever_dies_or_is_away(product: Product) -> None:
    required()
    wire = Wire(PORT)
    with own_schema() as schema:
        more = {
            "ORDERFLOW_POSTGRES_URL": f"postgresql://root:s3cret@127.0.0.1:{wire.port}/test",
            "ORDERFLOW_POSTGRES_SCHEMA": schema,
            "ORDERFLOW_LARGE_TRADE_USD": '{"BTC": 1.0, "ETH": 1.0}',  # so that there are many
        }
        simulator = product.simulator(rate=20)
        for number in range(2):
            collector = product.collector(simulator, **more)
            until(lambda one=collector: postgres(one)["copied"] > 50, "rows are copied")
            if number == 1:
                wire.cut()
                until(lambda one=collector: postgres(one)["state"] == "away", "the cut is noticed")
                said = collector.health()
                assert any(one.startswith("postgres: away") for one in said["reasons"])
                assert "s3cret" not in json.dumps(said) and "s3cret" not in collector.running.stderr
                refused = http_json(f"{collector.url}/api/v1/exchange/large-trades?hours=0")
                assert (refused["success"], refused["code"]) == (False, "invalid_argument")
            collector.running.kill()
            wire.restore() if number == 1 else None
        last = product.collector(simulator, ORDERFLOW_DESK="postgres", **more)
        until(lambda: postgres(last)["copied"] > 50, "rows are copied")
        large = f"{last.url}/api/v1/exchange/large-trades"
        until(lambda: http_json(large)["data"]["count"] > 0, "large trades are there")
        metrics = urllib.request.urlopen(f"{last.url}/metrics", timeout=30).read().decode()
        assert "orderflow_postgres_connected 1.0" in metrics and "orderflow_postgres_behind_rows" in metrics
        asked = http_json(f"{last.url}/api/v1/exchange/open-interest?symbol=BTC&hours=1")
        assert asked["success"] and asked["data"]["summary"]["exchanges"] == ["binance_futures"]
        assert asked["data"]["open_interest"][0]["metadata"]["source"] == "simulated"
        assert last.running.stop() == 0, last.running.stderr
        check(last, schema)
    wire.close()


def check(collector: Collector, schema: str) -> None:
    """Both stores hold the same rows, and give the same bytes to the same question."""
    with psycopg.connect(URL) as connection:
        for table, streams in SOURCES.items():
            ((there,),) = connection.execute(f"SELECT count(*) FROM {schema}.{table}").fetchall()
            ours = sum(read(collector.db, f"SELECT count(*) FROM {one}")[0][0] for one in streams)
            assert there == ours > 0, table
    now = time.time_ns()
    stored = StoredDesk(lambda: open_reader(collector.db), clock=lambda: now)
    desk = PostgresDesk(URL, schema, clock=lambda: now)
    for name in ("large_trades", "funding_rates", "open_interest", "orderbooks"):
        for filters in (Filters(limit=1_000), Filters(symbol="BTC"), Filters(exchange="binance", hours=1)):
            assert msgspec.json.encode(desk.answer(name, filters)) == msgspec.json.encode(
                stored.answer(name, filters)
            )
    desk.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ORDERFLOW_POSTGRES_URL": "mysql://desk:s3cret@127.0.0.1/market"}, "not one of PostgreSQL"),
        (
            {"ORDERFLOW_POSTGRES_URL": "postgresql://127.0.0.1/", "ORDERFLOW_POSTGRES_SCHEMA": "Desk"},
            "cannot be the name of a schema",
        ),
        (
            {"ORDERFLOW_POSTGRES_URL": "postgresql://127.0.0.1/", "ORDERFLOW_POSTGRES_STREAMS": "trades"},
            "no stream of a desk's tables",
        ),
        ({"ORDERFLOW_DESK": "postgres"}, "there is no postgres_url"),
    ],
)
def test_what_cannot_be_is_refused_at_once(product: Product, wrong: dict[str, str], said: str) -> None:
    found = product.run(
        "up", "--db", str(product.folder / "market.duckdb"), "--port", "0", timeout=60, **wrong
    )
    assert found.returncode != 0
    assert said in found.stderr and "s3cret" not in found.stderr and "Traceback" not in found.stderr

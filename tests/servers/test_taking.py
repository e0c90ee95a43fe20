"""A window of a series as a file over HTTP: what is asked, how it is bounded, and what is refused."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from orderflow.market.errors import TimedOut
from orderflow.servers import http
from orderflow.servers.callers import Local
from orderflow.store.sandbox import Found, Limits
from tests.tools.fixed_market import context

ROWS = pa.table({"venue": ["binance_spot", "binance_spot"], "price": [1.5, None]})
ASKED = {"symbol": "btc-usdt", "venue": "binance", "since": "2025-11-21", "until": "2025-11-22"}


class Sandbox:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self, *, truncated: bool = False, late: bool = False) -> None:
        self.truncated, self.late = truncated, late
        self.statement = ""

    def __call__(self, statement: str, limits: Limits | None = None, /) -> Found:
        self.statement = statement
        assert limits is not None and limits.rows <= 1_000_000
        if self.late:
            raise TimedOut("not done within 60 s", hint="a shorter window")
        return Found(ROWS, self.truncated, 0.1)


def door(sandbox: Sandbox | None) -> TestClient:
    return TestClient(http.app(Local(context()), asked=sandbox), base_url="http://127.0.0.1:8022")


def test_a_window_comes_as_a_file_in_each_form() -> None:
    sandbox = Sandbox()
    with door(sandbox) as client:
        parquet = client.get("/export/trades", params=ASKED)
        assert pq.read_table(io.BytesIO(parquet.content)).to_pylist() == ROWS.to_pylist()
        # from midnight of the 21st, 1,763,683,200 s, until midnight of the 22nd, 86,400 s later
        assert sandbox.statement == (
            'SELECT * FROM "btcusdt_binance_futures_trades" WHERE timestamp >= make_timestamp(1763683200000000)'
            " AND timestamp < make_timestamp(1763769600000000) ORDER BY timestamp, id"
        )
        name = 'attachment; filename="btcusdt_binance_futures_trades.parquet"'
        assert parquet.headers["content-disposition"] == name
        arrow = client.get("/export/trades", params={**ASKED, "format": "arrow"})
        assert pa.ipc.open_file(arrow.content).read_all().to_pylist() == ROWS.to_pylist()
        csv = client.get("/export/trades", params={**ASKED, "format": "csv"})
        assert csv.text == '"venue","price"\n"binance_spot",1.5\n"binance_spot",\n'
        assert "/export/{stream}" in client.get("/").json()["endpoints"]


@pytest.mark.parametrize(
    ("stream", "changed", "sandbox", "status", "code"),
    [
        ("nonsense", {}, Sandbox(), 400, "invalid_argument"),
        ("trades", {"venue": "nowhere"}, Sandbox(), 400, "invalid_argument"),
        ("trades", {"venue": "pyth"}, Sandbox(), 409, "unsupported_by_venue"),
        ("trades", {"since": "2025-11-23"}, Sandbox(), 409, "invalid_argument"),
        ("trades", {"since": "yesterday"}, Sandbox(), 409, "invalid_argument"),
        ("trades", {"format": "xlsx"}, Sandbox(), 400, "invalid_argument"),
        ("trades", {}, Sandbox(truncated=True), 409, "too_large"),
        ("trades", {}, Sandbox(late=True), 504, "timeout"),
    ],
)
def test_what_cannot_be_had_is_said(
    stream: str, changed: dict[str, Any], sandbox: Sandbox, status: int, code: str
) -> None:
    with door(sandbox) as client:
        said = client.get(f"/export/{stream}", params={**ASKED, **changed})
    assert (said.status_code, said.json()["code"]) == (status, code)


def test_without_a_store_there_is_no_such_route() -> None:
    with door(None) as client:
        assert client.get("/export/trades", params=ASKED).status_code == 404
        assert "/export/{stream}" not in client.get("/").json()["endpoints"]

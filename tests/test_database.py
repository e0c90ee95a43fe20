"""The door for programs: what is opened, how times are read, and that the page about it runs as it stands."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import orderflow
from orderflow.database import Database
from orderflow.market.errors import Disconnected, InvalidArgument, NoData, StoreUnusable
from orderflow.market.events import HOUR, MINUTE, SECOND, Nanos
from orderflow.store import access, opening, runs, tables
from orderflow.store.reader import Reader

NOW: Nanos = 1_763_683_200 * SECOND  # 2025-11-21T00:00:00Z
PAGE = Path(__file__).parents[1] / "docs" / "reading.md"


def put(path: Path) -> Any:
    """Lay out a database with an hour before NOW: a trade, a quote and more in each minute on two venues."""
    connection = opening.open_for_writing(path)
    tables.create(connection, ["BTCUSDT"])
    began = NOW - HOUR
    run = runs.begin(connection, "simulated", "test", started=began, ended=NOW)
    for venue in ("binance_futures", "bybit_futures"):
        for stream, columns, values in (
            (
                "trades",
                "trade_id, price, quantity, value, side, is_buyer_maker, count",
                "m::VARCHAR, 100.0 + m, 1.0, 100.0 + m, if(m % 2 = 0, 'sell', 'buy'), m % 2 = 0, 1",
            ),
            ("prices", "mid_price", "100.0 + m"),
            ("open_interest", "open_interest", "1000.0 + m"),
            (
                "funding_rates",
                "funding_rate, interval_hours, next_funding_time",
                f"0.0001, 1.0, make_timestamp({(NOW - MINUTE) // 1000})",
            ),
            ("liquidations", "side, price, quantity, value", "'long', 100.0 + m, 1.0, 100.0 + m"),
        ):
            connection.execute(
                f"INSERT INTO {stream}_hot (venue, symbol, id, timestamp, received, clock, source, run, {columns})"
                f" SELECT '{venue}', 'BTCUSDT', m + 1, t, t, 'venue', 'simulated', {run.id}, {values}"
                f" FROM (SELECT m, make_timestamp({began // 1000} + m * 60000000) AS t FROM range(60) r(m))"
            )
    return connection


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("database") / "market.duckdb"
    put(found).close()
    return found


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    with Database(lambda: access.open_reader(path), str(path), clock=lambda: NOW) as found:
        yield found


def test_importing_the_package_brings_nothing_heavy() -> None:
    code = (
        "import sys, orderflow; assert orderflow.__version__;"
        "heavy = {'duckdb', 'numpy', 'pyarrow', 'polars', 'pandas', 'pydantic', 'msgspec'};"
        "print(sorted(heavy & sys.modules.keys()), orderflow.open.__name__, 'duckdb' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=env)
    assert (done.stdout, done.stderr) == ("[] open True\n", "")


def test_a_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="fly"):
        orderflow.fly  # noqa: B018


def test_a_path_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable) as caught:
        orderflow.open(tmp_path / "nothing.duckdb")
    assert "\n" not in caught.value.message and caught.value.hint


def test_where_nothing_is_named_the_settings_say(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_DB", str(path))
    with orderflow.open() as found:
        assert found.symbols() == ["BTCUSDT"]
        assert repr(found) == f"<simulated data in {path}, read-only>"


def test_an_address_needs_the_token_of_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = put(tmp_path / "served.duckdb")
    served = access.serve(connection, tmp_path / "served.duckdb", simulated=True)
    try:
        with orderflow.open(served.uri, token=served.token) as found:
            assert len(found.trades("BTCUSDT")) == 120
        monkeypatch.setenv("ORDERFLOW_QUACK_TOKEN", served.token)
        with orderflow.open(served.uri) as found:
            assert found.simulated
        monkeypatch.setenv("ORDERFLOW_QUACK_TOKEN", "another")
        with pytest.raises(StoreUnusable, match="does not answer"):
            orderflow.open(served.uri)
        with orderflow.open(tmp_path / "served.duckdb") as found:  # its token lies beside it
            assert "through its collector" in repr(found)
    finally:
        access.stop(connection, tmp_path / "served.duckdb", served)
        connection.close()


def test_a_collector_that_was_begun_anew_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "served.duckdb"
    connection = put(path)
    first = access.serve(connection, path)
    with orderflow.open(path) as found:
        assert len(found.trades("BTCUSDT")) == 120
        access.stop(connection, path, first)
        second = access.serve(connection, path)
        assert len(found.trades("BTCUSDT")) == 120
        access.stop(connection, path, second)
    connection.close()


def test_asking_again_is_tried_once(path: Path) -> None:
    opened: list[Reader] = []

    def reader() -> Reader:
        opened.append(access.open_reader(path))
        return opened[-1]

    def gone(_: Reader) -> None:
        raise Disconnected("gone")

    with Database(reader, "x") as found, pytest.raises(Disconnected):
        found._ask(gone)
    assert len(opened) == 2


@pytest.mark.parametrize(
    "since",
    [
        "-15m",
        "2025-11-20T23:45:00Z",
        "2025-11-20 23:45",
        (NOW - 15 * MINUTE) // 1_000_000,
        datetime(2025, 11, 20, 23, 45),  # noqa: DTZ001 - a user's: where it says no zone it is UTC
        datetime(2025, 11, 20, 23, 45, tzinfo=UTC),
        datetime(2025, 11, 21, 0, 45, tzinfo=timezone(timedelta(hours=1))),
    ],
    ids=str,
)
def test_a_time_is_told_in_any_of_its_forms(db: Database, since: Any) -> None:
    found = db.trades("BTCUSDT", "binance_futures", since=since)
    assert (len(found), found.since, found.until) == (15, NOW - 15 * MINUTE, NOW)
    assert found.coverage["binance_futures"].percent == pytest.approx(100.0)


def test_a_window_up_to_now_counts_what_was_not_collected_lately(db: Database) -> None:
    later = Database(lambda: db._reader, "x", clock=lambda: NOW + HOUR)
    found = later.trades("BTCUSDT", "binance_futures", since="-2h")
    assert found.coverage["binance_futures"].percent == pytest.approx(50.0)


def test_a_window_that_is_empty_by_its_ends_is_refused(db: Database) -> None:
    with pytest.raises(InvalidArgument, match="empty"):
        db.ohlcv("BTCUSDT", since="now", until="-1h")
    with pytest.raises(InvalidArgument, match="no time"):
        db.trades("BTCUSDT", since="yesterday")


def test_every_stream_has_its_method(db: Database) -> None:
    empty = (
        db.orderbooks, db.mark_prices, db.index_prices, db.ticker, db.candles, db.options, db.volatility_index,
        db.large_trades,
    )  # fmt: skip
    for ask in empty:
        with pytest.raises(NoData):
            ask("BTCUSDT", since="-1h")
    for ask in (db.trades, db.prices, db.funding, db.open_interest, db.liquidations):
        assert len(ask("BTCUSDT", "bybit", since="-1h")) == 60


def test_the_page_about_reading_runs_as_it_stands(
    db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(orderflow, "open", lambda where: db, raising=False)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    told: dict[str, Any] = {"print": lambda *_: None}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), told)  # what the page shows is what a reader would type
    assert len(blocks) == 7
    assert told["bars"].notes == {"made_of": {"binance_futures": "trades"}}
    assert len(told["trades"]) == 60

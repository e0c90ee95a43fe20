"""A database of ours in a file of its own, and rows put into it by plain SQL."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from orderflow.market.events import SECOND, Nanos
from orderflow.store import access, layout, opening, runs, tables
from orderflow.store.reader import Reader
from tests.store.market import Market

T0: Nanos = 1_763_683_200 * SECOND  # 2025-11-21T00:00:00Z


class Filled:
    """A laid-out database, written to with times in seconds after midnight of 21 November 2025."""

    def __init__(
        self,
        path: Path,
        symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT", "XRPUSDT"),
        connection: tables.Connection | None = None,
    ) -> None:
        self.path = path
        self.connection = opening.open_for_writing(path) if connection is None else connection
        tables.create(self.connection, symbols)
        self._layout = layout.of(self.connection)

    def at(self, seconds: float) -> Nanos:
        return T0 + round(seconds * SECOND)

    def clear(self) -> None:
        for (name,) in self.connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE table_name <> 'about'"
        ).fetchall():
            self.connection.execute(f'DELETE FROM "{name}"')

    def run(self, kind: runs.Kind, first: float, last: float | None) -> runs.Run:
        ended = None if last is None else self.at(last)
        return runs.begin(self.connection, kind, f"{kind}@{first}", started=self.at(first), ended=ended)

    def put(self, stream: str, at: float, id: int, **values: object) -> None:
        row = {
            "venue": "binance_spot", "symbol": "BTCUSDT", "id": id, "clock": "venue",
            "source": "live", "run": 1, **values,
        }  # fmt: skip
        names = ", ".join(f'"{name}"' for name in row)
        self.connection.execute(
            f"INSERT INTO {self._layout.hot(stream)} ({names}, timestamp, received)"
            f" VALUES ({', '.join('?' for _ in row)}, make_timestamp(?), make_timestamp(?))",
            [*row.values(), self.at(at) // 1000, self.at(at + 0.25) // 1000],
        )

    def quote(self, venue: str, symbol: str, at: float, bid: float | None, ask: float | None) -> None:
        self.put(
            "prices", at, round(at * 10), venue=venue, symbol=symbol, sequence=round(at * 10),
            bid_price=bid, ask_price=ask, bid_qty=1.0, ask_qty=2.0,
        )  # fmt: skip

    def trade(
        self, venue: str, at: float, id: int, price: float = 100.0, sold: bool = False, run: int = 1
    ) -> None:
        self.put(
            "trades", at, id, venue=venue, trade_id=str(id), price=price, quantity=0.5, value=price / 2,
            run=run, side="sell" if sold else "buy", is_buyer_maker=sold, count=1,
        )  # fmt: skip

    def gap(self, stream: str, first: float, last: float | None, filled: float | None = None) -> None:
        self.connection.execute(
            "INSERT INTO gaps VALUES ('binance_spot', 'BTCUSDT', ?, make_timestamp(?), make_timestamp(?),"
            " 'disconnected', make_timestamp(?), 1)",
            [stream, *(None if one is None else self.at(one) // 1000 for one in (first, last, filled))],
        )


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    made = Filled(tmp_path / "market.duckdb")
    yield made
    made.connection.close()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    made = Filled(tmp_path_factory.mktemp("store") / "shared.duckdb")
    yield made
    made.connection.close()


@pytest.fixture
def emptied(database: Filled) -> Filled:
    """The module's database without rows: laying one out takes longer than a test."""
    database.clear()
    return database


@pytest.fixture(scope="module")
def readers(database: Filled) -> Iterator[dict[str, Reader]]:
    served = access.serve(database.connection, database.path)
    with access.open_reader(database.path) as found:
        assert found.remote
        yield {"here": Reader(database.connection), "served": found}
    access.stop(database.connection, database.path, served)


@pytest.fixture(params=["here", "served"])
def reader(emptied: Filled, readers: dict[str, Reader], request: pytest.FixtureRequest) -> Reader:
    """Whoever answers: each question is asked of the file and of the process that serves it."""
    return readers[request.param]


@pytest.fixture(scope="module")
def opened() -> Iterator[Market]:
    made = Market()
    yield made
    made.connection.close()


@pytest.fixture
def market(opened: Market) -> Market:
    opened.clear()
    return opened


@pytest.fixture
def elsewhere() -> Callable[..., str]:
    """Run Python in another process and return what it prints; it must end well."""

    def run(code: str, *arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run

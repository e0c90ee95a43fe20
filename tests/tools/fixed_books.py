"""A market that a test fills itself: books and trades of one venue within an hour, its times in seconds of it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import duckdb
from fixed_market import NOW, context

from orderflow.market.events import HOUR, SECOND, Nanos
from orderflow.store import runs, tables
from orderflow.store.reader import Reader
from orderflow.tools.context import Context

BEGAN: Nanos = NOW - HOUR
VENUE = "binance_futures"


class Stored:
    """What is stored: nothing at first, of an hour in which all was collected."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        tables.create(self._connection, ["BTCUSDT"])
        self._run = runs.begin(self._connection, "simulated", "fixed", started=BEGAN, ended=NOW)
        self._rows = 0

    def _put(self, stream: str, at: float, venue: str, **values: Any) -> None:
        self._rows += 1
        row = {
            "venue": venue, "symbol": "BTCUSDT", "id": self._rows, "clock": "venue", "source": "simulated",
            "run": self._run.id, **values,
        }  # fmt: skip
        time = (BEGAN + round(at * SECOND)) // 1000
        self._connection.execute(
            f"INSERT INTO {stream}_hot ({', '.join(row)}, timestamp, received)"
            f" VALUES ({', '.join('?' * len(row))}, make_timestamp(?), make_timestamp(?))",
            [*row.values(), time, time],
        )

    def book(
        self,
        at: float,
        bids: Sequence[tuple[float, float]],
        asks: Sequence[tuple[float, float]],
        venue: str = VENUE,
    ) -> None:
        """Put a snapshot of (price, size) levels, the best first."""
        levels: dict[str, float] = {}
        for side, every in (("bid", bids), ("ask", asks)):
            for rank, (price, size) in enumerate(every, 1):
                levels |= {f"{side}_{rank}_price": price, f"{side}_{rank}_qty": size}
        self._put("orderbooks", at, venue, depth=len(bids), sequence=self._rows, **levels)

    def trade(self, at: float, price: float, size: float, *, bought: bool, venue: str = VENUE) -> None:
        self._put(
            "trades", at, venue, trade_id=str(self._rows), price=price, quantity=size, value=price * size,
            side="buy" if bought else "sell", is_buyer_maker=not bought, count=1,
        )  # fmt: skip

    def gap(self, first: float, last: float, stream: str = "orderbooks") -> None:
        times = [(BEGAN + round(one * SECOND)) // 1000 for one in (first, last)]
        self._connection.execute(
            f"INSERT INTO gaps VALUES ('{VENUE}', 'BTCUSDT', ?, make_timestamp(?), make_timestamp(?),"
            " 'disconnected', NULL, ?)",
            [stream, *times, self._run.id],
        )

    def context(self) -> Context:
        return dataclasses.replace(context(), history=Reader(self._connection))


def stored() -> Stored:
    return Stored()

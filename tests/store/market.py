"""A database in memory and a writer into it, for tests that put events in and look at rows."""

from typing import Any

import duckdb

from orderflow.market.events import SECOND, Event
from orderflow.market.streams import STREAMS
from orderflow.store import runs, tables
from orderflow.store.statements import checksum
from orderflow.store.writer import Writer

T0 = 1_763_683_200 * SECOND  # 2025-11-21T00:00:00Z
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


class Market:
    """A database in memory, and a writer into it."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        tables.create(self.connection, SYMBOLS)
        self.clear()

    def clear(self) -> None:
        for table in (*(f"{stream}_hot" for stream in STREAMS), "gaps", "instruments", "runs"):
            self.connection.execute(f"DELETE FROM {table}")
        self.run = runs.begin(self.connection, "replay", "test", started=T0)
        self.restart()

    def put(self, *events: Event) -> None:
        for event in events:
            self.writer.adders(event.venue)[type(event)](event)

    def write(self, *events: Event) -> dict[str, int]:
        self.put(*events)
        return self.writer.flush().rows

    def restart(self) -> None:
        self.writer = Writer(self.connection, self.run)

    def rows(self, table: str) -> list[dict[str, Any]]:
        order = "ORDER BY id, venue, symbol" if table in STREAMS else ""
        found = self.connection.execute(f'SELECT * FROM "{table}" {order}')
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def row(self, table: str) -> dict[str, Any]:
        (one,) = self.rows(table)
        return one

    def column(self, table: str, name: str) -> list[Any]:
        return [row[name] for row in self.rows(table)]

    def checksums(self) -> dict[str, str]:
        return dict(
            self.connection.execute(checksum(table)).fetchall()[0]
            for table in (*(f"{stream}_hot" for stream in STREAMS), "gaps")
        )

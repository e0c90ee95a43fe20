"""Stored: a desk's questions, answered from our own store."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import duckdb

from orderflow.market.errors import StoreUnusable
from orderflow.market.events import Nanos
from orderflow.store.desk import answers, questions, rows
from orderflow.store.desk.questions import Asked, Bound, Filters, Statement
from orderflow.store.reader import Reader
from orderflow.store.statements import micros

Open = Callable[[], AbstractContextManager[Reader]]


class _DuckDB:
    """The tables as queries of our streams."""

    interval = "t.interval_hours"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def table(self, name: str, asked: Asked) -> str:
        """Return the rows of the series that are asked alone, so that no other's archive is looked into."""
        relation = rows.relation(
            name, lambda stream: self._reader.source(stream, asked.symbol, asked.exchanges)
        )
        return f"({relation}) AS t"

    def instant(self, time: Nanos) -> tuple[str, Bound]:
        return "make_timestamp(?)", micros(time)

    def latest(self, asked: Asked) -> Statement:
        where, bound = questions.window(asked, self)
        table = self.table(asked.question.table, asked)
        said = ", ".join(f"t.{name}" for name in (*asked.question.columns, "metadata::text"))
        newest = "PARTITION BY t.exchange, t.symbol ORDER BY t.id DESC"
        if "sequence" in asked.question.columns:
            newest = newest.replace("ORDER BY", "ORDER BY t.sequence DESC NULLS LAST,")
        return Statement(
            f"WITH newest AS (SELECT t.exchange, t.symbol, max(t.timestamp) AS timestamp FROM {table}"
            f" WHERE {where} GROUP BY 1, 2)"
            f" SELECT {said} FROM {table} SEMI JOIN newest AS n"
            " ON t.exchange = n.exchange AND t.symbol = n.symbol AND t.timestamp = n.timestamp"
            f" QUALIFY row_number() OVER ({newest}) = 1 ORDER BY t.exchange, t.symbol",
            bound,
        )


class StoredDesk:
    """Answers from the database that `open` opens to read: one for every question, closed after it."""

    name = "duckdb"

    def __init__(self, open: Open, *, clock: Callable[[], Nanos] = time.time_ns) -> None:
        self._open, self._clock = open, clock

    def answer(self, name: str, filters: Filters) -> answers.Answer:
        """Answer one of `QUESTIONS`. Raises `InvalidArgument`, `UnknownSymbol`, `UnknownVenue`, `StoreUnusable`."""
        with self._open() as reader:

            def ask(statement: Statement) -> list[tuple[Any, ...]]:
                try:
                    return reader.rows(statement.sql, statement.bound)
                except duckdb.Error as error:
                    said = str(error).splitlines()[0]
                    raise StoreUnusable(
                        f"DuckDB cannot answer this: {said}", hint="ask for fewer hours"
                    ) from error

            asked = questions.read(name, filters, reader.symbols(), self._clock())
            return answers.answered(asked, filters, _DuckDB(reader), ask)

    def holdings(self, streams: Sequence[str]) -> dict[tuple[str, str, str], int]:
        """Return how many rows of some streams a desk's tables would hold, by (table, exchange, symbol)."""
        found: Counter[tuple[str, str, str]] = Counter()
        with self._open() as reader:
            for stream in streams:
                counted = f"SELECT exchange, symbol, count(*) FROM ({rows.query(stream)}) GROUP BY 1, 2"
                for exchange, symbol, count in reader.rows(counted):
                    found[rows.TABLE_OF[stream], exchange, symbol] += count
        return dict(found)

    def close(self) -> None:
        """Nothing is held between questions."""

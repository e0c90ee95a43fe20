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
from orderflow.store.desk.results import Answer
from orderflow.store.reader import Reader
from orderflow.store.statements import micros

Open = Callable[[], AbstractContextManager[Reader]]


class _DuckDB:
    """The tables as queries of our streams."""

    interval = "t.interval_hours"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def table(self, name: str, asked: Asked) -> str:
        return f"({rows.relation(name, lambda stream: self._source(stream, asked))}) AS t"

    def instant(self, time: Nanos) -> tuple[str, Bound]:
        return "make_timestamp(?)", micros(time)

    def first(self, asked: Asked) -> tuple[Statement, str]:
        """Pick the rows by what they are ordered by: to make the metadata of all costs more than all else."""
        where, bound = questions.window(asked, self)
        name, by, limit = asked.question.table, asked.question.orders[asked.order], int(asked.limit)
        among = f"FROM {self.table(name, asked)} WHERE {where}"
        before = (
            f"WITH least AS (SELECT CASE WHEN count(value) = {limit} THEN min(value) END AS value FROM"
            f" (SELECT t.{by} AS value {among} ORDER BY value DESC NULLS LAST LIMIT {limit})),"
            f" keys AS (SELECT t.exchange, t.symbol, t.number {among}"
            f" AND coalesce(t.{by} >= (SELECT value FROM least), true))"
        )

        def picked(stream: str) -> str:
            return (
                f"(SELECT s.* FROM {self._source(stream, asked)} AS s SEMI JOIN keys AS k"
                " ON s.venue::VARCHAR = k.exchange AND s.symbol::VARCHAR = k.symbol AND s.id = k.number)"
            )

        return Statement(before, [*bound, *bound]), f"({rows.relation(name, picked)}) AS t"

    def latest(self, asked: Asked) -> Statement:
        """Find the last instant of each market first: what a row says is made for those rows alone."""
        where, bound = questions.window(asked, self)
        name = asked.question.table
        (stream,) = rows.STREAMS[name]
        said = ", ".join(f"t.{one}" for one in (*asked.question.columns, "metadata::text"))
        newest = (
            f"SELECT t.exchange, t.symbol, max(t.timestamp) AS timestamp FROM {self.table(name, asked)}"
            f" WHERE {where} GROUP BY 1, 2"
        )
        picked = (
            f"(SELECT s.* FROM {self._source(stream, asked)} AS s SEMI JOIN ({newest}) AS n"
            " ON s.venue::VARCHAR = n.exchange AND s.symbol::VARCHAR = n.symbol AND s.timestamp = n.timestamp)"
        )
        last = (
            "t.sequence DESC NULLS LAST, t.id DESC" if "sequence" in asked.question.columns else "t.id DESC"
        )
        return Statement(
            f"SELECT {said} FROM ({rows.query(stream, picked)}) AS t"
            f" QUALIFY row_number() OVER (PARTITION BY t.exchange, t.symbol ORDER BY {last}) = 1"
            " ORDER BY t.exchange, t.symbol",
            bound,
        )

    def _source(self, stream: str, asked: Asked) -> str:
        """Return the series that are asked alone, so that no other's archive is looked into."""
        return self._reader.source(stream, asked.symbol, asked.exchanges)


class StoredDesk:
    """Answers from the database that `open` opens to read: one for every question, closed after it."""

    def __init__(self, open: Open, *, clock: Callable[[], Nanos] = time.time_ns) -> None:
        self._open, self._clock = open, clock

    def answer(self, name: str, filters: Filters) -> Answer:
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

"""Ours, in the store: the same questions to a database on disk, as the tools ask them."""

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from bench.flow import ours
from bench.flow.contestants import Answers, Run, Told
from bench.flow.questions import BAR, BIN, PERIOD, RATIO, ROW, STEP, Answer
from bench.flow.tape import SYMBOL, VENUE, Tape
from orderflow.flow.bars import Bars
from orderflow.flow.cells import Cells
from orderflow.flow.delta import cvd
from orderflow.flow.footprint import footprint
from orderflow.flow.imbalance import imbalances
from orderflow.flow.profile import profile
from orderflow.flow.tpo import market_profile
from orderflow.store import access, opening, runs, tables
from orderflow.store.bar import bar
from orderflow.store.reader import Reader
from orderflow.tools.orderflow import bars_of, cells_of

_NS = 1_000


def fill(tape: Tape) -> None:
    """Put a tape into its database, in order of time, as a collector would have."""
    connection = opening.open_for_writing(tape.store, memory_limit="4GB")
    try:
        tables.create(connection, [SYMBOL])
        began, ended = int(tape.time[0]), int(tape.time[-1])
        run = runs.begin(connection, "simulated", "bench", started=began, ended=ended)
        put(connection, "trades", trades(tape, VENUE, run.id))
        tables.checkpoint(connection)
    finally:
        connection.close()


def put(connection: duckdb.DuckDBPyConnection, stream: str, batch: pa.Table) -> None:
    """Insert rows into a stream's table."""
    connection.register("batch", batch)
    connection.execute(f"INSERT INTO {stream}_hot BY NAME SELECT * FROM batch")  # noqa: S608 - a declared name
    connection.unregister("batch")


def trades(tape: Tape, venue: str, run: int) -> pa.Table:
    """Return a tape as rows of a venue, each with its own id."""
    many = len(tape.time)
    ids = np.arange(1, many + 1)
    stamp = pa.array(tape.time // _NS, pa.timestamp("us"))
    return pa.table(
        {
            "venue": same(venue, many), "symbol": same(SYMBOL, many), "id": ids, "timestamp": stamp,
            "received": stamp, "clock": same("venue", many), "source": same("simulated", many),
            "run": np.full(many, run, dtype=np.int32), "trade_id": pa.array(ids).cast(pa.string()),
            "price": tape.price, "quantity": tape.size, "value": tape.price * tape.size,
            "side": pa.DictionaryArray.from_arrays(tape.is_buy.astype(np.int32), ["sell", "buy"]),
            "is_buyer_maker": pa.array(~tape.is_buy), "count": np.ones(many, dtype=np.int32),
        }
    )  # fmt: skip


def same(text: str, times: int) -> pa.DictionaryArray:
    """Return a column of one text."""
    return pa.DictionaryArray.from_arrays(np.zeros(times, dtype=np.int32), [text])


# ── Questions ─────────────────────────────────────────────────────────────────────────────────


class _Asked:
    """The reader of a tape's database, and the window of the tape."""

    def __init__(self, tape: Tape) -> None:
        self._reader: Reader = access.open_reader(tape.store)
        self._window = (int(tape.time[0]), int(tape.time[-1]) + 1_000_000)

    def cells(self, length: int, step: float) -> Cells:
        return cells_of(self._reader.cells(SYMBOL, [VENUE], _written(length), *self._window, step))

    def bars(self) -> Bars:
        found = self._reader.flow_bars(SYMBOL, [VENUE], _written(BAR), *self._window)
        return bars_of(found, bar(_written(BAR)), VENUE)


def _written(length: int) -> str:
    return f"{length // BAR}m"


def _prepared(question: Callable[[_Asked, Tape], Callable[[], Answer]]) -> Callable[[Tape], Run]:
    def prepare(tape: Tape) -> Run:
        asked = _Asked(tape)

        def run() -> Told:
            return question(asked, tape)

        return run

    return prepare


def _footprint(asked: _Asked, tape: Tape) -> Told:
    found = footprint(asked.cells(BAR, STEP), asked.bars(), STEP)
    return lambda: ours.of_footprint(found)


def _volume_profile(asked: _Asked, tape: Tape) -> Told:
    found = profile(asked.cells(24 * 60 * BAR, BIN), BIN)
    area = found.value_area()
    return lambda: ours.of_profile(found, area)


def _market_profile(asked: _Asked, tape: Tape) -> Told:
    found: Any = market_profile(asked.cells(PERIOD, ROW), ROW, first=int(tape.time[0] // PERIOD))
    area = found.value_area()
    return lambda: ours.of_market_profile(found, area)


def _cvd(asked: _Asked, tape: Tape) -> Told:
    found = asked.bars()
    running = cvd(found, 0)
    return lambda: ours.of_cvd(found, running)


def _imbalance(asked: _Asked, tape: Tape) -> Told:
    found = imbalances(asked.cells(BAR, STEP), RATIO, zeros=True)
    return lambda: ours.of_imbalances(found)


ANSWERS: Answers = {
    "footprint": _prepared(_footprint),
    "volume profile": _prepared(_volume_profile),
    "market profile": _prepared(_market_profile),
    "CVD": _prepared(_cvd),
    "imbalance": _prepared(_imbalance),
}

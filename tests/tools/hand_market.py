"""A store of a few trades that a test writes down, collected for the hour before NOW, and who answers from it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import duckdb
import pyarrow as pa
from fixed_market import NOW, context

from orderflow.market.events import HOUR, MINUTE, MS, Nanos
from orderflow.store import runs, tables
from orderflow.store.reader import Reader
from orderflow.tools.context import Context

VENUE = "binance_futures"
BEGAN: Nanos = NOW - HOUR


class Fill(NamedTuple):
    """A trade: minutes after BEGAN, price, size, whether the taker sold, and where."""

    minute: float
    price: float
    size: float
    sold: bool = False
    venue: str = VENUE


def market(
    fills: Sequence[Fill], *, gaps: Sequence[tuple[float, float]] = (), began: Nanos = BEGAN, now: Nanos = NOW
) -> Context:
    """Return a context whose store holds these trades, and gaps of VENUE's, in minutes after BEGAN."""
    known = context()
    history = _stored(tuple(fills), tuple(gaps), began)
    return Context(**{**known.__dict__, "history": history, "clock": lambda: now})


@lru_cache(maxsize=8)
def _stored(fills: tuple[Fill, ...], gaps: tuple[tuple[float, float], ...], began: Nanos) -> Reader:
    connection = duckdb.connect()
    tables.create(connection, ["BTCUSDT"])
    run = runs.begin(connection, "simulated", "hand", started=began, ended=NOW)
    columns = dict(zip(Fill._fields, zip(*fills, strict=True), strict=True))
    told = pa.table(
        {name: list(column) for name, column in columns.items()} | {"id": range(1, len(fills) + 1)}
    )
    connection.register("told", told)
    connection.execute(
        "INSERT INTO trades_hot (venue, symbol, id, timestamp, received, clock, source, run, trade_id, price,"
        " quantity, value, side, is_buyer_maker, count) SELECT venue, 'BTCUSDT', id, stamp, stamp, 'venue', 'simulated',"
        " $1, id::VARCHAR, price, size, price * size, if(sold, 'sell', 'buy'), sold, 1 FROM"
        " (SELECT *, make_timestamp($2 + round(minute * 60000000)::BIGINT) AS stamp FROM told)",
        [run.id, BEGAN // 1000],
    )
    connection.unregister("told")
    for first, last in gaps:
        connection.execute(
            f"INSERT INTO gaps VALUES ('{VENUE}', 'BTCUSDT', 'trades', make_timestamp(?), make_timestamp(?),"
            " 'disconnected', NULL, ?)",
            [*((BEGAN + round(one * MINUTE)) // 1000 for one in (first, last)), run.id],
        )
    return Reader(connection)


def ms(minute: float) -> int:
    return (BEGAN + round(minute * MINUTE)) // MS

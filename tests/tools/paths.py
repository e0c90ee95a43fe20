"""Stored trades as a test writes them: a minute after another up to NOW, on one venue or several."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb
from fixed_market import NOW, context

from orderflow.market.events import MINUTE, MS, SECOND
from orderflow.store import runs, tables
from orderflow.store.reader import Reader
from orderflow.tools.context import Context

Minute = Sequence[tuple[float, float]]  # trades of a minute: price and size, below 0 where the taker sold


def lines(*prices: float) -> list[Minute]:
    """Return minutes of a trade each: of 1 coin, bought where the price is even and sold where it is odd."""
    return [[(price, 1.0 if price % 2 == 0 else -1.0)] for price in prices]


def stored(
    minutes: Mapping[str, Sequence[Minute]], lost: Sequence[int] = (), venue: str = "binance_futures"
) -> Context:
    """Return the context of a store with these minutes, the last one up to NOW; `lost` are gaps of `venue`."""
    connection = duckdb.connect()
    tables.create(connection, ["BTCUSDT"])
    length = max(len(every) for every in minutes.values())
    began = NOW - length * MINUTE
    run = runs.begin(connection, "simulated", "path", started=began, ended=NOW)
    for one, every in minutes.items():
        rows = [
            (one, number * 100 + place, (began + number * MINUTE + place * SECOND) // 1000, price, abs(size), size < 0)
            for number, minute in enumerate(every)
            for place, (price, size) in enumerate(minute)
        ]  # fmt: skip
        connection.executemany(
            "INSERT INTO trades_hot (venue, symbol, id, timestamp, received, clock, source, run, trade_id, price,"
            " quantity, value, side, is_buyer_maker, count) SELECT $1, 'BTCUSDT', $2, make_timestamp($3),"
            f" make_timestamp($3), 'venue', 'simulated', {run.id}, $2::VARCHAR, $4, $5, $4 * $5,"
            " if($6, 'sell', 'buy'), $6, 1",
            rows,
        )
    for number in lost:
        connection.execute(
            "INSERT INTO gaps VALUES (?, 'BTCUSDT', 'trades', make_timestamp(?), make_timestamp(?),"
            " 'disconnected', NULL, ?)",
            [venue, (began + number * MINUTE) // 1000, (began + (number + 1) * MINUTE) // 1000, run.id],
        )
    return replace(context(), history=Reader(connection))


def ms(minute: float, of: int) -> int:
    """Return when a minute of so many began."""
    return (NOW - round((of - minute) * MINUTE)) // MS

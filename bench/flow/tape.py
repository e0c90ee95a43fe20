"""The tape: a day of trades as columns, the same for every contestant, which reads it from four files.

numpy is all that is needed to read it, so that a contestant can live in an environment of its own.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

SYMBOL, VENUE = "BTCUSDT", "binance_futures"
DAY = 20_600  # counted from 1970
MS_NS = 1_000_000


class Tape(NamedTuple):
    """Trades in the order in which they happened: `time` in ns UTC, `size` in base units, the taker's side.

    The same trades are in the database `store`, where there is one.
    """

    time: npt.NDArray[np.int64]
    price: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    is_buy: npt.NDArray[np.bool_]
    store: Path

    def part(self, begin: int = 0, end: int | None = None) -> "Tape":
        """Return the trades [begin, end) alone."""
        return self._replace(
            time=self.time[begin:end],
            price=self.price[begin:end],
            size=self.size[begin:end],
            is_buy=self.is_buy[begin:end],
        )


COLUMNS = ("time", "price", "size", "is_buy")


def load(folder: Path) -> Tape:
    columns: list[Any] = [np.load(folder / f"{name}.npy") for name in COLUMNS]
    return Tape(columns[0], columns[1], columns[2], columns[3], folder / "store.duckdb")


def write(folder: Path, trades: int) -> Tape:
    """Make a day of so many trades (the simulator's crowd) in a folder; the same each time."""
    from orderflow.sim import crowd
    from orderflow.sim.protocols import FORMS

    made = crowd.day(SYMBOL, FORMS[VENUE].place.listings[SYMBOL], VENUE, 7, DAY, trades)
    folder.mkdir(parents=True, exist_ok=True)
    columns = (
        made["ts_ms"].astype(np.int64) * MS_NS,
        made["price"].astype(np.float64),
        made["size"].astype(np.float64),
        made["taker_sells"] == 0,
    )
    for name, column in zip(COLUMNS, columns, strict=True):
        np.save(folder / f"{name}.npy", column)
    return load(folder)

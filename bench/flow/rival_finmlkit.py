"""finmlkit: its compiled functions. Its bars are (begin, end], and its levels are rounded, where others' are [begin, end) and floored.

So it is given times a nanosecond later and prices half a level lower, made before the clock starts.
"""

import os

os.environ.setdefault("FMK_CONSOLE_LOGGER_LEVEL", "WARNING")

import numpy as np
from finmlkit.bar.base import comp_bar_directional_features, comp_bar_footprints, comp_bar_ohlcv
from finmlkit.bar.logic import _time_bar_indexer
from finmlkit.feature.core.volume import comp_poc_hva_lva

from bench.flow.contestants import Answers, Run, Told
from bench.flow.questions import BAR, BIN, RATIO, ROUNDED, SHARE, STEP
from bench.flow.tape import Tape

_DIGITS = 1e9


class _Input:
    """A tape as it takes one; `bars` tells where each one-minute bar ends."""

    def __init__(self, tape: Tape, step: float) -> None:
        self.time = tape.time + 1
        self.price = tape.price - step * (0.5 - ROUNDED)
        self.size = tape.size
        self.side = np.where(tape.is_buy, 1, -1).astype(np.int8)

    def bars(self) -> tuple[np.ndarray, np.ndarray]:
        clock, ends = _time_bar_indexer(self.time, BAR / _DIGITS)
        return clock, ends

    def cells(self, ends: np.ndarray, step: float) -> tuple:
        high, low = comp_bar_ohlcv(self.price, self.size, ends)[1:3]
        return comp_bar_footprints(self.price, self.size, ends, self.side, step, low, high, RATIO)


def _flat(clock: np.ndarray, cells: tuple) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return bars and levels of all cells in which something was traded, and their columns."""
    rows = [len(one) for one in cells[0]]
    bar = np.repeat(clock[:-1] // BAR, rows)
    columns = [np.concatenate(list(one)) for one in cells[:7]]
    traded = columns[3] + columns[4] > 0
    return bar[traded], columns[0][traded], [one[traded] for one in columns[1:]]


def _footprint(tape: Tape) -> Run:
    given = _Input(tape, STEP)

    def run() -> Told:
        clock, ends = given.bars()
        cells = given.cells(ends, STEP)

        def told() -> dict[str, np.ndarray]:
            bar, level, (buy, sell, buys, sells, *_) = _flat(clock, cells)
            first = np.flatnonzero(np.diff(bar, prepend=-1))
            return {
                "bar": bar, "level": level, "buy": buy, "sell": sell, "trades": buys + sells,
                "poc_volume": np.maximum.reduceat(buy + sell, first),
            }  # fmt: skip

        return told

    return run


def _volume_profile(tape: Tape) -> Run:
    given = _Input(tape, BIN)
    whole = np.array([-1, len(tape.time) - 1])

    def run() -> Told:
        cells = given.cells(whole, BIN)
        level, volume = cells[0][0], cells[1][0] + cells[2][0]
        poc, high, low = comp_poc_hva_lva(level, volume, 100 * SHARE)
        traded = volume > 0
        return lambda: {
            "level": level[traded], "volume": volume[traded], "poc": np.array([poc]), "area": np.array([low, high]),
        }  # fmt: skip

    return run


def _cvd(tape: Tape) -> Run:
    given = _Input(tape, STEP)

    def run() -> Told:
        clock, ends = given.bars()
        found = comp_bar_directional_features(given.price, given.size, ends, given.side)
        buy, sell, low, high = found[2], found[3], found[10], found[11]
        running = np.cumsum(buy.astype(np.float64) - sell)
        return lambda: {
            "bar": clock[:-1] // BAR, "buy": buy, "sell": sell,
            "high": np.maximum(high, 0), "low": np.minimum(low, 0), "cvd": running,
        }  # fmt: skip

    return run


def _imbalance(tape: Tape) -> Run:
    given = _Input(tape, STEP)

    def run() -> Told:
        clock, ends = given.bars()
        cells = given.cells(ends, STEP)

        def told() -> dict[str, np.ndarray]:
            bar, level, (*_, bought, sold) = _flat(clock, cells)
            rows = np.concatenate((np.flatnonzero(bought), np.flatnonzero(sold)))
            is_buy = np.arange(len(rows)) < np.count_nonzero(bought)
            order = np.lexsort((is_buy, rows))
            return {"bar": bar[rows[order]], "level": level[rows[order]], "is_buy": is_buy[order]}

        return told

    return run


ANSWERS: Answers = {
    "footprint": _footprint,
    "volume profile": _volume_profile,
    "CVD": _cvd,
    "imbalance": _imbalance,
}

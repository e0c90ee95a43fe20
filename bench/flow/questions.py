"""What is asked of a tape, and what has to come out: worked out in the plainest way, from the definitions alone.

An answer is columns by name. A contestant may tell some of what has to come out (its library does no more),
but what it tells has to be right, or it is not measured.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.flow.tape import Tape

Answer: TypeAlias = dict[str, npt.NDArray[Any]]

BAR = 60_000_000_000  # ns: footprint, CVD and imbalance are of one-minute bars
STEP = 1.0  # of their levels, in USDT: ten ticks
BIN = 5.0  # of the profile
PERIOD = 30 * BAR  # of the market profile
ROW = 10.0
SHARE = 0.7  # of the value area
RATIO = math.pi  # no two sizes have it: libraries differ on whether a ratio that is just met is met
ROUNDED = 1e-6  # of a step: a price so near below a level is at it


class Question(NamedTuple):
    name: str
    about: str


QUESTIONS = (
    Question(
        "footprint",
        "one-minute bars by levels of 1 USDT: bought, sold, trades, and the volume at each bar's POC",
    ),
    Question("volume profile", "volume by bins of 5 USDT of the whole day, its POC and 70 % value area"),
    Question("market profile", "TPOs: half hours by rows of 10 USDT, POC and value area by time"),
    Question("CVD", "one-minute candles of delta: bought, sold, how far delta ran, and CVD from midnight"),
    Question("imbalance", "diagonal imbalances of the same footprint, ratio π, against nothing too"),
)


def levels(price: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.int64]:
    return np.floor(price / step + ROUNDED).astype(np.int64)


def expected(tape: Tape, question: str) -> Answer:
    """Return what has to come out of a question."""
    return {
        "footprint": _footprint,
        "volume profile": _volume_profile,
        "market profile": _market_profile,
        "CVD": _cvd,
        "imbalance": _imbalance,
    }[question](tape)


def wrong(found: Answer, wanted: Answer, tolerance: float) -> list[str]:
    """Say what of an answer is not as it should be; `tolerance` is a part of each number."""
    said = [f"{name} was not asked" for name in found if name not in wanted]
    said += [] if found else ["nothing was told"]
    for name in found.keys() & wanted.keys():
        one, other = np.asarray(found[name]), wanted[name]
        if one.shape != other.shape:
            said.append(f"{name} has {one.shape}, should have {other.shape}")
        elif not np.allclose(one, other, rtol=tolerance, atol=tolerance):
            worst = int(np.argmax(np.abs(one.astype(float) - other.astype(float))))
            said.append(f"{name}[{worst}] is {one[worst]}, should be {other[worst]}")
    return said


# ── Plainly ───────────────────────────────────────────────────────────────────────────────────


def _cells(tape: Tape) -> tuple[Answer, npt.NDArray[np.int64]]:
    """Return bought, sold and trades of each pair of bar and level, and where each bar begins among them."""
    pair, place = np.unique(_paired(tape.time // BAR, levels(tape.price, STEP)), return_inverse=True)
    (bar, level), many = np.divmod(pair, _WIDE), len(pair)
    buy = np.bincount(place, np.where(tape.is_buy, tape.size, 0.0), many)
    sell = np.bincount(place, np.where(tape.is_buy, 0.0, tape.size), many)
    first = np.flatnonzero(np.diff(bar, prepend=-1))
    trades = np.bincount(place, minlength=many)
    return {"bar": bar, "level": level, "buy": buy, "sell": sell, "trades": trades}, first


_WIDE = 1 << 31  # more than there are levels, bars or periods


def _paired(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return pairs of whole numbers as one each, in the same order."""
    return one * _WIDE + other


def _footprint(tape: Tape) -> Answer:
    cells, first = _cells(tape)
    return {**cells, "poc_volume": np.maximum.reduceat(cells["buy"] + cells["sell"], first)}


def _volume_profile(tape: Tape) -> Answer:
    level, place = np.unique(levels(tape.price, BIN), return_inverse=True)
    volume = np.bincount(place, tape.size).astype(np.float64)
    return {"level": level, "volume": volume, **_areas(level, volume)}


def _market_profile(tape: Tape) -> Answer:
    pairs = np.unique(_paired(levels(tape.price, ROW), tape.time // PERIOD))
    level, tpos = np.unique(pairs // _WIDE, return_counts=True)
    return {"level": level, "tpos": tpos, **_areas(level, tpos.astype(float))}


def _cvd(tape: Tape) -> Answer:
    bar, first = np.unique(tape.time // BAR, return_index=True)
    signed = np.where(tape.is_buy, tape.size, -tape.size)
    runs = [np.cumsum(one) for one in np.split(signed, first[1:])]
    buy, sell = (
        np.add.reduceat(np.where(side, tape.size, 0.0), first) for side in (tape.is_buy, ~tape.is_buy)
    )
    return {
        "bar": bar,
        "buy": buy,
        "sell": sell,
        "high": np.array([max(one.max(), 0.0) for one in runs]),
        "low": np.array([min(one.min(), 0.0) for one in runs]),
        "cvd": np.cumsum(buy - sell),
        "share": (buy - sell) / (buy + sell),
    }


def _imbalance(tape: Tape) -> Answer:
    cells, first = _cells(tape)
    found: list[tuple[int, int, bool]] = []
    for begin, end in zip(first, [*first[1:], len(cells["bar"])], strict=True):
        bar, level = int(cells["bar"][begin]), cells["level"][begin:end].tolist()
        buy = dict(zip(level, cells["buy"][begin:end].tolist(), strict=True))
        sell = dict(zip(level, cells["sell"][begin:end].tolist(), strict=True))
        for one in level:
            if one < level[-1] and sell[one] > 0 and sell[one] > RATIO * buy.get(one + 1, 0.0):
                found.append((bar, one, False))
            if one > level[0] and buy[one] > 0 and buy[one] > RATIO * sell.get(one - 1, 0.0):
                found.append((bar, one, True))
    every = np.array(found)
    return {"bar": every[:, 0], "level": every[:, 1], "is_buy": every[:, 2]}


def _areas(level: npt.NDArray[np.int64], amount: npt.NDArray[np.float64]) -> Answer:
    """Return POC and value area by CBOT's rule, bins without a trade in them as 0."""
    whole = np.zeros(int(level[-1] - level[0]) + 1)
    whole[level - level[0]] = amount
    control, low, high = value_area(whole)
    first = int(level[0])
    return {"poc": np.array([first + control]), "area": np.array([first + low, first + high])}


def value_area(amount: npt.NDArray[np.float64]) -> tuple[int, int, int]:
    """Return the places of POC, VAL and VAH: two bins above against two below, the heavier pair taken whole.

    Of equal POCs the one nearest the middle, then the lower; of equal pairs the nearer to the POC, then the upper.
    """
    middle = (len(amount) - 1) / 2
    control = min(
        range(len(amount)), key=lambda place: (-round(amount[place], 9), abs(place - middle), place)
    )
    low = high = control
    held, wanted = float(amount[control]), SHARE * float(amount.sum()) * (1 - 1e-9)
    while held < wanted:
        above, below = float(amount[high + 1 : high + 3].sum()), float(amount[max(low - 2, 0) : low].sum())
        equal = abs(above - below) <= 1e-9 * float(amount.sum())
        upwards = high - control <= control - low if equal else above > below
        if low == 0 or (upwards and high < len(amount) - 1):
            held, high = held + above, min(high + 2, len(amount) - 1)
        else:
            held, low = held + below, max(low - 2, 0)
    return control, low, high

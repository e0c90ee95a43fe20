"""Ours: the pure functions of order flow on columns in memory."""

import numpy as np

from bench.flow.contestants import Answers, Run, Told
from bench.flow.questions import BAR, BIN, PERIOD, RATIO, ROW, STEP, Answer
from bench.flow.tape import Tape
from orderflow.flow.bars import Bars, bars
from orderflow.flow.cells import Cells, cells
from orderflow.flow.cuts import time_bars
from orderflow.flow.delta import Cvd, cvd
from orderflow.flow.footprint import Footprint, footprint
from orderflow.flow.imbalance import Imbalances, imbalances
from orderflow.flow.levels import levels
from orderflow.flow.profile import Profile, profile
from orderflow.flow.tpo import MarketProfile, market_profile
from orderflow.flow.value_area import ValueArea


def _cells(tape: Tape, length: int, step: float) -> Cells:
    return cells(time_bars(tape.time, length), levels(tape.price, step), tape.size, tape.price, tape.is_buy)


def _bars(tape: Tape) -> Bars:
    return bars(time_bars(tape.time, BAR), tape.time, tape.price, tape.size, tape.is_buy)


def _footprint(tape: Tape) -> Run:
    def run() -> Told:
        found = footprint(_cells(tape, BAR, STEP), _bars(tape), STEP)
        return lambda: of_footprint(found)

    return run


def _volume_profile(tape: Tape) -> Run:
    def run() -> Told:
        found = profile(_cells(tape, 24 * 60 * BAR, BIN), BIN)
        area = found.value_area()
        return lambda: of_profile(found, area)

    return run


def _market_profile(tape: Tape) -> Run:
    def run() -> Told:
        found = market_profile(_cells(tape, PERIOD, ROW), ROW, first=int(tape.time[0] // PERIOD))
        area = found.value_area()
        return lambda: of_market_profile(found, area)

    return run


def _cvd(tape: Tape) -> Run:
    def run() -> Told:
        found = _bars(tape)
        running = cvd(found, 0)
        return lambda: of_cvd(found, running)

    return run


def _imbalance(tape: Tape) -> Run:
    def run() -> Told:
        found = imbalances(_cells(tape, BAR, STEP), RATIO, zeros=True)
        return lambda: of_imbalances(found)

    return run


ANSWERS: Answers = {
    "footprint": _footprint,
    "volume profile": _volume_profile,
    "market profile": _market_profile,
    "CVD": _cvd,
    "imbalance": _imbalance,
}

# ── Told ──────────────────────────────────────────────────────────────────────────────────────


def of_footprint(found: Footprint) -> Answer:
    cell = found.cells
    return {
        "bar": cell.bar, "level": cell.level, "buy": cell.buy, "sell": cell.sell, "trades": cell.trades,
        "poc_volume": found.poc_volume,
    }  # fmt: skip


def of_profile(found: Profile, area: ValueArea | None) -> Answer:
    traded = found.trades > 0
    return {"level": found.number[traded], "volume": found.volume[traded], **_area(area)}


def of_market_profile(found: MarketProfile, area: ValueArea | None) -> Answer:
    traded = np.flatnonzero(found.tpos)
    return {"level": traded + found.first, "tpos": found.tpos[traded], **_area(area)}


def of_cvd(found: Bars, running: Cvd) -> Answer:
    return {
        "bar": found.bar, "buy": found.buy, "sell": found.sell, "high": found.delta_high, "low": found.delta_low,
        "cvd": running.close, "share": found.delta_pct / 100,
    }  # fmt: skip


def of_imbalances(found: Imbalances) -> Answer:
    return {"bar": found.bar, "level": found.level, "is_buy": found.is_buy}


def _area(found: ValueArea | None) -> Answer:
    assert found is not None
    return {
        "poc": np.array([found.poc.bin.number]),
        "area": np.array([found.val.number, found.vah.number]),
    }

"""pandas: the questions as somebody would write them who has the trades in a frame."""

import numpy as np
import pandas as pd

from bench.flow.contestants import Answers, Run, Told
from bench.flow.questions import BAR, BIN, PERIOD, RATIO, ROUNDED, ROW, STEP, Answer, value_area
from bench.flow.tape import Tape


def _frame(tape: Tape) -> pd.DataFrame:
    return pd.DataFrame({"time": tape.time, "price": tape.price, "size": tape.size, "is_buy": tape.is_buy})


def _levels(price: pd.Series, step: float) -> pd.Series:
    return np.floor(price / step + ROUNDED).astype("int64")


def _grouped(trades: pd.DataFrame) -> pd.DataFrame:
    """Return bought, sold and trades by bar and level."""
    keyed = pd.DataFrame(
        {
            "bar": trades["time"] // BAR,
            "level": _levels(trades["price"], STEP),
            "buy": trades["size"].where(trades["is_buy"], 0.0),
            "sell": trades["size"].where(~trades["is_buy"], 0.0),
        }
    )
    found = keyed.groupby(["bar", "level"]).agg(
        buy=("buy", "sum"), sell=("sell", "sum"), trades=("buy", "size")
    )
    return found.reset_index()


def _footprint(tape: Tape) -> Run:
    trades = _frame(tape)

    def run() -> Told:
        cells = _grouped(trades)
        most = (cells["buy"] + cells["sell"]).groupby(cells["bar"]).max()
        return lambda: {**_columns(cells), "poc_volume": most.to_numpy()}

    return run


def _volume_profile(tape: Tape) -> Run:
    trades = _frame(tape)

    def run() -> Told:
        volume = trades["size"].groupby(_levels(trades["price"], BIN)).sum()
        areas = _areas(volume)
        return lambda: {"level": volume.index.to_numpy(), "volume": volume.to_numpy(), **areas}

    return run


def _market_profile(tape: Tape) -> Run:
    trades = _frame(tape)

    def run() -> Told:
        seen = pd.DataFrame({"level": _levels(trades["price"], ROW), "period": trades["time"] // PERIOD})
        tpos = seen.drop_duplicates().groupby("level").size()
        areas = _areas(tpos.astype("float64"))
        return lambda: {"level": tpos.index.to_numpy(), "tpos": tpos.to_numpy(), **areas}

    return run


def _areas(amount: pd.Series) -> Answer:
    first, last = int(amount.index[0]), int(amount.index[-1])
    control, low, high = value_area(amount.reindex(range(first, last + 1), fill_value=0.0).to_numpy())
    return {"poc": np.array([first + control]), "area": np.array([first + low, first + high])}


def _cvd(tape: Tape) -> Run:
    trades = _frame(tape)

    def run() -> Told:
        bar, size = trades["time"] // BAR, trades["size"]
        buy, sell = size.where(trades["is_buy"], 0.0), size.where(~trades["is_buy"], 0.0)
        signed = buy - sell
        found = pd.DataFrame({"bar": bar, "buy": buy, "sell": sell, "running": signed.groupby(bar).cumsum()})
        bars = found.groupby("bar").agg(
            buy=("buy", "sum"), sell=("sell", "sum"), high=("running", "max"), low=("running", "min")
        )
        bars["high"], bars["low"] = bars["high"].clip(lower=0), bars["low"].clip(upper=0)
        bars["cvd"] = (bars["buy"] - bars["sell"]).cumsum()
        bars["share"] = (bars["buy"] - bars["sell"]) / (bars["buy"] + bars["sell"])
        return lambda: _columns(bars.reset_index())

    return run


def _imbalance(tape: Tape) -> Run:
    trades = _frame(tape)

    def run() -> Told:
        cells = _grouped(trades)
        bar, level = cells["bar"], cells["level"]
        below = cells["sell"].shift(1).where(level.shift(1) == level - 1, 0.0).where(bar.shift(1) == bar)
        above = cells["buy"].shift(-1).where(level.shift(-1) == level + 1, 0.0).where(bar.shift(-1) == bar)
        bought = cells[(cells["buy"] > 0) & (cells["buy"] > RATIO * below)].assign(is_buy=True)
        sold = cells[(cells["sell"] > 0) & (cells["sell"] > RATIO * above)].assign(is_buy=False)
        found = pd.concat([bought, sold]).sort_values(["bar", "level", "is_buy"])
        return lambda: _columns(found[["bar", "level", "is_buy"]])

    return run


def _columns(frame: pd.DataFrame) -> Answer:
    return {str(name): frame[name].to_numpy() for name in frame.columns}


ANSWERS: Answers = {
    "footprint": _footprint,
    "volume profile": _volume_profile,
    "market profile": _market_profile,
    "CVD": _cvd,
    "imbalance": _imbalance,
}

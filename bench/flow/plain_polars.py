"""polars: the questions as lazy expressions, which it may put in the order that it likes best."""

import numpy as np
import polars as pl

from bench.flow.contestants import Answers, Run, Told
from bench.flow.questions import BAR, BIN, PERIOD, RATIO, ROUNDED, ROW, STEP, Answer, value_area
from bench.flow.tape import Tape

_BUY = pl.when("is_buy").then("size").otherwise(0.0)
_SELL = pl.when("is_buy").then(0.0).otherwise("size")


def _frame(tape: Tape) -> pl.LazyFrame:
    return pl.DataFrame(
        {"time": tape.time, "price": tape.price, "size": tape.size, "is_buy": tape.is_buy}
    ).lazy()


def _level(step: float) -> pl.Expr:
    return (pl.col("price") / step + ROUNDED).floor().cast(pl.Int64).alias("level")


def _grouped(trades: pl.LazyFrame) -> pl.LazyFrame:
    """Return bought, sold and trades by bar and level."""
    return (
        trades.group_by((pl.col("time") // BAR).alias("bar"), _level(STEP))
        .agg(buy=_BUY.sum(), sell=_SELL.sum(), trades=pl.len())
        .sort("bar", "level")
    )


def _footprint(tape: Tape) -> Run:
    trades = _frame(tape)

    def run() -> Told:
        cells = _grouped(trades).collect()
        most = cells.group_by("bar", maintain_order=True).agg((pl.col("buy") + pl.col("sell")).max())
        return lambda: {**_columns(cells), "poc_volume": most["buy"].to_numpy()}

    return run


def _volume_profile(tape: Tape) -> Run:
    trades = _frame(tape)

    def run() -> Told:
        found = trades.group_by(_level(BIN)).agg(volume=pl.col("size").sum()).sort("level").collect()
        areas = _areas(found["level"].to_numpy(), found["volume"].to_numpy())
        return lambda: {**_columns(found), **areas}

    return run


def _market_profile(tape: Tape) -> Run:
    trades = _frame(tape)

    def run() -> Told:
        seen = trades.select(_level(ROW), (pl.col("time") // PERIOD).alias("period")).unique()
        found = seen.group_by("level").agg(tpos=pl.len()).sort("level").collect()
        areas = _areas(found["level"].to_numpy(), found["tpos"].to_numpy().astype(np.float64))
        return lambda: {**_columns(found), **areas}

    return run


def _areas(level: np.ndarray, amount: np.ndarray) -> Answer:
    first = int(level[0])
    whole = np.zeros(int(level[-1]) - first + 1)
    whole[level - first] = amount
    control, low, high = value_area(whole)
    return {"poc": np.array([first + control]), "area": np.array([first + low, first + high])}


def _cvd(tape: Tape) -> Run:
    trades = _frame(tape)

    def run() -> Told:
        signed = pl.when("is_buy").then("size").otherwise(-pl.col("size"))
        found = (
            trades.group_by((pl.col("time") // BAR).alias("bar"))
            .agg(
                buy=_BUY.sum(),
                sell=_SELL.sum(),
                high=signed.cum_sum().max().clip(lower_bound=0.0),
                low=signed.cum_sum().min().clip(upper_bound=0.0),
            )
            .sort("bar")
            .with_columns(
                cvd=(pl.col("buy") - pl.col("sell")).cum_sum(),
                share=(pl.col("buy") - pl.col("sell")) / (pl.col("buy") + pl.col("sell")),
            )
            .collect()
        )
        return lambda: _columns(found)

    return run


def _imbalance(tape: Tape) -> Run:
    trades = _frame(tape)

    def beside(side: str, rows: int) -> pl.Expr:
        """Return what the level `rows` above traded: 0 where there is none, nothing beyond the bar."""
        same = pl.col("bar").shift(-rows) == pl.col("bar")
        adjacent = pl.col("level").shift(-rows) == pl.col("level") + rows
        return pl.when(same & adjacent).then(pl.col(side).shift(-rows)).when(same).then(0.0)

    def run() -> Told:
        cells = _grouped(trades).with_columns(below=beside("sell", -1), above=beside("buy", 1))
        found = (
            pl.concat(
                cells.filter(pl.col(side) > 0, pl.col(side) > RATIO * pl.col(against)).select(
                    "bar", "level", is_buy=pl.lit(side == "buy")
                )
                for side, against in (("buy", "below"), ("sell", "above"))
            )
            .sort("bar", "level", "is_buy")
            .collect()
        )
        return lambda: _columns(found)

    return run


def _columns(frame: pl.DataFrame) -> Answer:
    return {name: frame[name].to_numpy() for name in frame.columns}


ANSWERS: Answers = {
    "footprint": _footprint,
    "volume profile": _volume_profile,
    "market profile": _market_profile,
    "CVD": _cvd,
    "imbalance": _imbalance,
}

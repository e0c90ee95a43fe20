"""orderflow-metrics: plain Python over objects of trades, made before the clock starts."""

import numpy as np
from orderflow_metrics import Trade, trade_imbalance

from bench.flow.contestants import Answers, Run, Told
from bench.flow.questions import BAR
from bench.flow.tape import Tape


def _cvd(tape: Tape) -> Run:
    columns = zip(tape.price.tolist(), tape.size.tolist(), tape.is_buy.tolist(), strict=True)
    trades = [Trade(price, size, "buy" if is_buy else "sell") for price, size, is_buy in columns]
    first = np.flatnonzero(np.diff(tape.time // BAR, prepend=-1)).tolist()
    bars = [trades[begin:end] for begin, end in zip(first, [*first[1:], len(trades)], strict=True)]

    def run() -> Told:
        found = [trade_imbalance(one) for one in bars]
        return lambda: {"share": np.array(found)}

    return run


ANSWERS: Answers = {"CVD": _cvd}

"""wickra: compiled indicators that take one trade after the other; a footprint begins anew with each bar."""

import numpy as np
import wickra

from bench.flow.contestants import Answers, Run, Told
from bench.flow.questions import BAR
from bench.flow.tape import Tape


def _cvd(tape: Tape) -> Run:
    columns = tape.price.tolist(), tape.size.tolist(), tape.is_buy.tolist()  # what it reads quickest

    def run() -> Told:
        running = wickra.CumulativeVolumeDelta().batch(*columns)
        last = np.flatnonzero(np.diff(tape.time // BAR, append=-1))
        return lambda: {"cvd": np.asarray(running)[last]}

    return run


ANSWERS: Answers = {"CVD": _cvd}

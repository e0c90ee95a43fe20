"""One contestant and one question in a process of their own: `python -m bench.flow.child NAME QUESTION FOLDER CPU`.

Prints JSON. What is timed is repeated until it has taken a second, three times at least; the answer is
compared first. numpy is all that this file needs.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from bench.flow.contestants import BY_NAME, Contestant
from bench.flow.questions import wrong
from bench.flow.tape import Tape, load

ENOUGH_S = 1.0
TIMES = 3
FEW = 20_000  # trades to warm up with: compilers run, libraries are loaded


def measure(contestant: Contestant, question: str, tape: Tape, folder: Path) -> dict[str, object]:
    """Warm up, answer, compare, and time; seconds are those of one run."""
    answer = contestant.answers[question]
    answer(tape.part(end=FEW))()()
    run = answer(tape)
    with np.load(folder / f"{question}.npz") as wanted:
        if differs := wrong(run()(), dict(wanted), contestant.tolerance):
            raise SystemExit(f"{contestant.name} is wrong: {'; '.join(differs)[:300]}")
    gc.collect()
    gc.freeze()
    times = 0
    wall, cpu = time.perf_counter(), time.process_time()
    while times < TIMES or time.perf_counter() - wall < ENOUGH_S:
        run()
        times += 1
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu_s": cpu / times, "wall_s": wall / times, "version": contestant.version}


def main() -> None:
    name, question, folder, cpu = sys.argv[1:]
    os.sched_setaffinity(0, {int(cpu)})
    print(json.dumps(measure(BY_NAME[name], question, load(Path(folder)), Path(folder))))


if __name__ == "__main__":
    main()

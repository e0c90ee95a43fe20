"""Measure: every contestant on every question and tape, one process each on one pinned core, in interleaved rounds."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np

from bench.flow.contestants import CONTESTANTS, Contestant
from bench.flow.in_store import fill
from bench.flow.questions import QUESTIONS, expected
from bench.flow.tape import write

ROOT = Path(__file__).parents[2]
RIVALS = Path(sys.prefix) / "rivals"  # environments of contestants that cannot live in ours
SIZES = (1_000_000, 10_000_000)


class Timed(msgspec.Struct, frozen=True):
    """Of one run: CPU and wall time; `version` is that of the contestant's package."""

    cpu_s: float
    wall_s: float
    version: str


Key = tuple[str, str, int]  # contestant, question, trades


class Results(msgspec.Struct):
    """`runs` has a measurement a round; `absent` says why there is none."""

    runs: dict[Key, list[Timed]]
    absent: dict[Key, str]
    sizes: tuple[int, ...]


def measure(folder: Path, rounds: int, sizes: tuple[int, ...] = SIZES) -> Results:
    """Make the tapes in a folder, then have each contestant answer each question about each."""
    results = Results({}, {}, sizes)
    for trades in sizes:
        _say(f"a tape of {trades:,} trades")
        _made(folder / str(trades), trades)
    cpu = max(os.sched_getaffinity(0))
    for round_number in range(1, rounds + 1):
        for trades in sizes:
            for question in QUESTIONS:
                for one in CONTESTANTS:
                    key = (one.name, question.name, trades)
                    if key not in results.absent and question.name in (one.only or (question.name,)):
                        _say(f"round {round_number}/{rounds}  {trades:,}  {question.name}  {one.name}")
                        _run(results, one, key, folder / str(trades), cpu)
    return results


def _made(folder: Path, trades: int) -> None:
    """Write a tape, its database, and what has to come out of every question."""
    tape = write(folder, trades)
    fill(tape)
    for question in QUESTIONS:
        columns = expected(tape, question.name)
        with (folder / f"{question.name}.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **columns)


def _run(results: Results, one: Contestant, key: Key, folder: Path, cpu: int) -> None:
    _, question, trades = key
    if trades > one.most:
        results.absent[key] = f"not asked of more than {one.most:,} trades"
        return
    python = RIVALS / one.apart / "bin" / "python" if one.apart else Path(sys.executable)
    if not python.is_file():
        results.absent[key] = f"no environment {RIVALS.name}/{one.apart}: `make bench` makes it"
        return
    command = [str(python), "-m", "bench.flow.child", one.name, question, str(folder), str(cpu)]
    child = subprocess.run(command, capture_output=True, cwd=ROOT, env=_environment(), check=False)
    if child.returncode:
        lines = child.stderr.decode().strip().splitlines()
        results.absent[key] = lines[-1] if lines else f"exit code {child.returncode}"
        results.runs.pop(key, None)
        _say(results.absent[key])
        return
    results.runs.setdefault(key, []).append(msgspec.json.decode(child.stdout.splitlines()[-1], type=Timed))


def _environment() -> dict[str, str]:
    """Return the environment of a contestant: threads beyond the one core would only wait for it."""
    alone = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    return {**os.environ, **alone}


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)

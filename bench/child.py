"""One measured run in a process of its own: `python -m bench.child SCENARIO FILE CPU [LIMIT]` prints JSON.

A short recording is run several times on end, each time from the beginning by a contestant that was made
anew, so that what is measured is not the first milliseconds of a process.
"""

import gc
import os
import sys
import time
from pathlib import Path

import msgspec

from bench.recordings import Expected, expected, load
from bench.scenarios import BY_NAME, Done

ENOUGH = 10_000  # messages of a measured run, at the least,
TIMES = 60  # unless it would take more than so many runs of the recording


class Measured(msgspec.Struct, frozen=True):
    """CPU and wall time of the runs alone; `grown_mb` is the peak above what the loaded frames took.

    `messages` are those of all runs.
    """

    scenario: str
    recording: str
    messages: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    grown_mb: float
    figures: dict[str, float]


def measure(name: str, path: Path, limit: int | None) -> Measured:
    """Load, check what has to come out, prepare, run between two readings of the clock, compare."""
    recording = load(path, limit)
    wanted = expected(recording)
    scenario = BY_NAME[name]
    messages = len(recording.messages)
    times = min(TIMES, -(-ENOUGH // messages)) if scenario.compared else 1
    runs = [scenario.prepare(recording) for _ in range(times)]
    gc.collect()
    gc.freeze()  # the frames are the bench's, not the contestant's, to walk through
    before = _resident("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    tellers = [run() for run in runs]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = _resident("VmHWM")
    done = [told() for told in tellers]
    if scenario.compared:
        for one in done:
            compare(name, one, wanted)
    grown, figures = max(0.0, peak - before), done[-1].figures
    return Measured(name, recording.name, times * messages, cpu, wall, peak, grown, figures)


def compare(name: str, done: Done, wanted: Expected) -> None:
    """Exit with a line that says how the work differs from what the recording asks for."""
    wrong = {
        kind: (times, wanted.counts.get(kind, 0))
        for kind, times in done.counts.items()
        if times != wanted.counts.get(kind, 0)
    }
    groups = [*wanted.alternatives]
    groups += [frozenset({kind}) for kind in wanted.counts if not any(kind in one for one in groups)]
    skipped = [sorted(one) for one in groups if one & wanted.counts.keys() and not one & done.counts.keys()]
    if wrong or (done.whole and skipped):
        raise SystemExit(f"{name} did not do the work: kind → (did, should) {wrong}, skipped {skipped}")
    if done.best and done.best != wanted.best:
        differ = {
            symbol: (done.best.get(symbol), wanted.best.get(symbol))
            for symbol in done.best.keys() | wanted.best.keys()
            if done.best.get(symbol) != wanted.best.get(symbol)
        }
        raise SystemExit(f"{name}'s books ended elsewhere: symbol → (is, should be) {differ}")


def _resident(field: str) -> float:
    """Megabytes by the kernel's count of this very process (getrusage remembers the parent's)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"/proc/self/status has no {field}: memory can be measured on Linux only")


def main() -> None:
    name, path, cpu, *limit = sys.argv[1:]
    os.sched_setaffinity(0, {int(cpu)})
    sys.stdout.buffer.write(msgspec.json.encode(measure(name, Path(path), int(limit[0]) if limit else None)))


if __name__ == "__main__":
    main()

"""One measured run in a process of its own: `python -m bench.child SCENARIO FILE CPU [LIMIT]` prints JSON."""

import gc
import os
import sys
import time
from pathlib import Path

import msgspec

from bench.recordings import Expected, expected, load
from bench.scenarios import BY_NAME, Done


class Measured(msgspec.Struct, frozen=True):
    """CPU and wall time of the run alone; `grown_mb` is the peak above what the loaded frames took."""

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
    run = BY_NAME[name].prepare(recording)
    gc.collect()
    gc.freeze()  # the frames are the bench's, not the contestant's, to walk through
    before = _resident("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    done = run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = _resident("VmHWM")
    if BY_NAME[name].compared:
        compare(name, done, wanted)
    messages = len(recording.messages)
    return Measured(name, recording.name, messages, cpu, wall, peak, max(0.0, peak - before), done.figures)


def compare(name: str, done: Done, wanted: Expected) -> None:
    """Exit with a line that says how the work differs from what the recording asks for."""
    wrong = {
        kind: (times, wanted.counts.get(kind, 0))
        for kind, times in done.counts.items()
        if times != wanted.counts.get(kind, 0)
    }
    skipped = wanted.counts.keys() - done.counts.keys() - {"diffs", "applied"}
    if wrong or skipped or not {"diffs", "applied"} & done.counts.keys():
        raise SystemExit(
            f"{name} did not do the work: kind → (did, should) {wrong}, skipped {sorted(skipped)}"
        )
    if done.best and done.best != wanted.best:
        raise SystemExit(f"{name}'s books ended elsewhere: is {done.best}, should be {wanted.best}")


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

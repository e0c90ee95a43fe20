"""Measure: every scenario on every recording, one process each on one pinned core, in interleaved rounds."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from bench.child import Measured
from bench.scenarios import SCENARIOS, Scenario

ROOT = Path(__file__).parents[1]


class Results(msgspec.Struct):
    """`runs`: (scenario, recording) → one measurement a round. `absent`: the same → why it has none."""

    runs: dict[tuple[str, str], list[Measured]]
    absent: dict[tuple[str, str], str]
    recordings: list[str]

    def scenarios(self) -> list[Scenario]:
        measured = {scenario for scenario, _ in self.runs}
        return [one for one in SCENARIOS if one.name in measured]

    def compared(self) -> list[str]:
        return [one.name for one in self.scenarios() if one.compared]


def measure(paths: list[Path], rounds: int, limit: int | None) -> Results:
    """Neighbours in time are compared with one another, so a machine that slows down slows them all."""
    results = Results({}, {}, [])
    cpu = max(os.sched_getaffinity(0))
    for round_number in range(1, rounds + 1):
        for path in paths:
            for scenario in SCENARIOS:
                if not scenario.compared and path != paths[0]:
                    continue
                if (scenario.name, name_of(path)) in results.absent:
                    continue
                print(
                    f"round {round_number}/{rounds}  {path.stem}  {scenario.name}",
                    file=sys.stderr,
                    flush=True,
                )
                _run(results, scenario, path, cpu, limit)
    results.recordings = [name_of(path) for path in paths]
    return results


def _run(results: Results, scenario: Scenario, path: Path, cpu: int, limit: int | None) -> None:
    command = [sys.executable, "-m", "bench.child", scenario.name, str(path), str(cpu)]
    command += [] if limit is None else [str(limit)]
    child = subprocess.run(command, capture_output=True, cwd=ROOT, check=False)
    key = (scenario.name, name_of(path))
    if child.returncode:
        lines = child.stderr.decode().strip().splitlines()
        results.absent[key] = lines[-1] if lines else f"exit code {child.returncode}"
        results.runs.pop(key, None)
        print(child.stderr.decode(), file=sys.stderr)
        return
    results.runs.setdefault(key, []).append(msgspec.json.decode(child.stdout, type=Measured))


def name_of(path: Path) -> str:
    """What a recording is called in the report."""
    return f"{path.parent.name}/{path.name.removesuffix('.gz').removesuffix('.jsonl')}"

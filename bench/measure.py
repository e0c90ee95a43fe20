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
    """`runs`: (scenario, recording) → one measurement a round. `absent`: scenario → why it has none."""

    runs: dict[tuple[str, str], list[Measured]]
    absent: dict[str, str]
    recordings: list[str]

    def scenarios(self) -> list[Scenario]:
        return [one for one in SCENARIOS if one.name not in self.absent]

    def compared(self) -> list[str]:
        return [one.name for one in self.scenarios() if one.compared]


def measure(paths: list[Path], rounds: int, limit: int | None) -> Results:
    """Neighbours in time are compared with one another, so a machine that slows down slows them all."""
    results = Results({}, {}, [])
    cpu = max(os.sched_getaffinity(0))
    for round_number in range(1, rounds + 1):
        for path in paths:
            for scenario in results.scenarios():
                if not scenario.compared and path != paths[0]:
                    continue
                print(
                    f"round {round_number}/{rounds}  {path.stem}  {scenario.name}",
                    file=sys.stderr,
                    flush=True,
                )
                _run(results, scenario, path, cpu, limit)
    results.recordings = list(dict.fromkeys(recording for _, recording in results.runs))
    return results


def _run(results: Results, scenario: Scenario, path: Path, cpu: int, limit: int | None) -> None:
    command = [sys.executable, "-m", "bench.child", scenario.name, str(path), str(cpu)]
    command += [] if limit is None else [str(limit)]
    child = subprocess.run(command, capture_output=True, cwd=ROOT, check=False)
    if child.returncode:
        lines = child.stderr.decode().strip().splitlines()
        results.absent[scenario.name] = lines[-1] if lines else f"exit code {child.returncode}"
        results.runs = {key: runs for key, runs in results.runs.items() if key[0] != scenario.name}
        print(child.stderr.decode(), file=sys.stderr)
        return
    measured = msgspec.json.decode(child.stdout, type=Measured)
    name = f"{path.parent.name}/{measured.recording}"
    results.runs.setdefault((scenario.name, name), []).append(measured)

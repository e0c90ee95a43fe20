"""`python -m bench`: measure, print the ratios, write bench/RESULTS.md."""

import argparse
import tempfile
from pathlib import Path

from bench.flow.measure import SIZES
from bench.flow.measure import measure as measure_flow
from bench.flow.report import latencies, order_flow
from bench.live_latency import live, starts
from bench.measure import measure
from bench.recordings import CAPTURES
from bench.report import decoding, document
from bench.scenarios import OURS
from bench.subjects import subjects
from bench.tool_latency import measured

RESULTS = Path(__file__).parent / "RESULTS.md"
REAL = "Frames: real recordings of the venues (public captures, listed below by name)."


PARTS = ("frames", "flow", "tools")


def main() -> None:
    said = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    said.add_argument(
        "--parts", nargs="*", choices=PARTS, default=PARTS, help="what is measured (default all)"
    )
    said.add_argument("--rounds", type=int, default=5, help="how often each is run (default 5)")
    said.add_argument("--messages", type=int, default=None, help="at most so many messages of each recording")
    said.add_argument("--venues", nargs="*", default=list(subjects()), help="these venues alone")
    said.add_argument("--captures", type=Path, default=CAPTURES, help="folder with the recordings")
    said.add_argument("--trades", type=int, nargs="*", default=SIZES, help="of the tapes of order flow")
    said.add_argument("--calls", type=int, default=30, help="of each tool (default 30)")
    said.add_argument("--output", type=Path, default=RESULTS, help="where the report is written")
    chosen = said.parse_args()
    sections: list[list[str]] = []
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for part, measured in (("frames", _frames), ("flow", _flow), ("tools", _tools)):
            if part in chosen.parts:
                section, failed = measured(chosen, Path(folder))
                sections.append(section)
                wrong += failed
    report = document(*sections)
    chosen.output.write_text(report)
    print(report)
    if wrong:
        raise SystemExit(f"ours was not measured: {'; '.join(wrong)}")


def _frames(chosen: argparse.Namespace, folder: Path) -> tuple[list[str], list[str]]:
    paths, note = recordings(chosen.captures, chosen.venues, folder)
    results = measure(paths, chosen.rounds, chosen.messages)
    remarks = [f"{one.venue}: {remark}" for one in subjects().values() for remark in one.remarks]
    wrong = [f"{recording}: {why}" for (name, recording), why in results.absent.items() if name == OURS]
    return decoding(results, [note], remarks), wrong


def _flow(chosen: argparse.Namespace, folder: Path) -> tuple[list[str], list[str]]:
    results = measure_flow(folder / "flow", chosen.rounds, tuple(chosen.trades))
    wrong = [f"{key}: {why}" for key, why in results.absent.items() if key[0].startswith(OURS)]
    return order_flow(results), wrong


def _tools(chosen: argparse.Namespace, folder: Path) -> tuple[list[str], list[str]]:
    stored = measured(folder / "tools", chosen.calls)
    return latencies(live(folder / "live", chosen.calls), stored, starts()), []


def recordings(captures: Path, venues: list[str], folder: Path) -> tuple[list[Path], str]:
    """The subjects' captures, or (where there are none) recordings of the simulator written to `folder`."""
    chosen = [name for venue in venues for name in subjects()[venue].recordings]
    real = [captures / name for name in chosen if (captures / name).is_file()]
    if real:
        return real, REAL
    from bench.simulated import record

    return record(
        folder
    ), f"Frames: **simulated**, because {captures} has no recordings. Ratios hold for these frames only."


if __name__ == "__main__":
    main()

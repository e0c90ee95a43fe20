"""`python -m bench`: measure, print the ratios, write bench/RESULTS.md."""

import argparse
import tempfile
from pathlib import Path

from bench.measure import measure
from bench.recordings import CAPTURES
from bench.report import document
from bench.scenarios import OURS
from bench.subjects import subjects

RESULTS = Path(__file__).parent / "RESULTS.md"
REAL = "Frames: real recordings of the venues (public captures, listed below by name)."


def main() -> None:
    said = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    said.add_argument("--rounds", type=int, default=5, help="how often each is run (default 5)")
    said.add_argument("--messages", type=int, default=None, help="at most so many messages of each recording")
    said.add_argument("--venues", nargs="*", default=list(subjects()), help="these venues alone")
    said.add_argument("--captures", type=Path, default=CAPTURES, help="folder with the recordings")
    said.add_argument("--output", type=Path, default=RESULTS, help="where the report is written")
    chosen = said.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths, note = recordings(chosen.captures, chosen.venues, Path(folder))
        results = measure(paths, chosen.rounds, chosen.messages)
    remarks = [f"{one.venue}: {remark}" for one in subjects().values() for remark in one.remarks]
    report = document(results, [note], remarks)
    chosen.output.write_text(report)
    print(report)
    if wrong := [f"{recording}: {why}" for (name, recording), why in results.absent.items() if name == OURS]:
        raise SystemExit(f"ours was not measured: {'; '.join(wrong)}")


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

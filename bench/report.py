"""Report: medians, ratios of pairs and goals, as text for a terminal and for bench/RESULTS.md."""

import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import msgspec

from bench.measure import Results
from bench.scenarios import OURS

PACKAGES = (
    "crypto-orderflow",
    "cryptofeed",
    "ccxt",
    "msgspec",
    "duckdb",
    "picows",
    "uvloop",
    "pyarrow",
    "numpy",
    "pandas",
    "polars",
)


ABSENT = "–"


class Goal(msgspec.Struct, frozen=True):
    """`at_least` times faster than `other`, or `at_most` times its cost."""

    other: str
    at_least: float | None = None
    at_most: float | None = None

    def says(self) -> str:
        if self.at_least is not None:
            return f"at least {self.at_least:g} times faster than {self.other}"
        return f"at most {self.at_most:g} times the cost of {self.other}"

    def judge(self, ratio: float) -> str:
        """`ratio` is the other's cost over ours."""
        if self.at_least is not None:
            wanted, got = self.at_least, ratio
            return "met" if got >= wanted else f"missed by {100 * (1 - got / wanted):.0f} %"
        wanted, got = self.at_most or 0.0, 1 / ratio
        return "met" if got <= wanted else f"missed by {100 * (got / wanted - 1):.0f} %"

    def measured(self, ratio: float) -> str:
        return f"{ratio:.1f} times" if self.at_least is not None else f"{1 / ratio:.1f} times"


class FigureGoal(msgspec.Struct, frozen=True):
    """A figure that a scenario prints, with the value that it should reach or stay below."""

    about: str
    scenario: str
    figure: str
    at_least: float | None = None
    at_most: float | None = None

    def row(self, values: list[float]) -> list[str]:
        wanted = self.at_least if self.at_least is not None else self.at_most or 0.0
        name = f"{self.about}: {'at least' if self.at_least is not None else 'at most'} {wanted:,g}"
        if not values:
            return [name, "not measured", "", ""]
        middle = median(values)
        worst = min(values) if self.at_least is not None else max(values)
        short = 1 - middle / wanted if self.at_least is not None else middle / wanted - 1
        return [
            name,
            f"{middle:,.4g}",
            f"{worst:,.4g}",
            f"missed by {100 * short:.0f} %" if short > 0 else "met",
        ]


GOALS = (
    Goal("cryptofeed", at_least=4),
    Goal("cryptofeed, keeping nothing", at_least=4),
    Goal("ccxt pro", at_least=10),
    Goal("bare decode", at_most=3),
)

FIGURE_GOALS = (
    FigureGoal("socket to durable row, frames/s on one core", "socket to row", "frames/s", at_least=80_000),
    FigureGoal("20,000 frames/s, share of a core", "20,000 frames a second", "share of a core", at_most=0.45),
    FigureGoal("20,000 frames/s, loop lag p99, ms", "20,000 frames a second", "loop lag p99 ms", at_most=10),
    FigureGoal(
        "memory at 20,000 frames/s with nine symbols live, MB",
        "20,000 frames a second",
        "resident MB",
        at_most=400,
    ),
)


def document(*sections: list[str]) -> str:
    """The whole of bench/RESULTS.md, made of what was measured."""
    head = [
        "# Results of `make bench`",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {machine()}",
        f"Versions: {versions()}.",
    ]
    return "\n\n".join([*head, *(part for section in sections for part in section)]) + "\n"


def decoding(results: Results, notes: list[str], remarks: list[str]) -> list[str]:
    """Return the parts about frames; `remarks` tell how recordings were prepared for all contestants."""
    return [
        *notes,
        "CPU time of the run alone, one process each on one pinned core, rounds interleaved; medians over the"
        " rounds. A ratio is the median of the ratios of neighbouring runs. Ratios drift by about a fifth from"
        " run to run; absolute figures hold on this machine alone. A short recording is run several times from"
        " its beginning, by a contestant made anew each time.",
        "Each contestant is checked after its run: as many messages of each kind as the recording has, as many"
        " updates of books applied (or prices in them at the end), and every book's best prices where the"
        " recording ends. Acknowledgements are left out for all.",
        *(["\n".join(f"- {remark}" for remark in remarks)] if remarks else []),
        "## CPU per message",
        table(results),
        "## Memory",
        "Peak resident set of the process, with the loaded frames in it, and what the run added to it.",
        memory(results),
        *_figures(results),
        "## Goals",
        goals(results),
        "## What each does",
        "\n".join(f"- **{one.name}**: {one.about}." for one in results.scenarios()),
        *_absent(results),
    ]


def _absent(results: Results) -> Iterator[str]:
    if results.absent:
        yield "## Not measured"
        rows = [[name, recording, why] for (name, recording), why in results.absent.items()]
        yield markdown(["contestant", "recording", "why"], rows)


def table(results: Results) -> str:
    """µs per message of each scenario, and its cost as a multiple of ours."""
    names = results.compared()
    others = [name for name in names if name != OURS] if OURS in names else []
    head = [
        "recording",
        "messages",
        *(f"{name}, µs" for name in names),
        *(f"{name} ÷ ours" for name in others),
    ]
    rows: list[list[str]] = []
    for recording in results.recordings:
        messages = max(runs[0].messages for (_, one), runs in results.runs.items() if one == recording)
        costs = [_cell(cost(results, name, recording), 1e6) for name in names]
        ratios = [_cell(ratio(results, name, recording)) for name in others]
        rows.append([recording, f"{messages:,}", *costs, *ratios])
    return markdown(head, rows)


def memory(results: Results) -> str:
    names = results.compared()
    rows: list[list[str]] = []
    for recording in results.recordings:
        cells = [recording]
        for name in names:
            runs = results.runs.get((name, recording))
            if runs is None:
                cells.append(ABSENT)
                continue
            peak, grown = median(one.peak_mb for one in runs), median(one.grown_mb for one in runs)
            cells.append(f"{peak:.0f} MB (+{grown:.1f})")
        rows.append(cells)
    return markdown(["recording", *names], rows)


def goals(results: Results) -> str:
    """Each ratio over the venues, each figure over the rounds: median and worst against the goal."""
    rows: list[list[str]] = []
    for goal in GOALS:
        ratios = by_venue(results, goal.other)
        if not ratios:
            rows.append([goal.says(), "not measured", "", ""])
            continue
        middle, worst = median(ratios.values()), min(ratios, key=ratios.__getitem__)
        cells = [goal.measured(middle), f"{goal.measured(ratios[worst])} ({worst})", goal.judge(middle)]
        rows.append([goal.says(), *cells])
    for figure_goal in FIGURE_GOALS:
        rows.append(figure_goal.row(_values(results, figure_goal)))
    return markdown(["goal", "median", "worst", "median against the goal"], rows)


def _values(results: Results, goal: FigureGoal) -> list[float]:
    return [
        one.figures[goal.figure]
        for (scenario, _), runs in results.runs.items()
        for one in runs
        if scenario == goal.scenario and goal.figure in one.figures
    ]


def cost(results: Results, name: str, recording: str) -> float | None:
    """Median CPU seconds per message; None where it was not measured."""
    runs = results.runs.get((name, recording))
    return None if runs is None else median(one.cpu_s / one.messages for one in runs)


def ratio(results: Results, name: str, recording: str) -> float | None:
    """The median over the rounds of the other's cost over ours; None where one was not measured."""
    others, ours = (results.runs.get((one, recording)) for one in (name, OURS))
    if others is None or ours is None:
        return None
    return median(other.cpu_s / one.cpu_s for other, one in zip(others, ours, strict=True))


def by_venue(results: Results, name: str) -> dict[str, float]:
    """The median ratio of a venue's recordings, for each venue where both were measured."""
    found: dict[str, list[float]] = {}
    for recording in results.recordings:
        if (one := ratio(results, name, recording)) is not None:
            found.setdefault(recording.partition("/")[0], []).append(one)
    return {venue: median(ratios) for venue, ratios in found.items()}


def _cell(value: float | None, times: float = 1.0) -> str:
    return ABSENT if value is None else f"{times * value:.2f}"


def _figures(results: Results) -> Iterator[str]:
    rows = [
        [scenario, recording, figure, f"{median(one.figures[figure] for one in runs):,.2f}"]
        for (scenario, recording), runs in results.runs.items()
        for figure in runs[0].figures
    ]
    if rows:
        yield "## Other figures"
        yield markdown(["scenario", "recording", "figure", "median"], rows)


def machine() -> str:
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    kilobytes = next(
        (int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0
    )
    return (
        f"{os.cpu_count()} cores ({model}), {kilobytes / 2**20:.0f} GiB of memory, "
        f"{platform.system()} {platform.release()}, {platform.python_implementation()} {platform.python_version()}."
    )


def versions() -> str:
    return ", ".join(f"{name} {_version(name)}" for name in PACKAGES)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(absent)"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

"""Report: milliseconds and ratios of order flow, and the tools' latencies, as parts of bench/RESULTS.md."""

from collections.abc import Iterator, Sequence
from statistics import median

from bench.flow.contestants import CONTESTANTS, OURS, Contestant
from bench.flow.measure import Results, Timed
from bench.flow.questions import QUESTIONS
from bench.live_latency import Start
from bench.report import ABSENT, FigureGoal, markdown
from bench.tool_latency import Latency

MILLION = 1_000_000
GOALS = tuple(
    (FigureGoal(f"one million trades to {what}, {who}, s", who, question, at_most=0.5))
    for question, what in (("footprint", "one-minute footprints"), ("volume profile", "a volume profile"))
    for who in (OURS, "ours, in the store")
)


def order_flow(results: Results) -> list[str]:
    """Return the parts that tell how long order flow took."""
    return [
        "## Order flow",
        "A day of trades of one market (the simulator's, the same each time) becomes what order flow is read"
        " from. CPU milliseconds of one run, of processes pinned to one core, with one thread each; medians over the"
        " rounds, ratios as above. Every answer is compared, before the clock starts, with one worked out in the"
        " plainest way: all that a contestant tells has to be right.",
        table(results),
        "\n".join(f"- **{one.name}**: {one.about}." for one in QUESTIONS),
        "\n".join(f"- **{_named(results, one)}**: {one.about}." for one in CONTESTANTS),
        "No library was found that counts TPOs from trades: those that there are take bars, or divide the range of"
        " the last bars into a number of bins.",
        *_absent(results),
        "### Goals of order flow",
        markdown(
            ["goal", "median", "worst", "median against the goal"],
            [one.row(_values(results, one)) for one in GOALS],
        ),
    ]


def table(results: Results) -> str:
    """Return milliseconds of each contestant, and its cost as a multiple of ours."""
    names = [one.name for one in CONTESTANTS if any(key[0] == one.name for key in results.runs)]
    others = [name for name in names if name != OURS]
    head = ["question", "trades", *(f"{name}, ms" for name in names), *(f"{name} ÷ ours" for name in others)]
    rows: list[list[str]] = []
    for question in QUESTIONS:
        for trades in results.sizes:
            every = {name: results.runs.get((name, question.name, trades)) for name in names}
            costs = [_written(None if one is None else _cost(one) * 1000, ".1f") for one in every.values()]
            ratios = [_written(_ratio(every[name], every.get(OURS)), ".2f") for name in others]
            rows.append([question.name, f"{trades:,}", *costs, *ratios])
    return markdown(head, rows)


def latencies(live: Sequence[Latency], stored: Sequence[Latency], starts: Sequence[Start]) -> list[str]:
    """Return the parts that tell how long tools took to answer while the process collected."""
    return [
        "## Tools that ask the newest state",
        "Questions that live state answers, asked again and again as a door asks them, in the process that"
        " collects every simulated venue: wall time to the written answer.",
        _calls(live),
        "## Tools that ask a live store",
        "Each tool's own example, asked again and again as a door asks it, in the process that collects two"
        " simulated venues into a store with four hours of them: wall time to the written answer.",
        _calls(stored),
        "## An assistant's start",
        "`orderflow mcp --toolsets all` over stdio, until a client has the lists of tools, resources and prompts; CPU"
        " time is the process' own until then.",
        markdown(
            ["starts", "tools listed", "median wall, s", "median CPU, s", "worst CPU, s"],
            [
                [
                    str(len(starts)),
                    str(starts[0].tools),
                    f"{median(one.wall_s for one in starts):.2f}",
                    f"{median(one.cpu_s for one in starts):.2f}",
                    f"{max(one.cpu_s for one in starts):.2f}",
                ]
            ],
        ),
    ]


def _calls(found: Sequence[Latency]) -> str:
    rows = [
        [one.tool, "0", ABSENT, ABSENT, one.failed]
        if one.failed
        else [
            one.tool, str(len(one.seconds)), f"{one.median_ms:.1f}", f"{one.p99_ms:.1f}", f"{one.size:,} bytes",
        ]
        for one in found
    ]  # fmt: skip
    return markdown(["tool", "calls", "median, ms", "p99, ms", "answer"], rows)


def _named(results: Results, one: Contestant) -> str:
    versions = {run.version for key, runs in results.runs.items() if key[0] == one.name for run in runs}
    return " ".join([one.name, *sorted(versions)]).strip()


def _absent(results: Results) -> Iterator[str]:
    rows = [[name, question, f"{trades:,}", why] for (name, question, trades), why in results.absent.items()]
    if rows:
        yield "### Not measured of order flow"
        yield markdown(["contestant", "question", "trades", "why"], rows)


def _values(results: Results, goal: FigureGoal) -> list[float]:
    return [one.cpu_s for one in results.runs.get((goal.scenario, goal.figure, MILLION), [])]


def _cost(runs: Sequence[Timed]) -> float:
    return median(one.cpu_s for one in runs)


def _ratio(others: Sequence[Timed] | None, ours: Sequence[Timed] | None) -> float | None:
    if others is None or ours is None:
        return None
    return median(other.cpu_s / one.cpu_s for other, one in zip(others, ours, strict=True))


def _written(value: float | None, form: str) -> str:
    return ABSENT if value is None else f"{value:,{form}}"

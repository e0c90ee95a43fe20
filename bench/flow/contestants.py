"""Contestants: who is measured, one row each. A new one is a module with `ANSWERS`, and a row here.

`ANSWERS` maps the name of a question to a function of a `Tape` that prepares (loads the library, makes the
tables that it wants, warms up); what that returns is timed, and returns in turn what tells the answer.
"""

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import NamedTuple, TypeAlias

from bench.flow.questions import Answer
from bench.flow.tape import Tape

Told: TypeAlias = Callable[[], Answer]
Run: TypeAlias = Callable[[], Told]
Answers: TypeAlias = Mapping[str, Callable[[Tape], Run]]


class Contestant(NamedTuple):
    """`only` are the questions that it answers, all where there are none; `most` trades are what it is asked of.

    `tolerance` is how exact its numbers are, as a part of them. One that is `apart` runs in an environment of
    its own, under `.venv/rivals`.
    """

    name: str
    module: str
    about: str
    package: str = ""
    only: tuple[str, ...] = ()
    most: int = 10_000_000
    tolerance: float = 1e-9
    apart: str = ""

    @property
    def answers(self) -> Answers:
        return importlib.import_module(self.module).ANSWERS

    @property
    def version(self) -> str:
        return version(self.package) if self.package else ""


OURS = "ours"

CONTESTANTS = (
    Contestant(OURS, "bench.flow.ours", "`orderflow.flow` on columns in memory"),
    Contestant(
        "ours, in the store",
        "bench.flow.in_store",
        "the reader's question to the database on disk, with coverage and gaps, then `orderflow.flow`",
    ),
    Contestant("pandas", "bench.flow.plain_pandas", "group by, as one would write it", "pandas"),
    Contestant("polars", "bench.flow.plain_polars", "the same as lazy expressions", "polars"),
    Contestant(
        "finmlkit",
        "bench.flow.rival_finmlkit",
        "its compiled functions, compiled before the clock starts; sums in single precision, and other figures"
        " of each bar, too",
        "finmlkit",
        ("footprint", "volume profile", "CVD", "imbalance"),
        tolerance=2e-4,
        apart="finmlkit",
    ),
    Contestant(
        "MarketProfile",
        "bench.flow.rival_market_profile",
        "volume by price alone: its value area is of another rule",
        "MarketProfile",
        ("volume profile",),
        most=1_000_000,
    ),
    Contestant(
        "wickra",
        "bench.flow.rival_wickra",
        "compiled, one trade after the other; of CVD the running sum alone",
        "wickra",
        ("CVD",),
        most=1_000_000,
    ),
    Contestant(
        "orderflow-metrics",
        "bench.flow.rival_orderflow_metrics",
        "of CVD each bar's delta as a share of its volume, and no more",
        "orderflow-metrics",
        ("CVD",),
        most=1_000_000,
    ),
)

BY_NAME = {one.name: one for one in CONTESTANTS}

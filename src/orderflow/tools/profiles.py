"""Profiles: what the tools of volume by price share: bins, what POC and value area go by, and how these are told."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from msgspec import Meta as Range

from orderflow.flow.cells import Cells
from orderflow.flow.levels import round_step
from orderflow.flow.profile import Amount, Profile, profile
from orderflow.flow.spreading import spread
from orderflow.flow.value_area import Bin, ValueArea
from orderflow.market.errors import InvalidArgument
from orderflow.store.windows import Window
from orderflow.tools.spec import SMALLEST

Mode: TypeAlias = Literal["raw", "synthetic"]
Size: TypeAlias = Annotated[float, Range(ge=SMALLEST)] | None
Ticks: TypeAlias = Annotated[int, Range(ge=1, le=1_000_000)] | None
Percent: TypeAlias = Annotated[float, Range(ge=1, le=100)]
Pair: TypeAlias = Literal[1, 2]
Seconds: TypeAlias = Annotated[int, Range(ge=1, le=60)]

USUAL_BINS = 40  # that an answer has room for
MOST_BINS = 2_000  # of one profile
_FINEST = 10  # levels that a bin is made of where volume is spread

BIN = {"low": "quote", "centre": "quote", "high": "quote"}


class Rules(NamedTuple):
    """How a profile is made: `by` is what POC and value area go by, `seconds` the bars of a synthetic one."""

    by: Amount = "base"
    percent: float = 70.0
    rows: int = 2
    mode: Mode = "raw"
    seconds: int = 3

    @property
    def algorithm(self) -> str:
        how = f", spread over the range of each {self.seconds} s" if self.mode == "synthetic" else ""
        return f"value area 1 ({self.percent:g} % of {self.by} volume, {self.rows} bins at a time{how})"

    def checked(self) -> "Rules":
        """Return the rules; raise `InvalidArgument` where seconds make up no minute, so that bars cross hours."""
        if 60 % self.seconds:
            fitting = ", ".join(str(one) for one in range(1, 61) if 60 % one == 0)
            raise InvalidArgument(f"{self.seconds} s make up no minute", hint=f"normalize_seconds: {fitting}")
        return self


class Bins(NamedTuple):
    """Bins of a `width` in quote units, each of so many `levels` of the store's."""

    width: float
    levels: int = 1

    @property
    def step(self) -> float:
        return float(f"{self.width / self.levels:.12g}")


def bins(
    low: float,
    high: float,
    tick: float | None,
    size: float | None,
    ticks: int | None,
    rules: Rules,
    most: int = USUAL_BINS,
) -> Bins:
    """Return the bins that were asked for, or the finest round ones of which `most` make up a range of prices.

    Raises `InvalidArgument` for both a size and ticks, ticks that no listing tells, and too many bins.
    """
    if size is not None and ticks is not None:
        raise InvalidArgument("a bin has either a size or ticks", hint="one of size=10, ticks=100")
    if ticks is not None and tick is None:
        raise InvalidArgument("no listing tells the tick here", hint="size, in quote units")
    width = (
        ticks * tick if ticks is not None and tick is not None else size or round_step(low, high, tick, most)
    )
    width = float(f"{width:.12g}")
    if (high - low) / width > MOST_BINS:
        raise InvalidArgument(
            f"bins of {width:g} are more than {MOST_BINS:,} here",
            hint=f"size={round_step(low, high, tick, MOST_BINS):g} or more",
        )
    return Bins(width, _finer(width, tick) if rules.mode == "synthetic" else 1)


def _finer(width: float, tick: float | None) -> int:
    """Return in how many levels of whole ticks a bin is divided, so that little is spread beyond a range.

    >>> _finer(10.0, 0.1), _finer(0.3, 0.1), _finer(0.1, 0.1), _finer(10.0, None)
    (10, 3, 1, 1)
    """
    ticks = round(width / tick) if tick else 1
    if tick and abs(ticks * tick - width) > 1e-6 * width:
        return 1
    return max(number for number in range(1, _FINEST + 1) if ticks % number == 0)


def shaped(cells: Cells, of: Bins, rules: Rules) -> Profile:
    """Return the profile of cells; for a synthetic one their bars are of the rules' seconds."""
    even = spread(cells) if rules.mode == "synthetic" else cells
    return profile(even, of.step, of.levels, rules.by)


def area(of: Profile, rules: Rules) -> ValueArea | None:
    return of.value_area(rules.percent / 100, rules.rows)


# ── Telling ───────────────────────────────────────────────────────────────────────────────────


def bin_told(one: Bin) -> dict[str, float]:
    return {"low": one.low, "centre": one.centre, "high": one.high}


def area_told(found: ValueArea | None, rules: Rules) -> dict[str, Any]:
    """Return POC, VAH and VAL with their bins and shares; null where there is none."""
    if found is None:
        return {"poc": None, "vah": None, "val": None, "value_area": None}
    return {
        "poc": {**bin_told(found.poc.bin), "share_pct": percent(found.poc.share), "tied": found.poc.tied},
        "vah": bin_told(found.vah),
        "val": bin_told(found.val),
        "value_area": {"asked_pct": rules.percent, "held_pct": percent(found.share), "rows": rules.rows},
    }


def percent(share: float) -> float:
    return round(100 * share, 2)


def pct(part: float | None, whole: float | None) -> float | None:
    """Return a part in percent of a whole; None where one is unknown, or nothing."""
    return None if part is None or not whole else round(100 * part / whole, 2)


def unsided(found: Window, base: str) -> list[str]:
    """Say how much of cells has no side, and so is in no profile."""
    lost = float(np.nansum(np.asarray(found["unsided"], dtype=np.float64)))
    return [f"of {lost:g} {base} no side is known: they are in no bin"] if lost else []


def marks(of: Profile, found: ValueArea | None, nodes: Sequence[tuple[int, str]] = ()) -> dict[int, str]:
    """Return the names of bins, by their numbers: POC, VAH, VAL, and those of nodes."""
    named: dict[int, list[str]] = {}
    if found is not None:
        for one, name in ((found.poc.bin, "POC"), (found.vah, "VAH"), (found.val, "VAL")):
            named.setdefault(one.number, []).append(name)
    for number, name in nodes:
        named.setdefault(number, []).append(name)
    return {number: " ".join(names) for number, names in named.items()}


BINS = {
    "price_from": "quote", "price_until": "quote", "volume": "base", "buy": "base", "sell": "base", "delta": "base",
    "quote_volume": "quote", "trades": "count", "share_pct": "%", "mark": "",
}  # fmt: skip


def bin_rows(of: Profile, named: dict[int, str], top: int | None = None) -> list[list[Any]]:
    """Return the bins as rows, highest price first; or so many in which most was traded, the largest first."""
    whole = float(of.amount.sum())
    share = np.round(100 * of.amount / whole, 3) if whole > 0 else np.full(len(of.amount), np.nan)
    order = np.arange(len(of.amount))[::-1]
    if top is not None:
        order = order[np.argsort(-of.amount[order], kind="stable")][:top]
    columns = (of.low, of.high, of.volume, of.buy, of.sell, of.delta, of.quote, of.trades, share)
    chosen = [column[order].tolist() for column in columns]
    numbers = of.number[order].tolist()
    return [[*row, named.get(number)] for number, *row in zip(numbers, *chosen, strict=True)]

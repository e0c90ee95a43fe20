"""Lead and lag: which venue's price moves first."""

from itertools import combinations
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Meta as Range

from orderflow.flow.leadlag import LeadLag, lead_lag, sampled
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MS, Nanos
from orderflow.store.bar import bar
from orderflow.tools.answers import Answer, Row
from orderflow.tools.past import answer as answer_of
from orderflow.tools.past import past
from orderflow.tools.prices import FAMILY
from orderflow.tools.spec import Ask, Instant, VenueId, tool

Floats: TypeAlias = npt.NDArray[np.float64]

_PAIRS = {
    "leader": "", "follower": "", "lag_ms": "ms", "correlation": "ratio", "at_once": "ratio", "ratio": "ratio",
    "returns": "count",
}  # fmt: skip
_MOST_STEPS = 200_000


@tool(
    family=FAMILY,
    title="Lead and lag between venues",
    columns=_PAIRS,
    example={"symbol": "BTCUSDT", "since": "-15m", "step": "1s"},
    limit=50,
    asks_store=True,
)
def xv_leadlag(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-15m",
    until: Instant = "now",
    step: str = "1s",
    most_lag: Annotated[int, Range(ge=1, le=60)] = 10,
    clock: Literal["venue", "ours"] = "ours",
) -> Answer:
    """Which venue's price moves first: for each pair the lag at which the returns correlate most, that correlation,
    that at no lag, and the lead-lag ratio (above 1: the leader leads).

    Use it for who leads. A lag below the step cannot be seen, and distance to a venue counts as its lag.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that have prices when left out
        since: begin of the window, as -15m
        until: end of the window
        step: of the grid, as 1s, 5s
        most_lag: steps looked at to either side
        clock: by when we received a price, or when the venue says that it was
    """
    asked, width = past(ask, symbol, venues, since, until), bar(step).length
    count = (asked.until - asked.since) // width
    if not 3 * most_lag <= count <= _MOST_STEPS:
        raise InvalidArgument(
            f"step: {step} makes {count:,} steps of the window",
            hint=f"from {3 * most_lag} to {_MOST_STEPS:,}: choose another step or window",
        )
    found = ask.history.window(
        "prices", asked.symbol, asked.venues, since=asked.since, until=asked.until, every=step
    )
    series = _series(list(found.rows()), asked.since, width, int(count), clock)
    if len(series) < 2:
        raise NoData(
            f"prices of {len(series)} venue: there is no pair to compare",
            hint="history_coverage says which venues were collected",
        )
    pairs = [
        (one, other, lead_lag(series[one], series[other], most_lag)) for one, other in combinations(series, 2)
    ]
    rows = sorted((_pair(*each, width) for each in pairs), key=lambda row: -abs(row[3] or 0.0))
    return answer_of(
        ask,
        found,
        _PAIRS,
        rows,
        stream="prices",
        asked=asked.venues,
        summary={"step": step, "led": _led(rows)},
    )


def _series(
    rows: list[dict[str, Any]], begin: Nanos, width: Nanos, count: int, clock: str
) -> dict[str, Floats]:
    """Return each venue's prices on the grid; those with fewer than two are left out."""
    apart: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if row["mid_price"] is not None:
            at = row["received"] if clock == "ours" else row["timestamp"]
            apart.setdefault(row["venue"], []).append((at, row["mid_price"]))
    found: dict[str, Floats] = {}
    for venue, told in apart.items():
        told.sort()
        if len(told) > 1:
            times, prices = (
                np.array([one for one, _ in told]),
                np.array([one for _, one in told], dtype=float),
            )
            found[venue] = sampled(times, prices, begin, width, count)
    return found


def _pair(one: str, other: str, found: LeadLag, width: Nanos) -> Row:
    """Return the row of a pair, the one that leads first; without a lag none leads."""
    at_once = found.correlations[len(found.lags) // 2]
    if found.best is None:
        return [one, other, None, None, at_once, None, found.returns]
    ahead = found.best >= 0
    ratio = found.ratio if ahead or not found.ratio else 1 / found.ratio
    leader, follower = (one, other) if ahead else (other, one)
    return [leader, follower, abs(found.best) * width / MS, found.correlation, at_once, ratio, found.returns]


def _led(rows: list[Row]) -> dict[str, int]:
    """Count how many others each venue leads, the most first."""
    counted: dict[str, int] = {}
    for leader, _, lag, *_ in rows:
        if lag:
            counted[leader] = counted.get(leader, 0) + 1
    return dict(sorted(counted.items(), key=lambda each: -each[1]))

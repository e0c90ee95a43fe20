"""Drawing: what the tools that draw share: whole bars of a legible number, candles, what is unknown, the picture.

A tool that draws asks for a `Frame`, asks the store for windows of it, hands columns to a picture of `charts`,
and gives the picture to its answer. matplotlib is brought by the first of them that is asked, not before.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, Nanos
from orderflow.market.instruments import MARKETS
from orderflow.store.backfills import merged
from orderflow.store.bar import Bar
from orderflow.store.bar import bar as written
from orderflow.store.windows import Window
from orderflow.tools.answers import Answer, Picture
from orderflow.tools.board import MOST_GAPS, gap_row
from orderflow.tools.past import overall, past
from orderflow.tools.quality import heard, unknown
from orderflow.tools.spec import Ask

if TYPE_CHECKING:
    from orderflow.charts.candles import Candles
    from orderflow.charts.canvas import About, Canvas
    from orderflow.charts.canvas import Look as Shown

FAMILY = "charts"

# From one to the next at most 2½ times as long, so that a length makes 60 to 150 bars of any window.
LENGTHS = (
    "1s", "2s", "5s", "10s", "15s", "30s", "1m", "2m", "5m", "10m", "15m", "30m", "1h", "2h", "4h", "8h", "12h",
    "1d", "2d", "4d", "7d", "14d", "28d", "56d", "112d", "224d", "364d",
)  # fmt: skip
USUAL_BARS = 150
MOST_BARS = 400  # of which no picture has room for more; each knows best how many it has
_NAMED_VENUES = 3  # in a title

# ── Bars ──────────────────────────────────────────────────────────────────────────────────────


class Frame(NamedTuple):
    """What a picture spans: whole bars from the one in which `since` lay, the last one as far as `until`."""

    symbol: str
    venues: list[str] | None  # None: all that have rows
    bar: Bar
    since: Nanos
    until: Nanos

    @property
    def first(self) -> int:
        """The number of the first bar, as the store counts them from the epoch."""
        return (self.since - self.bar.origin) // self.bar.length

    @property
    def start(self) -> Index:
        """When each bar begins, whether anything is known of it or not."""
        return np.arange(self.since, self.until, self.bar.length, dtype=np.int64)

    def column(self, found: Window, name: str, venue: str) -> Column:
        """Return a column of a venue's bars, a value for each of the frame's; NaN where there is no such bar."""
        here = np.array([one == venue for one in found["venue"]], dtype=np.bool_)
        place = (np.asarray(found["open_time"], dtype=np.int64)[here] - self.since) // self.bar.length
        column = np.full(len(self.start), np.nan)
        column[place] = np.asarray(found[name], dtype=np.float64)[here]
        return column


def framed(
    ask: Ask, symbol: str, venues: Sequence[str] | None, since: str, until: str, bar: str | None
) -> Frame:
    """Read what a picture is to span; without a bar, one is chosen that makes 60 to 150 of them.

    Raises `InvalidArgument` for an empty window, and for more bars than a picture has room for.
    """
    asked = past(ask, symbol, venues, since, until)
    span = asked.until - asked.since
    chosen = usual(span) if bar is None else written(bar)
    if chosen.origin:
        raise InvalidArgument("pictures have no bars of weeks", hint=f"bar={chosen.length // DAY}d")
    if span > MOST_BARS * chosen.length:
        raise InvalidArgument(
            f"{-(-span // chosen.length):,} bars of {chosen.name} are too many to be legible in one picture",
            hint=f"bar={usual(span).name}, or a shorter window",
        )
    return Frame(asked.symbol, asked.venues, chosen, chosen.begin(asked.since), asked.until)


def usual(span: Nanos, most: int = USUAL_BARS) -> Bar:
    """Return the shortest bar of which no more than so many make up a length of time.

    >>> hour = written("1h").length
    >>> usual(hour).name, usual(4 * hour).name, usual(24 * hour).name, usual(7 * 24 * hour).name
    ('30s', '2m', '10m', '2h')
    """
    every = [written(one) for one in LENGTHS]
    return next((one for one in every if span <= (most - 1) * one.length), every[-1])


def candles(frame: Frame, found: Window | None, venue: str) -> "Candles":
    """Return a venue's candles from bars of the store: NaN where nothing was traded, or nothing was found."""
    from orderflow.charts.candles import Candles

    none = np.full(len(frame.start), np.nan)
    names = ("open", "high", "low", "close")
    columns = [none if found is None else frame.column(found, name, venue) for name in names]
    return Candles(frame.start, *columns, length=frame.bar.length)


# ── What is known ─────────────────────────────────────────────────────────────────────────────


def about(frame: Frame, found: Window, *others: Window | None, quiet: bool = False) -> "About":
    """Return what a picture says of itself: what it is of, how much is known, and when of any venue nothing is.

    Venues are those of the first window, whose rows may be rare: then it is `quiet`. What is unknown is so
    of any window, and coverage is the lowest.
    """
    from orderflow.charts.canvas import About

    stretches = [
        stretch
        for one in (found, *others)
        if one is not None
        for venue, covered in one.coverage.items()
        if covered.percent is not None
        for stretch in unknown(one, venue, quiet=quiet and one is found)
    ]
    venue, market = _spoken(heard(found))
    return About(
        symbol=frame.symbol,
        venue=venue,
        market=market,
        since=frame.since,
        until=frame.until,
        source={"replay": "replayed", "backfill": "backfilled"}.get(found.kind or "", "stored"),
        coverage_pct=_lowest(found, *others),
        gaps=merged(stretches),
        simulated=found.simulated,
    )


def _lowest(*windows: Window | None) -> float | None:
    shares = [overall(one.coverage)[0] for one in windows if one is not None]
    known = [one for one in shares if one is not None]
    return min(known) if len(known) == len(shares) else None


def beside(answer: Answer, stream: str, other: Window | None) -> Answer:
    """Say of an answer what is unknown of the bars that it is drawn with, too."""
    if other is None:
        return answer
    meta = answer.meta
    share = overall(other.coverage)[0]
    if share is not None and meta.coverage_pct is not None and share < meta.coverage_pct:
        own = f"{meta.coverage_pct:.4g} %"
        meta.coverage_pct, meta.coverage_reason = share, f"of {stream}; of what is drawn with them {own}"
    meta.gaps = [*meta.gaps, *(gap_row(one) for one in other.gaps)][-MOST_GAPS:]
    return answer


def _spoken(venues: Sequence[str]) -> tuple[str, str]:
    """Name venues and their market, as far as a title has room.

    >>> _spoken(["binance_futures", "bybit_futures"]), _spoken(["binance_spot", "bybit_futures"])
    (('binance, bybit', 'futures'), ('binance spot, bybit futures', ''))
    """
    every = [MARKETS[one] for one in venues]
    markets = {one.market for one in every}
    same = markets.pop() if len(markets) == 1 else ""
    if len(every) > _NAMED_VENUES:
        return f"{len(every)} venues", same
    return ", ".join(one.exchange if same else f"{one.exchange} {one.market}" for one in every), same


# ── The picture ───────────────────────────────────────────────────────────────────────────────


def look(ask: Ask) -> "Shown":
    """Return how the picture shall look that was asked for."""
    from orderflow.charts.canvas import Look

    return Look(ask.look.width, ask.look.height, ask.look.theme)


def course(bars: "Candles", quote: str, tick: float | None = None) -> str:
    """Say how a price went, in words: `100.5 to 101 USDT (+0.5 %)`."""
    from orderflow.charts.scales import price_writer

    known = np.flatnonzero(~np.isnan(bars.close))
    if not len(known):
        return "unknown"
    first, last = float(bars.open[known[0]]), float(bars.close[known[-1]])
    write = price_writer(float(np.nanmin(bars.low)), float(np.nanmax(bars.high)) + (tick or 1e-9), tick)
    return f"{write(first)} to {write(last)} {quote} ({(last / first - 1) * 100:+.2f} %)"


def pictured(ask: Ask, answer: Answer, frame: Frame, canvas: "Canvas", what: str, seen: str) -> Answer:
    """Give an answer its picture; `what` it is of and what is `seen` make up the sentence that tells it."""
    from orderflow.charts.axes import window

    told = canvas.about
    where = f"{told.venue} ({told.market})" if told.market else told.venue
    share = (
        "coverage unknown" if told.coverage_pct is None else f"{np.floor(told.coverage_pct * 10) / 10:g} %"
    )
    count = len(told.gaps)
    parts = [
        f"data {share} complete" if told.coverage_pct is not None else share,
        f"{count or 'no'} gap{'s' * (count != 1)}",
        *(["simulated"] if told.simulated else []),
    ]
    answer.picture = Picture(
        png=canvas.png(),
        width=canvas.look.width,
        height=canvas.look.height,
        alt=f"{what} of {told.symbol} on {where}, {window(told.since, told.until)}, in {frame.bar.name} bars:"
        f" {seen}; {', '.join(parts)}.",
    )
    return answer

"""The frame of every picture: title, key, plots that share the time, gaps, and a footer that owns up.

Sizes are in hundredths of an inch of a picture 12 inches wide, whatever its pixels: on 1200 × 800 a unit is a
pixel. No text is smaller than `SMALL`, which is 11 pixels high where the picture is shown 800 wide.

The same columns make the same bytes: two fonts that come with matplotlib, no time in the file, and nothing of
the process: figures are made as objects, never through pyplot, so pictures may be drawn in any thread.
"""

import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.patches import Rectangle

from orderflow.charts.axes import length, time_ticks, window
from orderflow.charts.themes import THEMES, Colours, Theme
from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import SECOND, Nanos

WIDTH = 1200.0
SMALL, TITLE = 12.0, 15.0  # points: 12 are 16.7 units, and 11.1 pixels of a picture 800 wide
LINE = 24.0  # units from one line of small text to the next
EDGE = 14.0  # left of everything, and right of it

_FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
_REGULAR, _BOLD = _FONTS / "DejaVuSans.ttf", _FONTS / "DejaVuSans-Bold.ttf"
_DRAWING = threading.Lock()  # matplotlib promises nothing to threads that draw at once


class Look(NamedTuple):
    """Pixels and theme. Larger pictures have larger letters, not more of them."""

    width: int = 1200
    height: int = 800
    theme: Theme = "dark"


class About(NamedTuple):
    """Of what a picture is, and how much of it is known; `gaps` are (from, until) in ns, `source` says whence."""

    symbol: str
    venue: str
    market: str
    since: Nanos
    until: Nanos
    source: str = ""
    coverage_pct: float | None = None
    gaps: Sequence[tuple[Nanos, Nanos]] = ()
    simulated: bool = False


class Canvas:
    """A picture that is being drawn: ask it for plots, draw on them, take its `png`."""

    def __init__(self, about: About, name: str, look: Look | None = None) -> None:
        self.about, self.look = about, look or Look()
        _checked(about, self.look)
        self.colours: Colours = THEMES[self.look.theme]
        self.height = WIDTH * self.look.height / self.look.width
        dpi = self.look.width / 12
        nearly = 0.001 / dpi  # of a pixel more, since a size is cut to whole ones
        self.figure = Figure(
            figsize=(12 + nearly, self.look.height / dpi + nearly), dpi=dpi, facecolor=self.colours.ground
        )
        self._agg = FigureCanvasAgg(self.figure)
        self._notes: list[str] = []
        self._finished = False
        self.empty: list[Axes] = []  # plots in which there is nothing to see
        self.bottom = EDGE + LINE
        self.top = self._header(name)

    # ── Text ──────────────────────────────────────────────────────────────────────────────────

    def font(self, size: float = SMALL, bold: bool = False) -> FontProperties:
        return FontProperties(fname=str(_BOLD if bold else _REGULAR), size=size)

    def measured(self, text: str, size: float = SMALL, bold: bool = False) -> float:
        """Return how wide a text is, in units."""
        with _DRAWING:
            width, _, _ = self._agg.get_renderer().get_text_width_height_descent(
                text, self.font(size, bold), ismath=False
            )
        return width * WIDTH / self.look.width

    def write(
        self, x: float, y: float, text: str, *, size: float = SMALL, bold: bool = False, **how: Any
    ) -> Any:
        """Write on the figure itself, at units from its lower left."""
        usual: dict[str, Any] = {"color": self.colours.text}
        return self.figure.text(
            x / WIDTH, y / self.height, _known(text), fontproperties=self.font(size, bold), parse_math=False,
            usetex=False, **(usual | how),
        )  # fmt: skip

    def label(self, plot: Axes, x: float, y: float, text: str, *, bold: bool = False, **how: Any) -> Any:
        """Write in a plot, at its own coordinates."""
        usual: dict[str, Any] = {"color": self.colours.text, "clip_on": True}
        return plot.text(
            x, y, _known(text), fontproperties=self.font(SMALL, bold), parse_math=False, usetex=False,
            **(usual | how),
        )  # fmt: skip

    def shortened(self, text: str, room: float, size: float = SMALL, bold: bool = False) -> str:
        """Return the text, or so much of it as has room, with an ellipsis."""
        text = _known(text)
        if self.measured(text, size, bold) <= room:
            return text
        fits, over = 0, len(text)
        while over - fits > 1:
            middle = (fits + over) // 2
            if self.measured(text[:middle] + "…", size, bold) <= room:
                fits = middle
            else:
                over = middle
        return text[:fits].rstrip() + "…"

    # ── The frame ─────────────────────────────────────────────────────────────────────────────

    def _header(self, name: str) -> float:
        """Write title and window; return where they end."""
        about = self.about
        line = self.height - EDGE - 20
        room = WIDTH - 2 * EDGE
        if about.simulated:
            room -= self._simulated(line)
        subject = " · ".join(part for part in (about.symbol, about.venue, about.market) if part)
        title = self.shortened(f"{subject} · {name}", room, TITLE, bold=True)
        self.write(EDGE, line, title, size=TITLE, bold=True, gid="title")
        line -= LINE + 4
        self.write(EDGE, line, window(about.since, about.until), color=self.colours.muted, gid="window")
        return line - 14

    def explain(self, key: Sequence[tuple[str, str]]) -> None:
        """Say what colours stand for: beside the window if there is room, else in lines below it."""
        used = self.measured(window(self.about.since, self.about.until)) + 40
        x = WIDTH - EDGE
        line = self.top + 14
        for colour, text in reversed(key):
            text = self.shortened(text, WIDTH / 2)
            width = self.measured(text) + 40
            if x - width < EDGE + used:
                x, used = WIDTH - EDGE, 0
                line -= LINE
            x -= width
            self._box(x + 14, line - 1, 14, 13, colour)
            self.write(x + 34, line, text, color=self.colours.muted, gid="key")
        self.top = line - 14

    def _simulated(self, line: float) -> float:
        """Say that nothing here was traded, twice: beside the title and across the picture."""
        text = "SIMULATED"
        width = self.measured(text, TITLE, bold=True) + 28
        self._box(WIDTH - EDGE - width, line - 8, width, 30, self.colours.warning)
        self.write(
            WIDTH - EDGE - width / 2, line, text, size=TITLE, bold=True, color="#11151c", ha="center", gid="simulated"
        )  # fmt: skip
        self.write(
            WIDTH / 2, self.height / 2, text, size=84, bold=True, color=self.colours.text, alpha=0.055,
            ha="center", va="center", rotation=20, gid="watermark", zorder=9,
        )  # fmt: skip
        return width + 20

    def _box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        corner, wide, high = (x / WIDTH, y / self.height), width / WIDTH, height / self.height
        whole = self.figure.transFigure
        self.figure.add_artist(Rectangle(corner, wide, high, transform=whole, facecolor=colour, linewidth=0))

    def note(self, text: str) -> None:
        """Add something that the reader must know to the footer."""
        self._notes.append(text)

    def _footer(self) -> None:
        about = self.about
        known = (
            "coverage unknown" if about.coverage_pct is None else f"{_percent(about.coverage_pct)} % covered"
        )
        lost = self._lost()
        gaps = f"{len(lost)} gap{'s' * (len(lost) > 1)}, {length(sum(lost))}" if lost else "no gaps"
        parts = [known, gaps, about.source, *(["simulated"] if about.simulated else []), *self._notes]
        text = self.shortened("Data: " + " · ".join(part for part in parts if part), WIDTH - 2 * EDGE)
        self.write(EDGE, EDGE, text, color=self.colours.muted, gid="footer")

    def _lost(self) -> list[Nanos]:
        """Return how much of the window each gap takes that lies in it."""
        since, until = self.about.since, self.about.until
        return [
            min(end, until) - max(begin, since)
            for begin, end in self.about.gaps
            if begin < until and end > since
        ]

    def png(self) -> bytes:
        """Return the picture; the same one again for the same drawing."""
        if not self._finished:
            self._footer()
            self._finished = True
        held = io.BytesIO()
        with _DRAWING:
            self._agg.print_png(held, metadata={"Software": None})
        return held.getvalue()

    # ── Plots ─────────────────────────────────────────────────────────────────────────────────

    def plot(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Return an empty plot at a place in units, without ticks."""
        colours = self.colours
        made = self.figure.add_axes(
            (left / WIDTH, bottom / self.height, width / WIDTH, height / self.height), facecolor=colours.panel
        )
        made.set_axisbelow(True)
        made.tick_params(length=0, which="both", pad=6, labelsize=SMALL)
        made.set_xticks([])
        made.set_yticks([])
        made.margins(0)
        made.grid(False)
        for spine in made.spines.values():
            spine.set_color(colours.grid)
            spine.set_linewidth(1.0)
        return made

    def stack(self, heights: Sequence[float], right: float, *, aside: float = 0) -> list[Axes]:
        """Return plots one above another, the first one on top and as high as is left over: its height is 0.

        `right` is the room for what stands at their right, `aside` that of a plot between.
        """
        gap = 8.0
        bottom = self.bottom + LINE + 6  # of the time axis
        free = self.top - bottom - sum(heights) - gap * (len(heights) - 1)
        made: list[Axes] = []
        y = self.top
        for height in heights:
            high = height or free
            y -= high
            made.append(self.plot(EDGE, y, WIDTH - 2 * EDGE - right - aside, high))
            y -= gap
        return made

    def units(self, plot: Axes) -> tuple[float, float]:
        """Return how wide and how high a plot is."""
        box = plot.get_position()
        return box.width * WIDTH, box.height * self.height

    def x(self, time: Index) -> Column:
        """Return where times lie on a time axis: seconds since the window begins."""
        return (time - self.about.since) / SECOND

    def timed(self, plots: Sequence[Axes], begin: Nanos, end: Nanos) -> None:
        """Let plots share the time [begin, end): gaps in each, a grid, and times below the last."""
        last = max(end, begin + 1)
        low, high = ((at - self.about.since) / SECOND for at in (begin, last))
        width, _ = self.units(plots[-1])
        ticks = time_ticks(begin, last, round(width / 120))
        if any("." in tick.label for tick in ticks):
            ticks = time_ticks(begin, last, round(width / 180))
        places = [(tick.at - self.about.since) / SECOND for tick in ticks]
        for plot in plots:
            plot.set_xlim(low, high)
            for tick, place in zip(ticks, places, strict=True):
                plot.axvline(place, color=self.colours.grid, linewidth=1.6 if tick.day else 0.8, zorder=0.5)
            self._gaps(plot, low, high)
        plots[-1].set_xticks(places, [tick.label for tick in ticks])
        for one in plots[-1].get_xticklabels():
            one.set(fontproperties=self.font(), color=self.colours.muted, parse_math=False)
        self._inside(plots[-1])
        box = plots[-1].get_position()
        self.write(WIDTH - EDGE, box.y0 * self.height - 22, "UTC", color=self.colours.muted, ha="right")

    def _inside(self, plot: Axes) -> None:
        """Keep the first time within the picture: it would stick out at the left."""
        width, _ = self.units(plot)
        low, high = plot.get_xlim()
        for place, one in zip(plot.get_xticks(), plot.get_xticklabels(), strict=True):
            if (place - low) / (high - low) * width < self.measured(one.get_text()) / 2 - EDGE + 4:
                one.set_horizontalalignment("left")

    def _gaps(self, plot: Axes, low: float, high: float) -> None:
        width, _ = self.units(plot)
        least = 3 * (high - low) / width  # a gap of no width would not be seen
        for begin, until in self.about.gaps:
            x0, x1 = ((at - self.about.since) / SECOND for at in (begin, until))
            if x1 >= low and x0 <= high:
                ground = self.colours.ground
                self.hatch(
                    plot.axvspan(
                        x0, max(x1, x0 + least), zorder=0.8, linewidth=0, facecolor=ground, gid="gap"
                    )
                )

    def hatch(self, patch: Any, colour: str = "") -> None:
        """Hatch what nothing is known of."""
        patch.set(hatch="////", edgecolor=colour or self.colours.muted)
        patch.set_hatch_linewidth(0.6)

    # ── What plots have in common ─────────────────────────────────────────────────────────────

    def margin(self, texts: Sequence[str]) -> float:
        """Return the room that texts need at the right of a plot."""
        return max([70.0, *(self.measured(text) for text in texts)]) + 16

    def named(self, plot: Axes, name: str) -> None:
        """Write what a plot shows, and in which unit, into its upper left."""
        width, height = self.units(plot)
        self.label(
            plot, 8 / width, 1 - 6 / height, self.shortened(name, width - 16), transform=plot.transAxes,
            va="top", color=self.colours.muted, zorder=8, gid="name",
            bbox={"facecolor": self.colours.panel, "alpha": 0.8, "linewidth": 0, "pad": 2},
        )  # fmt: skip

    def nothing(self, plot: Axes, text: str = "nothing was traded in this window") -> None:
        """Say in a plot that there is nothing to see, and why; it gets no prices then."""
        if sum(self._lost()) >= self.about.until - self.about.since:
            text = "nothing was received in this window"
        self.empty.append(plot)
        self.label(
            plot, 0.5, 0.5, text, transform=plot.transAxes, ha="center", va="center", gid="nothing",
            bbox={"facecolor": self.colours.panel, "linewidth": 0, "pad": 6},
        )  # fmt: skip


def _checked(about: About, look: Look) -> None:
    if about.until <= about.since:
        raise InvalidArgument("a picture of no time", hint="a window that ends after it begins")
    if look.theme not in THEMES:
        raise InvalidArgument(f"no theme {look.theme!r}", hint=" or ".join(THEMES))
    if not (800 <= look.width <= 3840 and 0.5 <= look.height / look.width <= 1.2):
        raise InvalidArgument(
            f"a picture of {look.width} × {look.height} is not legible",
            hint="800 to 3840 pixels wide, and half to 1.2 times as high",
        )


def _known(text: str) -> str:
    """Return the text with a question mark for each character that the font has not, in one line."""
    glyphs = get_font(str(_REGULAR)).get_charmap()
    return "".join(one if ord(one) in glyphs and one.isprintable() else "?" for one in text)


def _percent(share: float) -> str:
    """Write a share that is not whole as one that is not.

    >>> _percent(100.0), _percent(99.99), _percent(87.654)
    ('100', '99.9', '87.6')
    """
    return "100" if share >= 100 else f"{np.floor(share * 10) / 10:.1f}"

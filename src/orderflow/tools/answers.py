"""Answers: rows with the meta that says what they are."""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

Format: TypeAlias = Literal["text", "json", "xml"]
Source: TypeAlias = Literal["live", "rest", "stored", "replay", "mixed", "simulated"]
Row: TypeAlias = list[Any]

DEFAULT_TOKENS = 2_000
MOST_TOKENS = 8_000
DIGITS = 12  # significant digits of a number in an answer: sums of floats carry noise beyond
PNG = "image/png"
TIME = "UTC"  # the unit of a column of times: epoch milliseconds, text for people


class Venues(msgspec.Struct, kw_only=True):
    """Which venues were asked, which answered, and why the others did not."""

    asked: list[str] = []
    answered: list[str] = []
    missing: dict[str, str] = {}


class Window(msgspec.Struct, kw_only=True):
    """From when to when an answer looks, in epoch milliseconds."""

    since: int
    until: int


class Meta(msgspec.Struct, kw_only=True):
    """What an answer is about and how far it can be trusted. Times are epoch milliseconds UTC."""

    tool: str
    as_of: int
    source: Source
    version: str = "1"
    symbol: str | None = None
    native: dict[str, str] = {}
    venues: Venues = msgspec.field(default_factory=Venues)
    units: dict[str, str] = {}
    window: Window | None = None
    coverage_pct: float | None = None
    coverage_reason: str | None = None
    gaps: list[dict[str, Any]] = []
    age_ms: float | None = None
    warnings: list[str] = []
    rows: int = 0
    total: int = 0
    offset: int = 0
    next: str | None = None


class Table(msgspec.Struct, kw_only=True):
    """Columns and rows; a cell is text, a number, a truth or null."""

    columns: list[str]
    rows: list[Row]


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer shows: the bytes of a PNG, its size in pixels, and what is seen, in one sentence.

    `href` is where the HTTP door gives it. Of the budget of an answer only what is told of it counts.
    """

    png: bytes
    width: int
    height: int
    alt: str
    href: str = ""

    @property
    def told(self) -> dict[str, Any]:
        """What every form of an answer says of it: all but the bytes."""
        return {
            "type": PNG,
            "width": self.width,
            "height": self.height,
            "alt": self.alt,
            "href": self.href,
        }


class Answer(msgspec.Struct, kw_only=True):
    """What a tool gives: its table, a summary, further tables by name, a picture, and the meta.

    `tail` holds the last rows where the budget left out some between; `next` in the meta continues
    after `rows`. A picture is of the whole, and comes with the first page.
    """

    meta: Meta
    columns: list[str]
    rows: list[Row]
    summary: dict[str, Any] = {}
    more: dict[str, Table] = {}
    tail: list[Row] = []
    picture: Picture | None = None


def tokens(text: str) -> int:
    """Return the tokens that a text is reckoned at: one for four characters, rounded up."""
    return math.ceil(len(text) / 4)


def plain(value: Any) -> Any:
    """Return a value as an answer holds it: floats to twelve digits, unknown numbers null."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value

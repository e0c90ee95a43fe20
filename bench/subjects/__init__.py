"""Subjects: the venues that are measured, one file each; a new one is a file here with `SUBJECTS`, nothing else.

A subject says which recordings there are, what a message says in the plainest reading, and how each
contestant is made to read the same. All of it is data or small functions, so that no contestant's package is
loaded beside another's.
"""

import builtins
import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec

Levels = list[tuple[float, float]]


class Frame(NamedTuple):
    """One message as it came: `kind` is ws or http, `ts_recv` nanoseconds UTC."""

    venue: str
    ts_recv: int
    kind: Literal["ws", "http"]
    url: str
    raw: bytes


class Said(NamedTuple):
    """So many things of a kind that a message tells."""

    kind: str
    times: int = 1


class Book(NamedTuple):
    """A message's changes of a book by native symbol; `whole` where it is all of it."""

    symbol: str
    bids: Levels
    asks: Levels
    whole: bool = False
    last: int = 0


class Route(NamedTuple):
    """Messages with `marker` near their beginning are decoded as `type`, and count as `kind` (by type)."""

    marker: bytes
    type: Any
    kind: "str | Mapping[builtins.type, str]"


class Unable(NamedTuple):
    """Why a contestant is not measured here."""

    reason: str


class Ours(msgspec.Struct, frozen=True):
    """`symbol` is what we call a native symbol, `kinds` which kind of `Said` a table's rows are.

    `ignored` maps beginnings of the reasons for which messages are left out to the kind that they are of.
    """

    kinds: Mapping[str, str]
    symbol: Callable[[str], str] = str
    ignored: Mapping[str, str] = {}


class Cryptofeed(msgspec.Struct, frozen=True):
    """`listing` makes of the recorded listing and the native symbols what its `_parse_symbol_data` reads.

    `channels` maps its names of channels to kinds; `amended` is a message as that version knows it, and
    `native` the name that it has for the native symbol.
    """

    exchange: str
    channels: Mapping[str, str]
    listing: Callable[[list[bytes], list[str]], Any]
    address: str = ""
    keys: bool = False  # it asks for keys before it reads public channels
    checksum: bool = False
    amended: Callable[[bytes], str] = bytes.decode
    native: Callable[[str], str] = str


class Ccxt(msgspec.Struct, frozen=True):
    """`answers` makes of the recorded listing and the native symbols what REST would say, by a part of the URL.

    `kinds` maps the first word of what it resolves to kinds; `hashes` names what has to be subscribed to.
    Where it tells everything twice, `twin` ends the names of the second.
    """

    exchange: str
    url: str
    answers: Callable[[list[bytes], list[str]], dict[str, Any]]
    kinds: Mapping[str, str]
    options: Mapping[str, Any] = {}
    twin: str = ""
    hashes: Callable[[str], list[str]] = lambda symbol: []
    amended: Callable[[bytes], str] = bytes.decode
    seed: Callable[[Any, str, Any], Any] | None = None  # (exchange, its symbol, the body) → its snapshot
    symbol: Callable[[Any, str], str] = lambda exchange, native: exchange.markets_by_id[native][0]["symbol"]


class Subject(msgspec.Struct, frozen=True):
    """A venue. `alternatives` are kinds that count the same messages; a contestant must count by one of each."""

    venue: str
    recordings: tuple[str, ...]
    reads: Callable[[Any], list[Said | Book]]
    bare: tuple[Route, ...]
    ours: Ours
    cryptofeed: Cryptofeed | Unable
    ccxt: Ccxt | Unable
    alternatives: tuple[frozenset[str], ...] = ()
    listing: str | None = None
    is_fed: Callable[[bytes], bool] = lambda raw: True
    amended: Callable[[list[Frame]], list[Frame]] = list  # the frames as the venue would send them today
    remarks: tuple[str, ...] = ()
    snapshot: Callable[[Frame], tuple[str, Book] | None] = lambda frame: None
    is_old: Callable[[Book, int], bool] = lambda book, last: False


@cache
def subjects() -> dict[str, Subject]:
    """Every subject by its venue's name."""
    found: dict[str, Subject] = {}
    for module in pkgutil.iter_modules(__path__):
        for subject in importlib.import_module(f"{__name__}.{module.name}").SUBJECTS:
            found[subject.venue] = subject
    return found


# ── What several subjects read alike ──────────────────────────────────────────────────────────


def pairs(levels: list[Any]) -> Levels:
    """Levels as lists whose first two places are price and size."""
    return [(float(price), float(size)) for price, size, *_ in levels]


def parsed(listing: list[bytes], symbols: list[str]) -> Any:
    """The recorded listing as it is, where it is one body."""
    return json.loads(listing[0])


def all_parsed(listing: list[bytes], symbols: list[str]) -> list[Any]:
    """Each body of the recorded listing."""
    return [json.loads(body) for body in listing]

"""The manifest of an export: what was asked, what lies in which file, and what of it was collected.

It is the last file that an export writes, so a folder that has one is whole. Times are UTC nanoseconds.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from orderflow.market.errors import RecordingUnreadable
from orderflow.market.events import Nanos
from orderflow.store.answers import GapRow, Listing, Stretch
from orderflow.store.files import Form
from orderflow.store.tables import PROGRAM, SCHEMA

NAME = "manifest.json"
EDITION = 1  # grows with every change of this form


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is taken away, as it was asked; no symbols or venues are all of them, no times are without end."""

    streams: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    format: Form = "parquet"
    single: bool = False


class Piece(msgspec.Struct, frozen=True):
    """A file to be written: a stream, or one of its series and one of its days (None: without a time)."""

    path: str
    stream: str
    venue: str | None = None
    symbol: str | None = None
    day: str | None = None


class Filled(msgspec.Struct, frozen=True):
    """A file that is whole, and of which runs its rows are: run → first and last time of receipt."""

    piece: Piece
    rows: int
    bytes: int
    sha256: str
    first: Nanos | None
    last: Nanos | None
    runs: dict[int, tuple[Nanos, Nanos]]


class Part(msgspec.Struct, frozen=True):
    """One series within the window, and what of it was collected."""

    stream: str
    venue: str
    symbol: str
    rows: int
    coverage_pct: float | None
    reason: str
    collected: list[Stretch]


class Collecting(msgspec.Struct, frozen=True):
    """A run to which rows belong; `last` is the latest receipt of any of them."""

    id: int
    key: str
    kind: str
    started: Nanos
    ended: Nanos | None
    last: Nanos
    version: str
    settings: dict[str, Any]


class Manifest(msgspec.Struct, frozen=True):
    """All that is to be known of an export."""

    program: str
    edition: int
    schema: int
    version: str
    made: Nanos
    kind: str | None
    simulated: bool
    query: Query
    since: Nanos
    until: Nanos
    rows: int
    bytes: int
    files: list[Filled]
    series: list[Part]
    gaps: list[GapRow]
    runs: list[Collecting]
    instruments: list[Listing]


def load(folder: Path) -> Manifest:
    """Return the manifest of a finished export, or raise `RecordingUnreadable` saying what is wrong."""
    path = folder / NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise RecordingUnreadable(
            f"{folder}: no {NAME}, so no export or not a finished one",
            hint="`orderflow export` once more, into the same folder, finishes it",
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordingUnreadable(f"{path}: {error}", hint="it is written by `orderflow export`") from error
    if found.program != PROGRAM or found.edition > EDITION or found.schema > SCHEMA:
        raise RecordingUnreadable(
            f"{path}: made by {found.program} {found.version} (schema {found.schema})",
            hint="upgrade crypto-orderflow",
        )
    return found


def keep(path: Path, what: msgspec.Struct) -> None:
    """Write a structure as a whole file or not at all, and see that it is on the disk."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(what), indent=1))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    settle(path.parent)


def settle(folder: Path) -> None:
    """See that a folder's names are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

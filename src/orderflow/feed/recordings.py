"""Recordings: captures, our own journals and CSV archives, all read as the same batches of frames.

    .jsonl .jsonl.gz         captures: a line a frame, {venue, kind, dir, t, url, raw}
    .journal .journal.zst    our own (feed.journal)
    .csv .csv.gz .zip        tables of trades; a row is a frame, its layout stands in the `url`

The first frame of each venue is preceded by a `recording` note, since nothing before it is known to
join it. A recording that turns out to be unreadable half way raises `RecordingUnreadable` after the
frames before the damage have been handed over; nothing after it is used.
"""

import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast
from urllib.parse import quote, urlencode

import msgspec

from orderflow.feed import segment
from orderflow.feed.frames import Frame, Note, note
from orderflow.market.errors import RecordingUnreadable
from orderflow.market.events import US, Nanos
from orderflow.market.instruments import MARKETS, venue_id

JOURNALS = (segment.SUFFIX, segment.KEPT_SUFFIX)
CAPTURES = (".jsonl", ".jsonl.gz")
TABLES = (".csv", ".csv.gz", ".zip")
BATCH = 512

_LAST_SECOND = 9_000_000_000  # the year 2255: nanoseconds beyond it do not fit 64 bits
_LONGEST_LINE = 256 << 20


def expand(paths: Sequence[Path]) -> list[Path]:
    """Return the recordings that paths and folders stand for, those of a folder sorted by name."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise RecordingUnreadable(f"{path}: no such file or folder")
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(one for one in path.rglob("*") if one.is_file() and _known(one.name))
        # A process killed while it compressed a segment leaves both forms.
        packed_too = {one.name + ".zst" for one in inside if one.name.endswith(segment.SUFFIX)}
        inside = [one for one in inside if one.name not in packed_too]
        if not inside:
            raise RecordingUnreadable(f"{path}: no recordings in this folder", hint=f"they end in {_ENDINGS}")
        found += inside
    return found


def digest(path: Path) -> str:
    """Return the SHA-256 of the file as it lies there, in hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RecordingUnreadable(f"{path}: {error.strerror}") from error


class Recording:
    """The frames of one file, in batches, as often as it is iterated.

    `sent` counts the lines that hold nothing received (reason → lines), `unreadable` what had to be
    left out (reason → times), both of the last iteration.
    """

    def __init__(self, path: Path, venue: str | None, symbol: str | None, after: Path | None) -> None:
        self.path = path
        self.sent: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()
        self._venue, self._symbol, self._after = venue, symbol, after
        self._reading: segment.Reading | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What a journal of ours says about its run, once its reading has begun; else nothing."""
        return {} if self._reading is None else self._reading.about

    def __iter__(self) -> Iterator[list[Frame]]:
        self.sent.clear()
        self.unreadable.clear()
        begun: set[str] = set()
        for batch in self._frames(begun):
            new = {frame.venue for frame in batch} - begun
            if not new:
                yield batch
                continue
            noted: list[Frame] = []
            for frame in batch:
                if frame.venue in new:
                    new.discard(frame.venue)
                    noted.append(note(frame.venue, frame.ts_recv, Note("recording")))
                noted.append(frame)
                begun.add(frame.venue)
            yield noted

    def _frames(self, begun: set[str]) -> Iterator[list[Frame]]:
        name = self.path.name
        if name.endswith(JOURNALS):
            yield from self._journal(begun)
        elif name.endswith(CAPTURES):
            yield from self._capture()
        else:
            yield from self._table()

    def _journal(self, begun: set[str]) -> Iterator[list[Frame]]:
        reading = self._reading = segment.read(self.path)
        for place, batch in enumerate(reading):
            if not place and self._after and _stem(self._after) == reading.about.get("follows"):
                begun.update(MARKETS)  # the segment goes on where the one before ended
            yield batch
        if reading.torn:
            self.unreadable["a last write that was cut off"] += reading.torn

    def _capture(self) -> Iterator[list[Frame]]:
        number = 0
        batch: list[Frame] = []
        with opened(self.path) as file:
            try:
                for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), 1):
                    frame = self._line(line, number)
                    if frame is None:
                        continue
                    batch.append(frame)
                    if len(batch) == BATCH:
                        yield batch
                        batch = []
            except (RecordingUnreadable, *_DAMAGE):
                if batch:
                    yield batch
                raise
        if not number:
            raise RecordingUnreadable(f"{self.path}: the file is empty", hint=_FORM)
        if batch:
            yield batch

    def _line(self, text: bytes, number: int) -> Frame | None:
        """Return the frame of a line, or None where it holds nothing received."""
        where = f"{self.path}, line {number}"
        try:
            line = _LINE.decode(text)
            payload = line.raw.encode()
        except (ValueError, RecursionError) as error:
            raise RecordingUnreadable(f"{where}: not a line of a capture: {error}", hint=_FORM) from error
        if line.venue not in MARKETS:
            known = ", ".join(MARKETS)
            raise RecordingUnreadable(f"{where}: unknown venue {line.venue!r}", hint=f"venues: {known}")
        if line.t is not None and not 0 <= line.t < _LAST_SECOND:
            raise RecordingUnreadable(f"{where}: t is {line.t}", hint="t is in seconds since 1970, or null")
        if line.event == "connect":
            self.sent["a connection was opened"] += 1
        elif line.dir == "out":
            self.sent["sent, not received"] += 1
        elif not payload:
            self.sent["an empty line of the wire"] += 1
        else:
            return Frame(line.venue, _nanos(line.t), payload, line.kind, _asked(line))
        return None

    def _table(self) -> Iterator[list[Frame]]:
        with opened(self.path) as file:
            first = file.readline(_LONGEST_LINE)
            if not first.strip():
                raise RecordingUnreadable(f"{self.path}: the table is empty")
            layout, has_header = _layout(self.path, first)
            venue = self._venue_of_table()
            url = f"table:{layout}?symbol={quote(self._symbol_of_table())}"
            batch: list[Frame] = []
            try:
                for row in chain(() if has_header else (first,), file):
                    if not row.strip():
                        continue
                    batch.append(Frame(venue, 0, row.strip(), "table", url))
                    if len(batch) == BATCH:
                        yield batch
                        batch = []
            except _DAMAGE:
                if batch:
                    yield batch
                raise
        if batch:
            yield batch

    def _venue_of_table(self) -> str:
        if self._venue:
            return venue_id(self._venue)
        if self.path.absolute().parent.name in MARKETS:
            return self.path.absolute().parent.name
        named = [venue for venue in MARKETS if venue in self.path.name]
        if len(named) == 1:
            return named[0]
        raise RecordingUnreadable(
            f"{self.path}: a table does not say of which venue it is",
            hint="give --venue, or put the file into a folder named after its venue, as binance_futures",
        )

    def _symbol_of_table(self) -> str:
        if self._symbol:
            return self._symbol.strip().upper()
        found = {word for word in re.split(r"[_\-.]", self.path.name) if _SYMBOL.fullmatch(word)}
        if len(found) == 1:
            return found.pop()
        raise RecordingUnreadable(
            f"{self.path}: a table does not say of which symbol it is",
            hint="give --symbol, or name the file after it, as BTCUSDT-aggTrades-2024-01-01.csv",
        )


def recording(
    path: Path, *, venue: str | None = None, symbol: str | None = None, after: Path | None = None
) -> Recording:
    """Return the frames of a recording, in batches.

    `venue` and `symbol` are for tables, which may not tell them. `after` is the recording played just
    before: a segment of our journal that continues it begins without a `recording` note.
    Raises `RecordingUnreadable` at once or while it is read, `UnknownVenue` for a `venue` not ours.
    """
    if not path.exists():
        raise RecordingUnreadable(f"{path}: no such file")
    if path.is_dir():
        raise RecordingUnreadable(f"{path}: a folder, not a recording")
    if not _known(path.name):
        raise RecordingUnreadable(
            f"{path}: not the name of a recording", hint=f"recordings end in {_ENDINGS}"
        )
    return Recording(path, venue, symbol, after)


# ── Lines of captures ─────────────────────────────────────────────────────────────────────────


class _Line(msgspec.Struct, gc=False):
    venue: str
    kind: Literal["ws", "http"]
    dir: Literal["in", "out"]
    t: float | None
    url: str
    raw: str
    event: str = ""
    req: Any = None  # the body of a POST


_LINE = msgspec.json.Decoder(_Line)
_FORM = (
    'a line is {"venue", "kind": "ws" or "http", "dir": "in" or "out", "t": seconds or null, "url", "raw"}'
)
_ENDINGS = " ".join((*CAPTURES, *JOURNALS, *TABLES))


def _asked(line: _Line) -> str:
    """Return the address of a line; what a POST asked for is said as its query, what is nested beside what it is nested in."""
    asked = line.req
    if isinstance(asked, str | bytes):
        try:
            asked = msgspec.json.decode(asked)
        except msgspec.DecodeError:
            return line.url
    if not isinstance(asked, dict) or not asked:
        return line.url
    said = urlencode([(name, value) for name, value in _flat(asked)])
    return f"{line.url}{'&' if '?' in line.url else '?'}{said}"


def _flat(asked: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in asked.items():
        if isinstance(value, dict):
            yield from _flat(value)
        elif value is not None:
            yield name, value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _nanos(seconds: float | None) -> Nanos:
    """Return seconds as nanoseconds, exact to the microsecond: a float of our days holds no more.

    >>> _nanos(1721260620.123457)
    1721260620123457000
    """
    return 0 if seconds is None else round(seconds * 1_000_000) * US


# ── Layouts of tables ─────────────────────────────────────────────────────────────────────────

_SYMBOL = re.compile(r"(?=.*[A-Z])[A-Z0-9]{5,24}")
_LAYOUTS = {
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker": "aggTrades",
    "id,price,qty,first,last,ts,isbuyermaker": "aggTrades",
    "id,price,qty,quote_qty,time,is_buyer_maker": "trades",
    "id,price,qty,quoteqty,time,isbuyermaker": "trades",
    "timestamp,id,type,side,price,amount": "ccxt_trades",
    "time,bid,bid_contracts,ask,ask_contracts": "cme_quotes",
    "trade_date,open,high,low,settlement,volume,open_interest": "cme_days",
}
_TRUTH = ("true", "false")


def _layout(path: Path, first: bytes) -> tuple[str, bool]:
    """Tell a table's layout by its first row, and whether that is a header."""
    try:
        cells = [cell.strip().lower() for cell in first.decode("utf-8-sig").split(",")]
    except UnicodeDecodeError as error:
        raise RecordingUnreadable(f"{path}: not a table of text: {error}") from error
    if not _numeric(cells[0]):
        for names, layout in _LAYOUTS.items():
            if cells[: names.count(",") + 1] == names.split(","):
                return layout, True
        said = f"columns {','.join(cells)[:200]!r}"
    elif len(cells) >= 7 and cells[6] in _TRUTH and all(map(_numeric, cells[:6])):
        return "aggTrades", False
    elif len(cells) >= 6 and cells[5] in _TRUTH and all(map(_numeric, cells[:5])):
        return "trades", False
    else:
        said = f"{len(cells)} columns without names"
    raise RecordingUnreadable(
        f"{path}: a table of a layout that is not known: {said}",
        hint="read are trades and aggTrades of Binance's archive, CCXT's list of trades, CME quotes and days",
    )


def _numeric(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


# ── Files ─────────────────────────────────────────────────────────────────────────────────────

_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, OSError)


def _known(name: str) -> bool:
    return name.endswith((*CAPTURES, *JOURNALS, *TABLES))


def _stem(path: Path) -> str:
    return path.name.removesuffix(".zst").removesuffix(segment.SUFFIX)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file by its ending and say of every damage found while it is read what it is."""
    try:
        with path.open("rb") as file:
            if path.name.endswith(".gz"):
                yield io.BufferedReader(gzip.GzipFile(fileobj=file))
            elif path.name.endswith(".zip"):
                yield from _inside_zip(path, file)
            else:
                yield file
    except EOFError as error:
        raise RecordingUnreadable(f"{path}: cut off: the compressed data ends too early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise RecordingUnreadable(f"{path}: not gzip, or damaged: {error}") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise RecordingUnreadable(f"{path}: not a zip file, or damaged: {error}") from error
    except OSError as error:
        raise RecordingUnreadable(f"{path}: {error.strerror or error}") from error


def _inside_zip(path: Path, file: BinaryIO) -> Iterator[BinaryIO]:
    with zipfile.ZipFile(file) as archive:
        tables = [one for one in archive.infolist() if one.filename.endswith(".csv")]
        if len(tables) != 1:
            raise RecordingUnreadable(
                f"{path}: holds {len(tables)} tables", hint="one .csv inside is expected"
            )
        if tables[0].flag_bits & 1:
            raise RecordingUnreadable(f"{path}: is locked with a password")
        with archive.open(tables[0]) as inside:
            yield cast(BinaryIO, inside)

"""Replaying from the command line: every frame counted, every gap told, and the same rows each time."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orderflow import venues
from orderflow.feed import segment
from orderflow.feed.book import OrderBook
from orderflow.market.events import BookUpdate
from orderflow.store import access
from orderflow.venues.spec import Memory, answer
from tests.system.product import ROOT, Product, environment, read

CAPTURES = ROOT.parent / "shared" / "captures"
VENUES = ("binance_futures", "binance_spot")  # of which a book can be cut, and its snapshot made
EVERY_VENUE = ",".join(venues.ALL)
ALSO_REAL = CAPTURES.is_dir()  # without the recordings of others, those of the simulator are used alone
SOURCES = ["simulator", *(["captures"] if ALSO_REAL else [])]

Line = dict[str, Any]


def replayed(product: Product, *files: Path, db: Path, code: str = "", **env: str) -> dict[str, Any]:
    arguments = ["replay", *map(str, files), "--db", str(db), "--json"]
    if code:  # the same command, after some change to its insides
        start = f"import sys; sys.argv = ['orderflow', *sys.argv[1:]]; {code}; from orderflow.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", start, *arguments],
            check=False,
            capture_output=True, text=True, timeout=120, env=environment(**env), cwd=product.folder,
        )  # fmt: skip
    else:
        done = product.run(*arguments, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def checksums(db: Path) -> dict[str, str]:
    with access.open_reader(db) as reader:
        return reader.checksums()


class Recorded:
    """Recordings of all venues to replay, and of some venues one with a book from its snapshot on."""

    def __init__(self, everything: list[Path], books: dict[str, list[Path]]) -> None:
        self.everything, self.books = everything, books


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest, shared_product: Product) -> Iterator[Recorded]:
    if request.param == "captures":
        everything = [CAPTURES / venue for venue in venues.ALL if (CAPTURES / venue).is_dir()]
        yield Recorded(
            everything, {venue: sorted((CAPTURES / venue).glob("hftbacktest_*")) for venue in VENUES}
        )
        return
    out = shared_product.folder / "recording"
    simulator = shared_product.simulator("BTCUSDT", rate=30, venues=EVERY_VENUE)
    done = shared_product.run(
        "record", "--simulator", simulator.url, "--out", str(out), "--symbols", "BTCUSDT", "--seconds", "5",
        PYTH_API_KEY="simulated",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    simulator.running.stop()
    books: dict[str, list[Path]] = {}
    for venue in VENUES:  # as captures, so that a line can be cut out
        path = shared_product.folder / f"{venue}.jsonl"
        lines = [
            {
                "venue": venue, "kind": frame.kind, "dir": "in", "t": frame.ts_recv / 1e9, "url": frame.url,
                "raw": frame.payload.decode(),
            }
            for file in sorted(out.glob("*.journal*"))
            for batch in segment.read(file)
            for frame in batch
            if frame.venue == venue and frame.kind in ("ws", "http")
        ]  # fmt: skip
        write(path, lines)
        books[venue] = [path]
    yield Recorded([out], books)


def lines_of(path: Path) -> list[Line]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def write(path: Path, lines: list[Line]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


class Cut:
    """A recording with a book: where its diffs are, and the book as it stands after each line."""

    def __init__(self, venue: str, lines: list[Line]) -> None:
        self.venue, self.lines = venues.ALL[venue], lines
        self.book = OrderBook(self.venue.book)
        self.joined = [place for place in range(len(lines)) if self._applied(lines[place])]

    def _applied(self, line: Line) -> bool:
        """Apply what a line says of the book; tell whether it was a diff that joined."""
        if line["dir"] != "in" or not line["raw"]:
            return False
        body, ts = line["raw"].encode(), int((line["t"] or 0) * 1e9)
        said = (
            self.venue.decode(body, ts, Memory())
            if line["kind"] == "ws"
            else answer(self.venue, line["url"], body, ts)
        )
        return any(isinstance(one, BookUpdate) and self.book.apply(one) and not one.snapshot for one in said)

    def snapshot_after(self, place: int) -> Line:
        """Return the answer that the venue would have given to a request for the book after a line."""
        whole = Cut(self.venue.name, self.lines[: place + 1]).book
        body = {
            "lastUpdateId": whole.last_id,
            "bids": [[str(price), str(size)] for price, size in sorted(whole.bids.items(), reverse=True)],
            "asks": [[str(price), str(size)] for price, size in sorted(whole.asks.items())],
        }
        before = self.lines[place]
        path = self.venue.endpoint("depth").path
        url = f"{self.venue.hosts.rest}{path}?symbol=BTCUSDT&limit=1000"
        return {**before, "kind": "http", "url": url, "raw": msgspec.json.encode(body).decode()}


every_source = pytest.mark.parametrize("recorded", SOURCES, indirect=True)
every_venue = pytest.mark.parametrize("venue", VENUES)


@every_source
def test_every_frame_is_used_ignored_for_a_reason_or_unknown_and_none_is_unknown(
    product: Product, recorded: Recorded
) -> None:
    report = replayed(product, *recorded.everything, db=product.folder / "a.duckdb")
    assert {"frames", "used", "ignored", "unknown", "gaps", "rows"} <= report.keys()
    assert report["unknown"] == 0, report["unknown_reasons"]
    assert report["frames"] == report["used"] + sum(report["ignored"].values()) + report["unknown"]
    assert report["used"] > 0.9 * report["frames"] > 0
    assert all(reason for reason in report["ignored"])
    for table in ("trades", "prices", "orderbooks", "candles"):
        assert report["rows"][table] > 0
    for gap in report["gaps"]:
        assert set(gap) == {"venue", "symbol", "stream", "from", "until", "reason"} and gap["reason"]


@pytest.mark.timeout(400)
@every_source
def test_twice_changes_no_row_and_another_process_gives_the_same_checksums(
    product: Product, recorded: Recorded
) -> None:
    first, second = product.folder / "first.duckdb", product.folder / "second.duckdb"
    report = replayed(product, *recorded.everything, db=first, PYTHONHASHSEED="1")
    once = checksums(first)
    again = replayed(product, *recorded.everything, db=first, PYTHONHASHSEED="2")
    assert again["written"] == {} and again["rows"] == report["rows"]
    assert checksums(first) == once
    smaller = "import orderflow.jobs.replay as one; one.FLUSH_ROWS = 7_001"
    elsewhere = replayed(product, *recorded.everything, db=second, code=smaller, PYTHONHASHSEED="3")
    assert elsewhere == report
    assert checksums(second) == once
    assert len(set(once.values())) > 5  # the sums tell tables apart


@every_source
@every_venue
def test_a_book_that_was_recorded_whole_has_no_gap(product: Product, recorded: Recorded, venue: str) -> None:
    report = replayed(product, *recorded.books[venue], db=product.folder / "a.duckdb")
    assert [gap for gap in report["gaps"] if gap["stream"] == "orderbooks"] == []
    assert report["gaps"] == [] and report["rows"]["orderbooks"] > 0


@every_source
@every_venue
def test_a_removed_diff_is_exactly_one_gap_which_the_next_snapshot_closes(
    product: Product, recorded: Recorded, venue: str
) -> None:
    cut = Cut(venue, lines_of(recorded.books[venue][0]))
    gone = cut.joined[len(cut.joined) // 2]
    later = cut.joined[len(cut.joined) * 3 // 4]
    open_file, closed_file = product.folder / "open.jsonl", product.folder / "closed.jsonl"
    write(open_file, [line for place, line in enumerate(cut.lines) if place != gone])
    closing = [*cut.lines[: later + 1], cut.snapshot_after(later), *cut.lines[later + 1 :]]
    write(closed_file, [line for place, line in enumerate(closing) if place != gone])

    every_change = {"BOOK_INTERVAL": "0"}  # so that rows of the same update can be compared
    (left_open,) = replayed(product, open_file, db=product.folder / "open.duckdb")["gaps"]
    assert (left_open["venue"], left_open["symbol"], left_open["stream"]) == (venue, "BTCUSDT", "orderbooks")
    assert left_open["until"] is None and left_open["reason"].startswith("sequence: ids ")
    (closed,) = replayed(product, closed_file, db=product.folder / "closed.duckdb", **every_change)["gaps"]
    assert closed["from"] == left_open["from"] < closed["until"]

    # Outside the gap the book is the one of the whole recording, and inside it there is no row.
    whole = product.folder / "whole.duckdb"
    replayed(product, recorded.books[venue][0], db=whole, **every_change)
    names = ", ".join(f"{side}_{level}_{what}" for side in ("bid", "ask") for level in range(1, 11) for what in ("price", "qty"))  # fmt: skip
    sql = f"SELECT sequence, {names} FROM orderbooks"
    right = {row[0]: row[1:] for row in read(whole, sql)}
    after = f"timestamp > TIMESTAMP '{closed['until'].rstrip('Z')}'"
    known = [row for row in read(product.folder / "closed.duckdb", f"{sql} WHERE {after}") if row[0] in right]
    assert len(known) > 5 and all(row[1:] == right[row[0]] for row in known)
    ((inside,),) = read(
        product.folder / "closed.duckdb",
        f"SELECT count(*) FROM orderbooks WHERE timestamp > TIMESTAMP '{closed['from'].rstrip('Z')}'"
        f" AND timestamp < TIMESTAMP '{closed['until'].rstrip('Z')}'",
    )
    assert inside == 0

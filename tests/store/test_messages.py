"""Messages: what a consumer reads is what the table holds, once a row, and never what was not committed."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orderflow.market.errors import StoreUnusable
from orderflow.market.events import MINUTE, MS, SECOND, Candle, Event, Quote, Trade
from orderflow.market.streams import KEPT, STREAMS
from orderflow.store import messages, opening, runs, tables
from orderflow.store.messages import Told
from orderflow.store.writer import Writer
from tests.store.test_writer import BTC, BY_HAND, FUTURES, HUGE, SPOT, T0, trade


class Outlet:
    """Keeps what it is given, as the outbox does."""

    def __init__(self, *streams: str) -> None:
        self.streams = streams or tuple(STREAMS)
        self.kept: list[Told] = []
        self.staged: list[Told] = []
        self.number = 0
        self.full = False

    def append(self, rows: Sequence[Told]) -> None:
        if self.full:
            raise StoreUnusable("no room")
        self.staged += rows

    def stage(self) -> int | None:
        return self.number + 1 if self.staged else None

    def commit(self) -> None:
        self.number += bool(self.staged)
        self.kept += self.staged
        self.staged = []

    def rollback(self) -> None:
        self.staged = []


class Place:
    """A database of its own with a writer that tells an outlet."""

    def __init__(self, folder: Path, *streams: str) -> None:
        self.connection = opening.open_for_writing(folder / "market.duckdb")
        tables.create(self.connection, (BTC, "ETHUSDT"))
        self.outlet = Outlet(*streams)
        messages.begin(self.connection, 0)
        run = runs.begin(self.connection, "live", "live 1", started=T0)
        self.writer = Writer(self.connection, run, outlet=self.outlet)

    def put(self, *events: Event) -> None:
        for event in events:
            self.writer.adders(event.venue)[type(event)](event)
        self.writer.flush()

    def stored(self, stream: str) -> list[dict[str, Any]]:
        found = self.connection.execute(f"SELECT * FROM {stream} ORDER BY venue, symbol, id")
        names = [one[0] for one in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def told(self, stream: str) -> list[dict[str, Any]]:
        return [json.loads(body) for key, *_, body in self.outlet.kept if key.startswith(f"{stream}.")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def plain(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value


@pytest.mark.parametrize("stream", BY_HAND)
def test_a_message_has_the_columns_of_its_row_with_their_values(place: Place, stream: str) -> None:
    place.put(BY_HAND[stream][0])
    (row,) = place.stored(stream)
    (told,) = place.told(stream)
    assert list(told) == list(row)
    assert told == {name: plain(value) for name, value in row.items()}
    ((key, id, seconds, source, _),) = [one for one in place.outlet.kept if one[0].startswith(f"{stream}.")]
    assert key == f"{stream}.{FUTURES}.{BTC}"
    assert id.startswith(f"{key}.1.{T0 // 1000}") and seconds == T0 // SECOND and source == "live"


def test_a_large_trade_is_told_as_well(place: Place) -> None:
    place.put(trade(1, price=100_000.0, size=2.0), trade(2))
    (row,) = place.stored("large_trades")
    assert place.told("large_trades") == [{name: plain(value) for name, value in row.items()}]
    assert [one["trade_id"] for one in place.told("trades")] == ["1", "2"]


def test_only_the_streams_that_were_chosen_are_told(tmp_path: Path) -> None:
    place = Place(tmp_path, "large_trades", "prices")
    place.put(trade(1, price=100_000.0, size=2.0), BY_HAND["prices"][0], BY_HAND["funding_rates"][0])
    assert sorted(key.split(".")[0] for key, *_ in place.outlet.kept) == ["large_trades", "prices"]


def test_rows_are_told_once_in_the_order_of_their_ids(place: Place) -> None:
    place.put(*(trade(id, T0 + id * MS) for id in range(1, 50)))
    place.put(*(trade(id, T0 + id * MS) for id in range(30, 90)))  # a socket that repeats what another said
    told = place.told("trades")
    assert [one["id"] for one in told] == list(range(1, 90))
    assert [one["trade_id"] for one in told] == [str(id) for id in range(1, 90)]
    assert len({id for _, id, *_ in place.outlet.kept}) == 89


def test_each_version_of_a_candle_is_a_message_of_its_own(place: Place) -> None:
    def bar(at: int, closed: bool, close: float) -> Candle:
        return Candle(SPOT, BTC, at, at, "1m", T0, T0 + MINUTE - MS, 1.0, 9.0, 1.0, close, 5.0, closed=closed)

    place.put(bar(T0 + SECOND, False, 2.0))
    place.put(bar(T0 + 2 * SECOND, False, 3.0), bar(T0 + 3 * SECOND, False, 4.0))
    place.put(bar(T0 + 3 * SECOND, True, 4.0))
    place.put(bar(T0 + 2 * SECOND, False, 3.0))  # late, and no news
    told = place.told("candles")
    assert [(one["id"], one["close"], one["closed"]) for one in told] == [
        (1, 2.0, False), (1, 4.0, False), (1, 4.0, True),
    ]  # fmt: skip
    assert len({id for _, id, *_ in place.outlet.kept}) == 3


def test_what_is_no_finite_number_is_null(place: Place) -> None:
    place.put(Quote(SPOT, BTC, None, T0, float("inf"), None, float("nan"), 1e22, None))
    (told,) = place.told("prices")
    assert (told["bid_price"], told["bid_qty"], told["ask_price"], told["ask_qty"]) == (
        None,
        None,
        None,
        1e22,
    )
    assert (told["mid_price"], told["spread"], told["clock"], told["sequence"]) == (None, None, "local", None)


def test_nonsense_from_a_venue_makes_no_message_that_cannot_be_sent(place: Place) -> None:
    longest = "\U00020000" * 64  # 256 bytes
    place.put(
        Trade(SPOT, longest, T0, T0, 1, True, 1.0, 1.0),
        Trade(SPOT, 'B"\\T', T0, T0, 1, True, 1.0, 1.0),
        Trade(SPOT, BTC, HUGE, T0, 'x"\n\\', True, 1.0, 1.0),
        Trade(SPOT, BTC, -(2**62), 0, 3, True, 1.0, 1.0),
        Trade(SPOT, BTC, None, 0, 4, True, 1.0, 1.0),
    )
    assert [one["trade_id"] for one in place.told("trades")] == ['x"\n\\', "3", "4"]
    for key, id, seconds, *_ in place.outlet.kept:
        assert len(key.encode()) <= 255 and len(id.encode()) <= 255
        assert isinstance(seconds, int)


def test_a_flush_that_fails_tells_nothing_and_the_next_tells_it_once(place: Place) -> None:
    place.outlet.full = True
    place.writer.adders(SPOT)[Trade](trade(1))
    batch = place.writer.take()
    with pytest.raises(StoreUnusable, match="no room"):
        place.writer.write(batch)
    assert (place.stored("trades"), place.outlet.kept, place.outlet.staged) == ([], [], [])
    place.outlet.full = False
    place.writer.write(batch)
    assert [one["trade_id"] for one in place.told("trades")] == ["1"]
    assert len(place.stored("trades")) == 1 and messages.committed(place.connection) == 1


def test_without_an_outlet_the_database_keeps_no_count(tmp_path: Path) -> None:
    connection = opening.open_for_writing(tmp_path / "market.duckdb")
    tables.create(connection, (BTC,))
    writer = Writer(connection, runs.begin(connection, "live", "live 1", started=T0))
    writer.adders(SPOT)[Trade](trade(1))
    writer.flush()
    assert messages.committed(connection) is None


def test_every_stream_can_be_told() -> None:
    assert set(BY_HAND) | {"large_trades"} == set(STREAMS)
    assert {stream.name for stream in KEPT.values()} == set(BY_HAND)


# ── A death in the middle ─────────────────────────────────────────────────────────────────────

DYING = """
import os, sys
from pathlib import Path
from orderflow.publish.outbox import Outbox
from orderflow.store import messages
from tests.store.test_messages import Place
from tests.store.test_writer import T0, trade

folder, when, batches = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

class Dying(Outbox):
    def stage(self):
        return self.die("before", super().stage())
    def commit(self):
        self.die("after", None)
        super().commit()
    def die(self, now, number):
        if now == when and self.last + 1 == batches:
            os.kill(os.getpid(), 9)
        return number

place = Place(folder)
place.writer._outlet = Dying(folder / "outbox", streams=("trades",))
for batch in range(batches):
    place.put(*(trade(batch * 10 + id, T0 + batch * 10 + id) for id in range(1, 11)))
"""


@pytest.mark.parametrize(("when", "counted"), [("before", 20), ("after", 30)])
def test_a_death_between_the_outbox_and_the_commit_leaves_neither_row_nor_message(
    tmp_path: Path, when: str, counted: int
) -> None:
    from orderflow.publish.outbox import Outbox, Tail

    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path), when, "3"],
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
        capture_output=True,
    )
    assert found.returncode == -9, found.stderr
    (segment,) = (tmp_path / "outbox").glob("*.outbox")
    before = segment.stat().st_size
    connection = opening.open_for_writing(tmp_path / "market.duckdb")
    stored = [id for (id,) in connection.execute("SELECT trade_id FROM trades ORDER BY id").fetchall()]
    box = Outbox(tmp_path / "outbox", streams=("trades",), committed=messages.committed(connection))
    tail = Tail(tmp_path / "outbox", 0)
    told: list[str] = []
    while some := tail.more(box.end):
        told += [json.loads(one.message.body)["trade_id"] for one in some]
    assert stored == told == [str(id) for id in range(1, counted + 1)]
    assert (segment.stat().st_size < before) == (when == "before")  # its last block did not count
    tail.close()
    box.close()
    connection.close()

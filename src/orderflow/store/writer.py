"""The writer: events into rows, doubles left out, one transaction a flush.

Events wait in one list a venue and stream (`adders` gives the lists' appends). `take` hands them over
on the thread that collects; `write` packs, removes doubles and inserts them on any thread, with a
cursor of its own. Two rows are the same row by the stream's key. A row beyond the highest of its
series is new without looking; only the others are looked up in the table.
"""

import logging
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderflow.market.errors import ShareLost, StoreBroken, StoreUnusable
from orderflow.market.events import HOUR, US, Event, Gap, Instrument, Nanos
from orderflow.market.streams import KEPT, LARGE_TRADES, OPEN_INTEREST, STREAMS, TRADES, Column, Stream
from orderflow.store import lake, layout, merge, messages, tables
from orderflow.store.messages import Outlet
from orderflow.store.rows import NULL, Rows, packed
from orderflow.store.runs import Run

log = logging.getLogger(__name__)

MOST_SERIES = 50_000  # of a process: beyond, new symbols are a venue's nonsense

LARGE_TRADE_USD = {"BTC": 100_000.0, "ETH": 50_000.0}
LARGE_TRADE_USD_OTHERS = 20_000.0

_LAST = 2**63 - 1  # nanoseconds, in the year 2262
_LAST_INTEGER = 2**31 - 1  # of counts: none is below zero

_NO_IDS = np.empty(0, dtype=np.int64)

Keep = npt.NDArray[np.bool_]


class Batch(msgspec.Struct):
    """What was collected since the last flush."""

    events: dict[tuple[str, str], list[Event]]  # (venue, stream) → events
    gaps: list[Gap]
    void: list[Gap]
    instruments: list[Instrument]

    def __bool__(self) -> bool:
        return bool(self.events or self.gaps or self.void or self.instruments)


class Block(NamedTuple):
    """Rows of one stream that were stored elsewhere, their texts, and how the run that they are of is had."""

    rows: Rows
    texts: list[str]
    run: Callable[[], Run]


class Flushed(NamedTuple):
    """Rows written by table, and how long it took."""

    rows: dict[str, int]
    seconds: float


class Writer:
    """Writes runs into one database, one at a time: `run` is the one that rows belong to from now on.

    An `outlet` is given the rows of its streams as messages, in the transaction that writes them; `box`
    is its name where a lake has several. `since` bounds what is read of the tables to begin with, and
    `lists` says whose instruments are kept.
    Not for two threads at once, save `adders` beside `write`.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        run: Run | None,
        *,
        large_trade_usd: Mapping[str, float] | None = None,
        outlet: Outlet | None = None,
        box: str = messages.OUTBOX,
        since: Nanos | None = None,
        lists: Callable[[Instrument], bool] = lambda one: True,
    ) -> None:
        self._cursor = connection.cursor()
        self._box, self._lists = box, lists
        self._outlet = outlet
        self.run = run
        self._large = LARGE_TRADE_USD if large_trade_usd is None else large_trade_usd
        self._waiting: dict[tuple[str, str], list[Event]] = {}
        self._gaps: dict[tuple[str, str, str, Nanos], Gap] = {}
        self._void: list[Gap] = []
        self._instruments: list[Instrument] = []
        self._series: dict[str, dict[str, int]] = {}  # venue → symbol → number
        self._names: list[tuple[str, str]] = []  # number → (venue, symbol)
        self._layout = layout.of(self._cursor)
        self._known = {name: merge.Known(self._cursor, stream, since) for name, stream in STREAMS.items()}
        self._uncertain = False  # whether it is not known if the last commit counts

    # ── On the thread that collects ───────────────────────────────────────────────────────────

    def adders(self, venue: str) -> dict[type[Event], Callable[[Any], None]]:
        """Return, for each type of event that is kept, what takes an event of this venue."""
        found: dict[type[Event], Callable[[Any], None]] = {}
        for event, stream in KEPT.items():
            found[event] = self._waiting.setdefault((venue, stream.name), []).append
        found[Instrument] = self._instruments.append
        return found

    def gap(self, gap: Gap) -> None:
        """Take a gap that opened or closed; the latest state of a gap is the one that is kept."""
        self._gaps[gap.identity] = gap

    def no_gap(self, gap: Gap) -> None:
        """Take back a gap that turned out to be none."""
        self._gaps.pop(gap.identity, None)
        self._void.append(gap)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def take(self) -> Batch:
        """Hand over what waits, and begin anew; the adders stay as they are."""
        events = {key: list(waiting) for key, waiting in self._waiting.items() if waiting}
        for key in events:
            self._waiting[key].clear()
        batch = Batch(events, list(self._gaps.values()), list(self._void), list(self._instruments))
        self._gaps.clear()
        self._void.clear()
        self._instruments.clear()
        return batch

    # ── On any thread ─────────────────────────────────────────────────────────────────────────

    def write(self, batch: Batch, run: Run | None = None) -> Flushed:
        """Write a batch in one transaction; on failure nothing of it is in the database.

        Its rows belong to `run`, where one is given; a batch of the past is written by itself, so that
        only its own stretch of time is looked through for doubles.
        Raises `StoreUnusable` if the database cannot take it (a full disk); the batch can be written
        again. `StoreBroken`: not by this process. `ShareLost`: another collector of the lake does.
        """
        began = time.perf_counter()
        run = run or self.run
        if run is None:
            raise StoreUnusable("rows without a run cannot be written", hint="begin a run first")
        try:
            rows = self._committed(batch, run)
        except StoreUnusable:  # the outlet cannot be written
            self._undo()
            raise
        except duckdb.Error as error:
            self._undo()
            self._uncertain = self._layout.lake
            if self._layout.lake and lake.refused(error):
                raise ShareLost(
                    "another collector holds this share of the lake now",
                    hint="what was not written stays in the journal, until this one holds the share again",
                ) from error
            broken = isinstance(error, duckdb.FatalException)
            raise (StoreBroken if broken else StoreUnusable)(
                f"the database did not take {sum(map(len, batch.events.values()))} rows: {_one_line(error)}",
                hint="free some disk space; what was received stays in the journal"
                + (" and is written at the next start" if broken else " and is written when there is room"),
            ) from error
        for known in self._known.values():
            known.commit()
        if self._outlet is not None:
            self._outlet.commit()
        return Flushed({name: count for name, count in rows.items() if count}, time.perf_counter() - began)

    def flush(self) -> Flushed:
        """Take and write in one call, for those who have one thread."""
        return self.write(self.take())

    def take_in(self, stream: Stream, blocks: Iterable[Block]) -> int:
        """Write rows that were stored elsewhere in one transaction; return how many were not here yet.

        On failure, be it of the database or of whoever gives the blocks, none of them is. Columns that are
        reckoned from others are reckoned again. Raises `StoreUnusable` if the database cannot take them.
        """
        if stream.derived_from:  # its rows are written beside those that they derive from, unseen
            self._known[stream.name] = merge.Known(self._cursor, stream)
        try:
            self._cursor.begin()
            count = sum(self._merge(stream, one.rows, one.texts, one.run) for one in blocks)
            self._cursor.commit()
        except duckdb.Error as error:
            self._undo()
            raise StoreUnusable(
                f"the database did not take the rows: {_one_line(error)}", hint="free some disk space"
            ) from error
        except BaseException:
            self._undo()
            raise
        for known in self._known.values():
            known.commit()
        return count

    def number(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Return the numbers of series, (venue, symbol), in `Rows`; those that cannot be are left out."""
        pairs = set(pairs)
        for venue in {venue for venue, _ in pairs}:
            self._series.setdefault(venue, {})
        self._meet({one for one in pairs if one[1] not in self._series[one[0]]})
        return {one: number for one in pairs if (number := self._series[one[0]].get(one[1])) is not None}

    def _committed(self, batch: Batch, run: Run) -> dict[str, int]:
        """Write a batch and commit; in a lake again where another process has changed the same files meanwhile."""
        if self._uncertain:
            for known in self._known.values():
                known.learn(time.time_ns() - HOUR)
            self._uncertain = False
        self._number_series(batch)
        for attempt in range(1, tables.ATTEMPTS + 1):
            try:
                self._cursor.begin()
                parts = self._parts(batch)
                rows = {name: self._insert(STREAMS[name], several, run) for name, several in parts.items()}
                self._upsert_gaps(batch, run)
                self._upsert_instruments(batch.instruments)
                if self._outlet is not None and (number := self._outlet.stage()) is not None:
                    messages.note(self._cursor, number, self._box)
                self._cursor.commit()
            except duckdb.TransactionException as error:
                if attempt == tables.ATTEMPTS or not tables.conflicting(error) or not self._layout.lake:
                    raise
                self._undo()
                time.sleep(attempt * random.uniform(0, 0.2))  # noqa: S311 - so that two do not meet again
            else:
                return rows
        return {}  # the last attempt has returned or raised

    def _undo(self) -> None:
        for known in self._known.values():
            known.rollback()
        if self._outlet is not None:
            self._outlet.rollback()
        try:
            self._cursor.rollback()
        except duckdb.Error:  # no transaction is open: it never began, or its commit failed
            return

    def _number_series(self, batch: Batch) -> None:
        """Give numbers to series that are met for the first time, and create their views.

        Events of a symbol that cannot be one are a venue's nonsense: they are taken out of the batch.
        """
        fresh: set[tuple[str, str]] = set()
        for (venue, _), events in batch.events.items():
            numbers = self._series.setdefault(venue, {})
            fresh |= {(venue, symbol) for symbol in {event.symbol for event in events} - numbers.keys()}
        if met := self._meet(fresh):
            _leave_out(batch, met)

    def _meet(self, fresh: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Number series that are met for the first time; return those that cannot be."""
        if not fresh:
            return set()
        possible = tables.possible(self._cursor, {symbol for _, symbol in fresh})
        wanted = sorted(one for one in fresh if one[1] in possible)[: MOST_SERIES - len(self._names)]
        tables.ensure(self._cursor, wanted)
        for venue, symbol in wanted:
            self._series[venue][symbol] = len(self._names)
            self._names.append((venue, symbol))
        return fresh.difference(wanted)

    def _parts(self, batch: Batch) -> dict[str, list[tuple[str, list[Event]]]]:
        parts: dict[str, list[tuple[str, list[Event]]]] = {}
        for (venue, stream), events in batch.events.items():
            parts.setdefault(stream, []).append((venue, events))
        return parts

    def _insert(self, stream: Stream, parts: list[tuple[str, list[Event]]], run: Run) -> int:
        """Insert the rows of one stream, of all venues, that are not in its table; return how many."""
        blocks: list[Rows] = []
        texts: list[str] = []
        for venue, events in parts:
            if not events:
                continue
            rows, found = packed(stream, events, self._series[venue])
            blocks.append(merge.shift_texts(stream, rows, len(texts)))
            texts += found
        if not blocks:
            return 0
        rows = np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
        return self._merge(stream, rows, texts, lambda: run)

    def _merge(self, stream: Stream, rows: Rows, texts: list[str], whose: Callable[[], Run]) -> int:
        known = self._known[stream.name]
        if stream.replaces:
            rows, ids = known.replace(rows, texts, self._names)
        else:
            rows = rows[known.fresh(rows, texts, self._names)]
            ids = known.number(rows["series"], self._names) if len(rows) else _NO_IDS
        if not len(rows):
            return 0
        late: list[merge.Late] = []
        before = None
        if stream is OPEN_INTEREST:
            before, late = known.previous(rows, self._names)
        run = whose()
        table = self._table(stream, rows, texts, ids, before)
        self._cursor.register("batch", table)
        self._keep(stream, _rows(stream), run)
        if stream is TRADES:
            self._keep(LARGE_TRADES, _LARGE, run)
        self._cursor.unregister("batch")
        if late:
            known.catch_up(late)
        return len(rows)

    def _keep(self, stream: Stream, rows: str, run: Run) -> None:
        """Insert what a query over the batch gives, and tell it to those who read on."""
        said = [run.kind, run.id]
        self._cursor.execute(f"INSERT INTO {self._layout.hot(stream.name)} BY NAME {rows}", said)
        if self._outlet is not None and stream.name in self._outlet.streams:
            self._outlet.append(self._cursor.execute(messages.telling(stream, rows), said).fetchall())

    def _table(
        self, stream: Stream, rows: Rows, texts: list[str], ids: npt.NDArray[np.int64], before: Any
    ) -> pa.Table:
        series = rows["series"]
        event, received = rows["ts_event"], rows["ts_recv"]
        local = event == NULL
        stamp = np.where(local, received, event)
        columns: dict[str, pa.Array] = {
            "venue": _named(series, [venue for venue, _ in self._names]),
            "symbol": _named(series, [symbol for _, symbol in self._names]),
            "id": pa.array(ids),
            "timestamp": _instants(stamp, local & (received == 0)),
            "received": _instants(received, received == 0),
            "clock": _named(np.where(local, 1, 0), ["venue", "local"]),
        }
        for column in stream.packed:
            columns[column.name] = _column(column, rows[column.name], texts)
        if stream is TRADES:
            limits = np.array([self._large_usd(symbol) for _, symbol in self._names])
            columns["large_usd"] = pa.array(limits[series], from_pandas=True)
        if before is not None:
            columns["previous_open_interest"] = pa.array(before, from_pandas=True)
        return pa.table(columns)

    def _large_usd(self, symbol: str) -> float:
        """Return the value from which a trade of a symbol is large; NaN where its quote is no dollar."""
        found = _DOLLAR.fullmatch(symbol)
        return float("nan") if found is None else self._large.get(found["base"], LARGE_TRADE_USD_OTHERS)

    def _upsert_gaps(self, batch: Batch, run: Run) -> None:
        """Write the gaps as they stand, in a few statements: a lost network opens hundreds at once."""
        latest = {gap.identity: gap for gap in batch.gaps}
        void = {gap.identity for gap in batch.void} - latest.keys()
        if not latest and not void:
            return
        told = [{**_same(identity), "until": None, "reason": None, "void": True} for identity in void] + [
            {
                **_same(identity),
                "until": None if gap.until_ts is None else _micros(gap.until_ts),
                "reason": gap.reason,
                "void": False,
            }
            for identity, gap in latest.items()
        ]
        self._cursor.execute("DROP TABLE IF EXISTS gaps_as_told")
        self._cursor.register("told_gaps", pa.Table.from_pylist(told, schema=_TOLD_GAPS))
        self._cursor.execute(_GAPS_AS_TOLD)
        self._cursor.execute(f"DELETE FROM gaps USING told_gaps t WHERE {_SAME_GAP}")
        self._cursor.execute(
            'INSERT INTO gaps (venue, symbol, stream, "from", "until", reason, run, filled_at)'
            ' SELECT venue, symbol, stream, make_timestamp("from"), make_timestamp("until"), reason, ?, filled_at'
            " FROM gaps_as_told",
            [run.id],
        )
        self._cursor.execute("DROP TABLE gaps_as_told")
        self._cursor.unregister("told_gaps")

    def _upsert_instruments(self, instruments: Iterable[Instrument]) -> None:
        latest = {(one.venue, one.native): one for one in instruments if self._lists(one)}
        if not latest:
            return
        self._cursor.register("listed", pa.Table.from_pylist([_listed(one) for one in latest.values()]))
        self._cursor.execute(
            "DELETE FROM instruments WHERE (venue, native) IN (SELECT venue, native FROM listed)"
        )
        self._cursor.execute("INSERT INTO instruments BY NAME SELECT * FROM listed")
        self._cursor.unregister("listed")


_SAME_GAP = (
    "gaps.venue = t.venue AND gaps.symbol = t.symbol AND gaps.stream = t.stream"
    ' AND gaps."from" = make_timestamp(t."from")'
)
# A journal that is replayed tells of its gaps again; what was filled since stays so.
_GAPS_AS_TOLD = f"""
CREATE TEMP TABLE gaps_as_told AS
SELECT t.venue, t.symbol, t.stream, t."from", t."until", t.reason,
       if(t."until" = epoch_us(gaps."until"), gaps.filled_at, NULL) AS filled_at
FROM told_gaps t LEFT JOIN gaps ON {_SAME_GAP}
WHERE NOT t.void
"""
_TOLD_GAPS = pa.schema(
    [
        ("venue", pa.string()),
        ("symbol", pa.string()),
        ("stream", pa.string()),
        ("from", pa.int64()),
        ("until", pa.int64()),
        ("reason", pa.string()),
        ("void", pa.bool_()),
    ]
)


def _same(identity: tuple[str, str, str, Nanos]) -> dict[str, Any]:
    venue, symbol, stream, from_ts = identity
    return {"venue": venue, "symbol": symbol, "stream": stream, "from": _micros(from_ts)}


_DOLLAR = re.compile(r"(?P<base>\w+?)[-_/]?(FD|[BT])?USD[TC]?")

_LARGE = """
SELECT venue, symbol, id, timestamp, received, clock, ? AS source, ? AS run, trade_id,
       if(is_buyer_maker, 'sell', 'buy') AS side, price, quantity, price * quantity AS value_usd,
       NULL::BOOLEAN AS is_liquidation
FROM batch WHERE price * quantity >= large_usd
"""


def _rows(stream: Stream) -> str:
    shared = "venue, symbol, id, timestamp, received, clock, ? AS source, ? AS run"
    own = ", ".join(f'{column.sql or _quoted(column)} AS "{column.name}"' for column in stream.columns)
    return f"SELECT {shared}, {own} FROM batch"


def _quoted(column: Column) -> str:
    return f'"{column.name}"'


def _leave_out(batch: Batch, series: set[tuple[str, str]]) -> None:
    for (venue, stream), events in batch.events.items():
        kept = [event for event in events if (venue, event.symbol) not in series]
        if len(kept) < len(events):
            batch.events[venue, stream] = kept
            log.warning(
                "%s: %d %s of symbols that cannot be: left out", venue, len(events) - len(kept), stream
            )


def _micros(ns: Nanos) -> int:
    """Return microseconds; a time beyond 64 bits, which only nonsense has, is the last one within."""
    return max(-_LAST, min(ns, _LAST)) // US


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _named(codes: npt.NDArray[Any], names: list[str]) -> pa.Array:
    """Return a column of texts from their places in a list."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names, pa.string()))


def _instants(ns: npt.NDArray[np.int64], unknown: Keep) -> pa.Array:
    return pa.array(ns // 1000, pa.timestamp("us"), mask=unknown)


def _column(column: Column, values: npt.NDArray[Any], texts: list[str]) -> pa.Array:
    match column.type:
        case "DOUBLE":
            return pa.array(values, from_pandas=True)
        case "BOOLEAN":
            return pa.array(values == 1, mask=values < 0)
        case "TIMESTAMP":
            return _instants(values, values == NULL)
        case "VARCHAR":
            return merge.texts_of(values, texts)
        case "INTEGER":
            return pa.array(values, mask=(values < 0) | (values > _LAST_INTEGER))
        case _:
            return pa.array(values, mask=values == NULL)


def _listed(one: Instrument) -> dict[str, Any]:
    found = {
        field: getattr(one, field)
        for field in (
            "venue",
            "symbol",
            "native",
            "kind",
            "base",
            "quote",
            "status",
            "trading",
            "contract_size",
            "tick",
            "lot",
            "min_notional",
        )
    }
    found["listed_since"] = _utc(one.listed_ts)
    found["read_at"] = _utc(one.ts_recv or one.ts_event)
    return found


def _utc(ns: Nanos | None) -> np.datetime64 | None:
    return None if ns is None or abs(ns) > _LAST else np.datetime64(ns // 1000, "us")

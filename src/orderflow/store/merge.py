"""Merging: which rows of a batch are new to a table, and the ids that they get.

The tables have no keys of their own (a key doubles the time of a flush and the file). What has been
stored is known by the highest row of each series; only rows that are not beyond it are looked up.
What a batch would change here takes effect with `commit` and not before.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderflow.market.events import US, Nanos
from orderflow.market.streams import OPEN_INTEREST, Stream
from orderflow.store import layout, tables
from orderflow.store.rows import NULL, Rows
from orderflow.store.versions import Bar, Version, Versions

Index = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Names = Sequence[tuple[str, str]]  # a series' number → (venue, symbol)

_NOTHING = NULL  # below every order and every id


class _Track(NamedTuple):
    """Of the rows of a series that are counted alike: the highest order, and the keys that stand at it.

    `keys` is None where they are not known: before the first row of this process has gone beyond.
    """

    order: int = _NOTHING
    keys: frozenset[bytes] | None = None


class _Top(NamedTuple):
    """Of one series: its highest rows, its highest id, and the last value that a change is taken from.

    Rows whose key is null have no number: they are counted by their time, apart from the others.
    """

    numbered: _Track = _Track()
    id: int = 0
    value: float = float("nan")
    timed: _Track = _Track()

    @property
    def order(self) -> int:
        return self.numbered.order


class Late(NamedTuple):
    """Rows of one series that lie behind its highest: the first and the last, in microseconds."""

    venue: str
    symbol: str
    first: int
    last: int


class Known:
    """What one stream's table holds, as far as it must be known to add to it."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, stream: Stream, since: Nanos | None = None) -> None:
        """`since` bounds what is read of a large table: all rows of before are looked up as they come."""
        self._cursor, self._stream = cursor, stream
        self._since = _NOTHING if since is None else since
        self._layout = layout.of(cursor)
        self._hot = self._layout.hot(stream.name)
        self._tops: dict[tuple[str, str], _Top] = self._load()
        self._staged: dict[tuple[str, str], _Top] = {}
        self._versions = Versions()
        self._types = (0, "", "")  # of `venue` and `symbol`, as they were when so many series had names

    def _load(self) -> dict[tuple[str, str], _Top]:
        order = tables.order(self._stream)
        value = "arg_max_null(open_interest, timestamp)" if self._stream is OPEN_INTEREST else "NULL"
        time = "NULL"
        if self._stream.otherwise:
            time = f'max({_instant(self._stream)}) FILTER (WHERE "{self._stream.key[0]}" IS NULL)'
        archived = (
            ""
            if self._layout.lake
            else " UNION ALL SELECT venue, symbol, max(last_order), max(last_id), arg_max(last_value, last),"
            f" max({_instant(self._stream).replace('timestamp', 'last')})"
            f" FROM archived WHERE stream = '{self._stream.name}' AND dropped IS NULL GROUP BY ALL"
        )
        known_from = self._since // US
        recent = "" if self._since == _NOTHING else f"WHERE timestamp >= make_timestamp({known_from})"
        found = self._cursor.execute(
            "SELECT venue, symbol, max(highest), max(id), arg_max(value, highest), max(timed) FROM ("
            f"SELECT venue::VARCHAR AS venue, symbol::VARCHAR AS symbol, max({order}) AS highest, max(id) AS id,"
            f" {value} AS value, {time} AS timed FROM {self._hot} {recent} GROUP BY ALL{archived}) GROUP BY ALL"
        ).fetchall()
        return {
            (venue, symbol): _Top(
                _Track(_NOTHING if top is None else top),
                id,
                np.nan if last is None else last,
                _Track(_NOTHING if timed is None else timed),
            )
            for venue, symbol, top, id, last, timed in found
        }

    def commit(self) -> None:
        self._tops.update(self._staged)
        self._staged.clear()
        self._versions.commit()

    def rollback(self) -> None:
        if (
            self._layout.lake
        ):  # who lost the connection does not know what was committed: no id is given twice
            for key, top in self._staged.items():
                self._tops[key] = self._tops.get(key, _Top())._replace(id=top.id)
        self._staged.clear()
        self._versions.rollback()

    def learn(self, since: Nanos) -> None:
        """Read again what the table holds since a time, after a commit of which it is not known if it counts."""
        self._since = since
        self._versions.forget()
        for key, found in self._load().items():
            had = self._tops.get(key, _Top())
            self._tops[key] = _Top(
                _Track(max(found.order, had.order)),
                max(found.id, had.id),
                found.value,
                _Track(max(found.timed.order, had.timed.order)),
            )

    def _top(self, series: int, names: Names) -> _Top:
        key = names[series]
        return self._staged.get(key) or self._tops.get(key) or _Top()

    # ── Rows that are kept once and for all ───────────────────────────────────────────────────

    def fresh(self, rows: Rows, texts: list[str], names: Names) -> Mask:
        """Return which rows are neither in the table nor earlier in the batch."""
        keep = _first_of_each(self._stream, rows)
        timed = _unnumbered(self._stream, rows)
        order = np.where(timed, _counted(_stamps(rows), self._stream), _order(self._stream, rows))
        tracks = rows["series"].astype(np.int64) * 2 + timed
        present = {int(one): self._track(int(one), names) for one in np.unique(tracks)}
        highest = np.full(max(present) + 1, _NOTHING, dtype=np.int64)
        highest[list(present)] = [track.order for track in present.values()]
        unsure = keep & ((order <= highest[tracks]) | (_stamps(rows) < self._since))
        keys = _row_keys(self._stream, rows)
        if keys is not None:
            level = unsure & (order == highest[tracks]) & (_stamps(rows) >= self._since)
            for place in np.flatnonzero(level):
                if (known := present[int(tracks[place])].keys) is not None:
                    unsure[place] = False
                    keep[place] = bytes(keys[place]) not in known
        doubted = np.flatnonzero(unsure)
        if len(doubted) and (self._since > _NOTHING or any(self._top(one // 2, names).id for one in present)):
            keep[doubted[self._stored(rows[doubted], texts, names)]] = False
        for one, track in present.items():
            mine = np.flatnonzero((tracks == one) & keep)
            if len(mine):
                self._raise(one, names, track, order[mine], None if keys is None else keys[mine])
        return keep

    def _track(self, one: int, names: Names) -> _Track:
        top = self._top(one // 2, names)
        return top.timed if one % 2 else top.numbered

    def _raise(
        self, one: int, names: Names, track: _Track, order: Index, keys: npt.NDArray[np.void] | None
    ) -> None:
        """Take up rows that are new to a track: its highest order, and what stands at it."""
        highest = max(track.order, int(order.max()))
        # what stood at the order before is known only if all of it came from here
        before = frozenset[bytes]() if highest > track.order else track.keys
        level = None
        if keys is not None and before is not None:
            level = before.union(bytes(key) for key in keys[order == highest])
        raised, top = _Track(highest, level), self._top(one // 2, names)
        self._staged[names[one // 2]] = (
            top._replace(timed=raised) if one % 2 else top._replace(numbered=raised)
        )

    def _stored(self, rows: Rows, texts: list[str], names: Names) -> Index:
        """Return the places of the rows that the table holds."""
        stream = self._stream
        if not stream.otherwise:
            return self._matching(rows, np.arange(len(rows)), stream.key, texts, names)
        null = _is_null(rows[stream.key[0]])
        return np.concatenate(
            [
                self._matching(rows[~null], np.flatnonzero(~null), stream.key, texts, names),
                self._matching(
                    rows[null], np.flatnonzero(null), (stream.key[0], *stream.otherwise), texts, names
                ),
            ]
        )

    def _matching(
        self, rows: Rows, places: Index, key: Sequence[str], texts: list[str], names: Names
    ) -> Index:
        if not len(rows):
            return places
        stamps = _stamps(rows)
        columns = {"place": pa.array(places), **_series_columns(rows["series"], names)}
        for name in key:
            columns[name] = self._key_column(name, rows, stamps, texts)
        self._cursor.register("asked", pa.table(columns))
        same = " AND ".join(
            f'{_stored_column(self._stream, name)} IS NOT DISTINCT FROM asked."{name}"' for name in key
        )
        if stamps.all():
            # The same update may have come twice, by two sockets: then only our clocks differ, and little.
            same += " AND stored.timestamp BETWEEN make_timestamp($first) AND make_timestamp($last)"
            window = {
                "first": int(stamps.min()) // 1000 - _HOUR_US,
                "last": int(stamps.max()) // 1000 + _HOUR_US,
            }
        else:
            window = {}  # a row without any time may be anywhere
        stored = self._hot
        if archived := self._archived(window.get("first"), window.get("last")):
            stored = f"(SELECT * FROM {self._hot} UNION ALL BY NAME {archived})"
        found = self._cursor.execute(
            f"SELECT place FROM {self._typed('asked', names)} SEMI JOIN {stored} AS stored"
            f" ON stored.venue = asked.venue AND stored.symbol = asked.symbol AND {same}",
            window,
        ).fetchnumpy()["place"]
        self._cursor.unregister("asked")
        return np.asarray(found, dtype=np.int64)

    def _typed(self, table: str, names: Names) -> str:
        """Return what to read a registered table from, its series in the types of the stored ones.

        Compared with a text, the ENUM of every stored row would be made a text first: twice the work,
        and more blocks in the join, which DuckDB's eviction queues remember long after it.
        """
        if self._types[0] != len(names):
            self._types = (len(names), *tables.series_types(self._cursor))
        _, venue, symbol = self._types
        return (
            f"(SELECT * REPLACE (CAST(venue AS {venue}) AS venue, CAST(symbol AS {symbol}) AS symbol)"
            f" FROM {table}) AS {table}"
        )

    def _archived(self, first_us: int | None, last_us: int | None) -> str:
        """Return a query for the archived rows of a stretch of time; "" where there can be none."""
        if self._layout.lake or (first_us is not None and first_us >= _today_us()):
            return ""  # the day that lasts is in no archive
        chosen = layout.files(self._cursor, self._stream.name, first_us, last_us)
        return layout.archived(self._layout, chosen) if chosen else ""

    def _key_column(self, name: str, rows: Rows, stamps: Index, texts: list[str]) -> pa.Array:
        if name == "timestamp" and self._stream.grain != US:
            return pa.array(_counted(stamps, self._stream), mask=stamps == 0)
        if name == "timestamp":
            return pa.array(stamps // 1000, pa.timestamp("us"), mask=stamps == 0)
        column = next(one for one in self._stream.packed if one.name == name)
        values = rows[name]
        if column.type == "VARCHAR":
            return texts_of(values, texts)
        if column.type == "TIMESTAMP":
            return pa.array(values // 1000, pa.timestamp("us"), mask=values == NULL)
        if column.type == "DOUBLE":
            return pa.array(values, from_pandas=True)
        return pa.array(values, mask=values == NULL)

    def number(self, series: npt.NDArray[np.int32], names: Names) -> Index:
        """Give the rows the next ids of their series, in order."""
        by_series = np.argsort(series, kind="stable")
        grouped = series[by_series]
        starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
        counts = np.diff(np.r_[starts, len(grouped)])
        ids = np.empty(len(series), dtype=np.int64)
        for start, count in zip(starts, counts, strict=True):
            one = int(grouped[start])
            top = self._top(one, names)
            last = max(top.id, self._layout.first_id)
            ids[by_series[start : start + count]] = np.arange(last + 1, last + 1 + count)
            self._staged[names[one]] = top._replace(id=last + int(count))
        return ids

    def previous(self, rows: Rows, names: Names) -> tuple[Any, list[Late]]:
        """Return the value before each row in its series, NaN where unknown, and what came late.

        The row before is the one before in time. A row that comes late has it in the table, and is
        itself the row before of one that is stored: `catch_up` sees to both once the rows are inserted.
        """
        series, values, stamps = rows["series"], rows["open_interest"], _stamps(rows) // 1000
        before, late = np.full(len(rows), np.nan), list[Late]()
        for one in np.unique(series):
            mine = np.flatnonzero((series == one) & (stamps != 0))
            if not len(mine):
                continue
            mine = mine[np.argsort(stamps[mine], kind="stable")]
            old = self._tops.get(names[one], _Top())
            behind = int(np.searchsorted(stamps[mine], old.order, "right"))
            if behind:
                venue, symbol = names[int(one)]
                late.append(Late(venue, symbol, int(stamps[mine[0]]), int(stamps[mine[behind - 1]])))
            ahead = mine[behind:]
            if len(ahead):
                before[ahead] = np.r_[old.value, values[ahead[:-1]]]
                top = self._top(int(one), names)
                self._staged[names[one]] = top._replace(value=float(values[ahead[-1]]))
        return before, late

    def catch_up(self, late: Sequence[Late]) -> None:
        """Reckon anew the changes of rows that came late, and of the row after them."""
        for one in late:
            self._cursor.execute(_CATCH_UP.format(hot=self._hot), one._asdict())

    # ── Rows that later ones replace ──────────────────────────────────────────────────────────

    def replace(self, rows: Rows, texts: list[str], names: Names) -> tuple[Rows, Index]:
        """Keep the best row a key, take what it replaces out of the table; return rows and their ids.

        A closed row beats an open one, then the later one wins; one that is archived stands. A row that
        replaces another has its id.
        """
        chosen = _latest_of_each(self._stream, rows)
        rows = rows[chosen]
        bars = self._bars(rows, texts, names)
        stored = self._known_versions(rows, texts, names, bars)
        closed, stamps = rows["closed"] == 1, _stamps(rows) // 1000
        keep = np.ones(len(rows), dtype=bool)
        ids = np.zeros(len(rows), dtype=np.int64)
        for place, id, was_closed, was_us, is_hot in stored:
            ids[place] = id
            keep[place] = is_hot and (bool(closed[place]), int(stamps[place])) > (was_closed, was_us)
        gone = [
            (*names[int(rows["series"][place])], int(ids[place]))
            for place in np.flatnonzero(keep & (ids > 0))
        ]
        if gone:
            self._cursor.register("gone", _keys(gone))
            self._cursor.execute(
                f"DELETE FROM {self._hot} AS kept USING {self._typed('gone', names)}"
                " WHERE kept.venue = gone.venue AND kept.symbol = gone.symbol AND kept.id = gone.id"
            )
            self._cursor.unregister("gone")
        unseen = ids == 0
        if unseen.any():
            ids[unseen] = self.number(rows["series"][unseen], names)
        for place in np.flatnonzero(keep):
            self._versions.stage(
                bars[place], Version(int(ids[place]), bool(closed[place]), int(stamps[place]))
            )
        return rows[keep], ids[keep]

    def _bars(self, rows: Rows, texts: list[str], names: Names) -> list[Bar]:
        """Return which bar each row is of."""
        intervals = texts_of(rows["interval"], texts).to_pylist()
        opened = rows["open_time"].tolist()
        series = [names[one] for one in rows["series"].tolist()]
        return [
            Bar(venue, symbol, interval, open_time)
            for (venue, symbol), interval, open_time in zip(series, intervals, opened, strict=True)
        ]

    def _known_versions(
        self, rows: Rows, texts: list[str], names: Names, bars: Sequence[Bar]
    ) -> list[tuple[int, int, bool, int, bool]]:
        """Return what is stored of these bars: as it is remembered of today's, else as the table says."""
        found: list[tuple[int, int, bool, int, bool]] = []
        asked: list[int] = []
        # a day that is over may have been archived since, and a lake has other writers
        since = None if self._layout.lake else _today_us() * US
        for place, one in enumerate(bars):
            known = None if since is None or one.open_time < since else self._versions.of(one)
            if known is None:
                asked.append(place)
            else:
                found.append((place, known.id, known.closed, known.told_us, True))
        if asked:
            chosen = np.array(asked)
            said = self._stored_versions(rows[chosen], texts, names)
            found += [(asked[place], id, was, us, hot) for place, id, was, us, hot in said]
        return found

    def _stored_versions(
        self, rows: Rows, texts: list[str], names: Names
    ) -> list[tuple[int, int, bool, int, bool]]:
        stamps = _stamps(rows)
        columns = {"place": pa.array(np.arange(len(rows))), **_series_columns(rows["series"], names)}
        for name in self._stream.key:
            columns[name] = self._key_column(name, rows, stamps, texts)
        self._cursor.register("asked", pa.table(columns))
        same = " AND ".join(
            f'{_stored_column(self._stream, name)} IS NOT DISTINCT FROM asked."{name}"'
            for name in self._stream.key
        )
        opened = rows["open_time"]
        opened = np.append(opened[opened != NULL], stamps[:1]) // 1000
        first, last = int(opened.min()), int(opened.max())
        hot = f"SELECT *, true AS is_hot FROM {self._hot}"
        if archived := self._archived(first, None):  # a bar may be told long after it opened
            hot = f"{hot} UNION ALL BY NAME SELECT *, false AS is_hot FROM ({archived})"
        found = self._cursor.execute(
            "SELECT place, id, closed, coalesce(epoch_us(timestamp), 0), is_hot"
            f" FROM {self._typed('asked', names)} JOIN ({hot}) AS stored"
            f" ON stored.venue = asked.venue AND stored.symbol = asked.symbol AND {same}"
            " AND (stored.open_time BETWEEN make_timestamp(?) AND make_timestamp(?) OR stored.open_time IS NULL)",
            [first, last],
        ).fetchall()
        self._cursor.unregister("asked")
        return found


_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US


def _today_us() -> int:
    return time.time_ns() // 1000 // _DAY_US * _DAY_US


_CATCH_UP = """
WITH mine AS (SELECT id, timestamp, open_interest FROM open_interest WHERE venue = $venue AND symbol = $symbol),
edges AS (
    SELECT coalesce((SELECT max(timestamp) FROM mine WHERE timestamp < make_timestamp($first)),
                    make_timestamp($first)) AS first,
           coalesce((SELECT min(timestamp) FROM mine WHERE timestamp > make_timestamp($last)),
                    make_timestamp($last)) AS last
),
changes AS (
    SELECT id, timestamp, open_interest - lag(open_interest) OVER (ORDER BY timestamp, id) AS change
    FROM mine, edges WHERE timestamp BETWEEN edges.first AND edges.last
)
UPDATE {hot} SET oi_change = changes.change FROM changes
WHERE {hot}.venue = $venue AND {hot}.symbol = $symbol AND {hot}.id = changes.id
  AND changes.timestamp >= make_timestamp($first)
"""


def shift_texts(stream: Stream, rows: Rows, by: int) -> Rows:
    """Return rows whose places of texts count from `by`, for blocks whose texts are joined."""
    if not by:
        return rows
    shifted = rows.copy()
    for column in stream.packed:
        if column.type == "VARCHAR":
            places = shifted[column.name]
            places[(places < 0) & (places != NULL)] -= by
    return shifted


def texts_of(values: Index, texts: list[str]) -> pa.Array:
    """Return a column of texts: integers as they are, places of texts looked up, NULL as null."""
    if (values >= 0).all():
        return pa.array(values).cast(pa.string())
    null = (values == NULL) | (values < -len(texts))  # a negative id is nonsense, not a place
    if not (values >= 0).any():
        places = np.where(null, 0, -values - 1).astype(np.int32)
        indices = pa.array(places, mask=null)
        return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string())).cast(pa.string())
    found = [
        None if unknown else str(value) if value >= 0 else texts[-value - 1]
        for value, unknown in zip(values.tolist(), null.tolist(), strict=True)
    ]
    return pa.array(found, pa.string())


def _stamps(rows: Rows) -> Index:
    """Return the time of each row in nanoseconds: the venue's, or ours; 0 where neither is known."""
    event = rows["ts_event"]
    return np.where(event == NULL, rows["ts_recv"], event)


def _order(stream: Stream, rows: Rows) -> Index:
    return rows["sequence"] if stream.order == "sequence" else _counted(_stamps(rows), stream)


def _counted(stamps: Index, stream: Stream) -> Index:
    """Return times in the stream's grain, cut towards 1970 as DuckDB divides."""
    micros, each = stamps // US, stream.grain // US
    return micros if each == 1 else (micros + (micros < 0) * (each - 1)) // each


def _instant(stream: Stream) -> str:
    """Return the time of a stored row as the integer that `_order` and keys count in."""
    return "epoch_us(timestamp)" if stream.grain == US else f"epoch_us(timestamp) // {stream.grain // US}"


def _stored_column(stream: Stream, name: str) -> str:
    if name == "timestamp" and stream.grain != US:
        return _instant(stream).replace("timestamp", "stored.timestamp")
    return f'stored."{name}"'


def _is_null(values: npt.NDArray[Any]) -> Mask:
    return np.isnan(values) if values.dtype.kind == "f" else values == NULL


def _bits(stream: Stream, rows: Rows, name: str) -> Index:
    """Return a key column as integers that are equal if the values are (NaN equals NaN)."""
    values = _counted(_stamps(rows), stream) if name == "timestamp" else rows[name]
    if values.dtype.kind == "f":
        return np.where(np.isnan(values), np.nan, values + 0.0).view(np.int64)  # -0 is 0, too
    return values.astype(np.int64, copy=False)


def _unnumbered(stream: Stream, rows: Rows) -> Mask:
    """Return which rows are told apart by what stands in for a key that they lack."""
    return _is_null(rows[stream.key[0]]) if stream.otherwise else np.zeros(len(rows), dtype=bool)


def _row_keys(stream: Stream, rows: Rows) -> npt.NDArray[np.void] | None:
    """Return the key of each row as bytes that are equal where the keys are; None where texts are part of it.

    Texts are told by their places in a batch, which say nothing beside those of another one.
    """
    columns = {one.name: one for one in stream.packed}
    among = (*stream.key, *stream.otherwise)
    if any(name in columns and columns[name].type == "VARCHAR" for name in among):
        return None
    parts = [_bits(stream, rows, name) for name in stream.key]
    if stream.otherwise:
        null = _is_null(rows[stream.key[0]])
        parts += [np.where(null, _bits(stream, rows, name), 0) for name in stream.otherwise]
    whole = np.ascontiguousarray(np.stack(parts, axis=1))
    return whole.view(np.dtype((np.void, whole.dtype.itemsize * len(parts)))).ravel()


def _first_of_each(stream: Stream, rows: Rows) -> Mask:
    """Return which rows are the first of their key in the batch."""
    series = rows["series"]
    by_series = np.argsort(series, kind="stable")
    grouped, leading = series[by_series], _bits(stream, rows, stream.key[0])[by_series]
    rising = (leading[1:] > leading[:-1]) | (grouped[1:] != grouped[:-1])
    if rising.all() and not (stream.otherwise and _is_null(rows[stream.key[0]]).any()):
        return np.ones(len(rows), dtype=bool)
    columns = [series.astype(np.int64), *(_bits(stream, rows, name) for name in stream.key)]
    if stream.otherwise:
        null = _is_null(rows[stream.key[0]])
        columns += [np.where(null, _bits(stream, rows, name), 0) for name in stream.otherwise]
    _, first = np.unique(np.stack(columns, axis=1), axis=0, return_index=True)
    keep = np.zeros(len(rows), dtype=bool)
    keep[first] = True
    return keep


def _latest_of_each(stream: Stream, rows: Rows) -> Index:
    """Return the places of the best row of each key, in the order in which the keys first came."""
    key = np.stack(
        [rows["series"].astype(np.int64), *(_bits(stream, rows, name) for name in stream.key)], axis=1
    )
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    # Of equals the first wins, as it does against a row that is stored.
    ranked = np.lexsort((-np.arange(len(rows)), _stamps(rows) // 1000, rows["closed"], group.ravel()))
    last = np.flatnonzero(np.r_[group.ravel()[ranked][1:] != group.ravel()[ranked][:-1], True])
    return ranked[last][np.argsort(first, kind="stable")]


def _keys(rows: Sequence[tuple[str, str, int]]) -> pa.Table:
    venues, symbols, ids = zip(*rows, strict=True)
    return pa.table({"venue": pa.array(venues), "symbol": pa.array(symbols), "id": pa.array(ids, pa.int64())})


def _series_columns(series: npt.NDArray[np.int32], names: Names) -> dict[str, pa.Array]:
    venues = pa.array([venue for venue, _ in names], pa.string())
    symbols = pa.array([symbol for _, symbol in names], pa.string())
    places = pa.array(series.astype(np.int32))
    return {
        "venue": pa.DictionaryArray.from_arrays(places, venues),
        "symbol": pa.DictionaryArray.from_arrays(places, symbols),
    }

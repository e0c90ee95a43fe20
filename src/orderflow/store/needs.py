"""Needs: which rows and columns of the streams a judged statement can touch at all, and no fewer.

What a statement reads of a collector's hot tables is brought over before the statement is computed, so
the less of it the better. Conditions of a WHERE that name a venue, a symbol or a time narrow it; whatever
is not plainly understood narrows nothing. A condition on a table's own columns may be applied to the table
beforehand, since rows that fail it would be dropped anyway, be the join inner or outer; not so in ASOF and
positional joins, where rows that are dropped change which others are met.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import duckdb

from orderflow.market.events import MINUTE, US
from orderflow.market.instruments import Series
from orderflow.market.streams import STREAMS
from orderflow.store.identifiers import identifier, text
from orderflow.store.permits import Judged, Node, nodes
from orderflow.store.tables import columns

_SLACK_US = 2 * MINUTE // US  # `now()` is a little later when the statement runs
_WORDS = ("venue", "symbol")
_TIMES = ("timestamp", "received")
_CLOCK = frozenset(
    [
        "now",
        "today",
        "current_date",
        "current_timestamp",
        "get_current_timestamp",
        "transaction_timestamp",
        "ago",
        "-",
        "+",
        "trunc",
        "date_trunc",
        "make_timestamp",
        "make_timestamp_ms",
        "make_date",
        "epoch_ms",
        "to_timestamp",
        "to_days",
        "to_hours",
        "to_minutes",
        "to_seconds",
        "to_weeks",
        "to_milliseconds",
        "strptime",
    ]
)
_COMPARED = {
    "COMPARE_EQUAL": "=",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_LESSTHANOREQUALTO": "<=",
}
_TURNED = {"=": "=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}


class Need(NamedTuple):
    """What is needed of a stream: these columns, and of its rows those that `where` lets through."""

    stream: str
    columns: tuple[str, ...]
    where: str


def needs(connection: duckdb.DuckDBPyConnection, judged: Judged, series: Mapping[str, Series]) -> list[Need]:
    """Return what a statement needs of each stream; `series` has the named ones that it may read."""
    refs = list(_references(connection, judged.parse))
    named = _columns(judged)
    found: list[Need] = []
    for stream in STREAMS.values():
        wheres: list[str] = []
        for table in sorted(judged.tables):
            one = series.get(table)
            if table != stream.name and (one is None or one.stream != stream.name):
                continue
            own = [] if one is None else [f"venue = {text(one.venue)}", f"symbol = {text(one.symbol)}"]
            wheres += [" AND ".join([*own, *parts]) for name, parts in refs if name == table]
        if wheres:
            every = [one.name for one in columns(stream)]
            wanted = named if named is None else {*named, *_WORDS}
            chosen = every if wanted is None else [one for one in every if one in wanted]
            whole = "" in wheres
            where = "" if whole else " OR ".join(f"({one})" for one in dict.fromkeys(wheres))
            found.append(Need(stream.name, tuple(chosen), where))
    return found


def _columns(judged: Judged) -> set[str] | None:
    """Return every name that might be a column's, in lower case; None where all columns may be meant."""
    found: set[str] = set()
    tables = set(judged.tables)
    referred: set[str] = set()
    for node in nodes(judged.parse):
        kind = node.get("type")
        if node.get("class") == "STAR" or kind in ("PIVOT", "SHOW_REF"):
            return None
        if node.get("ref_type") == "NATURAL":
            return None
        if node.get("class") == "COLUMN_REF":
            referred.add(node["column_names"][-1].lower())
        if isinstance(alias := node.get("alias"), str):
            tables.add(alias.lower())
        found.update(_words(node))
    # a name that is a table's or an alias, and no column's, may mean a whole row
    return None if referred & tables - _EVERY_COLUMN else found


_EVERY_COLUMN = {one.name for stream in STREAMS.values() for one in columns(stream)}


def _words(node: Node) -> Iterable[str]:
    for value in node.values():
        if isinstance(value, str):
            yield value.lower()
        elif isinstance(value, list):
            yield from (one.lower() for one in value if isinstance(one, str))


# ── Conditions ────────────────────────────────────────────────────────────────────────────────


def _references(connection: duckdb.DuckDBPyConnection, parse: Node) -> Iterable[tuple[str, list[str]]]:
    """Yield each mention of a table, with the conditions that narrow it there."""
    narrowed: set[int] = set()
    for node in nodes(parse):
        if node.get("type") != "SELECT_NODE" or "sample" in node:
            continue
        tables = _joined(node.get("from_table"))
        parts = _conjuncts(node.get("where_clause"))
        for table in tables or ():
            name = (table.get("alias") or table["table_name"]).lower()
            narrowed.add(id(table))
            told = (_condition(connection, part, name, alone=len(tables or ()) == 1) for part in parts)
            yield table["table_name"].lower(), [one for one in told if one]
    for node in nodes(parse):
        if node.get("type") == "BASE_TABLE" and id(node) not in narrowed:
            yield node["table_name"].lower(), []


def _joined(ref: Node | None) -> list[Node] | None:
    """Return the tables of a FROM that holds nothing but tables and plain joins; else None."""
    match ref:
        case {"type": "BASE_TABLE"} if "sample" not in ref and "column_name_alias" not in ref:
            return [ref]
        case {"type": "JOIN", "left": left, "right": right} if ref.get("ref_type") in ("REGULAR", "CROSS"):
            both = _joined(left), _joined(right)
            return None if None in both else [*(both[0] or ()), *(both[1] or ())]
        case _:
            return None


def _conjuncts(where: Node | None) -> list[Node]:
    if where is None:
        return []
    if where.get("type") == "CONJUNCTION_AND":
        return [part for child in where["children"] for part in _conjuncts(child)]
    return [where]


def _condition(connection: duckdb.DuckDBPyConnection, part: Node, table: str, *, alone: bool) -> str | None:
    """Return a condition on a column of the table, in our words; None where it says nothing of that kind."""
    match part:
        case {"type": kind, "left": left, "right": right} if kind in _COMPARED:
            sign = _COMPARED[kind]
            if _column(right, table, alone=alone) is not None:
                left, right, sign = right, left, _TURNED[sign]
            column = _column(left, table, alone=alone)
            return None if column is None else _compared(connection, column, sign, right)
        case {"type": "COMPARE_BETWEEN", "input": one, "lower": lower, "upper": upper}:
            if (column := _column(one, table, alone=alone)) is None:
                return None
            both = (_compared(connection, column, ">=", lower), _compared(connection, column, "<=", upper))
            return " AND ".join(one for one in both if one) or None
        case {"type": "COMPARE_IN", "children": [one, *values]}:
            column = _column(one, table, alone=alone)
            said = [_word(value) for value in values]
            if column not in _WORDS or None in said:
                return None
            return f"{column}::VARCHAR IN ({', '.join(text(value) for value in said if value is not None)})"
        case _:
            return None


def _column(node: Any, table: str, *, alone: bool) -> str | None:
    match node:
        case {"class": "COLUMN_REF", "column_names": [name]} if alone:
            found = name.lower()
        case {"class": "COLUMN_REF", "column_names": [qualifier, name]} if qualifier.lower() == table:
            found = name.lower()
        case _:
            return None
    return found if found in (*_WORDS, *_TIMES) else None


def _compared(connection: duckdb.DuckDBPyConnection, column: str, sign: str, value: Node) -> str | None:
    if column in _WORDS:
        word = _word(value)
        return f"{column}::VARCHAR = {text(word)}" if word is not None and sign == "=" else None
    if (us := _instant(connection, value)) is None:
        return None
    bounds: list[str] = []
    if sign in (">", ">=", "="):
        bounds.append(f"{identifier(column)} >= make_timestamp({us - _SLACK_US})")
    if sign in ("<", "<=", "="):
        bounds.append(f"{identifier(column)} <= make_timestamp({us + _SLACK_US})")
    return " AND ".join(bounds)


def _word(node: Node) -> str | None:
    match node:
        case {"class": "CONSTANT", "value": {"type": {"id": "VARCHAR"}, "value": str(word)}}:
            return word
        case _:
            return None


def _instant(connection: duckdb.DuckDBPyConnection, node: Node) -> int | None:
    """Return the microseconds that an expression of constants and the clock means; None for any other."""
    for one in nodes(node):
        match one.get("class"):
            case None | "CONSTANT" | "CAST":
                continue
            case "FUNCTION" if one.get("function_name", "").lower() in _CLOCK:
                continue
            case _:
                return None
    parse = {"error": False, "statements": [{"node": _selecting(node)}]}
    try:
        ((sql,),) = connection.execute("SELECT json_deserialize_sql(?)", [json.dumps(parse)]).fetchall()
        ((found,),) = connection.execute(f"SELECT CAST(({sql}) AS TIMESTAMP)").fetchall()
    except (duckdb.Error, ValueError):
        return None  # it says nothing that narrows; the statement itself will tell what is wrong with it
    if not isinstance(found, datetime):
        return None
    return round((found.replace(tzinfo=UTC) - _EPOCH).total_seconds() * 1_000_000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _selecting(node: Node) -> Node:
    return {
        "type": "SELECT_NODE",
        "cte_map": {"map": []},
        "select_list": [node],
        "from_table": {"type": "EMPTY"},
        "aggregate_handling": "STANDARD_HANDLING",
    }


def hot_query(need: Need, hot: str) -> str:
    """Return the query that brings what is needed over, from a stream's hot table."""
    chosen: Sequence[str] = [identifier(one) for one in need.columns]
    return f"SELECT {', '.join(chosen)} FROM {identifier(hot)}" + (
        f" WHERE {need.where}" if need.where else ""
    )

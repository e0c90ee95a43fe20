"""Permits: what a statement that somebody else wrote may say, judged by its parse.

DuckDB writes the parse as JSON for queries alone, so whatever sets, writes, copies, attaches, loads or
calls has none. Of a query we look at every table, table function and function that it names.
`only_reads` judges inside the process that serves a database over Quack, where nothing but a macro can;
`judge` looks closer and says what is wrong, for the sandbox.

Both know that a table which is not there would be looked for as a file: `FROM 'x.csv'`.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, TypeAlias

import duckdb

from orderflow.market.errors import StatementRefused
from orderflow.market.streams import STREAMS
from orderflow.store.identifiers import text

Node: TypeAlias = dict[str, Any]

MOST_CHARACTERS = 20_000  # of a statement
_DEEPEST = 400  # nodes within nodes

_HARMLESS = ("range", "generate_series", "unnest")  # table functions that read nothing
_CATALOGUE = (
    "duckdb_tables",
    "duckdb_views",
    "duckdb_columns",
    "duckdb_types",
    "duckdb_schemas",
    "pragma_table_info",
)

# Functions that tell or change something beyond the rows: settings, sessions, the log, other statements.
_REFUSED = frozenset(
    [
        "current_query",
        "current_setting",
        "currval",
        "error",
        "getenv",
        "getvariable",
        "json_deserialize_sql",
        "json_serialize_plan",
        "json_serialize_sql",
        "nextval",
        "parse_duckdb_log_message",
        "setseed",
        "sleep_ms",
        "stats",
        "txid_current",
        "whoami",
        "write_log",
    ]
)
_REFUSED_KINDS = re.compile(r"(quack|pg|inet|has|orderflow|duckdb|pragma|__internal|variant_bytes|st)_.*")

_REFS = ("BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT", "SHOW_REF")
_NODES = ("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE")
_PARTS = re.compile(r"\w+_(MODIFIER|TYPE_INFO)|ASCENDING|DESCENDING|ORDER_DEFAULT")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DESCRIBES = ("DESCRIBE", "SUMMARY")

HINT = "one SELECT over the streams, the named series, gaps, runs and instruments"


class Judged(NamedTuple):
    """A statement that may be asked: its parse, and the tables that it reads, in lower case."""

    parse: Node
    tables: frozenset[str]


def only_reads() -> str:
    """Return the macro that judges a remote statement by its parse, which exists for queries alone.

    Table functions must be of our list. Names and qualifiers of tables must not look like a file's.
    """
    functions = ", ".join(map(text, (*_HARMLESS, *_CATALOGUE)))
    return rf"""
        CREATE OR REPLACE MACRO orderflow_only_reads(session, statement) AS (
            SELECT json_extract_string(parse, '$.error') = 'false'
                AND list_has_all([{functions}], json_extract_string(parse, '$..function.function_name'))
                AND len(list_filter(
                    json_extract_string(parse, '$..table_name'),
                    lambda name: NOT regexp_matches(name, '^[^./\\:*]*$|_({"|".join(STREAMS)})$'))) = 0
                AND list_has_all(
                    ['', 'main', 'information_schema', 'pg_catalog'],
                    json_extract_string(parse, '$..schema_name'))
                AND list_has_all(
                    ['', 'system', current_database()], json_extract_string(parse, '$..catalog_name'))
            FROM (SELECT json_serialize_sql(statement::VARCHAR) AS parse)
        )
    """


def judge(connection: duckdb.DuckDBPyConnection, statement: str, known: Collection[str]) -> Judged:
    """Return the parse of a statement that may be asked of the tables `known`, given in lower case.

    Raises `StatementRefused` in one line that says what of it may not be.
    """
    parse = _parsed(connection, statement)
    ctes = {_cte(one["key"]) for node in nodes(parse) for one in _map(node)}
    if hidden := ctes & _system_views(connection):
        raise StatementRefused(f"WITH {min(hidden)}: a name of the system's own", hint="another name for it")
    read: set[str] = set()
    for node in nodes(parse):
        if (found := _checked(node, known, ctes)) is not None:
            read.add(found)
    return Judged(parse, frozenset(read))


def nodes(parse: Any) -> Iterator[Node]:
    """Yield every object within a parse, or raise `StatementRefused` if they go too deep."""
    waiting: list[tuple[Any, int]] = [(parse, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > _DEEPEST:
            raise StatementRefused("the statement is nested too deeply", hint="shorter expressions")
        if isinstance(one, dict):
            yield one
            waiting += [(child, depth + 1) for child in one.values()]
        elif isinstance(one, list):
            waiting += [(child, depth + 1) for child in one]


def _parsed(connection: duckdb.DuckDBPyConnection, statement: str) -> Node:
    if len(statement) > MOST_CHARACTERS:
        raise StatementRefused(
            f"the statement has {len(statement):,} characters", hint=f"at most {MOST_CHARACTERS:,}"
        )
    if strange := _CONTROL.search(statement):
        raise StatementRefused(f"the character {strange[0]!r} in a statement", hint="printable text")
    try:
        ((said,),) = connection.execute(
            "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)",
            [statement],
        ).fetchall()
        found = json.loads(said)
    except duckdb.InterruptException:
        raise  # its time was over: no word on the statement itself
    except (duckdb.Error, RecursionError, ValueError) as error:
        raise StatementRefused(f"the statement cannot be read: {_first(error)}", hint=HINT) from error
    if found["error"]:
        wrong = found.get("error_message", "")
        if found.get("error_type") == "parser":
            raise StatementRefused(f"not SQL: {_first(wrong)}", hint="the SQL of DuckDB")
        raise StatementRefused("only a question may be asked: this statement is none", hint=HINT)
    if len(found["statements"]) != 1:
        raise StatementRefused(f"{len(found['statements'])} statements", hint="one at a time")
    return found["statements"][0]


def _map(node: Node) -> list[Node]:
    return node.get("cte_map", {}).get("map", [])


def _cte(name: str) -> str:
    if not re.fullmatch(r"\w{1,64}", name):
        raise StatementRefused(f"WITH {name[:40]!r}: not a plain name", hint="letters, digits and _")
    return name.lower()


def _system_views(connection: duckdb.DuckDBPyConnection) -> set[str]:
    found = connection.execute("SELECT view_name FROM duckdb_views() WHERE internal").fetchall()
    return {name for (name,) in found}


def _checked(node: Node, known: Collection[str], ctes: Collection[str]) -> str | None:
    """Return the table that a node of a parse reads, if any, or raise `StatementRefused`."""
    kind = node.get("type", "")
    match node.get("class"):
        case "FUNCTION" | "WINDOW":
            _check_function(node.get("function_name", ""))
        case "PARAMETER":
            raise StatementRefused("values cannot be bound", hint="write them into the statement")
        case None if isinstance(kind, str) and kind:
            return _checked_ref(node, kind, known, ctes)
    return None


def _checked_ref(node: Node, kind: str, known: Collection[str], ctes: Collection[str]) -> str | None:
    match kind:
        case "BASE_TABLE":
            return _table(node, known, ctes)
        case "TABLE_FUNCTION":
            name = node["function"].get("function_name", "")
            if name.lower() not in _HARMLESS:
                raise StatementRefused(f"{name}(…) reads what is not ours to give", hint=HINT)
        case "SHOW_REF":
            if "query" not in node or node.get("show_type") not in _DESCRIBES:
                raise StatementRefused(
                    "only DESCRIBE and SUMMARIZE of a table", hint="`sql_tables` lists them"
                )
        case _ if kind not in (*_REFS, *_NODES) and not _PARTS.fullmatch(kind):
            raise StatementRefused(
                f"{kind.lower().replace('_', ' ')}: not among what may be asked", hint=HINT
            )
    return None


def _check_function(name: str) -> None:
    if name.lower() in _REFUSED or _REFUSED_KINDS.fullmatch(name.lower()):
        raise StatementRefused(f"{name}(…) is not for questions about markets", hint=HINT)


def _table(node: Node, known: Collection[str], ctes: Collection[str]) -> str | None:
    name: str = node["table_name"]
    qualified = [node[key] for key in ("catalog_name", "schema_name") if key in node]
    if qualified not in ([], ["main"]):
        raise StatementRefused(f"{'.'.join([*qualified, name])[:80]}: another schema or database", hint=HINT)
    if name.lower() in ctes and not qualified:
        return name.lower() if name.lower() in known else None
    if name.lower() not in known:
        raise StatementRefused(f"no table or series {name[:80]!r}", hint=f"{HINT}: {', '.join(STREAMS)}")
    return name.lower()


def _first(error: object) -> str:
    return " ".join(str(error).split())[:200]

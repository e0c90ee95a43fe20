"""SQL: one question of one's own to what is stored, and what there is to ask."""

from typing import Annotated

from msgspec import Meta as Range

from orderflow.market.errors import InvalidArgument
from orderflow.market.streams import STREAMS
from orderflow.store.permits import MOST_CHARACTERS
from orderflow.store.sandbox import Limits
from orderflow.store.tables import columns
from orderflow.tools.answers import TIME, Answer, Meta, Row
from orderflow.tools.board import remarks
from orderflow.tools.past import FAMILY, MOST_READ
from orderflow.tools.spec import Ask, tool

_COLUMNS = {"table": "", "column": "", "type": "", "unit": "", "meaning": ""}
_TABLES = {"table": "", "columns": "count", "same_row_if": "", "meaning": ""}

OTHERS = {
    "gaps": "stretches that were not received: venue, symbol, stream, from, until, reason, filled_at, run",
    "runs": "stretches of collecting: id, key, kind, started, ended, version, settings",
    "instruments": "what venues listed: venue, symbol, native, kind, tick, lot, contract_size, listed_since …",
    "sources": "runs in brief: run, kind, started, ended, version",
}


@tool(
    family=FAMILY,
    title="SQL over what is stored",
    example={"statement": "SELECT venue, count(*) AS trades FROM trades GROUP BY venue ORDER BY venue"},
    limit=100,
    asks_store=True,
)
def sql_query(ask: Ask, statement: Annotated[str, Range(min_length=1, max_length=MOST_CHARACTERS)]) -> Answer:
    """The rows of one SELECT in DuckDB's SQL over the streams, their named series, gaps, runs and instruments.

    Use it for what no other tool answers; sql_tables has the columns. Name a series
    (btcusdt_binance_spot_trades) or a window of timestamp: 20 s and 512 MB are all it gets.

    Args:
        statement: one SELECT; ORDER BY it, or pages may differ
    """
    found = ask.context.sql(statement, Limits(rows=MOST_READ))
    warnings = remarks(ask)
    if found.truncated:
        warnings.append(
            f"the statement finds more than {MOST_READ:,} rows: these are the first; aggregate, or narrow it"
        )
    return Answer(
        meta=Meta(
            tool=ask.tool,
            as_of=ask.as_of,
            source="simulated" if ask.history.kind == "simulated" else "stored",
            units=dict.fromkeys(found.instants, TIME),
            coverage_reason="a statement has no window that we know of: history_coverage tells of one",
            warnings=warnings,
        ),
        columns=found.columns,
        rows=found.rows(),
        summary={"seconds": round(found.seconds, 3)},
    )


@tool(
    family=FAMILY,
    title="Tables for SQL",
    columns=_COLUMNS,
    example={"table": "trades"},
    limit=100,
    core=False,
)
def sql_tables(ask: Ask, table: str | None = None) -> Answer:
    """The tables that sql_query can ask: one a stream and what lies beside them; or one table's columns,
    with type, unit and meaning.

    Use it before sql_query. Each series is a table too, named symbol_exchange_market_stream in lower
    case; history_stats lists those that have rows. Times are UTC.

    Args:
        table: a stream; all tables in brief when left out
    """
    if table is not None and table not in STREAMS:
        known = f"streams: {', '.join(STREAMS)}; and {', '.join(OTHERS)}"
        raise InvalidArgument(f"no stream is called {table[:40]!r}", hint=known)
    shown = _TABLES if table is None else _COLUMNS
    return Answer(
        meta=Meta(
            tool=ask.tool,
            as_of=ask.as_of,
            source=ask.source,
            coverage_reason="what can be asked, not what is stored",
            warnings=[],
        ),
        columns=list(shown),
        rows=_brief() if table is None else _of(table),
    )


def _brief() -> list[Row]:
    found: list[Row] = [
        [one.name, len(columns(one)), ", ".join(one.key), one.doc] for one in STREAMS.values()
    ]
    return [*found, *([name, None, None, doc] for name, doc in OTHERS.items())]


def _of(table: str) -> list[Row]:
    return [[table, one.name, one.type, one.unit or None, one.doc] for one in columns(STREAMS[table])]

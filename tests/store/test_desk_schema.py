"""A desk's schema: 18 indexes of which each is used by the question that it is for, and whose schema is whose."""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.store.desk import Filters, PostgresDesk, questions, shown
from orderflow.store.desk.postgres import PostgreSQL, lay_out
from orderflow.store.desk.questions import Statement
from orderflow.store.desk.schema import INDEXES, TABLES, checked
from tests.store.desk import NOW, URL, own_schema, required

SYMBOLS = [
    f"C{number}USDT" for number in range(300)
]  # of few, the newest rows of all are as near as those of one
VENUES = ["binance_futures", "bybit_futures", "okx_futures", "gate_futures", "kraken_futures", "deribit_futures",
          "hyperliquid_futures", "binance_spot", "bybit_spot", "coinbase_spot"]  # fmt: skip
ROWS = 60_000
DAYS = 7  # as long as a question may look back


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[psycopg.Connection, str]]:
    """A schema with a week of rows of 3,000 markets, vacuumed and analysed as autovacuum leaves it."""
    required()
    with own_schema() as name, psycopg.connect(URL, autocommit=True, options="-c timezone=UTC") as connection:
        lay_out(connection, name, "real")
        symbols, venues = (f"(ARRAY{one})" for one in (SYMBOLS, VENUES))
        end = f"TIMESTAMPTZ '{questions.moment(NOW).isoformat()}'"
        common = (
            f"i::text, {venues}[1 + i % {len(VENUES)}],"
            f" {symbols}[1 + (i / {len(VENUES)}) % {len(SYMBOLS)}],"
            f" {end} - ({DAYS} * 86400.0 * ({ROWS} - i) / {ROWS}) * interval '1 second'"
        )
        said = '{"source": "live", "clock": "venue", "interval_hours": 8.0, "received": "2025-11-21T00:00:00.1Z"}'
        levels = [[100 + place, 1.5] for place in range(10)]
        for table, columns, values in (
            ("large_trades", "side, price, size, value_usd, trade_id, is_liquidation",
             "'buy', 100, 300, 20000 + random() * 1e6, i::text, CASE WHEN i % 50 = 7 THEN true END"),
            ("funding_rates", "rate, predicted_rate", "random() / 1000, NULL"),
            ("open_interest", "open_interest, open_interest_usd", "1000 * random(), 1e6 * random()"),
            ("exchange_orderbooks", "bids, asks, sequence", f"'{json.dumps(levels)}', '{json.dumps(levels)}', i"),
        ):  # fmt: skip
            connection.execute(
                f'INSERT INTO {name}.{table} (id, exchange, symbol, "timestamp", {columns}, metadata)'
                f" SELECT {common}, {values}, '{said}' FROM generate_series(1, {ROWS}) AS i"
            )
        for stream in ("orderbooks", "open_interest"):
            connection.execute(
                f"INSERT INTO {name}.desk_progress SELECT 'test', '{stream}', v, s, 1, now()"
                f" FROM unnest({venues}) AS v, unnest({symbols}) AS s"
            )
        for table in (*TABLES, "desk_progress"):
            connection.execute(f"VACUUM ANALYZE {name}.{table}")
        yield connection, name


class Use(NamedTuple):
    """Which statement an index is for: of a question with these filters, or what a market's holdings ask."""

    question: str
    statement: str
    filters: dict[str, object]


_ONE = {"symbol": "C7USDT", "exchange": "okx_futures", "hours": 24.0 * DAYS}
USES: dict[str, Use] = {
    "exchange_orderbooks_market": Use("orderbooks", "holdings", _ONE),
    "exchange_orderbooks_time": Use("orderbooks", "page", {}),
    "exchange_orderbooks_symbol": Use("orderbooks", "markets", {"symbol": "C7USDT", "hours": 24.0 * DAYS}),
    "exchange_orderbooks_latest": Use("orderbooks", "latest", {"latest": True}),
    "large_trades_market": Use("large_trades", "markets", _ONE),
    "large_trades_time": Use("large_trades", "page", {}),
    "large_trades_value": Use("large_trades", "page", {"order": "value", "hours": 24.0 * DAYS, "limit": 20}),
    "large_trades_liquidations": Use("large_trades", "markets", {"only_liquidations": True}),
    "large_trades_symbol_time": Use("large_trades", "markets", {"symbol": "C7USDT"}),
    "funding_rates_market": Use("funding_rates", "markets", _ONE),
    "funding_rates_time": Use("funding_rates", "page", {}),
    "funding_rates_symbol_time": Use("funding_rates", "page", {"symbol": "C7USDT"}),
    "funding_rates_rate": Use("funding_rates", "page", {"order": "rate", "hours": 24.0 * DAYS, "limit": 20}),
    "open_interest_market": Use("open_interest", "holdings", _ONE),
    "open_interest_time": Use("open_interest", "page", {}),
    "open_interest_symbol_time": Use("open_interest", "page", {"symbol": "C7USDT"}),
    "open_interest_usd": Use("open_interest", "page", {"order": "usd", "hours": 24.0 * DAYS, "limit": 20}),
    "open_interest_latest": Use("open_interest", "latest", {}),
}


def planned(use: Use, schema: str) -> Statement:
    asked = questions.read(use.question, Filters(**use.filters), SYMBOLS, NOW)  # type: ignore[arg-type]
    if use.statement == "holdings":
        assert asked.symbol is not None
        return questions.holdings(asked.exchanges[0], asked.symbol, f"{schema}.{asked.question.table} AS t")
    if use.statement == "latest":
        return PostgreSQL(schema).latest(asked)
    made: Callable[..., Statement] = getattr(questions, use.statement)
    return made(asked, PostgreSQL(schema))


def indexes(plan: dict) -> set[str]:
    """Return the names of the indexes that a plan reads."""
    found = {plan["Index Name"]} if "Index Name" in plan else set()
    return found.union(*(indexes(one) for one in plan.get("Plans", ())))


@pytest.mark.parametrize("index", INDEXES, ids=lambda one: one.name)
def test_each_index_is_used_by_the_question_that_it_is_for(
    filled: tuple[psycopg.Connection, str], index
) -> None:
    connection, schema = filled
    statement = planned(USES[index.name], schema)
    ((plan,),) = connection.execute(
        "EXPLAIN (FORMAT JSON) " + statement.sql.replace("?", "%s"), statement.bound
    ).fetchall()
    assert index.name in indexes(plan[0]["Plan"]), json.dumps(plan, indent=1)


def test_there_are_eighteen_beside_the_four_keys(filled: tuple[psycopg.Connection, str]) -> None:
    connection, schema = filled
    found = connection.execute(
        "SELECT indexname, tablename FROM pg_indexes WHERE schemaname = %s AND tablename = ANY (%s)",
        [schema, list(TABLES)],
    ).fetchall()
    keys = {name for name, _ in found if name.endswith("_pkey")}
    assert len(keys) == 4
    assert {name for name, _ in found} - keys == {one.name for one in INDEXES} == set(USES)
    assert len(INDEXES) == 18
    by_table = {table: sum(one.table == table for one in INDEXES) for table in TABLES}
    assert by_table == {"exchange_orderbooks": 4, "large_trades": 5, "funding_rates": 4, "open_interest": 5}


def test_the_schema_itself_says_what_each_index_is_for(filled: tuple[psycopg.Connection, str]) -> None:
    connection, schema = filled
    found = connection.execute(
        "SELECT obj_description(format('%%I.%%I', schemaname, indexname)::regclass) FROM pg_indexes"
        " WHERE schemaname = %s AND indexname = 'open_interest_latest'",
        [schema],
    ).fetchall()
    assert found == [("the latest of each market, for the total",)]


def test_a_page_of_the_newest_reads_no_more_than_it_shows(filled: tuple[psycopg.Connection, str]) -> None:
    connection, schema = filled
    statement = planned(Use("large_trades", "page", {"limit": 10}), schema)
    ((plan,),) = connection.execute(
        "EXPLAIN (ANALYZE, FORMAT JSON) " + statement.sql.replace("?", "%s"), statement.bound
    ).fetchall()
    leaf = plan[0]["Plan"]
    while "Plans" in leaf:
        (leaf,) = leaf["Plans"]
    assert leaf["Actual Rows"] < 20


# ── Whose schema it is ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def bare() -> Iterator[tuple[psycopg.Connection, str]]:
    required()
    with own_schema() as name, psycopg.connect(URL, autocommit=True) as connection:
        yield connection, name


def test_laying_out_twice_changes_nothing(bare: tuple[psycopg.Connection, str]) -> None:
    connection, name = bare
    lay_out(connection, name, "real")
    connection.execute(f"INSERT INTO {name}.desk_symbols VALUES ('BTCUSDT')")
    lay_out(connection, name, "real")
    assert connection.execute(f"SELECT count(*) FROM {name}.desk_symbols").fetchone() == (1,)


def test_simulated_rows_never_come_beside_real_ones(bare: tuple[psycopg.Connection, str]) -> None:
    connection, name = bare
    lay_out(connection, name, "simulated")
    with pytest.raises(StoreUnusable, match="holds simulated data, and real data must not be mixed"):
        lay_out(connection, name, "real")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("CREATE TABLE {0}.large_trades (what INT)", "belongs to another program: it has large_trades"),
        (
            "CREATE TABLE {0}.desk_about AS SELECT 'program' AS key, 'mine' AS value",
            "belongs to another program",
        ),
        (
            "CREATE TABLE {0}.desk_about AS SELECT * FROM (VALUES ('program', 'crypto-orderflow'),"
            " ('schema', '99'), ('kind', 'real')) AS a(key, value)",
            "is of version 99",
        ),
    ],
)
def test_a_schema_of_others_is_left_alone(bare: tuple[psycopg.Connection, str], made: str, said: str) -> None:
    connection, name = bare
    connection.execute(f"CREATE SCHEMA {name}")
    connection.execute(made.format(name))
    with pytest.raises(StoreUnusable, match=said):
        lay_out(connection, name, "real")


def test_other_tables_beside_ours_are_no_hindrance(bare: tuple[psycopg.Connection, str]) -> None:
    connection, name = bare
    connection.execute(f"CREATE SCHEMA {name}")
    connection.execute(f"CREATE TABLE {name}.positions (what INT)")
    lay_out(connection, name, "real")


@given(name=st.text(max_size=70))
def test_a_schema_name_needs_no_quotes_or_is_refused(name: str) -> None:
    try:
        found = checked(name)
    except InvalidArgument:
        return
    assert found == name
    assert name.isidentifier() and name.isascii() and name == name.lower() and len(name) <= 63


def test_a_password_is_never_shown() -> None:
    url = "postgresql://desk:s3cret@127.0.0.1:1/market?password=s3cret"
    assert "s3cret" not in shown(url)
    desk = PostgresDesk(url)
    with pytest.raises(Exception, match="does not answer") as raised:
        desk.answer("large_trades", Filters())
    assert "s3cret" not in str(raised.value)


def test_psycopg_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr("orderflow.store.desk.postgres.import_module", missing)
    with pytest.raises(StoreUnusable, match="psycopg") as raised:
        PostgresDesk(URL)
    assert "crypto-orderflow[postgres]" in raised.value.hint


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="not one of PostgreSQL"):
        PostgresDesk("mysql://root:pw@127.0.0.1/test")

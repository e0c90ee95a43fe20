"""Questions: what can be asked of a desk's tables, as statements that DuckDB and PostgreSQL both answer.

A statement is written once; a `Dialect` says what differs: where the tables are, how an instant is
given, how the latest row of each market is found. A window is [since, until); rows with the same time
come in the order of exchange, symbol and id, so that an answer is the same whoever gives it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from orderflow.market.errors import InvalidArgument, UnknownSymbol
from orderflow.market.events import HOUR, US, Nanos
from orderflow.market.instruments import venue_id
from orderflow.store.answers import resolve

MOST_HOURS = 168
MOST_ROWS = 1_000
MOST_USD = 1e15

Name = Literal["large_trades", "funding_rates", "open_interest", "orderbooks"]
Bound: TypeAlias = str | int | float | None

_DOLLARS = ("USDT", "USDC", "USD")  # what BTC alone may mean, the first that is known
_CENT = Decimal("0.01")


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What of a table is asked; None asks for all. `order` is one of the question's."""

    symbol: str | None = None
    exchange: str | None = None
    hours: float = 24.0
    order: str = "time"
    limit: int = 100
    min_value_usd: float | None = None
    only_liquidations: bool = False
    latest: bool = False


class Question(NamedTuple):
    """A question: its table, the columns of its rows, and what each order sorts by, highest first."""

    name: Name
    table: str
    columns: tuple[str, ...]
    orders: dict[str, str]
    ties: tuple[str, ...] = ("exchange", "symbol", "id")
    market: tuple[str, ...] = ()  # what is reckoned of each market, after its rows, first and last
    what: str = ""


_ROW = ("exchange", "symbol")

QUESTIONS: dict[str, Question] = {
    one.name: one
    for one in (
        Question(
            "large_trades",
            "large_trades",
            (*_ROW, "side", "price", "size", "value_usd", "timestamp", "trade_id", "is_liquidation"),
            {"time": "timestamp", "value": "value_usd"},
            ("exchange", "symbol", "trade_id", "id"),
            (
                "sum(t.value_usd)",
                "count(*) FILTER (WHERE t.is_liquidation)",
                "sum(t.value_usd) FILTER (WHERE t.is_liquidation)",
            ),
            "large trades",
        ),
        Question(
            "funding_rates",
            "funding_rates",
            (*_ROW, "rate", "predicted_rate", "timestamp", "next_funding_time"),
            {"time": "timestamp", "rate": "rate"},
            market=("sum(t.rate)", "count(t.rate)"),
            what="funding rates",
        ),
        Question(
            "open_interest",
            "open_interest",
            (*_ROW, "open_interest", "open_interest_usd", "timestamp"),
            {"time": "timestamp", "usd": "open_interest_usd"},
            what="open interest",
        ),
        Question(
            "orderbooks",
            "exchange_orderbooks",
            (*_ROW, "bids::text", "asks::text", "timestamp", "sequence"),
            {"time": "timestamp"},
            what="order books",
        ),
    )
}


class Asked(NamedTuple):
    """A question with its filters read: names resolved, the window in nanoseconds UTC."""

    question: Question
    symbol: str | None
    exchanges: tuple[str, ...]
    since: Nanos
    until: Nanos
    order: str
    limit: int
    min_value_usd: Decimal | None
    only_liquidations: bool


class Statement(NamedTuple):
    """A statement with `?` where its values go, in order."""

    sql: str
    bound: list[Bound]


class Dialect(Protocol):
    """What differs between the stores: `table` is what stands behind FROM, `interval` a rate's hours.

    `first` gives a table with no more than it takes to have the first `limit` rows in the order that was
    asked, and what must stand before the statement that uses it.
    """

    interval: str

    def table(self, name: str, asked: Asked) -> str: ...
    def instant(self, time: Nanos) -> tuple[str, Bound]: ...
    def first(self, asked: Asked) -> tuple[Statement, str]: ...
    def latest(self, asked: Asked) -> Statement: ...


def read(name: str, filters: Filters, known: Sequence[str], now: Nanos) -> Asked:
    """Return a question as it is asked at `now`; raise `InvalidArgument`, `UnknownSymbol` or `UnknownVenue`."""
    question = QUESTIONS[name]
    if not 0 < filters.hours <= MOST_HOURS:
        raise InvalidArgument(f"hours: {filters.hours:g}", hint=f"more than 0, at most {MOST_HOURS}")
    if not 1 <= filters.limit <= MOST_ROWS:
        raise InvalidArgument(f"limit: {filters.limit}", hint=f"from 1 to {MOST_ROWS}")
    if filters.order not in question.orders:
        raise InvalidArgument(
            f"{question.what} have no order {filters.order[:40]!r}",
            hint=f"one of {', '.join(question.orders)}",
        )
    least = filters.min_value_usd
    if least is not None and not 0 <= least <= MOST_USD:
        raise InvalidArgument(f"min_value_usd: {least:g}", hint=f"from 0 to {MOST_USD:g}")
    named = [] if filters.exchange is None else filters.exchange.split(",")
    return Asked(
        question,
        None if filters.symbol is None else _symbol(filters.symbol, known),
        tuple(dict.fromkeys(venue_id(one) for one in named)),
        now - round(filters.hours * HOUR),
        now,
        filters.order,
        filters.limit,
        None if least is None else Decimal(repr(least)).quantize(_CENT, ROUND_CEILING),
        filters.only_liquidations,
    )


def _symbol(said: str, known: Sequence[str]) -> str:
    """Return the known symbol that is meant: by its name, or by its base where that is quoted in dollars."""
    try:
        return resolve(said, known)
    except UnknownSymbol:
        folded = {one.casefold(): one for one in known}
        for quote in _DOLLARS:
            if (found := folded.get((said.strip() + quote).casefold())) is not None:
                return found
        raise


# ── Statements ────────────────────────────────────────────────────────────────────────────────


def page(asked: Asked, dialect: Dialect) -> Statement:
    """Return the statement for the rows of an answer: the first `limit` in the order that was asked."""
    where, bound = window(asked, dialect)
    before, table = dialect.first(asked)
    said = ", ".join(f"t.{name}" for name in (*asked.question.columns, "metadata::text"))
    return Statement(
        f"{before.sql} SELECT {said} FROM {table} WHERE {where}"
        f" ORDER BY {ordering(asked)} LIMIT {int(asked.limit)}",
        [*before.bound, *bound],
    )


def markets(asked: Asked, dialect: Dialect) -> Statement:
    """Return the statement for what is reckoned of each market (and interval of its rate) in a window."""
    where, bound = window(asked, dialect)
    interval = [dialect.interval] if asked.question.name == "funding_rates" else []
    reckoned = ["count(*)", "min(t.timestamp)", "max(t.timestamp)", *asked.question.market]
    groups = ", ".join(str(place + 1) for place in range(2 + len(interval)))
    return Statement(
        f"SELECT {', '.join(['t.exchange', 't.symbol', *interval, *reckoned])}"
        f" FROM {dialect.table(asked.question.table, asked)} WHERE {where} GROUP BY {groups}",
        bound,
    )


def stored(asked: Asked, dialect: Dialect) -> Statement:
    """Return the statement for the range of rows that are stored, whatever the window."""
    where, bound = _named(asked)
    return Statement(
        f"SELECT min(t.timestamp), max(t.timestamp) FROM {dialect.table(asked.question.table, asked)}"
        f" WHERE {where}",
        bound,
    )


def holdings(exchange: str, symbol: str, table: str) -> Statement:
    """Return the statement for how many rows of a market a desk's table holds."""
    return Statement(
        f"SELECT count(*) FROM {table} WHERE t.exchange = ? AND t.symbol = ?", [exchange, symbol]
    )


def window(asked: Asked, dialect: Dialect) -> tuple[str, list[Bound]]:
    """Return the condition that a row must meet, and its values."""
    named, bound = _named(asked)
    since, first = dialect.instant(asked.since)
    until, last = dialect.instant(asked.until)
    return f"{named} AND t.timestamp >= {since} AND t.timestamp < {until}", [*bound, first, last]


def _named(asked: Asked) -> tuple[str, list[Bound]]:
    parts: list[str] = []
    bound: list[Bound] = []
    if asked.symbol is not None:
        parts.append("t.symbol = ?")
        bound.append(asked.symbol)
    if asked.exchanges:
        parts.append(f"t.exchange IN ({', '.join('?' for _ in asked.exchanges)})")
        bound += asked.exchanges
    if asked.only_liquidations:
        parts.append("t.is_liquidation")
    if asked.min_value_usd is not None:
        parts.append("t.value_usd >= CAST(? AS DECIMAL(20,2))")
        bound.append(str(asked.min_value_usd))
    return " AND ".join(parts or ["true"]), bound


def ordering(asked: Asked) -> str:
    first = asked.question.orders[asked.order]
    parts = [f"t.{first} DESC" + ("" if first == "timestamp" else " NULLS LAST, t.timestamp DESC")]
    return ", ".join([*parts, *(f"t.{name} ASC NULLS LAST" for name in asked.question.ties)])


def instant(value: datetime) -> str:
    """Write a stored time as answers tell it, whichever store gave it.

    >>> instant(datetime(2025, 11, 21))
    '2025-11-21T00:00:00.000000Z'
    """
    return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment(time: Nanos) -> datetime:
    """Return an instant as a datetime in UTC, rounded up to microseconds as the store's bounds are."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=-(-time // US))

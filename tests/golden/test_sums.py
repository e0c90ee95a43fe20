"""Nothing lost, nothing twice: what order flow adds up equals plain sums over the table of trades.

The sums beside it are DuckDB's own, over the same database, with nothing of ours but the table's name.
"""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pytest

from orderflow import tools
from orderflow.flow.bars import Bars
from orderflow.flow.cells import Cells
from orderflow.flow.delta import cvd
from orderflow.flow.footprint import footprint
from orderflow.flow.profile import profile
from orderflow.flow.tpo import market_profile
from orderflow.market.events import SECOND, Nanos
from orderflow.store.bar import bar as bar_of
from orderflow.store.reader import Reader
from orderflow.tools.context import Context
from orderflow.tools.orderflow import bars_of, cells_of
from tests.golden.questions import DAY, FUTURES, SPOT, Arguments, asked


class Market(NamedTuple):
    """A venue's trades in a window; `bar` and `step` make some hundred cells of them, `tick` is the venue's."""

    symbol: str
    venue: str
    since: str
    until: str
    bar: str
    step: float
    tick: float

    @property
    def window(self) -> tuple[Nanos, Nanos]:
        first, last = (round(datetime.fromisoformat(one).timestamp()) for one in (self.since, self.until))
        return first * SECOND, last * SECOND

    @property
    def arguments(self) -> Arguments:
        return {"symbol": self.symbol, "venues": [self.venue], "since": self.since, "until": self.until}


def _market(question: Arguments, bar: str, step: float, tick: float) -> Market:
    return Market(
        question["symbol"], question["venues"][0], question["since"], question["until"], bar, step, tick
    )


MARKETS = {
    "futures": _market(FUTURES, "1m", 10.0, 0.1),
    "spot": _market(SPOT, "10s", 1.0, 0.01),
    "day": _market(DAY, "1h", 0.00001, 0.00000001),
}
each_market = pytest.mark.parametrize("market", MARKETS.values(), ids=MARKETS)


class Plain:
    """Questions to the table of trades, as anybody would ask them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def ask(self, market: Market, sql: str) -> list[tuple[Any, ...]]:
        """Ask, where `{trades}` are those of the market.

        `signed` is what takers bought, below 0 sold; `level` and `bar` count steps of price and bars from 0.
        """
        length = bar_of(market.bar).length // SECOND
        trades = (
            "(SELECT *, CASE WHEN is_buyer_maker THEN -quantity ELSE quantity END AS signed,"
            f" floor(round(price / {market.step!r}, 6))::BIGINT AS level,"
            f" epoch(time_bucket(INTERVAL '{length} seconds', timestamp))::BIGINT // {length} AS bar"
            f" FROM trades WHERE symbol = '{market.symbol}' AND venue = '{market.venue}'"
            f" AND timestamp >= '{market.since[:-1]}' AND timestamp < '{market.until[:-1]}')"
        )
        return self._connection.execute(sql.replace("{trades}", trades)).fetchall()

    def totals(self, market: Market) -> dict[str, float]:
        """Return what is in all rows of the market, by the names of the columns that tell it."""
        found = self.ask(
            market,
            "SELECT sum(signed) FILTER (signed > 0), -sum(signed) FILTER (signed < 0),"
            " sum(signed * price) FILTER (signed > 0), -sum(signed * price) FILTER (signed < 0), sum(count)"
            " FROM {trades}",
        )
        buy, sell, buy_quote, sell_quote, trades = map(float, found[0])
        return {
            "buy": buy, "sell": sell, "delta": buy - sell, "volume": buy + sell, "trades": trades,
            "buy_quote": buy_quote, "sell_quote": sell_quote,
            "delta_quote": buy_quote - sell_quote, "quote": buy_quote + sell_quote,
        }  # fmt: skip


@pytest.fixture(scope="module")
def plain(recorded_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    copy = shutil.copy(
        recorded_db, tmp_path_factory.mktemp("plain")
    )  # the file itself is open as ours opens it
    with duckdb.connect(copy, read_only=True) as connection:
        yield Plain(connection)


def table(*columns: Any) -> np.ndarray[Any, Any]:
    return np.stack([np.asarray(one, dtype=np.float64) for one in columns], axis=1)


def same(found: Any, wanted: Any) -> bool:
    found, wanted = np.asarray(found, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    return found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-9, atol=1e-9)


# ── Columns ───────────────────────────────────────────────────────────────────────────────────


def cells(reader: Reader, market: Market, step: float) -> Cells:
    return cells_of(reader.cells(market.symbol, [market.venue], market.bar, *market.window, step))


def bars(reader: Reader, market: Market) -> Bars:
    found = reader.flow_bars(market.symbol, [market.venue], market.bar, *market.window)
    return bars_of(found, bar_of(market.bar), market.venue)


@each_market
@pytest.mark.parametrize("fine", [False, True], ids=["step", "tick"])
def test_cells_add_up_to_the_trades(reader: Reader, plain: Plain, market: Market, fine: bool) -> None:
    found = cells(reader, market, market.tick if fine else market.step)
    for name, wanted in plain.totals(market).items():
        assert same(getattr(found, name).sum(), wanted), name


@each_market
def test_a_footprint_has_what_was_traded_in_each_bar_at_each_level(
    reader: Reader, plain: Plain, market: Market
) -> None:
    found = footprint(cells(reader, market, market.step), bars(reader, market), market.step)
    cell = found.cells
    assert same(
        table(cell.bar, cell.level, cell.buy, cell.sell, cell.trades),
        plain.ask(
            market,
            "SELECT bar, level, coalesce(sum(signed) FILTER (signed > 0), 0),"
            " coalesce(-sum(signed) FILTER (signed < 0), 0), sum(count) FROM {trades} GROUP BY ALL ORDER BY ALL",
        ),
    )
    assert same(
        table(found.bars.bar, found.poc_volume, found.max_delta, found.min_delta, found.levels),
        plain.ask(
            market,
            "SELECT bar, max(volume), max(delta), min(delta), count(*) FROM (SELECT bar, level,"
            " sum(quantity) AS volume, sum(signed) AS delta FROM {trades} GROUP BY ALL) GROUP BY bar ORDER BY bar",
        ),
    )


@each_market
def test_bars_have_the_first_and_last_price_and_how_far_delta_ran(
    reader: Reader, plain: Plain, market: Market
) -> None:
    found = bars(reader, market)
    assert same(
        table(
            found.bar, found.open, found.high, found.low, found.close, found.volume, found.delta,
            found.delta_high, found.delta_low,
        ),
        plain.ask(
            market,
            "SELECT bar, first(price ORDER BY timestamp, id), max(price), min(price),"
            " last(price ORDER BY timestamp, id), sum(quantity), sum(signed),"
            " greatest(max(running), 0), least(min(running), 0)"
            " FROM (SELECT *, sum(signed) OVER (PARTITION BY bar ORDER BY timestamp, id ROWS UNBOUNDED PRECEDING)"
            " AS running FROM {trades}) GROUP BY bar ORDER BY bar",
        ),
    )  # fmt: skip


@each_market
def test_a_profile_has_what_was_traded_at_each_level(reader: Reader, plain: Plain, market: Market) -> None:
    found = profile(cells(reader, market, market.step), market.step)
    wanted = plain.ask(
        market,
        "SELECT level, sum(quantity), sum(signed), sum(price * quantity), sum(count) FROM {trades}"
        " GROUP BY level ORDER BY level",
    )
    traded = found.trades > 0
    columns = table(found.number, found.volume, found.delta, found.quote, found.trades)
    assert same(columns[traded], wanted)
    assert not found.volume[~traded].any()
    most = max(wanted, key=lambda row: row[1])
    assert found.poc is not None
    assert (found.poc.bin.number, found.poc.amount) == (most[0], pytest.approx(most[1]))
    area = found.value_area()
    assert area is not None and 0.7 <= area.share <= 1
    assert same(area.amount, sum(row[1] for row in wanted if area.val.number <= row[0] <= area.vah.number))


@each_market
def test_a_market_profile_counts_the_periods_in_which_each_price_was_traded(
    reader: Reader, plain: Plain, market: Market
) -> None:
    first = market.window[0] // bar_of(market.bar).length
    found = market_profile(cells(reader, market, market.step), market.step, first=first)
    traded = np.flatnonzero(found.tpos)
    assert same(
        table(traded + found.first, found.tpos[traded]),
        plain.ask(market, "SELECT level, count(DISTINCT bar) FROM {trades} GROUP BY level ORDER BY level"),
    )
    assert found.volume is not None
    assert same(found.volume.volume.sum(), plain.totals(market)["volume"])


@each_market
def test_cvd_is_all_that_was_bought_so_far_less_all_that_was_sold(
    reader: Reader, plain: Plain, market: Market
) -> None:
    found = bars(reader, market)
    wanted = plain.ask(
        market, "SELECT DISTINCT bar, sum(signed) OVER (ORDER BY bar) FROM {trades} ORDER BY bar"
    )
    assert same(table(found.bar, cvd(found, market.window[0]).close), wanted)


# ── Tools ─────────────────────────────────────────────────────────────────────────────────────

# Tools whose rows are not all there is by what is asked here (the largest, one bar): at most what was traded.
PART: dict[str, str] = {}
ADDED = ("buy", "sell", "delta", "volume", "trades", "buy_quote", "sell_quote")


def adding() -> list[str]:
    """Return the tools whose rows say what was bought and what was sold."""
    return [name for name, one in asked().items() if {"buy", "sell"} <= set(one.columns or ())]


def every_row(context: Context, tool: str, arguments: Arguments) -> list[dict[str, Any]]:
    """Return the rows of all pages."""
    found: list[dict[str, Any]] = []
    most = {} if asked()[tool].limit is None else {"limit": 500}
    page = tools.call(context, tool, {**arguments, "max_tokens": 8_000, **most})
    while True:
        found += [dict(zip(page.columns, row, strict=True)) for row in page.rows]
        if page.meta.next is None:
            return found
        page = tools.call(context, tool, {"next": page.meta.next, "max_tokens": 8_000, **most})


@each_market
@pytest.mark.parametrize("tool", adding())
def test_what_the_rows_of_a_tool_tell_adds_up_to_the_trades(
    context: Context, plain: Plain, tool: str, market: Market
) -> None:
    rows, wanted = every_row(context, tool, market.arguments), plain.totals(market)
    told = [name for name in ADDED if rows and name in rows[0]]
    assert told
    for name in told:
        added = sum(row[name] for row in rows if row[name] is not None)
        if tool in PART:
            assert abs(added) <= abs(wanted[name]) * (1 + 1e-9) or name.startswith("delta"), name
        else:
            assert added == pytest.approx(wanted[name], rel=1e-9), name


@each_market
def test_the_cvd_that_is_drawn_ends_at_the_delta_of_all_trades(
    context: Context, plain: Plain, market: Market
) -> None:
    wanted = plain.totals(market)
    answer = tools.call(context, "chart_cvd", market.arguments)
    assert answer.summary["cvd"]["sum"] == pytest.approx(wanted["delta"], rel=1e-9)
    assert answer.summary["by_venue"] == {
        market.venue: {name: pytest.approx(wanted[name], rel=1e-9) for name in ("buy", "sell", "delta")}
    }
    rows = every_row(context, "chart_cvd", market.arguments)
    known = [row for row in rows[::-1] if row["cvd"] is not None]
    assert known[-1]["cvd"] == pytest.approx(wanted["delta"], rel=1e-9)
    running = np.cumsum([row["delta"] for row in known])
    assert same(running, [row["cvd"] for row in known])

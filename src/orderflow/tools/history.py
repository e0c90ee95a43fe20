"""History: what was stored of a market, stream by stream, newest first."""

from typing import Annotated, Any, Literal

from msgspec import Meta as Range

from orderflow.tools.answers import Answer
from orderflow.tools.liquidations import FORCED, forced_orders
from orderflow.tools.newest import remarked
from orderflow.tools.open_interest import INTERESTS, open_interest_series
from orderflow.tools.past import (
    FAMILY,
    MOST_READ,
    answer,
    attempt,
    by_venue,
    check_offered,
    cut_short,
    newest_first,
    past,
)
from orderflow.tools.spec import Ask, Instant, VenueId, tool

_PRICES = {
    "time": "UTC", "venue": "", "mid_price": "quote", "bid_price": "quote", "bid_qty": "base", "ask_price": "quote",
    "ask_qty": "base", "spread_bps": "bps",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Stored prices",
    columns=_PRICES,
    example={"symbol": "BTCUSDT", "since": "-15m"},
    limit=100,
    core=False,
    asks_store=True,
)
def history_prices(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1h",
    until: Instant = "now",
    every: str | None = None,
) -> Answer:
    """Stored best bid and ask of a window, newest first, with each venue's range and median.

    Use it for quotes themselves; history_candles gives bars. `every` thins them out.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        every: the last quote of each bar, as 1m; every quote when left out
    """
    asked = past(ask, symbol, venues, since, until)
    check_offered("prices", asked.venues)
    found = ask.history.window(
        "prices",
        asked.symbol,
        asked.venues,
        since=asked.since,
        until=asked.until,
        limit=MOST_READ,
        every=every,
    )
    spread = attempt(
        lambda: ask.history.percentiles(asked.symbol, asked.venues, asked.since, asked.until, (50.0,))
    )
    summary = by_venue(spread, "lowest", "p50", "highest", "mean", "deviation", "samples")
    made = answer(
        ask, found, _PRICES, newest_first(found, _PRICES), stream="prices", asked=asked.venues,
        summary={"per_second": summary},
    )  # fmt: skip
    return cut_short(made, found, "every=1m thins them out")


_TRADES = {
    "time": "UTC", "venue": "", "side": "", "price": "quote", "quantity": "base", "value": "quote", "trade_id": "",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Stored trades",
    columns=_TRADES,
    example={"symbol": "BTCUSDT", "since": "-15m", "min_value": 100},
    limit=100,
    core=False,
    asks_store=True,
)
def history_trades(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1h",
    until: Instant = "now",
    side: Literal["buy", "sell"] | None = None,
    min_value: Annotated[float, Range(ge=0)] = 0.0,
) -> Answer:
    """Stored trades of a window, newest first, and what takers bought and sold on each venue in all of it.

    Use it for single trades and for who was the aggressor; volumes are base units, values quote.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        side: the taker's; both when left out
        min_value: least value of a trade listed, in quote units
    """
    asked = past(ask, symbol, venues, since, until)
    check_offered("trades", asked.venues)
    flow = ask.history.flow(asked.symbol, asked.venues, asked.since, asked.until)
    found = ask.history.window(
        "trades", asked.symbol, asked.venues, since=asked.since, until=asked.until, limit=MOST_READ,
        side=side, min_value=min_value,
    )  # fmt: skip
    sums = by_venue(flow, "trades", "buy_volume", "sell_volume", "delta", "vwap", "lowest", "highest")
    made = answer(
        ask, found, _TRADES, newest_first(found, _TRADES), stream="trades", asked=asked.venues,
        summary={"whole_window": sums},
    )  # fmt: skip
    return cut_short(made, found, "min_value leaves the small ones out, history_candles adds them up")


_SETTLED = {
    "time": "UTC", "venue": "", "funding_rate": "fraction per interval", "interval_hours": "h",
    "annualized_pct": "% a year", "cumulative_rate": "fraction", "settled": "",
}  # fmt: skip
_ANNOUNCED = {
    "time": "UTC", "venue": "", "funding_rate": "fraction per interval", "predicted_rate": "fraction per interval",
    "interval_hours": "h", "annualized_pct": "% a year", "next_funding_time": "UTC",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Stored funding",
    columns=_SETTLED | _ANNOUNCED,
    example={"symbol": "BTCUSDT", "since": "-3d"},
    limit=100,
    core=False,
    asks_store=True,
)
def history_funding(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1d",
    until: Instant = "now",
    rows: Literal["settlements", "announced"] = "settlements",
) -> Answer:
    """Funding of a window, newest first: each settlement once with the sum so far, or every rate announced.

    Use it for what longs paid (a rate above 0) on each venue; xv_funding_arbitrage compares them.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        since: begin, as -7d, ISO 8601 or epoch milliseconds
        until: end
        rows: settlements, or every change announced
    """
    asked = past(ask, symbol, venues, since, until)
    check_offered("funding_rates", asked.venues)
    if rows == "settlements":
        found = ask.history.settlements(asked.symbol, asked.venues, asked.since, asked.until)
        listed = [
            [row["settles_at"] // 1_000_000, *(row[name] for name in list(_SETTLED)[1:])]
            for row in found.rows()
        ][::-1]
    else:
        found = ask.history.window(
            "funding_rates", asked.symbol, asked.venues, since=asked.since, until=asked.until, limit=MOST_READ
        )
        listed = newest_first(found, _ANNOUNCED)
    columns = _SETTLED if rows == "settlements" else _ANNOUNCED
    compared = attempt(
        lambda: ask.history.funding_comparison(asked.symbol, asked.venues, asked.since, asked.until)
    )
    sums = by_venue(
        compared, "settlements", "missing", "cumulative_rate", "mean_annualized_pct", "interval_hours"
    )
    made = answer(
        ask,
        found,
        columns,
        listed,
        stream="funding_rates",
        asked=asked.venues,
        summary={"paid_by_longs": sums},
    )
    return cut_short(made, found, "rows=settlements has each once")


@tool(
    family=FAMILY,
    title="Stored liquidations",
    columns=FORCED,
    example={"symbol": "BTCUSDT", "since": "-4h", "min_value": 100},
    limit=100,
    core=False,
    asks_store=True,
)
def history_liquidations(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1d",
    until: Instant = "now",
    side: Literal["long", "short"] | None = None,
    min_value: Annotated[float, Range(ge=0)] = 0.0,
) -> Answer:
    """Positions closed by force in a window, newest first, and the value of longs and shorts by venue.

    Use it for who was squeezed. Side is the position's. Venues that publish none are named with the reason.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        side: the position's; both when left out
        min_value: least value, in quote units
    """
    asked = past(ask, symbol, venues, since, until)
    check_offered("liquidations", asked.venues)
    forced = forced_orders(ask, [asked], side, min_value)
    made = answer(
        ask, forced.found, FORCED, newest_first(forced.found, FORCED), stream="liquidations",
        asked=asked.venues, summary={"whole_window": {**forced.sums, "all": forced.total}},
    )  # fmt: skip
    made.meta.warnings += remarked("liquidations", forced.sums)
    return cut_short(made, forced.found, "min_value leaves the small ones out")


@tool(
    family=FAMILY,
    title="Stored open interest",
    columns=INTERESTS,
    example={"symbol": "BTCUSDT", "since": "-1d", "every": "1h"},
    limit=100,
    core=False,
    asks_store=True,
)
def history_open_interest(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1d",
    until: Instant = "now",
    every: str | None = None,
) -> Answer:
    """Stored open interest of a window, newest first, with each venue's change over it.

    Use it to see whether positions were opened or closed. USD is null where the venue does not tell it.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        every: the last row of each bar, as 1h; every row when left out
    """
    asked = past(ask, symbol, venues, since, until)
    check_offered("open_interest", asked.venues)
    return open_interest_series(ask, asked, every)


CANDLES = {
    "time": "UTC", "venue": "", "open": "quote", "high": "quote", "low": "quote", "close": "quote",
    "volume": "base", "quote_volume": "quote", "trade_count": "count", "taker_buy_volume": "base",
    "vwap": "quote", "closed": "",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Bars of any length",
    columns=CANDLES,
    example={"symbol": "BTCUSDT", "venues": ["binance_futures"], "bar": "5m", "since": "-4h"},
    limit=100,
    asks_store=True,
)
def history_candles(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    bar: str = "1m",
    since: Instant = "-1h",
    until: Instant = "now",
    source: Literal["auto", "trades", "candles"] = "auto",
) -> Answer:
    """Open, high, low, close, volumes and vwap in bars of any length, newest first, from what is stored.

    Use it for how a price moved: trades, or the venue's candles where those tell more of the window; the
    summary says which. An unclosed bar is the last.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        bar: length, as 10s, 5m, 4h, 1d, 1w
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        source: made of trades, of candles, or of what tells more
    """
    asked = past(ask, symbol, venues, since, until)
    found = ask.history.bars(asked.symbol, asked.venues, bar, asked.since, asked.until, source)
    return answer(
        ask, found, CANDLES, bar_rows(found)[::-1], stream="trades", asked=asked.venues,
        summary={"made_of": found.notes["made_of"]},
    )  # fmt: skip


def bar_rows(found: Any) -> list[Any]:
    """Return bars as rows, their beginning in milliseconds."""
    names = list(CANDLES)[1:]
    return [[row["open_time"] // 1_000_000, *(row[name] for name in names)] for row in found.rows()]

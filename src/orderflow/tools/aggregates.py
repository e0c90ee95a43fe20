"""Aggregates of the past: bars, volume by price, volatility, funding paid, liquidations; where a price stands."""

from typing import Annotated, Any, Literal

from msgspec import Meta as Range

from orderflow.market.events import MS
from orderflow.market.instruments import venue_id
from orderflow.store.statistics import LOOK_BACKS
from orderflow.store.windows import Window
from orderflow.tools.answers import Answer
from orderflow.tools.history import CANDLES, bar_rows
from orderflow.tools.past import FAMILY, Past, answer, past, told
from orderflow.tools.spec import SMALLEST, Ask, Instant, VenueId, tool

Kind = Literal["price_ohlc", "volume_profile", "volatility", "funding_cumulative", "liquidation_cascade"]

_PROFILE = {
    "price_from": "quote", "price_until": "quote", "volume": "base", "buy_volume": "base", "sell_volume": "base",
    "quote_volume": "quote", "trades": "count",
}  # fmt: skip
_VOLATILITY = {
    "venue": "", "returns": "count", "observed_s": "s", "volatility_pct": "%", "annual_pct": "% a year",
    "first": "quote", "last": "quote", "log_return_pct": "%",
}  # fmt: skip
_CUMULATIVE = {
    "settles_at": "UTC", "venue": "", "funding_rate": "fraction per interval", "interval_hours": "h",
    "cumulative_rate": "fraction", "settled": "",
}  # fmt: skip
_CASCADE = {
    "open_time": "UTC", "venue": "", "long_value": "quote", "longs": "count", "short_value": "quote",
    "shorts": "count", "largest_value": "quote", "lowest": "quote", "highest": "quote",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Aggregates of stored data",
    columns=CANDLES | _PROFILE | _VOLATILITY | _CUMULATIVE | _CASCADE,
    example={"symbol": "BTCUSDT", "kind": "volume_profile", "since": "-4h", "bins": 20},
    limit=100,
    core=False,
    asks_store=True,
)
def history_aggregate(
    ask: Ask,
    symbol: str,
    kind: Kind = "price_ohlc",
    venues: list[VenueId] | None = None,
    bar: str = "1h",
    since: Instant = "-1d",
    until: Instant = "now",
    bins: Annotated[int, Range(ge=1, le=1000)] = 50,
    size: Annotated[float, Range(ge=SMALLEST)] | None = None,
) -> Answer:
    """One aggregate of a window: bars, volume by price (venues together, by the taker's side), realised
    volatility, funding added up (each settlement once), or liquidations by bar.

    Use it for shape rather than rows.

    Args:
        symbol: unified symbol as in BTCUSDT
        kind: which aggregate
        venues: all when left out
        bar: length of bars, and the step of volatility's returns
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        bins: of volume by price, between lowest and highest
        size: of a bin in quote units, instead of bins
    """
    asked = past(ask, symbol, venues, since, until)
    if kind == "price_ohlc":
        found = ask.history.bars(asked.symbol, asked.venues, bar, asked.since, asked.until)
        rows, columns, stream, summary = bar_rows(found)[::-1], CANDLES, "trades", dict(found.notes)
    elif kind == "volume_profile":
        found = ask.history.volume_by_price(asked.symbol, asked.venues, asked.since, asked.until, size, bins)
        rows, columns, stream, summary = told(found, _PROFILE), _PROFILE, "trades", _busiest(found)
    elif kind == "volatility":
        found = ask.history.volatility(asked.symbol, asked.venues, asked.since, asked.until, bar)
        rows, columns, stream, summary = told(found, _VOLATILITY), _VOLATILITY, "prices", dict(found.notes)
    elif kind == "funding_cumulative":
        found = ask.history.settlements(asked.symbol, asked.venues, asked.since, asked.until)
        rows, columns, stream = told(found, _CUMULATIVE)[::-1], _CUMULATIVE, "funding_rates"
        summary = {"paid_by_longs": _last_sums(found)}
    else:
        found = ask.history.liquidation_bars(asked.symbol, asked.venues, bar, asked.since, asked.until)
        rows, columns, stream, summary = told(found, _CASCADE)[::-1], _CASCADE, "liquidations", _worst(found)
    return answer(ask, found, columns, rows, stream=stream, asked=asked.venues, summary=summary)


def _busiest(found: Window) -> dict[str, Any]:
    """Return the bin in which most was traded: the point of control."""
    known = [row for row in found.rows() if row["volume"] is not None]
    best = max(known, key=lambda row: row["volume"], default=None)
    point = None if best is None else {name: best[name] for name in ("price_from", "price_until", "volume")}
    return {"point_of_control": point, "bin_size": found.notes["size"]}


def _last_sums(found: Window) -> dict[str, Any]:
    return {row["venue"]: row["cumulative_rate"] for row in found.rows() if row["settled"]}


def _worst(found: Window) -> dict[str, Any]:
    """Return the bar in which most was closed by force, as far as values are known."""
    known = [row for row in found.rows() if row["long_value"] is not None and row["short_value"] is not None]
    worst = max(known, key=lambda row: row["long_value"] + row["short_value"], default=None)
    if worst is None:
        return {"worst_bar": None}
    names = ("venue", "long_value", "short_value")
    return {"worst_bar": {"open_time": worst["open_time"] // MS, **{name: worst[name] for name in names}}}


# ── Where a price stands ──────────────────────────────────────────────────────────────────────

_CONTEXT = {
    "look_back": "", "first_at": "UTC", "samples": "count", "change_pct": "%", "rank_pct": "%",
    "z_score": "standard deviations", "unusual": "", "lowest": "quote", "p5": "quote", "p25": "quote",
    "p50": "quote", "p75": "quote", "p95": "quote", "highest": "quote", "mean": "quote", "deviation": "quote",
}  # fmt: skip
UNUSUAL = 3.0  # standard deviations from the mean: less than 0.3 % of a normal distribution lies beyond
FRESH_MS = 60_000  # an older quote is not what the price is now


@tool(
    family=FAMILY,
    title="Where a price stands",
    columns=_CONTEXT,
    example={"symbol": "BTCUSDT", "venue": "binance_futures"},
    asks_store=True,
)
def history_price_context(
    ask: Ask,
    symbol: str,
    venue: VenueId = "binance_futures",
    look_backs: Annotated[list[str], Range(max_length=10)] | None = None,
    until: Instant = "now",
) -> Answer:
    """The price now among those of several look-backs, sampled once a second: range, percentiles, rank,
    z-score and change.

    Use it for "is this high or low", and "is this unusual": a z-score beyond ±3.

    Args:
        symbol: unified symbol as in BTCUSDT
        venue: whose price
        look_backs: lengths, as 4h, 7d; 15m, 1h, 4h and 1d when left out
        until: as of when
    """
    asked = past(ask, symbol, [venue], str(int(until) - FRESH_MS), until)
    live = _live_price(ask, asked)
    found = ask.history.price_context(
        asked.symbol, venue_id(venue), asked.until, look_backs or LOOK_BACKS, live
    )
    rows = told(found, _CONTEXT)
    z, unusual = list(_CONTEXT).index("z_score"), list(_CONTEXT).index("unusual")
    for row in rows:
        row[unusual] = None if row[z] is None else abs(row[z]) > UNUSUAL
    return answer(
        ask, found, _CONTEXT, rows, stream="prices", asked=asked.venues,
        summary={"price": found.notes["price"], "price_is": "live" if live is not None else "the last stored"},
    )  # fmt: skip


def _live_price(ask: Ask, asked: Past) -> float | None:
    """Return the mid price that the venue tells now, where the question is about now and it is fresh."""
    if abs(ask.now - asked.until) > MS or asked.symbol not in ask.latest.symbols():
        return None
    for quote in ask.latest.quotes(asked.symbol):
        fresh = (ask.now - quote.ts_recv) / MS <= FRESH_MS
        if quote.symbol == asked.symbol and [quote.venue] == asked.venues and fresh:
            if quote.bid is not None and quote.ask is not None:
                return (quote.bid + quote.ask) / 2
            return quote.mid
    return None


# ── Where positions were closed by force ──────────────────────────────────────────────────────

_MAP = {
    "price_from": "quote", "price_until": "quote", "long_value": "quote", "longs": "count", "short_value": "quote",
    "shorts": "count",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Liquidations by price",
    columns=_MAP,
    example={"symbol": "BTCUSDT", "since": "-1d"},
    limit=100,
    core=False,
    asks_store=True,
)
def history_liquidation_map(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1d",
    until: Instant = "now",
    bins: Annotated[int, Range(ge=1, le=1000)] = 20,
    size: Annotated[float, Range(ge=SMALLEST)] | None = None,
    min_value: Annotated[float, Range(ge=0)] = 0.0,
) -> Answer:
    """The value of longs and shorts that were closed by force at each price in a window, venues together,
    with the hottest zone.

    Use it for where positions broke; it says nothing of those still open.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        bins: of equal width, between lowest and highest
        size: of a bin in quote units, instead of bins
        min_value: least value of a liquidation, in quote units
    """
    asked = past(ask, symbol, venues, since, until)
    found = ask.history.liquidation_map(
        asked.symbol, asked.venues, asked.since, asked.until, size, bins, min_value
    )
    rows = list(found.rows())
    known = [row for row in rows if row["long_value"] is not None and row["short_value"] is not None]
    hottest = max(known, key=lambda row: row["long_value"] + row["short_value"], default=None)
    whole = len(known) == len(rows)
    return answer(
        ask, found, _MAP, told(found, _MAP), stream="liquidations", asked=asked.venues,
        summary={
            "long_value": sum(row["long_value"] for row in known) if whole else None,
            "short_value": sum(row["short_value"] for row in known) if whole else None,
            "liquidations": sum(row["longs"] + row["shorts"] for row in rows),
            "hottest_zone": hottest and {name: hottest[name] for name in ("price_from", "price_until")},
            "bin_size": found.notes["size"],
        },
    )  # fmt: skip

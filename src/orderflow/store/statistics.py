"""Statistics of prices and volumes: percentiles, volatility, volume by price, and where a price stands.

Prices are sampled: the last one of each step (a second, unless said otherwise) that has one, so that a
burst of quotes weighs no more than a quiet second. They are mid prices, or the trades' where a venue
tells no quotes; of what came at or after `until` nothing is used.
"""

from calendar import isleap
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, SECOND, US, Nanos
from orderflow.store.bar import Bar, bar
from orderflow.store.session import Session
from orderflow.store.statements import Parameter, micros, whole
from orderflow.store.windows import Window, described, nothing

Of = Literal["prices", "trades"]

PERCENTILES = (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)
SECONDS_A_DAY = DAY // SECOND
_PRICE: dict[Of, str] = {"prices": "mid_price", "trades": "price"}
_LONE = 1e-3  # of a price that is the only one: the width of its bin
_EDGE = 1e-9  # of a bin: a price on the edge of one lies in it, whatever its division rounds to


def seconds_of_year(time: Nanos) -> int:
    """Return how many seconds the year has in which a time lies; these markets never close.

    >>> seconds_of_year(0), seconds_of_year(2 * 366 * DAY)
    (31536000, 31622400)
    """
    return SECONDS_A_DAY * (366 if isleap(datetime.fromtimestamp(time / SECOND, UTC).year) else 365)


def sampled(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    step: Bar,
    since: Nanos,
    until: Nanos,
    of: Of,
) -> tuple[str, list[Parameter]]:
    """Return the SELECT of a venue's last price (`close`) in each step, by the step's `number`."""
    where, bound = session.where(symbol, venues, since, until)
    price = _PRICE[of]
    last = f"arg_max({price}, epoch_us(timestamp)::HUGEINT * 9223372036854775808 + id)"
    sql = (
        f"SELECT venue, {step.of('timestamp')} AS number, {last} AS close"
        f" FROM {session.source(of, symbol, venues, since)} {where} AND {price} > 0 GROUP BY ALL"
    )
    return sql, bound


def percentiles(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
    at: Sequence[float] = PERCENTILES,
    step: str = "1s",
    of: Of = "prices",
) -> Window:
    """Return a row a venue: percentiles of its sampled price (`p25`…), interpolated, with the extremes."""
    if wrong := [one for one in at if not 0 <= one <= 100]:
        raise InvalidArgument(f"{wrong[0]:g} is no percentile", hint="0 to 100")
    asked = sorted(dict.fromkeys(at))
    sql, bound = sampled(session, symbol, venues, bar(step), since, until, of)
    wanted = ", ".join(f"quantile_cont(close, {one / 100!r}) AS {_percentile(one)}" for one in asked)
    found = session.arrow(
        f"SELECT venue::VARCHAR AS venue, count(*) AS samples, min(close) AS lowest, {wanted},"
        " max(close) AS highest, avg(close) AS mean, stddev_samp(close) AS deviation"
        f" FROM ({sql}) GROUP BY venue ORDER BY 1",
        bound,
    )
    if not found.num_rows:
        raise nothing(session, of, symbol, venues, since, until)
    names = ["lowest", *map(_percentile, asked), "highest", "mean", "deviation"]
    units = {"samples": "count", **dict.fromkeys(names, "quote")}
    return described(session, found, "percentiles", of, symbol, venues, since, until, units=units)


def _percentile(one: float) -> str:
    return f"p{one:g}".replace(".", "_")


def volatility(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
    step: str = "1m",
    of: Of = "prices",
) -> Window:
    """Return a row a venue: realised volatility, the root of the sum of squared log returns.

    Andersen, Bollerslev, Diebold and Labys, "Modeling and Forecasting Realized Volatility",
    Econometrica 71 (2003). `volatility_pct` is that of the time observed; `annual_pct` scales it by the
    root of the year's seconds over the seconds observed. A return lies between the last prices of two
    steps that have one, and counts with the time between them.
    """
    length = bar(step)
    sql, bound = sampled(session, symbol, venues, length, since, until, of)
    year = seconds_of_year(until)
    seconds = length.length / SECOND
    found = session.arrow(
        f"""
        WITH closes AS ({sql}),
        steps AS (
            SELECT venue, close, number, ln(close / lag(close) OVER prior) AS r,
                (number - lag(number) OVER prior) * {seconds!r} AS elapsed
            FROM closes WINDOW prior AS (PARTITION BY venue ORDER BY number)
        )
        SELECT venue::VARCHAR AS venue, count(r) AS returns, sum(elapsed) AS observed_s,
            sqrt(sum(r * r)) * 100 AS volatility_pct,
            sqrt(sum(r * r) * {year} / nullif(sum(elapsed), 0)) * 100 AS annual_pct,
            arg_min(close, number) AS first, arg_max(close, number) AS last,
            ln(arg_max(close, number) / arg_min(close, number)) * 100 AS log_return_pct
        FROM steps GROUP BY venue ORDER BY 1
        """,
        bound,
    )
    if not found.num_rows:
        raise nothing(session, of, symbol, venues, since, until)
    units = {
        "returns": "count", "observed_s": "s", "volatility_pct": "%", "annual_pct": "% a year",
        "first": "quote", "last": "quote", "log_return_pct": "%",
    }  # fmt: skip
    notes = {"step": step, "seconds_of_year": year}
    return described(
        session, found, "volatilities", of, symbol, venues, since, until, units=units, notes=notes
    )


def flow(
    session: Session, symbol: str, venues: str | Sequence[str] | None, since: Nanos, until: Nanos
) -> Window:
    """Return what was traded, a row a venue: rows, volumes by the taker's side, and the prices' range."""
    where, bound = session.where(symbol, venues, since, until)
    at = "epoch_us(timestamp)::HUGEINT * 9223372036854775808 + id"
    found = session.arrow(
        f"""
        SELECT venue::VARCHAR AS venue, count(*) AS trades, {whole("quantity")} AS volume,
            {whole("quantity", "NOT is_buyer_maker")} AS buy_volume,
            {whole("quantity", "is_buyer_maker")} AS sell_volume,
            buy_volume - sell_volume AS delta, {whole("value")} AS quote_volume,
            quote_volume / nullif(volume, 0) AS vwap, arg_min(price, {at}) AS first, min(price) AS lowest,
            max(price) AS highest, arg_max(price, {at}) AS last
        FROM {session.source("trades", symbol, venues, since)} {where} GROUP BY venue ORDER BY 1
        """,
        bound,
    )
    if not found.num_rows:
        raise nothing(session, "trades", symbol, venues, since, until)
    volumes = ("volume", "buy_volume", "sell_volume", "delta")
    quoted = ("quote_volume", "vwap", "first", "lowest", "highest", "last")
    units = {"trades": "count", **dict.fromkeys(volumes, "base"), **dict.fromkeys(quoted, "quote")}
    return described(session, found, "flows", "trades", symbol, venues, since, until, units=units)


# ── Volume by price ───────────────────────────────────────────────────────────────────────────

MOST_BINS = 10_000


def volume_by_price(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
    size: float | None = None,
    bins: int = 50,
) -> Window:
    """Return what was traded in each bin of prices, by the taker's side, lowest first; empty bins are absent.

    Bins are `size` wide and begin at multiples of it; or there are `bins` of equal width between the
    lowest and the highest price, each but the last without its upper edge. Venues are added together.
    """
    where, bound = session.where(symbol, venues, since, until)
    source = session.source("trades", symbol, venues, since)
    ((low, high),) = session.rows(f"SELECT min(price), max(price) FROM {source} {where}", bound)
    if low is None:
        raise nothing(session, "trades", symbol, venues, since, until)
    cut = binned(low, high, size, bins)
    found = session.arrow(
        f"""
        SELECT {cut.edges},
            {whole("quantity")} AS volume,
            {whole("quantity", "NOT is_buyer_maker")} AS buy_volume,
            {whole("quantity", "is_buyer_maker")} AS sell_volume,
            {whole("value")} AS quote_volume, count(*) AS trades
        FROM (SELECT *, {cut.place} AS place FROM {source} {where}) GROUP BY place ORDER BY place
        """,
        bound,
    )
    units = {
        "price_from": "quote", "price_until": "quote", "volume": "base", "buy_volume": "base",
        "sell_volume": "base", "quote_volume": "quote", "trades": "count",
    }  # fmt: skip
    notes = {"size": cut.width, "lowest": low, "highest": high}
    heard = venues or [
        venue
        for (venue,) in session.rows(
            f"SELECT DISTINCT venue::VARCHAR FROM {source} {where} ORDER BY 1", bound
        )
    ]
    return described(
        session, found, "price bins", "trades", symbol, heard, since, until, units=units, notes=notes
    )


class Bins(NamedTuple):
    """Prices cut into bins: their width, and the SQL for the number of a row's bin and for its two edges."""

    width: float
    place: str
    edges: str


def binned(low: float, high: float, size: float | None, bins: int) -> Bins:
    """Cut prices into bins `size` wide, at multiples of it, or into so many between lowest and highest."""
    if (size is not None and not size > 0) or not 1 <= bins <= MOST_BINS:
        raise InvalidArgument(
            f"bins are wider than 0, and 1 to {MOST_BINS:,} of them", hint="size=10, or bins=50"
        )
    width = size if size is not None else (high - low) / bins or low * _LONE or 1.0
    base = 0.0 if size is not None else low
    if (high - low) / width > MOST_BINS:
        raise InvalidArgument(
            f"bins of {width:g} between {low:g} and {high:g} would be more than {MOST_BINS:,}",
            hint="a larger size, or bins=50",
        )
    place = f"floor((price - {base!r}) / {width!r} + {_EDGE})"
    if size is None:
        place = f"least({place}, {bins - 1})"
    edges = f"{base!r} + place * {width!r} AS price_from, {base!r} + (place + 1) * {width!r} AS price_until"
    return Bins(width, place, edges)


# ── Where a price stands ──────────────────────────────────────────────────────────────────────

LOOK_BACKS = ("15m", "1h", "4h", "1d")


def price_context(
    session: Session,
    symbol: str,
    venue: str,
    until: Nanos,
    look_backs: Sequence[str] = LOOK_BACKS,
    price: float | None = None,
    of: Of = "prices",
) -> Window:
    """Return a row a look-back: how its sampled prices were distributed, and where `price` stands in them.

    Without a price it is the last one before `until`. `first_at` is when the first sample was: later than
    the look-back begins, where less is known. `rank_pct` is the share of samples at or below it,
    `z_score` its distance from their mean in standard deviations, unknown where nothing moved.
    """
    spans = {one: bar(one).length for one in look_backs}
    if not spans:
        raise InvalidArgument("no look-back to compare with", hint="15m, 1h, 4h, 1d")
    since = until - max(spans.values())
    sql, bound = sampled(session, symbol, venue, bar("1s"), since, until, of)
    if price is None:
        ((price,),) = session.rows(f"SELECT arg_max(close, number) FROM ({sql})", bound)
    if price is None:
        raise nothing(session, of, symbol, venue, since, until)
    frames = ", ".join(
        f"({place}, '{one}', {micros(until - span)})" for place, (one, span) in enumerate(spans.items())
    )
    found = session.arrow(
        f"""
        WITH closes AS ({sql}), looks(place, look_back, since) AS (VALUES {frames})
        SELECT look_back, count(close) AS samples, make_timestamp(min(number) * {SECOND // US}) AS first_at,
            arg_min(close, number) AS first, min(close) AS lowest,
            quantile_cont(close, 0.05) AS p5, quantile_cont(close, 0.25) AS p25,
            quantile_cont(close, 0.5) AS p50, quantile_cont(close, 0.75) AS p75,
            quantile_cont(close, 0.95) AS p95, max(close) AS highest, avg(close) AS mean,
            stddev_samp(close) AS deviation, ?::DOUBLE AS price,
            100 * avg((close <= ?)::INTEGER) AS rank_pct,
            (? - avg(close)) / nullif(stddev_samp(close), 0) AS z_score,
            (? / arg_min(close, number) - 1) * 100 AS change_pct
        FROM looks LEFT JOIN closes ON number * {SECOND // US} >= looks.since
        GROUP BY place, look_back ORDER BY place
        """,
        [*bound, price, price, price, price],
    )
    quoted = ("first", "lowest", "p5", "p25", "p50", "p75", "p95", "highest", "mean", "deviation", "price")
    units = {
        "samples": "count", "first_at": "UTC", **dict.fromkeys(quoted, "quote"), "rank_pct": "%",
        "z_score": "standard deviations", "change_pct": "%",
    }  # fmt: skip
    return described(
        session, found, "look-backs", of, symbol, venue, since, until, units=units, notes={"price": price}
    )

"""Payments: funding, each settlement counted once, and positions that were closed by force.

A settlement is named by `next_funding_time`, to the minute (REST and archives stray by milliseconds).
However often its rate was told, the last row that names it counts. Where a venue names none, because
funding accrues or its history tells the times alone, the interval's own grid from midnight UTC stands
for it. A rate is a fraction of the position's value, paid by the longs if above 0.
"""

from collections.abc import Sequence

from orderflow.market.events import DAY, HOUR, MINUTE, US, Nanos
from orderflow.store.bar import Bar
from orderflow.store.session import Session
from orderflow.store.statements import Parameter, whole
from orderflow.store.statistics import binned
from orderflow.store.windows import Window, described, nothing

HOURS_A_YEAR = 8_760  # by which annualized_pct is reckoned in the tables, too
_LONGEST: Nanos = DAY  # between two settlements: rows so much older may tell of one in the window


def _settlements(
    session: Session, symbol: str, venues: str | Sequence[str] | None, since: Nanos, until: Nanos
) -> tuple[str, list[Parameter]]:
    """Return the SELECT of each settlement from `since` on that was told before `until`, once."""
    where, bound = session.where(symbol, venues, since - _LONGEST, until)
    minute, hour = MINUTE // US, HOUR // US
    sql = f"""
        WITH named AS (
            SELECT venue::VARCHAR AS venue, funding_rate, predicted_rate, interval_hours, timestamp, id,
                next_funding_time IS NOT NULL AS named, coalesce(
                    (epoch_us(next_funding_time) + {minute // 2}) // {minute} * {minute},
                    (ceil(epoch_us(timestamp) / (interval_hours * {hour})) * interval_hours * {hour})::BIGINT
                ) AS settles
            FROM {session.source("funding_rates", symbol, venues, since - _LONGEST)} {where} AND funding_rate IS NOT NULL
        ),
        once AS (
            FROM named WHERE settles IS NOT NULL QUALIFY row_number() OVER (
                PARTITION BY venue, settles ORDER BY named DESC, timestamp DESC, id DESC) = 1
        ),
        spaced AS (
            SELECT *, settles - lag(settles) OVER (PARTITION BY venue ORDER BY settles) AS since_last FROM once
        ),
        timed AS (
            SELECT venue, settles, funding_rate, predicted_rate, timestamp AS told_at, settles < {until // US} AS settled,
                coalesce(interval_hours, min(since_last) OVER (PARTITION BY venue) / {hour}.0) AS interval_hours
            FROM spaced
        )
        SELECT venue, make_timestamp(settles) AS settles_at, funding_rate, interval_hours,
            funding_rate * {HOURS_A_YEAR} / nullif(interval_hours, 0) * 100 AS annualized_pct,
            if(settled, sum(funding_rate) FILTER (WHERE settled) OVER (
                PARTITION BY venue ORDER BY settles), NULL) AS cumulative_rate, predicted_rate, told_at, settled
        FROM timed WHERE settles >= {since // US}
    """
    return sql, bound


def settlements(
    session: Session, symbol: str, venues: str | Sequence[str] | None, since: Nanos, until: Nanos
) -> Window:
    """Return each funding settlement of a window once, and the next one with the rate told last.

    `settled` is false for that next one, and its rate is not in the `cumulative_rate`, which begins
    with the window.
    """
    sql, bound = _settlements(session, symbol, venues, since, until)
    found = session.arrow(f"FROM ({sql}) ORDER BY settles_at, venue", bound)
    if not found.num_rows:
        raise nothing(session, "funding_rates", symbol, venues, since, until)
    units = {
        "settles_at": "UTC", "funding_rate": "fraction per interval", "interval_hours": "h",
        "annualized_pct": "% a year", "cumulative_rate": "fraction", "predicted_rate": "fraction per interval",
        "told_at": "UTC",
    }  # fmt: skip
    return described(
        session, found, "settlements", "funding_rates", symbol, venues, since, until, units=units
    )


def funding_comparison(
    session: Session, symbol: str, venues: str | Sequence[str] | None, since: Nanos, until: Nanos
) -> Window:
    """Return a row a venue: what its longs paid in the window, and what it asks for next.

    Each rate is annualised by its own interval. `missing` are settlements between the first and the last
    that nothing was heard of: what was paid then is not in the sum.
    """
    sql, bound = _settlements(session, symbol, venues, since, until)
    found = session.arrow(
        f"""
        SELECT venue, count(*) FILTER (WHERE settled) AS settlements,
            coalesce(greatest(0, round(date_diff('second', min(settles_at) FILTER (WHERE settled),
                max(settles_at) FILTER (WHERE settled)) / (min(interval_hours) * 3600)) + 1
                - count(*) FILTER (WHERE settled)), 0)::BIGINT AS missing,
            sum(funding_rate) FILTER (WHERE settled) AS cumulative_rate,
            avg(funding_rate) FILTER (WHERE settled) AS mean_rate,
            min(funding_rate) FILTER (WHERE settled) AS lowest_rate,
            max(funding_rate) FILTER (WHERE settled) AS highest_rate,
            sum(funding_rate) FILTER (WHERE settled) * {HOURS_A_YEAR} * 100
                / nullif(sum(interval_hours) FILTER (WHERE settled), 0) AS mean_annualized_pct,
            arg_max(funding_rate, settles_at) AS next_rate, arg_max(interval_hours, settles_at) AS interval_hours,
            arg_max(annualized_pct, settles_at) AS next_annualized_pct,
            arg_max_null(predicted_rate, settles_at) AS predicted_rate,
            if(bool_or(NOT settled), max(settles_at), NULL) AS next_settles_at, max(told_at) AS told_at
        FROM ({sql}) GROUP BY venue ORDER BY next_annualized_pct DESC NULLS LAST, venue
        """,
        bound,
    )
    if not found.num_rows:
        raise nothing(session, "funding_rates", symbol, venues, since, until)
    rates = ("mean_rate", "lowest_rate", "highest_rate", "next_rate", "predicted_rate")
    units = {
        "settlements": "count", "missing": "count", "cumulative_rate": "fraction",
        **dict.fromkeys(rates, "fraction per interval"), "mean_annualized_pct": "% a year",
        "interval_hours": "h", "next_annualized_pct": "% a year", "next_settles_at": "UTC", "told_at": "UTC",
    }  # fmt: skip
    return described(session, found, "fundings", "funding_rates", symbol, venues, since, until, units=units)


# ── Positions that were closed by force ───────────────────────────────────────────────────────

_SIDES = ", ".join(
    f"{whole('value', where)} AS {side}_value, count(*) FILTER (WHERE {where}) AS {side}s"
    for side, where in (("long", "side = 'long'"), ("short", "side = 'short'"))
)
_SIDE_UNITS = {"long_value": "quote", "longs": "count", "short_value": "quote", "shorts": "count"}


def liquidation_map(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
    size: float | None = None,
    bins: int = 20,
    min_value: float = 0.0,
) -> Window:
    """Return what was closed by force in each bin of prices, by side, lowest first; empty bins are absent.

    Bins as in `volume_by_price`. Venues are added together. What is smaller than `min_value` is left out.
    """
    where, bound = _above(session, symbol, venues, since, until, min_value)
    source = session.source("liquidations", symbol, venues, since)
    ((low, high),) = session.rows(f"SELECT min(price), max(price) FROM {source} {where}", bound)
    if low is None:
        raise nothing(session, "liquidations", symbol, venues, since, until)
    cut = binned(low, high, size, bins)
    found = session.arrow(
        f"SELECT {cut.edges}, {_SIDES} FROM (SELECT *, {cut.place} AS place FROM {source} {where})"
        " GROUP BY place ORDER BY place",
        bound,
    )
    units = {"price_from": "quote", "price_until": "quote", **_SIDE_UNITS}
    notes = {"size": cut.width, "lowest": low, "highest": high}
    heard = venues or [
        one
        for (one,) in session.rows(f"SELECT DISTINCT venue::VARCHAR FROM {source} {where} ORDER BY 1", bound)
    ]
    return described(
        session, found, "price bins", "liquidations", symbol, heard, since, until, units=units, notes=notes
    )


def liquidation_bars(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    bar: Bar | None,
    since: Nanos,
    until: Nanos,
    min_value: float = 0.0,
) -> Window:
    """Return what was closed by force in each bar of time, a venue, by side; empty bars are absent.

    Without a bar it is one row a venue, of the whole window.
    """
    since = since if bar is None else bar.begin(since)
    where, bound = _above(session, symbol, venues, since, until, min_value)
    number = "0" if bar is None else bar.of("timestamp")
    opens = f"make_timestamp({since // US} + number)" if bar is None else bar.opens("number")
    found = session.arrow(
        f"""
        SELECT venue::VARCHAR AS venue, {opens} AS open_time, {_SIDES},
            max(value) AS largest_value, min(price) AS lowest, max(price) AS highest
        FROM (SELECT *, {number} AS number FROM {session.source("liquidations", symbol, venues, since)} {where})
        GROUP BY venue, number ORDER BY open_time, venue
        """,
        bound,
    )
    if not found.num_rows:
        raise nothing(session, "liquidations", symbol, venues, since, until)
    quoted = ("largest_value", "lowest", "highest")
    units = {"open_time": "UTC", **_SIDE_UNITS, **dict.fromkeys(quoted, "quote")}
    return described(
        session,
        found,
        "totals" if bar is None else f"{bar.name} bars",
        "liquidations",
        symbol,
        venues,
        since,
        until,
        units=units,
    )


def _above(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
    min_value: float,
) -> tuple[str, list[Parameter]]:
    where, bound = session.where(symbol, venues, since, until)
    return (f"{where} AND value >= ?", [*bound, min_value]) if min_value > 0 else (where, bound)

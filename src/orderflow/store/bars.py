"""Bars: open, high, low, close and volumes at any length, from trades or from the venues' own candles.

The bars of one venue are made of one source, which the answer names; sources are never mixed. A bar in
which nothing happened is absent. What is unknown of one row is unknown of its bar.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import pyarrow as pa

from orderflow.market.events import MINUTE, US, Nanos
from orderflow.store.answers import Coverage
from orderflow.store.bar import Bar, fixed
from orderflow.store.coverage import coverages
from orderflow.store.session import Session, venue_ids
from orderflow.store.statements import Parameter, whole
from orderflow.store.windows import Window, nothing

Source = Literal["auto", "trades", "candles"]

UNITS = {
    "open_time": "UTC",
    "open": "quote",
    "high": "quote",
    "low": "quote",
    "close": "quote",
    "volume": "base",
    "quote_volume": "quote",
    "trade_count": "count",
    "taker_buy_volume": "base",
    "vwap": "quote",
}
NEARLY = 0.99  # of what the best source tells: as good as it

# Several trades share an instant: the first and the last of a bar are told by the id, too. As one number, since
# pairs take twice as long to compare.
_PLACE = "epoch_us(timestamp)::HUGEINT * 18446744073709551616 + id"


class Chosen(msgspec.Struct, frozen=True):
    """What a venue's bars are made of: its trades, or its candles of an interval."""

    source: Literal["trades", "candles"]
    interval: str | None = None
    share: float = 0.0  # of the window that it tells

    def __str__(self) -> str:
        return "trades" if self.interval is None else f"{self.interval} candles"


def bars(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    bar: Bar,
    since: Nanos,
    until: Nanos,
    source: Source = "auto",
) -> Window:
    """Return the bars that begin in [since, until), `since` moved back to when its bar begins.

    `closed`: the bar ends within the window, so that nothing can be added to it. `auto` takes a venue's
    trades where they tell as much of the window as its candles do. Raises `NoData`.
    """
    since, symbol = bar.begin(since), session.symbol(symbol)
    chosen = _chosen(session, symbol, venues, bar, since, until, source)
    parts, bound = list[str](), list[Parameter]()
    for one in dict.fromkeys(chosen.values()):
        among = [venue for venue, what in chosen.items() if what == one]
        sql, values = (
            _of_trades(session, symbol, among, bar, since, until)
            if one.interval is None
            else _of_candles(session, symbol, among, bar, since, until, one.interval)
        )
        parts.append(sql)
        bound += values
    found: pa.Table | None = None
    if parts:
        found = session.arrow(f"FROM ({' UNION ALL '.join(parts)}) ORDER BY open_time, venue", bound)
    if found is None or not found.num_rows:
        raise nothing(session, "candles" if source == "candles" else "trades", symbol, venues, since, until)
    return Window(
        what=f"{bar.name} bars",
        symbol=symbol,
        since=since,
        until=until,
        found=found,
        units=UNITS,
        coverage=_coverage(session, symbol, venue_ids(venues), chosen, since, until),
        kind=session.kind,
        notes={"made_of": {venue: str(one) for venue, one in chosen.items()}},
    )


def _of_trades(
    session: Session, symbol: str, venues: Sequence[str], bar: Bar, since: Nanos, until: Nanos
) -> tuple[str, list[Parameter]]:
    where, bound = session.where(symbol, venues, since, until)
    sql = f"""
        SELECT venue::VARCHAR AS venue, {bar.opens("number")} AS open_time,
            arg_min(price, place) AS open, max(price) AS high, min(price) AS low, arg_max(price, place) AS close,
            {whole("quantity")} AS volume, {whole("value")} AS quote_volume,
            {whole("count")}::BIGINT AS trade_count,
            {whole("quantity", "NOT is_buyer_maker")} AS taker_buy_volume,
            {whole("value")} / nullif({whole("quantity")}, 0) AS vwap,
            {_over(bar, until)} AS closed
        FROM (SELECT *, {bar.of("timestamp")} AS number, {_PLACE} AS place FROM {session.source("trades", symbol, venues, since)} {where})
        GROUP BY venue, number
    """
    return sql, bound


def _of_candles(
    session: Session,
    symbol: str,
    venues: Sequence[str],
    bar: Bar,
    since: Nanos,
    until: Nanos,
    interval: str,
) -> tuple[str, list[Parameter]]:
    where, bound = _candles(session, symbol, venues, since, until)
    sql = f"""
        SELECT venue::VARCHAR AS venue, {bar.opens("number")} AS open_time,
            arg_min(open, open_time) AS open, max(high) AS high, min(low) AS low,
            arg_max(close, open_time) AS close,
            {whole("volume")} AS volume, {whole("quote_volume")} AS quote_volume,
            {whole("trade_count")}::BIGINT AS trade_count, {whole("taker_buy_volume")} AS taker_buy_volume,
            {whole("quote_volume")} / nullif({whole("volume")}, 0) AS vwap,
            {_over(bar, until)} AND bool_and(coalesce(closed, false)) AS closed
        FROM (SELECT *, {bar.of("open_time")} AS number FROM {session.source("candles", symbol, venues, since - MINUTE)} {where}
            AND interval = ?)
        GROUP BY venue, number
    """
    return sql, [*bound, interval]


def _over(bar: Bar, until: Nanos) -> str:
    return f"({bar.opens('(number + 1)')} <= make_timestamp({until // US}))"


def _candles(
    session: Session, symbol: str, venues: str | Sequence[str] | None, since: Nanos, until: Nanos
) -> tuple[str, list[Parameter]]:
    """Return the condition for candles that begin in a window and tell nothing of what came after it.

    A candle's time is that of its news, or its end: never before it begins. One that is closed has all
    that happened until its end; one that was open when it was told, until then.
    """
    where, bound = session.where(symbol, venues, since - MINUTE)  # our clock may be behind the venue's
    end = until // US
    return (
        f"{where} AND open_time >= make_timestamp({since // US}) AND open_time < make_timestamp({end})"
        f" AND if(closed, close_time, timestamp) < make_timestamp({end})",
        bound,
    )


# ── Of what the bars are made ─────────────────────────────────────────────────────────────────


def _chosen(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    bar: Bar,
    since: Nanos,
    until: Nanos,
    source: Source,
) -> dict[str, Chosen]:
    candles = _intervals(session, symbol, venues, bar, since, until) if source != "trades" else {}
    if source == "candles":
        return candles
    where, bound = session.where(symbol, venues, since, until)
    traded = [
        venue
        for (venue,) in session.rows(
            f"SELECT DISTINCT venue::VARCHAR FROM {session.source('trades', symbol, venues, since)} {where} ORDER BY 1",
            bound,
        )
    ]
    told: dict[str, Coverage] = {}
    if candles and traded:
        told = coverages(session, ["trades"], symbol, traded, since, until)["trades"]
    found = dict(candles)
    for venue in traded:
        share = (told[venue].percent or 0.0) / 100 if venue in told else 1.0
        if venue not in candles or share >= NEARLY * candles[venue].share:
            found[venue] = Chosen("trades", None, share)
    return dict(sorted(found.items()))


def _intervals(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    bar: Bar,
    since: Nanos,
    until: Nanos,
) -> dict[str, Chosen]:
    """Return, for each venue, the finest stored interval that divides the bar and tells enough.

    Enough is nearly as much of the window as any of them: minutes of the last hour do not stand for
    the hours of a week.
    """
    where, bound = _candles(session, symbol, venues, since, until)
    found = session.rows(
        "SELECT venue::VARCHAR, interval, sum(epoch_us(least(close_time, make_timestamp(?)))"
        f" - epoch_us(open_time)) * 1000 FROM {session.source('candles', symbol, venues, since - MINUTE)} {where} GROUP BY ALL",
        [until // US, *bound],
    )
    usable: dict[str, list[tuple[Nanos, Chosen]]] = {}
    for venue, interval, told in found:
        part = fixed(interval)
        if part is not None and bar.length % part.length == 0 and _aligned(part, bar):
            chosen = Chosen("candles", interval, (told or 0) / (until - since))
            usable.setdefault(venue, []).append((part.length, chosen))
    best: dict[str, Chosen] = {}
    for venue, offered in sorted(usable.items()):
        most = max(one.share for _, one in offered)
        best[venue] = min((one for one in offered if one[1].share >= NEARLY * most), key=_finest)[1]
    return best


def _finest(offered: tuple[Nanos, Chosen]) -> Nanos:
    return offered[0]


def _aligned(part: Bar, bar: Bar) -> bool:
    """Tell whether bars begin where parts of them do."""
    return (bar.origin - part.origin) % part.length == 0


def _coverage(
    session: Session,
    symbol: str,
    asked: Sequence[str],
    chosen: dict[str, Chosen],
    since: Nanos,
    until: Nanos,
) -> dict[str, Coverage]:
    """Return the coverage of each venue's own source; of venues without rows, that of trades."""
    found: dict[str, Coverage] = {}
    for stream in ("trades", "candles"):
        among = [venue for venue, one in chosen.items() if one.source == stream]
        if stream == "trades":
            among += [venue for venue in asked if venue not in chosen]
        if among:
            found |= coverages(session, [stream], symbol, among, since, until)[stream]
    return dict(sorted(found.items()))

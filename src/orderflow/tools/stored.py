"""Stored: what the database holds, and what part of a window was collected."""

from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MS
from orderflow.market.instruments import MARKETS, venue_id
from orderflow.market.streams import STREAMS
from orderflow.tools.answers import Answer, Meta, Row, Venues, Window
from orderflow.tools.board import MOST_GAPS, gap_row, remarks, unified
from orderflow.tools.past import FAMILY, past, silent
from orderflow.tools.spec import Ask, Instant, VenueId, tool
from orderflow.tools.times import millis

_STATS = {
    "name": "", "venue": "", "symbol": "", "stream": "", "rows": "count", "first": "UTC", "last": "UTC",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="What is stored",
    columns=_STATS,
    example={"symbol": "BTCUSDT"},
    limit=100,
    core=False,
    asks_store=True,
)
def history_stats(ask: Ask, symbol: str | None = None, venues: list[VenueId] | None = None) -> Answer:
    """Every series that has rows: its name as a table, how many rows, and the times of the first and last.

    Use it to see what can be asked; history_coverage tells how whole a window is.

    Args:
        symbol: unified symbol as in BTCUSDT; all when left out
        venues: all when left out
    """
    every = ask.history.series()
    among = [venue_id(one) for one in venues] if venues else list(MARKETS)
    wanted = [
        one
        for one in every
        if (symbol is None or one.symbol in (symbol, unified(symbol))) and one.venue in among
    ]
    if not wanted:
        known = sorted({one.symbol for one in every})
        raise NoData(
            f"nothing is stored{f' of {symbol[:40]}' if symbol else ''}",
            hint=f"stored symbols: {', '.join(known[:20]) or 'none yet'}",
        )
    wanted.sort(key=lambda one: -one.rows)
    streams: dict[str, int] = {}
    for one in wanted:
        streams[one.stream] = streams.get(one.stream, 0) + one.rows
    store = ask.context.health().get("store", {})
    meta = Meta(
        tool=ask.tool,
        as_of=ask.as_of,
        source=ask.source,
        venues=Venues(answered=list(dict.fromkeys(sorted(one.venue for one in wanted)))),
        units={name: unit for name, unit in _STATS.items() if unit},
        window=Window(
            since=millis(min(one.first for one in wanted)), until=millis(max(one.last for one in wanted))
        ),
        coverage_reason="rows are counted, not windows: history_coverage tells what part of one was collected",
        age_ms=(ask.now - max(one.last for one in wanted)) / MS,
        warnings=remarks(ask),
    )
    rows: list[Row] = [
        [one.name, one.venue, one.symbol, one.stream, one.rows, millis(one.first), millis(one.last)]
        for one in wanted
    ]
    summary = {
        "rows": sum(streams.values()),
        "series": len(wanted),
        "by_stream": streams,
        "symbols": sorted({one.symbol for one in wanted}),
        "kind": ask.history.kind,
        "database": store.get("path"),
        "bytes": store.get("bytes"),
    }
    return Answer(meta=meta, columns=list(_STATS), rows=rows, summary=summary)


_COVERAGE = {
    "stream": "", "venue": "", "coverage_pct": "%", "gaps": "count", "first": "UTC", "last": "UTC", "reason": "",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="What part of a window was collected",
    columns=_COVERAGE,
    example={"symbol": "BTCUSDT", "since": "-4h", "streams": ["trades"]},
    limit=150,
    asks_store=True,
)
def history_coverage(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    streams: list[str] | None = None,
    since: Instant = "-1d",
    until: Instant = "now",
) -> Answer:
    """What share of a window was collected of each stream on each venue, with its gaps and the reasons.

    Use it before trusting a conclusion about the past, and when an answer says that it has gaps.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        streams: trades, prices, orderbooks and so on; all when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
    """
    asked = past(ask, symbol, venues, since, until)
    if unknown := [one for one in streams or () if one not in STREAMS]:
        raise InvalidArgument(f"unknown stream {unknown[0][:40]!r}", hint=f"streams: {', '.join(STREAMS)}")
    rows: list[Row] = []
    shares: list[float] = []
    missing: dict[str, str] = {}
    every = ask.history.coverage_by_stream(
        list(streams or STREAMS), asked.symbol, asked.venues, asked.since, asked.until
    )
    for stream, told in every.items():
        found = {venue: one for venue, one in told.items() if stream in MARKETS[venue].streams}
        quiet = silent(found, stream, list(found))
        for venue, one in found.items():
            if one.percent is None and asked.venues is None:
                continue  # not collected, and not asked for
            rows.append(
                [
                    stream, venue, one.percent, len(one.gaps), None if one.first is None else millis(one.first),
                    None if one.last is None else millis(one.last), quiet.get(venue) or one.reason or None,
                ]
            )  # fmt: skip
            shares.append(one.percent or 0.0)
    answered = list(dict.fromkeys(row[1] for row in rows if row[2] is not None))
    if not answered:
        raise NoData(
            f"nothing of {asked.symbol} was collected in this window",
            hint="history_stats says what is stored, and from when to when",
        )
    for venue in asked.venues or ():
        if venue not in answered:
            missing[venue] = f"nothing of {asked.symbol} was collected from it in this window"
    gaps = ask.history.gaps(asked.symbol, asked.venues, asked.since, asked.until)
    unfilled = [one for one in gaps if one.filled_ts is None and (not streams or one.stream in streams)]
    meta = Meta(
        tool=ask.tool,
        as_of=ask.as_of,
        source="simulated" if ask.history.kind == "simulated" else "stored",
        symbol=asked.symbol,
        venues=Venues(asked=asked.venues or answered, answered=answered, missing=missing),
        units={name: unit for name, unit in _COVERAGE.items() if unit},
        window=Window(since=millis(asked.since), until=millis(asked.until)),
        coverage_pct=sum(shares) / len(shares),
        coverage_reason=f"the mean of {len(shares)} series",
        gaps=[gap_row(one) for one in unfilled[-MOST_GAPS:]],
        warnings=remarks(ask),
    )
    return Answer(
        meta=meta, columns=list(_COVERAGE), rows=rows,
        summary={"gaps": len(unfilled), "filled_since": sum(one.filled_ts is not None for one in gaps)},
    )  # fmt: skip

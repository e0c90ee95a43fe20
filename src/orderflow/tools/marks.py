"""Marks: mark and index prices with their basis, and the indices that venues name."""

from orderflow.market.events import Event, Funding, IndexPrice, MarkPrice
from orderflow.market.facts import Asset
from orderflow.tools.answers import TIME, Answer, Row
from orderflow.tools.asking import Heard, hear, instant_of, lately, tell, wanted_symbol
from orderflow.tools.carry import annual_pct
from orderflow.tools.crossing import BPS
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, tool

_MARKS = {
    "symbol": "", "venue": "", "mark": "quote", "index": "quote", "basis": "quote", "basis_bps": "bps",
    "funding_rate": "fraction per interval", "interval_hours": "h", "funding_annual_pct": "% a year",
    "next_funding": TIME, "told": TIME, "age_ms": "ms", "source": "",
}  # fmt: skip
_INDICES = {"symbol": "", "venue": "", "index": "quote", "told": TIME, "age_ms": "ms", "source": ""}


@tool(
    family=FAMILY,
    title="Mark price and basis",
    columns=_MARKS,
    example={"symbol": "BTCUSDT"},
    limit=100,
    open_world=True,
    core=False,
)
def market_mark_price(ask: Ask, symbol: str | None = None, venues: list[AnyVenueId] | None = None) -> Answer:
    """Mark and index price of each derivative venue with the basis between them, and the funding beside.

    Use it for how rich a perpetual is against its index; market_basis for its course over time.

    Args:
        symbol: unified symbol as in BTCUSDT; every market of the venues when left out
        venues: all that answer when left out
    """
    wanted = None if symbol is None else wanted_symbol(symbol)
    found = hear(
        ask,
        ["mark", "ticker"] if wanted else ["marks", "tickers"],
        venues,
        wanted,
        kinds=(MarkPrice, IndexPrice, Funding),
        live=None if wanted is None else lambda venue: _live(ask, venue, wanted),
    )
    rows = [
        _row(heard, symbol)
        for heard in found.heard
        for symbol in dict.fromkeys(one.symbol for one in heard.of(MarkPrice))
        if wanted in (None, symbol)
    ]
    return tell(ask, found, _MARKS, rows, symbol=wanted)


def _live(ask: Ask, venue: str, symbol: str) -> list[Event]:
    marks = lately(ask.latest.marks, venue, symbol)
    return [*marks, *lately(ask.latest.fundings, venue, symbol)] if marks else []


def _row(heard: Heard, symbol: str) -> Row:
    mine = heard._replace(events=[one for one in heard.events if one.symbol == symbol])
    mark, index, funding = mine.one(MarkPrice), mine.one(IndexPrice), mine.one(Funding)
    price = None if mark is None else mark.mark
    level = mark.index if mark is not None and mark.index else None if index is None else index.price
    basis = bps = None
    if price is not None and level:
        basis, bps = price - level, (price / level - 1) * BPS
    rate = (None, None, None, None)
    if funding is not None:
        annual = annual_pct(funding.rate, funding.interval_hours)
        paid = None if funding.next_ts is None else funding.next_ts // 1_000_000
        rate = (funding.rate, funding.interval_hours, annual, paid)
    return [
        symbol, heard.venue, price, level, basis, bps, *rate, None if mark is None else instant_of(mark),
        heard.age_ms, heard.source,
    ]  # fmt: skip


@tool(
    family=FAMILY,
    title="Index price",
    columns=_INDICES,
    example={"symbol": "BTCUSDT"},
    limit=100,
    open_world=True,
    core=False,
)
def market_index_price(
    ask: Ask,
    symbol: str | None = None,
    venues: list[AnyVenueId] | None = None,
    names: bool = False,
) -> Answer:
    """The index that each venue settles and marks by; with names=true which indices it has.

    Use it for the fair price behind a derivative. An index is a mean of spot venues: nobody trades at it.

    Args:
        symbol: unified symbol as in BTCUSDT; needed unless names are asked
        venues: all that answer when left out
        names: list the indices instead, without prices
    """
    if names:
        found = hear(ask, ["indices"], venues, kinds=(Asset,))
        listed = [
            [one.native, heard.venue, None, None, heard.age_ms, heard.source]
            for heard in found.heard
            for one in heard.of(Asset)
        ]
        return tell(ask, found, _INDICES, listed)
    wanted = wanted_symbol(symbol or "")
    found = hear(ask, ["index", "mark", "ticker"], venues, wanted, kinds=(IndexPrice, MarkPrice))
    rows: list[Row] = []
    for heard in found.heard:
        index, mark = heard.one(IndexPrice), heard.one(MarkPrice)
        level = index.price if index is not None else None if mark is None else mark.index
        of = index or mark
        if level is not None and of is not None:
            rows.append([wanted, heard.venue, level, instant_of(of), heard.age_ms, heard.source])
    return tell(ask, found, _INDICES, rows, symbol=wanted)

"""Recent trades: the last prints of a symbol on each venue, with what takers bought and sold."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta as Range

from orderflow.market.errors import UnknownSymbol
from orderflow.market.events import Trade
from orderflow.tools.answers import TIME, Answer, Row
from orderflow.tools.asking import Heard, hear, instant_of, tell, wanted_symbol
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, tool

_TRADES = {
    "time": TIME, "venue": "", "side": "", "price": "quote", "size": "base", "value": "quote", "fills": "count",
    "id": "", "source": "",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Recent trades",
    columns=_TRADES,
    example={"symbol": "BTCUSDT", "count": 50},
    limit=50,
    open_world=True,
)
def market_trades(
    ask: Ask,
    symbol: str,
    venues: list[AnyVenueId] | None = None,
    count: Annotated[int, Range(ge=1, le=1000)] = 100,
    aggregate: bool = False,
) -> Answer:
    """The last trades of a symbol on each venue, newest first, the taker's side, and their split: bought, sold,
    delta, VWAP, largest.

    Use it for the tape of this moment; history_trades for a window of what was collected.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that answer when left out
        count: trades of each venue; a venue may have fewer
        aggregate: fills of one order as one row, where a venue bundles them
    """
    wanted = wanted_symbol(symbol)
    found = hear(
        ask,
        ["aggregate_trades", "trades"] if aggregate else ["trades"],
        venues,
        wanted,
        kinds=(Trade,),
        live=None if aggregate else lambda venue: _tape(ask, venue, wanted, count),
        rows=count,
    )
    rows: list[Row] = []
    summary: dict[str, Any] = {}
    for heard in found.heard:
        kept = sorted(heard.of(Trade), key=lambda one: one.ts_event or one.ts_recv)[-count:]
        rows += [_row(heard, one) for one in kept]
        summary[heard.venue] = _split(kept)
    rows.sort(key=lambda row: -(row[0] or 0))
    return tell(ask, found, _TRADES, rows, symbol=wanted, summary=summary)


def _tape(ask: Ask, venue: str, symbol: str, count: int) -> Sequence[Trade]:
    """Return the live tape, if it is as long as was asked for; else the venue is asked."""
    try:
        kept = ask.latest.recent_trades(symbol, venue)
    except UnknownSymbol:
        return ()
    return kept if len(kept) >= count else ()


def _row(heard: Heard, one: Trade) -> Row:
    return [
        instant_of(one), heard.venue, one.side, one.price, one.size, one.price * one.size, one.count, str(one.id),
        heard.source,
    ]  # fmt: skip


def _split(kept: Sequence[Trade]) -> dict[str, Any]:
    """Return what the trades add up to, in base units; of none nothing is known."""
    if not kept:
        return {}
    bought = sum(one.size for one in kept if one.side == "buy")
    sold = sum(one.size for one in kept if one.side == "sell")
    value = sum(one.size * one.price for one in kept)
    both = bought + sold
    return {
        "trades": len(kept),
        "bought": bought,
        "sold": sold,
        "delta": bought - sold,
        "buy_share_pct": bought / both * 100 if both else None,
        "vwap": value / both if both else None,
        "largest": max(one.size for one in kept),
        "from": instant_of(kept[0]),
        "until": instant_of(kept[-1]),
    }

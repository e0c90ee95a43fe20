"""Market tools: what one market looks like now."""

from typing import Annotated, Any

from msgspec import Meta as Range

from orderflow.market.streams import BOOK_LEVELS
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.board import Place, boards, meta
from orderflow.tools.crossing import BPS
from orderflow.tools.prices import units
from orderflow.tools.spec import AnyVenueId, Ask, tool
from orderflow.tools.whole_books import BAND, WALL, bands, walls, whole_books

FAMILY = "market"

_BOOK = {
    "symbol": "",
    "venue": "",
    "level": "",
    "bid": "quote",
    "bid_size": "base",
    "ask": "quote",
    "ask_size": "base",
    "source": "",
}
_MOST_SUMMED = 10


@tool(
    family=FAMILY,
    title="Order book",
    columns=_BOOK,
    example={"symbol": "BTCUSDT", "depth": 5},
    limit=50,
    open_world=True,
)
def market_orderbook(
    ask: Ask,
    symbol: str | None = None,
    venues: list[AnyVenueId] | None = None,
    depth: Annotated[int, Range(ge=1, le=1000)] = BOOK_LEVELS,
) -> Answer:
    """The best levels of a symbol's book on each venue now, with spread, sizes, imbalance, depth by distance and
    walls: levels above five times the median of their side.

    Use it for what stands near the price; ten levels are live, more are asked of the venue.

    Args:
        symbol: unified symbol as in BTCUSDT; all that are live when left out
        venues: all that are live when left out, others are asked
        depth: levels a side
    """
    if symbol is None:
        found = boards(ask, None, venues)
        answer = Answer(meta=meta(ask, found, units(_BOOK), venues), columns=list(_BOOK), rows=[])
        if depth > BOOK_LEVELS:
            answer.meta.warnings.append(
                f"{BOOK_LEVELS} levels are live: more are asked of one symbol, name it"
            )
    else:
        told = whole_books(ask, symbol, venues, depth)
        found = [told.board]
        answer = Answer(meta=meta(ask, found, units(_BOOK), venues), columns=list(_BOOK), rows=[])
        told.asked.add_to(answer.meta)
    places = [place for board in found for place in board.places]
    answer.rows = [row for place in places for row in _levels(ask, place, depth)]
    if len(places) > _MOST_SUMMED:
        answer.meta.warnings.append("spread and imbalance are told of ten books at most: name a symbol")
        return answer
    answer.summary = {f"{one.symbol}@{one.venue}": _shape(one, depth) for one in places}
    if symbol is not None:
        answer.more = {
            "bands": Table(columns=list(BAND), rows=[row for one in places for row in bands(one)]),
            "walls": Table(columns=list(WALL), rows=[row for one in places for row in walls(one, depth)]),
        }
        answer.meta.units |= units(BAND) | units(WALL)
    return answer


def _levels(ask: Ask, place: Place, depth: int) -> list[Row]:
    """Return a row a level; a side that has fewer levels than the other ends in nulls."""
    rows: list[Row] = []
    source = "rest" if place.asked else "stored" if ask.context.stored else "live"
    for rank in range(min(depth, max(len(place.bids), len(place.asks)))):
        bid, bid_size = place.bids[rank] if rank < len(place.bids) else (None, None)
        offer, offer_size = place.asks[rank] if rank < len(place.asks) else (None, None)
        rows.append([place.symbol, place.venue, rank + 1, bid, bid_size, offer, offer_size, source])
    return rows


def _shape(place: Place, depth: int) -> dict[str, Any]:
    bids, asks = place.bids[:depth], place.asks[:depth]
    bid_size, ask_size = sum(size for _, size in bids), sum(size for _, size in asks)
    spread = (asks[0][0] - bids[0][0]) / (asks[0][0] + bids[0][0]) * 2 * BPS if bids and asks else None
    return {
        "spread_bps": spread,
        "bid_size": bid_size if bids else None,
        "ask_size": ask_size if asks else None,
        "imbalance": (bid_size - ask_size) / (bid_size + ask_size) if bids and asks else None,
        "age_ms": place.book_age_ms,
    }

"""Market tools: what one market looks like now."""

from typing import Annotated, Any

from msgspec import Meta as Range

from orderflow.market.streams import BOOK_LEVELS
from orderflow.tools.answers import Answer, Row
from orderflow.tools.board import Place, boards, meta
from orderflow.tools.crossing import BPS
from orderflow.tools.prices import units
from orderflow.tools.spec import Ask, VenueId, tool

FAMILY = "market"

_BOOK = {
    "symbol": "",
    "venue": "",
    "level": "",
    "bid": "quote",
    "bid_size": "base",
    "ask": "quote",
    "ask_size": "base",
}
_MOST_SUMMED = 10


@tool(
    family=FAMILY,
    title="Order book",
    columns=_BOOK,
    example={"symbol": "BTCUSDT", "depth": 5},
    limit=50,
)
def market_orderbook(
    ask: Ask,
    symbol: str | None = None,
    venues: list[VenueId] | None = None,
    depth: Annotated[int, Range(ge=1, le=BOOK_LEVELS)] = BOOK_LEVELS,
) -> Answer:
    """The best levels of a symbol's book on each venue now, with spread, total sizes and imbalance.

    Use it to see what stands near the price. Imbalance is (bids - asks) / (bids + asks) over the
    levels shown, -1 to 1.

    Args:
        symbol: unified symbol as in BTCUSDT; all when left out
        venues: all when left out
        depth: levels a side
    """
    found = boards(ask, symbol, venues)
    places = [place for board in found for place in board.places]
    answer = Answer(
        meta=meta(ask, found, units(_BOOK), venues),
        columns=list(_BOOK),
        rows=[row for place in places for row in _levels(place, depth)],
    )
    if len(places) <= _MOST_SUMMED:
        answer.summary = {f"{one.symbol}@{one.venue}": _shape(one, depth) for one in places}
    else:
        answer.meta.warnings.append("spread and imbalance are told of ten books at most: name a symbol")
    return answer


def _levels(place: Place, depth: int) -> list[Row]:
    """Return a row a level; a side that has fewer levels than the other ends in nulls."""
    rows: list[Row] = []
    for rank in range(min(depth, max(len(place.bids), len(place.asks)))):
        bid, size = place.bids[rank] if rank < len(place.bids) else (None, None)
        ask, ask_size = place.asks[rank] if rank < len(place.asks) else (None, None)
        rows.append([place.symbol, place.venue, rank + 1, bid, size, ask, ask_size])
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

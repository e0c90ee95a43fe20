"""Consolidated book: what rests on all venues together at each price."""

from typing import Annotated, Any

import numpy as np
from msgspec import Meta as Range

from orderflow.market.errors import NoData, OrderflowError
from orderflow.market.events import BookUpdate, Level
from orderflow.market.streams import BOOK_LEVELS
from orderflow.tools.answers import Answer, Row
from orderflow.tools.asking import hear
from orderflow.tools.board import Place, boards, meta
from orderflow.tools.crossing import BPS
from orderflow.tools.prices import FAMILY, NOT_TRADED, units
from orderflow.tools.spec import SMALLEST, Ask, VenueId, tool

_BOOK = {
    "side": "", "price": "quote", "size": "base", "total": "base", "from_mid_bps": "bps", "venues": "", "best": "",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Consolidated book",
    columns=_BOOK,
    example={"symbol": "BTCUSDT", "depth": 10},
    limit=100,
    open_world=True,
)
def xv_book(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    depth: Annotated[int, Range(ge=1, le=500)] = BOOK_LEVELS,
    step: Annotated[float, Range(ge=SMALLEST)] | None = None,
    max_age_ms: Annotated[int, Range(ge=1, le=3_600_000)] = 10_000,
) -> Answer:
    """One book of all venues: sizes at each price added up, the best first, with who stands there, and how much
    rests on each side.

    Use it for the whole market's depth. Prices of venues differ by their basis: a bid above another's ask is a
    gap, told as crossed.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        depth: levels a side; more than ten are asked of the venues
        step: put prices into bins this wide, as 10
        max_age_ms: older books are left out and named
    """
    (board,) = boards(ask, symbol, venues, max_age_ms)
    places = [one for one in board.places if one.market not in NOT_TRADED and (one.bids or one.asks)]
    books = {one.venue: (list(one.bids), list(one.asks)) for one in places}
    if depth > BOOK_LEVELS:
        books |= _deeper(ask, board.symbol, list(books), depth)
    if not books:
        raise NoData(f"no book of {board.symbol} now", hint="a larger max_age_ms takes older ones")
    mid = _middle(places)
    rows: list[Row] = []
    for name, at in (("ask", 1), ("bid", 0)):
        rows += _side(name, {venue: sides[at] for venue, sides in books.items()}, depth, step, mid)
    return Answer(
        meta=meta(ask, [board], units(_BOOK), venues),
        columns=list(_BOOK),
        rows=rows,
        summary=_whole(books, mid),
    )


def _deeper(
    ask: Ask, symbol: str, venues: list[str], depth: int
) -> dict[str, tuple[list[Level], list[Level]]]:
    """Return the books that venues tell when they are asked; those that do not answer keep the live one."""
    able = [one for one in venues if one in ask.context.asker.offered("book")]
    if not able:
        return {}
    try:
        found = hear(ask, ["book"], able, symbol, kinds=(BookUpdate,), rows=depth)
    except OrderflowError:  # what is live still answers, and its levels are counted in the summary
        return {}
    told = {heard.venue: heard.of(BookUpdate)[-1] for heard in found.heard}
    return {venue: (list(one.bids), list(one.asks)) for venue, one in told.items()}


def _middle(places: list[Place]) -> float | None:
    """Return the median of the venues' mids: one that is off does not move it."""
    mids = [one.mid for one in places if one.mid]
    return float(np.median(mids)) if mids else None


def _side(
    name: str, books: dict[str, list[Level]], depth: int, step: float | None, mid: float | None
) -> list[Row]:
    """Return the levels of one side, best first, with their running total."""
    sizes: dict[float, float] = {}
    holders: dict[float, list[str]] = {}
    for venue, levels in books.items():
        for price, size in levels:
            at = (
                price
                if step is None
                else round((price // step if name == "bid" else -(-price // step)) * step, 10)
            )
            sizes[at] = sizes.get(at, 0.0) + size
            if venue not in holders.setdefault(at, []):
                holders[at].append(venue)
    rows: list[Row] = []
    total = 0.0
    for rank, price in enumerate(sorted(sizes, reverse=name == "bid")[:depth]):
        total += sizes[price]
        off = (price / mid - 1) * BPS if mid else None
        rows.append([name, price, sizes[price], total, off, " ".join(holders[price]), rank == 0])
    return rows


def _whole(books: dict[str, tuple[list[Level], list[Level]]], mid: float | None) -> dict[str, Any]:
    bids = [(price, venue) for venue, (side, _) in books.items() for price, _ in side[:1]]
    asks = [(price, venue) for venue, (_, side) in books.items() for price, _ in side[:1]]
    best_bid, best_ask = max(bids, default=None), min(asks, default=None)
    crossed = best_bid is not None and best_ask is not None and best_bid[0] > best_ask[0]
    resting = [sum(size for sides in books.values() for _, size in sides[at]) for at in (0, 1)]
    both = sum(resting)
    return {
        "median_mid": mid,
        "best_bid": None if best_bid is None else {"venue": best_bid[1], "price": best_bid[0]},
        "best_ask": None if best_ask is None else {"venue": best_ask[1], "price": best_ask[0]},
        "crossed": crossed,
        "bid_size": resting[0],
        "ask_size": resting[1],
        "imbalance": (resting[0] - resting[1]) / both if both else None,
        "levels": {venue: [len(sides[0]), len(sides[1])] for venue, sides in books.items()},
    }

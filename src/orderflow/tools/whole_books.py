"""Whole books: as many levels as are asked for, live where ten are enough, else of the venue; bands and walls in them."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from orderflow.flow.books import books
from orderflow.flow.depth import BANDS, depth
from orderflow.flow.walls import LEAST_BINS, TIMES
from orderflow.market.errors import NoData, OrderflowError, UnknownSymbol
from orderflow.market.events import BookUpdate, Level
from orderflow.market.streams import BOOK_LEVELS
from orderflow.tools.answers import Row
from orderflow.tools.asking import Heard, wanted_symbol
from orderflow.tools.board import Board, Place, boards
from orderflow.tools.crossing import BPS
from orderflow.tools.instead import Instead, ask_instead, ids, reason
from orderflow.tools.spec import Ask

BAND = {
    "venue": "", "band_bps": "bps of the mid", "bid_depth": "base", "ask_depth": "base", "imbalance": "ratio", "whole": "",
}  # fmt: skip
WALL = {
    "venue": "",
    "side": "",
    "price": "quote",
    "size": "base",
    "times": "of the median",
    "from_mid_bps": "bps",
}
MOST_WALLS = 5  # of a side, the largest


class Books(NamedTuple):
    """The books of a symbol, in one board, and who was asked for them; `error` where none was live."""

    board: Board
    asked: Instead


def whole_books(ask: Ask, symbol: str, venues: Sequence[str] | None, depth: int) -> Books:
    """Return each venue's book, at least `depth` levels a side where it tells so many.

    Venues that are named and not live are asked; without names all are, where none is live. Raises `NoData` or
    `UnknownSymbol` where there is no book at all.
    """
    own = ids(venues)
    why: OrderflowError | None = None
    try:
        (board,) = boards(ask, symbol, own)
    except (NoData, UnknownSymbol) as error:
        board, why = Board(symbol=wanted_symbol(symbol), places=[], missing={}), error
    live = [one.venue for one in board.places if one.bids or one.asks]
    left = own if not live else [one for one in own or live if depth > BOOK_LEVELS or one not in live]
    if left is not None:
        able = ask.context.asker.offered("book")
        left = [one for one in left if one in able]
    found = ask_instead(ask, "book", left, board.symbol, (BookUpdate,), rows=depth)
    places = {one.venue: one for one in board.places}
    places |= {heard.venue: place_of(heard, board.symbol) for heard in found.heard}
    if not places:
        raise reason(found, why, own)
    board.places = list(places.values())
    board.missing = {venue: said for venue, said in board.missing.items() if venue not in places}
    return Books(board, found)


def place_of(heard: Heard, symbol: str) -> Place:
    """Return what a venue told of its book when it was asked."""
    book = heard.of(BookUpdate)[-1]
    bids = sorted((one for one in book.bids if one[1] > 0), reverse=True)
    asks = sorted(one for one in book.asks if one[1] > 0)
    bid, ask = (side[0] if side else (None, None) for side in (bids, asks))
    return Place(
        venue=heard.venue, symbol=symbol, bid=bid[0], bid_size=bid[1], ask=ask[0], ask_size=ask[1],
        age_ms=heard.age_ms, bids=bids, asks=asks, book_age_ms=heard.age_ms, asked=heard.source == "rest",
    )  # fmt: skip


def bands(place: Place) -> list[Row]:
    """Return what rests in each band about the mid; of one beyond the known levels it is a lower bound."""
    width = max(len(place.bids), len(place.asks))
    if not place.bids or not place.asks:
        return []
    sides = [
        np.array([[*column, *[np.nan] * (width - len(column))]])
        for side in (place.bids, place.asks)
        for column in ([price for price, _ in side], [size for _, size in side])
    ]
    found = depth(books(np.zeros(1, dtype=np.int64), *sides), BANDS)
    if np.isnan(found.mid[0]):
        return []
    return [
        [
            place.venue, band, float(found.bid[0, at]), float(found.ask[0, at]), float(found.imbalance[0, at]),
            bool(found.whole[0, at]),
        ]
        for at, band in enumerate(BANDS)
    ]  # fmt: skip


def walls(place: Place, levels: int) -> list[Row]:
    """Return levels that hold more than five times the median of their side, the nearest first.

    Of a side with fewer than five levels there is no median worth the name, and no wall.
    """
    rows: list[Row] = []
    for name, side in (("bid", place.bids[:levels]), ("ask", place.asks[:levels])):
        if len(side) < LEAST_BINS:
            continue
        usual = median(size for _, size in side)
        large: list[Level] = sorted((one for one in side if one[1] > TIMES * usual), key=lambda one: -one[1])
        kept = sorted(large[:MOST_WALLS], reverse=name == "bid")
        rows += [
            [
                place.venue,
                name,
                price,
                size,
                size / usual,
                (price / place.mid - 1) * BPS if place.mid else None,
            ]
            for price, size in kept
        ]
    return rows

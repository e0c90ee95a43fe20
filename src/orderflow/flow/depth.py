"""Depth: what rests within so many basis points of the mid, on each side, in base and quote units.

A band of N reaches from mid × (1 − N/10⁴) to mid × (1 + N/10⁴), both edges in it. Of a book whose known
levels end inside the band the figure is what is known of it, a lower bound: `bid_whole` and `ask_whole` tell.
Ten levels of a liquid book are seldom more than a few basis points.

Unknown (NaN) are all figures of a snapshot without a mid (a side absent, or the book crossed), and those that
would count a level of unknown size. Source: the usual definition of depth on a venue's own pages and in
Kaiko's and Coin Metrics' market data; no paper's.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from orderflow.flow.books import Books
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument

BANDS = (5.0, 10.0, 25.0, 50.0, 100.0)  # basis points to either side of the mid
BPS = 1e4
EDGE = 1e-12  # of a price: a level this near to an edge is on it, whatever the product rounds to


class Depth(NamedTuple):
    """Resting size by (snapshot, band); `*_reach` is how far each side is known, in bps of the mid."""

    time: Index
    mid: Column
    bands: Column
    bid: Column
    ask: Column
    bid_quote: Column
    ask_quote: Column
    bid_reach: Column
    ask_reach: Column
    bid_whole: Mask
    ask_whole: Mask

    @property
    def whole(self) -> Mask:
        """Where both sides are known to the band's edges; net and ratios bound nothing elsewhere."""
        return self.bid_whole & self.ask_whole

    @property
    def net(self) -> Column:
        return self.bid - self.ask

    @property
    def net_quote(self) -> Column:
        return self.bid_quote - self.ask_quote

    @property
    def ratio(self) -> Column:
        """Bids over asks; NaN where there are no asks."""
        return _over(self.bid, self.ask)

    @property
    def imbalance(self) -> Column:
        """(bids − asks) / (bids + asks), -1 to 1; NaN where there is neither."""
        return _over(self.net, self.bid + self.ask)


def depth(books: Books, bands: Sequence[float] = BANDS) -> Depth:
    """Return the depth of each snapshot in each band.

    >>> from orderflow.flow.books import books
    >>> one = books(np.array([0]), np.array([[99.99, 99.9]]), np.array([[1.0, 2.0]]),
    ...             np.array([[100.01, 100.1]]), np.array([[4.0, 8.0]]))
    >>> found = depth(one, (1, 10, 20))
    >>> found.bid.tolist(), found.ask.tolist(), found.bid_whole.tolist()
    ([[1.0, 3.0, 3.0]], [[4.0, 12.0, 12.0]], [[True, True, False]])
    """
    low, high = edges(books, bands)
    bid, bid_quote = resting(books.bid_price, books.bid_size, low, high)
    ask, ask_quote = resting(books.ask_price, books.ask_size, low, high)
    mid = books.mid
    return Depth(
        time=books.time,
        mid=mid,
        bands=np.asarray(bands, dtype=np.float64),
        bid=bid,
        ask=ask,
        bid_quote=bid_quote,
        ask_quote=ask_quote,
        bid_reach=_over(mid - books.bid_end, mid) * BPS,
        ask_reach=_over(books.ask_end - mid, mid) * BPS,
        bid_whole=books.bid_end[:, None] <= low * (1 + 2 * EDGE),
        ask_whole=books.ask_end[:, None] >= high * (1 - 2 * EDGE),
    )


def edges(books: Books, bands: Sequence[float]) -> tuple[Column, Column]:
    """Return the lowest and the highest price of each band by (snapshot, band), NaN where there is no mid."""
    width = np.asarray(bands, dtype=np.float64) / BPS
    if width.ndim != 1 or not np.all((width > 0) & (width < 1)):
        raise InvalidArgument(f"{list(bands)} are no bands", hint="basis points above 0 and below 10,000")
    mid = books.mid[:, None]
    return mid * (1 - width) * (1 - EDGE), mid * (1 + width) * (1 + EDGE)


def resting(price: Column, size: Column, low: Column, high: Column) -> tuple[Column, Column]:
    """Return the base and quote units that rest in [low, high]; NaN where an edge is not known."""
    base, quote = np.full(low.shape, np.nan), np.full(low.shape, np.nan)
    missing = np.isnan(size)
    sized = np.where(missing, 0.0, size)
    valued = np.where(missing, 0.0, size * price)
    unknown = (missing & ~np.isnan(price)) if np.any(missing) else None
    for band in range(low.shape[1]):
        inside = (price >= low[:, band, None]) & (price <= high[:, band, None])
        known = ~np.isnan(low[:, band]) & ~np.isnan(high[:, band])
        if unknown is not None:
            known &= ~np.any(inside & unknown, axis=1)
        # Products of rows, added up: half the time of picking first and adding then.
        base[known, band] = np.einsum("ij,ij->i", inside, sized)[known]
        quote[known, band] = np.einsum("ij,ij->i", inside, valued)[known]
    return base, quote


def _over(part: Column, whole: Column) -> Column:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)

"""Microprice: where the mid is expected to be after its next moves, given imbalance and spread.

Stoikov, The Micro-Price: A High Frequency Estimator of Future Prices, 2018: mid + g(imbalance, spread). The
state of the touch is the bucket of bid size / (bid size + ask size) and the spread in ticks; between states
the book goes as a Markov chain, estimated from its past together with the mirror image of that past, so
that what holds of buyers holds of sellers. With Q the steps that leave the mid as it is, r the expected
move of a step and R the steps that move it: g1 = (1 − Q)⁻¹ r is expected of the first move, B = (1 − Q)⁻¹ R
says in which state it leaves the book, and g = g1 + B g1 + B² g1 + …

A step is from one snapshot to the next, so snapshots should come with changes of the touch. A model is of the past: made of
the same columns that it is applied to, it looks ahead. The simpler size-weighted mid is in `pressure`.
"""

from typing import NamedTuple

import numpy as np

from orderflow.flow.books import Books
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument

BUCKETS = 9  # of imbalance; odd, so that a balanced book is a state of its own and g of it is 0
SPREADS = 3  # the widest spread with states, in ticks; a wider one has no microprice
MOVES = 1000  # moves looked ahead at most; the sum of them has settled long before
SETTLED = 1e-9  # ticks


class MicropriceModel(NamedTuple):
    """The mid's expected move by (bucket of imbalance, spread in ticks - 1), in quote units.

    NaN is a state that was not seen to lead to a move. `steps` are those it was estimated from. Where the sum
    over the moves has not `settled`, the past was too short, and the model should not be used.
    """

    adjustment: Column
    tick: float
    steps: int
    settled: bool

    def price(self, books: Books) -> Column:
        """Return the microprice of each snapshot; NaN where it is in no state, or in one that is unknown."""
        state = _states(books, self.tick, *self.adjustment.shape)
        moved = self.adjustment.ravel()[np.maximum(state, 0)]
        return np.where(state >= 0, books.mid + moved, np.nan)


def microprice_model(
    books: Books, tick: float, buckets: int = BUCKETS, spreads: int = SPREADS, follows: Mask | None = None
) -> MicropriceModel:
    """Estimate the model from snapshots; `follows` is false where one does not follow the one before.

    Raises `InvalidArgument` where the mid of these snapshots never moves.
    """
    if buckets < 1 or spreads < 1 or not tick > 0:
        raise InvalidArgument(
            f"no states of {buckets} buckets and {spreads} spreads of {tick}",
            hint="1 or more, and a tick above 0",
        )
    state, mid = _states(books, tick, buckets, spreads), books.mid
    taken = (state[:-1] >= 0) & (state[1:] >= 0)
    if follows is not None:
        taken &= follows[1:]
    before, after = state[:-1][taken], state[1:][taken]
    move = np.rint(2 * (mid[1:] - mid[:-1])[taken] / tick) / 2  # in ticks; mids lie on halves of them
    mirror = _mirror(buckets, spreads)
    stay, go, drift = _chain(
        np.concatenate([before, mirror[before]]),
        np.concatenate([after, mirror[after]]),
        np.concatenate([move, -move]),
        buckets * spreads,
    )
    live = _leading_to_a_move(stay, go)
    if not np.any(live):
        raise InvalidArgument("the mid of these snapshots never moves", hint="a longer past")
    among = np.ix_(live, live)
    expected, settled = _expected(stay[among], go[among], drift[among].sum(axis=1))
    adjustment = np.full(buckets * spreads, np.nan)
    adjustment[live] = expected * tick
    return MicropriceModel(adjustment.reshape(buckets, spreads), tick, len(before), settled)


def _states(books: Books, tick: float, buckets: int, spreads: int) -> Index:
    """Return the state of each snapshot, -1 where it has none."""
    bid, ask = books.bid_size[:, 0], books.ask_size[:, 0]
    spread = books.spread / tick
    total = bid + ask
    known = (total > 0) & (spread > 0.5) & (spread < spreads + 0.5)  # NaN is not
    light = np.divide(np.minimum(bid, ask), total, out=np.zeros_like(total), where=known)
    # Counted from the lighter side, so that a book and its mirror image are in states that mirror each other.
    bucket = np.minimum(np.floor(light * buckets), (buckets - 1) // 2)
    bucket = np.where(bid > ask, buckets - 1 - bucket, bucket)
    return np.where(known, bucket * spreads + np.rint(np.where(known, spread, 1.0)) - 1, -1).astype(np.int64)


def _mirror(buckets: int, spreads: int) -> Index:
    return np.arange(buckets * spreads).reshape(buckets, spreads)[::-1].ravel()


def _chain(before: Index, after: Index, move: Column, states: int) -> tuple[Column, Column, Column]:
    """Count the steps that stay and those that move the mid, and add up the moves, by (state, state)."""
    pair, moves = before * states + after, move != 0
    stay = np.bincount(pair[~moves], minlength=states**2).astype(np.float64)
    go = np.bincount(pair[moves], minlength=states**2).astype(np.float64)
    drift = np.bincount(pair, weights=move, minlength=states**2).astype(np.float64)
    return stay.reshape(states, states), go.reshape(states, states), drift.reshape(states, states)


def _leading_to_a_move(stay: Column, go: Column) -> Mask:
    """Return the states from which the mid was seen to move, at once or by way of other such states.

    A state that leads nowhere is only the last of a stretch; what leads into it is left out with it.
    """
    live: Mask = np.any(stay + go, axis=1)
    while True:
        leads: Mask = np.any(go[:, live], axis=1) & live
        for _ in range(len(stay)):
            leads = (leads | np.any(stay[:, leads], axis=1)) & live
        if np.array_equal(leads, live):
            return live
        live = leads


def _expected(stay: Column, go: Column, drift: Column) -> tuple[Column, bool]:
    """Return the expected sum of moves from each state, in ticks, and whether it has settled."""
    total = (stay + go).sum(axis=1)
    first = np.linalg.solve(np.diag(total) - stay, np.column_stack([drift, go]))
    move, onwards = first[:, 0], first[:, 1:]
    expected: Column = move.astype(np.float64)
    settled = False
    for _ in range(MOVES):
        move = onwards @ move
        expected += move
        settled = bool(np.abs(move).max() < SETTLED)
        if settled:
            break
    return expected, settled

"""Stoikov's microprice: by hand, and beside the chain followed step by step."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from orderflow.flow.books import Books, books
from orderflow.flow.microprice import MicropriceModel, microprice_model
from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument

TICK = 0.5


def touches(*rows: tuple[float, float, float, float]) -> Books:
    """Snapshots of the best bid in ticks, its size, the spread in ticks, the ask's size."""
    bid, bid_size, spread, ask_size = np.array(rows, dtype=np.float64).reshape(-1, 4).T[:, :, None]
    return books(np.arange(len(rows)), bid * TICK, bid_size, (bid + spread) * TICK, ask_size)


# Balanced, then heavy with bids; then in half of the cases up by a tick, in half back to balanced.
HALF = touches((100, 5, 1, 5), (100, 9, 1, 1), (101, 5, 1, 5), (101, 9, 1, 1), (101, 5, 1, 5))


def test_a_chain_by_hand() -> None:
    # Mirrored, the balanced book leads to heavy bids and heavy asks alike: 0 is expected of it. From heavy bids
    # half a tick is expected of the next step, and after it the book is balanced, so nothing more.
    model = microprice_model(HALF, TICK, buckets=3, spreads=1)
    np.testing.assert_allclose(model.adjustment, [[-0.25], [0.0], [0.25]], atol=1e-12)
    assert (model.steps, model.settled) == (4, True)
    np.testing.assert_allclose(model.price(HALF), [50.25, 50.5, 50.75, 51.0, 50.75])


def test_what_is_in_no_state_has_no_microprice() -> None:
    model = microprice_model(HALF, TICK, buckets=3, spreads=1)
    nan = np.nan
    others = touches((100, 9, 2, 1), (100, 0, 1, 0), (100, nan, 1, 1), (100, 9, 0, 1), (nan, nan, 1, 1))
    assert np.isnan(model.price(others)).all()
    unseen = microprice_model(HALF, TICK, buckets=5, spreads=1)
    assert np.isnan(unseen.adjustment[[1, 3], 0]).all()
    assert np.isnan(unseen.price(touches((100, 7, 1, 4)))).all()  # 7/11 is in the fourth of five buckets


def test_a_gap_is_no_step() -> None:
    follows = np.array([True, True, False, True, True])
    with pytest.raises(InvalidArgument, match="never moves"):
        microprice_model(HALF, TICK, buckets=3, spreads=1, follows=follows)
    with pytest.raises(InvalidArgument, match="never moves"):
        microprice_model(touches(), TICK)
    for arguments in ((0.0, 3, 1), (TICK, 0, 1), (TICK, 3, 0)):
        with pytest.raises(InvalidArgument, match="no states"):
            microprice_model(HALF, *arguments)


PATHS = st.lists(
    st.tuples(st.integers(100, 102), st.sampled_from([1.0, 3.0, 9.0]), st.integers(1, 3), st.sampled_from([1.0, 3.0, 9.0])),
    min_size=2,
    max_size=60,
)  # fmt: skip


def after_a_step(found: Books, model: MicropriceModel) -> Column:
    """Return what is expected of the next step and of what the model says after it, in quote units."""
    buckets, spreads = model.adjustment.shape
    adjustment = model.adjustment.ravel()
    steps: list[list[float]] = [[] for _ in adjustment]
    bid, ask = found.bid_size[:, 0], found.ask_size[:, 0]
    spread = np.rint(found.spread / TICK).astype(int)
    for sign in (1, -1):
        share = bid / (bid + ask) if sign == 1 else ask / (bid + ask)
        state = np.where(spread <= spreads, np.floor(share * buckets).astype(int) * spreads + spread - 1, -1)
        for one, other, move in zip(state, state[1:], np.diff(found.mid), strict=False):
            if one >= 0 and other >= 0 and not np.isnan(adjustment[other]):
                steps[one].append(sign * move + adjustment[other])
    return np.array([np.mean(one) if one else np.nan for one in steps]).reshape(buckets, spreads)


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # short paths seldom make a model
@given(rows=PATHS)
def test_a_step_of_the_chain_is_expected_to_change_nothing(rows: list[tuple[int, float, int, float]]) -> None:
    """The microprice is a martingale: what it is now is what it will be on average after the next step."""
    found = touches(*rows)
    try:
        model = microprice_model(found, TICK, buckets=5, spreads=2)
    except InvalidArgument:
        assume(False)
        return
    assume(model.settled)
    live = ~np.isnan(model.adjustment)
    np.testing.assert_allclose(after_a_step(found, model)[live], model.adjustment[live], atol=1e-6)


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # short paths seldom make a model
@given(rows=PATHS)
def test_buyers_and_sellers_are_judged_alike(rows: list[tuple[int, float, int, float]]) -> None:
    try:
        model = microprice_model(touches(*rows), TICK, buckets=5, spreads=2)
    except InvalidArgument:
        assume(False)
        return
    assume(model.settled)
    # what follows a move below 1e-9 may add up to a thousand times that, where the chain settles slowly
    np.testing.assert_allclose(model.adjustment, -model.adjustment[::-1], atol=1e-6)

"""Fills put together again into the orders of takers: by hand, and for any tape."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.takers import TakerOrders, taker_orders
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument


class Tape(NamedTuple):
    time: Index
    price: Column
    size: Column
    is_buy: Mask

    def rows(self, begin: int, end: int | None = None) -> "Tape":
        return Tape(self.time[begin:end], self.price[begin:end], self.size[begin:end], self.is_buy[begin:end])


def tape(*fills: tuple[int, float, float, bool]) -> Tape:
    time, price, size, is_buy = zip(*fills, strict=True)
    return Tape(np.array(time), np.array(price), np.array(size), np.array(is_buy))


@st.composite
def tapes(draw: st.DrawFn) -> Tape:
    fill = st.tuples(st.integers(0, 8), st.integers(995, 1005), st.integers(1, 9), st.booleans())
    fills = draw(st.lists(fill, min_size=1, max_size=60))
    step, price, size, is_buy = zip(*fills, strict=True)
    return Tape(np.cumsum(step), np.array(price) / 10, np.array(size) / 4, np.array(is_buy))


def rows(orders: TakerOrders) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in orders[:9]), strict=True))


def test_fills_of_one_instant_and_side_at_rising_prices_are_one_buy() -> None:
    found = taker_orders(*tape(
        (7, 100.0, 1.0, True),
        (7, 100.0, 2.0, True),
        (7, 101.0, 1.0, True),
        (7, 100.5, 1.0, True),  # back down: another taker's
        (7, 100.0, 4.0, False),  # another side
        (8, 99.0, 1.0, False),  # a nanosecond later, and no gap is allowed
    ))  # fmt: skip
    assert rows(found) == [
        # quote: 100 + 200 + 101 = 401; three fills at two prices
        (7, 7, True, 4.0, 401.0, 100.0, 101.0, 3, 2),
        (7, 7, True, 1.0, 100.5, 100.5, 100.5, 1, 1),
        (7, 7, False, 4.0, 400.0, 100.0, 100.0, 1, 1),
        (8, 8, False, 1.0, 99.0, 99.0, 99.0, 1, 1),
    ]
    assert found.rest == 5
    assert found.vwap[0] == 401 / 4
    # 100.25 over 100 is 0.25 %, 101 over 100 is 1 %
    assert found.slippage_bp.round(9).tolist() == [25.0, 0.0, 0.0, 0.0]
    assert found.reach_bp.round(9).tolist() == [100.0, 0.0, 0.0, 0.0]


def test_a_sell_goes_down_within_the_gap_and_is_worse_for_it() -> None:
    found = taker_orders(
        *tape((0, 100.0, 1.0, False), (3, 99.0, 1.0, False), (7, 98.0, 1.0, False)), max_gap=3
    )
    # the third comes 4 after the second; the first two average 99.5, half a percent below 100
    assert found.base.tolist() == [2.0, 1.0]
    assert found.slippage_bp.round(9).tolist() == [50.0, 0.0]
    assert found.duration.tolist() == [3, 0]
    assert found.known.tolist() == [7, 11]  # a fill at 6 could have joined the first, at 7 none


def test_an_empty_tape_has_no_orders_and_a_mixed_up_one_is_refused() -> None:
    none = np.empty(0, dtype=np.int64)
    assert rows(taker_orders(none, np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_))) == []
    with pytest.raises(InvalidArgument, match="order"):
        taker_orders(*tape((2, 1.0, 1.0, True), (1, 1.0, 1.0, True)))
    with pytest.raises(InvalidArgument, match="apart"):
        taker_orders(*tape((2, 1.0, 1.0, True)), max_gap=-1)


def test_an_unknown_size_makes_its_own_order_unknown_and_no_other() -> None:
    found = taker_orders(*tape((0, 1.0, np.nan, True), (5, 1.0, 2.0, True)))
    assert np.isnan(found.base[0])
    assert found.base[1] == 2.0


@given(tapes(), st.integers(0, 10))
def test_every_fill_is_in_one_order(one: Tape, gap: int) -> None:
    found = taker_orders(*one, max_gap=gap)
    assert found.fills.sum() == len(one.time)
    assert found.base.sum() == pytest.approx(one.size.sum())
    assert found.quote.sum() == pytest.approx((one.size * one.price).sum())
    assert (found.levels <= found.fills).all()
    assert (found.slippage_bp >= -1e-9).all()
    assert (found.reach_bp >= found.slippage_bp - 1e-9).all()


@given(tapes(), st.integers(0, 10), st.data())
def test_what_was_known_stays_as_it_was(one: Tape, gap: int, data: st.DataObject) -> None:
    until = data.draw(st.integers(0, int(one.time[-1]) + 20), label="until")
    begun = int(np.searchsorted(one.time, until))
    early, late = taker_orders(*one.rows(0, begun), max_gap=gap), taker_orders(*one, max_gap=gap)
    known = rows(early.only(early.known <= until))
    assert known == rows(late.only(late.known <= until))


@given(tapes(), st.integers(0, 10), st.data())
def test_going_on_from_the_rest_is_the_same_as_once(one: Tape, gap: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(one.time)), label="cut")
    early = taker_orders(*one.rows(0, cut), max_gap=gap)
    again = taker_orders(*one.rows(early.rest), max_gap=gap)
    assert rows(early)[:-1] + rows(again) == rows(taker_orders(*one, max_gap=gap))

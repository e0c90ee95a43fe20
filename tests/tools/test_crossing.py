"""Crossing two books: the sums are worked by hand beside each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.tools.crossing import cross, gross_bps, net_bps


def test_net_of_a_pair_is_the_gap_less_both_fees_each_on_its_own_value() -> None:
    # buy 100, sell 101: gap 1; fees 100 * 10 bps = 0.1 and 101 * 20 bps = 0.202; 0.698 of 100 = 69.8 bps
    assert gross_bps(100.0, 101.0) == pytest.approx(100.0)
    assert net_bps(100.0, 101.0, 10.0, 20.0) == pytest.approx(69.8)


def test_a_walk_takes_what_the_thinner_side_bears_level_by_level() -> None:
    asks = [(100.0, 1.0), (100.2, 2.0), (100.9, 5.0)]
    bids = [(101.0, 2.0), (100.8, 0.5), (100.3, 9.0)]
    # fees 10 bps a side, about 0.2 of 100, so a pair needs a gap of about 0.2.
    # 1.0 at 100.0 → 101.0 (gap 1.0); 1.0 at 100.2 → 101.0 (0.8); 0.5 at 100.2 → 100.8 (0.6);
    # 0.5 left at 100.2 → 100.3: gap 0.1 does not pay.
    found = cross(asks, bids, 10.0, 10.0)
    assert found is not None
    assert found.size == pytest.approx(2.5)
    assert found.buy_avg == pytest.approx((1.0 * 100.0 + 1.5 * 100.2) / 2.5)  # 100.12
    assert found.sell_avg == pytest.approx((2.0 * 101.0 + 0.5 * 100.8) / 2.5)  # 100.96
    assert found.gross == pytest.approx(252.4 - 250.3)
    assert found.fees == pytest.approx((250.3 + 252.4) * 0.001)
    assert found.net == pytest.approx(2.1 - 0.5027)
    assert found.net_bps == pytest.approx(1.5973 / 250.3 * 1e4)
    assert not found.exhausted


def test_a_least_profit_stops_the_walk_where_a_level_leaves_less() -> None:
    asks = [(100.0, 1.0), (100.2, 2.0)]
    bids = [(101.0, 3.0)]
    # without fees the first level leaves 100 bps, the second 0.8 / 100.2 = 79.8 bps
    found = cross(asks, bids, 0.0, 0.0, least_bps=90.0)
    assert found is not None
    assert found.size == 1.0


def test_a_book_that_ends_while_it_still_pays_is_said_to_be_exhausted() -> None:
    found = cross([(100.0, 1.0)], [(101.0, 3.0)], 0.0, 0.0)
    assert found is not None
    assert found.size == 1.0
    assert found.exhausted


@pytest.mark.parametrize(
    ("asks", "bids"),
    [
        ([], [(101.0, 1.0)]),
        ([(100.0, 1.0)], []),
        ([(100.0, 1.0)], [(99.0, 1.0)]),
        ([(100.0, 1.0)], [(100.1, 1.0)]),  # a gap of 10 bps does not pay 20 bps of fees
        ([(100.0, 1.0)], [(100.0, 1.0)]),
    ],
)
def test_where_no_pair_pays_there_is_no_crossing(
    asks: list[tuple[float, float]], bids: list[tuple[float, float]]
) -> None:
    assert cross(asks, bids, 10.0, 10.0) is None


prices = st.integers(900, 1100).map(lambda cents: cents / 10)
sizes = st.integers(1, 500).map(lambda lots: lots / 100)


@st.composite
def sides(draw: st.DrawFn, rising: bool) -> list[tuple[float, float]]:
    found = sorted(draw(st.sets(prices, max_size=10)), reverse=not rising)
    return [(price, draw(sizes)) for price in found]


@given(sides(rising=True), sides(rising=False), st.integers(0, 50), st.integers(0, 50))
def test_a_crossing_always_profits_and_never_exceeds_either_book(
    asks: list[tuple[float, float]], bids: list[tuple[float, float]], buy_fee: int, sell_fee: int
) -> None:
    found = cross(asks, bids, buy_fee, sell_fee)
    if found is None:
        assert not asks or not bids or net_bps(asks[0][0], bids[0][0], buy_fee, sell_fee) <= 0
        return
    assert found.net > 0
    assert found.size <= min(sum(size for _, size in asks), sum(size for _, size in bids)) * (1 + 1e-12)
    assert asks[0][0] <= found.buy_avg * (1 + 1e-12)
    assert found.sell_avg <= bids[0][0] * (1 + 1e-12)


@given(sides(rising=True), sides(rising=False), st.integers(0, 50))
def test_a_higher_fee_never_gives_more(
    asks: list[tuple[float, float]], bids: list[tuple[float, float]], fee: int
) -> None:
    low, high = cross(asks, bids, fee, fee), cross(asks, bids, fee + 1, fee + 1)
    if high is not None:
        assert low is not None
        assert low.net > high.net
        assert low.size >= high.size

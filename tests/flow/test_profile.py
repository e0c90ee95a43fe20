"""Volume profiles by hand, beside numpy's histogram and polars, and what can never happen to volume."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.cells import Cells, cells, no_cells
from orderflow.flow.profile import levels_in, profile
from orderflow.flow.value_area import Bin
from orderflow.market.errors import InvalidArgument
from tests.flow.prints import TICK, Prints, prints


def traded(*rows: tuple[int, float, bool]) -> Cells:
    """Trades of one bar: level, size, whether the taker bought; at a price of 10 the level."""
    level, size, is_buy = (np.array([row[at] for row in rows]) for at in range(3))
    return cells(np.zeros(len(rows), dtype=np.int64), level, size, 10.0 * level, is_buy)


# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_a_profile_has_every_bin_between_its_low_and_its_high() -> None:
    found = profile(traded((60, 1.0, True), (60, 2.0, False), (63, 4.0, True)), step=10.0)
    assert found.low.tolist() == [600.0, 610.0, 620.0, 630.0]
    assert found.centre.tolist() == [605.0, 615.0, 625.0, 635.0]
    assert found.high.tolist() == [610.0, 620.0, 630.0, 640.0]
    assert found.volume.tolist() == [3.0, 0.0, 0.0, 4.0]
    assert found.delta.tolist() == [-1.0, 0.0, 0.0, 4.0]
    # 1 × 600 bought and 2 × 600 sold; 4 × 630 bought
    assert found.quote.tolist() == [1_800.0, 0.0, 0.0, 2_520.0]
    assert found.delta_quote.tolist() == [-600.0, 0.0, 0.0, 2_520.0]
    assert found.trades.tolist() == [2, 0, 0, 1]


def test_a_wider_bin_lies_at_multiples_of_its_width() -> None:
    # bins of 20: 60 and 61 are [600, 620), 63 is in [620, 640)
    found = profile(traded((60, 1.0, True), (61, 2.0, True), (63, 4.0, True)), step=10.0, levels=2)
    assert (found.width, found.low.tolist(), found.volume.tolist()) == (20.0, [600.0, 620.0], [3.0, 4.0])


def test_poc_and_value_area_go_by_the_amount_that_was_asked() -> None:
    # base: 3 at 600 against 2 at 1000; quote: 1800 against 2000
    rows = traded((60, 3.0, True), (100, 2.0, False))
    base, quote = profile(rows, step=10.0).poc, profile(rows, step=10.0, by="quote").poc
    assert base is not None and quote is not None
    assert (base.bin.low, base.amount) == (600.0, 3.0)
    assert (quote.bin.low, quote.amount) == (1_000.0, 2_000.0)
    area = profile(rows, step=10.0, by="quote").value_area(share=0.5)
    assert area is not None
    assert area.vah == Bin(100, 1_000.0, 1_005.0, 1_010.0)
    assert area.share == 2_000 / 3_800


def test_a_profile_of_nothing_is_empty() -> None:
    found = profile(no_cells(), step=0.1)
    assert found.low.tolist() == found.volume.tolist() == []
    assert found.poc is None and found.value_area() is None


def test_a_size_that_is_not_known_leaves_no_poc() -> None:
    found = profile(traded((60, 1.0, True), (61, np.nan, True)), step=10.0)
    assert found.volume[0] == 1.0 and np.isnan(found.volume[1])
    assert found.poc is None and found.value_area() is None


def test_a_width_is_so_many_ticks_or_refused() -> None:
    assert (levels_in(70.0, 0.1), levels_in(0.3, 0.1), levels_in(0.00025, 0.00001)) == (700, 3, 25)
    for width in (0.25, 0.05, 0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidArgument, match=r"no multiple of 0\.1"):
            levels_in(width, 0.1)


def test_more_bins_than_memory_should_hold_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="2,000,000 bins"):
        profile(traded((0, 1.0, True), (1_999_999, 1.0, True)), step=0.1)
    with pytest.raises(InvalidArgument, match="no bin"):
        profile(no_cells(), step=0.1, levels=0)


# ── What can never be ─────────────────────────────────────────────────────────────────────────


@given(prints(), st.integers(1, 9))
def test_volume_is_conserved_whatever_the_bins(drawn: Prints, width: int) -> None:
    found = profile(drawn.cells(), TICK, width)
    assert found.volume.sum() == pytest.approx(drawn.size.sum())
    assert found.quote.sum() == pytest.approx((drawn.size * drawn.price).sum())
    assert found.buy.sum() == pytest.approx(drawn.size[drawn.is_buy].sum())
    assert found.trades.sum() == len(drawn.size)
    assert found.volume[0] > 0 and found.volume[-1] > 0
    np.testing.assert_allclose(found.delta, found.buy - found.sell)


@given(prints(), st.integers(1, 9))
def test_it_is_numpys_histogram(drawn: Prints, width: int) -> None:
    found = profile(drawn.cells(), TICK, width)
    edges = np.append(found.low, found.high[-1]) - TICK / 2  # between the ticks: no price on an edge
    np.testing.assert_allclose(found.volume, np.histogram(drawn.price, edges, weights=drawn.size)[0])
    np.testing.assert_array_equal(found.trades, np.histogram(drawn.price, edges)[0])


@given(prints())
def test_it_is_what_polars_sums_by_price(drawn: Prints) -> None:
    found = profile(drawn.cells(), TICK)
    frame = pl.DataFrame({"price": drawn.price, "size": drawn.size, "buy": drawn.is_buy})
    summed = frame.group_by("price").agg(
        pl.col("size").sum(), (pl.col("size") * pl.when("buy").then(1).otherwise(-1)).sum().alias("delta")
    )
    there = found.trades > 0
    assert found.low[there].tolist() == summed.sort("price")["price"].to_list()
    np.testing.assert_allclose(found.volume[there], summed.sort("price")["size"].to_numpy())
    np.testing.assert_allclose(found.delta[there], summed.sort("price")["delta"].to_numpy(), atol=1e-12)


@given(prints(), st.data())
def test_stored_and_live_together_are_the_whole(drawn: Prints, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(drawn.time)), label="cut")
    parts = drawn.rows(0, cut).cells().plus(drawn.rows(cut, len(drawn.time)).cells())
    whole, found = profile(drawn.cells(), TICK), profile(parts, TICK)
    for one, other in zip(whole[1:7], found[1:7], strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other))
    assert whole.poc is not None and found.poc is not None
    assert (whole.poc.bin, whole.poc.tied) == (found.poc.bin, found.poc.tied)
    first, second = whole.value_area(), found.value_area()
    assert first is not None and second is not None
    assert (first.val, first.vah) == (second.val, second.vah)


@given(prints(), st.integers(2, 9))
def test_a_wide_bin_is_the_sum_of_its_narrow_ones(drawn: Prints, width: int) -> None:
    fine, coarse = profile(drawn.cells(), TICK), profile(drawn.cells(), TICK, width)
    summed = np.bincount(fine.number // width - coarse.first, fine.volume)
    np.testing.assert_allclose(coarse.volume, summed)

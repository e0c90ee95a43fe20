"""Cells: each trade in one of them, whatever its order, by hand, beside plain loops and beside polars."""

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow import cells as module
from orderflow.flow.cells import Cells, cells, no_cells
from orderflow.flow.levels import levels
from tests.flow.fills import STEP, Fills, fills, same, some_fills


def test_cells_are_summed_by_bar_level_and_side_by_hand() -> None:
    four = fills((5, 100.0, 1.0), (6, 100.0, -2.0), (7, 100.25, 0.5), (12, 100.1, 4.0))
    found = four.cells(four.every(10))
    # bar 0: level 400 has 1 bought and 2 sold, 401 has 0.5 bought; bar 1: 100.1 lies at 400, 4 × 100.1 = 400.4
    assert found.bar.tolist() == [0, 0, 1]
    assert found.level.tolist() == [400, 401, 400]
    assert (found.buy.tolist(), found.sell.tolist()) == ([1.0, 0.5, 4.0], [2.0, 0.0, 0.0])
    assert (found.buy_quote.tolist(), found.sell_quote.tolist()) == (
        [100.0, 50.125, 400.4],
        [200.0, 0.0, 0.0],
    )
    assert found.trades.tolist() == [2, 1, 1]
    assert found.volume.tolist() == [3.0, 0.5, 4.0]
    assert found.delta.tolist() == [-1.0, 0.5, 4.0]
    assert (found.quote[0], found.delta_quote[0]) == (300.0, -100.0)


def test_a_row_may_stand_for_several_trades() -> None:
    two = fills((0, 100.0, 1.0), (1, 100.0, -1.0))
    level = levels(two.price, STEP)
    found = cells(np.zeros(2, np.int64), level, two.size, two.price, two.is_buy, np.array([3, 4]))
    assert found.trades.tolist() == [7]


def test_a_size_that_is_unknown_makes_its_side_of_its_cell_unknown_and_no_other() -> None:
    three = fills((0, 100.0, 1.0), (1, 100.0, -2.0), (2, 101.0, 4.0))
    size = three.size.copy()
    size[0] = np.nan
    found = three._replace(size=size).cells(np.zeros(3, np.int64))
    assert np.isnan(found.buy[0]) and np.isnan(found.buy_quote[0]) and np.isnan(found.volume[0])
    assert (found.sell[0], found.buy[1], found.trades[0]) == (2.0, 4.0, 2)


def test_no_trades_have_no_cells() -> None:
    nothing = fills()
    assert len(nothing.cells(nothing.time).bar) == 0
    assert len(no_cells().plus(no_cells()).coarser(5, 5).together().between(0, 9).bar) == 0


def by_loop(made: Fills, length: int) -> dict[tuple[int, int], list[float]]:
    sums: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0] * 5)
    for time, price, size, is_buy in zip(*(column.tolist() for column in made), strict=True):
        row = sums[time // length, int(price // STEP)]
        row[0 if is_buy else 1] += size
        row[2 if is_buy else 3] += size * price
        row[4] += 1
    return dict(sums)


def shown(found: Cells) -> dict[tuple[int, int], list[float]]:
    rows = zip(*(column.tolist() for column in found), strict=True)
    return {(bar, level): list(sums) for bar, level, *sums in rows}


@given(some_fills(), st.integers(1, 100))
def test_cells_are_those_of_a_plain_loop(made: Fills, length: int) -> None:
    found = made.cells(made.every(length))
    assert shown(found) == by_loop(made, length)
    pairs = list(zip(found.bar.tolist(), found.level.tolist(), strict=True))
    assert pairs == sorted(set(pairs))


@given(some_fills(spread=10**6), st.integers(1, 100))
def test_levels_far_apart_give_the_same_as_near_ones(made: Fills, length: int) -> None:
    assert shown(made.cells(made.every(length))) == by_loop(made, length)


@given(some_fills(least=1), st.integers(1, 100), st.data())
def test_the_order_of_the_trades_changes_nothing(made: Fills, length: int, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(made.time))))
    mixed = made.rows(np.array(order))
    same(mixed.cells(mixed.every(length)), made.cells(made.every(length)))


@given(some_fills(), st.integers(1, 100), st.integers(0, 60))
def test_cells_go_on_with_more_trades_as_if_all_had_come_at_once(made: Fills, length: int, at: int) -> None:
    before, after = made.part(0, at), made.part(at, len(made.time))
    went_on = before.cells(before.every(length)).plus(after.cells(after.every(length)))
    same(went_on, made.cells(made.every(length)))


@given(some_fills(), st.integers(1, 30), st.integers(1, 6), st.integers(1, 6))
def test_cells_of_longer_bars_and_wider_levels_are_those_of_their_trades(
    made: Fills, length: int, longer: int, wider: int
) -> None:
    found = made.cells(made.every(length)).coarser(longer, wider)
    same(found, made.cells(made.every(length * longer), STEP * wider))


@given(some_fills(), st.integers(1, 30))
def test_nothing_traded_is_lost_or_added(made: Fills, length: int) -> None:
    found = made.cells(made.every(length))
    for one in (found, found.together(), found.coarser(3, 7)):
        assert one.volume.sum() == made.size.sum()
        assert one.quote.sum() == (made.size * made.price).sum()
        assert one.delta.sum() == made.size[made.is_buy].sum() - made.size[~made.is_buy].sum()
        assert one.trades.sum() == len(made.time)


@given(some_fills(), st.integers(1, 30), st.integers(0, 20), st.integers(0, 20))
def test_cells_between_bars_are_those_of_these_bars(made: Fills, length: int, first: int, last: int) -> None:
    bar = made.every(length)
    inside = (bar >= first) & (bar < last)
    some = made.rows(inside)
    same(made.cells(bar).between(first, last), some.cells(some.every(length)))


def walk(rows: int, seed: int = 3) -> Fills:
    chance = np.random.default_rng(seed)
    return Fills(
        np.cumsum(chance.integers(0, 40, rows)),
        100.0 + STEP * np.cumsum(chance.integers(-1, 2, rows)).astype(np.float64),
        chance.integers(1, 1000, rows) / 8,
        chance.random(rows) < 0.5,
    )


def test_cells_are_those_of_polars_over_many_blocks() -> None:
    made = walk(300_000)
    assert len(made.time) > 2 * module._BLOCK
    bar = made.every(60_000)
    found = made.cells(bar)
    bought = pl.col("size") * pl.col("is_buy")
    sold = pl.col("size") * ~pl.col("is_buy")
    theirs = (
        pl.DataFrame({"bar": bar, "level": levels(made.price, STEP), **made._asdict()})
        .group_by("bar", "level")
        .agg(
            bought.sum().alias("buy"), sold.sum().alias("sell"),
            (bought * pl.col("price")).sum().alias("buy_quote"),
            (sold * pl.col("price")).sum().alias("sell_quote"), pl.len().alias("trades"),
        )
        .sort("bar", "level")
    )  # fmt: skip
    for name, column in found._asdict().items():
        np.testing.assert_array_equal(column, theirs[name].to_numpy(), err_msg=name)


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_the_size_of_a_block_changes_nothing(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = walk(2_000)
    whole = made.cells(made.every(500))
    monkeypatch.setattr(module, "_BLOCK", rows)
    same(made.cells(made.every(500)), whole)

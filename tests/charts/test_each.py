"""What is particular to each picture: the numbers in it, where its lines lie, and what it refuses."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.text import Text

from orderflow.charts.candles import Candles
from orderflow.charts.canvas import Canvas
from orderflow.charts.cvd import Series, cvd
from orderflow.charts.footprint import Marks, footprint
from orderflow.charts.heatmap import MOST_TRADES, Circles, Line, Resting, heatmap
from orderflow.charts.liquidations import liquidations
from orderflow.charts.profile import Node, Rows, Session, ValueArea, profile
from orderflow.charts.structure import Break, Level, Swings, structure
from orderflow.flow.cells import cells
from orderflow.flow.liquidations import by_price, by_time
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MINUTE
from tests.charts.market import T0, about

TWO = Candles(
    np.array([T0, T0 + MINUTE]), np.array([100.0, 102.0]), np.array([103.0, 102.0]), np.array([99.0, 100.0]),
    np.array([102.0, 101.0]), MINUTE,
)  # fmt: skip
ABOUT = about(T0, T0 + 2 * MINUTE, simulated=False)


def written(canvas: Canvas, gid: str) -> list[Text]:
    canvas.png()
    return [one for one in canvas.figure.findobj(Text) if one.get_gid() == gid]  # pyright: ignore[reportReturnType]


def drawn(canvas: Canvas, gid: str) -> list[PolyCollection]:
    return [one for one in canvas.figure.findobj(PolyCollection) if one.get_gid() == gid]  # pyright: ignore[reportReturnType]


# ── Footprint ─────────────────────────────────────────────────────────────────────────────────


CELLS = cells(
    np.array([0, 0, 0, 1]), np.array([100, 101, 101, 100]), np.array([4.0, 6.0, 1.5, 3.0]), np.full(4, 100.0),
    np.array([False, True, False, False]),
)  # fmt: skip


def test_a_cell_tells_what_was_sold_and_what_was_bought_and_an_imbalance_is_bold() -> None:
    marks = Marks(np.array([False, True, False]), np.zeros(3, dtype=np.bool_), np.array([101, 100]))
    canvas = footprint(ABOUT, TWO, CELLS, 1.0, "BTC", "USDT", marks=marks, cvd_from=10.0)
    found = written(canvas, "cell")
    assert sorted(one.get_text() for one in found) == sorted(
        ["4", "×", "0", "1.5", "×", "6", "3", "×", "0"]
    )  # sold × bought at 100 and 101, and at 100 in the second bar
    assert [one.get_text() for one in found if "Bold" in str(one.get_fontproperties().get_file())] == ["6"]
    (edge,) = drawn(canvas, "buy imbalance")
    assert len(edge.get_paths()) == 1
    (poc,) = drawn(canvas, "poc")
    middles = [path.get_extents().y0 / 2 + path.get_extents().y1 / 2 for path in poc.get_paths()]
    assert middles == [101.5, 100.5]  # in the middle of the levels 101 and 100
    every = [one.get_text() for one in canvas.figure.findobj(Text)]
    assert {"0.5", "-3", "11.5", "7.5"} <= set(every)  # deltas 6 − 5.5 and −3, volume 11.5, CVD 10 + 0.5 − 3


def test_where_there_is_little_room_a_cell_tells_its_delta_alone() -> None:
    start = T0 + np.arange(16) * MINUTE
    flat = np.full(16, 100.0)
    many = cells(np.arange(16), np.full(16, 100), np.full(16, 23.0), flat, np.arange(16) % 2 == 0)
    canvas = footprint(
        about(T0, T0 + 16 * MINUTE), Candles(start, flat, flat, flat, flat, MINUTE), many, 1.0, "BTC", "USDT"
    )
    assert {one.get_text() for one in written(canvas, "cell")} == {"23", "-23"}
    assert "cells: delta, BTC" in written(canvas, "footer")[0].get_text()


def test_a_footprint_refuses_marks_and_cells_that_are_not_of_its_bars() -> None:
    with pytest.raises(InvalidArgument, match="not there"):
        footprint(ABOUT, TWO._replace(start=TWO.start[:1]), CELLS, 1.0, "BTC", "USDT")
    with pytest.raises(InvalidArgument, match="marks"):
        footprint(ABOUT, TWO, CELLS, 1.0, "BTC", "USDT", marks=Marks(poc=np.array([1])))
    with pytest.raises(InvalidArgument, match="levels are too many") as refused:
        footprint(ABOUT, TWO, CELLS._replace(level=np.array([0, 5_000, 100])), 1.0, "BTC", "USDT")
    assert "levels of" in refused.value.hint


# ── Profile ───────────────────────────────────────────────────────────────────────────────────


ROWS = Rows(np.array([99, 100, 101, 102]), np.array([1.0, 5.0, 2.0, 0.0]), np.array([0.0, 4.0, 2.0, 1.0]))


def test_a_profile_shows_poc_and_value_area_where_they_are() -> None:
    area = ValueArea(100.5, 102.0, 100.0)
    canvas = profile(
        ABOUT, TWO, ROWS, 1.0, "BTC", "USDT", area=area, nodes=[Node(102.0, 103.0, "LVN")], tick=0.5
    )
    (shade,) = [one for one in canvas.figure.findobj() if one.get_gid() == "value area"]
    box = shade.get_extents().transformed(canvas.figure.axes[1].transData.inverted())  # pyright: ignore[reportAttributeAccessIssue]
    assert (box.y0, box.y1) == pytest.approx((100.0, 102.0))
    assert {"VAH 102.0", "POC 100.5", "VAL 100.0", "101.0"} == {
        one.get_text() for one in written(canvas, "tag")
    }
    assert [one.get_text() for one in written(canvas, "node name")] == ["LVN"]


def test_a_session_of_one_letter_has_its_name_and_one_without_room_has_none() -> None:
    end = int(TWO.start[-1]) + TWO.length
    sessions = [Session("A", int(TWO.start[0]), end), Session("evening", end - 1_000_000_000, end)]
    canvas = profile(ABOUT, TWO, ROWS, 1.0, "BTC", "USDT", sessions=sessions)
    assert [one.get_text() for one in written(canvas, "session name")] == ["A"]


def test_a_profile_refuses_levels_that_cannot_be_seen() -> None:
    with pytest.raises(InvalidArgument, match="too many to be legible"):
        profile(ABOUT, TWO, Rows(np.array([99_000, 103_000]), np.ones(2), np.ones(2)), 0.001, "BTC", "USDT")


# ── Heat map ──────────────────────────────────────────────────────────────────────────────────


def painted(canvas: Canvas) -> np.ndarray:
    return np.asarray(canvas.figure.axes[0].images[0].get_array())


def test_what_is_unknown_is_hatched_and_what_is_empty_is_plain() -> None:
    size = np.array([[np.nan, 0.0], [1.0, 100.0]])
    canvas = heatmap(
        ABOUT, Resting(TWO.start, MINUTE, 100, size), 1.0, "BTC", "USDT", mid=Line(TWO.start, TWO.open)
    )
    image = painted(canvas)
    assert image[0, 0, 3] == 0.0  # nothing painted: the hatching below is seen
    assert image[..., 3].sum() == 3.0
    assert image[1, 1, :3].sum() > image[1, 0, :3].sum() > image[0, 1, :3].sum()  # more rests, brighter
    hatched = [one for one in canvas.figure.findobj() if one.get_gid() == "unknown"]
    assert all(one.get_hatch() for one in hatched)  # pyright: ignore[reportAttributeAccessIssue]
    assert len(hatched) == 1
    known = heatmap(ABOUT, Resting(TWO.start, MINUTE, 100, np.ones((2, 2))), 1.0, "BTC", "USDT")
    assert not [one for one in known.figure.findobj() if one.get_gid() == "unknown"]


def test_columns_that_are_missing_leave_a_hole_and_the_mid_stops_at_a_gap() -> None:
    starts = T0 + np.array([0, 1, 3, 4]) * MINUTE
    gap = (T0 + 2 * MINUTE, T0 + 3 * MINUTE)
    mid = Line(starts, np.array([100.5, 100.6, 100.7, 100.8]))
    canvas = heatmap(
        about(T0, T0 + 5 * MINUTE, gaps=(gap,)),
        Resting(starts, MINUTE, 100, np.ones((2, 4))),
        1.0,
        "BTC",
        "USDT",
        mid=mid,
    )
    assert [one.get_extent()[:2] for one in canvas.figure.axes[0].images] == [[0.0, 120.0], [180.0, 300.0]]
    (line,) = [one for one in canvas.figure.axes[0].lines if one.get_gid() == "mid"]
    x, y = (np.asarray(column, dtype=np.float64) for column in line.get_data(orig=True))
    assert np.isnan(y[x == 120.0]).all()


def test_the_largest_trades_are_shown_with_areas_of_their_amounts() -> None:
    count = MOST_TRADES + 500
    trades = Circles(
        T0 + np.arange(count), np.full(count, 100.5), np.arange(1.0, count + 1), np.arange(count) % 2 == 0
    )
    canvas = heatmap(
        ABOUT, Resting(TWO.start, MINUTE, 100, np.ones((2, 2))), 1.0, "BTC", "USDT", trades=trades
    )
    (circles,) = canvas.figure.findobj(PathCollection)
    areas = circles.get_sizes()  # pyright: ignore[reportAttributeAccessIssue]
    assert len(areas) == MOST_TRADES
    assert areas[0] / areas[-1] == pytest.approx(count / 501)
    assert "the 1,500 largest of 2,000 trades" in written(canvas, "footer")[0].get_text()


def test_a_heat_map_refuses_what_does_not_fit() -> None:
    with pytest.raises(InvalidArgument, match="other times"):
        heatmap(ABOUT, Resting(TWO.start, MINUTE, 0, np.ones((2, 3))), 1.0, "BTC", "USDT")
    with pytest.raises(InvalidArgument, match="levels are too many"):
        heatmap(ABOUT, Resting(TWO.start, MINUTE, 0, np.ones((2_000, 2))), 1.0, "BTC", "USDT")


# ── CVD ───────────────────────────────────────────────────────────────────────────────────────


def test_the_lines_are_those_that_were_given_and_unknown_bars_break_them() -> None:
    value = np.array([1.0, np.nan])
    total = np.array([1.0, 3.0])
    series = [Series("one", "spot", value), Series("two", "perpetual", total)]
    canvas = cvd(ABOUT, TWO, series, np.array([1.0, 2.0]), "BTC", "USDT", total=total)
    lines = [one for one in canvas.figure.axes[1].lines if one.get_gid() == "cvd"]
    shown = [np.asarray(one.get_ydata(), dtype=np.float64).tolist() for one in lines]
    np.testing.assert_array_equal(shown, [total.tolist(), value.tolist(), total.tolist()])
    assert [one.get_linestyle() for one in lines] == ["-", "-", "--"]
    assert {"one +1", "two +3", "sum +3"} <= {one.get_text() for one in written(canvas, "tag")}


def test_too_many_lines_or_other_bars_are_refused() -> None:
    one = Series("one", "spot", np.ones(2))
    with pytest.raises(InvalidArgument, match="told apart"):
        cvd(ABOUT, TWO, [one] * 7, np.ones(2), "BTC", "USDT")
    with pytest.raises(InvalidArgument, match="other bars"):
        cvd(ABOUT, TWO, [one], np.ones(3), "BTC", "USDT")


# ── Liquidations ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bound", [False, True])
def test_longs_go_down_shorts_go_up_and_lower_bounds_say_so(bound: bool) -> None:
    forced = (
        np.array([T0, T0 + MINUTE]),
        np.array([100.0, 101.0]),
        np.array([2.0, 3.0]),
        np.array([True, False]),
    )
    canvas = liquidations(
        ABOUT,
        TWO,
        by_time(*forced, MINUTE, lower_bound=bound),
        MINUTE,
        by_price(*forced[1:], 1.0),
        1.0,
        "USDT",
    )
    (longs,), (shorts,) = drawn(canvas, "longs"), drawn(canvas, "shorts")
    assert min(path.get_extents().y0 for path in longs.get_paths()) == -200.0
    assert max(path.get_extents().y1 for path in shorts.get_paths()) == 303.0
    sums = {one.get_text() for one in written(canvas, "sum")}
    assert {"≥ 200" if bound else "200", "≥ 303" if bound else "303", "≥ 2" if bound else "2"} <= sums
    names = " ".join(one.get_text() for one in canvas.figure.findobj(Text))
    assert ("at least" in names) == ("lower bounds" in names) == bound


# ── Structure ─────────────────────────────────────────────────────────────────────────────────


def test_swings_are_labelled_and_liquidity_ends_where_it_was_swept() -> None:
    start = T0 + np.arange(20) * MINUTE
    middle = 100 + np.array([0, 2, 4, 6, 4, 2, 0, -2, 0, 2, 4, 6, 8, 9, 8, 6, 5, 4, 5, 6], dtype=np.float64)
    candles = Candles(start, middle, middle + 0.5, middle - 0.5, middle, MINUTE)
    swings = Swings(
        start[[3, 7, 13]], np.array([106.5, 97.5, 109.5]), np.array([True, False, True]), ["H", "L", "HH"]
    )
    levels = [
        Level(int(start[3]), 106.5, is_high=True, swept=int(start[12])),
        Level(int(start[7]), 97.5, is_high=False),
    ]
    breaks = [Break(int(start[3]), int(start[12]), 106.5, "BOS", up=True)]
    canvas = structure(
        about(T0, T0 + 20 * MINUTE), candles, swings, "USDT", breaks=breaks, levels=levels, tick=0.5
    )
    assert sorted(one.get_text() for one in written(canvas, "swing")) == ["H", "HH", "L"]
    assert [one.get_text() for one in written(canvas, "break name")] == ["BOS"]
    ends = {}
    for one in canvas.figure.axes[0].collections:
        if one.get_gid() in {"swept", "liquidity"}:
            ends[one.get_gid()] = [path.get_extents().x1 for path in one.get_paths()]
    assert ends == {"swept": [12.5 * 60], "liquidity": [20 * 60.0]}  # the middle of its bar; the end
    assert {one.get_text() for one in written(canvas, "tag")} == {"97.5", "106.0"}


def test_swings_of_unequal_columns_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="unequal"):
        structure(ABOUT, TWO, Swings(TWO.start, TWO.open, np.array([True]), ["H", "L"]), "USDT")

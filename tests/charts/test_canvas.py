"""The frame: what it refuses, how it cuts what is too long, and how it keeps names apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from orderflow.charts.canvas import Canvas, Look
from orderflow.charts.labels import Labels
from orderflow.charts.scales import Tag, price_scale, spread
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MINUTE
from tests.charts.market import T0, about


@pytest.mark.parametrize("look", [Look(400, 300), Look(1200, 200), Look(1200, 3000), Look(9000, 6000)])
def test_a_picture_that_could_not_be_read_is_refused(look: Look) -> None:
    with pytest.raises(InvalidArgument, match="not legible"):
        Canvas(about(), "Picture", look)


def test_an_unknown_theme_and_a_window_that_ends_before_it_begins_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="theme"):
        Canvas(about(), "Picture", Look(theme="sepia"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidArgument, match="no time"):
        Canvas(about(T0, T0), "Picture")


def written(canvas: Canvas, gid: str) -> list[str]:
    canvas.png()
    return [one.get_text() for one in canvas.figure.findobj(Text) if one.get_gid() == gid]


def test_what_the_font_has_no_letter_for_is_a_question_mark_and_dollars_are_dollars() -> None:
    assert written(Canvas(about(symbol="币$A_1$\n"), "Picture"), "title") == [
        "?$A_1$? · binance · perpetual · Picture"
    ]


@given(st.integers(0, 400))
def test_a_shortened_text_fits(room: int) -> None:
    canvas = Canvas(about(), "Picture")
    short = canvas.shortened("a very long name of a very long market", room + 20)
    assert canvas.measured(short) <= room + 20
    assert short == "a very long name of a very long market" or short.endswith("…")


def test_a_canvas_gives_its_picture_as_often_as_it_is_asked() -> None:
    canvas = Canvas(about(), "Picture")
    assert canvas.png() == canvas.png()


def test_the_footer_owns_up() -> None:
    gaps = ((T0 - MINUTE, T0 + MINUTE), (T0 + 5 * MINUTE, T0 + 6 * MINUTE), (T0 - MINUTE, T0))
    canvas = Canvas(about(gaps=gaps, coverage_pct=None, source="backfilled", simulated=False), "Picture")
    canvas.note("lower bounds")
    # of the first gap a minute lies in the window, of the last nothing
    assert written(canvas, "footer") == ["Data: coverage unknown · 2 gaps, 2 min · backfilled · lower bounds"]
    whole = Canvas(about(coverage_pct=99.999), "Picture")
    assert written(whole, "footer") == ["Data: 99.9 % covered · no gaps · collected · simulated"]


@given(st.lists(st.floats(0, 100), max_size=8))
def test_names_of_prices_are_kept_apart_in_their_order(values: list[float]) -> None:
    spots = spread(values, 0.0, 100.0, 10.0)
    order = np.argsort(values, kind="stable")
    placed = np.array(spots)[order]
    assert (np.diff(placed) >= 10 - 1e-9).all()
    assert (placed >= 5 - 1e-9).all()
    assert (placed <= 95 + 1e-9).all()


def test_names_stay_at_their_prices_where_there_is_room() -> None:
    assert spread([50.0, 20.0], 0.0, 100.0, 10.0) == [50.0, 20.0]
    canvas = Canvas(about(), "Picture")
    (plot,) = canvas.stack([0], 150)
    canvas.timed([plot], T0, T0 + MINUTE)
    price_scale(
        canvas, plot, 0, 100, "USDT", 1.0, [Tag(50, "POC", "red"), Tag(20, "", "red"), Tag(500, "far", "red")]
    )
    assert sorted(written(canvas, "tag")) == ["20", "POC 50"]  # what is beyond the plot has no name


def test_a_label_gives_way_to_earlier_ones_and_avoids_what_is_drawn() -> None:
    canvas = Canvas(about(), "Picture")
    (plot,) = canvas.stack([0], 100)
    plot.set_xlim(0, 100), plot.set_ylim(0, 100)
    labels = Labels(canvas, plot)
    assert labels.put("first", (50, 50, 0))
    assert not labels.put("second", (50, 50, 0))
    assert labels.put("second", (50, 50, 0), (50, 50, 25))
    assert not labels.put("above", (50, 100, 20))
    labels.avoid(np.array([0.0, np.nan]), np.array([40.0, 1.0]), np.array([0.0, 0.0]), np.array([40.0, 1.0]))
    assert labels.put("third", (20, 20, 0), (80, 20, 0), gid="third")
    canvas.png()
    (third,) = [one for one in plot.texts if one.get_gid() == "third"]
    assert third.get_position()[0] == pytest.approx(0.8)
    assert labels.put("fourth", (20, 20, 0))  # it has no other place

"""What every picture promises: size, the same bytes, nothing on top of another, gaps and SIMULATED in sight."""

import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from orderflow.charts.canvas import SMALL, Canvas, Look
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, HOUR, MINUTE, SECOND
from tests.charts.market import T0
from tests.charts.pictures import EVERY, Case

ROOT = Path(__file__).parents[2]

every_picture = pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
Draw = Callable[[Case], Canvas]

GAPS = ((T0 + 20 * MINUTE, T0 + 24 * MINUTE), (T0 + 41 * MINUTE, T0 + 41 * MINUTE + 5 * SECOND))

CASES = {
    "usual": Case(gaps=GAPS),
    "few bars": Case(bars=8, length=5 * MINUTE, step=200, trades=2_000),
    "many bars, days": Case(bars=200, length=HOUR, trades=6_000, step=400),
    "a billion, light, square": Case(
        price=2_345_678_901.0, tick=1.0, quote="IDR", trades=2_000, gaps=GAPS, look=Look(1000, 1000, "light")
    ),
    "a hundred-millionth, long names": Case(
        price=0.0000000123, tick=1e-12, step=20, trades=2_000, symbol="1000000" + "MOGCATMEME" * 12 + "USDT",
        unit="MOGCAT", quote="USDTUSDT",
    ),
    "wide ticks, flat": Case(price=19.0, tick=0.25, step=2, trades=300, look=Look(1600, 800)),
    "one bar": Case(bars=1, trades=40),
    "nothing but a gap": Case(bars=0, gaps=((T0 - DAY, T0 + DAY),)),
}  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def texts(canvas: Canvas) -> Iterator[Text]:
    """The texts of a picture that was drawn, but for the watermark, which lies under all."""
    for one in canvas.figure.findobj(Text):
        if (
            isinstance(one, Text)
            and one.get_text().strip()
            and one.get_visible()
            and one.get_gid() != "watermark"
        ):
            yield one


@every_picture
@pytest.mark.parametrize("pixels", [(800, 400), (1333, 1111)])
def test_a_picture_has_the_size_that_was_asked(draw: Draw, pixels: tuple[int, int]) -> None:
    assert size(draw(Case(bars=8, trades=500, look=Look(*pixels))).png()) == pixels


@every_picture
def test_the_same_columns_make_the_same_bytes(draw: Draw) -> None:
    case = Case(trades=1_000, gaps=GAPS)
    png = draw(case).png()
    assert draw(case).png() == png
    assert size(png) == (1200, 800)
    assert b"tEXt" not in png  # no program, no time
    assert b"tIME" not in png


@every_picture
@every_case
def test_no_text_lies_on_another_or_sticks_out(draw: Draw, case: Case) -> None:
    canvas = draw(case)
    png = canvas.png()
    width, height = size(png)
    boxes = [(one.get_text(), one.get_window_extent()) for one in texts(canvas)]
    assert boxes
    for text, box in boxes:
        assert box.x0 >= -1 and box.x1 <= width + 1, text
        assert box.y0 >= -1 and box.y1 <= height + 1, text
    names = [text for text, _ in boxes]
    x0, y0, x1, y1 = np.array([[box.x0, box.y0, box.x1, box.y1] for _, box in boxes]).T
    over = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0) > 1.0
    over &= np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0) > 1.5
    np.fill_diagonal(over, False)
    assert [(names[a], names[b]) for a, b in np.argwhere(over) if a < b] == []


@every_picture
def test_letters_are_eleven_pixels_high_in_a_picture_shown_eight_hundred_wide(draw: Draw) -> None:
    for look in (Look(), Look(2400, 1600)):
        canvas = draw(Case(bars=8, trades=300, look=look))
        points = min(one.get_fontsize() for one in texts(canvas))
        assert points >= SMALL
        assert points / 72 * canvas.figure.dpi * 800 / look.width >= 11


@every_picture
def test_gaps_are_hatched_in_every_plot_that_has_the_time(draw: Draw) -> None:
    canvas, none = draw(Case(trades=1_000, gaps=GAPS)), draw(Case(trades=1_000))
    hatched = [one for one in canvas.figure.findobj() if one.get_gid() == "gap"]
    assert len(hatched) >= len(GAPS)
    assert len(hatched) % len(GAPS) == 0
    assert all(one.get_hatch() for one in hatched)  # pyright: ignore[reportAttributeAccessIssue]
    assert not [one for one in none.figure.findobj() if one.get_gid() == "gap"]
    canvas.png()
    (footer,) = [one.get_text() for one in texts(canvas) if one.get_gid() == "footer"]
    assert "2 gaps, 4 min 5 s" in footer
    assert "99.2 % covered" in footer
    widths = [one.get_window_extent().width for one in hatched]
    assert min(widths) >= 2.5  # five seconds of an hour would be narrower than a pixel and a half


@every_picture
def test_what_is_simulated_says_so_and_nothing_else_does(draw: Draw) -> None:
    made_up, real = draw(Case(trades=500)), draw(Case(trades=500, simulated=False))
    assert [one.get_text() for one in texts(made_up) if one.get_gid() == "simulated"] == ["SIMULATED"]
    assert [one.get_text() for one in made_up.figure.findobj(Text) if one.get_gid() == "watermark"] == [
        "SIMULATED"
    ]
    assert not [one for one in real.figure.findobj(Text) if "simulated" in one.get_text().lower()]


def test_threads_that_draw_at_once_draw_the_same() -> None:
    case = Case(bars=12, trades=300)
    alone = [draw(case).png() for draw in EVERY.values()]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda draw: draw(case).png(), EVERY.values()))
    assert together == alone


@every_picture
def test_more_bars_than_can_be_seen_are_refused_with_what_would_fit(draw: Draw) -> None:
    with pytest.raises(
        InvalidArgument, match=r"too many to be legible in one picture: [\d,]+ fit"
    ) as refused:
        draw(Case(bars=2_000, trades=2_000, step=20_000))
    assert refused.value.hint


def test_another_process_draws_the_same() -> None:
    name = "footprint"
    program = (
        "import hashlib; from tests.charts.pictures import EVERY, Case;"
        f" print(hashlib.sha256(EVERY[{name!r}](Case(bars=12, trades=300)).png()).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(["src", "."]), "TZ": zone},
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }  # fmt: skip
    ours = hashlib.sha256(EVERY[name](Case(bars=12, trades=300)).png()).hexdigest()
    assert told == {ours + "\n"}


def test_pictures_are_made_without_pyplot() -> None:
    names = ", ".join(f"orderflow.charts.{name}" for name in EVERY)
    program = f"import sys, {names}; print('matplotlib.pyplot' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_every_picture_is_listed() -> None:
    import pkgutil

    import orderflow.charts

    found = {one.name for one in pkgutil.iter_modules(orderflow.charts.__path__)}
    assert found - {"axes", "candles", "canvas", "labels", "scales", "themes"} == set(EVERY)

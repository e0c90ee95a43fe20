"""The tools that draw, over a fixed hour: the numbers in a picture by hand, its size, and what it owns up to."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from fixed_market import NOW, context, history
from hypothesis import given
from hypothesis import strategies as st

from orderflow import tools
from orderflow.charts.canvas import About, Canvas
from orderflow.charts.canvas import Look as Shown
from orderflow.market.errors import InvalidArgument, NoData, UnsupportedByVenue
from orderflow.market.events import DAY, HOUR, MINUTE, MS, SECOND
from orderflow.tools import chart_cvd, chart_profile, drawing
from orderflow.tools.answers import PNG, Answer, tokens
from orderflow.tools.drawing import about, framed, usual
from orderflow.tools.forms import as_text, as_xml, structured
from orderflow.tools.past import past
from orderflow.tools.periods import flow
from orderflow.tools.profiles import Rules
from orderflow.tools.quality import unknown
from orderflow.tools.spec import DRAWS, Ask, Look

DRAWING = [one for one in tools.ALL.tools.values() if one.draws]
every_drawing = pytest.mark.parametrize("one", DRAWING, ids=[one.name for one in DRAWING])


def asked(tool: str, /, **arguments: Any) -> Answer:
    return tools.call(context(), tool, {"symbol": "BTCUSDT", "since": "-1h", **arguments})


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def ms(minute: float) -> int:
    """Return when a minute of the fixed hour began."""
    return (NOW - HOUR + round(minute * MINUTE)) // MS


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def ask(tool: str = "chart_cvd") -> Ask:
    return Ask(context=context(), catalogue=tools.ALL, tool=tool, now=NOW)


def frame(since: str = "-1h", bar: str | None = "1m", venues: list[str] | None = None) -> drawing.Frame:
    return framed(ask(), "BTCUSDT", venues, since, "now", bar)


# ── What every tool that draws promises ───────────────────────────────────────────────────────


def test_some_tools_draw_and_are_a_family() -> None:
    assert {
        "chart_cvd",
        "chart_footprint",
        "chart_heatmap",
        "chart_liquidations",
        "chart_profile",
        "chart_structure",
    } <= {one.name for one in DRAWING}
    assert all(one.family == "charts" and one.name.startswith("chart_") for one in DRAWING)


@every_drawing
@pytest.mark.parametrize("look", [{}, {"width": 800, "height": 400}, {"height": "960", "theme": "light"}])
def test_a_picture_has_the_size_that_was_asked(one: Any, look: dict[str, Any]) -> None:
    picture = tools.call(context(), one.name, {**one.example, **look}).picture
    assert picture is not None
    wanted = int(look.get("width", 1200)), int(look.get("height", 800))
    assert size(picture.png) == wanted == (picture.width, picture.height)


@every_drawing
def test_a_picture_is_told_in_one_sentence_with_figures(one: Any) -> None:
    picture = tools.call(context(), one.name, dict(one.example)).picture
    assert picture is not None
    alt = picture.alt
    assert "\n" not in alt and alt.endswith(".") and len(alt) < 500
    assert "BTCUSDT" in alt and "UTC" in alt and "simulated" in alt and "% complete" in alt
    assert sum(mark.isdigit() for mark in alt) > 10


@every_drawing
def test_every_form_tells_of_the_picture_and_none_holds_its_bytes(one: Any) -> None:
    answer = tools.call(context(), one.name, dict(one.example))
    picture = answer.picture
    assert picture is not None
    told = structured(answer)["picture"]
    assert set(told) == {"type", "width", "height", "alt", "href"}
    assert told["type"] == PNG and told["href"].startswith(f"/tools/{one.name}?format=png&")
    assert "png" not in told
    assert f"# picture {picture.width}x{picture.height}: {picture.alt}" in as_text(answer).splitlines()
    root = ElementTree.fromstring(as_xml(answer))
    assert root.findtext("picture/alt") == picture.alt


@every_drawing
@pytest.mark.parametrize("max_tokens", [1_000, 2_000])
def test_the_numbers_keep_their_budget_and_the_picture_does_not_count(one: Any, max_tokens: int) -> None:
    answer = tools.call(
        context(), one.name, {**one.example, "bar": "30s", "since": "-1h", "max_tokens": max_tokens}
    )
    assert answer.picture is not None and len(answer.picture.png) > 4 * max_tokens
    assert tokens(as_text(answer)) <= max_tokens
    assert answer.summary
    assert answer.rows or one.name == "chart_structure"  # a price that rises all the hour has no swing


@every_drawing
def test_a_tool_that_draws_says_so_and_takes_the_same_looks(one: Any) -> None:
    assert one.description.endswith(DRAWS)
    assert one.result["picture"] == PNG
    looks = {name: one.schema["properties"][name] for name in ("width", "height", "theme")}
    assert looks == {name: DRAWING[0].schema["properties"][name] for name in looks}
    assert (looks["width"]["minimum"], looks["width"]["maximum"]) == (800, 1920)
    assert set(looks["theme"]["enum"]) == {"dark", "light"}


@pytest.mark.parametrize(
    ("look", "said"),
    [
        ({"width": 10_000}, "at most 1920"),
        ({"height": 10}, "at least 400"),
        ({"theme": "pink"}, "dark | light"),
    ],
)
def test_a_look_that_is_none_is_refused_with_what_would_be(look: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked("chart_cvd", **look)
    assert said in caught.value.hint


def test_a_picture_that_is_all_height_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="not legible"):
        asked("chart_cvd", width=800, height=1200)


def test_a_tool_that_draws_nothing_takes_no_look() -> None:
    with pytest.raises(InvalidArgument, match="no parameter 'width'"):
        tools.call(context(), "xv_prices", {"width": 1200})
    assert not set(Look.__struct_fields__) & set(tools.ALL.tools["xv_prices"].schema["properties"])


def test_the_looks_that_are_offered_are_those_that_can_be_drawn() -> None:
    told = About("BTCUSDT", "binance", "spot", NOW - HOUR, NOW)
    usual_look = Look()
    assert Shown() == Shown(usual_look.width, usual_look.height, usual_look.theme)
    for width, height in ((800, 400), (800, 960), (1920, 960), (1920, 1920)):
        assert Canvas(told, "nothing", Shown(width, height, "light")).look.width == width


def test_a_picture_comes_with_the_first_page_alone() -> None:
    first = asked("chart_cvd", bar="1m", limit=20)
    assert first.picture is not None and first.meta.next
    second = tools.call(context(), "chart_cvd", {"next": first.meta.next})
    assert second.picture is None and len(second.rows) == 20
    assert "picture" not in structured(second)


def test_the_address_of_a_picture_is_of_its_window_and_looks() -> None:
    picture = asked("chart_cvd", venues=["binance_futures", "bybit"], theme="light", bar="5m").picture
    assert picture is not None
    assert picture.href == (
        f"/tools/chart_cvd?format=png&symbol=BTCUSDT&venues=binance_futures%2Cbybit&since={ms(0)}&until={ms(60)}"
        "&bar=5m&theme=light"
    )


# ── Bars ──────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(60 * SECOND, 300 * 364 * DAY // 2))
def test_a_window_without_a_bar_is_drawn_in_60_to_150(span: int) -> None:
    bars = -(-span // usual(span).length)
    assert bars <= 150 or usual(span).name == "364d"
    assert bars >= 60


def test_the_first_bar_is_whole() -> None:
    found = framed(ask(), "BTCUSDT", None, "2025-11-20T23:07:30Z", "now", "5m")
    assert found.since == NOW - 55 * MINUTE
    assert found.start.tolist() == [NOW - minute * MINUTE for minute in range(55, 0, -5)]
    assert found.first == (NOW - 55 * MINUTE) // (5 * MINUTE)


@pytest.mark.parametrize(("bar", "hint"), [("1s", "bar=30s"), ("1w", "bar=7d"), ("x", "5m")])
def test_bars_that_cannot_be_drawn_are_refused_with_what_can(bar: str, hint: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked("chart_cvd", bar=bar)
    assert hint in caught.value.hint


# ── What is known ─────────────────────────────────────────────────────────────────────────────


def test_gaps_and_what_was_never_collected_are_unknown() -> None:
    two_hours = frame("-2h")
    found = history().flow_bars("BTCUSDT", None, "1m", two_hours.since, NOW)
    # collecting began at 23:00; the last minute of binance_futures is a gap
    assert unknown(found, "binance_futures") == [(NOW - 2 * HOUR, NOW - HOUR), (NOW - MINUTE, NOW)]
    # the last row of bybit_futures is a minute old, which its coverage does not lack
    assert unknown(found, "bybit_futures") == [(NOW - 2 * HOUR, NOW - HOUR)]
    assert unknown(found, "binance_futures", quiet=True) == [(NOW - MINUTE, NOW)]
    told = about(two_hours, found)
    assert told.gaps == [(NOW - 2 * HOUR, NOW - HOUR), (NOW - MINUTE, NOW)]
    assert told.simulated and told.source == "stored"
    assert (told.venue, told.market) == ("binance, bybit", "futures")
    # half of two hours, less a minute on one of two venues: (59 + 60) / 240
    assert told.coverage_pct == pytest.approx(100 * 119 / 240)


def test_a_venue_of_which_nothing_was_collected_does_not_hide_the_others() -> None:
    asked_for = frame(venues=["binance_futures", "okx_futures"])
    found = history().flow_bars("BTCUSDT", asked_for.venues, "1m", asked_for.since, NOW)
    assert about(asked_for, found).gaps == [(NOW - MINUTE, NOW)]
    answer = asked("chart_cvd", venues=["binance_futures", "okx_futures"])
    assert "okx_futures" in answer.meta.venues.missing


def test_who_is_drawn_is_named_as_far_as_there_is_room() -> None:
    every = ["binance_futures", "binance_spot", "bybit_spot", "okx_futures"]
    assert drawing._spoken(every) == ("4 venues", "")
    assert drawing._spoken(every[1:3]) == ("binance, bybit", "spot")


# ── CVD ───────────────────────────────────────────────────────────────────────────────────────


def test_cvd_is_the_sum_of_what_takers_bought_less_what_they_sold() -> None:
    answer = asked("chart_cvd", bar="3m", max_tokens=8_000)
    every = rows(answer)[::-1]
    # minutes 0, 1, 2 on binance: 2 sold, 2 bought, 2 sold; on bybit 1 each: delta −2 and −1
    assert every[0] == {
        "time": ms(0), "close": 102.0, "buy": 3.0, "sell": 6.0, "delta": -3.0, "cvd": -3.0,
    }  # fmt: skip
    # minutes 3, 4, 5: bought, sold, bought
    assert every[1] == {"time": ms(3), "close": 105.0, "buy": 6.0, "sell": 3.0, "delta": 3.0, "cvd": 0.0}
    assert len(every) == 20 and every[-1]["cvd"] == 0.0
    # 30 minutes bought and 30 sold, 2 coins each, and 1 on the other
    assert answer.summary["by_venue"] == {
        "binance_futures": {"buy": 60.0, "sell": 60.0, "delta": 0.0},
        "bybit_futures": {"buy": 30.0, "sell": 30.0, "delta": 0.0},
    }
    assert answer.summary["cvd"] == {"sum": 0.0, "perpetual": 0.0}
    assert answer.summary["price_of"] == "binance_futures"  # where more was traded
    assert answer.summary["price"] == "100 to 159 USDT (+59.00 %)"


def test_a_quiet_bar_is_nothing_traded_and_one_in_a_gap_is_unknown() -> None:
    last, before, quiet = rows(asked("chart_cvd", bar="30s", venues=["binance_futures"]))[:3]
    assert (last["buy"], last["sell"], last["delta"], last["cvd"]) == (None, None, None, None)
    assert before["delta"] == 2.0  # what came before the connection was lost
    assert (quiet["close"], quiet["delta"], quiet["cvd"]) == (None, 0.0, -2.0)


def test_the_sum_is_unknown_where_a_venue_is_and_goes_on_as_the_venues_do() -> None:
    bought = (np.array([1.0, np.nan, 2.0]), np.array([1.0, 10.0, 1.0]))
    taken = [chart_cvd._Taken("binance_spot", one, np.zeros(3), 1.0) for one in bought]
    total = chart_cvd._added([one.cvd for one in taken])
    # 1 + 1, unknown, then 3 on the one and 12 on the other
    assert total[0] == 2.0 and np.isnan(total[1]) and total[2] == 15.0


def test_lines_can_be_of_markets() -> None:
    by_venue, by_market = (asked("chart_cvd", lines=lines).picture for lines in ("venue", "market"))
    assert by_venue is not None and by_market is not None
    assert by_venue.png != by_market.png and by_venue.alt == by_market.alt


# ── Liquidations ──────────────────────────────────────────────────────────────────────────────


def test_liquidations_are_told_by_bar_and_by_level() -> None:
    answer = asked("chart_liquidations", bar="5m", size=20.0)
    # the one of the hour: 3 coins at 130 in minute 30, of 390; minute 34 closed at 134
    assert rows(answer) == [
        {
            "time": ms(30), "long_value": 390.0, "longs": 1, "short_value": 0.0, "shorts": 0, "largest_value": 390.0,
            "close": 134.0,
        }
    ]  # fmt: skip
    levels = answer.more["hottest_levels"]
    assert [dict(zip(levels.columns, row, strict=True)) for row in levels.rows] == [
        {
            "price_from": 120.0,
            "price_until": 140.0,
            "long_value": 390.0,
            "longs": 1,
            "short_value": 0.0,
            "shorts": 0,
        }
    ]
    assert (answer.summary["long_value"], answer.summary["shorts"], answer.summary["level"]) == (
        390.0,
        0,
        20.0,
    )


def test_what_a_venue_does_not_send_is_said() -> None:
    answer = asked("chart_liquidations")
    assert answer.summary["lower_bound"] is True
    assert any("binance_futures" in one and "a lower bound" in one for one in answer.meta.warnings)
    assert answer.picture is not None and "at least 1 long of 390 USDT" in answer.picture.alt


def test_what_is_unknown_of_the_price_is_told_beside_the_liquidations() -> None:
    meta = asked("chart_liquidations").meta
    assert [gap["stream"] for gap in meta.gaps] == ["trades"]
    # liquidations were collected all the while, the trades for 59 minutes of 60
    assert meta.coverage_pct == pytest.approx(100 * 59 / 60)
    assert meta.coverage_reason is not None and "100 %" in meta.coverage_reason


def test_a_size_chosen_makes_about_24_levels_of_the_range() -> None:
    # prices from 100 to 159
    assert asked("chart_liquidations").summary["level"] == 2.5


def test_without_liquidations_or_a_venue_that_sends_any_nothing_is_drawn() -> None:
    with pytest.raises(NoData, match="liquidations"):
        asked("chart_liquidations", until="-40m")
    with pytest.raises(UnsupportedByVenue):
        asked("chart_liquidations", venues=["binance_spot"])
    with pytest.raises(NoData):
        asked("chart_liquidations", min_value=1_000)


# ── Profile ───────────────────────────────────────────────────────────────────────────────────


def test_a_profile_is_drawn_with_the_numbers_of_its_window() -> None:
    answer = asked("chart_profile", size=20, bar="1m")
    # 20 trades of 2 coins at 100 to 119, 120 to 139, 140 to 159
    assert [row["mark"] for row in rows(answer)] == ["VAH", "POC HVN", "VAL"]
    assert [row["volume"] for row in rows(answer)] == [40.0, 40.0, 40.0]
    assert (
        answer.summary["poc"]["centre"] == 130.0 and answer.summary["price"] == "100 to 159 USDT (+59.00 %)"
    )
    assert answer.summary["vwap"]["price"] == 129.5
    sessions = answer.more["sessions"]
    (row,) = [dict(zip(sessions.columns, row, strict=True)) for row in sessions.rows]
    # of E, from 20:00, the window has its last hour
    assert (row["session"], row["since"], row["status"], row["volume"]) == ("E", ms(0), "completed", 120.0)
    assert (row["poc"], row["vah"], row["val"]) == (130.0, 160.0, 100.0)
    assert answer.picture is not None
    assert "120 BTC (delta 0) was traded; POC at 130, value area 100 to 160" in answer.picture.alt


def test_the_vwap_of_a_profile_is_that_of_each_bars_close() -> None:
    asked_for = framed(ask("chart_profile"), "BTCUSDT", ["binance_futures"], "-1h", "now", "5m")
    for rules in (Rules(), Rules(mode="synthetic", seconds=60)):
        whole = past(ask(), "BTCUSDT", ["binance_futures"], "-1h", "now")
        read = flow(ask(), whole, asked_for.bar.length, rules, 1.0, None)
        average = chart_profile._average(asked_for, read)
        # minutes 0 to 4: 102; 0 to 9: 104.5; … of equal sizes
        assert average.vwap.tolist() == pytest.approx([102 + 2.5 * bar for bar in range(12)])


def test_a_profile_of_bars_that_cut_its_seconds_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="not made of 3 s") as caught:
        asked("chart_profile", since="-10m", bar="5s", mode="synthetic")
    assert "normalize_seconds=1" in caught.value.hint


def test_sessions_are_told_where_bars_begin_with_them_and_windows_are_short() -> None:
    assert asked("chart_profile", bar="7m").more["sessions"].rows == []  # none begins at 20:00 or midnight
    assert asked("chart_profile", since="-3d").more["sessions"].rows == []
    assert asked("chart_profile", since="-30d").summary["bins"]["bar"] == "8h"
    berlin = asked("chart_profile", zone="Europe/Berlin", bar="1m").more["sessions"]
    assert [row[0] for row in berlin.rows] == ["A"]


class NoTrades:
    """A store in which liquidations are, and no trades."""

    def __getattr__(self, name: str) -> Any:
        if name == "bars":
            raise NoData("no trades")
        return getattr(history(), name)


def test_liquidations_are_drawn_without_a_price_where_none_is_stored() -> None:
    known = context()
    bare = type(known)(**{**known.__dict__, "history": NoTrades()})
    answer = tools.call(bare, "chart_liquidations", {"symbol": "BTCUSDT", "since": "-1h"})
    assert answer.picture is not None and answer.summary["price"] == "unknown"
    assert rows(answer)[0]["close"] is None


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str):
        yield value


@every_drawing
def test_plain_data_has_no_text_long_enough_to_be_an_image(one: Any) -> None:
    answer = tools.call(context(), one.name, dict(one.example))
    assert max(len(text) for text in strings(structured(answer))) < 1_000


def test_nothing_is_brought_to_draw_with_before_a_picture_is_asked() -> None:
    program = "import sys; from orderflow.servers import http, mcp; print('matplotlib' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"

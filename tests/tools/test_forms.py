"""How answers are cut and written: the same rows in three forms, pages that join, budgets that hold."""

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from fixed_market import FakeLatest, context, quote
from hypothesis import given
from hypothesis import strategies as st

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.tools.answers import Answer, Meta, plain, tokens
from orderflow.tools.forms import as_text, as_xml, structured, write
from orderflow.tools.pages import Cursor, cursor, page

MANY = [quote("binance_spot", 1.0 + n, 2.0 + n, symbol=f"C{n:03d}USDT") for n in range(300)]


def answer(rows: list[list[Any]], columns: list[str] | None = None) -> Answer:
    meta = Meta(tool="sample", as_of=1_763_683_200_000, source="simulated", units={"at": "UTC"})
    return Answer(meta=meta, columns=columns or ["name", "value", "at"], rows=rows)


def csv_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines()[1:] if not line.startswith("# ")]
    return list(csv.reader(io.StringIO("\n".join(lines))))


def test_the_first_line_says_what_follows() -> None:
    text = as_text(tools.call(context(), "xv_prices", {"symbol": "BTCUSDT"}))
    first = text.splitlines()[0]
    assert first.startswith("xv_prices BTCUSDT@binance_futures,binance_spot unit=bid:quote")
    for part in (
        "window=latest",
        "as_of=2025-11-21T00:00:00.000Z",
        "source=simulated",
        "age_ms=100",
        "rows=2/2",
    ):
        assert part in first


def test_times_are_text_for_people_and_epoch_milliseconds_for_programs() -> None:
    one = answer([["a", 1.5, 1_763_683_200_123]])
    assert "a,1.5,2025-11-21T00:00:00.123Z" in as_text(one)
    assert structured(one)["rows"] == [["a", 1.5, 1_763_683_200_123]]


cells = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats() | st.text(max_size=20)


@given(st.lists(st.tuples(cells, cells), max_size=8))
def test_the_three_forms_have_the_same_rows(given_rows: list[tuple[Any, Any]]) -> None:
    one = answer([plain(list(row)) for row in given_rows], ["one", "other"])
    as_json = json.loads(write(one, "json"))
    assert as_json["columns"] == ["one", "other"]
    root = ElementTree.fromstring(as_xml(one))
    in_xml = [[cell.get("null") for cell in row] for row in root.findall("rows/row")]
    assert len(as_json["rows"]) == len(in_xml) == len(given_rows)
    assert [[cell is None for cell in row] for row in as_json["rows"]] == [
        [null == "true" for null in row] for row in in_xml
    ]


@given(st.text(max_size=30))
def test_text_that_looks_like_markup_comes_back_from_every_form(said: str) -> None:
    one = answer([[said, "x"]], ["one", "other"])
    assert json.loads(write(one, "json"))["rows"][0][0] == said
    read = ElementTree.fromstring(as_xml(one)).findtext("rows/row/one") or ""
    if said.isprintable() and said.isascii():
        assert read == said


def test_a_cell_with_commas_quotes_and_lines_stays_one_cell() -> None:
    text = as_text(answer([['a,"b"\nc', None]], ["one", "other"]))
    assert csv_rows(text) == [["one", "other"], ['a,"b" c', ""]]


def test_unknown_is_empty_or_null_and_never_zero() -> None:
    one = answer([plain(["a", float("nan"), None])])
    assert as_text(one).endswith("a,,")
    assert structured(one)["rows"] == [["a", None, None]]


def test_noise_of_floats_beyond_twelve_digits_is_not_shown() -> None:
    assert plain(0.1 + 0.2) == 0.3
    assert plain({"a": [1 / 3]}) == {"a": [0.333333333333]}


@pytest.mark.parametrize("max_tokens", [400, 800, 2_000])
def test_an_answer_keeps_its_budget_and_shows_head_and_tail(max_tokens: int) -> None:
    state = context(FakeLatest(quotes=MANY))
    found = tools.call(state, "xv_prices", {"limit": 300, "max_tokens": max_tokens})
    assert tokens(as_text(found)) <= max_tokens
    assert (found.meta.rows, found.meta.total) == (len(found.rows), 300)
    assert found.meta.next is not None
    assert found.rows[0][0] == "C000USDT"
    assert found.tail[-1][0] == "C299USDT"


def test_pages_join_to_the_whole_without_a_row_twice_or_lost() -> None:
    state = context(FakeLatest(quotes=MANY))
    found = tools.call(state, "xv_prices", {"limit": 70})
    symbols = [row[0] for row in found.rows]
    pages = 1
    while found.meta.next is not None:
        found = tools.call(state, "xv_prices", {"next": found.meta.next})
        symbols += [row[0] for row in found.rows]
        pages += 1
    assert symbols == [f"C{n:03d}USDT" for n in range(300)]
    assert pages > 4


@given(st.integers(1, 60), st.integers(1, 40), st.integers(200, 2_000))
def test_any_limit_and_budget_pages_through_all_rows(total: int, limit: int, budget: int) -> None:
    every = [[f"row {n}", n * 1.5, None] for n in range(total)]
    seen: list[list[Any]] = []
    offset = 0
    while True:
        one = page(answer([*every]), {}, offset, limit, budget)
        assert 1 <= len(one.rows) <= limit
        seen += one.rows
        if one.meta.next is None:
            break
        offset = cursor(one.meta.next).offset
    assert seen == every


def test_a_tail_never_repeats_what_the_head_shows() -> None:
    every = [[f"row {n}", "x" * 40, None] for n in range(30)]
    for budget in range(200, 900, 20):
        one = page(answer([*every]), {}, 0, None, budget)
        names = [row[0] for row in (*one.rows, *one.tail)]
        assert len(names) == len(set(names))
        assert not one.tail or one.tail[-1] == every[-1]


def test_a_cursor_carries_the_arguments_and_belongs_to_its_tool() -> None:
    state = context(FakeLatest(quotes=MANY))
    found = tools.call(state, "xv_prices", {"limit": 5, "venues": ["binance_spot"]})
    assert found.meta.next is not None
    carried = cursor(found.meta.next)
    assert carried == Cursor(
        tool="xv_prices", arguments={"symbol": None, "venues": ["binance_spot"], "limit": 5}, offset=5
    )
    with pytest.raises(InvalidArgument, match="belongs to xv_prices"):
        tools.call(state, "xv_arbitrage", {"next": found.meta.next})


@pytest.mark.parametrize("text", ["abc", "é", "e30", "{}", "=" * 9])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(NoData, match="not a cursor"):
        tools.call(context(), "xv_prices", {"next": text})


def test_a_cursor_past_the_end_says_that_the_answer_became_shorter() -> None:
    past = Cursor(tool="xv_prices", arguments={"symbol": "BTCUSDT"}, offset=99).write()
    with pytest.raises(NoData, match="row 100 of 2"):
        tools.call(context(), "xv_prices", {"next": past})


@pytest.mark.parametrize(
    "wrong", [{"format": "yaml"}, {"max_tokens": 8_001}, {"max_tokens": 10}, {"max_tokens": "x"}]
)
def test_the_common_arguments_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        tools.call(context(), "xv_prices", wrong)
    assert "max_tokens: 200 to 8000" in caught.value.hint

"""Icebergs estimated from trades and the top of the book: by hand, and what no tape can do to them."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.icebergs import BookTop, Icebergs, icebergs
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument

RULE: dict[str, Any] = {"patience": 20, "refill_within": 15, "min_refills": 2, "min_ratio": 3.0}
SIDES = (
    "price",
    "is_bid",
    "start",
    "end",
    "executed",
    "hidden",
    "shown_most",
    "fills",
    "refills",
    "refilled",
)


def book(*rows: tuple[int, float, float, float, float]) -> BookTop:
    time, bid, bid_size, ask, ask_size = (np.array(column) for column in zip(*rows, strict=True))
    return BookTop(time, bid, bid_size, ask, ask_size)


def fills(*rows: tuple[int, float, float, bool]) -> tuple[Index, Column, Column, Mask]:
    time, price, size, is_buy = (np.array(column) for column in zip(*rows, strict=True))
    return time, price, size, is_buy


def told(found: Icebergs) -> list[tuple[float, ...]]:
    return list(zip(*(getattr(found, name).tolist() for name in SIDES), strict=True))


# A bid at 99 that shows 2 and is filled for 6: after the fill of 2 (at 5) two are back (at 10), after the
# fill of 1.5 (at 15) half of one is left (at 16) and it shows 2 again (at 25), then 2.5 more are sold.
BOOK = book(
    (0, 99.0, 2.0, 101.0, 5.0),
    (10, 99.0, 2.0, 101.0, 5.0),  # refill: 2 − 2 + 2 = 2
    (16, 99.0, 0.5, 101.0, 5.0),  # 0.5 − 2 + 1.5 = 0
    (25, 99.0, 2.0, 101.0, 5.0),  # refill: 2 − 0.5 + 0 = 1.5, 10 after the fill at 15
    (40, 98.0, 7.0, 101.0, 5.0),  # gone
    (90, 98.0, 7.0, 101.0, 5.0),
)
FILLS = fills((5, 99.0, 2.0, False), (15, 99.0, 1.5, False), (30, 99.0, 2.0, False), (40, 99.0, 0.5, False))


def test_a_bid_that_is_filled_for_more_than_it_ever_showed_is_an_estimate() -> None:
    found = icebergs(*FILLS, BOOK, 100, **RULE)
    # executed 2 + 1.5 + 2 + 0.5 = 6, three times the 2 shown at most; 6 − 2 = 4 were hidden
    assert told(found) == [(99.0, True, 0, 40, 6.0, 4.0, 2.0, 4, 2, 3.5)]
    assert found.quote.tolist() == [594.0]
    assert (found.known.tolist(), found.developing.tolist()) == ([61], [False])
    assert found.again_from == 0  # the ask at 101 has been the best all the time, and may go on


def test_too_few_refills_or_too_little_executed_is_none() -> None:
    assert told(icebergs(*FILLS, BOOK, 100, **RULE | {"min_refills": 3})) == []
    assert told(icebergs(*FILLS, BOOK, 100, **RULE | {"min_ratio": 3.1})) == []
    assert told(icebergs(*FILLS, BOOK, 100, **RULE | {"refill_within": 9})) == []  # the second came after 10


def test_the_same_fills_by_buyers_or_below_the_best_bid_are_none() -> None:
    time, price, size, is_buy = FILLS
    assert told(icebergs(time, price, size, ~is_buy, BOOK, 100, **RULE)) == []
    assert told(icebergs(time, price - 1, size, is_buy, BOOK, 100, **RULE)) == []


def test_a_price_that_leaves_the_top_for_a_moment_is_one_stay() -> None:
    # an ask shows 1 at 50, is eaten, and shows 1 again: three times
    top = book(
        (0, 49.0, 9.0, 50.0, 1.0), (10, 49.0, 9.0, 51.0, 3.0), (12, 49.0, 9.0, 50.0, 1.0),
        (20, 49.0, 9.0, 51.0, 3.0), (23, 49.0, 9.0, 50.0, 1.0), (30, 49.0, 9.0, 51.0, 3.0),
    )  # fmt: skip
    trades = fills((10, 50.0, 1.0, True), (20, 50.0, 1.0, True), (30, 50.0, 1.0, True))
    found = icebergs(*trades, top, 31, **RULE)
    assert told(found) == [(50.0, False, 0, 30, 3.0, 2.0, 1.0, 3, 2, 2.0)]
    assert found.developing.tolist() == [True]  # it may come back until 51
    assert told(icebergs(*trades, top, 31, **RULE | {"patience": 1})) == []


def test_without_trades_or_book_there_are_none_and_nonsense_is_refused() -> None:
    no, empty = np.empty(0, dtype=np.int64), np.empty(0)
    none = icebergs(no, empty, empty, np.empty(0, dtype=np.bool_), BookTop(no, empty, empty, empty, empty), 5)
    assert (told(none), none.again_from) == ([], 5)
    assert told(icebergs(*FILLS, BookTop(no, empty, empty, empty, empty), 100)) == []
    unknown = book((0, np.nan, np.nan, 101.0, np.nan))
    assert told(icebergs(*FILLS, unknown, 100)) == []
    for wrong in ({"patience": -1}, {"min_refills": 0}, {"min_ratio": np.nan}):
        with pytest.raises(InvalidArgument, match="icebergs"):
            icebergs(*FILLS, BOOK, 100, **wrong)
    time, price, size, is_buy = FILLS
    with pytest.raises(InvalidArgument, match="order"):
        icebergs(time[::-1], price, size, is_buy, BOOK, 100)


class Market(NamedTuple):
    trades: tuple[Index, Column, Column, Mask]
    book: BookTop


@st.composite
def markets(draw: st.DrawFn) -> Market:
    """A bid that wanders between three prices, and sellers who meet it."""
    row = st.tuples(st.integers(1, 12), st.integers(97, 99), st.integers(0, 4))
    top = draw(st.lists(row, min_size=1, max_size=40))
    at = np.cumsum([step for step, _, _ in top])
    bid = np.array([price for _, price, _ in top], dtype=np.float64)
    size = np.array([size for _, _, size in top], dtype=np.float64)
    fill = st.tuples(st.integers(0, int(at[-1]) + 10), st.integers(97, 99), st.integers(1, 6), st.booleans())
    some = sorted(draw(st.lists(fill, min_size=1, max_size=60)))
    time, price, amount, is_buy = (np.array(column) for column in zip(*some, strict=True))
    book = BookTop(at, bid, size, bid + 1, size[::-1].copy())
    return Market((time, price.astype(np.float64), amount.astype(np.float64), is_buy), book)


LOOSE: dict[str, Any] = {"patience": 9, "refill_within": 9, "min_refills": 1, "min_ratio": 1.0}


def market_until(one: Market, since: int, until: int) -> tuple[Any, ...]:
    time, rows = one.trades[0], one.book.time
    kept, there = (time >= since) & (time < until), (rows >= since) & (rows < until)
    return *(column[kept] for column in one.trades), BookTop(*(column[there] for column in one.book))


@given(markets())
def test_what_is_estimated_was_executed_and_more_than_shown(one: Market) -> None:
    until = int(max(one.trades[0][-1], one.book.time[-1])) + 1
    found = icebergs(*one.trades, one.book, until, **LOOSE)
    assert (found.executed >= found.shown_most).all()
    assert (found.hidden >= 0).all()
    assert (found.shown_most >= found.shown_first).all()
    assert found.executed.sum() <= one.trades[2].sum()
    assert (found.refills >= 1).all()


@given(markets(), st.data())
def test_what_was_known_stays_as_it_was(one: Market, data: st.DataObject) -> None:
    end = int(max(one.trades[0][-1], one.book.time[-1])) + 1
    until = data.draw(st.integers(0, end), label="until")
    early = icebergs(*market_until(one, 0, until), until, **LOOSE)
    whole = icebergs(*one.trades, one.book, end, **LOOSE)
    assert (early.developing == (early.known > until)).all()
    settled = [row for row, known in zip(told(early), early.known.tolist(), strict=True) if known <= until]
    assert settled == [
        row for row, known in zip(told(whole), whole.known.tolist(), strict=True) if known <= until
    ]


@given(markets(), st.data())
def test_going_on_from_what_may_still_grow_is_the_same_as_once(one: Market, data: st.DataObject) -> None:
    end = int(max(one.trades[0][-1], one.book.time[-1])) + 1
    until = data.draw(st.integers(0, end), label="until")
    early = icebergs(*market_until(one, 0, until), until, **LOOSE)
    late = icebergs(*market_until(one, early.again_from, end), end, **LOOSE, after=until)
    settled = [row for row, over in zip(told(early), early.developing.tolist(), strict=True) if not over]
    assert sorted(settled + told(late)) == sorted(told(icebergs(*one.trades, one.book, end, **LOOSE)))

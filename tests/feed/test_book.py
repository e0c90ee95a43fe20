"""The order book: joins worked by hand from the venues' rules, and what must hold for every history."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.feed.book import KEPT_DIFFS, CheckedBook, OrderBook, book_of, top_of
from orderflow.market.errors import BookGap
from orderflow.market.events import BookUpdate, Level
from orderflow.venues import ALL
from orderflow.venues.spec import BookRule, Checksum

PREVIOUS_ID, CONTIGUOUS, SNAPSHOTS = BookRule.PREVIOUS_ID, BookRule.CONTIGUOUS, BookRule.SNAPSHOTS
BY_DIFFS = pytest.mark.parametrize("rule", [PREVIOUS_ID, CONTIGUOUS], ids=lambda rule: rule.name)


def diff(
    first: int,
    last: int,
    bids: Sequence[Level] = (),
    asks: Sequence[Level] = (),
    *,
    prev: int | None = None,
    ts: int = 0,
) -> BookUpdate:
    """A diff of the ids first..last; it follows the diff that ended at `prev`, by default first - 1."""
    prev = first - 1 if prev is None else prev
    return BookUpdate(
        "toy", "BTCUSDT", ts or last, ts or last, False, list(bids), list(asks), last, first, prev
    )


def snapshot(
    last: int | None, bids: Sequence[Level] = (), asks: Sequence[Level] = (), ts: int = 0
) -> BookUpdate:
    return BookUpdate("toy", "BTCUSDT", ts or last, ts or last or 0, True, list(bids), list(asks), last)


def book(rule: BookRule, *updates: BookUpdate) -> OrderBook:
    made = OrderBook(rule)
    for update in updates:
        made.apply(update)
    return made


BIDS: list[Level] = [(100.0, 1.0), (99.0, 2.0)]
ASKS: list[Level] = [(101.0, 3.0), (102.0, 4.0)]

# ── Joining ───────────────────────────────────────────────────────────────────────────────────


@BY_DIFFS
def test_a_snapshot_with_nothing_waiting_is_the_book(rule: BookRule) -> None:
    found = OrderBook(rule)
    assert not found.in_step
    assert found.apply(snapshot(10, BIDS, ASKS))
    assert (found.bids, found.asks, found.last_id) == ({100.0: 1.0, 99.0: 2.0}, {101.0: 3.0, 102.0: 4.0}, 10)
    assert found.in_step


@BY_DIFFS
def test_diffs_wait_without_changing_anything_until_the_snapshot_comes(rule: BookRule) -> None:
    found = OrderBook(rule)
    assert not found.apply(diff(11, 12, [(100.0, 5.0)]))
    assert (found.bids, found.in_step, found.last_id) == ({}, False, None)


def test_of_the_waiting_diffs_the_old_are_dropped_and_the_first_straddles_the_snapshot() -> None:
    # Snapshot 20. u=17 < 20 is old; 18 <= 20 <= 22 joins (bid 100: 1 -> 7); 23..25 follows 22 (ask 101 goes).
    waiting = [
        diff(15, 17, [(100.0, 99.0)]),
        diff(18, 22, [(100.0, 7.0)]),
        diff(23, 25, asks=[(101.0, 0.0)]),
    ]
    found = book(PREVIOUS_ID, *waiting, snapshot(20, BIDS, ASKS))
    assert found.bids == {100.0: 7.0, 99.0: 2.0}
    assert found.asks == {102.0: 4.0}
    assert found.last_id == 25


def test_a_first_diff_that_begins_or_ends_at_the_snapshot_joins() -> None:
    assert book(PREVIOUS_ID, snapshot(20, BIDS, ASKS), diff(20, 24, [(98.0, 1.0)], prev=7)).last_id == 24
    assert book(PREVIOUS_ID, snapshot(20, BIDS, ASKS), diff(15, 20, [(98.0, 1.0)], prev=7)).bids[98.0] == 1.0


def test_a_first_diff_that_follows_the_snapshot_directly_joins() -> None:
    # 21 > 20, so U <= L does not hold; but pu == L: nothing lies between.
    found = book(PREVIOUS_ID, snapshot(20, BIDS, ASKS), diff(26, 30, [(98.0, 1.0)], prev=20))
    assert (found.bids[98.0], found.last_id) == (1.0, 30)


def test_once_joined_only_the_previous_id_counts() -> None:
    found = book(PREVIOUS_ID, snapshot(20, BIDS, ASKS), diff(18, 24))
    assert found.apply(diff(40, 44, [(98.0, 1.0)], prev=24))  # ids may leap where pu names the last one
    with pytest.raises(BookGap, match="follows 46"):
        found.apply(diff(47, 50, prev=46))


def test_a_contiguous_diff_begins_at_most_one_after_the_last_id() -> None:
    # L=20. u=20 is old; 19..23 overlaps and holds newer ids; 24 = 23 + 1 follows; 26 leaves 25 out.
    found = book(CONTIGUOUS, snapshot(20, BIDS, ASKS))
    assert not found.apply(diff(17, 20, [(100.0, 99.0)]))
    assert found.bids[100.0] == 1.0
    assert found.apply(diff(19, 23, [(100.0, 5.0)]))
    assert found.apply(diff(24, 24, [(100.0, 6.0)]))
    with pytest.raises(BookGap, match=r"ids 25\.\.25 missing"):
        found.apply(diff(26, 27))


@BY_DIFFS
def test_a_snapshot_older_than_every_waiting_diff_is_refused_and_the_diffs_go_on_waiting(
    rule: BookRule,
) -> None:
    found = book(rule, diff(31, 33, [(98.0, 1.0)]), diff(34, 35, [(97.0, 1.0)]))
    with pytest.raises(BookGap, match=r"ids 21\.\.30 missing"):
        found.apply(snapshot(20, BIDS, ASKS))
    assert (found.in_step, found.bids) == (False, {})
    assert found.apply(snapshot(32, BIDS, ASKS))  # 31 <= 32 <= 33: joins, and 34 follows
    assert found.last_id == 35
    assert found.bids == {100.0: 1.0, 99.0: 2.0, 98.0: 1.0, 97.0: 1.0}


@BY_DIFFS
def test_a_snapshot_newer_than_every_waiting_diff_is_the_book_and_the_next_diff_joins(rule: BookRule) -> None:
    found = book(rule, diff(31, 33, [(98.0, 1.0)]), snapshot(50, BIDS, ASKS))
    assert (found.bids, found.last_id) == ({100.0: 1.0, 99.0: 2.0}, 50)
    assert not found.apply(diff(34, 49, [(98.0, 1.0)]))
    assert found.apply(diff(48, 55, [(96.0, 1.0)]))


@BY_DIFFS
def test_a_snapshot_that_the_diffs_have_passed_changes_nothing(rule: BookRule) -> None:
    found = book(rule, snapshot(20, BIDS, ASKS), diff(21, 25, [(100.0, 9.0)]))
    assert not found.apply(snapshot(22, [(1.0, 1.0)], []))
    assert (found.bids[100.0], found.last_id) == (9.0, 25)
    assert found.apply(diff(26, 27))


@BY_DIFFS
def test_a_newer_snapshot_replaces_the_whole_book(rule: BookRule) -> None:
    found = book(rule, snapshot(20, BIDS, ASKS), snapshot(40, [(90.0, 1.0)], [(91.0, 1.0)]))
    assert (found.bids, found.asks) == ({90.0: 1.0}, {91.0: 1.0})
    assert found.apply(diff(39, 41, [(89.0, 1.0)]))


# ── Following ─────────────────────────────────────────────────────────────────────────────────


@BY_DIFFS
def test_a_diff_that_two_sockets_bring_is_applied_once(rule: BookRule) -> None:
    found = book(rule, snapshot(20, BIDS, ASKS))
    for one in (diff(21, 23, [(100.0, 5.0)]), diff(24, 26, [(100.0, 6.0)])):
        assert found.apply(one)
        assert not found.apply(one)
    assert not found.apply(diff(21, 23, [(100.0, 5.0)]))  # the slower socket, a diff behind
    assert (found.bids[100.0], found.last_id) == (6.0, 26)


@BY_DIFFS
def test_a_level_that_is_not_there_can_be_removed(rule: BookRule) -> None:
    found = book(rule, snapshot(20, BIDS, ASKS), diff(21, 22, [(55.0, 0.0)], [(155.0, 0.0)]))
    assert (found.bids, found.asks) == ({100.0: 1.0, 99.0: 2.0}, {101.0: 3.0, 102.0: 4.0})


@pytest.mark.parametrize("rule", BookRule, ids=lambda rule: rule.name)
def test_levels_without_size_in_a_snapshot_are_no_levels(rule: BookRule) -> None:
    assert book(rule, snapshot(20, [(100.0, 0.0), (99.0, 1.0)], [(101.0, 0.0)])).bids == {99.0: 1.0}


@BY_DIFFS
def test_the_update_that_does_not_follow_is_the_first_to_wait(rule: BookRule) -> None:
    found = book(rule, snapshot(20, BIDS, ASKS), diff(21, 22))
    with pytest.raises(BookGap):
        found.apply(diff(25, 26, [(98.0, 8.0)]))
    assert (found.in_step, found.bids, found.asks, found.last_id) == (False, {}, {}, None)
    assert found.apply(snapshot(25, BIDS, ASKS))
    assert (found.bids[98.0], found.last_id) == (8.0, 26)


@BY_DIFFS
def test_a_diff_without_ids_does_not_follow(rule: BookRule) -> None:
    found = book(rule, snapshot(20, BIDS, ASKS))
    with pytest.raises(BookGap, match="without ids"):
        found.apply(BookUpdate("toy", "BTCUSDT", 1, 1, False, [], []))


def test_where_updates_are_whole_snapshots_each_replaces_the_last_even_with_an_older_id() -> None:
    found = book(SNAPSHOTS, snapshot(20, BIDS, ASKS), snapshot(15, [(90.0, 1.0)], [(91.0, 1.0)]))
    assert (found.bids, found.last_id) == ({90.0: 1.0}, 15)
    assert book(SNAPSHOTS, snapshot(None, BIDS, ASKS), snapshot(None, [], ASKS)).bids == {}
    with pytest.raises(BookGap, match="whole snapshots"):
        found.apply(diff(16, 17))


@BY_DIFFS
def test_of_too_many_waiting_diffs_the_oldest_go(rule: BookRule) -> None:
    # KEPT_DIFFS + 5 diffs of one id each, 1..n: those up to 5 are gone, so a snapshot of 4 misses id 5.
    found = book(rule, *(diff(id, id, [(float(id), 1.0)]) for id in range(1, KEPT_DIFFS + 6)))
    with pytest.raises(BookGap, match=r"ids 5\.\.5 missing"):
        found.apply(snapshot(4))
    assert found.apply(snapshot(5))
    assert len(found.bids) == KEPT_DIFFS


@BY_DIFFS
def test_a_book_taken_up_goes_on_with_the_next_diff(rule: BookRule) -> None:
    found = OrderBook(rule)
    found.resume(BIDS, ASKS, 20)
    assert found.apply(diff(21, 22, [(100.0, 4.0)]))
    with pytest.raises(BookGap):
        found.apply(diff(24, 25))


# ── Whatever the history ──────────────────────────────────────────────────────────────────────

levels = st.lists(st.tuples(st.integers(1, 12).map(float), st.sampled_from([0.0, 1.0, 2.0])), max_size=4)


@st.composite
def histories(draw: st.DrawFn) -> list[BookUpdate]:
    """Diffs whose ids follow one another, each of one id or several."""
    found: list[BookUpdate] = []
    last = draw(st.integers(1, 50))
    for bids, asks in draw(st.lists(st.tuples(levels, levels), min_size=3, max_size=12)):
        first, last = last + 1, last + draw(st.integers(1, 3))
        found.append(diff(first, last, bids, asks))
    return found


def true_book(history: Sequence[BookUpdate]) -> tuple[dict[float, float], dict[float, float]]:
    """The book by its definition: the last word on each price."""
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    for update in history:
        bids.update(update.bids)
        asks.update(update.asks)
    return {p: s for p, s in bids.items() if s}, {p: s for p, s in asks.items() if s}


def snapshot_after(history: Sequence[BookUpdate], place: int) -> BookUpdate:
    bids, asks = true_book(history[: place + 1])
    return snapshot(history[place].last_id, list(bids.items()), list(asks.items()))


@BY_DIFFS
@given(history=histories(), data=st.data())
def test_a_snapshot_taken_anywhere_and_heard_any_time_later_gives_the_true_book(
    rule: BookRule, history: list[BookUpdate], data: st.DataObject
) -> None:
    taken = data.draw(st.integers(0, len(history) - 1), label="taken after diff")
    heard = data.draw(st.integers(taken, len(history) - 1), label="heard after diff")
    begun = data.draw(st.integers(0, taken + 1), label="diffs are heard from")
    twice = data.draw(st.sets(st.integers(0, len(history) - 1)), label="diffs heard twice")
    found = OrderBook(rule)
    for place, update in enumerate(history):
        if place >= begun:
            for _ in range(2 if place in twice else 1):
                found.apply(update)
        if place == heard:
            found.apply(snapshot_after(history, taken))
    assert (found.bids, found.asks) == true_book(history)
    assert found.in_step


@BY_DIFFS
@given(history=histories(), data=st.data())
def test_one_lost_diff_is_noticed_at_the_next_one(
    rule: BookRule, history: list[BookUpdate], data: st.DataObject
) -> None:
    lost = data.draw(st.integers(1, len(history) - 2), label="lost")
    found = book(rule, snapshot_after(history, 0), *history[1:lost])
    before = dict(found.bids), dict(found.asks)
    assert before == true_book(history[:lost])
    with pytest.raises(BookGap):
        found.apply(history[lost + 1])
    assert not found.in_step
    for update in history[lost + 2 :]:
        assert not found.apply(update)
    found.apply(snapshot_after(history, len(history) - 1))
    assert (found.bids, found.asks) == true_book(history)


# ── The best ten ──────────────────────────────────────────────────────────────────────────────


def best(side: dict[float, float], *, highest_first: bool) -> Iterator[float | None]:
    ten = sorted(side, reverse=highest_first)[:10]
    for price in ten:
        yield from (price, side[price])
    yield from [None] * (20 - 2 * len(ten))


def sorted_top(found: OrderBook) -> tuple[float | None, ...]:
    return (*best(found.bids, highest_first=True), *best(found.asks, highest_first=False))


def test_the_best_ten_of_a_small_book_end_in_nothing() -> None:
    top = book(CONTIGUOUS, snapshot(20, BIDS, ASKS)).top(snapshot(20, ts=77))
    assert top.levels[:6] == (100.0, 1.0, 99.0, 2.0, None, None)
    assert top.levels[20:26] == (101.0, 3.0, 102.0, 4.0, None, None)
    assert (len(top.levels), top.depth, top.sequence, top.ts_event) == (40, 2, 20, 77)


def test_the_depth_of_a_top_is_that_of_the_thinner_side() -> None:
    assert top_of(snapshot(1, [(float(p), 1.0) for p in range(1, 30)], ASKS)).depth == 2
    assert top_of(snapshot(1, BIDS, [])).depth == 0


def test_levels_that_waited_for_the_snapshot_are_not_all_that_is_best() -> None:
    # 20 bids 81..100 in the snapshot; twelve worse ones, 61..72, are touched by a diff that waited.
    bids = [(float(price), 1.0) for price in range(81, 101)]
    touched = [(float(price), 2.0) for price in range(61, 73)]
    found = book(CONTIGUOUS, diff(10, 11, touched), snapshot(10, bids, ASKS))
    assert found.top(snapshot(11)).levels[:20:2] == tuple(float(price) for price in range(100, 90, -1))


def test_a_new_snapshot_far_from_the_old_touch_forgets_what_was_near() -> None:
    old = snapshot(10, [(float(p), 1.0) for p in range(50, 90)], [(float(p), 1.0) for p in range(100, 140)])
    new = snapshot(30, [(float(p), 1.0) for p in range(150, 190)], [(float(p), 1.0) for p in range(200, 240)])
    touched = diff(
        31, 32, [(float(p), 2.0) for p in range(140, 155)], [(float(p), 2.0) for p in range(235, 260)]
    )
    found = book(CONTIGUOUS, old)
    assert found.top(old).levels == sorted_top(found)
    for update in (new, touched):
        found.apply(update)
    assert found.top(touched).levels == sorted_top(found)


@pytest.mark.parametrize("count", [3, 30], ids=["thin", "deep"])
def test_a_price_that_is_no_number_is_never_among_the_best(count: int) -> None:
    """A venue may write "nan" where a number belongs; it must not disturb the order of the others."""
    bids = [(float("nan"), 1.0), *((float(p), 1.0) for p in range(50, 50 + count))]
    asks = [(float("nan"), 1.0), *((float(p), 1.0) for p in range(200, 200 + count))]
    found = book(CONTIGUOUS, snapshot(10, bids, asks))
    for last in (11, 12):
        top = found.top(snapshot(last))
        best_bids, best_asks = top.levels[:20:2], top.levels[20::2]
        assert best_bids == tuple(range(49 + count, 49 + count - 10, -1))[:count] + (None,) * (10 - count)
        assert best_asks[: min(count, 10)] == tuple(range(200, 200 + min(count, 10)))
        gone = [(float("nan"), 0.0), (float("nan"), 2.0)]
        found.apply(diff(last, last, gone, gone))


moves = st.lists(
    st.tuples(
        st.integers(-15, 15),  # how far the price drifts
        st.sampled_from(["around", "crossing", "far", "bids empty", "asks empty", "snapshot"]),
        st.integers(1, 40),  # levels touched
        st.booleans(),  # whether the top is looked at
        st.integers(0, 2**32),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(moves=moves)
def test_the_best_ten_are_those_of_the_sorted_book_after_any_history(moves: list[tuple]) -> None:
    found, price, id = book(CONTIGUOUS, snapshot(0)), 1000, 0
    for drift, kind, count, looked_at, seed in moves:
        random = Random(seed)
        price, id = max(200, price + drift), id + 1
        width, overlap = (150, 0) if kind == "far" else (20, 8 if kind == "crossing" else 0)

        def side(sign: int) -> list[Level]:
            places = [price + sign * random.randint(-overlap, width) for _ in range(count)]  # noqa: B023
            return [(float(one), random.choice([0.0, 1.0, 2.5])) for one in places]  # noqa: B023

        bids, asks = side(-1), side(1)
        if kind == "bids empty":
            bids = [(one, 0.0) for one in found.bids]
        if kind == "asks empty":
            asks = [(one, 0.0) for one in found.asks]
        update = snapshot(id, bids, asks) if kind == "snapshot" else diff(id, id, bids, asks)
        assert found.apply(update)
        if looked_at:
            assert found.top(update).levels == sorted_top(found)
    assert found.top(snapshot(id)).levels == sorted_top(found)


# ── Chains of ids ─────────────────────────────────────────────────────────────────────────────

CHAINED = BookRule.CHAINED


def link(prev: int | None, last: int | None, bids: Sequence[Level] = (), **told: Any) -> BookUpdate:
    """An update that follows `prev` and ends at `last`."""
    return BookUpdate("toy", "BTCUSDT", 1, 1, False, list(bids), [], last, None, prev, **told)


def in_band(last: int | None, bids: Sequence[Level] = BIDS) -> BookUpdate:
    return msgspec.structs.replace(snapshot(last, bids, ASKS, ts=1), replaces=True)


def test_a_chain_goes_on_only_at_its_last_id_whether_higher_equal_or_lower() -> None:
    # 15 -> 20, 20 -> 20 (alive), 20 -> 3 (began again), 3 -> 7
    found = book(CHAINED, in_band(15))
    for prev, last in ((15, 20), (20, 20), (20, 3), (3, 7)):
        assert found.apply(link(prev, last, [(98.0, float(last))]))
    assert (found.last_id, found.bids[98.0]) == (7, 7.0)
    with pytest.raises(BookGap, match="after 7: the diff follows 8"):
        found.apply(link(8, 9))
    assert not found.in_step


def test_what_a_chain_brings_twice_is_applied_once() -> None:
    found = book(CHAINED, in_band(15), link(15, 20, [(98.0, 1.0)]))
    assert not found.apply(link(15, 20, [(98.0, 2.0)]))
    assert found.bids[98.0] == 1.0


def test_a_snapshot_in_a_chain_is_taken_whatever_its_id_and_only_what_follows_it_is_next() -> None:
    found = book(CHAINED, in_band(15), link(15, 20), in_band(9, [(90.0, 1.0)]))
    assert (found.bids, found.last_id) == ({90.0: 1.0}, 9)
    with pytest.raises(BookGap, match="after 9: the diff follows 8"):
        found.apply(link(8, 12))


def test_a_snapshot_asked_for_beside_a_chain_is_straddled_by_the_first_update() -> None:
    # Snapshot 17: 15 is in it, 12 -> 17 ends at it, 16 -> 20 goes beyond it, and 20 -> 21 follows.
    asked = snapshot(17, BIDS, ASKS)
    found = book(CHAINED, link(10, 15, [(98.0, 9.0)]), link(15, 20, [(98.0, 1.0)]), link(20, 21), asked)
    assert (found.last_id, found.bids[98.0]) == (21, 1.0)
    assert not book(CHAINED, asked).apply(link(12, 17, [(98.0, 9.0)]))
    assert book(CHAINED, asked).apply(link(17, 18))
    late = book(CHAINED, asked)
    with pytest.raises(BookGap, match="after 17: the diff follows 18"):
        late.apply(link(18, 19))
    joined = book(CHAINED, asked, link(16, 20))
    with pytest.raises(BookGap, match="after 20: the diff follows 19"):
        joined.apply(link(19, 22))  # once joined, nothing straddles


def test_a_chain_without_ids_and_without_a_checksum_shows_nothing() -> None:
    found = book(CHAINED, in_band(None))
    with pytest.raises(BookGap, match="neither ids nor a checksum"):
        found.apply(link(None, None, [(98.0, 1.0)]))
    with pytest.raises(BookGap, match="after 5: the diff follows None"):
        book(CHAINED, in_band(5)).apply(link(None, None, checksum=7))


# ── Checksums ─────────────────────────────────────────────────────────────────────────────────

Side = list[tuple[str, str]]


def told(bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
    """A toy checksum of the best two levels a side, that texts of equal numbers do not share."""
    return crc32(repr((list(bids), list(asks))).encode())


def written(
    bids: Side,
    asks: Side,
    checksum: int | None,
    *,
    whole: bool = False,
    prev: int | None = None,
    last: int | None = None,
) -> BookUpdate:
    """An update that carries a checksum and what it is made of; a snapshot in band if `whole`."""
    of_bids, of_asks = ([(float(price), float(size)) for price, size in side] for side in (bids, asks))
    texts = None if checksum is None else (bids, asks)
    made = BookUpdate("toy", "BTCUSDT", 1, 1, whole, of_bids, of_asks, last, prev_id=prev, replaces=whole)
    return msgspec.structs.replace(made, checksum=checksum, texts=texts)


def checked(*updates: BookUpdate) -> CheckedBook:
    made = CheckedBook(CHAINED, Checksum(2, told))
    for update in updates:
        made.apply(update)
    return made


FIRST = written(
    [("99.0", "2"), ("100.0", "1.50"), ("98.0", "3")],
    [("101.0", "3")],
    told([("100.0", "1.50"), ("99.0", "2")], [("101.0", "3")]),
    whole=True,
)


def test_a_checksum_is_made_of_what_the_venue_wrote_of_the_best_levels_best_first() -> None:
    found = checked(FIRST)
    assert (found.in_step, found.bids[100.0], found.texts) == (
        True,
        1.5,
        ([("99.0", "2"), ("100.0", "1.50"), ("98.0", "3")], [("101.0", "3")]),
    )
    # the best bid goes: 99.0 and 98.0 are the best two
    gone = written([("100.0", "0")], [], told([("99.0", "2"), ("98.0", "3")], [("101.0", "3")]))
    assert found.apply(gone)
    assert found.texts == ([("99.0", "2"), ("98.0", "3")], [("101.0", "3")])


def test_a_wrong_checksum_loses_the_book_and_its_update_waits_for_the_next_snapshot() -> None:
    found = checked(FIRST)
    other = written([("100.0", "0")], [], told([("98.0", "3")], [("101.0", "3")]))
    with pytest.raises(BookGap, match=f"checksum {other.checksum}"):
        found.apply(other)
    assert (found.in_step, found.bids, found.texts, found.waiting) == (False, {}, None, [other])
    assert found.apply(FIRST)
    assert (found.in_step, found.waiting) == (True, [])


def test_a_snapshot_with_a_wrong_checksum_is_no_book() -> None:
    found = CheckedBook(CHAINED, Checksum(2, told))
    with pytest.raises(BookGap, match="checksum 1:"):
        found.apply(msgspec.structs.replace(FIRST, checksum=1))
    assert (found.in_step, found.waiting) == (False, [])


def test_an_update_without_a_checksum_ends_the_checking_until_the_next_snapshot_with_one() -> None:
    numbered = msgspec.structs.replace(FIRST, last_id=4)
    found = checked(numbered, written([("97.0", "1")], [], None, prev=4, last=5))
    assert found.texts is None
    assert found.apply(written([("96.0", "1")], [], 12345, prev=5, last=6))  # nothing to check it by
    found.apply(FIRST)
    with pytest.raises(BookGap, match="checksum 12345"):
        found.apply(written([("96.0", "1")], [], 12345))


def test_ids_count_beside_checksums() -> None:
    found = checked(msgspec.structs.replace(FIRST, last_id=4))
    right = told([("100.0", "1.50"), ("99.0", "2")], [("101.0", "3")])
    with pytest.raises(BookGap, match="follows 5"):
        found.apply(written([("50.0", "1")], [], right, prev=5, last=6))


def test_a_snapshot_without_texts_leaves_the_updates_that_waited_unchecked() -> None:
    late = written([("97.0", "1")], [], 12345, prev=4, last=6)
    found = checked(late, snapshot(5, BIDS, ASKS))
    assert (found.last_id, found.bids[97.0], found.texts) == (6, 1.0, None)


def test_a_checked_book_taken_up_goes_on_checking() -> None:
    before = checked(FIRST)
    found = CheckedBook(CHAINED, Checksum(2, told))
    found.resume(list(before.bids.items()), list(before.asks.items()), None, texts=before.texts)
    assert found.texts == before.texts
    assert found.apply(written([("100.0", "0")], [], told([("99.0", "2"), ("98.0", "3")], [("101.0", "3")])))
    with pytest.raises(BookGap, match="checksum 12345"):
        found.apply(written([("96.0", "1")], [], 12345))


def test_a_venue_that_sends_no_checksums_has_a_plain_book() -> None:
    assert type(book_of(ALL["binance_spot"])) is OrderBook
    assert type(book_of(ALL["okx_futures"])) is CheckedBook


sizes = st.sampled_from(["0", "1", "2.0"])
sides = st.lists(st.tuples(st.integers(1, 9).map(str), sizes), max_size=4, unique_by=lambda one: one[0])


@given(history=st.lists(st.tuples(sides, sides), min_size=3, max_size=10), data=st.data())
def test_a_lost_update_is_noticed_as_soon_as_it_makes_a_difference_among_the_best(
    history: list[tuple[Side, Side]], data: st.DataObject
) -> None:
    lost = data.draw(st.integers(1, len(history) - 1), label="lost")

    def best(places: Sequence[int]) -> tuple[Side, Side]:
        """The best two a side by their definition, after the updates in these places."""
        found: list[Side] = []
        for at, sign in ((0, -1), (1, 1)):
            side: dict[str, str] = {}
            for place in places:
                side.update(history[place][at])
            left = [(price, size) for price, size in side.items() if size != "0"]
            found.append(sorted(left, key=lambda one: sign * float(one[0]))[:2])
        return found[0], found[1]

    found, noticed = CheckedBook(CHAINED, Checksum(2, told)), None
    for place, (bids, asks) in enumerate(history):
        update = written(bids, asks, told(*best(range(place + 1))), whole=place == 0)
        if place == lost:
            continue
        try:
            found.apply(update)
        except BookGap:
            noticed = place
            break
    differs = [
        place
        for place in range(lost + 1, len(history))
        if best(range(place + 1)) != best([one for one in range(place + 1) if one != lost])
    ]
    assert noticed == (differs[0] if differs else None)

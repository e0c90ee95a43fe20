"""Sync: which rows books give, which gaps open and close, and that both go on as they were when taken up again."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.feed.frames import Note, note
from orderflow.feed.sync import Sync
from orderflow.market.events import MS, SECOND, BookTop, BookUpdate, Gap, MarkPrice, Nanos, Trade
from orderflow.venues import ALL
from orderflow.venues.spec import BookRule, Venue

FUTURES, SPOT = ALL["binance_futures"], ALL["binance_spot"]
TOLD = msgspec.structs.replace(SPOT, book=BookRule.SNAPSHOTS, consecutive_trades=False)
BTC = "BTCUSDT"


def diff(first: int, last: int, ts: Nanos, *, bid: float = 2.0, prev: int | None = None) -> BookUpdate:
    """A diff that sets the size of the bid at 100."""
    prev = first - 1 if prev is None else prev
    return BookUpdate("v", BTC, ts, ts + 5 * MS, False, [(100.0, bid)], [], last, first, prev)


def snapshot(
    last: int, ts: Nanos, *, bid: float = 1.0, ask: float = 1.0, depth: int | None = None
) -> BookUpdate:
    return BookUpdate("v", BTC, ts, ts + 5 * MS, True, [(100.0, bid)], [(101.0, ask)], last, depth=depth)


def take(sync: Sync, *updates: BookUpdate) -> list[BookTop]:
    return [row for update in updates if (row := sync.book(update)) is not None]


def bids(rows: Sequence[BookTop]) -> list[tuple[Nanos | None, float | None]]:
    """When each row is from, and how much stands at its best bid."""
    return [(row.ts_event, row.levels[1]) for row in rows]


def say(
    sync: Sync, kind: Any, *series: tuple[str, str], at: Nanos, since: Nanos = 0, last_ts: Nanos = 0
) -> Note:
    said = Note(kind, "public", list(series), "the line went dead", since)
    return sync.noted(note(sync._venue.name, at, said), last_ts)


def gaps(sync: Sync) -> list[tuple[str, Nanos, Nanos | None, str]]:
    """The gaps that opened or closed since the last look."""
    found = [(gap.stream, gap.from_ts, gap.until_ts, gap.reason) for gap in sync.changed]
    sync.changed.clear()
    return found


BOOKS, TRADES, MARKS = ("orderbooks", BTC), ("trades", BTC), ("mark_prices", BTC)

# ── Rows of books ─────────────────────────────────────────────────────────────────────────────


def test_rows_of_a_book_are_at_least_the_interval_apart() -> None:
    # Interval 250 ms; changes at 1000, 1100, 1249, 1250, 1499, 1500: rows at 1000, 1250 (=1000+250), 1500.
    sync = Sync(SPOT, book_interval_ms=250)
    times = [1100, 1249, 1250, 1499, 1500]
    changes = [diff(11 + n, 11 + n, ms * MS, bid=2.0 + n) for n, ms in enumerate(times)]
    rows = take(sync, snapshot(10, 1000 * MS), *changes)
    assert bids(rows) == [(1000 * MS, 1.0), (1250 * MS, 4.0), (1500 * MS, 6.0)]


def test_without_an_interval_every_change_is_a_row() -> None:
    sync = Sync(SPOT, book_interval_ms=0)
    assert bids(take(sync, snapshot(10, 1), diff(11, 11, 1), diff(12, 12, 2, bid=3.0))) == [
        (1, 1.0),
        (1, 2.0),
        (2, 3.0),
    ]


def test_a_top_that_has_not_changed_gives_no_row_and_the_next_change_does_not_wait_for_one() -> None:
    sync = Sync(SPOT, book_interval_ms=250)
    assert len(take(sync, snapshot(10, 1000 * MS))) == 1
    assert take(sync, diff(11, 11, 1300 * MS, bid=1.0)) == []
    assert bids(take(sync, diff(12, 12, 1310 * MS))) == [(1310 * MS, 2.0)]


def test_levels_beyond_the_tenth_give_no_row_but_are_kept() -> None:
    ten = [(100.0 - n, 1.0) for n in range(10)]
    sync = Sync(SPOT, book_interval_ms=0)
    take(sync, BookUpdate("v", BTC, 1, 1, True, ten, [(101.0, 1.0)], 10))
    assert take(sync, BookUpdate("v", BTC, 2, 2, False, [(50.0, 7.0)], [], 11, 11)) == []
    (row,) = take(sync, BookUpdate("v", BTC, 3, 3, False, [(100.0, 0.0)], [], 12, 12))
    assert row.levels[18:20] == (50.0, 7.0)  # the eleventh moved up


def test_a_clock_that_runs_backwards_does_not_silence_the_book() -> None:
    sync = Sync(SPOT, book_interval_ms=250)
    rows = take(sync, snapshot(10, 9000 * MS), diff(11, 11, 100 * MS), diff(12, 12, 200 * MS, bid=3.0))
    assert bids(rows) == [(9000 * MS, 1.0), (100 * MS, 2.0)]


def test_a_row_is_spaced_by_our_clock_where_the_venue_gives_none() -> None:
    sync = Sync(TOLD, book_interval_ms=250)
    untimed = [
        BookUpdate("v", BTC, None, ms * MS, True, [(100.0, float(ms))], [(101.0, 1.0)], ms)
        for ms in (1010, 1200, 1260)
    ]
    assert [row.ts_recv for row in take(sync, *untimed)] == [1010 * MS, 1260 * MS]


def test_shallow_snapshots_beside_diffs_give_rows_until_the_book_is_in_step() -> None:
    sync = Sync(FUTURES, book_interval_ms=250)
    shallow = [snapshot(5 + n, ms * MS, bid=0.25 + n, depth=5) for n, ms in enumerate([1000, 1100, 1300])]
    assert bids(take(sync, *shallow)) == [(1000 * MS, 0.25), (1300 * MS, 2.25)]
    assert bids(take(sync, snapshot(20, 1600 * MS))) == [(1600 * MS, 1.0)]
    assert take(sync, snapshot(21, 2000 * MS, bid=9.0, depth=5)) == []
    assert bids(take(sync, diff(20, 22, 2100 * MS))) == [(2100 * MS, 2.0)]


def test_shallow_snapshots_are_the_book_where_a_venue_sends_nothing_else() -> None:
    sync = Sync(TOLD, book_interval_ms=0)
    rows = take(sync, *(snapshot(n, n, bid=float(n), depth=20) for n in (1, 2, 3)))
    assert bids(rows) == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_row_of_a_book_that_joined_is_timed_by_the_last_diff_in_it() -> None:
    # The snapshot is of 1000 ms, the diff that waited for it of 1040 ms: the row holds what was known at 1040.
    sync = Sync(FUTURES, book_interval_ms=250)
    late = msgspec.structs.replace(snapshot(10, 1000 * MS), ts_recv=1200 * MS)
    (row,) = take(sync, diff(10, 12, 1040 * MS), late)
    assert (row.ts_event, row.ts_recv, row.sequence, row.levels[1]) == (1040 * MS, 1200 * MS, 12, 2.0)


# ── Snapshots that are wanted ─────────────────────────────────────────────────────────────────


def test_a_snapshot_is_asked_for_once_while_diffs_wait_and_again_when_one_is_too_old_or_a_diff_is_lost() -> (
    None
):
    wanted: list[str] = []
    sync = Sync(FUTURES, wanted.append)
    take(sync, diff(11, 12, 1), diff(13, 14, 2))
    assert wanted == [BTC]
    take(sync, snapshot(5, 3))  # too old for 11
    assert wanted == [BTC] * 2
    take(sync, snapshot(12, 4), diff(15, 16, 5))
    assert wanted == [BTC] * 2
    take(sync, diff(19, 20, 6))
    assert wanted == [BTC] * 3


def test_after_a_disconnect_the_next_diff_asks_for_a_snapshot() -> None:
    wanted: list[str] = []
    sync = Sync(FUTURES, wanted.append)
    take(sync, diff(11, 12, 1), snapshot(11, 2))
    say(sync, "disconnected", BOOKS, at=9)
    assert wanted == [BTC]
    take(sync, diff(13, 14, 10), diff(15, 16, 11))
    assert wanted == [BTC] * 2


# ── Gaps of books ─────────────────────────────────────────────────────────────────────────────


def test_a_lost_diff_opens_a_gap_where_the_book_was_last_right_and_the_join_closes_it() -> None:
    sync = Sync(FUTURES)
    take(sync, snapshot(10, 100), diff(11, 12, 200), diff(15, 16, 300))
    assert gaps(sync) == [("orderbooks", 200, None, "sequence: ids 13..14 missing: the diff follows 14")]
    take(sync, diff(17, 18, 400))
    assert gaps(sync) == []
    take(sync, snapshot(14, 450))  # too old even for the diff that waits (15 > 14, but pu == 14): joins
    assert [gap[1:3] for gap in gaps(sync)] == [(200, 400)]
    assert not sync.open


def test_a_book_that_never_was_right_has_no_gap() -> None:
    sync = Sync(FUTURES)
    take(sync, diff(11, 12, 200), snapshot(5, 210))
    assert gaps(sync) == []


def test_a_disconnect_opens_a_gap_of_the_book_since_it_was_last_right() -> None:
    sync = Sync(FUTURES)
    take(sync, snapshot(10, 100), diff(11, 12, 200))
    say(sync, "disconnected", BOOKS, at=900, since=800)
    assert gaps(sync) == [("orderbooks", 200, None, "disconnected: the line went dead")]
    say(sync, "connected", BOOKS, at=1000)
    assert gaps(sync) == []  # connected is not yet in step
    take(sync, diff(31, 32, 1100), snapshot(31, 1200))
    assert [gap[1] for gap in gaps(sync)] == [200]
    assert not sync.open


def test_a_diff_that_follows_after_mere_silence_voids_the_gap() -> None:
    sync = Sync(FUTURES)
    take(sync, snapshot(10, 100), diff(11, 12, 200))
    say(sync, "silent", BOOKS, at=900)
    (opened,) = sync.changed
    assert opened.reason.startswith("silent")
    take(sync, diff(13, 14, 1000))
    assert sync.void == [opened]
    assert not sync.open


def test_a_diff_that_was_lost_in_silence_leaves_the_gap_until_the_book_joins() -> None:
    sync = Sync(FUTURES)
    take(sync, snapshot(10, 100), diff(11, 12, 200))
    say(sync, "silent", BOOKS, at=900)
    take(sync, diff(20, 21, 1000))
    assert sync.open[BOOKS].until_ts is None
    take(sync, snapshot(19, 990))
    assert sync.void == []
    assert sync.changed[-1].until_ts == 1000  # right again as of the diff that waited


# ── Gaps of trades ────────────────────────────────────────────────────────────────────────────


def trade(sync: Sync, id: int | str, ts: Nanos, *, merged: bool = True) -> None:
    sync.trade(id, merged, BTC, ts)


def test_a_hole_in_the_trade_ids_is_a_gap_between_its_neighbours() -> None:
    sync = Sync(SPOT)
    for id, ts in ((7, 100), (8, 200), (12, 300)):
        trade(sync, id, ts)
    assert gaps(sync) == [("trades", 200, 300, "sequence: trade ids 9..11 missing")]
    assert not sync.open


def test_doubles_and_latecomers_are_no_holes() -> None:
    sync = Sync(SPOT)
    for id in (7, 8, 8, 7, 9, 8, 10):
        trade(sync, id, 100 * id)
    assert gaps(sync) == []


def test_bundles_and_single_fills_are_numbered_apart_and_so_are_symbols() -> None:
    sync = Sync(SPOT)
    trade(sync, 7, 100)
    trade(sync, 900, 100, merged=False)
    sync.trade(50, True, "ETHUSDT", 100)
    trade(sync, 8, 200)
    trade(sync, 901, 200, merged=False)
    assert gaps(sync) == []
    trade(sync, 903, 300, merged=False)
    assert gaps(sync) == [("trades", 200, 300, "sequence: trade ids 902..902 missing")]


def test_ids_that_do_not_count_one_by_one_show_no_holes() -> None:
    sync = Sync(TOLD)
    trade(sync, 7, 100)
    trade(sync, 500, 200)
    trade(sync, "f00d", 300)
    assert gaps(sync) == []


def test_trades_that_go_on_after_a_disconnect_show_that_none_was_missed() -> None:
    sync = Sync(SPOT)
    trade(sync, 7, 100)
    say(sync, "disconnected", TRADES, at=900, since=150)
    assert gaps(sync) == [("trades", 150, None, "disconnected: the line went dead")]
    say(sync, "connected", TRADES, at=1000)
    assert TRADES in sync.open
    trade(sync, 7, 100)  # sent once more: shows nothing yet
    assert TRADES in sync.open
    trade(sync, 8, 1100)
    assert gaps(sync) == []
    assert [(gap.from_ts, gap.reason[:12]) for gap in sync.void] == [(150, "disconnected")]


def test_a_hole_after_a_disconnect_closes_the_gap_and_says_which_trades_are_missing() -> None:
    sync = Sync(SPOT)
    trade(sync, 7, 100)
    say(sync, "disconnected", TRADES, at=900, since=150)
    gaps(sync)
    trade(sync, 10, 1100)
    # The missing trades were made after trade 7, at 100: the gap that began at 150 gives way to one from there.
    assert gaps(sync) == [("trades", 100, 1100, "disconnected: the line went dead; trade ids 8..9 missing")]
    assert [gap.from_ts for gap in sync.void] == [150]


def test_where_ids_do_not_count_the_connection_ends_the_gap() -> None:
    sync = Sync(TOLD)
    trade(sync, 7, 100)
    say(sync, "disconnected", TRADES, at=900, since=150)
    say(sync, "connected", TRADES, at=1000)
    assert [gap[1:3] for gap in gaps(sync)] == [(100, None), (100, 1000)]  # from the last trade


def test_a_time_that_is_not_known_does_not_put_the_gap_into_1970() -> None:
    sync = Sync(SPOT)
    for id, ts in ((7, 100), (8, 0), (10, 300)):  # 8 came in a recording that does not tell when
        trade(sync, id, ts)
    assert gaps(sync) == [("trades", 100, 300, "sequence: trade ids 9..9 missing")]


# ── Notes ─────────────────────────────────────────────────────────────────────────────────────


def mark(ts: Nanos) -> MarkPrice:
    return MarkPrice("v", BTC, ts, ts + 5, 100.0)


@pytest.mark.parametrize("kind", ["disconnected", "silent", "limited"])
def test_an_interruption_is_a_gap_until_data_arrives(kind: str) -> None:
    sync = Sync(FUTURES)
    say(sync, kind, MARKS, ("open_interest", BTC), at=900, since=700)
    found = gaps(sync)
    assert [gap[:3] for gap in found] == [("mark_prices", 700, None), ("open_interest", 700, None)]
    assert all(gap[3] == f"{kind}: the line went dead" for gap in found)
    sync.arrived("mark_prices", mark(1000))
    assert [gap[:3] for gap in gaps(sync)] == [("mark_prices", 700, 1000)]
    assert list(sync.open) == [("open_interest", BTC)]


def test_an_interruption_begins_when_the_connection_last_spoke_else_when_the_venue_did_else_now() -> None:
    for since, last_ts, begins in ((700, 800, 700), (0, 800, 800), (0, 0, 900)):
        sync = Sync(FUTURES)
        say(sync, "disconnected", MARKS, at=900, since=since, last_ts=last_ts)
        assert [gap[1] for gap in gaps(sync)] == [begins]


def test_what_is_older_than_the_gap_does_not_end_it_before_it_began() -> None:
    sync = Sync(TOLD)
    say(sync, "disconnected", MARKS, TRADES, at=600, since=500)
    gaps(sync)
    late = msgspec.structs.replace(mark(440), ts_recv=730)  # of before, heard only now
    sync.arrived("mark_prices", late)
    assert gaps(sync) == [("mark_prices", 500, 730, "disconnected: the line went dead")]
    sync.trade(1, False, BTC, 450)  # from a list of recent trades
    assert gaps(sync) == []
    sync.trade(2, False, BTC, 700)
    assert gaps(sync) == [("trades", 500, 700, "disconnected: the line went dead")]


def test_a_snapshot_older_than_the_last_diff_ends_a_gap_where_it_began() -> None:
    sync = Sync(SPOT, book_interval_ms=0)
    take(sync, snapshot(10, 1000), diff(11, 11, 1200), diff(13, 13, 1300))
    assert [(since, end) for _, since, end, _ in gaps(sync)] == [(1200, None)]
    take(sync, snapshot(20, 1100))
    assert [(since, end) for _, since, end, _ in gaps(sync)] == [(1200, 1200)]


def test_one_interruption_after_another_is_one_gap_from_the_first_on() -> None:
    sync = Sync(FUTURES)
    say(sync, "silent", MARKS, at=900, since=700)
    say(sync, "disconnected", MARKS, at=950, since=940)
    assert [gap[:3] for gap in gaps(sync)] == [("mark_prices", 700, None)]
    say(sync, "connected", MARKS, at=1000)
    assert gaps(sync) == [("mark_prices", 700, 1000, "silent: the line went dead")]


def test_what_a_venue_does_not_offer_is_not_missing() -> None:
    sync = Sync(FUTURES)
    say(sync, "disconnected", MARKS, at=900)
    (opened,) = sync.changed
    say(sync, "refused", MARKS, at=1000)
    assert (sync.void, sync.open) == ([opened], {})


def test_a_note_speaks_for_the_series_that_it_names_alone() -> None:
    sync = Sync(FUTURES)
    say(sync, "disconnected", MARKS, ("mark_prices", "ETHUSDT"), at=900)
    gaps(sync)
    say(sync, "connected", MARKS, at=1000)
    assert [gap[0] for gap in gaps(sync)] == ["mark_prices"]
    assert list(sync.open) == [("mark_prices", "ETHUSDT")]


def test_what_was_before_a_recording_joins_nothing_in_it() -> None:
    sync = Sync(SPOT)
    take(sync, snapshot(10, 100), diff(11, 12, 200))
    trade(sync, 7, 100)
    say(sync, "silent", MARKS, at=150)
    gaps(sync)
    say(sync, "recording", at=1000)
    trade(sync, 500, 1100)
    assert take(sync, diff(30, 31, 1100)) == []
    assert (gaps(sync), sync.open, sync.void) == ([], {}, [])


# ── Going on from what was kept ───────────────────────────────────────────────────────────────


@st.composite
def stories(draw: st.DrawFn) -> list[tuple]:
    """What two symbols' books and tapes may meet: (what it is, its arguments)."""
    found: list[tuple] = []
    last, id, ts = 10, 100, 1000 * MS
    for _ in range(draw(st.integers(4, 25))):
        ts += draw(st.sampled_from([0, 40 * MS, 100 * MS, 300 * MS]))
        kind = draw(
            st.sampled_from(
                ["diff", "diff", "diff", "lost diff", "snapshot", "shallow", "trade", "lost trade", "note"]
            )
        )
        if kind in ("diff", "lost diff"):
            first = last + 1 + (4 if kind == "lost diff" else 0)
            before, last = first - 1, first + draw(st.integers(0, 2))
            found.append(("book", diff(first, last, ts, bid=float(draw(st.integers(0, 3))), prev=before)))
        elif kind == "snapshot":
            found.append(
                ("book", snapshot(last - draw(st.integers(-1, 6)), ts, ask=draw(st.sampled_from([1.0, 2.0]))))
            )
        elif kind == "shallow":
            found.append(("book", snapshot(last, ts, depth=5)))
        elif kind == "note":
            kinds = ["connected", "disconnected", "silent", "limited", "refused"]
            found.append(
                ("note", Note(draw(st.sampled_from(kinds)), "public", [BOOKS, TRADES, MARKS], "so", 0), ts)
            )
        else:
            id += 1 if kind == "trade" else 3
            found.append(("trade", id, draw(st.booleans()), ts))
    return found


def told(sync: Sync, story: Sequence[tuple]) -> list[Any]:
    """Tell a story and return all that came of it: rows, gaps, and gaps taken back."""
    came: list[Any] = []
    for what, *said in story:
        if what == "book":
            came.append(sync.book(said[0]))
        elif what == "trade":
            id, merged, ts = said
            sync.trade(id, merged, BTC, ts)
        else:
            said_, ts = said
            sync.noted(note("v", ts, said_), ts)
        came.append((list(sync.changed), list(sync.void)))
        sync.changed.clear()
        sync.void.clear()
    return came


@pytest.mark.parametrize("venue", [FUTURES, SPOT, TOLD], ids=["previous id", "contiguous", "snapshots"])
@settings(max_examples=150)
@given(story=stories(), data=st.data())
def test_a_sync_that_is_taken_up_anywhere_goes_on_as_if_nothing_had_been(
    venue: Venue, story: list[tuple], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(story)), label="taken up after")
    whole, begun, resumed = Sync(venue), Sync(venue), Sync(venue)
    told(whole, story[:cut])
    told(begun, story[:cut])
    for frame in begun.keep(5000 * MS):
        assert (frame.kind, frame.ts_recv) == ("book", 5000 * MS)
        resumed.take_up(frame)
    assert resumed.open == begun.open
    assert told(resumed, story[cut:]) == told(whole, story[cut:])


def test_nothing_is_kept_of_a_venue_that_was_not_heard() -> None:
    assert list(Sync(FUTURES).keep(1)) == []


def test_diffs_that_wait_for_their_snapshot_are_kept_too() -> None:
    begun, resumed = Sync(SPOT), Sync(SPOT)
    take(begun, diff(11, 12, 1000 * MS), diff(13, 14, 2000 * MS))
    for frame in begun.keep(3000 * MS):
        resumed.take_up(frame)
    assert [row.sequence for row in take(resumed, snapshot(12, 4000 * MS))] == [14]


def test_a_gap_told_by_a_trade_carries_the_venue_and_the_symbol() -> None:
    sync = Sync(SPOT)
    for one in (
        Trade(SPOT.name, BTC, 1, 1, 7, True, 1.0, 1.0),
        Trade(SPOT.name, BTC, 2, 2, 9, True, 1.0, 1.0),
    ):
        sync.trade(one.id, one.merged, one.symbol, one.ts_event or one.ts_recv)
    assert sync.changed == [Gap("binance_spot", BTC, "trades", 1, 2, "sequence: trade ids 8..8 missing")]


def test_ids_that_begin_again_are_a_gap_and_a_new_counting() -> None:
    sync = Sync(FUTURES)
    sync.trade(100, False, "BTCUSDT", 1_000 * SECOND)
    sync.trade(90, False, "BTCUSDT", 1_001 * SECOND)  # a backlog tells what is known
    assert sync.changed == []
    sync.trade(5, False, "BTCUSDT", 2_000 * SECOND)
    (gap,) = sync.changed[1:]
    assert (gap.from_ts, gap.until_ts) == (1_000 * SECOND, 2_000 * SECOND)
    assert gap.reason == "sequence: trade ids begin again at 5"
    sync.changed.clear()
    sync.trade(6, False, "BTCUSDT", 2_001 * SECOND)
    assert sync.changed == [] and sync.open == {}
    sync.trade(8, False, "BTCUSDT", 2_002 * SECOND)
    assert [one.reason for one in sync.changed] == ["sequence: trade ids 7..7 missing"]


def test_a_gap_of_trades_without_numbers_begins_at_the_last_one_that_was_heard() -> None:
    sync = Sync(ALL["bybit_futures"])
    sync.trade("a", False, "BTCUSDT", 1_000 * SECOND)
    lost = Note("disconnected", series=[("trades", "BTCUSDT")], reason="gone", since=1_003 * SECOND)
    sync.noted(note("bybit_futures", 1_005 * SECOND, lost), 1_004 * SECOND)
    (gap,) = sync.changed
    # a trade of second 1001 may have been sent and never read, although quotes came until 1003
    assert (gap.from_ts, gap.until_ts) == (1_000 * SECOND, None)
    again = Sync(ALL["bybit_futures"])
    again.trade("a", False, "BTCUSDT", 1_000 * SECOND)
    resumed = Sync(ALL["bybit_futures"])
    for kept in again.keep(1):
        resumed.take_up(kept)
    resumed.noted(note("bybit_futures", 1_005 * SECOND, lost), 1_004 * SECOND)
    assert resumed.changed[0].from_ts == 1_000 * SECOND

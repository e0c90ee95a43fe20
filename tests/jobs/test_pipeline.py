"""The pipeline: what becomes of each frame, which figures are joined, and that venues do not touch one another."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orderflow.feed.frames import ON_PURPOSE, Frame, Note, note
from orderflow.jobs.pipeline import OTHER_REASONS, REASONS, Pipeline
from orderflow.market.events import MS, BookTop, Event, Funding, Gap, Liquidation, Quote, Trade
from orderflow.market.streams import KEPT
from orderflow.store.live import Live
from orderflow.venues import ALL

FUTURES, SPOT, BTC = "binance_futures", "binance_spot", "BTCUSDT"
T = 1_763_683_200_000  # milliseconds, 2025-11-21T00:00:00Z
FAPI = "https://fapi.binance.com/fapi/v1"


class Kept:
    """A sink that remembers all that it was given."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.gaps: list[Gap] = []
        self.void: list[Gap] = []

    def adders(self, venue: str) -> dict[type[Event], Callable[[Any], None]]:
        return dict.fromkeys(KEPT, self.events.append)

    def gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def no_gap(self, gap: Gap) -> None:
        self.void.append(gap)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


def pipeline(**options: Any) -> tuple[Pipeline, Kept]:
    kept = Kept()
    return Pipeline(ALL, kept, Live("replay"), **options), kept


def ws(venue: str, said: Any, at: int = 0, stream: str = "x") -> Frame:
    body = said if isinstance(said, bytes) else json.dumps({"stream": stream, "data": said}).encode()
    return Frame(venue, (T + at) * MS, body, "ws", "public")


def http(venue: str, url: str, said: Any, at: int = 0) -> Frame:
    return Frame(venue, (T + at) * MS, json.dumps(said).encode(), "http", url)


def agg(id: int, at: int = 0, symbol: str = BTC) -> dict[str, Any]:
    return {
        "e": "aggTrade",
        "s": symbol,
        "a": id,
        "p": "100",
        "q": "2",
        "f": id,
        "l": id,
        "T": T + at,
        "m": True,
    }


def fill(id: int, at: int = 0, **other: Any) -> dict[str, Any]:
    return {"e": "trade", "s": BTC, "t": id, "p": "100", "q": "2", "T": T + at, "m": True, **other}


def mark(at: int = 0, symbol: str = BTC) -> dict[str, Any]:
    said = {"e": "markPriceUpdate", "E": T + at, "s": symbol, "p": "101", "i": "100", "r": "0.0001"}
    return {**said, "T": T + 8 * 3_600_000}


def depth(first: int, last: int, prev: int, at: int, bid: str = "2") -> dict[str, Any]:
    return {
        "e": "depthUpdate", "s": BTC, "T": T + at, "U": first, "u": last, "pu": prev, "b": [["100", bid]], "a": [],
    }  # fmt: skip


BOOK = {"lastUpdateId": 10, "T": T, "bids": [["100", "1"]], "asks": [["101", "1"]]}
NONSENSE = [
    b"",
    b"{",
    b"null",
    b"[]x",
    b"\xff\xfe",
    b'{"stream":"x","data":{"e":"aggTrade"}}',
    b"[" * 5000,
    b'{"a":1}',
]

# ── Counting ──────────────────────────────────────────────────────────────────────────────────


def test_each_frame_is_used_or_left_out_for_a_reason_or_not_understood() -> None:
    found, kept = pipeline()
    found.take(
        [
            note(FUTURES, T * MS, Note("recording")),  # ours: not counted
            ws(FUTURES, agg(1)),  # used
            ws(FUTURES, depth(11, 12, 10, 1)),  # used: it waits for a snapshot
            http(FUTURES, f"{FAPI}/depth?symbol={BTC}", BOOK),  # used
            http(FUTURES, f"{FAPI}/fundingInfo", [{"symbol": BTC, "fundingIntervalHours": 4}]),  # used
            ws(FUTURES, fill(7, X="INSURANCE_FUND")),  # left out
            ws(FUTURES, b'{"result":null,"id":1}'),  # left out: an acknowledgement
            http(FUTURES, f"{FAPI}/ping", {}),  # left out
            ws(FUTURES, []),  # left out: nothing in it
            ws("elsewhere", b"{}"),  # left out: no decoder
            ws(SPOT, b"{"),  # not understood
            http(SPOT, "https://data-api.binance.vision/api/v3/nowhere", {}),  # not understood
            Frame(SPOT, 0, b"1,2", "table", "table:aggTrades?symbol=BTCUSDT"),  # not understood
        ]
    )
    tally = found.tally
    assert (tally.frames, tally.used, tally.ignored.total(), tally.unknown.total()) == (12, 4, 5, 3)
    assert dict(tally.ignored) == {
        "not a trade on the book: X is INSURANCE_FUND": 1,
        "about the connection: ack": 1,
        "a ping says nothing": 1,
        "an empty list": 1,
        "no decoder for elsewhere": 1,
    }
    assert found.unknown_by_venue == {SPOT: 3}
    assert [type(event) for event in kept.events] == [Trade, BookTop]


def test_a_message_of_which_a_part_is_kept_is_used() -> None:
    found, kept = pipeline()
    found.take([ws(FUTURES, [fill(1, X="ADL"), fill(2)])])
    assert (found.tally.used, found.tally.ignored.total(), len(kept.events)) == (1, 0, 1)


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
def test_nonsense_from_one_venue_does_not_touch_the_other(nonsense: bytes) -> None:
    alone, expected = pipeline()
    alone.take([ws(SPOT, agg(id, id)) for id in range(20)])
    found, kept = pipeline()
    for id in range(20):
        found.take([ws(FUTURES, nonsense[:120] if id % 2 else nonsense, id), ws(SPOT, agg(id, id))])
    assert kept.events == expected.events
    assert (kept.gaps, found.tally.frames, found.tally.unknown.total()) == ([], 40, 20)
    assert found.unknown_by_venue == {FUTURES: 20}


def test_nonsense_in_the_middle_does_not_stop_its_own_venue() -> None:
    found, kept = pipeline()
    found.take([ws(SPOT, agg(1)), *(ws(SPOT, one) for one in NONSENSE), ws(SPOT, agg(2, 1))])
    assert [trade.id for trade in kept.of(Trade)] == [1, 2]
    assert found.tally.unknown.total() == len(NONSENSE)


def test_the_last_frame_that_was_not_understood_is_shown_cut_short() -> None:
    found, _ = pipeline()
    found.take([ws(SPOT, b"\xff" + b"x" * 500)])
    assert found.tally.sample.startswith("\ufffdxxx")
    assert len(found.tally.sample) == 200


def test_no_frames_are_nothing() -> None:
    found, kept = pipeline()
    found.take([])
    assert (found.tally.frames, found.last_ts, kept.events) == (0, 0, [])


# ── Funding intervals ─────────────────────────────────────────────────────────────────────────


def hours(kept: Kept) -> list[tuple[str, float | None]]:
    return [(event.symbol, event.interval_hours) for event in kept.of(Funding)]


INTERVALS = http(FUTURES, f"{FAPI}/fundingInfo", [{"symbol": BTC, "fundingIntervalHours": 4}])


def test_the_hours_between_fundings_are_unknown_until_the_venue_has_said_them() -> None:
    found, kept = pipeline()
    found.take([ws(FUTURES, mark()), INTERVALS, ws(FUTURES, mark(1000)), ws(FUTURES, mark(1000, "ETHUSDT"))])
    # the list names only contracts that do not pay every 8 hours: ETHUSDT is not on it
    assert hours(kept) == [(BTC, None), (BTC, 4.0), ("ETHUSDT", 8.0)]


def test_a_list_of_hours_that_names_no_contract_means_eight_for_all() -> None:
    found, kept = pipeline()
    found.take(
        [
            http(FUTURES, f"{FAPI}/fundingInfo", [{"symbol": "X", "fundingIntervalHours": 1}]),
            ws(FUTURES, mark()),
        ]
    )
    assert hours(kept) == [(BTC, 8.0)]


def test_what_one_recording_said_of_hours_is_unknown_in_the_next() -> None:
    found, kept = pipeline()
    found.take([INTERVALS, note(FUTURES, T * MS, Note("recording")), ws(FUTURES, mark())])
    assert hours(kept) == [(BTC, None)]


def test_a_segment_that_begins_here_knows_the_hours_that_were_said_before() -> None:
    before, _ = pipeline()
    before.take([INTERVALS])
    after, kept = pipeline()
    after.take([note(FUTURES, T * MS, Note("recording")), *before.keep_books(T * MS)])
    after.take([ws(FUTURES, mark()), ws(FUTURES, mark(0, "ETHUSDT"))])
    assert hours(kept) == [(BTC, 4.0), ("ETHUSDT", 8.0)]
    assert after.tally.frames == 2


# ── Books, tapes and gaps ─────────────────────────────────────────────────────────────────────


def test_a_book_that_needs_a_snapshot_asks_for_it_by_venue_and_symbol() -> None:
    wanted: list[tuple[str, str]] = []
    found, _ = pipeline(want_snapshot=lambda venue, symbol: wanted.append((venue, symbol)))
    found.take([ws(FUTURES, depth(11, 12, 10, 1))])
    assert wanted == [(FUTURES, BTC)]


def test_rows_of_a_book_go_to_the_sink_and_to_the_live_state() -> None:
    found, kept = pipeline(book_interval_ms=0)
    found.take([http(FUTURES, f"{FAPI}/depth?symbol={BTC}", BOOK), ws(FUTURES, depth(11, 12, 10, 1))])
    assert [top.levels[1] for top in kept.of(BookTop)] == [1.0, 2.0]
    assert [top.sequence for top in found.live.tops(BTC)] == [12]


def test_rows_that_are_no_trades_keep_the_count_of_ids_unbroken() -> None:
    found, kept = pipeline()
    found.take(
        [
            ws(FUTURES, fill(7)),
            ws(FUTURES, fill(8, 1, X="NA")),
            ws(FUTURES, fill(9, 2)),
            ws(FUTURES, fill(11, 3)),
        ]
    )
    assert [(gap.from_ts, gap.until_ts, gap.reason) for gap in kept.gaps] == [
        ((T + 2) * MS, (T + 3) * MS, "sequence: trade ids 10..10 missing")
    ]


def test_a_gap_after_a_row_that_is_no_trade_begins_by_the_venues_clock() -> None:
    # The row left out was matched at T + 1 and heard 500 ms later; the next trade was matched at T + 3.
    found, kept = pipeline()
    late = msgspec.structs.replace(ws(FUTURES, fill(8, 1, X="NA")), ts_recv=(T + 501) * MS)
    found.take([late, ws(FUTURES, fill(11, 3))])
    assert [(gap.from_ts, gap.until_ts) for gap in kept.gaps] == [((T + 1) * MS, (T + 3) * MS)]


def test_gaps_reach_the_sink_and_the_live_state_and_those_that_were_none_leave_both() -> None:
    found, kept = pipeline()
    lost = Note("disconnected", "public", [("trades", BTC), ("mark_prices", BTC)], "closed")
    found.take([ws(FUTURES, agg(1)), note(FUTURES, (T + 10) * MS, lost)])
    assert len(found.live.gaps()) == 2
    found.take([ws(FUTURES, agg(2, 20)), ws(FUTURES, mark(30))])
    assert [(gap.stream, gap.until_ts) for gap in found.live.gaps()] == [("mark_prices", (T + 30) * MS)]
    assert [gap.stream for gap in kept.void] == ["trades"]


def test_the_kept_books_of_a_pipeline_are_taken_up_by_another() -> None:
    before, _ = pipeline(book_interval_ms=0)
    before.take([http(FUTURES, f"{FAPI}/depth?symbol={BTC}", BOOK), ws(FUTURES, agg(5)), ws(SPOT, agg(9))])
    after, kept = pipeline(book_interval_ms=0)
    after.take(list(before.keep_books((T + 1) * MS)))
    after.take([ws(FUTURES, depth(11, 12, 10, 2)), ws(FUTURES, agg(6, 3)), ws(SPOT, agg(11, 3))])
    assert [top.sequence for top in kept.of(BookTop)] == [12]
    assert [gap.reason for gap in kept.gaps] == ["sequence: trade ids 10..10 missing"]


# ── How frames are batched ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_how_frames_are_batched_changes_nothing(size: int) -> None:
    frames = [http(FUTURES, f"{FAPI}/depth?symbol={BTC}", BOOK), INTERVALS]
    for n in range(60):
        frames.append(ws(FUTURES, depth(11 + n, 11 + n, 10 + n, 100 * n, str(n))))
        frames.append(ws(SPOT if n % 2 else FUTURES, agg(n + (n > 30), 100 * n)))
        frames.append(ws(FUTURES, mark(100 * n)) if n % 7 else ws(SPOT, NONSENSE[n % 8]))
    whole, expected = pipeline()
    whole.take(frames)
    found, kept = pipeline()
    for start in range(0, len(frames), size):
        found.take(frames[start : start + size])
    assert (kept.events, kept.gaps, kept.void) == (expected.events, expected.gaps, expected.void)
    assert found.tally == whole.tally
    assert len(kept.of(BookTop)) == 20  # 60 changes 100 ms apart, at most one per 250 ms: each third
    assert kept.of(Quote) == []


def test_nonsense_in_endless_variety_is_counted_and_does_not_fill_the_memory() -> None:
    flow, kept = pipeline()
    flow.take([ws(SPOT, f'{{"nonsense": {number}}}'.encode()) for number in range(REASONS + 50)])
    assert flow.tally.unknown.total() == flow.tally.frames == REASONS + 50
    assert flow.tally.unknown[OTHER_REASONS] == 50
    assert len(flow.tally.unknown) == REASONS + 1
    assert kept.events == []


def test_reasons_in_endless_variety_are_counted_and_do_not_fill_the_memory() -> None:
    one, _ = pipeline()
    for number in range(REASONS + 50):
        one._ignore(f"nobody has thought of this: {number}")
    assert one.tally.ignored.total() >= REASONS + 50
    assert len(one.tally.ignored) <= REASONS + 1
    assert one.tally.ignored[OTHER_REASONS] > 0


# ── A mistake of ours ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "mistake", [TypeError("ours"), KeyError("ours"), AttributeError("ours"), ZeroDivisionError()]
)
def test_a_decoder_that_fails_by_our_own_mistake_costs_its_frame_alone(mistake: Exception) -> None:
    """Were it raised, the frame would end the process, and the next one, which reads it from the journal."""

    def decode(payload: bytes, *rest: Any) -> Any:
        if b'"poison"' in payload:
            raise mistake
        return ALL[SPOT].decode(payload, *rest)

    kept = Kept()
    forms = ALL | {SPOT: msgspec.structs.replace(ALL[SPOT], decode=decode)}
    one = Pipeline(forms, kept, Live("live"))
    one.take([ws(SPOT, agg(1)), ws(SPOT, {"e": "poison"}), ws(SPOT, agg(2)), ws(FUTURES, {"e": "poison"})])
    assert [trade.id for trade in kept.of(Trade)] == [1, 2]
    assert one.unknown_by_venue == {SPOT: 1, FUTURES: 1}
    assert any(reason.startswith("a mistake of ours: ") for reason in one.tally.unknown)


# ── What is collected ─────────────────────────────────────────────────────────────────────────


def test_a_note_of_what_is_collected_chooses_from_channels_of_the_whole_market() -> None:
    one, kept = pipeline()
    one.only(["ETHUSDT"])
    one.take([ws(FUTURES, mark())])
    assert kept.events == []
    one.take(one.journal_symbols([BTC], 5))
    one.take([ws(FUTURES, mark(1))])
    assert kept.events and {event.symbol for event in kept.events} == {BTC}


def test_what_is_not_collected_on_purpose_is_no_longer_the_latest() -> None:
    one, _ = pipeline()
    one.take([ws(SPOT, agg(1)), ws(SPOT, agg(2, symbol="ETHUSDT"))])
    gone = Note("disconnected", "public", [("trades", BTC)], ON_PURPOSE)
    lost = Note("disconnected", "public", [("trades", "ETHUSDT")], "1006")
    one.take([note(SPOT, 5, gone), note(SPOT, 6, lost)])
    assert one.live.symbols() == ["ETHUSDT"]
    assert [trade.id for trade in one.live.recent_trades("ETHUSDT")] == [2]


def test_a_gap_that_lasts_on_purpose_says_so_beside_its_first_reason() -> None:
    one, kept = pipeline()
    one.take([ws(SPOT, agg(1))])
    for reason in ("1006", ON_PURPOSE, ON_PURPOSE, "stopped"):
        one.take([note(SPOT, 5, Note("disconnected", "public", [("trades", BTC)], reason))])
    assert [gap.reason for gap in kept.gaps] == [
        "disconnected: 1006",
        f"disconnected: 1006; disconnected: {ON_PURPOSE}",
    ]


def test_a_liquidation_is_among_the_latest_too() -> None:
    pipe, kept = pipeline()
    filled = {"q": "0.5", "p": "9", "ap": "10", "X": "FILLED", "l": "0.5", "z": "0.5", "T": 5}
    order = {"s": BTC, "S": "SELL", "o": "LIMIT", "f": "IOC", **filled}
    pipe.take([ws("binance_futures", {"e": "forceOrder", "E": 5, "o": order})])
    assert pipe.tally.unknown == {}
    assert kept.of(Liquidation) == pipe.live.newest("liquidations", BTC)
    assert [(one.side, one.price) for one in kept.of(Liquidation)] == [("long", 10.0)]

"""Deribit by hand: units, signs and names worked out beside the frames, and the chains of its books.

Pages: `trades.{instrument_name}.{interval}`, `book.{instrument_name}.{interval}`,
`ticker.{instrument_name}.{interval}` and `public/get_instruments` of docs.deribit.com.
"""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orderflow import venues
from orderflow.feed.frames import Frame
from orderflow.feed.recordings import expand, recording
from orderflow.feed.sync import Sync
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.events import (
    BookTop,
    BookUpdate,
    Control,
    Event,
    Funding,
    Gap,
    Ignored,
    Instrument,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Option,
    Quote,
    Trade,
)
from orderflow.store.live import Live
from orderflow.venues.deribit import DERIBIT_FUTURES, DERIBIT_OPTIONS
from orderflow.venues.deribit.names import named
from orderflow.venues.spec import Memory, answer

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures" / "deribit_futures"
OPTION_BOOKS = CAPTURES / "cryptofeed_20210722_book_ticker_options.jsonl"
MS = 1_000_000
T = 1_790_755_200_100


def said(channel: str, data: Any) -> bytes:
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    return json.dumps(frame, separators=(",", ":")).encode()


def trade(seq: int, **other: Any) -> dict[str, Any]:
    return {
        "timestamp": T + seq,
        "instrument_name": "BTC-PERPETUAL",
        "trade_seq": seq,
        "trade_id": str(9000 + seq),
        "price": 80_000.0,
        "amount": 4000.0,
        "direction": "buy",
        **other,
    }


def meant(payload: bytes) -> list[Any]:
    return list(DERIBIT_FUTURES.decode(payload, 1, Memory()))


def frames(path: Path) -> list[Frame]:
    return [one for batch in recording(path) for one in batch]


def events(path: Path) -> list[Event]:
    found: list[Event] = []
    for one in frames(path):
        if one.kind == "ws":
            found += DERIBIT_FUTURES.decode(one.payload, one.ts_recv, Memory())
        elif one.kind == "http":
            found += answer(DERIBIT_FUTURES, one.url, one.payload, one.ts_recv)
    return found


# ── Units and signs ───────────────────────────────────────────────────────────────────────────


def test_an_amount_of_an_inverse_contract_is_dollars_and_of_all_others_coins() -> None:
    # 750 USD at 92288.5 are 750 / 92288.5 BTC: the contract's 10 USD (`contracts` 75) play no part
    payload = said("trades.BTC-PERPETUAL.100ms", [trade(1, amount=750.0, price=92_288.5, contracts=75.0)])
    assert meant(payload)[0].size == pytest.approx(0.00812669, abs=1e-8)
    # 1 000 USD of ETH at 4 000, whose contract is 1 USD
    payload = said(
        "trades.ETH-PERPETUAL.100ms", [trade(1, instrument_name="ETH-PERPETUAL", amount=1000, price=4000)]
    )
    assert (meant(payload)[0].symbol, meant(payload)[0].size) == ("ETHUSDT", 0.25)
    payload = said(
        "trades.SOL_USDC-PERPETUAL.100ms", [trade(1, instrument_name="SOL_USDC-PERPETUAL", amount=12.5)]
    )
    assert (meant(payload)[0].symbol, meant(payload)[0].size) == ("SOLUSDT", 12.5)
    payload = said("trades.option.BTC.100ms", [trade(1, instrument_name="BTC-25DEC26-76000-C", amount=2.5)])
    found = meant(payload)[0]
    assert (found.venue, found.symbol, found.size) == ("deribit_options", "BTCUSDT", 2.5)


@pytest.mark.parametrize(
    ("direction", "mark", "sides"),
    [
        # page of `trades`: T, the taker was liquidated; a taker who must sell had a long
        ("sell", "T", ["long"]),
        ("buy", "T", ["short"]),
        # M, the maker: he did the opposite of `direction`
        ("sell", "M", ["short"]),
        ("buy", "M", ["long"]),
        ("buy", "MT", ["short", "long"]),
        ("sell", "MT", ["long", "short"]),
    ],
)
def test_a_liquidation_closed_the_position_of_the_side_that_is_marked(
    direction: str, mark: str, sides: list[str]
) -> None:
    payload = said("trades.BTC-PERPETUAL.100ms", [trade(5, direction=direction, liquidation=mark)])
    first, *closed = meant(payload)
    assert isinstance(first, Trade) and first.side == direction
    assert [one.side for one in closed] == sides
    assert {(one.price, one.size, one.ts_event) for one in closed} == {(80_000.0, 0.05, (T + 5) * MS)}


def test_funding_is_that_of_eight_hours_with_its_sign_and_has_no_next_time() -> None:
    # fastmm_2026: "current_funding":-2.1714e-4, "funding_8h":-3.1e-6: shorts pay longs
    found = [one for one in events(CAPTURES / "fastmm_2026_ws.jsonl") if isinstance(one, Funding)]
    assert (found[0].rate, found[0].predicted) == (-0.0000031, -0.00021714)
    assert (found[0].interval_hours, found[0].next_ts) == (8.0, None)


def test_the_open_interest_of_an_inverse_contract_is_told_in_dollars() -> None:
    found = [one for one in events(CAPTURES / "fastmm_2026_ws.jsonl") if isinstance(one, OpenInterest)]
    assert found[0].usd == 797_578_130
    assert found[0].size == pytest.approx(797_578_130 / 83_212.14)  # at the mark of the same frame: 9584.9
    linear = said(
        "ticker.XRP_USDC-PERPETUAL.100ms",
        {"instrument_name": "XRP_USDC-PERPETUAL", "timestamp": T, "mark_price": 2.5, "open_interest": 1200.0},
    )
    told = next(one for one in meant(linear) if isinstance(one, OpenInterest))
    assert (told.size, told.usd) == (1200.0, None)


def test_times_are_milliseconds() -> None:
    mark = next(one for one in events(CAPTURES / "fastmm_2026_ws.jsonl") if isinstance(one, MarkPrice))
    # 1790755218559 ms is 30 September 2026, 08:00:18.559 UTC
    assert mark.ts_event == round(datetime(2026, 9, 30, 8, 0, 18, 559_000, UTC).timestamp() * 1000) * MS
    assert (mark.mark, mark.index) == (83_212.14, 83_251.03)


def test_an_options_row_by_hand() -> None:
    row = next(one for one in events(CAPTURES / "fastmm_2026_ws.jsonl") if isinstance(one, Option))
    assert (row.venue, row.symbol, row.instrument) == ("deribit_options", "BTCUSDT", "BTC-25DEC26-76000-C")
    assert row.expiry_ts == int(datetime(2026, 12, 25, 8, tzinfo=UTC).timestamp()) * 10**9
    assert (row.strike, row.kind, row.bid, row.ask) == (76_000.0, "call", 0.1255, 0.133)
    # percent on the wire: 38.25, 35.6, 40.38
    assert (row.mark_iv, row.bid_iv, row.ask_iv) == (0.3825, 0.356, 0.4038)
    assert (row.gamma, row.vega, row.theta, row.delta) == (0.00002, 132.3649, -29.43212, 0.74092)
    assert (row.underlying_price, row.open_interest, row.volume_24h) == (84_222.23, 480.6, 0.0)


def test_zero_is_no_quote_and_no_volatility() -> None:
    found = [one for one in events(OPTION_BOOKS) if isinstance(one, Option)]
    empty = next(one for one in found if one.instrument == "ETH-27AUG21-4000-P")
    assert (empty.bid, empty.ask, empty.bid_iv, empty.ask_iv) == (None, None, None, None)
    assert (empty.mark_iv, empty.volume_24h) == (1.172, None)  # "mark_iv":117.2, "volume":null


def test_a_strike_may_have_decimals_and_a_linear_option_of_bitcoin_is_apart() -> None:
    found = [one for one in events(CAPTURES / "tardis_mapper_samples.jsonl") if isinstance(one, Option)]
    matic = next(one for one in found if "MATIC" in one.instrument)
    assert (matic.symbol, matic.strike, matic.mark_iv) == ("MATICUSDT", 1.02, 2.0964)
    assert named("BTC_USDC-25DEC26-76000-C").symbol == "BTC_USDC"


def test_a_liquidation_of_2020_by_hand() -> None:
    # trade 66460626: buy of 2500 USD at 4458.5, liquidation M: the maker sold, a long was closed
    found = [one for one in events(CAPTURES / "tardis_mapper_samples.jsonl") if isinstance(one, Liquidation)]
    assert [(one.symbol, one.side, one.price) for one in found] == [("BTCUSDT", "long", 4458.5)]
    assert found[0].size == pytest.approx(0.560726, abs=1e-6)


def test_a_quote_of_2025_by_hand() -> None:
    found = [one for one in events(CAPTURES / "nautilus_captured_samples.jsonl") if isinstance(one, Quote)]
    assert (found[0].bid, found[0].ask) == (92_288.0, 92_288.5)
    assert found[0].bid_size == pytest.approx(133_440 / 92_288)
    assert found[0].ask_size == pytest.approx(99_470 / 92_288.5)


# ── Names ─────────────────────────────────────────────────────────────────────────────────────


def test_a_name_tells_what_the_listing_says_of_it() -> None:
    counted: Counter[str] = Counter()
    for path in expand([CAPTURES]):
        for one in frames(path):
            if "get_instruments" not in one.url:
                continue
            for row in json.loads(one.payload)["result"]:
                place = named(row["instrument_name"])
                counted[place.kind] += 1
                if place.kind == "combo":
                    assert row["kind"] in ("future_combo", "option_combo")
                    continue
                perpetual = row["settlement_period"] == "perpetual"
                assert place.kind == ("perpetual" if perpetual else row["kind"])
                if "instrument_type" in row and place.kind != "option":
                    assert place.inverse == (row["instrument_type"] == "reversed")
                if place.kind == "option":
                    if "nautilus" not in path.name:  # made up in part: there they expire at noon
                        assert place.expiry_ts == row["expiration_timestamp"] * MS
                    assert (place.strike, place.right) == (row["strike"], row["option_type"])
    assert counted == {"option": 1047, "perpetual": 10, "future": 32, "combo": 1}


def test_the_sizes_of_a_listing_say_that_amounts_are_not_contracts() -> None:
    listed = [
        one for one in events(CAPTURES / "nautilus_captured_samples.jsonl") if isinstance(one, Instrument)
    ]
    memory = Memory()
    for one in listed:
        memory.learn(one)
    # "contract_size":10.0 in the listing, and 750 of `amount` are 750 USD all the same
    assert memory.contracts["BTC-PERPETUAL"].base(750.0, 50_000.0) == 0.015


def listing(*natives: str) -> Memory:
    memory = Memory()
    for native in natives:
        place = named(native)
        memory.learn(Instrument(place.venue, place.symbol, None, 0, native, place.kind, "", "", "open", True))
    return memory


def test_the_channels_of_a_chain_are_one_an_option_and_one_for_its_trades() -> None:
    calls = ["BTC-25DEC26-76000-C", "BTC-25DEC26-80000-C"]
    memory = listing(*calls, "ETH-25DEC26-4000-P", "SOL_USDC-25DEC26-150-C", "BTC_USDC-25DEC26-76000-C")
    chain, *_ = DERIBIT_OPTIONS.channels
    rest = {one.name: one for one in DERIBIT_OPTIONS.channels}

    def names(channel: str, symbol: str) -> list[str]:
        return DERIBIT_OPTIONS.channel_names(rest[channel], symbol, memory)

    assert DERIBIT_OPTIONS.channel_names(chain, "BTCUSDT", memory) == [f"ticker.{one}.agg2" for one in calls]
    assert names("trades", "BTCUSDT") == ["trades.option.BTC.100ms"]
    assert names("volatility", "ETHUSDT") == ["deribit_volatility_index.eth_usd"]
    assert names("trades", "SOLUSDT") == ["trades.option.USDC.100ms"]
    assert names("chain", "BTC_USDC") == ["ticker.BTC_USDC-25DEC26-76000-C.agg2"]
    assert names("chain", "WIFUSDT") == []


def test_a_frame_begins_with_its_channel_within_the_bytes_that_are_looked_at() -> None:
    longest = "ticker.POPCAT_USDC-25DEC26-0d1045-C.agg2"
    payload = said(longest, {"instrument_name": longest[7:-5], "timestamp": T})
    assert longest.encode() in payload[: DERIBIT_OPTIONS.head_bytes].split(b'"')


# ── The connection ────────────────────────────────────────────────────────────────────────────


def test_a_proof_of_life_is_asked_for_and_given_and_answers_no_subscription() -> None:
    frame = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'
    (asked,) = DERIBIT_FUTURES.decode(frame, 1, Memory())
    assert isinstance(asked, Control) and asked.kind == "asking"
    assert json.loads(asked.reply) == {"jsonrpc": "2.0", "id": 0, "method": "public/test", "params": {}}
    greeting = json.loads(DERIBIT_FUTURES.greeting[0])
    assert (greeting["method"], greeting["params"]) == ("public/set_heartbeat", {"interval": 30})
    assert DERIBIT_FUTURES.keepalive is not None and DERIBIT_FUTURES.keepalive.message is not None
    assert DERIBIT_FUTURES.keepalive.message(1) == asked.reply
    for reply in (
        b'{"jsonrpc":"2.0","id":0,"result":"ok"}',
        b'{"jsonrpc":"2.0","id":0,"result":{"version":"1"}}',
    ):
        (heard,) = DERIBIT_FUTURES.decode(reply, 1, Memory())
        assert isinstance(heard, Control) and heard.kind == "pong"


def test_an_acknowledgement_names_what_was_accepted() -> None:
    frame = next(one for one in frames(OPTION_BOOKS) if b'"result":[' in one.payload)
    (ack,) = DERIBIT_FUTURES.decode(frame.payload, 1, Memory())
    assert isinstance(ack, Control) and (ack.kind, ack.id, len(ack.names)) == ("ack", 0, 30)
    assert "book.BTC-24SEP21-8000-P.raw" in ack.names
    (none,) = DERIBIT_FUTURES.decode(b'{"jsonrpc":"2.0","id":4,"result":[]}', 1, Memory())
    assert isinstance(none, Control) and (none.kind, none.id) == ("refused", 4)


def test_an_error_is_found_in_a_body_and_told_by_its_code() -> None:
    complaint = DERIBIT_FUTURES.refusals.complaint
    body = b'{"jsonrpc":"2.0","error":{"message":"Invalid params","data":{"reason":"wrong format","param":"kind"},"code":-32602}}'
    assert complaint(body) == ("-32602", "Invalid params, wrong format, kind")
    assert complaint(b'{"jsonrpc":"2.0","result":1}') is None
    assert complaint(b"<html>busy</html>") is None
    assert "10028" in DERIBIT_FUTURES.refusals.limited_codes


# ── Books and trades that follow one another ──────────────────────────────────────────────────


def updates(path: Path) -> dict[str, list[BookUpdate]]:
    found: dict[str, list[BookUpdate]] = {}
    for one in events(path):
        if isinstance(one, BookUpdate):
            found.setdefault(one.symbol, []).append(one)
    return found


def followed(taken: list[BookUpdate]) -> Sync:
    sync = Sync(DERIBIT_OPTIONS, book_interval_ms=0)
    for one in taken:
        sync.book(one)
    return sync


def test_the_recorded_books_of_ten_options_have_no_gap() -> None:
    books = updates(OPTION_BOOKS)
    assert (len(books), sum(map(len, books.values()))) == (10, 46)
    for taken in books.values():
        assert taken[0].snapshot and taken[0].replaces
        assert followed(taken).changed == []


def test_each_diff_of_a_recording_that_is_taken_away_is_missed() -> None:
    tried = 0
    for taken in updates(OPTION_BOOKS).values():
        for place in range(1, len(taken) - 1):  # after the last one nothing comes that could miss it
            found = followed(taken[:place] + taken[place + 1 :])
            assert [gap.stream for gap in found.open.values()] == ["orderbooks"]
            tried += 1
    assert tried == 36 - 5  # of 36 diffs, less the last of each of the five books that changed


def test_a_lost_diff_is_a_gap_until_the_next_snapshot_of_the_socket() -> None:
    def book(change_id: int, prev: int | None, *bids: list[Any], kind: str = "change") -> BookUpdate:
        data = {
            "type": kind,
            "timestamp": T + change_id,
            "instrument_name": "BTC-PERPETUAL",
            "change_id": change_id,
            "bids": list(bids),
            "asks": [["new", 80_001.0, 80_001.0]],
        }
        return meant(
            said("book.BTC-PERPETUAL.100ms", data | ({} if prev is None else {"prev_change_id": prev}))
        )[0]

    wanted: list[str] = []
    sync = Sync(DERIBIT_FUTURES, wanted.append, book_interval_ms=0)
    first = sync.book(
        book(10, None, ["new", 80_000.0, 40_000.0], ["new", 79_000.0, 79_000.0], kind="snapshot")
    )
    assert first is not None and first.levels[:4] == (80_000.0, 0.5, 79_000.0, 1.0)
    # ids jump: 10 is followed by 17, which names it
    second = sync.book(book(17, 10, ["delete", 80_000.0, 0.0], ["change", 79_000.0, 158_000.0]))
    assert second is not None and second.levels[:4] == (79_000.0, 2.0, None, None)
    assert (sync.open, wanted) == ({}, [])
    sync.book(book(21, 19, ["new", 79_500.0, 10.0]))
    assert list(sync.open) == [("orderbooks", "BTCUSDT")] and wanted == ["BTCUSDT"]
    again = sync.book(book(3, None, ["new", 80_000.0, 8000.0], kind="snapshot"))  # the numbers began anew
    assert again is not None and again.levels[:2] == (80_000.0, 0.1) and sync.open == {}


class Kept:
    """A sink that keeps events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.gaps: list[Gap] = []

    def adders(self, venue: str) -> dict[type[Event], Callable[[Any], None]]:
        kinds = (Trade, Quote, BookTop, Option, MarkPrice, OpenInterest, Funding, Liquidation)
        return dict.fromkeys(kinds, self.events.append)

    def gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def no_gap(self, gap: Gap) -> None:
        self.gaps.remove(gap)


def pipeline() -> tuple[Pipeline, Kept]:
    kept = Kept()
    return Pipeline(venues.ALL, kept, Live("replay")), kept


def test_blocks_and_legs_of_combos_are_no_trades_but_their_numbers_count() -> None:
    rows = [trade(1), trade(2, block_trade_id="BLOCK-1"), trade(3, combo_trade_id="43"), trade(4), trade(5)]
    for missing, gaps in ((None, 0), (1, 1), (2, 1), (3, 1)):
        taker, kept = pipeline()
        for place, row in enumerate(rows):
            if place != missing:
                payload = said("trades.BTC-PERPETUAL.100ms", [row])
                taker.take([Frame("deribit_futures", (T + place) * MS, payload, "ws", "")])
        assert len(kept.gaps) == gaps
        assert [one.id for one in kept.events if isinstance(one, Trade)] == [
            row["trade_id"]
            for place, row in enumerate(rows)
            if place != missing and row["trade_seq"] not in (2, 3)
        ]


def test_a_recorded_leg_of_a_combo_is_left_out_and_no_hole() -> None:
    # nautilus: 271252854 is the leg of combo trade 43, 271252855 a trade of 750 USD
    found = events(CAPTURES / "nautilus_captured_samples.jsonl")
    leg = next(one for one in found if isinstance(one, Ignored) and one.id is not None)
    kept = next(one for one in found if isinstance(one, Trade))
    assert (leg.id, leg.symbol) == (271_252_854, "BTCUSDT")
    assert (kept.id, kept.sequence, kept.side) == ("403691825", 271_252_855, "sell")


def test_numbers_of_several_options_are_no_holes_in_the_trades_of_their_coin() -> None:
    taker, kept = pipeline()
    for place, (name, seq) in enumerate((("BTC-25DEC26-76000-C", 11), ("BTC-25DEC26-90000-P", 400))):
        payload = said("trades.option.BTC.100ms", [trade(seq, instrument_name=name)])
        taker.take([Frame("deribit_options", (T + place) * MS, payload, "ws", "")])
    assert (len(kept.events), kept.gaps) == (2, [])


@pytest.mark.parametrize("path", expand([CAPTURES]), ids=lambda path: path.name)
def test_a_recording_of_both_kinds_reaches_the_venues_that_its_instruments_belong_to(path: Path) -> None:
    taker, kept = pipeline()
    taker.take(frames(path))
    assert not taker.tally.unknown
    for one in kept.events:
        of_option = isinstance(one, Option) or named(one.symbol).kind == "option"
        assert one.venue == ("deribit_options" if of_option else "deribit_futures")
    rows = [one for one in events(path) if isinstance(one, Option)]
    assert [one for one in kept.events if isinstance(one, Option)] == rows
    if path == OPTION_BOOKS:  # the others are picked frames, that do not follow one another
        assert kept.gaps == []


def test_what_is_left_out_of_the_recordings_is_known() -> None:
    reasons = Counter(
        one.reason for path in expand([CAPTURES]) for one in events(path) if isinstance(one, Ignored)
    )
    assert reasons == {
        "a combo has no series of its own": 2,
        "a combo, or a leg of one, not a trade on the book": 1,
    }


# ── Candles ───────────────────────────────────────────────────────────────────────────────────


def bar(tick: int, close: float) -> bytes:
    data = {"tick": tick, "open": 1.0, "high": 9.0, "low": 1.0, "close": close, "volume": 2.0, "cost": 8.0}
    return said("chart.trades.BTC-PERPETUAL.1", data)


def test_a_bar_is_closed_as_it_was_last_told_when_the_next_begins() -> None:
    memory, minute = Memory(), 60_000
    start = T - T % minute
    found = [
        [(one.open_ts // MS, one.close, one.closed) for one in DERIBIT_FUTURES.decode(payload, 1, memory)]
        for payload in (
            bar(start, 2.0),
            bar(start, 3.0),
            bar(start + minute, 4.0),
            bar(start + 3 * minute, 5.0),
        )
    ]
    assert found == [
        [(start, 2.0, False)],
        [(start, 3.0, False)],
        [(start, 3.0, True), (start + minute, 4.0, False)],
        [(start + 3 * minute, 5.0, False)],  # a bar is missing between: how the last one ended is not known
    ]
    # what the decoder keeps is plain, so that a journal can keep it too
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(memory), type=Memory).states == memory.states

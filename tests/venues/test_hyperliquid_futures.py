"""Hyperliquid by hand: sides, funding, units, times; its recordings; what it acknowledges and refuses."""

from pathlib import Path

import msgspec
import pytest

from orderflow import venues
from orderflow.feed.recordings import recording
from orderflow.feed.sync import Sync
from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    BookTop,
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    Ignored,
    Instrument,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.venues.spec import Memory, answer

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures" / "hyperliquid_futures"
FORM = venues.ALL["hyperliquid_futures"]
INFO = "https://api.hyperliquid.xyz/info"
HOUR_NS = 3_600_000_000_000
RECEIVED = 1_763_719_200_500_000_000  # 2025-11-21 10:00:00.5 UTC


def events(name: str) -> list[Event]:
    memory = Memory()
    found: list[Event] = []
    for batch in recording(CAPTURES / name):
        for one in batch:
            if one.kind == "ws":
                found += FORM.decode(one.payload, one.ts_recv, memory)
            elif one.kind == "http":
                found += answer(FORM, one.url, one.payload, one.ts_recv, memory)
    return found


def said(channel: str, data: object, memory: Memory | None = None) -> list[Event]:
    frame = msgspec.json.encode({"channel": channel, "data": data})
    return list(FORM.decode(frame, RECEIVED, memory or Memory()))


# ── By hand ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("side", "taker"), [("A", "sell"), ("B", "buy")])
def test_the_side_of_a_trade_is_the_takers(side: str, taker: str) -> None:
    # docs, websocket/subscriptions: side "B" is a bid that took, "A" an ask that took
    row = {"coin": "BTC", "side": side, "px": "68517.0", "sz": "0.005", "time": 1_710_125_266_669, "tid": 9}
    (trade,) = said("trades", [row])
    assert isinstance(trade, Trade)
    assert (trade.side, trade.id, trade.ts_event) == (taker, "9", 1_710_125_266_669 * 1_000_000)


def test_a_side_that_is_neither_is_no_trade() -> None:
    row = {"coin": "BTC", "side": "C", "px": "1", "sz": "1", "time": 1, "tid": 9}
    with pytest.raises(msgspec.ValidationError, match="side"):
        said("trades", [row])


def test_funding_is_of_an_hour_and_paid_at_the_full_one() -> None:
    # docs, hypercore/funding: paid every hour; 0.0000125 an hour is 0.01 % in eight hours
    context = {"funding": "0.0000125", "openInterest": "27353.5", "markPx": "80000.0", "oraclePx": "80010.0"}
    found = said("activeAssetCtx", {"coin": "BTC", "ctx": context})
    rate = next(one for one in found if isinstance(one, Funding))
    assert (rate.rate, rate.interval_hours, rate.ts_event) == (0.0000125, 1.0, None)
    assert rate.rate * 8 == pytest.approx(0.0001)
    assert rate.next_ts == 1_763_719_200_000_000_000 + HOUR_NS  # received 0.5 s after ten: eleven o'clock
    interest = next(one for one in found if isinstance(one, OpenInterest))
    assert (interest.size, interest.usd) == (27353.5, None)  # in coins; the venue tells no dollars


def test_a_contract_is_a_coin_and_a_k_is_a_thousand_tokens() -> None:
    # universe: kPEPE counts 1000 PEPE; 40,000 of them at 0.0123 are 492 dollars, as of 1000PEPE elsewhere
    row = {"coin": "kPEPE", "side": "B", "px": "0.0123", "sz": "40000", "time": 1, "tid": 1}
    (trade,) = said("trades", [row])
    assert isinstance(trade, Trade)
    assert (trade.symbol, trade.size, trade.price * trade.size) == ("1000PEPEUSDT", 40_000.0, 492.0)
    assert [FORM.native(one) for one in ("1000PEPEUSDT", "BTCUSDT")] == ["kPEPE", "BTC"]


def test_the_change_of_the_day_is_that_of_the_mark_price() -> None:
    context = {"prevDayPx": "76000.0", "markPx": "77520.0", "dayNtlVlm": "152000.5", "dayBaseVlm": "2.0"}
    found = said("activeAssetCtx", {"coin": "BTC", "ctx": context})
    day = next(one for one in found if isinstance(one, Ticker))
    # 77520 - 76000 = 1520, which is 2 % of 76000
    assert (day.last, day.change, day.change_pct, day.volume, day.quote_volume) == (
        None,
        1520.0,
        2.0,
        2.0,
        152000.5,
    )


def test_a_context_of_which_no_time_is_known_names_no_settlement() -> None:
    frame = b'{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"0.1"}}}'
    assert FORM.decode(frame, 0, Memory()) == [
        Funding("hyperliquid_futures", "BTCUSDT", None, 0, 0.1, interval_hours=1.0)
    ]


def test_a_candle_is_closed_when_the_next_begins_and_not_before() -> None:
    memory = Memory()

    def bar(t: int, close: str, n: int) -> list[Event]:
        data = {"t": t, "T": t + 59_999, "s": "ETH", "i": "1m", "n": n, "v": "1.5"}
        return said("candle", data | {"o": "1", "h": "3", "l": "1", "c": close}, memory)

    told = [*bar(60_000, "2", 1), *bar(60_000, "2.5", 2), *bar(120_000, "2.6", 1), *bar(60_000, "2.4", 3)]
    assert [(one.open_ts, one.close, one.closed) for one in told if isinstance(one, Candle)] == [
        (60_000_000_000, 2.0, False),
        (60_000_000_000, 2.5, False),
        (60_000_000_000, 2.5, True),  # the last of it, once more
        (120_000_000_000, 2.6, False),
        (60_000_000_000, 2.4, True),  # told too late
    ]


def test_what_a_journal_keeps_of_a_candle_closes_it_after_a_restart() -> None:
    memory = Memory()
    data = {
        "t": 0,
        "T": 59_999,
        "s": "ETH",
        "i": "1m",
        "n": 1,
        "v": "1",
        "o": "1",
        "h": "1",
        "l": "1",
        "c": "1",
    }
    said("candle", data, memory)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(memory.needed(False)), type=Memory)
    first, _ = said("candle", data | {"t": 60_000, "T": 119_999}, kept)
    assert isinstance(first, Candle) and first.closed and first.open_ts == 0


# ── The recordings ────────────────────────────────────────────────────────────────────────────


def test_a_recorded_book_and_its_backlog_by_hand() -> None:
    found = events("hftbacktest_20250126_l2book_trades_part1.jsonl")
    books = [one for one in found if isinstance(one, BookUpdate)]
    trades = [one for one in found if isinstance(one, Trade)]
    assert (len(books), len(trades)) == (25, 32)
    assert all((len(one.bids), len(one.asks)) == (20, 20) for one in books)
    assert books[0].bids[:2] == [(105_055.0, 3.03622), (105_054.0, 0.1428)]
    # the first frame of trades tells of 30 that were made up to 49 s before it came
    assert (trades[0].id, trades[0].price, trades[0].size) == ("121451470284048", 105_056.0, 0.00219)
    assert trades[0].ts_event == 1_737_918_794_873_000_000
    assert trades[0].ts_recv - trades[0].ts_event == 49_294_767_000
    assert len({(one.id, one.ts_event) for one in trades}) == 32


def test_a_recorded_book_is_kept_whole_and_misses_nothing() -> None:
    sync = Sync(FORM, book_interval_ms=0)
    updates = [
        one for one in events("hftbacktest_20250126_l2book_trades_part1.jsonl") if isinstance(one, BookUpdate)
    ]
    last: BookTop | None = None
    for update in updates:
        last = sync.book(update) or last
    assert last is not None
    shown = [value for level in updates[-1].bids[:10] for value in level]
    assert list(last.levels[:20]) == shown
    assert (last.depth, sync.changed, dict(sync.open)) == (20, [], {})


def test_two_trades_of_one_hash_and_time_are_two() -> None:
    first, second, *_ = events("tardis_mapper_samples.jsonl")
    assert isinstance(first, Trade) and isinstance(second, Trade)
    assert (first.id, first.price, first.size, first.side) == ("1016375172059570", 69_997.0, 0.38111, "buy")
    assert first.ts_event == second.ts_event == 1_730_160_006_192_000_000
    assert first.id != second.id


def test_a_recorded_context_and_a_recorded_spot_quote() -> None:
    found = events("tardis_mapper_samples.jsonl")
    mark = next(one for one in found if isinstance(one, MarkPrice))
    assert (mark.symbol, mark.mark, mark.index) == ("MOODENGUSDT", 0.19963, 0.1995)
    rate = next(one for one in found if isinstance(one, Funding))
    assert (rate.rate, rate.next_ts) == (0.00004863, None)  # the recording has no time
    quote = next(one for one in found if isinstance(one, Quote))
    assert (quote.symbol, quote.bid, quote.ask_size) == ("@162", 0.97925, 50.0)


def test_the_recorded_answers_of_2023() -> None:
    found = events("hlsdk_cassettes_rest_2023.jsonl")
    listed = [one for one in found if isinstance(one, Instrument)]
    assert [(one.native, one.lot) for one in listed[:3]] == [("BTC", 1e-5), ("ETH", 1e-4), ("ATOM", 0.01)]
    assert len(listed) == 28 and all(one.trading for one in listed)
    candles = [one for one in found if isinstance(one, Candle)]
    assert (candles[0].symbol, candles[0].interval, candles[0].high) == ("1000PEPEUSDT", "1h", 0.001616)
    assert candles[0].volume == 520_665_683.0 and all(one.closed for one in candles)
    paid = [one for one in found if isinstance(one, Funding)]
    assert len(paid) == 1038
    # rows are eight hours apart up to 7 June 2023 and one hour apart from the next night on
    assert {one.interval_hours for one in paid if one.ts_event and one.ts_event < 1_686_186_000 * 10**9} == {
        8.0
    }
    assert {one.interval_hours for one in paid if one.ts_event and one.ts_event >= 1_686_186_000 * 10**9} == {
        1.0
    }
    assert paid[0].rate == -0.00061334 and paid[0].ts_event == 1_683_849_600_048_000_000


def test_the_contexts_of_all_coins_name_none_and_are_left_out() -> None:
    (found,) = events("nautilus_captured_samples.jsonl")
    assert isinstance(found, Ignored) and "places in a list" in found.reason


# ── What is asked and answered ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "subscription"),
    [
        ("trades:BTC", {"type": "trades", "coin": "BTC"}),
        ("l2Book:kPEPE", {"type": "l2Book", "coin": "kPEPE"}),
        ("bbo:xyz:TSLA", {"type": "bbo", "coin": "xyz:TSLA"}),
        ("candle:1m:xyz:TSLA", {"type": "candle", "coin": "xyz:TSLA", "interval": "1m"}),
    ],
)
def test_a_channel_is_asked_for_and_its_acknowledgement_names_it(
    name: str, subscription: dict[str, str]
) -> None:
    asked = msgspec.json.decode(FORM.subscribe([name], 1))
    assert asked == {"method": "subscribe", "subscription": subscription}
    assert msgspec.json.decode(FORM.unsubscribe([name], 1))["method"] == "unsubscribe"
    echo = {"method": "subscribe", "subscription": {**subscription, "nSigFigs": None, "dex": None}}
    (ack,) = said("subscriptionResponse", echo)
    assert isinstance(ack, Control) and (ack.kind, ack.names, ack.id) == ("ack", (name,), None)


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (b'{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"1', "trades:BTC"),
        (b'{"channel":"l2Book","data":{"coin":"kPEPE","levels":[[{"n":5', "l2Book:kPEPE"),
        (b'{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"fund', "activeAssetCtx:BTC"),
        (b'{"channel":"candle","data":{"T":1,"c":"2","i":"1m","l":"3","s":"ETH","t":1', "candle:1m:ETH"),
    ],
)
def test_the_beginning_of_a_frame_tells_its_channel(frame: bytes, name: str) -> None:
    assert FORM.heard is not None
    assert list(FORM.heard(frame)) == [name]
    assert list(FORM.heard(b'{"channel":"pong"}')) == []


def test_the_recorded_frames_are_heard() -> None:
    assert FORM.heard is not None
    names: set[str] = set()
    for batch in recording(CAPTURES / "hftbacktest_20250126_l2book_trades_part1.jsonl"):
        names |= {name for one in batch for name in FORM.heard(one.payload[: FORM.head_bytes])}
    assert names == {"l2Book:BTC", "trades:BTC"}


def test_a_request_for_candles_nests_what_it_asks() -> None:
    endpoint = FORM.endpoint("candles")
    assert endpoint.body is not None
    query = endpoint.params | {"coin": "BTC", "interval": "1m", "startTime": "5", "endTime": "9"}
    assert msgspec.json.decode(endpoint.body(query)) == {
        "type": "candleSnapshot",
        "req": {"coin": "BTC", "interval": "1m", "startTime": 5, "endTime": 9},
    }
    book = FORM.endpoint("depth")
    assert book.body is not None
    assert msgspec.json.decode(book.body(book.params | {"coin": "BTC"})) == {"type": "l2Book", "coin": "BTC"}


def test_lists_of_two_lengths_do_not_belong_together() -> None:
    body = b'[{"universe":[{"name":"BTC","szDecimals":5}]},[]]'
    with pytest.raises(ValueError, match="zip"):
        answer(FORM, f"{INFO}?type=metaAndAssetCtxs", body, 1)


def test_null_is_a_coin_that_there_is_not_and_a_text_what_is_wrong() -> None:
    refusals = FORM.refusals
    assert refusals.complaint(b"null") == ("null", "it knows no such coin")
    assert "null" in refusals.unknown_symbol_codes
    words = b"Failed to deserialize the JSON body into the target type"
    assert refusals.complaint(words) == ("unreadable", words.decode())
    assert refusals.complaint(b'{"universe":[]}') is None


def test_an_unknown_channel_says_so() -> None:
    with pytest.raises(VenueChanged, match="neither data nor an answer"):
        said("somethingElse", {})


def test_liquidations_are_said_to_be_missing_and_not_to_be_none() -> None:
    assert "liquidations" in FORM.market.core
    assert "no public feed" in FORM.cannot["liquidations"]
    assert all("liquidations" not in one.streams for one in FORM.channels)

"""Bybit by hand: what its fields mean, what its recordings say, and that no lost change goes unseen.

Pages of https://bybit-exchange.github.io/docs/v5 are named where they say what is tested.
"""

import json
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from orderflow import venues
from orderflow.feed.book import OrderBook
from orderflow.feed.frames import Frame
from orderflow.feed.recordings import recording
from orderflow.feed.sync import Sync
from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    BookUpdate,
    Candle,
    Event,
    Funding,
    FundingInterval,
    Ignored,
    IndexPrice,
    Instrument,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.venues import bybit
from orderflow.venues.spec import BookRule, Memory, answer

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures"
LINEAR = CAPTURES / "bybit_futures/cryptofeed_20260809_v5_book200_trades_tickers_kline_BTC_DOGE.jsonl.gz"
SPOT = CAPTURES / "bybit_spot/cryptofeed_20260809_v5_book200_trades_tickers_kline_BTC.jsonl"
FUTURES = venues.ALL["bybit_futures"]
BOTH = pytest.mark.parametrize("venue", ["bybit_futures", "bybit_spot"])


def said(venue: str, frame: object, memory: Memory | None = None) -> list[Event]:
    payload = frame if isinstance(frame, bytes) else json.dumps(frame, separators=(",", ":")).encode()
    return list(venues.ALL[venue].decode(payload, 5, memory or Memory()))


def frames(path: Path) -> Iterator[Frame]:
    for batch in recording(path):
        yield from (one for one in batch if one.kind != "note")


def events(path: Path) -> list[Event]:
    memory = Memory()
    found: list[Event] = []
    for one in frames(path):
        venue = venues.ALL[one.venue]
        if one.kind == "ws":
            found += venue.decode(one.payload, one.ts_recv, memory)
        else:
            found += answer(venue, one.url, one.payload, one.ts_recv, memory)
    return found


def ticker(kind: str, ts: int = 1_790_000_000_123, **fields: str) -> dict[str, object]:
    data = {"symbol": "SOLUSDT", **fields}
    return {"topic": "tickers.SOLUSDT", "type": kind, "data": data, "cs": 1, "ts": ts}


# ── Meaning ───────────────────────────────────────────────────────────────────────────────────


def test_a_liquidation_names_the_side_of_the_position() -> None:
    # websocket/public/all-liquidation, `S`: Buy tells of a long position. 2 coins at 80000 are 160000.
    row = {"T": 1_790_000_000_000, "s": "BTCUSDT", "S": "Buy", "v": "2", "p": "80000"}
    frame = {"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": 1_790_000_000_400, "data": [row]}
    (found,) = said("bybit_futures", frame)
    assert isinstance(found, Liquidation)
    assert (found.side, found.price * found.size) == ("long", 160_000.0)
    row["S"] = "Sell"
    (found,) = said("bybit_futures", frame)
    assert isinstance(found, Liquidation) and found.side == "short"


def test_funding_is_a_fraction_per_interval_and_negative_where_shorts_pay() -> None:
    # websocket/public/ticker: fundingRate and fundingIntervalHour; nextFundingTime is in ms.
    # -0.005 % is -0.00005; every 4 hours; 1790006400000 ms - 1790000000123 ms = 6399877 ms ahead.
    news = ticker(
        "snapshot", fundingRate="-0.00005", fundingIntervalHour="4", nextFundingTime="1790006400000"
    )
    (found,) = said("bybit_futures", news)
    assert isinstance(found, Funding) and found.next_ts is not None and found.ts_event is not None
    assert (found.rate, found.interval_hours) == (-0.00005, 4.0)
    assert found.next_ts - found.ts_event == 6_399_877 * 1_000_000


def test_the_listing_has_funding_intervals_in_minutes() -> None:
    # market/instrument: fundingInterval is in minutes. 240 / 60 = 4.
    listed = {
        "symbol": "WIFUSDT",
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": "WIF",
        "quoteCoin": "USDT",
        "fundingInterval": 240,
    }
    body = json.dumps({"retCode": 0, "retMsg": "OK", "result": {"list": [listed]}, "time": 1}).encode()
    found = answer(FUTURES, "https://api.bybit.com/v5/market/instruments-info?category=linear", body, 5)
    assert [one.interval_hours for one in found if isinstance(one, FundingInterval)] == [4.0]


def test_a_contract_of_a_thousand_coins_counts_that_thousand_as_one() -> None:
    # market/instrument: baseCoin is 1000PEPE. 250 of them at 0.012 are 3 in quote, whatever a PEPE costs.
    row = {
        "T": 1_790_000_000_000,
        "s": "1000PEPEUSDT",
        "S": "Buy",
        "v": "250",
        "p": "0.012",
        "i": "a",
        "BT": False,
    }
    frame = {"topic": "publicTrade.1000PEPEUSDT", "type": "snapshot", "ts": 1_790_000_000_002, "data": [row]}
    (found,) = said("bybit_futures", frame)
    assert isinstance(found, Trade)
    assert (found.symbol, found.side, found.size, found.price * found.size) == (
        "1000PEPEUSDT",
        "buy",
        250,
        3.0,
    )


def test_open_interest_is_one_side_of_the_sum() -> None:
    # market/open-interest: openInterest counts both sides. 5000 / 2 = 2500.
    (found,) = said("bybit_futures", ticker("snapshot", openInterest="5000", openInterestValue="790000"))
    assert isinstance(found, OpenInterest)
    assert (found.size, found.usd, found.contracts) == (2500.0, 395_000.0, None)


@BOTH
def test_a_time_is_the_matching_engines_in_milliseconds(venue: str) -> None:
    # websocket/public/orderbook: cts is the matching engine's, ts is when the frame was made, both in ms.
    # 1672304484976 ms is 2022-12-29 09:01:24.976 UTC.
    book = {"s": "BTCUSDT", "b": [["16493.50", "0.006"]], "a": [["16611.00", "0.029"]], "u": 18, "seq": 79}
    frame = {"topic": "orderbook.50.BTCUSDT", "type": "snapshot", "ts": 1672304484978, "data": book}
    (made,) = said(venue, frame)
    (matched,) = said(venue, {**frame, "cts": 1672304484976})
    assert (made.ts_event, matched.ts_event) == (1_672_304_484_978_000_000, 1_672_304_484_976_000_000)


def test_what_a_ticker_does_not_say_has_not_changed_until_the_next_snapshot() -> None:
    memory = Memory()
    said("bybit_futures", ticker("snapshot", markPrice="158", indexPrice="157", fundingRate="0.0001"), memory)
    (mark,) = said("bybit_futures", ticker("delta", markPrice="159"), memory)
    assert isinstance(mark, MarkPrice) and (mark.mark, mark.index) == (159.0, 157.0)
    (rate,) = said("bybit_futures", ticker("delta", nextFundingTime="1790006400000"), memory)
    assert isinstance(rate, Funding) and rate.rate == 0.0001
    (mark,) = said("bybit_futures", ticker("snapshot", markPrice="160"), memory)
    assert isinstance(mark, MarkPrice) and (mark.mark, mark.index) == (160.0, None)


def test_a_quote_that_is_said_again_keeps_its_number_and_a_new_count_of_updates_does_not() -> None:
    def quote(u: int, seq: int, bid: str) -> Quote:
        data = {"s": "ARUSDT", "b": [[bid, "1"]], "a": [["21", "2"]], "u": u, "seq": seq}
        frame = {"topic": "orderbook.1.ARUSDT", "type": "snapshot", "ts": 9, "data": data, "cts": 8}
        (found,) = said("bybit_futures", frame, memory)
        assert isinstance(found, Quote)
        return found

    memory = Memory()
    told = [quote(7, 100, "20"), quote(7, 104, "20"), quote(8, 109, "20.1"), quote(1, 115, "20")]
    assert [one.sequence for one in told] == [100, 100, 109, 115]


@BOTH
@pytest.mark.parametrize(
    ("topic", "version"),
    [
        ("orderBookL2_25.BTCUSD", "V2"),
        ("orderBook_200.100ms.BTCUSD", "V2"),
        ("trade.BTCUSD", "V2"),
        ("instrument_info.100ms.BTCUSD", "V2"),
        ("liquidation.BTCUSDT", "V5 until 2025"),
        ("bookticker.BTCUSDT", "spot V3"),
        ("realtimes", "spot V1"),
    ],
)
def test_a_retired_topic_is_named_with_its_protocol(venue: str, topic: str, version: str) -> None:
    with pytest.raises(VenueChanged, match=f"retired protocol {version}") as raised:
        said(venue, {"topic": topic, "type": "snapshot", "data": {"symbol": "BTCUSD"}})
    assert "V5" in raised.value.hint


def test_what_is_asked_is_one_request_and_the_venue_is_pinged_in_its_own_words() -> None:
    assert json.loads(FUTURES.subscribe(["tickers.BTCUSDT", "kline.1.BTCUSDT"], 3)) == {
        "req_id": "3",
        "op": "subscribe",
        "args": ["tickers.BTCUSDT", "kline.1.BTCUSDT"],
    }
    assert FUTURES.keepalive is not None and FUTURES.keepalive.message is not None
    assert json.loads(FUTURES.keepalive.message(5))["op"] == "ping"
    # websocket connect page: all args of a connection together may have 21,000 characters
    longest = max(len(one.template.format(symbol="10000000AIDOGEUSDT")) for one in FUTURES.channels)
    assert FUTURES.limits.streams_per_connection * (longest + 3) < 21_000
    assert venues.ALL["bybit_spot"].limits.names_per_subscribe == 10  # ten args a request


def test_an_error_in_a_body_is_found_and_told_apart() -> None:
    refusals = FUTURES.refusals
    limited = refusals.complaint(b'{"retCode":10006,"retMsg":"Too many visits!","result":{}}')
    assert limited is not None and limited[0] in refusals.limited_codes
    unknown = refusals.complaint(b'{"retCode":10001,"retMsg":"params error: symbol invalid"}')
    assert unknown is not None and unknown[0] in refusals.unknown_symbol_codes
    wrong = refusals.complaint(b'{"retCode":10001,"retMsg":"Invalid period!"}')
    assert wrong == ("10001", "Invalid period!")
    assert bybit.complaint(b'{"retCode":0,"retMsg":"OK"}') is None
    assert bybit.complaint(b"403, access too frequent") is None
    assert refusals.banned[403] == 600


# ── Recordings ────────────────────────────────────────────────────────────────────────────────


def test_two_forced_closes_of_2026_were_longs() -> None:
    found = [
        one
        for one in events(CAPTURES / "bybit_futures/indexexcerpts_2026_frames.jsonl")
        if isinstance(one, Liquidation)
    ]
    # BTCUSDT: S Buy, v 0.006 and 0.038, p 82396.90 and 82394.30, T 1791565600992 and 1791565601058 ms
    assert [(one.side, one.size, one.price, one.ts_event, one.ordinal) for one in found] == [
        ("long", 0.006, 82396.9, 1_791_565_600_992_000_000, 0),
        ("long", 0.038, 82394.3, 1_791_565_601_058_000_000, 0),
    ]


def test_recorded_open_interest_is_the_half_that_the_venue_tells() -> None:
    found = events(CAPTURES / "bybit_futures/quantdashboard_202609_rest.jsonl")
    # the first of the list is the newest: 56404.953 on both sides, singleOpenInterest 28202.477
    last = found[-1]
    assert isinstance(last, OpenInterest)
    assert (last.symbol, last.size, last.ts_event) == ("BTCUSDT", 28202.477, 1_788_908_400_000_000_000)
    assert [one.ts_event for one in found] == sorted(one.ts_event or 0 for one in found)


def test_the_first_ticker_of_a_recording_by_hand() -> None:
    mark, index, funding, interest, day = events(LINEAR)[:5]
    assert isinstance(mark, MarkPrice) and (mark.mark, mark.index) == (65117.44, 65137.76)
    assert isinstance(index, IndexPrice) and index.price == 65137.76
    assert isinstance(funding, Funding)
    # 1786320000000 ms is 2026-08-10 00:00 UTC, 9182417 ms after 1786310817583
    assert (funding.rate, funding.interval_hours, funding.next_ts) == (0.0001, 8.0, 1_786_320_000 * 10**9)
    assert isinstance(interest, OpenInterest)
    assert (interest.size, interest.usd) == (29945.866, 1949998132.5)  # 59891.732 / 2
    assert isinstance(day, Ticker)
    # 65114.30 - 65008.70 = 105.60; the venue's fraction 0.001624 is 0.1624 %
    assert (day.last, day.open, day.change, day.change_pct) == (65114.3, 65008.7, 105.6, 0.1624)
    assert (day.volume, day.quote_volume) == (17573.912, 1142118412.9021)
    assert day.ts_event == 1_786_310_817_583_000_000


def test_recorded_spot_trades_and_a_closed_candle_by_hand() -> None:
    found = events(SPOT)
    trades = [one for one in found if isinstance(one, Trade)]
    assert len(trades) == 11
    assert (trades[0].id, trades[0].side) == ("2290000001189048101", "buy")
    assert [one.side for one in trades].count("sell") == 6
    closed = [one for one in found if isinstance(one, Candle) and one.closed]
    # the minute from 1786310760000 ms (21:26 UTC) to 1786310819999 ms
    assert [(one.interval, one.open_ts // 10**6, one.close_ts // 10**6) for one in closed] == [
        ("1m", 1786310760000, 1786310819999)
    ]


def test_recorded_quotes_that_are_said_again_are_no_further_rows() -> None:
    for market, changes, repeats in (("bybit_futures", 35, 11), ("bybit_spot", 87, 16)):
        found = events(CAPTURES / market / "cryptofeed_20250613_v5_orderbook1_a.jsonl")
        quotes = [one for one in found if isinstance(one, Quote)]
        rows = {(one.symbol, one.sequence) for one in quotes}
        # 2 and 3 symbols begin; 33 and 84 updates count one further, 11 and 16 repeat their u
        assert (len(rows), len(quotes) - len(rows)) == (changes, repeats)


def test_the_recorded_listing_has_the_users_coins_and_keeps_thousands_apart() -> None:
    linear = CAPTURES / "bybit_futures/cryptofeed_20260809_v5_instruments_linear.jsonl.gz"
    listed = {one.symbol: one for one in events(linear) if isinstance(one, Instrument)}
    assert len(listed) == 800
    for symbol in ("BTCUSDT", "BRETTUSDT", "POPCATUSDT", "WIFUSDT", "PNUTUSDT", "ARUSDT", "1000PEPEUSDT"):
        assert (listed[symbol].kind, listed[symbol].contract_size) == ("perpetual", 1.0)
    assert (listed["BTCUSDT"].tick, listed["BTCUSDT"].lot) == (0.1, 0.001)
    assert (listed["BTCPERP"].quote, listed["BTCUSDT-25DEC26"].kind) == ("USDC", "future")
    hours = {one.symbol: one.interval_hours for one in events(linear) if isinstance(one, FundingInterval)}
    assert (hours["BTCUSDT"], hours["WIFUSDT"]) == (8.0, 4.0)
    assert "BTCUSDT-25DEC26" not in hours


def test_few_frames_of_the_recordings_are_left_out_and_for_known_reasons() -> None:
    reasons: dict[str, int] = {}
    for path in sorted(CAPTURES.glob("bybit_*/*")):
        for one in events(path):
            if isinstance(one, Ignored):
                reasons[one.reason] = reasons.get(one.reason, 0) + 1
    assert reasons == {
        "the best quote comes sooner elsewhere": 244,
        "what changed of a best quote whose beginning is not there": 1,
    }


# ── Books ─────────────────────────────────────────────────────────────────────────────────────


def updates(path: Path) -> dict[str, list[BookUpdate]]:
    found: dict[str, list[BookUpdate]] = {}
    for one in events(path):
        if isinstance(one, BookUpdate):
            found.setdefault(one.symbol, []).append(one)
    return found


CHAINS = [(LINEAR, "BTCUSDT", 414), (LINEAR, "DOGEUSDT", 380), (SPOT, "BTCUSDT", 300)]


@pytest.mark.parametrize(("path", "symbol", "count"), CHAINS, ids=["linear-btc", "linear-doge", "spot-btc"])
def test_a_recorded_book_has_no_gap_and_two_hundred_levels_after_each_change(
    path: Path, symbol: str, count: int
) -> None:
    chain = updates(path)[symbol]
    assert len(chain) == count
    wanted: list[str] = []
    sync = Sync(venues.ALL[chain[0].venue], wanted.append, book_interval_ms=0)
    book = OrderBook(BookRule.CONTIGUOUS)
    for one in chain:
        sync.book(one)
        assert book.apply(one)
        # what leaves the best 200 is deleted by the venue: a level too many or too few would be a mistake
        assert (len(book.bids), len(book.asks)) == (200, 200)
    assert (sync.open, sync.changed, wanted) == ({}, [], [])


@pytest.mark.parametrize(("path", "symbol", "count"), CHAINS, ids=["linear-btc", "linear-doge", "spot-btc"])
def test_each_change_that_is_lost_leaves_a_gap_and_the_next_snapshot_closes_it(
    path: Path, symbol: str, count: int
) -> None:
    chain = updates(path)[symbol]
    for lost in range(1, count - 1):
        wanted: list[str] = []
        sync = Sync(venues.ALL[chain[0].venue], wanted.append, book_interval_ms=10**9)
        for one in chain[:lost]:
            sync.book(one)
        assert not sync.changed
        sync.book(chain[lost + 1])
        (gap,) = sync.changed
        id = chain[lost].last_id
        assert (gap.stream, gap.symbol, gap.until_ts) == ("orderbooks", symbol, None)
        assert gap.reason == f"sequence: ids {id}..{id} missing"
        assert wanted == [symbol]
        snapshot = msgspec.structs.replace(chain[0], ts_event=chain[lost + 1].ts_event)
        sync.book(snapshot)
        assert not sync.open and sync.changed[-1].until_ts == snapshot.ts_event


def test_the_kept_book_agrees_with_the_best_quotes_of_the_tickers() -> None:
    """The tickers, not otherwise used for it, tell the best quote with their place among the changes."""
    books: dict[str, OrderBook] = {}
    tops: dict[str, list[tuple[int, tuple[float, ...]]]] = {}
    quotes: list[tuple[str, int, tuple[float, ...]]] = []
    state: dict[str, dict[str, str]] = {}
    for one in frames(LINEAR):
        frame = json.loads(one.payload)
        if frame.get("topic", "").startswith("tickers."):
            of = state.setdefault(frame["data"]["symbol"], {})
            of.update(frame["data"])
            best = tuple(float(of[name]) for name in ("bid1Price", "bid1Size", "ask1Price", "ask1Size"))
            quotes.append((of["symbol"], frame["cs"], best))
        for event in FUTURES.decode(one.payload, one.ts_recv, Memory()):
            if isinstance(event, BookUpdate):
                book = books.setdefault(event.symbol, OrderBook(BookRule.CONTIGUOUS))
                book.apply(event)
                bid, ask = max(book.bids), min(book.asks)
                top = (bid, book.bids[bid], ask, book.asks[ask])
                tops.setdefault(event.symbol, []).append((frame["data"]["seq"], top))
    compared = 0
    for symbol, cs, best in quotes:
        places = tops.get(symbol, [])
        at = bisect([seq for seq, _ in places], cs)
        if 0 < at < len(places) and places[at - 1][1] == places[at][1]:  # the book stood still around it
            assert best == places[at][1], (symbol, cs)
            compared += 1
    assert compared == 137

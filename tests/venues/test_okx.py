"""OKX worked by hand from its documents and its recordings; a lost book update is found as soon as it can be."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orderflow.feed.book import CheckedBook, OrderBook, book_of
from orderflow.feed.recordings import recording
from orderflow.feed.sync import Sync
from orderflow.market.errors import BookGap, VenueChanged
from orderflow.market.events import (
    MS,
    BookUpdate,
    Candle,
    Event,
    Funding,
    Ignored,
    IndexPrice,
    Instrument,
    LevelText,
    Liquidation,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.venues.okx import complaint
from orderflow.venues.okx_futures import OKX_FUTURES
from orderflow.venues.okx_futures.socket import checksum
from orderflow.venues.spec import Memory, answer, contract

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures" / "okx_futures"
OF_2021 = "cryptofeed_20210722_v5_bookstbt_a.jsonl.gz"
OF_2022 = "cryptofeed_20220513_v5_books_trades_tickers.jsonl"
OF_2026 = "fastmm_2026_ws.jsonl"
LISTING = "cryptofeed_20220513_v5_instruments_swap.jsonl"
DOCS = "https://www.okx.com/docs-v5/en/"  # the pages named below are headings of this document


def events(name: str, memory: Memory | None = None) -> Iterator[Event]:
    memory = memory or Memory()
    for batch in recording(CAPTURES / name):
        for one in batch:
            if one.kind == "ws":
                yield from OKX_FUTURES.decode(one.payload, one.ts_recv, memory)
            elif one.kind == "http":
                yield from answer(OKX_FUTURES, one.url, one.payload, one.ts_recv, memory)


def only(found: Sequence[Event]) -> Any:
    assert len(found) == 1
    return found[0]


def said(channel: str, row: Any, memory: Memory, *, of: str = "BTC-USDT-SWAP", ts_recv: int = 0) -> Any:
    frame = {"arg": {"channel": channel, "instId": of}, "data": [row]}
    return only(OKX_FUTURES.decode(json.dumps(frame, separators=(",", ":")).encode(), ts_recv, memory))


def knowing(**more: Any) -> Memory:
    return Memory({"BTC-USDT-SWAP": contract("BTCUSDT", 0.01), **more})


# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_an_order_that_sells_closed_a_long_whatever_the_mode_of_positions() -> None:
    # "Liquidation orders channel": side of the order; posSide is net in one-way mode
    detail = {"bkPx": "82655.7", "sz": "8.55", "side": "sell", "posSide": "net", "ts": "1791565600771"}
    row = {"instId": "BTC-USDT-SWAP", "details": [detail]}
    sold = said("liquidation-orders", row, knowing())
    # 8.55 contracts x 0.01 BTC = 0.0855 BTC
    assert (sold.side, sold.price, sold.size) == ("long", 82655.7, 0.0855)
    bought = said("liquidation-orders", {**row, "details": [detail | {"side": "buy"}]}, knowing())
    assert bought.side == "short"


def test_liquidations_from_before_we_listened_are_history_and_those_without_a_time_of_ours_are_not() -> None:
    # "the first message after subscribing": 5 s = 5000 ms before the frame came is the oldest that counts
    def at(ts: int, received: int) -> type[Event]:
        detail = {"bkPx": "1", "sz": "1", "side": "sell", "ts": str(ts)}
        row = {"instId": "BTC-USDT-SWAP", "details": [detail]}
        return type(said("liquidation-orders", row, knowing(), ts_recv=received * MS))

    now = 1_791_565_600_000
    assert [at(now - old, now) for old in (0, 5000, 5001, 86_400_000)] == [
        *(Liquidation, Liquidation, Ignored, Ignored)
    ]
    assert at(now - 86_400_000, 0) is Liquidation


def test_a_positive_rate_is_paid_by_longs_at_the_funding_time_and_the_interval_ends_at_the_next() -> None:
    # "Funding rate channel": 1785916800000 - 1785888000000 ms = 28 800 000 ms = 8 h; ours is + = longs pay too
    row = {"instId": "BTC-USDT-SWAP", "fundingRate": "-0.0004", "fundingTime": "1785888000000"}
    row |= {"nextFundingTime": "1785916800000", "nextFundingRate": "", "ts": "1785870855692"}
    found = said("funding-rate", row, knowing())
    assert (found.rate, found.interval_hours, found.predicted) == (-0.0004, 8.0, None)
    assert found.next_ts == 1_785_888_000_000 * MS
    hourly = said("funding-rate", row | {"nextFundingTime": str(1785888000000 + 3_600_000)}, knowing())
    assert hourly.interval_hours == 1.0
    unset = said("funding-rate", row | {"nextFundingTime": ""}, knowing())
    assert unset.interval_hours is None


def test_contracts_are_counted_in_coins_or_in_dollars_and_spot_pairs_in_coins() -> None:
    # "Get instruments": linear, ctVal 0.01 BTC: 727 x 0.01 = 7.27 BTC; inverse, ctVal 100 USD at 50 000:
    # 75 x 100 / 50 000 = 0.15 BTC; spot: as it is
    trade = {"tradeId": "1", "px": "50000", "sz": "727", "side": "buy", "ts": "1"}
    memory = knowing(**{"BTC-USD-SWAP": contract("BTC-USD-SWAP", 100.0, inverse=True)})
    linear = said("trades", trade | {"instId": "BTC-USDT-SWAP"}, memory)
    inverse = said("trades", trade | {"instId": "BTC-USD-SWAP", "sz": "75"}, memory)
    spot = said("trades", trade | {"instId": "BTC-USDT", "sz": "0.5"}, memory)
    assert [(one.symbol, one.size) for one in (linear, inverse, spot)] == [
        ("BTCUSDT", 7.27),
        ("BTC-USD-SWAP", 0.15),
        ("BTC-USDT", 0.5),
    ]
    unknown = said("trades", trade | {"instId": "NEW-USDT-SWAP"}, memory)
    assert (unknown.symbol, unknown.price) == ("NEWUSDT", 50000.0)
    assert isnan(unknown.size)


def test_levels_of_an_inverse_book_are_worth_what_their_price_says_and_a_removed_one_is_nothing() -> None:
    row = {"asks": [["50000", "75", "0", "1"]], "bids": [["40000", "0", "0", "0"]], "ts": "1", "seqId": 2}
    memory = Memory({"BTC-USD-SWAP": contract("BTC-USD-SWAP", 100.0, inverse=True)})
    book = said("books", row, memory, of="BTC-USD-SWAP")
    assert (book.asks, book.bids) == ([(50000.0, 0.15)], [(40000.0, 0.0)])


def test_the_listing_says_what_a_contract_is_and_refuses_to_guess() -> None:
    # "Get instruments": base per contract is ctVal x ctMult: 0.1 x 10 = 1
    row = {"instType": "SWAP", "instId": "A-USDT-SWAP", "instFamily": "A-USDT", "settleCcy": "USDT"}
    row |= {"ctType": "linear", "ctVal": "0.1", "ctMult": "10", "state": "live"}
    rows = [
        row,
        row | {"instId": "B-USDT-SWAP", "instFamily": "B-USDT", "ctVal": ""},
        row | {"instId": "C-USDC-SWAP", "settleCcy": "USDC"},
    ]
    body = json.dumps({"code": "0", "msg": "", "data": rows}).encode()
    memory = Memory()
    for one in answer(OKX_FUTURES, "https://www.okx.com/api/v5/public/instruments?instType=SWAP", body, 0):
        assert isinstance(one, Instrument)
        memory.learn(one)
    assert memory.natives("AUSDT") == ["A-USDT-SWAP"]
    assert memory.contracts["A-USDT-SWAP"].base(3.0, 9.0) == 3.0
    assert isnan(memory.contracts["B-USDT-SWAP"].base(3.0, 9.0))
    assert memory.contracts["C-USDC-SWAP"].symbol == "C-USDC-SWAP"


def test_the_volume_of_a_day_is_in_coins_for_swaps_and_spot_pairs_alike() -> None:
    # "Tickers channel": of swaps vol24h is contracts, volCcy24h coins; of spot pairs vol24h coins, volCcy24h quote
    row = {"vol24h": "4307010", "volCcy24h": "43070.1", "last": "1", "ts": "1"}
    swap = said("tickers", row | {"instType": "SWAP", "instId": "BTC-USDT-SWAP"}, knowing())
    spot = said("tickers", row | {"instType": "SPOT", "instId": "BTC-USDT"}, knowing())
    assert (swap.volume, swap.quote_volume) == (43070.1, None)
    assert (spot.volume, spot.quote_volume) == (4307010.0, 43070.1)
    assert (swap.open, swap.high) == (None, None)  # what is not said is not 0


@pytest.mark.parametrize(
    ("bar", "opens", "name", "closes"),
    [
        # "Candlesticks channel": 1700006400 s is 2023-11-15 00:00 UTC, 1699977600 s 8 hours before
        ("candle1m", 1700006400, "1m", 1700006460),
        ("candle4H", 1700006400, "4h", 1700020800),
        ("candle6H", 1699999200, "6h+08", 1700020800),
        ("candle6Hutc", 1700006400, "6h", 1700028000),
        ("candle1D", 1699977600, "1d+08", 1700064000),
        ("candle1Dutc", 1700006400, "1d", 1700092800),
        # November 2023 in UTC+8 is from 1698768000 (31 October, 16:00 UTC) to 1701360000 (30 November, 16:00)
        ("candle1M", 1698768000, "1M+08", 1701360000),
        # ... and in UTC from 1698796800 to 1701388800; three months to 1706745600, 1 February 2024
        ("candle1Mutc", 1698796800, "1M", 1701388800),
        ("candle3Mutc", 1698796800, "3M", 1706745600),
    ],
)
def test_a_bar_ends_a_millisecond_before_the_next_and_says_whose_day_cuts_it(
    bar: str, opens: int, name: str, closes: int
) -> None:
    found = said(bar, [str(opens * 1000), "1", "2", "1", "2", "700", "7", "14", "1"], knowing())
    assert isinstance(found, Candle)
    assert (found.interval, found.open_ts) == (name, opens * 1000 * MS)
    assert found.close_ts == found.ts_event == (closes * 1000 - 1) * MS
    assert (found.volume, found.quote_volume, found.closed) == (7.0, 14.0, True)


def test_a_bar_of_a_length_that_no_bar_has_says_so() -> None:
    with pytest.raises(VenueChanged, match="unknown length '1y'"):
        said("candle1y", ["1", "1", "2", "1", "2", "700", "7", "14", "1"], knowing())


def test_a_frame_of_the_protocol_before_this_one_names_it() -> None:
    frame = b'{"table":"swap/trade","data":[{"instrument_id":"BTC-USDT-SWAP","price":"1","qty":"2"}]}'
    with pytest.raises(VenueChanged, match="protocol v3") as raised:
        OKX_FUTURES.decode(frame, 0, Memory())
    assert "protocol v5" in raised.value.hint


def test_what_is_subscribed_is_heard_by_the_same_name() -> None:
    # "Subscribe": one message, many args; market-wide channels take instType
    names = ["books:BTC-USDT-SWAP", "index-tickers:BTC-USDT", "liquidation-orders:SWAP"]
    assert json.loads(OKX_FUTURES.subscribe(names, 12)) == {
        "id": "12",
        "op": "subscribe",
        "args": [
            {"channel": "books", "instId": "BTC-USDT-SWAP"},
            {"channel": "index-tickers", "instId": "BTC-USDT"},
            {"channel": "liquidation-orders", "instType": "SWAP"},
        ],
    }
    assert OKX_FUTURES.heard is not None
    for name, arg in zip(names, json.loads(OKX_FUTURES.unsubscribe(names, 1))["args"], strict=True):
        frame = json.dumps({"arg": arg, "data": [{"ts": "1"}]}, separators=(",", ":")).encode()
        assert list(OKX_FUTURES.heard(frame[: OKX_FUTURES.head_bytes])) == [name]
    assert list(OKX_FUTURES.heard(b'{"id":"1","event":"subscribe","arg":{"channel":"books"')) == []


def test_an_error_in_an_answer_of_any_status_is_found() -> None:
    assert complaint(b'{"code":"50011","msg":"Rate limit reached","data":[]}') == (
        "50011",
        "Rate limit reached",
    )
    assert complaint(b'{"code":"0","msg":"","data":[]}') is None
    assert complaint(b"<html>") is None
    assert "50011" in OKX_FUTURES.refusals.limited_codes
    assert "51001" in OKX_FUTURES.refusals.unknown_symbol_codes


# ── Real frames by hand ───────────────────────────────────────────────────────────────────────


def test_a_contract_of_the_listing_of_2026_by_hand() -> None:
    (found,) = events("khonghao_2026_rest.jsonl")
    assert isinstance(found, Instrument)
    assert (found.native, found.symbol, found.base, found.quote) == (
        "BTC-USDT-SWAP",
        "BTCUSDT",
        "BTC",
        "USDT",
    )
    assert (found.contract_size, found.lot, found.inverse, found.trading) == (0.01, 0.01, False, True)


def test_the_listing_of_2022_is_of_linear_and_inverse_swaps() -> None:
    found = [one for one in events(LISTING) if isinstance(one, Instrument)]
    assert len(found) == 166
    by = {one.native: one for one in found}
    assert (by["BTC-USDT-SWAP"].symbol, by["BTC-USDT-SWAP"].contract_size) == ("BTCUSDT", 0.01)
    # UNI-USD-SWAP: ctVal 10, ctValCcy USD
    assert (by["UNI-USD-SWAP"].symbol, by["UNI-USD-SWAP"].contract_size) == ("UNI-USD-SWAP", 10.0)
    assert by["UNI-USD-SWAP"].inverse
    assert all(one.symbol == one.native for one in found if one.inverse)


def test_frames_of_september_2026_by_hand() -> None:
    found = list(events(OF_2026, knowing()))
    trade = next(one for one in found if isinstance(one, Trade))
    # "sz":"0.01" contracts x 0.01 BTC = 0.0001 BTC, "side":"sell"
    assert (trade.id, trade.price, trade.size, trade.side, trade.count) == (
        *(2953620209, 84093.4, 0.0001, "sell", 1),
    )
    quote = next(one for one in found if isinstance(one, Quote))
    # "570.27" and "667.19" contracts
    assert (quote.bid, quote.ask, quote.sequence) == (84093.4, 84093.5, 342177336945)
    assert (quote.bid_size, quote.ask_size) == pytest.approx((5.7027, 6.6719))
    rate = next(one for one in found if isinstance(one, Funding))
    assert (rate.rate, rate.interval_hours) == (0.0000252378080097, 8.0)
    # "fundingTime":"1790784000000", "ts":"1790757122992"
    assert (rate.next_ts, rate.ts_event) == (1_790_784_000_000 * MS, 1_790_757_122_992 * MS)
    index = next(one for one in found if isinstance(one, IndexPrice))
    assert (index.symbol, index.price) == ("BTCUSDT", 83043.9)
    interest = next(one for one in found if isinstance(one, OpenInterest))
    assert (interest.size, interest.contracts, interest.usd) == (
        *(28744.8699000000925, 2874486.99000000925, 2385812703.752047677463),
    )


def test_a_forced_order_of_october_2026_by_hand() -> None:
    (found,) = events("indexexcerpts_2026_frames.jsonl", knowing())
    assert isinstance(found, Liquidation)
    # "side":"sell","sz":"8.55","bkPx":"82655.7": 8.55 x 0.01 BTC
    assert (found.symbol, found.side, found.price, found.size) == ("BTCUSDT", "long", 82655.7, 0.0855)
    assert found.ts_event == 1_791_565_600_771 * MS


def test_a_bar_and_a_day_of_2022_by_hand() -> None:
    found = list(events("cryptomsgparser_samples.jsonl", knowing()))
    bar = next(one for one in found if isinstance(one, Candle))
    # ["1662716640000","20702.4","20710","20702.3","20703.8","4070","40.7"]: 4070 contracts x 0.01 = 40.7 BTC
    assert (bar.volume, bar.quote_volume, bar.closed, bar.interval) == (40.7, None, False, "1m")
    day = next(one for one in found if isinstance(one, Ticker))
    assert (day.last, day.volume) == (29963.0, 108540.53)


# ── Trades: ids ───────────────────────────────────────────────────────────────────────────────


@cache
def trades(name: str) -> tuple[Trade, ...]:
    return tuple(one for one in events(name) if isinstance(one, Trade))


def missed(rows: Sequence[Trade]) -> list[str]:
    sync = Sync(OKX_FUTURES)
    for one in rows:
        assert isinstance(one.id, int) and one.count is not None
        ts = one.ts_event or 0
        sync.trade(one.id, one.merged, one.symbol, ts, first=one.id - one.count + 1)
    return [f"{gap.symbol}: {gap.reason}" for gap in sync.changed]


@pytest.mark.parametrize("name", [OF_2021, OF_2022])
def test_ids_of_trades_are_consecutive_and_each_one_removed_is_missed(name: str) -> None:
    rows = trades(name)
    assert missed(rows) == []
    for place, one in enumerate(rows):
        inside = any(other.symbol == one.symbol for other in rows[:place]) and any(
            other.symbol == one.symbol for other in rows[place + 1 :]
        )
        found = missed([*rows[:place], *rows[place + 1 :]])
        assert bool(found) == inside
        if found:
            assert found == [f"{one.symbol}: sequence: trade ids {one.id}..{one.id} missing"]


def test_ids_that_a_row_covers_are_not_missed_and_those_before_them_are() -> None:
    # rows as the venue merges them: 280 is 59 fills, 222 to 280; 284 is two, 283 and 284
    row = Trade("okx_futures", "BTCUSDT", 1, 1, 221, False, 84093.5, 0.04)
    rows = [row, *(msgspec.structs.replace(row, id=id, count=count) for id, count in ((280, 59), (281, 1)))]
    rows += [msgspec.structs.replace(row, id=id, count=count) for id, count in ((282, 1), (284, 2))]
    assert missed(rows) == []
    assert missed([*rows[:1], *rows[2:]]) == ["BTCUSDT: sequence: trade ids 222..280 missing"]
    assert missed(rows[:3] + rows[4:]) == ["BTCUSDT: sequence: trade ids 282..282 missing"]


def test_the_hole_in_the_excerpt_of_2026_is_the_only_one() -> None:
    # frames were left out of this excerpt before its first update of the book
    assert missed(trades(OF_2026)) == ["BTCUSDT: sequence: trade ids 2953620210..2953620210 missing"]


# ── Books: each lost update ───────────────────────────────────────────────────────────────────


@cache
def books(name: str) -> dict[str, tuple[BookUpdate, ...]]:
    found: dict[str, list[BookUpdate]] = {}
    for one in events(name):
        if isinstance(one, BookUpdate):
            found.setdefault(one.symbol, []).append(one)
    return {symbol: tuple(updates) for symbol, updates in found.items()}


Side = dict[str, str]
Best = tuple[list[LevelText], list[LevelText]]


def put(sides: tuple[Side, Side], update: BookUpdate) -> None:
    """Apply what the venue wrote, by the definition of an update."""
    assert update.texts is not None
    for side, texts in zip(sides, update.texts, strict=True):
        for price, size in texts:
            if size == "0":
                side.pop(price, None)
            else:
                side[price] = size


def best(sides: tuple[Side, Side]) -> Best:
    """Return the best 25 levels a side, by their definition."""
    bids, asks = sides
    return (
        sorted(bids.items(), key=lambda one: -float(one[0]))[:25],
        sorted(asks.items(), key=lambda one: float(one[0]))[:25],
    )


@pytest.mark.parametrize(("name", "updates"), [(OF_2021, 1504), (OF_2022, 290)])
def test_every_checksum_of_a_recording_is_that_of_the_book(name: str, updates: int) -> None:
    found = books(name)
    assert sum(map(len, found.values())) == updates
    for of_symbol in found.values():
        book, sides = book_of(OKX_FUTURES), ({}, {})
        for update in of_symbol:
            assert book.apply(update)  # or it raises BookGap
            put(sides, update)
            assert update.checksum == checksum(*best(sides))
            assert book.texts is not None
            assert (dict(book.texts[0]), dict(book.texts[1])) == sides


def first_difference(before: tuple[Side, Side], lost: BookUpdate, after: Sequence[BookUpdate]) -> int | None:
    """Return the place in `after` at which the best 25 levels first differ by the lost update."""
    whole, without = ({**before[0]}, {**before[1]}), ({**before[0]}, {**before[1]})
    put(whole, lost)
    for place, update in enumerate(after):
        put(whole, update)
        put(without, update)
        if whole == without:  # all that was lost has been said again
            return None
        if best(whole) != best(without):
            return place
    return None


def first_notice(before: OrderBook, after: Sequence[BookUpdate]) -> int | None:
    """Return the place in `after` at which a book that goes on from another notices a hole."""
    book = book_of(OKX_FUTURES)
    book.resume(list(before.bids.items()), list(before.asks.items()), before.last_id, texts=before.texts)
    for place, update in enumerate(after):
        try:
            book.apply(update)
        except BookGap:
            return place
    return None


@pytest.mark.parametrize(
    # updates that can be lost; those whose loss is noticed; of these, by the very next update
    ("name", "updates", "found", "at_once"),
    [(OF_2021, 1494, 1174, 1165), (OF_2022, 287, 273, 272)],
)
def test_a_lost_update_is_noticed_as_soon_as_the_best_25_levels_differ_by_it(
    name: str, updates: int, found: int, at_once: int
) -> None:
    """A checksum is of the best 25 levels: what is lost below them is lost in silence until it rises there."""
    tried, places = 0, []
    for symbol, of_symbol in books(name).items():
        book, sides = book_of(OKX_FUTURES), ({}, {})
        book.apply(of_symbol[0])
        put(sides, of_symbol[0])
        for place, lost in enumerate(of_symbol[1:], 1):
            tried += 1
            after = of_symbol[place + 1 :]
            differs = first_difference(sides, lost, after)
            assert first_notice(book, after) == differs, (symbol, place)
            if differs is not None:
                places.append(differs)
            book.apply(lost)
            put(sides, lost)
    assert (tried, len(places), places.count(0)) == (updates, found, at_once)


def test_each_lost_update_of_2026_is_noticed_at_the_next_by_its_ids() -> None:
    (updates,) = books(OF_2026).values()
    assert [(one.prev_id, one.last_id) for one in updates[:2]] == [
        (342177337420, 342177337464),
        (342177337464, 342177337533),
    ]
    first = updates[0]
    start = book_of(OKX_FUTURES)
    start.apply(
        msgspec.structs.replace(first, snapshot=True, replaces=True, last_id=first.prev_id, prev_id=None)
    )
    assert (len(updates), first_notice(start, updates)) == (7, None)
    for lost in range(6):
        assert first_notice(start, [*updates[:lost], *updates[lost + 1 :]]) == lost
    assert all(one.checksum is None and one.texts is None for one in updates)


def test_a_journal_that_begins_amid_checksums_goes_on_checking() -> None:
    updates = books(OF_2022)["BTC-USDT"]
    before, after = Sync(OKX_FUTURES), Sync(OKX_FUTURES)
    for one in updates[:50]:
        before.book(one)
    for frame in before.keep(1):
        after.take_up(frame)
    for one in updates[50:60]:
        after.book(one)
    assert after.changed == []
    for one in updates[61:]:
        after.book(one)
    (gap,) = after.changed
    assert gap.reason.startswith("sequence: the book does not have the checksum")


def test_a_book_of_okx_is_one_that_is_checked() -> None:
    assert type(book_of(OKX_FUTURES)) is CheckedBook

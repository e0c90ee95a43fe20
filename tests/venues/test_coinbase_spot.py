"""Coinbase by hand: whose side is told, sizes, times, and what its two feeds say of what they lost."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from orderflow.feed.frames import Frame
from orderflow.feed.recordings import recording
from orderflow.feed.sync import Sync
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.events import (
    MS,
    US,
    BookTop,
    BookUpdate,
    Candle,
    Control,
    Event,
    Gap,
    Ignored,
    Instrument,
    Missed,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.streams import KEPT
from orderflow.store.live import Live
from orderflow.venues.coinbase_spot import COINBASE_SPOT as COINBASE
from orderflow.venues.spec import Memory, answer

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures" / "coinbase_spot"
ADVANCED = CAPTURES / "cryptofeed_20260809_advancedtrade_part1.jsonl.gz"
EXCHANGE = CAPTURES / "cryptofeed_20210417_exchange_l2_match_ticker_a.jsonl.gz"
recorded = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the recordings are not here")


def frames(path: Path) -> list[Frame]:
    return [one for batch in recording(path) for one in batch]


def events(path: Path) -> list[Event]:
    memory = Memory()
    found: list[Event] = []
    for one in frames(path):
        if one.kind == "ws":
            found += COINBASE.decode(one.payload, one.ts_recv, memory)
        elif one.kind == "http":
            found += answer(COINBASE, one.url, one.payload, one.ts_recv, memory)
    return found


class Nowhere:
    """A sink that keeps the gaps and nothing else."""

    def __init__(self) -> None:
        self.gaps: list[Gap] = []

    def adders(self, venue: str) -> dict[type[Event], Any]:
        return dict.fromkeys((BookTop, *KEPT), lambda event: None)

    def gap(self, gap: Gap) -> None:
        self.gaps = [one for one in self.gaps if one.identity != gap.identity] + [gap]

    def no_gap(self, gap: Gap) -> None:
        self.gaps = [one for one in self.gaps if one.identity != gap.identity]


def run(taken: list[Frame]) -> tuple[Pipeline, Nowhere, list[str]]:
    nowhere, wanted = Nowhere(), list[str]()
    pipeline = Pipeline(
        {COINBASE.name: COINBASE},
        nowhere,
        Live("replay"),
        want_snapshot=lambda venue, symbol: wanted.append(symbol),
    )
    pipeline.take(taken)
    return pipeline, nowhere, wanted


# ── Sides, units, times ───────────────────────────────────────────────────────────────────────


def match(id: int, side: str = "sell", kind: str = "match") -> bytes:
    return (
        f'{{"type":"{kind}","trade_id":{id},"maker_order_id":"m","taker_order_id":"t","side":"{side}",'
        f'"size":"0.25","price":"40000.5","product_id":"BTC-USD","sequence":{id * 7},'
        '"time":"2026-08-09T21:05:48.000123Z"}'
    ).encode()


def heartbeat(id: int) -> bytes:
    return (
        f'{{"type":"heartbeat","sequence":1,"last_trade_id":{id},"product_id":"BTC-USD",'
        '"time":"2026-08-09T21:05:49.5Z"}'
    ).encode()


def numbered(number: int, channel: str = "heartbeats", events: str = "") -> bytes:
    return (
        f'{{"channel":"{channel}","timestamp":"2026-08-09T21:05:48.228568804Z","sequence_num":{number},'
        f'"events":[{events}]}}'
    ).encode()


def test_a_maker_who_sold_met_a_taker_who_bought() -> None:
    """https://docs.cdp.coinbase.com/exchange/websocket-feed/channels: match, `side` is the maker's."""
    (trade,) = COINBASE.decode(match(5), 7, Memory())
    assert isinstance(trade, Trade)
    assert (trade.side, trade.is_buyer_maker) == ("buy", False)
    (trade,) = COINBASE.decode(match(5, "buy"), 7, Memory())
    assert isinstance(trade, Trade)
    assert (trade.side, trade.is_buyer_maker) == ("sell", True)
    # sizes are bitcoin, not dollars; 21:05:48 UTC is 1786309548 s, and 123 microseconds
    assert (trade.size, trade.price) == (0.25, 40000.5)
    assert trade.ts_event == 1_786_309_548_000_123 * US
    assert trade.symbol == "BTCUSDT"


def test_the_numbered_feed_tells_the_makers_side_in_capitals() -> None:
    """https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels."""
    rows = ",".join(
        f'{{"trade_id":"{id}","product_id":"ETH-USD","price":"4000","size":"0.5","side":"{side}",'
        '"time":"2026-08-09T21:05:48Z"}'
        for id, side in ((12, "SELL"), (11, "BUY"))
    )
    first, second = COINBASE.decode(
        numbered(0, "market_trades", f'{{"type":"update","trades":[{rows}]}}'), 7, Memory()
    )
    assert isinstance(first, Trade) and isinstance(second, Trade)
    assert [(one.id, one.side) for one in (first, second)] == [(11, "sell"), (12, "buy")]


@recorded
def test_each_recorded_trade_of_2026_printed_on_its_takers_side_of_the_book() -> None:
    sync, against, beyond, inside = Sync(COINBASE, book_interval_ms=0), 0, 0, 0
    tops: dict[str, BookTop] = {}
    for one in events(ADVANCED):
        if isinstance(one, BookUpdate) and (top := sync.book(one)) is not None:
            tops[one.symbol] = top
        elif isinstance(one, Trade) and one.symbol in tops:
            bid, ask = tops[one.symbol].levels[0], tops[one.symbol].levels[20]
            assert bid is not None and ask is not None
            beyond += one.price >= ask if one.side == "buy" else one.price <= bid
            against += one.price <= bid if one.side == "buy" else one.price >= ask
            inside += bid < one.price < ask
    assert (beyond, against, inside) == (51, 0, 6)


@recorded
def test_each_recorded_match_of_2021_printed_on_its_takers_side_of_the_ticker() -> None:
    quotes: dict[str, Quote] = {}
    sides = {True: 0, False: 0}
    for one in events(EXCHANGE):
        if isinstance(one, Quote):
            quotes[one.symbol] = one
        elif isinstance(one, Trade) and one.symbol in quotes:
            quote = quotes[one.symbol]
            assert quote.bid is not None and quote.ask is not None
            if one.price >= quote.ask or one.price <= quote.bid:
                sides[(one.side == "buy") == (one.price >= quote.ask)] += 1
    assert sides[False] == 0 and sides[True] >= 40


def test_a_book_of_the_numbered_feed_has_offers_and_forgets_the_year_1970() -> None:
    said = (
        '{"type":"snapshot","product_id":"BTC-USD","updates":['
        '{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"100","new_quantity":"2"},'
        '{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"101","new_quantity":"3"}]}'
    )
    (book,) = COINBASE.decode(numbered(0, "l2_data", said), 7, Memory())
    assert isinstance(book, BookUpdate)
    assert (book.bids, book.asks, book.snapshot, book.replaces) == (
        [(100.0, 2.0)],
        [(101.0, 3.0)],
        True,
        True,
    )
    assert book.ts_event == 1_786_309_548_228_568_804  # the message's own


def test_levels_with_sizes_that_are_none_are_left_out() -> None:
    said = (
        b'{"type":"l2update","product_id":"BTC-USD","time":"0001-01-01T00:00:00.000000Z",'
        b'"changes":[["buy","10","-1"],["sell","11","NaN"],["sell","12","2"]]}'
    )
    (book,) = COINBASE.decode(said, 7, Memory())
    assert isinstance(book, BookUpdate)
    assert (book.bids, book.asks, book.ts_event) == ([], [(12.0, 2.0)], None)
    said = said.replace(b'"-1"', b'"0.-10000"')
    (book,) = COINBASE.decode(said, 7, Memory())
    assert isinstance(book, BookUpdate)
    assert (book.bids, book.asks) == ([], [(12.0, 2.0)])


def test_a_bar_is_closed_by_the_next_one() -> None:
    def bar(start: int, close: int) -> str:
        return (
            f'{{"type":"update","candles":[{{"start":"{start}","high":"9","low":"1","open":"2",'
            f'"close":"{close}","volume":"4","product_id":"BTC-USD"}}]}}'
        )

    memory = Memory()
    (first,) = COINBASE.decode(numbered(0, "candles", bar(1_786_309_500, 3)), 7, memory)
    assert isinstance(first, Candle) and not first.closed
    over, begun = COINBASE.decode(numbered(1, "candles", bar(1_786_309_800, 5)), 7, memory)
    assert isinstance(over, Candle) and isinstance(begun, Candle)
    assert (over.close, over.closed, begun.close, begun.closed) == (3.0, True, 5.0, False)
    # five minutes are 300,000 ms; the last is 299,999 after the first
    assert (over.interval, over.close_ts - over.open_ts) == ("5m", 299_999 * MS)
    # one that comes late belongs to a bar that is over
    (late,) = COINBASE.decode(numbered(2, "candles", bar(1_786_309_500, 4)), 7, memory)
    assert isinstance(late, Candle) and late.closed


@recorded
def test_rest_bodies_by_hand() -> None:
    found = events(CAPTURES / "coingecko_cassettes_rest.jsonl")
    trades = [one for one in found if isinstance(one, Trade)]
    # newest of the list: 41547422 at 8110.03, the maker sold, so the taker bought
    assert (trades[-1].id, trades[-1].price, trades[-1].side) == (41_547_422, 8110.03, "buy")
    assert trades[-1].ts_event == 1_523_608_594_742 * MS  # 2018-04-13T08:36:34.742Z
    (day,) = [one for one in found if isinstance(one, Ticker)]
    assert (day.symbol, day.last, day.volume) == ("BTCUSDT", 4417.01, 7878.23402368)
    books = [one for one in found if isinstance(one, BookUpdate)]
    assert (books[0].bids[0], books[0].depth) == ((5362.39, 0.12951376), 50)
    bars = [
        one for one in frames(CAPTURES / "nautilus_captured_samples.jsonl") if one.url.endswith("/candles")
    ]
    hourly = answer(COINBASE, bars[0].url + "?granularity=ONE_HOUR", bars[0].payload, 0)
    # 1712188800 s is 2024-04-04 00:00 UTC, an hour before 1712192400
    assert [(one.open_ts // 10**9, one.close) for one in hourly if isinstance(one, Candle)] == [
        (1_712_188_800, 66314.59),
        (1_712_192_400, 66181.6),
    ]


@recorded
def test_the_products_of_2026_are_listed_once_each() -> None:
    listed = {
        one.native: one
        for one in events(CAPTURES / "cryptofeed_20260809_advancedtrade_products.jsonl.gz")
        if isinstance(one, Instrument)
    }
    # 920 products, of which 400 are further names of books in dollars
    assert len(listed) == 520
    bitcoin = listed["BTC-USD"]
    assert (bitcoin.symbol, bitcoin.tick, bitcoin.lot, bitcoin.trading) == ("BTCUSDT", 0.01, 1e-8, True)
    assert "BTC-USDC" not in listed
    assert listed["USDT-USDC"].symbol == "USDT-USDC"
    assert listed["BTC-USDT"].symbol == "BTC-USDT"
    assert len({one.symbol for one in listed.values()}) == 520
    memory = Memory()
    for one in listed.values():
        memory.learn(one)
    named = [
        symbol
        for symbol in ("BTCUSDT", "WIFUSDT", "POPCATUSDT", "PNUTUSDT", "ARUSDT", "BRETTUSDT")
        if memory.natives(symbol)
    ]
    assert named == ["BTCUSDT", "WIFUSDT", "POPCATUSDT", "PNUTUSDT"]


# ── What was lost ─────────────────────────────────────────────────────────────────────────────


@recorded
def test_627_numbered_messages_have_no_gap_and_each_that_is_removed_is_found() -> None:
    whole = frames(ADVANCED)
    pipeline, nowhere, wanted = run(whole)
    assert not nowhere.gaps and not wanted and not pipeline.tally.unknown
    assert pipeline.tally.frames == 627
    assert pipeline.tally.ignored == {"about the connection: pong": 15, "about the connection: ack": 5}
    said = [one for one in whole if one.kind == "ws"]
    lost = 0
    for place in range(1, len(said) - 1):
        memory = Memory()
        COINBASE.decode(said[place - 1].payload, 1, memory)
        first = COINBASE.decode(said[place + 1].payload, 1, memory)[0]
        assert isinstance(first, Missed) and first.reason == f"message {place} is missing before {place + 1}"
        lost += 1
    assert (
        lost == 625
    )  # all but the first, before which there is nothing, and the last, which nothing follows


@recorded
def test_a_lost_message_makes_the_books_begin_anew_and_a_snapshot_ends_the_gap() -> None:
    whole = frames(ADVANCED)
    says = msgspec.json.Decoder(dict[str, Any])
    snapshots = [
        one for one in whole if b'"l2_data"' in one.payload[:30] and b'"snapshot"' in one.payload[:140]
    ]
    at = next(place for place, one in enumerate(whole) if b'"sequence_num":300' in one.payload[:100])
    said = says.decode(whole[at].payload)
    assert said["sequence_num"] == 300
    pipeline, nowhere, wanted = run([*whole[:at], *whole[at + 1 :]])
    assert sorted(set(wanted)) == ["BTCUSDT", "ETHUSDT"]
    books = [one for one in nowhere.gaps if one.stream == "orderbooks"]
    assert sorted(one.symbol for one in books) == ["BTCUSDT", "ETHUSDT"]
    assert all(one.until_ts is None and "message 300 is missing" in one.reason for one in books)
    again = [msgspec.structs.replace(one, ts_recv=whole[-1].ts_recv) for one in snapshots]
    renumbered = [
        msgspec.structs.replace(
            one, payload=msgspec.json.encode(says.decode(one.payload) | {"sequence_num": 627 + place})
        )
        for place, one in enumerate(again)
    ]
    pipeline.take(renumbered)
    assert all(one.until_ts is not None for one in nowhere.gaps if one.stream == "orderbooks")


def test_a_new_connection_counts_from_0_and_its_lost_beginning_is_a_hole() -> None:
    memory = Memory()
    assert not any(isinstance(one, Missed) for one in COINBASE.decode(numbered(41), 1, memory))
    assert not any(isinstance(one, Missed) for one in COINBASE.decode(numbered(0), 1, memory))
    assert not any(isinstance(one, Missed) for one in COINBASE.decode(numbered(1), 1, memory))
    found = COINBASE.decode(numbered(1), 1, memory)[0]
    assert isinstance(found, Missed) and found.reason == "the beginning of the connection is missing before 1"


@recorded
def test_the_batched_books_of_2021_never_cross_and_follow_their_tickers() -> None:
    pipeline, nowhere, wanted = run(frames(EXCHANGE))
    assert not nowhere.gaps and not wanted and not pipeline.tally.unknown
    assert pipeline.tally.frames == 6641
    assert len(pipeline.live.tops()) == 5


@recorded
def test_each_single_match_that_is_removed_is_found() -> None:
    tapes: dict[str, list[Trade]] = {}
    for one in events(EXCHANGE):
        if isinstance(one, Trade):
            tapes.setdefault(one.symbol, []).append(one)
    assert sum(map(len, tapes.values())) == 81
    found = 0
    for trades in tapes.values():
        for gone in trades[1:-1]:
            sync = Sync(COINBASE)
            for one in trades:
                if one is not gone:
                    sync.trade(one.id, one.merged, one.symbol, one.ts_event or 0)
            (gap,) = sync.changed
            assert gap.reason == f"sequence: trade ids {gone.id}..{gone.id} missing"
            found += 1
    assert found == 81 - 4 * 2 - 1  # the ends of four tapes, and the one trade of the fifth


def test_a_heartbeat_finds_a_match_that_nothing_follows_after_a_second() -> None:
    def frame(payload: bytes) -> Frame:
        return Frame("coinbase_spot", 1_786_309_550_000_000_000, payload)

    begun = [match(100, kind="last_match"), heartbeat(100), match(101), heartbeat(102)]
    _, nowhere, _ = run([frame(one) for one in begun])
    assert not nowhere.gaps  # the match may still be under way
    pipeline, nowhere, _ = run([frame(one) for one in (*begun, heartbeat(102))])
    (gap,) = nowhere.gaps
    assert (gap.stream, gap.symbol, gap.until_ts) == ("trades", "BTCUSDT", None)
    assert "the heartbeat told of trade 102 and 101 was the last to arrive" in gap.reason
    pipeline.take([frame(match(103))])
    (gap,) = nowhere.gaps
    assert gap.until_ts is not None and "trade ids 102..102 missing" in gap.reason
    # had it come after all, nothing would be missing
    pipeline, nowhere, _ = run([frame(one) for one in (*begun, heartbeat(102))])
    pipeline.take([frame(match(102))])
    assert not nowhere.gaps


# ── Words of the sockets ──────────────────────────────────────────────────────────────────────


def test_each_feed_is_asked_in_its_own_words() -> None:
    channels = {one.name: one for one in COINBASE.channels}

    def asked(channel: str) -> Any:
        names = [
            name
            for symbol in ("BTCUSDT", "ETHUSDT")
            for name in COINBASE.channel_names(channels[channel], symbol, Memory())
        ]
        return msgspec.json.decode(COINBASE.subscribe(list(dict.fromkeys(names)), 7))

    products = ["BTC-USD", "ETH-USD"]
    assert asked("trades") == {"type": "subscribe", "product_ids": products, "channels": ["matches"]}
    assert asked("book") == {"type": "subscribe", "product_ids": products, "channel": "level2"}
    assert asked("heartbeats") == {"type": "subscribe", "channel": "heartbeats"}


def test_an_answer_is_the_whole_state_and_tells_what_was_given_up() -> None:
    def answered(state: str) -> tuple[str, ...]:
        (said,) = COINBASE.decode(numbered(0, "subscriptions", f'{{"subscriptions":{state}}}'), 7, memory)
        assert isinstance(said, Control) and (said.kind, said.id) == ("ack", None)
        return said.names

    memory = Memory()
    assert answered('{"level2":["BTC-USD","ETH-USD"],"heartbeats":["heartbeats"]}') == (
        "advanced/heartbeats",
        "advanced/level2:BTC-USD",
        "advanced/level2:ETH-USD",
    )
    assert answered('{"heartbeats":["heartbeats"]}') == (
        "advanced/heartbeats",
        "advanced/level2:BTC-USD",
        "advanced/level2:ETH-USD",
    )
    assert answered("{}") == ("advanced/heartbeats",)
    (batched,) = COINBASE.decode(
        b'{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["BTC-USD"]}]}', 7, memory
    )
    assert isinstance(batched, Control) and batched.names == ("exchange/level2_batch:BTC-USD",)


def test_an_error_names_nothing() -> None:
    (said,) = COINBASE.decode(
        b'{"type":"error","message":"Failed to subscribe","reason":"BTC-USDX is not a valid product"}',
        7,
        Memory(),
    )
    assert isinstance(said, Control)
    assert (said.kind, said.names) == ("refused", ())
    assert said.message == "Failed to subscribe: BTC-USDX is not a valid product"


@recorded
def test_every_recorded_frame_of_data_tells_its_channel_by_its_beginning() -> None:
    heard = COINBASE.heard
    assert heard is not None
    known = {name for one in COINBASE.channels for name in (one.template.partition(":")[0],)}
    for path in (ADVANCED, EXCHANGE):
        for one in frames(path):
            if one.kind != "ws" or b'"subscriptions"' in one.payload[:40]:
                continue
            (name,) = heard(one.payload[: COINBASE.head_bytes])
            assert name.partition(":")[0] in known
            assert name == "advanced/heartbeats" or "-" in name.partition(":")[2]


def test_errors_of_both_hosts_are_read() -> None:
    found = COINBASE.refusals.complaint
    assert found(b'{"message":"NotFound"}') == ("NotFound", "NotFound")
    assert found(b'{"errors":[{"id":"rate_limit_exceeded","message":"Too many requests"}]}') == (
        "rate_limit_exceeded",
        "Too many requests",
    )
    assert found(b'[{"id":"BTC-USD"}]') is None


def test_us_futures_are_another_market() -> None:
    url = "https://api.coinbase.com/api/v3/brokerage/market/products?product_type=FUTURE"
    (said,) = answer(COINBASE, url, b'{"products":[{"product_id":"X","product_type":"FUTURE"}]}', 7)
    assert isinstance(said, Ignored)

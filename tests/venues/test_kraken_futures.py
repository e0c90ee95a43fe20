"""Kraken Futures by hand: sides, units, rates and times worked out from its documents and recordings."""

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from orderflow.feed.recordings import recording
from orderflow.feed.sync import Sync
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    MS,
    BookTop,
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    Gap,
    Ignored,
    Instrument,
    Liquidation,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.streams import KEPT
from orderflow.store.live import Live
from orderflow.venues.kraken_futures import KRAKEN_FUTURES as KRAKEN
from orderflow.venues.spec import Memory, answer, contract

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures" / "kraken_futures"
LONG = CAPTURES / "cryptofeed_20210722_book_trade_tickerlite.jsonl.gz"
recorded = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the recordings are not here")
HOST = "https://futures.kraken.com"


def events(path: Path) -> list[Event]:
    found: list[Event] = []
    for batch in recording(path):
        for one in batch:
            if one.kind == "ws":
                found += KRAKEN.decode(one.payload, one.ts_recv, Memory())
            elif one.kind == "http":
                found += answer(KRAKEN, one.url, one.payload, one.ts_recv)
    return found


def of(kind: type[Event], symbol: str, found: list[Event]) -> list[Event]:
    return [one for one in found if type(one) is kind and one.symbol == symbol]


# ── Sides, units, rates, times ────────────────────────────────────────────────────────────────


def test_a_liquidation_that_buys_closed_a_short_of_so_many_dollars() -> None:
    """https://docs.kraken.com/exchange/api-reference/futures-websocket/trade: `side` is the taker's."""
    frame = (
        b'{"feed":"trade","product_id":"PI_XBTUSD","uid":"a","side":"buy","type":"liquidation",'
        b'"seq":2,"time":1700000000123,"qty":40000,"price":16000}'
    )
    trade, closed = KRAKEN.decode(frame, 5, Memory())
    assert isinstance(trade, Trade) and isinstance(closed, Liquidation)
    assert (trade.side, closed.side) == ("buy", "short")
    # 40,000 contracts of 1 USD at 16,000 USD are 2.5 bitcoin
    assert trade.size == closed.size == 2.5
    # the time is in milliseconds
    assert closed.ts_event == 1_700_000_000_123 * 1_000_000


def test_sizes_of_a_linear_perpetual_are_base_units_whatever_the_price() -> None:
    """https://support.kraken.com: linear multi-collateral contracts are 1 unit of the base currency."""
    frame = (
        b'{"feed":"trade","product_id":"PF_XBTUSD","uid":"a","side":"sell","type":"fill",'
        b'"seq":2,"time":1700000000123,"qty":0.0113,"price":64000}'
    )
    (trade,) = KRAKEN.decode(frame, 5, Memory())
    assert isinstance(trade, Trade)
    assert (trade.symbol, trade.size, trade.side, trade.is_buyer_maker) == ("BTCUSDT", 0.0113, "sell", True)


def test_what_was_listed_wins_over_what_an_id_seems_to_say() -> None:
    """https://docs.kraken.com/exchange/api-reference/futures-rest: `contractSize` of /instruments."""
    frame = b'{"feed":"book","product_id":"PF_KUSD","side":"buy","seq":7,"price":2,"qty":3,"timestamp":1}'
    known = Memory({"PF_KUSD": contract("KILOUSDT", 1000.0)})
    (update,) = KRAKEN.decode(frame, 5, known)
    assert isinstance(update, BookUpdate)
    assert (update.symbol, update.bids) == ("KILOUSDT", [(2.0, 3000.0)])  # 3 contracts of 1,000 coins


@recorded
def test_a_ticker_of_the_documents_by_hand() -> None:
    """https://docs.kraken.com/exchange/api-reference/futures-websocket/ticker, its example."""
    found = events(CAPTURES / "nautilus_docs_samples.jsonl")
    (rate,) = of(Funding, "PI_XBTUSD", found)
    assert isinstance(rate, Funding) and rate.next_ts is not None and rate.ts_event is not None
    # relative_funding_rate, not funding_rate: -6.2604214e-11 bitcoin a dollar * 21,984.54 dollars a bitcoin
    assert rate.rate == -1.380384722222e-6
    assert rate.rate == pytest.approx(-6.2604214e-11 * 21984.54, rel=0.005)
    assert (rate.predicted, rate.interval_hours) == (-8.047629166667e-6, 1.0)
    # next_funding_rate_time is an instant: 1676394000000 - 1676393235406 ms are 764.594 s
    assert rate.next_ts - rate.ts_event == 764_594 * MS
    (quote,) = of(Quote, "PI_XBTUSD", found)
    assert isinstance(quote, Quote)
    # 2,536 dollars at 21,978.5; 13,948 dollars at 21,987
    assert quote.bid_size == pytest.approx(0.115386, abs=1e-6)
    assert quote.ask_size == pytest.approx(0.634375, abs=1e-6)
    (interest,) = of(OpenInterest, "PI_XBTUSD", found)
    assert isinstance(interest, OpenInterest)
    assert interest.usd == interest.contracts == 30_072_580.0
    assert interest.size == pytest.approx(30_072_580 / 21_979.68641534714)
    (day,) = of(Ticker, "PI_XBTUSD", found)
    assert isinstance(day, Ticker)
    assert (day.volume, day.quote_volume, day.change_pct) == (None, 31_403_908.0, 1.9974017538161748)


@recorded
def test_the_amounts_that_rest_calls_funding_rates_become_fractions() -> None:
    """https://docs.kraken.com/exchange/api-reference/futures-rest: /tickers tells the absolute rate."""
    found = events(CAPTURES / "quantdashboard_202609_rest.jsonl")
    (linear,), (inverse,) = of(Funding, "BTCUSDT", found), of(Funding, "PI_XBTUSD", found)
    assert isinstance(linear, Funding) and isinstance(inverse, Funding)
    # 0.24851 USD a bitcoin / 78,107.73 = 3.18e-6; 1.87e-10 bitcoin a dollar * 78,107.73 = 1.46e-5
    assert linear.rate == pytest.approx(3.1817e-6, rel=1e-4)
    assert inverse.rate == pytest.approx(1.46063e-5, rel=1e-4)
    assert linear.interval_hours == inverse.interval_hours == 1.0
    (interest,) = of(OpenInterest, "BTCUSDT", found)
    assert isinstance(interest, OpenInterest)
    assert (interest.size, interest.usd, interest.contracts) == (2080.7149, None, None)


@recorded
def test_absent_rates_write_nothing_and_those_of_2021_have_no_interval() -> None:
    rates = [one for one in events(CAPTURES / "tardis_mapper_samples.jsonl") if isinstance(one, Funding)]
    assert [(one.symbol, one.rate, one.interval_hours) for one in rates] == [
        ("PI_LTCUSD", -5.7456135416667e-05, None),
        ("PI_LTCUSD", 0.000156359265625, None),
        ("PI_BCHUSD", -0.000015670191666667, 1.0),
    ]
    # 1567310400000 - 1567296052217 ms: the next one was four hours after the last in 2019
    assert rates[0].next_ts == 1_567_310_400_000 * MS


@recorded
def test_the_recorded_liquidation_of_2020_closed_a_short() -> None:
    found = events(CAPTURES / "tardis_mapper_samples.jsonl")
    (one,) = of(Liquidation, "PI_ETHUSD", found)
    assert isinstance(one, Liquidation)
    assert (one.side, one.price, one.ts_event) == ("short", 231.6, 1_593_620_853_613 * MS)
    assert one.size == pytest.approx(250 / 231.6)


@recorded
def test_times_of_candles_are_milliseconds_though_seconds_are_asked() -> None:
    """https://docs.kraken.com/api-reference/candles/market-candles."""
    found = events(CAPTURES / "nautilus_captured_samples.jsonl")
    bars = [one for one in found if isinstance(one, Candle)]
    # 1731715200 s is 2024-11-16 00:00 UTC; an hour's last millisecond is 3,599,999 later
    assert (bars[0].open_ts, bars[0].close_ts) == (1_731_715_200_000 * MS, 1_731_718_799_999 * MS)
    assert (bars[0].interval, bars[0].close, bars[0].quote_volume) == ("1h", 91045.5, 319_499.0)
    assert bars[0].volume != bars[0].volume  # in bitcoin it is not told
    assert [b.open_ts - a.open_ts for a, b in pairwise(bars)] == [3_600_000 * MS] * 2
    listed = {one.native: one for one in found if isinstance(one, Instrument)}
    assert [one.symbol for one in listed.values()] == ["PI_XBTUSD", "ETHUSDT", "PEPEUSDT", "AAPLXUSDT"]
    # contractValueTradePrecision 3 and -3: steps of 0.001 ether and of 1,000 pepe
    assert (listed["PF_ETHUSD"].lot, listed["PF_PEPEUSD"].lot) == (0.001, 1000.0)
    assert listed["PI_XBTUSD"].inverse and not listed["PF_ETHUSD"].inverse


@recorded
def test_bodies_of_2019_are_read_with_what_they_lack() -> None:
    found = events(CAPTURES / "coingecko_cassettes_rest.jsonl")
    trades = of(Trade, "PI_ETHUSD", found)
    first = trades[-1]
    assert isinstance(first, Trade)
    # newest of the list: 2019-09-14T07:31:05.326Z, 500 contracts at 180.5, bought
    assert (first.id, first.price, first.side) == ("c1154490-db24-4569-a9c4-87facbff4b11", 180.5, "buy")
    assert first.ts_event == 1_568_446_265_326 * MS
    assert first.size == pytest.approx(500 / 180.5)
    assert not [one for one in found if isinstance(one, Funding)]  # no index, so no fraction
    lost = [one for one in found if isinstance(one, Ignored)]
    assert [one.reason for one in lost] == ["a trade without an id"] * 100
    assert len([one for one in found if isinstance(one, Liquidation)]) == 2


# ── A recording with numbers ──────────────────────────────────────────────────────────────────


@recorded
def test_a_recording_has_no_gap_and_its_books_agree_with_its_tickers() -> None:
    sync, compared = Sync(KRAKEN), 0
    for one in events(LONG):
        if isinstance(one, BookUpdate):
            sync.book(one)
        elif isinstance(one, Trade):
            assert one.sequence is not None and one.ts_event is not None
            sync.trade(one.sequence, one.merged, one.symbol, one.ts_event)
        elif isinstance(one, Quote):
            top = top_of_book(sync, one)
            if top is not None:
                compared += 1
                assert top == (one.bid, one.ask)
    assert compared == 107
    assert not sync.changed and not sync.open


def top_of_book(sync: Sync, quote: Quote) -> tuple[float, float] | None:
    """Return the best prices of the kept book, by way of what a journal would keep of it."""
    for frame in sync.keep(0):
        kept = msgspec.msgpack.decode(frame.payload)
        if kept["symbol"] == quote.symbol and kept["in_step"]:
            return max(price for price, _ in kept["bids"]), min(price for price, _ in kept["asks"])
    return None


@recorded
def test_each_single_diff_that_is_removed_is_found() -> None:
    books: dict[str, list[BookUpdate]] = {}
    for one in events(LONG):
        if isinstance(one, BookUpdate):
            books.setdefault(one.symbol, []).append(one)
    removed = 0
    for updates in books.values():
        assert updates[0].snapshot and updates[0].replaces
        for before, gone, after in zip(updates, updates[1:], updates[2:], strict=False):
            sync = Sync(KRAKEN)
            sync.book(msgspec.structs.replace(updates[0], last_id=before.last_id))
            sync.book(after)
            (gap,) = sync.changed
            assert (gap.stream, gap.symbol) == ("orderbooks", gone.symbol)
            assert f"ids {gone.last_id}..{gone.last_id} missing" in gap.reason
            removed += 1
    assert removed == 7014 - len(books)  # all but the last of each book, which nothing follows


@recorded
def test_each_single_trade_that_is_removed_is_found_and_the_backlog_fills_a_hole() -> None:
    tapes: dict[str, list[Trade]] = {}
    for one in events(LONG):
        if isinstance(one, Trade):
            tapes.setdefault(one.symbol, []).append(one)
    assert sum(map(len, tapes.values())) == 1003
    for trades in tapes.values():
        for gone in trades[1:-1]:
            sync = Sync(KRAKEN)
            feed(sync, [one for one in trades if one is not gone])
            (gap,) = sync.changed
            assert gap.reason == f"sequence: trade ids {gone.sequence}..{gone.sequence} missing"
    longest = max(tapes.values(), key=len)
    sync = Sync(KRAKEN)
    feed(sync, longest[:40])
    sync.begin_gap("trades", longest[0].symbol, longest[39].ts_event or 0, "disconnected: test")
    feed(sync, longest)  # the last hundred come again with the next subscription
    assert not sync.open and [one.reason for one in sync.void] == ["disconnected: test"]


def feed(sync: Sync, trades: list[Trade]) -> None:
    for one in trades:
        assert one.sequence is not None and one.ts_event is not None
        sync.trade(one.sequence, one.merged, one.symbol, one.ts_event)


class Nowhere:
    """A sink that keeps the gaps and nothing else."""

    def __init__(self) -> None:
        self.gaps: list[Gap] = []

    def adders(self, venue: str) -> dict[type[Event], object]:
        kinds = (BookTop, *KEPT)
        return dict.fromkeys(kinds, lambda event: None)

    def gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def no_gap(self, gap: Gap) -> None:
        self.gaps.remove(gap)


@recorded
def test_the_pipeline_uses_every_frame_of_the_recording() -> None:
    pipeline = Pipeline({KRAKEN.name: KRAKEN}, nowhere := Nowhere(), live := Live("replay"))
    for batch in recording(LONG):
        pipeline.take(batch)
    assert not nowhere.gaps and not pipeline.tally.unknown
    assert pipeline.tally.ignored == {"about the connection: pong": 1, "about the connection: ack": 30}
    assert pipeline.tally.used == 7175 - 31
    assert len(live.tops()) == 10


# ── Words of the sockets ──────────────────────────────────────────────────────────────────────


def test_a_subscription_names_one_feed_and_its_products() -> None:
    channels = {one.name: one for one in KRAKEN.channels}
    names = [
        name
        for symbol in ("BTCUSDT", "ETHUSDT")
        for name in KRAKEN.channel_names(channels["book"], symbol, Memory())
    ]
    assert names == ["book:PF_XBTUSD", "book:PF_ETHUSD"]
    asked = msgspec.json.decode(KRAKEN.subscribe(names, 7))
    assert asked == {"event": "subscribe", "feed": "book", "product_ids": ["PF_XBTUSD", "PF_ETHUSD"]}
    (answered,) = KRAKEN.decode(
        b'{"event":"subscribed","feed":"book","product_ids":["PF_ETHUSD"]}', 5, Memory()
    )
    assert isinstance(answered, Control)
    assert (answered.kind, answered.id, answered.names) == ("ack", None, ("book:PF_ETHUSD",))


def test_the_unified_socket_is_asked_in_its_own_words() -> None:
    asked = msgspec.json.decode(KRAKEN.subscribe(["uws.trade:PF_XBTUSD"], 7))
    assert asked["method"] == "subscribe" and asked["req_id"] == 7
    assert asked["params"] == {
        "channel": "trade",
        "asset_class": "derivatives",
        "symbol": ["PF_XBTUSD"],
    }
    assert {one.route for one in KRAKEN.channels_for()} == {"v1"}


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (b'{"feed":"book","product_id":"PF_XBTUSD","side":"buy"', "book:PF_XBTUSD"),
        (b'{"feed":"book_snapshot","product_id":"PF_XBTUSD","ti', "book:PF_XBTUSD"),
        (b'{"feed":"trade_snapshot","product_id":"FI_BCHUSD_270730","trades":[', "trade:FI_BCHUSD_270730"),
        (b'{"time":1790000000123,"product_id":"PF_POPCATUSD","funding_rate":', "ticker:PF_POPCATUSD"),
        (b'{"time":1617235200598,"feed":"ticker","product_id":"PI_LTCUSD","bid"', "ticker:PI_LTCUSD"),
        (b'{"channel":"trade","type":"update","data":[{"symbol":"PF_XBTUSD","side"', "uws.trade:PF_XBTUSD"),
    ],
    ids=["diff", "book", "backlog", "ticker", "older ticker", "unified"],
)
def test_a_frame_is_told_by_its_beginning(frame: bytes, name: str) -> None:
    assert KRAKEN.heard is not None
    assert KRAKEN.heard(frame[: KRAKEN.head_bytes]) == (name,)


@pytest.mark.parametrize(
    "frame",
    [
        b'{"event":"subscribed","feed":"book","product_ids":["PF_XBTUSD"]}',
        b'{"feed":"heartbeat","time":1790000000123}',
        b'{"channel":"heartbeat"}',
        b'{"time":1790000000123,"product_id":"PF_A',
    ],
    ids=["ack", "heartbeat", "unified heartbeat", "cut short"],
)
def test_a_frame_of_no_channel_is_told_to_be_of_none(frame: bytes) -> None:
    assert KRAKEN.heard is not None
    assert KRAKEN.heard(frame) == ()


def test_another_version_of_the_socket_says_so_once_and_by_its_number() -> None:
    with pytest.raises(VenueChanged, match="protocol version 2") as caught:
        KRAKEN.decode(b'{"event":"info","version":2}', 5, Memory())
    assert "1 March 2027" in caught.value.hint


def test_errors_under_status_200_are_found_with_their_codes() -> None:
    find = KRAKEN.refusals.complaint
    assert find(b'{"result":"error","error":"apiLimitExceeded"}') == ("apiLimitExceeded", "apiLimitExceeded")
    assert find(b'{"errors":[{"code":"notFound","message":"no such market"}]}') == (
        "notFound",
        "no such market",
    )
    said = b'{"errors":[{"severity":"E","error_class":"General","type":"Invalid arguments","field":"since"}]}'
    assert find(said) == ("EGeneral:Invalid arguments", "since")
    for fine in (
        b'{"result":"success","tickers":[]}',
        b'{"error":[],"result":{}}',
        b'{"candles":[]}',
        b"<html>",
    ):
        assert find(fine) is None


def test_every_note_on_books_and_trades_names_the_day_on_which_the_api_ends() -> None:
    for stream in ("prices", "orderbooks", "trades"):
        assert "1 March 2027" in KRAKEN.notes[stream]


def test_a_body_that_is_neither_an_answer_nor_an_error_is_not_read() -> None:
    with pytest.raises(msgspec.ValidationError):
        answer(KRAKEN, f"{HOST}/derivatives/api/v3/tickers", b'{"rows":[]}', 5)

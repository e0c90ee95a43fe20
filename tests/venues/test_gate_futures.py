"""Gate's futures by hand: units, signs and times after its documents, and real recordings without a hole."""

import json
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orderflow.feed.recordings import recording
from orderflow.feed.sync import Sync
from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    HOUR,
    MS,
    SECOND,
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    Ignored,
    Instrument,
    Liquidation,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.facts import LastPrice
from orderflow.venues import ALL
from orderflow.venues.spec import Memory, answer, contract

GATE = ALL["gate_futures"]
CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures" / "gate_futures"
BTC = Memory({"BTC_USDT": contract("BTCUSDT", 0.0001)})

# ── By the documents ──────────────────────────────────────────────────────────────────────────


def said(channel: str, result: object, **more: object) -> list[Event]:
    frame = {"time": 1_790_000_000, "time_ms": 1_790_000_000_250, "channel": channel, "event": "update"}
    return list(GATE.decode(json.dumps({**frame, "result": result, **more}).encode(), 1, BTC))


def test_a_contract_of_bitcoin_is_a_ten_thousandth_and_a_negative_size_a_sale() -> None:
    # gate.com/docs/developers/futures/ws/en, "Public trades": size is signed by the taker; a contract holds
    # `quanto_multiplier`: |-108| × 0.0001 = 0.0108 BTC. `create_time_ms` is in milliseconds.
    row = {"size": "-108", "id": 27753479, "create_time": 1545136464, "create_time_ms": 1545136464123}
    (sold,) = said("futures.trades", [{**row, "price": "96.4", "contract": "BTC_USDT"}])
    assert sold == Trade("gate_futures", "BTCUSDT", 1545136464123 * MS, 1, 27753479, True, 96.4, 0.0108)
    assert isinstance(sold, Trade) and sold.side == "sell"
    # a fraction of a contract, as sizes are with X-Gate-Size-Decimal: 0.25 × 0.0001 = 0.000025
    (bought,) = said("futures.trades", [{**row, "size": "0.25", "price": "96.4", "contract": "BTC_USDT"}])
    assert isinstance(bought, Trade) and (bought.side, bought.size) == ("buy", 0.000025)
    assert GATE.headers == {"X-Gate-Size-Decimal": "1"}


def test_a_positive_liquidation_closed_a_long_and_its_time_has_either_unit() -> None:
    # apiv4, liq_orders: size is the user's position; -165 was bought back (order at 28225 above fill 28070),
    # so a short was closed. 165 × 0.0001 = 0.0165 BTC.
    url = "https://api.gateio.ws/api/v4/futures/usdt/liq_orders?contract=BTC_USDT"
    row = {"contract": "BTC_USDT", "left": 0, "size": -165, "fill_price": "28070", "order_price": "28225"}
    (closed,) = answer(GATE, url, json.dumps([{**row, "time": 1696736132}]).encode(), 1, BTC)
    assert isinstance(closed, Liquidation)
    assert (closed.side, closed.price, closed.size) == ("short", 28070.0, 0.0165)
    assert (closed.ts_event, closed.is_partial) == (1_696_736_132 * SECOND, False)
    # ws/en, "Public liquidates": since August 2026 `time` is in ms, before it was in s beside `time_ms`.
    now = {"price": "215.1", "size": "124.5", "contract": "BTC_USDT"}
    times = ({"time": 1541486601123}, {"time": 1541486601}, {"time": 1541486601, "time_ms": 1541486601123})
    found = [said("futures.public_liquidates", [{**now, **time}])[0] for time in times]
    assert [one.ts_event for one in found] == [1541486601123 * MS, 1541486601 * SECOND, 1541486601123 * MS]
    assert isinstance(found[0], Liquidation) and found[0].side == "long"


def test_funding_is_a_signed_fraction_of_its_own_interval_paid_at_a_time_in_seconds() -> None:
    # ws/en, "Tickers": -0.000011 is what shorts pay longs at 1791014400 s = 2026-10-03 08:00:00 UTC;
    # 14400 s are 4 hours. `funding_rate_indicative` is deprecated and says nothing.
    row = {"contract": "BTC_USDT", "funding_rate": "-0.000011", "funding_rate_indicative": "0.5"}
    more = {"funding_interval": 14400, "funding_next_apply": 1791014400, "t": 1791009972577}
    (rate,) = [one for one in said("futures.tickers", [{**row, **more}]) if isinstance(one, Funding)]
    assert (rate.rate, rate.predicted, rate.interval_hours) == (-0.000011, None, 4.0)
    assert (rate.next_ts, rate.ts_event) == (1791014400 * SECOND, 1791009972577 * MS)


def test_an_inverse_contract_is_a_dollar_and_one_paid_in_a_third_currency_is_of_unknown_size() -> None:
    # apiv4, Contract: type inverse has quanto_multiplier "0"; 64000 contracts at 64000 are one bitcoin.
    memory = Memory()
    url = "https://api.gateio.ws/api/v4/futures/btc/contracts"
    inverse = {"name": "BTC_USD", "type": "inverse", "quanto_multiplier": "0"}
    quanto = {"name": "ETH_USD", "type": "direct", "quanto_multiplier": "0.000001"}
    for one in answer(GATE, url, json.dumps([inverse, quanto]).encode(), 1, memory):
        assert isinstance(one, Instrument)
        memory.learn(one)
    row = {"id": 1, "create_time": 1790000000, "price": "64000", "size": "64000"}
    frame = {"channel": "futures.trades", "event": "update", "time": 1790000000}
    rows = [{**row, "contract": "BTC_USD"}, {**row, "contract": "ETH_USD"}]
    first, second = GATE.decode(json.dumps({**frame, "result": rows}).encode(), 1, memory)
    assert isinstance(first, Trade) and (first.symbol, first.size) == ("BTC_USD", 1.0)
    assert isinstance(second, Trade) and second.size != second.size  # NaN: unknown


def test_a_level_is_removed_also_where_a_contract_is_not_known() -> None:
    result = {"t": 1790000000200, "s": "ob.NEW_USDT.400", "U": 5, "u": 6, "b": [["2.4", "0"], ["2.3", "8"]]}
    (diff,) = said("futures.obu", result)
    assert isinstance(diff, BookUpdate)
    assert (diff.symbol, diff.bids[0]) == ("NEWUSDT", (2.4, 0.0))
    assert diff.bids[1][1] != diff.bids[1][1]


def test_a_takeover_is_not_a_trade_but_its_id_is_kept() -> None:
    row = {"size": "-80", "id": 906, "create_time": 1, "price": "9", "contract": "BTC_USDT"}
    (one,) = said("futures.trades", [{**row, "is_internal": True}])
    assert isinstance(one, Ignored) and (one.symbol, one.id) == ("BTCUSDT", 906)


@pytest.mark.parametrize(
    ("interval", "length"), [("10s", 10), ("1m", 60), ("4h", 14_400), ("7d", 604_800), ("30d", 2_592_000)]
)
def test_a_candle_lasts_until_the_next_begins(interval: str, length: int) -> None:
    row = {"t": 1789948800, "o": "1", "h": "2", "l": "1", "c": "2", "v": 30, "n": f"{interval}_BTC_USDT"}
    (bar,) = said("futures.candlesticks", [row])
    assert isinstance(bar, Candle)
    assert (bar.interval, bar.close_ts + MS - bar.open_ts) == (interval, length * SECOND)
    # sent at 1790000000.25, 51200 s after it began
    assert bar.closed == (length <= 51_200)


@pytest.mark.parametrize("name", ["", "1m", "m_BTC_USDT", "1y_BTC_USDT", "9999d_BTC_USDT"])
def test_a_candle_without_an_interval_cannot_be_read(name: str) -> None:
    row = {"t": 1790000000, "o": "1", "h": "1", "l": "1", "c": "1", "v": 1, "n": name}
    if name == "1m":  # an interval, of a contract without a name
        assert isinstance(said("futures.candlesticks", [row])[0], Candle)
        return
    with pytest.raises(VenueChanged, match="a candle of"):
        said("futures.candlesticks", [row])


@pytest.mark.parametrize("time", [-1, 1e15, "nan"])
def test_what_is_no_time_is_not_taken_for_one(time: object) -> None:
    row = {"size": "1", "id": 1, "create_time": time, "price": "9", "contract": "BTC_USDT"}
    with pytest.raises(VenueChanged, match="is not a time"):
        said("futures.trades", [row])


def test_books_of_2020_are_refused_by_the_name_of_their_protocol() -> None:
    with pytest.raises(VenueChanged, match=r"futures\.order_book .* protocol of 2020"):
        said("futures.order_book", [{"p": "0.3351", "s": 108, "c": "ZRX_USD", "id": 3}])


@pytest.mark.parametrize("channel", ["futures.unheard", "spot.trades", ""])
def test_a_channel_that_nobody_knows_is_a_change(channel: str) -> None:
    with pytest.raises(VenueChanged, match="neither data nor an answer"):
        said(channel, [{"contract": "BTC_USDT"}])


# ── Asking and hearing ────────────────────────────────────────────────────────────────────────


def test_a_request_names_its_channel_and_what_it_is_about() -> None:
    asked = json.loads(GATE.subscribe(["futures.candlesticks:1m:BTC_USDT"], 7))
    assert isinstance(asked.pop("time"), int)
    channel = "futures.candlesticks"
    assert asked == {"channel": channel, "event": "subscribe", "payload": ["1m", "BTC_USDT"], "id": 7}
    undone = json.loads(GATE.unsubscribe(["futures.obu:ob.BTC_USDT.400", "futures.obu:ob.XRP_USDT.400"], 8))
    assert (undone["event"], undone["payload"]) == ("unsubscribe", ["ob.BTC_USDT.400", "ob.XRP_USDT.400"])
    assert GATE.keepalive is not None and GATE.keepalive.message is not None
    assert json.loads(GATE.keepalive.message(1_790_000_000_999_999_999)) == {
        "time": 1_790_000_000,
        "channel": "futures.ping",
    }


def test_each_channel_is_heard_in_the_beginning_of_its_golden_frames() -> None:
    golden = Path(__file__).parents[1] / "golden" / "gate_futures"
    heard: set[str] = set()
    for path in sorted(golden.glob("*.json")):
        case = json.loads(path.read_text())
        payload = json.dumps(case["frame"], separators=(",", ":")).encode()
        assert GATE.heard is not None
        names = GATE.heard(payload[: GATE.head_bytes])
        if case["kind"] == "ws" and '"control"' not in json.dumps(case["events"]):
            assert names, path.name
        heard |= set(names)
    subscribed = {
        name for channel in GATE.channels_for() for name in GATE.channel_names(channel, "BTCUSDT", Memory())
    }
    assert subscribed <= heard


def test_symbols_are_native_names_but_for_perpetuals_in_usdt() -> None:
    assert GATE.native("PNUTUSDT") == "PNUT_USDT"
    assert GATE.native("BTC_USDT_20261225") == "BTC_USDT_20261225"
    assert GATE.channel_names(GATE.channels[1], "WIFUSDT", Memory()) == ["futures.obu:ob.WIF_USDT.400"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"label":"TOO_MANY_REQUESTS","message":"slow down"}', ("TOO_MANY_REQUESTS", "slow down")),
        (b'{"label":"CONTRACT_NOT_FOUND"}', ("CONTRACT_NOT_FOUND", "")),
        (b"[]", None),
        (b"<html>", None),
        (b'{"id":5,"bids":[]}', None),
    ],
)
def test_an_error_is_told_by_its_label(body: bytes, found: tuple[str, str] | None) -> None:
    assert GATE.refusals.complaint(body) == found


def test_an_empty_text_in_an_answer_is_a_number_that_is_not_known() -> None:
    url = "https://api.gateio.ws/api/v4/futures/usdt/tickers"
    body = b'[{"contract":"BTC_USDT","last":"5","mark_price":"","index_price":"","total_size":""}]'
    found = answer(GATE, url, body, 1, BTC)
    assert [type(one) for one in found] == [Ticker, LastPrice]


# ── Real frames ───────────────────────────────────────────────────────────────────────────────


def events(name: str, memory: Memory | None = None) -> list[Event]:
    """Decode a recording; what it lists is known from then on."""
    memory = Memory() if memory is None else memory
    found: list[Event] = []
    for batch in recording(CAPTURES / name):
        for frame in batch:
            if frame.kind == "note":
                continue
            said = (
                GATE.decode(frame.payload, frame.ts_recv, memory)
                if frame.kind == "ws"
                else answer(GATE, frame.url, frame.payload, frame.ts_recv, memory)
            )
            for one in said:
                if isinstance(one, Instrument):
                    memory.learn(one)
            found += said
    return found


@pytest.fixture(scope="module")
def contracts() -> Memory:
    memory = Memory()
    events("cryptofeed_20230524_contracts.jsonl", memory)
    return memory


def test_the_contracts_of_2023_by_hand(contracts: Memory) -> None:
    # quanto_multiplier in the recorded list: BTC 0.0001, ETH 0.01, SOL 1, XRP 10, AR 0.1
    sizes = {name: contracts.contracts[name].base(1, 1) for name in ("BTC_USDT", "ETH_USDT", "SOL_USDT")}
    assert sizes == {"BTC_USDT": 0.0001, "ETH_USDT": 0.01, "SOL_USDT": 1.0}
    assert contracts.contracts["XRP_USDT"].base(3, 1) == 30.0
    assert contracts.contracts["AR_USDT"].base(3, 1) == 0.3
    assert contracts.natives("BTCUSDT") == ["BTC_USDT"]


def test_the_frames_of_october_2026_by_hand(contracts: Memory) -> None:
    found = events("fastmm_2026_ws.jsonl", contracts)
    book = found[0]
    assert isinstance(book, BookUpdate) and book.replaces and book.last_id == 126906668177
    assert book.bids[0] == (84588.1, 0.5564)  # 5564 contracts of 0.0001
    assert isinstance(found[1], Control) and found[1].names == (
        "futures.obu:ob.NVDA_USDT.50",
        "futures.obu:ob.BTC_USDT.50",
    )
    (quote,) = [one for one in found if isinstance(one, Quote)]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (84588.1, 0.5564, 84588.2, 2.3621)
    (day,) = [one for one in found if isinstance(one, Ticker)]
    # 752493909 contracts × 0.0001 = 75249.3909, which is what volume_24h_base says already
    assert (day.last, day.volume, day.change, day.change_pct) == (84588.2, 75249.3909, -1329.6, -1.5475)
    (rate,) = [one for one in found if isinstance(one, Funding)]
    assert rate.ts_event == 1791009972577 * MS and rate.next_ts == 1791014400 * SECOND
    assert (rate.rate, rate.interval_hours) == (-0.000011, 8.0)  # 28800 s
    (open_interest,) = [one for one in found if isinstance(one, OpenInterest)]
    # 503655852 × 0.0001
    assert (open_interest.contracts, open_interest.size) == (503655852.0, 50365.5852)


def test_open_interest_of_september_2026_is_worth_what_the_venue_says(contracts: Memory) -> None:
    rows = [one for one in events("quantdashboard_202609_rest.jsonl", contracts)]
    first = rows[0]
    assert isinstance(first, OpenInterest)
    # 645689466 contracts × 0.0001 = 64568.9466 BTC; × mark price 78432.88 = 5064328440.40, as recorded
    assert (first.size, first.contracts) == (64568.9466, 645689466.0)
    assert first.usd == pytest.approx(64568.9466 * 78432.88, rel=1e-12)
    assert first.ts_event == 1_788_901_200 * SECOND
    assert [one.ts_event for one in rows if one.ts_event][1] == 1_788_901_200 * SECOND + HOUR


def test_older_trades_by_hand(contracts: Memory) -> None:
    (sold, fraction) = [
        one for one in events("tardis_mapper_samples.jsonl", contracts) if isinstance(one, Trade)
    ]
    # 2020: size -22 of 0.01 ETH, create_time 1593561623 s; 2026: "-0.25" of 0.01, 1774443183399 ms
    assert (sold.symbol, sold.id, sold.side, sold.size) == ("ETHUSDT", 1696009, "sell", 0.22)
    assert sold.ts_event == 1_593_561_623 * SECOND
    assert (fraction.size, fraction.ts_event) == (0.0025, 1_774_443_183_399 * MS)


def test_recordings_of_2019_are_refused_by_the_name_of_their_protocol() -> None:
    paths: list[str] = []
    for batch in recording(CAPTURES / "coingecko_cassettes_rest_OUTDATED.jsonl"):
        for frame in (one for one in batch if one.kind != "note"):
            with pytest.raises(VenueChanged, match="is of API v4 of 2019"):
                answer(GATE, frame.url, frame.payload, frame.ts_recv)
            paths.append(urlsplit(frame.url).path.rpartition("/futures/")[2])
    assert paths == ["contracts/ETH_USD", "order_book", "tickers"]


# ── Books ─────────────────────────────────────────────────────────────────────────────────────

LONG = ("cryptofeed_20230524_obu_bbo_candles_a.jsonl", "fastmm_2026_ws.jsonl")


def books(updates: list[BookUpdate]) -> Sync:
    sync = Sync(GATE, book_interval_ms=0)
    for one in updates:
        sync.book(one)
    return sync


@pytest.mark.parametrize(("name", "diffs"), [(LONG[0], 199), (LONG[1], 19)])
def test_each_diff_that_is_lost_from_a_recording_is_missed_and_no_other(
    name: str, diffs: int, contracts: Memory
) -> None:
    updates = [one for one in events(name, contracts) if isinstance(one, BookUpdate)]
    whole = books(updates)
    assert whole.changed == [] and whole.open == {}
    joined = {one.symbol: one.last_id or 0 for one in updates if one.snapshot}
    last = {one.symbol: one.last_id for one in updates}
    assert sum(not one.snapshot for one in updates) == diffs
    found = spared = 0
    for place, lost in enumerate(updates):
        assert lost.last_id is not None
        if lost.snapshot or lost.last_id == last[lost.symbol]:
            continue
        gaps = books(updates[:place] + updates[place + 1 :]).changed
        if lost.last_id <= joined[lost.symbol]:
            assert gaps == []  # the snapshot has it
            spared += 1
        else:
            first = max(lost.first_id or 0, joined[lost.symbol] + 1)  # the snapshot may have its beginning
            assert [gap.reason for gap in gaps] == [f"sequence: ids {first}..{lost.last_id} missing"]
            found += 1
    assert found + spared == diffs - len(joined)  # nothing follows the last diff of a symbol
    assert found > 0.8 * diffs


def test_the_best_of_a_kept_book_is_the_quote_of_the_same_update(contracts: Memory) -> None:
    sync = Sync(GATE, book_interval_ms=0)
    best: dict[tuple[str, int | None], tuple[float | None, ...]] = {}
    quotes: list[Quote] = []
    for one in events(LONG[0], contracts):
        if isinstance(one, BookUpdate) and (top := sync.book(one)) is not None:
            best[one.symbol, top.sequence] = (*top.levels[0:2], *top.levels[20:22])
        elif isinstance(one, Quote):
            quotes.append(one)
    compared = [
        (best[one.symbol, one.sequence], (one.bid, one.bid_size, one.ask, one.ask_size))
        for one in quotes
        if (one.symbol, one.sequence) in best
    ]
    assert len(compared) >= 5
    assert all(ours == theirs for ours, theirs in compared)


def test_a_whole_book_replaces_ours_and_diffs_go_on_from_it() -> None:
    def book(u: int, bids: list[list[str]], first: int | None = None) -> BookUpdate:
        ids = {"u": u} if first is None else {"U": first, "u": u}
        full = {"full": True} if first is None else {}
        result = {"t": 1790000000000 + u, "s": "ob.BTC_USDT.400", **full, **ids, "b": bids, "a": []}
        (one,) = said("futures.obu", result)
        assert isinstance(one, BookUpdate)
        return one

    sync = Sync(GATE, book_interval_ms=0)
    rows = defaultdict(list)
    steps = [
        book(100, [["5", "10000"]]),
        book(103, [["4", "20000"]], 101),
        book(50, [["3", "30000"]]),  # the venue began its ids again
        book(51, [["2", "10000"]], 51),
    ]
    for one in steps:
        top = sync.book(one)
        assert top is not None
        rows[one.last_id] = [level for level in top.levels[:20] if level is not None]
    assert rows == {100: [5.0, 1.0], 103: [5.0, 1.0, 4.0, 2.0], 50: [3.0, 3.0], 51: [3.0, 3.0, 2.0, 1.0]}
    assert sync.changed == []

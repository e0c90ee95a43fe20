"""The writer: each event's row worked by hand, nothing half written, and no nonsense that stops a flush."""

from datetime import datetime
from typing import Any

import pytest

from orderflow.market.errors import StoreUnusable
from orderflow.market.events import (
    HOUR,
    MS,
    SECOND,
    BookTop,
    Candle,
    Event,
    Funding,
    Gap,
    IndexPrice,
    Instrument,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
    VolatilityIndex,
)
from orderflow.market.streams import KEPT, STREAMS
from orderflow.store import runs
from orderflow.store.writer import Writer
from tests.store.market import T0, Market

SPOT, FUTURES, BTC = "binance_spot", "binance_futures", "BTCUSDT"
HUGE = 10**30


def trade(
    id: int | str = 1, ts: int | None = T0, *, symbol: str = BTC, venue: str = SPOT, **other: Any
) -> Trade:
    values: dict[str, Any] = {"price": 100.0, "size": 0.5, "maker": False} | other
    return Trade(
        venue, symbol, ts, T0 + 7 * MS, id, values["maker"], values["price"], values["size"],
        values.get("count", 1), values.get("merged", False),
    )  # fmt: skip


# ── Rows worked by hand ───────────────────────────────────────────────────────────────────────

AT = datetime(2025, 11, 21)  # noqa: DTZ001 - DuckDB answers without a zone, in UTC
TOLD = {
    "venue": FUTURES,
    "symbol": BTC,
    "id": 1,
    "timestamp": AT,
    "received": AT.replace(microsecond=7000),
    "clock": "venue",
    "source": "replay",
    "run": 1,
}
HEAD = (FUTURES, BTC, T0, T0 + 7 * MS)
BOOK = tuple(x for p in (100, 99, 98) for x in (float(p), 2.0)) + (None,) * 14 + (102.0, 1.0) + (None,) * 18

BY_HAND: dict[str, tuple[Event, dict[str, Any]]] = {
    "prices": (
        Quote(*HEAD, 99.0, 2.0, 101.0, 3.0, 42),
        # mid (99 + 101) / 2 = 100; spread 101 - 99 = 2; 2 / 100 * 10,000 = 200 bps
        {
            "mid_price": 100.0, "bid_price": 99.0, "ask_price": 101.0, "bid_qty": 2.0, "ask_qty": 3.0,
            "spread": 2.0, "spread_bps": 200.0, "sequence": 42, "told_price": None, "confidence": None,
        },
    ),
    "orderbooks": (
        BookTop(*HEAD, BOOK, 1, 77),
        # bids 2 + 2 + 2 = 6, asks 1; (6 - 1) / (6 + 1) = 5/7; mid (100 + 102) / 2 = 101; 2 / 101 * 10,000
        {
            "bid_1_price": 100.0, "bid_3_price": 98.0, "bid_3_qty": 2.0, "bid_4_price": None, "bid_10_qty": None,
            "ask_1_price": 102.0, "ask_1_qty": 1.0, "ask_2_price": None, "total_bid_qty": 6.0,
            "total_ask_qty": 1.0, "imbalance": 5 / 7, "mid_price": 101.0, "spread": 2.0,
            "spread_bps": 2 / 101 * 10_000, "depth": 1, "sequence": 77,
        },
    ),
    "trades": (
        Trade(*HEAD, 9, True, 100.0, 0.25, 3, True),
        # the buyer rested, so the taker sold; 100 * 0.25 = 25
        {
            "trade_id": "9", "price": 100.0, "quantity": 0.25, "value": 25.0, "side": "sell",
            "is_buyer_maker": True, "count": 3,
        },
    ),
    "mark_prices": (
        MarkPrice(*HEAD, 101.0, 100.0),
        # basis 101 - 100 = 1; 1 / 100 * 10,000 = 100 bps
        {"mark_price": 101.0, "index_price": 100.0, "basis": 1.0, "basis_bps": 100.0},
    ),
    "funding_rates": (
        Funding(*HEAD, 0.0001, 0.0002, 8.0, T0 + 8 * HOUR),
        # 0.0001 * (8,760 / 8 = 1,095 settlements a year) * 100 = 10.95 %
        {
            "funding_rate": 0.0001, "predicted_rate": 0.0002, "interval_hours": 8.0,
            "annualized_pct": pytest.approx(10.95), "next_funding_time": AT.replace(hour=8),
        },
    ),
    "open_interest": (
        OpenInterest(*HEAD, 1000.0, 100_000.0, 10.0),
        {"open_interest": 1000.0, "open_interest_usd": 100_000.0, "contracts": 10.0, "oi_change": None},
    ),
    "ticker_24h": (
        Ticker(*HEAD, 110.0, 100.0, 120.0, 90.0, 5.0, 525.0, 3, 10.0, 10.0, 105.0),
        {
            "last_price": 110.0, "open_24h": 100.0, "high_24h": 120.0, "low_24h": 90.0, "volume_24h": 5.0,
            "quote_volume_24h": 525.0, "trade_count_24h": 3, "price_change": 10.0, "price_change_pct": 10.0,
            "vwap_24h": 105.0,
        },
    ),
    "candles": (
        Candle(*HEAD, "1m", T0, T0 + 60 * SECOND - MS, 1.0, 4.0, 0.5, 2.0, 10.0, 20.0, 6, 7.0, 14.0, True),
        {
            "interval": "1m", "open_time": AT, "close_time": AT.replace(second=59, microsecond=999_000),
            "open": 1.0, "high": 4.0, "low": 0.5, "close": 2.0, "volume": 10.0, "quote_volume": 20.0,
            "trade_count": 6, "taker_buy_volume": 7.0, "taker_buy_quote": 14.0, "closed": True,
        },
    ),
    "liquidations": (
        Liquidation(*HEAD, "long", 50.0, 4.0, "o-1", False, 2),
        {
            "side": "long", "price": 50.0, "quantity": 4.0, "value": 200.0, "order_id": "o-1",
            "is_partial": False, "ordinal": 2,
        },
    ),
    "index_prices": (IndexPrice(*HEAD, 100.5), {"index_price": 100.5}),
    "options": (
        Option(
            *HEAD, "BTC-1JAN26-90000-C", T0 + 24 * HOUR, 90_000.0, "call", 0.01, 0.02, 0.5, 0.6, 0.015, 0.55,
            91_000.0, 12.0, 3.0, 0.5, 0.001, 20.0, -30.0, 8.0,
        ),
        {
            "instrument": "BTC-1JAN26-90000-C", "expiry": AT.replace(day=22), "strike": 90_000.0, "kind": "call",
            "bid": 0.01, "ask": 0.02, "bid_iv": 0.5, "ask_iv": 0.6, "mark_price": 0.015, "mark_iv": 0.55,
            "underlying_price": 91_000.0, "open_interest": 12.0, "volume_24h": 3.0, "delta": 0.5,
            "gamma": 0.001, "vega": 20.0, "theta": -30.0, "rho": 8.0,
        },
    ),
    "volatility_index": (VolatilityIndex(*HEAD, 55.5), {"value": 55.5}),
}  # fmt: skip

# The least that each event may say: its row has NULL for all else that a column could tell.
UNSAID: dict[str, tuple[Event, set[str]]] = {
    "prices": (Quote(*HEAD, None, None, None, None), set()),
    "orderbooks": (BookTop(*HEAD, (None,) * 40, 0), {"total_bid_qty", "total_ask_qty", "depth"}),
    "trades": (Trade(*HEAD, "x", False, 1.0, 1.0, None), {"trade_id", "price", "quantity", "value", "side", "is_buyer_maker"}),
    "mark_prices": (MarkPrice(*HEAD, 1.0), {"mark_price"}),
    "funding_rates": (Funding(*HEAD, 0.0), {"funding_rate"}),
    "open_interest": (OpenInterest(*HEAD, None), set()),
    "ticker_24h": (Ticker(*HEAD, None), set()),
    "candles": (
        Candle(*HEAD, "1m", T0, T0, 1.0, 1.0, 1.0, 1.0, 0.0),
        {"interval", "open_time", "close_time", "open", "high", "low", "close", "volume", "closed"},
    ),
    "liquidations": (Liquidation(*HEAD, "short", 1.0, 1.0), {"side", "price", "quantity", "value", "ordinal"}),
    "options": (Option(*HEAD, "i", T0, 1.0, "put"), {"instrument", "expiry", "strike", "kind"}),
}  # fmt: skip


def test_every_stream_that_has_an_event_is_worked_by_hand() -> None:
    assert BY_HAND.keys() == {stream.name for stream in KEPT.values()}


@pytest.mark.parametrize("stream", BY_HAND)
def test_an_event_becomes_the_row_that_is_worked_by_hand(market: Market, stream: str) -> None:
    event, expected = BY_HAND[stream]
    assert market.write(event)[stream] == 1
    found = market.row(stream)
    assert {name: found[name] for name in TOLD | expected} == TOLD | expected
    if stream != "orderbooks":
        assert found.keys() == (TOLD | expected).keys()


@pytest.mark.parametrize("stream", UNSAID)
def test_what_an_event_does_not_say_is_null_and_what_follows_from_it_too(market: Market, stream: str) -> None:
    event, said = UNSAID[stream]
    market.write(event)
    found = market.row(stream)
    assert {name for name, value in found.items() if value is not None} == TOLD.keys() | said


def test_a_price_that_is_told_without_bid_and_ask_is_the_mid_and_has_no_spread(market: Market) -> None:
    market.write(Quote(*HEAD, None, None, None, None, 42, 111_686.49121012, 31.07879))
    found = market.row("prices")
    said = {
        "mid_price": 111_686.49121012,
        "told_price": 111_686.49121012,
        "confidence": 31.07879,
        "sequence": 42,
    }
    assert {name: value for name, value in found.items() if value is not None} == TOLD | said


def test_told_prices_of_one_second_are_told_apart_by_their_slots_or_by_what_they_are(market: Market) -> None:
    with_slots = [Quote(*HEAD, None, None, None, None, slot, 100.0) for slot in (7, 8, 8)]
    without = [Quote(*HEAD, None, None, None, None, None, mid) for mid in (101.0, 102.0, 101.0)]
    assert market.write(*with_slots, *without)["prices"] == 4


def test_an_empty_book_has_no_imbalance_and_sums_of_zero(market: Market) -> None:
    market.write(BookTop(*HEAD, (None,) * 40, 0))
    found = market.row("orderbooks")
    assert (found["total_bid_qty"], found["total_ask_qty"], found["imbalance"]) == (0.0, 0.0, None)


def test_a_quotient_by_zero_is_unknown(market: Market) -> None:
    market.write(
        Quote(*HEAD, 0.0, 1.0, 0.0, 1.0, 1),
        MarkPrice(*HEAD, 1.0, 0.0),
        Funding(*HEAD, 0.1, interval_hours=0.0),
    )
    assert market.row("prices")["spread_bps"] is None
    assert market.row("mark_prices")["basis_bps"] is None
    assert market.row("funding_rates")["annualized_pct"] is None


def test_an_event_without_the_venues_time_is_stamped_with_ours_and_says_so(market: Market) -> None:
    market.write(Quote(SPOT, BTC, None, T0 + 7 * MS, 1.0, 1.0, 2.0, 1.0, 5))
    found = market.row("prices")
    assert (found["timestamp"], found["received"]) == (AT.replace(microsecond=7000),) * 2
    assert found["clock"] == "local"


def test_a_time_that_nobody_told_is_null(market: Market) -> None:
    market.write(Quote(SPOT, BTC, None, 0, 1.0, 1.0, 2.0, 1.0, 5), trade(1, T0))
    assert (market.row("prices")["timestamp"], market.row("prices")["received"]) == (None, None)


def test_open_interest_changes_by_what_it_was_in_its_own_series_before(market: Market) -> None:
    def said(symbol: str, size: float | None, minute: int) -> OpenInterest:
        return OpenInterest(FUTURES, symbol, T0 + minute * 60 * SECOND, T0, size)

    # BTC 1000, 1250, 1100 and, in the next flush, 1200: nothing, +250, -150, +100. ETH counts for itself.
    market.write(said(BTC, 1000.0, 0), said("ETHUSDT", 5.0, 0), said(BTC, 1250.0, 1), said(BTC, 1100.0, 2))
    market.write(said("ETHUSDT", 7.0, 3), said(BTC, 1200.0, 3))
    changes = [(row["symbol"], row["oi_change"]) for row in market.rows("open_interest")]
    assert sorted(changes, key=str) == sorted(
        [(BTC, None), ("ETHUSDT", None), (BTC, 250.0), (BTC, -150.0), ("ETHUSDT", 2.0), (BTC, 100.0)], key=str
    )


def test_the_change_of_open_interest_goes_on_after_a_restart(market: Market) -> None:
    for place, size in enumerate([1000.0, None, 1250.0]):
        market.restart()
        market.write(OpenInterest(FUTURES, BTC, T0 + place * SECOND, T0, size))
    assert market.column("open_interest", "oi_change") == [
        None,
        None,
        None,
    ]  # the row before 1250 told nothing
    market.restart()
    market.write(OpenInterest(FUTURES, BTC, T0 + 9 * SECOND, T0, 1300.0))
    assert market.column("open_interest", "oi_change")[-1] == 50.0


# ── Large trades ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("symbol", "least"),
    [
        ("BTCUSDT", 100_000), ("BTCUSDC", 100_000), ("BTCUSD", 100_000), ("BTC-USD", 100_000),
        ("ETHUSDT", 50_000), ("ETHUSD", 50_000), ("SOLUSDT", 20_000), ("WBTCUSDT", 20_000),
        ("BTCDOMUSDT", 20_000), ("BTCFDUSD", 100_000), ("ETHBTC", None), ("BTCEUR", None), ("USDTTRY", None),
    ],
)  # fmt: skip
def test_a_trade_is_large_from_a_value_that_depends_on_the_coin(
    market: Market, symbol: str, least: int | None
) -> None:
    limit = least or 10_000_000
    market.write(
        trade(1, symbol=symbol, price=1.0, size=limit - 1.0),
        trade(2, symbol=symbol, price=2.0, size=limit / 2, maker=True),
    )
    if least is None:
        assert market.rows("large_trades") == []
        return
    found = market.row("large_trades")
    assert (found["trade_id"], found["id"], found["value_usd"], found["side"]) == (
        "2",
        2,
        float(least),
        "sell",
    )
    assert (found["price"], found["quantity"], found["is_liquidation"]) == (2.0, least / 2, None)
    assert (found["source"], found["run"], found["timestamp"]) == ("replay", 1, AT)


def test_a_large_trade_that_comes_twice_is_one(market: Market) -> None:
    for _ in range(2):
        market.write(trade(1, price=1e6, size=1.0), trade(1, price=1e6, size=1.0))
    assert len(market.rows("large_trades")) == 1


@pytest.mark.parametrize(("limits", "found"), [({"SOL": 10.0}, ["1", "3"]), ({}, ["1"])])
def test_the_values_can_be_set(market: Market, limits: dict[str, float], found: list[str]) -> None:
    # Where BTC has no value of its own, that of the others holds: 20,000.
    market.writer = Writer(market.connection, market.run, large_trade_usd=limits)
    market.write(
        trade(1, price=20_000.0, size=1.0),
        trade(2, price=19_999.0, size=1.0),
        trade(3, symbol="SOLUSDT", price=20.0),
    )
    assert sorted(market.column("large_trades", "trade_id")) == found


# ── Ids ───────────────────────────────────────────────────────────────────────────────────────


def test_trade_ids_are_texts_whether_the_venue_counts_or_names_them(market: Market) -> None:
    market.write(trade(7), trade("f00-7"), trade("f00-7", T0 + MS), trade(2**63 - 1), trade("007"))
    market.write(trade("é"))
    assert market.column("trades", "trade_id") == ["7", "f00-7", "f00-7", str(2**63 - 1), "007", "é"]


def test_texts_of_several_venues_in_one_flush_stay_apart(market: Market) -> None:
    market.write(
        trade("a"), trade("b"), trade("b", venue=FUTURES), trade("c", venue=FUTURES), trade(5, venue=FUTURES)
    )
    found = {(row["venue"], row["trade_id"]) for row in market.rows("trades")}
    assert found == {(SPOT, "a"), (SPOT, "b"), (FUTURES, "b"), (FUTURES, "c"), (FUTURES, "5")}


def test_each_series_numbers_its_rows_from_one_and_goes_on_after_a_restart(market: Market) -> None:
    market.write(trade(1), trade(2), trade(9, symbol="ETHUSDT"), trade(1, venue=FUTURES))
    market.restart()
    market.write(trade(3), trade(10, symbol="ETHUSDT"))
    found = sorted((row["venue"], row["symbol"], row["id"], row["trade_id"]) for row in market.rows("trades"))
    assert found == [
        (FUTURES, BTC, 1, "1"),
        (SPOT, BTC, 1, "1"), (SPOT, BTC, 2, "2"), (SPOT, BTC, 3, "3"),
        (SPOT, "ETHUSDT", 1, "9"), (SPOT, "ETHUSDT", 2, "10"),
    ]  # fmt: skip


def test_a_symbol_that_is_new_gets_its_room_and_its_view(market: Market) -> None:
    market.write(trade(1, symbol="NEWUSDT"))
    assert market.connection.execute("SELECT count(*) FROM newusdt_binance_spot_trades").fetchall() == [(1,)]


# ── Nonsense ──────────────────────────────────────────────────────────────────────────────────

NAN, INF = float("nan"), float("inf")
NONSENSE: list[Event] = [
    trade(HUGE), trade(-HUGE), trade(-1), trade(-(2**63)), trade(2**63), trade("x\x00y"), trade(""),
    trade(2, HUGE), trade(3, -HUGE), trade(4, -1), trade(5, 2**63 - 1), trade(6, -(2**63)),
    trade(7, price=NAN), trade(8, price=INF, size=-INF), trade(9, count=2**31), trade(10, count=-(10**12)),
    trade(11, count=HUGE), trade("t", count=2**40),
    Trade(SPOT, BTC, T0, HUGE, 12, True, 1.0, 1.0),
    Quote(*HEAD, NAN, NAN, NAN, NAN, HUGE), Quote(*HEAD, INF, 1.0, -INF, 1.0, -5),
    BookTop(*HEAD, (NAN,) * 40, 2**40, -HUGE),
    Funding(*HEAD, NAN, INF, 5e-324, HUGE), Funding(*HEAD, 1e308, interval_hours=1e-300, next_ts=-HUGE),
    MarkPrice(*HEAD, 1e308, 1e-308), OpenInterest(*HEAD, INF), OpenInterest(FUTURES, BTC, T0 + 1000, T0, INF),
    Ticker(*HEAD, NAN, trade_count=HUGE),
    Candle(*HEAD, "\x00", HUGE, -HUGE, NAN, INF, -INF, 1.0, 1.0, trade_count=-HUGE),
    Candle(*HEAD, "", -1, 2**63 - 1, 1.0, 1.0, 1.0, 1.0, 1.0),
    Liquidation(*HEAD, "long", NAN, INF, "", None, 2**40),
    Option(*HEAD, "", HUGE, NAN, "call"), VolatilityIndex(*HEAD, NAN), IndexPrice(*HEAD, INF),
    Instrument(SPOT, BTC, HUGE, HUGE, "", "", "", "", "", False, NAN, INF, listed_ts=HUGE),
    Instrument(SPOT, "\x00", None, 0, "", "", "", "", "", False, listed_ts=-HUGE),
    trade(1, symbol=""), trade(1, symbol="no symbol"), trade(1, symbol="'; DROP TABLE trades; --"),
    trade(1, symbol="X" * 100), trade(1, symbol="btcusdt"), trade(1, symbol="A\x00B"),
]  # fmt: skip


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda event: f"{type(event).__name__} {str(event)[-40:]}")
def test_nonsense_does_not_stop_the_flush_that_it_is_in(market: Market, nonsense: Event) -> None:
    good = [trade(100, venue=FUTURES), Quote(FUTURES, BTC, T0, T0, 1.0, 1.0, 2.0, 1.0, 9)]
    market.write(good[0], nonsense, good[1])
    assert (FUTURES, "100") in {(row["venue"], row["trade_id"]) for row in market.rows("trades")}
    assert 9 in market.column("prices", "sequence")
    market.restart()
    before = {name: len(market.rows(name)) for name in STREAMS}
    market.write(good[0], nonsense, good[1])
    assert {name: len(market.rows(name)) for name in STREAMS} == before
    assert market.write(trade(101, T0 + MS, venue=FUTURES))["trades"] == 1


def test_all_nonsense_at_once_does_not_stop_a_flush(market: Market) -> None:
    market.write(*NONSENSE, trade(100, venue=FUTURES))
    assert (FUTURES, "100") in {(row["venue"], row["trade_id"]) for row in market.rows("trades")}


def test_what_is_beyond_its_column_is_unknown(market: Market) -> None:
    market.write(
        trade(HUGE, count=2**31), trade(-3, T0 + MS, count=-1), trade("text", T0 + 2 * MS), trade(1, HUGE)
    )
    found = [(row["trade_id"], row["count"], row["clock"]) for row in market.rows("trades")]
    assert found == [(None, None, "venue"), (None, None, "venue"), ("text", 1, "venue"), ("1", 1, "local")]


def test_a_gap_between_times_beyond_64_bits_is_written_all_the_same(market: Market) -> None:
    market.writer.gap(Gap(SPOT, BTC, "trades", -HUGE, HUGE, "ids missing"))
    market.write(trade(1))
    assert market.row("gaps")["reason"] == "ids missing"


# ── Gaps and instruments ──────────────────────────────────────────────────────────────────────

GAP = Gap(SPOT, BTC, "trades", T0, None, "disconnected")


def closed(gap: Gap, reason: str = "disconnected") -> Gap:
    return Gap(gap.venue, gap.symbol, gap.stream, gap.from_ts, T0 + 5 * SECOND, reason)


def test_a_gap_is_one_row_that_is_closed_later(market: Market) -> None:
    market.writer.gap(GAP)
    market.write()
    assert (market.row("gaps")["until"], market.row("gaps")["from"]) == (None, AT)
    market.writer.gap(closed(GAP, "disconnected; ids 1..2 missing"))
    market.write()
    found = market.row("gaps")
    assert (found["until"], found["reason"]) == (AT.replace(second=5), "disconnected; ids 1..2 missing")
    assert (found["venue"], found["symbol"], found["stream"], found["run"]) == (SPOT, BTC, "trades", 1)


def test_a_gap_that_opens_and_closes_within_a_flush_is_one_row(market: Market) -> None:
    market.writer.gap(GAP)
    market.writer.gap(closed(GAP))
    market.write()
    assert market.row("gaps")["until"] == AT.replace(second=5)


@pytest.mark.parametrize("flushed", [False, True])
def test_a_gap_that_was_none_leaves_no_row(market: Market, flushed: bool) -> None:
    other = Gap(SPOT, "ETHUSDT", "trades", T0, None, "disconnected")
    market.writer.gap(GAP)
    market.writer.gap(other)
    if flushed:
        market.write()
    market.writer.no_gap(GAP)
    market.write()
    assert market.column("gaps", "symbol") == ["ETHUSDT"]


def test_a_gap_that_opens_again_after_it_was_taken_back_is_there(market: Market) -> None:
    market.writer.gap(GAP)
    market.writer.no_gap(GAP)
    market.writer.gap(GAP)
    market.write()
    assert len(market.rows("gaps")) == 1


def listed(status: str, **other: Any) -> Instrument:
    return Instrument(
        SPOT, BTC, None, T0, native="BTCUSDT", kind="spot", base="BTC", quote="USDT", status=status,
        trading=status == "TRADING", **other,
    )  # fmt: skip


def test_an_instrument_is_one_row_as_it_was_last_listed(market: Market) -> None:
    market.write(listed("BREAK", tick=0.01, listed_ts=T0 - 24 * HOUR), listed("TRADING", tick=0.1, lot=0.001))
    found = market.row("instruments")
    assert (found["status"], found["trading"], found["tick"], found["lot"]) == ("TRADING", True, 0.1, 0.001)
    assert (found["min_notional"], found["listed_since"], found["read_at"]) == (None, None, AT)
    market.write(listed("BREAK", listed_ts=T0 - 24 * HOUR))
    found = market.row("instruments")
    assert (found["status"], found["trading"], found["tick"]) == ("BREAK", False, None)
    assert found["listed_since"] == AT.replace(day=20)


# ── Flushes that fail ─────────────────────────────────────────────────────────────────────────


def counts(market: Market) -> dict[str, int]:
    return {name: len(market.rows(name)) for name in (*STREAMS, "gaps", "instruments")}


@pytest.mark.parametrize("broken", ["trades", "large_trades", "prices", "candles", "gaps", "instruments"])
def test_a_flush_that_fails_leaves_nothing_and_the_same_batch_can_be_written_again(
    market: Market, broken: str
) -> None:
    market.write(BY_HAND["candles"][0], BY_HAND["open_interest"][0])
    before = counts(market)
    market.put(trade(1, price=1e6), trade("two"), *(event for event, _ in BY_HAND.values()))
    market.put(
        OpenInterest(FUTURES, BTC, T0 + SECOND, T0, 1600.0),
        trade(1, symbol=f"NEW{broken.upper()}"),
        listed("BREAK"),
    )
    later = Candle(FUTURES, BTC, T0 + SECOND, T0, "1m", T0, T0, 9.0, 9.0, 9.0, 9.0, 9.0, closed=True)
    market.put(later)
    market.writer.gap(GAP)
    batch = market.writer.take()
    table = f"{broken}_hot" if broken in STREAMS else broken
    market.connection.execute(f"ALTER TABLE {table} RENAME TO away")
    with pytest.raises(StoreUnusable, match="did not take") as raised:
        market.writer.write(batch)
    assert "\n" not in raised.value.message
    market.connection.execute(f"ALTER TABLE away RENAME TO {table}")
    assert counts(market) == before
    market.writer.write(batch)
    written = counts(market)
    assert (written["trades"], written["large_trades"], written["candles"]) == (4, 1, 1)
    assert (written["gaps"], written["instruments"], written["open_interest"]) == (1, 1, 2)
    assert market.column("open_interest", "oi_change") == [None, 600.0]  # 1600 - 1000
    assert sorted(market.column("trades", "id")) == [1, 1, 1, 2]
    assert market.row("candles")["close"] == 9.0
    market.writer.write(batch)
    assert counts(market) == written


def test_a_flush_that_fails_while_room_is_made_for_a_new_symbol_can_be_repeated(market: Market) -> None:
    market.put(trade(1, symbol="FRESHUSDT"))
    batch = market.writer.take()
    market.connection.execute("ALTER TABLE options_hot RENAME TO away")
    with pytest.raises(StoreUnusable, match="did not take"):
        market.writer.write(batch)
    market.connection.execute("ALTER TABLE away RENAME TO options_hot")
    assert market.writer.write(batch).rows == {"trades": 1}
    assert market.row("trades")["symbol"] == "FRESHUSDT"


def test_rows_without_a_run_are_not_written(market: Market) -> None:
    market.writer.run = None
    market.put(trade(1))
    batch = market.writer.take()
    with pytest.raises(StoreUnusable, match="without a run"):
        market.writer.write(batch)
    market.writer.run = market.run
    assert market.writer.write(batch).rows == {"trades": 1}


def test_what_is_taken_waits_no_longer_and_what_comes_later_waits_for_the_next_flush(market: Market) -> None:
    add = market.writer.adders(SPOT)[Trade]
    add(trade(1))
    add(trade(2))
    assert market.writer.waiting == 2
    batch = market.writer.take()
    add(trade(3))
    assert (market.writer.waiting, bool(batch), bool(market.writer.take())) == (1, True, True)
    assert not market.writer.take()
    assert market.writer.write(batch).rows == {"trades": 2}


def test_rows_belong_to_the_run_that_the_writer_has_when_they_are_written(market: Market) -> None:
    market.write(trade(1))
    market.writer.run = runs.begin(market.connection, "live", "second", started=T0)
    market.write(trade(2))
    assert [(row["source"], row["run"]) for row in market.rows("trades")] == [("replay", 1), ("live", 2)]

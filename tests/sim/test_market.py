"""The market by itself: the same seed tells the same story, and its figures agree with one another."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.sim.candles import grouped
from orderflow.sim.happenings import (
    Aggregate,
    BestChanged,
    BookChanged,
    CandleClosed,
    Fill,
    Happening,
    Liquidated,
    Marked,
)
from orderflow.sim.listings import Listing, Wording, decimal
from orderflow.sim.market import Market
from orderflow.sim.protocols import FORMS

START_MS = 1_795_000_000_000
FUTURES, SPOT = "binance_futures", "binance_spot"
VENUES = pytest.mark.parametrize("venue", [FUTURES, SPOT])
T = TypeVar("T")
seeds = st.integers(0, 2**32)


def market(
    seed: int = 7, rate: float = 200.0, symbol: str = "BTCUSDT", venues: tuple[str, ...] = (FUTURES, SPOT)
):
    places = {venue: FORMS[venue].place for venue in venues}
    return Market(symbol, places, seed=seed, rate=rate, now_ms=START_MS)


def run(one: Market, venue: str, steps: int = 300, step_ms: int = 20) -> list[Happening]:
    out: list[Happening] = []
    for number in range(1, steps + 1):
        out.extend(one.step(START_MS + number * step_ms).get(venue, []))
    return out


def of(kind: type[T], happenings: list[Happening]) -> Iterator[T]:
    return (one for one in happenings if isinstance(one, kind))


@VENUES
def test_the_same_seed_tells_the_same_story_and_another_seed_another(venue: str) -> None:
    assert run(market(7), venue) == run(market(7), venue)
    assert run(market(7), venue) != run(market(8), venue)


@VENUES
def test_one_venue_less_changes_nothing_on_the_other(venue: str) -> None:
    assert run(market(7), venue) == run(market(7, venues=(venue,)), venue)


@VENUES
@settings(max_examples=4, deadline=None)
@given(seed=seeds)
def test_ids_of_fills_and_aggregates_are_consecutive(venue: str, seed: int) -> None:
    happenings = run(market(seed), venue)
    fills = list(of(Fill, happenings))
    aggregates = list(of(Aggregate, happenings))
    assert [one.id for one in fills] == list(range(fills[0].id, fills[0].id + len(fills)))
    assert [one.id for one in aggregates] == list(range(aggregates[0].id, aggregates[0].id + len(aggregates)))


@VENUES
@settings(max_examples=4, deadline=None)
@given(seed=seeds)
def test_an_aggregate_is_the_sum_of_its_fills_and_no_fill_is_in_two(venue: str, seed: int) -> None:
    happenings = run(market(seed), venue)
    fills = {one.id: one for one in of(Fill, happenings)}
    told: list[int] = []
    for one in of(Aggregate, happenings):
        parts = [fills[id] for id in range(one.first, one.last + 1)]
        told.extend(part.id for part in parts)
        assert one.lots == sum(part.lots for part in parts)
        assert one.shown_lots == sum(part.lots for part in parts if not part.hidden)
        assert {(part.price, part.taker_sells) for part in parts} == {(one.price, one.taker_sells)}
    real = [id for id, fill in fills.items() if fill.lots and id <= told[-1]]
    assert told == real


@VENUES
@settings(max_examples=4, deadline=None)
@given(seed=seeds)
def test_trades_eat_exactly_what_the_book_loses_at_prices_that_were_in_it(venue: str, seed: int) -> None:
    one = market(seed)
    book = one.exchanges[venue].book
    bids, asks = dict(book.bids), dict(book.asks)
    eaten: list[Fill] = []
    trades = 0
    for happening in run(one, venue, steps=150):
        if isinstance(happening, Fill) and happening.lots:
            trades += 1
            side = bids if happening.taker_sells else asks
            assert happening.price in side
            eaten.append(happening)
        elif isinstance(happening, BookChanged):
            for side, changes in ((bids, happening.bids), (asks, happening.asks)):
                for tick, lots in changes:
                    taken = [f for f in eaten if f.price == tick and f.taker_sells == (side is bids)]
                    if taken:
                        assert lots == side[tick] - sum(f.lots for f in taken if not f.hidden)
                    if lots:
                        side[tick] = lots
                    else:
                        side.pop(tick, None)
            eaten = []
    assert trades > 50
    assert (bids, asks) == (book.bids, book.asks)


@VENUES
@settings(max_examples=4, deadline=None)
@given(seed=seeds)
def test_the_book_never_crosses_and_the_told_best_is_its_best(venue: str, seed: int) -> None:
    one = market(seed)
    book = one.exchanges[venue].book
    bids, asks = dict(book.bids), dict(book.asks)
    for happening in run(one, venue, steps=150):
        if isinstance(happening, BookChanged):
            assert happening.previous < happening.first <= happening.last
            bids = {tick: lots for tick, lots in {**bids, **dict(happening.bids)}.items() if lots}
            asks = {tick: lots for tick, lots in {**asks, **dict(happening.asks)}.items() if lots}
            assert max(bids) < min(asks)
        elif isinstance(happening, BestChanged):
            bid, ask = max(bids), min(asks)
            assert (happening.bid, happening.bid_lots) == (bid, bids[bid])
            assert (happening.ask, happening.ask_lots) == (ask, asks[ask])


def test_spot_update_ids_leave_no_hole_and_futures_ones_chain_over_holes() -> None:
    one = market()
    found = {venue: [] for venue in (FUTURES, SPOT)}
    for number in range(1, 200):
        for venue, happenings in one.step(START_MS + number * 20).items():
            found[venue].extend(of(BookChanged, happenings))
    for changes in found.values():
        assert all(new.previous == old.last for old, new in zip(changes, changes[1:], strict=False))
    assert all(new.first == new.previous + 1 for new in found[SPOT])
    assert any(new.first > new.previous + 1 for new in found[FUTURES])


@VENUES
def test_candles_equal_their_trades(venue: str) -> None:
    one = market(rate=20.0)
    happenings = run(one, venue, steps=2500, step_ms=100)  # 250 s: at least three whole minutes
    candles = [closed.candle for closed in of(CandleClosed, happenings)]
    assert len(candles) >= 3
    fills = [fill for fill in of(Fill, happenings) if fill.lots]
    for candle in candles:
        own = [fill for fill in fills if candle.open_ms <= fill.ts < candle.open_ms + 60_000]
        prices = [fill.price for fill in own]
        buys = [fill for fill in own if not fill.taker_sells]
        assert (candle.open, candle.close) == (prices[0], prices[-1])
        assert (candle.high, candle.low) == (max(prices), min(prices))
        assert (candle.first, candle.last, candle.trades) == (own[0].id, own[-1].id, len(own))
        assert candle.lots == sum(fill.lots for fill in own)
        assert candle.tick_lots == sum(fill.lots * fill.price for fill in own)
        assert candle.buy_lots == sum(fill.lots for fill in buys)
        assert candle.buy_tick_lots == sum(fill.lots * fill.price for fill in buys)
    day = one.exchanges[venue].candles.day()
    assert day.trades == len(fills)
    assert day.lots == sum(fill.lots for fill in fills)
    assert sum(row.lots for row in grouped(one.exchanges[venue].candles.all(), 5)) == day.lots


def test_a_minute_without_trades_is_flat_at_the_last_close() -> None:
    one = market(rate=0.0001)
    happenings = [
        *one.step(START_MS + 100)[SPOT],
        *one.step(START_MS + 130_000)[SPOT],
    ]
    candles = [closed.candle for closed in of(CandleClosed, happenings)]
    assert [candle.open_ms % 60_000 for candle in candles] == [0] * len(candles)
    assert len(candles) >= 2
    flat = candles[-1]
    assert (flat.open, flat.high, flat.low, flat.lots, flat.first) == (flat.close,) * 3 + (0, -1)


def test_venues_differ_and_stay_coherent_and_now_and_then_pay_an_arbitrage() -> None:
    one = market(rate=20.0)
    apart: list[float] = []
    for number in range(1, 6_001):  # 10 minutes
        one.step(START_MS + number * 100)
        futures, spot = (one.exchanges[venue].mid for venue in (FUTURES, SPOT))
        apart.append(abs(futures / spot - 1.0) * 10_000)
    assert sorted(apart)[len(apart) // 2] < 15  # bps: mostly close
    assert max(apart) > 20
    assert max(apart) < 200


def test_a_perpetual_is_marked_each_second_near_its_index_and_liquidates_in_runs() -> None:
    one = market(rate=20.0)
    happenings = run(one, FUTURES, steps=6000, step_ms=100)  # 600 s
    marks = list(of(Marked, happenings))
    assert len(marks) == 600
    assert all(abs(mark.mark / mark.index - 1.0) < 0.01 for mark in marks)
    assert all(
        mark.next_funding_ms % (8 * 3_600_000) == 0 and mark.next_funding_ms > mark.ts for mark in marks
    )
    forced = list(of(Liquidated, happenings))
    assert forced
    fills = [fill for fill in of(Fill, happenings)]
    for order in forced:
        own = [f for f in fills if f.ts == order.ts and f.taker_sells == order.sells and not f.hidden]
        assert order.filled_lots <= sum(fill.lots for fill in own)
        average = order.filled_tick_lots / order.filled_lots
        assert (order.limit < average) == order.sells  # the bankruptcy price is worse than the fill
    assert one.perpetuals[FUTURES].open_lots != market().perpetuals[FUTURES].open_lots
    assert SPOT not in one.perpetuals


def test_coins_that_a_venue_does_not_list_have_no_market_there() -> None:
    assert set(market(symbol="BRETTUSDT").exchanges) == {FUTURES}
    assert set(market(symbol="POPCATUSDT").exchanges) == {FUTURES}


def test_a_clock_that_goes_back_makes_no_time_pass() -> None:
    one = market()
    one.step(START_MS + 1000)
    assert one.step(START_MS + 500) == {FUTURES: [], SPOT: []}


def test_rate_is_the_average_number_of_trades() -> None:
    one = market(rate=50.0)
    orders = 0
    for number in range(1, 2001):  # 200 s at 50 orders a second: about 10 000
        orders += len({f.ts for f in of(Fill, one.step(START_MS + number * 100)[SPOT])})
    aggregates = len(one.exchanges[SPOT].aggregates)
    assert 0.6 * 10_000 < aggregates < 1.8 * 10_000
    assert orders > 1500


def test_prices_and_sizes_are_written_exactly() -> None:
    btc = Wording(Listing("BTCUSDT", "0.10", "0.001", 2, 3))
    assert btc.price(872_501) == "87250.10"  # 872501 ticks of 0.10
    assert btc.size(7) == "0.007"
    assert btc.quote(872_501 * 7) == "610.7507"  # 87250.1 * 0.007
    assert Wording(Listing("X", "0.0000100", "1", 7, 0)).size(12) == "12"
    assert decimal(-5, 2, 2) == "-0.05"


@settings(max_examples=50)
@given(units=st.integers(-(10**15), 10**15), digits=st.integers(0, 8), more=st.integers(0, 4))
def test_a_decimal_reads_back_as_what_was_written(units: int, digits: int, more: int) -> None:
    assert Decimal(decimal(units, digits, digits + more)) == Decimal(units).scaleb(-digits)

"""What is not collected is asked of the venue: beside what is live or stored, each row saying who told it."""

from typing import Any

import pytest
from fixed_market import NOW, FakeAsker, FakeLatest, context, history, quote, top

from orderflow import tools
from orderflow.market.errors import OrderflowError, UnknownSymbol, UnsupportedByVenue, VenueUnavailable
from orderflow.market.events import (
    HOUR,
    MINUTE,
    MS,
    BookUpdate,
    Event,
    Funding,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
)
from orderflow.tools.answers import Answer

LIVE, GATE, KRAKEN, DATED = "binance_futures", "gate_futures", "kraken_spot", "gate_delivery"
Answers = dict[tuple[str, str], list[Event] | OrderflowError]


def of(venue: str, symbol: str = "BTCUSDT", back: int = MS) -> tuple[str, str, int, int]:
    return venue, symbol, NOW - back, NOW


def run(answers: Answers, *others: Event, stored: bool = False) -> tuple[Any, FakeAsker]:
    """Return a run that hears BTCUSDT on Binance's futures, and venues that answer; with a store where it is said."""
    heard = FakeLatest(
        quotes=[quote(LIVE, 100.0, 100.1)],
        tops=[top(LIVE, [(100.0, 2.0)], [(100.1, 1.0)])],
        kind="live",
        others=others,
    )
    asker = FakeAsker(answers)
    return context(heard, asker=asker, history=history() if stored else None), asker


def asked(tool: str, answers: Answers, *others: Event, stored: bool = False, **arguments: Any) -> Answer:
    known, _ = run(answers, *others, stored=stored)
    return tools.call(known, tool, {"symbol": "BTCUSDT", **arguments})


def rows(answer: Answer, table: str = "") -> list[dict[str, Any]]:
    found = answer.more[table] if table else answer
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def told(answer: Answer, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows(answer)]


# ── Books ─────────────────────────────────────────────────────────────────────────────────────


def book(venue: str, *, bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> BookUpdate:
    return BookUpdate(*of(venue), snapshot=True, bids=bids, asks=asks)


DEEP = book(
    GATE,
    bids=[(99.0 - one / 10, 1.0 if one != 3 else 9.0) for one in range(20)],
    asks=[(101.0 + one / 10, 2.0) for one in range(20)],
)


def test_a_book_of_ten_levels_is_live_and_a_venue_that_is_named_and_not_live_is_asked() -> None:
    answer = asked("market_orderbook", {(GATE, "book"): [DEEP]}, venues=[LIVE, GATE], depth=1)
    assert told(answer, "venue", "bid", "ask", "source") == [
        (LIVE, 100.0, 100.1, "live"), (GATE, 99.0, 101.0, "rest"),
    ]  # fmt: skip
    assert answer.meta.source == "mixed" and not answer.meta.venues.missing


def test_more_than_ten_levels_are_asked_for_and_those_that_do_not_answer_keep_the_live_ones() -> None:
    known, asker = run({(GATE, "book"): [DEEP], (LIVE, "book"): VenueUnavailable("it is down")})
    answer = tools.call(known, "market_orderbook", {"symbol": "BTCUSDT", "venues": [LIVE, GATE], "depth": 20})
    assert [(venue, one.rows) for venue, one in asker.asked] == [(LIVE, 20), (GATE, 20)]
    assert [row[1] for row in answer.rows] == [LIVE, *[GATE] * 20]
    # bids: 19 levels of 1 and one of 9, nine times the median; asks are all alike
    (wall,) = rows(answer, "walls")
    assert (wall["side"], wall["price"], wall["size"], wall["times"]) == ("bid", 98.7, 9.0, 9.0)
    assert wall["from_mid_bps"] == pytest.approx((98.7 / 100 - 1) * 1e4)
    # within 1 % of 100: the bid and the ask at its very edges
    last = [row for row in rows(answer, "bands") if row["venue"] == GATE][-1]
    assert (last["band_bps"], last["bid_depth"], last["ask_depth"], last["whole"]) == (100.0, 1.0, 2.0, True)
    assert last["imbalance"] == pytest.approx(-1 / 3)


def test_a_symbol_that_nobody_collects_is_asked_of_all_that_answer() -> None:
    other = BookUpdate(*of(KRAKEN, "XMRUSD"), snapshot=True, bids=[(1.0, 1.0)], asks=[(2.0, 1.0)])
    answer = asked("market_orderbook", {(KRAKEN, "book"): [other]}, symbol="XMRUSD")
    assert told(answer, "symbol", "venue", "source") == [("XMRUSD", KRAKEN, "rest")]
    assert answer.meta.source == "rest"
    with pytest.raises(UnknownSymbol):  # of which it says itself that it does not list it
        asked("market_orderbook", {(KRAKEN, "book"): UnknownSymbol("not listed")}, venues=[KRAKEN])


# ── Funding and open interest ─────────────────────────────────────────────────────────────────


def rate(venue: str, value: float, symbol: str = "BTCUSDT") -> Funding:
    return Funding(*of(venue, symbol), value, None, 8.0)


def test_funding_is_live_stored_or_asked_and_each_row_says_which() -> None:
    answer = asked(
        "market_funding", {(GATE, "funding"): [rate(GATE, 0.0002)]}, rate(LIVE, 0.0001),
        stored=True, venues=[LIVE, "bybit_futures", GATE],
    )  # fmt: skip
    assert sorted(told(answer, "venue", "source")) == [
        (LIVE, "live"), ("bybit_futures", "stored"), (GATE, "rest"),
    ]  # fmt: skip
    assert answer.meta.source == "mixed"
    assert answer.summary["dearest_for_longs"]["venue"] == "bybit_futures"  # 87.6 % a year
    assert not {LIVE, "bybit_futures", GATE} & set(answer.meta.venues.missing)


def test_what_is_collected_is_told_without_asking_anybody() -> None:
    known, asker = run({(GATE, "funding"): [rate(GATE, 0.0002)]}, rate(LIVE, 0.0001), stored=True)
    tools.call(known, "market_funding", {"symbol": "BTCUSDT"})
    assert not asker.asked


def test_all_rates_of_a_venue_are_asked_for_beside_those_that_are_live() -> None:
    whole: list[Event] = [rate(LIVE, 0.0009), rate(LIVE, 0.0003, "XRPUSDT")]
    answer = asked(
        "market_funding", {(LIVE, "fundings"): whole}, rate(LIVE, 0.0001), symbol=None, venues=[LIVE]
    )
    assert sorted(told(answer, "symbol", "funding_rate", "source")) == [
        ("BTCUSDT", 0.0001, "live"), ("XRPUSDT", 0.0003, "rest"),
    ]  # fmt: skip


def test_open_interest_of_a_venue_without_streams_is_asked_for_with_its_mark() -> None:
    answers: Answers = {
        (DATED, "open_interest"): [OpenInterest(*of(DATED), 7.0), MarkPrice(*of(DATED), 101.0)]
    }
    answer = asked("market_open_interest", answers, stored=True, venues=[DATED, LIVE])
    assert sorted(told(answer, "venue", "open_interest", "value", "source")) == [
        (LIVE, 1059.0, None, "stored"), (DATED, 7.0, 707.0, "rest"),
    ]  # fmt: skip
    assert answer.summary["together"]["open_interest"] == 1066.0
    with pytest.raises(UnsupportedByVenue):
        asked("market_open_interest", answers, stored=True, venues=[KRAKEN])


def test_all_open_interest_of_a_venue_is_asked_for() -> None:
    whole: list[Event] = [OpenInterest(*of(GATE, one), 1.0) for one in ("BTCUSDT", "XRPUSDT")]
    answer = asked("market_open_interest", {(GATE, "open_interests"): whole}, symbol=None, venues=[GATE])
    assert told(answer, "symbol", "source") == [("BTCUSDT", "rest"), ("XRPUSDT", "rest")]


# ── The snapshot ──────────────────────────────────────────────────────────────────────────────


def test_a_snapshot_has_a_row_of_a_venue_that_is_asked_alone() -> None:
    ticker = Ticker(*of(KRAKEN), 99.0, high=110.0, low=90.0, volume=5.0, change_pct=-1.0)
    touch = Quote(*of(KRAKEN), 98.9, 1.0, 99.1, 1.0)
    answer = asked("market_snapshot", {(KRAKEN, "ticker"): [ticker, touch]}, venues=[LIVE, KRAKEN])
    live, rest = rows(answer)
    assert (live["venue"], live["source"], rest["venue"], rest["source"]) == (LIVE, "live", KRAKEN, "rest")
    assert (rest["market"], rest["last"], rest["mid"], rest["change_24h_pct"]) == ("spot", 99.0, 99.0, -1.0)
    assert rest["spread_bps"] == pytest.approx(0.2 / 99 * 1e4)
    assert (rest["volume_24h"], rest["depth_bid"], rest["imbalance"]) == (5.0, None, None)


# ── Liquidations ──────────────────────────────────────────────────────────────────────────────


def closed(side: Any, size: float, back: int) -> Liquidation:
    return Liquidation(*of(GATE, back=back), side, 100.0, size)


FORCED: list[Event] = [
    closed("long", 3.0, MINUTE),
    closed("short", 1.0, 2 * MINUTE),
    closed("short", 9.0, 30 * HOUR),  # before the day that is asked for
]


def test_liquidations_that_a_venue_tells_stand_beside_the_stored_ones() -> None:
    answer = asked("market_liquidations", {(GATE, "liquidations"): FORCED}, stored=True, venues=[LIVE, GATE])
    assert told(answer, "venue", "side", "value", "source") == [
        (GATE, "long", 300.0, "rest"), (GATE, "short", 100.0, "rest"), (LIVE, "long", 390.0, "stored"),
    ]  # fmt: skip
    together = answer.summary["together"]
    assert (together["long_value"], together["longs"]) == (690.0, 2)
    assert (together["short_value"], together["shorts"]) == (100.0, 1)
    assert [(row["venue"], row["largest_value"], row["source"]) for row in rows(answer, "venues")] == [
        (LIVE, 390.0, "stored"), (GATE, 300.0, "rest"),
    ]  # fmt: skip


def test_side_and_least_value_hold_for_what_is_asked_too() -> None:
    answers: Answers = {(GATE, "liquidations"): FORCED}
    assert told(asked("market_liquidations", answers, venues=[GATE], side="short"), "value") == [(100.0,)]
    answer = asked("market_liquidations", answers, venues=[GATE], min_value=200.0)
    assert answer.summary["together"]["shorts"] == 0 and len(answer.rows) == 1
    assert answer.meta.source == "rest" and answer.meta.window is not None


def test_a_venue_is_asked_for_all_its_liquidations_where_no_symbol_is_named() -> None:
    answer = asked("market_liquidations", {(GATE, "liquidations"): FORCED}, symbol=None, venues=[GATE])
    assert len(answer.rows) == 2 and answer.meta.symbol is None

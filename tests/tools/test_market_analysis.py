"""One set of rules over what every venue tells: readings worked by hand, and what could not be judged."""

from typing import Any

import numpy as np
import pytest
from fixed_market import NOW, FakeAsker, FakeLatest, context, top

from orderflow import tools
from orderflow.flow.reading import RULES, Side, interest, liquidated_pct, readings
from orderflow.market.errors import OrderflowError, VenueUnavailable
from orderflow.market.events import (
    DAY,
    HOUR,
    MINUTE,
    MS,
    BookUpdate,
    Event,
    Funding,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Option,
    Ticker,
    Trade,
)
from orderflow.market.facts import LongShort, TakerVolume, VolatilityBar
from orderflow.tools.answers import Answer

BINANCE, GATE, SPOT = "binance_futures", "gate_futures", "kraken_spot"
Answers = dict[tuple[str, str], list[Event] | OrderflowError]


def at(venue: str, back: int = MS) -> tuple[str, str, int, int]:
    return venue, "BTCUSDT", NOW - back, NOW


def ticker(venue: str, last: float, change: float, **more: Any) -> Ticker:
    return Ticker(*at(venue), last, change_pct=change, **more)


def analysed(answers: Answers, venues: list[str], *tops: Any, **more: Any) -> Answer:
    run = context(FakeLatest(kind="live", tops=tops), asker=FakeAsker(answers), history=None, **more)
    return tools.call(run, "market_analysis", {"symbol": "BTCUSDT", "venues": venues, "max_tokens": 8000})


def findings(answer: Answer, venue: str) -> dict[str, dict[str, Any]]:
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return {row["subject"]: row for row in rows if row["venue"] == venue}


def snapshot(answer: Answer) -> dict[str, dict[str, Any]]:
    table = answer.more["snapshot"]
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


# ── The rules ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("figure", "value", "side"),
    [
        ("change_pct", 2.0, "bullish"),
        ("change_pct", 1.99, "neutral"),
        ("change_pct", -2.0, "bearish"),
        # 0.0003 in 8 hours are 32.85 % a year, though floats say a hair less
        ("funding_annual_pct", 0.0003 * 8760 / 8 * 100, "crowded_long"),
        ("funding_annual_pct", 0.0, "neutral"),
        ("funding_annual_pct", -10.95, "crowded_short"),
        ("account_ratio", 2.0, "crowded_long"),
        ("account_ratio", 0.5, "crowded_short"),
        ("basis_bps", -5.0, "crowded_short"),
        ("taker_buy_pct", 55.0, "bullish"),
        ("imbalance", -0.3, "bearish"),
        ("long_liquidated_pct", 70.0, "bearish"),
        ("long_liquidated_pct", 30.0, "bullish"),
        ("put_call_ratio", 1.0, "bearish"),
        ("skew_points", -5.0, "bearish"),
    ],
)
def test_a_figure_at_its_threshold_says_something(figure: str, value: float, side: Side) -> None:
    assert RULES[figure].read(value).side == side


@pytest.mark.parametrize(
    ("opened", "change", "said", "side"),
    [
        (6.0, 3.0, "price up on rising open interest", "bullish"),
        (6.0, -3.0, "price down on rising open interest", "bearish"),
        (-6.0, 3.0, "price up on falling open interest", "neutral"),
        (-6.0, -3.0, "price down on falling open interest", "neutral"),
        (6.0, 0.1, "price hardly moved on rising open interest", "neutral"),
        (4.9, 9.0, "open interest hardly changed", "neutral"),
    ],
)
def test_open_interest_is_read_with_the_price(opened: float, change: float, said: str, side: Side) -> None:
    assert interest(opened, change)[1:3] == (said, side)


def test_the_threshold_told_is_the_one_reached_or_the_nearer_one() -> None:
    read = RULES["taker_buy_pct"].read
    assert [read(value).threshold for value in (60.0, 54.0, 46.0, 40.0)] == [55.0, 55.0, 45.0, 45.0]


def test_what_is_unknown_is_not_read_and_what_is_little_neither() -> None:
    assert readings({"change_pct": None, "imbalance": 0.0})[0].subject == "book"
    assert len(readings({"change_pct": None, "open_interest_change_pct": 9.0})) == 0
    # 10 of a volume of 1,000,000 are a hundred-thousandth: less than one in ten thousand
    assert liquidated_pct(10.0, 0.0, 1_000_000.0) is None
    assert liquidated_pct(75.0, 25.0, 1_000_000.0) == 75.0
    assert liquidated_pct(1.0, 0.0, None) is None and liquidated_pct(0.0, 0.0, 1.0) is None


# ── The tool ──────────────────────────────────────────────────────────────────────────────────

FUTURES: Answers = {
    (BINANCE, "ticker"): [
        ticker(BINANCE, 104.0, 4.0, low=96.0, high=106.0, quote_volume=1_000_000.0),
        MarkPrice(*at(BINANCE), 100.1, 100.0),
        Funding(*at(BINANCE), 0.0004, None, 8.0),
        OpenInterest(*at(BINANCE), 1_100.0),
    ],
    (BINANCE, "long_short"): [
        LongShort(*at(BINANCE), "accounts", 2.5),
        LongShort(*at(BINANCE), "top_positions", 0.9),
    ],
    (BINANCE, "taker_volume"): [TakerVolume(*at(BINANCE, one * HOUR), 6.0, 4.0) for one in range(24)],
    (BINANCE, "open_interest_history"): [
        OpenInterest(*at(BINANCE, DAY + HOUR), 900.0),
        OpenInterest(*at(BINANCE, DAY), 1_000.0),
        OpenInterest(*at(BINANCE, 0), 1_100.0),
    ],
    (BINANCE, "book"): [
        BookUpdate(*at(BINANCE), snapshot=True, bids=[(99.0, 3.0), (100.0, 4.0)], asks=[(101.0, 3.0)])
    ],
    (BINANCE, "liquidations"): [
        Liquidation(*at(BINANCE, MINUTE), "long", 100.0, 3.0),
        Liquidation(*at(BINANCE, MINUTE), "short", 100.0, 1.0),
        Liquidation(*at(BINANCE, 2 * HOUR), "short", 100.0, 99.0),  # before the last hour
    ],
}


def test_every_subject_is_read_from_what_the_venue_tells() -> None:
    answer = analysed(FUTURES, [BINANCE])
    found = findings(answer, BINANCE)
    assert {subject: (one["reading"], one["side"]) for subject, one in found.items()} == {
        "trend": ("price up", "bullish"),
        "funding": ("longs pay much", "crowded_long"),  # 0.0004 × 1,095 = 43.8 %
        "positioning": ("crowd is long", "crowded_long"),
        "open_interest": ("price up on rising open interest", "bullish"),  # 1,100 over 1,000
        "basis": ("mark above index", "crowded_long"),  # 10 bps
        "flow": ("takers buy", "bullish"),  # 6 of 10
        "book": ("bids outweigh asks", "bullish"),  # (7 - 3) / 10
        "liquidations": ("longs are liquidated", "bearish"),  # 300 of 400
    }
    assert found["funding"]["figure"] == pytest.approx(43.8) and found["funding"]["threshold"] == 32.85
    assert found["open_interest"]["figure"] == pytest.approx(10.0)
    assert {one["source"] for one in found.values()} == {"rest"}
    (row,) = snapshot(answer).values()
    assert (row["range_position_pct"], row["volume_value"]) == (80.0, 1_000_000.0)  # (104 - 96) / 10
    assert (row["depth_bid"], row["depth_ask"], row["imbalance"]) == (7.0, 3.0, 0.4)
    assert (row["long_liquidated"], row["short_liquidated"]) == (300.0, 100.0)
    assert answer.summary["sides"] == {"bullish": 4, "crowded_long": 3, "bearish": 1}
    assert answer.summary["by_subject"]["flow"] == {"bullish": 1}
    assert answer.summary["not_judged"] == {}
    assert answer.meta.source == "rest" and answer.meta.symbol == "BTCUSDT"
    assert "nobody has measured" in answer.meta.warnings[-1]


def test_thresholds_are_the_same_for_every_venue() -> None:
    tickers: Answers = {(one, "ticker"): [ticker(one, 100.0, 2.0)] for one in (BINANCE, GATE, SPOT)}
    answer = analysed(tickers, [BINANCE, GATE, SPOT])
    trends = [findings(answer, one)["trend"] for one in (BINANCE, GATE, SPOT)]
    assert {(one["reading"], one["threshold"]) for one in trends} == {("price up", 2.0)}


def test_what_could_not_be_judged_is_told_with_the_reason() -> None:
    answers: Answers = {
        (BINANCE, "ticker"): [ticker(BINANCE, 100.0, 0.0)],
        (SPOT, "ticker"): [ticker(SPOT, 100.0, 0.0)],
        (GATE, "ticker"): VenueUnavailable("it is down"),
        (BINANCE, "long_short"): VenueUnavailable("no ratios now"),
        (SPOT, "trades"): [Trade(*at(SPOT), number, False, 100.0, 1.0) for number in range(99)],
        (BINANCE, "taker_volume"): [],
    }
    answer = analysed(answers, [BINANCE, SPOT, GATE])
    told = answer.summary["not_judged"]
    assert answer.meta.venues.missing == {GATE: "it is down"}
    assert told["positioning"] == {"no ratios now": BINANCE, "spot has none": SPOT}
    assert told["flow"]["99 trades are too few"] == SPOT
    assert told["funding"] == {"tells no funding_annual_pct": BINANCE, "spot has none": SPOT}
    assert "trend" not in told
    assert set(findings(answer, SPOT)) == {"trend"}


def test_a_hundred_trades_stand_for_a_taker_volume_that_is_not_told() -> None:
    tape: list[Event] = [Trade(*at(SPOT), one, one % 4 == 0, 100.0, 1.0) for one in range(100)]
    answer = analysed({(SPOT, "ticker"): [ticker(SPOT, 100.0, 0.0)], (SPOT, "trades"): tape}, [SPOT])
    assert findings(answer, SPOT)["flow"]["figure"] == 75.0  # every fourth was sold


def test_a_live_book_is_not_asked_for_and_the_answer_is_mixed() -> None:
    asker = FakeAsker({(BINANCE, "ticker"): [ticker(BINANCE, 1.0, 0.0)], (BINANCE, "book"): []})
    live = FakeLatest(kind="live", tops=[top(BINANCE, [(9.9, 1.0)], [(10.1, 3.0)])])
    run = context(live, asker=asker, history=None)
    answer = tools.call(run, "market_analysis", {"symbol": "BTCUSDT", "venues": [BINANCE]})
    book = findings(answer, BINANCE)["book"]
    assert (book["figure"], book["side"], book["source"], book["age_ms"]) == (-0.5, "bearish", "live", 100.0)
    assert answer.meta.source == "mixed" and "book" not in [one.question for _, one in asker.asked]


def test_where_no_ticker_is_told_its_error_is_the_answer() -> None:
    with pytest.raises(VenueUnavailable, match="it is down"):
        analysed({(GATE, "ticker"): VenueUnavailable("it is down")}, [GATE])


def test_deribit_has_its_options_beside_the_futures() -> None:
    expiry = NOW + 30 * DAY
    chain: list[Event] = [
        Option(
            "deribit_options", "BTCUSDT", NOW, NOW, f"BTC-{strike:.0f}-{kind}", expiry, strike, kind,
            mark_iv=0.5 + (0.2 if strike < 100 else 0.0), underlying_price=100.0,
            open_interest=3.0 if kind == "put" else 2.0,
        )
        for strike in np.linspace(60.0, 140.0, 33).tolist()
        for kind in ("call", "put")
    ]  # fmt: skip
    answers: Answers = {
        ("deribit_futures", "ticker"): [ticker("deribit_futures", 100.0, 0.0)],
        ("deribit_options", "option_chain"): chain,
        ("deribit_options", "volatility_index"): [
            VolatilityBar("deribit_options", "BTC", NOW, NOW, 0.5, 0.6, 0.5, 0.55, 3600.0)
        ],
    }
    answer = analysed(answers, ["deribit_futures"])
    rows = [row for row in answer.rows if row[0] == "deribit_options"]
    # 3 puts open for 2 calls; a put of delta -0.25 lies below 100, where volatility is 20 points higher
    assert [(row[2], row[3], row[4]) for row in rows] == [
        ("puts outweigh calls", "bearish", 1.5), ("puts are dearer", "bearish", pytest.approx(-20.0)),
    ]  # fmt: skip
    assert snapshot(answer)["deribit_options"]["volatility_index_pct"] == pytest.approx(55.0)
    assert answer.meta.venues.answered == ["deribit_futures", "deribit_options"]


@pytest.mark.parametrize(
    ("name", "venues"),
    [
        ("binance_full_analysis", ["binance_futures"]), ("binance_spot_full_analysis", ["binance_spot"]),
        ("bybit_derivatives_analysis", ["bybit_futures"]), ("bybit_full_market_analysis", ["bybit_spot", "bybit_futures"]),
        ("okx_full_analysis", ["okx_futures"]), ("kraken_full_analysis", ["kraken_futures", "kraken_spot"]),
        ("gateio_full_analysis", ["gate_futures"]), ("hyperliquid_full_analysis", ["hyperliquid_futures"]),
        ("deribit_full_analysis", ["deribit_futures"]),
    ],
)  # fmt: skip
def test_the_nine_old_names_answer(name: str, venues: list[str]) -> None:
    asker = FakeAsker({(one, "ticker"): [ticker(one, 100.0, 1.0)] for one in venues})
    answer = tools.call(context(FakeLatest(kind="live"), asker=asker, history=None), name, {})
    assert set(answer.meta.venues.answered) == set(venues) and answer.meta.symbol == "BTCUSDT"

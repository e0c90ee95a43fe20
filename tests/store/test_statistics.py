"""Percentiles, volatility, volume by price and where a price stands, by hand and by what can never be."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.market.errors import InvalidArgument, NoData
from orderflow.store.reader import Reader
from orderflow.store.statistics import seconds_of_year
from tests.store.conftest import T0

MANY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def filled(emptied: Any) -> Any:
    return emptied


def mids(filled: Any, prices: dict[float, float], venue: str = "binance_spot") -> None:
    filled.connection.executemany(
        "INSERT INTO prices_hot (venue, symbol, id, timestamp, received, mid_price, clock, source, run)"
        " SELECT $1, 'BTCUSDT', $2, make_timestamp($3), make_timestamp($3), $4, 'venue', 'live', 1",
        [(venue, id, filled.at(at) // 1000, price) for id, (at, price) in enumerate(prices.items(), 1)],
    )


def only(found: Any) -> dict[str, Any]:
    (row,) = found.rows()
    return row


# ── Percentiles ───────────────────────────────────────────────────────────────────────────────


def test_percentiles_are_of_the_last_price_of_each_second(filled: Any, reader: Reader) -> None:
    # a burst of nine quotes in second 1 is one sample: 10, 20, 30, 40
    burst = {1 + place / 10: 999.0 for place in range(9)}
    mids(filled, {0: 10.0, **burst, 1.9: 20.0, 2: 30.0, 3.5: 40.0})
    row = only(reader.percentiles("BTCUSDT", None, filled.at(0), filled.at(9), [25, 50, 97.5]))
    assert (row["samples"], row["lowest"], row["highest"], row["mean"]) == (4, 10.0, 40.0, 25.0)
    # interpolated: place 0.25 × 3 = 0.75 lies at 10 + 0.75 × 10; 0.975 × 3 = 2.925 at 30 + 0.925 × 10
    assert (row["p25"], row["p50"], row["p97_5"]) == (17.5, 25.0, pytest.approx(39.25))
    assert row["deviation"] == pytest.approx(math.sqrt(500 / 3))  # squares 225 + 25 + 25 + 225 over 4 - 1


def test_percentiles_of_trades_are_asked_where_a_venue_tells_no_quotes(filled: Any, reader: Reader) -> None:
    filled.trade("binance_spot", 1, 1, price=5.0)
    assert only(reader.percentiles("BTCUSDT", None, filled.at(0), filled.at(9), of="trades"))["p50"] == 5.0
    with pytest.raises(NoData):
        reader.percentiles("BTCUSDT", None, filled.at(0), filled.at(9))
    with pytest.raises(InvalidArgument, match="101"):
        reader.percentiles("BTCUSDT", None, filled.at(0), filled.at(9), [101])


@MANY
@given(st.dictionaries(st.integers(0, 600), st.floats(1, 1e6), min_size=1, max_size=50))
def test_percentiles_are_in_order_and_between_the_extremes(filled: Any, prices: dict[int, float]) -> None:
    filled.clear()
    mids(filled, dict(prices))
    row = only(Reader(filled.connection).percentiles("BTCUSDT", None, filled.at(0), filled.at(700)))
    names = ("lowest", "p1", "p5", "p25", "p50", "p75", "p95", "p99", "highest")
    values = [row[name] for name in names]
    assert values == sorted(values)
    assert row["p50"] == pytest.approx(float(np.median(list(prices.values()))))


# ── Volatility ────────────────────────────────────────────────────────────────────────────────


def test_realised_volatility_is_the_root_of_the_squared_log_returns(filled: Any, reader: Reader) -> None:
    # closes of the minutes: 100, 110, (none), 99; the last quote of a minute is its close
    mids(filled, {0: 100.0, 60: 500.0, 119: 110.0, 180: 99.0})
    row = only(reader.volatility("BTCUSDT", None, filled.at(0), filled.at(240)))
    first, second = math.log(110 / 100), math.log(99 / 110)
    squares = first**2 + second**2  # 0.0090840 + 0.0111008 = 0.0201848
    assert (row["returns"], row["observed_s"]) == (2, 180.0)  # the second return took two minutes
    assert row["volatility_pct"] == pytest.approx(100 * math.sqrt(squares))  # 14.2073 %
    assert row["annual_pct"] == pytest.approx(100 * math.sqrt(squares * 365 * 86_400 / 180))
    assert row["log_return_pct"] == pytest.approx(100 * math.log(0.99))


def test_one_price_has_no_volatility_which_is_unknown_and_not_zero(filled: Any, reader: Reader) -> None:
    mids(filled, {0: 100.0})
    row = only(reader.volatility("BTCUSDT", None, filled.at(0), filled.at(240)))
    assert (row["returns"], row["volatility_pct"], row["annual_pct"]) == (0, None, None)


def test_a_price_that_does_not_move_has_a_volatility_of_zero(filled: Any, reader: Reader) -> None:
    mids(filled, {0: 100.0, 60: 100.0, 120: 100.0})
    assert only(reader.volatility("BTCUSDT", None, filled.at(0), filled.at(240)))["annual_pct"] == 0.0


def test_a_year_has_the_days_that_it_has() -> None:
    assert seconds_of_year(T0) == 365 * 86_400  # 2025
    assert seconds_of_year(1_709_208_000 * 10**9) == 366 * 86_400  # 29 February 2024


def test_a_walk_of_known_volatility_is_measured_as_such(filled: Any) -> None:
    rng = np.random.default_rng(7)
    annual, seconds = 0.6, 60.0
    steps = rng.normal(0, annual * math.sqrt(seconds / (365 * 86_400)), 2_000)
    prices = 100 * np.exp(np.cumsum(steps))
    mids(filled, {seconds * place: float(price) for place, price in enumerate(prices)})
    row = only(
        Reader(filled.connection).volatility("BTCUSDT", None, filled.at(0), filled.at(seconds * 2_000))
    )
    # the standard error of a deviation from n values is 1 / sqrt(2 n): 1.6 %, three of which are allowed
    assert row["annual_pct"] == pytest.approx(60.0, rel=3 / math.sqrt(2 * 2_000))


# ── Volume by price ───────────────────────────────────────────────────────────────────────────


def fills(filled: Any, rows: list[tuple[float, float, bool]]) -> None:
    for id, (price, size, sold) in enumerate(rows, 1):
        filled.put(
            "trades", id, id, trade_id=str(id), price=price, quantity=size, value=price * size,
            side="sell" if sold else "buy", is_buyer_maker=sold, count=1,
        )  # fmt: skip


def test_volume_by_price_in_bins_of_a_size_begins_at_its_multiples(filled: Any, reader: Reader) -> None:
    fills(filled, [(10.0, 1.0, False), (14.9, 2.0, True), (15.0, 4.0, True), (31.0, 8.0, False)])
    found = reader.volume_by_price("BTCUSDT", None, filled.at(0), filled.at(60), size=5.0)
    rows = [tuple(row.values()) for row in found.rows()]
    # price_from, price_until, volume, bought, sold, value, trades; 20 to 30 is empty and absent
    assert rows == [
        (10.0, 15.0, 3.0, 1.0, 2.0, 10.0 + 29.8, 2),
        (15.0, 20.0, 4.0, 0.0, 4.0, 60.0, 1),
        (30.0, 35.0, 8.0, 8.0, 0.0, 248.0, 1),
    ]


def test_a_price_on_an_edge_lies_in_the_bin_above_it_however_it_divides(filled: Any, reader: Reader) -> None:
    fills(filled, [(0.3, 1.0, False), (0.7, 1.0, False)])  # 0.3 / 0.1 is 2.9999999999999996
    found = reader.volume_by_price("BTCUSDT", None, filled.at(0), filled.at(60), size=0.1)
    assert [round(one, 9) for one in found["price_from"]] == [0.3, 0.7]


def test_so_many_bins_reach_from_the_lowest_price_to_the_highest(filled: Any, reader: Reader) -> None:
    fills(filled, [(100.0, 1.0, False), (104.0, 2.0, True), (110.0, 4.0, False)])
    found = reader.volume_by_price("BTCUSDT", None, filled.at(0), filled.at(60), bins=2)
    assert [(row["price_from"], row["price_until"], row["volume"]) for row in found.rows()] == [
        (100.0, 105.0, 3.0),
        (105.0, 110.0, 4.0),  # the highest lies in the last bin
    ]
    assert found.notes == {"size": 5.0, "lowest": 100.0, "highest": 110.0}


def test_bins_too_fine_to_be_an_answer_are_refused(filled: Any, reader: Reader) -> None:
    fills(filled, [(1.0, 1.0, False), (100_000.0, 1.0, False)])
    for wrong in ({"size": 0.0}, {"size": 0.001}, {"bins": 0}):
        with pytest.raises(InvalidArgument):
            reader.volume_by_price("BTCUSDT", None, filled.at(0), filled.at(60), **wrong)


@MANY
@given(
    st.lists(
        st.tuples(
            st.integers(800, 1200).map(lambda one: one / 8), st.integers(1, 64).map(lambda one: one / 8), st.booleans()
        ),
        min_size=1, max_size=20,
    ),
    st.one_of(
        st.fixed_dictionaries({"size": st.sampled_from([0.1, 1.0, 7.5])}),
        st.fixed_dictionaries({"bins": st.integers(1, 60)}),
    ),
)  # fmt: skip
def test_all_that_was_traded_lies_in_one_bin(filled: Any, rows: list[Any], how: dict[str, Any]) -> None:
    filled.clear()
    fills(filled, rows)
    found = Reader(filled.connection).volume_by_price("BTCUSDT", None, filled.at(0), filled.at(60), **how)
    assert sum(found["volume"]) == sum(size for _, size, _ in rows)
    assert sum(found["sell_volume"]) == sum(size for _, size, sold in rows if sold)
    assert all(row["volume"] == row["buy_volume"] + row["sell_volume"] for row in found.rows())
    edges = list(zip(found["price_from"], found["price_until"], strict=True))
    assert all(any(low - 1e-6 <= price <= high + 1e-6 for low, high in edges) for price, _, _ in rows)


# ── Where a price stands ──────────────────────────────────────────────────────────────────────


def test_a_price_stands_somewhere_among_those_of_each_look_back(filled: Any, reader: Reader) -> None:
    mids(filled, {0: 100.0, 100: 10.0, 200: 20.0, 300: 30.0, 301: 5.0})  # at 301 nothing more was known
    found = reader.price_context("BTCUSDT", "binance_spot", filled.at(301), ["5m", "4m"])
    five, four = found.rows()
    # from 1 s: 10, 20, 30; the last is the price. From 61 s: the same
    assert (five["samples"], five["first"], five["lowest"], five["highest"]) == (3, 10.0, 10.0, 30.0)
    assert (five["price"], five["rank_pct"], five["p50"], five["mean"]) == (30.0, 100.0, 20.0, 20.0)
    assert five["z_score"] == pytest.approx(1.0)  # (30 - 20) / sqrt((100 + 0 + 100) / 2)
    assert five["change_pct"] == pytest.approx(200.0)
    assert [row["look_back"] for row in (five, four)] == ["5m", "4m"]
    found = reader.price_context("BTCUSDT", "binance_spot", filled.at(301), ["2m", "10s"], 25.0)
    two, ten = found.rows()
    assert (two["samples"], two["rank_pct"], two["z_score"]) == (2, 50.0, pytest.approx(0.0))  # 20 and 30
    # one sample has a place but no deviation
    assert (ten["samples"], ten["rank_pct"], ten["z_score"], ten["deviation"]) == (1, 0.0, None, None)


def test_a_look_back_without_prices_is_empty_and_one_without_any_is_an_error(
    filled: Any, reader: Reader
) -> None:
    mids(filled, {0: 100.0})
    hour, minute = reader.price_context("BTCUSDT", "binance_spot", filled.at(600), ["1h", "1m"]).rows()
    assert (hour["samples"], minute["samples"], minute["mean"], minute["rank_pct"]) == (1, 0, None, None)
    with pytest.raises(NoData):
        reader.price_context("BTCUSDT", "binance_spot", filled.at(600), ["1m"])
    with pytest.raises(InvalidArgument):
        reader.price_context("BTCUSDT", "binance_spot", filled.at(600), [])

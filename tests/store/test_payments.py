"""Funding, each settlement once however often it was told, and positions that were closed by force."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.market.errors import NoData
from orderflow.store.reader import Reader

H = 3600.0
MANY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def filled(emptied: Any) -> Any:
    return emptied


def told(
    filled: Any, at: float, rate: float, settles: float | None, hours: float | None = 8.0, venue: str = "binance_futures"
) -> None:  # fmt: skip
    """Put a row that tells, `at` seconds, the rate of the settlement at `settles` seconds."""
    instant = None if settles is None else filled.at(settles) // 1000
    filled.connection.execute(
        "INSERT INTO funding_rates_hot (venue, symbol, id, timestamp, received, funding_rate, interval_hours,"
        " next_funding_time, clock, source, run) VALUES (?, 'BTCUSDT', ?, make_timestamp(?), make_timestamp(?),"
        " ?, ?, make_timestamp(?), 'venue', 'live', 1)",
        [venue, round(at * 10), filled.at(at) // 1000, filled.at(at) // 1000, rate, hours, instant],
    )


def shown(found: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in found.rows()]


def test_a_settlement_counts_once_with_the_rate_told_last(filled: Any, reader: Reader) -> None:
    for at, rate in ((1 * H, 0.0003), (7 * H, 0.0002), (8 * H - 1, 0.0001)):
        told(filled, at, rate, 8 * H)
    told(filled, 9 * H, -0.0004, 16 * H)
    told(filled, 17 * H, 0.0008, 24 * H)
    found = reader.settlements("BTCUSDT", None, filled.at(0), filled.at(18 * H))
    # paid: 0.0001 - 0.0004 = -0.0003; what is to come at 24:00 is in no sum
    assert shown(found, "settles_at", "funding_rate", "settled", "cumulative_rate") == [
        (filled.at(8 * H), 0.0001, True, 0.0001),
        (filled.at(16 * H), -0.0004, True, pytest.approx(-0.0003)),
        (filled.at(24 * H), 0.0008, False, None),
    ]
    assert found["told_at"][0] == filled.at(8 * H - 1)
    assert found["annualized_pct"][0] == pytest.approx(0.0001 * 3 * 365 * 100)  # 10.95 % a year


def test_a_window_has_the_settlements_in_it_and_their_sum_begins_with_it(filled: Any, reader: Reader) -> None:
    for settles in (8, 16, 24):
        told(filled, (settles - 1) * H, 0.0001, settles * H)
    found = reader.settlements("BTCUSDT", None, filled.at(16 * H), filled.at(24 * H))
    # the one at 16:00 was told at 15:00, before the window; that at 24:00 lies after it
    assert shown(found, "settles_at", "settled", "cumulative_rate") == [
        (filled.at(16 * H), True, 0.0001),
        (filled.at(24 * H), False, None),
    ]


def test_what_was_told_after_the_window_is_not_known_in_it(filled: Any, reader: Reader) -> None:
    told(filled, 1 * H, 0.0001, 8 * H)
    told(filled, 7 * H, 0.0009, 8 * H)
    found = reader.settlements("BTCUSDT", None, filled.at(0), filled.at(2 * H))
    assert shown(found, "funding_rate", "settled") == [(0.0001, False)]


def test_an_archive_that_strays_by_milliseconds_tells_the_same_settlement(
    filled: Any, reader: Reader
) -> None:
    told(filled, 7 * H, 0.0002, 8 * H)
    told(filled, 8 * H + 0.012, 0.0001, 8 * H + 0.012)  # what was paid, as its history has it
    found = reader.settlements("BTCUSDT", None, filled.at(0), filled.at(9 * H))
    assert shown(found, "settles_at", "funding_rate") == [(filled.at(8 * H), 0.0001)]


def test_where_funding_accrues_the_last_rate_of_each_interval_counts(filled: Any, reader: Reader) -> None:
    # told every hour is what the last eight came to, and no time of a settlement
    for hour in range(1, 18):
        told(filled, hour * H, 0.0001 * hour, None, venue="deribit_futures")
    found = reader.settlements("BTCUSDT", None, filled.at(0), filled.at(17 * H + 1))
    assert shown(found, "settles_at", "funding_rate", "settled") == [
        (filled.at(8 * H), 0.0008, True),
        (filled.at(16 * H), 0.0016, True),
        (filled.at(24 * H), pytest.approx(0.0017), False),
    ]


def test_a_row_that_names_its_settlement_wins_over_one_that_does_not(filled: Any, reader: Reader) -> None:
    told(filled, 0.5 * H, 0.00001, 1 * H, 1.0, "kraken_futures")
    told(filled, 1 * H, 0.00007, None, 1.0, "kraken_futures")  # its history names the hour alone
    found = reader.settlements("BTCUSDT", None, filled.at(0), filled.at(1.5 * H))
    assert shown(found, "funding_rate") == [(0.00001,)]


def test_an_interval_that_is_not_told_is_the_time_between_settlements(filled: Any, reader: Reader) -> None:
    for settles in (4, 8, 16):  # that at 12:00 was missed: the shortest distance counts
        told(filled, (settles - 1) * H, 0.0001, settles * H, None)
    found = reader.settlements("BTCUSDT", None, filled.at(0), filled.at(24 * H))
    assert shown(found, "interval_hours") == [(4.0,)] * 3
    told(filled, 1, 0.0001, 8 * H, None, "bybit_futures")
    alone = reader.settlements("BTCUSDT", "bybit_futures", filled.at(0), filled.at(24 * H))
    assert shown(alone, "interval_hours", "annualized_pct") == [(None, None)]


@MANY
@given(
    st.lists(st.floats(-0.01, 0.01), min_size=1, max_size=6),
    st.lists(st.floats(0.01, 0.99), min_size=0, max_size=8),
)
def test_funding_adds_up_the_same_however_often_it_was_told(
    filled: Any, rates: list[float], polls: list[float]
) -> None:
    filled.clear()
    for place, rate in enumerate(rates):
        for share in polls:  # earlier guesses at the rate
            told(filled, (place + share * 0.9) * H, rate * share, (place + 1) * H, 1.0)
        told(filled, (place + 0.99) * H, rate, (place + 1) * H, 1.0)
    reader = Reader(filled.connection)
    until = filled.at((len(rates) + 0.5) * H)
    found = reader.settlements("BTCUSDT", None, filled.at(0), until)
    assert len(found) == len(rates)
    assert found["cumulative_rate"][-1] == pytest.approx(sum(rates), abs=1e-12)
    (row,) = reader.funding_comparison("BTCUSDT", None, filled.at(0), until).rows()
    assert (row["settlements"], row["missing"]) == (len(rates), 0)
    assert row["cumulative_rate"] == pytest.approx(sum(rates), abs=1e-12)


def test_venues_are_compared_by_their_own_intervals(filled: Any, reader: Reader) -> None:
    for settles in (8, 16):
        told(filled, (settles - 1) * H, 0.0008, settles * H)
    for settles in range(1, 17):
        told(filled, (settles - 0.5) * H, 0.0001, settles * H, 1.0, "hyperliquid_futures")
    found = reader.funding_comparison("BTCUSDT", None, filled.at(0), filled.at(16.4 * H))
    # 0.0008 every eight hours is as much as 0.0001 every hour: 87.6 % a year
    for row in found.rows():
        assert row["cumulative_rate"] == pytest.approx(0.0016)
        assert row["mean_annualized_pct"] == pytest.approx(0.0001 * 8760 * 100)
    assert sorted(shown(found, "venue", "settlements", "interval_hours")) == [
        ("binance_futures", 2, 8.0),
        ("hyperliquid_futures", 16, 1.0),
    ]


def test_the_rate_after_the_next_is_that_told_last_and_unknown_where_that_row_tells_none(
    filled: Any, reader: Reader
) -> None:
    told(filled, 1 * H, 0.0001, 8 * H)
    filled.connection.execute("UPDATE funding_rates_hot SET predicted_rate = 0.0003")
    (row,) = reader.funding_comparison("BTCUSDT", None, filled.at(0), filled.at(2 * H)).rows()
    assert row["predicted_rate"] == 0.0003
    told(filled, 9 * H, 0.0002, 16 * H)
    (row,) = reader.funding_comparison("BTCUSDT", None, filled.at(0), filled.at(10 * H)).rows()
    assert row["predicted_rate"] is None  # not the one of the settlement before


def test_a_settlement_that_nothing_was_heard_of_is_counted_as_missing(filled: Any, reader: Reader) -> None:
    for settles in (8, 24):
        told(filled, (settles - 1) * H, 0.0001, settles * H)
    (row,) = reader.funding_comparison("BTCUSDT", None, filled.at(0), filled.at(25 * H)).rows()
    assert (row["settlements"], row["missing"]) == (2, 1)
    with pytest.raises(NoData):
        reader.funding_comparison("ETHUSDT", None, filled.at(0), filled.at(25 * H))


# ── Positions that were closed by force ───────────────────────────────────────────────────────


def closed(
    filled: Any, at: float, side: str, price: float, size: float | None, venue: str = "binance_futures"
) -> None:  # fmt: skip
    filled.put(
        "liquidations", at, round(at * 10), venue=venue, side=side, price=price, quantity=size,
        value=None if size is None else price * size,
    )  # fmt: skip


def test_a_map_has_the_value_of_each_side_in_each_bin(filled: Any, reader: Reader) -> None:
    closed(filled, 1, "long", 100.0, 1.0)
    closed(filled, 2, "long", 104.0, 2.0, "bybit_futures")
    closed(filled, 3, "short", 110.0, 3.0)
    found = reader.liquidation_map("BTCUSDT", None, filled.at(0), filled.at(9), bins=2)
    assert shown(found, "price_from", "price_until", "long_value", "longs", "short_value", "shorts") == [
        (100.0, 105.0, 308.0, 2, 0.0, 0),
        (105.0, 110.0, 0.0, 0, 330.0, 1),
    ]
    large = reader.liquidation_map("BTCUSDT", None, filled.at(0), filled.at(9), size=10.0, min_value=200.0)
    assert shown(large, "price_from", "long_value", "short_value") == [
        (100.0, 208.0, 0.0),
        (110.0, 0.0, 330.0),
    ]


def test_a_value_that_is_not_known_makes_its_bins_unknown(filled: Any, reader: Reader) -> None:
    closed(filled, 1, "long", 100.0, None)
    closed(filled, 2, "short", 100.0, 1.0)
    found = reader.liquidation_map("BTCUSDT", None, filled.at(0), filled.at(9))
    assert shown(found, "long_value", "longs", "short_value") == [(None, 1, 100.0)]


def test_liquidations_by_bar_are_of_each_venue(filled: Any, reader: Reader) -> None:
    closed(filled, 10, "long", 100.0, 1.0)
    closed(filled, 50, "long", 90.0, 2.0)
    closed(filled, 70, "short", 95.0, 1.0, "bybit_futures")
    found = reader.liquidation_bars("BTCUSDT", None, "1m", filled.at(5), filled.at(90))
    assert shown(found, "venue", "open_time", "long_value", "longs", "shorts", "largest_value", "lowest") == [
        ("binance_futures", filled.at(0), 280.0, 2, 0, 180.0, 90.0),
        ("bybit_futures", filled.at(60), 0.0, 0, 1, 95.0, 95.0),
    ]
    with pytest.raises(NoData):
        reader.liquidation_bars("BTCUSDT", None, "1m", filled.at(600), filled.at(700))

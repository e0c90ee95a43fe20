"""Bars at any length, of trades and of the venues' candles, by hand and beside polars and pandas."""

from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import DAY, HOUR, SECOND
from orderflow.store.bar import bar
from orderflow.store.reader import Reader
from orderflow.store.windows import Window
from tests.store.conftest import T0


@pytest.fixture
def filled(emptied: Any) -> Any:
    return emptied


class Fill(NamedTuple):
    """A trade: milliseconds after T0, price, size, whether the taker sold."""

    ms: int
    price: float
    size: float | None
    sold: bool


def put(filled: Any, fills: list[Fill], venue: str = "binance_spot", run: int = 1) -> None:
    rows = [
        (venue, "BTCUSDT", id, (T0 // 1000) + fill.ms * 1000, str(id), fill.price, fill.size, fill.sold, run)
        for id, fill in enumerate(fills, 1)
    ]
    filled.connection.executemany(
        "INSERT INTO trades_hot (venue, symbol, id, timestamp, received, trade_id, price, quantity, value,"
        " is_buyer_maker, side, count, clock, source, run) SELECT $1, $2, $3, make_timestamp($4),"
        " make_timestamp($4), $5, $6, $7, $6 * $7, $8, if($8, 'sell', 'buy'), 1, 'venue', 'live', $9",
        rows,
    )


def candle(
    filled: Any, at: float, interval: str, prices: tuple[float, float, float, float], volume: float,
    *, closed: bool = True, told: float | None = None, venue: str = "binance_spot", **more: Any,
) -> None:  # fmt: skip
    """Put a candle that begins `at` seconds; it is told at its end, or where it is still open, when `told`."""
    seconds = bar(interval).length // SECOND
    ends = at + seconds - 0.001
    filled.put(
        "candles", ends if told is None else told, round(at) + seconds, venue=venue, interval=interval,
        open_time=stamp(filled, at), close_time=stamp(filled, ends), open=prices[0], high=prices[1], low=prices[2],
        close=prices[3], volume=volume, closed=closed, **more,
    )  # fmt: skip


def stamp(filled: Any, seconds: float) -> Any:
    ((found,),) = filled.connection.execute(
        "SELECT make_timestamp(?)", [filled.at(seconds) // 1000]
    ).fetchall()
    return found


def shown(found: Window, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in found.rows()]


# ── Of trades ─────────────────────────────────────────────────────────────────────────────────


def test_a_bar_has_its_prices_in_order_and_its_volumes_by_hand(filled: Any, reader: Reader) -> None:
    put(filled, [
        Fill(0, 100.0, 1.0, False),
        Fill(20_000, 110.0, 2.0, True),
        Fill(20_000, 90.0, 1.0, True),  # the same instant, a later id: not the close of the high
        Fill(59_999, 95.0, 4.0, False),
        Fill(60_000, 96.0, 1.0, False),  # the next bar's
        Fill(185_000, 97.0, 1.0, True),  # two bars later; the one between is absent
    ])  # fmt: skip
    found = reader.bars("BTCUSDT", "binance_spot", "1m", filled.at(0), filled.at(200), "trades")
    # value: 100 + 220 + 90 + 380 = 790 over 8 coins is 98.75; bought 1 + 4
    assert shown(found, "open_time", "open", "high", "low", "close", "volume", "quote_volume")[0] == (
        filled.at(0), 100.0, 110.0, 90.0, 95.0, 8.0, 790.0,
    )  # fmt: skip
    assert shown(found, "trade_count", "taker_buy_volume", "vwap")[0] == (4, 5.0, 98.75)
    assert shown(found, "open_time", "close", "closed") == [
        (filled.at(0), 95.0, True),
        (filled.at(60), 96.0, True),
        (filled.at(180), 97.0, False),  # ends at 240, after the window: more may come
    ]
    assert found.notes["made_of"] == {"binance_spot": "trades"}
    assert found.units["volume"] == "base"


def test_a_window_begins_with_a_whole_bar_and_ends_where_it_was_asked(filled: Any, reader: Reader) -> None:
    put(filled, [Fill(1_000, 1.0, 1.0, False), Fill(40_000, 2.0, 1.0, False), Fill(50_000, 3.0, 1.0, False)])
    found = reader.bars("BTCUSDT", None, "1m", filled.at(30), filled.at(50), "trades")
    assert shown(found, "open", "close", "closed") == [(1.0, 2.0, False)]
    assert (found.since, found.until) == (filled.at(0), filled.at(50))


def test_what_is_unknown_of_one_trade_is_unknown_of_its_bar(filled: Any, reader: Reader) -> None:
    put(filled, [Fill(0, 1.0, None, False), Fill(1, 2.0, 5.0, True), Fill(60_000, 2.0, 5.0, True)])
    found = reader.bars("BTCUSDT", None, "1m", filled.at(0), filled.at(120), "trades")
    assert shown(found, "close", "volume", "vwap", "taker_buy_volume") == [
        (2.0, None, None, None),  # the bought one's size is what is unknown
        (2.0, 5.0, 2.0, 0.0),
    ]


def test_each_venue_has_its_own_bars(filled: Any, reader: Reader) -> None:
    put(filled, [Fill(0, 1.0, 1.0, False)])
    put(filled, [Fill(0, 5.0, 1.0, False)], "binance_futures")
    found = reader.bars("BTCUSDT", None, "1h", filled.at(0), filled.at(60))
    assert shown(found, "venue", "close") == [("binance_futures", 5.0), ("binance_spot", 1.0)]


def test_bars_begin_at_midnight_utc_and_weeks_on_monday() -> None:
    friday = T0 + 5 * HOUR  # 21 November 2025 was one
    assert bar("1d").begin(friday) == T0
    assert bar("4h").begin(friday) == T0 + 4 * HOUR
    assert bar("1w").begin(friday) == T0 - 4 * DAY
    assert bar("1s").begin(friday + 1) == friday


@pytest.mark.parametrize("written", ["", "m", "0m", "1M", "-1m", "1 m", "53w", "1.5h", "1y"])
def test_what_is_no_length_of_a_bar_is_refused_with_examples(written: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        bar(written)
    assert "5m" in caught.value.hint


def test_no_trades_is_told_with_the_range_that_exists(filled: Any, reader: Reader) -> None:
    put(filled, [Fill(0, 1.0, 1.0, False)])
    with pytest.raises(NoData) as caught:
        reader.bars("BTCUSDT", None, "1m", filled.at(600), filled.at(700))
    assert "stored are rows from 2025-11-21T00:00:00Z" in caught.value.hint


FILLS = st.lists(
    st.builds(
        Fill,
        st.integers(0, 4 * 3_600_000),
        st.integers(1, 1000).map(lambda one: one / 8),  # eighths add up without rounding
        st.integers(1, 64).map(lambda one: one / 8),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)
MANY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(fills=FILLS, length=st.sampled_from(["1s", "7s", "1m", "5m", "1h", "1d", "1w"]))
def test_bars_are_those_of_polars_and_pandas(filled: Any, fills: list[Fill], length: str) -> None:
    filled.clear()
    fills = sorted(fills, key=lambda one: one.ms)
    put(filled, fills)
    ours = Reader(filled.connection).bars("BTCUSDT", None, length, filled.at(0), T0 + DAY, "trades")
    frame = pl.DataFrame(
        {
            "time": [T0 // 1000 + one.ms * 1000 for one in fills],
            "price": [one.price for one in fills],
            "size": [one.size for one in fills],
            "bought": [0.0 if one.sold else one.size for one in fills],
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("us")))
    theirs = frame.group_by_dynamic("time", every=length).agg(
        pl.col("price").first().alias("open"),
        pl.col("price").max().alias("high"),
        pl.col("price").min().alias("low"),
        pl.col("price").last().alias("close"),
        pl.col("size").sum().alias("volume"),
        pl.col("bought").sum().alias("taker_buy_volume"),
        pl.len().alias("trade_count"),
    )
    names = ("open", "high", "low", "close", "volume", "taker_buy_volume", "trade_count")
    assert shown(ours, *names) == theirs.select(names).rows()
    assert [one // 1000 for one in ours["open_time"]] == theirs["time"].cast(pl.Int64).to_list()
    if length not in ("7s", "1w"):  # pandas counts those from the first row's day
        rule = {"1s": "s", "1m": "min", "5m": "5min", "1h": "h", "1d": "D"}[length]
        resampled = frame.to_pandas().set_index("time")["price"].resample(rule).ohlc().dropna()
        assert shown(ours, "open", "high", "low", "close") == [tuple(row) for row in resampled.to_numpy()]


@MANY
@given(fills=FILLS, length=st.sampled_from(["1s", "3s", "1m", "15m", "4h", "1w"]))
def test_bars_keep_the_volume_whatever_their_length(filled: Any, fills: list[Fill], length: str) -> None:
    filled.clear()
    put(filled, fills)
    found = Reader(filled.connection).bars("BTCUSDT", None, length, filled.at(0), T0 + DAY, "trades")
    assert sum(found["volume"]) == sum(one.size or 0 for one in fills)
    assert sum(found["trade_count"]) == len(fills)
    assert all(
        low <= vwap + 1e-9 and vwap <= high + 1e-9 for low, vwap, high in shown(found, "low", "vwap", "high")
    )


# ── Of candles ────────────────────────────────────────────────────────────────────────────────


@MANY
@given(fills=FILLS, length=st.sampled_from(["5m", "1h", "4h", "1d"]))
def test_minutes_put_together_are_the_bars_of_the_trades(filled: Any, fills: list[Fill], length: str) -> None:
    filled.clear()
    put(filled, fills)
    reader = Reader(filled.connection)
    until = T0 + DAY
    minutes = reader.bars("BTCUSDT", None, "1m", filled.at(0), until, "trades")
    for row in minutes.rows():
        at = (row["open_time"] - T0) / SECOND
        candle(
            filled, at, "1m", (row["open"], row["high"], row["low"], row["close"]), row["volume"],
            quote_volume=row["quote_volume"], trade_count=row["trade_count"],
            taker_buy_volume=row["taker_buy_volume"],
        )  # fmt: skip
    of_trades = reader.bars("BTCUSDT", None, length, filled.at(0), until, "trades")
    of_candles = reader.bars("BTCUSDT", None, length, filled.at(0), until, "candles")
    assert of_candles.notes["made_of"] == {"binance_spot": "1m candles"}
    names = [name for name in of_trades.found.column_names if name != "vwap"]
    assert shown(of_candles, *names) == shown(of_trades, *names)


def test_the_finest_interval_that_divides_the_bar_is_taken(filled: Any, reader: Reader) -> None:
    for minute in range(6):
        candle(filled, 60 * minute, "1m", (1.0, 2.0, 0.5, 1.5), 1.0)
    for start in (0, 180):
        candle(filled, start, "3m", (1.0, 3.0, 0.5, 1.5), 3.0)
    six = reader.bars("BTCUSDT", None, "6m", filled.at(0), filled.at(360), "candles")
    assert (six.notes["made_of"], six["volume"][0]) == ({"binance_spot": "1m candles"}, 6.0)
    # 3m divide no 5m; nothing divides 10s
    assert reader.bars("BTCUSDT", None, "5m", filled.at(0), filled.at(360), "candles")["volume"][0] == 5.0
    with pytest.raises(NoData):
        reader.bars("BTCUSDT", None, "10s", filled.at(0), filled.at(360), "candles")


def test_minutes_of_the_last_hour_do_not_stand_for_the_hours_of_a_day(filled: Any, reader: Reader) -> None:
    for hour in range(24):
        candle(filled, 3600 * hour, "1h", (1.0, 1.0, 1.0, 1.0), 60.0)
    for minute in range(60):
        candle(filled, 23 * 3600 + 60 * minute, "1m", (1.0, 1.0, 1.0, 1.0), 1.0)
    day = reader.bars("BTCUSDT", None, "1d", filled.at(0), T0 + DAY, "candles")
    assert (day.notes["made_of"], day["volume"][0]) == ({"binance_spot": "1h candles"}, 24 * 60.0)


def test_a_window_of_the_past_shows_no_candle_that_ended_after_it(filled: Any, reader: Reader) -> None:
    candle(filled, 0, "1m", (1.0, 1.0, 1.0, 1.0), 1.0)
    candle(filled, 60, "1m", (1.0, 9.0, 1.0, 9.0), 1.0)  # by 90 s its high of 9 was not known
    found = reader.bars("BTCUSDT", None, "1m", filled.at(0), filled.at(90), "candles")
    assert shown(found, "high", "closed") == [(1.0, True)]
    candle(
        filled, 120, "1m", (9.0, 9.5, 9.0, 9.5), 0.5, closed=False, told=130
    )  # still open when it was told
    found = reader.bars("BTCUSDT", None, "1m", filled.at(0), filled.at(140), "candles")
    assert shown(found, "high", "closed")[-1] == (9.5, False)


# ── Which of the two ──────────────────────────────────────────────────────────────────────────


def test_auto_takes_trades_where_they_tell_as_much_as_the_candles(filled: Any, reader: Reader) -> None:
    filled.run("live", 0, 300)
    put(filled, [Fill(60_000 * minute, 7.0, 1.0, False) for minute in range(5)])
    for minute in range(5):
        candle(filled, 60 * minute, "1m", (8.0, 8.0, 8.0, 8.0), 1.0)
    found = reader.bars("BTCUSDT", None, "1m", filled.at(0), filled.at(300))
    assert (found.notes["made_of"], set(found["close"])) == ({"binance_spot": "trades"}, {7.0})


def test_auto_takes_candles_where_trades_began_late_and_mixes_them_not(filled: Any, reader: Reader) -> None:
    filled.run("live", 240, 300)
    put(filled, [Fill(250_000, 7.0, 1.0, False)])
    for minute in range(5):
        candle(filled, 60 * minute, "1m", (8.0, 8.0, 8.0, 8.0), 1.0)
    put(filled, [Fill(10_000, 3.0, 1.0, False)], "binance_futures")  # has no candles
    found = reader.bars("BTCUSDT", None, "1m", filled.at(0), filled.at(300))
    assert found.notes["made_of"] == {"binance_futures": "trades", "binance_spot": "1m candles"}
    assert shown(found, "venue", "close") == [
        ("binance_futures", 3.0),
        *[("binance_spot", 8.0)] * 5,
    ]


def test_coverage_is_of_what_the_bars_are_made_of(filled: Any, reader: Reader) -> None:
    filled.run("live", 0, 100)
    put(filled, [Fill(10_000, 7.0, 1.0, False)])
    filled.gap("trades", 50, 75)
    found = reader.bars("BTCUSDT", "binance_spot", "10s", filled.at(0), filled.at(100), "trades")
    assert found.coverage["binance_spot"].percent == pytest.approx(75.0)
    assert [one.stream for one in found.gaps] == ["trades"]

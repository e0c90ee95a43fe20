"""Questions to a database: each is asked of the file and of the process that serves it."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.market.errors import InvalidArgument, NoData, UnknownSymbol, UnknownVenue
from orderflow.market.events import Funding, Quote, Trade
from orderflow.store import tables
from orderflow.store.answers import covered
from orderflow.store.reader import Reader
from orderflow.store.statements import render


@pytest.fixture
def filled(emptied: Any) -> Any:
    return emptied


def test_the_latest_quote_is_of_each_venue_and_symbol(filled: Any, reader: Reader) -> None:
    filled.quote("binance_spot", "BTCUSDT", 5, 100.0, 101.0)
    filled.quote("binance_spot", "BTCUSDT", 9, 102.0, None)
    filled.quote("binance_spot", "BTCUSDT", 7, 98.0, 99.0)  # came late: by time it is not the last
    filled.quote("binance_futures", "BTCUSDT", 3, 97.0, 98.0)
    filled.quote("binance_spot", "ETHUSDT", 4, 10.0, 11.0)
    found = reader.quotes("BTCUSDT")
    assert [(one.venue, one.bid, one.ask) for one in found] == [
        ("binance_futures", 97.0, 98.0),
        ("binance_spot", 102.0, None),
    ]
    expected = Quote("binance_spot", "BTCUSDT", filled.at(9), filled.at(9.25), 102.0, 1.0, None, 2.0, 90)
    assert found[1] == expected
    assert len(reader.quotes()) == 3
    assert reader.quotes("XRPUSDT") == []


def test_the_latest_of_two_rows_at_one_instant_is_the_later_id(filled: Any, reader: Reader) -> None:
    for id, bid in ((1, 5.0), (3, 7.0), (2, 6.0)):
        filled.put("prices", 1, id, bid_price=bid)
    assert [one.bid for one in reader.quotes("BTCUSDT")] == [7.0]


def test_a_row_by_our_own_clock_has_no_venue_time(filled: Any, reader: Reader) -> None:
    filled.put("prices", 1, 1, clock="local", bid_price=5.0)
    assert reader.quotes()[0].ts_event is None


def test_a_top_has_its_twenty_levels_in_order(filled: Any, reader: Reader) -> None:
    prices = {f"bid_{rank}_price": 100.0 - rank for rank in range(1, 11)}
    prices |= {f"ask_{rank}_price": 100.0 + rank for rank in range(1, 4)}
    filled.put("orderbooks", 1, 1, depth=3, sequence=77, bid_1_qty=2.5, **prices)
    (top,) = reader.tops("BTCUSDT")
    assert top.levels[0:4] == (99.0, 2.5, 98.0, None)  # best bid and its size, then the second
    assert top.levels[20:27:2] == (101.0, 102.0, 103.0, None)  # three asks are known
    assert (len(top.levels), top.depth, top.sequence) == (40, 3, 77)


def test_latest_funding_carries_its_times_in_nanoseconds(filled: Any, reader: Reader) -> None:
    filled.put(
        "funding_rates", 1, 1, venue="binance_futures", funding_rate=0.0001, interval_hours=8.0,
        next_funding_time="2025-11-21 08:00:00",
    )  # fmt: skip
    (found,) = reader.fundings("BTCUSDT")
    next_ts = filled.at(8 * 3600)
    assert found == Funding(
        "binance_futures", "BTCUSDT", filled.at(1), filled.at(1.25), 0.0001, None, 8.0, next_ts
    )


def test_recent_trades_are_events_with_the_oldest_first(filled: Any, reader: Reader) -> None:
    for id in (11, 12, 13):
        filled.trade("binance_spot", id, id, price=100.0 + id, sold=id == 12)
    found = reader.recent_trades("BTCUSDT", limit=2)
    assert found[0] == Trade(
        "binance_spot", "BTCUSDT", filled.at(12), filled.at(12.25), 12, True, 112.0, 0.5, 1
    )
    assert [one.id for one in found] == [12, 13]
    assert reader.recent_trades("BTCUSDT", "binance_futures") == []


def test_a_window_holds_its_first_instant_and_not_its_last(filled: Any, reader: Reader) -> None:
    for second in (1, 2, 3):
        filled.trade("binance_spot", second, second, sold=second == 2)
    found = reader.trades("BTCUSDT", since=filled.at(1), until=filled.at(3))
    assert found.id == ["1", "2"] and found.is_buy.tolist() == [True, False] and not found.truncated
    assert found.ts_event.tolist() == [filled.at(1), filled.at(2)] and found.ts_recv[0] == filled.at(1.25)
    # one nanosecond later the first trade lies before the window
    assert reader.trades("BTCUSDT", since=filled.at(1) + 1).id == ["2", "3"]


def test_a_limit_keeps_the_last_rows_and_says_that_there_are_more(filled: Any, reader: Reader) -> None:
    for second in (1, 2, 3):
        filled.trade("binance_spot", second, second)
    cut = reader.trades("BTCUSDT", limit=2)
    assert (cut.id, cut.truncated, len(cut)) == (["2", "3"], True, 2)
    whole = reader.trades("BTCUSDT", limit=3)
    assert (whole.id, whole.truncated) == (["1", "2", "3"], False)


def test_a_window_of_any_stream_has_all_its_columns_and_tells_the_unknown(
    filled: Any, reader: Reader
) -> None:
    filled.put("mark_prices", 1, 1, mark_price=100.0, index_price=None)
    filled.put("mark_prices", 2, 2, mark_price=101.0, index_price=100.5)
    table = reader.window("mark_prices", "BTCUSDT", "binance_spot")
    assert np.isnan(table["index_price"][0]) and table["index_price"][1] == 100.5
    assert list(table["timestamp"]) == [filled.at(1), filled.at(2)]
    rows = list(table.rows())
    assert (rows[0]["index_price"], rows[0]["symbol"], rows[0]["clock"]) == (None, "BTCUSDT", "venue")


def test_candles_are_asked_by_their_interval(filled: Any, reader: Reader) -> None:
    for id, interval in enumerate(("1m", "1h", "1m")):
        filled.put("candles", id, id, interval=interval, close=float(id), closed=True)
    table = reader.window("candles", "BTCUSDT", "binance_spot", interval="1m")
    assert list(table["close"]) == [0.0, 2.0] and table["trade_count"] == [None, None]
    with pytest.raises(InvalidArgument):
        reader.window("trades", "BTCUSDT", interval="1m")


def test_an_empty_window_says_which_rows_there_are(filled: Any, reader: Reader) -> None:
    filled.trade("binance_spot", 1, 1)
    with pytest.raises(NoData) as caught:
        reader.trades("BTCUSDT", since=filled.at(100))
    assert "2025-11-21T00:00:01Z" in caught.value.hint
    with pytest.raises(NoData) as caught:
        reader.trades("ETHUSDT")
    assert "none at all" in caught.value.hint


def test_an_unknown_symbol_names_the_nearest(reader: Reader) -> None:
    with pytest.raises(UnknownSymbol) as caught:
        reader.quotes("BTCUSD")
    assert "BTCUSDT" in caught.value.hint
    with pytest.raises(UnknownVenue):
        reader.trades("BTCUSDT", "mtgox")


def test_a_symbol_is_known_in_any_case(filled: Any, reader: Reader) -> None:
    filled.quote("binance_spot", "BTCUSDT", 5, 100.0, 101.0)
    assert len(reader.quotes("btcusdt")) == 1


def test_a_symbol_that_was_added_meanwhile_is_known_at_once(filled: Any, reader: Reader) -> None:
    added = "SERVEDUSDT" if reader.remote else "HEREUSDT"
    assert added not in reader.symbols() and "BTCUSDT" in reader.symbols()
    tables.ensure(filled.connection, [("binance_spot", added)])
    filled.quote("binance_spot", added, 1, 0.1, 0.2)
    assert [one.symbol for one in reader.quotes(added)] == [added]


@pytest.mark.parametrize("symbol", ["x' OR true --", "'; DROP TABLE prices; --", "?"])
def test_a_symbol_is_never_read_as_sql(filled: Any, reader: Reader, symbol: str) -> None:
    filled.quote("binance_spot", "BTCUSDT", 5, 100.0, 101.0)
    with pytest.raises(UnknownSymbol):
        reader.quotes(symbol)
    assert reader.gaps(stream=symbol) == []
    assert reader.counts()["prices"] == 1


def test_counts_name_every_table(filled: Any, reader: Reader) -> None:
    filled.run("live", 0, None)
    filled.trade("binance_spot", 1, 1)
    counts = reader.counts()
    assert len(counts) == 13 + 3
    assert {name: count for name, count in counts.items() if count} == {"trades": 1, "runs": 1}


def test_series_tell_their_rows_and_range(filled: Any, reader: Reader) -> None:
    for second in (1, 4):
        filled.trade("binance_spot", second, second)
    (found,) = reader.series()
    assert (found.name, found.rows) == ("btcusdt_binance_spot_trades", 2)
    assert (found.first, found.last) == (filled.at(1), filled.at(4))
    assert reader.last_times("trades") == {("binance_spot", "BTCUSDT"): filled.at(4)}


def test_a_checksum_sees_each_value_and_no_order(filled: Any, reader: Reader, tmp_path: Path) -> None:
    for second in (1, 2):
        filled.trade("binance_spot", second, second)
    before = reader.checksums()
    # the ENUM has its values in another order, and so other numbers for them
    other = type(filled)(tmp_path / "other.duckdb", ["XRPUSDT", "BTCUSDT"])
    for second in (2, 1):
        other.trade("binance_spot", second, second)
    assert Reader(other.connection).checksums() == before
    other.connection.execute("UPDATE trades_hot SET price = price + 1e-9 WHERE id = 1")
    changed = Reader(other.connection).checksums()
    assert {name for name in before if before[name] != changed[name]} == {"trades"}
    other.trade("binance_spot", 1, 1)
    assert Reader(other.connection).checksums()["trades"] != changed["trades"]
    other.connection.close()


def test_the_kind_is_told_by_the_runs(filled: Any, reader: Reader) -> None:
    assert reader.kind is None
    filled.run("replay", 0, 1)
    assert reader.kind == "replay"
    filled.run("live", 2, None)
    assert reader.kind == "live"
    assert [(run.id, run.kind, run.ended) for run in reader.runs()] == [
        (1, "replay", filled.at(1)),
        (2, "live", None),
    ]


def test_gaps_reach_into_a_window(filled: Any, reader: Reader) -> None:
    filled.gap("trades", 10, 20)
    filled.gap("trades", 30, None)
    filled.gap("prices", 12, 13, filled=40)
    found = reader.gaps("BTCUSDT", stream="trades", since=filled.at(20), until=filled.at(60))
    assert [(one.from_ts, one.until_ts) for one in found] == [(filled.at(30), None)]
    found = reader.gaps(venue="binance_spot", since=filled.at(12), until=filled.at(30))
    assert [(one.stream, one.filled_ts) for one in found] == [("trades", None), ("prices", filled.at(40))]


def test_coverage_is_what_runs_heard_less_the_gaps(filled: Any, reader: Reader) -> None:
    filled.run("live", 0, 40)
    filled.trade("binance_spot", 1, 1)
    filled.gap("trades", 10, 20)
    filled.gap("trades", 15, 25)
    filled.gap("trades", 30, 35, filled=36)  # filled: no longer missing
    # 0 to 40 of 0 to 100 was heard, 10 to 25 of it is missing: 25 of 100 seconds
    found = reader.coverage("trades", "binance_spot", "BTCUSDT", filled.at(0), filled.at(100))
    assert found.percent == pytest.approx(25.0)
    assert (len(found.gaps), found.first) == (2, filled.at(1))
    # prices were quiet, but the market was heard: 40 of 100 seconds
    quiet = reader.coverage("prices", "binance_spot", "BTCUSDT", filled.at(0), filled.at(100))
    assert quiet.percent == pytest.approx(40.0, abs=1e-4) and quiet.first is None


def test_what_was_collected_is_told_by_its_stretches(filled: Any, reader: Reader) -> None:
    filled.run("live", 0, 40)
    filled.run("live", 60, 80)
    filled.trade("binance_spot", 1, 1)
    filled.trade("binance_spot", 61, 2, run=2)
    filled.gap("trades", 10, 20)
    found = reader.collected("trades", "btcusdt", ["binance_spot", "okx"], filled.at(0), filled.at(70))
    tenths = [[round((time - filled.at(0)) / 1e8) for time in one] for one in found["binance_spot"]]
    assert tenths == [[0, 100], [200, 400], [600, 700]]
    assert found["okx_futures"] == []


def test_coverage_of_what_was_never_collected_is_unknown_and_not_zero(filled: Any, reader: Reader) -> None:
    filled.run("live", 0, 40)
    filled.trade("binance_spot", 1, 1)
    for venue, since in (("binance_futures", 0), ("binance_spot", 50)):
        found = reader.coverage("trades", venue, "BTCUSDT", filled.at(since), filled.at(100))
        assert found.percent is None and "nothing of BTCUSDT" in found.reason


def test_coverage_of_a_run_that_was_killed_ends_with_its_last_row(filled: Any, reader: Reader) -> None:
    filled.run("live", 0, None)
    filled.trade("binance_spot", 19.75, 1)  # received at 20: 20 of 40 seconds
    found = reader.coverage("trades", "binance_spot", "BTCUSDT", filled.at(0), filled.at(40))
    assert found.percent == pytest.approx(50.0, abs=1e-4)


def test_coverage_ends_where_a_gap_began_that_still_lasts(filled: Any, reader: Reader) -> None:
    filled.run("live", 0, 100)
    filled.trade("binance_spot", 1, 1)
    filled.gap("trades", 30, None)
    found = reader.coverage("trades", "binance_spot", "BTCUSDT", filled.at(0), filled.at(100))
    assert found.percent == pytest.approx(30.0)


def test_coverage_of_a_backfill_lies_between_its_rows_and_not_when_it_ran(
    filled: Any, reader: Reader
) -> None:
    filled.run("backfill", 1000, 1010)
    filled.trade("binance_spot", 10, 1)
    filled.trade("binance_spot", 20, 2)
    # 10 of 2,000 seconds; the ten in which it was fetched are not counted
    found = reader.coverage("trades", "binance_spot", "BTCUSDT", filled.at(0), filled.at(2000))
    assert found.percent == pytest.approx(0.5)


def test_instruments_are_those_last_read(filled: Any, reader: Reader) -> None:
    for second, tick in ((1, 0.1), (2, 0.01)):
        filled.connection.execute(
            "INSERT INTO instruments VALUES ('binance_spot', 'BTCUSDT', 'BTCUSDT', 'spot', 'BTC', 'USDT',"
            " 'TRADING', true, NULL, ?, 0.00001, 5.0, NULL, make_timestamp(?))",
            [tick, filled.at(second) // 1000],
        )
    (found,) = reader.instruments("BTCUSDT")
    assert (found.tick, found.contract_size, found.read_ts) == (0.01, None, filled.at(2))
    assert reader.instruments("ETHUSDT") == []


@given(
    st.lists(st.tuples(st.integers(-20, 120), st.integers(0, 60))),
    st.lists(st.tuples(st.integers(-20, 120), st.integers(0, 60))),
)
def test_covered_counts_the_instants_that_are_in_a_run_and_in_no_gap(
    runs: list[tuple[int, int]], gaps: list[tuple[int, int]]
) -> None:
    collected = [(first, first + length) for first, length in runs]
    missing = [(first, first + length) for first, length in gaps]
    one_by_one = sum(
        any(first <= t < last for first, last in collected)
        and not any(first <= t < last for first, last in missing)
        for t in range(100)
    )
    assert covered(0, 100, collected, missing) == one_by_one


@given(st.text())
def test_a_rendered_text_is_one_literal(value: str) -> None:
    if "\0" not in value:
        assert duckdb.sql(render("SELECT ?", [value])).fetchone() == (value,)

"""Merging: a row that comes twice is one row, by whichever way and in whatever company it comes."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orderflow.market.events import (
    HOUR,
    MS,
    SECOND,
    BookTop,
    Candle,
    Event,
    Funding,
    IndexPrice,
    Liquidation,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.streams import STREAMS
from orderflow.store import merge, tables
from orderflow.store.merge import Known
from orderflow.store.rows import packed
from tests.store.market import T0, Market

UNSHRUNK = (
    Phase.explicit,
    Phase.reuse,
    Phase.generate,
)  # each example is a dozen flushes: shrinking takes minutes
SPOT, FUTURES, BTC = "binance_spot", "binance_futures", "BTCUSDT"


def trade(id: int | str, at: int = 0, *, venue: str = SPOT, symbol: str = BTC, merged: bool = False) -> Trade:
    return Trade(venue, symbol, T0 + at * MS, T0 + at * MS, id, False, 1.0, 2.0, 1, merged)


def ids(market: Market) -> list[tuple[str | None, int]]:
    return [(row["trade_id"], row["id"]) for row in market.rows("trades")]


def test_a_look_up_takes_series_as_they_are_stored(market: Market, tmp_path: Path) -> None:
    """Else each stored row's venue and symbol is made a text, and its blocks stay in DuckDB's queues."""
    market.write(trade(1), trade(2))
    cursor = market.connection.cursor()
    told = tmp_path / "told.json"
    cursor.execute(f"SET enable_profiling = 'json'; SET profiling_output = '{told}'")
    known = Known(cursor, STREAMS["trades"])
    rows, texts = packed(STREAMS["trades"], [trade(1)], {BTC: 0})
    assert not known.fresh(rows, texts, [(SPOT, BTC)]).any()
    plan = told.read_text()
    assert "HASH_JOIN" in plan and "VARCHAR" not in plan.partition("HASH_JOIN")[2].partition("Conditions")[2]


def test_a_symbol_that_is_new_since_is_looked_up_all_the_same(market: Market) -> None:
    market.write(trade(2))
    market.write(trade(1))
    tables.add_symbols(market.connection, ["NEWUSDT"])  # beside the writer, which has met no row of it
    assert market.write(trade(1)) == {}
    assert market.write(trade(2, symbol="NEWUSDT")) == {"trades": 1}
    assert market.write(trade(2, symbol="NEWUSDT"), trade(1, symbol="NEWUSDT")) == {"trades": 1}


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were looked up in a table, a number for each time."""
    asked: list[int] = []
    for name in ("_stored", "_stored_versions"):
        ask = getattr(Known, name)

        def counted(self: Known, rows: Any, *rest: Any, ask: Any = ask) -> Any:
            asked.append(len(rows))
            return ask(self, rows, *rest)

        monkeypatch.setattr(Known, name, counted)
    return asked


def test_rows_without_a_number_are_told_by_their_time_and_not_looked_up(
    market: Market, looked_up: list[int]
) -> None:
    """Each look-up is a join, whose blocks DuckDB remembers: a venue without numbers has many quotes a second."""

    def told(at: int, bid: float, sequence: int | None = None) -> Quote:
        return Quote(SPOT, BTC, T0 + at * MS, T0 + at * MS, bid, 1.0, 200.0, 1.0, sequence)

    assert market.write(told(0, 1.0)) == {"prices": 1}
    # at the same time another price, which is new, and the first one, which is not
    assert market.write(told(0, 2.0), told(0, 1.0)) == {"prices": 1}
    assert market.write(told(5, 1.0), told(5, 2.0), told(5, 3.0, sequence=7)) == {"prices": 3}
    assert market.write(told(5, 1.0), told(5, 4.0, sequence=7)) == {}
    assert looked_up == []
    assert market.write(told(1, 1.0)) == {"prices": 1}  # what lies behind is looked up as ever
    assert market.write(told(1, 1.0), told(0, 2.0)) == {}
    assert looked_up == [1, 2]


def test_after_a_restart_what_stands_at_the_newest_time_is_looked_up(
    market: Market, looked_up: list[int]
) -> None:
    def told(at: int, bid: float) -> Quote:
        return Quote(SPOT, BTC, T0 + at * MS, T0 + at * MS, bid, 1.0, 200.0, 1.0)

    market.write(told(5, 1.0))
    market.restart()
    assert market.write(told(5, 1.0), told(5, 2.0), told(4, 1.0)) == {"prices": 2}
    assert market.write(told(4, 1.0), told(5, 2.0)) == {}
    assert len(looked_up) == 2


def test_a_bar_that_lasts_is_looked_up_once(
    market: Market, looked_up: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "_today_us", lambda: T0 // 1000 - 1)

    def bar(at: int, close: float, *, minute: int = 0, closed: bool = False) -> Candle:
        opened, told = T0 + minute * 60 * SECOND, T0 + at * MS
        prices = (1.0, 9.0, 0.5, close)
        return Candle(SPOT, BTC, told, told, "1m", opened, opened + 59 * SECOND, *prices, 1.0, closed=closed)

    for at in range(3):
        assert market.write(bar(at, 1.0 + at)) == {"candles": 1}
    assert looked_up == [1]
    assert market.write(bar(1, 7.0)) == {}  # told before what stands
    assert market.write(bar(60_000, 4.0, closed=True), bar(60_001, 4.5, minute=1)) == {"candles": 2}
    assert market.write(bar(60_002, 5.0)) == {}  # closed is closed
    assert [(row["close"], row["closed"], row["id"]) for row in market.rows("candles")] == [
        (4.0, True, 1),
        (4.5, False, 2),
    ]
    assert looked_up == [1, 1]
    market.restart()
    assert market.write(bar(60_003, 6.0, minute=1)) == {"candles": 1}
    assert [row["close"] for row in market.rows("candles")] == [4.0, 6.0] and looked_up == [1, 1, 1]


# ── Rows that come twice ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("times", [(7, 7), ("a", "a")], ids=["counted", "named"])
def test_a_row_that_comes_twice_is_one_within_a_flush_across_flushes_and_across_restarts(
    market: Market, times: tuple[Any, Any]
) -> None:
    id, again = times
    assert market.write(trade(id), trade(again)) == {"trades": 1}
    assert market.write(trade(id)) == {}
    market.restart()
    assert market.write(trade(id), trade("new", 5)) == {"trades": 1}
    assert ids(market) == [(str(id), 1), ("new", 2)]


def test_a_latecomer_is_kept_once_and_numbered_when_it_comes(market: Market) -> None:
    market.write(trade(10, 100), trade(12, 300))
    assert market.write(trade(11, 200)) == {"trades": 1}
    assert market.write(trade(11, 200), trade(10, 100)) == {}
    assert ids(market) == [("10", 1), ("12", 2), ("11", 3)]


def test_the_same_id_on_two_venues_or_symbols_is_two_rows(market: Market) -> None:
    several = [trade(7), trade(7, venue=FUTURES), trade(7, symbol="ETHUSDT")]
    assert market.write(*several) == {"trades": 3}
    assert market.write(*several) == {}


def test_a_bundle_and_a_fill_that_share_a_number_are_two_rows(market: Market) -> None:
    # The two are counted apart, so equal numbers are of other times.
    several = [trade(7, 0, merged=True), trade(7, 90)]
    assert market.write(*several) == {"trades": 2}
    assert market.write(*several) == {}


def test_a_double_does_not_use_up_a_number(market: Market) -> None:
    market.write(trade(1), trade(1), trade(2, 1))
    market.write(trade(2, 1), trade(3, 2))
    assert ids(market) == [("1", 1), ("2", 2), ("3", 3)]


def test_quotes_are_told_apart_by_the_venues_id_and_else_by_what_they_say(market: Market) -> None:
    def quote(sequence: int | None, bid: float, at: int = 0) -> Quote:
        return Quote(SPOT, BTC, None, T0 + at * MS, bid, 1.0, None, 1.0, sequence)

    # Two sockets bring 5 at other times: one row. Without an id, time and figures decide.
    assert market.write(quote(5, 1.0), quote(5, 1.0, 3), quote(6, 1.0)) == {"prices": 2}
    assert market.write(quote(5, 1.0, 9)) == {}
    assert market.write(quote(None, 1.0), quote(None, 1.0), quote(None, 2.0), quote(None, 1.0, 1)) == {
        "prices": 3
    }
    assert market.write(quote(None, 1.0), quote(None, 2.0)) == {}


def test_rows_that_nobody_timed_are_told_apart_all_the_same(market: Market) -> None:
    untimed = [BookTop(SPOT, BTC, None, 0, (1.0, *(None,) * 39), 1, sequence) for sequence in (5, 6, None)]
    assert market.write(*untimed) == {"orderbooks": 3}
    market.restart()
    assert market.write(*untimed) == {}


def test_liquidations_are_told_apart_by_order_or_by_what_they_say_and_their_place(market: Market) -> None:
    def one(order: str | None, ordinal: int = 0, side: Any = "long") -> Liquidation:
        return Liquidation(FUTURES, BTC, T0, T0, side, 1.0, 2.0, order, None, ordinal)

    several = [one("o1"), one("o2"), one(None), one(None, 1), one(None, 0, "short")]
    assert market.write(*several, *several) == {"liquidations": 5}
    market.restart()
    assert market.write(*reversed(several)) == {}


TWICE: list[tuple[Event, Event]] = [
    (Funding(FUTURES, BTC, T0, T0, 0.1), Funding(FUTURES, BTC, T0, T0, 0.2)),
    (Funding(FUTURES, BTC, T0, T0, 0.1), Funding(FUTURES, BTC, T0, T0, 0.1, 0.3)),
    (OpenInterest(FUTURES, BTC, T0, T0, 1.0), OpenInterest(FUTURES, BTC, T0 + SECOND, T0, 1.0)),
    (IndexPrice(FUTURES, BTC, T0, T0, 1.0), IndexPrice(FUTURES, BTC, T0 + 1000, T0, 1.0)),
    (Ticker(SPOT, BTC, T0, T0, 1.0), Ticker(SPOT, BTC, T0 + MS, T0, 1.0)),
    (Option(FUTURES, BTC, T0, T0, "a", T0, 1.0, "call"), Option(FUTURES, BTC, T0, T0, "b", T0, 1.0, "call")),
]


@pytest.mark.parametrize(("one", "other"), TWICE, ids=lambda event: type(event).__name__)
def test_other_streams_keep_what_differs_in_the_key_and_nothing_twice(
    market: Market, one: Event, other: Event
) -> None:
    (count,) = market.write(one, other, one).values()
    assert count == 2
    assert market.write(other, one) == {}
    market.restart()
    assert market.write(one, other) == {}


def test_zero_is_zero_whatever_its_sign(market: Market) -> None:
    zeros = [Funding(FUTURES, BTC, T0, T0, 0.0), Funding(FUTURES, BTC, T0, T0, -0.0)]
    assert market.write(*zeros) == {"funding_rates": 1}
    assert market.write(*zeros) == {}


# ── Candles ───────────────────────────────────────────────────────────────────────────────────


def bar(close: float, at: int, *, closed: bool = False, minute: int = 0, recv: int | None = None) -> Candle:
    opened = T0 + minute * 60 * SECOND
    stamp = T0 + at * SECOND
    recv = stamp if recv is None else T0 + recv * SECOND
    ends = opened + 60 * SECOND - MS
    return Candle(SPOT, BTC, stamp, recv, "1m", opened, ends, 1.0, 1.0, 1.0, close, 1.0, closed=closed)


def bars(market: Market) -> list[tuple[int, float, bool]]:
    return [(row["id"], row["close"], row["closed"]) for row in market.rows("candles")]


def test_a_bar_of_unknown_time_is_one_row_and_gives_way_to_one_whose_time_is_known(market: Market) -> None:
    def undated(close: float) -> Candle:
        return Candle(SPOT, BTC, None, 0, "1m", T0, T0 + 60 * SECOND - MS, 1.0, 1.0, 1.0, close, 1.0)

    market.write(undated(5.0))
    market.write(undated(6.0))  # which of the two is later, nobody knows: the first stays
    assert bars(market) == [(1, 5.0, False)]
    market.write(bar(7.0, 10))
    market.write(undated(8.0))
    assert bars(market) == [(1, 7.0, False)]


def test_a_later_state_of_a_bar_replaces_the_earlier_and_keeps_its_number(market: Market) -> None:
    market.write(bar(1.0, 10), bar(5.0, 70, minute=1))
    market.write(bar(2.0, 20))
    market.restart()
    market.write(bar(3.0, 60, closed=True), bar(6.0, 130, minute=2))
    assert bars(market) == [(1, 3.0, True), (2, 5.0, False), (3, 6.0, False)]


def test_a_closed_bar_is_not_replaced_by_an_open_one_however_late(market: Market) -> None:
    market.write(bar(3.0, 60, closed=True))
    assert market.write(bar(9.0, 90)) == {}
    assert market.write(bar(2.0, 59, closed=True)) == {}
    assert bars(market) == [(1, 3.0, True)]


def test_bars_of_other_lengths_or_times_stand_beside_one_another(market: Market) -> None:
    hour = Candle(SPOT, BTC, T0, T0, "1h", T0, T0 + HOUR - MS, 1.0, 1.0, 1.0, 7.0, 1.0)
    market.write(bar(1.0, 10), hour, bar(2.0, 70, minute=1))
    assert bars(market) == [(1, 1.0, False), (2, 7.0, False), (3, 2.0, False)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
@pytest.mark.parametrize("flushes", ["one", "each"])
def test_the_final_state_of_a_bar_does_not_depend_on_the_order_of_arrival(
    market: Market, order: tuple[int, ...], flushes: str
) -> None:
    states = [bar(1.0, 10), bar(2.0, 20), bar(3.0, 60, closed=True), bar(4.0, 61)]
    arriving = [states[place] for place in order]
    for several in [arriving] if flushes == "one" else [[one] for one in arriving]:
        market.write(*several)
    assert bars(market) == [(1, 3.0, True)]


# ── Whatever the flushes ──────────────────────────────────────────────────────────────────────


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events with doubles, latecomers and unknown values, of two venues."""
    venues, symbols = st.sampled_from([SPOT, FUTURES]), st.sampled_from([BTC, "ETHUSDT"])
    at = st.integers(0, 8).map(lambda n: T0 + n * MS)
    few = st.sampled_from([0.0, -0.0, 1.0, 2.0])
    maybe = st.none() | few
    return draw(
        st.lists(
            st.one_of(
                st.builds(
                    lambda v, s, t, id, price: Trade(v, s, t, t, id, False, price, 30_000.0),
                    venues, symbols, at, st.integers(-1, 6) | st.sampled_from("abc"), few,
                ),
                st.builds(
                    lambda v, s, t, id, bid, ask: Quote(v, s, None, t, bid, 1.0, ask, 1.0, id),
                    venues, symbols, at, st.none() | st.integers(0, 6), maybe, maybe,
                ),
                st.builds(
                    lambda t, recv, minute, closed: Candle(
                        SPOT, BTC, t, recv, "1m", T0 + minute, T0 + minute, 1.0, 1.0, 1.0, float(t), 1.0, closed=closed
                    ),
                    at, at, st.integers(0, 2).map(lambda n: n * 60 * SECOND), st.booleans(),
                ),
                st.builds(lambda s, t, size: OpenInterest(FUTURES, s, t, t, size), symbols, at, maybe),
                st.builds(lambda t, rate, nxt: Funding(FUTURES, BTC, t, t, rate, nxt), at, few, maybe),
                st.builds(
                    lambda t, side, order, ordinal: Liquidation(FUTURES, BTC, t, t, side, 1.0, 1.0, order, None, ordinal),
                    at, st.sampled_from(["long", "short"]), st.none() | st.sampled_from("xy"), st.integers(0, 1),
                ),
                st.builds(lambda t, n: BookTop(SPOT, BTC, t, t, (None,) * 40, 0, n), at, st.none() | st.integers(0, 2)),
            ),
            min_size=1,
            max_size=25,
        )
    )  # fmt: skip


@settings(
    max_examples=20,
    deadline=None,
    phases=UNSHRUNK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories(), data=st.data())
def test_the_same_events_give_the_same_tables_however_they_are_split_into_flushes(
    market: Market, history: list[Event], data: st.DataObject
) -> None:
    cuts = data.draw(st.sets(st.integers(1, len(history)), max_size=6), label="flushed after")
    restarts = data.draw(
        st.sets(st.sampled_from(sorted(cuts)) if cuts else st.nothing()), label="restarted after"
    )
    market.clear()
    market.write(*history)
    whole = market.checksums()
    assert not any(market.write(*history).values())
    market.clear()
    for place, event in enumerate(history, 1):
        market.put(event)
        if place in cuts:
            market.writer.flush()
        if place in restarts:
            market.restart()
    market.writer.flush()
    assert market.checksums() == whole

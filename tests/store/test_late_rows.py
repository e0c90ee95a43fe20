"""The past comes after the present: rows older than what is stored are kept once, in any order of things."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.market.events import MS, SECOND, US, Candle, Event, Funding, Gap, OpenInterest, Trade
from orderflow.store import runs, tables
from orderflow.store.backfills import missing_trades
from orderflow.store.writer import Batch, Writer
from tests.store.market import T0, Market

SPOT, FUTURES, BTC = "binance_spot", "binance_futures", "BTCUSDT"
QUIET = [HealthCheck.function_scoped_fixture]


def told(id: int, *, archived: bool, symbol: str = BTC) -> Trade:
    """A trade as a socket tells it, or an archive: the same, but for microseconds and our clock."""
    ts = T0 + id * 7 * SECOND + (id * 137 % 1000) * MS
    more = (id * 37 % 1000) * US if archived else 0
    recv = T0 + 90 * 86_400 * SECOND if archived else ts + 20 * MS
    return Trade(SPOT, symbol, ts + more, recv, id, id % 2 == 0, 100.0 + id, 1.0, 1, True)


def past(market: Market, events: list[Event], key: str = "past") -> int:
    run = runs.begin(market.connection, "backfill", runs.PAST + key, started=T0, ended=T0 + SECOND)
    named = {(one.venue, _stream(one)): [] for one in events}  # type: dict[tuple[str, str], list[Event]]
    for one in events:
        named[one.venue, _stream(one)].append(one)
    return sum(market.writer.write(Batch(named, [], [], []), run).rows.values())


def _stream(event: Event) -> str:
    return {
        "Trade": "trades",
        "OpenInterest": "open_interest",
        "Candle": "candles",
        "Funding": "funding_rates",
    }[type(event).__name__]


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(data=st.data())
def test_live_rows_and_archived_ones_are_each_kept_once_however_they_are_mixed(
    market: Market, data: st.DataObject
) -> None:
    market.clear()
    heard = data.draw(st.sets(st.integers(0, 60), max_size=40), label="heard live")
    published = data.draw(st.lists(st.integers(0, 60), max_size=80), label="in the archive, some twice")
    live = sorted(heard)
    parts: list[tuple[bool, list[Event]]] = []
    for archived, ids in ((False, live), (True, published)):
        while ids:
            cut = data.draw(st.integers(1, len(ids)), label="rows of a part")
            parts.append((archived, [told(one, archived=archived) for one in ids[:cut]]))
            ids = ids[cut:]
    for archived, part in data.draw(st.permutations(parts), label="order"):
        if archived:
            past(market, part)
        else:
            market.write(*part)
        if data.draw(st.booleans(), label="restarted"):
            market.restart()
    rows = market.rows("trades")
    assert sorted(int(row["trade_id"]) for row in rows) == sorted({*heard, *published})
    assert sorted(row["id"] for row in rows) == list(range(1, len(rows) + 1))
    assert {row["source"] for row in rows} <= {"replay", "backfill"}


def test_the_last_live_row_is_the_same_row_in_the_archive_although_that_is_later_by_microseconds(
    market: Market,
) -> None:
    market.write(told(5, archived=False))
    assert past(market, [told(4, archived=True), told(5, archived=True), told(6, archived=True)]) == 2
    market.restart()
    assert past(market, [told(5, archived=True)]) == 0
    stamps = {row["trade_id"]: row["timestamp"].microsecond % 1000 for row in market.rows("trades")}
    assert stamps == {"4": 4 * 37, "5": 0, "6": 6 * 37}  # what was written first stays, to its own exactness


def test_the_past_of_one_series_says_nothing_about_another(market: Market) -> None:
    market.write(told(9, archived=False))
    assert past(market, [told(9, archived=True, symbol="ETHUSDT"), told(9, archived=True)]) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(data=st.data())
def test_the_change_of_open_interest_is_that_since_the_row_before_in_time(
    market: Market, data: st.DataObject
) -> None:
    market.clear()
    known = data.draw(
        st.dictionaries(st.integers(0, 30), st.none() | st.integers(1, 9).map(float), min_size=1),
        label="rows",
    )
    order = data.draw(st.permutations(sorted(known)), label="order")
    size = data.draw(st.integers(1, 5), label="rows of a part")
    for at in range(0, len(order), size):
        part: list[Event] = []
        for one in order[at : at + size]:
            ts = T0 + one * SECOND
            part.append(OpenInterest(FUTURES, BTC, ts, ts, known[one]))
        past(market, part)
        if data.draw(st.booleans(), label="restarted"):
            market.restart()
    found = sorted((row["timestamp"], row["oi_change"]) for row in market.rows("open_interest"))
    before: list[Any] = [None, *(known[one] for one in sorted(known))]
    expected = [
        None if now is None or then is None else now - then
        for then, now in zip(before, (known[one] for one in sorted(known)), strict=False)
    ]
    assert [change for _, change in found] == expected


def test_an_archived_bar_closes_one_that_was_left_open_and_leaves_a_closed_one(market: Market) -> None:
    def bar(minute: int, close: float, at: int, *, closed: bool) -> Candle:
        opened = T0 + minute * 60 * SECOND
        ends = opened + 60 * SECOND - MS
        stamp = T0 + at * SECOND if at else ends
        return Candle(SPOT, BTC, stamp, stamp, "1m", opened, ends, 1.0, 1.0, 1.0, close, 1.0, closed=closed)

    market.write(bar(0, 5.0, 61, closed=True), bar(1, 6.0, 70, closed=False), bar(9, 7.0, 541, closed=False))
    assert past(market, [bar(one, 50.0, 0, closed=True) for one in range(3)]) == 2
    found = {(row["open_time"].minute, row["close"], row["closed"]) for row in market.rows("candles")}
    assert found == {(0, 5.0, True), (1, 50.0, True), (2, 50.0, True), (9, 7.0, False)}


def test_a_rate_that_was_settled_is_kept_once_whether_the_file_or_the_answer_comes_first(
    market: Market,
) -> None:
    market.write(Funding(FUTURES, BTC, T0 + 9 * SECOND, T0, 0.3))
    settled = Funding(FUTURES, BTC, T0, T0, 0.1, next_ts=T0)
    assert past(market, [settled]) == 1
    assert past(market, [settled], "again") == 0


def test_large_trades_of_the_past_are_kept_too_and_once(market: Market) -> None:
    big = Trade(SPOT, BTC, T0, T0, 1, False, 100_000.0, 5.0)
    market.write(told(60, archived=False))
    assert [past(market, [big]), past(market, [big], "again")] == [1, 0]
    assert market.column("large_trades", "trade_id") == ["1"]


def test_a_backfill_is_no_run_that_collecting_goes_on_from(market: Market) -> None:
    past(market, [told(1, archived=True)])
    found = runs.last(market.connection)
    assert found is not None and found.key == "test"


# ── Gaps ──────────────────────────────────────────────────────────────────────────────────────


def test_a_gap_that_was_filled_stays_so_when_a_journal_tells_of_it_again(market: Market) -> None:
    gap = Gap(SPOT, BTC, "trades", T0, T0 + SECOND, "disconnected: x")
    market.writer.gap(gap)
    market.writer.flush()
    market.connection.execute("UPDATE gaps SET filled_at = make_timestamp(5)")
    market.writer.gap(gap)
    market.writer.flush()
    assert [value is not None for value in market.column("gaps", "filled_at")] == [True]
    market.writer.gap(Gap(SPOT, BTC, "trades", T0, T0 + 2 * SECOND, "disconnected: x"))  # it lasted longer
    market.writer.flush()
    assert market.column("gaps", "filled_at") == [None]


def test_ids_that_were_left_out_are_found(market: Market) -> None:
    market.write(*(told(one, archived=False) for one in (1, 2, 5, 6, 9)))
    found = missing_trades(market.connection, SPOT, BTC, T0, T0 + 100 * SECOND)
    assert [which for _, _, which in found] == ["trade ids 3..4 missing", "trade ids 7..8 missing"]
    assert found[0][:2] == (told(2, archived=False).ts_event, told(5, archived=False).ts_event)


def test_a_writer_of_its_own_sees_what_another_process_left(market: Market) -> None:
    market.write(*(told(one, archived=False) for one in range(5)))
    tables.ensure(market.connection, [(SPOT, BTC)])
    market.writer = Writer(market.connection, market.run)
    assert past(market, [told(one, archived=True) for one in range(8)]) == 3

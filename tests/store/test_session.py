"""How a question reaches the rows: through the named views, within its time, and over archived days as before."""

from typing import Any

import pytest

from orderflow.market.errors import TimedOut
from orderflow.market.events import HOUR
from orderflow.store import archive, layout, tables
from orderflow.store.reader import Reader
from orderflow.store.session import Session

DAY = 86_400.0


def two_days(filled: Any) -> None:
    filled.run("live", 0, 2 * DAY)
    for venue in ("binance_spot", "okx_futures"):
        for id, at in ((1, 5.0), (2, 10.0), (3, DAY - 1), (4, DAY), (5, DAY + 5)):
            filled.trade(venue, at, id, price=100.0 + id, sold=id % 2 == 0)
            filled.put("funding_rates", at, id, venue="okx_futures", funding_rate=0.0001, interval_hours=8.0)


def answers(reader: Reader, filled: Any) -> list[Any]:
    window = (filled.at(0), filled.at(2 * DAY))
    found = [
        reader.bars("BTCUSDT", None, "1d", *window, "trades"),
        reader.flow("BTCUSDT", "binance_spot", *window),
        reader.volume_by_price("BTCUSDT", None, *window, size=1.0),
        reader.volatility("BTCUSDT", ["okx_futures"], *window, of="trades"),
        reader.settlements("BTCUSDT", None, *window),
        reader.window("trades", "BTCUSDT", since=window[0], limit=3),
    ]
    return [
        (one.found.to_pylist(), {venue: each.percent for venue, each in one.coverage.items()})
        for one in found
    ]


def test_days_that_are_archived_answer_as_before(filled: Any) -> None:
    two_days(filled)
    reader = Reader(filled.connection)
    before = answers(reader, filled)
    archive.compact_closed(filled.connection, now=filled.at(0) + 80 * HOUR)
    ((hot,),) = filled.connection.execute("SELECT count(*) FROM trades_hot").fetchall()
    assert hot == 0
    assert answers(reader, filled) == before


def test_a_question_of_one_venue_looks_into_no_other_series_archive(filled: Any) -> None:
    two_days(filled)
    archive.compact_closed(filled.connection, now=filled.at(0) + 80 * HOUR)
    for file in (layout.archive_root(filled.path) / "stream=trades" / "venue=okx_futures").rglob("*.parquet"):
        file.unlink()
    reader = Reader(filled.connection)
    window = (filled.at(0), filled.at(2 * DAY))
    assert len(reader.window("trades", "BTCUSDT", "binance_spot", since=window[0], until=window[1])) == 5
    with pytest.raises(Exception, match="okx_futures"):  # a witness: all venues would have looked
        reader.window("trades", "BTCUSDT", since=window[0], until=window[1])


def test_series_are_asked_by_their_named_views_where_there_are(filled: Any) -> None:
    session = Session(filled.connection)
    assert session.source("trades", "btcusdt", ["binance_spot", "okx"]) == (
        '(SELECT * FROM "btcusdt_binance_spot_trades" UNION ALL SELECT * FROM "btcusdt_okx_futures_trades")'
    )
    assert session.source("trades") == '"trades"'
    assert session.source("options", "BTCUSDT", "binance_spot") == '"options"'  # a stream that it has not
    tables.ensure(filled.connection, [("binance_spot", "NEWUSDT")])  # no other venue has a view of it
    assert session.source("trades", "NEWUSDT", "okx_futures") == '"trades"'
    assert "newusdt_binance_spot_trades" in session.source("trades", "NEWUSDT", "binance_spot")


def test_a_question_that_takes_too_long_is_given_up_and_the_next_one_answered(filled: Any) -> None:
    session = Session(filled.connection, timeout_s=0.2)
    with pytest.raises(TimedOut, match=r"longer than 0\.2 s") as caught:
        session.rows(
            "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"
        )
    assert caught.value.code == "timeout" and caught.value.hint
    assert session.rows("SELECT 1") == [(1,)]


def test_a_day_that_is_archived_in_the_midst_of_a_question_is_in_its_answer(filled: Any) -> None:
    two_days(filled)
    session, asked = Session(filled.connection), []

    def question() -> int:
        source = session.source("trades", "BTCUSDT", ["binance_spot"], filled.at(0))
        asked.append(source)
        if len(asked) == 1:
            archive.compact_closed(filled.connection, now=filled.at(0) + 80 * HOUR)
        ((found,),) = session.rows(f"SELECT count(*) FROM {source} WHERE venue = 'binance_spot'")
        return found

    assert session.steadily(question) == 5
    assert [one.strip('"') for one in asked] == [
        "trades_hot",
        '(SELECT * FROM "btcusdt_binance_spot_trades")',
    ]
    # what is known of the archive now holds for the next question: one of later days asks the hot table
    assert (
        session.steadily(lambda: session.source("trades", "BTCUSDT", None, filled.at(3 * DAY)))
        == '"trades_hot"'
    )
    assert (
        session.steadily(lambda: session.source("trades", "BTCUSDT", None, filled.at(DAY))) != '"trades_hot"'
    )


def test_a_killed_run_ends_with_its_last_row_on_any_stream(filled: Any) -> None:
    filled.run("live", 0, None)
    filled.put("mark_prices", 10, 1, venue="binance_futures", mark_price=1.0)  # of few rows: asked first
    filled.trade("binance_futures", 19.75, 1)  # received at 20: later than what the few tell
    filled.trade("okx_futures", 9.75, 1)  # a venue of which the few tell nothing
    found = Reader(filled.connection).coverages(
        "prices", "BTCUSDT", ["binance_futures", "okx_futures", "bybit_futures"], filled.at(0), filled.at(40)
    )
    assert found["binance_futures"].percent == pytest.approx(50.0, abs=1e-4)
    assert found["okx_futures"].percent == pytest.approx(25.0, abs=1e-4)
    assert found["bybit_futures"].percent is None

"""The latest state in memory: what it keeps, and that a database answers the same."""

from typing import Any

import pytest

from orderflow.market.errors import UnknownSymbol
from orderflow.market.events import (
    SECOND,
    BookTop,
    Funding,
    Gap,
    Ignored,
    IndexPrice,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.store.live import Latest, Live
from orderflow.store.reader import Reader


def quote(venue: str, symbol: str, second: int, bid: float) -> Quote:
    return Quote(venue, symbol, second * SECOND, second * SECOND + 1, bid, 1.0, bid + 1, 2.0)


def trade(venue: str, id: int, second: int) -> Trade:
    return Trade(venue, "BTCUSDT", second * SECOND, second * SECOND + 1, id, False, 100.0, 0.5)


def test_the_last_event_of_each_venue_and_symbol_is_kept() -> None:
    live = Live("live")
    for second, bid in ((1, 10.0), (2, 11.0)):
        live.update(quote("binance_spot", "BTCUSDT", second, bid))
        live.update(quote("binance_futures", "BTCUSDT", second, bid + 5))
    live.update(quote("binance_spot", "ETHUSDT", 1, 3.0))
    assert [(one.venue, one.bid) for one in live.quotes("BTCUSDT")] == [
        ("binance_spot", 11.0),
        ("binance_futures", 16.0),
    ]
    assert len(live.quotes()) == 3 and live.symbols() == ["BTCUSDT", "ETHUSDT"]


def test_each_kind_of_event_has_its_question() -> None:
    live = Live("simulated")
    place = ("binance_futures", "BTCUSDT", 1, 2)
    events = {
        "quotes": Quote(*place, 1.0, 1.0, 2.0, 1.0),
        "tops": BookTop(*place, (1.0,) * 40, 10),
        "marks": MarkPrice(*place, 1.5),
        "fundings": Funding(*place, 0.0001),
        "open_interests": OpenInterest(*place, 5.0),
        "tickers": Ticker(*place, 1.5),
    }
    slots = live.slots("binance_futures")
    for event in events.values():
        slots[type(event)][event.symbol] = event
    for question, event in events.items():
        assert getattr(live, question)() == [event]
        assert getattr(live, question)("btcusdt") == [event]


def test_the_last_two_hundred_trades_of_a_series_are_kept_in_the_order_they_were_heard() -> None:
    live = Live("live")
    for id in range(250):
        live.update(trade("binance_spot", id, 2 * id))
        live.update(trade("binance_futures", id, 2 * id + 1))
    assert [one.id for one in live.recent_trades("BTCUSDT", "binance_spot", limit=500)] == list(
        range(50, 250)
    )
    both = live.recent_trades("BTCUSDT", limit=3)
    assert [(one.venue, one.id) for one in both] == [
        ("binance_futures", 248),
        ("binance_spot", 249),
        ("binance_futures", 249),
    ]
    assert live.recent_trades("BTCUSDT", limit=0) == []


def test_what_is_no_state_of_a_market_is_passed_over() -> None:
    live = Live("live")
    live.update(Ignored("binance_spot", "BTCUSDT", None, 1, "another market"))
    assert live.symbols() == [] and Gap not in live.slots("binance_spot")


def test_a_symbol_that_is_collected_but_silent_has_no_answer_and_one_unknown_an_error() -> None:
    live = Live("live", ["BTCUSDT", "ETHUSDT"])
    assert live.quotes("ETHUSDT") == [] and live.recent_trades("ETHUSDT") == []
    with pytest.raises(UnknownSymbol) as caught:
        live.quotes("ETHUSD")
    assert "ETHUSDT" in caught.value.hint


def test_age_is_the_time_since_any_stream_was_heard() -> None:
    live = Live("live")
    live.update(quote("binance_spot", "BTCUSDT", 1, 10.0))
    live.update(trade("binance_spot", 1, 4))
    live.update(quote("binance_futures", "BTCUSDT", 2, 10.0))
    # heard last one nanosecond after second 4, and after second 2
    assert live.age(10 * SECOND) == {
        ("binance_futures", "BTCUSDT"): 8 * SECOND - 1,
        ("binance_spot", "BTCUSDT"): 6 * SECOND - 1,
    }


def test_memory_and_database_give_the_same_answer(filled: Any) -> None:
    filled.run("live", 0, None)
    filled.quote("binance_spot", "BTCUSDT", 1, 100.0, 101.0)
    filled.trade("binance_spot", 2, 12, price=100.5, sold=True)
    filled.put("mark_prices", 3, 1, mark_price=100.25)
    live = Live("live", ["BTCUSDT", "ETHUSDT", "XRPUSDT"])
    times = [(filled.at(second), filled.at(second + 0.25)) for second in (1, 2, 3)]
    live.update(Quote("binance_spot", "BTCUSDT", *times[0], 100.0, 1.0, 101.0, 2.0, 10))
    live.update(Trade("binance_spot", "BTCUSDT", *times[1], 12, True, 100.5, 0.5))
    live.update(MarkPrice("binance_spot", "BTCUSDT", *times[2], 100.25))

    def everything(latest: Latest) -> list[Any]:
        asked = (
            latest.quotes,
            latest.tops,
            latest.marks,
            latest.fundings,
            latest.open_interests,
            latest.tickers,
        )
        return [
            latest.kind,
            latest.symbols(),
            latest.recent_trades("BTCUSDT"),
            *(ask("BTCUSDT") for ask in asked),
        ]

    assert everything(live) == everything(Reader(filled.connection))
    assert [len(one) for one in everything(live)[3:]] == [1, 0, 1, 0, 0, 0]


def test_the_newest_of_a_stream_is_an_event_a_venue_and_of_tapes_the_last_ones() -> None:
    live = Live("live", ["BTCUSDT", "ETHUSDT"])
    live.update(quote("binance_spot", "BTCUSDT", 1, 10.0))
    live.update(quote("binance_futures", "BTCUSDT", 1, 11.0))
    live.update(quote("binance_futures", "ETHUSDT", 1, 3.0))
    live.update(IndexPrice("binance_futures", "BTCUSDT", 1, 1, 10.5))
    for id in range(250):
        live.update(trade("binance_spot", id, id))
    live.update(trade("bybit_spot", 7, 7))
    for second in range(60):
        live.update(Liquidation("binance_futures", "BTCUSDT", second, second, "long", 9.0, 1.0))
    assert [one.venue for one in live.newest("prices", "BTCUSDT")] == ["binance_spot", "binance_futures"]
    assert [type(one) for one in live.newest("index_prices", "BTCUSDT")] == [IndexPrice]
    last = [(one.venue, getattr(one, "id", None)) for one in live.newest("trades", "BTCUSDT")]
    assert last == [*(("binance_spot", id) for id in range(50, 250)), ("bybit_spot", 7)]
    assert [one.ts_recv for one in live.newest("liquidations", "BTCUSDT")] == list(range(10, 60))
    assert live.newest("liquidations", "ETHUSDT") == []
    with pytest.raises(UnknownSymbol, match="NOPE"):
        live.newest("prices", "NOPE")
    live.forget("binance_futures", [("liquidations", "BTCUSDT"), ("prices", "BTCUSDT")])
    assert live.newest("liquidations", "BTCUSDT") == []
    assert [one.venue for one in live.newest("prices", "BTCUSDT")] == ["binance_spot"]

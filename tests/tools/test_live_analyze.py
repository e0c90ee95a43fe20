"""A watch of the live state: trades each once, the price's path, gaps that opened, and nothing where nobody collects."""

from dataclasses import replace
from typing import Any

import pytest
from fixed_market import NOW, FakeLatest, context, quote, top

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MS, SECOND, Event, Funding, Gap, Nanos, OpenInterest, Trade
from orderflow.tools.live_analyze import covered_pct, live_analyze
from orderflow.tools.spec import Ask
from orderflow.tools.watching import Watch

VENUE = "binance_futures"


def trade(number: int, price: float, size: float, *, sold: bool = False, at: Nanos = NOW) -> Trade:
    return Trade(VENUE, "BTCUSDT", at, at, number, sold, price, size)


class Moving(FakeLatest):
    """A live state that is another one at each look; a look begins with the quotes."""

    def __init__(self, *looks: FakeLatest) -> None:
        super().__init__(kind="live")
        self._looks = list(looks)
        self._place = -1

    def quotes(self, symbol: str | None) -> Any:
        self._place = min(self._place + 1, len(self._looks) - 1)
        return self._now.quotes(symbol)

    @property
    def _now(self) -> FakeLatest:
        return self._looks[max(self._place, 0)]

    def tops(self, symbol: str | None) -> Any:
        return self._now.tops(symbol)

    def fundings(self, symbol: str | None) -> Any:
        return self._now.fundings(symbol)

    def open_interests(self, symbol: str | None) -> Any:
        return self._now.open_interests(symbol)

    def recent_trades(self, symbol: str, venue: str | None = None) -> Any:
        return self._now.recent_trades(symbol, venue)

    def symbols(self) -> list[str]:
        return ["BTCUSDT"]


def look(bid: float, *others: Event, bids: float = 1.0) -> FakeLatest:
    return FakeLatest(
        quotes=[quote(VENUE, bid, bid + 1.0)],
        tops=[top(VENUE, [(bid, bids)], [(bid + 1.0, 1.0)])],
        kind="live",
        others=others,
    )


BEFORE = trade(1, 90.0, 50.0, at=NOW - SECOND)  # on the tape when the watch begins
BOUGHT, SOLD, AGAIN = trade(2, 101.0, 3.0), trade(3, 99.0, 1.0, sold=True), trade(4, 100.0, 1.0)


def funding(rate: float) -> Funding:
    return Funding(VENUE, "BTCUSDT", NOW, NOW, rate, None, 8.0)


def interest(size: float) -> OpenInterest:
    return OpenInterest(VENUE, "BTCUSDT", NOW, NOW, size)


LOOKS = (
    look(100.0, BEFORE, funding(0.0001), interest(10.0)),
    look(100.0, BEFORE, BOUGHT, funding(0.0001), interest(10.0)),
    look(98.0, BOUGHT, SOLD, AGAIN, funding(0.0002), interest(12.5), bids=3.0),
)


def watched(latest: FakeLatest, **arguments: Any) -> Any:
    clock = iter(range(NOW, NOW + 1_000 * SECOND, SECOND))
    run = context(latest, clock=lambda: next(clock), history=None, **arguments.pop("run", {}))
    return tools.call(run, "live_analyze", {"symbol": "BTCUSDT", "seconds": 1, **arguments})


def test_each_trade_is_counted_once_and_those_before_the_watch_not() -> None:
    watch = Watch(Moving(*LOOKS), "BTCUSDT", None, NOW)
    for _ in range(4):
        watch.look()
    (one,) = watch.venues.values()
    # bought 3 at 101 and 1 at 100, sold 1 at 99: (303 + 100 + 99) / 5
    assert one.flow.told == {
        "trades": 3, "bought": 4.0, "sold": 1.0, "delta": 3.0, "delta_pct": 60.0, "vwap": 100.4, "largest": 3.0,
    }  # fmt: skip
    assert one.path is not None and one.path.told == {
        "open": 101.0, "high": 101.0, "low": 99.0, "close": 100.0, "change_pct": pytest.approx(-100 / 101),
    }  # fmt: skip
    assert not one.missed


def test_a_tape_of_which_nothing_is_left_says_that_trades_may_be_missed() -> None:
    tapes = [[trade(start + one, 100.0, 1.0) for one in range(200)] for start in (0, 200, 500)]
    watch = Watch(Moving(*(look(100.0, *tape) for tape in tapes)), "BTCUSDT", None, NOW)
    for _ in range(2):
        watch.look()
    assert watch.venues[VENUE].missed  # 0 to 199, then 200 to 399: nobody knows that none was between
    overlapping = [[trade(start + one, 100.0, 1.0) for one in range(200)] for start in (0, 199)]
    watch = Watch(Moving(*(look(100.0, *tape) for tape in overlapping)), "BTCUSDT", None, NOW)
    for _ in range(2):
        watch.look()
    assert not watch.venues[VENUE].missed and watch.venues[VENUE].flow.trades == 399


def test_without_trades_the_path_is_that_of_the_mid_and_no_sum_is_known() -> None:
    watch = Watch(Moving(look(100.0), look(102.0), look(101.0)), "BTCUSDT", None, NOW)
    for _ in range(3):
        watch.look()
    (one,) = watch.venues.values()
    assert one.path is not None and list(one.path.told.values())[:4] == [100.5, 102.5, 100.5, 101.5]
    assert one.flow.told == {"trades": 0}


def test_the_answer_has_flow_leverage_book_and_the_side_of_delta() -> None:
    answer = watched(Moving(*LOOKS))
    (row,) = [dict(zip(answer.columns, one, strict=True)) for one in answer.rows]
    assert (row["funding_begin"], row["funding_end"]) == (0.0001, 0.0002)
    assert (row["open_interest"], row["open_interest_change"]) == (12.5, 2.5)
    assert (row["imbalance_begin"], row["imbalance_end"]) == (0.0, 0.5)
    assert row["covered_pct"] == 100.0 and row["long_liquidated"] is None
    assert answer.summary["bias"] == {"takers": "buying", "delta": 3.0, "delta_pct": 60.0}
    assert answer.summary["together"]["vwap"] == 100.4


def test_a_focus_tells_its_part_alone() -> None:
    columns = {
        focus: watched(Moving(*LOOKS), focus=focus).columns for focus in ("price", "liquidations", "leverage")
    }
    assert columns["price"] == ["venue", "open", "high", "low", "close", "change_pct", "covered_pct"]
    assert columns["liquidations"] == ["venue", "long_liquidated", "short_liquidated", "covered_pct"]
    assert "funding_end" in columns["leverage"] and "delta" not in columns["leverage"]


def test_gaps_that_opened_count_against_what_was_covered() -> None:
    def gap(begin: float, end: float | None) -> Gap:
        until = None if end is None else NOW + round(end * SECOND)
        return Gap(VENUE, "BTCUSDT", "trades", NOW + round(begin * SECOND), until, "disconnected")

    until = NOW + 10 * SECOND
    assert covered_pct([], NOW, until) == 100.0
    assert covered_pct([gap(1, 3)], NOW, until) == pytest.approx(80.0)
    assert covered_pct([gap(-5, 3), gap(2, 4), gap(9, None)], NOW, until) == pytest.approx(50.0)
    answer = watched(Moving(*LOOKS), run={"gaps": lambda *, since=None, until=None: [gap(-1, None)]})
    assert answer.rows[0][-1] == 0.0 and answer.meta.coverage_pct == 0.0
    assert answer.meta.gaps[0]["reason"] == "disconnected"


def test_nothing_is_watched_where_nobody_collects() -> None:
    with pytest.raises(NoData, match="nothing is being collected"):
        watched(Moving(*LOOKS), run={"stored": True})
    with pytest.raises(NoData, match="nothing of BTCUSDT was received"):
        watched(Moving(*LOOKS), venues=["okx_futures"])
    with pytest.raises(InvalidArgument):
        watched(Moving(*LOOKS), seconds=301)


def test_how_far_it_is_is_told_while_it_lasts() -> None:
    told: list[tuple[float, float | None, str]] = []
    ask = Ask(
        context=context(Moving(*LOOKS), history=None), catalogue=tools.ALL, tool="live_analyze", now=NOW
    )
    listening = replace(ask, tell=lambda done, of, said: told.append((done, of, said)))
    live_analyze.function(listening, "BTCUSDT", 1.0)
    assert told[0][1:] == (1.0, "0 trades on 1 venues")
    assert told[-1][0] == pytest.approx(1.0, abs=0.3) and told[-1][2] == "3 trades on 1 venues"


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("stream_and_analyze", {}, {"symbol": "BTCUSDT", "seconds": 30}),
        ("stream_and_analyze", {"duration": 120}, {"symbol": "BTCUSDT", "seconds": 120}),
        ("quick_analyze", {"symbol": "ETHUSDT"}, {"symbol": "ETHUSDT", "seconds": 10}),
        ("analyze_for_duration", {"minutes": 0.5}, {"symbol": "BTCUSDT", "seconds": 30.0, "focus": "all"}),
        ("analyze_for_duration", {"focus": "flow"}, {"symbol": "BTCUSDT", "seconds": 60.0, "focus": "flow"}),
    ],
)
def test_the_old_names_say_how_long_in_their_own_words(
    name: str, given: dict[str, Any], meant: dict[str, Any]
) -> None:
    found, alias = tools.ALL.resolve(name)
    assert alias is not None and found.name == "live_analyze"
    assert alias.translate(given, found.names) == meant


def test_minutes_that_are_none_are_refused() -> None:
    assert "minimum" not in tools.ALL.schema("analyze_for_duration")["properties"]["minutes"]  # of seconds
    with pytest.raises(InvalidArgument):
        tools.call(context(), "analyze_for_duration", {"minutes": "long"})


def test_a_trade_that_came_as_the_watch_began_counts() -> None:
    watch = Watch(Moving(look(100.0, trade(1, 100.0, 1.0, at=NOW + MS))), "BTCUSDT", None, NOW)
    watch.look()
    assert watch.venues[VENUE].flow.trades == 1

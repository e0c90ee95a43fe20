"""Volume and session profiles over a fixed hour, by hand: bins, POC and value area, sessions of any zone."""

from typing import Any

import pytest
from fixed_market import NOW, context

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData, UnsupportedByVenue
from orderflow.market.events import HOUR, MINUTE, MS, Instrument
from orderflow.tools.answers import Answer
from orderflow.tools.profiles import Rules, bins

# The hour before midnight: minute m had a trade at 100 + m on binance_futures, 2 coins, even minutes sold; of 1
# coin, 1 higher, on bybit_futures. The last minute of the first is a gap.


def asked(tool: str, /, **arguments: Any) -> Answer:
    return tools.call(context(), f"orderflow_{tool}", {"symbol": "BTCUSDT", "max_tokens": 8_000, **arguments})


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def ms(minute: float) -> int:
    """Return when a minute of the fixed hour began."""
    return (NOW - HOUR + round(minute * MINUTE)) // MS


def profile(**arguments: Any) -> Answer:
    return asked("volume_profile", **{"since": "-1h", **arguments})


# ── Volume profile ────────────────────────────────────────────────────────────────────────────


def test_a_profile_by_hand() -> None:
    answer = profile(size=20)
    # 20 trades of 2 coins a bin, half of them sold; 100 to 119 sum to 2,190, each 2 coins
    assert rows(answer)[-1] == {
        "price_from": 100.0, "price_until": 120.0, "volume": 40.0, "buy": 20.0, "sell": 20.0, "delta": 0.0,
        "quote_volume": 4_380.0, "trades": 20, "share_pct": 33.333, "mark": "VAL",
    }  # fmt: skip
    assert [row["mark"] for row in rows(answer)] == ["VAH", "POC HVN", "VAL"]  # highest first
    said = answer.summary
    # three bins alike: the middle one; 80 of 120 coins are less than 70 %, so the third comes in, too
    assert said["poc"] == {"low": 120.0, "centre": 130.0, "high": 140.0, "share_pct": 33.33, "tied": True}
    assert (said["vah"]["high"], said["val"]["low"]) == (160.0, 100.0)
    assert said["value_area"] == {"asked_pct": 70.0, "held_pct": 100.0, "rows": 2}
    # 30 pairs of 2 coins sold and 2 bought 1 higher: 60 quote more were bought
    assert said["totals"] == {
        "volume": 120.0, "delta": 0.0, "delta_pct": 0.0, "quote_volume": 15_540.0, "delta_quote": 60.0, "trades": 60,
    }  # fmt: skip
    assert said["vwap"] == 129.5  # 15,540 / 120
    assert said["data_quality"]["minutes"]["missing"] == 1
    assert answer.meta.venues.answered == ["binance_futures"]  # where more was traded


def test_venues_are_added_up() -> None:
    answer = profile(venues=["binance_futures", "bybit_futures"], size=20)
    # at 100 to 119 are the minutes 0 to 19 of the one and 0 to 18 of the other
    assert rows(answer)[-1]["volume"] == 20 * 2 + 19
    assert answer.summary["totals"]["volume"] == 180.0
    assert [row["volume"] for row in rows(answer)] == [1.0, 60.0, 60.0, 59.0]  # 160 is bybit's minute 59


def test_quote_volume_moves_the_poc_up_and_the_share_widens_the_area() -> None:
    by_quote = profile(size=20, by="quote").summary
    assert (by_quote["poc"]["low"], by_quote["poc"]["tied"]) == (140.0, False)
    # 140 to 159 sum to 2,990, of 7,770 in all
    assert by_quote["poc"]["share_pct"] == round(100 * 2_990 / 7_770, 2)
    # the POC alone has more than 38 %
    narrow = profile(size=20, by="quote", value_area_pct=38).summary
    assert narrow["vah"]["low"] == narrow["val"]["low"] == 140.0


def test_rows_weighed_at_a_time_decide_how_far_the_area_reaches() -> None:
    # 12 bins of 5 prices, 10 coins each; the POC is the sixth (125); 70 % of 120 are 84, so 9 bins or more
    two, one = profile(size=5).summary, profile(size=5, value_area_rows=1).summary
    assert two["poc"]["low"] == one["poc"]["low"] == 125.0
    assert (two["vah"]["high"], two["val"]["low"]) == (150.0, 105.0)  # 1 + 2 × 4 bins
    assert (one["vah"]["high"], one["val"]["low"]) == (150.0, 105.0)  # 1 + 8 × 1
    wide = [profile(size=5, value_area_pct=72 + 6, value_area_rows=count).summary for count in (2, 1)]
    # 93.6 coins: 10 bins, which pairs overshoot by one
    assert [round(one["value_area"]["held_pct"], 1) for one in wide] == [91.7, 83.3]


def test_synthetic_volume_lies_evenly_over_the_range_of_its_seconds() -> None:
    among = {"venues": ["binance_futures", "bybit_futures"], "size": 1, "limit": 100}
    raw = {row["price_from"]: row for row in rows(profile(**among))}
    even = {row["price_from"]: row for row in rows(profile(**among, mode="synthetic", normalize_seconds=60))}
    # in minute 0 were 2 coins at 100 and 1 at 101: 1½ each
    assert (raw[100.0]["volume"], even[100.0]["volume"], even[100.0]["sell"]) == (2.0, 1.5, 1.5)
    # at 160 was bybit's minute 59 alone, which shares 3 coins with binance's 159
    assert (raw[160.0]["volume"], even[160.0]["volume"]) == (1.0, 1.5)
    assert sum(row["volume"] for row in even.values()) == 180.0
    assert sum(row["trades"] for row in even.values()) == 120
    # 3 seconds have one trade each: it stays where it was
    assert (
        profile(**among | {"venues": ["binance_futures"]}, mode="synthetic").rows
        == profile(**among | {"venues": ["binance_futures"]}).rows
    )


def test_only_the_largest_bins_are_told_if_asked() -> None:
    assert [row["price_from"] for row in rows(profile(size=20, by="quote", top=2))] == [140.0, 120.0]


def test_a_bin_may_be_told_in_ticks_where_a_listing_tells_them() -> None:
    known = context()
    tick = lambda venue, symbol: Instrument(  # noqa: E731
        venue, symbol, None, 0, symbol, "perpetual", "BTC", "USDT", "TRADING", True, tick=0.5
    )
    listed = type(known)(**{**known.__dict__, "instrument": tick})
    answer = tools.call(
        listed, "orderflow_volume_profile", {"symbol": "BTCUSDT", "since": "-1h", "ticks": 40}
    )
    assert answer.summary["bins"]["size"] == 20.0


def test_a_bin_is_round_and_there_are_no_more_than_fit() -> None:
    assert profile().summary["bins"] == {"size": 2.0, "count": 30, "by": "base", "mode": "raw"}
    # 2,000 ticks of 0.1 in 200 quote: bins of 5, in levels of half a quote each where volume is spread
    assert bins(60_000.0, 60_200.0, 0.1, None, None, Rules()) == (5.0, 1)
    spread = bins(60_000.0, 60_200.0, 0.1, None, None, Rules(mode="synthetic"))
    assert (spread.width, spread.levels, spread.step) == (5.0, 10, 0.5)


def test_a_window_that_reaches_now_is_developing() -> None:
    assert profile().summary["developing"] is True
    assert profile(until="-10m").summary["developing"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"size": 1, "ticks": 1}, "either a size or ticks"),
        ({"ticks": 10}, "no listing tells the tick"),
        ({"size": 0.001}, "more than 2,000"),
        ({"mode": "synthetic", "normalize_seconds": 7}, "make up no minute"),
        ({"value_area_pct": 0.7}, "at least|>="),
        ({"value_area_rows": 3}, "value_area_rows"),
        ({"size": 0}, "size"),
    ],
)
def test_what_is_no_profile_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        profile(**arguments)
    assert caught.value.hint


def test_an_empty_window_and_a_venue_without_trades() -> None:
    with pytest.raises(NoData) as caught:
        profile(since="2025-11-19", until="2025-11-20")
    assert "2025-11-20T23:00:00Z" in caught.value.hint
    with pytest.raises(UnsupportedByVenue):
        profile(venues=["cme_futures"])


# ── Session profile ───────────────────────────────────────────────────────────────────────────


def by_name(answer: Answer) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["day"], row["session"]): row for row in rows(answer)}


def test_the_sessions_of_a_day_and_the_day_before() -> None:
    found = by_name(asked("session_profile", size=20))
    assert [name for _, name in found] == ["A", "L", "N", "E", "day"] * 2
    evening = found["2025-11-20", "E"]
    assert evening["status"] == "completed"
    assert [evening[name] for name in ("open", "high", "low", "close")] == [100.0, 159.0, 100.0, 159.0]
    # by bars of five minutes: the last begins at 23:55
    assert (evening["high_time"], evening["low_time"]) == (ms(55), ms(0))
    assert (evening["volume"], evening["delta"], evening["delta_quote"]) == (120.0, 0.0, 60.0)
    assert (evening["vwap"], evening["poc"], evening["vah"], evening["val"]) == (129.5, 130.0, 160.0, 100.0)
    # its first hour, 20:00, was not collected; 59 minutes of 240 were
    assert (evening["ib_high"], evening["ib_low"]) == (None, None)
    assert (evening["coverage_pct"], evening["grade"]) == (24.58, "poor")
    day = found["2025-11-20", "day"]
    assert (day["volume"], day["poc"], day["coverage_pct"]) == (120.0, 130.0, 4.1)


def test_what_was_not_collected_is_unknown_and_not_nothing() -> None:
    found = by_name(asked("session_profile"))
    asia = found["2025-11-20", "A"]
    assert (asia["status"], asia["coverage_pct"], asia["grade"]) == ("completed", 0.0, "poor")
    assert asia["volume"] is None and asia["delta"] is None and asia["ib_known"] is None
    assert found["2025-11-21", "A"]["status"] == "developing"  # it begins now: nothing is known of it
    assert found["2025-11-21", "N"]["status"] == "not_started"
    assert found["2025-11-21", "N"]["volume"] is None


def test_sessions_go_by_the_clock_of_a_zone() -> None:
    # in Berlin it is 1:00: the hour is the first of the 21st
    found = by_name(asked("session_profile", zone="Europe/Berlin", days=1, bar="1m"))
    asia = found["2025-11-21", "A"]
    assert (asia["status"], asia["since"], asia["until"]) == ("developing", ms(0), ms(6 * 60))
    assert (asia["high"], asia["high_time"], asia["trades"]) == (159.0, ms(59), 60)
    assert (asia["ib_high"], asia["ib_low"], asia["ib_known"]) == (159.0, 100.0, ms(60))
    assert asia["coverage_pct"] == 98.33
    # in a zone of half an hour's offset bars are as short as its sessions need
    kolkata = by_name(asked("session_profile", zone="Asia/Kolkata", days=1, bar="1h"))["2025-11-21", "A"]
    assert (kolkata["status"], kolkata["high"], kolkata["high_time"]) == ("developing", 159.0, ms(30))


def test_a_balance_that_is_not_over_is_not_known_yet() -> None:
    (row,) = rows(asked("session_profile", sessions="X=23:30-01:00", session="X", days=1, date="2025-11-20"))
    assert (row["status"], row["open"], row["ib_high"], row["ib_known"]) == ("developing", 130.0, 159.0, None)
    shorter = asked(
        "session_profile",
        sessions="X=23:30-01:00",
        session="X",
        days=1,
        date="2025-11-20",
        balance_minutes=10,
    )
    (row,) = rows(shorter)
    assert (row["ib_high"], row["ib_low"], row["ib_known"]) == (139.0, 130.0, ms(40))


def test_one_window_instead_of_sessions_is_of_whole_minutes() -> None:
    since = "2025-11-20T23:40:30Z"
    answer = asked("session_profile", since=since, until=ms(49.5), size=10)
    (row,) = rows(answer)
    assert (row["session"], row["since"], row["until"]) == ("window", ms(40), ms(50))
    # minutes 40 to 49
    assert (row["open"], row["close"], row["volume"], row["vwap"]) == (140.0, 149.0, 20.0, 144.5)
    assert (row["poc"], row["high_time"]) == (145.0, ms(45))
    window = answer.meta.window
    assert window is not None and (window.since, window.until) == (ms(40), ms(50))


def test_prices_are_those_of_one_venue_and_amounts_of_all() -> None:
    answer = asked("session_profile", since="-1h", venues=["bybit_futures", "binance_futures"], size=20)
    (row,) = rows(answer)
    assert answer.summary["price_of"] == "binance_futures"
    assert (row["high"], row["volume"]) == (159.0, 180.0)  # bybit's highest was 160


def test_the_bins_of_sessions_are_told_if_asked() -> None:
    answer = asked("session_profile", session="E,day", days=1, date="2025-11-20", levels=True, top=1, size=20)
    found = rows(answer)
    assert [(row["session"], row["price_from"], row["mark"]) for row in found] == [
        ("E", 140.0, "VAH"), ("day", 140.0, "VAH"),
    ]  # fmt: skip
    whole = asked("session_profile", session="E", days=1, date="2025-11-20", levels=True, size=20)
    assert [row["volume"] for row in rows(whole)] == [40.0, 40.0, 40.0]


def test_totals_do_not_depend_on_how_the_profile_is_made() -> None:
    raw, even = (
        by_name(asked("session_profile", mode=mode, venues=["binance_futures", "bybit_futures"]))
        for mode in ("raw", "synthetic")
    )
    names = ("volume", "quote_volume", "delta", "vwap", "open", "high", "low", "close")
    for key, row in raw.items():
        assert [row[name] for name in names] == [even[key][name] for name in names]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"date": "21.11.2025"}, "no date"),
        ({"date": "2025-11-22"}, "has not begun"),
        ({"session": "Z"}, "no session 'Z'"),
        ({"sessions": "A=25:00-26:00"}, "no clock shows"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"until": "now"}, "a window has a begin"),
        ({"since": "now", "until": "-1h"}, "empty"),
        ({"bar": "10s"}, "too short"),
        ({"days": 0}, "days"),
    ],
)
def test_sessions_that_are_none_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        asked("session_profile", **arguments)
    assert caught.value.hint


def test_days_without_data_name_what_there_is() -> None:
    with pytest.raises(NoData) as caught:
        asked("session_profile", date="2025-11-10")
    assert "2025-11-20T23:00:00Z" in caught.value.hint
    with pytest.raises(NoData, match="has begun"):
        asked("session_profile", days=1, session="N")

"""Hearing: silence is told from a sample of frames, without decoding them."""

from hypothesis import given
from hypothesis import strategies as st
from toy_venue import trade

from orderflow.feed.frames import Frame
from orderflow.feed.hearing import SAMPLE, Hearing
from orderflow.market.events import SECOND

BTC, ETH = "btcusdt@aggTrade", "ethusdt@aggTrade"


def said(*payloads: bytes) -> list[Frame]:
    return [Frame("binance_spot", 0, payload) for payload in payloads]


def heard(hearing: Hearing, second: int, *payloads: bytes) -> tuple[list[str], list[str]]:
    if payloads and hearing.wants:
        hearing.listen(said(*payloads))
    return hearing.judge(second * SECOND, spoken=True)


def test_a_channel_is_silent_when_its_patience_is_over_and_speaks_again() -> None:
    hearing = Hearing({BTC: 10, ETH: 10}, 0)
    for second in range(1, 11):
        assert heard(hearing, second, trade("BTCUSDT", second)) == ([], [])
    assert heard(hearing, 11, trade("BTCUSDT", 11)) == ([ETH], [])
    assert heard(hearing, 12, trade("BTCUSDT", 12)) == ([], [])  # said once
    assert hearing.silent == {ETH}
    assert heard(hearing, 13, trade("ETHUSDT", 13)) == ([], [ETH])
    assert hearing.silent == set()


def test_a_channel_that_may_be_silent_is_never_reported() -> None:
    hearing = Hearing({BTC: None}, 0)
    assert not hearing.wants
    assert hearing.judge(10**6 * SECOND, spoken=False) == ([], [])


def test_frames_whose_beginning_names_no_channel_are_not_judged_but_no_frames_at_all_are() -> None:
    assert heard(Hearing({BTC: 10}, 0), 99, b'{"arg":{"channel":"trades"},"data":[]}') == ([], [])
    assert Hearing({BTC: 10}, 0).judge(99 * SECOND, spoken=False) == ([BTC], [])


def test_only_one_burst_between_two_looks_is_sampled_while_nobody_is_suspected() -> None:
    hearing = Hearing({BTC: 10, ETH: 10}, 0)
    heard(hearing, 1, trade("BTCUSDT", 1), trade("ETHUSDT", 1))
    hearing.listen(said(trade("BTCUSDT", 2)))
    assert not hearing.wants
    hearing.judge(6 * SECOND, spoken=True)  # ETH, last heard at 1 s: 5 s are not yet more than half of 10 s
    hearing.listen(said(trade("BTCUSDT", 3)))
    assert not hearing.wants
    hearing.judge(7 * SECOND, spoken=True)
    hearing.listen(said(trade("BTCUSDT", 4)))
    assert hearing.wants  # ETH is suspected: every burst is looked at, and all of it
    hearing.listen(said(trade("ETHUSDT", 5), *[trade("BTCUSDT", 6)] * SAMPLE))
    hearing.judge(8 * SECOND, spoken=True)
    hearing.listen(said(trade("BTCUSDT", 7)))
    assert not hearing.wants


def test_a_channel_that_stops_is_reported_after_one_and_a_half_times_its_patience() -> None:
    hearing = Hearing({BTC: 10, ETH: 10}, 0)
    heard(hearing, 1, trade("BTCUSDT", 1), trade("ETHUSDT", 1))
    told = {second: heard(hearing, second, trade("BTCUSDT", second))[0] for second in range(2, 20)}
    # suspected at 7 s, the first look after 1 + 5 s; silent at the first look after 7 + 10 s
    assert {second: names for second, names in told.items() if names} == {18: [ETH]}


def test_what_was_not_read_was_not_silent() -> None:
    hearing = Hearing({BTC: 10}, 0)
    hearing.deaf(95 * SECOND)
    assert hearing.judge(100 * SECOND, spoken=False) == ([], [])
    assert hearing.judge(106 * SECOND, spoken=False) == ([BTC], [])


@given(st.lists(st.lists(st.sampled_from(["BTCUSDT", "ETHUSDT"]), max_size=150), max_size=60))
def test_whoever_is_called_silent_has_said_nothing_for_its_whole_patience(seconds: list[list[str]]) -> None:
    hearing = Hearing({BTC: 10, ETH: 10}, 0)
    spoke = {BTC: 0, ETH: 0}
    for second, symbols in enumerate(seconds, 1):
        if symbols and hearing.wants:
            hearing.listen(said(*(trade(symbol, second) for symbol in symbols)))
        for symbol in symbols:
            spoke[f"{symbol.lower()}@aggTrade"] = second
        for name in hearing.judge(second * SECOND, spoken=True)[0]:
            assert second - spoke[name] > 10

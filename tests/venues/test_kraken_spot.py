"""Kraken's spot market: what its names mean, and how it says no."""

import pytest

from orderflow.market.errors import VenueChanged
from orderflow.market.events import Ignored
from orderflow.venues.kraken_futures import KRAKEN_FUTURES
from orderflow.venues.kraken_spot import KRAKEN_SPOT
from orderflow.venues.kraken_spot.words import by_rule, coin, native
from orderflow.venues.spec import Memory, answer


@pytest.mark.parametrize(
    ("pair", "symbol"),
    [
        ("XXBTZUSD", "BTCUSD"),
        ("XBTUSDT", "BTCUSDT"),
        ("XBT/USD", "BTCUSD"),
        ("XETHXXBT", "ETHBTC"),
        ("XDGEUR", "DOGEEUR"),
        ("USDTZUSD", "USDTUSD"),
        ("ZETAUSD", "ZETAUSD"),
        ("XTZUSD", "XTZUSD"),
        ("NOPE", "NOPE"),
    ],
)
def test_a_pair_of_which_the_name_alone_is_known_has_a_symbol(pair: str, symbol: str) -> None:
    assert by_rule(pair) == symbol


def test_only_the_oldest_coins_have_a_letter_before_their_names() -> None:
    assert [coin(one) for one in ("XXBT", "XETH", "ZEUR", "XXDG", "XION", "ZORA", "USDT")] == [
        *("BTC", "ETH", "EUR", "DOGE", "XION", "ZORA", "USDT"),
    ]
    assert [native(one) for one in ("BTCUSD", "DOGEUSDT", "WIFUSD")] == ["XBTUSD", "XDGUSDT", "WIFUSD"]


def test_errors_stand_in_a_list_and_warnings_are_none() -> None:
    find = KRAKEN_SPOT.refusals.complaint
    assert find(b'{"error":["EQuery:Unknown asset pair"]}') == (
        "EQuery:Unknown asset pair",
        "EQuery:Unknown asset pair",
    )
    assert find(b'{"error":["WGeneral:Slow","EService:Busy"]}') == ("EService:Busy", "EService:Busy")
    for fine in (b'{"error":[],"result":{}}', b'{"error":["WGeneral:Slow"],"result":{}}', b"<html>"):
        assert find(fine) is None


def test_its_bodies_among_those_of_the_futures_are_of_another_market() -> None:
    for path in ("Ticker?pair=XBTUSD", "AssetPairs", "OHLC?pair=XBTUSD&interval=1"):
        (left,) = answer(KRAKEN_FUTURES, f"https://api.kraken.com/0/public/{path}", b'{"error":[]}', 5)
        assert isinstance(left, Ignored) and left.reason == "another market: Kraken spot"


def test_it_has_no_socket_here() -> None:
    assert not KRAKEN_SPOT.collects and not KRAKEN_SPOT.polls
    with pytest.raises(VenueChanged, match="no socket is known"):
        KRAKEN_SPOT.decode(b"{}", 5, Memory())

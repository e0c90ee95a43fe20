"""Pyth by hand: exponents, seconds, whose feed it is, and its recordings."""

from pathlib import Path

import msgspec
import pytest

from orderflow import venues
from orderflow.feed.recordings import recording
from orderflow.market.errors import VenueChanged
from orderflow.market.events import Control, Event, Instrument, Quote
from orderflow.venues.spec import Memory, answer

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures" / "pyth"
FORM = venues.ALL["pyth"]
HERMES = "https://pyth.dourolabs.app/hermes"
BTC = "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43"


def events(name: str) -> list[Event]:
    found: list[Event] = []
    for batch in recording(CAPTURES / name):
        for one in batch:
            if one.kind == "http":
                found += answer(FORM, one.url, one.payload, one.ts_recv)
    return found


def price(mantissa: str, conf: str, expo: int, id: str = BTC, memory: Memory | None = None) -> Quote:
    said = {"price": mantissa, "conf": conf, "expo": expo, "publish_time": 1_761_380_527}
    frame = msgspec.json.encode({"parsed": [{"id": id, "price": said, "metadata": {"slot": 7}}]})
    (quote,) = FORM.decode(frame, 5, memory or Memory())
    assert isinstance(quote, Quote)
    return quote


def test_a_price_is_an_integer_with_its_own_exponent_and_no_bid_or_ask() -> None:
    # docs, price-feeds/best-practices: price x 10^expo, conf x 10^expo
    one = price("11168649121012", "3107879000", -8)
    assert (one.mid, one.confidence) == (111_686.49121012, 31.07879)
    assert (one.bid, one.ask, one.bid_size, one.ask_size) == (None, None, None, None)
    tiny = price("1250000", "100", -12)
    assert (tiny.mid, tiny.confidence) == (1.25e-06, 1e-10)


def test_the_time_is_in_seconds() -> None:
    one = price("1", "1", 0)
    assert (one.ts_event, one.ts_recv, one.sequence) == (1_761_380_527_000_000_000, 5, 7)


@pytest.mark.parametrize(("mantissa", "expo"), [("1", -41), ("1", 41), ("9" * 40, -8)])
def test_a_number_that_no_price_has_is_not_read(mantissa: str, expo: int) -> None:
    with pytest.raises(VenueChanged, match="none can be"):
        price(mantissa, "1", expo)


def test_the_listing_says_whose_a_feed_is() -> None:
    body = msgspec.json.encode(
        [
            {
                "id": "aa" * 32,
                "attributes": {"symbol": "Crypto.DOGE/USD", "base": "DOGE", "quote_currency": "USD"},
            }
        ]
    )
    (listed,) = answer(FORM, f"{HERMES}/v2/price_feeds?asset_type=crypto", body, 1)
    assert isinstance(listed, Instrument)
    memory = Memory()
    assert price("1", "1", 0, "aa" * 32, memory).symbol == "aa" * 32
    memory.learn(listed)
    assert price("1", "1", 0, "aa" * 32, memory).symbol == "DOGEUSDT"
    assert price("1", "1", 0, BTC, memory).symbol == "BTCUSDT"  # known without a listing
    (channel,) = FORM.channels
    assert FORM.channel_names(channel, "DOGEUSDT", memory) == ["aa" * 32]
    assert FORM.channel_names(channel, "BTCUSDT", Memory()) == [BTC]


def test_the_feeds_stand_in_the_address_with_their_brackets() -> None:
    assert FORM.address is not None
    url = FORM.address("https://a/stream", [BTC, "NOSUCHUSDT"])
    assert url == f"https://a/stream?ids[]={BTC}&parsed=true&ignore_invalid_price_ids=true"


@pytest.mark.parametrize("text", [b"Connection timeout reached (24h)", b"Slow consumer: disconnected"])
def test_the_text_before_the_end_asks_for_a_replacement(text: bytes) -> None:
    (said,) = FORM.decode(text, 1, Memory())
    assert isinstance(said, Control) and (said.kind, said.message) == ("closing", text.decode())


def test_another_text_is_not_understood() -> None:
    with pytest.raises(msgspec.DecodeError):
        FORM.decode(b"Something else happened", 1, Memory())


def test_without_a_key_it_says_why_and_with_one_it_sends_it() -> None:
    assert FORM.lacks_key(None) and not FORM.lacks_key("secret")
    assert FORM.key is not None and "26 Aug 2026" in FORM.key.required
    assert FORM.with_key("secret").headers == {"Authorization": "Bearer secret"}
    assert FORM.with_key(None) is FORM


def test_a_recorded_event_of_the_stream_is_read() -> None:
    (one,) = events("blp_20241231_hermes_sse.jsonl")
    assert isinstance(one, Quote)
    assert (one.symbol, one.ts_event) == ("BTCUSDT", 1_735_645_930 * 10**9)
    assert one.mid is not None and one.confidence is not None
    assert one.sequence is not None


def test_the_recorded_prices_by_hand() -> None:
    found = [one for one in events("indexexcerpts_2026_frames.jsonl") if isinstance(one, Quote)]
    # 11168649121012 x 10^-8, 9641980806249 x 10^-8, 183487211 x 10^-8
    assert [found[0].mid, found[1].mid, found[3].mid] == [111_686.49121012, 96_419.80806249, 1.83487211]
    assert [one.symbol for one in found[:3]] == ["BTCUSDT", "BTCUSDT", "ETHUSDT"]
    assert found[3].symbol.startswith("c415de8d")  # a feed that only a listing names
    assert found[3].confidence == 0.00211694

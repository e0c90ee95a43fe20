"""What a decoder remembers of listings: read again for a year, it does not grow with what has expired."""

from orderflow.market.events import Instrument
from orderflow.venues.spec import Memory


def listed(native: str, trading: bool = True) -> Instrument:
    return Instrument("deribit_options", "BTCUSDT", 0, 0, native, "option", "BTC", "USD", "open", trading)


def test_what_two_listings_leave_out_is_forgotten_with_its_states() -> None:
    memory = Memory()
    memory.relist([listed("BTC-1JAN27-90000-C"), listed("BTC-PERPETUAL")])
    memory.states["bar BTC-1JAN27-90000-C 1"] = [1]
    memory.states["bar BTC-PERPETUAL 1"] = [2]
    memory.states["ticker.BTC-1JAN27-90000-C.raw"] = [3]
    memory.relist([listed("BTC-PERPETUAL")])
    # a frame that was under way when it expired is still read, and nobody subscribes to it
    assert memory.contracts["BTC-1JAN27-90000-C"].trading is False
    assert memory.natives("BTCUSDT") == ["BTC-PERPETUAL"]
    assert len(memory.states) == 3
    memory.relist([listed("BTC-PERPETUAL")])
    assert list(memory.contracts) == ["BTC-PERPETUAL"]
    assert memory.states == {"bar BTC-PERPETUAL 1": [2]}


def test_what_is_halted_for_a_while_stays_and_comes_back() -> None:
    memory = Memory()
    for trading in (True, False, False, False):
        memory.relist([listed("BTC-PERPETUAL", trading)])
        assert memory.natives("BTCUSDT") == (["BTC-PERPETUAL"] if trading else [])
    memory.relist([])  # left out while halted: forgotten at once, and learnt again
    memory.relist([listed("BTC-PERPETUAL")])
    assert memory.natives("BTCUSDT") == ["BTC-PERPETUAL"]


def test_a_year_of_daily_options_is_as_large_as_a_week() -> None:
    memory = Memory()
    for day in range(365):
        alive = [listed(f"BTC-{expiry}-90000-C") for expiry in range(day, day + 7)]
        memory.relist(alive)
        for one in alive:
            memory.states[f"bar {one.native} 1"] = [day]
    assert len(memory.contracts) == 8 and len(memory.states) == 8  # seven alive, one that has just expired

"""Simulated Pyth: events and REST behind a key, heard by our own feed and decoder."""

import asyncio

import pytest

from orderflow.feed.rest import Rest
from orderflow.market.errors import KeyRefused
from orderflow.market.events import Quote
from orderflow.sim import Simulation
from orderflow.venues import ALL
from orderflow.venues.spec import Hosts, answer
from tests.sim.heard import Heard, hear

VENUE = "pyth"
SYMBOLS = ("BTCUSDT", "ARUSDT")


def test_prices_come_with_a_key_and_are_those_of_the_market() -> None:
    def enough(heard: Heard) -> bool:
        return all(sum(one.symbol == symbol for one in heard.of(Quote)) >= 3 for symbol in SYMBOLS)

    heard = hear(VENUE, SYMBOLS, enough, key="any")
    assert heard.pipeline.tally.unknown == {}
    assert heard.gaps == []
    for symbol in SYMBOLS:
        quotes = [one for one in heard.of(Quote) if one.symbol == symbol]
        assert [one.sequence for one in quotes] == sorted({one.sequence or 0 for one in quotes})
        last = quotes[-1]
        assert last.mid is not None
        assert last.mid == pytest.approx(heard.simulation.markets[symbol].price, rel=0.01)
        assert last.confidence == pytest.approx(last.mid * 0.0003, rel=1e-3)
        assert (last.bid, last.ask) == (None, None)
        assert last.ts_event is not None and last.ts_event % 1_000_000_000 == 0


def test_without_a_key_nothing_is_asked_and_the_reason_is_said() -> None:
    async def story() -> Heard:
        simulation = Simulation(("BTCUSDT",), venues=(VENUE,))
        await simulation.start()
        heard = Heard(VENUE, ["BTCUSDT"], simulation, None)
        await heard.feed.run()
        await simulation.stop()
        return heard

    heard = asyncio.run(story())
    assert heard.feed.health.state == "disabled"
    assert "PYTH_API_KEY" in heard.feed.health.error
    assert heard.feed.rest.health.requests == 0


def test_rest_without_a_key_is_refused_and_with_one_answers() -> None:
    async def story() -> None:
        simulation = Simulation(SYMBOLS, venues=(VENUE,))
        await simulation.start()
        hosts = Hosts(**simulation.hosts(VENUE))
        bare, keyed = Rest(ALL[VENUE], hosts), Rest(ALL[VENUE].with_key("any"), hosts)
        try:
            with pytest.raises(KeyRefused, match="401"):
                await bare.request("instruments")
            listing = await keyed.request("instruments")
            listed = answer(ALL[VENUE], listing.url, listing.payload, 1)
            assert {one.symbol for one in listed} > {*SYMBOLS}
            latest = await keyed.request("latest", **{"ids[]": ALL[VENUE].native("ARUSDT")})
            price, _ = answer(ALL[VENUE], latest.url, latest.payload, 1)
            assert isinstance(price, Quote) and price.symbol == "ARUSDT" and price.mid is not None
        finally:
            await bare.close()
            await keyed.close()
            await simulation.stop()

    asyncio.run(story())


def test_the_text_before_a_planned_end_brings_a_replacement() -> None:
    rotated: list[int] = []

    def enough(heard: Heard) -> bool:
        if heard.of(Quote) and not rotated:
            heard.simulation.faults.shutdown(VENUE)
            rotated.append(len(heard.of(Quote)))
        health = heard.feed.health.connections
        return (
            bool(health)
            and health[0].rotations + health[0].reconnects > 0
            and len(heard.of(Quote)) > rotated[0] + 2
        )

    heard = hear(VENUE, ["BTCUSDT"], enough, key="any")
    assert heard.pipeline.tally.ignored["about the connection: closing"] == 1
    assert heard.pipeline.tally.unknown == {}

"""What is promised of each venue, with all of them collected at once: nonsense from one never stops another."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from orderflow import venues
from orderflow.market.instruments import COLLECTED
from tests.system.product import Collector, Product, Simulator, until

EVERY = ",".join(COLLECTED)
SPEAKING = [name for name, venue in venues.ALL.items() if venue.channels]  # the others are asked, rarely


class Scene:
    """A simulator of all venues, and a collector that hears them."""

    def __init__(self, simulator: Simulator, collector: Collector) -> None:
        self.simulator, self.collector = simulator, collector
        self._connection = collector.attached()

    def rows(self) -> Counter[str]:
        """Return how many rows each venue has, in the tables that fill by the second."""
        found: Counter[str] = Counter()
        for table in ("trades", "prices", "orderbooks", "mark_prices", "index_prices", "options"):
            sql = f"SELECT venue, count(*) FROM served.{table} GROUP BY venue"
            for venue, count in self._connection.execute(sql).fetchall():
                found[venue] += count
        return found

    def health(self) -> dict[str, dict[str, Any]]:
        return self.collector.health()["venues"]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def scene(shared_product: Product) -> Iterator[Scene]:
    simulator = shared_product.simulator("BTCUSDT", rate=4, venues=EVERY)
    collector = shared_product.collector(simulator, symbols="BTCUSDT", venues=EVERY, PYTH_API_KEY="simulated")
    one = Scene(simulator, collector)
    until(lambda: set(one.rows()) >= set(SPEAKING), "rows of every venue", patience_s=100)
    until(lambda: one.collector.health()["status"] == "healthy", "every venue is well")
    try:
        yield one
    finally:
        one.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("venue", SPEAKING)
def test_nonsense_from_a_venue_is_counted_there_and_no_other_notices(scene: Scene, venue: str) -> None:
    before, rows = scene.health(), scene.rows()
    fault = scene.simulator.fault("nonsense", venue, stream="*", words="wrong_shape", count=3)
    until(lambda: scene.simulator.told(fault)["over"], "it was said")
    until(
        lambda: scene.health()[venue]["unreadable_frames"] >= before[venue]["unreadable_frames"] + 3,
        "it was not understood",
    )
    until(lambda: set(scene.rows() - rows) >= set(SPEAKING), "all go on, it too")
    for name, one in scene.health().items():
        assert one["reconnects"] == before[name]["reconnects"], name
        if name != venue:
            assert one["unreadable_frames"] == before[name]["unreadable_frames"], name

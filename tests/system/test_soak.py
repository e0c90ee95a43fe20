"""The soak, short: every simulated venue at once under faults, the collector killed once, all of it checked."""

from pathlib import Path

import pytest

from orderflow.market.instruments import COLLECTED
from tests.system.soak import soak


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_minute_of_faults_and_a_kill_keep_every_promise_on_every_venue(tmp_path: Path) -> None:
    report = soak(tmp_path, minutes=1, rate=3, kills=1, seed=20261121, symbols="BTCUSDT,ETHUSDT")
    # It asserts what is promised; here only that each promise was put to the test.
    assert set(report["health_at_the_end"]) == set(COLLECTED)
    assert sum(report["faults"].values()) > 5 and report["gaps"] > 0
    assert report["streams_compared"] > 4 * len(COLLECTED)
    assert report["trades_stored"] > 1000 and report["trades_missing_in_gaps"] > 0

"""A lake answers as a file does: of the reader's own tests one of each kind, asked of a lake."""

from collections.abc import Iterator

import pytest

from orderflow.store import lake
from orderflow.store.reader import Reader
from tests.store.conftest import Filled
from tests.store.test_reader import (  # noqa: F401 - collected here, and asked again
    filled,
    test_a_checksum_sees_each_value_and_no_order,
    test_a_limit_keeps_the_last_rows_and_says_that_there_are_more,
    test_a_symbol_that_was_added_meanwhile_is_known_at_once,
    test_a_window_of_any_stream_has_all_its_columns_and_tells_the_unknown,
    test_coverage_is_what_runs_heard_less_the_gaps,
    test_gaps_reach_into_a_window,
    test_instruments_are_those_last_read,
    test_latest_funding_carries_its_times_in_nanoseconds,
    test_recent_trades_are_events_with_the_oldest_first,
    test_series_tell_their_rows_and_range,
    test_the_latest_quote_is_of_each_venue_and_symbol,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("lake")
    address = lake.Lake(str(folder / "market.ducklake"), str(folder / "rows"))
    made = Filled(folder / "market", connection=lake.open_for_writing(address))
    yield made
    made.connection.close()


@pytest.fixture
def reader(emptied: Filled) -> Reader:
    return Reader(emptied.connection)

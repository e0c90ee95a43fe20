"""The contract of every venue's form and of every stream's declaration, whoever adds the next one."""

import pkgutil
import re
import string
from collections import Counter
from importlib import import_module
from urllib.parse import urlsplit

import msgspec
import pytest

from orderflow import venues
from orderflow.market.errors import UnsupportedByVenue
from orderflow.market.events import BookTop
from orderflow.market.instruments import MARKETS, SYMBOLS
from orderflow.market.streams import KEPT, SHARED, STREAMS, Stream
from orderflow.venues.spec import BookRule, Venue

EVERY_VENUE = pytest.mark.parametrize("venue", venues.ALL.values(), ids=lambda venue: venue.name)
EVERY_STREAM = pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda stream: stream.name)
DERIVED = {stream.name for stream in STREAMS.values() if stream.derived_from}


def test_every_form_that_is_written_is_listed_under_its_name() -> None:
    written: dict[str, Venue] = {}
    for module in pkgutil.iter_modules(venues.__path__):
        found = import_module(f"orderflow.venues.{module.name}")
        written |= {one.name: one for one in vars(found).values() if isinstance(one, Venue)}
    assert written == venues.ALL
    assert all(name in MARKETS for name in written)


@EVERY_VENUE
def test_what_is_asked_of_a_venue_feeds_the_streams_that_its_market_has_and_no_others(venue: Venue) -> None:
    fed = {stream for one in (*venue.channels_for(), *venue.polls) for stream in one.streams}
    assert fed == set(venue.market.streams) - DERIVED
    assert {stream for one in venue.channels for stream in one.streams} <= set(STREAMS)
    assert set(venue.notes) <= set(venue.market.streams)


@EVERY_VENUE
def test_a_market_that_derives_a_stream_has_the_one_that_it_is_taken_from(venue: Venue) -> None:
    for name in DERIVED & set(venue.market.streams):
        assert STREAMS[name].derived_from in venue.market.streams


@EVERY_VENUE
def test_each_channel_has_a_name_of_its_own_on_a_route_that_there_is(venue: Venue) -> None:
    assert max(Counter(one.name for one in venue.channels).values()) == 1
    assert {one.route for one in venue.channels} <= set(venue.hosts.ws)
    names = [venue.channel_name(channel, symbol) for channel in venue.channels for symbol in SYMBOLS]
    assert max(Counter(names).values()) == 1
    for channel in venue.channels:
        fields = {field for _, field, _, _ in string.Formatter().parse(channel.template) if field is not None}
        assert fields and fields <= {"symbol", "lower"}
        assert channel.silent_after_s is None or channel.silent_after_s > 0


@EVERY_VENUE
def test_each_endpoint_has_a_name_and_a_path_of_its_own(venue: Venue) -> None:
    for what in ("name", "path"):
        counted = Counter(getattr(one, what) for one in venue.endpoints)
        assert [one for one, count in counted.items() if count > 1] == []
    for one in venue.endpoints:
        assert one.path.startswith("/")
        # an answer is recognised by the end of its path, the first that fits
        assert [other.path for other in venue.endpoints if one.path.endswith(other.path)] == [one.path]
        assert not set(one.params) & set(one.needs)
        assert one.weight > 0 and one.cache_s >= 0


@EVERY_VENUE
def test_what_a_form_names_is_there(venue: Venue) -> None:
    for name in (venue.snapshot, venue.listing, *(poll.endpoint for poll in venue.polls)):
        if name is not None:
            assert venue.endpoint(name).name == name
    buckets = [one.name for one in venue.buckets]
    assert len(buckets) == len(set(buckets))
    assert {one.bucket for one in venue.endpoints} <= set(buckets)
    with pytest.raises(UnsupportedByVenue, match="no endpoint 'nowhere'"):
        venue.endpoint("nowhere")


@EVERY_VENUE
def test_a_poll_for_each_symbol_asks_an_endpoint_that_needs_one_and_no_other_does(venue: Venue) -> None:
    for poll in venue.polls:
        assert ("symbol" in venue.endpoint(poll.endpoint).needs) == poll.per_symbol
        assert poll.every_s > 0


@EVERY_VENUE
def test_a_book_of_diffs_has_a_snapshot_to_join(venue: Venue) -> None:
    assert (venue.snapshot is not None) == (venue.book is not BookRule.SNAPSHOTS)
    assert venue.snapshot is None or "symbol" in venue.endpoint(venue.snapshot).needs


@EVERY_VENUE
def test_limits_and_allowances_are_positive(venue: Venue) -> None:
    for value in msgspec.structs.asdict(venue.limits).values():
        assert value is None or value > 0
    for bucket in venue.buckets:
        assert bucket.limit > 0 and bucket.per_s > 0
        heaviest = max((one.weight for one in venue.endpoints if one.bucket == bucket.name), default=0)
        assert heaviest <= bucket.limit
    refusals = venue.refusals
    statuses = [*refusals.limited, *refusals.banned, *refusals.blocked, *refusals.retry]
    assert len(statuses) == len(set(statuses))
    assert all(400 <= one < 600 for one in statuses)
    assert venue.snapshot_interval_s > 0 and venue.taker_fee_bps >= 0


@EVERY_VENUE
def test_addresses_are_encrypted_and_documented(venue: Venue) -> None:
    assert {urlsplit(one).scheme for one in (venue.docs, venue.hosts.rest)} == {"https"}
    assert {urlsplit(one).scheme for one in venue.hosts.ws.values()} == {"wss"}
    assert not venue.hosts.rest.endswith("/")


@EVERY_VENUE
def test_a_subscription_names_what_is_asked_and_can_be_taken_back(venue: Venue) -> None:
    names = [venue.channel_name(channel, "BTCUSDT") for channel in venue.channels]
    asked, undone = venue.subscribe(names, 7), venue.unsubscribe(names, 7)
    assert asked != undone
    for one in (asked, undone):
        assert all(name.encode() in one for name in names)


@EVERY_STREAM
def test_a_streams_keys_are_columns_of_it(stream: Stream) -> None:
    own = {column.name for column in stream.columns}
    assert set(stream.key) | set(stream.otherwise) <= own | {"timestamp"}
    assert stream.order in own | {"timestamp"}
    assert stream.key


@EVERY_STREAM
def test_each_column_is_explained_and_numbers_have_units(stream: Stream) -> None:
    columns = (*SHARED, *stream.columns)
    assert max(Counter(column.name for column in columns).values()) == 1
    assert stream.doc
    for column in stream.columns:
        assert column.doc
        assert bool(column.field) != bool(column.sql)
        if column.type == "TIMESTAMP":
            assert column.unit == "UTC"
        if column.type == "DOUBLE" and column.name not in ("delta", "gamma", "vega", "theta", "rho", "value"):
            assert column.unit


@EVERY_STREAM
def test_each_column_is_a_field_of_its_event(stream: Stream) -> None:
    if stream.event is None:
        assert STREAMS[stream.derived_from].event is not None
        return
    assert KEPT[stream.event] is stream
    fields = {field.name for field in msgspec.structs.fields(stream.event)}
    assert {column.field for column in stream.packed} <= fields
    shared = {"venue", "symbol", "ts_event", "ts_recv"}
    # a bundle and a fill are told apart by their times, so a trade's `merged` has no column
    assert fields - shared - {column.field for column in stream.packed} <= {"merged"}
    if stream.event is BookTop:
        assert sum(column.field == "levels" for column in stream.columns) == 40


@pytest.mark.parametrize("venue", venues.ALL.values(), ids=list(venues.ALL))
def test_a_fee_says_where_it_is_from_and_when(venue: Venue) -> None:
    assert venue.taker_fee_bps >= 0
    assert re.search(r"\b20\d\d\b", venue.taker_fee_source), venue.taker_fee_source

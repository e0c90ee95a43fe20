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
from orderflow.venues.spec import BookRule, Memory, Venue, path_pattern

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
    assert fed == set(venue.market.streams) - DERIVED - set(venue.cannot)
    assert set(venue.cannot) <= set(venue.market.streams)
    assert {stream for one in venue.channels for stream in one.streams} <= set(STREAMS)
    assert set(venue.notes) <= set(venue.market.streams)


@EVERY_VENUE
def test_a_market_that_derives_a_stream_has_the_one_that_it_is_taken_from(venue: Venue) -> None:
    for name in DERIVED & set(venue.market.streams):
        assert STREAMS[name].derived_from in venue.market.streams


@EVERY_VENUE
def test_each_channel_has_a_name_of_its_own_on_a_route_that_there_is(venue: Venue) -> None:
    assert max(Counter(one.name for one in venue.channels).values(), default=1) == 1
    assert {one.route for one in venue.channels} <= set(venue.hosts.ws)
    words = venue.words(venue.native("BTCUSDT"))
    for route in venue.hosts.ws:
        names = {
            (channel.name, name)
            for channel in venue.channels
            for symbol in SYMBOLS
            if channel.route == route
            for name in venue.channel_names(channel, symbol, Memory())
        }
        assert max(Counter(name for _, name in names).values(), default=1) == 1
    for channel in venue.channels:
        fields = {field for _, field, _, _ in string.Formatter().parse(channel.template) if field is not None}
        assert fields <= set(words)
        assert channel.silent_after_s is None or channel.silent_after_s > 0


@EVERY_VENUE
def test_each_endpoint_has_a_name_and_a_path_of_its_own(venue: Venue) -> None:
    assert max(Counter(one.name for one in venue.endpoints).values()) == 1
    for one in venue.endpoints:
        assert one.path.startswith("/")
        # an answer is recognised by the end of its path and by `when`, the first that fits
        path = re.sub(r"\{(\w+)\}", r"<\1>", one.path)
        found = [
            other
            for other in venue.endpoints
            if path_pattern(other.path).search(path) and other.when.items() <= one.when.items()
        ]
        assert found[0] is one
        assert set(one.of_symbol) & set(one.needs) or not one.needs or "symbol" not in one.needs
        assert set(re.findall(r"\{(\w+)\}", one.path)) <= set(one.needs) | set(one.params)
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
        endpoint = venue.endpoint(poll.endpoint)
        assert bool(set(endpoint.of_symbol) & set(endpoint.needs)) == poll.per_symbol
        assert poll.every_s > 0


@EVERY_VENUE
def test_a_book_of_diffs_has_a_snapshot_to_join(venue: Venue) -> None:
    if venue.book is BookRule.PREVIOUS_ID:
        assert venue.snapshot is not None
    if venue.snapshot is not None:
        endpoint = venue.endpoint(venue.snapshot)
        assert set(endpoint.of_symbol) & set(endpoint.needs)


@EVERY_VENUE
def test_limits_and_allowances_are_positive(venue: Venue) -> None:
    for value in msgspec.structs.asdict(venue.limits).values():
        assert value is None or value > 0 or value is False
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
    assert {urlsplit(one).scheme for one in venue.hosts.ws.values()} <= {"wss", "https"}
    assert {urlsplit(one).scheme for one in venue.hosts.more.values()} <= {"https"}
    assert not venue.hosts.rest.endswith("/")


@EVERY_VENUE
def test_a_subscription_names_what_is_asked_and_can_be_taken_back(venue: Venue) -> None:
    if venue.address is not None or not venue.channels:
        return  # its names go into the address, or it has no socket
    for channel in venue.channels:
        names = venue.channel_names(channel, "BTCUSDT", Memory())
        asked, undone = venue.subscribe(names, 7), venue.unsubscribe(names, 7)
        assert asked and undone and asked != undone
        for word in string.Formatter().parse(channel.template):
            said = venue.words(venue.native("BTCUSDT")).get(word[1] or "", "")
            assert said.encode() in asked and said.encode() in undone


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
    assert fields - shared - {column.field for column in stream.packed} <= {"merged", "sequence"}
    if stream.event is BookTop:
        assert sum(column.field == "levels" for column in stream.columns) == 40


@pytest.mark.parametrize("venue", venues.ALL.values(), ids=list(venues.ALL))
def test_a_fee_says_where_it_is_from_and_when(venue: Venue) -> None:
    assert venue.taker_fee_bps >= 0
    assert re.search(r"\b20\d\d\b", venue.taker_fee_source), venue.taker_fee_source

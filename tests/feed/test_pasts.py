"""Pasts: what a simulated venue answers of the past is row for row what it sent live, however it pages."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import duckdb
import httpx
import msgspec
import pytest

from orderflow.feed.asking import understood
from orderflow.feed.history import Asked, pages, when
from orderflow.feed.rest import Rest
from orderflow.market.events import DAY, MINUTE, MS, SECOND, Candle, Event, Instrument, Nanos
from orderflow.market.streams import STREAMS
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Question, Refusal
from orderflow.sim.protocols import FORMS
from orderflow.store import runs, tables
from orderflow.store.writer import Batch, Writer
from orderflow.venues import ALL
from orderflow.venues.spec import History, Hosts, Memory, Venue, path_pattern

BTC = "BTCUSDT"
START_MS = 1_795_000_020_000  # 20 s before a full minute
SHORT_S = 15  # of three bars, so that two are whole
SETTLED_MS = 2_000  # what is gathered before it is sent has been sent after so long
VENUES = [name for name, venue in ALL.items() if venue.history]
WHOLE = [(name, one.stream) for name in VENUES for one in ALL[name].history if not one.lacks]
PARTIAL = [(name, one.stream) for name in VENUES for one in ALL[name].history if one.lacks]
# Told about once a second, so that what was heard of a bar may lack its last trades; the bar is the same.
UNFINISHED = {("coinbase_spot", "candles"): '"interval", open_time'}
COLUMNS = {
    "trades": "trade_id, epoch_ms(timestamp), price, quantity, is_buyer_maker",
    "candles": '"interval", open_time, open, high, low, close, volume, closed',
}

# ── A simulated venue without sockets, in a time of its own ───────────────────────────────────


class Client:
    """A connection as the simulated venue sees it, which notes what was subscribed."""

    def __init__(
        self, form: Form, route: str, markets: Mapping[str, Market], headers: dict[str, str]
    ) -> None:
        self.form, self.route, self.markets, self.headers = form, route, markets, headers
        self.venue, self.number, self.memory = form.name, 1, dict[str, Any]()
        self.opened_ms = self.now_ms = START_MS
        self.subscribed: list[str] = []

    def carries(self, stream: str) -> bool:
        return self.form.route_of(stream, self.markets) == self.route

    def subscribe(self, streams: Sequence[str]) -> None:
        self.subscribed += streams

    def unsubscribe(self, streams: Sequence[str]) -> None:
        self.subscribed = [one for one in self.subscribed if one not in streams]

    def hang_up(self, code: int | None = None, reason: str = "") -> None:
        raise AssertionError(f"hung up: {code} {reason}")


class World:
    """One coin on one venue: what our decoder makes of its streams, and its REST behind a transport."""

    def __init__(self, name: str) -> None:
        self.form, self.now_ms = FORMS[name], START_MS
        self.venue: Venue = msgspec.structs.replace(ALL[name], buckets=())  # nothing waits in this time
        self.markets = {BTC: Market(BTC, {name: self.form.place}, seed=7, rate=8.0, now_ms=START_MS)}
        self.streams = self.form.streams(name, self.markets[BTC])
        self.wide = self.form.market_wide(name, self.markets)
        self.memory = Memory()
        self.live: list[Event] = []

    def rest(self) -> Rest:
        more = {name: f"http://venue.test{path}" for name, path in self.form.more.items()}
        return Rest(
            self.venue,
            Hosts("http://venue.test", {}, more),
            clock=lambda: self.now_ms * MS,
            transport=httpx.MockTransport(self._answer),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = msgspec.json.decode(request.content) if request.content else None
        texts = {key: value for key, value in (body or {}).items() if isinstance(value, str)}
        for endpoint in sorted(self.form.endpoints, key=lambda one: "{" in one.path):
            named = path_pattern(endpoint.path).match(request.url.path)
            if named is None or endpoint.method != request.method:
                continue
            question = Question(
                venue=self.form.name,
                markets=self.markets,
                place=self.form.place,
                params={**dict(request.url.params), **texts, **named.groupdict()},
                now_ms=self.now_ms,
                body=body,
                headers=dict(request.headers),
                wide=self.wide,
            )
            try:
                return httpx.Response(200, content=msgspec.json.encode(endpoint.answer(question)))
            except Refusal as refused:
                return httpx.Response(refused.status, content=msgspec.json.encode(refused.body))
        raise AssertionError(f"the simulated {self.form.name} has no {request.method} {request.url}")

    async def play(self) -> None:
        """Listen to all that has a past for some minutes."""
        rest = self.rest()
        try:
            await self._learn(rest)
            wanted = self._wanted()
            bar = max(one.step or MINUTE for one in self.venue.history)
            for step in range((3 * bar // SECOND - SHORT_S) * 5):
                self.now_ms += 200
                for happenings in self.markets[BTC].step(self.now_ms).values():
                    self._hear(self.streams.frames(happenings, self.now_ms, wanted), wanted)
                self._hear(self.wide.frames((), self.now_ms, wanted), wanted)
                if step % 300 == 299:
                    await self._poll(rest)
            await self._poll(rest)
        finally:
            await rest.close()

    async def _learn(self, rest: Rest) -> None:
        if self.venue.listing is not None:
            for one in understood(self.venue, await rest.fresh(self.venue.listing)):
                if isinstance(one, Instrument):
                    self.memory.learn(one)

    def _wanted(self) -> list[str]:
        wanted: list[str] = []
        headers = {name.lower(): value for name, value in self.venue.headers.items()}
        for channel in self.venue.channels_for([one.stream for one in self.venue.history]):
            client = Client(self.form, channel.route, self.markets, headers)
            for name in self.venue.channel_names(channel, BTC, self.memory)[:200]:
                said = self.venue.subscribe([name], 1).decode()
                self.form.control(client, said, self.form.limits)
            wanted += client.subscribed
        assert wanted
        for stream in wanted:
            for one in (self.streams, self.wide):
                opening = one.opening(stream, self.now_ms)
                self._hear([*opening.closing, *opening.frames], wanted)
        return wanted

    def _hear(self, frames: Sequence[Any], wanted: Sequence[str]) -> None:
        for frame in frames:
            if frame.stream in wanted:
                self.live += self.venue.decode(frame.payload, self.now_ms * MS, self.memory)

    async def _poll(self, rest: Rest) -> None:
        mine = {one.stream for one in self.venue.history}
        for poll in self.venue.polls:
            if mine & set(poll.streams):
                endpoint = self.venue.endpoint(poll.endpoint)
                params = self.venue.params_of(endpoint, BTC, self.memory) if poll.per_symbol else {}
                frame = await rest.fresh(poll.endpoint, **params)
                self.live += understood(self.venue, frame, self.memory)

    def heard(self, stream: str, until: Nanos) -> list[Event]:
        found = [one for one in self.live if type(one) is STREAMS[stream].event and one.symbol == BTC]
        return [one for one in found if START_MS * MS <= when(one) <= until]

    async def past(self, form: History, since: Nanos, until: Nanos) -> list[Event]:
        rest, found = self.rest(), list[Event]()
        asked = 0
        try:
            async for page in pages(rest, form, Asked(BTC, since, until), self.memory):
                found += page.events
                asked += 1
                assert asked < 500, "it asks without end"
        finally:
            await rest.close()
        return found


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {}


def world(worlds: dict[str, World], name: str) -> World:
    """The venue after some minutes, played once for all tests."""
    if name not in worlds:
        worlds[name] = World(name)
        asyncio.run(worlds[name].play())
    return worlds[name]


def form_of(one: World, stream: str) -> History:
    found = one.venue.history_of(stream)
    assert found is not None
    return found


def stored(name: str, stream: str, *batches: Sequence[Event]) -> list[tuple[Any, ...]]:
    """Return what a database holds after the batches, without bars that still change."""
    with duckdb.connect() as connection:
        tables.create(connection, [BTC])
        writer = Writer(connection, None)
        run = runs.begin(connection, "simulated", "played", started=START_MS * MS)
        for events in batches:
            kept = [one for one in events if not (isinstance(one, Candle) and not one.closed)]
            writer.write(Batch({(name, stream): kept}, [], [], []), run)
        columns = UNFINISHED.get((name, stream), COLUMNS[stream])
        return connection.execute(f"SELECT {columns} FROM {stream} ORDER BY ALL").fetchall()


# ── What is asked is what was heard ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "stream"), WHOLE, ids=[" ".join(one) for one in WHOLE])
def test_rows_of_the_past_are_those_that_were_heard_and_none_is_there_twice(
    worlds: dict[str, World], name: str, stream: str
) -> None:
    one = world(worlds, name)
    until = (one.now_ms - SETTLED_MS) * MS
    heard = one.heard(stream, until)
    past = asyncio.run(one.past(form_of(one, stream), START_MS * MS, until))
    truth = stored(name, stream, heard)
    assert len(truth) >= (2 if stream == "candles" else 20)
    if stream == "candles":  # the minute in which it began was heard as well
        past = [bar for bar in past if when(bar) >= START_MS * MS]
    assert stored(name, stream, past) == truth
    assert stored(name, stream, heard[::2], past) == truth  # a hole is filled


@pytest.mark.parametrize("name", [name for name, stream in WHOLE if stream == "candles"])
def test_two_days_of_bars_come_without_a_hole(worlds: dict[str, World], name: str) -> None:
    one = world(worlds, name)
    until = one.now_ms * MS
    since = until - 2 * DAY
    bars = asyncio.run(one.past(form_of(one, "candles"), since, until))
    opened = {when(bar) for bar in bars}
    width = form_of(one, "candles").step or MINUTE
    assert opened == set(range(since - since % width, until + 1, width))


@pytest.mark.parametrize(("name", "stream"), PARTIAL, ids=[" ".join(one) for one in PARTIAL])
def test_a_coarser_past_has_its_own_rows_in_the_window_and_no_hole(
    worlds: dict[str, World], name: str, stream: str
) -> None:
    one = world(worlds, name)
    form, until = form_of(one, stream), one.now_ms * MS
    since = until - 2 * DAY
    times = sorted({when(row) for row in asyncio.run(one.past(form, since, until))})
    assert since - (form.step or 0) < times[0] and times[-1] <= until
    apart = {later - time for time, later in pairwise(times)}
    assert len(times) >= 5 and len(apart) == 1

"""What the engine promises to the forms, seen through a toy venue that uses every hook."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.sim import FORMS, Simulation
from orderflow.sim.connections import Connection
from orderflow.sim.gathering import DiffStream
from orderflow.sim.happenings import BookChanged
from orderflow.sim.listings import Listing, Names, Place, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Limits
from orderflow.sim.running import Running
from tests.sim.toy_exchange import BACKLOG, LISTINGS, NAMES, TOP, TOY, SymbolStreams

START_MS = 1_795_000_000_000
BOOK, TRADES, XBT = "book.XBT-PERP", "trades.XBT-PERP", "XBT-PERP"
Scene = Callable[[Simulation, ClientSession], Awaitable[None]]
Json = dict[str, Any]


# ── By hand: the venue without a socket and without a clock ───────────────────────────────────


class Pipe:
    """Takes the place of a transport, and reads the server's frames as they come."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> None:
        self._bytes += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def taken(self) -> list[Json]:
        found: list[Json] = []
        while self._bytes:
            size, at = self._bytes[1], 2
            if size > 125:
                at = 4 if size == 126 else 10
                size = int.from_bytes(self._bytes[2:at], "big")
            found.append(json.loads(self._bytes[at : at + size]))
            del self._bytes[: at + size]
        return found


class Hand:
    """The toy venue, stepped by hand; clients are pipes."""

    def __init__(self, seed: int = 7, form: Form = TOY, rate: float = 60.0) -> None:
        self.simulation = Simulation(("BTCUSDT",), seed=seed, rate=rate, forms={form.name: form})
        self.venue: Running = self.simulation._venues[form.name]
        self.now_ms = self.simulation.markets["BTCUSDT"]._now_ms

    def client(self, route: str = "plain") -> tuple[Connection, Pipe]:
        pipe = Pipe()
        connection = Connection(pipe, self.venue.hub, route)  # type: ignore[arg-type]
        self.venue.hub.join(connection)
        return connection, pipe

    def say(self, connection: Connection, text: str) -> None:
        self.venue.reply(connection, TOY.control(connection, text, self.venue.limits))

    def subscribe(self, connection: Connection, *streams: str, op: str = "subscribe") -> None:
        self.say(connection, json.dumps({"op": op, "args": streams}))

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.now_ms += 20
            self.simulation._step(self.now_ms)
            self.venue.hub.flush(10**9)


def applied(book: dict[str, dict[str, str]], last: int, frames: list[Json], most: int | None = None) -> int:
    """A strict client of the toy: a snapshot replaces all, an update must follow on the id before."""
    for frame in frames:
        if frame["type"] == "snapshot":
            for side in ("bids", "asks"):
                book[side] = dict(frame[side])
        else:
            assert frame["prev"] == last
            for side in ("bids", "asks"):
                for price, size in frame[side]:
                    if float(size) == 0:
                        book[side].pop(price, None)
                    else:
                        book[side][price] = size
                assert most is None or len(book[side]) == most
        last = frame["id"]
    return last


def books(frames: list[Json], stream: str) -> list[Json]:
    return [frame for frame in frames if frame.get("stream") == stream]


@pytest.mark.parametrize(("stream", "most"), [(BOOK, None), ("top.XBT-PERP", TOP)])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), waits=st.lists(st.integers(0, 12), min_size=2, max_size=6))
def test_a_snapshot_joins_the_diffs_exactly_for_the_new_and_the_old_listeners(
    stream: str, most: int | None, seed: int, waits: list[int]
) -> None:
    hand = Hand(seed)
    pipes: list[Pipe] = []
    for wait in waits:
        connection, pipe = hand.client()
        hand.subscribe(connection, stream)
        pipes.append(pipe)
        hand.run(wait)
    hand.run(40)
    last, _ = hand.client()
    hand.subscribe(last, stream)  # closes the diff that gathers, so that all stand at the book as it is
    hand.venue.hub.flush(10**9)
    real = hand.simulation.markets["BTCUSDT"].exchanges["toy"].book
    words = Wording(LISTINGS["BTCUSDT"])
    bids, asks = ({words.price(p): words.size(s) for p, s in side} for side in real.top(most or 10_000))
    for pipe in pipes:
        frames = pipe.taken()
        assert frames[0]["event"] == "subscribe"
        frames = books(frames, stream)
        assert frames[0]["type"] == "snapshot" and len(frames) > 1
        book: dict[str, dict[str, str]] = {}
        applied(book, 0, frames, most)
        assert book == {"bids": bids, "asks": asks}


def test_who_subscribes_again_gets_a_snapshot_and_the_diffs_after_it() -> None:
    hand = Hand()
    (one, pipe), (other, witness) = hand.client(), hand.client()
    hand.subscribe(one, BOOK)
    hand.subscribe(other, BOOK)
    for steps in (7, 3, 11):
        hand.run(steps)
        hand.subscribe(one, BOOK, op="unsubscribe")
        hand.subscribe(one, BOOK)
    hand.run(10)
    mine, theirs = books(pipe.taken(), BOOK), books(witness.taken(), BOOK)
    assert [frame["type"] for frame in mine].count("snapshot") == 4
    assert [frame["type"] for frame in theirs].count("snapshot") == 1
    for frames in (mine, theirs):
        applied({}, 0, frames)


def test_a_stream_that_is_left_and_taken_up_again_starts_anew() -> None:
    hand = Hand()
    one, pipe = hand.client()
    hand.subscribe(one, BOOK)
    hand.run(7)
    hand.subscribe(one, BOOK, op="unsubscribe")
    hand.run(9)
    hand.subscribe(one, BOOK)
    hand.run(30)
    frames = books(pipe.taken(), BOOK)
    assert [frame["type"] for frame in frames].count("snapshot") == 2
    applied({}, 0, frames)


def test_after_a_split_the_next_diff_follows_on_the_snapshot_whatever_was_before() -> None:
    stream = DiffStream(100)
    assert stream.due(START_MS) is None
    stream.add(BookChanged(1, 2, 3, START_MS, [(5, 1)], []))
    told = stream.due(START_MS + 100)
    assert told is not None and (told.previous, told.last) == (1, 3)
    assert stream.split(9) is None
    stream.add(BookChanged(9, 10, 12, START_MS, [], [(6, 1)]))
    cut = stream.split(12)
    assert cut is not None and (cut.previous, cut.last, cut.bids, cut.asks) == (9, 12, {}, {6: 1})


@pytest.mark.parametrize("steps", [20, 22, 23])
def test_a_delayed_stream_lets_go_what_it_holds_before_it_opens(steps: int) -> None:
    hand = Hand()
    (one, pipe), (late, new) = hand.client(), hand.client()
    hand.subscribe(one, BOOK)
    hand.run(10)
    hand.simulation.faults.delay("toy", BOOK, delay_ms=300, seconds=60)
    hand.run(steps)
    before = len(hand.simulation.faults._held)
    hand.subscribe(late, BOOK)
    hand.run(60)
    assert before == 1
    for frames in (books(pipe.taken(), BOOK), books(new.taken(), BOOK)):
        assert len(frames) > 3
        applied({}, 0, frames)


def test_replies_come_before_the_opening_or_after_it_as_the_venue_has_it() -> None:
    acknowledged, opened = ["subscribe"] * 2, [None] * 2
    for first, expected in ((False, acknowledged + opened), (True, opened + acknowledged)):
        hand = Hand(form=msgspec.structs.replace(TOY, opening_first=first))
        hand.run(50)
        one, pipe = hand.client()
        hand.say(one, json.dumps({"op": "subscribe", "args": [BOOK, TRADES]}))
        assert [frame.get("event") for frame in pipe.taken()] == expected


def test_a_backlog_of_trades_is_followed_by_the_next_one_and_counted() -> None:
    hand = Hand()
    hand.run(100)
    one, pipe = hand.client()
    hand.subscribe(one, TRADES)
    hand.run(100)
    frames = books(pipe.taken(), TRADES)
    assert len(frames[0]["trades"]) == BACKLOG
    ids = [row["id"] for frame in frames for row in frame["trades"]]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    tape = hand.simulation.ledger.tapes["toy", "BTCUSDT", "trade"]
    assert [row.id for row in tape.rows(tape.first_id, len(tape)) if row.sent == 1] == ids


def test_the_ledger_counts_rows_once_and_copies_for_each_listener() -> None:
    hand = Hand()
    stream = "marks.XBT-PERP"
    for _ in range(2):
        hand.subscribe(hand.client()[0], stream)
    hand.simulation.faults.drop("toy", stream, 1)
    hand.simulation.faults.repeat("toy", stream, 1)
    one, pipe = hand.client()
    hand.subscribe(one, stream)
    hand.run(50 * 5)  # five seconds, a mark in each; one was lost, one came twice
    told = hand.simulation.ledger.told["toy", "BTCUSDT", "mark_prices"]
    got = books(pipe.taken(), stream)
    assert len(got) == 5
    assert (told.frames, told.rows, told.copies) == (4, 4, 12)


def test_numbers_count_all_messages_of_a_connection_and_a_lost_one_leaves_a_hole() -> None:
    hand = Hand()
    (one, pipe), (other, second) = hand.client("numbered"), hand.client("numbered")
    hand.subscribe(one, "#beat", "#nosuch", "#book.XBT-PERP")
    hand.run(20)
    hand.subscribe(other, "#beat")
    hand.run(20)
    first = [frame["n"] for frame in pipe.taken()]
    assert first == list(range(len(first)))
    assert len(first) > 8
    assert [frame["n"] for frame in second.taken()][:3] == [0, 1, 2]
    hand.simulation.faults.drop("toy", "#beat", 2)
    hand.run(40)
    later = [frame["n"] for frame in pipe.taken()]
    missing = set(range(later[0], later[-1] + 1)) - set(later)
    assert len(missing) == 2
    hand.simulation.faults.silence("toy", "#*", 0.4).told_ms = hand.now_ms
    hand.run(40)
    last = [frame["n"] for frame in pipe.taken()]
    assert last == list(range(later[-1] + 1, later[-1] + 1 + len(last)))  # silence leaves none
    assert last


def test_garbage_has_no_number_and_is_of_the_venues_own_wrong_shape() -> None:
    hand = Hand()
    one, pipe = hand.client("numbered")
    hand.subscribe(one, "#beat")
    hand.simulation.faults.nonsense("toy", "#beat", "wrong_shape")
    hand.run(40)
    frames = pipe.taken()
    assert frames.count({"stream": None}) == 1
    numbers = [frame["n"] for frame in frames if frame != {"stream": None}]
    assert numbers == list(range(len(numbers)))


def test_streams_are_asked_only_while_somebody_listens_and_once_after() -> None:
    hand = Hand()
    streams = hand.venue.streams["BTCUSDT"]
    assert isinstance(streams, SymbolStreams)
    hand.run(10)
    assert streams.asked == 0
    one, _ = hand.client()
    hand.subscribe(one, BOOK)
    hand.run(10)
    hand.subscribe(one, BOOK, op="unsubscribe")
    hand.run(10)
    assert streams.asked == 11
    always = Hand(form=msgspec.structs.replace(TOY, always=True))
    always.run(10)
    assert always.venue.wide.steps == 10  # type: ignore[attr-defined]


# ── Over sockets ──────────────────────────────────────────────────────────────────────────────


def play(scene: Scene, limits: Limits | None = None, symbols: tuple[str, ...] = ("BTCUSDT",)) -> None:
    async def run() -> None:
        allowed = {} if limits is None else {"toy": limits}
        simulation = Simulation(symbols, rate=50.0, forms={"toy": TOY}, limits=allowed)
        await simulation.start()
        try:
            async with ClientSession() as client, asyncio.timeout(30):
                await scene(simulation, client)
        finally:
            await simulation.stop()

    asyncio.run(run())


async def heard(socket: ClientWebSocketResponse) -> Json:
    return json.loads(await socket.receive_str(timeout=10))


async def ended(socket: ClientWebSocketResponse) -> int | None:
    while (await socket.receive(timeout=10)).type == WSMsgType.TEXT:
        continue
    return socket.close_code


def ws(simulation: Simulation, route: str = "plain") -> str:
    return simulation.hosts("toy")["ws"][route]


def test_a_connection_is_greeted_and_each_message_gets_as_many_replies_as_it_has() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(ws(simulation)) as socket:
            assert await heard(socket) == {"event": "info", "connection": 1, "route": "plain", "n": 0}
            await socket.send_str("hush")
            await socket.send_str("ping")
            assert await socket.receive_str(timeout=10) == "pong"
            names = ["beat", "nosuch.XBT-PERP", "#beat", "marks.ETH-PERP"]  # ETH is not simulated here
            await socket.send_json({"op": "subscribe", "args": names})
            events = [(await heard(socket))["event"] for _ in names]
            assert events == ["subscribe", "error", "error", "error"]
            assert {(await heard(socket))["stream"] for _ in range(6)} == {"beat"}
        async with client.ws_connect(ws(simulation, "numbered")) as socket:
            assert (await heard(socket))["connection"] == 2

    play(scene)


def test_a_form_may_speak_by_the_clock_and_hang_up() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(ws(simulation)) as woken, client.ws_connect(ws(simulation)) as leaving:
            await woken.send_str("wake me")
            await leaving.send_str("bye")
            assert [(await heard(leaving))["event"] for _ in range(2)] == ["info", "bye"]
            assert await ended(leaving) == 4004
            events = [(await heard(woken))["event"] for _ in range(4)]
            assert events == ["info", "wake", "wake", "wake"]
            assert await ended(woken) == 1006

    play(scene)


@pytest.mark.parametrize("rule", ["idle_s", "quiet_s", "subscribe_s"])
def test_who_breaks_a_rule_of_silence_is_hung_up_on(rule: str) -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(ws(simulation)) as quiet, client.ws_connect(ws(simulation)) as lively:
            await lively.send_json({"op": "subscribe", "args": ["beat"]})
            polite = asyncio.create_task(_pings(lively))
            await ended(quiet)
            beats = [await heard(lively) for _ in range(10)]
            assert beats[-1]["stream"] == "beat"
            polite.cancel()

    async def _pings(socket: ClientWebSocketResponse) -> None:
        while True:
            await socket.ping()
            await asyncio.sleep(0.1)

    play(scene, Limits(**{rule: 0.8}))


def test_a_shutdown_is_announced_to_each_connection_in_its_own_words() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(ws(simulation)) as one, client.ws_connect(ws(simulation)) as other:
            numbers = [(await heard(socket))["connection"] for socket in (one, other)]
            simulation.faults.shutdown("toy")
            for socket, number in zip((one, other), numbers, strict=True):
                assert await heard(socket) == {"event": "notice", "connection": number, "n": 0}

    play(scene)


# ── Server-sent events ────────────────────────────────────────────────────────────────────────


def test_events_are_delivered_with_comments_between_and_end_with_a_disconnect() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        url = ws(simulation, "events")
        assert url.startswith("http://")
        query = [("ids[]", XBT), ("ids[]", "ETH-PERP")]
        async with client.get(url, params=query) as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
            seen: list[str] = []
            while {"price.XBT-PERP", "price.ETH-PERP"} - set(seen) or seen.count(":") < 3:
                line = (await answer.content.readline()).decode().rstrip("\n")
                seen.append(json.loads(line[5:])["stream"] if line.startswith("data:") else line)
            simulation.faults.disconnect("toy", "events")
            with pytest.raises(ClientError):
                await answer.content.read()
        async with client.get(url, params=[("ids[]", "DOGE")]) as answer:
            assert (answer.status, await answer.text()) == (404, "Price ids not found: DOGE")

    play(scene, Limits(ping_s=0.3), ("BTCUSDT", "ETHUSDT"))


def test_a_client_of_events_that_leaves_is_forgotten() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        hub = simulation._venues["toy"].hub
        async with client.get(ws(simulation, "events"), params={"ids[]": XBT}) as answer:
            await answer.content.readline()
            while not hub.wanted:
                await asyncio.sleep(0.01)
            assert list(hub.wanted) == ["price.XBT-PERP"]
            answer.close()
        while hub.wanted or hub.connections:
            await asyncio.sleep(0.01)

    play(scene)


def test_faults_reach_events_and_named_handshakes() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        faults, url = simulation.faults, ws(simulation, "events")
        faults.answer("toy", 503, path="/prices", retry_after=2)
        async with client.get(url) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        faults.answer("toy", 403, path="/ws")
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(ws(simulation))
        assert refused.value.status == 403
        faults.answer("toy", 500)
        async with client.ws_connect(ws(simulation)):  # an order without a path means REST alone
            pass
        faults.nonsense("toy", "price.*")
        async with client.get(url, params={"ids[]": XBT}) as answer:
            lines = [await answer.content.readline() for _ in range(4)]
        assert lines == [b":\n", b"\n", b"data:<html>502 Bad Gateway</html>\n", b"\n"]

    play(scene)


# ── REST ──────────────────────────────────────────────────────────────────────────────────────


def test_placeholders_bodies_methods_and_errors_of_rest() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        rest = simulation.hosts("toy")["rest"]

        async def got(path: str, **more: Any) -> tuple[int, Any]:
            async with client.get(rest + path, **more) as answer:
                return answer.status, await answer.json()

        async def posted(body: bytes) -> tuple[int, str]:
            async with client.post(rest + "/info", data=body, headers={"User-Agent": "me"}) as answer:
                return answer.status, await answer.text()

        status, body = await got("/v1/XBT-PERP/book/3")
        assert (status, len(body["bids"])) == (200, 3)
        assert await got("/v1/any/book/echo?a=1&a=2&b=") == (200, {"a": ["1", "2"], "b": [""]})
        assert await got("/v1/NOSUCH/book/3") == (200, {"result": "error", "error": "notFound"})
        for path in ("/v1/XBT-PERP/book", "/v1/XBT/PERP/book/3", "/v1/XBT-PERP/book/3/"):
            assert await got(path) == (404, {"error": 404})
        assert await got("/info") == (405, {"error": 405})
        asked = b'{"type":"candles","req":{"coin":"BTC"}}'
        assert await posted(asked) == (200, '{"coin":"BTC","agent":"me"}')
        assert await posted(b'{"type":"no') == (422, '{"error":422}')
        assert await posted(b'{"type":"what"}') == (422, "Failed to deserialize the JSON body")
        assert (await posted(b'{"type":"steps"}'))[0] == 200

    play(scene)


def test_weight_is_metered_and_beyond_it_the_venue_answers_in_its_own_way() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        url = simulation.hosts("toy")["rest"] + "/info"
        said: list[tuple[int, str | None, str]] = []
        for _ in range(3):
            async with client.post(url, json={"type": "candles", "req": {"coin": "X"}}) as answer:
                said.append((answer.status, answer.headers.get("Retry-After"), answer.headers["X-Used"]))
                body = await answer.json()
        assert said == [(200, None, "20/50"), (200, None, "40/50"), (200, None, "60/50")]
        assert body == {"result": "error", "error": "apiLimitExceeded"}

    play(scene)


def test_further_hosts_and_keys() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        hosts = simulation.hosts("toy")
        assert hosts["more"] == {"history": f"{hosts['rest']}/history"}
        key = {"Authorization": "Bearer sesame"}
        for url, headers, status in (
            (hosts["more"]["history"] + "/echo", {}, 200),
            (hosts["rest"] + "/locked/echo", {}, 401),
            (hosts["rest"] + "/locked/echo", key, 200),
        ):
            async with client.get(url, headers=headers) as answer:
                assert answer.status == status
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(ws(simulation, "locked"))
        assert refused.value.status == 401
        async with client.ws_connect(ws(simulation, "locked"), headers=key) as socket:
            assert (await heard(socket))["route"] == "locked"

    play(scene)


# ── Listings, places, the choice of venues ────────────────────────────────────────────────────


def test_sizes_are_worded_in_contracts_exactly() -> None:
    words = Wording(LISTINGS["BTCUSDT"])  # a lot of 0.0001 BTC is 0.01 contracts of 0.01 BTC
    assert [words.size(lots) for lots in (1, 100, 12_345)] == ["0.01", "1.00", "123.45"]
    assert [words.base(lots) for lots in (1, 100, 12_345)] == ["0.0001", "0.0100", "1.2345"]
    whole = Wording(LISTINGS["ETHUSDT"])
    assert [whole.size(lots) for lots in (1, 250)] == ["1", "250"]
    thousands = Wording(Listing("X", "0.1", "1000", 1, 0, contract="1000"))
    assert (thousands.size(7), thousands.base(7)) == ("7", "7000")
    with pytest.raises(ValueError, match="choose a lot"):
        Wording(Listing("X", "0.1", "1", 1, 0, contract="3"))


def test_an_inverse_listing_counts_in_quote() -> None:
    inverse = Listing("BTCUSDT", "0.5", "10", 1, 0, contract="10", inverse=True)
    place = Place(kind="perpetual", listings={"BTCUSDT": inverse})
    market = Market("BTCUSDT", {"v": place}, seed=1, rate=5.0, now_ms=START_MS)
    assert inverse.lots(2.0, 50_000.0) == 10_000.0
    assert market.perpetuals["v"].open_lots == pytest.approx(92_000 * 87_250 / 10)


def test_names_lead_both_ways() -> None:
    assert NAMES.native("BTCUSDT") == XBT
    assert [NAMES.symbol(name) for name in (XBT, "BTCUSDT")] == ["BTCUSDT", None]
    assert Names({"A": Listing("A", "1", "1", 0, 0)}).symbol("A") == "A"


def test_funding_follows_the_hours_of_the_place() -> None:
    hour = 3_600_000
    market = Market("BTCUSDT", {"toy": TOY.place}, seed=1, rate=5.0, now_ms=START_MS)
    perpetual = market.perpetuals["toy"]
    first = perpetual.marked.next_funding_ms
    assert first % hour == 0 and 0 < first - START_MS <= hour
    times = [one.ts for one in perpetual.settlements]
    assert times == list(range(times[0], first, hour))
    assert max(abs(one.rate) for one in perpetual.settlements) < 0.0001  # an eighth of eight hours' rates
    market.step(first - 500)
    market.step(first + 500)
    assert perpetual.settlements[-1].ts == first
    assert perpetual.marked.next_funding_ms == first + hour


def test_an_oracle_has_prices_and_neither_book_nor_trades() -> None:
    oracle = msgspec.structs.replace(
        TOY, name="oracle", place=Place(kind="oracle", listings=LISTINGS), streams=lambda venue, market: beats
    )
    beats = TOY.market_wide("oracle", {})
    simulation = Simulation(("BTCUSDT", "SOLUSDT"), forms={"oracle": oracle, "toy": TOY})
    market = simulation.markets["BTCUSDT"]
    assert market.venues == ("oracle", "toy") and set(market.exchanges) == {"toy"}
    assert simulation.markets["SOLUSDT"].venues == ()
    assert {venue for venue, _, _ in simulation.ledger.tapes} == {"toy"}
    started = market.price
    found = market.step(market._now_ms + 1000)
    assert found["oracle"] == [] and found["toy"]
    assert market.price != started


def test_venues_can_be_chosen_and_the_others_are_not_there() -> None:
    simulation = Simulation(("BTCUSDT",), venues=("binance_spot",))
    assert list(simulation.forms) == ["binance_spot"]
    assert set(simulation.markets["BTCUSDT"].venues) == {"binance_spot"}
    with pytest.raises(ValueError, match="no simulated venue"):
        simulation.faults.drop("binance_futures", "*")
    with pytest.raises(ValueError, match="nosuch.*binance_futures"):
        Simulation(venues=("nosuch",))
    assert list(Simulation(("BTCUSDT",)).forms) == list(FORMS)

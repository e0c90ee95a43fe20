"""REST: weights, refusals and waits, against a scripted transport and a real server."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from toy_venue import run

from orderflow.feed.rest import MOST_BYTES, TRIES, Rest
from orderflow.market.errors import (
    Banned,
    Disconnected,
    InvalidArgument,
    OrderflowError,
    RateLimited,
    RegionBlocked,
    TooLarge,
    UnknownSymbol,
    UnsupportedByVenue,
    VenueUnavailable,
)
from orderflow.market.events import SECOND, Event
from orderflow.venues import ALL
from orderflow.venues.spec import Endpoint, Hosts, Memory, Query, Refusals, Venue

FUTURES = ALL["binance_futures"]


class World:
    """A clock that only sleeping moves, and a record of the sleeps."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND
        self.slept: list[float] = []

    def clock(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * SECOND)
        await asyncio.sleep(0)


class Scripted:
    """Answers one after another, the last for ever; keeps the addresses that were asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.urls = list(answers), []
        self.urls: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def asking(script: Callable[[httpx.Request], httpx.Response], world: World) -> Rest:
    return Rest(
        FUTURES,
        clock=world.clock,
        sleep=world.sleep,
        random=lambda: 1.0,
        transport=httpx.MockTransport(script),
    )


def fails(script: Scripted, world: World | None = None, name: str = "depth", **params: str) -> OrderflowError:
    """Return the error of one request."""
    found: list[OrderflowError] = []

    async def story() -> None:
        rest = asking(script, world or World())
        with pytest.raises(OrderflowError) as raised:
            await rest.request(name, **(params or {"symbol": "BTCUSDT"}))
        found.append(raised.value)

    run(story)
    return found[0]


def test_an_answer_is_a_frame_with_the_whole_address_that_it_answers() -> None:
    async def story() -> None:
        world, script = World(), Scripted(httpx.Response(200, content=b'{"lastUpdateId":1}'))
        frame = await asking(script, world).request("depth", symbol="BTCUSDT", limit=5)
        assert frame.url == "https://fapi.binance.com/fapi/v1/depth?limit=5&symbol=BTCUSDT"
        assert (frame.venue, frame.kind, frame.payload) == ("binance_futures", "http", b'{"lastUpdateId":1}')
        assert frame.ts_recv == world.now

    run(story)


def test_a_venue_behind_a_prefix_is_answered_by_its_own_path() -> None:
    async def story() -> None:
        script = Scripted(httpx.Response(200, content=b'{"serverTime":1700000000000}'))
        hosts = Hosts("http://127.0.0.1:9/binance_futures", {})
        rest = Rest(FUTURES, hosts, transport=httpx.MockTransport(script))
        frame = await rest.request("open_interest", symbol="BTCUSDT")
        assert script.urls == ["http://127.0.0.1:9/binance_futures/fapi/v1/openInterest?symbol=BTCUSDT"]
        assert frame.url == "http://127.0.0.1:9/fapi/v1/openInterest?symbol=BTCUSDT"

    run(story)


def test_a_request_without_what_it_needs_and_an_unknown_endpoint_are_never_sent() -> None:
    script = Scripted(httpx.Response(200))
    assert type(fails(script, None, "depth", limit="5")) is InvalidArgument
    assert type(fails(script, None, "weather", symbol="BTCUSDT")) is UnsupportedByVenue
    assert script.urls == []


def test_requests_wait_until_their_weight_fits_the_minute() -> None:
    async def story() -> None:
        world = World()
        rest = asking(Scripted(httpx.Response(200, content=b"{}")), world)
        # 2400 a minute, of which 2160 are used: 108 snapshots of weight 20; the 109th waits a minute
        await asyncio.gather(*(rest.request("depth", symbol="BTCUSDT") for _ in range(109)))
        assert world.slept == [60.0]

    run(story)


def test_the_venues_count_of_used_weight_corrects_ours() -> None:
    async def story() -> None:
        world = World()
        rest = asking(
            Scripted(httpx.Response(200, headers={"X-MBX-USED-WEIGHT-1M": "2150"}, content=b"{}")), world
        )
        await rest.request("depth", symbol="BTCUSDT")
        assert world.slept == []
        await rest.request("depth", symbol="BTCUSDT")  # 2150 + 20 > 2160
        assert world.slept == [60.0]
        assert rest.health.used == {"weight": 2150}

    run(story)


def test_429_shuts_the_bucket_for_as_long_as_the_venue_says_and_other_buckets_stay_open() -> None:
    async def story() -> None:
        world = World()
        script = Scripted(
            httpx.Response(429, headers={"Retry-After": "40"}), httpx.Response(200, content=b"{}")
        )
        rest = asking(script, world)
        with pytest.raises(RateLimited) as raised:
            await rest.request("depth", symbol="BTCUSDT")
        assert raised.value.after_s == 40
        with pytest.raises(RateLimited):
            await rest.request("open_interest", symbol="BTCUSDT")  # the same bucket: nothing is sent
        assert len(script.urls) == 1
        await rest.request("funding_intervals")
        assert len(script.urls) == 2
        world.now += 40 * SECOND
        await rest.request("depth", symbol="BTCUSDT")
        assert len(script.urls) == 3
        assert world.slept == []

    run(story)


def test_429_without_retry_after_waits_as_the_form_says() -> None:
    error = fails(Scripted(httpx.Response(429)))
    assert type(error) is RateLimited and error.after_s == 30


def test_418_shuts_the_whole_host_and_nothing_is_sent_until_it_ends() -> None:
    async def story() -> None:
        world = World()
        script = Scripted(
            httpx.Response(418, headers={"Retry-After": "120"}), httpx.Response(200, content=b"{}")
        )
        rest = asking(script, world)
        with pytest.raises(Banned):
            await rest.request("depth", symbol="BTCUSDT")
        assert rest.health.banned_until == world.now + 120 * SECOND
        for name, params in (("depth", {"symbol": "BTCUSDT"}), ("funding_intervals", {}), ("time", {})):
            with pytest.raises(Banned):
                await rest.request(name, **params)
        assert len(script.urls) == 1
        world.now += 120 * SECOND
        await rest.request("time")
        assert rest.health.banned_until is None
        assert len(script.urls) == 2

    run(story)


def test_451_and_403_are_told_at_once_and_not_tried_again() -> None:
    for status, leaf in ((451, RegionBlocked), (403, VenueUnavailable)):
        script = Scripted(httpx.Response(status, content=b"<html>"))
        assert type(fails(script)) is leaf
        assert len(script.urls) == 1


def test_503_is_tried_four_times_with_growing_waits() -> None:
    world, script = World(), Scripted(httpx.Response(503))
    assert type(fails(script, world)) is VenueUnavailable
    assert len(script.urls) == TRIES == 4
    assert world.slept == [1, 2, 4]  # the longest of full jitter, 1 s doubling


def test_a_try_that_succeeds_ends_the_trying_and_retry_after_outweighs_the_backoff() -> None:
    async def story() -> None:
        world = World()
        script = Scripted(
            httpx.Response(503, headers={"Retry-After": "9"}),
            httpx.ConnectError("no route"),
            httpx.Response(200, content=b"{}"),
        )
        rest = asking(script, world)
        assert (await rest.request("depth", symbol="BTCUSDT")).payload == b"{}"
        assert world.slept == [9, 2]
        assert rest.health.requests == 3
        assert rest.health.failures == 2
        assert rest.health.last_status == 200

    run(story)


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout("slow"), httpx.ConnectError("refused"), httpx.RemoteProtocolError("cut")]
)
def test_what_goes_wrong_on_the_way_is_a_disconnect(error: Exception) -> None:
    assert type(fails(Scripted(error))) is Disconnected


def test_a_complaint_of_the_venue_is_rejected_with_its_words() -> None:
    unknown = fails(
        Scripted(httpx.Response(400, json={"code": -1121, "msg": "Invalid symbol."})), symbol="NOPE"
    )
    assert type(unknown) is UnknownSymbol and "Invalid symbol." in unknown.message
    wrong = fails(Scripted(httpx.Response(400, json={"code": -1102, "msg": "Mandatory parameter missing."})))
    assert type(wrong) is InvalidArgument and "-1102" in wrong.message


def test_a_cached_answer_is_given_again_until_its_time_is_over() -> None:
    async def story() -> None:
        world, script = World(), Scripted(httpx.Response(200, content=b"{}"))
        rest = asking(script, world)
        first = await rest.request("instruments")  # cached for 3600 s
        world.now += 3599 * SECOND
        assert await rest.request("instruments") is first
        await rest.request("open_interest", symbol="BTCUSDT")
        await rest.request("open_interest", symbol="BTCUSDT")  # not cached
        assert len(script.urls) == 3
        world.now += SECOND
        assert await rest.request("instruments") is not first
        assert len(script.urls) == 4
        latest = await rest.fresh("instruments")  # asked although one is kept, and kept in its place
        assert len(script.urls) == 5
        assert await rest.request("instruments") is latest

    run(story)


def test_a_body_beyond_the_bound_is_refused_while_it_comes() -> None:
    assert type(fails(Scripted(httpx.Response(200, content=bytes(MOST_BYTES + 1))))) is TooLarge


def test_over_a_real_socket_with_compression_and_a_cut_connection() -> None:
    import gzip

    body = gzip.compress(b'{"serverTime":1700000000000}')
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if len(asked) > 1:
            head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write(head + body)
            await writer.drain()
        writer.close()

    async def story() -> None:
        world = World()
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        base = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        rest = Rest(FUTURES, Hosts(base, {}), clock=world.clock, sleep=world.sleep, random=lambda: 1.0)
        frame = await rest.request("time")
        assert frame.payload == b'{"serverTime":1700000000000}'
        assert frame.url == f"{base}/fapi/v1/time"
        assert asked[0].startswith(b"GET /fapi/v1/time HTTP/1.1\r\n")
        assert world.slept == [1]  # the first connection was cut without an answer
        await rest.close()
        listening.close()

    run(story)


# ── What other venues need ────────────────────────────────────────────────────────────────────


def _form(*endpoints: Endpoint, **more: Any) -> Venue:
    return msgspec.structs.replace(FUTURES, endpoints=endpoints, **more)


def _nothing(body: bytes, query: Query, ts_recv: int, memory: Memory) -> list[Event]:
    return []


def test_a_path_takes_its_parameters_and_another_host_its_endpoint() -> None:
    async def story() -> None:
        candles = Endpoint(
            "candles",
            "/charts/{kind}/{symbol}",
            _nothing,
            {"kind": "trade", "from": "1"},
            ("symbol",),
            host="charts",
        )
        hosts = Hosts("http://rest", {}, {"charts": "http://charts/prefix"})
        world, script = World(), Scripted(httpx.Response(200, content=b"[]"))
        rest = Rest(_form(candles), hosts, clock=world.clock, transport=httpx.MockTransport(script))
        frame = await rest.request("candles", symbol="PF_XBTUSD")
        assert script.urls == ["http://charts/prefix/charts/trade/PF_XBTUSD?from=1"]
        assert urlsplit(frame.url).path == "/charts/trade/PF_XBTUSD"
        await rest.close()

    run(story)


def test_a_question_with_a_body_is_posted_and_its_address_says_what_was_asked() -> None:
    bodies: list[tuple[str, bytes]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        bodies.append((request.method, request.content))
        return httpx.Response(200, content=b"[]")

    async def story() -> None:
        info = Endpoint(
            "book",
            "/info",
            _nothing,
            {"type": "l2Book"},
            ("coin",),
            body=lambda query: msgspec.json.encode(query),
        )
        rest = Rest(_form(info), Hosts("http://rest", {}), transport=httpx.MockTransport(handle))
        frame = await rest.request("book", coin="BTC")
        assert bodies == [("POST", b'{"type":"l2Book","coin":"BTC"}')]
        assert frame.url == "http://rest/info?type=l2Book&coin=BTC"
        await rest.close()

    run(story)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("10006", RateLimited),
        ("10001", UnknownSymbol),
        ("10016", VenueUnavailable),
        ("10005", InvalidArgument),
    ],
)
def test_an_error_that_comes_with_a_200_is_understood(code: str, error: type[OrderflowError]) -> None:
    means = Refusals(
        complaint=lambda body: (body.decode(), "said so") if body != b"fine" else None,
        limited_codes=frozenset({"10006"}),
        unknown_symbol_codes=frozenset({"10001"}),
        unavailable_codes=frozenset({"10016"}),
    )

    async def story() -> None:
        world, script = World(), Scripted(httpx.Response(200, content=code.encode()))
        one = Endpoint("one", "/one", _nothing)
        rest = Rest(
            _form(one, refusals=means),
            Hosts("http://rest", {}),
            clock=world.clock,
            sleep=world.sleep,
            random=lambda: 1.0,
            transport=httpx.MockTransport(script),
        )
        with pytest.raises(error, match=f"{code}: said so"):
            await rest.request("one")
        await rest.close()

    run(story)


def test_after_failures_in_a_row_nothing_is_asked_for_a_while_then_one_request_tries() -> None:
    async def story() -> None:
        world, script = World(), Scripted(httpx.Response(503))
        rest = Rest(
            _form(Endpoint("one", "/one", _nothing)),
            Hosts("http://rest", {}),
            clock=world.clock,
            sleep=world.sleep,
            random=lambda: 0.0,
            transport=httpx.MockTransport(script),
        )
        for _ in range(2):
            with pytest.raises(VenueUnavailable):
                await rest.request("one")
        assert len(script.urls) == 5  # four tries, then one, which opened the circuit
        with pytest.raises(VenueUnavailable, match="not asked for another"):
            await rest.request("one")
        assert len(script.urls) == 5
        assert rest.health.circuit_open_until == world.now + 20 * SECOND
        world.now += 20 * SECOND
        script.answers = [httpx.Response(200, content=b"fine")]
        await rest.request("one")
        assert rest.health.circuit_open_until is None
        await rest.close()

    run(story)

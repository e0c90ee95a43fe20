"""REST: one venue's public requests, within its declared weights, with its refusals understood."""

import asyncio
import random as chance
import time
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx
import msgspec

from orderflow.feed.frames import Frame
from orderflow.feed.health import RestHealth
from orderflow.feed.limits import Backoff, Clock, Random, Sleep, Window, refusal, rest_windows, retry_after_s
from orderflow.market.errors import (
    Banned,
    Disconnected,
    InvalidArgument,
    OrderflowError,
    RateLimited,
    TooLarge,
    UnknownSymbol,
    VenueUnavailable,
)
from orderflow.market.events import SECOND, Nanos
from orderflow.venues.spec import Endpoint, Hosts, Venue

TRIES = 4
TIMEOUT_S = 10.0
CONNECTIONS = 8  # at once, to one host
MOST_BYTES = 32 * 1024 * 1024
PATIENCE_S = 15.0  # a turn that is further away is an error at once, so that its asker can say so
_UNKNOWN_SYMBOL = -1121

_Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]


class _Complaint(msgspec.Struct):
    code: int
    msg: str = ""


class Rest:
    """Asks a venue's endpoints. Parameters are the venue's own: a symbol is its native name.

    Requests wait their turn in the endpoint's bucket. `transport` replaces the network.
    """

    def __init__(
        self,
        venue: Venue,
        hosts: Hosts | None = None,
        *,
        clock: Clock = time.time_ns,
        sleep: Sleep = asyncio.sleep,
        random: Random = chance.random,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.venue = venue
        self.health = RestHealth()
        self._clock, self._sleep, self._random = clock, sleep, random
        self._windows: dict[str, Window] = rest_windows(venue.buckets, clock)
        self._turns = {name: asyncio.Lock() for name in self._windows}
        self._cache: dict[_Key, tuple[Nanos, Frame]] = {}
        self._http = httpx.AsyncClient(
            base_url=(hosts or venue.hosts).rest,
            transport=transport,
            timeout=httpx.Timeout(TIMEOUT_S, pool=None),
            limits=httpx.Limits(max_connections=CONNECTIONS),
            headers={"User-Agent": "crypto-orderflow"},
            trust_env=False,  # only the settings read the environment
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def request(self, endpoint_name: str, **params: object) -> Frame:
        """Return an endpoint's body, with the whole address that it answers; a kept one for `cache_s`.

        Statuses of `refusals.retry` and lost connections are tried four times. Raises `RateLimited`,
        `Banned`, `VenueUnavailable`, `Disconnected`; or a `Rejected`: `UnknownSymbol`,
        `InvalidArgument`, `RegionBlocked`, `TooLarge`, `UnsupportedByVenue`.
        """
        endpoint = self.venue.endpoint(endpoint_name)
        cached = self._cache.get(_key(endpoint, self._query(endpoint, params)))
        if cached is not None and cached[0] > self._clock():
            return cached[1]
        return await self.fresh(endpoint_name, **params)

    async def fresh(self, endpoint_name: str, **params: object) -> Frame:
        """Ask as `request` does, whatever is kept: a frame of now, as recordings need it."""
        endpoint = self.venue.endpoint(endpoint_name)
        query = self._query(endpoint, params)
        frame = await self._insist(endpoint, query)
        if endpoint.cache_s > 0:
            now = self._clock()
            self._cache = {at: kept for at, kept in self._cache.items() if kept[0] > now}
            self._cache[_key(endpoint, query)] = (now + round(endpoint.cache_s * SECOND), frame)
        return frame

    def _query(self, endpoint: Endpoint, params: dict[str, object]) -> dict[str, str]:
        query = endpoint.params | {name: str(value) for name, value in params.items()}
        missing = [name for name in endpoint.needs if name not in query]
        if missing:
            raise InvalidArgument(
                f"{self.venue.name}: {endpoint.name} was asked without {', '.join(missing)}",
                hint=f"it needs {', '.join(endpoint.needs)}",
            )
        return query

    async def _insist(self, endpoint: Endpoint, query: dict[str, str]) -> Frame:
        backoff = Backoff(self._random)
        for left in reversed(range(TRIES)):
            try:
                return await self._ask(endpoint, query)
            except (VenueUnavailable, Disconnected) as error:
                if not left or self.health.last_status == 403:
                    raise
                await self._sleep(max(backoff.delay_s(), error.after_s or 0.0))
        raise AssertionError("the last try returns or raises")

    async def _ask(self, endpoint: Endpoint, query: dict[str, str]) -> Frame:
        await self._turn(endpoint)
        self.health.requests += 1
        try:
            async with self._http.stream("GET", endpoint.path, params=query) as response:
                self._learn(response)
                body = await self._body(response)
        except httpx.HTTPError as error:
            self.health.last_status = None
            raise self._failed(
                Disconnected(f"{self.venue.name}: {endpoint.path}: {type(error).__name__} {error}".rstrip())
            ) from error
        if response.status_code == httpx.codes.OK:
            # a host may serve the venue under a prefix; an answer is told by the venue's own path
            url = response.url.copy_with(path=endpoint.path, query=response.url.query or None)
            return Frame(self.venue.name, self._clock(), body, "http", str(url))
        raise self._failed(self._meaning(endpoint, response, body))

    async def _turn(self, endpoint: Endpoint) -> None:
        """Wait for the endpoint's bucket, in the order of asking, or raise that it is shut."""
        window = self._windows.get(endpoint.bucket)
        if window is None:
            self._raise_if_banned()
            return
        async with self._turns[endpoint.bucket]:
            while True:
                self._raise_if_banned()
                wait = window.wait_s(endpoint.weight)
                if wait <= 0:
                    break
                if wait > PATIENCE_S and window.blocked:
                    said = (
                        f"{self.venue.name}: requests of {endpoint.bucket!r} are held back for {wait:.0f} s"
                    )
                    raise RateLimited(said, after_s=wait)
                await self._sleep(wait)
            window.take(endpoint.weight)

    def _raise_if_banned(self) -> None:
        until = self.health.banned_until
        if until is None:
            return
        left = (until - self._clock()) / SECOND
        if left > 0:
            raise Banned(f"{self.venue.name}: shut out for another {left:.0f} s", after_s=left)
        self.health.banned_until = None

    def _learn(self, response: httpx.Response) -> None:
        """Take what the headers say of the buckets."""
        self.health.last_status = response.status_code
        for bucket in self.venue.buckets:
            said = response.headers.get(bucket.header, "") if bucket.header else ""
            if said.isascii() and said.isdigit():
                self.health.used[bucket.name] = float(said)
                self._windows[bucket.name].correct(float(said))

    async def _body(self, response: httpx.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                path = urlsplit(str(response.url)).path
                raise self._failed(
                    TooLarge(f"{self.venue.name}: {path} answered more than {MOST_BYTES} bytes")
                )
            parts.append(part)
        return b"".join(parts)

    def _meaning(self, endpoint: Endpoint, response: httpx.Response, body: bytes) -> OrderflowError:
        """Return what a status other than 200 means, and shut the bucket or the host if it says so."""
        status = response.status_code
        after_s = retry_after_s(response.headers.get("Retry-After"), self._clock())
        complaint = _complaint(body)
        said = f"{self.venue.name}: {endpoint.path} answered HTTP {status}"
        if complaint is not None:
            said += f", {complaint.code}: {complaint.msg}"
        error = refusal(self.venue, status, after_s, said)
        if isinstance(error, RateLimited) and endpoint.bucket in self._windows:
            self._windows[endpoint.bucket].block(error.after_s or 0.0)
        elif isinstance(error, Banned):
            self.health.banned_until = self._clock() + round((error.after_s or 0.0) * SECOND)
        if error is not None:
            return error
        if complaint is not None and complaint.code == _UNKNOWN_SYMBOL:
            return UnknownSymbol(said, hint="ask its list of instruments")
        return InvalidArgument(said) if 400 <= status < 500 else VenueUnavailable(said)

    def _failed(self, error: OrderflowError) -> OrderflowError:
        self.health.failures += 1
        self.health.last_error = error.message
        return error


def _key(endpoint: Endpoint, query: dict[str, str]) -> _Key:
    return endpoint.name, tuple(sorted(query.items()))


def _complaint(body: bytes) -> _Complaint | None:
    try:
        return msgspec.json.decode(body, type=_Complaint)
    except msgspec.MsgspecError:
        return None

"""REST: one venue's public requests, within its declared weights, with its refusals understood."""

import asyncio
import random as chance
import re
import time
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx

from orderflow.feed.frames import Frame
from orderflow.feed.health import RestHealth
from orderflow.feed.limits import (
    Backoff,
    Circuit,
    Clock,
    Random,
    Sleep,
    Window,
    refusal,
    rest_windows,
    retry_after_s,
)
from orderflow.market.errors import (
    Banned,
    Disconnected,
    InvalidArgument,
    KeyRefused,
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

_FIELD = re.compile(r"\{(\w+)\}")

Transport: TypeAlias = httpx.AsyncBaseTransport  # stands in for the network

_Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]


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
        transport: Transport | None = None,
    ) -> None:
        self.venue = venue
        self.health = RestHealth()
        self._clock, self._sleep, self._random = clock, sleep, random
        self._windows: dict[str, Window] = rest_windows(venue.buckets, clock)
        self._turns = {name: asyncio.Lock() for name in self._windows}
        self._cache: dict[_Key, tuple[Nanos, Frame]] = {}
        self._hosts = hosts or venue.hosts
        self._circuit = Circuit(clock)
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(TIMEOUT_S, pool=None),
            limits=httpx.Limits(max_connections=CONNECTIONS),
            headers={"User-Agent": "crypto-orderflow"} | venue.headers,
            trust_env=False,  # only the settings read the environment
        )

    @property
    def closed(self) -> bool:
        return self._http.is_closed

    async def close(self) -> None:
        await self._http.aclose()

    async def request(self, endpoint_name: str, **params: object) -> Frame:
        """Return an endpoint's body, with the whole address that it answers; a kept one for `cache_s`.

        Statuses of `refusals.retry` and lost connections are tried four times; after failures in a row
        nothing is asked for a while. Raises `RateLimited`,
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
                if not left or self.health.last_status == 403 or (error.after_s or 0.0) > PATIENCE_S:
                    raise
                await self._sleep(max(backoff.delay_s(), error.after_s or 0.0))
        raise AssertionError("the last try returns or raises")

    async def _ask(self, endpoint: Endpoint, query: dict[str, str]) -> Frame:
        await self._turn(endpoint, endpoint.weighs(query))
        if self._http.is_closed:  # it was lent to somebody who goes on after its feed has ended
            raise VenueUnavailable(f"{self.venue.name}: its feed has ended", after_s=2 * PATIENCE_S)
        self.health.requests += 1
        path = endpoint.path.format(**query) if "{" in endpoint.path else endpoint.path
        base = self._hosts.more[endpoint.host] if endpoint.host else self._hosts.rest
        inside = set(_FIELD.findall(endpoint.path))
        sent = {name: value for name, value in query.items() if name not in inside}
        body = None if endpoint.body is None else endpoint.body(query)
        try:
            async with self._http.stream(
                "GET" if body is None else "POST",
                base + path,
                params=sent if body is None else None,
                content=body,
                headers=None if body is None else {"Content-Type": "application/json"},
            ) as response:
                self._learn(response)
                said = await self._body(response)
        except httpx.HTTPError as error:
            self.health.last_status = None
            raise self._failed(
                Disconnected(f"{self.venue.name}: {path}: {type(error).__name__} {error}".rstrip())
            ) from error
        complaint = self.venue.refusals.complaint(said)
        if response.status_code != httpx.codes.OK or complaint is not None:
            raise self._failed(self._meaning(endpoint, path, response, complaint))
        self._circuit.worked()
        self.health.circuit_open_until = None
        # a host may serve the venue under a prefix; an answer is told by the venue's own path
        url = response.url.copy_with(path=path, query=str(httpx.QueryParams(sent)).encode() or None)
        return Frame(self.venue.name, self._clock(), said, "http", str(url))

    async def _turn(self, endpoint: Endpoint, weight: float) -> None:
        """Wait for the endpoint's bucket, in the order of asking, or raise that it is shut."""
        window = self._windows.get(endpoint.bucket)
        if window is None:
            self._raise_if_banned()
            return
        async with self._turns[endpoint.bucket]:
            while True:
                self._raise_if_banned()
                wait = window.wait_s(weight)
                if wait <= 0:
                    break
                if wait > PATIENCE_S and window.blocked:
                    said = (
                        f"{self.venue.name}: requests of {endpoint.bucket!r} are held back for {wait:.0f} s"
                    )
                    raise RateLimited(said, after_s=wait)
                await self._sleep(wait)
            window.take(weight)

    def _raise_if_banned(self) -> None:
        if (wait := self._circuit.wait_s()) > 0:
            said = f"{self.venue.name}: not asked for another {wait:.0f} s, after failures in a row"
            raise VenueUnavailable(f"{said}: {self.health.last_error}", after_s=wait)
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

    def _meaning(
        self, endpoint: Endpoint, path: str, response: httpx.Response, complaint: tuple[str, str] | None
    ) -> OrderflowError:
        """Return what a status other than 200, or the venue's own word, means; shut what it says is shut."""
        means, status = self.venue.refusals, response.status_code
        after_s = retry_after_s(response.headers.get("Retry-After"), self._clock())
        said = f"{self.venue.name}: {path} answered HTTP {status}"
        error: OrderflowError | None = None
        if complaint is not None:
            said += f", {complaint[0]}: {complaint[1]}"
            if complaint[0] in means.limited_codes:
                status = next(iter(means.limited))
        if status != httpx.codes.OK:
            error = refusal(self.venue, status, after_s, said)
        if isinstance(error, RateLimited) and endpoint.bucket in self._windows:
            self._windows[endpoint.bucket].block(error.after_s or 0.0)
        elif isinstance(error, Banned):
            self.health.banned_until = self._clock() + round((error.after_s or 0.0) * SECOND)
        if error is not None:
            return error
        if complaint is not None and complaint[0] in means.unknown_symbol_codes:
            return UnknownSymbol(said, hint="ask its list of instruments")
        if complaint is not None and complaint[0] in means.key_codes:
            return KeyRefused(said, hint="the venue answers this to its clients only")
        if complaint is not None and complaint[0] in means.unavailable_codes:
            return VenueUnavailable(said)
        return InvalidArgument(said) if status < 500 else VenueUnavailable(said)

    def _failed(self, error: OrderflowError) -> OrderflowError:
        self.health.failures += 1
        self.health.last_error = error.message
        if isinstance(error, VenueUnavailable | Disconnected):
            self._circuit.failed()
            self.health.circuit_open_until = self._circuit.open_until
        return error


def _key(endpoint: Endpoint, query: dict[str, str]) -> _Key:
    return endpoint.name, tuple(sorted(query.items()))

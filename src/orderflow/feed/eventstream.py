"""Event streams: server-sent events over HTTP, seen by the feed as a socket that only speaks."""

import asyncio
from collections.abc import Callable

import httpx

from orderflow.feed.frames import Frame
from orderflow.feed.limits import Clock, refusal, retry_after_s
from orderflow.market.errors import Disconnected
from orderflow.market.events import Nanos
from orderflow.venues.spec import Venue

CONNECT_TIMEOUT_S = 10.0
_FIELD = b"data:"


class _Stream:
    """An open event stream; each event's data is a frame. Comments are signs of life and nothing else."""

    def __init__(
        self,
        venue: Venue,
        route: str,
        client: httpx.AsyncClient,
        response: httpx.Response,
        on_frames: Callable[[list[Frame]], None],
        clock: Clock,
    ) -> None:
        self.heard_ts: Nanos = clock()
        self._venue, self._route, self._most = venue.name, route, venue.limits.max_message_bytes
        self._client, self._response = client, response
        self._on_frames, self._clock = on_frames, clock
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> str:
        rest, data = b"", []
        try:
            async for piece in self._response.aiter_bytes():
                self.heard_ts = self._clock()
                *lines, rest = (rest + piece).split(b"\n")
                burst: list[Frame] = []
                for line in lines:
                    line = line.rstrip(b"\r")
                    if line.startswith(_FIELD):
                        data.append(line[len(_FIELD) :].removeprefix(b" "))
                    elif not line and data:
                        burst.append(Frame(self._venue, self.heard_ts, b"\n".join(data), "ws", self._route))
                        data = []
                if len(rest) + sum(map(len, data)) > self._most:
                    return f"an event of more than {self._most} bytes"
                if burst:
                    self._on_frames(burst)
                await self._flowing.wait()
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        finally:
            await self._response.aclose()
            await self._client.aclose()
        return "the stream has ended"

    def send(self, payload: bytes) -> None:
        """Say nothing: an event stream hears nothing."""

    def ping(self) -> None:
        """Say nothing: an event stream hears nothing."""

    def pause(self) -> None:
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def close(self) -> None:
        self._reading.cancel()

    async def lost(self) -> str:
        """Wait until the stream has ended and return why."""
        await asyncio.wait((self._reading,))
        return "closed by us" if self._reading.cancelled() else self._reading.result()


async def connect(
    venue: Venue, route: str, url: str, on_frames: Callable[[list[Frame]], None], clock: Clock
) -> _Stream:
    """Open an event stream. Raises `Disconnected`, or what the venue's form says of a refusing status."""
    client = httpx.AsyncClient(
        headers={"User-Agent": "crypto-orderflow", "Accept": "text/event-stream", **venue.headers},
        timeout=httpx.Timeout(CONNECT_TIMEOUT_S, read=None),  # silence is the connection's matter
        trust_env=False,
    )
    try:
        response = await client.send(client.build_request("GET", url), stream=True)
    except httpx.HTTPError as error:
        await client.aclose()
        raise Disconnected(f"{venue.name}: {url}: {type(error).__name__} {error}".rstrip()) from error
    if response.status_code != httpx.codes.OK:
        after_s = retry_after_s(response.headers.get("Retry-After"), clock())
        said = f"{venue.name}: {url} answered HTTP {response.status_code}"
        await response.aclose()
        await client.aclose()
        raise refusal(venue, response.status_code, after_s, said) or Disconnected(said, after_s=after_s)
    return _Stream(venue, route, client, response, on_frames, clock)

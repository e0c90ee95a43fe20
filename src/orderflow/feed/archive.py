"""Archive: files of past days from a venue's host, each proven by its checksum before a row is read.

The checksum is asked first: it tells whether the file exists, and whether one that is kept is still the
one that is published, since files are replaced now and then. A download that broke off goes on where it
ended; a file takes its name only when it is whole.
"""

import asyncio
import hashlib
import io
import logging
import os
import random as chance
import re
import time
import zipfile
import zlib
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import cast

import httpx

from orderflow.feed.limits import Backoff, Clock, Random, Sleep, Window, retry_after_s, turn
from orderflow.feed.recordings import opened
from orderflow.market.errors import (
    Disconnected,
    InvalidArgument,
    NoData,
    OrderflowError,
    RateLimited,
    RecordingUnreadable,
    Retry,
    TooLarge,
    VenueUnavailable,
)

log = logging.getLogger(__name__)

TRIES = 4
TIMEOUT_S = 30.0
REQUESTS_PER_S = 5.0  # to one host; it names no limit of its own
MOST_BYTES = 4 * 1024**3  # of a packed file; a month of the busiest contract is a third of it
MOST_ROW_BYTES = 64 * 1024
KEPT_BYTES = 2 * 1024**3  # of files in the folder; the oldest go first
CHUNK_ROWS = 5_000
_MOST_CHECKSUM = 1024
_LIMITED_S = 30.0  # where a refusal does not say how long

Arrived = Callable[[int], None]  # bytes so far


class Archives:
    """One host's files, in a folder of ours. `transport` replaces the network."""

    def __init__(
        self,
        host: str,
        folder: Path,
        *,
        clock: Clock = time.time_ns,
        sleep: Sleep = asyncio.sleep,
        random: Random = chance.random,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        try:
            known = httpx.URL(host)
        except httpx.InvalidURL as error:
            raise InvalidArgument(f"{host[:200]!r} is no address of an archive: {error}") from error
        if known.scheme not in ("http", "https") or not known.host:
            raise InvalidArgument(
                f"{host[:200]!r} is no address of an archive", hint="for example https://data.binance.vision"
            )
        self.host, self.folder = host.rstrip("/"), folder
        self._clock, self._sleep, self._random = clock, sleep, random
        self._window = Window(REQUESTS_PER_S, 1.0, clock)
        self._one = asyncio.Lock()  # one file after another
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(TIMEOUT_S, pool=None),
            headers={"User-Agent": "crypto-orderflow", "Accept-Encoding": "identity"},
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def checksum(self, path: str, suffix: str) -> str:
        """Return the SHA-256 that the host publishes; raises `NoData` where it has no such file."""
        body = await self._insist(lambda: self._small(path + suffix))
        name = path.rsplit("/", 1)[-1]
        found = re.fullmatch(r"([0-9a-fA-F]{64})\s+\*?(\S+)\s*", body.decode(errors="replace"))
        if found is None or found[2] != name:
            raise RecordingUnreadable(
                f"{self.host}/{path}{suffix}: not a checksum of {name}: {body[:80]!r}",
                hint="expected are 64 hexadecimal digits and the file's name",
            )
        return found[1].lower()

    async def file(self, path: str, checksum: str, arrived: Arrived = lambda size: None) -> Path:
        """Return a file of ours that has this checksum, downloaded unless it is there already.

        Raises `RecordingUnreadable` where what came is another file, `NoData` where there is none.
        """
        async with self._one:
            place = self._place(path)
            if place.is_file() and await asyncio.to_thread(_digest, place) == checksum:
                return place
            part = place.with_name(f"{place.name}.{checksum[:16]}.part")
            place.parent.mkdir(parents=True, exist_ok=True)
            resumed = part.exists()
            await self._insist(lambda: self._download(path, part, arrived))
            found = await asyncio.to_thread(_digest, part)
            if found != checksum and resumed:  # what was kept of it may be of another file
                part.unlink()
                await self._insist(lambda: self._download(path, part, arrived))
                found = await asyncio.to_thread(_digest, part)
            if found != checksum:
                part.unlink()
                raise RecordingUnreadable(
                    f"{self.host}/{path}: its SHA-256 is {found[:12]}…, and {checksum[:12]}… is published:"
                    " nothing of it was used",
                    hint="ask again later: the file or its checksum may be about to be replaced",
                )
            await asyncio.to_thread(_prove, part, path)
            part.replace(place)
            await asyncio.to_thread(self._make_room, place)
            return place

    def _place(self, path: str) -> Path:
        place = (self.folder / path).resolve()
        if not place.is_relative_to(self.folder.resolve()):
            raise InvalidArgument(f"{path[:200]!r} leads out of the archive's folder")
        return place

    # ── Requests ──────────────────────────────────────────────────────────────────────────────

    async def _insist(self, ask: Callable[[], Awaitable[bytes]]) -> bytes:
        backoff = Backoff(self._random)
        for left in reversed(range(TRIES)):
            await turn(self._window, self._sleep)
            try:
                return await ask()
            except Retry as error:
                if not left:
                    raise
                log.info("%s", error.message)
                await self._sleep(max(backoff.delay_s(), error.after_s or 0.0))
        raise AssertionError("the last try returns or raises")

    async def _small(self, path: str) -> bytes:
        try:
            async with self._http.stream("GET", f"{self.host}/{path}") as response:
                self._check(response, path)
                body = b""
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > _MOST_CHECKSUM:
                        break
                return body
        except httpx.HTTPError as error:
            raise self._lost(path, error) from error

    async def _download(self, path: str, part: Path, arrived: Arrived) -> bytes:
        """Bring the rest of a file into `part`."""
        have = await asyncio.to_thread(_size, part)
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            async with self._http.stream("GET", f"{self.host}/{path}", headers=headers) as response:
                if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return b""  # it is whole already; the checksum decides
                self._check(response, path)
                goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
                size = have if goes_on else 0
                with part.open("ab" if goes_on else "wb") as file:
                    async for some in response.aiter_bytes():
                        size += len(some)
                        if size > MOST_BYTES:
                            file.truncate(0)
                            raise TooLarge(f"{self.host}/{path}: larger than {MOST_BYTES} bytes")
                        file.write(some)
                        arrived(size)
                    file.flush()
                    await asyncio.to_thread(os.fsync, file.fileno())
        except httpx.HTTPError as error:
            raise self._lost(path, error) from error
        return b""

    def _check(self, response: httpx.Response, path: str) -> None:
        status = response.status_code
        if status in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            return
        said = f"{self.host}/{path} answered HTTP {status}"
        after_s = retry_after_s(response.headers.get("Retry-After"), self._clock())
        raise _meaning(status, said, after_s)

    def _lost(self, path: str, error: httpx.HTTPError) -> OrderflowError:
        return Disconnected(f"{self.host}/{path}: {type(error).__name__} {error}".rstrip())

    # ── Room ──────────────────────────────────────────────────────────────────────────────────

    def _make_room(self, newest: Path) -> None:
        """Delete the oldest files beyond what may be kept, and what is left of broken downloads."""
        found = sorted(
            ((one.stat().st_mtime, one.stat().st_size, one) for one in self.folder.rglob("*.zip")),
            reverse=True,
        )
        total = 0
        for _, size, one in found:
            total += size
            if total > KEPT_BYTES and one != newest:
                one.unlink(missing_ok=True)


def _meaning(status: int, said: str, after_s: float | None) -> OrderflowError:
    match status:
        case 404 | 403:  # object stores answer 403 for what they do not have where lists are not public
            return NoData(f"{said}: not published", hint="a day's file appears some hours after it ended")
        case 429 | 418:
            wait = _LIMITED_S if after_s is None else after_s
            return RateLimited(f"{said}; limited for {wait:g} s", after_s=wait)
        case _ if status >= 500 or status == httpx.codes.REQUEST_TIMEOUT:
            return VenueUnavailable(said, after_s=after_s)
        case _:
            return InvalidArgument(said)


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def rows(path: Path, skip: int = 0) -> Generator[list[bytes]]:
    """Yield the rows of the table in a file, in chunks, without its header, from row `skip` on.

    A first row whose first cell begins with a letter is a header; older files have none.
    """
    chunk: list[bytes] = []
    with opened(path) as packed:
        file = io.BufferedReader(cast(io.RawIOBase, packed))  # its lines come faster than the zip's own
        place = 0
        for number, line in enumerate(iter(lambda: file.readline(MOST_ROW_BYTES), b"")):
            row = line.strip()
            if not row or (number == 0 and row.removeprefix(b"\xef\xbb\xbf")[:1].isalpha()):
                continue
            if number == 0:
                row = row.removeprefix(b"\xef\xbb\xbf")
            place += 1
            if place <= skip:
                continue
            chunk.append(row)
            if len(chunk) == CHUNK_ROWS:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _prove(part: Path, path: str) -> None:
    """Read a file once to its end, so that no row of a damaged one is used."""
    if not path.endswith(".zip"):
        return
    try:
        with zipfile.ZipFile(part) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        part.unlink()
        raise RecordingUnreadable(f"{path}: not a zip file, or damaged: {error}") from error
    if damaged is not None:
        part.unlink()
        raise RecordingUnreadable(f"{path}: {damaged[:100]!r} inside it is damaged")

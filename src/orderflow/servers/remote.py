"""Remote: asks a running service over HTTP, without loading anything of what answers there."""

import asyncio
import http.client
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from orderflow.market.errors import InvalidArgument
from orderflow.servers.replies import Failure, Reply, asked_form, failed
from orderflow.servers.watches import lasts_s

if TYPE_CHECKING:
    from orderflow.tools.answers import Format
    from orderflow.tools.spec import Tell

KEY = "X-Orderflow-Key"  # the header in which the owner of a collector shows that he is


class Remote:
    """Asks a running service over HTTP, so that each door gives the answer of the one that collects."""

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidArgument(f"{url!r} is no address of a service", hint="as in http://127.0.0.1:8022")
        self._url, self._parts, self._timeout_s = url.rstrip("/"), parts, timeout_s
        self._headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        format: "Format | None" = None,
        *,
        tell: "Tell | None" = None,
    ) -> Reply:
        """Answer as the service does; that it cannot be reached, or is late, is a failure too.

        How far an answer is does not come over HTTP: `tell` hears nothing.
        """
        given = dict(arguments or {})
        form = format or asked_form(given)
        try:
            body = json.dumps(given, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            return failed(Failure(code="invalid_argument", message=f"arguments are no JSON: {error}"))
        query = urlencode({"format": form, "envelope": "reply"})
        path = f"/tools/{quote(name, safe='')}?{query}"
        timeout_s = self._timeout_s + lasts_s(name, given)
        return await asyncio.to_thread(self._reply, "POST", path, body, timeout_s)

    async def health(self) -> dict[str, Any]:
        """Return the service's health; one that cannot be reached is unhealthy, and says so."""
        found = await asyncio.to_thread(self.asked, "GET", "/health", None)
        if isinstance(found, Failure):
            return {"status": "unhealthy", "reasons": [found.message], "venues": {}}
        return found[1] if isinstance(found[1], dict) else {}

    def asked(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> tuple[int, Any] | Failure:
        """Send one request and return its status and JSON, or why there is no answer in the time that it has."""
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=timeout_s)
        try:
            connection.request(
                method, self._parts.path.rstrip("/") + path, body, {**self._headers, **(headers or {})}
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except TimeoutError:
            waited = math.ceil(timeout_s)
            return Failure(
                code="timeout", message=f"no answer from {self._url} in {waited} s", hint="ask for less"
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Failure(
                code="venue_unavailable",
                message=f"no service answers at {self._url}: {error}",
                hint="start one with `orderflow up` or `orderflow demo`, or name its address",
            )
        finally:
            connection.close()

    def _reply(
        self, method: Literal["GET", "POST"], path: str, body: bytes | None, timeout_s: float
    ) -> Reply:
        found = self.asked(method, path, body, timeout_s=timeout_s)
        if isinstance(found, Failure):
            return failed(found)
        status, said = found
        try:
            if status == 200 and "code" not in said:  # one that lasted fails after its status was sent
                return msgspec.convert(said, Reply)
            return failed(msgspec.convert(said, Failure))
        except (msgspec.ValidationError, TypeError):
            return failed(
                Failure(
                    code="internal",
                    message=f"{self._url} answered {status} with something else than an answer of ours",
                    hint="is another program listening there?",
                )
            )

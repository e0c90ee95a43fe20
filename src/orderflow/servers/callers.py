"""Callers: the one way in which every door asks a tool, here or in the service that collects."""

import asyncio
import http.client
import json
import logging
import math
import secrets
from collections.abc import Mapping
from typing import Any, Literal, Protocol, get_args
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from orderflow import tools
from orderflow.market.errors import InvalidArgument, OrderflowError, Retry
from orderflow.tools.answers import Format
from orderflow.tools.context import Context
from orderflow.tools.forms import structured, write

log = logging.getLogger(__name__)

# What a defect of ours raises. The door is the one place where it is caught: the caller is given a
# trace id, the log the traceback.
DEFECTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, by a stable code, and what would be right."""

    code: str
    message: str
    hint: str = ""
    after_s: float | None = None
    trace: str | None = None

    def __str__(self) -> str:
        hint = f" Hint: {self.hint}" if self.hint else ""
        return f"{self.code}: {self.message}{hint}"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in the form that was asked and as plain data, its picture as a PNG; or a failure, in words."""

    text: str
    structured: dict[str, Any] | None = None
    picture: bytes | None = None
    failure: Failure | None = None


class Caller(Protocol):
    """Whoever answers: tools of this process, or a running service."""

    async def call(
        self, name: str, arguments: Mapping[str, Any] | None = None, format: Format | None = None
    ) -> Reply: ...

    async def health(self) -> dict[str, Any]: ...


def failed(failure: Failure) -> Reply:
    return Reply(text=str(failure), failure=failure)


def failure_of(error: OrderflowError) -> Failure:
    return Failure(
        code=error.code,
        message=error.message,
        hint=error.hint,
        after_s=error.after_s if isinstance(error, Retry) else None,
    )


class Local:
    """Asks the tools of this process."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def call(
        self, name: str, arguments: Mapping[str, Any] | None = None, format: Format | None = None
    ) -> Reply:
        """Answer a question; a `format` given here wins over the one among the arguments.

        What asks the store is answered in a thread, so that neither the doors nor what is received wait.
        """
        if tools.ALL.asks_store(name, arguments):
            return await asyncio.to_thread(self._reply, name, arguments, format)
        return self._reply(name, arguments, format)

    async def health(self) -> dict[str, Any]:
        return {"kind": self._context.latest.kind, **self._context.health()}

    def _reply(self, name: str, arguments: Mapping[str, Any] | None, format: Format | None) -> Reply:
        given = dict(arguments or {})
        if format is not None and given.get("format") in (None, *get_args(Format)):
            given["format"] = format  # one that is wrong stays, and is refused
        try:
            answer = tools.call(self._context, name, given)
            return Reply(
                text=write(answer, asked_form(given)),
                structured=structured(answer),
                picture=None if answer.picture is None else answer.picture.png,
            )
        except OrderflowError as error:
            return failed(failure_of(error))
        except DEFECTS:
            trace = secrets.token_hex(6)
            log.exception("tool %s failed, trace %s", name, trace)
            message = f"{name} failed on our side, trace {trace}"
            return failed(
                Failure(code="internal", message=message, hint="the log has the details", trace=trace)
            )


def asked_form(arguments: Mapping[str, Any]) -> Format:
    """Return the form that arguments ask for; call_tool passes that of the tool that it calls."""
    inner = arguments.get("arguments")
    said = arguments.get("format") or (inner.get("format") if isinstance(inner, Mapping) else None)
    return said if said in ("text", "json", "xml") else "text"


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
        self, name: str, arguments: Mapping[str, Any] | None = None, format: Format | None = None
    ) -> Reply:
        """Answer as the service does; that it cannot be reached, or is late, is a failure too."""
        given = dict(arguments or {})
        form = format or asked_form(given)
        try:
            body = json.dumps(given, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            return failed(Failure(code="invalid_argument", message=f"arguments are no JSON: {error}"))
        query = urlencode({"format": form, "envelope": "reply"})
        path = f"/tools/{quote(name, safe='')}?{query}"
        return await asyncio.to_thread(self._reply, "POST", path, body)

    async def health(self) -> dict[str, Any]:
        """Return the service's health; one that cannot be reached is unhealthy, and says so."""
        found = await asyncio.to_thread(self.asked, "GET", "/health", None)
        if isinstance(found, Failure):
            return {"status": "unhealthy", "reasons": [found.message], "venues": {}}
        return found[1] if isinstance(found[1], dict) else {}

    def asked(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any] | Failure:
        """Send one request and return its status and JSON, or why there is no answer."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout_s)
        try:
            connection.request(
                method, self._parts.path.rstrip("/") + path, body, {**self._headers, **(headers or {})}
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except TimeoutError:
            waited = math.ceil(self._timeout_s)
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

    def _reply(self, method: Literal["GET", "POST"], path: str, body: bytes | None) -> Reply:
        found = self.asked(method, path, body)
        if isinstance(found, Failure):
            return failed(found)
        status, said = found
        try:
            if status == 200:
                return msgspec.convert(said, Reply)
            return failed(msgspec.convert(said, Failure))
        except msgspec.ValidationError:
            return failed(
                Failure(
                    code="internal",
                    message=f"{self._url} answered {status} with something else than an answer of ours",
                    hint="is another program listening there?",
                )
            )

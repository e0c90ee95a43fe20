"""Callers: the one way in which every door asks a tool, here or in the service that collects."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Protocol, get_args

from orderflow import tools
from orderflow.market.errors import OrderflowError, RateLimited
from orderflow.servers.replies import Failure, Reply, asked_form, failed, failure_of
from orderflow.servers.watches import Watches, lasts_s
from orderflow.tools.answers import Format
from orderflow.tools.context import Context
from orderflow.tools.forms import structured, write
from orderflow.tools.spec import Tell, untold

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


class Caller(Protocol):
    """Whoever answers: tools of this process, or a running service."""

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        format: Format | None = None,
        *,
        tell: Tell | None = None,
    ) -> Reply: ...

    async def health(self) -> dict[str, Any]: ...


class ReadOnly:
    """A caller that refuses what changes something, also where whoever answers would allow it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        format: Format | None = None,
        *,
        tell: Tell | None = None,
    ) -> Reply:
        if _changes(name):
            return failed(
                Failure(
                    code="invalid_argument",
                    message=f"{name} changes something, and this door is read-only",
                    hint="its owner sets ORDERFLOW_ALLOW_CONTROL, and leaves --read-only away",
                )
            )
        return await self._caller.call(name, arguments, format, tell=tell)

    async def health(self) -> dict[str, Any]:
        return await self._caller.health()


class Local:
    """Asks the tools of this process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watches = Watches()

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        format: Format | None = None,
        *,
        tell: Tell | None = None,
    ) -> Reply:
        """Answer a question; a `format` given here wins over the one among the arguments.

        What asks the store is answered in a thread, so that neither the doors nor what is received wait; what
        watches for a while in one of a few that are kept for that. From there it tells how far it is.
        """
        if lasts_s(name, arguments):
            try:
                return await self._watches.run(lambda: self._reply(name, arguments, format, tell or untold))
            except RateLimited as error:
                return failed(failure_of(error))
        if tools.ALL.asks_store(name, arguments):
            return await asyncio.to_thread(self._reply, name, arguments, format, tell or untold)
        return self._reply(name, arguments, format, tell or untold)

    async def health(self) -> dict[str, Any]:
        return {"kind": self._context.latest.kind, **self._context.health()}

    def _reply(
        self, name: str, arguments: Mapping[str, Any] | None, format: Format | None, tell: Tell
    ) -> Reply:
        given = dict(arguments or {})
        if format is not None and given.get("format") in (None, *get_args(Format)):
            given["format"] = format  # one that is wrong stays, and is refused
        try:
            answer = tools.call(self._context, name, given, tell)
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


def _changes(name: str) -> bool:
    """Tell whether a tool changes something; one that does not exist changes nothing."""
    try:
        return not tools.ALL.resolve(name)[0].read_only
    except OrderflowError:
        return False

"""Callers: the one way in which every door asks a tool, here or in the service that collects."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Protocol, get_args

from orderflow import tools
from orderflow.market.errors import OrderflowError
from orderflow.servers.replies import Failure, Reply, asked_form, failed, failure_of
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


class Caller(Protocol):
    """Whoever answers: tools of this process, or a running service."""

    async def call(
        self, name: str, arguments: Mapping[str, Any] | None = None, format: Format | None = None
    ) -> Reply: ...

    async def health(self) -> dict[str, Any]: ...


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

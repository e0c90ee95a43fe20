"""Replies: what comes back when a tool is asked, in whichever process: an answer, or a failure by a stable code."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from orderflow.market.errors import OrderflowError, Retry

if TYPE_CHECKING:  # who only sends a question on need not load the tools
    from orderflow.tools.answers import Format


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


def failed(failure: Failure) -> Reply:
    return Reply(text=str(failure), failure=failure)


def failure_of(error: OrderflowError) -> Failure:
    return Failure(
        code=error.code,
        message=error.message,
        hint=error.hint,
        after_s=error.after_s if isinstance(error, Retry) else None,
    )


def asked_form(arguments: Mapping[str, Any]) -> "Format":
    """Return the form that arguments ask for; call_tool passes that of the tool that it calls."""
    inner = arguments.get("arguments")
    said = arguments.get("format") or (inner.get("format") if isinstance(inner, Mapping) else None)
    return said if said in ("text", "json", "xml") else "text"

"""The playbook: a question that traders ask every day, as the tools to call and what to read from which figure."""

from collections.abc import Mapping
from typing import Any

import msgspec


class Argument(msgspec.Struct, frozen=True):
    """What the user may name: its meaning, and what it is when nothing is named; None where it must be.

    Where the usual is `implied`, the tools take it when they are told nothing, and are told nothing.
    """

    meaning: str
    usual: str | None = None
    implied: bool = False

    @property
    def described(self) -> str:
        return self.meaning if self.usual is None else f"{self.meaning}; {self.usual} when left out"


class Step(msgspec.Struct, frozen=True):
    """One call: the tool, its arguments (`{symbol}` is filled in), and what to read from the answer."""

    tool: str
    arguments: Mapping[str, Any]
    read: str


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt: what it is for, the calls in order, and how to conclude."""

    name: str
    title: str
    description: str
    arguments: Mapping[str, Argument]
    aim: str
    steps: tuple[Step, ...]
    conclude: str


SYMBOL = Argument("a symbol, as in BTCUSDT")
USUAL_SYMBOL = Argument("a symbol, as in BTCUSDT", "BTCUSDT")
COIN = Argument("a coin, as in BTC", "BTC")


def since(usual: str) -> Argument:
    return Argument("begin of the window, as -4h or ISO 8601", usual)


HEALTH = Step("system_health", {}, "say first if data are simulated, old or missing, and from which venues.")


def of_symbol(tool: str, read: str, **more: Any) -> Step:
    """Return a call about the symbol that the user named."""
    return Step(tool, {"symbol": "{symbol}", **more}, read)

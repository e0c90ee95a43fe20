"""The tool: a typed function whose signature and docstring are its interface at every door.

A tool's first parameter is the `Ask`; the others are its arguments, each typed, with its range in a
`msgspec.Meta` and its meaning in the docstring's `Args:`. Schema, validation, description and
annotations follow from that.
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias
from urllib.parse import urlencode

import msgspec

from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import HOUR, MS, Nanos
from orderflow.market.instruments import COLLECTED, MARKETS
from orderflow.tools.answers import DEFAULT_TOKENS, MOST_TOKENS, PNG, Answer, Source
from orderflow.tools.context import Context, History, Hole, Latest
from orderflow.tools.signature import IS_INSTANT, Parameter, argument_docs, flat, parameters
from orderflow.tools.times import instant

if TYPE_CHECKING:
    from orderflow.tools.catalogue import Catalogue

__all__ = ["AnyVenueId", "Ask", "Context", "Instant", "Latest", "Parameter", "Tool", "VenueId", "tool"]

VenueId: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(COLLECTED)})]
AnyVenueId: TypeAlias = Annotated[
    str, msgspec.Meta(extra_json_schema={"enum": list(MARKETS)})
]  # asked alone, too

# A time in any of the forms that `times` reads; a tool is given it as text, in epoch milliseconds.
Instant: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema=IS_INSTANT)]

# How far a long answer is: what is done, of how much where that is known, and in words. From any thread.
Tell: TypeAlias = Callable[[float, float | None, str], None]

SMALLEST = 1e-12  # of a step of prices or a size: below it a price is more steps than a whole number holds
MOST_CHARACTERS = 350  # of a description: a host's list is read whole, before any question

COMMON: dict[str, dict[str, Any]] = {
    "format": {"enum": ["text", "json", "xml"]},
    "max_tokens": {"type": "integer", "minimum": 200, "maximum": MOST_TOKENS},
    "next": {"type": "string", "minLength": 1},
}
COMMON_DOCS = {
    "format": "form of the text: CSV under a first line that explains it, JSON or XML (default text)",
    "max_tokens": f"budget of the answer (default {DEFAULT_TOKENS})",
    "next": "the `next` of an answer, to read on where it ended",
    "limit": "rows of one page",
}
MOST_ROWS = 500


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The pixels and the ground of a picture: what every tool that draws takes beside its own arguments."""

    width: Annotated[int, msgspec.Meta(ge=800, le=1920)] = 1200
    height: Annotated[int, msgspec.Meta(ge=400, le=1920)] = 800
    theme: Literal["dark", "light"] = "dark"


LOOK_DOCS = {
    "width": "pixels of the picture",
    "height": "pixels, half to 1.2 times the width",
    "theme": "ground of the picture",
}
DRAWS = "Draws a PNG beside its numbers."  # what the description of such a tool ends with


def untold(done: float, of: float | None, said: str, /) -> None:
    """Tell nobody: the caller does not ask how far the answer is."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One call: the context, what the doors know, and one instant that is `now` throughout.

    An answer that takes a while says how far it is with `tell(done, of, said)`; most callers do not listen.
    """

    context: Context
    catalogue: "Catalogue"
    tool: str
    now: Nanos
    common: Mapping[str, Any] = field(default_factory=dict[str, Any])  # format, max_tokens, next as given
    look: Look = field(default_factory=Look)  # of the picture, where the tool draws one
    tell: Tell = untold

    @property
    def latest(self) -> Latest:
        return self.context.latest

    @property
    def history(self) -> History:
        """What is stored; raises `NoData` where nothing can be asked."""
        if self.context.history is None:
            raise NoData("nothing is stored that could be asked", hint="system_health says what is collected")
        return self.context.history

    @property
    def source(self) -> Source:
        """Whose data these are: what was live and is read from a file, or was made by no known run, is stored."""
        kind = self.latest.kind
        if kind == "live" and self.context.stored:
            return "stored"
        return kind if kind in ("live", "replay", "simulated") else "stored"

    def gaps(self) -> list[Hole]:
        """Return the gaps of the last hour, oldest first."""
        return sorted(self.context.gaps(since=self.now - HOUR, until=self.now), key=lambda gap: gap.from_ts)

    @property
    def as_of(self) -> int:
        return self.now // MS


Function: TypeAlias = Callable[..., Answer]


@dataclass(frozen=True)
class Tool:
    """A question that can be asked at every door."""

    name: str
    title: str
    family: str
    summary: str  # what it gives
    use: str  # when to reach for it
    parameters: tuple[Parameter, ...]
    arguments: type[msgspec.Struct]
    function: Function
    columns: Mapping[str, str] | None = None  # column → unit
    example: Mapping[str, Any] | None = None
    version: str = "1"
    core: bool = True
    limit: int | None = None  # rows of one page, where the tool gives a list
    open_world: bool = False  # it calls a venue
    read_only: bool = True
    passes_on: bool = False  # its answer is another tool's, to whom the common arguments belong
    asks_store: bool = False  # its answer takes a while: doors have it made beside their loop
    draws: bool = False  # its answer has a picture
    lasts_s: float = 0.0  # so long it may watch before it answers: doors wait as much longer

    @property
    def description(self) -> str:
        return " ".join(part for part in (self.summary, self.use, DRAWS if self.draws else "") if part)

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments that are its own."""
        own = tuple(one.name for one in self.parameters)
        return own if self.limit is None else (*own, "limit")

    @cached_property
    def schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of the arguments, without what a reader does not need."""
        properties = {one.name: one.shown() for one in self.parameters}
        if self.limit is not None:
            properties["limit"] = {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_ROWS,
                "default": self.limit,
            }
        required = [one.name for one in self.parameters if one.required]
        found: dict[str, Any] = {
            "type": "object",
            "properties": properties | COMMON,
            "additionalProperties": False,
        }
        return found | {"required": required} if required else found

    @property
    def annotations(self) -> dict[str, bool]:
        return {
            "readOnlyHint": self.read_only,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": self.open_world,
        }

    @cached_property
    def result(self) -> dict[str, Any]:
        """What the answer holds, for `describe_tools`: the columns with their units, and the picture."""
        picture = {"picture": PNG} if self.draws else {}
        return {"columns": dict(self.columns or {}), **picture, "version": self.version}

    def answer(self, ask: Ask, arguments: Mapping[str, Any]) -> Answer:
        """Have the function answer; how its picture shall look it finds in the `Ask`."""
        if not self.draws:
            return self.function(ask, **arguments)
        look = {name: arguments[name] for name in Look.__struct_fields__}
        own = {name: value for name, value in arguments.items() if name not in look}
        return self.function(replace(ask, look=Look(**look)), **own)

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments typed, with defaults; raise `InvalidArgument` naming what is wrong."""
        self._known(arguments)
        by_name = {one.name: one for one in self.parameters}
        given = {name: _told(value, by_name[name]) for name, value in arguments.items()}
        missing = [one for one in self.parameters if one.required and given.get(one.name) is None]
        if missing:
            raise InvalidArgument(f"{self.name} needs {missing[0].name}", hint=missing[0].allowed())
        try:
            typed = msgspec.convert(given, self.arguments, strict=False)
        except msgspec.ValidationError as error:
            raise self._refused(str(error), given) from error
        found = {name: getattr(typed, name) for name in self.arguments.__struct_fields__}
        for name, value in found.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise InvalidArgument(f"{name}: {value} is not a number", hint=by_name[name].allowed())
        return found

    def settled(self, typed: Mapping[str, Any], now: Nanos) -> dict[str, Any]:
        """Return typed arguments whose times are instants, in epoch milliseconds, whenever they are read."""
        times = {one.name for one in self.parameters if one.is_instant}
        return {
            name: str(-(-instant(value, now) // MS)) if name in times and value is not None else value
            for name, value in typed.items()
        }

    def address(self, typed: Mapping[str, Any]) -> str:
        """Return where the HTTP door gives the picture of typed arguments, whenever it is asked."""
        usual = {one.name: one.default for one in self.parameters}
        given = {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in typed.items()
            if value is not None and value != usual[name]
        }
        return f"/tools/{self.name}?{urlencode({'format': 'png', **given})}"

    def _known(self, arguments: Mapping[str, Any]) -> None:
        own = [one.name for one in self.parameters]
        for name in arguments:
            if name not in own:
                offered = [*self.names, *COMMON]
                near = get_close_matches(name, offered, n=3, cutoff=0.5)
                hint = f"nearest: {', '.join(near)}; " if near else ""
                raise InvalidArgument(
                    f"{self.name} has no parameter {name!r}", hint=f"{hint}it takes {', '.join(offered)}"
                )

    def _refused(self, said: str, given: Mapping[str, Any]) -> InvalidArgument:
        found = re.search(r"^(?P<what>.*?)(?: - at `\$\.(?P<name>\w+))?(?:\[.*\])?`?$", said)
        name = (found["name"] or "") if found else ""
        what = found["what"].replace("`", "") if found else said
        for one in self.parameters:
            if one.name == name:
                return InvalidArgument(f"{name}: {what}, got {given[name]!r:.80}", hint=one.allowed())
        return InvalidArgument(what, hint="; ".join(one.allowed() for one in self.parameters))


def _told(value: Any, parameter: Parameter) -> Any:
    """Take a list from text, as command lines and query strings write it (`a,b`), and a time from a number."""
    if parameter.listed and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()] or None
    if parameter.is_instant and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.0f}"
    return value


def tool(
    *,
    family: str,
    title: str,
    columns: Mapping[str, str] | None = None,
    example: Mapping[str, Any] | None = None,
    limit: int | None = None,
    version: str = "1",
    core: bool = True,
    open_world: bool = False,
    read_only: bool = True,
    passes_on: bool = False,
    asks_store: bool = False,
    draws: bool = False,
    lasts_s: float = 0.0,
) -> Callable[[Function], Tool]:
    """Make a tool of a typed function `(ask, …) -> Answer`; the function's name is the tool's.

    One that `draws` takes the arguments of a `Look`, too, and is not given them: they are in the `Ask`.
    """

    def declare(function: Function) -> Tool:
        doc = inspect.cleandoc(function.__doc__ or "")
        prose, _, args = doc.partition("\nArgs:\n")
        summary, _, use = prose.strip().partition("\n\n")
        docs = argument_docs(args)
        found, arguments = (
            parameters(function, docs | LOOK_DOCS, Look) if draws else parameters(function, docs)
        )
        return Tool(
            name=function.__name__,
            title=title,
            family=family,
            summary=flat(summary),
            use=flat(use),
            parameters=found,
            arguments=arguments,
            function=function,
            columns=columns,
            example=example,
            version=version,
            core=core,
            limit=limit,
            open_world=open_world,
            read_only=read_only,
            passes_on=passes_on,
            asks_store=asks_store,
            draws=draws,
            lasts_s=lasts_s,
        )

    return declare

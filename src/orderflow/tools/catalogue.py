"""The catalogue: every tool by name, the sets in which they are shown, and the one way to call them."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from orderflow.market.errors import InvalidArgument, Rejected, UnknownTool
from orderflow.tools.aliases import Alias
from orderflow.tools.answers import DEFAULT_TOKENS, MOST_TOKENS, Answer, Format, plain
from orderflow.tools.context import Context
from orderflow.tools.pages import cursor, page
from orderflow.tools.search import Fields, Index
from orderflow.tools.spec import COMMON, MOST_ROWS, Ask, Tell, Tool, untold

_BOUNDS = ("minimum", "maximum", "enum")
META = "catalogue"  # the family of the tools that reach all the others


class _Common(msgspec.Struct, kw_only=True):
    """The arguments that every tool takes."""

    format: Format = "text"
    max_tokens: int = DEFAULT_TOKENS
    next: str | None = None
    limit: int | None = None


class Catalogue:
    """Tools in a fixed order, with their old names."""

    def __init__(self, tools: Iterable[Tool], aliases: Mapping[str, Alias]) -> None:
        self.tools: dict[str, Tool] = {one.name: one for one in tools}
        self.aliases = dict(aliases)
        self.index = Index({one.name: self._words(one) for one in self.tools.values()})

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.family for one in self.tools.values()))

    def toolset(self, name: str, *, writes: bool = False) -> list[Tool]:
        """Return the tools of `core`, `all`, `meta` or of families (`cross_venue,system`).

        What changes something is among them only where it `writes`. Raises `UnknownTool` for another set.
        """
        every = [one for one in self.tools.values() if writes or one.read_only]
        if name == "all":
            return every
        if name == "core":
            return [one for one in every if one.core]
        wanted = {META if part == "meta" else part.strip() for part in name.split(",")}
        unknown = sorted(wanted - set(self.families))
        if unknown:
            raise UnknownTool(
                f"no toolset {unknown[0][:80]!r}",
                hint=f"toolsets: core, all, meta, {', '.join(self.families)}",
            )
        # What reaches the rest stands beside every family.
        return [one for one in every if one.family in wanted or one.family == META]

    def resolve(self, name: str) -> tuple[Tool, Alias | None]:
        """Return the tool of a name or of an old name; raise `UnknownTool` with the nearest ones."""
        alias = self.aliases.get(name)
        found = self.tools.get(alias.tool if alias else name)
        if found is None:
            near = get_close_matches(name, [*self.tools, *self.aliases], n=3, cutoff=0.4)
            near += [one for one in self.index.search(name, 3) if one not in near]
            raise UnknownTool(
                f"no tool {name[:80]!r}",
                hint=f"nearest: {', '.join(near[:5])}" if near else "find_tools searches all tools",
            )
        return found, alias

    def schema(self, name: str) -> dict[str, Any]:
        """Return the schema of a tool's arguments; an old name's has its own parameters and defaults."""
        found, alias = self.resolve(name)
        if alias is None:
            return found.schema
        return {
            "type": "object",
            "properties": self._old(found, alias) | COMMON,
            "additionalProperties": False,
        }

    def call(
        self, context: Context, name: str, arguments: Mapping[str, Any] | None, tell: Tell = untold
    ) -> Answer:
        """Ask a tool; raise from the errors' tree. The same arguments and state give the same answer.

        A tool that takes a while tells how far it is, where somebody listens.
        """
        given = dict(arguments or {})
        found, alias = self.resolve(name)
        if alias is not None and (meant := alias.meant(given)) is not alias:
            alias, found = meant, self.resolve(meant.tool)[0]
        said = {key: given.pop(key) for key in COMMON if key in given}
        common = _common(said)
        if found.passes_on:
            return found.answer(self._ask(context, found, said, tell), found.read(given))
        offset = 0
        if common.next is not None:
            place = cursor(common.next)
            if place.tool != found.name:
                hint = f"call {place.tool} with it"
                raise InvalidArgument(f"next belongs to {place.tool}, not to {found.name}", hint=hint)
            given, offset = dict(place.arguments), place.offset
        elif alias is not None:
            given = alias.translate(given, found.names)
        limit = _limit(given.pop("limit", None), found.limit) if found.limit is not None else None
        typed = found.read({key: value for key, value in given.items() if value is not None})
        ask = self._ask(context, found, said, tell)
        typed = found.settled(typed, ask.now)  # so that all pages are of one window
        answer = found.answer(ask, typed)
        answer.meta.version = found.version
        answer.rows, answer.summary = plain(answer.rows), plain(answer.summary)
        for table in answer.more.values():
            table.rows = plain(table.rows)
        if answer.picture is not None:
            shown = msgspec.structs.replace(answer.picture, href=found.address(typed))
            answer.picture = None if offset else shown
        resolved = typed if limit is None else {**typed, "limit": limit}
        return page(answer, resolved, offset, limit, common.max_tokens)

    def fits(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Tell whether arguments are as a tool's schema has them, so that only their meaning can be refused."""
        found = self.tools.get(name)
        if found is None:
            return False
        given = dict(arguments)
        try:
            _common({key: given.pop(key) for key in COMMON if key in given})
            if found.limit is not None:
                _limit(given.pop("limit", None), found.limit)
            found.read({key: value for key, value in given.items() if value is not None})
        except Rejected:
            return False
        return True

    def asks_store(self, name: str, arguments: Mapping[str, Any] | None) -> bool:
        """Tell whether an answer is made of what is stored, or asked of a venue, so that it takes a while."""
        found = self.tools.get(self.aliases[name].tool if name in self.aliases else name)
        if found is not None and found.passes_on:
            inner = (arguments or {}).get("name")
            return isinstance(inner, str) and inner != name and self.asks_store(inner, None)
        return found is not None and (found.asks_store or found.open_world)

    def _ask(self, context: Context, found: Tool, common: Mapping[str, Any], tell: Tell) -> Ask:
        now = context.moment()
        return Ask(context=context, catalogue=self, tool=found.name, now=now, common=common, tell=tell)

    def _old(self, found: Tool, alias: Alias) -> dict[str, Any]:
        now = {one.name: {**one.schema, "description": one.doc} for one in found.parameters}
        now["limit"] = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS}
        parts = {old: new for new, olds in alias.gather.items() for old in olds}
        shown: dict[str, Any] = {}
        for old, default in alias.parameters.items():
            if old in alias.ago or (alias.unit and old in parts):
                one: dict[str, Any] = {"type": "number", "minimum": 0}
            elif old in alias.ignored:
                one = {}
            elif old in alias.only:
                one = {"type": "string", "enum": list(alias.only[old])}
            elif alias.market and old in ("exchange", "market_type"):
                one = {"type": "string"}
            elif old in alias.stands:
                one = {"type": _stood_for(default, alias.stands[old])}
            elif old in parts:
                one = now[parts[old]].get("items", {})
            else:
                one = now[alias.rename.get(old, old)]
            if old in alias.read:  # in old words, which our bounds are not of
                one = {name: said for name, said in one.items() if name not in _BOUNDS}
            shown[old] = dict(one) if default is None else {**one, "default": default}
        return shown

    def _words(self, found: Tool) -> Fields:
        """Return the texts by which a tool is found; of other tools' names its own text says nothing."""
        old = " ".join(name for name, alias in self.aliases.items() if alias.tool == found.name)
        once = " ".join(dict.fromkeys(old.replace("_", " ").split()))  # thirty venues' tickers are one
        use = re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", " ", found.use)
        return (
            (found.name, 2.0),
            (found.title, 2.0),
            (found.summary, 1.5),
            (use, 1.0),
            (once, 0.4),
            *((f"{one.name} {one.doc}", 0.3) for one in found.parameters),
        )


def _stood_for(default: Any, meanings: Mapping[str, Any]) -> str:
    """Return the type of an old parameter whose values stand for arguments."""
    if isinstance(default, int) and not isinstance(default, bool):
        return "integer"
    if isinstance(default, str):
        return "string"
    return "string" if meanings and not {"true", "false"} & meanings.keys() else "boolean"


def _common(given: Mapping[str, Any]) -> _Common:
    try:
        found = msgspec.convert(
            {name: value for name, value in given.items() if value is not None}, _Common, strict=False
        )
    except msgspec.ValidationError as error:
        raise InvalidArgument(
            str(error).replace("`", ""),
            hint=f"format: text | json | xml; max_tokens: 200 to {MOST_TOKENS}; next: text",
        ) from error
    if not 200 <= found.max_tokens <= MOST_TOKENS:
        raise InvalidArgument(f"max_tokens: {found.max_tokens}", hint=f"max_tokens: 200 to {MOST_TOKENS}")
    return found


def _limit(given: Any, default: int) -> int:
    if given is None:
        return default
    try:
        found = msgspec.convert(given, int, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidArgument(
            f"limit: {given!r:.40} is no whole number", hint=f"limit: 1 to {MOST_ROWS}"
        ) from error
    if not 1 <= found <= MOST_ROWS:
        raise InvalidArgument(f"limit: {found}", hint=f"limit: 1 to {MOST_ROWS}, default {default}")
    return found

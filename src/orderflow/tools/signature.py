"""Signatures: a typed function and its docstring read into parameters, a schema and prose."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import msgspec

# A time in a schema: text, or epoch milliseconds; branches, since some clients take no list of types.
INSTANT = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
IS_INSTANT = {"format": "instant"}  # by which a function's annotation says so


class Parameter(msgspec.Struct, frozen=True):
    """One argument of a tool, as its schema and its page show it."""

    name: str
    schema: dict[str, Any]
    doc: str
    required: bool
    default: Any = None

    @property
    def listed(self) -> bool:
        return self.schema.get("type") == "array"

    @property
    def is_instant(self) -> bool:
        return self.schema == INSTANT

    def shown(self) -> dict[str, Any]:
        """Return its JSON Schema with the doc, and the default where there is one."""
        found = {**self.schema, "description": self.doc} if self.doc else dict(self.schema)
        if not self.required and self.default is not None:
            found["default"] = self.default
        return found

    def allowed(self) -> str:
        """Say in words what it takes: `limit: integer, 1 to 500, default 20`."""
        kind = self.schema.get("type", "")
        if "enum" in self.schema:
            kind = " | ".join(str(one) for one in self.schema["enum"])
        elif self.is_instant:
            kind = "time as -4h, now, ISO 8601 or epoch milliseconds"
        elif kind == "array":
            kind = f"list of {' | '.join(self.schema.get('items', {}).get('enum', ['text']))}"
        low, high = self.schema.get("minimum"), self.schema.get("maximum")
        kind += f", at least {low}" if low is not None else ""
        kind += f", at most {high}" if high is not None else ""
        tail = "required" if self.required else f"default {'null' if self.default is None else self.default}"
        return f"{self.name}: {kind}, {tail}"


def flat(text: str) -> str:
    return " ".join(text.split())


def argument_docs(section: str) -> dict[str, str]:
    docs: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if found := re.match(r" {4}(\w+): (.*)", line):
            name = found[1]
            docs[name] = found[2]
        elif name and line.strip():
            docs[name] += f" {line.strip()}"
    return docs


def parameters(
    function: Callable[..., Any], docs: Mapping[str, str], *shared: type[msgspec.Struct]
) -> tuple[tuple[Parameter, ...], type[msgspec.Struct]]:
    """Return what a function takes after its first parameter, and a struct of it; `shared` fields come last."""
    hints = get_type_hints(function, include_extras=True)
    given = [
        (one.name, hints[one.name], one.default)
        for one in list(inspect.signature(function).parameters.values())[1:]
    ]
    for struct in shared:
        given += [(one.name, one.type, one.default) for one in msgspec.structs.fields(struct)]
    fields: list[Any] = [one[:2] if one[2] is inspect.Parameter.empty else one for one in given]
    arguments = msgspec.defstruct(
        f"{function.__name__}_arguments", fields, kw_only=True, forbid_unknown_fields=True
    )
    schema = msgspec.json.schema(arguments)
    properties = schema["$defs"][arguments.__name__]["properties"]
    found = tuple(
        Parameter(
            name,
            _slim(properties[name]),
            docs.get(name, ""),
            required=default is inspect.Parameter.empty,
            default=None if default is inspect.Parameter.empty else default,
        )
        for name, _, default in given
    )
    return found, arguments


def _slim(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what repeats or says nothing: titles, the null of an optional, a default shown elsewhere."""
    kept: dict[str, Any] = {
        name: value for name, value in schema.items() if name not in ("title", "default", "anyOf")
    }
    options = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if len(options) == 1:
        kept |= _slim(options[0])
    elif options:
        kept["anyOf"] = [_slim(one) for one in options]
    if isinstance(kept.get("enum"), list):
        kept["enum"] = [one for one in kept["enum"] if one is not None]
    if IS_INSTANT.items() <= kept.items():
        return dict(INSTANT)
    if isinstance(kept.get("items"), Mapping):
        kept["items"] = _slim(kept["items"])
    return kept

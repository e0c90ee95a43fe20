"""Kept answers: what is kept of an answer, how it is written, and where it differs from another."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orderflow import tools
from orderflow.market.errors import InvalidArgument, OrderflowError
from orderflow.tools.context import Context
from orderflow.tools.forms import structured
from tests.golden.questions import QUESTIONS, ROWS, TOKENS, asked

ANSWERS = Path(__file__).parent / "answers"
SAME = 1e-9  # of a number: DuckDB's threads add up in any order
_LEFT_OUT = ("as_of", "age_ms", "next")  # of the meta: clocks, and a cursor that repeats the arguments


def path_of(tool: str, name: str) -> Path:
    return ANSWERS / tool / f"{name}.json"


def answered(context: Context, tool: str, name: str) -> dict[str, Any]:
    """Ask a question, and return what is kept of its answer; of one that has none, the error.

    A picture is its size and what is said of it. Raises `InvalidArgument`: then the question is wrong.
    """
    arguments = {**QUESTIONS[tool][name], "max_tokens": TOKENS}
    if asked()[tool].limit is not None:
        arguments["limit"] = ROWS
    try:
        found = structured(tools.call(context, tool, arguments))
    except InvalidArgument:
        raise
    except OrderflowError as error:
        return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    found["meta"] = {name: value for name, value in found["meta"].items() if name not in _LEFT_OUT and value}
    if "picture" in found:
        found["picture"] = {name: found["picture"][name] for name in ("width", "height", "alt")}
    return json.loads(json.dumps(found))


def written(answer: Mapping[str, Any]) -> str:
    """Return an answer as it is kept: a line for each row, and for whatever is short."""
    return _written(answer, "") + "\n"


def _written(value: Any, margin: str) -> str:
    line = json.dumps(value, ensure_ascii=False)
    inner = margin + " "
    if len(line) + len(margin) <= 100 or not value or not isinstance(value, dict | list):
        return line
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(name)}: {_written(one, inner)}" for name, one in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{margin}}}"
    if not any(isinstance(one, dict | list) for one in value):
        return line
    return "[\n" + ",\n".join(f"{inner}{_written(one, inner)}" for one in value) + f"\n{margin}]"


def differences(found: Any, wanted: Any, where: str = "answer") -> Iterator[str]:
    """Yield where two answers differ, a line each."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in [*found, *(one for one in wanted if one not in found)]:
            if name not in found or name not in wanted:
                yield f"{where}.{name} is {'new' if name in found else 'gone'}"
            else:
                yield from differences(found[name], wanted[name], f"{where}.{name}")
    elif isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            yield f"{where} has {len(found)} items, kept are {len(wanted)}"
        for place, (one, other) in enumerate(zip(found, wanted, strict=False)):
            yield from differences(one, other, f"{where}[{place}]")
    elif not _same(found, wanted):
        yield f"{where}: {found!r}, kept is {wanted!r}"


def _same(one: Any, other: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return math.isclose(one, other, rel_tol=SAME, abs_tol=SAME) if numbers else one == other

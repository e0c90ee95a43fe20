"""Prompts: playbooks that an assistant is offered, filled in with what the user names."""

import json
import re
from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from orderflow.servers.playbook import Playbook, Step
from orderflow.servers.playbooks_market import MARKET
from orderflow.servers.playbooks_risk import RISK

PLAYBOOKS = (*MARKET, *RISK)

_GIVEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/+,-]{0,63}")  # nothing that could be read as an order
_PLACE = re.compile(r"\{(\w+)\}")
_CLOSING = (
    "In the report, say of every figure its venue and its age, and whether the data are live, stored or simulated. "
    "Name what was not covered: gaps, coverage below 100 %, venues under `missing`, lower bounds. Use only numbers "
    "from the answers; what is unknown is unknown, never 0. If a call fails, say which and go on with the rest, or "
    "follow its hint. Tools that are not in your list answer through call_tool. Keep fact and reading apart."
)

_KNOWN = {one.name: one for one in PLAYBOOKS}


def prompts() -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=[_listed(one) for one in PLAYBOOKS])


def takes(name: str, argument: str) -> bool:
    """Tell whether a prompt of this name takes an argument of that name."""
    return name in _KNOWN and argument in _KNOWN[name].arguments


def prompt(name: str, arguments: Mapping[str, str] | None) -> types.GetPromptResult:
    """Return a prompt filled in; an unknown one, or one that cannot be filled, is an error of the protocol."""
    found = _KNOWN.get(name)
    if found is None:
        raise MCPError(types.INVALID_PARAMS, f"no prompt {name[:80]!r}", {"prompts": list(_KNOWN)})
    said = types.TextContent(type="text", text=written(found, _values(found, arguments or {})))
    message = types.PromptMessage(role="user", content=said)
    return types.GetPromptResult(description=found.description, messages=[message])


def written(playbook: Playbook, values: Mapping[str, str]) -> str:
    """Return the text of a playbook: its aim, the calls in order with what to read from each, the conclusion."""
    lines = [_filled(playbook.aim, values), "", "Call in this order:"]
    for number, (step, arguments) in enumerate(calls(playbook, values), 1):
        said = json.dumps(arguments, ensure_ascii=False)
        lines.append(f"{number}. {step.tool} {said}: {_filled(step.read, values)}")
    return "\n".join([*lines, "", f"Conclude: {_filled(playbook.conclude, values)}", "", _CLOSING])


def calls(playbook: Playbook, values: Mapping[str, str]) -> list[tuple[Step, dict[str, Any]]]:
    """Return a playbook's steps with their arguments filled in, without those that go without saying."""
    implied = {
        f"{{{name}}}" for name, one in playbook.arguments.items() if one.implied and values[name] == one.usual
    }
    return [
        (
            step,
            {
                name: _filled_in(value, values)
                for name, value in step.arguments.items()
                if not (isinstance(value, str) and value in implied)
            },
        )
        for step in playbook.steps
    ]


def _values(playbook: Playbook, given: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, one in playbook.arguments.items():
        value = given.get(name) or one.usual
        if value is None:
            raise MCPError(types.INVALID_PARAMS, f"prompt {playbook.name} needs {name}: {one.meaning}")
        if not _GIVEN.fullmatch(value.removeprefix("-")):
            raise MCPError(types.INVALID_PARAMS, f"prompt {playbook.name}: {name} is {one.meaning}")
        found[name] = value
    return found


def _filled_in(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_filled_in(one, values) for one in value]
    return _filled(value, values) if isinstance(value, str) else value


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: values[found[1]], text)


def _listed(playbook: Playbook) -> types.Prompt:
    return types.Prompt(
        name=playbook.name,
        title=playbook.title,
        description=playbook.description,
        arguments=[
            types.PromptArgument(name=name, description=one.described, required=one.usual is None)
            for name, one in playbook.arguments.items()
        ],
    )

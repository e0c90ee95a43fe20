"""A tool's signature and docstring are its interface."""

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta as Range

from orderflow import tools
from orderflow.market.errors import InvalidArgument
from orderflow.tools.answers import Answer, Meta
from orderflow.tools.spec import MOST_CHARACTERS, Ask, Tool, tool

every_tool = pytest.mark.parametrize("one", tools.ALL.tools.values(), ids=list(tools.ALL.tools))


@tool(family="test", title="A sample", example={"symbol": "BTCUSDT"}, limit=5)
def sample(
    ask: Ask,
    symbol: str,
    side: Literal["buy", "sell"] = "buy",
    bars: Annotated[int, Range(ge=1, le=500)] = 20,
    venues: list[str] | None = None,
    share: float = 0.5,
    whole: bool = False,
) -> Answer:
    """What it gives,
    over two lines.

    When to use it.

    Args:
        symbol: unified symbol
        bars: how many,
            told at length
    """
    meta = Meta(tool=ask.tool, as_of=ask.as_of, source="simulated")
    return Answer(meta=meta, columns=["symbol"], rows=[[symbol]])


def test_a_schema_says_type_range_choice_default_and_meaning() -> None:
    assert sample.schema["required"] == ["symbol"]
    assert sample.schema["additionalProperties"] is False
    properties = sample.schema["properties"]
    assert properties["symbol"] == {"type": "string", "description": "unified symbol"}
    assert properties["side"] == {"enum": ["buy", "sell"], "default": "buy"}
    assert properties["bars"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 500,
        "description": "how many, told at length",
        "default": 20,
    }
    assert properties["venues"] == {"type": "array", "items": {"type": "string"}}
    assert properties["limit"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 5}
    assert {"format", "max_tokens", "next"} < set(properties)


def test_a_description_is_what_it_gives_and_when_to_use_it() -> None:
    assert sample.summary == "What it gives, over two lines."
    assert sample.use == "When to use it."


def test_what_a_tool_may_look_at_is_not_in_its_schema() -> None:
    assert "ask" not in sample.schema["properties"]


def test_arguments_come_typed_from_text_as_command_lines_give_it() -> None:
    read = sample.read({"symbol": "X", "bars": "7", "venues": "a, b", "share": "0.25", "whole": "true"})
    assert read == {
        "symbol": "X",
        "side": "buy",
        "bars": 7,
        "venues": ["a", "b"],
        "share": 0.25,
        "whole": True,
    }


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ({}, "sample needs symbol", "symbol: string, required"),
        ({"symbol": "X", "bars": 0}, "bars", "at least 1, at most 500, default 20"),
        ({"symbol": "X", "bars": "many"}, "'many'", "bars: integer"),
        ({"symbol": "X", "side": "up"}, "side", "buy | sell"),
        ({"symbol": "X", "bar": 3}, "no parameter 'bar'", "nearest: bars"),
        ({"symbol": 5}, "symbol", "symbol: string"),
        ({"symbol": "X", "venues": [1]}, "venues", "venues: list of text"),
        ({"symbol": "X", "share": "nan"}, "share", "share: number"),
        ({"symbol": "X", "share": float("inf")}, "share", "share: number"),
    ],
)
def test_a_wrong_argument_is_named_with_what_would_be_right(
    given: dict[str, Any], said: str, hint: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        sample.read(given)
    assert said in caught.value.message
    assert hint in caught.value.hint


@every_tool
def test_a_description_is_short_enough_to_be_listed(one: Tool) -> None:
    assert one.summary
    assert one.use
    assert len(one.description) <= MOST_CHARACTERS
    assert len(one.name) <= 40
    assert one.name == one.name.lower()


@every_tool
def test_a_schema_has_nothing_that_a_reader_does_not_need(one: Tool) -> None:
    assert "title" not in _keys(one.schema)
    assert "anyOf" not in _keys({p.name: p.schema for p in one.parameters if not p.is_instant})
    assert "$ref" not in _keys(one.schema)


@every_tool
def test_every_parameter_says_what_it_means(one: Tool) -> None:
    assert [parameter.name for parameter in one.parameters if not parameter.doc] == []


@every_tool
def test_a_tool_gives_an_example_that_its_own_checks_accept(one: Tool) -> None:
    assert one.example is not None
    one.read(one.example)


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        inner = set() if not value else set.union(*(_keys(one) for one in value.values()))
        names = value.get("properties", {})
        return (set(value) | inner) - (set(names) if "title" in names else set())
    return set().union(*(_keys(one) for one in value)) if isinstance(value, list) else set()

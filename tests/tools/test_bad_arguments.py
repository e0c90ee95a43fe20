"""A wrong argument is answered with a hint that works: it names what would be right."""

from collections.abc import Iterator
from typing import Any

import pytest
from fixed_answers import house

from orderflow import tools
from orderflow.market.errors import InvalidArgument, UnknownVenue
from orderflow.tools.spec import MOST_ROWS

ALL = tools.ALL
HOUSE = house()


def cases() -> Iterator[tuple[str, str, Any, list[str]]]:
    """Yield tool, parameter, a wrong value and what the hint must say."""
    for tool in ALL.tools.values():
        for name, schema in tool.schema["properties"].items():
            for wrong, allowed in bad(schema):
                yield tool.name, name, wrong, allowed


def bad(schema: dict[str, Any]) -> Iterator[tuple[Any, list[str]]]:
    forms = [schema, *schema.get("anyOf", [])]
    for form in forms:
        if "enum" in form:
            yield "nonsense", [str(one) for one in form["enum"] if one is not None]
        if "enum" in form.get("items", {}):
            yield ["nonsense"], [str(one) for one in form["items"]["enum"]]
        if form.get("type") in ("integer", "number"):
            if "minimum" in form:
                yield form["minimum"] - 1, [f"{form['minimum']}"]
            if "maximum" in form:
                yield form["maximum"] + 1, [f"{form['maximum']}"]


CASES = list(cases())


@pytest.mark.parametrize(
    ("tool", "name", "wrong", "allowed"), CASES, ids=[f"{one[0]}-{one[1]}-{one[2]}" for one in CASES]
)
def test_a_value_that_is_not_allowed_is_answered_with_those_that_are(
    tool: str, name: str, wrong: Any, allowed: list[str]
) -> None:
    with pytest.raises((InvalidArgument, UnknownVenue)) as caught:
        tools.call(HOUSE, tool, {**(ALL.tools[tool].example or {}), name: wrong})
    hint = caught.value.hint
    assert name in f"{caught.value} {hint}"
    assert not [one for one in allowed if one not in hint], hint


def test_a_page_of_too_many_rows_is_refused_with_the_most() -> None:
    with pytest.raises(InvalidArgument) as caught:
        tools.call(HOUSE, "market_trades", {"symbol": "BTCUSDT", "limit": MOST_ROWS + 1})
    assert str(MOST_ROWS) in caught.value.hint

"""Progress: what a tool tells of its way reaches the client that asks, in both eras, and nobody else."""

import asyncio
from typing import Any

import pytest
from fixed_market import context
from mcp import Client

from orderflow import tools
from orderflow.servers import mcp as door
from orderflow.servers.callers import Local
from orderflow.tools.answers import Answer, Meta
from orderflow.tools.catalogue import Catalogue
from orderflow.tools.spec import Ask, tool


@tool(family="system", title="Count", asks_store=True)
def counts(ask: Ask, to: int = 3) -> Answer:
    """Count, telling how far it is.

    Use it to wait.

    Args:
        to: the last number
    """
    for one in range(to):
        ask.tell(one + 1, to, f"{one + 1} of {to}")
        ask.tell(one, to, "back again")
    return Answer(meta=Meta(tool=ask.tool, as_of=ask.as_of, source="stored"), columns=[], rows=[])


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    catalogue = Catalogue([*tools.ALL.tools.values(), counts], {})
    monkeypatch.setattr(tools, "ALL", catalogue)
    monkeypatch.setattr(tools, "call", catalogue.call)
    return catalogue


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("through", [False, True])
@pytest.mark.usefixtures("counting")
def test_a_client_that_asks_hears_how_far_an_answer_is(mode: Any, through: bool) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(done: float, of: float | None, said: str | None) -> None:
        heard.append((done, of, said))

    async def ask() -> None:
        async with Client(door.server(Local(context())), mode=mode) as client:
            name, arguments = ("call_tool", {"name": "counts"}) if through else ("counts", {})
            found = await client.call_tool(name, arguments, progress_callback=hear)
            assert not found.is_error
            assert heard  # the last comes before the answer

    asyncio.run(ask())
    steps = [done for done, _, _ in heard]
    assert steps == sorted(set(steps))  # it only grows
    assert steps[-1] == 3  # the last is never left out
    assert all(of == 3 for _, of, _ in heard)


@pytest.mark.usefixtures("counting")
def test_who_does_not_ask_has_the_answer_alone() -> None:
    async def ask() -> bool:
        async with Client(door.server(Local(context()))) as client:
            return bool((await client.call_tool("counts", {})).is_error)

    assert not asyncio.run(ask())


def test_a_catalogue_tells_whoever_calls_it(counting: Catalogue) -> None:
    heard: list[Any] = []
    counting.call(context(), "counts", {"to": 1}, lambda *told: heard.append(told))
    assert heard == [(1, 1, "1 of 1"), (0, 1, "back again")]

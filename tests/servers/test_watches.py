"""Calls that last: in threads of their own, eight at once, and as long as their tools say."""

import asyncio
import threading

import pytest

from orderflow import tools
from orderflow.market.errors import RateLimited
from orderflow.servers.replies import Reply
from orderflow.servers.watches import LASTS_S, Watches, lasts_s


def test_doors_know_how_long_tools_and_their_old_names_last() -> None:
    lasting = {one.name: one.lasts_s for one in tools.ALL.tools.values() if one.lasts_s}
    old = {name: lasting[one.tool] for name, one in tools.ALL.aliases.items() if one.tool in lasting}
    assert lasting | old == LASTS_S
    assert lasts_s("call_tool", {"name": "live_analyze"}) == 300.0
    assert lasts_s("call_tool", None) == lasts_s("market_ticker", {}) == 0.0


def test_one_more_than_there_is_room_for_is_refused_and_room_comes_back() -> None:
    async def story() -> None:
        watches, end = Watches(most=2), threading.Event()

        def watch() -> Reply:
            end.wait(5)
            return Reply(text="seen")

        running = [asyncio.create_task(watches.run(watch)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(RateLimited, match="2 watches are running") as caught:
            await watches.run(watch)
        assert caught.value.hint
        running[0].cancel()  # who goes away leaves the watch to end by itself
        end.set()
        assert (await running[1]).text == "seen"
        await asyncio.sleep(0.05)
        assert (await watches.run(lambda: Reply(text="again"))).text == "again"

    asyncio.run(story())


def test_a_watch_that_breaks_tells_its_caller_and_leaves_room() -> None:
    def broken() -> Reply:
        raise EOFError("nothing more")

    async def story() -> None:
        watches = Watches(most=1)
        for _ in range(2):
            with pytest.raises(EOFError, match="nothing more"):
                await watches.run(broken)

    asyncio.run(story())

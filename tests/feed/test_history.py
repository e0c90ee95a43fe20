"""History: whichever way a venue pages, the pages hold every row of the window and end."""

import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.feed.history import Asked, Place, pages
from orderflow.feed.rest import Rest
from orderflow.market.errors import RateLimited
from orderflow.market.events import MS, SECOND, Nanos, Trade
from orderflow.venues import ALL
from orderflow.venues.spec import Endpoint, History, Hosts, Memory, Venue

T0 = 1_763_683_200 * SECOND
PAGE = 4


def _decode(body: bytes, query: Any, ts_recv: Nanos, memory: Memory) -> list[Trade]:
    rows = json.loads(body)["rows"]
    return [Trade("binance_spot", "BTCUSDT", T0 + at * MS, ts_recv, id, False, 1.0, 1.0) for id, at in rows]


def venue(history: History) -> Venue:
    endpoint = Endpoint("past", "/past", _decode, needs=("symbol",))
    return msgspec.structs.replace(ALL["binance_spot"], endpoints=(endpoint,), history=(history,), buckets=())


class Server:
    """Answers from a list of (id, ms) as a venue with this form would; remembers what it was asked."""

    def __init__(self, history: History, rows: list[tuple[int, int]]) -> None:
        self.history, self.rows, self.asked = history, rows, list[dict[str, str]]()
        self.refuse = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = dict(request.url.params)
        self.asked.append(asked)
        assert len(self.asked) < 200, "it asks without end"
        if self.refuse:
            self.refuse -= 1
            return httpx.Response(429, headers={"Retry-After": "7"})
        form, rows = self.history, self.rows
        if form.id and form.id in asked:
            assert not {form.start, form.end} & asked.keys(), "an id and a time"
            id = int(asked[form.id])
            rows = [one for one in rows if (one[0] < id if form.newest_first else one[0] >= id)]
        else:
            first = self._ms(asked, form.start, 0)
            last = self._ms(asked, form.end, 10**9)
            if form.span is not None and form.start and form.end:
                assert last - first <= form.span // MS + 1, "a longer stretch than it answers"
            rows = [one for one in rows if first <= one[1] <= last]
        at = int(asked.get("token", 0))
        rows = rows[::-1] if form.newest_first else rows
        part = rows[at : at + PAGE]
        more = str(at + PAGE) if len(rows) > at + PAGE else None
        return httpx.Response(200, json={"rows": part, "next": more})

    def _ms(self, asked: dict[str, str], name: str, otherwise: int) -> int:
        if not name or name not in asked:
            return otherwise
        return (int(asked[name]) * {"ms": MS, "s": SECOND, "ns": 1}[self.history.unit] - T0) // MS


def token(body: bytes) -> str | None:
    return json.loads(body)["next"]


FORMS = {
    "time": History(stream="trades", endpoint="past", start="from", end="to", most_rows=PAGE),
    "time in stretches": History(stream="trades", endpoint="past", start="from", end="to", span=50 * MS, most_rows=PAGE),
    "time in nanoseconds": History(stream="trades", endpoint="past", start="from", unit="ns", most_rows=PAGE),
    "id": History(stream="trades", endpoint="past", start="from", id="fromId", most_rows=PAGE),
    "newest first by time": History(
        stream="trades", endpoint="past", start="from", end="to", newest_first=True, most_rows=PAGE
    ),
    "newest first by id": History(stream="trades", endpoint="past", id="after", newest_first=True, most_rows=PAGE),
    "token": History(stream="trades", endpoint="past", start="from", end="to", cursor="token", token=token, most_rows=PAGE),
}  # fmt: skip


async def collect(
    form: History, server: Server, first: int, last: int, stop: int | None = None
) -> tuple[list[int], Place | None]:
    """Return the ids of a window, and the place after page `stop`."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    waits: list[float] = []
    rest = Rest(
        venue(form), Hosts("http://venue.test", {}), transport=httpx.MockTransport(server), sleep=sleep
    )
    asked = Asked("BTCUSDT", T0 + first * MS, T0 + last * MS)
    found: list[int] = []
    place: Place | None = None
    try:
        async for page in pages(rest, form, asked, Memory(), sleep=sleep):
            found += [one.id for one in page.events if isinstance(one, Trade) and isinstance(one.id, int)]
            place = page.next
            if stop is not None:
                break
        if stop is not None and place is not None:
            async for page in pages(rest, form, asked, Memory(), begin=place, sleep=sleep):
                found += [one.id for one in page.events if isinstance(one, Trade) and isinstance(one.id, int)]
    finally:
        await rest.close()
    return found, place


@pytest.mark.parametrize("name", list(FORMS))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_row_of_the_window_comes_and_then_it_ends(name: str, data: st.DataObject) -> None:
    form = FORMS[name]
    # no more rows in one instant than a page holds, where pages follow by time
    times = sorted(data.draw(st.lists(st.integers(0, 300), unique=True, max_size=30), label="times"))
    rows = [(100 + place, at) for place, at in enumerate(times)]
    first, last = sorted(data.draw(st.tuples(st.integers(0, 320), st.integers(0, 320)), label="window"))
    resumed = data.draw(st.booleans(), label="broken off after a page")
    found, _ = asyncio.run(collect(form, Server(form, rows), first, last, 1 if resumed else None))
    assert sorted(set(found)) == [id for id, at in rows if first <= at <= last]


def test_an_instant_that_fills_a_page_is_passed_by_id() -> None:
    form = FORMS["id"]
    rows = [(id, 5) for id in range(3 * PAGE)] + [(3 * PAGE, 6)]
    found, _ = asyncio.run(collect(form, Server(form, rows), 0, 10))
    assert found == [id for id, _ in rows]


def test_a_limit_is_waited_out_and_a_venue_that_goes_on_refusing_is_an_error() -> None:
    form = FORMS["time"]
    server = Server(form, [(1, 1)])
    server.refuse = 2
    assert asyncio.run(collect(form, server, 0, 10))[0] == [1]
    server.refuse = 50
    with pytest.raises(RateLimited):
        asyncio.run(collect(form, server, 0, 10))
    assert server.refuse == 45

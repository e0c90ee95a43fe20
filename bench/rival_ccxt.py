"""CCXT Pro's own client and message handlers, fed as its receive loop feeds them, every future awaited anew.

Where its books start from a snapshot by REST, the recorded one is put in before the first message. Its
markets come from the recorded listing by its own parser: its REST calls are answered by a stand-in.
A user's loop awaits a future for each update and asks for the next: here each resolved future is asked
for again.
"""

import asyncio
import json
import re
from collections import Counter
from functools import cache
from typing import Any

import ccxt.pro
from ccxt.async_support.base.ws.client import Client

from bench.recordings import Best, Recording, expected
from bench.scenarios import Done, Run, Told
from bench.subjects import Ccxt, Unable

_MARKETS: dict[str, list[Any]] = {}  # read once a process: some venues list thousands
_KIND = re.compile(r"[:|.]")  # what ends the first word of a message's hash


class CountingClient(Client):
    """The rival's client; it counts what it resolves, and asks for the next at once."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: Counter[str] = Counter()

    def resolve(self, result: object, message_hash: str) -> object:
        super().resolve(result, message_hash)
        self.seen[message_hash] += 1
        self.future(message_hash)
        return result

    def reject(self, result: object, message_hash: str | None = None) -> object:
        raise SystemExit(f"it rejects {message_hash}: {result}")


def prepare(recording: Recording) -> Run:
    how = recording.subject.ccxt
    if isinstance(how, Unable):
        raise SystemExit(how.reason)
    texts = [how.amended(message) for message in recording.messages]
    loop = _loop()
    exchange, client = loop.run_until_complete(_started(how, recording))

    async def play() -> None:
        handle = client.handle_text_or_binary_message
        for text in texts:
            handle(text)

    def run() -> Told:
        loop.run_until_complete(play())
        return told

    def told() -> Done:
        counts: Counter[str] = Counter()
        for message_hash, times in client.seen.items():
            kind = how.kinds.get(_KIND.split(message_hash)[0])
            if kind is not None and not message_hash.endswith(how.twin or "\n"):
                counts[kind] += times
        return Done(counts=dict(counts), best=_best(how, recording, exchange))

    return run


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop for all runs of a process."""
    return asyncio.new_event_loop()


async def _started(how: Ccxt, recording: Recording) -> tuple[Any, CountingClient]:
    natives = list(expected(recording).best)
    answers = how.answers([frame.raw for frame in recording.listing], natives)

    async def recorded(url: str, *_: object) -> Any:
        return next((answer for part, answer in answers.items() if part in url), {})

    exchange = getattr(ccxt.pro, how.exchange)({"enableRateLimit": False})
    exchange.fetch = recorded
    exchange.options.update(how.options)
    if how.exchange not in _MARKETS:
        _MARKETS[how.exchange] = await exchange.fetch_markets()
    exchange.set_markets(_MARKETS[how.exchange])
    await exchange.close()
    client = CountingClient(how.url, exchange.handle_message, _refuse, _refuse, _refuse, {"options": {}})
    for native in natives:
        symbol = how.symbol(exchange, native)
        client.subscriptions.update(dict.fromkeys(how.hashes(symbol), True))
        if native in recording.snapshots and how.seed is not None:
            exchange.orderbooks[symbol] = exchange.order_book({}, 1000)
            snapshot = how.seed(exchange, symbol, json.loads(recording.snapshots[native]))
            exchange.orderbooks[symbol].reset(snapshot)
    return exchange, client


def _refuse(*arguments: object) -> None:
    raise RuntimeError(f"the rival's client wanted a network: {arguments[1:]}")


def _best(how: Ccxt, recording: Recording, exchange: Any) -> Best:
    natives = {how.symbol(exchange, native): native for native in expected(recording).best}
    found: Best = {}
    for symbol, book in exchange.orderbooks.items():
        bid, ask = (book[side][0][0] if book[side] else None for side in ("bids", "asks"))
        found[natives[symbol]] = (bid, ask)
    return found

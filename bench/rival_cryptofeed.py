"""Cryptofeed's own message handler, fed as its connection feeds it, with a callback per channel.

Where its book fetches a snapshot by REST when the first diff comes, a stand-in hands it the recorded one.
Messages are handed over as text, as its WebSocket library would. What it says while it works (warnings of
updates that it misses, of messages that it does not know) is taken for a failure.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

from cryptofeed import exchanges
from cryptofeed.symbols import Symbols

from bench.recordings import Best, Recording, expected
from bench.scenarios import Done, Run, Told
from bench.subjects import Cryptofeed, Unable


class RecordedRest:
    """Answers a book request with the recording's body, without a network."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        self.bodies = {symbol: body.decode() for symbol, body in bodies.items()}

    async def read(self, address: str) -> str:
        return next(body for symbol, body in self.bodies.items() if f"={symbol}&" in address)


class Connection:
    """What its handlers ask of a connection: where it leads, what it carries; what it writes goes nowhere."""

    uuid = "recorded"

    def __init__(self, address: str, subscription: Mapping[str, list[str]]) -> None:
        self.address = address
        self.subscription = subscription

    async def write(self, text: str) -> None:
        """Drop a subscription: the recording is its answer."""


class Complaints(logging.Handler):
    """Its warnings, kept to be reported."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage()[:200])


Heard = Callable[[Any, float], Awaitable[None]]


def prepare(recording: Recording) -> Run:
    return fed(recording, _counting)


def fed(recording: Recording, callback: Callable[[Counter[str], str], Heard]) -> Run:
    """`callback` makes what hears a channel; it has to count each update under the kind that it is given."""
    how = recording.subject.cryptofeed
    if isinstance(how, Unable):
        raise SystemExit(how.reason)
    complaints = Complaints()
    logging.getLogger("feedhandler").addHandler(complaints)
    logging.getLogger("feedhandler").propagate = False
    seen: Counter[str] = Counter()
    feed = _feed(how, recording, {one: callback(seen, kind) for one, kind in how.channels.items()})
    feed.http_conn = RecordedRest(recording.snapshots)
    connection = Connection(how.address, feed.subscription)
    messages = [
        (how.amended(frame.raw), frame.ts_recv / 1e9) for frame in recording.frames if frame.kind == "ws"
    ]
    loop = _loop()
    loop.run_until_complete(feed.subscribe(connection))

    async def play() -> None:
        handle = feed.message_handler
        for text, received in messages:
            await handle(text, connection, received)

    def run() -> Told:
        loop.run_until_complete(play())
        return told

    def told() -> Done:
        if complaints.said:
            raise SystemExit(f"it complains {len(complaints.said)} times: {complaints.said[0]}")
        if "books" in seen:  # a callback for each snapshot by REST comes on top
            seen["applied"] = seen.pop("books") - len(recording.snapshots)
        return Done(counts=dict(seen), best=_best(how, recording, feed))

    return run


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop for all runs of a process."""
    return asyncio.new_event_loop()


def _feed(how: Cryptofeed, recording: Recording, callbacks: dict[str, Heard]) -> Any:
    exchange = getattr(exchanges, how.exchange)
    natives = list(expected(recording).best)
    bodies = [frame.raw for frame in recording.listing]
    Symbols.set(exchange.id, *exchange._parse_symbol_data(how.listing(bodies, natives)))
    by_native = {native: one for one, native in Symbols.get(exchange.id)[0].items()}
    keys = {exchange.id.lower(): {"key_id": "none", "key_secret": "none"}} if how.keys else None
    return exchange(
        config=keys,
        symbols=[by_native[how.native(one)] for one in natives],
        channels=list(callbacks),
        callbacks=callbacks,
        candle_closed_only=False,
        checksum_validation=how.checksum,
    )


def _counting(seen: Counter[str], kind: str) -> Heard:
    async def heard(update: Any, received: float) -> None:
        seen[kind] += 1

    return heard


def _best(how: Cryptofeed, recording: Recording, feed: Any) -> Best:
    natives = {how.native(one): one for one in expected(recording).best}
    found: Best = {}
    for symbol, book in feed._l2_book.items():
        sides = (book.book.bids, book.book.asks)
        bid, ask = (float(side.index(0)[0]) if len(side) else None for side in sides)
        found[natives[feed.std_symbol_to_exchange_symbol(symbol)]] = (bid, ask)
    return found

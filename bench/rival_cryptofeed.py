"""Cryptofeed's own message handler, fed as its connection feeds it, with a callback per channel.

Its book fetches a snapshot by REST when the first diff comes; a stand-in hands it the recorded one.
It knows the trade stream only as `aggTrade`, so `trade` messages are renamed to that (same size, same
work) before the clock starts. Messages are handed over as text, as its WebSocket library would.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from cryptofeed.defines import CANDLES, FUNDING, L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Binance, BinanceFutures
from cryptofeed.symbols import Symbols

from bench.instruments import exchange_information
from bench.recordings import Best, Recording
from bench.scenarios import Done, Run

CHANNELS = {TRADES: "trades", TICKER: "quotes", L2_BOOK: "books", FUNDING: "marks", CANDLES: "candles"}


class RecordedRest:
    """Answers a book request with the recording's body, without a network."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.bodies = {symbol: body.decode() for symbol, body in bodies.items()}

    async def read(self, address: str) -> str:
        return self.bodies[address.split("symbol=")[1].split("&", maxsplit=1)[0]]


Heard = Callable[[Any, float], Awaitable[None]]


def prepare(recording: Recording) -> Run:
    return fed(recording, _counting)


def fed(recording: Recording, callback: Callable[[Counter[str], str], Heard]) -> Run:
    """`callback` makes what hears a channel; it has to count each update under the kind that it is given."""
    logging.getLogger("feedhandler").setLevel(logging.ERROR)
    exchange = BinanceFutures if recording.venue == "binance_futures" else Binance
    Symbols.set(exchange.id, *exchange._parse_symbol_data(exchange_information(recording)))
    seen: Counter[str] = Counter()
    channels = [one for one in CHANNELS if one in exchange.websocket_channels]
    symbols = [one for one in Symbols.get(exchange.id)[0] if "PINDEX" not in one]
    feed = exchange(
        symbols=symbols,
        channels=channels,
        callbacks={one: callback(seen, CHANNELS[one]) for one in channels},
        candle_closed_only=False,
    )
    feed.http_conn = RecordedRest(recording.snapshots)
    messages = [
        (_as_aggregate(frame.raw), frame.ts_recv / 1e9) for frame in recording.frames if frame.kind == "ws"
    ]

    async def play() -> None:
        handle = feed.message_handler
        for text, received in messages:
            await handle(text, None, received)

    def run() -> Done:
        asyncio.run(play())
        books = seen.pop("books", 0)
        # One callback a book is its snapshot.
        return Done(counts={**seen, "applied": books - len(feed._l2_book)}, best=_best(feed))

    return run


def _counting(seen: Counter[str], kind: str) -> Heard:
    async def heard(update: Any, received: float) -> None:
        seen[kind] += 1

    return heard


def _as_aggregate(raw: bytes) -> str:
    if b'"e":"trade"' not in raw:
        return raw.decode()
    message = json.loads(raw)
    data = message["data"]
    number = data.pop("t")
    data.update(e="aggTrade", a=number, f=number, l=number)
    return json.dumps(message, separators=(",", ":"))


def _best(feed: Any) -> Best:
    found: Best = {}
    for symbol, book in feed._l2_book.items():
        bid, ask = book.book.bids.index(0)[0], book.book.asks.index(0)[0]
        found[feed.std_symbol_to_exchange_symbol(symbol)] = (float(bid), float(ask))
    return found

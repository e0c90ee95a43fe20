"""CCXT Pro's own client and message handlers, fed as its receive loop feeds them, every future awaited anew.

Its books start from a snapshot by REST; a stand-in hands it the recorded one before the first message.
Messages are handed over as text and without the combined stream's wrapper, as its own subscriptions get
them. A user's loop awaits a future for each
update and asks for the next: here each resolved future is asked for again.
"""

import asyncio
import json
from collections import Counter
from typing import Any

import ccxt.pro
from ccxt.async_support.base.ws.client import Client

from bench.instruments import exchange_information
from bench.recordings import Best, Recording
from bench.scenarios import Done, Run

URLS = {"binance_futures": "wss://fstream.binance.com/ws", "binance_spot": "wss://stream.binance.com:9443/ws"}
KINDS = {
    "trade": "trades",
    "orderbook": "applied",
    "bidask": "quotes",
    "markPrice": "marks",
    "ohlcv": "candles",
}


class CountingClient(Client):
    """The rival's client; it counts what it resolves, and asks for the next at once."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: Counter[str] = Counter()

    def resolve(self, result: object, message_hash: str) -> object:
        super().resolve(result, message_hash)
        self.seen[message_hash.partition(":")[0]] += 1
        self.future(message_hash)
        return result


def prepare(recording: Recording) -> Run:
    futures = recording.venue == "binance_futures"
    texts = [_unwrapped(message) for message in recording.messages]
    loop = asyncio.new_event_loop()
    exchange, client = loop.run_until_complete(_started(recording, futures))

    async def play() -> Done:
        before = client.seen.copy()
        handle = client.handle_text_or_binary_message
        for text in texts:
            handle(text)
        seen = client.seen - before
        counts = {KINDS[kind]: times for kind, times in seen.items() if kind in KINDS}
        return Done(counts=counts, best=_best(exchange))

    return lambda: loop.run_until_complete(play())


def _unwrapped(message: bytes) -> str:
    text = message.decode()
    return text[text.index('"data":') + len('"data":') : -1]


async def _started(recording: Recording, futures: bool) -> tuple[Any, "CountingClient"]:
    exchange = ccxt.pro.binanceusdm() if futures else ccxt.pro.binance()
    exchange.options.update(crossMarginPairsData=[], isolatedMarginPairsData=[])  # asked of REST otherwise
    exchange.set_markets([exchange.parse_market(one) for one in exchange_information(recording)["symbols"]])
    url = URLS[recording.venue]
    client = CountingClient(url, exchange.handle_message, _refuse, _refuse, _refuse, {"options": {}})
    for native, body in recording.snapshots.items():
        await _seed_book(exchange, client, native, json.loads(body), futures)
    return exchange, client


async def _seed_book(exchange: Any, client: Client, native: str, body: dict[str, Any], futures: bool) -> None:
    market = exchange.safe_market(native, None, None, "swap" if futures else "spot")
    symbol = market["symbol"]

    async def recorded(*_: object) -> Any:
        book = exchange.parse_order_book(body, symbol, body.get("T"))
        book["nonce"] = body["lastUpdateId"]
        return book

    exchange.fetch_rest_order_book_safe = recorded
    exchange.orderbooks[symbol] = exchange.order_book({}, 1000)
    subscription = {"symbol": symbol, "limit": 1000, "type": "linear" if futures else "spot", "params": {}}
    await exchange.fetch_order_book_snapshot(client, None, subscription)


def _refuse(*arguments: object) -> None:
    raise RuntimeError(f"the rival's client wanted a network: {arguments[1:]}")


def _best(exchange: Any) -> Best:
    found: Best = {}
    for symbol, book in exchange.orderbooks.items():
        found[exchange.market(symbol)["id"]] = (book["bids"][0][0], book["asks"][0][0])
    return found

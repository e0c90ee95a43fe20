"""What Kraken Futures puts on the wire, under its own field names, and how it is made of the market.

Prices and sizes are JSON numbers here, not text. Keys are partly in snake case and partly in camel case,
as the venue has them.
"""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Level, Lots, Millis, Ticks
from orderflow.sim.listings import Listing, Wording
from orderflow.sim.perpetual import Perpetual
from orderflow.sim.tape import Print

encode = msgspec.json.Encoder().encode


class Words:
    """One product's words: its id, and whole ticks and lots as numbers."""

    def __init__(self, listing: Listing) -> None:
        self.product = listing.native
        self._wording = Wording(listing)

    def price(self, ticks: Ticks) -> float:
        return float(self._wording.price(ticks))

    def size(self, lots: Lots) -> float:
        return float(self._wording.size(lots))

    def quote(self, tick_lots: int) -> float:
        return float(self._wording.quote(tick_lots))

    def uid(self, id: int) -> str:
        """A trade's text id: the same for the same trade, another for every other."""
        return str(UUID(int=int.from_bytes(self.product[:8].encode()) << 64 | id))


# ── Books and trades ──────────────────────────────────────────────────────────────────────────


class BookChange(msgspec.Struct, tag_field="feed", tag="book"):
    product_id: str
    side: str
    seq: int
    price: float
    qty: float
    timestamp: Millis


class Row(msgspec.Struct):
    price: float
    qty: float


class BookSnapshot(msgspec.Struct, tag_field="feed", tag="book_snapshot"):
    product_id: str
    timestamp: Millis
    seq: int
    bids: list[Row]
    asks: list[Row]
    tickSize: float | None = None


class Trade(msgspec.Struct, tag_field="feed", tag="trade"):
    product_id: str
    uid: str
    side: str
    type: str
    seq: int
    time: Millis
    qty: float
    price: float


class TradeSnapshot(msgspec.Struct, tag_field="feed", tag="trade_snapshot"):
    product_id: str
    trades: list[Trade]


def rows(words: Words, levels: Iterable[Level]) -> list[Row]:
    return [Row(words.price(ticks), words.size(lots)) for ticks, lots in levels]


def trade(words: Words, row: Print, kind: str) -> Trade:
    return Trade(
        product_id=words.product,
        uid=words.uid(row.id),
        side="sell" if row.taker_sells else "buy",
        type=kind,
        seq=row.id,
        time=row.ts,
        qty=words.size(row.lots),
        price=words.price(row.price),
    )


# ── Tickers ───────────────────────────────────────────────────────────────────────────────────


class Ticker(msgspec.Struct):
    time: Millis
    product_id: str
    funding_rate: float
    funding_rate_prediction: float
    relative_funding_rate: float
    relative_funding_rate_prediction: float
    next_funding_rate_time: Millis
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    volume: float
    index: float
    premium: float
    last: float
    change: float
    pair: str
    openInterest: float
    markPrice: float
    volumeQuote: float
    open: float
    high: float
    low: float
    feed: str = "ticker"
    tag: str = "perpetual"
    dtm: int = 0
    leverage: str = "50x"
    maturityTime: int = 0
    suspended: bool = False
    post_only: bool = False


class TickerLite(msgspec.Struct, tag_field="feed", tag="ticker_lite"):
    product_id: str
    bid: float
    ask: float
    change: float
    premium: float
    volume: float
    tag: str
    pair: str
    dtm: int
    maturityTime: int
    volumeQuote: float


def ticker(words: Words, exchange: Exchange, perpetual: Perpetual, now_ms: Millis) -> Ticker:
    """The rate of this hour was fixed when it began; the running estimate is the next hour's."""
    book, whole, marked = exchange.book, exchange.candles.day(), perpetual.marked
    opened, closed = words.price(whole.open), words.price(whole.close)
    paid = perpetual.settlements[-1].rate
    return Ticker(
        time=now_ms,
        product_id=words.product,
        funding_rate=paid * marked.index,
        funding_rate_prediction=marked.funding * marked.index,
        relative_funding_rate=paid,
        relative_funding_rate_prediction=marked.funding,
        next_funding_rate_time=marked.next_funding_ms,
        bid=words.price(book.best_bid),
        ask=words.price(book.best_ask),
        bid_size=words.size(book.bids[book.best_bid]),
        ask_size=words.size(book.asks[book.best_ask]),
        volume=words.size(whole.lots),
        index=marked.index,
        premium=round((marked.mark / marked.index - 1) * 100, 1),
        last=closed,
        change=(closed / opened - 1) * 100,
        pair=f"{words.product.removeprefix('PF_').removesuffix('USD')}:USD",
        openInterest=words.size(perpetual.open_lots),
        markPrice=marked.mark,
        volumeQuote=words.quote(whole.tick_lots),
        open=opened,
        high=words.price(whole.high),
        low=words.price(whole.low),
    )


def lite(said: Ticker) -> TickerLite:
    return TickerLite(
        product_id=said.product_id,
        bid=said.bid,
        ask=said.ask,
        change=said.change,
        premium=said.premium,
        volume=said.volume,
        tag=said.tag,
        pair=said.pair,
        dtm=said.dtm,
        maturityTime=said.maturityTime,
        volumeQuote=said.volumeQuote,
    )

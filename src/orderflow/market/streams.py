"""Streams: what is kept of each kind of event, declared once.

A stream's declaration gives its table, its Arrow schema, its row layout and its page in the docs.
A column is either a field of the event or an SQL expression over the columns before it.
All streams share the columns of `SHARED`; rows are told apart by `key`, within one venue and symbol.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Literal

import msgspec

from orderflow.market.events import (
    MS,
    US,
    BookTop,
    Candle,
    Event,
    Funding,
    IndexPrice,
    Liquidation,
    MarkPrice,
    Nanos,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
    VolatilityIndex,
)

SqlType = Literal["DOUBLE", "BIGINT", "VARCHAR", "BOOLEAN", "TIMESTAMP", "INTEGER"]

BOOK_LEVELS = 10


class Column(msgspec.Struct, frozen=True):
    """One column: taken from the event's `field`, or reckoned by `sql` when rows are written."""

    name: str
    type: SqlType
    doc: str
    unit: str = ""
    field: str = ""
    sql: str = ""
    rare: bool = False  # mostly unknown: packed so that an unknown value costs little


class Stream(msgspec.Struct, frozen=True):
    """A stream: its event, its columns and what makes two rows the same row.

    Rows of one series are the same if their `key` is; where the key's first column is null,
    `otherwise` decides. `order` names the column that grows with time within a series: a row beyond
    the highest one stored is new without looking. `replaces` marks a stream whose later rows replace
    earlier ones (a candle until it is closed). `grain` is how exactly the time counts in a key: a venue
    may tell the same trade in milliseconds on its socket and in microseconds in its archive.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    order: str
    otherwise: tuple[str, ...] = ()
    event: type[Event] | None = None
    replaces: bool = False
    grain: Nanos = US
    derived_from: str = ""

    @property
    def packed(self) -> tuple[Column, ...]:
        """The columns that come from the event, in the order of `row`."""
        return tuple(column for column in self.columns if not column.sql)

    def row(self) -> Callable[[Any], tuple[Any, ...]]:
        """Return the function that takes an event to (ts_event, ts_recv, *packed columns)."""
        if self.event is BookTop:
            return lambda top: (top.ts_event, top.ts_recv, *top.levels, top.depth, top.sequence)
        return attrgetter("ts_event", "ts_recv", *(column.field for column in self.packed))


SHARED: tuple[Column, ...] = (
    Column("venue", "VARCHAR", "venue id, as in `binance_futures`"),
    Column("symbol", "VARCHAR", "unified symbol, as in `BTCUSDT`"),
    Column("id", "BIGINT", "order within the series; the same when the same frames are replayed"),
    Column("timestamp", "TIMESTAMP", "the venue's time of the event; ours where it gives none", "UTC"),
    Column("received", "TIMESTAMP", "when the frame reached us", "UTC"),
    Column("clock", "VARCHAR", "whose clock `timestamp` is: venue or local"),
    Column("source", "VARCHAR", "live, replay, backfill or simulated"),
    Column("run", "INTEGER", "the run that wrote the row, in `runs`"),
)


def _number(
    name: str, doc: str, unit: str = "", field: str = "", sql: str = "", *, rare: bool = False
) -> Column:
    return Column(name, "DOUBLE", doc, unit, field or ("" if sql else name), sql, rare)


def _instant(name: str, doc: str, field: str) -> Column:
    return Column(name, "TIMESTAMP", doc, "UTC", field)


_MID = "(bid_price + ask_price) / 2"
_TOUCH = (
    _number("spread", "ask less bid", "quote", sql="ask_price - bid_price"),
    _number("spread_bps", "spread over mid", "bps", sql=f"(ask_price - bid_price) / nullif({_MID}, 0) * 1e4"),
)

PRICES = Stream(
    "prices",
    "Best bid and ask, at every change that the venue tells; an oracle's price, which has neither.",
    (
        _number(
            "mid_price",
            "mean of bid and ask; the price itself where a venue tells no more",
            "quote",
            sql=f"coalesce(told_price, {_MID})",
        ),
        _number("bid_price", "best bid", "quote", "bid"),
        _number("ask_price", "best ask", "quote", "ask"),
        _number("bid_qty", "size at the best bid", "base", "bid_size"),
        _number("ask_qty", "size at the best ask", "base", "ask_size"),
        *_TOUCH,
        Column("sequence", "BIGINT", "the venue's update id", field="sequence"),
        _number("told_price", "a price told without bid and ask, by an oracle", "quote", "mid", rare=True),
        _number(
            "confidence",
            "how far an oracle's sources disagree, to either side; no spread",
            "quote",
            rare=True,
        ),
    ),
    key=("sequence",),
    otherwise=("timestamp", "bid_price", "ask_price", "bid_qty", "ask_qty", "told_price"),
    order="sequence",
    event=Quote,
)


def _side(side: str) -> tuple[Column, ...]:
    found: list[Column] = []
    for rank in range(1, BOOK_LEVELS + 1):
        found.append(_number(f"{side}_{rank}_price", f"price of {side} {rank}", "quote", "levels"))
        found.append(_number(f"{side}_{rank}_qty", f"size of {side} {rank}", "base", "levels"))
    return tuple(found)


def _total(side: str) -> str:
    return " + ".join(f"coalesce({side}_{rank}_qty, 0)" for rank in range(1, BOOK_LEVELS + 1))


_BOOK_MID = "(bid_1_price + ask_1_price) / 2"
_BIDS, _ASKS = _total("bid"), _total("ask")

ORDERBOOKS = Stream(
    "orderbooks",
    "The best ten levels of the book that is kept to the venue's full depth: a row when they have "
    "changed, at most one per BOOK_INTERVAL.",
    (
        *_side("bid"),
        *_side("ask"),
        _number("total_bid_qty", "sum of the ten bids", "base", sql=_BIDS),
        _number("total_ask_qty", "sum of the ten asks", "base", sql=_ASKS),
        _number(
            "imbalance",
            "(bids - asks) / (bids + asks) over the ten levels, -1 to 1",
            "ratio",
            sql=f"(({_BIDS}) - ({_ASKS})) / nullif(({_BIDS}) + ({_ASKS}), 0)",
        ),
        _number("mid_price", "mean of best bid and ask", "quote", sql=_BOOK_MID),
        _number("spread", "best ask less best bid", "quote", sql="ask_1_price - bid_1_price"),
        _number(
            "spread_bps",
            "spread over mid",
            "bps",
            sql=f"(ask_1_price - bid_1_price) / nullif({_BOOK_MID}, 0) * 1e4",
        ),
        Column("depth", "INTEGER", "levels known on the thinner side of the kept book", field="depth"),
        Column("sequence", "BIGINT", "the venue's id of the last update in the row", field="sequence"),
    ),
    key=("timestamp", "sequence"),
    order="timestamp",
    event=BookTop,
)

TRADES = Stream(
    "trades",
    "Every trade; fills that a venue merges are one row with their count.",
    (
        Column("trade_id", "VARCHAR", "the venue's id", field="id"),
        _number("price", "price", "quote"),
        _number("quantity", "size", "base", "size"),
        _number("value", "price times quantity", "quote", sql="price * quantity"),
        Column("side", "VARCHAR", "the taker's: buy or sell", sql="if(is_buyer_maker, 'sell', 'buy')"),
        Column("is_buyer_maker", "BOOLEAN", "the buyer rested: the taker sold", field="is_buyer_maker"),
        Column("count", "INTEGER", "fills in the row", field="count"),
    ),
    key=("trade_id", "timestamp"),
    order="timestamp",
    event=Trade,
    grain=MS,
)

MARK_PRICES = Stream(
    "mark_prices",
    "Mark price, with the index where one message carries both.",
    (
        _number("mark_price", "mark price", "quote", "mark"),
        _number("index_price", "index price", "quote", "index"),
        _number("basis", "mark less index", "quote", sql="mark_price - index_price"),
        _number(
            "basis_bps",
            "basis over index",
            "bps",
            sql="(mark_price - index_price) / nullif(index_price, 0) * 1e4",
        ),
    ),
    key=("timestamp",),
    order="timestamp",
    event=MarkPrice,
)

FUNDING_RATES = Stream(
    "funding_rates",
    "The funding rate as the venue announces it for its next settlement.",
    (
        _number("funding_rate", "rate to be paid at next_funding_time", "fraction per interval", "rate"),
        _number("predicted_rate", "rate of the interval after", "fraction per interval", "predicted"),
        _number(
            "interval_hours", "hours between settlements; null where not yet known", "h", "interval_hours"
        ),
        _number(
            "annualized_pct",
            "funding_rate over 8,760 hours, not compounded",
            "%",
            sql="funding_rate * 8760 / nullif(interval_hours, 0) * 100",
        ),
        _instant("next_funding_time", "next settlement", "next_ts"),
    ),
    key=("timestamp", "funding_rate", "predicted_rate"),
    order="timestamp",
    event=Funding,
)

OPEN_INTEREST = Stream(
    "open_interest",
    "Contracts open, one side.",
    (
        _number("open_interest", "open interest", "base", "size"),
        _number("open_interest_usd", "open interest in USD, where the venue tells", "USD", "usd"),
        _number("contracts", "contracts, where the venue counts them", "contracts"),
        _number(
            "oi_change",
            "change since the row before, in its series",
            "base",
            sql="open_interest - previous_open_interest",
        ),
    ),
    key=("timestamp",),
    order="timestamp",
    event=OpenInterest,
)

TICKER_24H = Stream(
    "ticker_24h",
    "The venue's rolling 24 hours.",
    (
        _number("last_price", "last trade", "quote", "last"),
        _number("open_24h", "price 24 hours ago", "quote", "open"),
        _number("high_24h", "highest", "quote", "high"),
        _number("low_24h", "lowest", "quote", "low"),
        _number("volume_24h", "traded size", "base", "volume"),
        _number("quote_volume_24h", "traded value", "quote", "quote_volume"),
        Column("trade_count_24h", "BIGINT", "trades", field="trade_count"),
        _number("price_change", "last less open", "quote", "change"),
        _number("price_change_pct", "change over open", "%", "change_pct"),
        _number("vwap_24h", "volume-weighted mean price", "quote", "vwap"),
    ),
    key=("timestamp",),
    order="timestamp",
    event=Ticker,
)

CANDLES = Stream(
    "candles",
    "The venue's own bars; one row a bar, the closed one wins.",
    (
        Column("interval", "VARCHAR", "length in the venue's words: 1m, 1h, 1M", field="interval"),
        _instant("open_time", "first instant", "open_ts"),
        _instant("close_time", "last instant", "close_ts"),
        _number("open", "first price", "quote"),
        _number("high", "highest price", "quote"),
        _number("low", "lowest price", "quote"),
        _number("close", "last price", "quote"),
        _number("volume", "traded size", "base"),
        _number("quote_volume", "traded value", "quote"),
        Column("trade_count", "BIGINT", "trades", field="trade_count"),
        _number("taker_buy_volume", "size that takers bought", "base"),
        _number("taker_buy_quote", "value that takers bought", "quote"),
        Column("closed", "BOOLEAN", "the bar will not change again", field="closed"),
    ),
    key=("interval", "open_time"),
    order="timestamp",
    event=Candle,
    replaces=True,
)

LIQUIDATIONS = Stream(
    "liquidations",
    "Positions that were closed by force, as far as the venue tells.",
    (
        Column("side", "VARCHAR", "the position that was closed: long or short", field="side"),
        _number("price", "mean price of the close where the venue gives it", "quote"),
        _number("quantity", "size closed", "base", "size"),
        _number("value", "price times quantity", "quote", sql="price * quantity"),
        Column("order_id", "VARCHAR", "the venue's id, where it gives one", field="order_id"),
        Column("is_partial", "BOOLEAN", "more of the same order may follow", field="is_partial"),
        Column("ordinal", "INTEGER", "place among equal rows of one frame", field="ordinal"),
    ),
    key=("order_id", "timestamp"),
    otherwise=("timestamp", "side", "price", "quantity", "ordinal"),
    order="timestamp",
    event=Liquidation,
)

INDEX_PRICES = Stream(
    "index_prices",
    "The index that a venue settles on.",
    (_number("index_price", "index price", "quote", "price"),),
    key=("timestamp",),
    order="timestamp",
    event=IndexPrice,
)

OPTIONS = Stream(
    "options",
    "Option chain rows with greeks.",
    (
        Column("instrument", "VARCHAR", "the venue's name", field="instrument"),
        _instant("expiry", "expiry", "expiry_ts"),
        _number("strike", "strike", "quote"),
        Column("kind", "VARCHAR", "call or put", field="kind"),
        _number("bid", "best bid", "venue's price unit"),
        _number("ask", "best ask", "venue's price unit"),
        _number("bid_iv", "implied volatility of the bid", "fraction a year"),
        _number("ask_iv", "implied volatility of the ask", "fraction a year"),
        _number("mark_price", "mark price", "venue's price unit"),
        _number("mark_iv", "implied volatility of the mark", "fraction a year"),
        _number("underlying_price", "price of the underlying", "quote"),
        _number("open_interest", "open interest", "base"),
        _number("volume_24h", "traded size of 24 hours", "base"),
        *(_number(greek, greek) for greek in ("delta", "gamma", "vega", "theta", "rho")),
    ),
    key=("timestamp", "instrument"),
    order="timestamp",
    event=Option,
)

VOLATILITY_INDEX = Stream(
    "volatility_index",
    "A venue's index of implied volatility.",
    (_number("value", "index value", "% a year"),),
    key=("timestamp",),
    order="timestamp",
    event=VolatilityIndex,
)

LARGE_TRADES = Stream(
    "large_trades",
    "Trades above a value that depends on the coin; taken from `trades` as they are written.",
    (
        Column("trade_id", "VARCHAR", "the venue's id", field="trade_id"),
        Column("side", "VARCHAR", "the taker's: buy or sell", field="side"),
        _number("price", "price", "quote"),
        _number("quantity", "size", "base"),
        _number("value_usd", "value, where the quote is a dollar", "USD"),
        Column("is_liquidation", "BOOLEAN", "null: trades do not tell", field="is_liquidation"),
    ),
    key=("trade_id", "timestamp"),
    order="timestamp",
    derived_from="trades",
)

STREAMS: dict[str, Stream] = {
    one.name: one
    for one in (
        PRICES,
        ORDERBOOKS,
        TRADES,
        MARK_PRICES,
        FUNDING_RATES,
        OPEN_INTEREST,
        TICKER_24H,
        CANDLES,
        LIQUIDATIONS,
        INDEX_PRICES,
        OPTIONS,
        VOLATILITY_INDEX,
        LARGE_TRADES,
    )
}

KEPT: dict[type[Event], Stream] = {one.event: one for one in STREAMS.values() if one.event is not None}

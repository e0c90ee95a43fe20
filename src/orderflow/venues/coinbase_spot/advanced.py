"""What Coinbase's Advanced Trade feed sends, and what it means; its messages are numbered by connection."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from orderflow.market.events import (
    MINUTE,
    MS,
    SECOND,
    BookUpdate,
    Candle,
    Control,
    Event,
    Level,
    Missed,
    Nanos,
    Quote,
    Ticker,
    Trade,
)
from orderflow.venues.coinbase_spot.words import (
    ADVANCED,
    VENUE,
    acknowledged,
    name,
    nanos,
    number,
    unified,
)
from orderflow.venues.spec import Memory, left_out

# ── What we ask ───────────────────────────────────────────────────────────────────────────────


def request(verb: str, channel: str, products: Sequence[str]) -> bytes:
    about = {"product_ids": products} if products else {}
    return msgspec.json.encode({"type": verb, **about, "channel": channel})


# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Change(msgspec.Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: float
    new_quantity: float
    event_time: str = ""


class _BookEvent(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    product_id: str
    updates: list[_Change]


class Print(msgspec.Struct, gc=False):
    """A trade, over the socket as over REST."""

    product_id: str
    trade_id: int
    price: float
    size: float
    side: Literal["BUY", "SELL"]
    time: str = ""


class _TradeEvent(msgspec.Struct, gc=False):
    trades: list[Print]


class _Day(msgspec.Struct, gc=False):
    product_id: str
    price: float
    volume_24_h: str = ""
    low_24_h: str = ""
    high_24_h: str = ""
    price_percent_chg_24_h: str = ""
    best_bid: str = ""
    best_bid_quantity: str = ""
    best_ask: str = ""
    best_ask_quantity: str = ""


class _TickerEvent(msgspec.Struct, gc=False):
    tickers: list[_Day]


class Bar(msgspec.Struct, gc=False):
    """A candle, over the socket as over REST; `start` counts seconds."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    product_id: str = ""


class _CandleEvent(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    candles: list[Bar]


class _State(msgspec.Struct):
    subscriptions: dict[str, list[str]]


class _Envelope(msgspec.Struct, tag_field="channel", gc=False):
    sequence_num: int
    timestamp: str = ""


class _Book(_Envelope, tag="l2_data", gc=False):
    events: list[_BookEvent] = []


class _Trades(_Envelope, tag="market_trades", gc=False):
    events: list[_TradeEvent] = []


class _Tickers(_Envelope, tag="ticker", gc=False):
    events: list[_TickerEvent] = []


class _TickerBatch(_Tickers, tag="ticker_batch", gc=False):
    pass


class _Candles(_Envelope, tag="candles", gc=False):
    events: list[_CandleEvent] = []


class _Heartbeats(_Envelope, tag="heartbeats", gc=False):
    pass


class _Status(_Envelope, tag="status", gc=False):
    pass


class _Subscriptions(_Envelope, tag="subscriptions", gc=False):
    events: list[_State] = []


_Said: TypeAlias = (
    _Book | _Trades | _Tickers | _TickerBatch | _Candles | _Heartbeats | _Status | _Subscriptions
)
_SAID = msgspec.json.Decoder(_Said, strict=False)

# ── What it means ─────────────────────────────────────────────────────────────────────────────

CHANNELS = {"l2_data": "level2"}  # which answers under another name than it is asked
_FIVE_MINUTES = 5 * MINUTE
_SEQUENCE = "sequence"


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _SAID.decode(payload)
    last = memory.states.get(_SEQUENCE)
    memory.states[_SEQUENCE] = number = said.sequence_num
    if last is None or number == last + 1 or number == 0:  # a connection begins with 0
        return _meaning(said, ts_recv, memory)
    lost = f"message {last + 1}" if number > last else "the beginning of the connection"
    reason = f"{lost} is missing before {number}"
    missed = Missed(VENUE, "", nanos(said.timestamp), ts_recv, ("orderbooks", "candles"), reason)
    return [missed, *_meaning(said, ts_recv, memory)]


def _meaning(said: _Said, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    ts = nanos(said.timestamp)
    match said:
        case _Book():
            return [_book(one, ts, ts_recv) for one in said.events]
        case _Trades():
            prints = [one for event in said.events for one in event.trades]
            for one in sorted(prints, key=_trade_id):
                memory.states[f"tape:{one.product_id}"] = one.trade_id
            return trades(prints, ts_recv)
        case _Tickers():
            return [each for event in said.events for one in event.tickers for each in _day(one, ts, ts_recv)]
        case _Candles():
            return [each for event in said.events for each in _candles(event, ts, ts_recv, memory)]
        case _Heartbeats():
            return (Control(VENUE, "", ts, ts_recv, "pong"),)
        case _Status():
            return (left_out(VENUE, "", ts_recv, "the products' state: their list is read over REST"),)
        case _Subscriptions():
            return (acknowledged(ADVANCED, _names(said), ts, ts_recv, memory),)


def _book(said: _BookEvent, ts: Nanos | None, ts_recv: Nanos) -> BookUpdate:
    bids: list[Level] = []
    asks: list[Level] = []
    for one in said.updates:
        if one.new_quantity >= 0:
            (bids if one.side == "bid" else asks).append((one.price_level, one.new_quantity))
    # All levels of an event have one time; a snapshot's may be unknown, the message's never is.
    matched = nanos(said.updates[-1].event_time) if said.updates else None
    whole = said.type == "snapshot"
    return BookUpdate(
        VENUE, unified(said.product_id), matched or ts, ts_recv, whole, bids, asks, replaces=whole
    )


def trades(prints: list[Print], ts_recv: Nanos) -> list[Event]:
    """Return trades, oldest first; `side` is the maker's, as the book beside them shows."""
    return [
        Trade(
            VENUE,
            unified(one.product_id),
            nanos(one.time),
            ts_recv,
            one.trade_id,
            one.side == "BUY",
            one.price,
            one.size,
        )
        for one in sorted(prints, key=_trade_id)
    ]


def _trade_id(one: Print) -> int:
    return one.trade_id


def _day(said: _Day, ts: Nanos | None, ts_recv: Nanos) -> list[Event]:
    symbol = unified(said.product_id)
    best = (
        number(said.best_bid),
        number(said.best_bid_quantity),
        number(said.best_ask),
        number(said.best_ask_quantity),
    )
    found: list[Event] = []
    if best[0] is not None or best[2] is not None:  # a batched ticker has neither
        found.append(Quote(VENUE, symbol, ts, ts_recv, *best))
    found.append(
        Ticker(
            VENUE,
            symbol,
            ts,
            ts_recv,
            last=said.price,
            high=number(said.high_24_h),
            low=number(said.low_24_h),
            volume=number(said.volume_24_h),
            change_pct=number(said.price_percent_chg_24_h),
        )
    )
    return found


def candle(
    bar: Bar,
    product: str,
    interval: tuple[str, Nanos],
    ts: Nanos | None,
    ts_recv: Nanos,
    *,
    closed: bool,
) -> Candle:
    opened = bar.start * SECOND
    values = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    ends = opened + interval[1] - MS
    return Candle(VENUE, unified(product), ts, ts_recv, interval[0], opened, ends, *values, closed=closed)


def _candles(said: _CandleEvent, ts: Nanos | None, ts_recv: Nanos, memory: Memory) -> list[Event]:
    """Return bars, oldest first. One that is followed by another is over, and is told once more as closed."""
    states = memory.states
    found: list[Event] = []
    for bar in sorted(said.candles, key=_start):
        key = f"candle:{bar.product_id}"
        last = states.get(key)
        known = None if last is None else msgspec.convert(last, Bar)
        late = known is not None and known.start > bar.start
        if known is not None and known.start < bar.start:
            found.append(_five(known, ts, ts_recv, closed=True))
        if not late:
            states[key] = msgspec.to_builtins(bar)
        found.append(_five(bar, ts, ts_recv, closed=late))
    return found


def _five(bar: Bar, ts: Nanos | None, ts_recv: Nanos, *, closed: bool) -> Candle:
    return candle(bar, bar.product_id, ("5m", _FIVE_MINUTES), ts, ts_recv, closed=closed)


def _start(bar: Bar) -> int:
    return bar.start


def _names(said: _Subscriptions) -> list[str]:
    return [
        name(ADVANCED, channel, "" if product == channel else product)
        for state in said.events
        for channel, products in state.subscriptions.items()
        for product in products
    ]

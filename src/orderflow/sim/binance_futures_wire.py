"""What Binance USD-M futures puts on the wire, under its own field names, and how it is made of the market.

Every struct keeps the venue's order of fields; `e` comes first.
"""

import msgspec

from orderflow.sim import binance
from orderflow.sim.candles import Candles
from orderflow.sim.happenings import BestChanged, Liquidated, Marked, Millis
from orderflow.sim.listings import Wording

UM, CM = 1, 2  # `st`: the market that a row belongs to

Levels = list[tuple[str, str]]


class AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade"):
    E: int
    a: int
    s: str
    p: str
    q: str
    nq: str
    f: int
    l: int  # noqa: E741
    T: int
    m: bool
    st: int = UM


class Trade(msgspec.Struct, tag_field="e", tag="trade"):
    E: int
    T: int
    s: str
    t: int
    p: str
    q: str
    X: str
    m: bool
    st: int = UM


class BookTicker(msgspec.Struct, tag_field="e", tag="bookTicker"):
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str
    T: int
    E: int
    ps: str
    st: int = UM


class DepthUpdate(msgspec.Struct, tag_field="e", tag="depthUpdate"):
    E: int
    T: int
    s: str
    U: int
    u: int
    pu: int
    b: Levels
    a: Levels
    ps: str
    st: int = UM


class MarkPrice(msgspec.Struct, tag_field="e", tag="markPriceUpdate"):
    E: int
    s: str
    p: str
    ap: str
    P: str
    i: str
    r: str
    T: int
    st: int = UM


class Order(msgspec.Struct):
    s: str
    S: str
    o: str
    f: str
    q: str
    p: str
    ap: str
    X: str
    l: str  # noqa: E741
    z: str
    T: int


class ForceOrder(msgspec.Struct, tag_field="e", tag="forceOrder"):
    E: int
    o: Order
    ps: str
    st: int = UM


class Ticker(msgspec.Struct, tag_field="e", tag="24hrTicker"):
    E: int
    s: str
    p: str
    P: str
    w: str
    c: str
    Q: str
    o: str
    h: str
    l: str  # noqa: E741
    v: str
    q: str
    O: int  # noqa: E741
    C: int
    F: int
    L: int
    n: int
    ps: str
    st: int = UM


class MiniTicker(msgspec.Struct, tag_field="e", tag="24hrMiniTicker"):
    E: int
    s: str
    c: str
    o: str
    h: str
    l: str  # noqa: E741
    v: str
    q: str
    ps: str
    st: int = UM


def book_ticker(symbol: str, wording: Wording, one: BestChanged, now_ms: Millis) -> BookTicker:
    return BookTicker(
        u=one.id,
        s=symbol,
        b=wording.price(one.bid),
        B=wording.size(one.bid_lots),
        a=wording.price(one.ask),
        A=wording.size(one.ask_lots),
        T=one.ts,
        E=now_ms,
        ps=symbol,
    )


def mark_price(symbol: str, one: Marked) -> MarkPrice:
    return MarkPrice(
        E=one.ts,
        s=symbol,
        p=f"{one.mark:.8f}",
        ap=f"{one.mark_average:.8f}",
        P=f"{one.index:.8f}",
        i=f"{one.index:.8f}",
        r=f"{one.funding:.8f}",
        T=one.next_funding_ms,
    )


def coin_margined_mark(row: MarkPrice, base: str) -> MarkPrice:
    return msgspec.structs.replace(row, s=f"{base}USD_PERP", st=CM)


def force_order(symbol: str, wording: Wording, one: Liquidated, now_ms: Millis) -> ForceOrder:
    average = one.filled_tick_lots / one.filled_lots * float(wording.price(1))
    digits = len(wording.price(1).partition(".")[2])
    order = Order(
        s=symbol,
        S="SELL" if one.sells else "BUY",
        o="LIMIT",
        f="IOC",
        X="FILLED",
        q=wording.size(one.lots),
        p=wording.price(one.limit),
        ap=f"{average:.{digits}f}",
        l=wording.size(one.last_lots),
        z=wording.size(one.filled_lots),
        T=one.ts,
    )
    return ForceOrder(E=now_ms, o=order, ps=symbol)


def coin_margined(said: ForceOrder, base: str) -> ForceOrder:
    """A liquidation of the coin-margined market at the same time; its sizes are contracts."""
    order = msgspec.structs.replace(said.o, s=f"{base}USD_PERP", q="12", l="12", z="12")
    return ForceOrder(E=said.E, o=order, ps=f"{base}USD", st=CM)


def ticker(symbol: str, wording: Wording, candles: Candles, now_ms: Millis) -> Ticker:
    day = binance.day(candles, wording, 8)
    whole = day.whole
    return Ticker(
        E=now_ms,
        s=symbol,
        p=day.change,
        P=day.percent,
        w=day.average,
        c=wording.price(whole.close),
        Q=wording.size(day.last_lots),
        o=wording.price(whole.open),
        h=wording.price(whole.high),
        l=wording.price(whole.low),
        v=wording.size(whole.lots),
        q=wording.quote(whole.tick_lots),
        O=whole.open_ms,
        C=now_ms,
        F=whole.first,
        L=whole.last,
        n=whole.trades,
        ps=symbol,
    )


def mini_ticker(symbol: str, wording: Wording, candles: Candles, now_ms: Millis) -> MiniTicker:
    whole = candles.day()
    return MiniTicker(
        E=now_ms,
        s=symbol,
        c=wording.price(whole.close),
        o=wording.price(whole.open),
        h=wording.price(whole.high),
        l=wording.price(whole.low),
        v=wording.size(whole.lots),
        q=wording.quote(whole.tick_lots),
        ps=symbol,
    )

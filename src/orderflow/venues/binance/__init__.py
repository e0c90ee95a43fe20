"""What both Binance markets say in the same words: control frames, candles, tickers, REST lists.

Docs    https://developers.binance.com/docs
A decimal is text on the wire and a float here; a time is milliseconds, or microseconds where it has
16 digits (spot archives since 2025, `timeUnit=MICROSECOND`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    MINUTE,
    MS,
    US,
    Candle,
    Control,
    Event,
    Instrument,
    Level,
    Nanos,
    Ticker,
    Trade,
)
from orderflow.venues.spec import Archive, History, Refusals

# ── What we ask ───────────────────────────────────────────────────────────────────────────────


def subscribe(names: Sequence[str], id: int) -> bytes:
    return msgspec.json.encode({"method": "SUBSCRIBE", "params": list(names), "id": id})


def unsubscribe(names: Sequence[str], id: int) -> bytes:
    return msgspec.json.encode({"method": "UNSUBSCRIBE", "params": list(names), "id": id})


# ── What they say ─────────────────────────────────────────────────────────────────────────────


class Kline(msgspec.Struct, gc=False):
    t: int
    T: int
    i: str
    o: float
    c: float
    h: float
    l: float  # noqa: E741
    v: float
    n: int
    x: bool
    q: float
    V: float
    Q: float


class _Error(msgspec.Struct):
    code: int
    msg: str


class _Control(msgspec.Struct):
    """An acknowledgement, or an error: flat as documented, or wrapped as seen on the wire."""

    id: int | str | None = None
    result: Any = None
    error: _Error | None = None
    code: int | None = None
    msg: str = ""


class _Day(msgspec.Struct, gc=False):
    symbol: str
    lastPrice: float
    openPrice: float
    highPrice: float
    lowPrice: float
    volume: float
    closeTime: int
    priceChange: float
    priceChangePercent: float
    weightedAvgPrice: float
    quoteVolume: float | None = None
    count: int | None = None


class _AggTrade(msgspec.Struct, gc=False):
    a: int
    p: float
    q: float
    f: int
    l: int  # noqa: E741
    T: int
    m: bool


class _Fill(msgspec.Struct, gc=False):
    id: int
    price: float
    qty: float
    time: int
    isBuyerMaker: bool


class Depth(msgspec.Struct, gc=False):
    """A REST snapshot of a book, or the body of a spot partial-depth frame."""

    lastUpdateId: int
    bids: list[Level]
    asks: list[Level]
    T: int | None = None


class _Filter(msgspec.Struct):
    filterType: str
    tickSize: float | None = None
    stepSize: float | None = None
    notional: float | None = None
    minNotional: float | None = None


class _Listed(msgspec.Struct):
    symbol: str
    baseAsset: str
    quoteAsset: str
    status: str = ""
    contractStatus: str = ""
    contractType: str = ""
    onboardDate: int | None = None
    filters: list[_Filter] = []


class _ServerTime(msgspec.Struct):
    serverTime: int


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_Listed]
    serverTime: int | None = None


_CONTROL = msgspec.json.Decoder(_Control)
_COMPLAINT = msgspec.json.Decoder(_Error)
_DAYS = msgspec.json.Decoder(_Day | list[_Day], strict=False)
_AGG_TRADES = msgspec.json.Decoder(list[_AggTrade], strict=False)
_FILLS = msgspec.json.Decoder(list[_Fill], strict=False)
_KLINES = msgspec.json.Decoder(
    list[tuple[int, float, float, float, float, float, int, float, int, float, float, Any]], strict=False
)
_EXCHANGE_INFO = msgspec.json.Decoder(_ExchangeInfo, strict=False)
_SERVER_TIME = msgspec.json.Decoder(_ServerTime)
DEPTH = msgspec.json.Decoder(Depth, strict=False)

# ── What is kept of the past ──────────────────────────────────────────────────────────────────


def past_trades(keeps: Nanos | None = None) -> History:
    """Aggregate trades: by time to the first one, then on by id, since one instant may fill a page."""
    return History(stream="trades", endpoint="agg_trades", start="startTime", id="fromId", keeps=keeps)


def past_candles() -> History:
    return History(stream="candles", endpoint="candles", start="startTime", end="endTime", step=MINUTE)


def archives(root: str) -> tuple[Archive, ...]:
    """The archives that both markets have, below `data/futures/um` or `data/spot`."""
    trades = "{root}/{every}/aggTrades/{{symbol}}/{{symbol}}-aggTrades-{{date}}.zip"
    candles = "{root}/{every}/klines/{{symbol}}/1m/{{symbol}}-1m-{{date}}.zip"
    daily, monthly = ({"root": root, "every": every} for every in ("daily", "monthly"))
    return (
        Archive(
            stream="trades",
            layout="aggTrades",
            daily=trades.format(**daily),
            monthly=trades.format(**monthly),
        ),
        Archive(
            stream="candles",
            layout="klines",
            daily=candles.format(**daily),
            monthly=candles.format(**monthly),
            params={"interval": "1m"},
        ),
    )


# ── What it means ─────────────────────────────────────────────────────────────────────────────

_MICROSECONDS_FROM = 10**15  # a count of this size can only be microseconds (milliseconds: year 33658)


def nanos(time: int) -> Nanos:
    """Return a Binance time in nanoseconds, whichever unit it came in.

    >>> nanos(1_720_000_000_000) == nanos(1_720_000_000_000_000) == 1_720_000_000_000_000_000
    True
    """
    return time * (US if time >= _MICROSECONDS_FROM else MS)


def control(venue: str, payload: bytes, ts_recv: Nanos) -> list[Event]:
    """Decode an acknowledgement or an error; raise `VenueChanged` if it is neither."""
    said = _CONTROL.decode(payload)
    id = said.id if isinstance(said.id, int) else None
    error = said.error or (_Error(said.code, said.msg) if said.code is not None else None)
    if error is not None:
        return [Control(venue, "", None, ts_recv, "refused", id, f"{error.code}: {error.msg}")]
    if b'"result"' in payload:
        return [Control(venue, "", None, ts_recv, "ack", id)]
    raise VenueChanged(f"{venue}: neither data nor an answer: {payload[:200]!r}")


def unless_too_deep(
    decode: Callable[[bytes, Nanos], Sequence[Event]], venue: str, payload: bytes, ts_recv: Nanos
) -> Sequence[Event]:
    """Decode; raise `VenueChanged` for JSON nested so deeply that no frame of a venue can be."""
    try:
        return decode(payload, ts_recv)
    except RecursionError as error:
        raise VenueChanged(f"{venue}: nested too deeply: {payload[:200]!r}") from error


def server_time(venue: str, body: bytes, ts_recv: Nanos) -> list[Event]:
    return [Control(venue, "", nanos(_SERVER_TIME.decode(body).serverTime), ts_recv, "pong")]


def candle(venue: str, symbol: str, ts_event: Nanos | None, ts_recv: Nanos, k: Kline) -> Candle:
    return Candle(
        venue,
        symbol,
        ts_event,
        ts_recv,
        interval=k.i,
        open_ts=nanos(k.t),
        close_ts=nanos(k.T),
        open=k.o,
        high=k.h,
        low=k.l,
        close=k.c,
        volume=k.v,
        quote_volume=k.q,
        trade_count=k.n,
        taker_buy_volume=k.V,
        taker_buy_quote=k.Q,
        closed=k.x,
    )


def klines(venue: str, body: bytes, symbol: str, interval: str, ts_recv: Nanos) -> list[Event]:
    """Decode a REST list of bars; a bar is closed once its last instant is past when it was sent.

    Where the time of sending is unknown, the last bar of the list counts as open. An open bar has no
    time of the venue's: its end lies ahead.
    """
    rows = _KLINES.decode(body)
    found: list[Event] = []
    for place, row in enumerate(rows, 1):
        opened, ends = nanos(row[0]), nanos(row[6])
        closed = ends < ts_recv if ts_recv else place < len(rows)
        bar = Candle(venue, symbol, ends if closed else None, ts_recv, interval, opened, ends, *row[1:6])
        volumes = {"quote_volume": row[7], "taker_buy_volume": row[9], "taker_buy_quote": row[10]}
        found.append(msgspec.structs.replace(bar, trade_count=row[8], closed=closed, **volumes))
    return found


def days(venue: str, body: bytes, ts_recv: Nanos) -> list[Event]:
    """Decode one ticker of 24 hours, or of another window, or a list of them.

    A market that trades no more is listed with prices of 0.
    """
    said = _DAYS.decode(body)
    return [
        Ticker(
            venue,
            day.symbol,
            nanos(day.closeTime),
            ts_recv,
            last=day.lastPrice or None,
            open=day.openPrice or None,
            high=day.highPrice or None,
            low=day.lowPrice or None,
            volume=day.volume,
            quote_volume=day.quoteVolume,
            trade_count=day.count,
            change=day.priceChange,
            change_pct=day.priceChangePercent,
            vwap=day.weightedAvgPrice or None,
        )
        for day in (said if isinstance(said, list) else [said])
    ]


def agg_trades(venue: str, body: bytes, symbol: str, ts_recv: Nanos) -> list[Event]:
    return [
        Trade(venue, symbol, nanos(one.T), ts_recv, one.a, one.m, one.p, one.q, one.l - one.f + 1, True)
        for one in _AGG_TRADES.decode(body)
    ]


def fills(venue: str, body: bytes, symbol: str, ts_recv: Nanos) -> list[Event]:
    return [
        Trade(venue, symbol, nanos(one.time), ts_recv, one.id, one.isBuyerMaker, one.price, one.qty)
        for one in _FILLS.decode(body)
    ]


def archived_agg_trade(venue: str, row: bytes, symbol: str, ts_recv: Nanos) -> list[Event]:
    """Decode a row of an aggTrades archive: id, price, quantity, first, last, time, buyer is maker, …"""
    cells = row.decode().strip().split(",")
    maker = cells[6].strip().lower() if len(cells) > 6 else ""
    if maker not in ("true", "false"):
        raise VenueChanged(
            f"{venue}: an aggTrades row whose seventh cell is not true or false: {row[:200]!r}"
        )
    first, last = int(cells[3]), int(cells[4])
    trade = Trade(
        venue,
        symbol,
        nanos(int(cells[5])),
        ts_recv,
        int(cells[0]),
        maker == "true",
        float(cells[1]),
        float(cells[2]),
        last - first + 1,
        True,
    )
    return [trade]


def archived_trade(venue: str, row: bytes, symbol: str, ts_recv: Nanos) -> list[Event]:
    """Decode a row of a trades archive: id, price, quantity, value, time, buyer is maker, …"""
    cells = row.decode().strip().split(",")
    maker = cells[5].strip().lower() if len(cells) > 5 else ""
    if maker not in ("true", "false"):
        raise VenueChanged(f"{venue}: a trades row whose sixth cell is not true or false: {row[:200]!r}")
    price, size = float(cells[1]), float(cells[2])
    return [Trade(venue, symbol, nanos(int(cells[4])), ts_recv, int(cells[0]), maker == "true", price, size)]


def archived_candle(venue: str, row: bytes, symbol: str, interval: str, ts_recv: Nanos) -> list[Event]:
    """Decode a row of a klines archive, in the columns of REST; every bar of a past day is closed."""
    (one,) = _KLINES.decode(b"[[" + row.strip() + b"]]")
    opened, ends = nanos(one[0]), nanos(one[6])
    bar = Candle(venue, symbol, ends, ts_recv, interval, opened, ends, *one[1:6], closed=True)
    volumes = {"quote_volume": one[7], "taker_buy_volume": one[9], "taker_buy_quote": one[10]}
    return [msgspec.structs.replace(bar, trade_count=one[8], **volumes)]


def instruments(venue: str, body: bytes, ts_recv: Nanos) -> list[Event]:
    """Decode exchangeInfo: steps come from the filters, never from the precisions."""
    info = _EXCHANGE_INFO.decode(body)
    ts_event = None if info.serverTime is None else nanos(info.serverTime)
    return [_instrument(venue, one, ts_event, ts_recv) for one in info.symbols]


def _instrument(venue: str, one: _Listed, ts_event: Nanos | None, ts_recv: Nanos) -> Instrument:
    filters = {each.filterType: each for each in one.filters}
    price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL")
    status = one.status or one.contractStatus
    # Old futures lists name no contract type: until 2020 there were perpetuals only.
    perpetual = venue == "binance_futures" and one.contractType in ("", "PERPETUAL")
    kind = "spot" if venue == "binance_spot" else "perpetual" if perpetual else "future"
    return Instrument(
        venue,
        one.symbol,
        ts_event,
        ts_recv,
        native=one.symbol,
        kind=kind,
        base=one.baseAsset,
        quote=one.quoteAsset,
        status=status,
        trading=status == "TRADING",
        contract_size=None if kind == "spot" else 1.0,
        tick=price.tickSize if price else None,
        lot=lot.stepSize if lot else None,
        min_notional=(notional.minNotional or notional.notional) if notional else None,
        listed_ts=None if not one.onboardDate else nanos(one.onboardDate),
    )


# ── What it refuses ───────────────────────────────────────────────────────────────────────────


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the error that a body is, `{"code":-1121,"msg":"Invalid symbol."}`; None if it is none."""
    if not body.startswith(b'{"code"'):
        return None
    try:
        said = _COMPLAINT.decode(body)
    except msgspec.MsgspecError:
        return None
    return (str(said.code), said.msg) if said.code < 0 else None


REFUSALS = Refusals(
    complaint=complaint,
    unknown_symbol_codes=frozenset({"-1121"}),
    key_codes=frozenset({"-1002", "-2014", "-2015"}),
)

"""Binance: what its futures and its spot protocol share: envelopes, subscriptions, diffs, timers, candles."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from orderflow.sim.candles import MINUTE_MS, Candles
from orderflow.sim.happenings import BookChanged, Candle, Lots, Millis, Ticks
from orderflow.sim.listings import Wording
from orderflow.sim.protocol import Limits, Session

encode = msgspec.json.Encoder().encode


class Envelope(msgspec.Struct):
    stream: str
    data: Any


class Every:
    """Says yes once in each stretch of `ms`, on the clock's grid; not at the first asking."""

    def __init__(self, ms: Millis) -> None:
        self._ms = ms
        self._last: int | None = None

    def due(self, now_ms: Millis) -> bool:
        last, self._last = self._last, now_ms // self._ms
        return last is not None and self._last != last


# ── Subscriptions ─────────────────────────────────────────────────────────────────────────────


def asked(query: Mapping[str, str]) -> list[str]:
    """The streams named in `?streams=a/b`."""
    return [name for name in query.get("streams", "").split("/") if name]


def control(session: Session, text: str, limits: Limits) -> bytes:
    """Obey a client's message; the reply acknowledges names that do not exist as well."""
    try:
        request: Any = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        return encode({"error": {"code": 3, "msg": f"Invalid JSON: {error}"}})
    if not isinstance(request, dict):
        return _wrong(None, 2, "request must be an object")
    fields = cast(dict[str, Any], request)
    id, method, params = fields.get("id"), fields.get("method"), fields.get("params", [])
    if not isinstance(id, int | str | None) or isinstance(id, bool):
        return _wrong(None, 2, "id must be an unsigned integer or a string")
    if method == "LIST_SUBSCRIPTIONS":
        return encode({"result": list(session.subscribed), "id": id})
    if method == "GET_PROPERTY":
        return (
            encode({"result": True, "id": id})
            if params == ["combined"]
            else _wrong(id, 0, "unknown property")
        )
    if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
        return _wrong(
            id,
            2,
            f"unknown method {method!r}, expected SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS or GET_PROPERTY",
        )
    streams = _names(params)
    if not streams:
        return _wrong(id, 2, "params must be a list of stream names")
    if method == "UNSUBSCRIBE":
        session.unsubscribe(streams)
    elif len({*session.subscribed, *streams}) > limits.streams:
        return _wrong(id, 2, f"more than {limits.streams} streams on one connection")
    else:
        session.subscribe(streams)
    return encode({"result": None, "id": id})


def _names(params: Any) -> list[str]:
    try:
        return msgspec.convert(params, list[str])
    except msgspec.ValidationError:
        return []


def _wrong(id: int | str | None, code: int, what: str) -> bytes:
    return encode({"error": {"code": code, "msg": f"Invalid request: {what}"}, "id": id})


REFUSALS = {
    418: (
        -1003,
        "Way too many requests; IP banned. Please use the websocket for live updates to avoid bans.",
    ),
    429: (-1003, "Too many requests; current limit of REQUEST_WEIGHT per 1 MINUTE exceeded."),
    403: (-1000, "Forbidden."),
    408: (-1007, "Timeout waiting for response from backend server."),
    451: (0, "Service unavailable from a restricted location."),
    503: (-1008, "Request throttled by system-level protection."),
}


def refusal(status: int) -> Any:
    code, words = REFUSALS.get(status, (-1000, "An unknown error occurred while processing the request."))
    return {"code": code, "msg": words}


# ── The book ──────────────────────────────────────────────────────────────────────────────────


class Diff(msgspec.Struct):
    """Changes of a book gathered for one frame: absolute lots of every level touched since the last."""

    previous: int  # update id where the stream's last frame ended
    first: int
    last: int
    ts: Millis
    bids: dict[Ticks, Lots]
    asks: dict[Ticks, Lots]


class DiffStream:
    """Gathers book changes and gives them out on the grid of `ms`; 0 gives out each change at once."""

    def __init__(self, stream: str, ms: Millis) -> None:
        self.stream = stream
        self._grid = Every(ms) if ms else None
        self._open: Diff | None = None
        self._ended: int | None = None

    def add(self, changed: BookChanged) -> Diff | None:
        """Take in a change; a stream without a grid hands it straight back."""
        diff = self._open
        if diff is None:
            previous = changed.previous if self._ended is None else self._ended
            diff = self._open = Diff(previous, changed.first, changed.last, changed.ts, {}, {})
        diff.last, diff.ts = changed.last, changed.ts
        diff.bids.update(changed.bids)
        diff.asks.update(changed.asks)
        return self._close() if self._grid is None else None

    def due(self, now_ms: Millis) -> Diff | None:
        """What has gathered, if the time has come and there is anything."""
        if self._grid is None or not self._grid.due(now_ms) or self._open is None:
            return None
        return self._close()

    def _close(self) -> Diff | None:
        diff, self._open = self._open, None
        if diff is not None:
            self._ended = diff.last
        return diff


def levels(wording: Wording, side: Iterable[tuple[Ticks, Lots]]) -> list[tuple[str, str]]:
    price, size = wording.price, wording.size
    return [(price(tick), size(lots)) for tick, lots in side]


# ── Candles and the day ───────────────────────────────────────────────────────────────────────


class Kline(msgspec.Struct):
    t: int
    T: int
    s: str
    i: str
    f: int
    L: int
    o: str
    c: str
    h: str
    l: str  # noqa: E741  (the venue's own name, as all of these)
    v: str
    n: int
    x: bool
    q: str
    V: str
    Q: str
    B: str = "0"


class KlineFrame(msgspec.Struct, tag_field="e", tag="kline"):
    E: int
    s: str
    k: Kline


def kline(candle: Candle, symbol: str, closed: bool, wording: Wording) -> Kline:
    return Kline(
        t=candle.open_ms,
        T=candle.open_ms + MINUTE_MS - 1,
        s=symbol,
        i="1m",
        f=candle.first,
        L=candle.last,
        o=wording.price(candle.open),
        c=wording.price(candle.close),
        h=wording.price(candle.high),
        l=wording.price(candle.low),
        v=wording.size(candle.lots),
        n=candle.trades,
        x=closed,
        q=wording.quote(candle.tick_lots),
        V=wording.size(candle.buy_lots),
        Q=wording.quote(candle.buy_tick_lots),
    )


class Day(msgspec.Struct):
    """The 24 hours' figures as both venues word them."""

    change: str
    percent: str
    average: str
    whole: Candle
    last_lots: Lots


def day(candles: Candles, wording: Wording, decimals: int) -> Day:
    whole = candles.day()
    change = whole.close - whole.open
    average = whole.tick_lots / whole.lots if whole.lots else float(whole.close)
    fill = candles.last_fill
    scale = float(wording.price(whole.close)) / whole.close
    return Day(
        change=wording.price(change),
        percent=f"{change / whole.open * 100:.3f}",
        average=f"{average * scale:.{decimals}f}",
        whole=whole,
        last_lots=fill.lots if fill else 0,
    )

"""Binance: what its futures and its spot protocol share: envelopes, subscriptions, candles, limits."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from orderflow.sim.candles import MINUTE_MS, Candles
from orderflow.sim.happenings import Candle, Lots
from orderflow.sim.listings import Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import Limits, Session, Values

encode = msgspec.json.Encoder().encode


class Envelope(msgspec.Struct):
    stream: str
    data: Any


# ── Subscriptions ─────────────────────────────────────────────────────────────────────────────


def asked(query: Values, markets: Mapping[str, Market]) -> list[str]:
    """The streams named in `?streams=a/b`."""
    return [name for text in query.get("streams", ()) for name in text.split("/") if name]


def control(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
    """Obey a client's message; the one reply acknowledges names that do not exist as well."""
    return (_reply(session, text, limits),)


def _reply(session: Session, text: str, limits: Limits) -> bytes:
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


def day(candles: Candles, wording: Wording, decimals: int, whole: Candle | None = None) -> Day:
    """Word the 24 hours, or `whole` where another window is asked for."""
    whole = candles.day() if whole is None else whole
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


def meter(used: int, most: int) -> Mapping[str, str]:
    return {"X-MBX-USED-WEIGHT-1M": str(used)}

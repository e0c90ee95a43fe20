"""Deribit: what its futures and its options share: JSON-RPC, subscriptions, the heartbeat, its refusals."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from orderflow.sim.happenings import Millis
from orderflow.sim.protocol import Limits, Question, Refusal, Session

encode = msgspec.json.Encoder().encode

MOST_CHANNELS = 500  # in one call
PUBLIC = "/api/v2/public/"
CURRENCIES = ("any", "BTC", "ETH", "USDC", "USDT", "EURR")
LIMITS = Limits(messages_per_second=10, streams=MOST_CHANNELS * 4, weight=1200, window_s=60)
_SLOWEST_BEAT_S, _FASTEST_BEAT_S = 86_400, 10


def said(channel: str, data: Any) -> bytes:
    """A notification of a channel."""
    return encode({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})


# ── Calls over a socket ───────────────────────────────────────────────────────────────────────


def control(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
    """Obey a client's call. What does not exist is left out of the answer without a word."""
    try:
        call: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return (_error(None, -32700, "Parse error"),)
    if not isinstance(call, dict):
        return (_error(None, -32600, "Invalid Request"),)
    fields = cast(dict[str, Any], call)
    id, params = fields.get("id"), fields.get("params", {})
    if not isinstance(id, int | str | None) or isinstance(id, bool) or not isinstance(params, dict):
        return (_error(None, -32600, "Invalid Request"),)
    match fields.get("method"):
        case "public/test":
            session.memory.pop("asked", None)
            return (_answer(id, {"version": "1.2.26"}, session.now_ms),)
        case "public/set_heartbeat":
            return (_heartbeat(session, id, params.get("interval")),)
        case "public/subscribe" | "public/unsubscribe" as method:
            return (_channels(session, id, str(method), params.get("channels"), limits),)
        case method:
            return (_error(id, -32601, "Method not found", {"reason": str(method)}),)


def _channels(session: Session, id: int | str | None, method: str, asked: Any, limits: Limits) -> bytes:
    try:
        channels = msgspec.convert(asked, list[str])
    except msgspec.ValidationError:
        return _error(id, -32602, "Invalid params", {"param": "channels", "reason": "must be a list"})
    if any(one.endswith(".raw") for one in channels):
        return _error(id, 13778, "raw_subscriptions_not_available_for_unauthorized")
    known = [one for one in dict.fromkeys(channels) if session.carries(one)]
    if len(channels) > MOST_CHANNELS or len({*session.subscribed, *known}) > limits.streams:
        return _error(id, 11050, "bad_request", {"param": "channels", "reason": "too many channels"})
    if method == "public/subscribe":
        session.subscribe(known)
    else:
        session.unsubscribe(known)
    return _answer(id, known, session.now_ms)


def _answer(id: int | str | None, result: Any, now_ms: Millis) -> bytes:
    return encode({"jsonrpc": "2.0", "id": id, **enveloped(result, now_ms)})


def _error(id: int | str | None, code: int, message: str, data: Any = None) -> bytes:
    return encode({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}})


# ── The heartbeat ─────────────────────────────────────────────────────────────────────────────


def _heartbeat(session: Session, id: int | str | None, interval: Any) -> bytes:
    if not isinstance(interval, int) or not _FASTEST_BEAT_S <= interval <= _SLOWEST_BEAT_S:
        return _error(id, -32602, "Invalid params", {"param": "interval", "reason": "out of range"})
    session.memory["every_ms"] = interval * 1000
    session.memory["beat"] = session.now_ms
    return _answer(id, "ok", session.now_ms)


def tick(session: Session) -> Sequence[bytes]:
    """Beat, and ask for a proof of life; hang up on who still owes one when the next is due."""
    every_ms = session.memory.get("every_ms")
    if every_ms is None or session.now_ms - session.memory["beat"] < every_ms:
        return ()
    session.memory["beat"] = session.now_ms
    if "asked" in session.memory:
        session.hang_up()
        return ()
    session.memory["asked"] = session.now_ms
    return tuple(
        encode({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}})
        for kind in ("heartbeat", "test_request")
    )


# ── REST ──────────────────────────────────────────────────────────────────────────────────────

_CODES = {429: (10028, "too_many_requests"), 503: (11051, "system_maintenance"), 403: (13009, "unauthorized")}


def enveloped(result: Any, now_ms: Millis) -> dict[str, Any]:
    sent = now_ms * 1000
    return {"result": result, "usIn": sent - 250, "usOut": sent, "usDiff": 250, "testnet": False}


def answered(asked: Question, result: Any) -> Any:
    return {"jsonrpc": "2.0", **enveloped(result, asked.now_ms)}


def refusal(status: int) -> Any:
    code, message = _CODES.get(status, (11094, "internal_server_error"))
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message, "data": None}, "testnet": False}


def wrong(param: str, reason: str = "wrong format") -> Refusal:
    """A refusal that names the parameter."""
    error = {"code": -32602, "message": "Invalid params", "data": {"reason": reason, "param": param}}
    return Refusal(400, {"jsonrpc": "2.0", "error": error, "testnet": False})


def text(asked: Question, param: str) -> str:
    """A parameter that must be given."""
    if not asked.params.get(param):
        raise wrong(param, "is missing")
    return asked.params[param]


def number(asked: Question, param: str, default: int | None = None) -> int:
    """A whole number; one that must be given if it has no default."""
    given = asked.params.get(param, "" if default is None else str(default))
    if not given.removeprefix("-").isdecimal():
        raise wrong(param)
    return int(given)


def time(asked: Question) -> Any:
    return answered(asked, asked.now_ms)


def test(asked: Question) -> Any:
    return answered(asked, {"version": "1.2.26"})


def within(asked: Question) -> tuple[Millis, Millis]:
    """The stretch of time that is asked about; all of it where the parameters are not given."""
    return number(asked, "start_timestamp", 0), number(asked, "end_timestamp", 1 << 53)


def page(asked: Question, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Trades of the asked time and numbers, given oldest first: the latest first unless `sorting` is asc."""
    first, last = number(asked, "start_seq", 0), number(asked, "end_seq", 1 << 53)
    start, end = within(asked)
    found = [row for row in rows if first <= row["trade_seq"] <= last and start <= row["timestamp"] <= end]
    count = min(max(1, number(asked, "count", 10)), 1000)
    if asked.params.get("sorting") == "asc" or "start_seq" in asked.params:
        chosen = found[:count]
    else:
        chosen = found[::-1][:count]
    return answered(asked, {"trades": chosen, "has_more": len(found) > len(chosen)})

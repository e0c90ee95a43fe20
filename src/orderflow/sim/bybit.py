"""Bybit: what its linear and its spot market share: requests and replies, refusals, the words of rows.

The order of keys is each market's own. A request with one topic that does not exist is refused as a whole.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from orderflow.sim.candles import MINUTE_MS, Candles
from orderflow.sim.happenings import Candle, Millis
from orderflow.sim.listings import Wording
from orderflow.sim.market import Market
from orderflow.sim.perpetual import Perpetual
from orderflow.sim.protocol import Limits, Session

encode = msgspec.json.Encoder().encode

_MOST_CHARACTERS = 21_000  # of the topics of one connection
_SPOT_ARGS = 10  # of one request

# ── Topics ────────────────────────────────────────────────────────────────────────────────────

BOOKS: Mapping[str, tuple[int, Millis]] = {  # levels, and how often they are told
    "orderbook.50": (50, 20),
    "orderbook.200": (200, 100),
    "orderbook.1000": (1000, 200),
}
SPOT_KINDS = frozenset({"orderbook.1", *BOOKS, "publicTrade", "tickers", "kline.1"})
LINEAR_KINDS = SPOT_KINDS | {"allLiquidation"}


def router(kinds: frozenset[str]) -> Callable[[str, Mapping[str, Market]], str | None]:
    def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
        kind, _, symbol = stream.rpartition(".")
        return "public" if kind in kinds and symbol in markets else None

    return route_of


# ── Requests ──────────────────────────────────────────────────────────────────────────────────


def controller(*, spot: bool) -> Callable[[Session, str, Limits], Sequence[bytes]]:
    """Return what answers a client's messages; the two markets word their answers a little differently."""

    def control(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
        try:
            request: Any = msgspec.json.decode(text)
        except msgspec.DecodeError:
            request = None
        if not isinstance(request, dict):
            return (_answer(session, {}, spot, "error:invalid request"),)
        fields = cast(dict[str, Any], request)
        match fields.get("op"):
            case "ping":
                return (_answer(session, fields, spot, said="pong"),)
            case "subscribe":
                wrong = _wrong(session, _names(fields), limits, spot=spot)
                if wrong is None:
                    session.subscribe(_names(fields))
                return (_answer(session, fields, spot, wrong),)
            case "unsubscribe":
                session.unsubscribe(_names(fields))
                return (_answer(session, fields, spot),)
            case op:
                return (_answer(session, fields, spot, f"error:request expect op, got {op}"),)

    return control


def _names(fields: dict[str, Any]) -> list[str]:
    try:
        return msgspec.convert(fields.get("args", []), list[str])
    except msgspec.ValidationError:
        return []


def _wrong(session: Session, names: list[str], limits: Limits, *, spot: bool) -> str | None:
    """What is wrong with a subscription, in the venue's manner; None if nothing is."""
    if not names:
        return "error:args is empty"
    if spot and len(names) > _SPOT_ARGS:
        return f"error:args size > {_SPOT_ARGS}"
    every = {*session.subscribed, *names}
    if len(encode(sorted(every))) > _MOST_CHARACTERS or len(every) > limits.streams:
        return "error:args too long"
    unknown = next((name for name in names if not session.carries(name)), None)
    return None if unknown is None else f"error:handler not found,topic:{unknown}"


def _answer(
    session: Session, fields: dict[str, Any], spot: bool, wrong: str | None = None, said: str = ""
) -> bytes:
    op, id = fields.get("op", ""), fields.get("req_id")
    words = wrong or said or (op if spot else "")
    conn_id = str(uuid.UUID(int=session.number))
    reply: dict[str, Any] = {"success": wrong is None, "ret_msg": words, "conn_id": conn_id}
    if isinstance(id, str) or not spot:
        reply["req_id"] = id if isinstance(id, str) else ""
    return encode(reply | {"op": op})


# ── Refusals ──────────────────────────────────────────────────────────────────────────────────


def refusal(status: int) -> Any:
    """The body of an HTTP error; what is wrong with a request comes with HTTP 200 instead."""
    if status == 403:
        return "403, access too frequent"
    return {"retCode": 10016, "retMsg": "Internal system error", "result": {}, "retExtInfo": {}, "time": 0}


WRONG_SHAPE = b'{"topic":"orderbook.200.BTCUSDT","type":7,"data":{"s":null,"b":["what"]},"ts":"then"}'
LIMITS = Limits(
    streams=1000,
    idle_s=600,
    weight=600,
    window_s=5,
    over_status=403,
    patience=0,
    ban_status=403,
    ban_s=600,
)

# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def bar(candle: Candle, confirm: bool, wording: Wording, now_ms: Millis) -> dict[str, Any]:
    return {
        "start": candle.open_ms,
        "end": candle.open_ms + MINUTE_MS - 1,
        "interval": "1",
        "open": wording.price(candle.open),
        "close": wording.price(candle.close),
        "high": wording.price(candle.high),
        "low": wording.price(candle.low),
        "volume": wording.size(candle.lots),
        "turnover": wording.quote(candle.tick_lots),
        "confirm": confirm,
        "timestamp": now_ms,
    }


def day(candles: Candles, wording: Wording) -> dict[str, str]:
    """The 24 hours, without the last price."""
    whole = candles.day()
    return {
        "price24hPcnt": f"{(whole.close - whole.open) / whole.open:.6f}",
        "prevPrice24h": wording.price(whole.open),
        "highPrice24h": wording.price(whole.high),
        "lowPrice24h": wording.price(whole.low),
        "turnover24h": wording.quote(whole.tick_lots),
        "volume24h": wording.size(whole.lots),
    }


def marks(perpetual: Perpetual, wording: Wording) -> dict[str, str]:
    """Mark, index, funding and open interest, which is told as the sum of both sides and as one."""
    marked, digits = perpetual.marked, len(wording.price(1).partition(".")[2])
    one = float(wording.size(perpetual.open_lots)) * marked.mark
    return {
        "markPrice": f"{marked.mark:.{digits}f}",
        "indexPrice": f"{marked.index:.{digits}f}",
        "openInterest": wording.size(2 * perpetual.open_lots),
        "openInterestValue": f"{2 * one:.2f}",
        "singleOpenInterest": wording.size(perpetual.open_lots),
        "singleOpenInterestValue": f"{one:.2f}",
        "fundingIntervalHour": str(perpetual.interval_ms // 3_600_000),
        "fundingCap": "0.005",
        "nextFundingTime": str(marked.next_funding_ms),
        "fundingRate": f"{marked.funding:.8f}",
    }


def trade_id(id: int, *, spot: bool) -> str:
    """Digits on spot, a UUID on linear; both are the tape's id.

    >>> trade_id(258, spot=True), trade_id(258, spot=False)
    ('258', '00000000-0000-0000-0000-000000000102')
    """
    return str(id) if spot else str(uuid.UUID(int=id))

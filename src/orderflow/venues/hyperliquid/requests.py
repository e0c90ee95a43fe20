"""How Hyperliquid is asked over REST: what perpetuals and spot have alike.

Everything is `POST /info`, whose body's `type` says what is asked. The allowance of an address, 1200 units a
minute, is one for both markets.
"""

import msgspec

from orderflow.venues.questions import Question
from orderflow.venues.spec import Answer, Endpoint, Query, Refusals

# ── How it is asked ───────────────────────────────────────────────────────────────────────────

PATH = "/info"
_NUMBERS = ("startTime", "endTime", "nSigFigs", "mantissa")
_COIN = {"coin": "{symbol}"}


def _value(name: str, said: str) -> str | int:
    return int(said) if name in _NUMBERS else said


def body(query: Query) -> bytes:
    return msgspec.json.encode({name: _value(name, said) for name, said in query.items()})


def _nested(query: Query) -> bytes:
    """Return the body of a request whose parameters stand within `req`."""
    inner = {name: _value(name, said) for name, said in query.items() if name != "type"}
    return msgspec.json.encode({"type": query["type"], "req": inner})


def info(
    name: str,
    kind: str,
    decode: Answer,
    needs: tuple[str, ...] = (),
    *,
    weight: float = 20,
    cache_s: float = 0.0,
    nested: bool = False,
) -> Endpoint:
    """Return the endpoint of a body's `type`; only what needs a coin is asked about one."""
    asked = {"type": kind}
    return Endpoint(
        name,
        PATH,
        decode,
        asked,
        needs,
        weight=weight,
        cache_s=cache_s,
        of_symbol=_COIN if "coin" in needs else {},
        body=_nested if nested else body,
        when=asked,
    )


_PERIODS = {
    one: one for one in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w")
}

_NO_LAST = "no last trade, high or low is told; the change is that of the mark price"

# What both markets are asked, at endpoints of the same names.
QUESTIONS = (
    Question(name="ticker", endpoint="contexts", note=_NO_LAST),
    Question(name="ticker", endpoint="depth"),
    Question(name="tickers", endpoint="contexts", of="venue", note=_NO_LAST),
    Question(name="prices", endpoint="mids"),
    Question(name="quote", endpoint="depth"),
    Question(name="book", endpoint="depth", note="20 levels a side are the most that it tells"),
    Question(name="trades", endpoint="trades", note="the most recent alone, as many as it likes to tell"),
    Question(
        name="candles",
        endpoint="candles",
        period="interval",
        periods=_PERIODS,
        since="startTime",
        until="endTime",
        most=1000,  # it has 5000, at five times the weight
        wants_window=True,
    ),
    Question(name="instruments", endpoint="instruments", of="venue", keeps_s=60.0),
    Question(name="status", endpoint="status", of="venue", keeps_s=10.0),
)

# ── What it refuses ───────────────────────────────────────────────────────────────────────────

_NOTHING, _UNREADABLE = "null", "unreadable"


def complaint(said: bytes) -> tuple[str, str] | None:
    """Return the error that a body is: `null` for a coin that there is not, else a plain text."""
    if said.strip() == b"null":
        return _NOTHING, "it knows no such coin"
    if said.startswith(b"Failed to deserialize"):
        return _UNREADABLE, said[:200].decode(errors="replace")
    return None


REFUSALS = Refusals(
    limited={429: 10.0},
    retry=(408, 502, 503, 504),  # 500 may be its way to say that there is no such coin
    complaint=complaint,
    unknown_symbol_codes=frozenset({_NOTHING}),
)

"""What all Bybit markets have in common: how they are asked, what they allow, how they refuse.

Docs    https://bybit-exchange.github.io/docs/v5/intro
One protocol (V5) for all markets: the category stands in a socket's address and in a REST parameter, and
nowhere else, so that BTCUSDT is another market on each. A decimal is text on the wire and a float here; a
time is milliseconds.
"""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import Nanos
from orderflow.venues.spec import Bucket, Keepalive, Refusals

# ── What we ask ───────────────────────────────────────────────────────────────────────────────


def subscribe(names: Sequence[str], id: int) -> bytes:
    return _request("subscribe", names, id)


def unsubscribe(names: Sequence[str], id: int) -> bytes:
    return _request("unsubscribe", names, id)


def _request(op: str, names: Sequence[str], id: int) -> bytes:
    return msgspec.json.encode({"req_id": str(id), "op": op, "args": list(names)})


def _ping(now: Nanos) -> bytes:
    return b'{"req_id":"ping","op":"ping"}'


KEEPALIVE = Keepalive(every_s=20, message=_ping)  # WebSocket pings alone do not keep a connection
DEAD_AFTER_S = 45.0  # each of our pings is answered at once: two of them were not

# 500 connections in five minutes and 600 requests in five seconds are what one address may make. All
# markets are at the same hosts, and together their forms keep to less.
CONNECTS_PER_MINUTE = 40.0
BUCKETS = (Bucket("weight", 250, 5),)
OPTION_BUCKETS = (Bucket("weight", 90, 5),)

# ── How they refuse ───────────────────────────────────────────────────────────────────────────

UNKNOWN_SYMBOL = "10001, the symbol"


class _Complaint(msgspec.Struct):
    retCode: int
    retMsg: str = ""


_COMPLAINT = msgspec.json.Decoder(_Complaint)


def complaint(body: bytes) -> tuple[str, str] | None:
    """Find an error in a body; they come with HTTP 200.

    10001 is any wrong parameter; that it is the symbol is told by the text alone.

    >>> complaint(b'{"retCode":10001,"retMsg":"Not supported symbols","result":{}}')
    ('10001, the symbol', 'Not supported symbols')
    """
    try:
        said = _COMPLAINT.decode(body)
    except msgspec.MsgspecError:
        return None
    if said.retCode == 0:
        return None
    about_symbol = said.retCode == 10001 and "symbol" in said.retMsg.lower()
    return (UNKNOWN_SYMBOL if about_symbol else str(said.retCode)), said.retMsg


REFUSALS = Refusals(
    banned={403: 600.0},  # too many requests, or an address of a country that is not served: stop for long
    complaint=complaint,
    limited_codes=frozenset({"10006", "10018", "10429"}),  # of an endpoint, of an address, of the system
    unavailable_codes=frozenset({"10000", "10016"}),  # the server timed out; an internal error
    unknown_symbol_codes=frozenset({UNKNOWN_SYMBOL}),
)

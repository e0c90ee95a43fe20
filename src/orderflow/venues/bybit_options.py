"""Bybit options in USDT and USDC, of the V5 protocol: asked by tools, and not collected.

Docs    https://bybit-exchange.github.io/docs/v5/intro
Quirks  What their answers mean is said in `bybit.options`, what their names tell in `bybit.option_names`. The
        venue has sockets for them too, which are not heard: no stream of ours is theirs.
"""

from orderflow.market.errors import VenueChanged
from orderflow.market.events import Event, Nanos
from orderflow.venues import bybit
from orderflow.venues.bybit import asked, options
from orderflow.venues.spec import BookRule, Hosts, Limits, Memory, Names, Venue

VENUE = "bybit_options"


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> list[Event]:
    """Refuse a frame of a socket: none is heard."""
    raise VenueChanged(f"{VENUE}: no socket is known of this market: {payload[:200]!r}")


def _nothing(names: Names, id: int) -> bytes:
    return b""


# ── The venue ─────────────────────────────────────────────────────────────────────────────────

BYBIT_OPTIONS = Venue(
    name=VENUE,
    docs="https://bybit-exchange.github.io/docs/v5/intro",
    hosts=Hosts(rest="https://api.bybit.com", ws={}),
    limits=Limits(  # of sockets, of which there are none
        streams_per_connection=1,
        messages_per_s=1,
        names_per_subscribe=1,
        connects_per_minute=1,
        dead_after_s=60,
    ),
    book=BookRule.SNAPSHOTS,
    channels=(),
    endpoints=options.endpoints(VENUE),
    buckets=bybit.OPTION_BUCKETS,
    decode=decode,
    subscribe=_nothing,
    unsubscribe=_nothing,
    native=str.upper,
    taker_fee_bps=3.0,
    taker_fee_source=(
        "regular user, 0.03 % of the index price, at most 7 % of the option's: the venue's help centre,"
        " Option Fees Explained, of 2025-09-18"
    ),
    refusals=bybit.REFUSALS,
    questions=asked.OPTION,
)

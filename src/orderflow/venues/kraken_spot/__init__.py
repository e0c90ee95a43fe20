"""Kraken's spot market, over REST alone: it is asked by tools, and not collected.

Docs    https://docs.kraken.com/api/docs/rest-api/get-ticker-information
Quirks  Errors are a list in the body, under status 200; an entry that begins with W is a warning.
        A pair is asked under any of its names and answered under its key in the list (XXBTZUSD, XBTUSDT).
        The oldest coins have an X and the oldest currencies a Z before them; XBT is BTC, XDG is DOGE.
        BTCUSD and BTCUSDT are pairs of their own here: neither stands for the other.
        The ticker tells the first price of today (UTC), not that of 24 hours ago: changes are unknown.
        Values in quote are the mean price times the volume, which is how the venue makes the mean.
        The last row of bars is the one that runs.
Times   Seconds, of trades with decimals, to the microsecond; tickers and books have none of their own.
"""

from collections.abc import Sequence

from orderflow.market.errors import VenueChanged
from orderflow.market.events import Event, Nanos
from orderflow.venues.kraken_spot.asked import QUESTIONS
from orderflow.venues.kraken_spot.listing import complaint
from orderflow.venues.kraken_spot.rest import ENDPOINTS
from orderflow.venues.kraken_spot.words import VENUE, native
from orderflow.venues.spec import BookRule, Bucket, Hosts, Limits, Memory, Names, Refusals, Venue


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Refuse a frame of a socket: its socket is not spoken here."""
    raise VenueChanged(f"{VENUE}: no socket is known of this venue: {payload[:200]!r}")


def _nothing(names: Names, id: int) -> bytes:
    return b""


# ── The venue ─────────────────────────────────────────────────────────────────────────────────

KRAKEN_SPOT = Venue(
    name=VENUE,
    docs="https://docs.kraken.com/api/docs/rest-api/get-ticker-information",
    hosts=Hosts(rest="https://api.kraken.com", ws={}),
    limits=Limits(  # of sockets, of which there are none
        streams_per_connection=1,
        messages_per_s=1,
        names_per_subscribe=1,
        connects_per_minute=1,
        dead_after_s=60,
    ),
    book=BookRule.SNAPSHOTS,
    channels=(),
    endpoints=ENDPOINTS,
    questions=QUESTIONS,
    buckets=(Bucket("weight", 10, 10),),  # one a second is what the venue advises
    decode=decode,
    subscribe=_nothing,
    unsubscribe=_nothing,
    native=native,
    taker_fee_bps=40.0,
    taker_fee_source=(
        "lowest tier, 0.40 %: the first of a pair's `fees` in lists of pairs published in 2026; some pairs"
        " have others"
    ),
    listing="instruments",
    refusals=Refusals(
        complaint=complaint,
        limited_codes=frozenset(
            {"EAPI:Rate limit exceeded", "EGeneral:Too many requests", "EGeneral:Temporary lockout"}
        ),
        unavailable_codes=frozenset({"EService:Unavailable", "EService:Busy", "EGeneral:Internal error"}),
        unknown_symbol_codes=frozenset({"EQuery:Unknown asset pair", "EQuery:Unknown asset"}),
    ),
)

"""OKX options, public market data of API v5: asked, and not collected.

Docs    https://www.okx.com/docs-v5/en/
Quirks  An option is BTC-USD-261225-90000-C: its family (the index that it settles by), the day on which it
        expires (08:00 UTC), strike and right. All options of a coin are one symbol, BTCUSDT; a book has the
        option's own name.
        Premiums are in coin. Sizes are contracts of ctVal x ctMult coins (0.01 BTC, 0.1 ETH): what a family's
        is, is read from its listing; volumes and open interest are taken where the venue tells coins.
        The chain is in four answers, of volatilities and greeks, of best prices, marks and open interest;
        the greeks kept are the venue's `…BS`, in dollars, as other venues tell them, not those in coin.
        `opt-summary` lacks options that were just listed, and those whose surface could not be fitted.
        The listing is asked family by family: older documents refuse options without one.
        Deliveries reach three months back; `px` of what was exercised is the price of the delivery.
Times   `ts`, milliseconds: when the venue made the row.
"""

from orderflow.market.errors import VenueChanged
from orderflow.market.events import Event, Nanos
from orderflow.venues.okx import BUCKETS, DOCS, REFUSALS, REST
from orderflow.venues.okx_options.asked import ENDPOINTS, QUESTIONS
from orderflow.venues.okx_options.rows import VENUE, native, words
from orderflow.venues.spec import BookRule, Hosts, Limits, Memory, Names, Venue


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> list[Event]:
    """Refuse a frame of a socket: the market is only asked."""
    raise VenueChanged(f"{VENUE}: no socket is known of this market: {payload[:200]!r}")


def _nothing(names: Names, id: int) -> bytes:
    return b""


OKX_OPTIONS = Venue(
    name=VENUE,
    docs=DOCS,
    hosts=Hosts(rest=REST, ws={}),
    limits=Limits(  # of sockets, of which none is used
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
    buckets=BUCKETS,
    decode=decode,
    subscribe=_nothing,
    unsubscribe=_nothing,
    native=native,
    words=words,
    taker_fee_bps=3.0,
    taker_fee_source=(
        "regular user, 0.03 % of the underlying, at most 7 % of the premium: OKX's help pages as stored in June"
        " 2026; not read from the venue"
    ),
    refusals=REFUSALS,
)

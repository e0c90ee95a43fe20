"""CME's bitcoin and ether futures: what may be collected without a licence, and what files can add.

Docs    https://publicreporting.cftc.gov/stories/s/r4w3-av2u (Commitments of Traders)
        https://www.cmegroup.com/markets/cryptocurrencies.html
Quirks  There is no public stream. By default the CFTC's weekly report alone is asked, once a day: open
        interest, in contracts of 5 bitcoin or 50 ether. Micros (MBT, MET: a tenth of a coin) are series
        of their own; the micro ether's code at the CFTC is UNCONFIRMED.
        Prices come from files of the user's own (an export of a broker, of CME DataMine, of Databento),
        played with `orderflow replay`; their columns are those of `cme_quotes` and `cme_days`. A Parquet
        file becomes one by DuckDB's `COPY (FROM 'x.parquet') TO 'x.csv'`.
        Yahoo's chart is about ten minutes late, unofficial and for private research alone: off unless
        asked for (`cme_chart` in the settings). Its front month rolls silently, so no return may be taken across that.
        cmegroup.com forbids programs: its own JSON is recognised, and left out.
        BTCUSDT is the bitcoin product as a whole, or its front month; a contract is called BTCZ26.
Times   The report's Tuesday, as a date at midnight UTC: it is published on the Friday after. A trade date
        ends at 16:00 in Chicago. Yahoo's own time of its last price, never ours.
"""

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import Event, Nanos
from orderflow.venues.cme_futures import sources
from orderflow.venues.cme_futures.asked import CHART, QUESTIONS
from orderflow.venues.cme_futures.sources import VENUE, YAHOO
from orderflow.venues.spec import (
    BookRule,
    Bucket,
    Hosts,
    Limits,
    Memory,
    Names,
    Poll,
    Refusals,
    Venue,
)


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> list[Event]:
    """Refuse a frame of a socket: the venue has none."""
    raise VenueChanged(f"{VENUE}: no socket is known of this venue: {payload[:200]!r}")


def _nothing(names: Names, id: int) -> bytes:
    return b""


# ── The venue ─────────────────────────────────────────────────────────────────────────────────

_FROM_FILES = (
    "CME gives prices to licence holders alone: replay a file of your own, or ask for Yahoo's delayed chart"
)
_DELAYED = "delayed about ten minutes, unofficial, from Yahoo's chart; or from a file of the user's own"

CME_FUTURES = Venue(
    name=VENUE,
    docs="https://www.cmegroup.com/markets/cryptocurrencies.html",
    hosts=Hosts(
        rest="https://publicreporting.cftc.gov",
        ws={},
        more={YAHOO: "https://query1.finance.yahoo.com"},
    ),
    limits=Limits(  # of sockets, of which there are none
        streams_per_connection=1,
        messages_per_s=1,
        names_per_subscribe=1,
        connects_per_minute=1,
        dead_after_s=60,
    ),
    book=BookRule.SNAPSHOTS,
    channels=(),
    endpoints=sources.ENDPOINTS,
    buckets=(Bucket("weight", 10, 60), Bucket(YAHOO, 10, 60)),
    decode=decode,
    subscribe=_nothing,
    unsubscribe=_nothing,
    native=sources.native,
    words=sources.words,
    taker_fee_bps=0.0,
    taker_fee_source=(
        "none in basis points: CME charges an amount a contract, which brokers add theirs to (as of 2026)"
    ),
    polls=(Poll("positions", 86_400, ("open_interest",), per_symbol=False),),
    refusals=Refusals(
        limited={429: 3600.0},
        complaint=sources.complaint,
        limited_codes=frozenset({"Too Many Requests"}),
        unknown_symbol_codes=frozenset({"Not Found"}),
    ),
    questions=QUESTIONS,
    tables=sources.TABLES,
    foreign={"/CmeWS/": "cmegroup.com itself, whose terms forbid programs"},
    notes={
        "open_interest": (
            "the CFTC's weekly report: Tuesday's count, published on Friday; the product as a whole,"
            " without its micro contracts"
        ),
    },
    cannot={"prices": _FROM_FILES, "ticker_24h": _FROM_FILES, "candles": _FROM_FILES},
)


def with_chart(venue: Venue = CME_FUTURES, every_s: float = 60.0) -> Venue:
    """Return the venue with Yahoo's chart asked as well, for those who want that: delayed, and said so."""
    return msgspec.structs.replace(
        venue,
        polls=(*venue.polls, Poll("chart", max(every_s, 60.0), ("ticker_24h", "candles"))),
        questions=(*venue.questions, *CHART),
        headers=venue.headers | {"User-Agent": "Mozilla/5.0 (compatible; crypto-orderflow)"},
        notes=venue.notes | {"ticker_24h": _DELAYED, "candles": _DELAYED},
        cannot={"prices": _FROM_FILES},
    )

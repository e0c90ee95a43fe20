"""Kraken Futures, public market data: perpetuals and dated futures, linear and inverse.

Docs    https://docs.kraken.com/exchange/api-reference/futures-websocket
Quirks  The socket (version 1) and the derivatives' REST are switched off on 1 March 2027. What replaces
        them is Kraken's unified socket, of which two channels are documented: the route `uws` carries
        them, none by default (see `unified`).
        Linear perpetuals (PF_) count base units and quote USD: PF_XBTUSD is kept as BTCUSDT. Inverse
        products (PI_, FI_) count contracts of 1 USD and keep their own ids as symbols, as dated ones do.
        Each book diff is one level, numbered by `seq` without holes; the snapshot comes over the socket
        and may hold levels of size 0. REST's book has no number: it never joins the diffs.
        Trades have a text as id and are numbered by `seq`, product by product; a subscription begins with
        the last hundred, newest first. A liquidation is a trade whose type says so. Whether `seq` begins
        again after maintenance is UNCONFIRMED: recordings of later years have lower numbers.
        Terminations, assignments and block trades take a number and are no trades on the book: left out.
        `funding_rate` is an amount, `relative_funding_rate` the fraction an hour. REST has the amount
        alone: divided by the index (linear) or multiplied by it (inverse). Absent is not zero.
        Candles are polled: no socket carries them. `count` is UNCONFIRMED there; without it the answer
        is as good and longer. An inverse product's volumes are USD, never base units.
        Acknowledgements come one a product and echo no id; an error echoes nothing at all.
        The best quote comes from the ticker, at most once a second; the book is faster.
Times   `time` or `timestamp`: the venue's, in milliseconds; REST tells the server's time.
"""

from datetime import date

from orderflow.venues.kraken_futures import rest, socket
from orderflow.venues.kraken_futures.asked import QUESTIONS
from orderflow.venues.kraken_futures.products import VENUE, native
from orderflow.venues.kraken_futures.refusals import complaint
from orderflow.venues.spec import BookRule, Bucket, Channel, Hosts, Keepalive, Limits, Poll, Refusals, Venue

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

_SWITCHED_OFF = (
    "Kraken switches this API off on 1 March 2027; its successor's channels of books, funding and open"
    " interest were not documented in November 2026"
)

KRAKEN_FUTURES = Venue(
    name=VENUE,
    docs="https://docs.kraken.com/exchange/api-reference/futures-websocket",
    hosts=Hosts(
        rest="https://futures.kraken.com",
        ws={"v1": "wss://futures.kraken.com/ws/v1", "uws": "wss://uws.kraken.com/v2/public"},
    ),
    limits=Limits(
        streams_per_connection=300,  # not documented; nine symbols have 27
        messages_per_s=20,  # the venue allows 100
        names_per_subscribe=50,
        connects_per_minute=10,  # Cloudflare stands before it: at most 120 in ten minutes
        dead_after_s=60,
        control_bytes=64,  # one level of a book is not much longer
        channel_per_subscribe=True,
    ),
    book=BookRule.CONTIGUOUS,
    channels=(
        Channel(
            "ticker",
            ("prices", "mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h"),
            "ticker:{symbol}",
            "v1",
            silent_after_s=60,
        ),
        Channel("book", ("orderbooks",), "book:{symbol}", "v1", silent_after_s=300),
        Channel("trades", ("trades", "liquidations"), "trade:{symbol}", "v1"),
        Channel("quotes_lite", ("prices",), "ticker_lite:{symbol}", "v1", default=False),
        Channel("unified_trades", ("trades",), "uws.trade:{symbol}", "uws", default=False),
        Channel("unified_ticker", ("prices", "ticker_24h"), "uws.ticker:{symbol}", "uws", default=False),
    ),
    endpoints=rest.ENDPOINTS,
    questions=QUESTIONS,
    buckets=(
        Bucket("weight", 20, 10),  # public requests cost nothing; two a second all the same
        Bucket("history", 100, 600),
    ),
    decode=socket.decode,
    subscribe=socket.subscribe,
    unsubscribe=socket.unsubscribe,
    native=native,
    taker_fee_bps=5.0,
    taker_fee_source=(
        "lowest tier, 0.05 %: Kraken's article on fees for derivatives trading as stored in 2026, and the default"
        " in ccxt 4.5.90; not read from the venue's API"
    ),
    listing="instruments",
    ends=(
        date(2027, 3, 1),
        "the socket (version 1) and the derivatives' REST end; the unified socket follows",
    ),
    polls=(Poll("candles", 60, ("candles",)),),
    refusals=Refusals(
        complaint=complaint,
        limited_codes=frozenset({"apiLimitExceeded"}),
        unavailable_codes=frozenset({"marketUnavailable", "Unavailable", "Server Error"}),
        unknown_symbol_codes=frozenset({"contractNotFound", "notFound"}),
    ),
    keepalive=Keepalive(25),
    head_bytes=72,
    heard=socket.heard,
    consecutive_trades=True,
    needs_contracts=True,
    trade_ids_count=False,
    history=rest.PAST,
    foreign={"/0/public/": "Kraken spot"},
    notes={
        "prices": (f"the best quote of the ticker, at most one a second, in USD; {_SWITCHED_OFF}"),
        "orderbooks": f"quoted in USD; {_SWITCHED_OFF}",
        "trades": f"quoted in USD; {_SWITCHED_OFF}",
        "funding_rates": "fractions an hour: eight of them compare with the rate of an 8-hour contract",
        "candles": "polled once a minute: no socket carries them",
        "liquidations": "trades that the venue marks as liquidations; each fill is one row",
    },
)

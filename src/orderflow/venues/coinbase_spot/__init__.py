"""Coinbase spot, public market data, over both of its feeds.

Docs    https://docs.cdp.coinbase.com/exchange/websocket-feed/overview
        https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-overview
Quirks  Two feeds, one venue: trades, ticker and a heartbeat that tells the last trade's id come from the
        Exchange feed; the book and candles from Advanced Trade, whose messages are numbered so that a
        hole is seen, which `level2_batch` never shows. The other channels of both are there when asked.
        Advanced Trade numbers all messages of a connection together, from 0: its channels must share
        one connection, so that a line is allowed more streams than anybody will ask for.
        The side of a match and of `market_trades` is the maker's (for the latter measured against its
        book; the documents do not say); the side of the Exchange's ticker is the taker's. Over
        Advanced Trade's REST it is taken to be the maker's as well: UNCONFIRMED.
        An acknowledgement tells everything that is subscribed, so what has vanished was given up; data
        come before it. `level2` answers as `l2_data`, an ask is an `offer`, errors name nothing.
        What `level2_batch` is called in acknowledgements is UNCONFIRMED: three names are taken for it.
        A socket that has not subscribed within five seconds is closed, and so are idle channels of
        Advanced Trade without `heartbeats`. Two channels never share a message.
        Nearly all USDC products are further names of the books in dollars: they are not listed here.
        BTC-USD is kept as BTCUSDT; every other quote keeps the venue's name, BTC-USDT too.
        Frames of GDAX and Coinbase Pro (2017 to 2021) have today's shapes.
Times   The matching engine's, to the microsecond; where it is the year 1 or 1970, the message's own.
"""

from orderflow.venues.coinbase_spot import rest, socket
from orderflow.venues.coinbase_spot.asked import QUESTIONS
from orderflow.venues.coinbase_spot.words import ADVANCED, EXCHANGE, VENUE, native
from orderflow.venues.spec import BookRule, Bucket, Channel, Hosts, Keepalive, Limits, Refusals, Venue

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

COINBASE_SPOT = Venue(
    name=VENUE,
    docs="https://docs.cdp.coinbase.com/exchange/websocket-feed/overview",
    hosts=Hosts(
        rest="https://api.exchange.coinbase.com",
        ws={
            EXCHANGE: "wss://ws-feed.exchange.coinbase.com",
            ADVANCED: "wss://advanced-trade-ws.coinbase.com",
        },
        more={ADVANCED: "https://api.coinbase.com"},
    ),
    limits=Limits(
        streams_per_connection=10_000,  # not documented; Advanced Trade's numbers need one connection
        messages_per_s=4,  # Advanced Trade allows 8 without a login, counted at its end of the wire
        names_per_subscribe=100,
        connects_per_minute=60,  # both allow 8 a second
        dead_after_s=10,  # each has a sign of life every second
        control_bytes=512,  # an acknowledgement is a connection's whole state
        channel_per_subscribe=True,
    ),
    book=BookRule.UNNUMBERED,
    channels=(
        Channel("trades", ("trades",), "exchange/matches:{symbol}", EXCHANGE, silent_after_s=300),
        Channel("ticker", ("prices", "ticker_24h"), "exchange/ticker:{symbol}", EXCHANGE, silent_after_s=300),
        Channel("heartbeat", ("trades",), "exchange/heartbeat:{symbol}", EXCHANGE, silent_after_s=10),
        Channel("book", ("orderbooks",), "advanced/level2:{symbol}", ADVANCED, silent_after_s=60),
        Channel("candles", ("candles",), "advanced/candles:{symbol}", ADVANCED, silent_after_s=300),
        Channel("heartbeats", ("orderbooks", "candles"), "advanced/heartbeats", ADVANCED, silent_after_s=10),
        Channel("book_batched", ("orderbooks",), "exchange/level2_batch:{symbol}", EXCHANGE, default=False),
        Channel("trades_batched", ("trades",), "advanced/market_trades:{symbol}", ADVANCED, default=False),
        Channel(
            "ticker_advanced",
            ("prices", "ticker_24h"),
            "advanced/ticker:{symbol}",
            ADVANCED,
            default=False,
        ),
    ),
    endpoints=rest.ENDPOINTS,
    buckets=(Bucket("weight", 10, 1), Bucket(ADVANCED, 10, 1)),
    decode=socket.decode,
    subscribe=socket.subscribe,
    unsubscribe=socket.unsubscribe,
    native=native,
    taker_fee_bps=60.0,
    taker_fee_source=(
        "lowest tier, 0.60 %: the Exchange's help page on fees, and the default in ccxt 4.5.90 (2026);"
        " Advanced Trade may take more"
    ),
    listing="instruments",
    refusals=Refusals(
        complaint=rest.complaint,
        limited_codes=frozenset({"rate_limit_exceeded", "Public rate limit exceeded"}),
        unavailable_codes=frozenset({"ServiceUnavailable"}),
        unknown_symbol_codes=frozenset({"NotFound", "NOT_FOUND"}),
    ),
    keepalive=Keepalive(5),
    head_bytes=socket.HEAD_BYTES,
    heard=socket.heard,
    consecutive_trades=True,
    questions=QUESTIONS,
    history=rest.PAST,
    crossed_is_lost=True,
    notes={
        "prices": (
            "the best quote of the ticker, told at trades alone and stale between them, in USD;"
            " the book follows every change"
        ),
        "orderbooks": "quoted in USD",
        "trades": "quoted in USD",
        "ticker_24h": "quoted in USD; told at trades",
        "candles": "of five minutes: the venue's socket has no others; quoted in USD",
    },
)

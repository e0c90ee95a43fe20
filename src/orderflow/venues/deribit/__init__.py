"""Deribit, public market data: perpetuals and futures, and options with their volatility index.

Docs    https://docs.deribit.com
Quirks  JSON-RPC: `set_heartbeat` is asked first, then each `test_request` must be answered with
        `public/test` or the socket is closed. `test` is sent every 15 s of our own as well: a gateway of
        this protocol closes sockets that heard no JSON message for 30 s, and whether this host does is
        UNCONFIRMED.
        An acknowledgement lists what was accepted; what it does not list was refused.
        Channels that end in `.raw` need a login; what they say is read where a recording has it.
        An amount of an inverse contract counts USD, whatever its contract is worth; all others count base
        coins. So sizes here are amount / price (the level's or the trade's) for the names without `_`,
        and the amount itself for `SOL_USDC-PERPETUAL` and options. The listing's `contract_size` plays
        no part. One that a listing calls otherwise than its name is left out.
        BTCUSDT and ETHUSDT are the inverse perpetuals, the deep ones; BTC_USDC-PERPETUAL keeps its name.
        All options of a coin are one symbol, in `options` and in `trades`; books and quotes of an option
        have its own name. An inverse option's price is in coin, a linear one's (`SOL_USDC-…`) in USDC.
        A liquidation is a mark on a trade: T the taker, M the maker, MT both, which makes two. Only those of
        futures are kept.
        Blocks, combos and the legs of combos are not trades on the book: left out, but their numbers count.
        Funding is exchanged every few seconds: there is no next time. `rate` is what the last eight hours
        have cost (`funding_8h`), `predicted` the present rate (`current_funding`), said for eight hours.
        Open interest of an inverse contract is told in USD; its size is that at the mark of the same frame.
        Volatilities are percent in a ticker and fractions in `markprice.options`. Zero is none.
        A candle has no flag: it is closed when the next one begins. What a lost connection took from it is
        in the gaps, and in the bars that REST has.
        An order book over REST comes with its ticker; it is a snapshot of some levels, never joined.
        The chain is a channel an option, `agg2` (about one message a second each): some 800 of BTC and
        as many of ETH are 2 connections each and 800 messages a second while prices move. `chain_fast`
        is ten times as much. A poll of `summary` has the whole chain in one request, without greeks.
        What is asked and not kept is in `facts` and `option_facts`, the questions themselves in `asked`.
Times   `timestamp` of the frame; else, over REST, `usOut`, when the answer was sent.
"""

from orderflow.venues.deribit import names, socket
from orderflow.venues.deribit.asked import FUTURES_QUESTIONS, OPTIONS_QUESTIONS
from orderflow.venues.deribit.envelope import LISTINGS, complaint
from orderflow.venues.deribit.names import FUTURES, OPTIONS
from orderflow.venues.deribit.rest import (
    FUTURES_ENDPOINTS,
    FUTURES_PAST,
    OPTIONS_ENDPOINTS,
    OPTIONS_PAST,
)
from orderflow.venues.spec import BookRule, Bucket, Channel, Hosts, Keepalive, Limits, Refusals, Venue

# ── The venues ────────────────────────────────────────────────────────────────────────────────

_DOCS = "https://docs.deribit.com"
_HOSTS = Hosts(
    rest="https://www.deribit.com",
    ws={"public": "wss://streams.deribit.com/ws/api/v2"},
)
_LIMITS = Limits(
    streams_per_connection=500,
    messages_per_s=3,  # 3.3 subscriptions a second; the pool of credits allows ten at once
    names_per_subscribe=200,  # a cap of 500 is told of, and UNCONFIRMED
    connects_per_minute=20,  # none is published: as slow as the slowest of the others
    dead_after_s=2 * socket.HEARTBEAT_S,
    connections=24,  # 32 from one address, REST requests included while they last
)
_BUCKETS = (Bucket("weight", 20, 1), Bucket(LISTINGS, 1, 1))
_REFUSALS = Refusals(
    complaint=complaint,
    # too many requests, too many at once
    limited_codes=frozenset({"10028", "10066"}),
    # retry, settlement, queue full, maintenance, server error, timeout, unavailable
    unavailable_codes=frozenset({"10040", "10041", "10047", "11051", "11094", "13028", "13888"}),
    unknown_symbol_codes=frozenset({"10020"}),
)
_KEEPALIVE = Keepalive(15, lambda now: socket.ALIVE)
_HEAD_BYTES = 104  # 61 before a channel's name, and the longest names

DERIBIT_FUTURES = Venue(
    name=FUTURES,
    docs=_DOCS,
    hosts=_HOSTS,
    limits=_LIMITS,
    book=BookRule.CHAINED,
    channels=(
        Channel("quotes", ("prices",), "quote.{symbol}", "public", silent_after_s=120),
        Channel("book", ("orderbooks",), "book.{symbol}.100ms", "public", silent_after_s=120),
        Channel("trades", ("trades", "liquidations"), "trades.{symbol}.100ms", "public"),
        Channel(
            "ticker",
            ("mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h"),
            "ticker.{symbol}.100ms",
            "public",
            silent_after_s=60,
        ),
        Channel("candles", ("candles",), "chart.trades.{symbol}.1", "public"),
        Channel(
            "index",
            ("index_prices",),
            "deribit_price_index.{index}",
            "public",
            silent_after_s=60,
            default=False,  # the ticker has it
        ),
        Channel(
            "book_top",
            ("orderbooks",),
            "book.{symbol}.none.20.100ms",
            "public",
            silent_after_s=120,
            default=False,
        ),
    ),
    endpoints=FUTURES_ENDPOINTS,
    questions=FUTURES_QUESTIONS,
    buckets=_BUCKETS,
    decode=socket.decode,
    subscribe=socket.subscribe,
    unsubscribe=socket.unsubscribe,
    native=names.perpetual,
    words=names.words,
    taker_fee_bps=5.0,
    taker_fee_source="0.05 %: `taker_commission` of BTC-PERPETUAL in the venue's listing as recorded in 2024",
    listing="instruments",
    listing_every_s=3600,
    refusals=_REFUSALS,
    greeting=(socket.GREETING,),
    keepalive=_KEEPALIVE,
    head_bytes=_HEAD_BYTES,
    consecutive_trades=True,
    trade_ids_count=False,  # `trade_seq` does, instrument by instrument
    history=FUTURES_PAST,
    speaks_for=(OPTIONS,),
    notes={
        "prices": "BTCUSDT is BTC-PERPETUAL and ETHUSDT is ETH-PERPETUAL, quoted in USD and settled in coin;"
        " SOLUSDT is SOL_USDC-PERPETUAL, and so on",
        "trades": "blocks, combos and the legs of combos are left out: they are not traded on the book",
        "funding_rates": "exchanged continuously: the rate is that of the last eight hours, the predicted one"
        " is the present rate said for eight hours, and there is no next time",
        "open_interest": "of inverse contracts told in USD; the size in coin is that at the mark price",
        "candles": "the venue does not say when a bar is closed: it is when the next one has begun",
    },
)

DERIBIT_OPTIONS = Venue(
    name=OPTIONS,
    docs=_DOCS,
    hosts=_HOSTS,
    limits=_LIMITS,
    book=BookRule.CHAINED,
    channels=(
        Channel("chain", ("options",), "ticker.{symbol}.agg2", "public", kinds=("option",)),
        Channel(
            "chain_fast", ("options",), "ticker.{symbol}.100ms", "public", default=False, kinds=("option",)
        ),
        Channel("surface", ("options",), "markprice.options.{index}", "public", default=False),
        Channel("trades", ("trades",), "trades.option.{currency}.100ms", "public"),
        Channel(
            "volatility",
            ("volatility_index",),
            "deribit_volatility_index.{index}",
            "public",
        ),
    ),
    endpoints=OPTIONS_ENDPOINTS,
    questions=OPTIONS_QUESTIONS,
    buckets=_BUCKETS,
    decode=socket.decode_options,
    subscribe=socket.subscribe,
    unsubscribe=socket.unsubscribe,
    native=names.underlying,
    words=names.words,
    taker_fee_bps=3.0,
    taker_fee_source=(
        "0.03 % of the underlying, not of the price: `taker_commission` of options in the venue's listing as"
        " recorded on 22 July 2021, and in the example of ccxt 4.5.90 (2026)"
    ),
    listing="instruments",
    listing_every_s=900,  # new strikes are listed as prices move, new expiries at 08:00 UTC
    refusals=_REFUSALS,
    greeting=(socket.GREETING,),
    keepalive=_KEEPALIVE,
    head_bytes=_HEAD_BYTES,
    history=OPTIONS_PAST,
    speaks_for=(FUTURES,),
    notes={
        "options": "prices of BTC and ETH options are in coin, of the others in USDC; about one row a second"
        " and option while prices move",
        "trades": "of all options of a coin in one series: prices in coin, sizes in coin; the numbers of"
        " single instruments are not checked for holes",
        "volatility_index": "DVOL, of BTC and ETH alone",
    },
)

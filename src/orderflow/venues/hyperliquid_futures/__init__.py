"""Hyperliquid perpetuals, public market data; the socket and REST are in modules of their own.

Docs    https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api
Quirks  Quoted in USD and settled in USDC; under the symbols of USDT all the same, like every venue here.
        `kPEPE` is a unit of 1000 tokens, priced as such: 1000PEPEUSDT, as on Binance. Coins of builders'
        exchanges (`xyz:TSLA`) and of spot keep their own names. Names are case-sensitive.
        A message subscribes one coin; it is acknowledged by repeating the subscription, with nulls.
        A text that is no JSON greets some connections.
        The book comes whole, 20 levels a side, about twice a second; a message of `fast` is left out.
        The first message of trades after subscribing is a backlog: its trades are told apart from
        stored ones by id and time. Ids are hashes; no hole in them can be seen.
        A candle is not said to be closed: it is, once the next begins. What a bar lacks because the
        connection was lost as it ended stays lacking; its gap is recorded.
        Contexts have no time and no time of the next settlement; that is the full hour after receipt.
        Errors repeat what was asked (UNCONFIRMED for all of them): where they do, that channel alone is
        refused, else the oldest request that waits. A coin that does not exist is `null`, or status 500.
        The rate of `predictedFundings` may come without its interval (UNCONFIRMED): then one hour.
Times   `time`, of the block; none in contexts, a closed candle's end for candles.
"""

from orderflow.venues.hyperliquid.requests import REFUSALS
from orderflow.venues.hyperliquid_futures import rest, socket
from orderflow.venues.hyperliquid_futures.asked import QUESTIONS
from orderflow.venues.hyperliquid_futures.wire import FUNDING_HOURS, VENUE, native
from orderflow.venues.spec import BookRule, Bucket, Channel, Hosts, Keepalive, Limits, Venue

HYPERLIQUID_FUTURES = Venue(
    name=VENUE,
    docs="https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api",
    hosts=Hosts(rest="https://api.hyperliquid.xyz", ws={"public": "wss://api.hyperliquid.xyz/ws"}),
    limits=Limits(
        streams_per_connection=1000,  # over all connections of an address
        messages_per_s=20,  # 2000 a minute, over all connections
        names_per_subscribe=1,
        connects_per_minute=20,  # the venue allows 30
        dead_after_s=60,
        connections=10,
    ),
    book=BookRule.SNAPSHOTS,
    channels=(
        Channel("quotes", ("prices",), "bbo:{symbol}", "public", silent_after_s=300),
        Channel("book", ("orderbooks",), "l2Book:{symbol}", "public", silent_after_s=60),
        Channel("trades", ("trades",), "trades:{symbol}", "public", silent_after_s=900),
        Channel(
            "context",
            ("mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h"),
            "activeAssetCtx:{symbol}",
            "public",
            silent_after_s=120,
        ),
        Channel("candles", ("candles",), "candle:1m:{symbol}", "public", silent_after_s=900),
    ),
    endpoints=rest.ENDPOINTS,
    buckets=(Bucket("weight", 900, 60),),  # of 1200: the rest is for spot
    decode=socket.decode,
    subscribe=socket.subscribe,
    unsubscribe=socket.unsubscribe,
    native=native,
    taker_fee_bps=4.5,
    taker_fee_source="lowest tier, 0.045 %: the default of ccxt 4.5.90 (2026); not read from the venue",
    listing="instruments",
    keepalive=Keepalive(25.0, lambda now: socket.PING),
    refusals=REFUSALS,
    funding_hours=FUNDING_HOURS,
    head_bytes=socket.HEAD_BYTES,
    heard=socket.heard,
    notes={
        "prices": "quoted in USD and settled in USDC",
        "orderbooks": "20 levels a side, told about twice a second: order flow seen in it is sampled",
        "funding_rates": "the running estimate of the hour; next_funding_time is the full hour after receipt",
        "ticker_24h": "no last trade, high or low is told; the change is that of the mark price",
    },
    questions=QUESTIONS,
    history=rest.PAST,
    no_past=rest.NO_PAST,
    cannot={
        "liquidations": "the venue has no public feed of liquidations, and no mark on trades that are one"
    },
)

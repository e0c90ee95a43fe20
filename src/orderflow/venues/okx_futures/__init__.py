"""OKX swaps, public market data of API v5.

Docs    https://www.okx.com/docs-v5/en/
Quirks  Symbols are the swaps that are margined in USDT (BTCUSDT is BTC-USDT-SWAP). Whatever else comes,
        inverse and dated contracts, options and spot pairs, keeps its own name as its symbol.
        Sizes are contracts: base units are size x ctVal x ctMult, for inverse ones divided by the price.
        Spot pairs count base units. Where the listing was not read, sizes of contracts are unknown.
        Candles come over /business; on /public they are refused (60018).
        Books chain by `seqId`: an update that repeats the id is a sign of life, one that goes on with a
        lower id follows maintenance, a snapshot replaces what was. Until June 2026 updates carried a
        CRC-32 of the best 25 levels, until 2023 nothing but that; it is 0 since, and then not looked at.
        Should the venue stop sending the snapshot on the socket (announced in 2026, UNCONFIRMED): that of
        REST has a `seqId` which the diffs can join, so `snapshot="depth"` is all that changes here.
        A row of `trades` is `count` fills of one order at one price, its id the last of theirs, so that
        ids are consecutive; `trades-all` has each fill. REST has single fills.
        `fundingRate` is the estimate for `fundingTime`; the interval ends at `nextFundingTime`. Frames of
        before 2024 carry a prediction for the next one too; in history `realizedRate` is what was paid.
        Liquidations come for all swaps in one channel, the first message after subscribing is history:
        what is more than 5 s old when it comes is left out (kept where a recording has no time of ours).
        `side` is the order's, so sell closed a long; the price is that of bankruptcy.
        An index is named BTC-USDT; its prices are given to the swap BTC-USDT-SWAP.
        A refused channel is told by the text of the error, UNCONFIRMED in its wording; where no channel
        is found in it, the whole request counts as refused and is asked again in parts.
        Bars longer than 4 h are cut by UTC+8 days, and then called 1d+08, unless their name ends in utc.
        480 requests an hour and connection are allowed; resubscribing is spaced accordingly.
Times   `ts`, milliseconds: when the venue made the row; a bar's is its end, once it is final.
"""

from orderflow.venues.okx import BUCKETS, DOCS, REFUSALS, REST
from orderflow.venues.okx_futures.asked import QUESTIONS
from orderflow.venues.okx_futures.facts import FACTS
from orderflow.venues.okx_futures.notices import NOTICES
from orderflow.venues.okx_futures.rest import ENDPOINTS, NO_PAST, PAST
from orderflow.venues.okx_futures.rows import VENUE, native, words
from orderflow.venues.okx_futures.socket import (
    HEAD_BYTES,
    checksum,
    decode,
    heard,
    ping,
    subscribe,
    unsubscribe,
)
from orderflow.venues.spec import BookRule, Channel, Checksum, Hosts, Keepalive, Limits, Venue

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

OKX_FUTURES = Venue(
    name=VENUE,
    docs=DOCS,
    hosts=Hosts(
        rest=REST,
        ws={
            "public": "wss://ws.okx.com:8443/ws/v5/public",
            "business": "wss://ws.okx.com:8443/ws/v5/business",
        },
    ),
    limits=Limits(
        streams_per_connection=29,  # fewer than 30 books are recommended; what a connection has may all be books
        messages_per_s=1,
        names_per_subscribe=29,
        connects_per_minute=30,  # the venue allows 3 a second
        dead_after_s=30,
        control_bytes=150,  # the notice of a service upgrade has 137
    ),
    book=BookRule.CHAINED,
    checksum=Checksum(25, checksum),
    channels=(
        Channel("quotes", ("prices",), "bbo-tbt:{symbol}", "public", silent_after_s=60),
        Channel("book", ("orderbooks",), "books:{symbol}", "public", silent_after_s=150),
        Channel("trades", ("trades",), "trades:{symbol}", "public", silent_after_s=300),
        Channel("mark", ("mark_prices",), "mark-price:{symbol}", "public", silent_after_s=30),
        Channel("index", ("index_prices",), "index-tickers:{index}", "public", silent_after_s=150),
        Channel("funding", ("funding_rates",), "funding-rate:{symbol}", "public", silent_after_s=240),
        Channel("open_interest", ("open_interest",), "open-interest:{symbol}", "public", silent_after_s=60),
        Channel("liquidations", ("liquidations",), "liquidation-orders:SWAP", "public"),
        Channel("ticker", ("ticker_24h",), "tickers:{symbol}", "public", silent_after_s=120),
        Channel("candles", ("candles",), "candle1m:{symbol}", "business", silent_after_s=300),
        Channel("fills", ("trades",), "trades-all:{symbol}", "business", silent_after_s=300, default=False),
        Channel("top5", ("orderbooks",), "books5:{symbol}", "public", silent_after_s=60, default=False),
    ),
    endpoints=(*FACTS, *NOTICES, *ENDPOINTS),
    questions=QUESTIONS,
    buckets=BUCKETS,
    decode=decode,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    native=native,
    words=words,
    taker_fee_bps=5.0,
    taker_fee_source=(
        "regular user, 0.05 % on swaps: the default in CCXT 4.5.90 (2026); not read from the venue"
    ),
    snapshot_interval_s=30.0,  # of the 480 requests an hour a resubscription costs two
    listing="instruments",
    refusals=REFUSALS,
    keepalive=Keepalive(20.0, ping),  # the venue closes after 30 s without a push
    consecutive_trades=True,
    trade_ids_span=True,
    head_bytes=HEAD_BYTES,
    heard=heard,
    needs_contracts=True,
    history=PAST,
    no_past=NO_PAST,
    notes={"liquidations": "at most one a second and contract, at the price of bankruptcy: a lower bound"},
)

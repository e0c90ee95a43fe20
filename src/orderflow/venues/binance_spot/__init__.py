"""Binance spot, public market data.

Docs    https://developers.binance.com/docs/binance-spot-api-docs
Quirks  bookTicker frames have no type and no time: told by the stream's name, stamped with our clock.
        Partial-depth frames (`@depth20`) have neither symbol nor time: both come from the stream's name
        and our clock.
        Diffs have no `pu`: each begins at the last id plus one.
        `serverShutdown` announces a disconnect: the connection is replaced at once.
        The server pings every 20 s and wants the pong within a minute.
        The market-data-only hosts carry the same streams and need no key; they are the default.
        `@blockTrade` has ids of its own and is not part of `@trade`: left out.
Times   `T`, the matching engine's, where a frame has it; else `E`; else none.
"""

from orderflow.venues import binance
from orderflow.venues.binance_spot.asked import FACTS, QUESTIONS
from orderflow.venues.binance_spot.rest import ENDPOINTS, TABLES
from orderflow.venues.binance_spot.socket import VENUE, decode
from orderflow.venues.spec import BookRule, Bucket, Channel, Hosts, Limits, Venue

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

BINANCE_SPOT = Venue(
    name=VENUE,
    docs="https://developers.binance.com/docs/binance-spot-api-docs",
    hosts=Hosts(
        rest="https://data-api.binance.vision",
        ws={"public": "wss://data-stream.binance.vision/stream"},
        archive="https://data.binance.vision",
    ),
    limits=Limits(
        streams_per_connection=1024,
        messages_per_s=2,  # the venue allows 5, pings and pongs included
        names_per_subscribe=200,
        connects_per_minute=20,
        dead_after_s=60,
        life_s=23 * 3600,  # the venue cuts at 24 h
    ),
    book=BookRule.CONTIGUOUS,
    channels=(
        Channel("quotes", ("prices",), "{lower}@bookTicker", "public", silent_after_s=60),
        Channel("book", ("orderbooks",), "{lower}@depth@100ms", "public", silent_after_s=60),
        Channel("trades", ("trades",), "{lower}@aggTrade", "public", silent_after_s=300),
        Channel("fills", ("trades",), "{lower}@trade", "public", silent_after_s=300, default=False),
        Channel("ticker", ("ticker_24h",), "{lower}@ticker", "public", silent_after_s=120),
        Channel("candles", ("candles",), "{lower}@kline_1m", "public", silent_after_s=300),
    ),
    endpoints=(*ENDPOINTS, *FACTS),
    questions=QUESTIONS,
    buckets=(Bucket("weight", 6000, 60, "x-mbx-used-weight-1m"),),
    decode=decode,
    subscribe=binance.subscribe,
    unsubscribe=binance.unsubscribe,
    native=str.upper,
    taker_fee_bps=10.0,
    taker_fee_source=(
        "regular user, 0.1 %: the default in nautilus-binance 0.61.0 (2026) for accounts whose rate is unknown;"
        " not read from the venue"
    ),
    snapshot="depth",
    listing="instruments",
    tables=TABLES,
    history=(binance.past_trades(), binance.past_candles()),
    archives=binance.archives("data/spot"),
    consecutive_trades=True,
    refusals=binance.REFUSALS,
)

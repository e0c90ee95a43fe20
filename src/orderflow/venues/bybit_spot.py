"""Bybit spot, public market data of the V5 protocol.

Docs    https://bybit-exchange.github.io/docs/v5/intro
Quirks  Book, quotes and trades are as on bybit_futures; read there. What differs:
        Ten topics a request are the most.
        Tickers are whole each time, every 50 ms, and have no best bid and ask.
        Trade ids are digits and were consecutive in recordings, which no page promises: they are text.
        `orderbook.200` comes every 100 ms since March 2026.
Times   `cts` and `T`, the matching engine's, where a frame has them; else `ts`, when it was made.
"""

from orderflow.venues import bybit
from orderflow.venues.bybit import asked, rest, socket
from orderflow.venues.spec import BookRule, Channel, Hosts, Limits, Venue

VENUE = "bybit_spot"

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

BYBIT_SPOT = Venue(
    name=VENUE,
    docs="https://bybit-exchange.github.io/docs/v5/intro",
    hosts=Hosts(rest="https://api.bybit.com", ws={"public": "wss://stream.bybit.com/v5/public/spot"}),
    limits=Limits(
        streams_per_connection=200,  # no number is given; their names may have 21,000 characters in all
        messages_per_s=5,  # none is given
        names_per_subscribe=10,
        connects_per_minute=bybit.CONNECTS_PER_MINUTE,
        dead_after_s=bybit.DEAD_AFTER_S,
        connections=1000,
    ),
    book=BookRule.CONTIGUOUS,
    channels=(
        Channel("quotes", ("prices",), "orderbook.1.{symbol}", "public", silent_after_s=30),
        Channel("book", ("orderbooks",), "orderbook.200.{symbol}", "public", silent_after_s=60),
        Channel("trades", ("trades",), "publicTrade.{symbol}", "public", silent_after_s=300),
        Channel("ticker", ("ticker_24h",), "tickers.{symbol}", "public", silent_after_s=120),
        Channel("candles", ("candles",), "kline.1.{symbol}", "public", silent_after_s=300),
    ),
    endpoints=rest.endpoints(VENUE, "spot"),
    questions=asked.SPOT,
    buckets=bybit.BUCKETS,
    decode=socket.decoder(VENUE),
    subscribe=bybit.subscribe,
    unsubscribe=bybit.unsubscribe,
    native=str.upper,
    taker_fee_bps=10.0,
    taker_fee_source=(
        "regular user, 0.1 %: article 000001175 of the venue's help centre, which bears no date, found in a"
        " store of pages in 2026; not read from the venue"
    ),
    listing="instruments",
    refusals=bybit.REFUSALS,
    history=rest.SPOT_PAST,
    no_past=rest.no_past("spot"),
    keepalive=bybit.KEEPALIVE,
    crossed_is_lost=True,
    notes={"trades": "a missing trade cannot be told; block trades are left out"},
)

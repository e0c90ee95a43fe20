"""Bybit linear: perpetuals and dated futures in USDT and USDC, public market data of the V5 protocol.

Docs    https://bybit-exchange.github.io/docs/v5/intro
Quirks  The book is `orderbook.200`, every 100 ms as Binance's: 50 levels come oftener (20 ms) and end some
        ticks from the touch, 1000 come seldom (200 ms) and weigh much. Its `u` grows by one with each
        change: no page promises that, every recording shows it, and a hole is taken for a gap
        (UNCONFIRMED for 50 and 200 levels). A snapshot, and `u` 1, begin the book again. The REST book
        counts along with 1000 levels and joins no other stream, so a lost book is subscribed again.
        `orderbook.1` sends the whole best quote, and again after 3 s without a change: same `u`, which
        may begin again at 1, and mostly a higher `seq`, which never does. Quotes are numbered by `seq`,
        and one that is repeated keeps its number. Before 2025 it sent what had changed: read as well.
        Tickers say what has changed; the rest is remembered from the last snapshot on. Their best quote
        is older than that of `orderbook.1` and is left out.
        Funding stands in the ticker with its interval in hours; the listing has it in minutes.
        `openInterest` is the sum of both sides: what is kept is one side, as elsewhere.
        Liquidations name the side of the position (Buy: a long) and the price at which it is bankrupt.
        Block trades are no trades on the book: left out. Retail (RPI) trades are, and are kept.
        Trade ids are no numbers: a missing trade cannot be told.
        One wrong topic may fail a whole request (UNCONFIRMED): what is refused is asked again in halves.
        1000PEPEUSDT, SHIB1000USDT and the like count coins of a thousand: they keep their names, and so
        do contracts in USDC (BTCPERP) and dated ones (BTCUSDT-25DEC26).
        HTTP 403 is a ban as well as a country that is not served: nothing is asked for ten minutes.
Times   `cts` and `T`, the matching engine's, where a frame has them; else `ts`, when it was made.
"""

from orderflow.venues import bybit
from orderflow.venues.bybit import asked, rest, socket
from orderflow.venues.spec import BookRule, Channel, Hosts, Limits, Venue

VENUE = "bybit_futures"

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

BYBIT_FUTURES = Venue(
    name=VENUE,
    docs="https://bybit-exchange.github.io/docs/v5/intro",
    hosts=Hosts(rest="https://api.bybit.com", ws={"public": "wss://stream.bybit.com/v5/public/linear"}),
    limits=Limits(
        streams_per_connection=200,  # no number is given; their names may have 21,000 characters in all
        messages_per_s=5,  # none is given
        names_per_subscribe=100,
        connects_per_minute=bybit.CONNECTS_PER_MINUTE,
        dead_after_s=bybit.DEAD_AFTER_S,
        connections=1000,
    ),
    book=BookRule.CONTIGUOUS,
    channels=(
        Channel("quotes", ("prices",), "orderbook.1.{symbol}", "public", silent_after_s=30),
        Channel("book", ("orderbooks",), "orderbook.200.{symbol}", "public", silent_after_s=60),
        Channel("trades", ("trades",), "publicTrade.{symbol}", "public", silent_after_s=300),
        Channel(
            "ticker",
            ("mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h"),
            "tickers.{symbol}",
            "public",
            silent_after_s=60,
        ),
        Channel("liquidations", ("liquidations",), "allLiquidation.{symbol}", "public"),
        Channel("candles", ("candles",), "kline.1.{symbol}", "public", silent_after_s=300),
    ),
    endpoints=rest.endpoints(VENUE, "linear"),
    questions=asked.LINEAR,
    buckets=bybit.BUCKETS,
    decode=socket.decoder(VENUE),
    subscribe=bybit.subscribe,
    unsubscribe=bybit.unsubscribe,
    native=str.upper,
    taker_fee_bps=5.5,
    taker_fee_source=(
        "regular user, 0.055 %: the loweef futures fee index of 2026-10-16, which cites"
        " bybit.com/en/help-center/article/Trading-Fee-Structure; not read from the venue"
    ),
    listing="instruments",
    refusals=bybit.REFUSALS,
    history=rest.LINEAR_PAST,
    no_past=rest.no_past("linear"),
    keepalive=bybit.KEEPALIVE,
    crossed_is_lost=True,
    foreign={"/v5/market/historical-volatility": "options", "/v5/market/new-delivery-price": "options"},
    notes={
        "liquidations": "the price is that at which the position is bankrupt, not that of the fill",
        "open_interest": "one side: the venue's own figure counts both",
        "trades": "ids are no numbers, so a missing trade cannot be told; block trades are left out",
    },
)

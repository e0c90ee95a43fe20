"""Binance USDⓈ-M futures, public market data.

Docs    https://developers.binance.com/docs/derivatives/usds-margined-futures
Quirks  Since 2026-04-23 there are two routes, /public and /market: a stream asked on the wrong one is
        acknowledged and stays silent, so each channel names its route and silence is reported.
        Since 2026-06-30 all-market streams carry COIN-M rows too (`st` 2, sizes in contracts): left out.
        `@trade` also sends rows that are no trades (X is NA, INSURANCE_FUND or ADL): left out, but their
        ids count, since ids are consecutive. `@aggTrade` is the default, `@trade` is not documented.
        `@depth5/10/20` frames are snapshots although they call themselves depthUpdate.
        The first diff after a snapshot L may satisfy U <= L <= u or pu == L (see feed.book).
        `r` is the running estimate of the rate to be paid at `T`; its interval stands in fundingInfo,
        which lists only the contracts that do not pay every 8 hours.
        Liquidations are at most one an instant, the largest: a lower bound. `S` is the order's side,
        so SELL closed a long. Price is `ap` (mean fill), size is `z` (filled). `st` was documented
        beside `o` and is seen inside it: both are read.
Times   `T`, the matching engine's, where a frame has it; else `E`, when the frame was made.
"""

from orderflow.venues import binance
from orderflow.venues.binance_futures.asked import QUESTIONS
from orderflow.venues.binance_futures.facts import FACTS
from orderflow.venues.binance_futures.rest import ARCHIVES, ENDPOINTS, PAST, TABLES
from orderflow.venues.binance_futures.socket import VENUE, decode
from orderflow.venues.spec import BookRule, Bucket, Channel, Hosts, Limits, Poll, Venue

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

BINANCE_FUTURES = Venue(
    name=VENUE,
    docs="https://developers.binance.com/docs/derivatives/usds-margined-futures",
    hosts=Hosts(
        rest="https://fapi.binance.com",
        ws={
            "public": "wss://fstream.binance.com/public/stream",
            "market": "wss://fstream.binance.com/market/stream",
        },
        archive="https://data.binance.vision",
    ),
    limits=Limits(
        streams_per_connection=1024,
        messages_per_s=5,  # the venue allows 10, pongs included
        names_per_subscribe=200,
        connects_per_minute=20,
        dead_after_s=600,
        life_s=23 * 3600,  # the venue cuts at 24 h
    ),
    book=BookRule.PREVIOUS_ID,
    channels=(
        Channel("quotes", ("prices",), "{lower}@bookTicker", "public", silent_after_s=60),
        Channel("book", ("orderbooks",), "{lower}@depth@100ms", "public", silent_after_s=60),
        Channel("trades", ("trades",), "{lower}@aggTrade", "market", silent_after_s=300),
        Channel("fills", ("trades",), "{lower}@trade", "public", silent_after_s=300, default=False),
        Channel(
            "mark",
            ("mark_prices", "index_prices", "funding_rates"),
            "{lower}@markPrice@1s",
            "market",
            silent_after_s=30,
        ),
        Channel("liquidations", ("liquidations",), "{lower}@forceOrder", "market"),
        Channel("ticker", ("ticker_24h",), "{lower}@ticker", "market", silent_after_s=120),
        Channel("candles", ("candles",), "{lower}@kline_1m", "market", silent_after_s=300),
    ),
    endpoints=(*ENDPOINTS, *FACTS),
    questions=QUESTIONS,
    buckets=(
        Bucket("weight", 2400, 60, "x-mbx-used-weight-1m"),
        Bucket("data", 1000, 300),
        Bucket("funding", 500, 300),
    ),
    decode=decode,
    subscribe=binance.subscribe,
    unsubscribe=binance.unsubscribe,
    native=str.upper,
    taker_fee_bps=5.0,
    taker_fee_source=(
        "regular user, 0.05 %: the loweef futures fee index of 2026-10-12, which cites binance.com/en/fee/futureFee;"
        " not read from the venue"
    ),
    snapshot="depth",
    listing="instruments",
    polls=(
        Poll("open_interest", 30, ("open_interest",)),
        Poll("funding_intervals", 3600, ("funding_rates",), per_symbol=False),
    ),
    tables=TABLES,
    history=PAST,
    archives=ARCHIVES,
    funding_hours=8.0,
    consecutive_trades=True,
    refusals=binance.REFUSALS,
    foreign={"/dapi/": "COIN-M"},
    notes={"liquidations": "the venue sends at most one liquidation a second and symbol: a lower bound"},
)

"""Gate USDT-settled perpetual futures, public market data.

Docs    https://www.gate.com/docs/developers/futures/ws/en and …/apiv4/en (futures)
Quirks  Sizes are contracts; what one holds (`quanto_multiplier`) is read from the list of contracts. Sizes
        of a contract that the list lacks are unknown. `volume_24h_base` is in base units already.
        With the header `X-Gate-Size-Decimal: 1` sizes are decimal texts, without it they are rounded
        down: it goes with every request and every handshake.
        Books are read from `futures.obu`, 400 levels every 100 ms: the first frame and any later one that
        is `full` is the whole book; a diff without levels moves the id on. A hole is mended by
        subscribing the book anew. The older `futures.order_book_update`, joined to a REST snapshot with an
        id, and the whole books of `futures.order_book` are decoded for recordings and not subscribed:
        the former never removes what falls out of its depth.
        A trade's size is signed by its taker, and its ids are not known to be consecutive. Rows with
        `is_internal` are takeovers by the insurance fund or by deleveraging, off the book: left out.
        A liquidation's size is taken for that of the position, so a positive one closed a long. REST says
        so; on the socket it is UNCONFIRMED, and so is whether the price is that of the order or of the fill.
        `futures.contract_stats` is not subscribed: tickers tell open interest more often. Its REST rows are
        stamped with the beginning of their interval, as the venue stamps them.
        A quote with t 0 is that of a market in which nobody quotes: left out.
        An ack repeats the request's id; those of 2023 did not. "Alert sub" (subscribed already) is an ack.
        Unknown contracts are acknowledged too, and silent: names come from the list of contracts.
        A candlestick request takes one contract, and one bad contract may fail a whole request: one name
        a message. `event: upgrade` asks us to connect again.
        A `result` is a list, a single row, or a list in a list: all three were seen for one channel.
        Requests must carry the time; that the venue judges it for public channels is UNCONFIRMED.
Times   `t` or `create_time_ms`, the matching engine's; tickers of before 2026 and candles have `time_ms`,
        when the frame was sent. REST tickers and contracts have none.
"""

from orderflow.venues import gate
from orderflow.venues.gate.rows import native_of
from orderflow.venues.gate_futures.asked import FACTS, QUESTIONS
from orderflow.venues.gate_futures.rest import ENDPOINTS, PAST
from orderflow.venues.gate_futures.socket import (
    HEAD_BYTES,
    VENUE,
    decode,
    heard,
    ping,
    subscribe,
    unsubscribe,
)
from orderflow.venues.spec import BookRule, Channel, Hosts, Keepalive, Limits, Venue

_BEFORE_SETTLE = "API v4 of 2019, whose paths did not name the settlement currency"

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

GATE_FUTURES = Venue(
    name=VENUE,
    docs="https://www.gate.com/docs/developers/futures/ws/en",
    hosts=Hosts(rest=gate.REST, ws={"usdt": "wss://fx-ws.gateio.ws/v4/ws/usdt"}),
    headers=gate.HEADERS,
    keepalive=Keepalive(15, ping),
    limits=Limits(
        streams_per_connection=150,  # no limit is documented; so many are known to work
        messages_per_s=10,  # none is documented either
        names_per_subscribe=1,
        connects_per_minute=60,
        dead_after_s=45,
        control_bytes=180,  # a pong has 155, a quote hardly ever fewer than 190
        connections=300,
        channel_per_subscribe=True,
    ),
    book=BookRule.CONTIGUOUS,
    channels=(
        Channel("quotes", ("prices",), "futures.book_ticker:{symbol}", "usdt", silent_after_s=60),
        Channel("book", ("orderbooks",), "futures.obu:ob.{symbol}.400", "usdt", silent_after_s=60),
        Channel("trades", ("trades",), "futures.trades:{symbol}", "usdt", silent_after_s=300),
        Channel(
            "ticker",
            ("mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h"),
            "futures.tickers:{symbol}",
            "usdt",
            silent_after_s=120,
        ),
        Channel("liquidations", ("liquidations",), "futures.public_liquidates:{symbol}", "usdt"),
        Channel("candles", ("candles",), "futures.candlesticks:1m:{symbol}", "usdt", silent_after_s=300),
        Channel(
            "statistics", ("open_interest",), "futures.contract_stats:{symbol}:1m", "usdt", default=False
        ),
    ),
    endpoints=(*ENDPOINTS, *FACTS),
    questions=QUESTIONS,
    buckets=gate.BUCKETS,
    decode=decode,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    native=native_of,
    taker_fee_bps=5.0,
    taker_fee_source="first tier of swaps, 0.05 %: ccxt 4.5.90 (2026); not read from the venue",
    listing="instruments",
    refusals=gate.REFUSALS,
    head_bytes=HEAD_BYTES,
    heard=heard,
    needs_contracts=True,
    history=PAST,
    retired={
        f"/api/v4/futures/{path}": _BEFORE_SETTLE
        for path in ("contracts", "order_book", "tickers", "trades", "candlesticks", "funding_rate")
    },
    foreign={
        "/api/v4/delivery/": "dated contracts, which are gate_delivery",
        "/api/v4/options/": "options, which are gate_options",
    },
    notes={
        "liquidations": "gathered over a second; until August 2026 at most one a second was sent: a lower bound",
    },
)

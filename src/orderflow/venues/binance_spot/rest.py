"""What Binance spot answers over REST, and the rows of its archives."""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import Event, Nanos, Quote
from orderflow.venues import binance
from orderflow.venues.binance_spot.socket import VENUE, snapshot
from orderflow.venues.spec import Endpoint, Memory, Query, leaves_out, left_out

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Best(msgspec.Struct, gc=False):
    symbol: str
    bidPrice: float
    bidQty: float
    askPrice: float
    askQty: float


_BESTS = msgspec.json.Decoder(_Best | list[_Best], strict=False)


def _depth(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    if "symbol" not in query:
        return (left_out(VENUE, "", ts_recv, "a book whose request is not recorded has no symbol"),)
    return (snapshot(query["symbol"], binance.DEPTH.decode(body), None, ts_recv),)


def _best(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _BESTS.decode(body)
    return [
        Quote(
            VENUE,
            one.symbol,
            None,
            ts_recv,
            one.bidPrice or None,
            one.bidQty or None,
            one.askPrice or None,
            one.askQty or None,
        )
        for one in (said if isinstance(said, list) else [said])
    ]


def _symbol(query: Query) -> str:
    return query.get("symbol", "")


def _server_time(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return binance.server_time(VENUE, body, ts_recv)


def _klines(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return binance.klines(VENUE, body, _symbol(query), query.get("interval", ""), ts_recv)


ENDPOINTS = (
    Endpoint("ping", "/api/v3/ping", leaves_out(VENUE, "a ping says nothing")),
    Endpoint("time", "/api/v3/time", _server_time),
    Endpoint(
        "instruments",
        "/api/v3/exchangeInfo",
        lambda body, query, ts, memory: binance.instruments(VENUE, body, ts),
        weight=20,
        cache_s=3600,
    ),
    Endpoint("depth", "/api/v3/depth", _depth, {"limit": "1000"}, ("symbol",), weight=50),
    Endpoint(
        "trades",
        "/api/v3/trades",
        lambda body, query, ts, memory: binance.fills(VENUE, body, _symbol(query), ts),
        needs=("symbol",),
        weight=25,
    ),
    Endpoint(
        "older_trades",
        "/api/v3/historicalTrades",
        lambda body, query, ts, memory: binance.fills(VENUE, body, _symbol(query), ts),
        needs=("symbol",),
        weight=25,
    ),
    Endpoint(
        "agg_trades",
        "/api/v3/aggTrades",
        lambda body, query, ts, memory: binance.agg_trades(VENUE, body, _symbol(query), ts),
        {"limit": "1000"},
        ("symbol",),
        weight=4,
    ),
    Endpoint(
        "candles", "/api/v3/klines", _klines, {"interval": "1m", "limit": "1000"}, ("symbol",), weight=2
    ),
    Endpoint(
        "ticker",
        "/api/v3/ticker/24hr",
        lambda body, query, ts, memory: binance.days(VENUE, body, ts),
        weight=2,
        weight_of_all=80,
    ),
    Endpoint("best", "/api/v3/ticker/bookTicker", _best, weight=2, weight_of_all=4),
    *(
        Endpoint(name, path, leaves_out(VENUE, reason), needs=needs, weight=weight)
        for name, path, reason, needs, weight in (
            ("ui_candles", "/api/v3/uiKlines", "the same bars as klines, smoothed", ("symbol",), 2),
            ("day", "/api/v3/ticker/tradingDay", "the 24-hour ticker is kept", ("symbol",), 4),
            ("reference", "/api/v3/referencePrice", "no stream for reference prices", ("symbol",), 2),
            (
                "reference_rule",
                "/api/v3/referencePrice/calculation",
                "no stream for reference prices",
                ("symbol",),
                2,
            ),
            ("execution_rules", "/api/v3/executionRules", "no stream for trading rules", (), 40),
            (
                "block_trades",
                "/api/v3/historicalBlockTrades",
                "block trades, not trades on the book",
                ("symbol", "fromId"),
                25,
            ),
        )
    ),
)

TABLES = (
    Endpoint(
        "aggTrades",
        "aggTrades",
        lambda row, query, ts, memory: binance.archived_agg_trade(VENUE, row, _symbol(query), ts),
    ),
    Endpoint(
        "trades",
        "trades",
        lambda row, query, ts, memory: binance.archived_trade(VENUE, row, _symbol(query), ts),
    ),
    Endpoint(
        "klines",
        "klines",
        lambda row, query, ts, memory: binance.archived_candle(
            VENUE, row, _symbol(query), query.get("interval", ""), ts
        ),
    ),
)

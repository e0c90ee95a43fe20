"""What OKX answers over REST. Lists come newest first and are given oldest first."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from orderflow.market.events import (
    DAY,
    MINUTE,
    MS,
    BookUpdate,
    Control,
    Event,
    Funding,
    Nanos,
    OpenInterest,
)
from orderflow.venues.okx import IN_5, IN_10, IN_20, IN_40, IN_100, number, reads
from orderflow.venues.okx.wire import BookRow, InstrumentRow, MarkRow, OpenInterestRow, TickerRow
from orderflow.venues.okx_futures import rows
from orderflow.venues.okx_futures.rows import VENUE, levels, listed
from orderflow.venues.spec import (
    EVERY_FIVE_MINUTES,
    SETTLED,
    Answer,
    Endpoint,
    History,
    Memory,
    Query,
    leaves_out,
    left_out,
)

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Paid(msgspec.Struct, gc=False):
    instId: str
    fundingTime: int
    fundingRate: str = ""
    realizedRate: str = ""


class _Time(msgspec.Struct, gc=False):
    ts: int


class _OpenInterestThen(msgspec.Struct, array_like=True, gc=False):
    ts: int
    contracts: float
    base: float
    usd: float


def each(row: Any, *meanings: Callable[[Any, Nanos, Memory], Event]) -> Answer:
    """Return a decoder of an answer whose rows each mean one event or some."""
    return reads(
        *(VENUE, row),
        lambda found, query, ts, memory: [meaning(one, ts, memory) for one in found for meaning in meanings],
    )


UNNAMED = "an answer whose request is not recorded has no symbol"


def books(found: list[BookRow], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    if "instId" not in query:
        return (left_out(VENUE, "", ts_recv, UNNAMED),)
    of = listed(query["instId"], memory)
    return [
        BookUpdate(
            *(VENUE, of.symbol, row.ts * MS, ts_recv, True, levels(row.bids, of), levels(row.asks, of)),
            last_id=row.seqId,
            # Those of before 2023 have no id: diffs cannot join them, and they are what they show.
            depth=max(len(row.bids), len(row.asks)) if row.seqId is None else None,
        )
        for row in found
    ]


def _candles(found: list[rows.CandleRow], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    if "instId" not in query:
        return (left_out(VENUE, "", ts_recv, UNNAMED),)
    return rows.candles(found, query["instId"], query.get("bar", "1m"), ts_recv, memory)


def _paid(row: _Paid, ts_recv: Nanos, memory: Memory) -> Event:
    symbol, paid_ts = listed(row.instId, memory).symbol, row.fundingTime * MS
    rate = number(row.realizedRate or row.fundingRate)
    if rate is None:
        return left_out(VENUE, symbol, ts_recv, "no funding rate yet")
    return Funding(VENUE, symbol, paid_ts, ts_recv, rate, next_ts=paid_ts)


def _open_interest_history(
    found: list[_OpenInterestThen], query: Query, ts_recv: Nanos, memory: Memory
) -> Sequence[Event]:
    if "instId" not in query:
        return (left_out(VENUE, "", ts_recv, UNNAMED),)
    symbol = listed(query["instId"], memory).symbol
    return [
        OpenInterest(VENUE, symbol, one.ts * MS, ts_recv, one.base, one.usd, one.contracts) for one in found
    ]


def _time(row: _Time, ts_recv: Nanos, memory: Memory) -> Event:
    return Control(VENUE, "", row.ts * MS, ts_recv, "pong")


_instruments = each(InstrumentRow, lambda row, ts, memory: rows.instrument(row, ts))
INSTRUMENT = {"instId": "{symbol}"}
INDEX = {"instId": "{index}"}
_CURRENCY = {"ccy": "{base}"}
_NONE: dict[str, str] = {}

_KEPT = (
    Endpoint("time", "/api/v5/public/time", each(_Time, _time), bucket=IN_10),
    Endpoint(
        "instruments",
        "/api/v5/public/instruments",
        _instruments,
        {"instType": "SWAP"},
        bucket=IN_20,
        cache_s=3600,
    ),
    Endpoint(
        *("depth", "/api/v5/market/books", reads(VENUE, BookRow, books), {"sz": "400"}, ("instId",)),
        bucket=IN_40,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("trades", "/api/v5/market/trades", each(rows.TradeRow, rows.trade), {"limit": "500"}, ("instId",)),
        bucket=IN_100,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("older_trades", "/api/v5/market/history-trades", each(rows.TradeRow, rows.trade)),
        *({"limit": "100"}, ("instId",)),
        bucket=IN_10,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("candles", "/api/v5/market/candles", reads(VENUE, rows.CandleRow, _candles)),
        *({"bar": "1m", "limit": "300"}, ("instId",)),
        bucket=IN_40,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("older_candles", "/api/v5/market/history-candles", reads(VENUE, rows.CandleRow, _candles)),
        *({"bar": "1m", "limit": "300"}, ("instId",)),
        bucket=IN_20,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("ticker", "/api/v5/market/ticker", each(TickerRow, rows.ticker, rows.best)),
        needs=("instId",),
        bucket=IN_20,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *(
            "tickers",
            "/api/v5/market/tickers",
            each(TickerRow, rows.ticker, rows.best),
            {"instType": "SWAP"},
        ),
        bucket=IN_20,
    ),
    Endpoint(
        *("index_ticker", "/api/v5/market/index-tickers", each(rows.IndexRow, rows.index)),
        needs=("instId",),
        bucket=IN_20,
        of_symbol=INDEX,
    ),
    Endpoint(
        *("mark_price", "/api/v5/public/mark-price", each(MarkRow, rows.mark)),
        {"instType": "SWAP"},  # of one swap or of all
        bucket=IN_10,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("funding", "/api/v5/public/funding-rate", each(rows.FundingRow, rows.funding)),
        needs=("instId",),
        bucket=IN_10,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("funding_history", "/api/v5/public/funding-rate-history", each(_Paid, _paid)),
        *({"limit": "400"}, ("instId",)),
        bucket=IN_10,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("open_interest", "/api/v5/public/open-interest", each(OpenInterestRow, rows.open_interest)),
        {"instType": "SWAP"},  # of one swap or of all
        bucket=IN_20,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("open_interest_history", "/api/v5/rubik/stat/contracts/open-interest-history"),
        reads(VENUE, _OpenInterestThen, _open_interest_history),
        *({"period": "5m", "limit": "100"}, ("instId",)),
        bucket=IN_10,
        of_symbol=INSTRUMENT,
    ),
)

_RATIO = "no stream for long/short ratios"
_TAKER = "no stream for taker volume; trades say it"
_STAT = "/api/v5/rubik/stat"
_ONE, _CCY = ("instId",), ("ccy",)

_LEFT_OUT = tuple(
    Endpoint(
        *(
            path.rsplit("/api/v5/", 1)[-1].replace("/", "_").replace("-", "_"),
            path,
            leaves_out(VENUE, reason),
        ),
        needs=needs,
        bucket=bucket,
        of_symbol=of_symbol,
    )
    for path, reason, needs, bucket, of_symbol in (
        (
            "/api/v5/market/books-rpi",
            "a book with retail orders; the plain book is kept",
            _ONE,
            IN_40,
            INSTRUMENT,
        ),
        ("/api/v5/market/index-candles", "no stream for candles of the index", _ONE, IN_20, INDEX),
        ("/api/v5/market/history-index-candles", "no stream for candles of the index", _ONE, IN_10, INDEX),
        (
            "/api/v5/market/mark-price-candles",
            "no stream for candles of the mark price",
            _ONE,
            IN_20,
            INSTRUMENT,
        ),
        (
            *("/api/v5/market/history-mark-price-candles", "no stream for candles of the mark price"),
            *(_ONE, IN_10, INSTRUMENT),
        ),
        (
            "/api/v5/market/index-components",
            "no stream for an index's parts",
            ("index",),
            IN_20,
            {"index": "{index}"},
        ),
        ("/api/v5/public/price-limit", "no stream for price limits", _ONE, IN_20, INSTRUMENT),
        ("/api/v5/public/underlying", "contracts are read from the listing", ("instType",), IN_20, _NONE),
        ("/api/v5/public/premium-history", "no stream for the premium", _ONE, IN_20, INSTRUMENT),
        ("/api/v5/public/estimated-price", "no stream for delivery prices", _ONE, IN_10, INSTRUMENT),
        (
            "/api/v5/public/estimated-settlement-info",
            "no stream for delivery prices",
            _ONE,
            IN_10,
            INSTRUMENT,
        ),
        (
            "/api/v5/public/convert-contract-coin",
            "a calculation, no data",
            ("instId", "sz"),
            IN_10,
            INSTRUMENT,
        ),
        ("/api/v5/public/market-data-history", "addresses of archives, no data", ("module",), IN_5, _NONE),
        ("/api/v5/public/opt-summary", "no stream for options on this market", ("uly",), IN_20, _NONE),
        (f"{_STAT}/taker-volume", _TAKER, ("ccy", "instType"), IN_5, _CURRENCY),
        (f"{_STAT}/contracts/long-short-account-ratio", _RATIO, _CCY, IN_5, _CURRENCY),
        (
            *(f"{_STAT}/contracts/open-interest-volume", "no stream for the sum of a currency's contracts"),
            *(_CCY, IN_5, _CURRENCY),
        ),
    )
)

ENDPOINTS = (*_KEPT, *_LEFT_OUT)

# ── What is kept of the past ──────────────────────────────────────────────────────────────────

# `after` asks for what is older. More rows are asked for than a page needs to count as full: should the
# venue give no more than the hundred that it once gave, that is not taken for the end.
_FULL = 100

PAST = (
    History(
        stream="candles",
        endpoint="older_candles",
        end="after",
        newest_first=True,
        most_rows=_FULL,
        step=MINUTE,
    ),
    History(
        stream="funding_rates",
        endpoint="funding_history",
        end="after",
        newest_first=True,
        most_rows=_FULL,
        keeps=90 * DAY,
        lacks=SETTLED,
    ),
    History(
        stream="open_interest",
        endpoint="open_interest_history",
        start="begin",
        end="end",
        newest_first=True,
        most_rows=_FULL,
        span=99 * 5 * MINUTE,
        keeps=1440 * 5 * MINUTE,
        lacks=EVERY_FIVE_MINUTES,
    ),
)
NO_PAST = {
    "trades": "REST has single fills, where the stream joins those of one order: both would count twice"
}

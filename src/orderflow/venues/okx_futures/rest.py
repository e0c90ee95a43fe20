"""What OKX answers over REST. Lists come newest first and are given oldest first."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

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
from orderflow.venues.okx_futures import rows
from orderflow.venues.okx_futures.rows import VENUE, LevelRow, levels, listed, number
from orderflow.venues.spec import (
    EVERY_FIVE_MINUTES,
    SETTLED,
    Answer,
    Bucket,
    Endpoint,
    History,
    Memory,
    Query,
    Refusals,
    leaves_out,
    left_out,
)

# ── What REST answers ─────────────────────────────────────────────────────────────────────────

_T = TypeVar("_T")


class _Answer(msgspec.Struct, Generic[_T], gc=False):
    code: str
    msg: str = ""
    data: list[_T] = []


class _Complaint(msgspec.Struct, gc=False):
    code: str
    msg: str = ""


class _Book(msgspec.Struct, gc=False):
    asks: list[LevelRow]
    bids: list[LevelRow]
    ts: int
    seqId: int | None = None


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


_COMPLAINT = msgspec.json.Decoder(_Complaint)


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the code and text of an error, which may come with a status of 200."""
    try:
        said = _COMPLAINT.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return None if said.code == "0" else (said.code, said.msg)


def _reads(row: Any, meaning: Callable[[list[Any], Query, Nanos, Memory], Sequence[Event]]) -> Answer:
    """Return a decoder of an answer whose `data` are such rows; an error answer is left out."""
    decoder = msgspec.json.Decoder(_Answer[row], strict=False)

    def decode(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        if error := complaint(body):
            return (left_out(VENUE, "", ts_recv, f"an error answer: {error[0]}"),)
        return meaning(decoder.decode(body).data[::-1], query, ts_recv, memory)

    return decode


def _each(row: Any, *meanings: Callable[[Any, Nanos, Memory], Event]) -> Answer:
    return _reads(
        row,
        lambda found, query, ts, memory: [meaning(one, ts, memory) for one in found for meaning in meanings],
    )


_UNNAMED = "an answer whose request is not recorded has no symbol"


def _books(found: list[_Book], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    if "instId" not in query:
        return (left_out(VENUE, "", ts_recv, _UNNAMED),)
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
        return (left_out(VENUE, "", ts_recv, _UNNAMED),)
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
        return (left_out(VENUE, "", ts_recv, _UNNAMED),)
    symbol = listed(query["instId"], memory).symbol
    return [
        OpenInterest(VENUE, symbol, one.ts * MS, ts_recv, one.base, one.usd, one.contracts) for one in found
    ]


def _time(row: _Time, ts_recv: Nanos, memory: Memory) -> Event:
    return Control(VENUE, "", row.ts * MS, ts_recv, "pong")


_instruments = _each(rows.InstrumentRow, lambda row, ts, memory: rows.instrument(row, ts))
_INSTRUMENT = {"instId": "{symbol}"}
_INDEX = {"instId": "{index}"}
_CURRENCY = {"ccy": "{base}"}
_NONE: dict[str, str] = {}

# Allowances are per path and address; a bucket holds the paths that have the same one, together.
_5, _10, _20, _40, _100 = "5 in 2 s", "10 in 2 s", "20 in 2 s", "40 in 2 s", "100 in 2 s"
_RARE, _PLATFORM = "1 in 5 s", "2 in 2 s"

BUCKETS = (
    *(Bucket(f"{limit} in 2 s", limit, 2) for limit in (2, 5, 10, 20, 40, 100)),
    Bucket(_RARE, 1, 5),
)

REFUSALS = Refusals(
    limited={429: 2.0},  # the venue names no time: its windows are of 2 s
    complaint=complaint,
    limited_codes=frozenset({"50011"}),
    # under maintenance, timed out, busy, system error
    unavailable_codes=frozenset({"50001", "50004", "50013", "50026"}),
    unknown_symbol_codes=frozenset({"51001"}),
)

_KEPT = (
    Endpoint("time", "/api/v5/public/time", _each(_Time, _time), bucket=_10),
    Endpoint(
        "instruments",
        "/api/v5/public/instruments",
        _instruments,
        {"instType": "SWAP"},
        bucket=_20,
        cache_s=3600,
    ),
    Endpoint(
        *("depth", "/api/v5/market/books", _reads(_Book, _books), {"sz": "400"}, ("instId",)),
        bucket=_40,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *("trades", "/api/v5/market/trades", _each(rows.TradeRow, rows.trade), {"limit": "500"}, ("instId",)),
        bucket=_100,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *("older_trades", "/api/v5/market/history-trades", _each(rows.TradeRow, rows.trade)),
        *({"limit": "100"}, ("instId",)),
        bucket=_10,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *("candles", "/api/v5/market/candles", _reads(rows.CandleRow, _candles)),
        *({"bar": "1m", "limit": "300"}, ("instId",)),
        bucket=_40,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *("older_candles", "/api/v5/market/history-candles", _reads(rows.CandleRow, _candles)),
        *({"bar": "1m", "limit": "300"}, ("instId",)),
        bucket=_20,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *("ticker", "/api/v5/market/ticker", _each(rows.TickerRow, rows.ticker, rows.best)),
        needs=("instId",),
        bucket=_20,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *(
            "tickers",
            "/api/v5/market/tickers",
            _each(rows.TickerRow, rows.ticker, rows.best),
            {"instType": "SWAP"},
        ),
        bucket=_20,
    ),
    Endpoint(
        *("index_ticker", "/api/v5/market/index-tickers", _each(rows.IndexRow, rows.index)),
        needs=("instId",),
        bucket=_20,
        of_symbol=_INDEX,
    ),
    Endpoint(
        *("mark_price", "/api/v5/public/mark-price", _each(rows.MarkRow, rows.mark)),
        *({"instType": "SWAP"}, ("instId",)),
        bucket=_10,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *("funding", "/api/v5/public/funding-rate", _each(rows.FundingRow, rows.funding)),
        needs=("instId",),
        bucket=_10,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *("funding_history", "/api/v5/public/funding-rate-history", _each(_Paid, _paid)),
        *({"limit": "400"}, ("instId",)),
        bucket=_10,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *("open_interest", "/api/v5/public/open-interest", _each(rows.OpenInterestRow, rows.open_interest)),
        *({"instType": "SWAP"}, ("instId",)),
        bucket=_20,
        of_symbol=_INSTRUMENT,
    ),
    Endpoint(
        *("open_interest_history", "/api/v5/rubik/stat/contracts/open-interest-history"),
        _reads(_OpenInterestThen, _open_interest_history),
        *({"period": "5m", "limit": "100"}, ("instId",)),
        bucket=_10,
        of_symbol=_INSTRUMENT,
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
        ("/api/v5/market/books-full", "a slower book; the plain book is kept", _ONE, _10, _INSTRUMENT),
        (
            "/api/v5/market/books-rpi",
            "a book with retail orders; the plain book is kept",
            _ONE,
            _40,
            _INSTRUMENT,
        ),
        ("/api/v5/market/index-candles", "no stream for candles of the index", _ONE, _20, _INDEX),
        ("/api/v5/market/history-index-candles", "no stream for candles of the index", _ONE, _10, _INDEX),
        (
            "/api/v5/market/mark-price-candles",
            "no stream for candles of the mark price",
            _ONE,
            _20,
            _INSTRUMENT,
        ),
        (
            *("/api/v5/market/history-mark-price-candles", "no stream for candles of the mark price"),
            *(_ONE, _10, _INSTRUMENT),
        ),
        (
            "/api/v5/market/index-components",
            "no stream for an index's parts",
            ("index",),
            _20,
            {"index": "{index}"},
        ),
        ("/api/v5/market/platform-24-volume", "no stream for the venue's volume", (), _PLATFORM, _NONE),
        ("/api/v5/public/price-limit", "no stream for price limits", _ONE, _20, _INSTRUMENT),
        ("/api/v5/public/position-tiers", "no stream for risk tiers", ("instType", "tdMode"), _10, _NONE),
        ("/api/v5/public/underlying", "contracts are read from the listing", ("instType",), _20, _NONE),
        ("/api/v5/public/insurance-fund", "no stream for the insurance fund", ("instType",), _10, _NONE),
        ("/api/v5/public/premium-history", "no stream for the premium", _ONE, _20, _INSTRUMENT),
        ("/api/v5/public/estimated-price", "no stream for delivery prices", _ONE, _10, _INSTRUMENT),
        (
            *("/api/v5/public/delivery-exercise-history", "no stream for delivery prices"),
            *(("instType",), _40, _NONE),
        ),
        ("/api/v5/public/settlement-history", "no stream for delivery prices", ("instFamily",), _40, _NONE),
        ("/api/v5/public/estimated-settlement-info", "no stream for delivery prices", _ONE, _10, _INSTRUMENT),
        (
            "/api/v5/public/convert-contract-coin",
            "a calculation, no data",
            ("instId", "sz"),
            _10,
            _INSTRUMENT,
        ),
        ("/api/v5/public/market-data-history", "addresses of archives, no data", ("module",), _5, _NONE),
        ("/api/v5/public/opt-summary", "no stream for options on this market", ("uly",), _20, _NONE),
        ("/api/v5/system/status", "no stream for maintenance", (), _RARE, _NONE),
        (f"{_STAT}/taker-volume-contract", _TAKER, _ONE, _5, _INSTRUMENT),
        (f"{_STAT}/taker-volume", _TAKER, ("ccy", "instType"), _5, _CURRENCY),
        (f"{_STAT}/contracts/long-short-account-ratio-contract", _RATIO, _ONE, _5, _INSTRUMENT),
        (f"{_STAT}/contracts/long-short-account-ratio-contract-top-trader", _RATIO, _ONE, _5, _INSTRUMENT),
        (f"{_STAT}/contracts/long-short-position-ratio-contract-top-trader", _RATIO, _ONE, _5, _INSTRUMENT),
        (f"{_STAT}/contracts/long-short-account-ratio", _RATIO, _CCY, _5, _CURRENCY),
        (
            *(f"{_STAT}/contracts/open-interest-volume", "no stream for the sum of a currency's contracts"),
            *(_CCY, _5, _CURRENCY),
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

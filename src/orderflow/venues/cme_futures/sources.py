"""What the sources of CME's figures say: the CFTC's weekly report, Yahoo's chart, files of the user's own."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import zip_longest
from math import isfinite, nan
from typing import Any

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    HOUR,
    MINUTE,
    MS,
    SECOND,
    Candle,
    Event,
    Nanos,
    OpenInterest,
    Quote,
    Ticker,
)
from orderflow.venues.cme_futures.contracts import UNITS, session
from orderflow.venues.spec import Endpoint, Memory, Query, left_out

VENUE = "cme_futures"

# ── Symbols ───────────────────────────────────────────────────────────────────────────────────

_CONTINUOUS = {"BTC": "BTCUSDT", "ETH": "ETHUSDT"}  # the others keep their codes


def native(symbol: str) -> str:
    """Return the product of a unified symbol; contracts and micros are called by their codes.

    >>> native("BTCUSDT"), native("MET"), native("BTCZ26")
    ('BTC', 'MET', 'BTCZ26')
    """
    symbol = symbol.upper()
    return next((root for root, unified in _CONTINUOUS.items() if unified == symbol), symbol)


def words(name: str) -> dict[str, str]:
    """Say a product or a contract as our templates need it; Yahoo calls the front month `BTC=F`."""
    return {"symbol": name, "lower": name.lower(), "yahoo": f"{name}=F" if name in UNITS else f"{name}.CME"}


def _unified(name: str) -> str:
    name = name.upper().removesuffix("=F").removesuffix(".CME")
    return _CONTINUOUS.get(name, name)


def _unit(symbol: str) -> float | None:
    """Base units in a contract of a symbol, where we know it."""
    return UNITS.get(native(symbol)[:3])


# ── The CFTC's Commitments of Traders ─────────────────────────────────────────────────────────

_CODES = {"133741": "BTC", "133742": "MBT", "146021": "ETH", "146022": "MET"}
_ASKED = ",".join(f"'{code}'" for code in _CODES)


class _Report(msgspec.Struct):
    report_date_as_yyyy_mm_dd: str
    open_interest_all: float
    cftc_contract_market_code: str = ""


_REPORTS = msgspec.json.Decoder(list[_Report], strict=False)


def _positions(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode rows of a weekly report, newest first; the date is that of the Tuesday that it counts."""
    found: list[Event] = []
    for one in reversed(_REPORTS.decode(body)):
        root = _CODES.get(one.cftc_contract_market_code.strip())
        if root is None:
            reason = f"a report on another market: {one.cftc_contract_market_code or 'not told'}"
            found.append(left_out(VENUE, "", ts_recv, reason))
            continue
        told = datetime.fromisoformat(one.report_date_as_yyyy_mm_dd[:10]).replace(tzinfo=UTC)
        contracts = one.open_interest_all
        size = contracts * UNITS[root] if UNITS[root] >= 1 else contracts / round(1 / UNITS[root])
        ts = round(told.timestamp()) * SECOND
        found.append(OpenInterest(VENUE, _unified(root), ts, ts_recv, size, None, contracts))
    return found or [left_out(VENUE, "", ts_recv, "a report without rows")]


# ── Yahoo's chart ─────────────────────────────────────────────────────────────────────────────

_INTERVALS = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR, "1d": 24 * HOUR}


class _Meta(msgspec.Struct):
    symbol: str
    regularMarketPrice: float | None = None
    regularMarketTime: int | None = None
    regularMarketDayHigh: float | None = None
    regularMarketDayLow: float | None = None
    regularMarketVolume: float | None = None
    dataGranularity: str = ""


class _Columns(msgspec.Struct):
    open: list[float | None] = []
    high: list[float | None] = []
    low: list[float | None] = []
    close: list[float | None] = []
    volume: list[float | None] = []


class _Indicators(msgspec.Struct):
    quote: list[_Columns] = []


class _Result(msgspec.Struct):
    meta: _Meta
    timestamp: list[int] = []
    indicators: _Indicators = msgspec.field(default_factory=_Indicators)


class _Fault(msgspec.Struct):
    code: str = ""
    description: str = ""


class _Chart(msgspec.Struct):
    result: list[_Result] | None = None
    error: _Fault | None = None


class _Answer(msgspec.Struct):
    chart: _Chart


_CHART = msgspec.json.Decoder(_Answer, strict=False)


def _chart(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a chart: about ten minutes late, without open interest or settlement, with holes as nulls."""
    said = _CHART.decode(body).chart
    if said.error is not None:
        return [left_out(VENUE, "", ts_recv, f"an error answer: {said.error.code}")]
    found: list[Event] = []
    for one in said.result or ():
        meta, symbol = one.meta, _unified(one.meta.symbol)
        asof = None if meta.regularMarketTime is None else meta.regularMarketTime * SECOND
        found += _bars(one, query.get("interval", meta.dataGranularity), asof, ts_recv)
        if meta.regularMarketPrice is not None:
            found.append(
                Ticker(
                    VENUE,
                    symbol,
                    asof,
                    ts_recv,
                    last=meta.regularMarketPrice,
                    high=meta.regularMarketDayHigh,
                    low=meta.regularMarketDayLow,
                    volume=_base(meta.regularMarketVolume, symbol),
                )
            )
    return found or [left_out(VENUE, "", ts_recv, "a chart without prices")]


def _bars(one: _Result, interval: str, asof: Nanos | None, ts_recv: Nanos) -> list[Event]:
    """Return the bars that have prices; one is over once the chart's own last price is beyond it."""
    symbol, length = _unified(one.meta.symbol), _INTERVALS.get(interval)
    columns = one.indicators.quote[0] if one.indicators.quote else _Columns()
    prices = zip_longest(columns.open, columns.high, columns.low, columns.close, columns.volume)
    found: list[Event] = []
    for start, (opened, high, low, close, volume) in zip(one.timestamp, prices, strict=False):
        if length is None or opened is None or high is None or low is None or close is None:
            continue
        begins, ends = start * SECOND, start * SECOND + length
        over = asof is not None and ends <= asof
        size = _base(volume, symbol)
        values = (opened, high, low, close, nan if size is None else size)
        ts = ends if over else asof
        found.append(Candle(VENUE, symbol, ts, ts_recv, interval, begins, ends - MS, *values, closed=over))
    return found


def _base(contracts: float | None, symbol: str) -> float | None:
    """Return an amount of contracts in base units; None where either is not known."""
    unit = _unit(symbol)
    return None if contracts is None or unit is None else contracts * unit


# ── Files of the user's own ───────────────────────────────────────────────────────────────────


def _cells(row: bytes, names: str) -> list[str]:
    cells = [cell.strip() for cell in row.decode().split(",")]
    wanted = names.count(",") + 1
    if len(cells) < wanted:
        raise VenueChanged(
            f"{VENUE}: a row of {len(cells)} cells: {row[:200]!r}", hint=f"the columns are {names}"
        )
    return cells


def _number(cell: str) -> float | None:
    """Return a number as exports write it: `-`, `nan` or nothing is none. Thousands must not be separated."""
    value = float(cell) if cell not in ("", "-") else nan
    return value if isfinite(value) else None


_QUOTE_COLUMNS = "time,bid,bid_contracts,ask,ask_contracts"
_DAY_COLUMNS = "trade_date,open,high,low,settlement,volume,open_interest"


def _quote_row(row: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a quote; times are ISO 8601, in UTC where they name no zone."""
    cells = _cells(row, _QUOTE_COLUMNS)
    said = datetime.fromisoformat(cells[0])
    said = said if said.tzinfo else said.replace(tzinfo=UTC)
    symbol = _unified(query.get("symbol", ""))
    bid, bids, ask, asks = (_number(cell) for cell in cells[1:5])
    ts = round(said.timestamp() * 1_000_000) * 1000
    return [Quote(VENUE, symbol, ts, ts_recv, bid, _base(bids, symbol), ask, _base(asks, symbol))]


def _day_row(row: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a trade date: a bar that closes at the settlement price, and the open interest at its end."""
    cells = _cells(row, _DAY_COLUMNS)
    symbol = _unified(query.get("symbol", ""))
    begins, ends = session(date.fromisoformat(cells[0]))
    opened, high, low, settled, volume, interest = (_number(cell) for cell in cells[1:7])
    found: list[Event] = []
    if opened is not None and high is not None and low is not None and settled is not None:
        size = _base(volume, symbol)
        volumes = nan if size is None else size
        bar = Candle(
            VENUE, symbol, ends, ts_recv, "1d", begins, ends - MS, opened, high, low, settled, volumes
        )
        found.append(msgspec.structs.replace(bar, closed=True))
    if interest is not None:
        size = _base(interest, symbol)
        found.append(OpenInterest(VENUE, symbol, ends, ts_recv, size, None, interest))
    return found or [left_out(VENUE, symbol, ts_recv, "a trade date without trades")]


# ── What they refuse ──────────────────────────────────────────────────────────────────────────


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the error that a body is: the CFTC's `{"code":…,"error":true}`, or Yahoo's in its chart."""
    try:
        said: Any = msgspec.json.decode(body) if body.startswith(b"{") and len(body) < 4096 else None
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    if said.get("error") is True:
        return str(said.get("code", "error")), str(said.get("message", ""))
    chart: Any = said.get("chart")
    fault: Any = chart.get("error") if isinstance(chart, dict) else None
    if isinstance(fault, dict):
        return str(fault.get("code", "")), str(fault.get("description", ""))
    return None


# ── Where they are asked ──────────────────────────────────────────────────────────────────────

_REPORT = {
    "$where": f"cftc_contract_market_code in ({_ASKED})",
    "$order": "report_date_as_yyyy_mm_dd DESC",
    "$limit": "40",
}
YAHOO = "yahoo"

ENDPOINTS = (
    Endpoint("positions", "/resource/gpe5-46if.json", _positions, _REPORT, cache_s=3600, of_symbol={}),
    Endpoint("legacy_positions", "/resource/6dca-aqww.json", _positions, _REPORT, cache_s=3600, of_symbol={}),
    Endpoint(
        "chart",
        "/v8/finance/chart/{ticker}",
        _chart,
        {"interval": "1h", "range": "5d"},
        ("ticker",),
        bucket=YAHOO,
        of_symbol={"ticker": "{yahoo}"},
        host=YAHOO,
        cache_s=60,
    ),
)

TABLES = (
    Endpoint("cme_quotes", "cme_quotes", _quote_row),
    Endpoint("cme_days", "cme_days", _day_row),
)

"""What OKX's sockets and its REST answers say in the same rows: instruments, trades, prices, bars."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite, isnan, nan
from typing import Literal

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    DAY,
    HOUR,
    MINUTE,
    MS,
    SECOND,
    Candle,
    Event,
    Funding,
    IndexPrice,
    Instrument,
    Level,
    MarkPrice,
    Nanos,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.venues import spec
from orderflow.venues.okx import LevelRow, nanos, number
from orderflow.venues.okx.wire import InstrumentRow, MarkRow, OpenInterestRow, TickerRow
from orderflow.venues.spec import Contract, Memory, contract, left_out

VENUE = "okx_futures"

# ── Names ─────────────────────────────────────────────────────────────────────────────────────

_SWAP = "-USDT-SWAP"


def native(symbol: str) -> str:
    """Return the venue's name of a symbol: that of its USDT swap, unless it already is one of the venue's.

    >>> native("BTCUSDT"), native("BTC-USD-SWAP")
    ('BTC-USDT-SWAP', 'BTC-USD-SWAP')
    """
    if "-" in symbol or not symbol.upper().endswith("USDT"):
        return symbol
    return symbol.upper().removesuffix("USDT") + _SWAP


def words(native: str) -> dict[str, str]:
    """Return what templates may say of an instrument; its index is named by its first two parts.

    >>> words("BTC-USDT-SWAP")["index"], words("BTC-USD_UM_XPERP-310404")["index"]
    ('BTC-USDT', 'BTC-USD')
    """
    base, _, rest = native.partition("-")
    quote = rest.partition("-")[0].partition("_")[0]
    return spec.words(native) | {"index": f"{base}-{quote}", "base": base}


@lru_cache(maxsize=4096)
def _unlisted(native: str) -> Contract:
    """Return what the name alone tells: the symbol, and that spot pairs count base units."""
    if native.endswith(_SWAP):
        return contract(native.removesuffix(_SWAP) + "USDT", nan)
    return contract(native, None if native.count("-") == 1 else nan)


def listed(native: str, memory: Memory) -> Contract:
    """Return the contract as it was listed, or what its name alone tells."""
    return memory.contracts.get(native) or _unlisted(native)


def symbol_of_index(index: str, memory: Memory) -> str:
    """Return the symbol of the swap that an index belongs to: `BTC-USDT` is that of BTC-USDT-SWAP."""
    return listed(f"{index}-SWAP", memory).symbol


# ── Levels ────────────────────────────────────────────────────────────────────────────────────


def levels(rows: list[LevelRow], of: Contract) -> list[Level]:
    """Return levels in base units. A removed level stays 0 where the contract's size is not known."""
    if of.inverse:
        return [(one.price, one.size and of.base(one.size, one.price)) for one in rows]
    times, over = of.times, of.over
    if times == over:
        return [(one.price, one.size) for one in rows]
    if isnan(times):
        return [(one.price, one.size and nan) for one in rows]
    return [(one.price, one.size * times / over) for one in rows]


# ── Instruments ───────────────────────────────────────────────────────────────────────────────

_KINDS = {"SWAP": "perpetual", "FUTURES": "future", "SPOT": "spot", "MARGIN": "spot", "OPTION": "option"}


def instrument(row: InstrumentRow, ts_recv: Nanos) -> Instrument:
    family = words(row.instFamily or row.uly or row.instId)["index"]
    base, quote = row.baseCcy or family.partition("-")[0], row.quoteCcy or family.partition("-")[2]
    ours = row.instType == "SWAP" and row.ctType == "linear" and row.settleCcy == "USDT"
    kind = _KINDS.get(row.instType, row.instType.lower())
    return Instrument(
        VENUE,
        base + quote if ours else row.instId,
        None,
        ts_recv,
        native=row.instId,
        kind=kind,
        base=base,
        quote=quote,
        status=row.state,
        trading=row.state == "live",
        contract_size=None if kind == "spot" else _contract_size(row),
        tick=number(row.tickSz),
        lot=number(row.lotSz),
        listed_ts=nanos(row.listTime),
        inverse=row.ctType == "inverse",
    )


def _contract_size(row: InstrumentRow) -> float:
    """Return what one contract is; NaN, so that nothing is converted, where the row does not say."""
    size = (number(row.ctVal) or nan) * (number(row.ctMult) or nan)
    return size if isfinite(size) and size > 0 else nan


# ── Trades and prices ─────────────────────────────────────────────────────────────────────────


class TradeRow(msgspec.Struct, gc=False):
    instId: str
    tradeId: int
    px: float
    sz: float
    side: Literal["buy", "sell"]
    ts: int
    count: int = 1


def trade(row: TradeRow, ts_recv: Nanos, memory: Memory) -> Trade:
    of = listed(row.instId, memory)
    size = of.base(row.sz, row.px)
    sold = row.side == "sell"
    return Trade(VENUE, of.symbol, row.ts * MS, ts_recv, row.tradeId, sold, row.px, size, row.count)


def mark(row: MarkRow, ts_recv: Nanos, memory: Memory) -> MarkPrice:
    return MarkPrice(VENUE, listed(row.instId, memory).symbol, row.ts * MS, ts_recv, row.markPx)


class IndexRow(msgspec.Struct, gc=False):
    instId: str
    idxPx: float
    ts: int


def index(row: IndexRow, ts_recv: Nanos, memory: Memory) -> IndexPrice:
    return IndexPrice(VENUE, symbol_of_index(row.instId, memory), row.ts * MS, ts_recv, row.idxPx)


class FundingRow(msgspec.Struct, gc=False):
    instId: str
    fundingTime: int
    fundingRate: str = ""
    nextFundingRate: str = ""
    nextFundingTime: str = ""
    ts: str = ""


def funding(row: FundingRow, ts_recv: Nanos, memory: Memory) -> Event:
    symbol = listed(row.instId, memory).symbol
    rate = number(row.fundingRate)
    if rate is None:
        return left_out(VENUE, symbol, ts_recv, "no funding rate yet")
    next_ts, after_ts = row.fundingTime * MS, nanos(row.nextFundingTime)
    return Funding(
        VENUE,
        symbol,
        nanos(row.ts),
        ts_recv,
        rate,
        predicted=number(row.nextFundingRate),
        interval_hours=None if after_ts is None or after_ts <= next_ts else (after_ts - next_ts) / HOUR,
        next_ts=next_ts,
    )


def open_interest(row: OpenInterestRow, ts_recv: Nanos, memory: Memory) -> OpenInterest:
    symbol = listed(row.instId, memory).symbol
    size, usd, contracts = number(row.oiCcy), number(row.oiUsd), number(row.oi)
    return OpenInterest(VENUE, symbol, row.ts * MS, ts_recv, size, usd, contracts)


def best(row: TickerRow, ts_recv: Nanos, memory: Memory) -> Quote:
    """Return the best bid and ask of a ticker; sockets tell them sooner on `bbo-tbt`."""
    of = listed(row.instId, memory)
    bid, ask, bids, asks = (number(said) or None for said in (row.bidPx, row.askPx, row.bidSz, row.askSz))
    return Quote(
        VENUE,
        of.symbol,
        row.ts * MS,
        ts_recv,
        bid,
        of.base(bids, bid) if bid and bids else None,
        ask,
        of.base(asks, ask) if ask and asks else None,
    )


def ticker(row: TickerRow, ts_recv: Nanos, memory: Memory) -> Ticker:
    """Return the 24 hours: of spot pairs `volCcy24h` is quote units, of all others it is base units."""
    spot = row.instType in ("SPOT", "MARGIN")
    return Ticker(
        VENUE,
        listed(row.instId, memory).symbol,
        row.ts * MS,
        ts_recv,
        last=number(row.last),
        open=number(row.open24h),
        high=number(row.high24h),
        low=number(row.low24h),
        volume=number(row.vol24h if spot else row.volCcy24h),
        quote_volume=number(row.volCcy24h) if spot else None,
    )


# ── Bars ──────────────────────────────────────────────────────────────────────────────────────


class CandleRow(msgspec.Struct, array_like=True, gc=False):
    """A bar; recordings of 2022 end behind `volume_ccy`."""

    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    volume_ccy: str
    volume_quote: str = ""
    confirm: str = ""


class _Bar(msgspec.Struct, frozen=True):
    """`name` is ours, as `1m`, `4h`, `1d`; bars cut by the venue's own day, which is UTC+8, end in +08."""

    name: str
    nanos: Nanos  # 0 where it is months
    months: int
    ahead: Nanos  # of UTC


_UNITS = {"s": SECOND, "m": MINUTE, "H": HOUR, "D": DAY, "W": 7 * DAY, "M": 0}
_AHEAD = 8 * HOUR


@lru_cache(maxsize=256)
def _bar(name: str) -> _Bar:
    said = re.fullmatch(r"([1-9]\d{0,2})([smHDWM])(utc)?", name)
    if said is None:
        raise VenueChanged(f"{VENUE}: a bar of unknown length {name!r}")
    count, unit = int(said[1]), said[2]
    length = count * _UNITS[unit]
    anywhere = length > 0 and _AHEAD % length == 0  # cut alike by both days
    ahead = 0 if said[3] or anywhere else _AHEAD
    ours = f"{count}{unit if unit == 'M' else unit.lower()}{'+08' if ahead else ''}"
    return _Bar(ours, length, count if unit == "M" else 0, ahead)


def _end(opened: Nanos, bar: _Bar) -> Nanos:
    """Return the last instant of a bar, to the millisecond."""
    if not bar.months:
        return opened + bar.nanos - MS
    try:
        first = datetime.fromtimestamp((opened + bar.ahead) // SECOND, UTC)
        month = first.year * 12 + first.month - 1 + bar.months
        after = first.replace(year=month // 12, month=month % 12 + 1)
    except (OverflowError, OSError) as error:
        raise VenueChanged(f"{VENUE}: a bar that opens at {opened} ns") from error
    return round(after.timestamp()) * SECOND - bar.ahead - MS


def candles(
    rows: Sequence[CandleRow], native: str, bar_name: str, ts_recv: Nanos, memory: Memory
) -> list[Event]:
    """Decode bars. An open one has no time of the venue's: its end lies ahead."""
    of, bar = listed(native, memory), _bar(bar_name)
    spot = native.count("-") == 1
    found: list[Event] = []
    for row in rows:
        opened = row.ts * MS
        ends, closed = _end(opened, bar), row.confirm == "1"
        volume = row.volume if spot else number(row.volume_ccy)
        found.append(
            Candle(
                VENUE,
                of.symbol,
                ends if closed else None,
                ts_recv,
                interval=bar.name,
                open_ts=opened,
                close_ts=ends,
                open=row.open,
                high=row.high,
                low=row.low,
                close=row.close,
                volume=of.base(row.volume, row.close) if volume is None else volume,
                quote_volume=number(row.volume_ccy if spot else row.volume_quote),
                closed=closed,
            )
        )
    return found

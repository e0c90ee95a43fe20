"""What OKX's answers about options mean. Prices are in coin, greeks are those of Black-Scholes, in dollars."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import nan
from typing import Literal

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import MS, SECOND, BookUpdate, Event, Instrument, Level, Nanos, Option
from orderflow.market.facts import Asset, OptionContract
from orderflow.venues import spec
from orderflow.venues.okx import LevelRow, nanos, number
from orderflow.venues.okx.wire import BookRow, InstrumentRow, MarkRow, OpenInterestRow, TickerRow
from orderflow.venues.spec import Memory, Query, contract, left_out

VENUE = "okx_options"
_EXPIRY_HOUR = 8  # UTC

# ── Names ─────────────────────────────────────────────────────────────────────────────────────


class Named(msgspec.Struct, frozen=True):
    """What the name of an option says; `symbol` is that of its coin, `family` how the name begins."""

    family: str
    symbol: str
    expiry_ts: Nanos
    strike: float
    kind: Literal["call", "put"]


_NAME = re.compile(r"((\w+)-\w+)-(\d{6})-([\d.]+)-([CP])")


@lru_cache(maxsize=8192)
def named(native: str) -> Named:
    """Return what a name says. Raises `VenueChanged`.

    >>> one = named("BTC-USD-261225-90000-C")
    >>> one.family, one.symbol, one.strike, one.kind, one.expiry_ts // 10**9
    ('BTC-USD', 'BTCUSDT', 90000.0, 'call', 1798185600)
    """
    said = _NAME.fullmatch(native)
    if said is None:
        raise VenueChanged(f"{VENUE}: no name of an option: {native[:60]!r}")
    family, base, day, strike, right = said.groups()
    try:
        moment = datetime.strptime(day, "%y%m%d").replace(hour=_EXPIRY_HOUR, tzinfo=UTC)
    except ValueError as error:
        raise VenueChanged(f"{VENUE}: no day in the option's name {native!r}") from error
    expiry_ts = int(moment.timestamp()) * SECOND
    return Named(family, f"{base}USDT", expiry_ts, float(strike), "call" if right == "C" else "put")


def native(symbol: str) -> str:
    """Return the family of a unified symbol's options, or what is a name already.

    >>> native("BTCUSDT"), native("ETH-USD")
    ('BTC-USD', 'ETH-USD')
    """
    return symbol if "-" in symbol else f"{symbol.upper().removesuffix('USDT')}-USD"


def words(native: str) -> dict[str, str]:
    """Return what templates may say of an option: its family, and the day on which it expires.

    >>> words("BTC-USD-261225-90000-C")["family"], words("BTC-USD-261225-90000-C")["day"]
    ('BTC-USD', '261225')
    """
    parts = native.split("-")
    return spec.words(native) | {"family": "-".join(parts[:2]), "day": parts[2] if len(parts) > 2 else ""}


def symbol_of(native: str, memory: Memory) -> str:
    return named(native).symbol


def _option(native: str, ts: Nanos, ts_recv: Nanos, **more: float | None) -> Option:
    of = named(native)
    return Option(VENUE, of.symbol, ts, ts_recv, native, of.expiry_ts, of.strike, of.kind, **more)


# ── The chain ─────────────────────────────────────────────────────────────────────────────────


class SummaryRow(msgspec.Struct, gc=False):
    """Volatilities as fractions a year; `…BS` are the greeks in dollars, the others those in coin."""

    instId: str
    ts: int
    bidVol: str = ""
    askVol: str = ""
    markVol: str = ""
    fwdPx: str = ""
    deltaBS: str = ""
    gammaBS: str = ""
    vegaBS: str = ""
    thetaBS: str = ""


def summary(row: SummaryRow, ts_recv: Nanos, memory: Memory) -> Option:
    """Return volatilities, of which zero is none, and greeks, of which it is not."""
    return _option(
        *(row.instId, row.ts * MS, ts_recv),
        bid_iv=number(row.bidVol) or None,
        ask_iv=number(row.askVol) or None,
        mark_iv=number(row.markVol) or None,
        underlying_price=number(row.fwdPx) or None,
        delta=number(row.deltaBS),
        gamma=number(row.gammaBS),
        vega=number(row.vegaBS),
        theta=number(row.thetaBS),
    )


def ticker(row: TickerRow, ts_recv: Nanos, memory: Memory) -> Option:
    """Return the best prices, of which zero is none, and what was traded in a day, in coins."""
    return _option(
        *(row.instId, row.ts * MS, ts_recv),
        bid=number(row.bidPx) or None,
        ask=number(row.askPx) or None,
        volume_24h=number(row.volCcy24h),
    )


def mark(row: MarkRow, ts_recv: Nanos, memory: Memory) -> Option:
    return _option(row.instId, row.ts * MS, ts_recv, mark_price=row.markPx)


def open_interest(row: OpenInterestRow, ts_recv: Nanos, memory: Memory) -> Option:
    return _option(row.instId, row.ts * MS, ts_recv, open_interest=number(row.oiCcy))


# ── The listing ───────────────────────────────────────────────────────────────────────────────


def listed(found: list[InstrumentRow], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return each option as an instrument and as a contract, and each day on which some expire.

    What a contract of a family is worth is kept: books count contracts.
    """
    events: list[Event] = []
    days: dict[tuple[str, Nanos], Event] = {}
    for row in found:
        of, size = named(row.instId), _coins(row)
        if size is not None:
            memory.states[_size_key(of.family)] = size
        events += _as_listed(row, of, size, ts_recv)
        day = row.instId.split("-")[2]
        days[of.symbol, of.expiry_ts] = Asset(
            VENUE, of.symbol, None, ts_recv, _date(of.expiry_ts), day, "expiry", expiry_ts=of.expiry_ts
        )
    return [*events, *(days[key] for key in sorted(days))]


def _coins(row: InstrumentRow) -> float | None:
    """Return how many coins a contract is worth, where the row says so."""
    value, times = number(row.ctVal), number(row.ctMult)
    return value * times if value and times else None


def _as_listed(row: InstrumentRow, of: Named, size: float | None, ts_recv: Nanos) -> tuple[Event, Event]:
    base, _, quote = of.family.partition("-")
    trading, tick = row.state == "live", number(row.tickSz)
    return (
        Instrument(
            *(VENUE, of.symbol, None, ts_recv, row.instId, "option", base, quote, row.state, trading),
            *(size, tick, number(row.lotSz)),
            listed_ts=nanos(row.listTime),
        ),
        OptionContract(
            *(VENUE, of.symbol, None, ts_recv, row.instId, of.expiry_ts, of.strike, of.kind),
            *(size, tick, trading),
        ),
    )


def _date(ts: Nanos) -> str:
    return f"{datetime.fromtimestamp(ts // SECOND, UTC):%Y-%m-%d}"


def _size_key(family: str) -> str:
    return f"contract {family}"


def underlyings(found: list[list[str]], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        Asset(VENUE, f"{base}USDT", None, ts_recv, base, family, "underlying")
        for families in found
        for family in families
        for base in (family.partition("-")[0],)
    ]


# ── Books ─────────────────────────────────────────────────────────────────────────────────────


def books(found: list[BookRow], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return a book under the option's own name; sizes are coins, or unknown where the listing was not read."""
    if "instId" not in query:
        return (left_out(VENUE, "", ts_recv, "an answer whose request is not recorded has no symbol"),)
    name = query["instId"]
    size = memory.states.get(_size_key(named(name).family), nan)
    of = contract(name, size)

    def levels(rows: Sequence[LevelRow]) -> list[Level]:
        return [(one.price, of.base(one.size, one.price)) for one in rows]

    return [
        BookUpdate(
            *(VENUE, name, row.ts * MS, ts_recv, True, levels(row.bids), levels(row.asks), row.seqId),
            depth=max(len(row.bids), len(row.asks)),
        )
        for row in found
    ]

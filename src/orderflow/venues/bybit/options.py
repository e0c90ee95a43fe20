"""What Bybit answers about options: the chain with its greeks, books, contracts, deliveries, volatility.

Quirks  BTC-27MAR26-70000-P-USDT is settled in USDT, BTC-27MAR26-70000-P in USDC: prices are in that coin and
        not in the underlying's. A contract is of one coin, so that sizes are coins. All expire at 08:00 UTC.
        A zero where a price or its volatility stands says that there is none; a greek may well be zero.
        Whether `openInterest` counts both sides here, as it does of futures, no page says: it is kept as
        it is told (UNCONFIRMED).
        A page of contracts holds a thousand, of which no further one is asked for. A coin without options
        has an empty list (UNCONFIRMED; the simulator answers so).
Times   When the venue answered; of a volatility its own. A delivery is stamped with the midnight that its day
        begins with, and is made eight hours later.
"""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import DAY, HOUR, MS, Event, Instrument, Nanos, Option
from orderflow.market.facts import Asset, OptionContract, Settlement, Volatility
from orderflow.venues.bybit import facts
from orderflow.venues.bybit.envelope import Meaning, Said, enveloped
from orderflow.venues.bybit.option_names import EXPIRY_HOUR, Named, date_of, day_of, named, symbol_of
from orderflow.venues.bybit.rest import depth_of
from orderflow.venues.spec import Endpoint, left_out

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Ticker(msgspec.Struct, gc=False):
    symbol: str
    bid1Price: str = ""
    bid1Iv: str = ""
    ask1Price: str = ""
    ask1Iv: str = ""
    markPrice: str = ""
    markIv: str = ""
    underlyingPrice: str = ""
    openInterest: str = ""
    volume24h: str = ""
    delta: str = ""
    gamma: str = ""
    vega: str = ""
    theta: str = ""


class _Tickers(msgspec.Struct):
    list: list[_Ticker]


class _Price(msgspec.Struct, frozen=True):
    tickSize: float | None = None


class _Lot(msgspec.Struct, frozen=True):
    qtyStep: float | None = None


class _Listed(msgspec.Struct):
    symbol: str
    status: str
    baseCoin: str
    quoteCoin: str
    deliveryTime: int
    launchTime: int | None = None
    priceFilter: _Price = _Price()
    lotSizeFilter: _Lot = _Lot()


class _Listing(msgspec.Struct):
    list: list[_Listed]


class _Coin(msgspec.Struct):
    baseCoin: str
    optionShowName: str = ""
    hasSymbol: int = 1


class _Coins(msgspec.Struct):
    list: list[_Coin]


class _Delivery(msgspec.Struct):
    deliveryPrice: float
    deliveryTime: int


class _Deliveries(msgspec.Struct):
    list: list[_Delivery]


class _Realised(msgspec.Struct, gc=False):
    period: int
    value: float
    time: int


_TICKERS = msgspec.json.Decoder(_Tickers)
_LISTING = msgspec.json.Decoder(_Listing, strict=False)
_COINS = msgspec.json.Decoder(_Coins, strict=False)
_DELIVERIES = msgspec.json.Decoder(_Deliveries, strict=False)
_REALISED = msgspec.json.Decoder(list[_Realised], strict=False)

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def _chain(asked: Said) -> Sequence[Event]:
    """Decode a chain, and the expiries that it has, the nearest first."""
    found: list[Event] = []
    expiries: dict[tuple[str, str], Nanos] = {}
    for one in _TICKERS.decode(asked.result).list:
        name = named(one.symbol)
        if name is None:
            reason = f"no option is told by the name {one.symbol[:40]!r}"
            found.append(left_out(asked.venue, "", asked.ts_recv, reason))
            continue
        expiries[name.symbol, name.day] = name.expiry_ts
        found.append(_option(asked, one, name))
    for (symbol, day), expiry_ts in sorted(expiries.items(), key=lambda one: one[1]):
        found.append(
            Asset(
                *(asked.venue, symbol, asked.sent, asked.ts_recv, date_of(expiry_ts), day),
                kind="expiry",
                expiry_ts=expiry_ts,
            )
        )
    return found


def _option(asked: Said, one: _Ticker, name: Named) -> Option:
    return Option(
        *(asked.venue, name.symbol, asked.sent, asked.ts_recv, one.symbol),
        name.expiry_ts,
        name.strike,
        name.kind,
        bid=_unless_zero(one.bid1Price),
        ask=_unless_zero(one.ask1Price),
        bid_iv=_unless_zero(one.bid1Iv),
        ask_iv=_unless_zero(one.ask1Iv),
        mark_price=_number(one.markPrice),
        mark_iv=_unless_zero(one.markIv),
        underlying_price=_unless_zero(one.underlyingPrice),
        open_interest=_number(one.openInterest),
        volume_24h=_number(one.volume24h),
        delta=_number(one.delta),
        gamma=_number(one.gamma),
        vega=_number(one.vega),
        theta=_number(one.theta),
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _unless_zero(text: str) -> float | None:
    return _number(text) or None


def _instruments(asked: Said) -> Sequence[Event]:
    """Decode the contracts of a coin, as instruments and as options."""
    found: list[Event] = []
    for one in _LISTING.decode(asked.result).list:
        name = named(one.symbol)
        if name is None:
            continue
        trading, tick = one.status == "Trading", one.priceFilter.tickSize
        found.append(
            Instrument(
                *(asked.venue, name.symbol, asked.sent, asked.ts_recv, one.symbol, "option"),
                *(one.baseCoin, one.quoteCoin, one.status, trading, 1.0, tick, one.lotSizeFilter.qtyStep),
                listed_ts=one.launchTime * MS if one.launchTime else None,
            )
        )
        found.append(
            OptionContract(
                *(asked.venue, name.symbol, asked.sent, asked.ts_recv, one.symbol),
                *(one.deliveryTime * MS, name.strike, name.kind, 1.0, tick, trading),
            )
        )
    return found


def _underlyings(asked: Said) -> Sequence[Event]:
    return [
        Asset(
            *(asked.venue, symbol_of(one.baseCoin), asked.sent, asked.ts_recv, one.baseCoin, one.baseCoin),
            kind="underlying",
            status="trading" if one.hasSymbol else "no contracts",
        )
        for one in _COINS.decode(asked.result).list
    ]


def _deliveries(asked: Said) -> Sequence[Event]:
    """Decode the prices at which all options of an expiry were settled, newest first."""
    coin = asked.query.get("baseCoin", "")
    return [
        Settlement(
            *(asked.venue, symbol_of(coin), _delivered(one.deliveryTime * MS), asked.ts_recv),
            "delivery",
            f"{coin}-{day_of(one.deliveryTime * MS)}",
            one.deliveryPrice,
        )
        for one in reversed(_DELIVERIES.decode(asked.result).list)
    ]


def _delivered(stamp: Nanos) -> Nanos:
    return stamp + EXPIRY_HOUR * HOUR if stamp % DAY == 0 else stamp


def _realised(asked: Said) -> Sequence[Event]:
    coin = asked.query.get("baseCoin", "BTC")
    return [
        Volatility(
            *(asked.venue, symbol_of(coin), one.time * MS, asked.ts_recv),
            *(one.value, "realised", float(one.period)),
        )
        for one in sorted(_REALISED.decode(asked.result), key=lambda one: one.time)
    ]


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────


def endpoints(venue: str) -> tuple[Endpoint, ...]:
    """Return what is asked about options."""

    def asked(name: str, path: str, meaning: Meaning, *needs: str, **params: str) -> Endpoint:
        every = {"category": "option", **params}
        return Endpoint(name, f"/v5/market/{path}", enveloped(venue, "option", meaning), every, needs)

    return (
        asked("instruments", "instruments-info", _instruments, "baseCoin", limit="1000"),
        asked("chain", "tickers", _chain),  # it wants a coin or a symbol
        asked("depth", "orderbook", depth_of, "symbol", limit="25"),
        asked("volatility", "historical-volatility", _realised, "baseCoin"),
        asked("deliveries", "new-delivery-price", _deliveries, "baseCoin"),
        Endpoint(
            "underlyings",
            "/v5/market/option-base-coins",
            enveloped(venue, "option", _underlyings),
            cache_s=3600,
        ),
        *facts.of_the_venue(venue, "option"),
    )

"""A small option chain on a simulated coin: three expiries, five strikes, priced by Black-76. Pure; no clock."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zlib import crc32

import msgspec

from orderflow.sim.happenings import Millis
from orderflow.sim.listings import COINS

PRICE_TICK = 0.0001  # coin
AMOUNT_STEP = {"BTC": 0.1, "ETH": 1.0}
_FRIDAYS = (1, 2, 5)  # weeks ahead
_MONEYNESS = (0.8, 0.9, 1.0, 1.1, 1.2)
_YEAR_MS = 365 * 86_400_000
_CARRY = 0.05  # a year: how much dearer the underlying future is than the index
_HALF_SPREAD_IV = 0.01
_DAYS_PER_YEAR = 365


class Priced(msgspec.Struct, frozen=True):
    """Black-76 of one option: value in dollars, greeks as the venue words them."""

    value: float
    delta: float  # for one coin
    gamma: float  # for one dollar
    vega: float  # dollars for one point of volatility
    theta: float  # dollars a day
    rho: float  # dollars for one point of interest


def black_76(forward: float, strike: float, years: float, vol: float, *, call: bool) -> Priced:
    """Price a European option on a future without interest.

    >>> found = black_76(100.0, 100.0, 1.0, 0.2, call=True)
    >>> round(found.value, 4), round(found.delta, 4), round(found.vega, 4)
    (7.9656, 0.5398, 0.397)
    """
    root = vol * math.sqrt(years)
    d1 = math.log(forward / strike) / root + root / 2
    d2 = d1 - root
    sign = 1.0 if call else -1.0
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    value = sign * (forward * _normal(sign * d1) - strike * _normal(sign * d2))
    vega = forward * density * math.sqrt(years)
    return Priced(
        value=value,
        delta=sign * _normal(sign * d1),
        gamma=density / (forward * root),
        vega=vega / 100,
        theta=-vega * vol / (2 * years) / _DAYS_PER_YEAR,
        rho=-value * years / 100,
    )


def _normal(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


# ── The chain ─────────────────────────────────────────────────────────────────────────────────


class Contract(msgspec.Struct, frozen=True):
    """One option of the chain."""

    name: str
    base: str
    expiry_ms: Millis
    strike: float
    call: bool

    @property
    def underlying(self) -> str:
        return "-".join(self.name.split("-")[:2])

    @property
    def open_interest(self) -> float:
        """The same number for the same option, whenever it is asked."""
        return crc32(self.name.encode()) % 20_000 / 10

    @property
    def listed_ms(self) -> Millis:
        return self.expiry_ms - max(_FRIDAYS) * 7 * 86_400_000


@lru_cache(maxsize=64)
def chain(symbol: str, week: int) -> tuple[Contract, ...]:
    """The options that trade in a week, counted from 1970 as weeks that end on Fridays, 08:00 UTC."""
    coin = COINS[symbol]
    found: list[Contract] = []
    for ahead in _FRIDAYS:
        expiry = datetime.fromtimestamp(0, UTC) + timedelta(days=1, hours=8, weeks=week + ahead)
        day = f"{expiry.day}{expiry:%b%y}".upper()
        for strike in _strikes(coin.price):
            for call in (True, False):
                name = f"{coin.base}-{day}-{strike}-{'C' if call else 'P'}"
                expiry_ms = round(expiry.timestamp() * 1000)
                found.append(Contract(name, coin.base, expiry_ms, float(strike), call))
    return tuple(found)


def listed(symbol: str, now_ms: Millis) -> tuple[Contract, ...]:
    """The options that trade now: every Friday one expiry goes and another comes."""
    friday_ms = (24 + 8) * 3_600_000  # the first of 1970
    return chain(symbol, (now_ms - friday_ms) // (7 * 86_400_000))


def _strikes(price: float) -> Iterator[int]:
    step = 10 ** math.floor(math.log10(price / 20)) or 1
    return (round(price * share / step) * step for share in _MONEYNESS)


class Quoted(msgspec.Struct, frozen=True):
    """An option's prices in coin and volatilities as fractions; 0 where there is no bid."""

    forward: float
    mark: float
    bid: float
    ask: float
    mark_iv: float
    bid_iv: float
    ask_iv: float
    priced: Priced


def at_the_money(symbol: str, now_ms: Millis) -> float:
    """The volatility around which the smile lies; it breathes by a twentieth in the course of an hour."""
    return COINS[symbol].yearly_vol * (1 + 0.05 * math.sin(now_ms / 3_600_000 * 2 * math.pi))


def quoted(one: Contract, symbol: str, index: float, now_ms: Millis) -> Quoted:
    """Price an option off the index; the smile is a parabola in log-moneyness."""
    years = max(1, one.expiry_ms - now_ms) / _YEAR_MS
    forward = index * (1 + _CARRY * years)
    away = math.log(one.strike / forward)
    vol = at_the_money(symbol, now_ms) + 0.4 * away * away - 0.05 * away
    priced = black_76(forward, one.strike, years, vol, call=one.call)

    def in_coin(at: float) -> float:
        return black_76(forward, one.strike, years, at, call=one.call).value / forward

    bid = math.floor(in_coin(vol - _HALF_SPREAD_IV) / PRICE_TICK) * PRICE_TICK
    ask = math.ceil(in_coin(vol + _HALF_SPREAD_IV) / PRICE_TICK) * PRICE_TICK
    return Quoted(
        forward,
        priced.value / forward,
        round(max(0.0, bid), 4),
        round(max(PRICE_TICK, ask), 4),
        vol,
        vol - _HALF_SPREAD_IV if bid > 0 else 0.0,
        vol + _HALF_SPREAD_IV,
        priced,
    )

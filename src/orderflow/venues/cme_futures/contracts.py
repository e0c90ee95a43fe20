"""CME's calendar of bitcoin and ether futures: codes, listed months, last trades, business days. Pure.

Docs    https://www.cmegroup.com/markets/cryptocurrencies/bitcoin/bitcoin.contractSpecs.html
A contract trades until 16:00 in London on the last Friday of its month or, where that is no business day
in London and in the United States, until then on the last day before that is one. Six months in a row are
listed, and two Decembers more (one, where December is among the six). Trading has had no weekends since
29 May 2026; when the weekly maintenance is, is UNCONFIRMED, so that no hour counts as closed here.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import msgspec

from orderflow.market.errors import UnknownSymbol
from orderflow.market.events import DAY, SECOND, Nanos

MONTHS = "FGHJKMNQUVXZ"
UNITS = {"BTC": 5.0, "MBT": 0.1, "ETH": 50.0, "MET": 0.1}  # base units in a contract

_LONDON, _CHICAGO = ZoneInfo("Europe/London"), ZoneInfo("America/Chicago")
_CLOSES = time(16)
_OPENS = time(17)
_FIRST = date(2017, 12, 18)
_WITHOUT_WEEKENDS = date(2026, 5, 29)
_DECEMBER = 12
_FRIDAY, _MONDAY, _SATURDAY = 4, 0, 5
_FURTHER_DECEMBERS = 2


class Future(msgspec.Struct, frozen=True, order=True):
    """A contract month of a product."""

    year: int
    month: int
    root: str

    @property
    def code(self) -> str:
        """The name that no decade repeats: BTCZ26."""
        return f"{self.root}{MONTHS[self.month - 1]}{self.year % 100:02d}"

    @property
    def globex(self) -> str:
        """The name at the exchange, with the last digit of its year: BTCZ6."""
        return f"{self.root}{MONTHS[self.month - 1]}{self.year % 10}"

    @property
    def last_trade(self) -> date:
        """The day on which it expires.

        >>> parse("BTCZ26").last_trade.isoformat()  # the last Friday is Christmas
        '2026-12-24'
        """
        following = date(self.year + self.month // 12, self.month % 12 + 1, 1)
        day = following - timedelta(days=1)
        while day.weekday() != _FRIDAY:
            day -= timedelta(days=1)
        while not is_business_day(day):
            day -= timedelta(days=1)
        return day

    @property
    def expires(self) -> Nanos:
        """The instant after which it does not trade: 16:00 in London, in summer 15:00 UTC."""
        return _instant(self.last_trade, _CLOSES, _LONDON)

    def days_left(self, now: Nanos) -> float:
        """Days until it expires, and below zero after that."""
        return (self.expires - now) / DAY


def parse(code: str, near: date | None = None) -> Future:
    """Return the contract that a code names; one digit of a year is the one nearest to `near`.

    >>> parse("ETHH27").expires == parse("ETHH7", date(2026, 11, 21)).expires
    True
    """
    root, rest = code[:3].upper(), code[3:].upper().removesuffix(".CME")
    month, digits = MONTHS.find(rest[:1]), rest[1:]
    if root not in UNITS or month < 0 or not rest or not digits.isdecimal() or len(digits) > 2:
        raise UnknownSymbol(f"no contract {code!r}", hint="as BTCZ26: BTC, MBT, ETH or MET, month, year")
    year = 2000 + int(digits)
    if len(digits) == 1:
        if near is None:
            raise UnknownSymbol(f"{code!r}: one digit does not tell the year", hint="say BTCZ26, with two")
        year = next(one for one in range(near.year - 4, near.year + 6) if one % 10 == int(digits))
    return Future(year, month + 1, root)


# ── Days ──────────────────────────────────────────────────────────────────────────────────────


@cache
def _closed(year: int) -> frozenset[date]:
    import holidays  # a tenth of a second of every start, asked for by few

    london = holidays.country_holidays("GB", subdiv="ENG", years=year)
    york = holidays.financial_holidays("NYSE", years=year)
    return frozenset([*london, *york])


def is_business_day(day: date) -> bool:
    """Tell whether London and the United States both do business."""
    return day.weekday() < _SATURDAY and day not in _closed(day.year)


def business_days(start: date, end: date) -> int:
    """Count the business days after one day, up to and with another."""
    return sum(is_business_day(start + timedelta(days=one)) for one in range(1, (end - start).days + 1))


def session(trade_date: date) -> tuple[Nanos, Nanos]:
    """Return when the trades of a trade date begin and end: from 17:00 to 16:00 in Chicago.

    A Monday begins on Sunday or, since there are no weekends, on Friday. Raises `ValueError` for a day on
    which there were no such futures yet.
    """
    if trade_date < _FIRST:
        raise ValueError(f"no contract traded on {trade_date}: the first ones did on {_FIRST}")
    before = trade_date - timedelta(days=1)
    if trade_date.weekday() == _MONDAY and trade_date > _WITHOUT_WEEKENDS:
        before = trade_date - timedelta(days=3)
    return _instant(before, _OPENS, _CHICAGO), _instant(trade_date, _CLOSES, _CHICAGO)


def _instant(day: date, at: time, zone: ZoneInfo) -> Nanos:
    return round(datetime.combine(day, at, zone).timestamp()) * SECOND


# ── Months ────────────────────────────────────────────────────────────────────────────────────


def listed(root: str, now: Nanos) -> list[Future]:
    """Return the contracts that trade, the front month first."""
    trading = (one for one in _months(root, now) if one.expires > now)
    six = [next(trading) for _ in range(6)]
    further = _FURTHER_DECEMBERS - any(one.month == _DECEMBER for one in six)
    decembers = (one for one in trading if one.month == _DECEMBER)
    return six + [next(decembers) for _ in range(further)]


def front(root: str, now: Nanos) -> Future:
    """Return the contract that expires next."""
    return next(one for one in _months(root, now) if one.expires > now)


def _months(root: str, now: Nanos) -> Iterator[Future]:
    day = datetime.fromtimestamp(now // SECOND, UTC).date()
    place = day.year * 12 + day.month - 1
    while True:
        yield Future(place // 12, place % 12 + 1, root)
        place += 1

"""What stands beside an axis: times in UTC, prices by their tick, and amounts in few characters."""

import math
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from orderflow.flow.levels import decimals, round_step
from orderflow.market.events import DAY, HOUR, MINUTE, MS, SECOND, Nanos

# ── Times ─────────────────────────────────────────────────────────────────────────────────────

_TIMES: tuple[Nanos, ...] = (
    *(count * MS for count in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(count * SECOND for count in (1, 2, 5, 10, 15, 30)),
    *(count * MINUTE for count in (1, 2, 5, 10, 15, 30)),
    *(count * HOUR for count in (1, 2, 3, 4, 6, 12)),
    *(count * DAY for count in (1, 2, 7, 14, 28, 91, 182, 364)),
)
_MONDAY = 4 * DAY  # the first one after the epoch: weeks are counted from it


class TimeTick(NamedTuple):
    at: Nanos
    label: str
    day: bool  # a day begins here


def time_ticks(since: Nanos, until: Nanos, most: int) -> list[TimeTick]:
    """Return at most so many round times in [since, until], in UTC; a day's first says the day.

    >>> [tick.label for tick in time_ticks(23 * HOUR, 25 * HOUR, 5)]
    ['23:00', '23:30', '2 Jan', '00:30', '01:00']
    """
    step = next((one for one in _TIMES if (until - since) // one < max(1, most)), None)
    if step is None:
        step = -(-(until - since) // (364 * DAY * max(1, most))) * 364 * DAY
    zero = _MONDAY if step >= 7 * DAY else 0
    first = -(-(since - zero) // step) * step + zero
    return [TimeTick(at, _time(at, step), at % DAY == 0) for at in range(first, until + 1, step)]


def _time(at: Nanos, step: Nanos) -> str:
    then = datetime.fromtimestamp(at // SECOND, UTC)
    if at % DAY == 0:
        return f"{then:%Y}" if step >= 364 * DAY else f"{then.day} {then:%b}"
    if step % MINUTE == 0:
        return f"{then:%H:%M}"
    if step % SECOND == 0:
        return f"{then:%H:%M:%S}"
    return f"{then:%H:%M:%S}.{at % SECOND // MS:03d}"


def window(since: Nanos, until: Nanos) -> str:
    """Say a window in words: its days once, its times to the second only where they need it.

    >>> window(8 * HOUR, 9 * HOUR + 30 * SECOND)
    '1 Jan 1970 08:00:00 – 09:00:30 UTC'
    """
    begin, end = (datetime.fromtimestamp(at // SECOND, UTC) for at in (since, until))
    if since % SECOND or until % SECOND:
        clock = [f"{then:%H:%M:%S}.{at % SECOND // MS:03d}" for then, at in ((begin, since), (end, until))]
    elif since % MINUTE or until % MINUTE:
        clock = [f"{then:%H:%M:%S}" for then in (begin, end)]
    else:
        clock = [f"{then:%H:%M}" for then in (begin, end)]
    day = [f"{then.day} {then:%b %Y}" for then in (begin, end)]
    last = clock[1] if day[0] == day[1] else f"{day[1]} {clock[1]}"
    return f"{day[0]} {clock[0]} – {last} UTC"


def length(span: Nanos) -> str:
    """Say a length of time in its two largest units.

    >>> length(250 * SECOND), length(2 * HOUR), length(3 * DAY + 4 * HOUR), length(40 * MS)
    ('4 min 10 s', '2 h', '3 d 4 h', '40 ms')
    """
    units = (("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("ms", MS), ("ns", 1))
    for (name, unit), (less, part) in pairwise(units):
        if span >= unit:
            rest = span % unit // part if unit > SECOND else 0
            return f"{span // unit} {name}" + (f" {rest} {less}" if rest else "")
    return f"{span} ns"


# ── Prices ────────────────────────────────────────────────────────────────────────────────────

_NEAR = 1e-6


def price_ticks(low: float, high: float, tick: float | None, most: int) -> tuple[list[float], int]:
    """Return round prices between low and high, and the decimals to write them with."""
    step = round_step(low, high, tick, most)
    first, last = math.ceil(low / step - _NEAR), math.floor(high / step + _NEAR)
    places = decimals(step)
    return [round(number * step, places) for number in range(first, last + 1)], places


def price_text(price: float, places: int) -> str:
    """Write a price with so many decimals, its thousands apart.

    >>> price_text(60123.4, 1), price_text(0.00000001234, 11)
    ('60,123.4', '0.00000001234')
    """
    return f"{price:,.{places}f}"


# ── Amounts ───────────────────────────────────────────────────────────────────────────────────

_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_LEAST = 1e-4  # below it an amount is written with a power of ten


def amount(value: float, digits: int = 3) -> str:
    """Write an amount with so many digits that count, large ones in k, M, B and T; unknown is "?".

    >>> [amount(one) for one in (0, 7, 12.345, 999.6, 1234, -5_600_000, 0.01234, 0.000001)]
    ['0', '7', '12.3', '1k', '1.23k', '-5.6M', '0.0123', '1e-6']
    """
    if not math.isfinite(value):
        return "?"
    value = _rounded(value, digits)
    size = abs(value)
    if 0 < size < _LEAST:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{_trimmed(mantissa)}e{int(exponent)}"
    for unit, suffix in _SUFFIXES:
        if size >= unit:
            return _plain(value / unit, digits) + suffix
    return _plain(value, digits)


def _rounded(value: float, digits: int) -> float:
    """Round to so many digits that count, or to whole units where there are more of them."""
    if value == 0:
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def _plain(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _trimmed(f"{value:.{places}f}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text

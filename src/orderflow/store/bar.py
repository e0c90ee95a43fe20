"""Bar: a length of time by which rows are put together, and when each such stretch begins."""

import re
from typing import NamedTuple

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, HOUR, MINUTE, SECOND, US, Nanos

_LENGTHS: dict[str, Nanos] = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_WRITTEN = re.compile(r"(\d{1,6})([smhdw])")
_MONDAY: Nanos = 4 * DAY  # 5 January 1970: weeks begin on it, as the venues' do
LONGEST: Nanos = 52 * 7 * DAY


class Bar(NamedTuple):
    """A length in nanoseconds and when one of its bars begins; all others follow, in UTC."""

    name: str
    length: Nanos
    origin: Nanos = 0

    def begin(self, time: Nanos) -> Nanos:
        """Return when the bar begins in which a time lies.

        >>> bar("1h").begin(90 * MINUTE) == HOUR
        True
        """
        return time - (time - self.origin) % self.length

    def of(self, column: str) -> str:
        """Return the SQL for the number of the bar in which a column of times lies."""
        return f"((epoch_us({column}) - {self.origin // US}) // {self.length // US})"

    def opens(self, number: str) -> str:
        """Return the SQL for when the bar of a number begins."""
        return f"make_timestamp({number} * {self.length // US} + {self.origin // US})"


def bar(written: str) -> Bar:
    """Read a bar's length: `10s`, `1m`, `4h`, `1d`, `1w`; raise `InvalidArgument` for what is none.

    Bars are counted from the epoch, so that all but odd lengths begin at midnight UTC; weeks on Mondays.

    >>> bar("15m").length == 15 * MINUTE
    True
    """
    found = _WRITTEN.fullmatch(written.strip())
    if found is None or not (length := int(found[1]) * _LENGTHS[found[2]]) or length > LONGEST:
        raise InvalidArgument(
            f"{written[:20]!r} is no length of a bar", hint="write 1s, 5m, 4h, 1d, 1w, up to 52w"
        )
    return Bar(written.strip(), length, _MONDAY if found[2] == "w" else 0)


def fixed(interval: str) -> Bar | None:
    """Return a candle's interval as a bar; None for what has no fixed length, as a month.

    >>> fixed("1M") is None
    True
    """
    try:
        return bar(interval)
    except InvalidArgument:
        return None

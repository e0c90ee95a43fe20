"""Times: `-4h`, `now`, ISO 8601 and epoch milliseconds to nanoseconds UTC, and back to text."""

import re
from datetime import UTC, datetime

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, HOUR, MINUTE, MS, SECOND, Nanos

_SPANS: dict[str, Nanos] = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_AGO = re.compile(r"-\s*(\d+(?:\.\d+)?)\s*([smhdw])")
_HINT = "write now, -15m, -4h, -7d, an ISO 8601 time (UTC unless it says otherwise) or epoch milliseconds"

_EPOCH_MS_FROM = 10**11  # 1973 in milliseconds; a smaller count would be seconds, which we do not take
_EPOCH_MS_UNTIL = 10**14  # 5138 in milliseconds; a larger count is micro- or nanoseconds


def instant(said: str | int | float | datetime, now: Nanos) -> Nanos:
    """Return the instant that was meant, in nanoseconds UTC; raise `InvalidArgument` if none was.

    >>> instant("-4h", now=5 * 3_600_000_000_000) == 3_600_000_000_000
    True
    """
    if isinstance(said, datetime):
        return _nanos(said)
    if isinstance(said, int | float):
        return _epoch(float(said))
    text = said.strip()
    if text.lower() == "now":
        return now
    if ago := _AGO.fullmatch(text.lower()):
        return now - round(float(ago[1]) * _SPANS[ago[2]])
    if re.fullmatch(r"\d{9,}", text):
        return _epoch(float(text))
    return _iso(text)


def _epoch(ms: float) -> Nanos:
    if not _EPOCH_MS_FROM <= ms < _EPOCH_MS_UNTIL:
        raise InvalidArgument(f"{ms:.0f} is no time in epoch milliseconds", hint=_HINT)
    return round(ms) * MS


def _iso(text: str) -> Nanos:
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument(f"{text!r} is no time that we can read", hint=_HINT) from error
    return _nanos(read)


def _nanos(read: datetime) -> Nanos:
    aware = read if read.tzinfo else read.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1_000


def millis(time: Nanos) -> int:
    """Return a time in epoch milliseconds, as structured answers give it."""
    return time // MS


def text(time_ms: int) -> str:
    """Return a time for people.

    >>> text(1_763_683_200_123)
    '2025-11-21T00:00:00.123Z'
    """
    whole = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"

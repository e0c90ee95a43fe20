"""Gate: the weight that a venue lets through in a minute, and what it says to those who ask for more."""

import msgspec

from orderflow.sim.happenings import Millis

_MINUTE_MS = 60_000
_PATIENCE = 20  # requests beyond the limit before the ban
BAN_S = 120


class Verdict(msgspec.Struct, frozen=True):
    """`status` 200 lets the request pass; else it is refused for `retry_after` seconds."""

    status: int
    used: int
    retry_after: int = 0


class Gate:
    """Counts weight per UTC minute; who goes on asking after a 429 is banned with a 418."""

    def __init__(self, weight_per_minute: int) -> None:
        self._most = weight_per_minute
        self._minute = -1
        self._used = 0
        self._ignored = 0
        self._banned_until_ms = 0

    def admit(self, weight: int, now_ms: Millis) -> Verdict:
        minute = now_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute, self._used, self._ignored = minute, 0, 0
        if now_ms < self._banned_until_ms:
            return Verdict(418, self._used, -(-(self._banned_until_ms - now_ms) // 1000))
        self._used += weight
        if self._used <= self._most:
            return Verdict(200, self._used)
        self._ignored += 1
        if self._ignored > _PATIENCE:
            self._banned_until_ms = now_ms + BAN_S * 1000
            return Verdict(418, self._used, BAN_S)
        left_ms = _MINUTE_MS - now_ms % _MINUTE_MS
        return Verdict(429, self._used, -(-left_ms // 1000))

"""Gate: the weight that a venue lets through in a window of time, and what it says to those who ask for more."""

import msgspec

from orderflow.sim.happenings import Millis
from orderflow.sim.protocol import Limits


class Verdict(msgspec.Struct, frozen=True):
    """`status` 200 lets the request pass; else it is refused for `retry_after` seconds."""

    status: int
    used: int
    retry_after: int = 0


class Gate:
    """Counts weight per window on the clock's grid; who goes on asking is banned, where the venue bans."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._window_ms = limits.window_s * 1000
        self._window = -1
        self._used = 0
        self._ignored = 0
        self._banned_until_ms = 0

    def admit(self, weight: int, now_ms: Millis) -> Verdict:
        limits, window = self._limits, now_ms // self._window_ms
        if window != self._window:
            self._window, self._used, self._ignored = window, 0, 0
        if limits.ban_status is not None and now_ms < self._banned_until_ms:
            return Verdict(limits.ban_status, self._used, -(-(self._banned_until_ms - now_ms) // 1000))
        self._used += weight
        if self._used <= limits.weight:
            return Verdict(200, self._used)
        self._ignored += 1
        if limits.ban_status is not None and self._ignored > limits.patience:
            self._banned_until_ms = now_ms + limits.ban_s * 1000
            return Verdict(limits.ban_status, self._used, limits.ban_s)
        left_ms = self._window_ms - now_ms % self._window_ms
        return Verdict(limits.over_status, self._used, -(-left_ms // 1000))

"""Hearing: which channels of a connection speak, told by a sample of its frames. Pure; no clock."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter

from orderflow.feed.frames import Frame
from orderflow.market.events import SECOND, Nanos

HEAD_BYTES = 56  # a frame's beginning, which is alike for all frames of one channel but for its last bytes
Heard = Callable[[bytes], Sequence[str]]
SAMPLE = 64  # frames of a burst that are looked at while nobody is suspected
_HEADS = 4096

_payload = attrgetter("payload")


class Hearing:
    """Watches `patience`: name of a channel → seconds it may be silent, None for those that may always.

    One burst after each `judge` is sampled. A channel that no sample has named for half of its
    patience is suspected, as all are at first; while there are suspects every burst is looked at, and
    a suspect that says nothing for its whole patience is silent. So nobody is called silent who
    spoke, and a channel that stops is reported after at most one and a half times its patience.
    Names are found by `heard`, or where they stand in quotes, at the beginning of a frame; a connection
    on which no name was ever found though data came is not judged.
    """

    def __init__(
        self,
        patience: Mapping[str, float | None],
        now: Nanos,
        *,
        head_bytes: int = HEAD_BYTES,
        heard: Heard | None = None,
    ) -> None:
        self._bytes, self._told_by = head_bytes, heard
        judged = {name: seconds for name, seconds in patience.items() if seconds is not None}
        self._patience = {name.encode(): round(seconds * SECOND) for name, seconds in judged.items()}
        self._known = {name.encode() for name in patience}
        self._heard = dict.fromkeys(self._patience, now)
        self._suspected = dict.fromkeys(self._patience, now)
        self._heads: set[bytes] = set()
        self._named = False
        self.silent: set[str] = set()
        self.wants = bool(self._patience)

    def listen(self, frames: list[Frame]) -> None:
        """Look at a burst; to be called only while `wants` is true."""
        if not self._suspected:
            self.wants = False
            frames = frames[-SAMPLE:]
        self._heads.update([payload[: self._bytes] for payload in map(_payload, frames)])
        if len(self._heads) > _HEADS:
            self._note(frames[-1].ts_recv)

    def judge(self, now: Nanos, *, spoken: bool) -> tuple[list[str], list[str]]:
        """Return the channels that fell silent and those that speak again; `spoken` if any data came."""
        again = self._note(now)
        fallen: list[str] = []
        for name, patience in self._patience.items():
            since = self._suspected.get(name)
            if since is None:
                if now - self._heard[name] > patience // 2:
                    self._suspected[name] = now
            elif now - since > patience and (self._named or not spoken) and name.decode() not in self.silent:
                fallen.append(name.decode())
        self.silent.update(fallen)
        self.wants = bool(self._patience)
        return fallen, again

    def deaf(self, now: Nanos) -> None:
        """Nothing was read until now, so nobody was silent."""
        self._heard = dict.fromkeys(self._heard, now)
        self._suspected = dict.fromkeys(self._suspected, now)

    def _note(self, now: Nanos) -> list[str]:
        """Note the channels named in the heads as heard now; return those that had been silent."""
        again: list[str] = []
        for name in self._names():
            self._named = True
            if name in self._heard:
                self._heard[name] = now
                self._suspected.pop(name, None)
                if name.decode() in self.silent:
                    self.silent.discard(name.decode())
                    again.append(name.decode())
        self._heads.clear()
        return again

    def _names(self) -> set[bytes]:
        if self._told_by is None:
            return _quoted(self._heads, self._known)
        told = {name.encode() for head in self._heads for name in self._told_by(head)}
        return told & self._known


def _quoted(heads: Iterable[bytes], known: set[bytes]) -> set[bytes]:
    return {piece for head in heads for piece in head.split(b'"') if piece in known}

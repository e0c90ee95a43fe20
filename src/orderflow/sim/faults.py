"""Faults: what the simulation is told to do wrong, each told fault with a count of what it did."""

from collections import deque
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from orderflow.sim.happenings import Millis
from orderflow.sim.protocol import Form, Frame

Kind: TypeAlias = Literal[
    "disconnect", "drop", "repeat", "delay", "nonsense", "answer", "silence", "shutdown", "refuse",
    "wrong_checksum", "cut_short", "slow",
]  # fmt: skip
ARCHIVED = ("wrong_checksum", "cut_short", "slow")
Nonsense: TypeAlias = Literal["not_json", "wrong_shape", "truncated"]

_KEPT = 1000
_NOT_JSON = b"<html>502 Bad Gateway</html>"


class Fault(msgspec.Struct, kw_only=True):
    """One fault. `stream` and `path` are patterns as in `btcusdt@*`; times are wall-clock ms."""

    kind: Kind
    venue: str
    route: str | None = None
    stream: str = "*"
    path: str = "*"
    count: int | None = None  # how many frames or answers; None: until its time is over
    seconds: float | None = None
    delay_ms: int = 0
    status: int = 429
    retry_after: int | None = None
    words: Nonsense = "not_json"
    id: int = 0
    told_ms: Millis = 0
    done: int = 0  # frames, answers or connections it has hit so far

    def over(self, now_ms: Millis) -> bool:
        if self.seconds is not None:
            return now_ms >= self.told_ms + self.seconds * 1000
        return self.count is None or self.done >= self.count


class Actions(msgspec.Struct, frozen=True):
    """What the server does for a fault that happens at once; each returns how many connections it hit."""

    disconnect: Callable[[str, str | None], int]
    shutdown: Callable[[str], int]


class Faults:
    """Tell it what to do wrong; the server asks it about each frame, answer and connection."""

    def __init__(self, venues: Mapping[str, Form], clock: Callable[[], Millis], actions: Actions) -> None:
        self._venues = venues
        self._clock = clock
        self._actions = actions
        self._active: dict[str, list[Fault]] = {venue: [] for venue in venues}
        self._held: dict[tuple[str, str], deque[tuple[Millis, Frame]]] = {}
        self._count = 0
        self.told: deque[Fault] = deque(maxlen=_KEPT)

    # ── Telling ───────────────────────────────────────────────────────────────────────────────

    def disconnect(self, venue: str, route: str | None = None) -> Fault:
        """Hang up on all connections of the venue, or of one of its routes."""
        return self.tell(Fault(kind="disconnect", venue=venue, route=route))

    def drop(self, venue: str, stream: str, count: int = 1) -> Fault:
        """Lose the next frames of a stream."""
        return self.tell(Fault(kind="drop", venue=venue, stream=stream, count=count))

    def repeat(self, venue: str, stream: str, count: int = 1) -> Fault:
        """Send each of the next frames twice."""
        return self.tell(Fault(kind="repeat", venue=venue, stream=stream, count=count))

    def delay(self, venue: str, stream: str, delay_ms: int, seconds: float) -> Fault:
        """Hold back the frames of the next seconds, in order."""
        return self.tell(Fault(kind="delay", venue=venue, stream=stream, delay_ms=delay_ms, seconds=seconds))

    def nonsense(self, venue: str, stream: str, words: Nonsense = "not_json", count: int = 1) -> Fault:
        """Send garbage before the next frames; `truncated` cuts those frames in half instead."""
        return self.tell(Fault(kind="nonsense", venue=venue, stream=stream, words=words, count=count))

    def answer(
        self, venue: str, status: int, count: int = 1, retry_after: int | None = None, path: str = "*"
    ) -> Fault:
        """Answer the next REST requests with an error status; with a path that fits, handshakes too."""
        return self.tell(
            Fault(kind="answer", venue=venue, status=status, count=count, retry_after=retry_after, path=path)
        )

    def silence(self, venue: str, stream: str, seconds: float) -> Fault:
        """Send nothing on a stream for a while; subscriptions are acknowledged as ever."""
        return self.tell(Fault(kind="silence", venue=venue, stream=stream, seconds=seconds))

    def archive(self, kind: Kind, venue: str, path: str = "*", count: int = 1, delay_ms: int = 0) -> Fault:
        """Publish a wrong checksum, send half of a file, or wait in the middle of one."""
        return self.tell(Fault(kind=kind, venue=venue, path=path, count=count, delay_ms=delay_ms))

    def shutdown(self, venue: str) -> Fault:
        """Announce a shutdown to all connections, where the venue has such an announcement."""
        return self.tell(Fault(kind="shutdown", venue=venue))

    def refuse(self, venue: str, seconds: float) -> Fault:
        """Cut every new connection and request for a while; open ones stay."""
        return self.tell(Fault(kind="refuse", venue=venue, seconds=seconds))

    def tell(self, fault: Fault) -> Fault:
        """Put a fault in force; ValueError says what is wrong with it."""
        if fault.venue not in self._venues:
            raise ValueError(
                f"no simulated venue {fault.venue!r}; there are {', '.join(sorted(self._venues))}"
            )
        if fault.count is not None and fault.count < 1:
            raise ValueError(f"count is {fault.count}; it must be at least 1")
        if fault.kind in ("silence", "refuse", "delay") and fault.seconds is None:
            raise ValueError(f"a fault of kind {fault.kind} needs `seconds`")
        if fault.kind in ("drop", "repeat", "nonsense", "answer", *ARCHIVED) and fault.count is None:
            fault.count = 1
        if (fault.seconds or 0) < 0 or fault.delay_ms < 0 or not 400 <= fault.status <= 599:
            raise ValueError("seconds and delay_ms must not be negative, and status is one of 400 to 599")
        self._count += 1
        fault.id, fault.told_ms, fault.done = self._count, self._clock(), 0
        if fault.kind == "disconnect":
            fault.done = self._actions.disconnect(fault.venue, fault.route)
        elif fault.kind == "shutdown":
            fault.done = self._actions.shutdown(fault.venue)
        else:
            self._active[fault.venue].append(fault)
        self.told.append(fault)
        return fault

    def tell_json(self, text: bytes) -> Fault:
        """The same from a JSON object with the fields of Fault."""
        try:
            return self.tell(msgspec.json.decode(text, type=Fault))
        except msgspec.MsgspecError as error:
            kinds = ", ".join(get_args(Kind))
            raise ValueError(f"not a fault: {error}; needs `kind` (one of {kinds}) and `venue`") from error

    def listed(self) -> list[Mapping[str, Any]]:
        """All faults told, oldest first, with what they have done and whether they are over."""
        now_ms = self._clock()
        return [{**msgspec.to_builtins(one), "over": one.over(now_ms)} for one in self.told]

    # ── Asking ────────────────────────────────────────────────────────────────────────────────

    def quiet(self, venue: str) -> bool:
        """True where frames of this venue need not be asked about."""
        return not self._active[venue] and not self._held

    def through(self, venue: str, frame: Frame, now_ms: Millis, *, hold: bool = True) -> list[Frame]:
        """What is sent now in the frame's place: mostly itself. Without `hold` it is never delayed."""
        out = [frame]
        held = hold and (venue, frame.stream) in self._held
        for fault in self._in_force(venue, now_ms):
            if not fnmatchcase(frame.stream, fault.stream):
                continue
            match fault.kind:
                case "silence":
                    fault.done += 1
                    return []
                case "drop":
                    fault.done += 1
                    return [msgspec.structs.replace(frame, spoilt="lost")]
                case "repeat":
                    out = [*out, *(msgspec.structs.replace(one, told=()) for one in out)]
                case "nonsense":
                    out = _garbled(out, fault.words, self._venues[venue])
                case "delay" if hold:
                    held = True
                    self._hold(venue, out, now_ms + fault.delay_ms)
                case _:
                    continue
            fault.done += 1
            if fault.kind == "delay":
                return []
        if held:  # frames of a stream never overtake one another
            self._hold(venue, out, now_ms)
            return []
        return out

    def released(self, now_ms: Millis) -> list[tuple[str, Frame]]:
        """The held frames whose time has come, in order, with their venue."""
        out: list[tuple[str, Frame]] = []
        for key, held in list(self._held.items()):
            while held and held[0][0] <= now_ms:
                out.append((key[0], held.popleft()[1]))
            if not held:
                del self._held[key]
        return out

    def hasten(self, venue: str, stream: str) -> list[Frame]:
        """The held frames of a stream, let go early because somebody new subscribes to it."""
        return [frame for _, frame in self._held.pop((venue, stream), ())]

    def answered(self, venue: str, path: str, *, handshake: bool = False) -> Fault | None:
        """The fault that answers this REST request, if one does; a handshake only if its path was named."""
        for fault in self._in_force(venue, self._clock()):
            meant = not handshake or fault.path != "*"
            if fault.kind == "answer" and meant and fnmatchcase(path, fault.path):
                fault.done += 1
                return fault
        return None

    def archived(self, kind: Kind, venue: str, path: str) -> Fault | None:
        """The fault of this kind that a file of an archive suffers, if one does."""
        for fault in self._in_force(venue, self._clock()):
            if fault.kind == kind and fnmatchcase(path, fault.path):
                fault.done += 1
                return fault
        return None

    def refuses(self, venue: str) -> bool:
        for fault in self._in_force(venue, self._clock()):
            if fault.kind == "refuse":
                fault.done += 1
                return True
        return False

    def _in_force(self, venue: str, now_ms: Millis) -> list[Fault]:
        active = self._active[venue]
        if any(fault.over(now_ms) for fault in active):
            active = self._active[venue] = [fault for fault in active if not fault.over(now_ms)]
        return active

    def _hold(self, venue: str, frames: list[Frame], due_ms: Millis) -> None:
        for frame in frames:
            held = self._held.setdefault((venue, frame.stream), deque())
            held.append((max(due_ms, held[-1][0]) if held else due_ms, frame))


def _garbled(frames: list[Frame], words: Nonsense, form: Form) -> list[Frame]:
    first, *rest = frames
    if words == "truncated":
        return [Frame(first.stream, first.payload[: len(first.payload) // 2]), *rest]
    garbage = _NOT_JSON if words == "not_json" else form.wrong_shape
    return [Frame(first.stream, garbage, spoilt="garbage"), *frames]

"""Running: one venue while the simulation runs: its streams, who hears them, and what the ledger is told."""

from collections.abc import Mapping, Sequence

from orderflow.sim.connections import Connection, Hub, clock_ms
from orderflow.sim.faults import Faults
from orderflow.sim.gate import Gate
from orderflow.sim.happenings import Happening, Millis
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Frame, Limits, Streams
from orderflow.sim.tape import Ledger


class Running:
    """A form at work. `markets` are those that the venue lists."""

    def __init__(
        self, form: Form, limits: Limits, markets: Mapping[str, Market], ledger: Ledger, faults: Faults
    ) -> None:
        self.form = form
        self.limits = limits
        self.markets = markets
        self.faults = faults
        self.hub = Hub(form, limits, markets)
        self.gate = Gate(limits)
        self.frames_sent = 0
        self.streams: dict[str, Streams] = {s: form.streams(form.name, one) for s, one in markets.items()}
        self.wide = form.market_wide(form.name, markets)
        self._ledger = ledger
        self._awake = form.always
        self._heard = False  # somebody listened when the last step was taken
        for symbol, market in markets.items():
            exchange = market.exchanges.get(form.name)
            if exchange is not None:
                ledger.add(form.name, symbol, "aggTrade", exchange.aggregates)
                ledger.add(form.name, symbol, "trade", exchange.fills)

    # ── A step ────────────────────────────────────────────────────────────────────────────────

    def wake(self) -> None:
        """Before a step: the streams are asked if somebody listens, and once more after the last has gone."""
        listened = bool(self.hub.wanted)
        self._awake = listened or self._heard or self.form.always
        self._heard = listened

    def take(self, symbol: str, happenings: Sequence[Happening], now_ms: Millis) -> None:
        """Tell those who listen what happened to one coin."""
        if self._awake:
            self._tell(self.streams[symbol].frames(happenings, now_ms, self.hub.wanted), now_ms)

    def take_wide(self, now_ms: Millis) -> None:
        if self._awake:
            self._tell(self.wide.frames((), now_ms, self.hub.wanted), now_ms)

    def deliver(self, frame: Frame) -> None:
        """Hand a frame to all who listen to its stream."""
        self._account(frame, self.hub.deliver(frame))

    def _tell(self, frames: Sequence[Frame], now_ms: Millis, *, hold: bool = True) -> None:
        if self.faults.quiet(self.form.name):
            for frame in frames:
                self.deliver(frame)
            return
        for frame in frames:
            for passed in self.faults.through(self.form.name, frame, now_ms, hold=hold):
                self.deliver(passed)

    def _account(self, frame: Frame, reached: int) -> None:
        if not reached:
            return
        self.frames_sent += reached
        if frame.tape is not None:
            frame.tape.mark_sent(frame.id, reached, frame.count)
        for symbol, kind, rows in frame.told:
            self._ledger.tell(self.form.name, symbol, kind, rows, reached)

    # ── Subscriptions ─────────────────────────────────────────────────────────────────────────

    def reply(self, connection: Connection, replies: Sequence[bytes]) -> None:
        """Send replies, and with them what the streams start with that the connection just subscribed to."""
        if not self.form.opening_first:
            _say(connection, replies)
        now_ms = clock_ms()
        for stream in connection.fresh():
            if connection.carries(stream):
                self._open(connection, stream, now_ms)
        if self.form.opening_first:
            _say(connection, replies)
        connection.flush()
        connection.finish()

    def _open(self, connection: Connection, stream: str, now_ms: Millis) -> None:
        """First what those who listen already must have before, then the opening, then all that follows.

        Nothing of it is delayed, by no fault: a held diff from before the snapshot would come after it.
        """
        name = self.form.name
        for held in self.faults.hasten(name, stream):
            self.deliver(held)
        opening: list[Frame] = []
        for one in (*self.streams.values(), self.wide):
            found = one.opening(stream, now_ms)
            self._tell(found.closing, now_ms, hold=False)
            opening.extend(found.frames)
        for frame in opening:
            for passed in self.faults.through(name, frame, now_ms, hold=False):
                self._account(passed, self.hub.hand(passed, (connection,)))
        self.hub.listen(connection, stream)
        self._heard = True


def _say(connection: Connection, payloads: Sequence[bytes]) -> None:
    for payload in payloads:
        connection.say(payload)

"""Server: `Simulation`, the simulated venues on one loopback port, over their own protocols."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from orderflow.sim import serving
from orderflow.sim.archive import ARCHIVE, ArchiveHost
from orderflow.sim.connections import clock_ms
from orderflow.sim.desk import Desk
from orderflow.sim.faults import Actions, Faults
from orderflow.sim.happenings import Millis
from orderflow.sim.listings import COINS, SYMBOLS
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Limits
from orderflow.sim.protocols import FORMS
from orderflow.sim.running import Running
from orderflow.sim.tape import Ledger

MARK = "X-Orderflow-Simulated"
TICK_S = 0.01
WATCH_MS = 250
MOST_UNSENT = 32 * 1024 * 1024  # bytes that a slow client may leave untaken
_HIGH_WATER = 1024 * 1024  # where a patient simulation waits for its clients


class Simulation:
    """A simulated market behind the protocols of the venues in `forms`, or of those chosen in `venues`.

    `rate` is trades per second, symbol and venue on average; books move several times as often. With
    `patient`, a client that does not keep up slows the market down instead of being dropped, so that a
    high `rate` gives as many frames as the clients can take. `limits` replaces a venue's own.
    """

    faults: Faults

    def __init__(
        self,
        symbols: Sequence[str] = SYMBOLS,
        *,
        venues: Sequence[str] | None = None,
        seed: int = 7,
        rate: float = 5.0,
        host: str = "127.0.0.1",
        port: int = 0,
        patient: bool = False,
        limits: Mapping[str, Limits] | None = None,
        most_unsent: int = MOST_UNSENT,
        forms: Mapping[str, Form] = FORMS,
    ) -> None:
        unknown = sorted(set(symbols) - set(COINS))
        if unknown or not symbols:
            raise ValueError(f"cannot simulate {unknown or 'no symbols'}; known are {', '.join(SYMBOLS)}")
        if rate <= 0:
            raise ValueError(f"rate is {rate}; it must be above 0 trades a second")
        self.forms = _chosen(forms, venues)
        self.symbols, self.seed, self.rate = tuple(symbols), seed, rate
        self.host, self.port = host, port
        self.ledger = Ledger()
        self.dropped_slow = 0
        self._patient, self._most_unsent = patient, most_unsent
        places = {name: form.place for name, form in self.forms.items()}
        started_ms = clock_ms()
        self.markets = {
            symbol: Market(symbol, places, seed=seed, rate=rate, now_ms=started_ms) for symbol in self.symbols
        }
        self.faults = Faults(self.forms, clock_ms, Actions(self._disconnect, self._shutdown))
        self._venues: dict[str, Running] = {}
        for name, form in self.forms.items():
            listed = {symbol: one for symbol, one in self.markets.items() if name in one.venues}
            allowed = (limits or {}).get(name, form.limits)
            self._venues[name] = Running(form, allowed, listed, self.ledger, self.faults)
        self._runner: web.AppRunner | None = None
        self._pulse: asyncio.Task[None] | None = None

    @property
    def frames_sent(self) -> int:
        return sum(venue.frames_sent for venue in self._venues.values())

    # ── Life ──────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Listen and let the market run; OSError when the port is taken."""
        app = web.Application()
        app.on_response_prepare.append(_mark_simulated)
        Desk(self).add_to(app)
        ArchiveHost(self.markets, self.faults, clock_ms).add_to(app)
        for venue in self._venues.values():
            serving.add_to(app, venue)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            self._runner = None
            raise OSError(
                error.errno,
                f"the simulation cannot listen on {self.host}:{self.port} ({error.strerror}); "
                "choose another port, or 0 for a free one",
            ) from error
        self.port = int(self._runner.addresses[0][1])
        self._pulse = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Hang up on everyone and free the port; stopping twice does no harm."""
        pulse, self._pulse = self._pulse, None
        if pulse is not None:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)
        for venue in self._venues.values():
            for connection in list(venue.hub.connections):
                connection.end()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def hosts(self, venue: str) -> dict[str, Any]:
        """Where the venue is: `rest`, `ws` by route, `archive`, maybe `more`; ports are known after `start`."""
        at = f"{self.host}:{self.port}"
        return serving.hosts(self._venues[venue], at) | {"archive": f"http://{at}{ARCHIVE}"}

    async def _run(self) -> None:
        watched = 0
        while True:
            began = time.monotonic()
            now_ms = clock_ms()
            self._step(now_ms)
            if now_ms // WATCH_MS != watched:
                watched = now_ms // WATCH_MS
                self.ledger.trim()
                for venue in self._venues.values():
                    venue.hub.watch(now_ms)
            for venue in self._venues.values():
                self.dropped_slow += venue.hub.flush(self._most_unsent)
            while self._patient and self._behind():
                await asyncio.sleep(0.001)
            await asyncio.sleep(max(0.0, TICK_S - (time.monotonic() - began)))

    def _behind(self) -> bool:
        hubs = (venue.hub for venue in self._venues.values())
        return any(one.unsent() > _HIGH_WATER for hub in hubs for one in hub.connections)

    def _step(self, now_ms: Millis) -> None:
        """Let every market take a step, and hand its frames to those who listen."""
        venues = self._venues
        for name, frame in self.faults.released(now_ms):
            venues[name].deliver(frame)
        for venue in venues.values():
            venue.wake()
        for symbol, market in self.markets.items():
            for name, happenings in market.step(now_ms).items():
                venues[name].take(symbol, happenings, now_ms)
        for venue in venues.values():
            venue.take_wide(now_ms)

    # ── Faults that happen at once ────────────────────────────────────────────────────────────

    def _disconnect(self, venue: str, route: str | None) -> int:
        found = self._venues[venue].hub.on_route(route)
        for connection in found:
            connection.end()
        return len(found)

    def _shutdown(self, venue: str) -> int:
        running = self._venues[venue]
        if running.form.farewell is None:
            raise ValueError(f"{venue} announces no shutdowns; use disconnect")
        for connection in running.hub.connections:
            connection.say(running.form.farewell(connection))
        return len(running.hub.connections)


def _chosen(forms: Mapping[str, Form], venues: Sequence[str] | None) -> dict[str, Form]:
    if venues is None:
        return dict(forms)
    unknown = sorted(set(venues) - set(forms))
    if unknown or not venues:
        raise ValueError(f"cannot simulate {unknown or 'no venues'}; known are {', '.join(forms)}")
    return {name: form for name, form in forms.items() if name in venues}


async def _mark_simulated(request: web.Request, response: web.StreamResponse) -> None:
    response.headers[MARK] = "true"

"""Nearest: whoever can answer for a database now; its running service, or else the file."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from orderflow import tools, venues
from orderflow.jobs.asking import Venues
from orderflow.jobs.health import of_reader
from orderflow.market.errors import OrderflowError
from orderflow.servers.callers import Caller, Local
from orderflow.servers.remote import Remote
from orderflow.servers.replies import Reply, failed, failure_of
from orderflow.store import access, sandbox
from orderflow.store.live import Live
from orderflow.store.reader import Reader
from orderflow.tools.answers import Format
from orderflow.tools.context import Context, NoVenues, declared_fees
from orderflow.tools.spec import Tell

_SIMULATED = "what is stored is simulated, and the market that made it does not run here"
_WITHOUT_DATA = ("catalogue", "system")


class Nearest:
    """Asks the process that collects into a database, if one runs and has a door; else reads the file.

    So that the answer is the same behind every door, and a collector that starts later is found.
    """

    def __init__(
        self, db: Path | str, *, token: str | None = None, taker_fee_bps: Mapping[str, float] | None = None
    ) -> None:
        self._db, self._token = db, token
        self._fees = declared_fees(taker_fee_bps)
        self._asker = Venues(venues.ALL)  # begins when it is first asked

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        format: Format | None = None,
        *,
        tell: Tell | None = None,
    ) -> Reply:
        try:
            caller, reader = await asyncio.to_thread(self._found)
        except OrderflowError as error:
            if _about_markets(name):
                return failed(failure_of(error))
            return await Local(self._without_data(error)).call(name, arguments, format, tell=tell)
        try:
            return await caller.call(name, arguments, format, tell=tell)
        finally:
            if reader is not None:
                reader.close()

    async def health(self) -> dict[str, Any]:
        try:
            caller, reader = await asyncio.to_thread(self._found)
        except OrderflowError as error:
            return {"status": "unhealthy", "reasons": [error.message], "venues": {}}
        try:
            return await caller.health()
        finally:
            if reader is not None:
                reader.close()

    def _without_data(self, error: OrderflowError) -> Context:
        """Return what the catalogue's own tools, and the health, can answer from where nothing can be read."""
        health = {"status": "unhealthy", "reasons": [error.message], "venues": {}}
        return Context(
            latest=Live("stored"),
            gaps=lambda *, since=None, until=None: [],
            health=lambda: health,
            stored=True,
        )

    def _found(self) -> tuple[Caller, Reader | None]:
        service = access.service(self._db)
        if service is not None and service.door:
            return Remote(service.door, self._token), None
        reader = access.open_reader(self._db)
        context = Context(
            stored=True,
            latest=reader,
            gaps=reader.gaps,
            health=lambda: of_reader(reader),
            history=reader,
            sql=partial(sandbox.ask, self._db),
            fees=self._fees,
            asker=NoVenues(_SIMULATED) if reader.kind == "simulated" else self._asker,
        )
        return Local(context), reader


def _about_markets(name: str) -> bool:
    """Tell whether a tool needs data; one that does not exist needs none to say so."""
    try:
        found, _ = tools.ALL.resolve(name)
    except OrderflowError:
        return False
    return found.family not in _WITHOUT_DATA

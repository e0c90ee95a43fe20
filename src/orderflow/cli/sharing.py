"""Collecting with others into one lake: one share of it, any that is free, or shares placed on nodes by Ray."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from orderflow.cli.surroundings import dumped, stop_on_signals
from orderflow.market.errors import InvalidArgument, ShareLost

if TYPE_CHECKING:
    from orderflow.jobs.plan import Plan
    from orderflow.settings import Settings
    from orderflow.store.shares import Shares

log = logging.getLogger(__name__)

Told = Callable[[dict[str, Any]], None]

Shard = Annotated[
    str | None,
    typer.Option(metavar="N/OF", help="Collect one share of a lake, as 2/4; waits while another has it."),
]
Shards = Annotated[
    int | None, typer.Option(metavar="OF", min=1, help="Collect whatever shares of so many nobody collects.")
]
Most = Annotated[
    int | None, typer.Option(min=1, help="With --shards: at most so many here.", show_default="all")
]
Ray = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Place the shares on the nodes of this Ray cluster.")
]
Child = Annotated[bool, typer.Option("--child", hidden=True, help="Started by another: ends with its stdin.")]


class Part(msgspec.Struct, frozen=True):
    """Which part of a lake a command is asked to collect."""

    shard: str | None = None
    shards: int | None = None
    most: int | None = None
    ray: str | None = None
    child: bool = False

    def __bool__(self) -> bool:
        return self != Part()

    @property
    def of(self) -> tuple[int | None, int]:
        """The share that is asked for, None for any, and into how many the lake is divided."""
        if self.shard is None:
            return (None, self.shards) if self.shards else (1, 1)
        number, _, of = self.shard.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise InvalidArgument(f"--shard {self.shard!r}: not a share", hint="as 2/4: the second of four")
        return int(number), int(of)


async def share(
    chosen: "Settings",
    plan: "Plan",
    part: Part,
    collect: Callable[["Plan"], Coroutine[Any, Any, None]],
    simulator: str | None,
    as_json: bool,
) -> None:
    """Collect the part of the lake that is asked for, until a signal."""
    if plan.lake is None:
        raise InvalidArgument("shares are those of a lake", hint="name one with --store ducklake:postgres:…")
    if part.shard and (part.shards or part.ray):
        raise InvalidArgument(
            "--shard says which share: no others are looked for", hint="leave one of them out"
        )
    if plan.lake.postgres is None:
        if part:
            raise InvalidArgument(
                "a catalogue in a file serves one process", hint="shares need ducklake:postgres:…"
            )
        await collect(plan)
        return
    from orderflow.jobs import sharing
    from orderflow.store.shares import Shares

    number, of = part.of
    plan.db.parent.mkdir(parents=True, exist_ok=True)
    division = sharing.divided(plan, of, chosen.share_by)
    shares = await asyncio.to_thread(Shares, plan.lake, division)
    if number is not None:
        await _one(shares, number, plan, part, collect)
        return
    environment = chosen.as_environment() | {"ORDERFLOW_STATE": str(chosen.state.absolute())}
    more = () if simulator is None else ("--simulator", simulator)
    if part.ray is None:
        from orderflow.jobs.holding import Keeper

        keeper = Keeper(shares, chosen.state.absolute(), environment, more, most=part.most)
        await _any(keeper.run, as_json)
    else:
        from orderflow.jobs.nodes import Nodes

        nodes = await asyncio.to_thread(Nodes, part.ray, of, environment, more)
        await _any(nodes.run, as_json)


async def _one(
    shares: "Shares",
    number: int,
    plan: "Plan",
    part: Part,
    collect: Callable[["Plan"], Coroutine[Any, Any, None]],
) -> None:
    """Collect one share whenever it is ours; one that was lost is waited for again."""
    from orderflow.jobs import sharing

    if part.child:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    while True:
        lease = await sharing.held(shares, number, stop_on_signals(), wait=not part.child)
        if lease is None:
            return
        try:
            await collect(sharing.own_part(plan, lease))
        except ShareLost as error:
            if part.child:
                raise
            log.error("%s (%s)", error.message, error.hint)  # noqa: TRY400 - one line
        else:
            return
        finally:
            await asyncio.to_thread(lease.release)


def _end_with_stdin() -> None:
    """End as on a signal once whoever started us has ended, however it ended."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


async def _any(run: Callable[[asyncio.Event, Told], Coroutine[Any, Any, None]], as_json: bool) -> None:
    """Keep shares collected by processes of their own, and tell of each that begins and ends."""

    ours = sys.stdout  # Ray prints on what it takes for stdout

    def told(said: dict[str, Any]) -> None:
        share = said.get("share", {})
        names = ", ".join(share.get("symbols") or share.get("venues") or ())
        at = f"share {share.get('number')} of {share.get('of')}"
        if said.get("ready"):
            text = f"{at} is collected here: {names}; {said['http']}"
        else:
            text = f"{at} is collected here no longer: {said.get('why', '')}"
        print(dumped(said) if as_json else text, file=ours, flush=True)

    with redirect_stdout(sys.stderr):
        await run(stop_on_signals(), told)

"""Commands that run until stopped: up, demo, record."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderflow.cli.sharing import Child, Most, Part, Ray, Shard, Shards, share
from orderflow.cli.surroundings import (
    DEMO_DB,
    Control,
    Db,
    Host,
    Json,
    Port,
    Postgres,
    Publish,
    Simulator,
    Store,
    Streams,
    Symbols,
    Token,
    Venues,
    chosen_desk,
    chosen_forms,
    chosen_settings,
    door_limits,
    log_to_stderr,
    planned,
    run,
    share_arenas,
    simulated_hosts,
    stop_on_signals,
    tell,
    where,
)
from orderflow.market.errors import InvalidArgument

if TYPE_CHECKING:
    from orderflow.cli.service import Manager
    from orderflow.jobs.collect import Collector
    from orderflow.jobs.plan import Plan
    from orderflow.jobs.steering import Steering
    from orderflow.settings import Settings

log = logging.getLogger(__name__)

REPORT_EVERY_S = 10.0
QUESTION_S = 20.0  # that a tool's question to the store may take: it shares the machine with the flushes
FIRST_ANSWER_S = 20.0  # a venue that has not spoken by then is named and not waited for


def up(
    db: Db = None,
    store: Store = None,
    shard: Shard = None,
    shards: Shards = None,
    most: Most = None,
    ray: Ray = None,
    venues: Venues = None,
    symbols: Symbols = None,
    streams: Streams = None,
    host: Host = None,
    port: Port = None,
    token: Token = None,
    keep_journal: Annotated[bool | None, typer.Option(help="Keep the journal as a recording.")] = None,
    backfill: Annotated[
        bool | None, typer.Option(help="Fill the gaps that are known.", show_default="yes")
    ] = None,
    publish: Publish = None,
    postgres: Postgres = None,
    allow_control: Control = None,
    simulator: Simulator = None,
    child: Child = False,
    json: Json = False,
) -> None:
    """Collect live from the venues and answer at the doors, until stopped."""
    flags = {
        "db": db,
        "store": store,
        "venues": venues,
        "symbols": symbols,
        "streams": streams,
        "host": host,
        "port": port,
        "token": token,
        "keep_journal": keep_journal,
        "backfill": backfill,
        "publish_url": publish,
        "postgres_url": postgres,
        "allow_control": allow_control,
    }
    chosen = chosen_settings(**flags)
    forms = chosen_forms(chosen)
    plan = planned(chosen, forms, simulated_hosts(simulator, forms))
    log_to_stderr(chosen.log_level)

    def collect(plan: "Plan") -> Coroutine[Any, Any, None]:
        return _collect(chosen, plan, flags, lambda collector, url: _say_ready(collector, url, json))

    part = Part(shard, shards, most, ray, child)
    run(
        collect(plan)
        if plan.lake is None and not part
        else share(chosen, plan, part, collect, simulator, json)
    )


def demo(
    db: Annotated[Path, typer.Option("--db", help="The database of the demo.")] = DEMO_DB,
    venues: Venues = None,
    symbols: Symbols = None,
    host: Host = None,
    port: Port = None,
    token: Token = None,
    allow_control: Control = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 7,
    rate: Annotated[float, typer.Option(help="Trades a second, per symbol and venue.")] = 5.0,
    json: Json = False,
) -> None:
    """Run simulated venues, the collector and the doors on this machine. Every answer says simulated."""
    flags = {"db": db, "venues": venues, "symbols": symbols, "host": host, "port": port, "token": token}
    flags |= {"allow_control": allow_control}
    chosen = chosen_settings(**flags)
    log_to_stderr("WARNING" if chosen.log_level == "INFO" else chosen.log_level)
    run(_demo(chosen, flags, seed, rate, json))


async def _demo(chosen: "Settings", flags: dict[str, Any], seed: int, rate: float, as_json: bool) -> None:
    from orderflow import venues
    from orderflow.sim import Simulation
    from orderflow.venues.spec import Hosts

    forms = chosen_forms(chosen)
    try:
        simulation = Simulation(chosen.symbols, seed=seed, rate=rate)
    except ValueError as error:
        raise InvalidArgument(str(error)) from error
    await simulation.start()
    try:
        hosts = {name: Hosts(**simulation.hosts(name)) for name in venues.ALL if name in simulation.forms}
        plan = planned(chosen, {name: one for name, one in forms.items() if name in hosts}, hosts)
        first: list[asyncio.Task[None]] = []

        def ready(collector: "Collector", url: str) -> None:
            _say_ready(collector, url, as_json)
            first.append(asyncio.ensure_future(_first_answer(collector, chosen, url, as_json)))

        await _collect(chosen, plan, flags, ready)
    finally:
        await simulation.stop()


async def _first_answer(collector: "Collector", chosen: "Settings", url: str, as_json: bool) -> None:
    """Wait until the venues have spoken that can, then show what a question gives and where to ask more."""
    from orderflow.servers.callers import Local

    if as_json:
        return
    symbol = chosen.symbols[0]
    waited_s = 0.0
    while _awaited(collector, symbol) and waited_s < FIRST_ANSWER_S:
        await asyncio.sleep(0.2)
        waited_s += 0.2
    await asyncio.sleep(chosen.flush_interval * 2)
    reply = await Local(_context(collector, chosen)).call("xv_prices", {"symbol": symbol})
    print(
        f"\nA first answer (`orderflow call get_crypto_prices symbol={symbol} --db {chosen.db}`):\n\n{reply.text}"
    )
    if late := _awaited(collector, symbol):
        print(f"\nNot heard of {symbol} yet: {', '.join(late)}")
    print(
        f"\nMore: {url}/docs, {url}/health, `orderflow doctor --db {chosen.db} --offline`. Ctrl-C stops.",
        flush=True,
    )


def _awaited(collector: "Collector", symbol: str) -> list[str]:
    """Return the venues that can tell a symbol's price and have not yet."""
    told = {quote.venue for quote in collector.live.quotes(symbol)}
    return [
        feed.venue.name
        for feed in collector.feeds
        if "prices" in feed.venue.market.streams
        and "prices" not in feed.venue.cannot
        and feed.health.state in ("idle", "running")
        and symbol not in feed.health.refused
        and feed.venue.name not in told
    ]


def record(
    out: Annotated[Path, typer.Option(help="Folder of the recording.")] = Path("data/recording"),
    venues: Venues = None,
    symbols: Symbols = None,
    streams: Streams = None,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so long.", show_default="until Ctrl-C")
    ] = None,
    simulator: Simulator = None,
    json: Json = False,
) -> None:
    """Record what the venues send, without a database; `orderflow replay` plays it."""
    from orderflow.jobs.record import record_frames

    chosen = chosen_settings(venues=venues, symbols=symbols, streams=streams)
    log_to_stderr(chosen.log_level)
    forms = chosen_forms(chosen)
    hosts = simulated_hosts(simulator, forms)

    async def recording() -> None:
        stop = stop_on_signals()
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, stop.set)
        done = await record_frames(
            out,
            forms,
            chosen.symbols,
            stop,
            streams=chosen.streams or None,
            hosts=hosts,
            keys=chosen.keys,
            kind="simulated" if hosts else "live",
            progress=lambda so_far: log.info("recording", extra={"frames": so_far.frames}),
        )
        found = {name: getattr(done, name) for name in done.__struct_fields__}
        tell(json, found, f"{done.folder}: {done.frames:,} frames in {done.seconds:.1f} s ({done.kind})")

    run(recording())


async def _collect(
    chosen: "Settings", plan: "Plan", flags: dict[str, Any], ready: Callable[["Collector", str], None]
) -> None:
    """Run the collector and the doors until a signal; the first that fails ends both."""
    from orderflow.cli.service import Following, Manager
    from orderflow.jobs import control as controls
    from orderflow.jobs.collect import Collector
    from orderflow.jobs.steering import Steering
    from orderflow.servers import http
    from orderflow.servers.callers import Local
    from orderflow.store.reader import Reader

    share_arenas()
    desk = chosen_desk(chosen, lambda: nullcontext(Reader(collector.connection)))
    taken = http.listen(chosen.host, chosen.port, chosen.token)
    url = http.url(taken)
    try:
        plan.db.parent.mkdir(parents=True, exist_ok=True)
        collector = await asyncio.to_thread(Collector, plan, door=url)
    except BaseException:
        taken.close()
        raise
    control, manager = controls.Control(collector), Manager()
    steering = Steering(collector, control, asyncio.get_running_loop())
    context = _context(collector, chosen, steering)
    door = http.app(
        Local(context),
        token=chosen.token,
        hosts=(chosen.host, *chosen.allowed_hosts),
        toolset=chosen.toolset,
        writes=chosen.allow_control,
        desk=desk,
        asked=context.sql,
        watched=collector.live,
        limits=door_limits(chosen),
    )
    http.steer(door, control, collector.service.key)
    stop = stop_on_signals(collector.hurry)
    Following(collector, control, manager, chosen, flags).on_hangup()

    def is_ready(where: str) -> None:
        ready(collector, where)
        manager.tell("READY=1")

    serving = asyncio.ensure_future(http.serve(door, taken=taken, ready=is_ready))
    serving.add_done_callback(lambda _: stop.set())  # a collector that cannot be asked is begun again
    others = [
        asyncio.ensure_future(one)
        for one in (_report_again_and_again(collector, manager), manager.keep_alive(), manager.wait_for(stop))
    ]
    try:
        await collector.run(stop)
    finally:
        await steering.close()
        for task in (serving, *others):
            task.cancel()
        ended, *_ = await asyncio.gather(serving, *others, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended


def _context(collector: "Collector", chosen: "Settings", steering: "Steering | None" = None) -> Any:
    from functools import partial

    from orderflow.jobs.asking import Venues
    from orderflow.jobs.health import of_collector
    from orderflow.store import sandbox
    from orderflow.store.reader import Reader
    from orderflow.tools.context import Context, declared_fees

    plan = collector.plan
    return Context(
        asker=Venues(
            plan.asked,
            hosts=plan.hosts,
            keys=plan.keys,
            feeds=lambda: collector.feeds,
            loop=asyncio.get_running_loop(),
        ),
        steering=steering,
        writes=chosen.allow_control,
        latest=collector.live,
        gaps=collector.live.gaps,
        health=lambda: of_collector(collector),
        history=Reader(collector.connection, timeout_s=QUESTION_S),
        sql=partial(sandbox.ask, plan.db if plan.lake is None else where(chosen)),
        fees=declared_fees(chosen.taker_fee_bps),
    )


async def _report_again_and_again(collector: "Collector", manager: "Manager") -> None:
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        flushes, tally = collector.flushes, collector.pipeline.tally
        rate = flushes.rows_per_s
        said = (
            f"{tally.frames:,} frames, {flushes.rows.total():,} rows,"
            f" {'?' if rate is None else f'{rate:,.0f}'} rows/s, {tally.unknown.total()} unreadable"
        )
        log.info("collecting: %s", said)
        manager.tell(f"STATUS={len(collector.plan.venues)} venues: {said}")


def _where(collector: "Collector", url: str) -> list[str]:
    plan = collector.plan
    if plan.lake is None:
        return [
            f"  MCP       {url}/mcp   {url}/sse   or stdio: orderflow mcp --db {plan.db}",
            f"  database  {plan.db}, served at {collector.service.uri} (token in {plan.db}.quack)",
        ]
    told = [f"  MCP       {url}/mcp   {url}/sse", f"  lake      {plan.lake}"]
    if (lease := plan.lease) is not None:
        told.append(f"  share     {lease.share} of {lease.division.shares}: {', '.join(lease.names)}")
    return told


def _say_ready(collector: "Collector", url: str, as_json: bool) -> None:
    from orderflow.jobs.health import share_of

    plan = collector.plan
    said = {
        "ready": True,
        "kind": plan.kind,
        "http": url,
        "mcp": f"{url}/mcp",
        **({} if plan.lake else {"quack": collector.service.uri}),
        "db": str(plan.lake or plan.db),
        "token_file": f"{plan.db}.quack",
        **share_of(plan),
        "core": collector.created.core,
        "others": collector.created.others,
        "recovered_rows": collector.recovered.total(),
    }
    text = "\n".join(
        [
            f"crypto-orderflow collects {', '.join(plan.venues)} ({plan.kind})",
            f"  HTTP      {url}   (/health /tools /docs /metrics)",
            *_where(collector, url),
        ]
    )
    tell(as_json, said, text)

"""Commands that run until stopped: up, demo, record."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderflow.cli.surroundings import (
    DEMO_DB,
    Db,
    Host,
    Json,
    Port,
    Simulator,
    Streams,
    Symbols,
    Token,
    Venues,
    chosen_forms,
    chosen_settings,
    log_to_stderr,
    planned,
    run,
    simulated_hosts,
    stop_on_signals,
    tell,
)

if TYPE_CHECKING:
    from orderflow.jobs.collect import Collector, Plan
    from orderflow.settings import Settings

log = logging.getLogger(__name__)

REPORT_EVERY_S = 10.0


def up(
    db: Db = None,
    venues: Venues = None,
    symbols: Symbols = None,
    streams: Streams = None,
    host: Host = None,
    port: Port = None,
    token: Token = None,
    keep_journal: Annotated[bool | None, typer.Option(help="Keep the journal as a recording.")] = None,
    simulator: Simulator = None,
    json: Json = False,
) -> None:
    """Collect live from the venues and answer at the doors, until stopped."""
    chosen = chosen_settings(
        db=db,
        venues=venues,
        symbols=symbols,
        streams=streams,
        host=host,
        port=port,
        token=token,
        keep_journal=keep_journal,
    )
    forms = chosen_forms(chosen)
    plan = planned(chosen, forms, simulated_hosts(simulator, forms))
    log_to_stderr(chosen.log_level)
    run(_collect(chosen, plan, lambda collector, url: _say_ready(collector, url, json)))


def demo(
    db: Annotated[Path, typer.Option("--db", help="The database of the demo.")] = DEMO_DB,
    symbols: Symbols = None,
    host: Host = None,
    port: Port = None,
    token: Token = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 7,
    rate: Annotated[float, typer.Option(help="Trades a second, per symbol and venue.")] = 5.0,
    json: Json = False,
) -> None:
    """Run simulated venues, the collector and the doors on this machine. Every answer says simulated."""
    chosen = chosen_settings(db=db, symbols=symbols, host=host, port=port, token=token)
    log_to_stderr("WARNING" if chosen.log_level == "INFO" else chosen.log_level)
    run(_demo(chosen, seed, rate, json))


async def _demo(chosen: "Settings", seed: int, rate: float, as_json: bool) -> None:
    from orderflow.sim import Simulation
    from orderflow.venues.spec import Hosts

    forms = chosen_forms(chosen)
    simulation = Simulation(chosen.symbols, seed=seed, rate=rate)
    await simulation.start()
    try:
        plan = planned(chosen, forms, {name: Hosts(**simulation.hosts(name)) for name in forms})
        first: list[asyncio.Task[None]] = []

        def ready(collector: "Collector", url: str) -> None:
            _say_ready(collector, url, as_json)
            first.append(asyncio.ensure_future(_first_answer(collector, chosen, url, as_json)))

        await _collect(chosen, plan, ready)
    finally:
        await simulation.stop()


async def _first_answer(collector: "Collector", chosen: "Settings", url: str, as_json: bool) -> None:
    """Wait until both venues have spoken, then show what a question gives and where to ask more."""
    symbol = chosen.symbols[0]
    while len({quote.venue for quote in collector.live.quotes(symbol)}) < len(collector.plan.venues):
        await asyncio.sleep(0.2)
    await asyncio.sleep(chosen.flush_interval * 2)
    from orderflow.servers.callers import Local

    if as_json:
        return
    reply = await Local(_context(collector, chosen)).call("xv_prices", {"symbol": symbol})
    print(
        f"\nA first answer (`orderflow call get_crypto_prices symbol={symbol} --db {chosen.db}`):\n\n{reply.text}"
    )
    print(
        f"\nMore: {url}/docs, {url}/health, `orderflow doctor --db {chosen.db} --offline`. Ctrl-C stops.",
        flush=True,
    )


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
            kind="simulated" if hosts else "live",
            progress=lambda so_far: log.info("recording", extra={"frames": so_far.frames}),
        )
        found = {name: getattr(done, name) for name in done.__struct_fields__}
        tell(json, found, f"{done.folder}: {done.frames:,} frames in {done.seconds:.1f} s ({done.kind})")

    run(recording())


async def _collect(chosen: "Settings", plan: "Plan", ready: Callable[["Collector", str], None]) -> None:
    """Run the collector and the doors until a signal; the first that fails ends both."""
    from orderflow.jobs.collect import Collector
    from orderflow.servers import http
    from orderflow.servers.callers import Local

    taken = http.listen(chosen.host, chosen.port, chosen.token)
    url = http.url(taken)
    try:
        plan.db.parent.mkdir(parents=True, exist_ok=True)
        collector = await asyncio.to_thread(Collector, plan, door=url)
    except BaseException:
        taken.close()
        raise
    door = http.app(Local(_context(collector, chosen)), token=chosen.token, toolset=chosen.toolset)
    stop = stop_on_signals()
    serving = asyncio.ensure_future(
        http.serve(door, taken=taken, ready=lambda where: ready(collector, where))
    )
    reporting = asyncio.ensure_future(_report_again_and_again(collector))
    try:
        await collector.run(stop)
    finally:
        for task in (serving, reporting):
            task.cancel()
        await asyncio.gather(serving, reporting, return_exceptions=True)


def _context(collector: "Collector", chosen: "Settings") -> Any:
    from orderflow.jobs.health import of_collector
    from orderflow.tools.context import Context, declared_fees

    return Context(
        latest=collector.live,
        gaps=collector.live.gaps,
        health=lambda: of_collector(collector),
        fees=declared_fees(chosen.taker_fee_bps),
    )


async def _report_again_and_again(collector: "Collector") -> None:
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        flushes, tally = collector.flushes, collector.pipeline.tally
        rate = flushes.rows_per_s
        log.info(
            "collecting: %s frames, %s rows, %s rows/s, %s unreadable",
            f"{tally.frames:,}",
            f"{flushes.rows.total():,}",
            "?" if rate is None else f"{rate:,.0f}",
            tally.unknown.total(),
        )


def _say_ready(collector: "Collector", url: str, as_json: bool) -> None:
    plan = collector.plan
    said = {
        "ready": True,
        "kind": plan.kind,
        "http": url,
        "mcp": f"{url}/mcp",
        "db": str(plan.db),
        "quack": collector.service.uri,
        "token_file": f"{plan.db}.quack",
        "core": collector.created.core,
        "others": collector.created.others,
        "recovered_rows": collector.recovered.total(),
    }
    text = "\n".join(
        [
            f"crypto-orderflow collects {', '.join(plan.venues)} ({plan.kind})",
            f"  HTTP      {url}   (/health /tools /docs /metrics)",
            f"  MCP       {url}/mcp   {url}/sse   or stdio: orderflow mcp --db {plan.db}",
            f"  database  {plan.db}, served at {collector.service.uri} (token in {plan.db}.quack)",
        ]
    )
    tell(as_json, said, text)

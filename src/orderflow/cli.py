"""The command line: `orderflow COMMAND`. Results on stdout, logs and progress on stderr.

Every command takes `--json` for machines. Exit code 0 is success, 1 a failure that was told in one
line, 2 a command that was not understood. Rooms are imported by the command that needs them, so that
`--help` answers at once.
"""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from orderflow.market.errors import InvalidArgument, OrderflowError

if TYPE_CHECKING:
    from orderflow.jobs.collect import Collector, Plan
    from orderflow.jobs.replay import Report
    from orderflow.settings import Settings
    from orderflow.venues.spec import Hosts, Venue

log = logging.getLogger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Listens to crypto venues, keeps all that it hears in one database, and answers questions about it.",
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for machines.")]
Db = Annotated[Path | None, typer.Option("--db", help="The database file.", show_default="data/orderflow.duckdb")]
Venues = Annotated[str | None, typer.Option(help="Venue ids, separated by commas.", show_default="all")]
Symbols = Annotated[str | None, typer.Option(help="Symbols, separated by commas.", show_default="the nine")]
Streams = Annotated[str | None, typer.Option(help="Streams, separated by commas.", show_default="all")]
Host = Annotated[str | None, typer.Option(help="Address of the HTTP door.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port of the HTTP door.", show_default="8022")]
Token = Annotated[str | None, typer.Option(help="Asked of HTTP clients; needed for any other address.")]
Simulator = Annotated[
    str | None, typer.Option(help="Address of a simulator (`python -m orderflow.sim`) to collect from instead.")
]

DEMO_DB = Path("data/demo.duckdb")
REPORT_EVERY_S = 10.0


def main() -> None:
    """Run a command; an error that we raise on purpose is one line and exit code 1."""
    as_json = "--json" in sys.argv
    try:
        # What a command exits with is returned, not raised.
        if code := app(standalone_mode=False):
            raise SystemExit(code)
    except typer.Abort:
        raise SystemExit(130) from None
    except OrderflowError as error:
        _fail(error, as_json)
    except BrokenPipeError:  # the reader of our output has left
        raise SystemExit(0) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(InvalidArgument(f"{where}{error.strerror or error}"), as_json)
    except Exception as error:
        # Typer's own usage errors know how to show themselves; all others are defects of ours.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()
            raise SystemExit(error.exit_code) from None
        raise


def _fail(error: OrderflowError, as_json: bool) -> NoReturn:
    if as_json:
        print(json.dumps({"error": {"code": error.code, "message": error.message, "hint": error.hint}}))
    else:
        print(f"{error.code}: {error.message}" + (f"\nHint: {error.hint}" if error.hint else ""), file=sys.stderr)
    raise SystemExit(1)


# ── Storing ───────────────────────────────────────────────────────────────────────────────────


@app.command()
def init(db: Db = None, symbols: Symbols = None, json: Json = False) -> None:
    """Create the database: a table per stream, and a named view for each series."""
    from orderflow.store import tables

    chosen = _settings(db=db, symbols=symbols)
    chosen.db.parent.mkdir(parents=True, exist_ok=True)
    connection = tables.open_for_writing(chosen.db)
    try:
        created = tables.create(connection, chosen.symbols)
    finally:
        connection.close()
    _tell(
        json,
        {"db": str(chosen.db), "core": created.core, "others": created.others},
        f"{chosen.db}: {created.core} core series and {created.others} others, for {len(chosen.symbols)} symbols",
    )


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    db: Db = None,
    venue: Annotated[str | None, typer.Option(help="Venue of CSV files that do not tell.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Symbol of CSV files that do not tell.")] = None,
    json: Json = False,
) -> None:
    """Replay recordings into the database: captures, our journals, CSV archives. Twice changes nothing."""
    from orderflow import venues
    from orderflow.jobs.replay import replay as play
    from orderflow.store import tables

    chosen = _settings(db=db)
    _log_to_stderr(chosen.log_level)
    chosen.db.parent.mkdir(parents=True, exist_ok=True)
    connection = tables.open_for_writing(chosen.db, memory_limit=chosen.memory_limit)
    try:
        tables.create(connection, chosen.symbols)
        with _progress("replaying", hidden=json) as shown:
            report = play(
                files,
                connection,
                venues.ALL,
                venue=venue,
                symbol=symbol,
                book_interval_ms=chosen.book_interval,
                progress=lambda done: shown(done.files, done.of, f"{done.path.name}: {done.frames:,} frames"),
            )
    finally:
        connection.close()
    found = _reported(report)
    _tell(json, found, _report_text(report))


def _reported(report: "Report") -> dict[str, Any]:
    return {
        "source": report.source,
        "frames": report.frames,
        "used": report.used,
        "ignored": dict(report.ignored),
        "unknown": report.unknown.total(),
        "unknown_reasons": dict(report.unknown),
        "gaps": [
            {
                "venue": gap.venue,
                "symbol": gap.symbol,
                "stream": gap.stream,
                "from": _utc(gap.from_ts),
                "until": None if gap.until_ts is None else _utc(gap.until_ts),
                "reason": gap.reason,
            }
            for gap in report.gaps
        ],
        "rows": report.rows,
        "written": dict(report.written),
    }


def _report_text(report: "Report") -> str:
    lines = [f"{report.frames:,} frames: {report.used:,} used ({report.source})"]
    lines += [f"  left out {count:,}: {reason}" for reason, count in report.ignored.most_common()]
    lines += [f"  not understood {count:,}: {reason}" for reason, count in report.unknown.most_common()]
    for gap in report.gaps:
        until = "the end" if gap.until_ts is None else _utc(gap.until_ts)
        lines.append(f"  gap in {gap.venue} {gap.symbol} {gap.stream}, {_utc(gap.from_ts)} to {until}: {gap.reason}")
    new = ", ".join(f"{count:,} {name}" for name, count in sorted(report.written.items())) or "none; all were there"
    return "\n".join([*lines, f"new rows: {new}"])


@app.command()
def doctor(
    db: Db = None,
    venues: Venues = None,
    offline: Annotated[bool, typer.Option(help="Do not ask the venues.")] = False,
    simulator: Simulator = None,
    json: Json = False,
) -> None:
    """Look at the venues and the database: reachable, healthy, how far behind, what is missing."""
    from orderflow.jobs.doctor import examine

    chosen = _settings(db=db, venues=venues)
    _log_to_stderr("ERROR")
    forms = _forms(chosen)
    found = asyncio.run(examine(chosen.db, forms, _simulated_hosts(simulator, forms), offline=offline))
    problems = sum(one.state == "problem" for one in found)
    marks = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}
    lines = [
        f"{marks[one.state]} {one.about}: {one.said}" + (f" ({one.hint})" if one.hint else "") for one in found
    ]
    findings = [{"about": one.about, "state": one.state, "said": one.said, "hint": one.hint} for one in found]
    _tell(json, {"problems": problems, "findings": findings}, "\n".join(lines))
    raise typer.Exit(1 if problems else 0)


# ── Collecting ────────────────────────────────────────────────────────────────────────────────


@app.command()
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
    chosen = _settings(
        db=db,
        venues=venues,
        symbols=symbols,
        streams=streams,
        host=host,
        port=port,
        token=token,
        keep_journal=keep_journal,
    )
    forms = _forms(chosen)
    plan = _plan(chosen, forms, _simulated_hosts(simulator, forms))
    _log_to_stderr(chosen.log_level)
    _run(_collect(chosen, plan, lambda collector, url: _say_ready(collector, url, json)))


@app.command()
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
    chosen = _settings(db=db, symbols=symbols, host=host, port=port, token=token)
    _log_to_stderr("WARNING" if chosen.log_level == "INFO" else chosen.log_level)
    _run(_demo(chosen, seed, rate, json))


async def _demo(chosen: "Settings", seed: int, rate: float, as_json: bool) -> None:
    from orderflow.sim import Simulation
    from orderflow.venues.spec import Hosts

    forms = _forms(chosen)
    simulation = Simulation(chosen.symbols, seed=seed, rate=rate)
    await simulation.start()
    try:
        plan = _plan(chosen, forms, {name: Hosts(**simulation.hosts(name)) for name in forms})
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
    print(f"\nA first answer (`orderflow call get_crypto_prices symbol={symbol} --db {chosen.db}`):\n\n{reply.text}")
    print(f"\nMore: {url}/docs, {url}/health, `orderflow doctor --db {chosen.db} --offline`. Ctrl-C stops.", flush=True)


@app.command()
def record(
    out: Annotated[Path, typer.Option(help="Folder of the recording.")] = Path("data/recording"),
    venues: Venues = None,
    symbols: Symbols = None,
    streams: Streams = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so long.", show_default="until Ctrl-C")] = None,
    simulator: Simulator = None,
    json: Json = False,
) -> None:
    """Record what the venues send, without a database; `orderflow replay` plays it."""
    from orderflow.jobs.record import record_frames

    chosen = _settings(venues=venues, symbols=symbols, streams=streams)
    _log_to_stderr(chosen.log_level)
    forms = _forms(chosen)
    hosts = _simulated_hosts(simulator, forms)

    async def recording() -> None:
        stop = _stop_on_signals()
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
        _tell(json, found, f"{done.folder}: {done.frames:,} frames in {done.seconds:.1f} s ({done.kind})")

    _run(recording())


async def _collect(
    chosen: "Settings", plan: "Plan", ready: Callable[["Collector", str], None]
) -> None:
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
    stop = _stop_on_signals()
    serving = asyncio.ensure_future(http.serve(door, taken=taken, ready=lambda where: ready(collector, where)))
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
    _tell(as_json, said, text)


# ── Asking ────────────────────────────────────────────────────────────────────────────────────


@app.command()
def call(
    name: Annotated[str, typer.Argument(help="A tool, or one of its aliases; `find_tools` lists them.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE…", help="Its arguments.")] = None,
    db: Db = None,
    format: Annotated[str | None, typer.Option(help="text, json or xml.", show_default="text")] = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Ask a tool: of the collector that runs on the database, or else of what is stored."""
    from orderflow.servers.nearest import Nearest

    chosen = _settings(db=_asked(db), token=token)
    _log_to_stderr("ERROR")
    nearest = Nearest(chosen.db, token=chosen.token, taker_fee_bps=chosen.taker_fee_bps)
    form: Any = "json" if json else format
    reply = asyncio.run(nearest.call(name, _arguments(arguments or []), form))
    if reply.failure is None:
        print(reply.text)
        return
    if json:
        failure = reply.failure
        print(_dumped({"error": {"code": failure.code, "message": failure.message, "hint": failure.hint}}))
    else:
        print(f"{reply.failure.code}: {reply.failure.message}", file=sys.stderr)
        if reply.failure.hint:
            print(f"Hint: {reply.failure.hint}", file=sys.stderr)
    raise typer.Exit(1)


@app.command()
def mcp(
    db: Db = None,
    toolsets: Annotated[str | None, typer.Option(help="core, all, meta, or families.", show_default="core")] = None,
    token: Token = None,
) -> None:
    """Serve an assistant over stdio (Model Context Protocol)."""
    from orderflow.servers import mcp as door
    from orderflow.servers.nearest import Nearest

    chosen = _settings(db=_asked(db), toolset=toolsets, token=token)
    _log_to_stderr("WARNING")
    nearest = Nearest(chosen.db, token=chosen.token, taker_fee_bps=chosen.taker_fee_bps)
    asyncio.run(door.stdio(nearest, chosen.toolset))


def _asked(db: Path | None) -> Path | None:
    """Return the database to ask: the one named, else the settings'; the demo's where only that one is."""
    if db is not None or _settings().db.exists() or not DEMO_DB.exists():
        return db
    return DEMO_DB


def _arguments(pairs: list[str]) -> dict[str, Any]:
    """Return `key=value` words as arguments; a value that reads as JSON is what it says."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise InvalidArgument(f"{pair!r} is no argument", hint="arguments are key=value, as in symbol=BTCUSDT")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


# ── What commands share ───────────────────────────────────────────────────────────────────────


def _settings(**flags: Any) -> "Settings":
    from orderflow.settings import settings

    return settings(**flags)


def _forms(chosen: "Settings") -> dict[str, "Venue"]:
    """Return the forms of the venues that were chosen, or of all."""
    from orderflow import venues
    from orderflow.market.instruments import MARKETS, venue_id

    wanted = [venue_id(name) for name in chosen.venues] or list(venues.ALL)
    missing = [name for name in wanted if name not in venues.ALL]
    if missing:
        raise InvalidArgument(
            f"{', '.join(missing)}: known, but its decoder is not built yet",
            hint=f"built: {', '.join(venues.ALL)} of {len(MARKETS)}",
        )
    return {name: venues.ALL[name] for name in wanted}


def _plan(chosen: "Settings", forms: dict[str, "Venue"], hosts: dict[str, "Hosts"]) -> "Plan":
    from orderflow.jobs.collect import Plan
    from orderflow.market.streams import STREAMS

    if unknown := [name for name in chosen.streams if name not in STREAMS]:
        raise InvalidArgument(f"no stream is called {unknown[0]!r}", hint=f"streams: {', '.join(STREAMS)}")
    return Plan(
        db=chosen.db,
        venues=forms,
        symbols=chosen.symbols,
        streams=chosen.streams or None,
        kind="simulated" if hosts else "live",
        hosts=hosts,
        flush_interval_s=chosen.flush_interval,
        book_interval_ms=chosen.book_interval,
        keep_journal=chosen.keep_journal,
        memory_limit=chosen.memory_limit,
        large_trade_usd=chosen.large_trade_usd,
        quack_port=chosen.quack_port,
    )


def _simulated_hosts(simulator: str | None, forms: dict[str, "Venue"]) -> dict[str, "Hosts"]:
    """Return the addresses that a simulator gives; none where no simulator is asked for."""
    if simulator is None:
        return {}
    import urllib.request

    from orderflow.market.errors import VenueUnavailable
    from orderflow.venues.spec import Hosts

    try:
        with urllib.request.urlopen(f"{simulator.rstrip('/')}/sim", timeout=10) as reply:  # noqa: S310 - asked for
            said = json.load(reply)
        return {name: Hosts(**said["hosts"][name]) for name in forms}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VenueUnavailable(
            f"{simulator} does not answer as a simulator does: {error}", hint="start one: python -m orderflow.sim"
        ) from error


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    return stop


def _run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(work)


def _log_to_stderr(level: str) -> None:
    """Send every log line to stderr; stdout belongs to results, and to MCP over stdio."""
    import structlog

    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    pretty = sys.stderr.isatty()
    render = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.KeyValueRenderer(["timestamp", "level", "event"])
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder(), stamp],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "picows", "aiohttp.access", "mcp", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))


@contextmanager
def _progress(what: str, *, hidden: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show progress on stderr while something long runs; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of, said: bar.update(task, completed=done, total=of, description=said)


def _tell(as_json: bool, found: dict[str, Any], text: str) -> None:
    print(_dumped(found) if as_json else text, flush=True)


def _dumped(found: dict[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False)


def _utc(ns: int) -> str:
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"

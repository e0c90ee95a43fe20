"""What the commands share: options, settings, forms, logging, progress, and how results are told."""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderflow.market.errors import InvalidArgument

if TYPE_CHECKING:
    from orderflow.jobs.plan import Plan
    from orderflow.jobs.tidy import Keeping
    from orderflow.publish import Publishing
    from orderflow.servers.desk import Desk
    from orderflow.servers.limits import Limits
    from orderflow.settings import Settings
    from orderflow.store.desk import Following
    from orderflow.store.desk.stored import Open
    from orderflow.store.lake import Lake
    from orderflow.venues.spec import Hosts, Venue

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for machines.")]
Db = Annotated[
    Path | None, typer.Option("--db", help="The database file.", show_default="data/orderflow.duckdb")
]
Venues = Annotated[str | None, typer.Option(help="Venue ids, separated by commas.", show_default="all")]
Symbols = Annotated[str | None, typer.Option(help="Symbols, separated by commas.", show_default="the nine")]
Streams = Annotated[str | None, typer.Option(help="Streams, separated by commas.", show_default="all")]
Host = Annotated[str | None, typer.Option(help="Address of the HTTP door.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port of the HTTP door.", show_default="8022")]
Token = Annotated[str | None, typer.Option(help="Asked of HTTP clients; needed for any other address.")]
Simulator = Annotated[
    str | None,
    typer.Option(help="Address of a simulator (`python -m orderflow.sim`) to collect from instead."),
]

Store = Annotated[
    str | None,
    typer.Option(
        help="A lake instead of a file: ducklake:postgres:dbname=… host=… ; data = FOLDER or s3://…",
        show_default="none",
    ),
]

Publish = Annotated[
    str | None,
    typer.Option(
        help="RabbitMQ to publish to, as amqp://127.0.0.1/; with a password better as ORDERFLOW_PUBLISH_URL.",
        show_default="nowhere",
    ),
]

Control = Annotated[
    bool | None,
    typer.Option(
        "--allow-control",
        help="Let tools start, stop and configure what is collected, backfill and export.",
        show_default="off",
    ),
]
Postgres = Annotated[
    str | None,
    typer.Option(
        help="PostgreSQL to keep a desk's tables in, as postgresql://127.0.0.1/market; with a password better"
        " as ORDERFLOW_POSTGRES_URL.",
        show_default="nowhere",
    ),
]

LAKE_FLUSH_S = 5.0
DEMO_DB = Path("data/demo.duckdb")


def chosen_settings(**flags: Any) -> "Settings":
    from orderflow.settings import settings

    return settings(**flags)


def chosen_forms(chosen: "Settings") -> dict[str, "Venue"]:
    """Return the forms of the venues that were chosen, or of all."""
    from orderflow import venues
    from orderflow.market.instruments import COLLECTED, venue_id
    from orderflow.venues.cme_futures import with_chart

    wanted = [venue_id(name) for name in chosen.venues] or list(COLLECTED)
    if missing := [name for name in wanted if name not in COLLECTED]:
        raise InvalidArgument(
            f"{', '.join(missing)}: asked by tools, and without streams to collect",
            hint=f"collected: {', '.join(COLLECTED)}",
        )
    forms = {name: venues.ALL[name] for name in wanted}
    if chosen.cme_chart and (cme := forms.get("cme_futures")):
        forms[cme.name] = with_chart(cme)
    return forms


def planned(chosen: "Settings", forms: dict[str, "Venue"], hosts: dict[str, "Hosts"]) -> "Plan":
    from orderflow import venues
    from orderflow.jobs.plan import Plan
    from orderflow.market.instruments import COLLECTED
    from orderflow.market.streams import STREAMS

    if unknown := [name for name in chosen.streams if name not in STREAMS]:
        raise InvalidArgument(f"no stream is called {unknown[0]!r}", hint=f"streams: {', '.join(STREAMS)}")
    mega = 1_000_000
    lake = chosen_lake(chosen)
    return Plan(
        db=chosen.db if lake is None else chosen.state,
        lake=lake,
        venues=forms,
        symbols=chosen.symbols,
        streams=chosen.streams or None,
        kind="simulated" if hosts else "live",
        hosts=hosts,
        flush_interval_s=_flush_interval(chosen, lake is not None),
        book_interval_ms=chosen.book_interval,
        keep_journal=chosen.keep_journal,
        memory_limit=chosen.memory_limit,
        large_trade_usd=chosen.large_trade_usd,
        quack_port=chosen.quack_port,
        keys=chosen.keys,
        forms={name: venues.ALL[name] for name in COLLECTED if not hosts or name in hosts},
        asked={name: forms.get(name, one) for name, one in venues.ALL.items() if not hosts or name in hosts},
        backlog_memory=chosen.backlog_memory * mega,
        backlog_disk=chosen.backlog_disk * mega,
        most_rows=chosen.waiting_rows,
        memory_warning=None if chosen.memory_warning is None else chosen.memory_warning * mega,
        clock_bound_ms=chosen.clock_bound,
        stop_within_s=chosen.stop_within,
        backfill_hours=chosen.backfill_hours if chosen.backfill else None,
        publish=_publishing(chosen),
        postgres=following(chosen),
        keeping=chosen_keeping(chosen),
    )


def chosen_keeping(chosen: "Settings") -> "Keeping":
    """Return what the settings say of keeping. Raises `InvalidArgument` for what cannot be read."""
    from orderflow.jobs.tidy import Keeping
    from orderflow.market.events import HOUR
    from orderflow.store import retention, thinning

    return Keeping(
        retention.rules(chosen.retention),
        tuple(thinning.steps(chosen.thin)),
        round(chosen.compact_after * HOUR),
    )


def chosen_lake(chosen: "Settings") -> "Lake | None":
    """Return the lake that the settings name; None where the store is a file."""
    from orderflow.store import lake

    if chosen.store is None:
        return None
    if not lake.is_lake(chosen.store):
        raise InvalidArgument(
            f"store: {chosen.store!r} is no lake",
            hint="a file is named by `db`; a lake as ducklake:postgres:…",
        )
    return lake.parse(chosen.store)


def where(chosen: "Settings", db: Path | None = None) -> "Path | str":
    """Return the store that is asked: the file that was named, else the settings' lake, else their file."""
    return chosen.db if db is not None or chosen_lake(chosen) is None else str(chosen.store)


def _flush_interval(chosen: "Settings", lake: bool) -> float:
    # each flush of a lake is a file a stream
    return LAKE_FLUSH_S if lake and "flush_interval" not in chosen.model_fields_set else chosen.flush_interval


def _publishing(chosen: "Settings") -> "Publishing | None":
    """Return where to publish, if anywhere."""
    if chosen.publish_url is None or not (url := chosen.publish_url.get_secret_value()):
        return None
    from orderflow.market.streams import STREAMS
    from orderflow.publish import Publishing

    return Publishing(
        url=url, exchange=chosen.publish_exchange, streams=chosen.publish_streams or tuple(STREAMS)
    )


def following(chosen: "Settings") -> "Following | None":
    """Return where to keep a desk's tables, if anywhere."""
    if not (url := _postgres_url(chosen)):
        return None
    from orderflow.store.desk import STREAMS, Following

    return Following(url=url, schema=chosen.postgres_schema, streams=chosen.postgres_streams or STREAMS)


def chosen_desk(chosen: "Settings", open: "Open") -> "Desk":
    """Return who answers a desk's questions: `open` opens our own store, where that is chosen."""
    from orderflow.store.desk import PostgresDesk, StoredDesk

    if chosen.desk == "duckdb":
        return StoredDesk(open)
    if not (url := _postgres_url(chosen)):
        raise InvalidArgument(
            "desk is postgres, and there is no postgres_url",
            hint="ORDERFLOW_POSTGRES_URL=postgresql://user:password@127.0.0.1:5432/market",
        )
    return PostgresDesk(url, chosen.postgres_schema)


def door_limits(chosen: "Settings") -> "Limits":
    """Return how far the clients of the HTTP door may go."""
    from orderflow.servers.limits import Limits

    return Limits(
        rate_per_s=chosen.rate_limit_per_s,
        burst=chosen.rate_limit_burst,
        requests=chosen.most_requests,
        streams=chosen.most_streams,
        connections=chosen.most_connections,
        body_s=chosen.body_timeout_s,
    )


def _postgres_url(chosen: "Settings") -> str:
    return "" if chosen.postgres_url is None else chosen.postgres_url.get_secret_value()


def simulated_hosts(simulator: str | None, forms: dict[str, "Venue"]) -> dict[str, "Hosts"]:
    """Return the addresses that a simulator gives; none where no simulator is asked for.

    Those of venues that were not chosen too: they may be started later.
    """
    if simulator is None:
        return {}
    import urllib.request

    from orderflow import venues
    from orderflow.market.errors import VenueUnavailable
    from orderflow.venues.spec import Hosts

    try:
        with urllib.request.urlopen(f"{simulator.rstrip('/')}/sim", timeout=10) as reply:  # noqa: S310 - asked for
            said = json.load(reply)
        hosts = {name: Hosts(**one) for name, one in said["hosts"].items() if name in venues.ALL}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VenueUnavailable(
            f"{simulator} does not answer as a simulator does: {error}",
            hint="start one: python -m orderflow.sim",
        ) from error
    if missing := [name for name in forms if name not in hosts]:
        raise InvalidArgument(
            f"{', '.join(missing)}: not simulated at {simulator}", hint=f"simulated there: {', '.join(hosts)}"
        )
    return hosts


def stop_on_signals(hurry: Callable[[], None] | None = None) -> asyncio.Event:
    """Return what a first signal sets; a second one calls `hurry`, and a third ends the process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def told() -> None:
        if stop.is_set() and hurry is not None:
            for one in signals:
                loop.remove_signal_handler(one)
            hurry()
        stop.set()

    for one in signals:
        loop.add_signal_handler(one, told)
    return stop


def run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(work)


_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
_ARENAS = 2


def share_arenas() -> bool:
    """Have all threads share two arenas of the allocator; return whether there is one that can be told.

    glibc gives each thread its own, up to eight a core, and what one thread freed no other uses: flushes run
    on a different thread each time, so a process that runs for days would hold the largest flush in each.
    """
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and mallopt(_ARENA_MAX, _ARENAS) == 1


def log_to_stderr(level: str) -> None:
    """Send every log line to stderr; stdout belongs to results, and to MCP over stdio."""
    import structlog

    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    pretty = sys.stderr.isatty()
    render = (
        structlog.dev.ConsoleRenderer()
        if pretty
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    )
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
def progress(what: str, *, hidden: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show progress on stderr while something long runs; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of, said: bar.update(task, completed=done, total=of, description=said)


def tell(as_json: bool, found: dict[str, Any], text: str) -> None:
    print(dumped(found) if as_json else text, flush=True)


def dumped(found: dict[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False)


def utc(ns: int) -> str:
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"

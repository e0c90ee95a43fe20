"""Commands that steer a running collector: feeds list, start, stop, set."""

from json import dumps
from typing import Annotated, Any

import typer

from orderflow.cli.asking import nearest_db
from orderflow.cli.surroundings import Db, Json, Token, chosen_settings, log_to_stderr, tell
from orderflow.market.errors import DoorUnavailable, InvalidArgument, OrderflowError

feeds = typer.Typer(
    no_args_is_help=True, help="What a running collector collects: look, and change it while it runs."
)
Venue = Annotated[str, typer.Argument(help="A venue's id, or one of its other names.")]


@feeds.command("list")
def list_feeds(db: Db = None, token: Token = None, json: Json = False) -> None:
    """List the venues, symbols and streams that are collected now."""
    found = ordered(db, token, "GET", "/admin/feeds")
    tell(json, found, _shown(found))


@feeds.command()
def start(venue: Venue, db: Db = None, token: Token = None, json: Json = False) -> None:
    """Collect from a venue, too."""
    _order(db, token, json, f"/admin/feeds/{_word(venue)}/start")


@feeds.command()
def stop(venue: Venue, db: Db = None, token: Token = None, json: Json = False) -> None:
    """Collect from a venue no longer; the others go on."""
    _order(db, token, json, f"/admin/feeds/{_word(venue)}/stop")


@feeds.command("set")
def choose(
    symbols: Annotated[
        str | None, typer.Option(help="All symbols to collect.", show_default="as they are")
    ] = None,
    streams: Annotated[
        str | None, typer.Option(help="All streams to collect, or `all`.", show_default="as they are")
    ] = None,
    db: Db = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Collect these symbols or streams, and no others, on every venue."""
    chosen = {"symbols": _words(symbols), "streams": _words(streams)}
    if not any(one is not None for one in chosen.values()):
        raise InvalidArgument("nothing to set", hint="--symbols BTCUSDT,ETHUSDT, --streams trades, or both")
    _order(db, token, json, "/admin/feeds", chosen)


def _order(db: Any, token: str | None, as_json: bool, path: str, body: dict[str, Any] | None = None) -> None:
    found = ordered(db, token, "POST", path, body)
    changed = found["changed"] or ["nothing: all was so already"]
    tell(as_json, found, "\n".join([*changed, f"({found['hint']})", "", _shown(found["state"])]))


def ordered(
    db: Any,
    token: str | None,
    method: Any,
    path: str,
    body: dict[str, Any] | None = None,
    timeout_s: float = 30.0,
) -> dict[str, Any]:
    """Ask the collector that runs on the database, and return what it answers.

    Raises `DoorUnavailable` where none runs there, or it has no door.
    """
    from orderflow.servers.remote import KEY, Remote
    from orderflow.servers.replies import Failure
    from orderflow.store import access

    chosen = chosen_settings(db=nearest_db(db), token=token)
    log_to_stderr("ERROR")
    service = access.service(chosen.db)
    if service is None or not service.door:
        raise DoorUnavailable(
            f"no collector runs on {chosen.db}", hint="`orderflow up` starts one; --db names another database"
        )
    payload = None if body is None else dumps(body).encode()
    asked = Remote(service.door, chosen.token, timeout_s).asked(method, path, payload, {KEY: service.key})
    if isinstance(asked, Failure):
        raise DoorUnavailable(asked.message, hint=asked.hint)
    status, said = asked
    if status != 200:
        raise _Refused(said)
    return said


class _Refused(OrderflowError):
    """What the collector refused, under its own code."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(said.get("message", "refused"), hint=said.get("hint", ""))
        self.code = said.get("code", "internal")


def _shown(state: dict[str, Any]) -> str:
    lines = [f"{'venue':<22} {'state':<9} connections"]
    for name, one in state["venues"].items():
        said = ", ".join(one["connections"]) or "none"
        said += f"; does not list {', '.join(one['not_listed'])}" if one["not_listed"] else ""
        said += f"; began again {one['restarts']} times" if one["restarts"] else ""
        said += f"; {one['error']}" if one["error"] else ""
        lines.append(f"{name:<22} {one['state']:<9} {said}")
    lines += [f"{name:<22} not collected" for name in state["not_collected"]]
    lines.append(f"symbols: {', '.join(state['symbols'])}")
    lines.append(f"streams: {', '.join(state['streams'])}")
    return "\n".join(lines)


def _words(text: str | None) -> list[str] | None:
    if text is None:
        return None
    return [word.strip() for word in text.split(",") if word.strip()]


def _word(venue: str) -> str:
    from urllib.parse import quote

    return quote(venue, safe="")

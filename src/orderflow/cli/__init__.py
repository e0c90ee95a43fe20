"""The command line: `orderflow COMMAND`. Results on stdout, logs and progress on stderr.

Every command takes `--json` for machines. Exit code 0 is success, 1 a failure that was told in one
line, 2 a command that was not understood. Rooms are imported by the command that needs them, so that
`--help` answers at once.
"""

import json
import sys
from typing import Annotated, NoReturn

import typer

from orderflow import __version__
from orderflow.cli import asking, assistants, backfilling, collecting, feeding, keeping, storing, taking
from orderflow.market.errors import InvalidArgument, OrderflowError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Listens to crypto venues, keeps all that it hears in one database, and answers questions about it.",
)


def _version(asked: bool) -> None:
    if asked:
        print(f"orderflow {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Take what stands before a command: `--version` alone, which leaves before there is one."""


for command in (
    collecting.demo,
    collecting.up,
    asking.call,
    asking.serve,
    storing.doctor,
    storing.init,
    storing.replay,
    taking.sql,
    taking.export,
    backfilling.backfill,
    keeping.tidy,
    keeping.backup,
    keeping.restore,
    collecting.record,
):
    app.command()(command)
app.command("import")(taking.take_in)
app.add_typer(feeding.feeds, name="feeds")
app.add_typer(assistants.assistants, name="mcp")


def main() -> None:
    """Run a command; an error that we raise on purpose is one line and exit code 1."""
    as_json = "--json" in sys.argv
    try:
        code = app(standalone_mode=False)  # what `typer.Exit` carries is returned, not raised
        raise SystemExit(code if isinstance(code, int) else 0)
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
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        raise SystemExit(getattr(error, "exit_code", 2)) from None


def _fail(error: OrderflowError, as_json: bool) -> NoReturn:
    if as_json:
        print(json.dumps({"error": {"code": error.code, "message": error.message, "hint": error.hint}}))
    else:
        print(
            f"{error.code}: {error.message}" + (f"\nHint: {error.hint}" if error.hint else ""),
            file=sys.stderr,
        )
    raise SystemExit(1)

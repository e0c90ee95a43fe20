"""Lake: one store for several collectors and any number of readers (DuckLake): rows as Parquet files on a
disk or in S3 that all of them reach, and a catalogue in PostgreSQL that says which files count.

An address is what the setting `store` says instead of a file:
`ducklake:postgres:dbname=market host=10.0.0.5 ; data = /srv/market` (or `s3://bucket/market`). The words
after `postgres:` are libpq's. `data` is told where the lake is made; later it is known to the catalogue.
A catalogue in a file (`ducklake:market.ducklake`) serves one process at a time, for trying things out.

Each flush adds one file a stream. `tidy` joins them: files of one day, sorted by venue, symbol and time, so
that a question about one series reads few row groups. Rows are not kept in the catalogue itself: measured,
a row of a book costs half a millisecond there, and 3 microseconds in a file.
"""

import atexit
import logging
import os
import re
import shutil
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import duckdb
import msgspec

from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.store import tables
from orderflow.store.identifiers import text

log = logging.getLogger(__name__)

Settings: TypeAlias = dict[str, str | bool | int | float | list[str]]

PREFIX = "ducklake:"
_POSTGRES = "postgres:"
_OPTION = re.compile(r"\s*;\s*(\w+)\s*=\s*([^;]*?)\s*$")
_PASSWORD = re.compile(r"(password\s*=\s*)('[^']*'|\S+)|(//[^:/@]*:)[^@/]*(?=@)")

# What DuckDB's extensions are called, and the wheels that bring them: it loads a file by its own name.
_EXTENSIONS = {"ducklake": "ducklake", "postgres_scanner": "postgres"}
_USEFUL = {"httpfs": "httpfs"}  # for data in S3
_EXTRA = "pip install 'crypto-orderflow[scale]'"

# Commits that touch other rows are tried again by DuckLake itself, so often and after so long.
_RETRIES = (
    "SET ducklake_max_retry_count = 100; SET ducklake_retry_wait_ms = 20; SET ducklake_retry_backoff = 1.2"
)
_STUCK_S = 60  # a transaction of ours that says nothing for so long is ended by PostgreSQL

REFUSED = "orderflow: the share is held by another"  # what PostgreSQL says of a commit that came too late
SMALL_BYTES = 32 << 20  # files below are joined at every tidying, others once a day is over
KEPT_SNAPSHOTS = "1 hour"  # how long a reader may take to read what it began to read


class Lake(msgspec.Struct, frozen=True):
    """A lake's address: its catalogue as DuckLake takes it, and the folder of its rows."""

    catalogue: str
    data: str = ""

    @property
    def postgres(self) -> str | None:
        """The catalogue's PostgreSQL in libpq's words; None where it is a file."""
        return self.catalogue.removeprefix(_POSTGRES) if self.catalogue.startswith(_POSTGRES) else None

    def __str__(self) -> str:
        """The address without its password, to be shown."""
        shown = _PASSWORD.sub(lambda found: f"{found[1] or found[3]}***", self.catalogue)
        return f"{PREFIX}{shown}" + (f" ; data = {self.data}" if self.data else "")


def refused(error: duckdb.Error) -> bool:
    """Tell whether a commit was refused because another holds the share."""
    return REFUSED in str(error)


def is_lake(store: object) -> bool:
    """Tell whether a store's address is a lake's, and no file's."""
    return str(store).startswith(PREFIX)


def parse(store: str) -> Lake:
    """Read an address. Raises `InvalidArgument` where it says what no lake has.

    >>> parse("ducklake:postgres:dbname=market host=db ; data = s3://bucket/market")
    Lake(catalogue='postgres:dbname=market host=db', data='s3://bucket/market')
    """
    catalogue, options = store.removeprefix(PREFIX).strip(), dict[str, str]()
    while found := _OPTION.search(catalogue):
        options[found[1]] = found[2]
        catalogue = catalogue[: found.start()]
    if unknown := options.keys() - {"data"}:
        raise InvalidArgument(
            f"a lake has no {unknown.pop()!r}", hint="after `;` it says data = FOLDER or s3://…"
        )
    if not catalogue.removeprefix(_POSTGRES).strip():
        raise InvalidArgument(
            f"{store!r} names no catalogue", hint="ducklake:postgres:dbname=market host=… ; data = FOLDER"
        )
    return Lake(catalogue, options.get("data", ""))


# ── Opening ───────────────────────────────────────────────────────────────────────────────────


def open_for_writing(
    lake: Lake, *, claim: str = "", memory_limit: str = "1GB", threads: int = 2
) -> duckdb.DuckDBPyConnection:
    """Open a lake, or make it; its tables are `tables.create`'s matter.

    `claim` is the options of PostgreSQL that every commit of this process is judged by (`shares.Claim`).
    Raises `StoreUnusable` in one line: extensions that are not installed, a catalogue that does not
    answer, no folder for its rows, or another program's catalogue.
    """
    if not claim:  # who holds a share has found it there
        make(lake)
    connection = _connect(lake, claim, {"memory_limit": memory_limit, "threads": threads})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        tables.recognise(connection)
    except StoreUnusable as error:
        connection.close()
        raise StoreUnusable(f"{lake}: {error.message}", hint=error.hint) from None
    return connection


def open_to_read(lake: Lake, settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """Open a lake that is there, read-only. Raises `StoreUnusable` in one line."""
    connection = _connect(lake, "", {"threads": 2, **(settings or {})}, read_only=True)
    try:
        tables.readable(connection)
    except StoreUnusable as error:
        connection.close()
        raise StoreUnusable(f"{lake}: {error.message}", hint=error.hint) from None
    return connection


def make(lake: Lake) -> None:
    """Make the catalogue where there is none yet, and let it know where its rows go."""
    if lake.data and "://" not in lake.data:
        try:
            Path(lake.data).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnusable(f"{lake.data}: {error.strerror}", hint="choose another folder") from error
    data = f" (DATA_PATH {text(lake.data.rstrip('/') + '/')})" if lake.data else ""
    connection = duckdb.connect(config=_settings())
    try:
        connection.execute("LOAD ducklake")
        connection.execute(f"ATTACH {text(PREFIX + lake.catalogue)} AS lake{data}")
        connection.execute("CALL lake.set_option('data_inlining_row_limit', '0')")
    except duckdb.Error as error:
        raise _unusable(lake, str(error)) from error
    finally:
        connection.close()


def _connect(
    lake: Lake, claim: str, settings: Settings, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    catalogue = lake.catalogue
    if lake.postgres is not None and not read_only:
        catalogue = _POSTGRES + _with_options(lake.postgres, claim)
    elif lake.postgres is None and read_only and not Path(catalogue).is_file():
        raise StoreUnusable(f"{lake}: no such lake", hint="`orderflow init` or `orderflow up` makes it")
    try:
        # opened as the database itself: every cursor then works in it without being told
        connection = duckdb.connect(
            PREFIX + catalogue, read_only=read_only, config={**settings, **_settings()}
        )
    except duckdb.Error as error:
        raise _unusable(lake, str(error)) from error
    connection.execute(_RETRIES)
    return connection


def _with_options(postgres: str, claim: str) -> str:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    said = conninfo_to_dict(postgres)
    options = f"-c idle_in_transaction_session_timeout={_STUCK_S}s {claim}".strip()
    given = f"{said['options']} " if said.get("options") else ""
    return make_conninfo(
        postgres, **{"options": given + options, **{k: v for k, v in ALIVE.items() if k not in said}}
    )


# A node that vanished is noticed by its silence.
ALIVE = {"connect_timeout": "10", "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3"}


def _settings() -> Settings:
    return {
        "extension_directory": _extensions(),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": True,
    }


@cache
def _extensions() -> str:
    """Return a folder in which DuckDB finds the extensions of the wheels under their own names."""
    if missing := [wheel for wheel in _EXTENSIONS.values() if _wheel(wheel) is None]:
        names = " and ".join(f"duckdb-extension-{one}" for one in missing)
        raise StoreUnusable(f"a lake needs {names} {duckdb.__version__}, not installed here", hint=_EXTRA)
    ((platform,),) = duckdb.connect().execute("PRAGMA platform").fetchall()
    folder = Path(tempfile.mkdtemp(prefix="orderflow-extensions-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    place = folder / f"v{duckdb.__version__}" / platform
    place.mkdir(parents=True)
    for name, wheel in (_EXTENSIONS | _USEFUL).items():
        if (found := _wheel(wheel)) is not None:
            os.symlink(found, place / f"{name}.duckdb_extension")
    return str(folder)


def _wheel(name: str) -> Path | None:
    found = find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    return file if file.is_file() else None


def _unusable(lake: Lake, said: str) -> StoreUnusable:
    first = " ".join(_PASSWORD.sub(lambda found: f"{found[1] or found[3]}***", said).split())[:300]
    if "DATA_PATH" in said:
        return StoreUnusable(
            f"{lake}: its catalogue knows another folder of rows, or none: {first}",
            hint="leave `data` out, or say the folder that it was made with",
        )
    if "Unable to connect" in said or "connection to server" in said:
        return StoreUnusable(
            f"{lake}: PostgreSQL does not answer: {first}", hint="is it running, and its database created?"
        )
    return StoreUnusable(f"{lake}: DuckDB cannot open it: {first}", hint="is its catalogue whole?")


# ── Tidying ───────────────────────────────────────────────────────────────────────────────────


def tidy(connection: duckdb.DuckDBPyConnection, *, whole: bool = False) -> int:
    """Join the small files of each stream and day, and drop those that nobody reads any more.

    `whole` joins large files too: worth it when a day is over. Collecting goes on meanwhile; where both
    touch the same file the later commit is refused and comes again. Returns how many files were joined.
    What goes wrong with it is logged: it is tried again another time.
    """
    bound = "" if whole else f", max_file_size => {SMALL_BYTES}"
    joined = 0
    with connection.cursor() as cursor:
        try:
            ((joined,),) = cursor.execute(
                "SELECT coalesce(sum(files_processed), 0)::BIGINT"
                f" FROM ducklake_merge_adjacent_files(current_database(){bound})"
            ).fetchall()
            for job in ("expire_snapshots", "cleanup_old_files"):
                cursor.execute(
                    f"SELECT count(*) FROM ducklake_{job}(current_database(),"
                    f" older_than => now() - INTERVAL '{KEPT_SNAPSHOTS}')"
                ).fetchall()
        except duckdb.Error as error:
            log.info("tidying the lake was put off: %s", " ".join(str(error).split())[:200])
    return joined

"""Shares: who writes which part of a lake, so that two collectors never both write a series.

The series of a lake are divided into shares, by symbol or by venue. A collector holds a share by a row in
the catalogue's PostgreSQL with a number of its own, the epoch: whoever takes a share gets a higher one.
Every commit of a collector carries its epoch, and PostgreSQL looks at it in that very transaction (a
trigger on the catalogue's table of snapshots): one whose share was taken meanwhile is refused as a whole,
however late it comes. So a collector that was paused, or cut off, can neither write a row twice nor
beside its successor.

A share is free when its holder gave it back, when its connection has ended (a killed process: at once),
or when it gave no sign for `SILENT_S` (a paused process, a node without a network).
"""

import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from zlib import crc32

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.store.lake import ALIVE, REFUSED, Lake, make

log = logging.getLogger(__name__)

SILENT_S = 10.0
SIGN_S = 1.0

_LOCK_TIMEOUT_S = 3

_TABLES = """
CREATE SEQUENCE IF NOT EXISTS orderflow_epochs;
CREATE TABLE IF NOT EXISTS orderflow_division (
    one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), shares INTEGER NOT NULL, divided_by TEXT NOT NULL,
    names TEXT[] NOT NULL, tidied TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS orderflow_shares (
    share INTEGER PRIMARY KEY, epoch BIGINT NOT NULL, holder TEXT, taken TIMESTAMPTZ NOT NULL
);
CREATE TABLE IF NOT EXISTS orderflow_signs (
    share INTEGER PRIMARY KEY, epoch BIGINT NOT NULL, seen TIMESTAMPTZ NOT NULL,
    backend INTEGER NOT NULL, backend_start TIMESTAMPTZ NOT NULL
);
CREATE OR REPLACE FUNCTION orderflow_fence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('orderflow.share', true), '') <> '' THEN
        PERFORM 1 FROM orderflow_shares
            WHERE share = current_setting('orderflow.share')::INTEGER
                AND epoch = current_setting('orderflow.epoch')::BIGINT AND holder IS NOT NULL
            FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION '{refused}';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER orderflow_fence BEFORE INSERT ON ducklake_snapshot_changes
    FOR EACH ROW EXECUTE FUNCTION orderflow_fence();
""".replace("{refused}", REFUSED)
_SETTING_UP = crc32(b"orderflow: setting up")
_TIDYING = crc32(b"orderflow: tidying")

_ALIVE = """
EXISTS (SELECT 1 FROM orderflow_signs s JOIN pg_stat_activity a
            ON a.pid = s.backend AND a.backend_start = s.backend_start
        WHERE s.share = orderflow_shares.share AND s.epoch = orderflow_shares.epoch
            AND s.seen > clock_timestamp() - make_interval(secs => %(silent)s))
"""


class Division(msgspec.Struct, frozen=True):
    """How a lake's series are divided: into how many shares, by symbols or venues, and in which order.

    Names go round: the first to share 1, the second to share 2. One that is added at the end moves no other.
    """

    shares: int
    by: str
    names: tuple[str, ...]

    def of(self, share: int) -> tuple[str, ...]:
        """Return the names of a share.

        >>> Division(2, "symbols", ("BTCUSDT", "ETHUSDT", "SOLUSDT")).of(1)
        ('BTCUSDT', 'SOLUSDT')
        """
        return self.names[share - 1 :: self.shares]

    def share_of(self, name: str) -> int:
        """Return the share of any name: one that is not collected belongs to one share, too."""
        place = self.names.index(name) if name in self.names else crc32(name.encode())
        return place % self.shares + 1


class Held(msgspec.Struct, frozen=True):
    """A share as it stands: `holder` is None where it is free."""

    share: int
    epoch: int
    holder: str | None


def here() -> str:
    """Return what this process is called as a holder."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Shares:
    """The shares of one lake. Raises `StoreUnusable` where PostgreSQL does not answer."""

    def __init__(self, lake: Lake, division: Division) -> None:
        if lake.postgres is None:
            raise InvalidArgument(
                "a catalogue in a file serves one process", hint="several collectors need ducklake:postgres:…"
            )
        if not 1 <= division.shares <= max(1, len(division.names)):
            raise InvalidArgument(
                f"{len(division.names)} {division.by} cannot be divided into {division.shares} shares",
                hint="at most one share for each of them",
            )
        make(lake)
        self.division = division
        self._postgres = lake.postgres
        with self._connect() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SETTING_UP])
            connection.execute(_TABLES)

    def _connect(self) -> psycopg.Connection:
        return connect(self._postgres)

    def standing(self) -> list[Held]:
        """Return every share of this division, by number."""
        with self._connect() as connection:
            held = {
                share: Held(share, epoch, holder if alive else None)
                for share, epoch, holder, alive in connection.execute(
                    f"SELECT share, epoch, holder, {_ALIVE} FROM orderflow_shares", {"silent": SILENT_S}
                ).fetchall()
            }
        return [held.get(one, Held(one, 0, None)) for one in range(1, self.division.shares + 1)]

    def take(self, share: int, holder: str | None = None) -> "Lease | None":
        """Take a share if it is free, else return None.

        Raises `InvalidArgument` for a share that is none, or where others hold shares of a lake that they
        divide in another way.
        """
        if not 1 <= share <= self.division.shares:
            raise InvalidArgument(f"no share {share} of {self.division.shares}")
        connection = self._connect()
        try:
            epoch = self._taken(connection, share, holder or here())
        except psycopg.errors.LockNotAvailable:  # its holder is in the midst of a commit
            epoch = None
        except BaseException:
            connection.close()
            raise
        if epoch is None:
            connection.close()
            return None
        return Lease(self, connection, share, epoch)

    def _taken(self, connection: psycopg.Connection, share: int, holder: str) -> int | None:
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{_LOCK_TIMEOUT_S}s"])
            self._agree(connection)
            connection.execute(
                "INSERT INTO orderflow_shares VALUES (%s, 0, NULL, clock_timestamp()) ON CONFLICT DO NOTHING",
                [share],
            )
            taken = connection.execute(
                "UPDATE orderflow_shares SET epoch = nextval('orderflow_epochs'), holder = %(holder)s,"
                " taken = clock_timestamp() WHERE share = %(share)s AND (holder IS NULL OR NOT"
                f" {_ALIVE}) RETURNING epoch",
                {"holder": holder, "share": share, "silent": SILENT_S},
            ).fetchone()
            if taken is None:
                return None
            sign(connection, share, taken[0])
            return taken[0]

    def _agree(self, connection: psycopg.Connection) -> None:
        """Divide the lake as this process does, unless others who hold shares divide it otherwise."""
        mine = self.division
        connection.execute(
            "INSERT INTO orderflow_division (shares, divided_by, names) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [mine.shares, mine.by, list(mine.names)],
        )
        found = connection.execute(
            "SELECT shares, divided_by, names FROM orderflow_division FOR UPDATE"
        ).fetchone()
        if found is None or Division(found[0], found[1], tuple(found[2])) == mine:
            return
        held = connection.execute(
            f"SELECT share, holder FROM orderflow_shares WHERE holder IS NOT NULL AND {_ALIVE}",
            {"silent": SILENT_S},
        ).fetchall()
        if held:
            raise InvalidArgument(
                f"collectors hold shares of this lake divided into {found[0]} by {found[1]}"
                f" ({', '.join(found[2][:4])}…); this one divides it into {mine.shares} by {mine.by}",
                hint=f"the same symbols, venues and shares everywhere; holders: {', '.join(one for _, one in held)}",
            )
        connection.execute(
            "UPDATE orderflow_division SET shares = %s, divided_by = %s, names = %s",
            [mine.shares, mine.by, list(mine.names)],
        )
        connection.execute("DELETE FROM orderflow_shares WHERE share > %s", [mine.shares])


def connect(postgres: str) -> psycopg.Connection:
    """Connect to a lake's PostgreSQL; a node that vanishes is noticed by its silence."""
    try:
        said = conninfo_to_dict(postgres)
        more = {name: value for name, value in ALIVE.items() if name not in said}
        return psycopg.connect(make_conninfo(postgres, **more), autocommit=True)
    except psycopg.Error as error:
        raise _silent(error) from error


def sign(connection: psycopg.Connection, share: int, epoch: int) -> None:
    """Give a sign of life for a share, by this connection."""
    connection.execute(
        "INSERT INTO orderflow_signs SELECT %(share)s, %(epoch)s, clock_timestamp(), pid, backend_start"
        " FROM pg_stat_activity WHERE pid = pg_backend_pid() ON CONFLICT (share) DO UPDATE SET"
        " epoch = excluded.epoch, seen = excluded.seen, backend = excluded.backend,"
        " backend_start = excluded.backend_start WHERE orderflow_signs.epoch <= excluded.epoch",
        {"share": share, "epoch": epoch},
    )


class Lease:
    """A share that this process holds, until `release`, or until it learns that another took it."""

    def __init__(self, shares: Shares, connection: psycopg.Connection, share: int, epoch: int) -> None:
        self.share, self.epoch, self.division = share, epoch, shares.division
        self.lost = threading.Event()
        self._postgres, self._connection = shares._postgres, connection  # noqa: SLF001 - one of its own
        self._over = threading.Event()
        self._turn = threading.Lock()
        self._on_loss: Callable[[], object] = lambda: None
        self._signs = threading.Thread(target=self._sign_again_and_again, name="share", daemon=True)
        self._signs.start()

    @property
    def names(self) -> tuple[str, ...]:
        return self.division.of(self.share)

    @property
    def claim(self) -> str:
        """PostgreSQL's options by which the commits of a connection are known as this holding's."""
        return f"-c orderflow.share={self.share} -c orderflow.epoch={self.epoch}"

    def on_loss(self, call: Callable[[], object]) -> None:
        """Have this called, on another thread, once the share is lost."""
        self._on_loss = call
        if self.lost.is_set():
            call()

    def release(self) -> None:
        """Give the share back: the next one may take it at once."""
        self._over.set()
        self._signs.join(2 * SIGN_S)
        with self._turn, suppress(psycopg.Error):
            self._connection.execute(
                "UPDATE orderflow_shares SET holder = NULL WHERE share = %s AND epoch = %s",
                [self.share, self.epoch],
            )
        self._connection.close()

    def tidies(self, every_s: float) -> bool:
        """Tell whether this holder is the one to tidy now: nobody has for so long. It is noted that it did."""
        try:
            with self._turn:
                found = self._connection.execute(
                    "UPDATE orderflow_division SET tidied = clock_timestamp()"
                    " WHERE tidied < clock_timestamp() - make_interval(secs => %s)"
                    " AND pg_try_advisory_xact_lock(%s) RETURNING 1",
                    [every_s, _TIDYING],
                ).fetchone()
        except psycopg.Error:
            return False
        return found is not None

    def _sign_again_and_again(self) -> None:
        while not self._over.wait(SIGN_S):
            try:
                if not self._signed():
                    self.lost.set()
                    self._on_loss()
                    return
            except psycopg.Error as error:
                log.warning("PostgreSQL of the lake does not answer: %s", " ".join(str(error).split())[:200])
                self._connect_again()

    def _signed(self) -> bool:
        """Give a sign; return whether the share is still held."""
        with self._turn:
            held = self._connection.execute(
                "SELECT 1 FROM orderflow_shares WHERE share = %s AND epoch = %s AND holder IS NOT NULL",
                [self.share, self.epoch],
            ).fetchone()
            if held is not None:
                sign(self._connection, self.share, self.epoch)
        return held is not None

    def _connect_again(self) -> None:
        with self._turn, suppress(StoreUnusable):
            fresh = connect(self._postgres)
            self._connection.close()
            self._connection = fresh


def _silent(error: psycopg.Error) -> StoreUnusable:
    said = " ".join(str(error).split())[:300]
    return StoreUnusable(
        f"PostgreSQL of the lake does not answer: {said}", hint="is it running, and its database created?"
    )

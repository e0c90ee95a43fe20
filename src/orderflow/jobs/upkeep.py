"""Upkeep: what is wrong with a database's rows and files, when it was tidied last, and having it mended."""

import time
from pathlib import Path

import msgspec

from orderflow.jobs import tidy
from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.market.events import HOUR
from orderflow.store import access, lake, layout, mending, opening
from orderflow.store.reader import Reader

TIDIED_WITHIN_HOURS = 1.0  # beside a collector, which does it four times an hour
_MEND = "`orderflow doctor --repair` mends what can be mended, once nobody has the database open"
_TIDY = "`orderflow tidy` does it now"


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: fine, worth knowing, or wrong; and what to do about it."""

    about: str
    state: str  # ok, note or problem
    said: str
    hint: str = ""


def repair(db: Path | str, *, memory_limit: str = "1GB") -> list[Finding]:
    """Mend what can be mended of a database that nobody has open; return what was done.

    Raises `StoreUnusable` where somebody has it open, or it cannot be opened at all.
    """
    if lake.is_lake(db):
        raise InvalidArgument(
            "a lake has nothing to repair here", hint="its catalogue is PostgreSQL's matter"
        )
    db, done = Path(db), list[str]()
    if access.service_file(db).exists() and access.service(db) is None:
        access.service_file(db).unlink(missing_ok=True)
        done.append("the service file of a process that is gone was removed")
    if not db.is_file():
        raise StoreUnusable(f"{db}: no such database", hint="`orderflow restore` brings a backup back")
    connection = opening.open_for_writing(db, memory_limit=memory_limit, mending=True)
    try:
        done += mending.mend(connection)
    finally:
        connection.close()
    return [Finding("repaired", "note", said) for said in done]


def kept(reader: Reader, db: Path, *, thorough: bool, running: bool) -> list[Finding]:
    """Tell what is wrong with the rows and files, and when the database was tidied last."""
    where = layout.Layout(root=layout.archive_root(db))
    found = [
        Finding("store", "problem" if one.wrong else "note", one.said, _MEND if one.wrong else "")
        for one in reader.faults(where, thorough=thorough, running=running)
    ]
    if thorough and not found:
        found.append(Finding("store", "ok", "every row was read: none is there twice, no file is damaged"))
    done = tidy.last(reader.about())
    if done is None:
        found.append(Finding("tidying", "note", "not yet: a collector begins after two minutes", _TIDY))
        return found
    hours = (time.time_ns() - done.at) / HOUR
    if done.problem:
        found.append(Finding("tidying", "problem", f"{done.problem} ({hours:,.1f} hours ago)", _TIDY))
    else:
        late = running and hours > TIDIED_WITHIN_HOURS
        found.append(Finding("tidying", "note" if late else "ok", f"the last was {hours:,.1f} hours ago"))
    return found

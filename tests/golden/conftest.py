"""One database of real recordings for all tests of this folder, whichever worker asks for it first."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from orderflow.store import access
from orderflow.store.reader import Reader
from orderflow.tools.context import Context
from tests.golden import recorded


@pytest.fixture(scope="session")
def recorded_db(captures: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database, built once a run: workers of xdist share the folder above their own."""
    lacking = recorded.missing(captures)
    if captures is None or lacking:
        pytest.skip(f"no recordings here: {', '.join(lacking)}")
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "popen-gw" in own.name else own
    db = shared / "recorded.duckdb"
    with (shared / "recorded.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not db.exists():
            draft = shared / "recorded.draft.duckdb"
            recorded.build(captures, draft)
            draft.rename(db)
    return db


@pytest.fixture(scope="session")
def reader(recorded_db: Path) -> Iterator[Reader]:
    with access.open_reader(recorded_db) as one:
        yield one


@pytest.fixture(scope="session")
def context(reader: Reader) -> Context:
    return recorded.context(reader)

"""Turns: readers in other processes begin no statement while a flush is being written.

A flush takes a part of each second, and what is received must not wait for who asks: the process that
collects holds a lock on its service file meanwhile, and readers look at that before each statement. They
wait a moment, not for ever; the lock of a process that is killed is gone with it.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

MOST_WAIT_S = 0.5
LOOK_EVERY_S = 0.003


class Turns:
    """One side's hold of a service file: `first` is for who writes, `wait` for who reads."""

    def __init__(self, file: Path) -> None:
        self._file: IO[bytes] = file.open("rb")

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def first(self) -> Iterator[None]:
        """Have readers wait as long as this lasts; who writes never waits for them."""
        with suppress(BlockingIOError):  # a reader is just looking: this once they are not held up
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def wait(self, most_s: float = MOST_WAIT_S) -> None:
        """Return as soon as nobody is writing, or after a while."""
        until = time.monotonic() + most_s
        while not self._free() and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)

    def _free(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return True

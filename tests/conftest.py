"""What every room's tests may ask for: the real recordings, and a port that nobody uses."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine is no finding
settings.load_profile("untimed")

ROOT = Path(__file__).parents[1]
CAPTURES = ROOT.parent / "shared" / "captures"


@pytest.fixture(scope="session")
def captures() -> Path | None:
    """The folder of real recordings beside the repository, or None: then use recordings made by the test."""
    return CAPTURES if CAPTURES.is_dir() else None


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Ask it for a loopback port that is free now; it gives another one each time."""
    given: set[int] = set()

    def ask() -> int:
        while True:
            with socket.socket() as one:
                one.bind(("127.0.0.1", 0))
                port = one.getsockname()[1]
            if port not in given:
                given.add(port)
                return port

    return ask

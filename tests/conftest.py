"""What every room's tests may ask for: the real recordings, a port that nobody uses, and a broker's ear and wire."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.publish.broker import Listener, Wire

settings.register_profile("usual", deadline=None, max_examples=30)  # a busy machine is no finding
settings.register_profile("thorough", deadline=None, max_examples=2_000)  # --hypothesis-profile=thorough
settings.load_profile("usual")

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


@pytest.fixture
def listener() -> "Iterator[Listener]":
    """An exchange of the test's own on the real broker, and a queue that hears all of it."""
    from tests.publish import broker

    broker.required()
    one = broker.Listener()
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def wire() -> "Iterator[Wire]":
    """A port in front of the real broker that can be cut and held."""
    from tests.publish import broker

    broker.required()
    one = broker.Wire()
    try:
        yield one
    finally:
        one.close()

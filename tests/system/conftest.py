"""Processes for the system tests: whatever a test starts has ended when the test has, also where it fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.product import Product


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    one = Product(tmp_path)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def shared_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The same for all tests of a file."""
    one = Product(tmp_path_factory.mktemp("product"))
    try:
        yield one
    finally:
        one.close()

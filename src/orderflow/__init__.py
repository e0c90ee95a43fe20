"""crypto-orderflow: what crypto venues say, kept in one database and answered with its gaps known."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orderflow.database import Database, open

__version__ = "0.1.0"
__all__ = ["Database", "__version__", "open"]


def __getattr__(name: str) -> Any:
    """Bring the door for programs when it is asked for: whoever wants the version alone waits for nothing."""
    if name not in ("Database", "open"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orderflow import database

    return getattr(database, name)

"""Identifiers: names and texts as SQL writes them, where a statement takes no parameters."""

from collections.abc import Iterable


def identifier(name: str) -> str:
    """Quote a name for SQL.

    >>> identifier('solusdt_okx_futures_trades')
    '"solusdt_okx_futures_trades"'
    """
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Quote a string for the statements that take no parameters."""
    return "'" + value.replace("'", "''") + "'"


def enum(values: Iterable[str]) -> str:
    """Return the type that holds these texts alone."""
    return f"ENUM ({', '.join(map(text, values))})"

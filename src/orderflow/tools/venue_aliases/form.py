"""The form of an alias that asks one venue."""

from typing import Any

from orderflow.tools.aliases import Alias


def at(venue: str, tool: str, names: str, parameters: dict[str, Any], **how: Any) -> list[Alias]:
    """Return aliases of a tool asked about one venue; `names` are those of the same question.

    `how` is what an `Alias` takes beside; its `fixed` is added to the venue.
    """
    fixed = {"venues": [venue], **({"history": False} if tool == "market_snapshot" else {})}
    fixed |= how.pop("fixed", {})
    return [Alias(name=name, tool=tool, parameters=parameters, fixed=fixed, **how) for name in names.split()]

"""The names under which earlier systems asked: read from the specification, kept in `names.txt`.

`NAMES=rewrite pytest tests/system/test_every_name.py` writes the list anew where the specification is.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SPECIFICATION = Path(__file__).resolve().parents[3] / "shared" / "spec" / "TOOLS.md"
LIST = Path(__file__).with_name("names.txt")

_SECTIONS = (
    "Arbitrage scanner", "Live market data", "Historical queries", "Live + historical", "Watch-and-summarise",
    "Binance USDT futures", "Binance spot", "Bybit", "OKX", "Kraken", "Gate", "Hyperliquid", "Deribit",
    "Streaming control", "6. Anchor B", "5. Named in the documents only",
)  # fmt: skip
_DOCUMENTED = re.compile("(query_historical|aggregate_by|compute_volume_profile|export_to_csv)")
LATER = ("get_stream_forecast", "get_realtime_analytics_status")  # of forecasting


class Name(NamedTuple):
    """An old name, and the parameters that it always asked for."""

    name: str
    needs: tuple[str, ...]

    @property
    def line(self) -> str:
        return f"{self.name} {','.join(self.needs)}".strip()


def kept() -> list[Name]:
    """Return the names of the committed list."""
    found: list[Name] = []
    for line in LIST.read_text().splitlines():
        name, _, needs = line.partition(" ")
        found.append(Name(name, tuple(filter(None, needs.split(",")))))
    return found


def specified() -> list[Name]:
    """Return the names of the specification, sorted."""
    found: dict[str, Name] = {}
    section = ""
    for line in SPECIFICATION.read_text().splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        elif line.startswith("|") and section.startswith(_SECTIONS):
            found |= {one.name: one for one in _row(section, line)}
    return [found[name] for name in sorted(found) if name not in LATER]


def _row(section: str, line: str) -> Iterator[Name]:
    cells = [one.strip() for one in line.strip("|").split(" | ")]
    one_system = section.startswith(("6.", "5."))  # whose tables have one column of names
    for cell in cells[:1] if one_system else cells[:2]:
        for name in re.findall(r"^`([a-z0-9_]+)`$", cell):
            if section.startswith("5.") and not _DOCUMENTED.match(name):
                continue
            parameters = re.split(", ", cells[2])
            yield Name(name, tuple(re.split(r"\W", one)[0] for one in parameters if one.endswith("*")))

"""Writes the locks beside this file: exact versions, resolved together by pip, without an address or a hash.

One resolution covers everything, so a package has one version whichever lock names it: what is tested
and what is measured is what runs. Each lock holds what it adds to the one that it begins with. A rival that
cannot live with the others is resolved apart, for an environment of its own.

    .venv/bin/python requirements/lock.py        (or: make lock)
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent

# file → (what it says on top, the lock that it begins with, what is resolved)
LOCKS = {
    "build": ("what builds the package itself", None, ["setuptools>=77"]),
    "base": ("what runs", None, ["."]),
    "dev": ("what tests and checks", "base", [".[dev]"]),
    "bench": ("the rivals that `make bench` measures", "dev", [".[dev,bench]"]),
}

APART = {"finmlkit": ("a rival that wants an older numpy and pandas", ["finmlkit==0.1.11"])}

Pins = dict[str, str]


def resolved(wanted: list[str], constraints: Pins) -> Pins:
    """Name → version of everything that pip would install for `wanted` into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        report, limits = Path(folder, "report.json"), Path(folder, "constraints.txt")
        limits.write_text("".join(f"{line}\n" for line in lines(constraints)))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run(
            [*pip, "--report", str(report), "--constraint", str(limits), *wanted], check=True, cwd=PROJECT
        )
        found = json.loads(report.read_text())["install"]
    pins = {
        str(one["metadata"]["name"]).lower().replace("_", "-"): one["metadata"]["version"] for one in found
    }
    pins.pop("crypto-orderflow", None)
    return pins


def lines(pins: Pins) -> list[str]:
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def write(name: str, about: str, parent: str | None, own: Pins) -> None:
    head = [f"# {name}: {about}. Written by requirements/lock.py; change pyproject.toml and run `make lock`."]
    head += [f"-r {parent}.txt"] if parent else []
    (HERE / f"{name}.txt").write_text("\n".join([*head, *lines(own)]) + "\n")


def main() -> None:
    everything = resolved(LOCKS["bench"][2], {})
    written: dict[str, Pins] = {}
    for name, (about, parent, wanted) in LOCKS.items():
        pins = resolved(wanted, everything)
        inherited = written.get(parent, {}) if parent else {}
        written[name] = inherited | pins
        own = {one: version for one, version in pins.items() if one not in inherited}
        write(name, about, parent, own)
        print(f"requirements/{name}.txt: {len(own)} of {len(written[name])} pins")
    for name, (about, wanted) in APART.items():
        pins = resolved(wanted, {})
        write(name, about, None, pins)
        print(f"requirements/{name}.txt: {len(pins)} pins, apart")


if __name__ == "__main__":
    main()

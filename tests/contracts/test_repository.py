"""Rules that the repository keeps about itself, each with a witness that shows what it would catch."""

import ast
import doctest
import importlib
import pkgutil
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from vulture import Vulture

import orderflow

ROOT = Path(__file__).parents[2]

IN_THE_ROOT = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "bench",
    "deploy",
    "docs",
    "pyproject.toml",
    "requirements",
    "src",
    "tests",
}
MOST_LINES = 600
# Written in two halves, so that this file passes its own rule.
REGISTRIES = tuple(
    "".join(halves)
    for halves in (
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("npmjs", ".org"),
        ("npmjs", ".com"),
        ("crates", ".io"),
        ("proxy.golang", ".org"),
        ("deb.debian", ".org"),
        ("anaconda", ".org"),
    )
)
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "core"}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b|raise NotImplemented" r"Error")
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.+!]*")
REASON = re.compile(r"""^\s*"(?P<name>[A-Za-z0-9-]+)[^"]*",\s*#\s*\S+""")


def tracked() -> list[Path]:
    """Files that git knows or would add, as they are on disk."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue


def python_files() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py"]


def named(paths: Iterable[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


# ── Texts ───────────────────────────────────────────────────────────────────────────────────────────────


def names_a_registry(text: str) -> bool:
    return any(host in text for host in REGISTRIES)


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert named(path for path, text in texts() if names_a_registry(text)) == []


def test_the_host_of_a_registry_would_be_found() -> None:
    assert names_a_registry("--index-url https://" + REGISTRIES[0] + "/simple")
    assert not names_a_registry("duckdb==1.5.5")


def test_no_file_is_longer_than_can_be_read() -> None:
    long = {path for path, text in texts() if text.count("\n") > MOST_LINES}
    assert named(long) == []


def test_nothing_is_left_for_later() -> None:
    left = [path for path, text in texts() if path.suffix == ".py" and UNFINISHED.search(text)]
    assert named(left) == []


def test_the_root_holds_what_a_newcomer_expects_and_no_more() -> None:
    here = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert here <= IN_THE_ROOT, f"give it a folder: {sorted(here - IN_THE_ROOT)}"


def test_every_link_of_the_documents_leads_to_a_file() -> None:
    lost: list[str] = []
    for path, text in texts():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in target and not (path.parent / target).exists():
                lost.append(f"{path.relative_to(ROOT)} → {target}")
    assert lost == []


# ── Dependencies ────────────────────────────────────────────────────────────────────────────────────────


def pins(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


APART = ["finmlkit"]  # an environment of its own


def is_exact(line: str) -> bool:
    """One name, one version; no address, no hash, no range. `-r` names a lock beside this one."""
    return PIN.fullmatch(line) is not None or re.fullmatch(r"-r [a-z]+\.txt", line) is not None


def test_every_lock_names_exact_versions_without_an_address() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert [lock.stem for lock in locks] == sorted(["base", "bench", "build", "dev", *APART])
    assert [line for lock in locks for line in pins(lock) if not is_exact(line)] == []


@pytest.mark.parametrize(
    "line",
    [
        "duckdb>=1.5",
        "duckdb",
        "duckdb @ https://example.org/duckdb.whl",
        "duckdb==1.5.5 --hash=sha256:00",
        "-e .",
    ],
)
def test_a_loose_pin_would_be_found(line: str) -> None:
    assert not is_exact(line)


def test_no_package_has_two_versions() -> None:
    versions: dict[str, set[str]] = {}
    together = [one for one in (ROOT / "requirements").glob("*.txt") if one.stem not in APART]
    for lock in together:
        for line in pins(lock):
            name, equal, version = line.partition("==")
            if equal:
                versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def spelt_out(wanted: list[str], extras: dict[str, list[str]]) -> list[str]:
    """Return what is wanted, with the extras of our own that it names as their dependencies."""
    found: list[str] = []
    for one in wanted:
        ours = re.fullmatch(r"crypto-orderflow\[(.*)\]", one)
        found += [each for name in ours[1].split(",") for each in extras[name.strip()]] if ours else [one]
    return found


def test_every_direct_dependency_that_a_lock_covers_is_in_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = {"base": project["dependencies"], "dev": extras["dev"], "bench": extras["bench"]}
    covered: set[str] = set()
    for lock, wanted in declared.items():
        covered |= {line.partition("==")[0] for line in pins(ROOT / "requirements" / f"{lock}.txt")}
        names = {re.split(r"[<>=~!\[]", one)[0].strip().lower() for one in spelt_out(wanted, extras)}
        assert names - covered == set(), f"run `make lock`: {lock}.txt lacks these"


def unexplained(pyproject: str) -> list[str]:
    """Dependencies of any kind without a comment beside them that says why."""
    project = tomllib.loads(pyproject)["project"]
    every = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    explained = {match["name"] for line in pyproject.splitlines() if (match := REASON.match(line))}
    return [one for one in every if re.split(r"[<>=~!\[]", one)[0] not in explained]


def test_every_dependency_has_its_reason_beside_it() -> None:
    assert unexplained((ROOT / "pyproject.toml").read_text()) == []


def test_a_dependency_without_a_reason_would_be_found() -> None:
    bare = '[project]\ndependencies = [\n  "numpy>=2",\n]\n[project.optional-dependencies]\n'
    assert unexplained(bare) == ["numpy>=2"]


# ── Code ────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_module_begins_by_saying_what_is_in_it() -> None:
    silent = [
        path
        for path in python_files()
        if path.is_relative_to(ROOT / "src") or path.is_relative_to(ROOT / "bench")
        if not (ast.get_docstring(ast.parse(path.read_text())) or "").strip()
    ]
    assert named(silent) == []


def test_no_file_is_named_for_what_could_be_anything() -> None:
    vague = [
        path for path in python_files() if {path.stem, *path.relative_to(ROOT).parts[:-1]} & BANNED_NAMES
    ]
    assert named(vague) == []


MODULES = [
    one.name for one in pkgutil.walk_packages(orderflow.__path__, "orderflow.") if "__main__" not in one.name
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def longest_functions(source: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            found.append((node.name, node.end_lineno - node.lineno + 1))
    return sorted(found, key=lambda one: -one[1])


def test_no_function_is_longer_than_eighty_lines() -> None:
    long = {
        f"{path.relative_to(ROOT)}: {name}": lines
        for path in python_files()
        for name, lines in longest_functions(path.read_text())
        if lines > 80
    }
    assert long == {}


def unused(*sources: Path) -> list[str]:
    """Functions, methods and classes that nobody names. Struct fields and constants are data, not code."""
    search = Vulture(
        # What a framework or pytest finds by its decorator, or a library calls by its name.
        ignore_decorators=[
            "@*.fixture",
            "@*.get",
            "@*.post",
            "@*.api_route",
            "@*.command",
            "@*.callback",
            "@*tool",
            "@*validator",
        ],
        ignore_names=[
            "on_*",
            "do_*",
            "visit_*",
            "read",
            "settings_customise_sources",
            "capture_signals",
            "reject",
            "send_400_response",
            "__getattr__",
        ],
    )
    search.scavenge([str(source) for source in sources])
    kinds = {"function", "method", "class"}
    return [f"{Path(one.filename).name}: {one.name}" for one in search.get_unused_code() if one.typ in kinds]


def test_no_function_or_class_is_dead() -> None:
    dead = unused(*(ROOT / one for one in ("src", "bench", "docs", "tests", "requirements")))
    assert [one for one in dead if not re.search(r": (test_|Test|pytest_)", one)] == []


def test_a_dead_function_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "room.py").write_text(
        "def used() -> None: ...\n\n\ndef forgotten() -> None: ...\n\n\nused()\n"
    )
    assert unused(tmp_path) == ["room.py: forgotten"]

"""The command line, run as a user runs it: what is on stdout, what on stderr, and the exit code."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from orderflow import __version__, cli
from orderflow.cli import asking

COMMANDS = ("init", "replay", "doctor", "up", "demo", "record", "call", "mcp")


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ORDERFLOW_")]:
        monkeypatch.delenv(name)

    def go(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["orderflow", *words])
        try:
            cli.main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return go


def elsewhere(*words: str, folder: Path, code: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "orderflow", *words]
    paths = os.pathsep.join(filter(None, sys.path))
    env = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**env, "PYTHONPATH": paths},
    )


# ── Help ──────────────────────────────────────────────────────────────────────────────────────


def test_help_lists_every_command(tmp_path: Path) -> None:
    done = elsewhere("--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for command in COMMANDS:
        assert f" {command} " in done.stdout


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom orderflow import cli\nsys.argv = ['orderflow', '--help']\n"
        "try:\n cli.main()\nexcept SystemExit: pass\n"
        "heavy = {'duckdb', 'numpy', 'pyarrow', 'picows', 'httpx', 'fastapi', 'mcp', 'aiohttp', 'uvloop', 'pydantic'}\n"
        "print('heavy:', sorted(heavy & sys.modules.keys()))"
    )
    assert elsewhere(folder=tmp_path, code=code).stdout.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"orderflow {command}" in done.out or f" {command} [OPTIONS]" in done.out


def test_the_version_is_told(run: Run) -> None:
    assert run("--version") == (0, f"orderflow {__version__}\n", "")


def test_a_command_that_there_is_not_is_code_2(run: Run) -> None:
    done = run("fly")
    assert (done.code, done.out) == (2, "")
    assert "fly" in done.err


# ── Storing ───────────────────────────────────────────────────────────────────────────────────


def test_init_makes_the_504_named_series_and_says_so(run: Run, tmp_path: Path) -> None:
    done = run("init")
    assert (done.code, done.err) == (0, "")
    assert done.out == "data/orderflow.duckdb: 504 core series and 423 others, for 9 symbols\n"
    assert (tmp_path / "data" / "orderflow.duckdb").is_file()


def test_init_as_json_is_one_object(run: Run) -> None:
    done = run("init", "--db", "one.duckdb", "--symbols", "solusdt", "--json")
    assert json.loads(done.out) == {"db": "one.duckdb", "core": 56, "others": 47}
    assert done.out.count("\n") == 1


def recorded(folder: Path) -> Path:
    path = folder / "spot.jsonl"
    data = {"e": "aggTrade", "s": "BTCUSDT", "a": 7, "p": "100", "q": "2", "f": 7, "l": 7, "T": 1, "m": False}
    raw = json.dumps({"stream": "btcusdt@aggTrade", "data": data})
    line = {"venue": "binance_spot", "kind": "ws", "dir": "in", "t": 1.0, "url": "x", "raw": raw}
    path.write_text(json.dumps(line) + "\n")
    return path


def test_replay_says_what_it_found_and_the_second_time_that_all_was_there(run: Run, tmp_path: Path) -> None:
    words = ("replay", str(recorded(tmp_path)), "--db", "one.duckdb")
    assert run(*words).out == "1 frames: 1 used (replay)\nnew rows: 1 trades\n"
    assert run(*words).out == "1 frames: 1 used (replay)\nnew rows: none; all were there\n"
    found = json.loads(run(*words, "--json").out)
    assert (found["frames"], found["used"], found["unknown"], found["rows"]["trades"]) == (1, 1, 0, 1)


# ── Errors ────────────────────────────────────────────────────────────────────────────────────

WRONG = [
    ("replay", "nowhere.jsonl"), ("up", "--venues", "nyse"), ("up", "--streams", "gossip"), ("up", "--port", "99999"),
    ("call", "health", "no sign"), ("init", "--symbols", "no symbol"),
]  # fmt: skip


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_is_wrong_is_one_line_on_stderr_with_a_hint_and_code_1(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert (done.code, done.out) == (1, "")
    told, *hint = done.err.splitlines()
    assert told.split(":")[0].replace("_", "").isalpha()
    assert len(hint) <= 1 and all(one.startswith("Hint: ") for one in hint)


@pytest.mark.parametrize("words", [one for one in WRONG if one[0] != "call"], ids=" ".join)
def test_what_is_wrong_is_an_object_on_stdout_for_machines(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words, "--json")
    assert done.code == 1
    error = json.loads(done.out)["error"]
    assert error.keys() == {"code", "message", "hint"}
    assert error["code"] and error["message"]


def test_a_setting_in_the_environment_that_cannot_be_is_told_like_any_other(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERFLOW_PORT", "many")
    done = run("init")
    assert done.code == 1
    assert "'many'" in done.err
    assert "Traceback" not in done.err


def test_a_folder_that_cannot_be_made_is_told_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("init", "--db", "file/one.duckdb")
    assert (done.code, done.out) == (1, "")
    assert "Traceback" not in done.err


# ── Asking ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("symbol=BTCUSDT", "BTCUSDT"), ("limit=5", 5), ("ratio=0.5", 0.5), ("all=true", True), ("none=null", None),
        ('venues=["a","b"]', ["a", "b"]), ('text="5"', "5"), ("where=a=b", "a=b"), ("empty=", ""), ("open=[1", "[1"),
        ("when=2025-11-21T00:00:00Z", "2025-11-21T00:00:00Z"),
    ],
)  # fmt: skip
def test_an_argument_is_what_it_reads_as_in_json_and_else_its_text(word: str, expected: object) -> None:
    (value,) = asking._arguments([word]).values()
    assert value == expected
    assert type(value) is type(expected)


def test_a_call_asks_the_stored_database_where_no_collector_runs(run: Run, tmp_path: Path) -> None:
    run("replay", str(recorded(tmp_path)), "--db", "one.duckdb")
    done = run("call", "find_tools", "query=trades", "--db", "one.duckdb", "--json")
    assert done.code == 0
    assert json.loads(done.out)


@pytest.mark.parametrize("machine", [False, True])
def test_a_tool_that_there_is_not_is_an_error_of_the_call(run: Run, machine: bool) -> None:
    run("init", "--db", "one.duckdb", "--symbols", "BTCUSDT")
    done = run("call", "fly", "--db", "one.duckdb", *(["--json"] if machine else []))
    assert done.code == 1
    if machine:
        assert json.loads(done.out)["error"]["code"] == "unknown_tool"
    else:
        assert done.out == ""
        assert done.err.startswith("unknown_tool: ")


ARENAS = """
import ctypes, re, sys, threading
from orderflow.cli.surroundings import share_arenas

if sys.argv[1] == "shared":
    assert share_arenas()
take = ctypes.CDLL(None).malloc
done, stay = threading.Barrier(13), threading.Event()

def hold():
    for _ in range(500):
        take(5_000)
    done.wait()
    stay.wait()

threads = [threading.Thread(target=hold) for _ in range(12)]
for one in threads:
    one.start()
done.wait()
starts = re.findall(r"^([0-9a-f]+)-[0-9a-f]+ rw-p 00000000 00:00 0 *$", open("/proc/self/maps").read(), re.M)
print(sum(int(one, 16) % (64 << 20) == 0 for one in starts))  # where glibc puts the heaps of an arena
stay.set()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_threads_of_a_collector_share_two_arenas_of_the_allocator() -> None:
    def arenas(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", ARENAS, how], check=True, capture_output=True, text=True, timeout=60
        )
        return int(done.stdout)

    assert arenas("shared") <= 2 < arenas("as they come")

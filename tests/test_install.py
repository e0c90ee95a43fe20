"""`orderflow mcp install`: what is added to a client's file, what stays in it, and what is refused."""

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orderflow import cli
from orderflow.cli.clients import Client, file_of

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `orderflow mcp` in an empty folder and an empty home, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (
        "APPDATA",
        "XDG_CONFIG_HOME",
        "CLAUDE_CONFIG_DIR",
        *(one for one in os.environ if one.startswith("ORDERFLOW_")),
    ):
        monkeypatch.delenv(name, raising=False)

    def go(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["orderflow", "mcp", *words])
        try:
            cli.main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
        return (code, *capfd.readouterr())

    return go


def installed(run: Run, file: Path, *words: str, client: str = "claude-desktop") -> Any:
    code, out, err = run("install", "--client", client, "--file", str(file), "--json", *words)
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.parametrize(
    ("client", "where", "key"),
    [
        ("claude-desktop", ".config/Claude/claude_desktop_config.json", "mcpServers"),
        ("claude-code", ".claude.json", "mcpServers"),
        ("cursor", ".cursor/mcp.json", "mcpServers"),
        ("vscode", ".config/Code/User/mcp.json", "servers"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="other folders")
def test_each_client_finds_us_in_its_file(
    run: Run, tmp_path: Path, client: str, where: str, key: str
) -> None:
    code, out, err = run(
        "install", "--client", client, "--db", "one.duckdb", "--toolsets", "cross_venue,system"
    )
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / where}: orderflow added\n")
    found = json.loads((tmp_path / where).read_text())[key]["orderflow"]
    assert Path(found["command"]).is_absolute()
    wanted = ["mcp", "--db", str(tmp_path / "one.duckdb"), "--toolsets", "cross_venue,system"]
    assert found["args"][-len(wanted) :] == wanted
    assert found.get("type") == ("stdio" if client in ("claude-code", "vscode") else None)


def test_each_kind_of_machine_has_its_folders() -> None:
    home = Path("/home/of")
    assert (
        file_of(Client.VSCODE, home, "darwin", {}) == home / "Library/Application Support/Code/User/mcp.json"
    )
    assert file_of(Client.CLAUDE_DESKTOP, home, "win32", {"APPDATA": "/data"}) == Path(
        "/data/Claude/claude_desktop_config.json"
    )
    assert file_of(Client.CLAUDE_CODE, home, "linux", {"CLAUDE_CONFIG_DIR": "/c"}) == Path("/c/.claude.json")
    assert file_of(Client.CHERRY_STUDIO, home, "linux", {}) is None


def test_what_stands_in_the_file_stays_and_a_copy_beside_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    before = '{\n\t"theme": "dunkel – größer",\n\t"mcpServers": {"other": {"command": "x", "env": {"A": "1"}}}\n}\n'
    file.write_text(before)
    file.chmod(0o640)
    told = installed(run, file)
    found = json.loads(file.read_text())
    assert found["theme"] == "dunkel – größer"
    assert found["mcpServers"]["other"] == {"command": "x", "env": {"A": "1"}}
    assert list(found["mcpServers"]) == ["other", "orderflow"]
    assert "größer" in file.read_text()
    assert '\n\t"theme"' in file.read_text()  # indented as it was
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert Path(told["backup"]).read_text() == before


def test_a_second_time_changes_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    assert installed(run, file)["changed"]
    text = file.read_text()
    again = installed(run, file)
    assert (again["changed"], again["backup"]) == (False, None)
    assert file.read_text() == text
    assert [one.name for one in tmp_path.glob("config.json*")] == ["config.json"]


def test_another_time_keeps_what_was_added_by_hand_and_every_copy(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"mcpServers": {"orderflow": {"command": "old", "env": {"ORDERFLOW_TOKEN": "t"}}}}')
    installed(run, file)
    installed(run, file, "--toolsets", "all")
    found = json.loads(file.read_text())["mcpServers"]["orderflow"]
    assert found["env"] == {"ORDERFLOW_TOKEN": "t"}
    assert found["args"][-1] == "all"
    assert sorted(one.name for one in tmp_path.glob("config.json.*")) == [
        "config.json.bak",
        "config.json.bak.1",
    ]


def test_a_link_stays_a_link(run: Run, tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("{}")
    link.symlink_to(real)
    installed(run, link)
    assert link.is_symlink()
    assert "orderflow" in real.read_text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"mcpServers": {}, // mine\n}', "cannot be merged into"),
        (b'{"a": 1, "a": 2}', "a name stands there twice"),
        (b"[1]", "no JSON object"),
        (b'{"mcpServers": []}', "mcpServers is no JSON object"),
        (b"\xff\xfe{", "not UTF-8"),
    ],
)
def test_what_cannot_be_merged_into_is_left_alone(run: Run, tmp_path: Path, text: bytes, why: str) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(text)
    code, out, err = run("install", "--client", "cursor", "--file", str(file))
    assert (code, out) == (1, "")
    assert why in err
    assert "--print shows" in err
    assert file.read_bytes() == text
    assert [one.name for one in tmp_path.glob("config.json*")] == ["config.json"]


def test_print_changes_nothing(run: Run, tmp_path: Path) -> None:
    code, out, err = run("--db", "mine.duckdb", "install", "--client", "vscode", "--print")
    assert code == 0
    assert json.loads(out)["servers"]["orderflow"]["args"][-1] == str(tmp_path / "mine.duckdb")
    assert err.startswith("To be merged into ")
    assert list(tmp_path.iterdir()) == []


def test_cherry_studio_is_given_what_it_imports(run: Run) -> None:
    code, out, err = run("install", "--client", "cherry-studio")
    assert code == 0
    assert json.loads(out)["mcpServers"]["orderflow"]["type"] == "stdio"
    assert "Import from JSON" in err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--client", "emacs"), 2, "emacs"),
        (("--client", "cursor", "--toolsets", "nonsense"), 1, "unknown_tool: no toolset 'nonsense'"),
    ],
)
def test_what_there_is_not_is_refused(run: Run, words: tuple[str, ...], code: int, why: str) -> None:
    done = run("install", *words)
    assert (done[0], done[1]) == (code, "")
    assert why in done[2]


def test_a_lake_is_not_guessed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_STORE", "ducklake:postgres:dbname=x ; data = /tmp/x")
    code, _, err = run("install", "--client", "cursor")
    assert code == 1
    assert "name a file with --db" in err

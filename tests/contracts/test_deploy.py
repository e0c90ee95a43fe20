"""The files that run it as a service: read as their readers read them, and every name in them exists."""

import configparser
import http.server
import json
import plistlib
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from orderflow import cli
from orderflow.cli.service import FOLLOWED
from orderflow.jobs.plan import STOP_WITHIN_S
from orderflow.settings import Settings, settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RUNNING = ROOT / "docs" / "running.md"
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
PROGRAM = "/opt/crypto-orderflow/.venv/bin/orderflow"
COMMAND = re.compile(r"(?:[$] |`|bin/|collector )orderflow (?P<words>[a-z]+(?: [^\n`|]*)?)")


def understood(words: list[str]) -> bool:
    """Tell whether our command line has this command, with these options."""
    command: Any = get_command(cli.app)
    for word in words:
        if word.startswith("-"):
            if word not in {name for one in command.params for name in one.opts}:
                return False
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return False
            command = command.commands[word]
    return not hasattr(command, "commands")


def test_a_command_that_there_is_not_would_be_found() -> None:
    assert understood(["feeds", "stop", "okx"]) and understood(["up", "--venues", "okx"])
    assert not understood(["fly"]) and not understood(["up", "--wings"]) and not understood(["feeds"])


def test_everything_here_is_told_of_and_tested() -> None:
    known = {
        "Dockerfile", "Dockerfile.dockerignore", "compose.yaml", "healthcheck.py", "orderflow.plist",
        "orderflow.service", "orderflow.toml",
    }  # fmt: skip
    assert {path.name for path in FILES} == known
    told = RUNNING.read_text()
    for name in known - {"Dockerfile.dockerignore", "healthcheck.py"}:
        assert f"](../deploy/{name})" in told, name


@pytest.mark.parametrize("path", [*FILES, RUNNING], ids=lambda path: path.name)
def test_every_variable_that_is_named_is_a_setting(path: Path) -> None:
    known = {f"ORDERFLOW_{name.upper()}" for name in Settings.model_fields} | {"ORDERFLOW_CONFIG"}
    assert set(re.findall(r"\bORDERFLOW_[A-Z_]+\b", path.read_text())) <= known


def test_every_command_of_the_guide_exists() -> None:
    commands = [match["words"].split() for match in COMMAND.finditer(RUNNING.read_text())]
    assert len(commands) >= 8
    assert [words for words in commands if not understood([word.strip("`.,;:\"'") for word in words])] == []


# ── systemd ───────────────────────────────────────────────────────────────────────────────────


def unit() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "orderflow.service")
    return {name: dict(parser[name]) for name in parser.sections()}


def test_the_unit_starts_what_exists_and_begins_it_again_whatever_happens() -> None:
    service = unit()["Service"]
    program, *words = service["ExecStart"].split()
    assert program == PROGRAM and understood(words)
    assert (service["Type"], service["Restart"], service["KillMode"]) == ("notify", "always", "mixed")
    assert service["ExecReload"].endswith("-HUP $MAINPID")
    assert int(service["WatchdogSec"].removesuffix("s")) >= 30
    assert int(service["TimeoutStopSec"].removesuffix("s")) > STOP_WITHIN_S
    assert settings().stop_within == STOP_WITHIN_S
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"
    assert (service["ProtectSystem"], service["StateDirectory"]) == ("strict", "orderflow")
    assert int(service["LimitNOFILE"]) >= 4096


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    text = (DEPLOY / "orderflow.service").read_text().replace(f"{PROGRAM} up", "/bin/true")
    copy = tmp_path / "orderflow.service"
    copy.write_text(re.sub(r"(?m)^(User|Group)=.*$", r"\1=root", text))
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "orderflow" in line]) == (0, [])
    asked = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(copy)]
    done = subprocess.run(asked, capture_output=True, text=True)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd cannot judge a file")
    assert done.returncode == 0, done.stdout[-300:]


def test_the_settings_of_the_service_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is commented out shows the default; uncommented, it is what holds without the file."""
    monkeypatch.chdir(tmp_path)
    lines = (DEPLOY / "orderflow.toml").read_text().splitlines()
    shown = [line.removeprefix("# ") for line in lines if re.match(r"# \w+ = ", line)]
    plain = [line for line in lines if line and not line.startswith("#")]
    path = tmp_path / "shown.toml"
    path.write_text("\n".join([*shown, *plain]))
    monkeypatch.setenv("ORDERFLOW_CONFIG", str(path))
    found, names = settings(), [line.split(" = ")[0] for line in shown]
    assert set(names) <= set(Settings.model_fields) and len(names) > 8
    monkeypatch.setenv("ORDERFLOW_CONFIG", str(tmp_path / "none.toml"))
    usual = settings()
    examples = {"venues", "streams", "memory_warning", "allowed_hosts"}
    assert {name for name in names if getattr(found, name) != getattr(usual, name)} == examples
    for name in FOLLOWED:
        assert name in "\n".join(lines)


# ── Containers ────────────────────────────────────────────────────────────────────────────────


def instructions(text: str) -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    found = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, rest in found]


DOCKERFILE = instructions((DEPLOY / "Dockerfile").read_text())


def of(name: str) -> list[str]:
    return [rest for one, rest in DOCKERFILE if one == name]


def test_the_image_has_two_stages_from_a_plain_base_and_ends_as_a_user_without_rights() -> None:
    assert of("FROM") == ["python:3.11-slim AS build", "python:3.11-slim"]
    assert of("USER") == ["orderflow"]
    assert DOCKERFILE.index(("USER", "orderflow")) > max(
        place for place, (name, _) in enumerate(DOCKERFILE) if name in ("RUN", "COPY")
    )
    assert of("STOPSIGNAL") == ["SIGTERM"]
    (entry,), (words,) = of("ENTRYPOINT"), of("CMD")
    assert json.loads(entry) == ["orderflow"] and understood(json.loads(words))


def test_what_the_image_copies_is_there_and_not_left_out_of_the_context() -> None:
    kept = [
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().split()
        if line[0] == "!"
    ]
    copied = [rest.split()[:-1] for rest in of("COPY") if "--from" not in rest]
    assert copied
    for source in (one for several in copied for one in several):
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, pattern) or source.startswith(f"{pattern}/") for pattern in kept), source


def test_the_image_installs_as_make_does() -> None:
    """The same packages, in the same order; only that the product is copied in and not linked to."""
    makefile = (ROOT / "Makefile").read_text()
    installs = [
        match for rest in of("RUN") for match in re.findall(r"pip install --no-cache-dir ([^&]+)", rest)
    ]
    locked, product = (words.strip() for words in installs)
    assert f"$(PIP) install --quiet {locked}\n" in makefile
    assert product == "--no-deps --no-build-isolation ."
    assert "$(PIP) install --quiet --no-deps --no-build-isolation --editable ." in makefile


def test_the_image_asks_for_its_health_by_a_file_that_it_has() -> None:
    (check,) = of("HEALTHCHECK")
    words = json.loads(check.split("CMD ", 1)[1])
    assert words[0] == "python"
    assert any(rest.startswith("deploy/healthcheck.py ") and rest.endswith(words[1]) for rest in of("COPY"))


class Door(http.server.BaseHTTPRequestHandler):
    """Answers as told, to those who know the token."""

    status = 200

    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == "Bearer secret" and self.path == "/healthz"
        self.send_response(self.status if known else 401)
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.fixture
def door() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "token", "code"), [(200, "secret", 0), (503, "secret", 1), (200, "", 1), (None, "secret", 1)]
)
def test_the_check_of_health_fails_where_the_collector_is_unhealthy(
    door: int, monkeypatch: pytest.MonkeyPatch, status: int | None, token: str, code: int
) -> None:
    monkeypatch.setattr(Door, "status", status or 200)
    port = door if status else 1  # nobody listens there
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "healthcheck.py")],
        env={"ORDERFLOW_PORT": str(port), "ORDERFLOW_TOKEN": token},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_the_composition_keeps_its_data_and_shows_its_port_to_this_machine_alone() -> None:
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    collector, rabbitmq = found["services"]["collector"], found["services"]["rabbitmq"]
    assert (DEPLOY / collector["build"]["context"]).resolve() == ROOT
    assert (ROOT / collector["build"]["dockerfile"]).is_file()
    for one in (collector, rabbitmq):
        assert one["restart"] == "unless-stopped"
        assert all(port.startswith("127.0.0.1:") for port in one["ports"])
        names = [volume.split(":")[0] for volume in one["volumes"]]
        assert set(names) <= set(found["volumes"])
    (volume,) = of("VOLUME")
    assert collector["volumes"] == [f"data:{volume}"] and collector["read_only"] is True
    assert int(collector["stop_grace_period"].removesuffix("s")) > STOP_WITHIN_S
    # an address that others reach needs a token, without which nothing starts
    assert collector["environment"]["ORDERFLOW_HOST"] == "0.0.0.0"
    assert collector["environment"]["ORDERFLOW_TOKEN"].startswith("${ORDERFLOW_TOKEN:?")
    assert rabbitmq["profiles"] == ["rabbitmq"]


# ── launchd ───────────────────────────────────────────────────────────────────────────────────


def test_the_agent_starts_what_exists_and_keeps_it_alive() -> None:
    found = plistlib.loads((DEPLOY / "orderflow.plist").read_bytes())
    program, *words = found["ProgramArguments"]
    assert program == PROGRAM and understood(words)
    assert found["KeepAlive"] is True and found["RunAtLoad"] is True
    assert found["ExitTimeOut"] > STOP_WITHIN_S
    assert Path(found["EnvironmentVariables"]["ORDERFLOW_DB"]).parent == Path(found["WorkingDirectory"])
    assert found["Umask"] == 0o077

"""Whose turn it is: a writer never waits for readers, readers wait for it a while."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from orderflow.store.turns import Turns


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "market.duckdb.quack"
    made.touch()
    return made


def waited(turns: Turns, most_s: float) -> float:
    began = time.monotonic()
    turns.wait(most_s)
    return time.monotonic() - began


def test_a_reader_waits_while_something_is_written_and_not_for_ever(file: Path) -> None:
    writer, reader = Turns(file), Turns(file)
    with writer.first():
        assert waited(reader, 0.1) >= 0.1
    assert waited(reader, 60.0) < 30.0


def test_a_writer_goes_on_although_a_reader_never_lets_go(file: Path) -> None:
    holding = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'rb'); fcntl.flock(f, fcntl.LOCK_SH);"
        " print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(file)], stdout=subprocess.PIPE, text=True
    ) as stuck:
        assert stuck.stdout is not None and stuck.stdout.readline() == "held\n"
        with Turns(file).first():
            pass
        stuck.kill()


def test_the_turn_of_a_killed_writer_is_over(file: Path) -> None:
    holding = (
        "import sys, time; from pathlib import Path; from orderflow.store.turns import Turns\n"
        "with Turns(Path(sys.argv[1])).first():\n print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(file)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "held\n"
        reader = Turns(file)
        assert waited(reader, 0.05) >= 0.05
        writer.kill()
        writer.wait()
    assert waited(reader, 60.0) < 30.0

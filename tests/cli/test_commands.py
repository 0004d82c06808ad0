"""The command line itself: help of everything, and what wrong use answers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter import __version__
from build_exporter.cli import COMMANDS

Command = Callable[..., Any]
COMMAND = (sys.executable, "-m", "build_exporter")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(command: Command, name: str) -> None:
    """Each command shows what it does and what its options are, by --help and -h."""
    for flag in ("--help", "-h"):
        done = command(name, flag)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert done.stdout.startswith(f"Usage: build-exporter {name} ")
        assert len(done.stdout.splitlines()) > 4


def test_help_lists_every_command(command: Command) -> None:
    """The list of commands has each with a line of what it does."""
    done = command("--help")
    assert done.returncode == 0
    for name, text in COMMANDS.items():
        assert any(line.split()[:1] == [name] and text.split(".")[0][:20] in line for line in done.stdout.splitlines())


def test_help_loads_no_command() -> None:
    """The list of commands costs neither the web server nor the decoder's time."""
    code = (
        "import sys\nfrom build_exporter.cli import main\n"
        "try:\n main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'uvicorn', 'starlette', 'psutil', 'msgspec', 'yaml'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_version(command: Command) -> None:
    """The version is the package's."""
    done = command("--version")
    assert done.returncode == 0
    assert done.stdout.split()[-1] == __version__


@pytest.mark.parametrize(
    "arguments",
    [
        ["brew-coffee"],
        ["--colour"],
        ["status", "--colour"],
        ["status", "more"],
        ["status", "--output", "xml"],
        ["serve", "--log.level", "loud"],
        ["serve", "--collector.coffee"],
        ["serve", "--web.telemetry-path", "metrics"],
        ["replay"],
        ["replay", "/nowhere.jsonl"],
        ["replay", "/dev", "--speed", "2"],
        ["replay", __file__, "--speed", "0"],
        ["replay", __file__, "--speed", "-1"],
        ["replay", __file__, "--speed", "inf"],
        ["config"],
        ["config", "check"],
        ["config", "check", "/nowhere.yml"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_reported_with_code_2(command: Command, tmp_path: Path, arguments: list[str]) -> None:
    """A word that is no command, option or value ends with 2 and a message, never with a traceback."""
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == "" or arguments == ["config"]
    assert "Traceback" not in done.stderr


def test_the_hooks_path_can_be_sourced(command: Command) -> None:
    """What `hook` prints is the path of a file that a POSIX shell reads without complaint."""
    done = command("hook")
    assert done.returncode == 0
    path = Path(done.stdout.strip())
    assert path.is_file()
    assert path.is_absolute()
    sourced = subprocess.run(["sh", "-euc", f". '{path}'; type be_step"], capture_output=True, text=True, check=False)
    assert sourced.returncode == 0, sourced.stderr
    assert sourced.stderr == ""


@pytest.mark.parametrize("words", ["hook", "status --journal {}", "tasks --journal {}"])
def test_output_that_cannot_be_written_is_no_answer(run_file: Callable[..., Any], words: str) -> None:
    """On a full disk a command ends with one line and 74, which no answer has; where the reader is gone, silently."""
    run = run_file("lfs")
    run.step("p", "a")
    command = [*COMMAND, *words.format(run.path.parents[1]).split()]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.stderr == "build-exporter: standard output can't be written to: No space left on device\n"
    assert done.returncode == 74
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writing)
    assert not re.search("Traceback|Exception|written", done.stderr), done.stderr

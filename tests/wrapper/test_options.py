"""Wrong use is reported in one line; help and completion know the options the wrapper knows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.wrapper.options import OPTIONS, parse

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no command given"),
        (["--step", "s"], "no command given"),
        (["--step", "s", "--"], "no command given"),
        (["--step"], "--step needs a value"),
        (["--stop", "s", "--", "true"], "no such option: --stop"),
        (["-x", "true"], "no such option: -x"),
        (["--new=1", "true"], "--new takes no value"),
        (["--jobs", "many", "true"], "--jobs must be a whole number, not 'many'"),
        (["--jobs=-1", "true"], "--jobs must be a whole number, not '-1'"),
        (["--build", "a/b", "true"], "--build must be 1 to 100 of the characters A-Z a-z 0-9 . _ + -, not 'a/b'"),
        (["--build", "..", "true"], "--build must be"),
        (["--build", "a" * 101, "true"], "--build must be"),
        (["--step", "s" * 257, "true"], "--step must be at most 256 characters"),
        (["--no-step", "--step", "s", "true"], "--no-step goes with a whole build"),
    ],
)
def test_wrong_use(
    wrapper: list[str], environment: dict[str, str], journal: Path, arguments: list[str], said: str
) -> None:
    """Wrong use ends with code 2 and one line that says what is wrong; nothing runs, nothing is recorded."""
    done = subprocess.run([*wrapper, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("build-exporter run: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(journal.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "step"),
    [
        ("make -j2", "make"), ("/usr/bin/make", "make"), ("nice make", "make"),
        ("/usr/bin/nice -n 10 ionice -c3 make -j2", "make"),
        ("env CC=gcc MAKEFLAGS=-j2 ./configure --prefix=/usr", "configure"),
        ("sudo -u lfs env -i HOME=/home/lfs /bin/bash build.sh", "bash"), ("timeout 90m ninja", "ninja"),
        ("taskset -c 0,1 cargo build", "cargo"), ("7z x source.7z", "7z"), ("nice", "nice"), ("env -i", "env"),
    ],
)  # fmt: skip
def test_a_step_is_named_after_what_does_the_work(command: str, step: str) -> None:
    """`run -- nice make` records a step `make`, the same one as without nice."""
    assert parse(["--", *command.split()]).step_name == step


def test_where_options_end(run: Run) -> None:
    """Options end at `--` or at the first word that is none; what follows is the command's, whatever it looks like."""
    assert run("--help", "--step", options=()).returncode == 127
    assert parse(["--step", "--new", "true", "--build", "x"]).command == ["true", "--build", "x"]
    assert parse(["--step=--new", "true"]).step == "--new"
    assert parse(["--step=a=b", "--", "--", "true"]).command == ["--", "true"]


def test_long_command_names(run: Run, events: Callable[..., list[dict[str, str]]], tmp_path: Path) -> None:
    """A command's name is cut to what a step's may be; an empty one is still a step."""
    name = "x" * 255
    (tmp_path / name).symlink_to("/bin/true")
    run(str(tmp_path / name), options=("--build", "b", "--phase", "p"))
    assert run("", options=("--build", "b", "--phase", "p")).returncode == 127
    assert [event["step"] for event in events() if event["event"] == "step_started"] == [name, "command"]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["--step", "s", "--help"], ["--build", "b", "--help", "true"]]
)
def test_help(command: Callable[..., subprocess.CompletedProcess[str]], arguments: list[str]) -> None:
    """Help names every option with its text."""
    done = command("run", *arguments)
    assert done.returncode == 0
    reported = " ".join(done.stdout.split())
    for option in OPTIONS:
        assert f"--{option.name} {option.metavar}".strip() in reported
        assert option.help in reported


def test_completion(journal: Path, environment: dict[str, str]) -> None:
    """The shell's completion offers exactly the options the wrapper takes."""
    asked = {
        **environment,
        "_BUILD_EXPORTER_COMPLETE": "bash_complete",
        "COMP_WORDS": "build-exporter run --",
        "COMP_CWORD": "2",
    }
    script = Path(sys.executable).with_name("build-exporter")
    if not script.exists():
        pytest.skip("the console script is not installed")
    done = subprocess.run([script], env=asked, capture_output=True, text=True, check=False)
    offered = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert offered == {f"--{option.name}" for option in OPTIONS} | {"--help"}
    assert list(journal.iterdir()) == []


def test_by_way_of_click(environment: dict[str, str], events: Callable[..., list[dict[str, str]]]) -> None:
    """Where `run` is reached through the group of all commands it does the same, its exit code included."""
    program = "import sys; from build_exporter.cli import main; main(['run', *sys.argv[1:]])"
    words = [
        sys.executable, "-c", program, "--build", "b", "--step", "s", "--", "sh", "-c", "echo out; exit 9", "--help",
    ]  # fmt: skip
    done = subprocess.run(words, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (9, b"out\n", b"")
    assert [event["event"] for event in events()] == ["build_started", "step_started", "step_finished"]

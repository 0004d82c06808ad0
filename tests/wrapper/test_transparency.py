"""What a command is given and gives back is what it would be without the wrapper."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]

DEADLY = [
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV, signal.SIGPIPE,
    signal.SIGALRM, signal.SIGTERM, signal.SIGUSR1, signal.SIGRTMIN + 1,
]  # fmt: skip


def test_every_exit_code(run: Run) -> None:
    """Exit codes come back as they are: those with a meaning to shells, both sides of each, and some others."""
    wanted = [*range(4), 63, 64, 77, 99, *range(124, 148), 192, 254, 255]
    with ThreadPoolExecutor(2) as pool:
        codes = pool.map(lambda code: run("sh", "-c", f"exit {code}").returncode, wanted)
        assert list(codes) == wanted


@pytest.mark.parametrize("number", DEADLY)
def test_death_by_signal(run: Run, finished: Callable[..., dict[str, Any]], number: int, tmp_path: Path) -> None:
    """Whoever waits for the wrapper sees the signal that ended the command, a shell 128 + n, and no core is left."""
    words = (sys.executable, "-c", f"import os, signal; signal.signal({number}, 0); os.kill(os.getpid(), {number})")
    if number == signal.SIGKILL:
        words = (sys.executable, "-c", f"import os; os.kill(os.getpid(), {number})")
    assert run(*words, cwd=tmp_path, preexec_fn=_allow_small_cores).returncode == -number
    event = finished()
    assert event["signal"] == number
    assert event["exit_code"] == 128 + number
    interrupting = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    assert event["status"] == ("interrupted" if number in interrupting else "failed")


def test_shell_sees_128_and_the_signal(wrapper: list[str], environment: dict[str, str]) -> None:
    """`$?` after a wrapped command killed by TERM is 143."""
    script = '"$@"; echo $?'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *wrapper, "--build", "b", "--step", "s", "--", "sh", "-c", "kill -TERM $$"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "143\n"


def _allow_small_cores() -> None:
    import resource  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def test_no_such_command(run: Run, finished: Callable[..., dict[str, Any]]) -> None:
    """A command that is not there gives 127 and one line that names it, and the step is recorded as failed."""
    done = run("no-such-command-here")
    assert (done.returncode, done.stdout) == (127, b"")
    assert done.stderr == b"build-exporter run: no-such-command-here: command not found\n"
    event = finished()
    assert (event["status"], event["exit_code"]) == ("failed", 127)
    assert event["message"] == "no-such-command-here: command not found"


@pytest.mark.parametrize("kind", ["directory", "not executable"])
def test_not_executable(run: Run, finished: Callable[..., dict[str, Any]], tmp_path: Path, kind: str) -> None:
    """What is there but can't be executed gives 126."""
    path = tmp_path / "thing"
    if kind == "directory":
        path.mkdir()
    else:
        path.write_text("#!/bin/sh\n")
    done = run(str(path))
    assert done.returncode == 126
    assert done.stderr == f"build-exporter run: {path}: Permission denied\n".encode()
    assert finished()["exit_code"] == 126


def test_command_along_the_path(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    """The first executable of that name along PATH is run, an empty entry being the current directory."""
    for name, text in (("a", "echo a"), ("b", "echo b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").write_text(f"#!/bin/sh\n{text}\n")
    (tmp_path / "b" / "tool").chmod(0o755)
    path = f"{tmp_path}/none:{tmp_path}/a:{tmp_path}/b:{environment['PATH']}"
    assert run("tool", env={**environment, "PATH": path}).stdout == b"b\n"
    assert run("tool", env={**environment, "PATH": f":{environment['PATH']}"}, cwd=tmp_path / "b").stdout == b"b\n"


def test_script_without_first_line(run: Run, tmp_path: Path) -> None:
    """A script that does not name its shell is run by sh, as shells and make do."""
    script = tmp_path / "script"
    script.write_text("echo run by sh: $1\nexit 3\n")
    script.chmod(0o755)
    done = run(str(script), "argument")
    assert (done.stdout, done.returncode) == (b"run by sh: argument\n", 3)


@pytest.mark.parametrize("log", [False, True], ids=["plain", "logged"])
def test_much_binary_data(run: Run, tmp_path: Path, log: bool) -> None:
    """Sixteen MiB of any bytes go in and come out unchanged, standard error apart."""
    data = os.urandom(1024 * 1024) * 16
    options = ("--build", "b", "--step", "s", *(("--log", str(tmp_path / "log")) if log else ()))
    done = run("sh", "-c", "tee /dev/stderr", input=data, options=options)
    assert done.returncode == 0
    for stream in (done.stdout, done.stderr):
        assert hashlib.sha256(stream).digest() == hashlib.sha256(data).digest()


def test_odd_arguments(run: Run) -> None:
    """Arguments with spaces, newlines, quotes, leading dashes and bytes that are no UTF-8 arrive as they are."""
    words = ["a b", "x\ny", "--help", "-v", "'\"$HOME\\", "", b"\xff\xfe".decode("utf-8", "surrogateescape")]
    done = run("sh", "-c", r'printf "%s\0" "$@"', "sh", *words)
    assert done.stdout.split(b"\0")[:-1] == [word.encode("utf-8", "surrogateescape") for word in words]


def test_environment(run: Run, environment: dict[str, str], journal: Path) -> None:
    """The command's environment is the wrapper's and two variables for hooks within, in any locale."""
    odd = {"EMPTY": "", "BYTES": b"\xff".decode("utf-8", "surrogateescape"), "LINES": "a\nb"}
    without_locale = {n: v for n, v in environment.items() if not n.startswith("LC_") and n != "LANG"}
    for outside in ({**environment, **odd}, without_locale, {**without_locale, "LC_CTYPE": "C.UTF-8"}):
        bare = subprocess.run(["env", "-0"], env=outside, capture_output=True, check=True).stdout
        inside = dict(line.split(b"=", 1) for line in run("env", "-0", env=outside).stdout.split(b"\0")[:-1])
        assert inside.pop(b"BUILD_EXPORTER_BUILD") == b"b"
        assert inside.pop(b"BUILD_EXPORTER_RUN_FILE").startswith(os.fsencode(journal / "b"))
        assert inside == dict(line.split(b"=", 1) for line in bare.split(b"\0")[:-1])


_STATE = r"""
grep -E '^(Umask|Sig(Blk|Ign|Cgt)|NoNewPrivs|Cpus_allowed|CapEff):' /proc/self/status
cat /proc/self/limits /proc/self/oom_score_adj
umask; pwd -P; ulimit -a; nice; ls -l /proc/self/fd
"""


@pytest.mark.parametrize(
    "setting",
    [
        "", "umask 027; ulimit -n 200; ulimit -s 4096", "trap '' PIPE", "trap '' INT QUIT", "trap '' CHLD",
        "trap '' HUP TERM USR1", "exec 9</etc/passwd 7>>/dev/null", "exec 0<&-", "exec 0</dev/null",
    ],
)  # fmt: skip
def test_process_state(wrapper: list[str], environment: dict[str, str], setting: str) -> None:
    """Signal dispositions, open files, limits, umask, directory and niceness inside are those outside."""
    asked = 'bash -c "$STATE" >out 2>&1; mv out'
    program = f"{setting}\n{asked} bare\n{' '.join(wrapper)} --step s --build b -- {asked} wrapped\n"
    directory = Path(environment["BUILD_EXPORTER_JOURNAL"]).parent
    subprocess.run(["bash", "-c", program], env={**environment, "STATE": _STATE}, cwd=directory, check=False)
    bare, wrapped = ((directory / name).read_text() for name in ("bare", "wrapped"))
    # of the list of open files only "number -> file" is the same twice
    bare, wrapped = (
        re.sub(r"(?m)^(total .*|l\S+ .* (\d+ -> )(?:/proc/\S+)?)", r"\2", text) for text in (bare, wrapped)
    )
    assert wrapped == bare
    assert "SigIgn" in bare


def test_signals_below_python(run: Run) -> None:
    """Below a program that ignores SIGPIPE only for itself, as Python's are, the command's is not ignored."""
    ignored = run("grep", "^SigIgn", "/proc/self/status").stdout.split()[1]
    assert int(ignored, 16) & (1 << (signal.SIGPIPE - 1)) == 0


def test_closed_output(wrapper: list[str], environment: dict[str, str], journal: Path) -> None:
    """With standard output and error closed the command finds them closed, and nothing of it goes to the journal."""
    program = f"{' '.join(wrapper)} --step s --build b -- sh -c 'echo x; test ! -e /proc/self/fd/1' >&- 2>&-"
    assert subprocess.run(["bash", "-c", program], env=environment, check=False).returncode == 0
    program = f"{' '.join(wrapper)} --step s --build b -- no-such-command >&- 2>&-"
    assert subprocess.run(["bash", "-c", program], env=environment, check=False).returncode == 127
    assert [line[:8] for path in journal.glob("b/*") for line in path.read_text().splitlines()] == ['{"time":'] * 5


def test_early_close_is_seen(wrapper: list[str], environment: dict[str, str]) -> None:
    """A reader learns at once that the command has closed its output, though the command runs on."""
    command = [*wrapper, "--build", "b", "--step", "s", "--", "sh", "-c", "echo x; exec >&-; exec sleep 60"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout
        assert process.stdout.read() == b"x\n"
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("log", [False, True], ids=["plain", "logged"])
def test_reader_that_leaves(wrapper: list[str], environment: dict[str, str], tmp_path: Path, log: bool) -> None:
    """`run … -- yes | head -1` ends: the command gets its SIGPIPE."""
    options = f"--build b --step s{f' --log {tmp_path}/log' if log else ''}"
    program = f"{' '.join(wrapper)} {options} -- yes | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], env=environment, capture_output=True, timeout=30, check=False)
    assert done.stdout == b"y\n141\n"

"""BE_LOG_DIR: what steps print goes into files the journal names, and the build is none the worse for it."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEE = pytest.mark.parametrize("tee", ["", "1"], ids=["log", "tee"])


@TEE
def test_output_goes_to_the_log(hook: Any, tmp_path: Path, tee: str) -> None:
    """A step's stdout and stderr are in its log, shown as well only when asked, and the journal shows where."""
    logs = tmp_path / "logs"
    done = hook.run(
        """. "$HOOK"; be_start b
        be_step p '502-gcc pass/1' sh -c 'echo out; echo err >&2; exit 4'; echo "status $?" """,
        BE_LOG_DIR=str(logs),
        BE_LOG_TEE=tee,
    )
    assert done.stdout == ("out\nerr\n" if tee else "") + "status 4\n"
    log = logs / "502-gcc-pass-1.log"
    assert done.stderr == ("" if tee else f"build-exporter: 502-gcc-pass-1 failed (4), log: {log}\n")
    assert log.read_text() == "out\nerr\n"
    assert hook.events()[1]["log"] == str(log)
    assert [path.name for path in logs.iterdir()] == [log.name]
    assert hook.events()[2]["exit_code"] == 4


@TEE
@pytest.mark.parametrize("options", ["", "set -e", "set -euC; set -f"])
@pytest.mark.parametrize("call", ["be_step p s body", "be_step p s sh -c 'echo begin; exit 7'"])
def test_errexit_with_a_log(hook: Any, tmp_path: Path, tee: str, options: str, call: str) -> None:
    """A failing step ends a set -e script with its status, and its log has what it printed until then."""
    script = f""". "$HOOK"; be_start b; {options}
        body() {{ echo begin; (exit 7); test -z "{options}" || echo wrong; return 7; }}
        {call}; echo "status $?" """
    done = hook.run(script, status=7 if options else 0, BE_LOG_DIR=str(tmp_path / "logs"), BE_LOG_TEE=tee)
    assert done.stdout == ("begin\n" if tee else "") + ("" if options else "status 7\n")
    assert (tmp_path / "logs" / "s.log").read_text() == "begin\n"
    assert (hook.finished(), hook.events()[-1]["exit_code"]) == ({"s": "failed"}, 7)


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full", "2>&5"], ids=["closed", "full", "broken pipe"])
def test_a_failure_is_named_nowhere(hook: Any, tmp_path: Path, stderr: str) -> None:
    """A failing step keeps its status, and the script goes on, where the line that names its log can't be written."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f""". "$HOOK"; be_start b; : <"$PIPE" &
        exec 5>"$PIPE"; wait; {{ be_step p s sh -c 'exit 4'; }} {stderr}; echo "status $?" """
    done = hook.run(script, BE_LOG_DIR=str(tmp_path / "logs"), PIPE=str(pipe))
    assert (done.stdout, hook.finished()) == ("status 4\n", {"s": "failed"})


def test_a_function_keeps_what_it_sets_with_a_log(hook: Any, tmp_path: Path) -> None:
    """Sending a function's output to a log does not put it into a subshell."""
    script = '. "$HOOK"; be_start b; work() { made=yes; echo out; }; be_step p s work; echo "$made"'
    assert hook.run(script, BE_LOG_DIR=str(tmp_path)).stdout == "yes\n"


def test_the_log_before_is_kept(hook: Any, tmp_path: Path) -> None:
    """A second attempt begins an empty log, so that the first error in it is its own, and keeps the one before."""
    hook.run('. "$HOOK"; be_start b; for i in 1 2 3; do be_step p s echo $i; done', BE_LOG_DIR=str(tmp_path))
    assert (tmp_path / "s.log").read_text() == "3\n"
    assert (tmp_path / "s.log.old").read_text() == "2\n"


def test_an_empty_log_is_written_again_under_noclobber(hook: Any, tmp_path: Path) -> None:
    """A step that printed nothing the first time has its log the second time, also under set -C."""
    hook.run('. "$HOOK"; be_start b; set -C; be_step p s true; be_step p s echo out', BE_LOG_DIR=str(tmp_path))
    assert (tmp_path / "s.log").read_text() == "out\n"


@TEE
@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/logs"])
def test_a_log_that_can_not_be(hook: Any, tee: str, place: str) -> None:
    """Where the log can't be written the step runs all the same and its output is shown."""
    done = hook.run('set -eu; . "$HOOK"; be_start b; be_step p s echo ran; echo on', BE_LOG_DIR=place, BE_LOG_TEE=tee)
    assert (done.stdout, done.stderr) == ("ran\non\n", "")
    assert "log" not in hook.events()[1]
    assert hook.finished() == {"s": "succeeded"}


def test_a_log_that_is_a_fifo(hook: Any, tmp_path: Path) -> None:
    """A FIFO in the place of a log is not opened: no one may be reading it."""
    subprocess.run(["mkfifo", str(tmp_path / "s.log")], check=True)
    assert hook.run('. "$HOOK"; be_start b; be_step p s echo ran', BE_LOG_DIR=str(tmp_path)).stdout == "ran\n"
    assert stat.S_ISFIFO((tmp_path / "s.log").stat().st_mode)


def test_status_is_kept_when_the_log_meets_a_full_disk(hook: Any, tmpfs: Callable[..., Path]) -> None:
    """With the disk full of the log itself, a shown step still returns its own status."""
    point = tmpfs("size=64k")
    script = """. "$HOOK"; be_start b
        be_step p s sh -c 'i=0; while [ $i -lt 9000 ]; do echo 0123456789; i=$((i+1)); done; exit 5'
        echo "status $?" """
    done = hook.run(script, BE_LOG_DIR=str(point), BE_LOG_TEE="1")
    assert done.stdout.endswith("status 5\n")
    assert done.stdout.count("0123456789\n") == 9000
    assert hook.events()[-1]["exit_code"] == 5


def test_a_shown_step_leaves_jobs_of_the_caller_alone(hook: Any, tmp_path: Path) -> None:
    """BE_LOG_TEE changes neither $! nor what `wait` waits for, and keeps stdin and open files for the step."""
    script = """. "$HOOK"; be_start b; sleep 0 & mine=$!; exec 3<"$HOME/three"
        echo in | be_step p s sh -c 'cat; cat <&3'; test "$mine" = "$!" && wait "$mine" && echo same"""
    (tmp_path / "three").write_text("three\n")
    done = hook.run(script, BE_LOG_DIR=str(tmp_path), BE_LOG_TEE="1")
    assert done.stdout == "in\nthree\nsame\n"


def test_parallel_steps_have_their_own_logs(hook: Any, tmp_path: Path) -> None:
    """Steps at once write to a file each."""
    script = '. "$HOOK"; be_start b; for i in 1 2 3 4; do be_step p s$i sh -c "echo $i; echo $i" & done; wait'
    for tee in ("", "1"):
        hook.run(script, BE_LOG_DIR=str(tmp_path), BE_LOG_TEE=tee)
        assert [(tmp_path / f"s{i}.log").read_text() for i in range(1, 5)] == [f"{i}\n{i}\n" for i in range(1, 5)]


@pytest.mark.parametrize("hook", ["bash", "posix", "dash"], indirect=True)
def test_a_missing_tee_is_done_without(hook: Any, tmp_path: Path) -> None:
    """Where there is no tee the output goes to the log alone."""
    script = '. "$HOOK"; be_start b; PATH="$HOME"; be_step p s echo ran'
    (tmp_path / "logs").mkdir()
    done = hook.run(script, BE_LOG_DIR=str(tmp_path / "logs"), BE_LOG_TEE="1")
    assert (done.stdout, (tmp_path / "logs" / "s.log").read_text()) == ("", "ran\n")


@TEE
def test_a_daemon_left_by_a_step_does_not_hold_the_build(hook: Any, tmp_path: Path, tee: str) -> None:
    """A process that a logged step leaves running, its output still open, does not keep the next step waiting."""
    script = """. "$HOOK"; be_start b; work() { sleep 60 & echo $! >"$HOME/daemon"; }
        be_step p s work; be_step p t true"""
    log = (tmp_path / "output").open("wb")
    start = time.monotonic()
    with log:
        environment = {**hook.environment, "BE_LOG_DIR": str(tmp_path / "logs"), "BE_LOG_TEE": tee}
        subprocess.run(hook.command(script), env=environment, stdout=log, check=True)
    assert time.monotonic() - start < 30
    assert hook.finished() == {"s": "succeeded", "t": "succeeded"}
    subprocess.run(["kill", (tmp_path / "daemon").read_text().strip()], check=True)


def test_logs_in_a_chroot_are_named_as_seen_from_outside(hook: Any, tmp_path: Path) -> None:
    """With BE_ROOT the exporter outside a chroot finds the logs written inside."""
    script = '. "$HOOK"; be_start b; be_step p s true; be_step_start p t --log /sources/t.log'
    hook.run(script, BE_LOG_DIR=str(tmp_path), BE_ROOT="/mnt/lfs")
    assert [e["log"] for e in hook.events() if "log" in e] == [f"/mnt/lfs{tmp_path}/s.log", "/mnt/lfs/sources/t.log"]

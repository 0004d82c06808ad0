"""One odd build costs the others nothing, and many builds cost few descriptors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_an_impossible_log_blinds_nobody(
    serve: Callable[..., Any], run_file: Callable[..., Any], poll: Callable[..., None], tmp_path: Path
) -> None:
    """A build whose step names a path that can't be one is followed, and so are the logs of all other builds."""
    bad = run_file("bad")
    bad.add("step_started", phase="p", step="nul", log="/tmp/a\0b")
    bad.add("step_started", phase="p", step="long", log="/" + "x" * 5000)
    bad.add("plan", steps=[{"phase": "p", "step": "s", "sources": [{"file": "f"}]}], tarballs="/tmp/\0")
    log = tmp_path / "good.log"
    log.write_text("")
    good = run_file("good")
    good.add("build_started")
    good.add("step_started", phase="p", step="s", log=str(log))
    served = serve()
    log.write_text("x.c:1:1: warning: unused [-Wunused]\n" * 3)
    poll(lambda: served.value("build_step_warnings", build="good", step="s") == 3, what="the log is read")
    assert served.value("build_step_status", build="bad", step="nul") == 1
    assert "Traceback" not in served.log.read_text()


def test_runs_that_are_over_hold_no_descriptor(
    serve: Callable[..., Any], run_file: Callable[..., Any], poll: Callable[..., None]
) -> None:
    """With 200 builds few files are open, and one that goes on after all is read on from where it was."""
    runs = [run_file(f"b{number:03}") for number in range(200)]
    for run in runs:
        run.step("p", "a")
        run.add("build_finished", status="failed")
    served = serve(prefix=("prlimit", "--nofile=256:256"))
    opened = list(Path(f"/proc/{served.process.pid}/fd").iterdir())
    assert len(opened) < 128
    for run in (runs[0], runs[199]):
        run.step("p", "b", seconds=7.0)
        poll(
            lambda name=run.build: served.value("build_step_duration_seconds", build=name, step="b") == 7.0,
            what="the run is read on",
        )
        assert served.value("build_step_attempts", build=run.build, step="a") == 1

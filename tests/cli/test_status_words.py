"""How `status` words the state of builds that are neither simply running nor simply done."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from zygote import forks

from build_exporter.cli import main, query_source

RunFiles = Callable[..., Any]


def status(journal: Path, *flags: str) -> tuple[int, str]:
    """Return exit code and output of `status`."""
    done = forks().run(["status", "--journal", str(journal), *flags])
    return done.returncode, done.stdout


def test_a_success_with_a_failed_step_is_not_green(journal: Path, run_file: RunFiles) -> None:
    """A script that reports success though a step failed is not fine: the words and the exit code say so."""
    run = run_file("k", clock=time.time() - 60)
    run.add("build_started", after=0)
    run.step("p", "mkae", 1, "failed", exit_code=127)
    run.step("p", "make", 10)
    run.add("build_finished", status="succeeded")
    code, shown = status(journal)
    assert code == 1
    assert "succeeded, 1 step failed" in shown
    assert "build-exporter explain mkae --build k" in shown
    assert [forks().run([each, "--journal", str(journal)]).returncode for each in ("progress", "tasks")] == [1, 1]
    run.step("p", "mkae", 5)
    code, shown = status(journal)
    assert (code, "failed" in shown) == (0, False)


def test_a_failed_build_stands_still(journal: Path, run_file: RunFiles, serve: Callable[..., Any]) -> None:
    """Of a build that failed after 12 s, and was left, 12 s are shown for ever, and when it ended; also as a metric."""
    run = run_file("k", clock=time.time() - 7200)
    run.add("build_started", after=0)
    run.step("p", "one", 11, "failed")
    _, shown = status(journal)
    assert "12 s, ended" in shown
    _, plain = status(journal, "--output", "json")
    assert json.loads(plain)[0]["end"] == run.clock
    exporter = serve()
    assert exporter.value("build_end_timestamp_seconds", build="k") == run.clock
    run.add("step_started", phase="p", step="one", attempt=2)
    _, plain = status(journal, "--output", "json")
    assert json.loads(plain)[0]["end"] is None


def test_a_build_nobody_works_on_is_idle(journal: Path, run_file: RunFiles) -> None:
    """A run without an end in which nothing runs is running for five minutes, and then idle since its last event."""
    for name, ago, word in (("fresh", 290, "running"), ("left", 310, "idle since")):
        run = run_file(name, clock=time.time() - ago - 1)
        run.add("build_started", after=0)
        run.step("p", "one", 0)
        assert word in status(journal, "--build", name)[1]


def test_a_journal_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """`serve --journal FILE` says which file is in the way and ends, instead of serving nothing for ever."""
    path = tmp_path / "journal"
    path.write_text("")
    for named in (path, path / "below"):
        done = forks().run(["serve", "--journal", str(named)])
        assert done.returncode == 2
        assert f"{path} is a file" in done.stderr


def test_two_replays_of_one_second_are_two_runs(journal: Path) -> None:
    """Replays started together do not write into one run."""
    recorded = next((Path(__file__).parents[2] / "examples/recorded/mini-lfs").glob("*.jsonl"))
    words = ["replay", str(recorded), "--journal", str(journal), "--speed", "1e6", "--quiet"]
    started = [forks().start(words, [0, 1, 2], dict(os.environ)) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert len(list((journal / "mini-lfs").glob("*.jsonl"))) == 3


def test_roots_builds_are_mentioned_to_who_named_no_journal(
    journal: Path, run_file: RunFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without builds is pointed to those of the system; who names a journal asks about that one."""
    run_file("lfs").step("p", "a")
    monkeypatch.setattr("build_exporter.cli.status.SYSTEM_JOURNAL", str(journal))
    monkeypatch.setattr("build_exporter.journal.layout.SYSTEM_JOURNAL", str(tmp_path / "mine"))
    monkeypatch.delenv("BUILD_EXPORTER_JOURNAL", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(query_source, "DEFAULT_EXPORTER", "http://127.0.0.1:1")
    (tmp_path / "named").mkdir()
    footer = f"1 build of the system: build-exporter status --journal {journal}\n"
    assert CliRunner().invoke(main, ["status"]).stderr == footer
    assert CliRunner().invoke(main, ["status", "--journal", str(tmp_path / "named")]).stderr == ""
    assert CliRunner().invoke(main, ["status"], env={"BUILD_EXPORTER_JOURNAL": str(tmp_path / "named")}).stderr == ""

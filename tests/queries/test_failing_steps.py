"""`failing-steps`: failures of a step over the runs of a build."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from build_exporter.cli import main


def test_failures_of_steps_over_runs(journal: Path, run_file: Callable[..., Any]) -> None:
    """What fails again and again, what comes right by itself and what failed once are distinguished, with times."""
    for day in (1, 2, 3):
        run = run_file("lfs", run=f"2026010{day}T000000Z", clock=1.767e9 + day * 86400)
        run.add("build_started")
        for _ in range(2 if day == 3 else 1):
            run.step("tests", "gcc", status="failed", error_class="test-failure")
        run.step("tests", "gcc", seconds=50.0 * day)
        run.step("build", "glibc", status="failed" if day > 1 else "succeeded", exit_code=2)
        if day > 1:
            # the class that the log gave comes after the end
            run.add("step_progress", phase="build", step="glibc", error_class="disk-full", message="no space left")
        run.step("build", "m4", status="failed" if day == 2 else "succeeded", error_class="timeout")
    words = ["failing-steps", "--journal", str(journal), "--output", "json"]
    found = CliRunner().invoke(main, words)
    rows = {row["step"]: row for row in json.loads(found.stdout)["rows"]}
    assert found.exit_code == 1
    gcc, glibc, m4 = rows["gcc"], rows["glibc"], rows["m4"]
    assert (gcc["failures"], gcc["runs_failed"], gcc["runs"], gcc["pattern"]) == (4, 3, 3, "flaky")
    # ends of the failures to the end of the success: 51, 101 and, of the first of two, 162 s
    assert (gcc["recovered"], gcc["recovery_seconds"]) == (3, 101.0)
    assert (glibc["error_class"], glibc["failures"], glibc["pattern"], glibc["open"]) == (
        "disk-full",
        2,
        "repeating",
        True,
    )
    assert (glibc["recovered"], glibc["recovery_seconds"]) == (0, None)
    assert (m4["error_class"], m4["pattern"], m4["open"]) == ("timeout", "once", False)
    only = CliRunner().invoke(main, [*words, "--class", "timeout"])
    assert [row["step"] for row in json.loads(only.stdout)["rows"]] == ["m4"]
    assert only.exit_code == 0

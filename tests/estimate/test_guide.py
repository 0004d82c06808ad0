"""The guide to estimates says what works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from build_exporter.model import events as e

PLAN = "phases:\n  - phase: p\n    steps: [{step: a, seconds: 60}, {step: b, seconds: 15m}]\n"


def test_every_shell_example_runs(tmp_path: Path, run_examples: Callable[..., Any]) -> None:
    """The page's shell block runs in a directory with a plan and a journal of three runs."""
    (tmp_path / "my-system.yaml").write_text(PLAN)
    for day in (1, 2, 3):
        path = tmp_path / "journal" / "b" / f"2026010{day}T000000Z.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        start = 1.78e9 + 86_400.0 * day
        lines = [
            e.BuildStarted(time=start, build="b"),
            e.StepStarted(time=start, build="b", phase="p", step="a"),
            e.StepFinished(time=start + 60.0, build="b", phase="p", step="a", status="succeeded"),
            e.BuildFinished(time=start + 60.0, build="b", status="succeeded"),
        ]
        path.write_bytes(b"".join(map(e.encode_line, lines)))
    done = run_examples("docs/guide/estimates.md", 1)[-1]
    assert "3 runs: median error" in done.stdout
    assert "Estimate at -j" in done.stdout

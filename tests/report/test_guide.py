"""The guide to reports and exports says what works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_examples_run(command: Callable[..., Any], run_examples: Any, repository: Path, tmp_path: Path) -> None:
    """Each command of the guide makes its file from the recorded mini-LFS build."""
    (record,) = (repository / "examples" / "recorded" / "mini-lfs").glob("*.jsonl")
    command("replay", str(record), "--journal", str(tmp_path / "journal"), "--keep-times", "--quiet")
    (tmp_path / "examples").symlink_to(repository / "examples")
    run_examples("docs/guide/reports.md", 2)
    assert "Steps by attempts and time" in (tmp_path / "mini-lfs.html").read_text()
    made = {path.name for path in tmp_path.iterdir()}
    assert {"mini-lfs.html", "mini-lfs.report", "mini-lfs.om", "traces.json"} <= made

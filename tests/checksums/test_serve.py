"""The whole way: a file goes missing beside a running exporter, is reported in metrics and status, and comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.timeout(400)
def test_a_missing_file_is_reported_before_its_step(
    serve: Callable[..., Any],
    command: Callable[..., Any],
    poll: Callable[..., None],
    book: Path,
    tarballs: Path,
    journal: Path,
) -> None:
    """Metrics count the file and name the step that will fail by it, until it is back; status says the same."""
    whole = (tarballs / "linux-2.tar.gz").read_bytes()
    (tarballs / "linux-2.tar.gz").unlink()
    reports = ("--book", str(book), "--emit", "--build", "lfs", "--tarballs", str(tarballs), "--journal", str(journal))
    assert command("plan", "lfs", *reports).returncode == 0
    served = serve()
    poll(lambda: served.value("build_source_files", build="lfs", state="verified") == 3, 90, "three are verified")
    assert served.value("build_source_files", build="lfs", state="missing") == 1
    assert served.value("build_steps_without_sources", build="lfs") == 1
    named = {"build": "lfs", "phase": "chapter-10", "step": "1001-linux", "file": "linux-2.tar.gz", "state": "missing"}
    assert served.value("build_step_source_info", **named) == 1
    status = command("status", "--journal", str(journal)).stdout
    assert "sources    3 verified, 1 missing, as of" in status
    assert "will fail  1001-linux needs linux-2.tar.gz: missing, no such file" in status
    (tarballs / "linux-2.tar.gz").write_bytes(whole)
    poll(lambda: served.value("build_source_files", build="lfs", state="verified") == 4, 90, "all are verified")
    assert served.value("build_steps_without_sources", build="lfs") == 0
    assert served.value("build_step_source_info", build="lfs") is None
    assert served.stop() == 0
    lines = (next((journal / "lfs").glob("*.jsonl"))).read_text().count("sources_verified")
    again = serve()
    poll(lambda: again.value("build_source_files", build="lfs", state="verified") == 4, 30, "what was reported")
    os.truncate(tarballs / "gcc-1.tar.xz", 100)
    poll(lambda: again.value("build_source_files", build="lfs", state="truncated") == 1, 90, "the cut file is reported")
    assert (next((journal / "lfs").glob("*.jsonl"))).read_text().count("sources_verified") <= lines + 2

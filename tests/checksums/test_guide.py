"""The guide to checksums says what works."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.checksums.background import POLL_SECONDS, QUIET_SECONDS
from build_exporter.checksums.checksum_files import FOUND_BESIDE
from build_exporter.checksums.worker_process import BYTES_PER_SECOND
from build_exporter.collectors.sources import MAX_NAMED
from build_exporter.model.states import SourceState


@pytest.fixture
def guide(repository: Path) -> str:
    """The page's text."""
    return (repository / "docs" / "guide" / "checksums.md").read_text()


@pytest.mark.usefixtures("book", "jhalfs_tree")
def test_every_shell_example_runs(tmp_path: Path, run_examples: Callable[..., Any]) -> None:
    """The page's shell blocks run one after the other, and every file of the plan is then verified."""
    done = run_examples("docs/guide/checksums.md", 2)[-1]
    assert "4 files in" in done.stdout
    reports = json.loads((tmp_path / "verified.json").read_text())
    assert reports["counts"]["verified"] == len(reports["files"]) == 3


def test_states_and_figures_are_those_of_the_code(guide: str) -> None:
    """Every state has its row, every list searched is named, and the figures are the code's."""
    rows = re.findall(r"^\| `(\w+)` \| ", guide, re.MULTILINE)
    assert {state.value for state in SourceState} - {"pending"} <= set(rows)
    assert all(f"`{name}`" in guide for name in FOUND_BESIDE if name != "sha256sums")
    assert (POLL_SECONDS, QUIET_SECONDS, BYTES_PER_SECOND, MAX_NAMED) == (5, 10, 16 * 1024**2, 20)

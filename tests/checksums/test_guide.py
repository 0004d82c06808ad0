"""The guide to checksums says what works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from build_exporter.checksums.follow import LOOK_SECONDS, QUIET_SECONDS
from build_exporter.checksums.lists import FOUND_BESIDE
from build_exporter.checksums.reading import BYTES_PER_SECOND
from build_exporter.collectors.sources import MAX_NAMED
from build_exporter.model.states import SourceState


@pytest.fixture
def guide(repository: Path) -> str:
    """The page's text."""
    return (repository / "docs" / "guide" / "checksums.md").read_text()


@pytest.mark.usefixtures("book", "jhalfs_tree")
def test_every_shell_example_runs(guide: str, tmp_path: Path) -> None:
    """The page's shell blocks run one after the other, and every file of the plan is then verified."""
    launcher = tmp_path / "build-exporter"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m build_exporter "$@"\n')
    launcher.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "BUILD_EXPORTER_JOURNAL": str(tmp_path / "journal"),
    }
    blocks = re.findall(r"^```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        done = subprocess.run(
            ["sh", "-e", "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (block, done.stdout, done.stderr)
    assert "4 files in" in done.stdout
    told = json.loads((tmp_path / "verified.json").read_text())
    assert told["counts"]["verified"] == len(told["files"]) == 3


def test_states_and_figures_are_those_of_the_code(guide: str) -> None:
    """Every state has its row, every list looked for is named, and the figures are the code's."""
    rows = re.findall(r"^\| `(\w+)` \| ", guide, re.MULTILINE)
    assert {state.value for state in SourceState} - {"pending"} <= set(rows)
    assert all(f"`{name}`" in guide for name in FOUND_BESIDE if name != "sha256sums")
    assert (LOOK_SECONDS, QUIET_SECONDS, BYTES_PER_SECOND, MAX_NAMED) == (5, 10, 16 * 1024**2, 20)

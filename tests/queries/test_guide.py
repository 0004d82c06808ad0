"""The guide to the query commands says what works."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from zygote import forks

from build_exporter.queries.commands import SUMMARIES


def test_the_guide_names_every_query(repository: Path) -> None:
    """No query is missing from the guide's table."""
    table = (repository / "docs" / "guide" / "queries.md").read_text().split("```sh")[0]
    named = {name.split()[0] for name in re.findall(r"`([a-z-]+(?: \[\w+\])*)`", table)}
    assert SUMMARIES.keys() <= named


def test_the_examples_run(repository: Path, tmp_path: Path) -> None:
    """The guide's commands answer from the recorded mini-LFS build."""
    forks().install(tmp_path / "build-exporter")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "BUILD_EXPORTER_JOURNAL": f"{tmp_path}/j"}
    page = (repository / "docs" / "guide" / "queries.md").read_text()
    block = "".join(re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    replay = f"build-exporter replay {repository}/examples/recorded/mini-lfs/*.jsonl --keep-times --quiet\n"
    done = subprocess.run(
        ["sh", "-e", "-c", replay + block],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "slowest: 616-binutils-pass2 4 min 43 s (29%)" in done.stdout
    assert "\ncross-binutils,reached," in done.stdout

"""The examples of the README and of the page that extends it work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = ("README.md", "docs/guide/getting-started.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks_of(repository: Path, language: str) -> list[str]:
    """Return the code blocks of both pages in one language, in order."""
    return [text for page in PAGES for kind, text in BLOCK.findall((repository / page).read_text()) if kind == language]


@pytest.fixture
def environment(tmp_path: Path, repository: Path) -> dict[str, str]:
    """A place with the command on its path, a journal, and things to make."""
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    launcher = bin_directory / "build-exporter"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m build_exporter "$@"\n')
    launcher.chmod(0o755)
    for name in ("binutils", "gcc", "."):
        directory = tmp_path / "work" / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "Makefile").write_text("all check:\n\t@echo made\n")
    (tmp_path / "work" / "examples").symlink_to(repository / "examples")
    journal = str(tmp_path / "journal")
    return {**os.environ, "PATH": f"{bin_directory}:{os.environ['PATH']}", "BUILD_EXPORTER_JOURNAL": journal}


def test_every_shell_example_runs(repository: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    """A reader can run the shell blocks one after another and gets what the text says."""
    blocks = blocks_of(repository, "sh")
    assert len(blocks) >= 3
    for block in blocks:
        done = subprocess.run(
            ["sh", "-e", "-c", block],
            cwd=tmp_path / "work",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (block, done.stdout, done.stderr)
    status = subprocess.run(
        ["build-exporter", "status"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert "lfs-12.4" in status.stdout
    assert "my-kernel" in status.stdout
    assert (tmp_path / "work" / "check.log").read_text() == "made\n"


def test_every_python_example_runs(repository: Path, environment: dict[str, str]) -> None:
    """A reader can run the Python block as it is."""
    blocks = blocks_of(repository, "python")
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], env=environment, check=True, timeout=60)

"""What the README says is what works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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
    """The README's shell blocks run one after the other and do what the text around them says."""
    blocks = [text for kind, text in BLOCK.findall((repository / "README.md").read_text()) if kind == "sh"]
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
    """The README's Python block runs as it is."""
    blocks = [text for kind, text in BLOCK.findall((repository / "README.md").read_text()) if kind == "python"]
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], env=environment, check=True, timeout=60)


@pytest.mark.parametrize("name", ["README.md", "bench/README.md", "alertmanager/runbook.md", "grafana/README.md"])
def test_every_link_leads_somewhere(repository: Path, name: str) -> None:
    """No link within the repository is dead."""
    page = repository / name
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target

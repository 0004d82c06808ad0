"""Setting up the virtual environment that `make up` and `make test` use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package that installs without network."""
    top = tmp_path / "package"
    top.mkdir()
    (top / "setup.py").write_text(
        "import setuptools\nsetuptools.setup(name='tiny', version='1', py_modules=['tiny'])\n"
    )
    (top / "tiny.py").write_text("")
    return top


def start(repository: Path, venv: Path, requirement: Path) -> subprocess.Popen[str]:
    """Return `venv.sh` running in a process group of its own, as a terminal's job is."""
    # pip reads the value as whether to isolate
    pip = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_USE_PEP517": "0"}
    environment = {**os.environ, **pip, "PYTHON": sys.executable}
    command = ["sh", str(repository / "exporter" / "venv.sh"), str(venv), str(requirement)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )


def has_tiny(venv: Path) -> bool:
    """Whether the environment is whole and holds the package."""
    return subprocess.run([venv / "bin" / "python", "-c", "import pip, tiny"], check=False).returncode == 0


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a new environment holds setuptools before Python 3.12 only")
def test_a_half_made_environment_is_made_anew(repository: Path, package: Path, tmp_path: Path) -> None:
    """After an interrupted or failed first try the same command works."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    process = start(repository, venv, package)
    output = process.communicate(timeout=100)[0]
    assert process.returncode == 0, output
    assert "making it anew" in output
    assert has_tiny(venv)


def test_a_directory_of_somebody_is_not_removed(repository: Path, package: Path, tmp_path: Path) -> None:
    """A directory named by mistake keeps its files."""
    kept = tmp_path / "photos" / "one.jpg"
    kept.parent.mkdir()
    kept.write_text("x")
    process = start(repository, kept.parent, package)
    assert "is no virtual environment" in process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert kept.exists()


def test_an_interrupt_leaves_one_line(
    repository: Path, package: Path, tmp_path: Path, poll: Callable[..., None]
) -> None:
    """Ctrl-C prints no traceback, and ends what was running."""
    venv = tmp_path / "venv"
    process = start(repository, venv, package)
    poll((venv / "pyvenv.cfg").exists, 60, "the environment is being made")
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=30)[0]
    assert [line for line in output.splitlines() if line] == ["stopped; the same command goes on from here"]
    assert process.returncode == 0

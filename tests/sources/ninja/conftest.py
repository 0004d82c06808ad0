"""Ninja of the tests: a project to build with the real one, and logs written row by row."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.ninja.source import Ninja
from build_exporter.sources.protocol import Settings

RULES = """\
rule compile
  command = sleep 0.05 && test ! -e $in.bad && cp $in $out
rule gather
  command = cat $in > $out
  restat = 1
"""


class Project:
    """A directory that the real ninja builds: `count` files copied, then gathered into one."""

    def __init__(self, top: Path, count: int = 12) -> None:
        self.top = top
        top.mkdir()
        names = [f"f{number}" for number in range(count)]
        for name in names:
            (top / f"{name}.c").write_text(name)
        half = count // 2
        (top / "more.ninja").write_text("".join(f"build {name}.o: compile {name}.c\n" for name in names[half:]))
        (top / "build.ninja").write_text(
            RULES
            + "".join(f"build {name}.o: compile {name}.c\n" for name in names[:half])
            + "include more.ninja\n"
            + "build all$ of$ it: gather $\n    "
            + " ".join(f"{name}.o" for name in names)
            + "\nbuild all: phony all$ of$ it\ndefault all\n"
        )
        self.edges = count + 1

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start ninja."""
        return subprocess.Popen(["ninja", *arguments], cwd=self.top, stdout=subprocess.DEVNULL)

    def build(self, *arguments: str) -> int:
        """Run ninja to its end and return its exit code."""
        return self.start(*arguments).wait(60)


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Project]:
    """Make projects; skipped where there is no ninja."""
    if shutil.which("ninja") is None:
        pytest.skip("no ninja here")
    return lambda count=12: Project(tmp_path / "project", count)


@pytest.fixture
def follow(tmp_path: Path, follower: Callable[..., Any]) -> Callable[..., Any]:
    """Attach to a record."""
    return lambda path, journal="journal": follower(lambda: Ninja(Settings(path, "ninja")), tmp_path / journal)


@pytest.fixture
def next_second(poll: Callable[..., None]) -> Callable[[], None]:
    """Wait for another second to begin, as runs are named by it."""

    def wait() -> None:
        began = time.time()
        poll(lambda: time.time() > began + 1.1)

    return wait

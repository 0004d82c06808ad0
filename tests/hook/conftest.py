"""The hook in each shell it is made for, and its journal read as the exporter reads it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import build_exporter.shell
from build_exporter.model.events import AnyEvent

SHELLS = {"bash": ("bash",), "posix": ("bash", "--posix"), "dash": ("dash",), "busybox": ("busybox", "sh")}
HOOK = Path(str(build_exporter.shell.__file__)).with_name("build-events.sh")

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyEvent)


class Hook:
    """Scripts that source the hook as `. "$HOOK"`, run by one shell with a journal of their own."""

    def __init__(self, shell: str, journal: Path, home: Path) -> None:
        self.name, self.shell, self.journal, self.path = shell, SHELLS[shell], journal, HOOK
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "HOOK": str(HOOK),
            "BUILD_EXPORTER_JOURNAL": str(journal),
            "XDG_RUNTIME_DIR": str(home / "no runtime directory"),
        }

    def command(self, script: str, *arguments: str | bytes) -> list[str | bytes]:
        """Return the command that runs a script's text with arguments."""
        return [*self.shell, "-c", script, "script", *arguments]

    def run(
        self, script: str, *arguments: str | bytes, status: int | None = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script's text and return what it printed, having checked its exit status."""
        done = subprocess.run(
            self.command(script, *arguments),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert status is None or done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    def events(self, build: str = "*") -> list[dict[str, Any]]:
        """Return all events of the journal in their order; every line must be a whole valid one."""
        return [event for path in sorted(self.journal.glob(f"{build}/*.jsonl")) for event in read(path)]

    def finished(self) -> dict[str, str]:
        """Return the status of each step that finished."""
        return {e["step"]: e["status"] for e in self.events() if e["event"] == "step_finished"}


def read(path: Path) -> list[dict[str, Any]]:
    """Return the events of a run file by the exporter's own types; every line must be a whole valid one."""
    data = path.read_bytes()
    assert data.endswith(b"\n"), data[-200:]
    return [msgspec.to_builtins(_decoder.decode(line)) for line in data.splitlines()]


@pytest.fixture(params=sorted(SHELLS))
def hook(request: pytest.FixtureRequest, journal: Path, tmp_path: Path) -> Hook:
    """The hook in each of the shells (`posix`: bash as it is when it is /bin/sh), with an empty journal."""
    if not shutil.which(SHELLS[request.param][0]):
        pytest.skip(f"{SHELLS[request.param][0]} is not installed")
    return Hook(request.param, journal, tmp_path)


@pytest.fixture
def read_run() -> Callable[[Path], list[dict[str, Any]]]:
    """Read one run file strictly."""
    return read


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount small file systems in memory, gone with the test."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        point = tmp_path / f"tmpfs-{len(mounted)}"
        point.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"mounting a tmpfs is not permitted here: {done.stderr.strip()}")
        mounted.append(point)
        return point

    yield mount
    for point in mounted:
        subprocess.run(["umount", str(point)], check=True)

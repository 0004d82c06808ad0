"""The mini-LFS example, its records, and source packages small enough to build in a second."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from build_exporter.model.events import AnyEvent, Event

PROGRAM = "int main(void) { return 0; }\n"
CONFIGURE = r"""#!/bin/sh
cat >Makefile <<'END'
PACKAGE: main.c; gcc -o PACKAGE main.c
install: PACKAGE; mkdir -p $(DESTDIR)/usr/bin && cp PACKAGE $(DESTDIR)/usr/bin/PACKAGE
END
"""


def read_events(run_file: Path) -> list[Event]:
    """Return the events of a run file; raises where a line is not an event of the model."""
    decoder = msgspec.json.Decoder(AnyEvent)
    return [decoder.decode(line) for line in run_file.read_bytes().splitlines()]


class MiniLfs:
    """One mini-LFS build in a private directory: sources, the prefix to build in, the journal."""

    def __init__(self, repository: Path, directory: Path) -> None:
        self.scripts = repository / "examples/mini-lfs"
        self.hook = repository / "exporter/build_exporter/shell/build-events.sh"
        self.directory = directory
        self.sources = directory / "sources"
        self.lfs = directory / "lfs"
        self.journal = directory / "journal"
        self.sources.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user who has named hook and journal."""
        return {**os.environ, "BE_HOOK": str(self.hook), "BUILD_EXPORTER_JOURNAL": str(self.journal)}

    def add_package(
        self, package: str, version: str = "1.0", archive: str = "", program: str = PROGRAM, configure: str = CONFIGURE
    ) -> Path:
        """Put a package of one C program into the sources and return its archive."""
        path = self.sources / (archive or f"{package}-{version}.tar.gz")
        files = {"configure": configure.replace("PACKAGE", package), "main.c": program}
        with tarfile.open(path, "w:gz") as tar:
            for name, text in files.items():
                member = tarfile.TarInfo(f"{package}-{version}/{name}")
                member.size, member.mode = len(text.encode()), 0o755
                tar.addfile(member, io.BytesIO(text.encode()))
        return path

    def command(self, *options: str) -> list[str]:
        """Return the build's command line."""
        return [str(self.scripts / "build"), "--sources", str(self.sources), "--lfs", str(self.lfs), *options]

    def build(self, *options: str, seconds: float = 100.0) -> subprocess.CompletedProcess[str]:
        """Run the build as a user does and return what it said; end it and all it started after `seconds`."""
        command = self.command(*options)
        with subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def run_file(self) -> Path:
        """Return the only run file there is."""
        (path,) = self.journal.glob("*/*.jsonl")
        return path

    def events(self) -> list[Event]:
        """Return the events of the only run."""
        return read_events(self.run_file())


@pytest.fixture
def mini_lfs(repository: Path, tmp_path: Path) -> MiniLfs:
    """An empty source directory, and the build that reads it."""
    missing = [tool for tool in ("bash", "gcc", "make", "tar", "xz", "gzip", "sha256sum") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return MiniLfs(repository, tmp_path)


@pytest.fixture
def scripts(repository: Path) -> Path:
    """The directory of the example's scripts."""
    return repository / "examples/mini-lfs"


@pytest.fixture(params=["mini-lfs", "mini-lfs-resumed"])
def record(request: pytest.FixtureRequest, repository: Path) -> Path:
    """Each recorded build's directory."""
    return repository / "examples/recorded" / str(request.param)


@pytest.fixture
def resumed(repository: Path) -> Path:
    """The record of the build that failed and was taken up again."""
    return repository / "examples/recorded/mini-lfs-resumed"


@pytest.fixture
def events_of() -> Callable[[Path], list[Event]]:
    """Read the events of a record."""

    def read(record: Path) -> list[Event]:
        (run_file,) = record.glob("*.jsonl")
        return read_events(run_file)

    return read

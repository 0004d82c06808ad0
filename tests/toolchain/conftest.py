"""Trees with tools in them, made of the machine's real ones, and surveyors over a journal."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from build_exporter.exposition import TEXT, render
from build_exporter.journal.layout import run_path
from build_exporter.model.events import Toolchain
from build_exporter.monitor import Monitor
from build_exporter.sources.protocol import BuildContext
from build_exporter.toolchain.files import Files
from build_exporter.toolchain.surveyor import Surveyor
from build_exporter.tracker import Run

CROSS = "aarch64-linux-gnu"


def printed(*command: str) -> str:
    """Return what a program prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def printed_version(*command: str) -> str:
    """Return the version at the end of the first line that a program prints."""
    found = re.search(r"(\d+(?:\.\d+)+)\D*$", printed(*command).splitlines()[0])
    assert found, command
    return found[1]


@pytest.fixture
def version_of() -> Callable[..., str]:
    """Ask a program for its version."""
    return printed_version


@pytest.fixture
def output_of() -> Callable[..., str]:
    """Run a program and take what it prints."""
    return printed


@pytest.fixture
def files() -> Files:
    """Reads files as root may."""
    made = Files()
    made.begin(None)
    return made


@pytest.fixture(scope="session")
def cross_compiler() -> str:
    """The triplet of a real cross compiler of the distribution, with its linker and C library."""
    if shutil.which(f"{CROSS}-gcc") is None or not Path(f"/usr/{CROSS}/lib/libc.so.6").exists():
        pytest.skip("no cross compiler here (gcc-aarch64-linux-gnu, libc6-dev-arm64-cross)")
    return CROSS


class LinuxFromScratch:
    """A directory as LFS has it at `$LFS`, filled stage by stage with copies of real tools."""

    def __init__(self, top: Path, triplet: str) -> None:
        self.top, self.triplet = top, triplet
        for each in ("usr/bin", "usr/lib", "tools/bin", "tools/lib"):
            (top / each).mkdir(parents=True)
        for each in ("bin", "lib"):
            (top / each).symlink_to(f"usr/{each}")

    def binutils_pass1(self) -> None:
        """Install the cross linker as LFS's chapter 5 does."""
        shutil.copy(f"/usr/bin/{CROSS}-ld.bfd", self.top / f"tools/bin/{self.triplet}-ld")
        (self.top / f"tools/{self.triplet}/bin").mkdir(parents=True)
        os.link(self.top / f"tools/bin/{self.triplet}-ld", self.top / f"tools/{self.triplet}/bin/ld")

    def gcc_pass1(self, version: str = "14.2.0") -> None:
        """Install the cross compiler, of a version that its directory shows."""
        self._gcc(self.top / "tools", self.triplet, version)

    def glibc(self) -> None:
        """Install the new system's C library and kernel headers."""
        shutil.copy(Path(f"/usr/{CROSS}/lib/libc.so.6").resolve(), self.top / "usr/lib/libc.so.6")
        (self.top / "usr/include/linux").mkdir(parents=True)
        shutil.copy(f"/usr/{CROSS}/include/linux/version.h", self.top / "usr/include/linux")

    def gcc_pass2(self, version: str = "14.2.0") -> None:
        """Install the new system's own compiler, linker and make."""
        self._gcc(self.top / "usr", self.triplet, version)
        shutil.copy(f"/usr/bin/{CROSS}-ld.bfd", self.top / "usr/bin/ld.bfd")
        # as a link that is right only inside the new system
        (self.top / "usr/bin/ld").symlink_to("/usr/bin/ld.bfd")
        shutil.copy("/usr/bin/make", self.top / "usr/bin/make")

    def remove_tools(self) -> None:
        """Remove the temporary tools, as the end of chapter 7 does."""
        shutil.rmtree(self.top / "tools")

    @staticmethod
    def _gcc(prefix: Path, triplet: str, version: str) -> None:
        for base, names in (("lib", ("crtbegin.o", "libgcc.a")), ("libexec", ("cc1",))):
            directory = prefix / base / "gcc" / triplet / version
            directory.mkdir(parents=True)
            for name in names:
                (directory / name).write_bytes(b"\x7fELF")


@pytest.fixture
def linux_from_scratch(tmp_path: Path, cross_compiler: str) -> Callable[..., LinuxFromScratch]:
    """Make `$LFS` directories."""
    assert cross_compiler == CROSS
    return lambda name="lfs", triplet="aarch64-lfs-linux-gnu": LinuxFromScratch(tmp_path / name, triplet)


class Building:
    """A surveyor and the builds it reads, with a clock that is set by hand."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.now, self.elapsed = time.time(), 0.0
        self.monitor = Monitor(str(journal), lambda: self.now)
        self.around: dict[str, BuildContext] = {}
        self.surveyor = self.new_surveyor()

    def new_surveyor(self, **options: Any) -> Surveyor:
        """Return one as another start of the exporter has it."""
        made = Surveyor(str(self.journal), self.monitor.newest_runs, lambda: self.now, lambda: self.around, **options)
        made.elapsed = lambda: self.elapsed
        return made

    def poll(self, seconds: float = 5.0) -> int:
        """Let time pass, and look once."""
        self.now += seconds
        self.elapsed += seconds
        self.monitor.poll()
        reported = self.surveyor.poll()
        self.monitor.poll()
        return reported

    def run(self, build: str = "lfs") -> Run:
        """Return the build's run as the journal shows it."""
        self.monitor.poll()
        current = self.monitor.tracker.builds[build].current
        assert current is not None
        return current

    def toolchain(self, build: str = "lfs") -> Toolchain:
        """Return what the journal reports a build's toolchain."""
        found = self.run(build).toolchain
        assert found is not None
        return found

    def tools(self, build: str = "lfs") -> dict[tuple[str, str], str]:
        """Return versions by role and tool."""
        return {(tool.role, tool.tool): tool.version for tool in self.toolchain(build).tools or ()}

    def path(self, build: str = "lfs") -> Path:
        """Return the run's file."""
        run = self.run(build)
        return Path(run_path(str(self.journal), build, run.run))


@pytest.fixture
def building(journal: Path) -> Building:
    """A surveyor over the journal."""
    return Building(journal)


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start processes with an environment of their own; those that still run are ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str, **environment: str) -> subprocess.Popen[bytes]:
        command = command or ("sleep", "600")
        made = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **environment}, start_new_session=True)
        started.append(made)
        return made

    yield start
    for each in started:
        if each.poll() is None:
            os.killpg(each.pid, 9)
        each.wait(10)


@pytest.fixture
def build_run(run_file: Callable[..., Any]) -> Callable[..., Any]:
    """Begin a run now whose one step is a process."""

    def begin(pid: int, build: str = "lfs", **fields: object) -> Any:
        run = run_file(build, run=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), clock=time.time() - 1)
        run.add("build_started", after=0.0, **fields)
        run.add("step_started", after=1.0, phase="chapter-5", step="502-gcc-pass1", pid=pid)
        return run

    return begin


@pytest.fixture
def values() -> Callable[..., dict[tuple[str, tuple[str, ...]], float]]:
    """Return what a collector shows by name and label values, as Prometheus' client library reads it."""

    def read(collector: Any) -> dict[tuple[str, tuple[str, ...]], float]:
        text = render(collector.collect(), TEXT).decode()
        return {
            (sample.name, tuple(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    return read


@pytest.fixture
def monitor_of(journal: Path) -> Callable[[], Monitor]:
    """Read the journal as it is now."""

    def read() -> Monitor:
        monitor = Monitor(str(journal))
        monitor.poll()
        return monitor

    return read


@pytest.fixture
def import_(command: Callable[..., subprocess.CompletedProcess[str]], journal: Path) -> Callable[..., Run]:
    """Import a record and return its newest run."""

    def take(kind: str, path: Path) -> Run:
        done = command("import", kind, str(path), "--journal", str(journal), "--build", "imported")
        assert done.returncode == 0, done.stderr
        monitor = Monitor(str(journal))
        monitor.poll()
        current = monitor.tracker.builds["imported"].current
        assert current is not None
        return current

    return take

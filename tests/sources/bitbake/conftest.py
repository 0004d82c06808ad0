"""Builds of BitBake for the tests: trees written as BitBake writes them, and followed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from journals import runs_of

from build_exporter.sources.attach import Attachment
from build_exporter.sources.bitbake.source import BitBake
from build_exporter.sources.protocol import Settings
from build_exporter.tracker import Run


class Build:
    """A build directory as BitBake fills it."""

    def __init__(self, top: Path, machine: str = "qemuarm", began: float | None = None) -> None:
        self.top, self.clock = top, began or float(int(time.time()) - 5000)
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(self.clock))
        self.stats = top / "tmp/buildstats" / stamp
        self.log = top / "tmp/log/cooker" / machine / f"{stamp}.log"
        self.stats.mkdir(parents=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.began = self.clock
        (self.stats / "build_stats").write_text(f"Host Info: Linux test \nBuild Started: {self.clock:.2f} \n")
        self.say("NOTE: Executing Tasks")

    def say(self, *lines: str) -> None:
        """Append to the console log."""
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def start(self, recipe: str, task: str, after: float = 1.0) -> None:
        """Begin a task."""
        self.clock += after
        path = self.stats / recipe / task
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"Event: TaskStarted \nStarted: {self.clock:.2f} \n")
        self.say(f"NOTE: recipe {recipe}: task {task}: Started")

    def end(self, recipe: str, task: str, after: float = 10.0, status: str = "PASSED", cpu: float = 2.5) -> None:
        """End a task."""
        self.clock += after
        with (self.stats / recipe / task).open("a") as file:
            file.write(
                f"{recipe}: {task}\nElapsed time: {after:.2f} seconds\nIO read_bytes: 4096\nIO write_bytes: 8192\n"
                "rusage ru_utime: 0.5\nrusage ru_stime: 0.25\nrusage ru_maxrss: 1000\n"
                f"Child rusage ru_utime: {cpu}\nChild rusage ru_stime: 0.25\nChild rusage ru_maxrss: 3000\n"
                f"Status: {status} \nEnded: {self.clock:.2f} \n"
            )
        self.say(f"NOTE: recipe {recipe}: task {task}: {'Succeeded' if status == 'PASSED' else 'Failed'}")

    def task(self, recipe: str, task: str, seconds: float = 10.0, status: str = "PASSED") -> None:
        """A whole task."""
        self.start(recipe, task)
        self.end(recipe, task, seconds, status)

    def finish(self, *failed: tuple[str, str], summary: str = "all succeeded") -> None:
        """End the build as BitBake does."""
        with (self.stats / "build_stats").open("a") as file:
            file.writelines(f"Failed at: {recipe} at task: {task} \n" for recipe, task in failed)
            file.write(f"Elapsed time: {self.clock - self.began + 1:.2f} seconds \nCPU usage: 50.0% \n")
        self.say(f"NOTE: Tasks Summary: Attempted 9 tasks of which 2 didn't need to be rerun and {summary}.")


class Follower:
    """One journal and what is attached to it."""

    def __init__(self, top: Path, journal: Path) -> None:
        self.top, self.journal = top, journal
        self.attachment = self._attach()

    def _attach(self) -> Attachment:
        return Attachment(BitBake(Settings(self.top, "yocto")), str(self.journal))

    def restart(self) -> None:
        """Begin again on the same journal."""
        self.attachment.close()
        self.attachment = self._attach()

    def poll(self, now: float | None = None, *, over: bool = False) -> int:
        """Look once."""
        return self.attachment.poll(time.time() if now is None else now, over=over)

    def runs(self) -> list[Run]:
        """Return the runs the journal holds, oldest first."""
        return runs_of(self.journal)


@pytest.fixture
def make_build(tmp_path: Path) -> Callable[..., Build]:
    """Make builds in a directory."""
    return lambda **options: Build(options.pop("top", tmp_path / "build"), **options)


@pytest.fixture
def build(make_build: Callable[..., Build]) -> Build:
    """A build that has begun."""
    return make_build()


@pytest.fixture
def follow(tmp_path: Path) -> Callable[..., Follower]:
    """Attach to a record."""
    return lambda top=tmp_path / "build", journal="journal": Follower(top, tmp_path / journal)

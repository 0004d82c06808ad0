"""The mini-LFS build, run for real on small packages, and on gzip's own sources where they are at hand."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from build_exporter.model.events import (
    BuildFinished,
    BuildStarted,
    MilestoneReached,
    Plan,
    StepFinished,
    StepStarted,
)

if TYPE_CHECKING:
    from tests.examples.conftest import MiniLfs

BROKEN = "int main(void) { return missing; }\n"


def outcomes(mini_lfs: MiniLfs) -> list[tuple[str, str]]:
    """Return step and status of every attempt, in order."""
    return [(event.step, event.status) for event in mini_lfs.events() if isinstance(event, StepFinished)]


def test_every_package_found_is_planned_built_and_reported(mini_lfs: MiniLfs) -> None:
    """The journal holds the whole story: the plan with the versions found, each step, the milestone and the end."""
    mini_lfs.add_package("m4", "1.4.20")
    mini_lfs.add_package("sed", "4.9")
    done = mini_lfs.build("--jobs", "1")
    assert done.returncode == 0, done.stderr
    started, plan, *_, milestone, finished = mini_lfs.events()
    assert isinstance(started, BuildStarted)
    assert (started.build, started.jobs) == ("mini-lfs", 1)
    assert isinstance(plan, Plan)
    assert [(s.phase, s.step, s.package, s.version) for s in plan.steps] == [
        ("chapter-6", "601-m4", "m4", "1.4.20"),
        ("chapter-6", "613-sed", "sed", "4.9"),
    ]
    assert all(step.sbu for step in plan.steps)
    assert outcomes(mini_lfs) == [("601-m4", "succeeded"), ("613-sed", "succeeded")]
    assert isinstance(milestone, MilestoneReached)
    assert isinstance(finished, BuildFinished)
    assert finished.status == "succeeded"
    assert "602-ncurses is left out" in done.stderr


def test_nothing_is_written_outside_of_prefix_and_journal(mini_lfs: MiniLfs) -> None:
    """Programs, logs and stamps lie below --lfs, and the unpacked tree is thrown away."""
    mini_lfs.add_package("m4")
    assert mini_lfs.build().returncode == 0
    assert {path.name for path in mini_lfs.directory.iterdir()} == {"sources", "lfs", "journal"}
    assert (mini_lfs.lfs / "usr/bin/m4").is_file()
    assert not list((mini_lfs.lfs / "build").iterdir())


def test_each_step_keeps_its_log_where_the_journal_says(mini_lfs: MiniLfs) -> None:
    """The path in the journal leads to what the compiler said."""
    mini_lfs.add_package("m4")
    assert mini_lfs.build().returncode == 0
    (started,) = [event for event in mini_lfs.events() if isinstance(event, StepStarted)]
    assert started.log is not None
    assert "gcc -o m4 main.c" in Path(started.log).read_text()


def test_build_taken_up_after_a_failure_continues_in_the_same_run(mini_lfs: MiniLfs) -> None:
    """What is done stays done, the failed step is tried again, and the first attempt's log stays readable."""
    mini_lfs.add_package("m4")
    mini_lfs.add_package("grep", program=BROKEN)
    mini_lfs.add_package("sed")
    failed = mini_lfs.build()
    assert failed.returncode == 1
    assert "609-grep failed" in failed.stderr
    mini_lfs.add_package("grep")
    assert mini_lfs.build().returncode == 0
    assert outcomes(mini_lfs) == [
        ("601-m4", "succeeded"),
        ("609-grep", "failed"),
        ("609-grep", "succeeded"),
        ("613-sed", "succeeded"),
    ]
    assert [e.status for e in mini_lfs.events() if isinstance(e, BuildFinished)] == ["failed", "succeeded"]
    logs = [e.log for e in mini_lfs.events() if isinstance(e, StepStarted) and e.step == "609-grep"]
    assert ["undeclared" in Path(log or "").read_text() for log in logs] == [True, False]


def test_interrupted_build_is_reported_as_interrupted(mini_lfs: MiniLfs, poll: Callable[..., None]) -> None:
    """Control-C ends step and run as interrupted, not as failed, and the next run continues there."""
    reached = mini_lfs.directory / "reached"
    os.mkfifo(mini_lfs.directory / "never-written")
    mini_lfs.add_package("m4", configure=f"#!/bin/sh\n: >{reached}\nread line <{mini_lfs.directory}/never-written\n")
    with subprocess.Popen(
        mini_lfs.command(), env=mini_lfs.environment, start_new_session=True, stderr=subprocess.DEVNULL
    ) as process:
        poll(reached.exists, what="the step runs")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(15) != 0
    assert outcomes(mini_lfs) == [("601-m4", "interrupted")]
    finished = mini_lfs.events()[-1]
    assert isinstance(finished, BuildFinished)
    assert finished.status == "interrupted"
    mini_lfs.add_package("m4")
    assert mini_lfs.build().returncode == 0
    assert outcomes(mini_lfs)[-1] == ("601-m4", "succeeded")


def test_damaged_archive_is_refused_before_anything_is_built(mini_lfs: MiniLfs) -> None:
    """An archive named in SHA256SUMS with other content stops the build; no run begins."""
    mini_lfs.add_package("m4", archive="m4_1.4.19.orig.tar.xz")
    refused = mini_lfs.build()
    assert refused.returncode == 2
    assert "damaged" in refused.stderr
    assert not mini_lfs.journal.exists()


def test_archive_of_another_version_is_built_and_said_to_be_unverified(mini_lfs: MiniLfs) -> None:
    """The sources of any book do: a version that SHA256SUMS does not know is named, not refused."""
    mini_lfs.add_package("m4", "1.4.21")
    done = mini_lfs.build()
    assert done.returncode == 0
    assert "m4-1.4.21.tar.gz is not in SHA256SUMS" in done.stderr


@pytest.mark.parametrize(
    ("archives", "version"),
    [
        (["xz-utils_9.8.orig.tar.gz"], "9.8"),
        (["xz_9.8+dfsg.orig.tar.gz"], "9.8"),
        (["xz-9.9.tar.gz", "xz-9.10.tar.gz"], "9.10"),
    ],
)
def test_version_is_taken_from_the_archives_name(mini_lfs: MiniLfs, archives: list[str], version: str) -> None:
    """Debian's and the authors' names are understood, and of several versions the newest is built."""
    for archive in archives:
        mini_lfs.add_package("xz", archive=archive)
    assert mini_lfs.build().returncode == 0
    (plan,) = [event for event in mini_lfs.events() if isinstance(event, Plan)]
    assert [(step.step, step.version) for step in plan.steps] == [("615-xz", version)]


def test_one_step_can_be_built_alone(mini_lfs: MiniLfs) -> None:
    """`--only` builds the steps it names and reaches no milestone of the whole."""
    mini_lfs.add_package("m4")
    mini_lfs.add_package("sed")
    assert mini_lfs.build("--only", "613-sed").returncode == 0
    assert outcomes(mini_lfs) == [("613-sed", "succeeded")]
    assert not [event for event in mini_lfs.events() if isinstance(event, MilestoneReached)]


def test_running_system_is_never_the_target(mini_lfs: MiniLfs) -> None:
    """`--lfs /` is refused: `make install` would overwrite the machine's own tools."""
    mini_lfs.lfs = Path("/")
    refused = mini_lfs.build()
    assert refused.returncode == 2
    assert "running system" in refused.stderr


@pytest.mark.timeout(900)
def test_gzip_builds_from_its_own_sources(mini_lfs: MiniLfs) -> None:
    """A real package with a real configure: what it installs runs. MINI_LFS_SOURCES names the tarballs."""
    sources = os.environ.get("MINI_LFS_SOURCES")
    if not sources or not list(Path(sources).glob("gzip[-_]*.tar.*")):
        pytest.skip("MINI_LFS_SOURCES names no directory with gzip's tarball")
    mini_lfs.sources = Path(sources)
    done = mini_lfs.build("--only", "610-gzip", seconds=880)
    assert done.returncode == 0, done.stderr
    assert outcomes(mini_lfs) == [("610-gzip", "succeeded")]
    gzip = mini_lfs.lfs / "usr/bin/gzip"
    packed = subprocess.run([gzip, "-c"], input=b"mini-LFS" * 1000, capture_output=True, check=True).stdout
    assert len(packed) < 1000
    assert subprocess.run([gzip, "-dc"], input=packed, capture_output=True, check=True).stdout == b"mini-LFS" * 1000

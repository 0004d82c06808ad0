"""Test logs of jhalfs: read beside the steps' own logs, while they grow, at import, and where a tree is found late."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from build_exporter.cli.import_ import import_
from build_exporter.journal.layout import run_path, runs
from build_exporter.monitor import Monitor
from build_exporter.sources.attach import Attachment, read_run
from build_exporter.sources.jhalfs.source import Jhalfs
from build_exporter.sources.protocol import Settings
from build_exporter.sources.step_logs.watcher import StepHistory, StepLogWatcher
from build_exporter.tracker import Run, Step

if TYPE_CHECKING:
    from tests.sources.jhalfs.conftest import Tree

LIBRARY = "802-library"
RUNNING = "PASS: a.sh\nFAIL: b.sh\n"
SUMMARY = "Testsuite summary for library 1.0\n=====\n# TOTAL: 2\n# PASS:  1\n# FAIL:  1\n=====\n"
SCRIPT = """#!/bin/bash
set +h
set -e
cd $PKGDIR
./configure --prefix=/usr
make
make -k check >> $TEST_LOG 2>&1 || true
make install
exit
"""
SCRIPT_WITHOUT = SCRIPT.replace("make -k check >>", "# make -k check >>")


def write_test_log(tree: Tree, target: str, text: str = "") -> None:
    """Write a step's test log, which has a date whether or not there are tests."""
    tree.put(f"test-logs/{tree[target].log}", f"\nSat Mar  1 20:00:00 UTC 2026\n\n{text}")


def script(tree: Tree, target: str, text: str) -> None:
    """Write the script of a step."""
    path = tree.path / "lfs-commands" / f"chapter{tree[target].chapter:02}"
    path.mkdir(parents=True, exist_ok=True)
    (path / target).write_text(text)


def steps_until(tree: Tree, target: str) -> None:
    """Take every step before one."""
    for each in tree.steps:
        if each.target == target:
            return
        tree.step(each.target)
        if each.version:
            write_test_log(tree, each.target)


def step_of(run: Run, name: str) -> Step:
    """Return a step by its name."""
    return next(step for step in run.steps.values() if step.step == name)


class Watched:
    """A tree that is built now, the source that follows it, and who reads the logs of its running steps."""

    def __init__(self, tree: Tree, journal: Path) -> None:
        journal.mkdir(exist_ok=True)
        self._attachment = Attachment(Jhalfs(Settings(tree.path, "lfs", {"proc": str(journal)})), str(journal))
        self._monitor = Monitor(str(journal), lambda: tree.clock)
        self._inside = StepLogWatcher(
            str(journal),
            self._monitor.newest_runs,
            lambda: tree.clock,
            StepHistory(earlier_suites=self._monitor.earlier_suites),
        )
        self._tree = tree

    def poll(self, after: float = 1.0) -> dict[str, tuple[int, int]]:
        """Let all look once; return passed and failed tests of the library's suites."""
        self._tree.clock += after
        self._attachment.poll(self._tree.clock)
        self._monitor.poll()
        self._inside.poll()
        self._monitor.poll()
        (run,) = self._monitor.newest_runs()
        return {name: (reported.passed, reported.failed) for name, reported in step_of(run, LIBRARY).tests.items()}


@pytest.fixture
def watched(tree: Tree, tmp_path: Path) -> Watched:
    """The tree as it comes to the library, whose script runs tests."""
    for each in tree.steps:
        script(tree, each.target, SCRIPT if each.version else SCRIPT_WITHOUT)
    steps_until(tree, LIBRARY)
    return Watched(tree, tmp_path / "journal")


def test_tests_are_seen_in_the_test_log_while_they_run(tree: Tree, watched: Watched) -> None:
    """jhalfs writes what tests print elsewhere than all else, and swallows their failure: both is read."""
    tree.begin(LIBRARY)
    write_test_log(tree, LIBRARY)
    assert watched.poll() == {}
    write_test_log(tree, LIBRARY, RUNNING)
    assert watched.poll() == {"make check": (1, 1)}
    write_test_log(tree, LIBRARY, RUNNING + SUMMARY)
    tree.complete(LIBRARY)
    tree.stamp(LIBRARY)
    assert watched.poll() == {"library 1.0": (1, 1)}


def test_a_second_attempt_has_tests_of_its_own(tree: Tree, watched: Watched) -> None:
    """Results of an earlier attempt left in the test log are not reported for the running one."""
    tree.begin(LIBRARY)
    write_test_log(tree, LIBRARY, RUNNING + SUMMARY)
    assert watched.poll() == {"library 1.0": (1, 1)}
    tree.begin(LIBRARY, after=60.0)
    assert watched.poll() == {}
    write_test_log(tree, LIBRARY, "PASS: a.sh\n")
    assert watched.poll() == {"make check": (1, 0)}


def test_an_import_shows_of_tests(tree: Tree, imported: Callable[[Path], Run]) -> None:
    """The history of a finished tree has the results of its suites, as of the steps' ends."""
    for each in tree.steps:
        tree.step(each.target)
    write_test_log(tree, LIBRARY, RUNNING + SUMMARY)
    script(tree, "801-Shell", SCRIPT)
    write_test_log(tree, "801-Shell")
    run = imported(tree.path)
    tests = step_of(run, LIBRARY).tests
    assert {name: (reported.passed, reported.failed) for name, reported in tests.items()} == {"library 1.0": (1, 1)}
    assert tests["library 1.0"].time == step_of(run, LIBRARY).end
    assert {name: reported.passed for name, reported in step_of(run, "801-Shell").tests.items()} == {"make check": 0}
    assert run.last_event is not None
    assert run.end is not None
    assert run.last_event <= run.end, "what is read later is no later sign of life"


def test_an_import_knows_the_users_list(tree: Tree, tmp_path: Path) -> None:
    """History counts as expected what the configuration lists."""
    for each in tree.steps:
        tree.step(each.target)
    write_test_log(tree, LIBRARY, RUNNING + SUMMARY)
    config, journal = tmp_path / "config.yml", tmp_path / "journal"
    config.write_text("tests: {expected_failures: {library: [b.sh]}}\n")
    arguments = ["jhalfs", str(tree.path), "--build", "lfs", "--journal", str(journal), "--config", str(config)]
    assert CliRunner().invoke(import_, arguments).exit_code == 0
    (name,) = runs(str(journal), "lfs")
    reported = step_of(read_run(run_path(str(journal), "lfs", name), "lfs", name), LIBRARY).tests["library 1.0"]
    assert (reported.passed, reported.failed, reported.expected_failed) == (1, 0, 1)


def test_a_tree_found_late_shows_of_the_tests_before(tree: Tree, tmp_path: Path) -> None:
    """Attached in the middle, the exporter knows what the suites of the steps before have given."""
    steps_until(tree, "1001-fstab")
    write_test_log(tree, LIBRARY, RUNNING + SUMMARY)
    tree.begin("1001-fstab")
    tree.clock += 120.0
    watched = Watched(tree, tmp_path / "journal")
    assert watched.poll() == {"library 1.0": (1, 1)}
    before = {path: path.read_bytes() for path in (tmp_path / "journal").rglob("*.jsonl")}
    late = Watched(tree, tmp_path / "journal")
    assert late.poll() == {"library 1.0": (1, 1)}
    assert {path: path.read_bytes() for path in before} == before, "a restart reads no old log again"


def test_odd_files_in_place_of_logs_are_left_alone(tree: Tree, imported: Callable[[Path], Run]) -> None:
    """A link, a FIFO or a directory where a test log or script should be costs its own step's tests alone."""
    for each in tree.steps:
        tree.step(each.target)
    secret = tree.path.parent / "secret"
    secret.write_text(RUNNING + SUMMARY)
    (tree.path / "test-logs" / tree[LIBRARY].log).symlink_to(secret)
    os.mkfifo(tree.path / "test-logs" / tree["801-Shell"].log)
    (tree.path / "test-logs" / tree["501-linker"].log).mkdir()
    script(tree, "601-c++", "x")
    (tree.path / "lfs-commands" / "chapter06" / "601-c++").unlink()
    os.mkfifo(tree.path / "lfs-commands" / "chapter06" / "601-c++")
    run = imported(tree.path)
    assert all(step.state.label == "succeeded" and not step.tests for step in run.steps.values())


def test_a_whole_lfs_without_tests_shows_of_none(records: Path, tmp_path: Path) -> None:
    """Every log of a real build whose tests were switched off: no result is found, and none is missed."""
    (archive,) = (records / "jhalfs" / "raw-full").glob("*.tar.xz")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    (top,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (top / "makelog").rename(top / "logs")
    (top / "config" / "Makefile").rename(top / "Makefile")
    for path in (top / "logs").iterdir():
        # as jhalfs makes them, tests or not
        (top / "test-logs").mkdir(exist_ok=True)
        (top / "test-logs" / path.name).write_text("\nSat Mar 30 08:24:21 UTC 2024\n\n")
    attachment = Attachment(Jhalfs(Settings(top, "lfs", {})), str(tmp_path / "journal"))
    attachment.poll(time.time(), over=True)
    attachment.close()
    (name,) = runs(str(tmp_path / "journal"), "lfs")
    run = read_run(run_path(str(tmp_path / "journal"), "lfs", name), "lfs", name)
    assert len(run.steps) > 140
    assert {step.step: sorted(step.tests) for step in run.steps.values() if step.tests} == {}

"""The example's scripts around the build: fetching the sources, recording a run, and their own cleanness."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.examples.conftest import MiniLfs


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script and return what it said."""
    return subprocess.run(
        [str(part) for part in command], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_scripts_are_clean_shell(scripts: Path) -> None:
    """ShellCheck has nothing to say about any script or step."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    steps = sorted((scripts / "steps").glob("*/*"))
    assert len(steps) == 17
    for script in (scripts / "build", scripts / "run-step", scripts / "record", scripts / "fetch-sources", *steps):
        checked = run("shellcheck", script)
        assert checked.returncode == 0, checked.stdout


def test_plan_and_steps_name_the_same(scripts: Path) -> None:
    """Each planned step has its page, and no page is left unplanned."""
    rows = [line.split() for line in (scripts / "plan").read_text().splitlines() if not line.startswith("#")]
    planned = [f"{phase}/{step}" for phase, step, _, _ in rows]
    assert planned == sorted(str(p.relative_to(scripts / "steps")) for p in (scripts / "steps").glob("chapter-*/*"))


def test_checksums_cover_what_is_fetched(scripts: Path) -> None:
    """Every package that fetch-sources asks for has its checksum, so a damaged download can not be built."""
    known = {line.split()[1].split("_")[0] for line in (scripts / "SHA256SUMS").read_text().splitlines()}
    (line,) = [x for x in (scripts / "fetch-sources").read_text().splitlines() if x.startswith("PACKAGES=")]
    assert known == set(line.split('"')[1].split())


def test_fetching_without_apt_says_what_else_to_do(scripts: Path, tmp_path: Path) -> None:
    """On another distribution the script names the other way to the tarballs."""
    tools = tmp_path / "bin"
    tools.mkdir()
    answer = run("/bin/sh", scripts / "fetch-sources", tmp_path / "sources", PATH=str(tools))
    assert answer.returncode == 1
    assert "wget-list" in answer.stderr


def recorded(mini_lfs: MiniLfs, destination: Path, *pairs: str) -> subprocess.CompletedProcess[str]:
    """Record the only run, as somebody with the home directory `mini_lfs.directory`."""
    record = mini_lfs.scripts / "record"
    return run(record, mini_lfs.run_file(), destination, *pairs, HOME=str(mini_lfs.directory))


def test_recording_rewrites_paths_and_nothing_else(mini_lfs: MiniLfs, tmp_path: Path) -> None:
    """A record is the journal with other paths, and recording once more gives the same bytes."""
    mini_lfs.add_package("m4")
    assert mini_lfs.build().returncode == 0
    destination = tmp_path / "record"
    for _ in range(2):
        done = recorded(mini_lfs, destination, f"{mini_lfs.lfs}=/mnt/lfs")
        assert done.returncode == 0, done.stderr
        (kept,) = destination.glob("*.jsonl")
        assert kept.read_text() == mini_lfs.run_file().read_text().replace(str(mini_lfs.lfs), "/mnt/lfs")
    assert (destination / "logs/1/601-m4.log").is_file()


def test_recorded_log_keeps_its_first_15_and_last_25_lines(mini_lfs: MiniLfs, tmp_path: Path) -> None:
    """Where a log is cut the record says how much is missing."""
    mini_lfs.add_package("m4", configure="#!/bin/sh\nseq 1000\nexit 1\n")
    assert mini_lfs.build().returncode == 1
    assert recorded(mini_lfs, tmp_path / "record", f"{mini_lfs.lfs}=/mnt/lfs").returncode == 0
    lines = (tmp_path / "record/logs/1/601-m4.log").read_text().splitlines()
    assert lines == [*map(str, range(1, 16)), "[… 960 lines left out …]", *map(str, range(976, 1001))]


def test_record_that_still_names_the_home_directory_is_refused(mini_lfs: MiniLfs, tmp_path: Path) -> None:
    """A forgotten rewriting is found before anything is published."""
    mini_lfs.add_package("m4")
    assert mini_lfs.build().returncode == 0
    refused = recorded(mini_lfs, tmp_path / "record")
    assert refused.returncode == 1
    assert "is still named in" in refused.stderr

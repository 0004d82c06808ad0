"""A journal that can't be written costs one line on standard error, never the build."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]

STEP = ("--build", "b", "--step", "s")
SCRIPT = ("sh", "-c", "echo out; echo err >&2; exit 7")


def _assert_unharmed(done: subprocess.CompletedProcess[bytes], reason: bytes) -> None:
    assert (done.returncode, done.stdout) == (7, b"out\n")
    own = [line for line in done.stderr.splitlines() if line != b"err"]
    assert len(own) == 1, done.stderr
    assert own[0].startswith(b"build-exporter run: journal /")
    assert own[0].endswith(reason + b"; going on without it")
    assert done.stderr.count(b"err\n") == 1


@pytest.mark.parametrize("options", [STEP, ("--build", "b")], ids=["step", "build"])
def test_journal_is_no_directory(
    run: Run, environment: dict[str, str], tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Where the journal's place is taken by a file, the command runs and its code is returned."""
    (tmp_path / "file").write_text("")
    done = run(*SCRIPT, options=options, env={**environment, "BUILD_EXPORTER_JOURNAL": str(tmp_path / "file")})
    _assert_unharmed(done, b"Not a directory")


def test_run_file_is_a_directory(run: Run, journal: Path) -> None:
    """Where the newest run is something unreadable, the command runs."""
    (journal / "b" / "20990101T000000Z.jsonl").mkdir(parents=True)
    _assert_unharmed(run(*SCRIPT), b"Is a directory")


def test_missing_journal_is_made(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    """A journal directory that is not there yet is made."""
    path = tmp_path / "not" / "yet"
    done = run(*SCRIPT, env={**environment, "BUILD_EXPORTER_JOURNAL": str(path)})
    assert (done.returncode, done.stderr) == (7, b"err\n")
    assert len(list(path.glob("b/*.jsonl"))) == 1


def _in_namespace(setup: str, wrapper: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    if subprocess.run([*command, "mount -t tmpfs none /mnt"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    words = [*command, f'{setup}; exec "$@"', "sh", *wrapper, *STEP, "--", *SCRIPT]
    return subprocess.run(words, env=environment, capture_output=True, timeout=30, check=False)


def test_read_only_journal(wrapper: list[str], environment: dict[str, str], journal: Path, run: Run) -> None:
    """On a file system mounted read-only, begun run or not, the command runs."""
    setup = f"mount --bind -o ro {journal} {journal} && mount -o remount,bind,ro {journal}"
    _assert_unharmed(_in_namespace(setup, wrapper, environment), b"Read-only file system")
    run("true")
    _assert_unharmed(_in_namespace(setup, wrapper, environment), b"Read-only file system")


def test_full_disk(wrapper: list[str], environment: dict[str, str], journal: Path) -> None:
    """On a full disk the command runs."""
    run_file = f"{journal}/b/20260101T000000Z.jsonl"
    begin = f'mkdir {journal}/b; echo "{{}}" >{run_file}'
    setup = f"mount -t tmpfs -o size=64k none {journal}; {begin}; head -c 1M /dev/zero >>{run_file} 2>/dev/null; :"
    _assert_unharmed(_in_namespace(setup, wrapper, environment), b"No space left on device")


def test_file_size_limit(run: Run) -> None:
    """Where the limit of a file's size forbids even a line, the wrapper is not killed by it and the command runs."""
    _assert_unharmed(
        run(*SCRIPT, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))), b"File too large"
    )


def test_deleted_directory(run: Run, tmp_path: Path) -> None:
    """A current directory that is gone, and so gives no name, does not keep the command from running."""
    directory = tmp_path / "gone"
    directory.mkdir()
    done = run(*SCRIPT, options=("--step", "s"), cwd=directory, preexec_fn=directory.rmdir)
    assert done.returncode == 7
    assert done.stdout == b"out\n"


def test_journal_lost_while_the_command_runs(
    run: Run, journal: Path, events: Callable[..., list[dict[str, Any]]]
) -> None:
    """A command that removes the whole journal still ends as it would."""
    done = run("sh", "-c", f"rm -r {journal}; exit 7")
    assert (done.returncode, done.stderr) == (7, b"")


def test_no_permission(wrapper: list[str], environment: dict[str, str], journal: Path) -> None:
    """A user who may not write the journal can run the command."""
    powerless: list[str] = []
    if os.geteuid() == 0:
        os.chown(journal, 65534, 65534)
        powerless = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
    journal.chmod(0o500 if powerless == [] else 0o755)
    words = [*powerless, *wrapper, *STEP, "--", *SCRIPT]
    _assert_unharmed(subprocess.run(words, env=environment, capture_output=True, check=False), b"Permission denied")

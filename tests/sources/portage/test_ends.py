"""How it is known that a package has failed, or that an emerge has died, when emerge.log does not say so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.attach import Attachment
from build_exporter.sources.portage.lines import LineType, read_line, read_usage
from build_exporter.sources.portage.paths import find_log, find_paths
from build_exporter.sources.portage.processes import Hold, is_emerge, lock_of, sees_all_processes
from build_exporter.tracker import Run

pytestmark = pytest.mark.xdist_group("emerge")  # an emerge of one test is one that another could mean

Runs = dict[str, Run]
PACKAGE = "app-misc/a-1"
DIED = """\
main.c:3:1: error: unknown type name 'x'
 * ERROR: app-misc/a-1::gentoo failed (compile phase):
 *   emake failed
"""
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.{how}(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def labels(run: Run) -> dict[str, str]:
    """Return the states of a run's steps by name."""
    return {step: found.state.label for (_, step), found in run.steps.items()}


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """PORTAGE_TMPDIR with the build directory of a package."""
    (tmp_path / "tmp/portage" / PACKAGE / "temp").mkdir(parents=True)
    return tmp_path / "tmp"


@pytest.fixture
def holder(temporary: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a process that locks the package as Portage does, or the other way it knows."""
    started: list[subprocess.Popen[bytes]] = []

    def start(how: str = "lockf") -> subprocess.Popen[bytes]:
        path = temporary / "portage/app-misc/.a-1.portage_lockfile"
        command = [sys.executable, "-c", HOLD.format(how=how), str(path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", ["lockf", "flock"])
def test_lock(how: str, temporary: Path, holder: Callable[..., subprocess.Popen[bytes]]) -> None:
    """A package's lock shows who builds it; who died leaves it, who is done takes it away."""
    assert lock_of(temporary, PACKAGE).hold is Hold.NONE
    process = holder(how)
    assert lock_of(temporary, PACKAGE) == (Hold.HELD, process.pid)
    assert lock_of(temporary, PACKAGE).hold is Hold.HELD, "asking lets nothing go"
    process.kill()
    process.wait(10)
    assert lock_of(temporary, PACKAGE).hold is Hold.LEFT


def test_failure_is_reported_before_the_log_says_it(
    log: Any, temporary: Path, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """A package whose build died and which no one has locked has failed when its log was written to last."""
    log.clock = float(int(time.time()) - 100)
    log.emerge("--jobs=2 --keep-going a b")
    start = log.begin(1, 2, PACKAGE)
    log.begin(2, 2, "app-misc/b-1")
    build_log = temporary / "portage" / PACKAGE / "temp/build.log"
    build_log.write_text(">>> Compiling source in /x ...\n")
    follower = attached(log.path, tmpdir=str(temporary))
    follower.poll(time.time())
    (run,) = runs_of().values()
    assert labels(run) == {PACKAGE: "running", "app-misc/b-1": "running"}
    build_log.write_text(DIED)
    os.utime(build_log, (start + 30.4, start + 30.4))
    follower.poll(time.time())
    (run,) = runs_of().values()
    assert labels(run) == {PACKAGE: "failed", "app-misc/b-1": "running"}
    step = run.steps["merge", PACKAGE]
    assert (step.end, step.seconds) == (start + 30, 30)
    assert step.message is not None
    assert step.message.startswith("main.c:3:1: error")
    log.complete(2, 2, "app-misc/b-1", 60)
    log.end(1)
    follower.poll(time.time())
    follower.close()
    # later another attempt has used the directory: a restart shows no second end of the first
    build_log.unlink()
    before = runs_of()
    assert attached(log.path, tmpdir=str(temporary)).poll(time.time()) == 0
    assert labels(next(iter(runs_of().values()))) == labels(next(iter(before.values())))


def test_what_continues_has_not_failed(
    log: Any,
    temporary: Path,
    holder: Callable[..., subprocess.Popen[bytes]],
    attached: Callable[..., Attachment],
    runs_of: Callable[[], Runs],
) -> None:
    """Words of an error are no failure while emerge holds the package, or builds it elsewhere, or was stopped."""
    log.clock = time.time() - 30
    log.emerge("--jobs=2 a")
    log.begin(1, 1, PACKAGE)
    build_log = temporary / "portage" / PACKAGE / "temp/build.log"
    build_log.write_text(DIED)
    process = holder()
    follower = attached(log.path, tmpdir=str(temporary))
    follower.poll(time.time())
    assert [labels(run) for run in runs_of().values()] == [{PACKAGE: "running"}]
    process.kill()
    process.wait(10)
    (temporary / "portage/app-misc/.a-1.portage_lockfile").unlink()
    build_log.write_text("make: *** [Makefile:3: all] Interrupt\n" + DIED)
    follower.poll(time.time())
    assert [labels(run) for run in runs_of().values()] == [{PACKAGE: "running"}]


def test_failure_reported_too_early_is_put_right(
    log: Any, temporary: Path, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """A package that emerge completes has succeeded, whatever its build log said."""
    log.clock = time.time() - 30
    log.emerge("--jobs=2 a")
    log.begin(1, 1, PACKAGE)
    (temporary / "portage" / PACKAGE / "temp/build.log").write_text(DIED)
    follower = attached(log.path, tmpdir=str(temporary))
    follower.poll(time.time())
    assert [labels(run) for run in runs_of().values()] == [{PACKAGE: "failed"}]
    log.complete(1, 1, PACKAGE)
    log.end(0)
    follower.poll(time.time())
    (run,) = runs_of().values()
    assert (str(run.state), labels(run)) == ("succeeded", {PACKAGE: "succeeded"})


def test_a_failure_in_the_build_log_is_the_steps_own(
    log: Any, temporary: Path, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """Where the build log dates it, it ended then, and the exit code of the emerge is not that of the package."""
    log.clock = float(int(time.time()) - 100)
    log.emerge("a")
    start = log.begin(1, 1, PACKAGE)
    build_log = temporary / "portage" / PACKAGE / "temp/build.log"
    build_log.write_text(DIED)
    os.utime(build_log, (start + 30.4, start + 30.4))
    log.clock = start + 60
    log.end(1)
    attached(log.path, tmpdir=str(temporary)).poll(time.time())
    (run,) = runs_of().values()
    step = run.steps["merge", PACKAGE]
    assert (str(run.state), step.state.label, step.end, step.exit_code) == ("failed", "failed", start + 30, None)


def test_lock_left_behind(
    log: Any,
    temporary: Path,
    holder: Callable[..., subprocess.Popen[bytes]],
    attached: Callable[..., Attachment],
    runs_of: Callable[[], Runs],
) -> None:
    """An emerge that died before the exporter was started is known by its lock, within seconds."""
    process = holder()
    process.kill()
    process.wait(10)
    log.clock = time.time() - 4000
    log.emerge()
    last = log.begin(1, 2, PACKAGE)
    follower = attached(log.path, tmpdir=str(temporary))
    now = time.time()
    for after in (0, 2):
        follower.poll(now + after)
        assert [str(run.state) for run in runs_of().values()] == ["running"]
    follower.poll(now + 6)
    (run,) = runs_of().values()
    assert (str(run.state), run.end) == ("interrupted", int(last))


def test_no_emerge_among_the_processes(
    log: Any, temporary: Path, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """Where all processes are seen and none is an emerge, one that is silent for two minutes is dead."""
    if not sees_all_processes():
        pytest.skip("not all processes of the machine are seen from here")
    log.clock = time.time() - 90
    log.emerge()
    log.begin(1, 2, PACKAGE)
    follower = attached(log.path, tmpdir=str(temporary))
    now = time.time()
    follower.poll(now)
    follower.poll(now + 50)
    assert [str(run.state) for run in runs_of().values()] == ["running"]
    follower.poll(now + 70)
    assert [str(run.state) for run in runs_of().values()] == ["interrupted"]


def test_log_of_another_machine(log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]) -> None:
    """A log that is copied here again and again, from where emerge runs, is not of a dead emerge."""
    log.clock = time.time() - 90
    log.emerge()
    log.begin(1, 2, PACKAGE)
    follower = attached(log.path)
    for minutes in range(60):
        follower.poll(time.time() + 60 * minutes)
    assert [str(run.state) for run in runs_of().values()] == ["running"]


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        ("/usr/bin/python3.12 -b /usr/lib/python-exec/python3.12/emerge -uDN @world", True),
        ("/usr/bin/pypy3 /usr/bin/emerge --sync", True), ("emerge @world", True), ("sudo emerge @world", False),
        ("vim /usr/bin/emerge", False), ("/usr/bin/python3 /usr/bin/eix emerge", False), ("", False),
    ],
)  # fmt: skip
def test_command_lines_of_emerge(command: str, is_one: bool) -> None:
    """Emerge is a Python program: its process is called python, and its name is in the command line."""
    assert is_emerge(command.split()) is is_one


def test_lines_of_newer_versions() -> None:
    """Building a binary package, downloading one, and what a build has used have lines of their own."""
    said = {
        "=== (1 of 2) Compiling/Packaging (app-misc/a-1::/r/a-1.ebuild)": (LineType.STAGE, "Compiling/Packaging"),
        "--- (1 of 2) Fetching Binary (app-misc/a-1::/p/a-1.gpkg.tar)": (LineType.STAGE, "Fetching Binary"),
        "=== Resource usage for build of app-misc/a-1: CPU: 7.07s (0.75x)": (LineType.USAGE, "CPU: 7.07s (0.75x)"),
    }
    for text, wanted in said.items():
        (entry,) = read_line(f"1700000000:  {text}")
        assert (entry.package, (entry.line_type, entry.text)) == (PACKAGE, wanted)


def test_usage_in_the_log(log: Any, imported: Callable[..., Runs]) -> None:
    """What a build has used is in the log, and so known of past builds too."""
    used = "CPU: 3671.25s (3.90x), MaxMem: 1.50 GiB, Swap: 0.00 B, I/O R: 12.00 MiB, I/O W: 512.00 B"
    log.emerge()
    log.begin(1, 1, PACKAGE)
    log.add(f"=== Resource usage for build of {PACKAGE}: {used}")
    log.complete(1, 1, PACKAGE)
    log.end(0)
    (run,) = imported(log.path).values()
    step = run.steps["merge", PACKAGE]
    found = (step.cpu_seconds, step.max_rss_bytes, step.read_bytes, step.written_bytes)
    assert found == (3671.25, 3 << 29, 12 << 20, 512)
    assert read_usage("CPU: s, MaxMem: x GiB, I/O R: 1.00 EiB") == {}


def test_settings_of_an_installation(tmp_path: Path) -> None:
    """make.conf may be a directory of files, and a path in it is one of the installation, be it a prefix or not."""
    settings = tmp_path / "etc/portage/make.conf"
    settings.mkdir(parents=True)
    (settings / "10-dirs").write_text('PORTAGE_TMPDIR="/fast" # was /var/tmp\n#PORTAGE_LOGDIR="/no"\n')
    (settings / "20-logs").write_text(f"export EMERGE_LOG_DIR='{tmp_path}/logs'\n")
    places = find_paths(tmp_path, {})
    assert places.temporary == tmp_path / "fast"
    assert (places.log, places.logs) == (tmp_path / "logs/emerge.log", None)
    assert (places.mtimedb, places.status) == (tmp_path / "var/cache/edb/mtimedb", tmp_path / "run/portage")
    assert find_log(tmp_path / "nowhere") == tmp_path / "nowhere"

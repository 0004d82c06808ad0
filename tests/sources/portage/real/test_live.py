"""An exporter beside the real Portage: what it shows while emerge works, and what is left when it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.attach import Attachment
from build_exporter.sources.portage.pending import PendingFile, read_pretended
from build_exporter.sources.portage.status import StatusDirectory
from build_exporter.tracker import Run

pytestmark = pytest.mark.xdist_group("emerge")  # an emerge of one test is one that another could mean

Runs = dict[str, Run]


def labels(run: Run) -> dict[str, str]:
    """Return the states of a run's steps by name, less the category all have."""
    return {step.removeprefix("app-test/"): found.state.label for (_, step), found in run.steps.items()}


def newest(runs: Runs) -> Run:
    """Return the newest run."""
    return runs[max(runs)]


def test_parallel_emerge_is_shown(
    gentoo: Any, watch: Callable[..., Any], poll: Callable[..., None], runs_of: Callable[[], Runs]
) -> None:
    """While emerge builds two packages at once, both run, the third is to come; the log of one shows how far it is."""
    exporter = watch()

    def status(package: str) -> Any:
        return exporter.value("build_step_status", build="portage", step=f"app-test/{package}-1")

    process = gentoo.emerge("--jobs=2", "gated", "quick", "user", "--exclude=broken", "--nodeps")
    poll(lambda: (status("gated"), status("quick")) == (1, 2), 90, "one runs, one is done")
    ratio = ("build_step_progress_ratio", "app-test/gated-1")
    poll(lambda: (exporter.value(ratio[0], build="portage", step=ratio[1]) or 0) >= 0.3, 60, "3 of 10 by build.log")
    assert (exporter.value(ratio[0], build="portage", step=ratio[1]) or 0) < 0.9
    assert newest(runs_of()).steps["merge", "app-test/gated-1"].message == "compile"
    gentoo.open()
    assert process.wait(60) == 0, gentoo.output(process)
    poll(lambda: exporter.value("build_state", build="portage", state="succeeded") == 1, 60, "the run is over")
    assert [status(package) for package in ("gated", "quick", "user")] == [2, 2, 2]
    assert exporter.value("build_progress_ratio", build="portage") == 1


def test_failure_is_reported_while_others_are_built(
    gentoo: Any, watch: Callable[..., Any], poll: Callable[..., None], imported: Callable[..., Runs]
) -> None:
    """A failed package is reported with its reason, though emerge.log is silent until the end."""
    exporter = watch()
    process = gentoo.emerge("--jobs=2", "--keep-going", "broken", "gated", "user")
    broken = {"build": "portage", "step": "app-test/broken-1"}
    poll(lambda: exporter.value("build_step_status", **broken) == 3, 90, "the failure is reported")
    assert exporter.value("build_state", build="portage", state="failed") == 1
    assert exporter.value("build_step_status", build="portage", step="app-test/gated-1") == 1
    assert not gentoo.line_type("exiting")
    reported = [dict(labels) for name, labels in exporter.samples() if name == "build_step_failure_info"]
    assert "undeclared_thing" in next(each["excerpt"] for each in reported if each["step"] == broken["step"])
    gentoo.open()
    assert process.wait(60) == 1
    poll(lambda: exporter.value("build_runs_total", build="portage", result="failed") == 1, 60, "the run is over")
    run = newest(imported(gentoo.root))
    assert labels(run) == {"broken-1": "failed", "gated-1": "succeeded"}
    failed = run.steps["merge", "app-test/broken-1"]
    assert failed.end is not None
    assert run.end is not None
    assert failed.end < run.end
    assert exporter.value("build_step_duration_seconds", **broken) == failed.seconds
    assert exporter.value("build_failures_total", build="portage") == 1


def test_copied_log(
    gentoo: Any, command: Callable[..., subprocess.CompletedProcess[str]], journal: Path, runs_of: Callable[[], Runs]
) -> None:
    """A log taken elsewhere still leads to the reason of a failure, once the command line says where was built."""
    gentoo.merge("broken", status=1)
    copy = gentoo.root / "copy.log"
    copy.write_bytes(gentoo.log.read_bytes())
    option = ("--option", f"tmpdir={gentoo.root}/var/tmp")
    reported = command("import", "portage", str(copy), "--journal", str(journal), *option)
    assert reported.returncode == 0, reported.stderr
    step = newest(runs_of()).steps["merge", "app-test/broken-1"]
    assert "undeclared_thing" in (step.message or "")


def test_failures_of_every_phase(gentoo: Any, imported: Callable[..., Runs]) -> None:
    """Whatever phase a package dies in, it has failed, and says what the ebuild said; and so does a failed download."""
    wanted = {"untested": "failed (test phase): 1 of 3 tests failed", "fetched": "VERIFY FAILED"}
    gentoo.ebuild("fetched", 'SRC_URI="https://example.org/none-1.tar.gz"')
    for phase in ("setup", "preinst", "postinst"):
        gentoo.ebuild(phase, f'pkg_{phase}() {{ die "no luck"; }}')
        wanted[phase] = f"failed ({phase} phase): no luck"
    gentoo.merge("--keep-going", "--jobs=2", *wanted, status=1, features="test")
    (run,) = imported(gentoo.root).values()
    assert labels(run) == {f"{name}-1": "failed" for name in wanted}
    for name, reason in wanted.items():
        assert reason in (run.steps["merge", f"app-test/{name}-1"].message or ""), name


def test_count_that_begins_anew(gentoo: Any, imported: Callable[..., Runs]) -> None:
    """After a failure `--keep-going` counts what is left from 1: one run, and what needs the failed one is left out."""
    gentoo.merge("--keep-going", "broken", "user", "quick", status=1)
    assert gentoo.line_type("(1 of 3) app-test/broken-1")
    assert gentoo.line_type("(1 of 1) app-test/quick-1")
    (run,) = imported(gentoo.root).values()
    assert (str(run.state), labels(run)) == ("failed", {"broken-1": "failed", "quick-1": "succeeded"})


def test_status_by_file_and_by_socket(gentoo: Any, poll: Callable[..., None]) -> None:
    """A running emerge says the same of itself in its file and over its socket."""
    process = gentoo.emerge("--jobs=2", "gated", "quick")
    poll(lambda: gentoo.line_type("Compiling/Merging (app-test/gated-1"), 90, "it builds")
    socket_alone = gentoo.root / "socket"
    socket_alone.mkdir()
    name = f"emerge-{process.pid}.sock"
    (socket_alone / name).symlink_to(gentoo.root / "run/portage" / name)
    for place in (gentoo.root / "run/portage", socket_alone):
        status = StatusDirectory(place)

        def is_reported(status: StatusDirectory = status) -> bool:
            status.poll()
            return status.task("app-test/gated-1") is not None

        poll(is_reported, 30, f"the package is reported in {place}")
        (snapshot,) = status.snapshots
        assert (snapshot.emerge_pid, {task.binary for task in snapshot.tasks}) == (process.pid, {False})
        assert snapshot.jobs is not None
        assert snapshot.jobs.max == 2


def test_binaries(gentoo: Any, imported: Callable[..., Runs]) -> None:
    """What comes from a binary package is of phase `binary`; building the binary package is a merge."""
    gentoo.merge("--buildpkg", "quick")
    gentoo.merge("--usepkgonly", "quick")
    found = [list(run.steps) for run in imported(gentoo.root).values()]
    assert found == [[("merge", "app-test/quick-1")], [("binary", "app-test/quick-1")]]
    assert all(labels(run) == {"quick-1": "succeeded"} for run in imported(gentoo.root).values())


def test_what_merges_nothing_is_no_run(gentoo: Any, imported: Callable[..., Runs]) -> None:
    """Pretending, unmerging, and packages that say beforehand that they can't be built are no runs."""
    gentoo.ebuild("picky", 'pkg_pretend() { die "not enough room"; }')
    gentoo.merge("--pretend", "quick")
    gentoo.merge("picky", status=1)
    assert imported(gentoo.root) == {}
    gentoo.merge("quick")
    gentoo.merge("--unmerge", "quick")
    (run,) = imported(gentoo.root).values()
    assert (str(run.state), labels(run)) == ("succeeded", {"quick-1": "succeeded"})


def test_resume_list_and_pretended_merges(
    gentoo: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs], poll: Callable[..., None]
) -> None:
    """What `emerge -p` said is what the resume list holds, and both are the plan of the emerge that runs."""
    said = gentoo.merge("--pretend", "--verbose", "--color=y", "gated", "quick", "untested", features="test")
    pretended = read_pretended(said.encode())
    assert {each.package for each in pretended} == {"app-test/gated-1", "app-test/quick-1", "app-test/untested-1"}
    gentoo.emerge("gated", "quick", "untested", features="test")
    poll(lambda: gentoo.line_type("Compiling/Merging (app-test/gated-1"), 90, "it builds")
    resumed = PendingFile(gentoo.root / "var/cache/edb/mtimedb")
    resumed.poll()
    assert [each[:2] for each in resumed.lists[0]] == [each[:2] for each in pretended]
    attached(gentoo.root).poll(time.time())
    copy = gentoo.root / "pretended"
    copy.write_text(said)
    attached(gentoo.root, mtimedb="/nowhere", pretend=str(copy)).poll(time.time())
    assert labels(newest(runs_of())) == {"gated-1": "running", "quick-1": "pending", "untested-1": "pending"}


def test_ctrl_c_and_resume(gentoo: Any, poll: Callable[..., None], imported: Callable[..., Runs]) -> None:
    """Ctrl-C leaves an interrupted run with an interrupted package; `--resume` is another run, which does the rest."""
    process = gentoo.emerge("gated", "quick")
    poll(lambda: gentoo.line_type("Compiling/Merging (app-test/gated-1"), 90, "it builds")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    gentoo.open()
    gentoo.merge("--resume")
    stopped, resumed = imported(gentoo.root).values()
    assert (str(stopped.state), labels(stopped)) == ("interrupted", {"gated-1": "interrupted"})
    assert (str(resumed.state), labels(resumed)) == ("succeeded", {"gated-1": "succeeded", "quick-1": "succeeded"})


@pytest.mark.parametrize("seen", [True, False])
def test_killed_emerge(
    seen: bool,
    gentoo: Any,
    attached: Callable[..., Attachment],
    runs_of: Callable[[], Runs],
    poll: Callable[..., None],
) -> None:
    """An emerge killed by kill -9 is interrupted within seconds, whether its process was ever seen or not."""
    process = gentoo.emerge("--jobs=2", "gated", "user", "--nodeps")
    poll(lambda: gentoo.line_type("completed emerge (2 of 2)"), 90, "one is merged, the other goes on")
    follower = attached(gentoo.root)
    now = time.time()
    if seen:
        follower.poll(now)
        assert newest(runs_of()).steps["merge", "app-test/gated-1"].pid == process.pid
    process.kill()
    process.wait(10)
    left = gentoo.root / f"run/portage/emerge-{process.pid}.json"
    assert left.exists()
    follower.poll(now + 1)
    assert str(newest(runs_of()).state) == "running"
    follower.poll(now + 7)
    run = newest(runs_of())
    assert (str(run.state), labels(run)) == ("interrupted", {"gated-1": "interrupted", "user-1": "succeeded"})


def test_living_emerge_is_not_taken_for_dead(
    gentoo: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs], poll: Callable[..., None]
) -> None:
    """An emerge that says nothing for hours, and publishes nothing of itself, continues as long as it lives."""
    gentoo.configure(FEATURES=gentoo.features.replace("observability", ""))
    gentoo.emerge("gated")
    poll(lambda: gentoo.line_type("Compiling/Merging (app-test/gated-1"), 90, "it builds")
    follower = attached(gentoo.root)
    for hours in range(10):
        follower.poll(time.time() + hours * 3600)
    assert str(newest(runs_of()).state) == "running"


def test_emerges_side_by_side(gentoo: Any, poll: Callable[..., None], imported: Callable[..., Runs]) -> None:
    """Two emerges at once are two runs, each with its own packages and its own end."""
    first = gentoo.emerge("gated")
    poll(lambda: gentoo.line_type("Compiling/Merging (app-test/gated-1"), 90, "the first builds")
    gentoo.merge("quick", "broken", "--keep-going", status=1)
    gentoo.open()
    assert first.wait(60) == 0
    older, younger = imported(gentoo.root).values()
    assert (str(older.state), labels(older)) == ("succeeded", {"gated-1": "succeeded"})
    assert (str(younger.state), labels(younger)) == ("failed", {"quick-1": "succeeded", "broken-1": "failed"})


@pytest.mark.parametrize("place", ["PORTAGE_LOGDIR", "EMERGE_LOG_DIR"])
def test_logs_elsewhere(
    place: str, gentoo: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs], poll: Callable[..., None]
) -> None:
    """Where make.conf keeps build logs, or emerge.log, in another directory, they are found there."""
    elsewhere = gentoo.root / "logs"
    elsewhere.mkdir()
    gentoo.configure(**{place: str(elsewhere)})
    if place == "EMERGE_LOG_DIR":
        gentoo.log = elsewhere / "emerge.log"
    gentoo.emerge("gated")
    poll(lambda: gentoo.line_type("Compiling/Merging (app-test/gated-1"), 90, "it builds")
    attached(gentoo.root).poll(time.time())
    log = Path(newest(runs_of()).steps["merge", "app-test/gated-1"].log or "")
    poll(log.is_file, 60, "the build's log")
    assert not log.is_symlink()
    assert log.is_relative_to(elsewhere) is (place == "PORTAGE_LOGDIR")


def test_figures_of_a_cgroup(gentoo: Any, imported: Callable[..., Runs]) -> None:
    """FEATURES="cgroup" gives a package's CPU time."""
    if os.geteuid() != 0:
        pytest.skip("Portage makes cgroups for root alone")
    apart = ("unshare", "--mount", "sh", "-c", 'umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && "$@"')
    found = subprocess.run([*apart, "sh", "mkdir", "/sys/fs/cgroup/portage-test"], capture_output=True, check=False)
    if found.returncode != 0:
        pytest.skip(f"no cgroups of version 2 can be had here: {found.stderr.decode()[-200:]}")
    subprocess.run([*apart, "sh", "rmdir", "/sys/fs/cgroup/portage-test"], capture_output=True, check=False)
    gentoo.merge("quick", before=(*apart, "sh"), features="cgroup")
    (run,) = imported(gentoo.root).values()
    step = run.steps["merge", "app-test/quick-1"]
    assert step.cpu_seconds is not None
    assert 0.01 < step.cpu_seconds < 60

"""Emerge logs as Portage writes and as machines damage them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.attach import Attachment
from build_exporter.sources.portage.lines import LineType, read_line, split_package
from build_exporter.sources.portage.source import Portage
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.tracker import Run

Runs = dict[str, Run]


def labels(run: Run) -> dict[str, str]:
    """Return the states of a run's steps by name."""
    return {step: found.state.label for (_, step), found in run.steps.items()}


def test_failed_package_fails_the_run(log: Any, imported: Callable[..., Runs]) -> None:
    """A package begun and not completed when emerge gives up has failed, with emerge's status."""
    log.emerge("--oneshot --jobs=3 app-misc/a")
    log.begin(1, 1, "app-misc/a-1.0-r2")
    log.end(1)
    (run,) = imported(log.path).values()
    (step,) = run.steps.values()
    assert (str(run.state), step.state.label, step.exit_code) == ("failed", "failed", 1)
    assert (step.package, step.version, run.target, run.jobs) == ("app-misc/a", "1.0-r2", "app-misc/a", 3)


@pytest.mark.parametrize("status", [130, 143, None])
def test_ended_by_somebody_is_interrupted(status: int | None, log: Any, imported: Callable[..., Runs]) -> None:
    """Ctrl-C, a signal, or no word of an exit at all is no failure of the package."""
    log.emerge()
    log.begin(1, 2, "app-misc/a-1")
    log.end(status)
    (run,) = imported(log.path).values()
    assert (str(run.state), labels(run)) == ("interrupted", {"app-misc/a-1": "interrupted"})


def test_keep_going_counts_anew(log: Any, imported: Callable[..., Runs]) -> None:
    """After a failure --keep-going begins its count again with fewer: one run, the failed one failed, the rest done."""
    log.emerge("--keep-going=y @world")
    log.begin(1, 3, "app-misc/bad-1")
    log.begin(1, 2, "app-misc/b-1")
    log.complete(1, 2, "app-misc/b-1")
    log.begin(2, 2, "app-misc/c-1")
    log.complete(2, 2, "app-misc/c-1")
    log.end(1)
    (run,) = imported(log.path).values()
    assert labels(run) == {"app-misc/bad-1": "failed", "app-misc/b-1": "succeeded", "app-misc/c-1": "succeeded"}
    assert str(run.state) == "failed"


def test_emerges_side_by_side(log: Any, imported: Callable[..., Runs]) -> None:
    """Each of two emerges at once gets its own packages and its own end, though the lines name neither."""
    log.emerge("@world")
    log.begin(1, 3, "app-misc/a-1")
    log.emerge("app-misc/x")
    log.begin(1, 2, "app-misc/x-1")
    log.complete(1, 3, "app-misc/a-1")
    log.begin(2, 3, "app-misc/b-1")
    log.complete(1, 2, "app-misc/x-1")
    log.begin(2, 2, "app-misc/y-1")
    log.complete(2, 2, "app-misc/y-1")
    log.add("*** Finished. Cleaning up...")
    log.end(0)
    log.complete(2, 3, "app-misc/b-1")
    log.begin(3, 3, "app-misc/c-1")
    log.end(1)
    world, x = imported(log.path).values()
    assert labels(world) == {"app-misc/a-1": "succeeded", "app-misc/b-1": "succeeded", "app-misc/c-1": "failed"}
    assert (labels(x), str(x.state)) == ({"app-misc/x-1": "succeeded", "app-misc/y-1": "succeeded"}, "succeeded")


def test_end_given_to_the_wrong_emerge_is_put_right(log: Any, imported: Callable[..., Runs]) -> None:
    """A failure first taken for the younger emerge's is the older one's once the younger continues."""
    log.emerge("@world")
    log.begin(1, 3, "app-misc/a-1")
    log.emerge("app-misc/x")
    log.begin(1, 1, "app-misc/x-1")
    log.end(1)
    log.complete(1, 1, "app-misc/x-1")
    log.end(0)
    world, x = imported(log.path).values()
    assert (str(world.state), labels(world)) == ("failed", {"app-misc/a-1": "failed"})
    assert (str(x.state), labels(x)) == ("succeeded", {"app-misc/x-1": "succeeded"})


def test_killed_emerge_is_over_when_its_package_is_built_again(log: Any, imported: Callable[..., Runs]) -> None:
    """A power cut leaves no line: the emerge is interrupted as of its last one when the next builds the same."""
    log.emerge()
    last = log.begin(1, 2, "app-misc/a-1")
    log.add("Started emerge on: x", 5000)
    log.add("*** emerge --resume")
    log.begin(1, 2, "app-misc/a-1")
    log.complete(1, 2, "app-misc/a-1")
    log.begin(2, 2, "app-misc/b-1")
    log.complete(2, 2, "app-misc/b-1")
    log.end(0)
    killed, resumed = imported(log.path).values()
    assert (str(killed.state), killed.end) == ("interrupted", last)
    assert (str(resumed.state), len(resumed.steps)) == ("succeeded", 2)


def test_emerges_of_the_same_second_are_two_runs(log: Any, imported: Callable[..., Runs]) -> None:
    """Two emerges that start within a second, as scripts do, are kept apart."""
    for name in ("a", "b"):
        log.add("Started emerge on: x", 0)
        log.add(f"*** emerge {name}", 0)
        log.add(f">>> emerge (1 of 1) app-misc/{name}-1 to /", 0)
        log.complete(1, 1, f"app-misc/{name}-1", 0)
        log.end(0)
        log.clock -= 1
    assert [labels(run) for run in imported(log.path).values()] == [
        {"app-misc/a-1": "succeeded"},
        {"app-misc/b-1": "succeeded"},
    ]


def test_damage_costs_the_damaged_lines_alone(log: Any, imported: Callable[..., Runs]) -> None:
    """NULs and bytes that are no text within lines, torn dates, letters in them: what can be read is."""
    log.emerge()
    log.begin(1, 2, "app-misc/a-1")
    log.raw(
        b"17000\x00\x00\x80: >>> emerge (9 of 9) app-misc/never-1 to /\n1700000\n170000000x: *** bad\n\n:\n"
        + b"\xff" * 99
    )
    log.raw(b"\n")
    log.raw(f"{int(log.clock) + 9}:  ::: comp\0\0\0\0\0\0\0leted emerge (1 of 2) app-misc/a-1 to /\n".encode())
    log.raw(b"99999999999999:  >>> emerge (1 of 1) app-misc/future-1 to /\n4999999999:  *** terminating.\n")
    log.clock += 9
    log.begin(2, 2, "app-misc/b-1")
    log.complete(2, 2, "app-misc/b-1")
    log.end(0)
    (run,) = imported(log.path).values()
    assert labels(run) == {"app-misc/a-1": "succeeded", "app-misc/b-1": "succeeded"}


def test_two_entries_in_one_line() -> None:
    """Entries that lost the end of line between them are two."""
    found = read_line("1748000000: === Sync completed for gentoo1748000001:  *** terminating.")
    assert [(entry.time, entry.line_type) for entry in found] == [(1748000001.0, LineType.TERMINATING)]


def test_clock_set_back(log: Any, imported: Callable[..., Runs]) -> None:
    """A clock set back during a merge gives no negative duration, and nothing to expect of the next."""
    log.emerge()
    log.begin(1, 1, "app-misc/a-1")
    log.complete(1, 1, "app-misc/a-1", after=-57000)
    log.end(0)
    log.clock += 100000
    log.emerge()
    log.begin(1, 1, "app-misc/a-2")
    log.complete(1, 1, "app-misc/a-2")
    log.end(0)
    steps = [step for run in imported(log.path).values() for step in run.steps.values()]
    assert {step.step: (step.seconds, step.expected_seconds) for step in steps} == {
        "app-misc/a-1": (0, None),
        "app-misc/a-2": (10, None),
    }


def test_prefix_and_second_root(log: Any, imported: Callable[..., Runs]) -> None:
    """A prefix as root changes no name; the same package for a second root is a step of its own."""
    log.emerge()
    for root in ("/home/core/gentoo/", "/usr/armv7/"):
        log.add(f">>> emerge (1 of 2) app-misc/a-1 to {root}")
        log.add(f"::: completed emerge (1 of 2) app-misc/a-1 to {root}")
    log.end(0)
    (run,) = imported(log.path).values()
    assert list(labels(run)) == ["app-misc/a-1", "app-misc/a-1 to /usr/armv7/"]


@pytest.mark.parametrize(
    ("package", "name", "version"),
    [
        ("sys-devel/gcc-3.4.3-r1", "sys-devel/gcc", "3.4.3-r1"),
        ("x11-libs/gtk+-3.24.26", "x11-libs/gtk+", "3.24.26"),
        ("sys-apps/baselayout-prefix-2.2-r3", "sys-apps/baselayout-prefix", "2.2-r3"),
        ("media-fonts/font-adobe-100dpi-1.0.3", "media-fonts/font-adobe", "100dpi-1.0.3"),
        ("app-misc/none", "app-misc/none", ""),
    ],
)
def test_name_and_version(package: str, name: str, version: str) -> None:
    """The history of a package goes by its name, which ends before the first hyphen with a digit behind it."""
    assert split_package(package) == (name, version)


def test_only_new_bytes_are_read(log: Any, tmp_path: Path) -> None:
    """Following costs what is appended: not a byte of the years before."""
    for _ in range(2000):
        log.emerge()
        log.begin(1, 1, "app-misc/a-1")
        log.complete(1, 1, "app-misc/a-1")
        log.end(0)
    source = Portage(Settings(log.path))
    assert len({reported.run_start for reported in source.poll(time.time())}) == 50
    before = source.tail.bytes_read
    assert not list(source.poll(time.time()))
    assert source.tail.bytes_read == before
    log.begin(1, 1, "app-misc/b-1")
    reported = list(source.poll(time.time()))
    assert reported
    assert source.tail.bytes_read - before < 1000


@pytest.mark.parametrize("kind", ["random", "endless", "sparse", "directory", "loop"])
def test_hostile_logs(kind: str, log: Any, tmp_path: Path) -> None:
    """Whatever is in place of a log is survived: no traceback, quick, and reported when it can't be read."""
    path = log.path
    path.unlink()
    if kind == "random":
        path.write_bytes(bytes(range(256)) * 5000)
    elif kind == "endless":
        path.write_bytes(b"1700000000:  >>> emerge (1 of 1) " + b"a" * 5_000_000)
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2 << 30)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(path)
    source = Portage(Settings(path))
    began = time.perf_counter()
    if kind in ("directory", "loop"):
        with pytest.raises(SourceError):
            source.poll(time.time())
    else:
        assert not list(source.poll(time.time()))
    assert time.perf_counter() - began < 5


def test_log_that_vanishes_returns_or_is_written_again(
    log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """A log out of reach is an error until it is back; copied again with more, only what is new is reported."""
    log.emerge()
    log.begin(1, 2, "app-misc/a-1")
    follower = attached(log.path)
    assert follower.poll(time.time()) > 0
    away = log.path.with_name("away")
    log.path.rename(away)
    with pytest.raises(SourceError):
        follower.poll(time.time())
    log.path.write_bytes(away.read_bytes())
    log.complete(1, 2, "app-misc/a-1")
    assert follower.poll(time.time()) == 1
    (run,) = runs_of().values()
    assert labels(run)["app-misc/a-1"] == "succeeded"


def test_rotated_log_continues(log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]) -> None:
    """An emerge whose log is rotated under it continues as the same run."""
    log.emerge()
    log.begin(1, 1, "app-misc/a-1")
    follower = attached(log.path)
    follower.poll(time.time())
    log.path.rename(log.path.with_name("emerge.log.1"))
    log.complete(1, 1, "app-misc/a-1")
    log.end(0)
    follower.poll(time.time())
    (run,) = runs_of().values()
    assert (str(run.state), labels(run)) == ("succeeded", {"app-misc/a-1": "succeeded"})


def test_two_roots_at_once(log: Any, imported: Callable[..., Runs]) -> None:
    """A cross build merges one package into two roots side by side: each has a step and an end of its own."""
    log.emerge("--jobs=2 --root-deps app-misc/a")
    log.add(">>> emerge (1 of 2) app-misc/a-1 to /")
    log.add(">>> emerge (2 of 2) app-misc/a-1 to /usr/armv7/")
    log.add("::: completed emerge (1 of 2) app-misc/a-1 to /", 30)
    log.add("::: completed emerge (2 of 2) app-misc/a-1 to /usr/armv7/", 30)
    log.end(0)
    (run,) = imported(log.path).values()
    assert labels(run) == {"app-misc/a-1": "succeeded", "app-misc/a-1 to /usr/armv7/": "succeeded"}
    assert str(run.state) == "succeeded"


@pytest.mark.parametrize(
    ("done", "status", "state", "last"),
    [
        (2, None, "succeeded", "succeeded"),
        (1, None, "interrupted", "interrupted"),
        (1, 0, "succeeded", "succeeded"),
        (1, 127, "failed", "failed"),
        (1, 128, "interrupted", "interrupted"),
        (2, 1, "failed", "succeeded"),
    ],
)
def test_an_emerge_ends_as_it_says_or_as_its_packages_did(
    log: Any, imported: Callable[..., Runs], done: int, status: int | None, state: str, last: str
) -> None:
    """Without an exit line it has succeeded where all was merged; with one its status counts, from 128 on a signal."""
    log.emerge()
    for number in (1, 2):
        log.begin(number, 2, f"app-misc/p{number}-1")
        if number <= done:
            log.complete(number, 2, f"app-misc/p{number}-1")
    log.end(status)
    (run,) = imported(log.path).values()
    assert (str(run.state), labels(run)) == (state, {"app-misc/p1-1": "succeeded", "app-misc/p2-1": last})


def test_an_emerge_that_never_began_its_last_package_was_interrupted(log: Any, imported: Callable[..., Runs]) -> None:
    """Everything that was begun is merged, but not everything that was to be."""
    log.emerge()
    log.begin(1, 2, "app-misc/p1-1")
    log.complete(1, 2, "app-misc/p1-1")
    log.end(None)
    (run,) = imported(log.path).values()
    assert (str(run.state), labels(run)) == ("interrupted", {"app-misc/p1-1": "succeeded"})


@pytest.mark.parametrize(("silence", "state"), [(86_399, "running"), (86_401, "interrupted")])
def test_a_day_of_silence_is_a_death(
    log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs], silence: int, state: str
) -> None:
    """An emerge that says nothing for a day is over, as of its last line, when another begins."""
    log.clock = float(int(time.time()) - silence - 10)
    log.emerge("app-misc/long")
    last = log.begin(1, 1, "app-misc/long-1")
    log.add("Started emerge on: x", silence)
    log.add("*** emerge app-misc/x", 0)
    log.begin(1, 1, "app-misc/x-1")
    attached(log.path).poll(time.time())
    long, x = runs_of().values()
    assert (str(long.state), str(x.state)) == (state, "running")
    assert long.end == (last if state == "interrupted" else None)


@pytest.mark.parametrize(("command", "jobs"), [("--jobs=12 a", 12), ("-j 3 a", 3), ("-j4 a", 4), ("--jobs a", None)])
def test_what_a_command_line_asks_for(log: Any, imported: Callable[..., Runs], command: str, jobs: int | None) -> None:
    """Jobs and targets without options; a binary package is of another phase than one that is compiled."""
    log.emerge(command)
    log.begin(1, 2, "app-misc/a-1", kind="Merging Binary")
    log.complete(1, 2, "app-misc/a-1")
    log.begin(2, 2, "app-misc/b-1", kind="Compiling/Merging")
    log.complete(2, 2, "app-misc/b-1")
    log.end(0)
    (run,) = imported(log.path).values()
    assert run.jobs == jobs
    assert [phase for phase, _ in run.steps] == ["binary", "merge"]
    assert [step.seconds for step in run.steps.values()] == [10.0, 10.0]

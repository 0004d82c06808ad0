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
    log.add("Started emerge on: x")  # one that said nothing more
    log.emerge("--oneshot --jobs=3 app-misc/a")
    log.begin(1, 1, "app-misc/a-1.0-r2")
    log.end(1)
    (run,) = imported(log.path).values()
    (step,) = run.steps.values()
    assert (str(run.state), step.state.label, step.exit_code) == ("failed", "failed", 1)
    assert (step.package, step.version, run.target, run.jobs) == ("app-misc/a", "1.0-r2", "app-misc/a", 3)


def play(log: Any, script: str) -> None:
    """Write a log: `emerge ARGUMENTS`, `1/2 a` begins, `1/2 a done`, a stage, `exit N`, `gone`, `cleaning`."""
    for words in (line.split() for line in script.split(";")):
        if words[0] == "emerge":
            log.emerge(" ".join(words[1:]) or "@world")
        elif words[0] in ("exit", "gone"):
            log.end(int(words[1]) if words[1:] else None)
        elif words[0] == "cleaning":
            log.add("*** Finished. Cleaning up...")
        else:
            number, total = words[0].split("/")
            package = f"app-misc/{words[1]}-1"
            if words[2:] == ["done"]:
                log.complete(number, total, package)
            elif words[2:]:
                log.add(f"=== ({number} of {total}) {words[2]} ({package}::/r/a.ebuild)")
            else:
                log.begin(number, total, package)


BOTH = "emerge; 1/2 a; 1/2 a done; 2/2 b"
NINE = "; ".join(f"emerge {name}; 1/1 {name}; gone" for name in "abcdefghi")
STORIES = {
    "the package begun when emerge gave up": ("emerge; 1/2 a; exit 1", "failed: a failed"),
    "an exit of 127": (f"{BOTH}; exit 127", "failed: a succeeded, b failed"),
    "a signal": (f"{BOTH}; exit 128", "interrupted: a succeeded, b interrupted"),
    "no word of an exit": (f"{BOTH}; gone", "interrupted: a succeeded, b interrupted"),
    "no word, and all merged": (f"{BOTH}; 2/2 b done; gone", "succeeded: a succeeded, b succeeded"),
    "no word, and one never begun": ("emerge; 1/2 a; 1/2 a done; gone", "interrupted: a succeeded"),
    "success, and the last end lost": (f"{BOTH}; exit 0", "succeeded: a succeeded, b succeeded"),
    "failure after all were merged": (f"{BOTH}; 2/2 b done; exit 1", "failed: a succeeded, b succeeded"),
    "nothing to merge": ("emerge; exit 0; emerge x; 1/1 x; 1/1 x done; exit 0", "succeeded: x succeeded"),
    "begun out of turn": (
        "emerge --jobs=3; 1/3 a; 3/3 c; 2/3 b; 1/3 a done; 3/3 c done; 2/3 b done; gone",
        "succeeded: a succeeded, c succeeded, b succeeded",
    ),
    "a package begun again": (f"emerge; 1/2 a; {BOTH[8:]}; exit 0", "succeeded: a succeeded 2, b succeeded"),
    "a stage after the end": ("emerge; 1/1 a; 1/1 a done; 1/1 a Cleaning; exit 0", "succeeded: a succeeded"),
    "a start lost of a package that another emerge merged": (
        "emerge a; 1/1 a; 1/1 a done; exit 0; emerge; 1/3 a Cleaning; 1/3 a done; 2/3 b; 2/3 b done; gone",
        "succeeded: a succeeded", "interrupted: a succeeded, b succeeded",
    ),
    "a log that begins in the middle": (
        "1/2 a Cleaning; 1/2 a done; 2/2 b; 2/2 b done; exit 0", "succeeded: a succeeded, b succeeded",
    ),
    "--keep-going counts anew with fewer": (
        "emerge --keep-going=y @world; 1/3 bad; 1/2 b; 1/2 b done; 2/2 c; 2/2 c done; exit 1",
        "failed: bad failed, b succeeded, c succeeded",
    ),
    "--keep-going and no word": (
        "emerge --keep-going @world; 1/2 bad; 1/1 b; 1/1 b done; gone", "failed: bad failed, b succeeded",
    ),
    "--keep-going cut off": (
        "emerge --keep-going @world; 1/2 bad; 1/1 b; gone", "interrupted: bad failed, b interrupted",
    ),
    "two side by side": (
        "emerge; 1/3 a; emerge x; 1/2 x; 1/3 a done; 2/3 b; 1/2 x done; 2/2 y; 2/2 y done; exit 0; 2/3 b done; gone",
        "interrupted: a succeeded, b succeeded", "succeeded: x succeeded, y succeeded",
    ),
    "the older ends first": (
        "emerge a; 1/1 a; emerge x; 1/2 x; 1/1 a done; exit 0; 1/2 x done; 2/2 y; 2/2 y done; exit 0",
        "succeeded: a succeeded", "succeeded: x succeeded, y succeeded",
    ),
    "a failure given to the younger, which continues": (
        # what was first taken for a failure of x counts as an attempt
        "emerge @world; 1/3 a; emerge x; 1/1 x; exit 1; 1/1 x done; exit 0",
        "failed: a failed", "succeeded: x succeeded 2",
    ),
    "the same with a third emerge between": (
        "emerge @world; 1/3 a; emerge x; 1/1 x; exit 1; emerge y; 1/1 y; 1/1 y done; exit 0; 1/1 x done; exit 0",
        "failed: a failed", "succeeded: x succeeded 2", "succeeded: y succeeded",
    ),
    "who cleans up is who fails then": (
        "emerge @world; 1/1 a; 1/1 a done; emerge x; 1/1 x; cleaning; exit 1; 1/1 x done; exit 0",
        "failed: a succeeded", "succeeded: x succeeded",
    ),
    "a killed emerge whose package is built again": (
        f"emerge; 1/2 a; emerge --resume; {BOTH[8:]}; 2/2 b done; exit 0",
        "interrupted: a interrupted", "succeeded: a succeeded, b succeeded",
    ),
    "the last of nine taken for ended continues": (
        f"{NINE}; 1/1 i done; exit 0",
        *(f"interrupted: {name} interrupted" for name in "abcdefgh"), "succeeded: i succeeded",
    ),
    "the first of nine is too long ago": (
        f"{NINE}; 1/1 a done; exit 0", *(f"interrupted: {name} interrupted" for name in "abcdefghi"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_each_emerge_ends_as_it_did(story: str, log: Any, imported: Callable[..., Runs]) -> None:
    """Each emerge gets its own packages and its own end, though the lines name neither emerge nor failed package."""
    script, *ends = STORIES[story]
    play(log, script)
    found = []
    for run in imported(log.path).values():
        steps = (
            f"{step.step[9:-2]} {step.state.label}{f' {step.attempts}' if step.attempts > 1 else ''}"
            for step in run.steps.values()
        )
        found.append(f"{run.state}: {', '.join(steps)}")
    assert found == ends


def test_a_package_is_expected_to_take_what_it_took(log: Any, imported: Callable[..., Runs]) -> None:
    """In any version; its second emerge has the first one's time, of ten seconds."""
    for version in (1, 2):
        log.emerge()
        log.begin(1, 1, f"app-misc/a-{version}")
        log.complete(1, 1, f"app-misc/a-{version}")
        log.end(0)
    _, second = imported(log.path).values()
    assert second.steps["merge", "app-misc/a-2"].expected_seconds == 10


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


def test_emerges_without_an_end_are_bounded(
    log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """Of forty emerges of which none ends the newest thirty-two continue."""
    log.clock = float(int(time.time()) - 100)
    for number in range(40):
        log.emerge()
        log.begin(1, 1, f"app-misc/p{number}-1")
    attached(log.path).poll(time.time())
    assert [str(run.state) for run in runs_of().values()] == ["interrupted"] * 8 + ["running"] * 32


@pytest.mark.parametrize(("silence", "state"), [(86_399, "running"), (86_401, "interrupted")])
def test_a_day_of_silence_is_a_death(
    log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs], silence: int, state: str
) -> None:
    """An emerge that says nothing for a day is over, as of its last line, when another begins."""
    log.clock = float(int(time.time()) - silence - 80_010)
    log.emerge("app-misc/long")
    log.clock += 80_000  # since its start, which says nothing
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

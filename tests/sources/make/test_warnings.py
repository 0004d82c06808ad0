"""The warnings of a console's compilers: as many as are printed, each counted for one step."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.tracker import Run

RECORDS = ("other/0build.log", "other/xanmod.log", "other/alfs-sysroot-20240916.r-Cus-025-cmake.make-percent.log")
OVERFLOWS = {"lib": 3, "src": 2, "doc": 1}


def grepped(path: Path, pattern: str = "warning:") -> int:
    """Return how many lines of a file hold a pattern, as grep counts them."""
    found = subprocess.run(["grep", "-F", "-c", "--", pattern, path], stdout=subprocess.PIPE, check=False)
    return int(found.stdout)


def total(run: Run) -> int:
    """Return the warnings of all steps."""
    return sum(step.warnings or 0 for step in run.steps.values())


@pytest.fixture
def warning(project: Any) -> Any:
    """A project whose compiler warns in each directory: of so many numbers too large, and once by `#warning`."""
    project.recursive()
    for name, count in OVERFLOWS.items():
        lines = "\n".join(f"char {name}{number} = 1000;" for number in range(count))
        project.source(f"{name}/a.c", f"#warning mind {name}\n{lines}")
    return project


@pytest.mark.parametrize("flags", ["", "--output-sync=recurse -j4"])
def test_each_directory_has_its_own(warning: Any, imported: Callable[..., Run], flags: str) -> None:
    """What gcc warns of in a directory is counted for its step, by option too, and as many as grep finds in all."""
    assert warning.run(f"make {flags}") == 0
    run = imported(warning.log)
    assert {name: run.steps["build", name].warnings for name in OVERFLOWS} == {"lib": 4, "src": 3, "doc": 2}
    assert run.flag_sums == {"-Woverflow": 6, "-Wcpp": 3}
    assert total(run) == grepped(warning.log) == 9


@pytest.mark.parametrize("flags", ["-j4", "-k -j4", "--no-print-directory -j4", "-j2 --output-sync=line"])
def test_none_is_lost_or_counted_twice(warning: Any, imported: Callable[..., Run], flags: str) -> None:
    """With directories side by side, one of them failing, the steps' warnings add up to what grep finds."""
    warning.source("doc/b.c", "int b(void) { return 0 }")
    assert warning.run(f"make {flags}") == 2
    run = imported(warning.log)
    assert total(run) == grepped(warning.log) > 0
    assert run.flag_sums["-Woverflow"] == grepped(warning.log, "[-Woverflow]")


def test_a_file_named_tells_the_directory(console: Callable[[str], Run]) -> None:
    """A warning that names its file by a path is that directory's, though another was entered since."""
    run = console(
        "make: Entering directory '/p'\n"
        "make[1]: Entering directory '/p/one'\ngcc -c a.c\n"
        "make[1]: Entering directory '/p/two'\ngcc -c b.c\n"
        "/p/one/a.c:1:2: warning: of one [-Wunused]\n"
        "b.c:1:2: warning: of the last\n"
        "make[1]: Leaving directory '/p/two'\nmake[1]: Leaving directory '/p/one'\nmake: Leaving directory '/p'\n"
    )
    assert {step: found.warnings for (_, step), found in run.steps.items()} == {"one": 1, "two": 1}
    kernel = console("  CC      mm/slab.o\n  CC      kernel/fork.o\nmm/slab.c:7:1: warning: large frame\n")
    assert (kernel.steps["build", "mm"].warnings, kernel.steps["build", "kernel"].warnings or 0) == (1, 0)


def test_warnings_before_and_after_steps(console: Callable[[str], Run]) -> None:
    """Make's own before anything is built are the first step's; those of a directory that failed are still its."""
    run = console(
        "Makefile:3: warning: overriding recipe for target 'x'\n"
        "make -C lib all\nmake[1]: Entering directory '/p/lib'\ngcc -c a.c\n"
        "make[1]: warning: jobserver unavailable: using -j1.  Add '+' to parent make rule.\n"
        "a.c:1:1: error: expected something\nmake[1]: *** [Makefile:4: a.o] Error 1\n"
        "b.c:1:1: warning: still to come [-Wcpp]\n"
        "make[1]: Target 'all' not remade because of errors.\nmake[1]: Leaving directory '/p/lib'\n"
        "make: *** [Makefile:6: lib] Error 2\n"
    )
    assert (total(run), run.state.name, run.steps["build", "lib"].warnings) == (3, "FAILED", 3)
    assert run.flag_sums == {"-Wcpp": 1}


def test_what_is_done_again_counts_anew(follow: Callable[..., Any], tmp_path: Path) -> None:
    """The attempt after a failure has its own count, and a new start does not bring back the first's."""
    log = tmp_path / "x.log"
    stamp = "2026-01-02T03:04:{:02d}Z {}\n".format
    enter, leave = "make[1]: Entering directory '/p/lib'", "make[1]: Leaving directory '/p/lib'"
    first = [
        "make -C lib",
        enter,
        "gcc -c a.c",
        *["a.c:1:1: warning: odd [-Wold]"] * 3,
        "make[1]: *** [Makefile:4: a.o] Error 1",
    ]
    again = [leave, "make: *** [Makefile:6: lib] Error 2", enter, "gcc -c a.c", "a.c:1:1: warning: odd [-Wnew]"]
    end = ["gcc -c b.c", leave]
    for dated in (True, False):
        take = follow(log, f"journal-{dated}")
        texts = [*first, *again, *end]
        lines = [stamp(number, text) if dated else text + "\n" for number, text in enumerate(texts)]
        cuts = (len(first), len(first) + len(again), len(lines))
        for cut in cuts:
            log.write_text("".join(lines[:cut]))
            os.utime(log, (1767400000, 1767400000 + cut / 10))
            for _ in range(2):
                take.restart()
                take.poll(1767400000 + cut / 10, over=cut == len(lines))
        assert len(take.runs()) == 1
        step = take.newest.steps["build", "lib"]
        assert (step.attempts, step.warnings, take.newest.flag_sums) == (2, 1, {"-Wnew": 1})
        late = follow(log, f"late-{dated}")
        late.poll(over=True)
        assert (late.newest.steps["build", "lib"].warnings, late.newest.flag_sums) == (1, {"-Wnew": 1})


def test_they_are_told_while_a_step_runs(follow: Callable[..., Any], tmp_path: Path) -> None:
    """A step that still runs shows how many there were so far, with few events."""
    log = tmp_path / "x.log"
    log.touch()
    follower = follow(log)
    reported = []
    began = time.time()
    for number in range(60):
        with log.open("a") as file:
            file.write(f"gcc -c {number}.c\n{number}.c:1:1: warning: odd\n")
        # a poll each two seconds
        os.utime(log, (began + 2 * number, began + 2 * number))
        follower.poll(began + 2 * number)
        reported.append(follower.newest.steps["build", "make"].warnings)
    assert reported[-1] is not None
    assert 40 < reported[-1] <= 60
    assert 5 <= len(set(reported)) <= 14


@pytest.mark.parametrize("name", RECORDS)
def test_a_real_console_has_as_many_as_grep_finds(records: Path, imported: Callable[..., Run], name: str) -> None:
    """The warnings of a real build's steps add up to the lines that grep finds in its console."""
    assert total(imported(records / name)) == grepped(records / name)

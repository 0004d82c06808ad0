"""Counting what compilers and their company warn of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.model.events import StepProgress
from build_exporter.model.states import StepState
from build_exporter.sources.step_logs.reader import StepContext
from build_exporter.sources.step_logs.warnings import WarningReader, is_warning
from build_exporter.tracker import Run, Step

C_SOURCE = """\
#include <stdio.h>
char *gets(char *);
static int never_used(void) { return 1; }
int main(void) { int x; char b[8]; gets(b); printf("%d: warning: %s\\n", x, 5); }
"""


def count(lines: Iterable[str]) -> int:
    """Return how many of the lines are warnings."""
    return sum(map(is_warning, lines))


def reported_by(*command: str, directory: Path) -> list[str]:
    """Return what a command prints; skip where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout.splitlines()


def grep(pattern: str, path: Path) -> int:
    """Return how many lines of a file match without their colours, by sed and grep."""
    plain = subprocess.run(["sed", r"s/\x1b\[[0-9;]*[mK]//g", path], capture_output=True, check=True).stdout
    done = subprocess.run(["grep", "-a", "-c", "-E", "-e", pattern], input=plain, capture_output=True, check=False)
    return int(done.stdout)


@pytest.mark.parametrize("colour", ["never", "always"])
@pytest.mark.parametrize("compiler", ["gcc", "g++", "clang", "clang++"])
def test_compilers_and_the_linker_are_counted(compiler: str, colour: str, tmp_path: Path) -> None:
    """What the compiler counts itself is what we count: source lines it quotes, notes and sums are no warnings."""
    (tmp_path / "a.c").write_text(C_SOURCE)
    flag = f"-fdiagnostics-color={colour}"
    lines = reported_by(compiler, "-Wall", "-Wextra", "-Wno-error=unused", flag, "a.c", directory=tmp_path)
    plain = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in lines]
    flags = [line for line in plain if "[-W" in line or "is dangerous" in line]
    assert len(flags) >= 3
    assert count(lines) == len(flags)


def test_the_assembler_is_counted(tmp_path: Path) -> None:
    """GNU as writes the word with a capital."""
    (tmp_path / "a.s").write_text('.warning "odd"\n.warning "odd too"\nnop\n')
    assert count(reported_by("as", "a.s", "-o", "a.o", directory=tmp_path)) == 2


def test_fortran_is_counted(tmp_path: Path) -> None:
    """gfortran puts the place on a line of its own."""
    (tmp_path / "a.f90").write_text("program a\n  implicit none\n  integer :: x, y\n  x = 1\nend program\n")
    lines = reported_by("gfortran", "-Wall", "-c", "a.f90", directory=tmp_path)
    assert count(lines) == sum("[-W" in line for line in lines) > 0


def test_rust_is_counted_without_its_sums(tmp_path: Path) -> None:
    """rustc says at the end how many there were, which is not one more."""
    (tmp_path / "a.rs").write_text("fn unused() {}\nfn main() { let x = 1; let y = 2; }\n")
    lines = reported_by("rustc", "a.rs", directory=tmp_path)
    assert any("emitted" in line for line in lines)
    assert count(lines) == 3


def test_cmake_is_counted(tmp_path: Path) -> None:
    """Warnings of a project, of its developers, and of what is deprecated."""
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.10)\nproject(a NONE)\n"
        'message(WARNING "one")\nmessage(AUTHOR_WARNING "two")\nmessage(DEPRECATION "three")\n'
        'message(STATUS "WARNING")\n'
    )
    assert count(reported_by("cmake", ".", directory=tmp_path)) == 3


def test_make_and_bison_are_counted(tmp_path: Path) -> None:
    """Tools that print a place and the word."""
    (tmp_path / "Makefile").write_text("a:\n\t@echo made\na:\n\t@echo again\n")
    assert count(reported_by("make", directory=tmp_path)) == 2
    (tmp_path / "a.y").write_text("%%\nexp: exp '+' exp | 'n';\n")
    assert count(reported_by("bison", "a.y", directory=tmp_path)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "configure: WARNING: unrecognized options: --with-x",
        "checking for sys/sysmp.h... configure: WARNING: libdebuginfod is missing",
        "WARNING: modpost: vmlinux.o: section mismatch in reference: a (section: .text) -> b (section: .init)",
        "vmlinux.o: warning: objtool: do_exit() falls through",
        "cc1: warning: command-line option '-Wno-x' is unknown",
    ],
)
def test_other_forms_are_counted(line: str) -> None:
    """Forms of configure and of the kernel's build."""
    assert is_warning(line)


@pytest.mark.parametrize(
    "line",
    [
        "checking for warnings... yes", "checking whether the compiler knows -Wno-error=warning... yes",
        "gcc -Wall -Wno-error=warning -c a.c", "WARNING: 'aclocal-1.16' is missing on your system.",
        "0 warnings generated.", "2 warnings generated.", "warning: 3 warnings emitted",
        'warning: `app` (bin "app") generated 2 warnings', '   12 |   printf("a.c: warning: this is quoted source");',
        "  echo configure: warning: is shown by make", "install -m 644 warning.h /usr/include",
        "cc1: all warnings being treated as errors", "a.c:3:5: error: unused variable 'x' [-Werror=unused-variable]",
    ],
)  # fmt: skip
def test_what_only_holds_the_word_is_not_counted(line: str) -> None:
    """Sums, options, quoted sources and prose are no warnings."""
    assert not is_warning(line)


@given(st.text(max_size=600))
def test_any_line_is_judged(line: str) -> None:
    """Whatever a log holds, judging it does no harm."""
    is_warning(line + "warning: " + line)


def test_a_line_made_to_be_slow_is_not() -> None:
    """The longest line that is looked at costs no time worth mention, whatever it holds."""
    line = (": " * 250)[:480] + "warning"
    for _ in range(1000):
        assert not is_warning(line)


class Followed:
    """A running step whose log is read by hand."""

    def __init__(self) -> None:
        self.run = Run("lfs", "20260102T030405Z")
        self.step = Step("p", "s", 0, state=StepState.RUNNING, start=0.0)
        self.reader = WarningReader()

    def poll(self, time: float, warnings: int, *, over: bool = False) -> int | None:
        """Read so many more warnings and return the count emitted, taken into the step as the tracker does."""
        for _ in range(warnings):
            self.reader.feed("a.c:1:2: warning: x [-Wx]")
        reported = None
        for event in self.reader.emit(StepContext(time, self.run, self.step, 1, over)):
            assert isinstance(event, StepProgress)
            reported = self.step.warnings = event.warnings
            if event.warning_flags:
                self.run.warning_flags[self.step.key] = event.warning_flags
        return reported


def test_the_options_that_warned_most_are_told_at_the_end() -> None:
    """What to silence or to mend first is seen without reading the log."""
    followed = Followed()
    lines = ["a.c:1: warning: x [-Wunused-variable]"] * 3 + ["b.c:1: warning: y [-Wformat=]", "ld: warning: no option"]
    lines += ["\x1b[01;35mc.c:1: warning: z \x1b[m[\x1b]8;;https://gcc.example\x07-Wformat=\x1b]8;;\x07]"]
    for line in [*lines, *(f"d.c:1: warning: w [-Wodd{number}]" for number in range(300))]:
        followed.reader.feed(line)
    assert len(followed.reader.flags) <= 200
    poll = StepContext(100.0, followed.run, followed.step, 1, over=True)
    (event,) = followed.reader.emit(poll)
    assert isinstance(event, StepProgress)
    assert event.warnings == 306
    assert event.warning_flags is not None
    assert list(event.warning_flags.items())[:2] == [("-Wunused-variable", 3), ("-Wformat=", 2)]
    assert len(event.warning_flags) == 10


def test_no_warnings_are_told_of_a_step_that_took_a_while() -> None:
    """None at all is a fact too, but not of each of a thousand steps that write a file."""
    followed = Followed()
    followed.step.state, followed.step.seconds = StepState.SUCCEEDED, 5.0
    assert followed.poll(10.0, 0, over=True) is None
    followed.step.seconds = 50.0
    assert followed.poll(10.0, 0, over=True) == 0


def test_a_builder_that_counts_itself_is_believed() -> None:
    """A count emitted with the step's end is left alone."""
    followed = Followed()
    followed.step.warnings, followed.step.reported_warnings = 3, True
    assert followed.poll(100.0, 10, over=True) is None


FORMS = "(^|: )[Ww]arning: |CMake (Deprecation )?Warning|configure: WARNING:|meson.build:[0-9]+: WARNING:"
"""What counts, for grep."""


@pytest.fixture(scope="module")
def whole(records: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished jhalfs tree: Makefile and logs of a whole LFS."""
    (archive,) = (records / "jhalfs" / "raw-full").glob("*.tar.xz")
    unpacked = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["tar", "-xf", archive, "-C", unpacked], check=True)
    (logs,) = unpacked.rglob("makelog")
    (makefile,) = unpacked.rglob("config/Makefile")
    makefile.rename(logs.parent / "Makefile")
    return logs.rename(logs.parent / "logs").parent


def test_real_logs_are_counted_as_grep_counts_them(whole: Path) -> None:
    """Over a whole LFS, each log's count is that of grep for the same forms, and no compiler's is left out."""
    logs = [path for path in (whole / "logs").iterdir() if path.is_file()]
    assert len(logs) > 150
    total = 0
    for path in logs:
        ours = count(line[:500] for line in path.read_bytes().decode("utf-8", "replace").split("\n"))
        assert ours == grep(FORMS, path), path.name
        assert ours >= grep("[a-z0-9]: warning: ", path), path.name
        total += ours
    assert total > 1500


def test_an_imported_tree_has_its_warnings(whole: Path, journal: Path, command: Callable[..., Any]) -> None:
    """History that was never watched has its compilers' warnings, each step's as its log has it, once."""
    for _ in range(2):
        done = command("import", "jhalfs", str(whole), "--build", "lfs", "--journal", str(journal))
        assert done.returncode == 0, done.stderr
    (file,) = (journal / "lfs").glob("*.jsonl")
    reported = [event for event in map(json.loads, file.read_text().splitlines()) if "warnings" in event]
    counts = {event["step"]: event["warnings"] for event in reported}
    assert len(counts) == len(reported) > 40
    for step, warnings in counts.items():
        (log,) = [path for path in (whole / "logs").iterdir() if path.name.startswith(step)]
        assert warnings == grep(FORMS, log), step
    assert sum(counts.values()) > 1500
    assert any("-Wunused" in flag for event in reported for flag in event.get("warning_flags", {}))


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        ([(9.9, 5, False), (10.0, 0, False), (19.9, 1, False), (20.0, 0, False)], [None, 5, None, 6]),
        ([(10, 20, False), (20, 2, False), (30, 1, False)], [20, None, 23]),
        ([(10, 20, False), (20, 0, True), (30, 0, True)], [20, 20, None]),
        ([(10, 20, False), (11, 1, True), (12, 0, True), (13, 1, True)], [20, 21, None, 22]),
        ([(10, 0, False), (11, 0, True)], [None, None]), ([(10, 3, True), (10, 0, True)], [3, None]),
    ],
)  # fmt: skip
def test_when_a_count_is_told(polls: list[tuple[float, int, bool]], expected: list[int | None]) -> None:
    """While it runs ten seconds after the last time, once a tenth more have come; at the end once, and if more come."""
    followed = Followed()
    assert [followed.poll(time, more, over=over) for time, more, over in polls] == expected


def test_the_options_that_are_counted() -> None:
    """Of two hundred options all later warnings count, of further ones none."""
    reader = WarningReader()
    for number in [*range(201), 0, 200]:
        reader.feed(f"a.c:1:2: warning: x [-Wx{number}]")
    assert (reader.count, len(reader.flags), reader.flags["-Wx0"], reader.flags["-Wx200"]) == (203, 200, 2, 0)

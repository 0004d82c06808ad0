"""The Makefile of jhalfs as a plan: real ones, other numberings, and any text."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.plan.jhalfs_makefile import HEADER, is_makefile, parse, read


def text(parts: dict[str, str], rules: str = "", head: str = "") -> str:
    """Return a Makefile that names these targets."""
    lists = "".join(f"{part}:   {names}\n" for part, names in parts.items())
    return f"# This file is {HEADER}\n{head}\nall: {' '.join(f'mk_{part}' for part in parts)}\n{lists}{rules}"


def rule(target: str, chapter: int, suffix: str = "") -> str:
    """Return a target's rule."""
    return f'{target}:  before\n\t@echo "`date`" >logs/$@{suffix}\n\t$(CMDSDIR)/chapter{chapter:02}/$@ >>$(LOGDIR)/$@\n'


@pytest.mark.parametrize(
    ("path", "steps", "custom", "book", "jobs"),
    [
        ("alfs-sysroot/20240330.sysv/Makefile", 154, 32, "r12.1-31", 4),
        ("alfs-sysroot/20240216.systemd/Makefile", 152, 30, "r12.0-214-systemd", 4),
        ("ft_linux/jhalfs-Makefile", 120, 0, "11.2", 6),
        ("failed/Makefile.3ef44ba.failed-before-start", 150, 30, "r12.2-733-systemd", 4),
    ],
)
def test_real_makefiles(records: Path, path: str, steps: int, custom: int, book: str, jobs: int) -> None:
    """Steps, book and jobs of real Makefiles, each package with its version, in the order of the chapters."""
    found = read(records / "jhalfs" / path)
    assert (len(found.steps), found.book, found.jobs) == (steps, book, jobs)
    assert Counter(step.phase for step in found.steps)["custom"] == custom
    chapters = [int(step.phase.removeprefix("chapter-")) for step in found.steps if step.phase != "custom"]
    assert chapters == sorted(chapters)
    assert set(chapters) == {4, 5, 6, 7, 8, 9, 10}
    assert {(s.package, s.version) for s in found.steps if s.target == "502-gcc-pass1"} <= {
        ("gcc", "12.2.0"),
        ("gcc", "13.2.0"),
        ("gcc", "14.2.0"),
    }
    planned = found.plan()
    assert [step.after for step in planned] == [None, *([step.target] for step in found.steps[:-1])]
    assert [each.name for each in found.milestones()][-1] == "bootable"


def test_same_steps_as_the_book(records: Path) -> None:
    """The packages of chapter 8 are those of the book, less what the older book did not have yet."""
    book = json.loads((records / "lfs-book/expected-plan.json").read_text())
    named = json.dumps(book)
    found = read(records / "jhalfs/ft_linux/jhalfs-Makefile")
    missing = [s.package for s in found.steps if s.phase == "chapter-6" and s.package and s.package not in named]
    assert missing == []


def test_numbering_of_2019() -> None:
    """Where targets are numbered through, the phase is the chapter that the rule's script is in."""
    rules = rule("034-creatingtoolsdir", 4) + rule("036-gcc-pass1", 5, "-9.2.0") + rule("070-glibc", 6, "-2.30")
    found = parse(text({"LUSER": "034-creatingtoolsdir 036-gcc-pass1", "CHROOT": "070-glibc"}, rules))
    assert [(s.phase, s.package, s.version, s.log) for s in found.steps] == [
        ("chapter-4", None, None, "034-creatingtoolsdir"),
        ("chapter-5", "gcc", "9.2.0", "036-gcc-pass1-9.2.0"),
        ("chapter-6", "glibc", "2.30", "070-glibc-2.30"),
    ]
    assert [(m.name, m.phase or m.step) for m in found.milestones()] == [
        ("temporary tools", "chapter-5"),
        ("chroot entered", "070-glibc"),
        ("base system", "chapter-6"),
    ]


def test_numbers_of_2019_are_no_chapters() -> None:
    """A target numbered through whose rule names no script, as `fstab` of one's own, is in no chapter 1."""
    found = parse(text({"CHROOT": "170-bash", "BOOT": "188-fstab"}, rule("170-bash", 6, "-5.0")))
    assert [s.phase for s in found.steps] == ["chapter-6", "boot"]


def test_names_of_package_management() -> None:
    """Steps between two others, as package management adds them, keep their place and chapter."""
    found = parse(text({"CHROOT": "874-tar 875-01-libarchive 876-cleanup"}))
    assert [(s.target, s.phase) for s in found.steps] == [
        ("874-tar", "chapter-8"),
        ("875-01-libarchive", "chapter-8"),
        ("876-cleanup", "chapter-8"),
    ]


def test_variables_of_a_part_are_no_steps() -> None:
    """`CHROOT: SHELL=…` sets a variable for the part's targets."""
    found = parse(text({"CHROOT": "701-a"}, "CHROOT:   SHELL=$(filter %bash,$(CHROOT1))\nBOOT := x\n"))
    assert [s.target for s in found.steps] == ["701-a"]


def test_custom_steps_only_where_they_are_built() -> None:
    """Steps of the user's own count only if the Makefile builds them; their package is their tarball."""
    rules = "Cus-overwrite-grep:\n\t@$(call unpack2,grep-3.11.tar.xz)\n"
    parts = {"BOOT": "1001-fstab", "CUSTOM_TOOLS": "Cus-overwrite-grep mine"}
    found = parse(text(parts, rules, "ADD_CUSTOM_TOOLS = y"))
    assert [(s.phase, s.package, s.version) for s in found.steps][1:] == [
        ("custom", "grep", "3.11"),
        ("custom", None, None),
    ]
    assert len(parse(text(parts, rules, "ADD_CUSTOM_TOOLS = n")).steps) == 1


def test_names_that_are_no_steps() -> None:
    """Paths, commands and names too long for a label are left out; a name given twice is one step."""
    long = "5" * 300
    found = parse(text({"LUSER": f"501-a ../b /c $(d) -e {long} 501-a"}))
    assert [s.target for s in found.steps] == ["501-a"]


@given(st.text(alphabet=st.sampled_from("ab01-.:=\t\n $()>@/#\\_LUSERmkal"), max_size=400))
def test_any_text_is_a_plan_or_an_error(body: str) -> None:
    """Whatever follows the first line, it is read or refused, never a crash, and every step has its names."""
    try:
        found = parse(f"# {HEADER}\n{body}\nLUSER: 501-a\n")
    except ValueError:
        return
    for step in found.steps:
        assert step.phase
        assert "/" not in step.log


def test_what_is_no_makefile(tmp_path: Path) -> None:
    """Directories, other files and nothing at all are not taken for one."""
    (tmp_path / "other").write_text("all:\n")
    for name in ("other", "none", "."):
        assert not is_makefile(tmp_path / name)

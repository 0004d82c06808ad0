"""`build-exporter plan`: what it prints, what it shows the journal, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model.names import MAX_LINE_BYTES
from build_exporter.sources.attach import read_run

Command = Callable[..., Any]
Book = Callable[..., Path]

TABLE = """\
STEP                               VERSION              SBU      DISK

chapter-5
  501-linker-pass1                 2.44                   1 640.0 MiB
  1 step, 1 with SBU                                    1.0 640.0 MiB

chapter-6
  601-Shell                        5.3-rc1             <0.1   1.5 GiB
  1 step, 1 with SBU                                    0.1   1.5 GiB

chapter-7
  701-owner
  702-directories
  2 steps

chapter-8
  801-linker                       2.44                   1 640.0 MiB
  802-init
  803-Shell                        5.3-rc1             <0.1   1.5 GiB
  3 steps, 2 with SBU                                   1.1   1.5 GiB

chapter-10
  1001-kernel                                        0.4-32   2.3 GiB
  1 step, 1 with SBU                                    2.5   2.3 GiB

  all: 8 steps, 5 with SBU                              4.7   2.3 GiB
(<N is counted as N: 2 steps)
SBU: 4.7, by the stated ranges 2.4 to 34.2.
Disk: at most 2.3 GiB for one step, its sources and its build; not a sum.

Milestones
  cross toolchain: after chapter-5
  temporary tools: after chapter-6
  chroot entered: after 702-directories
  base system: after chapter-8
  bootable: after 1001-kernel
"""

YAML = """\
milestones:
  - {name: halfway, progress: 50%}
  - {name: tools, phase: tools}
phases:
  - phase: tools
    steps:
      - step: linker
        package: binutils
        version: 2.40
        sbu: 1
        disk: 640 MiB
      - {step: compiler, seconds: 1h30m, memory: 2 GiB, after: [linker]}
  - phase: system
    steps:
      - {step: linker, after: [tools/linker, compiler]}
"""


def test_the_table(command: Command, book: Book) -> None:
    """Steps, weights and totals fit a terminal of 80 columns; what could not be read is reported beside them."""
    done = command("plan", "lfs", "--book", str(book()), "--rev", "sysv")
    assert done.returncode == 0, done.stderr
    assert done.stdout == TABLE
    assert max(map(len, TABLE.splitlines())) <= 80
    assert "entity &kernel-version; is declared nowhere" in done.stderr


def test_data_for_other_tools(command: Command, book: Book) -> None:
    """The JSON has the plan event's steps, and the book's own words and ranges beside them."""
    reported = json.loads(command("plan", "lfs", "--book", str(book()), "--output", "json").stdout)
    kernel = reported["steps"][-1]
    assert (kernel["phase"], kernel["step"], kernel["sbu"]) == ("chapter-10", "1001-kernel", 2.5)
    assert kernel["sbu_figure"]["text"] == "0.4 - 32 SBU (typically about 2.5 SBU)"
    assert (kernel["sbu_figure"]["low"], kernel["sbu_figure"]["high"]) == (0.4, 32)
    assert reported["totals"]["steps"] == 8
    assert reported["phases"]["chapter-7"]["weighted"] == 0
    assert reported["milestones"][0] == {"name": "cross toolchain", "phase": "chapter-5"}


def test_a_plan_by_hand(command: Command, tmp_path: Path, journal: Path) -> None:
    """A plan in YAML reaches the run as it is written: names stay texts, times and sizes become seconds and bytes."""
    file = tmp_path / "plan.yaml"
    file.write_text(YAML)
    command("emit", "--journal", str(journal), "--build", "mine", "build_started")
    done = command("plan", "yaml", str(file), "--emit", "--build", "mine", "--journal", str(journal))
    assert done.returncode == 0, done.stderr
    assert "1 h 30 min" in done.stdout
    (path,) = (journal / "mine").glob("*.jsonl")
    assert done.stderr == f"wrote the plan of 3 steps to {path}\n"
    run = read_run(str(path), "mine", path.stem)
    assert list(run.steps) == [("tools", "linker"), ("tools", "compiler"), ("system", "linker")]
    linker, compiler, last = run.steps.values()
    assert (linker.version, linker.sbu, linker.planned_disk_bytes) == ("2.40", 1, 640 * 1024**2)
    assert (compiler.expected_seconds, compiler.planned_memory_bytes) == (5400, 2 * 1024**3)
    assert last.after == ("tools/linker", "compiler")


@pytest.mark.parametrize(
    ("old", "new", "reported"),
    [
        ("[linker]", "[nowhere]", "12:65: phases[0].steps[1].after[0] is 'nowhere': there is no such step"),
        ("[tools/linker, compiler]", "[linker]", "15:32: phases[1].steps[0].after[0] is 'linker': a step can't wait"),
        (
            "phase: system",
            "phase: other\n    steps: [{step: x, after: [linker]}]\n  - phase: system",
            "14:31: phases[1].steps[0].after[0] is 'linker': several phases have a step of that name",
        ),
        ("sbu: 1", "sbu: 1\n        after: [compiler]", "waits, by way of 'after', for itself"),
        ("phase: tools}", "phase: base}", "3:26: milestones[1].phase is 'base': there is no such phase"),
        ("sbu: 1", "sbu: one", "10:14: phases[0].steps[0].sbu is 'one'; allowed: a number"),
        ("disk: 640 MiB", "dsk: 640 MiB", "did you mean 'disk'?"),
        ("step: compiler", "step: linker", "phases[0].steps[1] has the step of phases[0].steps[0]"),
        (YAML, "", "the plan has no steps"),
        (YAML, "phases: [", "not YAML"),
    ],
)
def test_what_is_wrong_by_hand_is_reported_with_its_place(
    command: Command, tmp_path: Path, journal: Path, old: str, new: str, reported: str
) -> None:
    """A mistake in the file is reported with file, line and column, and nothing reaches the journal."""
    file = tmp_path / "plan.yaml"
    file.write_text(YAML.replace(old, new))
    done = command("plan", "yaml", str(file), "--emit", "--build", "mine", "--journal", str(journal))
    assert done.returncode == 2
    assert done.stderr.startswith(f"{file}:")
    assert reported in done.stderr
    assert not list(journal.iterdir())


def test_lines_for_a_journal(command: Command, tmp_path: Path) -> None:
    """A long plan is as many lines as the journal's limit asks for, and reading them gives all of its steps."""
    steps = "".join(f"      - {{step: step-{n}-{'x' * 200}, sbu: 0.1}}\n" for n in range(400))
    file = tmp_path / "plan.yaml"
    file.write_text(f"phases:\n  - phase: long\n    steps:\n{steps}")
    done = command("plan", "yaml", str(file), "--output", "event", "--build", "mine")
    lines = done.stdout.splitlines(keepends=True)
    assert len(lines) > 1
    assert max(map(len, lines)) <= MAX_LINE_BYTES
    path = tmp_path / "20260102T030405Z.jsonl"
    path.write_text(done.stdout)
    assert len(read_run(str(path), "mine", path.stem).steps) == 400


@pytest.mark.parametrize("arguments", [["--emit"], ["--output", "event"], ["--build", "../etc"]])
def test_a_build_must_be_named(command: Command, book: Book, arguments: list[str]) -> None:
    """What goes into a journal needs the name of a build."""
    done = command("plan", "lfs", "--book", str(book()), *arguments)
    assert done.returncode == 2
    assert "--build must name the build" in done.stderr


MAKEFILE = """\
# This file is automatically generated by jhalfs
all:\tmk_LUSER mk_CHROOT
LUSER: 501-linker-pass1
CHROOT: 801-own 802-linker
"""


def test_jhalfs_with_the_books_weights(command: Command, book: Book, tmp_path: Path) -> None:
    """The Makefile's own steps get the weights of the book's, wherever their numbers have gone."""
    (tmp_path / "Makefile").write_text(MAKEFILE)
    done = command("plan", "jhalfs", str(tmp_path), "--book", str(book()), "--output", "json")
    reported = json.loads(done.stdout)
    assert [(step["step"], step.get("sbu")) for step in reported["steps"]] == [
        ("501-linker-pass1", 1), ("801-own", None), ("802-linker", 1),
    ]  # fmt: skip
    assert "1 of 3 steps are not in the book: 801-own" in done.stderr
    assert json.loads(command("plan", "jhalfs", str(tmp_path / "Makefile"), "--output", "json").stdout)["totals"][
        "weighted"
    ] == 0  # fmt: skip


PAGE = """<!DOCTYPE sect1 PUBLIC "-//OASIS//DTD DocBook XML V4.5//EN" "docbookx.dtd" [
  <!ENTITY % general-entities SYSTEM "../../general.ent">
  %general-entities;
  <!-- <!ENTITY fetch-time "9 SBU"> -->
  <!ENTITY fetch-buildsize "38 MB (add 27 MB for tests)">
  <!ENTITY fetch-time "14 SBU using -j8, without tests">
]>
<sect1 id="fetch" xreflabel="fetch-&fetch-version;"><?dbhtml filename="fetch.html"?></sect1>
"""


def test_packages_of_blfs(command: Command, tmp_path: Path) -> None:
    """A package of BLFS has the build time of its own page; one that has none there is named."""
    (tmp_path / "net" / "tools").mkdir(parents=True)
    (tmp_path / "general.ent").write_text('<!ENTITY fetch-version "1.25">')
    (tmp_path / "net" / "tools" / "fetch.xml").write_text(PAGE)
    reported = json.loads(command("plan", "blfs", "--book", str(tmp_path), "--output", "json", "Fetch").stdout)
    (step,) = reported["steps"]
    assert (step["phase"], step["step"], step["version"], step["sbu"]) == ("blfs", "fetch", "1.25", 14)
    assert (step["sbu_figure"]["jobs"], step["sbu_figure"]["includes_tests"]) == (8, False)
    assert step["disk_bytes"] == 38 * 1024**2
    done = command("plan", "blfs", "--book", str(tmp_path), "fetch", "nothing")
    assert (done.returncode, "no page of: nothing" in done.stderr) == (1, True)


def test_errors_are_one_line(command: Command, tmp_path: Path) -> None:
    """A directory that is no book, and no tree of jhalfs, ends with a line that says so."""
    for arguments, reported in (
        (["lfs", "--book", str(tmp_path)], "no LFS book"),
        (["jhalfs", str(tmp_path)], "no Makefile of jhalfs"),
        (["yaml", str(tmp_path / "none.yaml")], "cannot be read"),
    ):
        done = command("plan", *arguments)
        assert done.returncode in (1, 2)
        assert reported in done.stderr
        assert len(done.stderr.splitlines()) == 1

"""The LFS book as a plan: a tiny one of our own, and the real one where it is at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from build_exporter.plan import jhalfs_makefile
from build_exporter.plan.book import Revision, merge_weights, read_book
from build_exporter.plan.jhalfs_makefile import JhalfsStep
from build_exporter.plan.weighted import by_phase, totals
from build_exporter.sources.jhalfs.weights import Weights

Book = Callable[..., Path]
MIB = 1024**2


def test_sections_with_commands_are_the_steps(book: Book) -> None:
    """Steps are numbered within their chapter as jhalfs numbers targets; reading and entering the chroot are none."""
    plan = read_book(book())
    assert [step.planned.step for step in plan.steps] == [
        "501-linker-pass1", "601-Shell", "701-owner", "702-directories", "801-linker", "802-service", "803-Shell",
        "1001-kernel",
    ]  # fmt: skip
    assert [step.planned.after for step in plan.steps[:3]] == [None, ["501-linker-pass1"], ["601-Shell"]]


def test_each_revision_has_its_steps(book: Book) -> None:
    """What is marked for the other init system is left out, and the numbers close up."""
    steps = {step.planned.step for step in read_book(book(), "sysv").steps}
    assert "802-init" in steps
    assert not any("service" in step for step in steps)


def test_entities_are_filled_in(book: Book) -> None:
    """The first declaration holds, comments declare nothing, sections hold by revision, and entities nest."""
    steps = {step.planned.step: step for step in read_book(book()).steps}
    assert steps["501-linker-pass1"].planned.version == "2.44"
    assert steps["601-Shell"].planned.version == "5.3-rc1"
    assert steps["802-service"].planned.version == "9.1-modern"
    shell = steps["601-Shell"]
    assert shell.sbu is not None
    assert shell.sbu.text == "less than 0.1 SBU (about 0.5 SBU with tests)"
    assert (shell.planned.sbu, shell.sbu.with_tests, shell.planned.disk_bytes) == (0.1, 0.5, 1536 * MIB)
    assert steps["1001-kernel"].planned.sbu == 2.5
    assert steps["701-owner"].planned.sbu is None


def test_what_is_missing_is_reported(book: Book) -> None:
    """An entity that no one declared, a build time without a number and a chapter that isn't there are no secrets."""
    notes = "\n".join(read_book(book()).notes)
    assert "chapter04.xml: is not there" in notes
    assert "&kernel-version; is declared nowhere" in notes
    assert "no number in the build time '&service-sbu;'" in notes


def test_milestones_of_a_system(book: Book) -> None:
    """The milestones of an LFS build follow from its phases and steps."""
    reported = {each.name: each.phase or each.step for each in read_book(book()).milestones}
    assert reported == {
        "cross toolchain": "chapter-5", "temporary tools": "chapter-6", "chroot entered": "702-directories",
        "base system": "chapter-8", "bootable": "1001-kernel",
    }  # fmt: skip


def target(name: str, phase: str, package: str | None = None) -> JhalfsStep:
    """Return a step of a Makefile."""
    return JhalfsStep(name, "CHROOT", phase, name, package)


def test_a_tree_is_weighed_by_its_book_or_another(book: Book, tmp_path: Path) -> None:
    """jhalfs keeps its book in the tree; one named elsewhere takes its place; without either there are no weights."""
    steps = (target("501-linker-pass1", "chapter-5"), target("601-Shell", "chapter-6"))
    written = book()
    assert Weights(None).of(tmp_path / "none", steps) == {}
    assert Weights(written).of(tmp_path / "none", steps) == {"501-linker-pass1": 1.0, "601-Shell": 0.1}
    tree = tmp_path / "jhalfs"
    tree.mkdir()
    written.rename(tree / "book-source")
    assert Weights(None).of(tree, steps) == {"501-linker-pass1": 1.0, "601-Shell": 0.1}


def test_a_book_that_cannot_be_read_costs_the_weights_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A build is followed all the same, and one line of the log says why it has no SBU."""
    weights = Weights(tmp_path / "nowhere")
    assert weights.of(tmp_path, (steps := (target("501-a", "chapter-5"),))) == {}
    assert weights.of(tmp_path, steps) == {}
    assert [record.message for record in caplog.records] == ["no weights from the book"]


def test_weights_are_found_though_numbers_shift(book: Book) -> None:
    """A target left out or added shifts those after it; chapter and name, or package, still find the book's step."""
    weighted = read_book(book()).steps
    found = merge_weights(
        [
            target("801-linker", "chapter-8"),
            target("802-Shell", "chapter-8"),
            target("601-sh", "chapter-6", "shell"),
            target("805-other", "chapter-8"),
            target("Cus-001-Shell", "custom"),
        ],
        weighted,
    )
    assert {name: step.planned.step for name, step in found.items()} == {
        "801-linker": "801-linker", "802-Shell": "803-Shell", "601-sh": "601-Shell",
    }  # fmt: skip


@pytest.mark.parametrize("revision", ["systemd", "sysv"])
def test_the_real_book(records: Path, revision: Revision) -> None:
    """Every step of the real book: name, order, package, version, times and spaces, as another reader took them."""
    known = json.loads((records / "lfs-book" / "expected-plan.json").read_text())["flavours"][revision]
    expected = [step for step in known["steps"] if step["script"]]
    plan = read_book(records / "lfs-book", revision)
    assert plan.notes == ()
    assert [step.planned.step for step in plan.steps] == [step["jhalfs_target"] for step in expected]
    for step, other in zip(plan.steps, expected, strict=True):
        planned, sbu, disk = step.planned, step.sbu, step.disk
        assert (planned.package, planned.version) == (other["package"], other["version"])
        assert planned.sbu == other["sbu"], planned.step
        assert (sbu.text if sbu else None) == other["sbu_text"]
        assert (sbu.less_than if sbu else False) == other["sbu_less_than"]
        assert (sbu.with_tests if sbu else None) == other["sbu_with_tests"]
        if other["disk_mb"] is None:
            assert disk is None
        else:
            assert disk is not None
            assert (disk.text, round(disk.typical / MIB, 3)) == (other["disk_text"], other["disk_mb"])
    for phase, steps in by_phase(plan.steps).items():
        sums, total = totals(steps), known["totals"][phase.removeprefix("chapter-")]
        assert (sums.steps, sums.weighted, sums.less_than) == (total["scripts"], total["with_sbu"], total["less_than"])
        assert sums.sbu == pytest.approx(total["sbu_lt_as_0_1"])
        assert (sums.disk_bytes or 0) / MIB == pytest.approx(total["disk_mb_max"])


def test_the_real_book_and_a_makefile_of_jhalfs(records: Path) -> None:
    """A real Makefile of another commit has the book's steps in the book's order, but for what its user changed."""
    made = jhalfs_makefile.read(records / "jhalfs" / "alfs-sysroot" / "20240330.sysv" / "Makefile")
    book = read_book(records / "lfs-book", "sysv").steps
    found = merge_weights(made.steps, book)
    own = [step for step in made.steps if step.phase != "custom"]
    assert len(own) == 122
    assert {step.target for step in own if step.target not in found} == {"854-check"}, "dropped by the book since"
    order = [step.planned.step for step in book]
    places = [order.index(found[step.target].planned.step) for step in own if step.target in found]
    assert len(set(places)) == len(places), "no step of the book is given twice"
    assert [order[i] for i in sorted(set(range(len(order))) - set(places))] == [
        # its user deleted these, jhalfs leaves the last two to the user, and packaging is new in the book
        "814-tcl", "815-expect", "816-dejagnu", "851-packaging", "862-grub", "1002-kernel", "1003-grub",
    ]  # fmt: skip
    moved = [place for place, following in pairwise(places) if following < place]
    assert [order[place] for place in moved] == ["856-kmod"], "the book has moved it since"
    early = [step for step in own if step.phase in {"chapter-4", "chapter-5", "chapter-6", "chapter-7"}]
    assert [found[step.target].planned.step for step in early] == [step.target for step in early]
    weights = {name: step.planned.sbu for name, step in found.items() if step.planned.sbu is not None}
    assert sum(step.sbu is not None for step in made.plan(weights)) == len(weights) == 104

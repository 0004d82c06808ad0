"""Attempts reconciled from the times of a tree's files: both sides of each rule, seconds worked out by hand."""

from __future__ import annotations

import os
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from build_exporter.sources.jhalfs import reconcile
from build_exporter.sources.jhalfs.reconcile import UNMARKED, Reconciled, Reconciler
from build_exporter.sources.jhalfs.tree import JhalfsTree
from build_exporter.sources.make_process import Closed

if TYPE_CHECKING:
    from tests.sources.jhalfs.conftest import Tree

STEPS = ("401-creatingdirs", "402-environment", "501-linker", "601-c++")
Rows = dict[str, tuple[str | None, float | None, float]]


class Bench:
    """A tree written with chosen times, counted in seconds from its first step's date, and the attempts it shows."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.zero = float(int(tree.clock) + 1)

    def log(self, target: str, begin: int, seconds: int | None, changed: float, text: str = "checking\n") -> None:
        """Write a log that began at a time, complete where it states its seconds, last changed at another time."""
        self.tree.clock = self.zero + begin
        self.tree.begin(target, text, after=0)
        if seconds is not None:
            self.tree.write(target, f"\n\nTotalseconds: {seconds}\n\nKB: 1500000\t/mnt/lfs/\n", 0)
        self.touch(f"logs/{self.tree[target].log}", changed)

    def stamp(self, target: str, done: float) -> None:
        """Stamp a step at a time."""
        self.tree.put(target, "", self.zero + done)

    def touch(self, name: str, changed: float) -> None:
        """Set the time of a file."""
        os.utime(self.tree.path / name, (self.zero + changed, self.zero + changed))

    def read(self, closed: Closed | None = None) -> Reconciled:
        """Return what the tree shows."""
        found = JhalfsTree(self.tree.path)
        found.poll(self.zero + 1e6, over=True)
        return Reconciler(found).read(closed)

    def rows(self, closed: Closed | None = None) -> Rows:
        """Return ending, start and end of each attempt."""
        return {
            each.step: (each.ending, None if each.start is None else each.start - self.zero, each.end - self.zero)
            for each in self.read(closed).attempts
        }

    def whole(self, *names: str) -> Bench:
        """Take whole steps of 60 s, each stamped 2 s after its end, 100 s apart."""
        for place, name in enumerate(names):
            self.log(name, 100 * place, 60, 100 * place + 60)
            self.stamp(name, 100 * place + 62)
        return self


@pytest.fixture
def bench(tree: Tree) -> Bench:
    """A tree before its first step."""
    return Bench(tree)


@pytest.mark.parametrize(("done", "end"), [(62.25, 62.25), (58, 58), (57.5, 60), (1860, 1860), (1861, 60)])
def test_a_step_ends_with_its_stamp_where_that_fits(bench: Bench, done: float, end: float) -> None:
    """From two seconds before the log's own end to half an hour after; beyond that by the log."""
    bench.log("401-creatingdirs", 0, 60, 60)
    bench.stamp("401-creatingdirs", done)
    assert bench.rows() == {"401-creatingdirs": ("succeeded", 0, end)}


@pytest.mark.parametrize(("done", "ending"), [(0, "succeeded"), (-1, "succeeded"), (-1.5, None)])
def test_a_stamp_of_the_attempt_before_marks_nothing(bench: Bench, done: float, ending: str | None) -> None:
    """Dates have whole seconds: a stamp up to one before them is of this attempt, unless it is older than the log."""
    bench.log("401-creatingdirs", 0, None, 5)
    bench.stamp("401-creatingdirs", done)
    assert bench.rows()["401-creatingdirs"] == (ending, 0, 0 if ending else 5)
    bench.touch(f"logs/{bench.tree['401-creatingdirs'].log}", -1.5)
    assert bench.rows()["401-creatingdirs"][0] == "succeeded"


@pytest.mark.parametrize("fitting", [0, 1, 2])
def test_a_copy_with_a_log_that_happens_to_fit_is_a_copy(bench: Bench, fitting: int) -> None:
    """Where most files have a later time than the build's, durations come from the logs: no step of ten days."""
    bench.whole(*STEPS[:3])
    for place, name in enumerate(STEPS[:3]):
        bench.touch(name, 900_000)
        if place != fitting:
            bench.touch(f"logs/{bench.tree[name].log}", 900_000)
    assert bench.rows() == {name: ("succeeded", 100 * n, 100 * n + 60) for n, name in enumerate(STEPS[:3])}


def test_half_of_the_logs_are_not_most(bench: Bench) -> None:
    """Where one log fits and one does not, the last step's stamp is not believed: it took no 899,000 s."""
    bench.whole("401-creatingdirs")
    bench.log("402-environment", 100, 60, 900)
    bench.log("501-linker", 1000, None, 900_000)
    bench.stamp("501-linker", 900_000)
    assert bench.rows(Closed.OVER)["501-linker"] == ("succeeded", None, 1000)
    bench.touch("logs/402-environment", 160)
    assert bench.rows(Closed.OVER)["501-linker"] == ("succeeded", 1000, 900_000)


@pytest.mark.parametrize(("changed", "end"), [(660, 62.0), (661, 60.0)])
def test_a_log_near_its_own_end_has_its_own_time(bench: Bench, changed: float, end: float) -> None:
    """Ten minutes from the end that it states itself; later than that it was copied, and its stamp with it."""
    bench.log("401-creatingdirs", 0, 60, changed)
    bench.stamp("401-creatingdirs", 62)
    assert bench.rows()["401-creatingdirs"][2] == end


@pytest.mark.parametrize(("changed", "end"), [(86_400, 86_400), (86_401, 0), (-5, 0), (-6, 0)])
def test_a_log_without_end_has_a_day(bench: Bench, changed: float, end: float) -> None:
    """The only log, still open, was last written up to a day after its date; else its time is that of a copy."""
    bench.log("401-creatingdirs", 0, None, changed)
    assert bench.rows() == {"401-creatingdirs": (None, 0, end)}


@pytest.mark.parametrize("begin", [5, 0])
def test_a_step_was_done_before_the_next_began(bench: Bench, begin: int) -> None:
    """jhalfs begins none after a failure, so what has neither end nor stamp ended when the next began, if at once."""
    bench.log("401-creatingdirs", 0, None, begin)
    bench.log("402-environment", begin, None, 9)
    assert bench.rows() == {"401-creatingdirs": ("succeeded", 0, begin), "402-environment": (None, begin, 9)}


def test_a_copy_that_is_still_written_decides_nothing(bench: Bench) -> None:
    """A stamp whose time is none says that the step is done; how long it took the next poll may show, or nothing."""
    bench.log("401-creatingdirs", 0, None, 900_000)
    bench.stamp("401-creatingdirs", 900_000)
    assert bench.rows() == {"401-creatingdirs": (None, 0, 0)}
    assert bench.rows(Closed.OVER) == {"401-creatingdirs": ("succeeded", None, 0)}
    bench.log("Cus-001-editor", 50, None, 900_000)
    bench.stamp("Cus-001-editor", 900_000)
    assert bench.rows()["Cus-001-editor"] == ("succeeded", None, 50), "the last step has none after it to wait for"


def test_a_run_without_logs_began_with_its_first_stamp(bench: Bench) -> None:
    """Where the logs were thrown away the earliest stamp is all that is known, in whole seconds."""
    for name, done in (("402-environment", 30.0), ("401-creatingdirs", 10.75), ("501-linker", 90.0)):
        bench.stamp(name, done)
    assert bench.read().run_start == bench.zero + 10
    assert bench.rows()["501-linker"] == ("succeeded", None, 90), "when it began, and so how long it took, is not known"


def test_files_changed_after_the_next_step_began_are_copies(bench: Bench) -> None:
    """Most of them, by more than five seconds: then no stamp says when a step ended."""
    bench.whole(*STEPS[:3])
    for name, late in (("401-creatingdirs", 105), ("402-environment", 205)):
        bench.stamp(name, late)
    assert bench.rows()["402-environment"][2] == 205
    for place, name in enumerate(STEPS[:2]):
        bench.stamp(name, 100 * place + 105.5)
    assert bench.rows()["402-environment"][2] == 160


def test_a_finished_tree_is_complete(bench: Bench) -> None:
    """With every step done nothing runs and nothing is pending; one step short it is the one to come."""
    names = [each.target for each in bench.tree.steps]
    bench.whole(*names[:-1])
    found = bench.read()
    assert (found.complete, found.pending) == (False, names[-1])
    assert found.open == {names[-2], names[-1]}
    bench.whole(*names)
    found = bench.read()
    assert (found.complete, found.pending, found.run_start) == (True, None, bench.zero)
    assert {each.ending for each in found.attempts} == {"succeeded"}
    bench.log(names[0], 9000, 60, 9060)
    bench.stamp(names[0], 9061)
    found = bench.read()
    assert (found.complete, found.pending) == (True, None), "what an earlier run built is done"
    assert [each.step for each in found.attempts] == [names[0]]
    bench.whole(*names)
    found = bench.read()
    assert found.current is not None
    assert (found.current.step, found.current.ending) == (names[-1], "succeeded")


def test_a_tree_whose_makefile_was_not_read_is_not_complete(bench: Bench) -> None:
    """Before its first look, or with a Makefile that can't be read, no step is known, and so none is left to do."""
    found = Reconciler(JhalfsTree(bench.tree.path)).read()
    assert (found.complete, found.pending, found.attempts) == (False, None, [])


def test_logs_alone_are_a_finished_build(bench: Bench) -> None:
    """An archive without stamps is done to its last complete log; one log alone is complete or was left so."""
    bench.log(STEPS[0], 0, 60, 60)
    assert bench.rows(Closed.OVER)[STEPS[0]] == ("succeeded", 0, 60)
    assert bench.rows(Closed.GONE)[STEPS[0]] == ("failed", 0, 60)
    for place, name in enumerate(STEPS):
        bench.log(name, 100 * place, 60, 100 * place + 60)
        expected = ["succeeded" if place else "failed"] * (place + 1)
        assert [ending for ending, _, _ in bench.rows(Closed.GONE).values()] == expected
    (bench.tree.path / "logs" / "402-environment").unlink()
    assert bench.rows()["402-environment"] == ("succeeded", 60, 200), "the log of a step between is lost"
    bench.log("601-c++", 300, None, 350)
    assert bench.rows(Closed.OVER)["601-c++"] == ("interrupted", 300, 350)
    assert bench.rows()["601-c++"] == (None, 300, 350)


CLOSING = [
    (60, "checking\n", Closed.GONE, "failed"),
    (60, "checking\n", Closed.OVER, "failed"),
    (None, "checking\n", Closed.GONE, "failed"),
    (None, "checking\n", Closed.OVER, "interrupted"),
    (None, "x.c:5:1: error: boom\n", Closed.OVER, "failed"),
    (None, "x.c:5:1: error: boom\n" + "fine\n" * 25, Closed.OVER, "interrupted"),
    (None, "make: *** [Makefile:3: 402] Interrupt\n", Closed.GONE, "interrupted"),
    (None, "make[2]: *** [Makefile:3: a] Interrupt\nmake: *** [all] Error 2\n", Closed.OVER, "interrupted"),
    (None, "ninja: build stopped: interrupted by user.\n", Closed.GONE, "interrupted"),
]


@pytest.mark.parametrize(("seconds", "text", "closed", "ending"), CLOSING)
def test_a_step_that_does_not_go_on_ends(
    bench: Bench, seconds: int | None, text: str, closed: Closed, ending: str
) -> None:
    """By its complete log without a stamp, by an error among its last lines, by make gone or only known to be over."""
    bench.whole("401-creatingdirs")
    bench.log("402-environment", 100, seconds, 150, text)
    (_, attempt) = bench.read(closed).attempts
    assert (attempt.ending, attempt.end - bench.zero) == (ending, 150)
    assert (attempt.seconds, attempt.disk_bytes) == (None, None), "figures are of a success"
    assert (attempt.message == UNMARKED) == (seconds is not None)
    assert (attempt.message is None) == (ending == "interrupted")
    assert (attempt.message == "x.c:5:1: error: boom") == (ending == "failed" and "boom" in text)
    (_, running) = bench.read().attempts
    assert running.ending is None


def test_a_step_without_end_of_an_earlier_place_was_tried_and_failed(bench: Bench) -> None:
    """It ended when it was last written to, at the latest when the next began; complete it is done."""
    bench.whole(*STEPS[:2])
    bench.log("601-c++", 200, None, 260)
    bench.log("501-linker", 300, None, 350)
    bench.stamp("501-linker", 355)
    assert bench.rows()["601-c++"] == ("failed", 200, 260)
    bench.touch("logs/601-c++-14.2.0", 320)
    assert bench.rows()["601-c++"] == ("failed", 200, 300)
    bench.touch("logs/601-c++-14.2.0", 220)
    bench.tree.put("test-logs/601-c++-14.2.0", "PASS: x", bench.zero + 250)
    assert bench.rows()["601-c++"] == ("failed", 200, 250), "its tests were the last to write"
    bench.log("601-c++", 200, 60, 260)
    assert bench.rows()["601-c++"] == ("succeeded", 200, 260)


def test_a_step_whose_log_is_gone_lies_between_its_neighbours(bench: Bench) -> None:
    """It begins where the one before ends and ends where the next begins; without a stamp beside others it is none."""
    bench.whole(*STEPS[:3])
    (bench.tree.path / "logs" / "402-environment").unlink()
    assert bench.rows()["402-environment"] == ("succeeded", None, 162), "by its own stamp"
    for name in STEPS[:3]:
        bench.touch(name, 900_000)
    for name in (STEPS[0], STEPS[2]):
        bench.touch(f"logs/{bench.tree[name].log}", 900_000)
    assert bench.rows()["402-environment"] == ("succeeded", 60, 200)
    bench.log(STEPS[0], 0, 260, 900_000)
    assert bench.rows()["402-environment"] == ("succeeded", None, 200), "the one before seems to overlap the next"
    bench.log(STEPS[0], 0, 60, 900_000)
    (bench.tree.path / "402-environment").unlink()
    assert "402-environment" not in bench.rows()


def test_what_began_before_the_first_step_is_of_an_earlier_run(bench: Bench) -> None:
    """Built anew from its first step on, a tree shows no attempt of the build before."""
    bench.whole(*STEPS[:2])
    bench.log("401-creatingdirs", 1000, None, 1010)
    (bench.tree.path / "logs" / "402-environment").unlink()  # its stamp is older than the run
    assert bench.rows() == {"401-creatingdirs": (None, 1000, 1010)}
    assert bench.read().run_start == bench.zero + 1000


def test_a_clean_disk_gives_no_negative_use(bench: Bench) -> None:
    """A step that leaves less than it found used an unknown amount; what stood there before is kept."""
    bench.log("401-creatingdirs", 0, 60, 60)
    path = bench.tree.path / "logs" / "401-creatingdirs"
    for last, disk in ((1_500_000, 500_000 * 1024), (1_000_000, 0), (999_999, None)):
        path.write_text(path.read_text().rpartition("KB: ")[0] + f"KB: {last}\t/mnt/lfs/\n")
        bench.touch("logs/401-creatingdirs", 60)
        bench.stamp("401-creatingdirs", 61)
        (attempt,) = bench.read().attempts
        assert (attempt.seconds, attempt.disk_bytes, attempt.disk_before_bytes) == (60, disk, 1_000_000 * 1024)


def test_an_attempt_is_of_a_package(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its version and its log; without the log the report at the end of the build has its seconds and bytes."""
    bench.whole(*STEPS)
    attempt = bench.read().attempts[3]
    assert (attempt.package, attempt.version, attempt.seconds) == ("c++", "14.2.0", 60)
    assert attempt.log == str(bench.tree.path / "logs/601-c++-14.2.0")
    (bench.tree.path / "logs/601-c++-14.2.0").unlink()
    assert bench.read().attempts[3].seconds is None
    asked = []

    class Reported:
        seconds, disk_bytes = 55, 66

        def entry(self, *step: str) -> Reported:
            asked.append(step)
            return self

    monkeypatch.setattr(reconcile, "report_beside", lambda *_: Reported())
    attempt = bench.read().attempts[3]
    assert (attempt.seconds, attempt.disk_bytes, asked) == (55, 66, [("chapter-6", "601-c++")])


def test_a_date_that_cannot_be_read_is_the_end_of_the_step_before(bench: Bench) -> None:
    """Steps follow each other, so the next one began when the one before had taken its time."""
    bench.whole(*STEPS[:2])
    path = bench.tree.path / "logs" / "402-environment"
    path.write_text("no date\n" + path.read_text().partition("\n")[2])
    bench.touch("logs/402-environment", 160)
    assert bench.rows()["402-environment"] == ("succeeded", 60, 162)


@pytest.mark.parametrize(("setting", "hours"), [("Asia/Shanghai", 8), ("America/Chicago", -6)])
def test_the_configured_zone_says_what_an_abbreviation_means(bench: Bench, setting: str, hours: int) -> None:
    """CST in the new system's logs is that of jhalfs' setting, where nothing else decides."""
    bench.tree.zone = timezone(timedelta(hours=hours), "CST")
    bench.tree.put("jhalfs.config", f"TIMEZONE <{setting}>\n")
    bench.log("801-Shell", 0, None, 900_000)
    assert bench.read().run_start == bench.zero

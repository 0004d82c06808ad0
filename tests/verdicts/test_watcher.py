"""What is observed of a step's processes over the last seconds, worked out by hand from samples made up for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from story import run_of, start

from build_exporter.model.states import Verdict
from build_exporter.verdicts import watcher
from build_exporter.verdicts.blocked import Waits
from build_exporter.verdicts.judge import Judgement, Observation
from build_exporter.verdicts.roots import _oldest, _Process
from build_exporter.verdicts.watcher import JUDGE_SECONDS, NOT_KNOWN, Verdicts

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Process:
    """A process of a sample."""

    pid: int = 7
    parent: int = 1
    ticks: int = 0
    name: str = "x"
    state: str = "S"
    faults: int = 0


@dataclass
class Tree:
    """A process tree: what it used, and its processes."""

    ticks: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    members: dict[int, Process] = field(default_factory=lambda: {7: Process()})

    @property
    def root(self) -> Process:
        """The root."""
        return next(iter(self.members.values()))

    def used(self) -> Tree:
        """Return what it used."""
        return self


@dataclass
class Watched:
    """A step that is sampled: the clock, the observations judged, and when its waits were asked for."""

    verdicts: Verdicts
    now: float = 0.0
    seen: list[Observation] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    waits: Waits = field(default_factory=Waits)

    def sample(self, time: float, tree: Tree | None = None, **used: Any) -> None:
        """Take a sample at a time."""
        self.now = time
        trees: dict[str, dict[int, Any]] = {"b": {7: tree or Tree(**used)}} if used != {"gone": 1} else {}
        self.verdicts.observe(trees)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watched]:
    """Return a function that watches a step with a log; the wall clock is a thousand seconds ahead."""

    def make(**fields: Any) -> Watched:
        run = run_of(start(1, pid=7, log=str(tmp_path / "log"), **fields))
        made = Watched(
            Verdicts(lambda: [run], wall=lambda: 1000.0 + made.now, clock=lambda: made.now, proc=str(tmp_path))
        )

        def judge(seen: Observation) -> Judgement:
            made.seen.append(seen)
            return Judgement(Verdict.IDLE)

        def waits_of(*_: Any) -> Waits:
            made.asked.append(made.now)
            return made.waits

        monkeypatch.setattr(watcher, "JUDGE_SECONDS", 2.0)
        monkeypatch.setattr(watcher, "judge", judge)
        monkeypatch.setattr(watcher, "waits_of", waits_of)
        return made

    return make


def test_processor_time_is_averaged_over_the_last_eight_seconds(watched: Callable[..., Watched]) -> None:
    """Half a CPU for eight seconds, then nothing: at two-second looks the average falls by an eighth of a CPU each."""
    step = watched()
    for second in range(17):
        step.sample(second, ticks=TICKS // 2 * min(second, 8))
    assert [each.cpu for each in step.seen] == pytest.approx([0, 0.5, 0.5, 0.5, 0.5, 0.375, 0.25, 0.125, 0])
    assert [each.seconds for each in step.seen] == [0, 2, 4, 6, 8, 8, 8, 8, 8]
    assert [each.quiet_seconds for each in step.seen] == [0, 0, 0, 0, 0, 2, 4, 6, 8]
    assert step.asked == [12, 14, 16], "what it waits for is asked after four quiet seconds"


@pytest.mark.parametrize(("apart", "judged"), [(1, [0, 4, 8, 12]), (2, [0, 4, 8, 12]), (5, [0, 5, 10])])
def test_a_step_is_judged_every_four_seconds(
    watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch, apart: int, judged: list[float]
) -> None:
    """From samples each second, or two seconds apart; from those that cost more, at each of them."""
    step = watched()
    found: list[float] = []
    monkeypatch.setattr(watcher, "JUDGE_SECONDS", JUDGE_SECONDS)
    for second in range(0, 14, apart):
        step.sample(second, ticks=TICKS * second)
        found += [second] * (len(step.seen) - len(found))
    assert found == judged


@pytest.mark.parametrize(
    ("used", "quiet"),
    [({"ticks": TICKS * 2 // 100}, 2), ({"ticks": TICKS * 3 // 100}, 0), ({"read_bytes": 1}, 0),
     ({"written_bytes": 1}, 0), ({}, 2)],
)  # fmt: skip
def test_a_fiftieth_of_a_cpu_is_quiet(watched: Callable[..., Watched], used: dict[str, Any], quiet: float) -> None:
    """A process that wakes up now and then is; one that computes more, reads or writes is not."""
    step = watched()
    for second in range(3):
        step.sample(second, Tree(**{name: (second + 1) * amount for name, amount in used.items()}))
    assert step.seen[-1].quiet_seconds == quiet
    assert step.seen[-1].io_bytes == 2 * (used.get("read_bytes", 0) + used.get("written_bytes", 0))


def test_processes_are_counted_by_their_state(watched: Callable[..., Watched]) -> None:
    """Stopped ones by a signal or a debugger; pages read back are a rate, and never below nothing."""
    step = watched()
    members = {pid: Process(pid, state=state, faults=10 * pid) for pid, state in enumerate("STtRDZX", 7)}
    step.sample(0, Tree(members=members))
    step.sample(2, Tree(members={pid: replace(each, faults=each.faults + 5) for pid, each in members.items()}))
    step.sample(4, Tree(members={7: Process()}))
    assert [(each.processes, each.stopped, each.faults) for each in step.seen] == [(5, 2, 0), (5, 2, 17.5), (1, 0, 0)]


def test_the_longest_silence_is_one_that_ended(watched: Callable[..., Watched], tmp_path: Path) -> None:
    """How long the log was silent while the step worked, at most; a silence that lasts is none of it."""
    step, log = watched(), tmp_path / "log"
    log.write_text("x")
    for second, changed in enumerate((0, 0, 0, 0, 4, 4, 4)):
        os.utime(log, (1000 + changed, 1000 + changed))
        step.sample(second, ticks=TICKS * min(second, 6))
    assert [each.log_silence for each in step.seen] == [0, 2, 0, 2]
    assert [each.longest_silence for each in step.seen] == [0, 2, 2, 2]
    for second in (8, 10):
        step.sample(second, ticks=TICKS * 6)
    assert [(each.log_silence, each.longest_silence) for each in step.seen[-2:]] == [(4, 2), (6, 2)]
    os.utime(log, (2000, 2000))
    step.sample(12)
    assert step.seen[-1].log_silence == 0, "a time to come is no silence"


def test_a_silence_from_before_it_was_watched_is_none_of_it(watched: Callable[..., Watched], tmp_path: Path) -> None:
    """A log that was silent for long when the watching began, of a step that does nothing, tells no longest silence."""
    (tmp_path / "log").write_text("x\n")
    os.utime(tmp_path / "log", (900, 900))
    step = watched()
    for second in (0, 2, 4):
        step.sample(second)
    assert [(each.log_silence, each.longest_silence) for each in step.seen] == [(100, 0), (102, 0), (104, 0)]


def test_what_is_found_of_the_waits_is_judged(watched: Callable[..., Watched]) -> None:
    """Who reads from the terminal, in words what each waits for, whether nothing can end it, who is not seen."""
    step = watched()
    step.waits = Waits("cat", ("x waits for a lock",), True, "sh")
    for second in range(0, 6, 2):
        step.sample(second)
    last = step.seen[-1]
    assert (last.reading, last.waits, last.is_closed) == ("cat", ("x waits for a lock",), True)
    assert last.hidden == "sh waits for a process that is not seen"
    assert (step.seen[1].reading, step.seen[1].is_closed, step.seen[1].hidden) == ("", False, "")


def test_what_control_groups_say_is_judged(watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the root's group: a share of memory, of the time since the last look, and a freezer, once nothing is used."""
    asked: list[Any] = []

    class Limits:
        def __init__(self, *of: Any) -> None:
            asked.append(of[0])

        def memory_pressure(self) -> float:
            return 0.3

        def throttled(self, seconds: float) -> float:
            asked.append(seconds)
            return 0.6

        def is_frozen(self) -> bool:
            return True

    monkeypatch.setattr(watcher, "Limits", Limits)
    step = watched()
    for second in (100, 102, 104, 107):
        step.sample(second, ticks=TICKS * min(second, 104))
    assert [(each.memory_pressure, each.throttled) for each in step.seen] == [(0.3, 0.6)] * 4
    assert [each.is_frozen for each in step.seen] == [False, False, False, True]
    assert (asked[0], asked[2:]) == (7, [2, 2, 3])


def test_the_kind_of_work_is_that_of_the_last_look(watched: Callable[..., Watched], tmp_path: Path) -> None:
    """By the time used since then, not since the start; a new process counts by its presence alone."""
    step = watched()
    for second, cc1, ld in ((0, 1000, 0), (2, 1000, 50), (4, 1080, 100)):
        step.sample(second, Tree(members={7: Process(name="cc1", ticks=cc1), 8: Process(8, 7, ld, "ld")}))
    assert [each.program for each in step.seen] == ["cc1", "ld", "cc1"]
    assert [each.activity for each in step.seen] == [Verdict.COMPILING, Verdict.LINKING, Verdict.COMPILING]
    step = watched()
    (tmp_path / "7").mkdir()
    # what a shell was asked for is read at two looks: `sh -c` may have become another program at the second
    for second, words in enumerate(("-c x", "./configure", "-c x")):
        (tmp_path / "7" / "cmdline").write_text("\0".join(["sh", *words.split()]))
        step.sample(2 * second, Tree(members={7: Process(name="sh"), 8: Process(8, 7, name="cc1")}))
    assert [each.activity for each in step.seen] == [Verdict.COMPILING, Verdict.CONFIGURING, Verdict.CONFIGURING]
    step = watched()
    for second, words in enumerate(("-c x", "-c x", "./configure")):
        (tmp_path / "7" / "cmdline").write_text("\0".join(["sh", *words.split()]))
        step.sample(2 * second, Tree(members={7: Process(name="sh"), 8: Process(8, 7, name="cc1")}))
    assert {each.activity for each in step.seen} == {Verdict.COMPILING}


@pytest.mark.parametrize(("states", "held_by"), [("ST", "as"), ("TS", ""), ("TT", "as"), ("STS", ""), ("STT", "as")])
def test_who_holds_the_others_up(watched: Callable[..., Watched], states: str, held_by: str) -> None:
    """The first without children where all of those are stopped, whatever their parent does."""
    step = watched()
    names = zip(("make", "as", "cc1"), states, strict=False)
    step.sample(0, Tree(members={n: Process(n, min(n - 1, 7), 0, name, s) for n, (name, s) in enumerate(names, 7)}))
    assert step.seen[-1].held_by == held_by


def test_a_step_that_is_not_seen_any_more_begins_anew(watched: Callable[..., Watched]) -> None:
    """Nothing of its samples is left, and which process is its own is not known until it is seen."""
    step = watched()
    for second in range(5):
        step.sample(second)
    step.sample(5, gone=1)
    step.sample(6, ticks=5)
    assert [(each.seconds, each.quiet_seconds) for each in step.seen[-2:]] == [(4, 4), (0, 0)]


def test_so_many_steps_are_judged_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A build that runs a thousand steps at once does not cost a thousand looks."""
    monkeypatch.setattr(watcher, "MAX_STEPS", 3)
    run = run_of(*(start(number + 1, f"{number}", pid=number + 7) for number in range(5)))
    verdicts = Verdicts(lambda: [run], pid_of=lambda _, step: step.pid, proc=str(tmp_path))
    verdicts.observe({"b": {pid: Tree(members={pid: Process(pid)}) for pid in range(7, 12)}})
    words = [found.evidence for step in run.running.values() if (found := verdicts.judgement(run, step)) is not None]
    assert ["no process of the step is seen" in each for each in words] == [False] * 3 + [True] * 2
    unknown = Verdicts(lambda: [run], pid_of=lambda *_: None, proc=str(tmp_path))
    assert unknown.judgement(run, run.steps["p", "0"]) is NOT_KNOWN


def test_of_several_processes_the_oldest_is_the_steps() -> None:
    """Whoever began first has the others below it; of one tick the lower number, and of none there is none."""
    found = [_Process(pid, 1, 1, begun) for pid, begun in ((9, 50), (8, 40), (7, 41), (6, 99), (12, 40))]
    assert (_oldest(found), _oldest([])) == (8, 0)

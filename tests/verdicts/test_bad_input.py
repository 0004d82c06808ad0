"""What can't be seen is `unknown`, with the reason: hidden and foreign processes, pids used again, silent logs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from build_exporter.collectors.host.process_tree import ProcessTrees
from build_exporter.model import events as e
from build_exporter.sources.protocol import Settings
from build_exporter.sources.registry import recognise
from build_exporter.tracker import Run, Step, apply, apply_all
from build_exporter.verdicts import Judgement, StepRoots, Verdicts

EXAMPLES: Final = Path(__file__).parents[2] / "examples" / "recorded"
TICK: Final = os.sysconf("SC_CLK_TCK")
HOUR: Final = 3600


class World:
    """A run with a running step, and an exporter that looks at it by a clock set by hand; /proc may be written by it.

    Attributes:
        now: seconds since boot, and since 1970.
    """

    def __init__(self, proc: Path | str, now: float = 1000.0, **step: object) -> None:
        self.now, self.proc = now, Path(proc)
        self.run = Run("lfs", "20260101T000000Z")
        apply_all(self.run, [e.StepStarted(time=now, build="lfs", phase="p", step="s", **step)])  # type: ignore[arg-type]
        self.roots = StepRoots(lambda: [self.run], str(proc), clock=self._clock)
        self.verdicts = Verdicts(lambda: [self.run], self.roots.pid_of, self._clock, self._clock, str(proc))
        self.trees = ProcessTrees(self.roots, str(proc), self._clock, self._clock, self.verdicts.observe)

    def _clock(self) -> float:
        return self.now

    @property
    def step(self) -> Step:
        """The step."""
        return self.run.steps["p", "s"]

    def look(self, seconds: float = 2.0, times: int = 1) -> Judgement:
        """Return what is judged after so many looks, each some seconds after the one before."""
        for _ in range(times):
            self.now += seconds
            list(self.trees.collect())
        found = self.verdicts.judgement(self.run, self.step)
        assert found is not None
        return found

    def process(
        self, pid: int, name: str = "cc1", *, start: float = 1000.0, ticks: int = 0, parent: int = 1, state: str = "S"
    ) -> None:
        """Write a process, as proc(5) has it, begun so many seconds after boot."""
        place = self.proc / str(pid)
        place.mkdir(exist_ok=True)
        used = f"0 0 0 0 {ticks} 0 0 0"
        rest = f"20 0 1 0 {int(start * TICK)} 4096 100"
        (place / "stat").write_text(f"{pid} ({name}) {state} {parent} {pid} {pid} 0 -1 0 {used} {rest} {'0 ' * 27}0\n")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        # root sees no other user's process without the right to trace them, and the group that may
        (["setpriv", "--reuid=65534", "--", "sleep", "600"], "/proc hides those of other users (hidepid)"),
        (["sh", "-c", "setpriv --reuid=65534 -- sleep 600; true"], "sh waits for a process that is not seen"),
    ],
)
def test_a_proc_that_hides_processes(command: list[str], reason: str, tmp_path: Path) -> None:
    """With hidepid a step of another user is `unknown`, and so is one whose shell waits for such a process."""
    program = (
        "import subprocess, sys, time; sys.path[:0] = sys.argv[1].split(':')\n"
        "from test_bad_input import World\n"
        "process = subprocess.Popen(sys.argv[2:]); time.sleep(0.5)\n"
        "world = World('/proc', time.clock_gettime(time.CLOCK_BOOTTIME), pid=process.pid)\n"
        "found = world.look(2.0, 40); print(found.verdict, *found.evidence, sep='; '); process.kill()\n"
    )
    inside = (
        "mount -t proc -o hidepid=2 proc /proc && "
        'exec setpriv --regid=65534 --clear-groups --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace -- "$@"'
    )
    words = [sys.executable, "-c", program, f"{Path(__file__).parent}:{':'.join(sys.path)}", *command]
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside, "sh"]
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("mounting /proc takes root and unshare")
    if (tried := subprocess.run([*apart, "true"], capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"no other /proc can be mounted here: {tried.stderr[-80:]}")
    found = subprocess.run([*apart, *words], capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert found.stdout.startswith("unknown; "), found.stderr
    assert reason in found.stdout


def test_a_process_of_another_pid_namespace() -> None:
    """A build in a container is not judged by the process that has the same number here."""
    unshare = shutil.which("unshare")
    program = (
        "import os, sys; sys.path[:0] = sys.argv[1].split(':')\n"
        "from build_exporter.journal.layout import pid_namespace; print(pid_namespace(), os.getpid())"
    )
    command = ["--pid", "--fork", "--mount-proc", sys.executable, "-c", program, ":".join(sys.path)]
    inside = subprocess.run([unshare or "false", *command], capture_output=True, text=True, check=False)
    if inside.returncode:
        pytest.skip(f"no pid namespaces here: {inside.stderr[-80:]}")
    namespace, pid = inside.stdout.split()
    assert pid == "1"
    # the number is that of a process which is here, and no child of init
    world = World("/proc", 1.0, pid=os.getpid(), pid_namespace=namespace)
    judged = world.look(2.0, 10)
    assert (judged.verdict, judged.evidence) == ("unknown", ("its process is of another pid namespace or boot",))
    assert world.roots() == {}


def test_a_pid_used_again(tmp_path: Path) -> None:
    """A process that got the number of the step's, before the exporter began or later, is not judged for it."""
    world = World(tmp_path, pid=7)
    world.process(7, ticks=0)
    world.look()
    world.process(7, ticks=300)
    assert world.look().verdict == "compiling"
    world.process(7, "sleep", start=1500.0)
    judged = world.look()
    assert (judged.verdict, judged.evidence) == ("unknown", ("no process of the step is seen",))
    late = World(tmp_path, now=1000.0, pid=7)
    late.now = 1600.0
    assert late.look().verdict == "unknown"


def test_processes_that_vanish_between_two_reads(tmp_path: Path) -> None:
    """A process that ends while it is read, its files half gone, makes no verdict up."""
    world = World(tmp_path, pid=7)
    world.process(7)
    world.process(8, "as", parent=7)
    assert world.look(times=3).verdict == "compiling"
    (tmp_path / "8" / "stat").write_text("")
    (tmp_path / "9").mkdir()
    assert world.look().verdict == "compiling"
    (tmp_path / "7" / "stat").write_text("7 (cc1")
    assert world.look().evidence == ("no process of the step is seen",)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log that ends within a line."""
    path = tmp_path / "log"
    path.write_text("Downloading and asking: proceed? ")
    return path


def test_a_log_without_an_end_of_line_for_an_hour(tmp_path: Path, log: Path) -> None:
    """A step whose log ends within a line is not called stuck where it can't be seen what it waits for."""
    (proc := tmp_path / "proc").mkdir()
    world = World(proc, pid=7, log=str(log))
    world.process(7, "frob")
    os.utime(log, (world.now, world.now))
    assert world.look(10.0).verdict != "stuck"
    judged = world.look(10.0, HOUR // 10)
    assert judged.verdict == "unknown"
    assert judged.evidence[-1] == "its log ends within a line: it may wait for an answer"
    log.write_text("done\n")
    os.utime(log, (1000.0, 1000.0))
    assert world.look().verdict == "stuck", "a whole line, and nothing since"


def test_a_line_that_grows_for_an_hour(tmp_path: Path, log: Path) -> None:
    """Dots written one after the other into a line that has no end yet are life."""
    (proc := tmp_path / "proc").mkdir()
    world = World(proc, pid=7, log=str(log))
    world.process(7, "frob")
    for _ in range(HOUR // 60):
        with log.open("a") as file:
            file.write(".")
        os.utime(log, (world.now, world.now))
        assert world.look(60.0).verdict in ("idle", "unknown")


def recorded() -> Iterator[tuple[str, list[e.Event]]]:
    """Yield the events of each recorded build: those of this repository, and those of others where they are here."""
    for path in sorted(EXAMPLES.glob("*/*.jsonl")):
        yield path.parent.name, [msgspec.json.decode(line, type=e.AnyEvent) for line in path.read_bytes().splitlines()]
    for path in _foreign(Path(os.environ.get("BUILD_RECORDS", "/nonexistent"))):
        kind = recognise(path)
        if kind is not None:
            source = kind.make(Settings(path, "lfs"))
            yield path.name, [each.event for each in source.poll(4e9)]


def _foreign(records: Path) -> Iterator[Path]:
    for pattern in ("jhalfs/jhalfs-ci/*.report", "jhalfs/alfs-sysroot/*", "buildroot/*.log", "ninja/*_log"):
        yield from sorted(records.glob(pattern))


def test_no_recorded_build_is_stuck(start_deadlock: Callable[[], int]) -> None:
    """At no moment of a recorded build is a step stuck, though its pids be those of a deadlock here."""
    pid, builds, judged = start_deadlock(), 0, 0
    for name, events in recorded():
        run, now = Run(name, "20260101T000000Z"), 0.0
        roots = StepRoots(lambda: [run], clock=lambda: now)  # noqa: B023 - used in this round alone
        verdicts = Verdicts(lambda: [run], roots.pid_of)  # noqa: B023
        trees = ProcessTrees(roots, observe=verdicts.observe)
        for number, event in enumerate(events):
            if isinstance(event, e.StepStarted):
                event.pid, event.pid_namespace = pid, None
            apply(run, event)
            if number % max(1, len(events) // 12) == 0 and run.running:
                list(trees.collect())
            for step in run.running.values():
                found = verdicts.judgement(run, step)
                assert found is not None
                assert found.verdict == "unknown"
                assert found.evidence == ("no process of the step is seen",)
                judged += 1
        trees.close()
        builds += 1
    assert builds >= 2
    assert judged > 10 * builds


@pytest.fixture
def start_deadlock() -> Iterator[Callable[[], int]]:
    """Start a process that waits for itself; return its pid."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> int:
        words = [sys.executable, "-c", "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()"]
        started.append(subprocess.Popen(words))
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.wait(10)

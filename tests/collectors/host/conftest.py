"""Machines for the host collectors: one planted as files, and the real one as node_exporter sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psutil
import pytest
from ports import free_port
from prometheus_client.parser import text_string_to_metric_families

from build_exporter.collectors.host import process
from build_exporter.collectors.host.cpu import Cpu
from build_exporter.collectors.host.disk import Disk
from build_exporter.collectors.host.filesystem import Filesystem
from build_exporter.collectors.host.frequency import Frequency
from build_exporter.collectors.host.load import Load
from build_exporter.collectors.host.memory import Memory
from build_exporter.collectors.host.network import Network
from build_exporter.collectors.host.pressure import Pressure
from build_exporter.collectors.host.process_tree import ProcessTrees
from build_exporter.collectors.host.swap import Swap
from build_exporter.collectors.host.temperature import Temperature
from build_exporter.collectors.host.throttling import Throttling
from build_exporter.collectors.runners import Collector
from build_exporter.exposition import TEXT, Family, render

Samples = dict[str, float]
Statvfs = Callable[[bytes], os.statvfs_result | None]
Collected = Callable[[Path, Statvfs], Iterator[Family]]


@pytest.fixture
def samples_of() -> Callable[[Iterable[Family]], Samples]:
    """Return the function that turns families into values by `name{label="value",…}`, as they are exposed."""

    def samples(families: Iterable[Family]) -> Samples:
        lines = render(families, TEXT).decode().splitlines()
        pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        found = {series: float(value) for series, _, value in pairs}
        assert len(found) == len(pairs), "a series stands there twice"
        return found

    return samples


@pytest.fixture
def machine() -> Iterator[Path]:
    """Return a directory with the `proc` and `sys` of the machine in machine.txt, readable by everyone."""
    root = Path(tempfile.mkdtemp(prefix="machine-"))
    root.chmod(0o755)
    text = Path(__file__).with_name("machine.txt").read_text(encoding="utf-8")
    for block in text.split("\n=== ")[1:]:
        head, _, content = block.partition("\n")
        name, _, target = head.partition(" -> ")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            path.symlink_to(target)
        else:
            path.write_text(content if content.endswith("\n") else content + "\n", encoding="utf-8")
    yield root
    for each in (path for path in root.rglob("*") if path.is_dir() and not path.is_symlink()):
        # a test may have closed it, even to its owner
        each.chmod(0o755)
    shutil.rmtree(root)


@pytest.fixture
def psutil_reads(machine: Path) -> Iterator[Path]:
    """Let psutil read the planted machine for the time of a test."""
    real, load = psutil.PROCFS_PATH, psutil.getloadavg
    _forget_counters()
    psutil.PROCFS_PATH = str(machine / "proc")
    # asks the kernel otherwise, not /proc
    psutil.getloadavg = lambda: tuple(map(float, (machine / "proc/loadavg").read_text().split()[:3]))  # type: ignore[assignment,return-value]
    yield machine
    psutil.PROCFS_PATH, psutil.getloadavg = real, load
    _forget_counters()


def _forget_counters() -> None:
    psutil.disk_io_counters.cache_clear()  # type: ignore[attr-defined]
    psutil.net_io_counters.cache_clear()  # type: ignore[attr-defined]


@pytest.fixture
def collected() -> Collected:
    """Return a function that samples each topic twice under a directory and gives the second families."""

    def collect(root: Path, statvfs: Statvfs) -> Iterator[Family]:
        proc, sys = str(root / "proc"), str(root / "sys")
        cpu = Cpu(proc)
        list(cpu.collect())
        stat = root / "proc/stat"
        # a tenth of a second on, half of it idle
        stat.write_text(stat.read_text().replace("cpu  1001 202 303 40404", "cpu  1021 202 303 40424"))
        topics: list[Collector] = [cpu, Load(), Memory(proc), Swap(proc), Pressure(proc), Disk(sys), Network()]
        topics += [Throttling(sys), Temperature(sys), Frequency(proc, sys), Filesystem(proc, statvfs)]
        for topic in topics:
            yield from topic.collect()

    return collect


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """Return a context in which this process is a user who may not read everything, whoever runs the tests."""

    @contextmanager
    def become_nobody() -> Iterator[None]:
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(user)

    return become_nobody


class Peer:
    """A node_exporter on this machine."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/metrics"

    def scrape(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Return labels and value of each sample, by name."""
        with urllib.request.urlopen(self._address, timeout=10) as answer:
            text = answer.read().decode()
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found


@pytest.fixture(scope="session")
def node_exporter() -> Iterator[Peer]:
    """Return a running node_exporter on a free loopback port."""
    binary = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if binary is None:
        pytest.skip("node_exporter is not installed")
    port = free_port()
    process = subprocess.Popen(
        # Debian's leaves out the loopback interface
        [binary, f"--web.listen-address=127.0.0.1:{port}", "--collector.netdev.device-exclude=^none$"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peer = Peer(port)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                peer.scrape()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield peer
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def process_trees() -> Iterator[Callable[..., ProcessTrees]]:
    """Return the constructor of process trees; their descriptors are given back after the test."""
    made: list[ProcessTrees] = []

    def make(*arguments: object, **named: object) -> ProcessTrees:
        made.append(ProcessTrees(*arguments, **named))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for trees in made:
        trees.close()


TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Kernel:
    """Processes as files, added up as the kernel does when a parent has waited for its child."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.uptime = 1000.0
        self.alive: dict[int, dict[str, int]] = {}
        self._next = 100
        self._forks = 0
        (self.proc / "self/ns").mkdir(parents=True)
        (self.proc / "sys/kernel").mkdir(parents=True)
        if self.proc.stat().st_nlink == 4:
            # the file system counts directories in directories, as /proc counts processes
            (self.proc / "self/ns/pid").symlink_to("pid:[4026531836]")
        (self.proc / "self/mountinfo").write_text(f"1 0 0:1 / {root}/cgroup rw - cgroup2 cgroup2 rw\n")
        (self.proc / "self/cgroup").write_text("0::/system.slice/exporter.service\n")

    def fork(self, parent: int = 1, pid: int | None = None, *, given_out: bool = False) -> int:
        """Start a process, whose pid may have been given out before; return its pid."""
        pid = pid or self._next
        self._next = max(self._next, pid) + 1
        start = int(self.uptime * os.sysconf("SC_CLK_TCK"))
        self.alive[pid] = {"parent": parent, "start": start, "own": 0, "waited": 0, "io": 0, "waited_io": 0, "rss": 1}
        if not given_out:
            self.give_out_pid()
        (self.proc / str(pid)).mkdir()
        self._write(pid)
        return pid

    def give_out_pid(self) -> None:
        """Change the figure that each fork changes."""
        self._forks += 1
        (self.proc / "sys/kernel/ns_last_pid").write_text(f"{self._forks}\n")

    def use(self, pid: int, ticks: int = 0, written: int = 0, pages: int | None = None) -> None:
        """Let a process use CPU, write, or grow."""
        process = self.alive[pid]
        process["own"] += ticks
        process["io"] += written
        process["rss"] = process["rss"] if pages is None else pages
        self._write(pid)

    def exit(self, pid: int) -> None:
        """End a process: its children go to init, and its parent waits for it at once."""
        process = self.alive.pop(pid)
        for child, theirs in self.alive.items():
            if theirs["parent"] == pid:
                theirs["parent"] = 1
                self._write(child)
        parent = self.alive.get(process["parent"])
        if parent is not None:
            parent["waited"] += process["own"] + process["waited"]
            parent["waited_io"] += process["io"] + process["waited_io"]
            self._write(process["parent"])
        for file in (self.proc / str(pid)).iterdir():
            file.write_text("")  # whoever has it open reads nothing any more, as of a process that ended
        shutil.rmtree(self.proc / str(pid))

    def _write(self, pid: int) -> None:
        at, place = self.alive[pid], self.proc / str(pid)
        name = f"({pid}) odd (name"
        fields = [at["parent"], *[0] * 9, at["own"], 0, at["waited"], 0, 20, 0, 1, 0, at["start"], 999, at["rss"], 7, 8]
        (place / "stat").write_text(f"{pid} ({name}) S {' '.join(map(str, fields))}\n")
        written = at["io"] + at["waited_io"]
        counts = {"rchar": 1, "wchar": 2, "syscr": 3, "syscw": 4, "read_bytes": 2 * written, "write_bytes": written}
        (place / "io").write_text("".join(f"{key}: {value}\n" for key, value in counts.items()))
        (place / "cgroup").write_text("0::/system.slice/exporter.service\n")


@pytest.fixture
def kernels() -> Iterator[Callable[[], Kernel]]:
    """Return a function that makes empty process tables; removed after the test."""
    made: list[Path] = []

    def make() -> Kernel:
        made.append(Path(tempfile.mkdtemp(prefix="kernel-")))
        return Kernel(made[-1])

    yield make
    for root in made:
        shutil.rmtree(root)


@pytest.fixture
def kernel(kernels: Callable[[], Kernel]) -> Kernel:
    """Return an empty process table."""
    return kernels()


class Watch:
    """Process trees over a planted process table, and their newest figures."""

    def __init__(self, kernel: Kernel, samples_of: Callable[[Iterable[Family]], Samples]) -> None:
        self.roots: Mapping[str, Collection[int]] = {}
        self.now = 1.7e9
        self._kernel = kernel
        self._samples_of = samples_of
        self._trees = ProcessTrees(
            lambda: self.roots, str(kernel.proc), boottime=lambda: kernel.uptime, wall=lambda: self.now
        )

    def close(self) -> None:
        """Give back what is open."""
        self._trees.close()

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self._kernel.uptime += seconds
        self.now += seconds

    def sample(self) -> dict[str, float]:
        """Take a sample; return its figures as `build:quantity`, CPU in clock ticks and memory in pages."""
        found: dict[str, float] = {}
        for series, value in self._samples_of(self._trees.collect()).items():
            name, _, labels = series.removeprefix("build_process_").partition("{")
            unit = {"cpu_seconds_total": TICK, "memory_bytes": PAGE, "peak_memory_bytes": PAGE}.get(name, 1)
            build = labels.split('"')[1]
            found[f"{build}:{name.split('_')[0]}"] = round(value / unit)
        return found


@pytest.fixture
def watch_over(
    samples_of: Callable[[Iterable[Family]], Samples],
) -> Callable[[Kernel], AbstractContextManager[Watch]]:
    """Return the function that watches a planted process table; its context gives back what is open."""
    return lambda kernel: closing(Watch(kernel, samples_of))


@pytest.fixture(params=[512, 0], ids=["descriptors kept", "files opened each time"])
def watch(
    kernel: Kernel,
    samples_of: Callable[[Iterable[Family]], Samples],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Watch]:
    """Return a watch over the planted process table, with descriptors to keep and without."""
    monkeypatch.setattr(process, "_MAX_DESCRIPTORS", request.param)
    with closing(Watch(kernel, samples_of)) as made:
        yield made

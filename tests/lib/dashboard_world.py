"""Three builders and two days of their builds, as a Prometheus that scraped them would have kept it.

The builds are journals, followed by the real monitor and shown by the real collectors at each scrape; machine, alerts
and Prometheus' own series are made beside them, every family of the catalog with values of a plausible size. So all
four moments of a build (idle, running, failed, finished) are times of one database, and no test waits for a clock.

    python tests/lib/dashboard_world.py DIRECTORY [INTERVAL]
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from dashboard_run import EXCERPT, FAILS, STEPS, run_events

from build_exporter.catalog import CATALOG, Kind, Metric
from build_exporter.collectors.analysis import AnalysisCollector
from build_exporter.collectors.builds import BuildCollector, ThresholdCollector
from build_exporter.collectors.exporter import ExporterCollector, WebCounts
from build_exporter.collectors.sources import SourceFilesCollector
from build_exporter.collectors.steps import StepCollector
from build_exporter.collectors.toolchain import ToolchainCollector
from build_exporter.config.schema import Config, Schedule
from build_exporter.model.states import Verdict
from build_exporter.monitor import Monitor

HOUR: Final = 3600.0
BEGIN: Final = 1_790_000_000.0
"""Start of the run that all is about, Unix time."""
MOMENTS: Final = {
    "idle": BEGIN - 40 * HOUR,
    "running": BEGIN + 1.0 * HOUR,
    "failed": BEGIN + 1.45 * HOUR,
    "finished": BEGIN + 3.4 * HOUR,
}
"""When to look: before any build, in a run, at its failure, after its end."""
BUILD: Final = "lfs-12.4"
DESK: Final = "alerting:10110"
BUILDERS: Final = {DESK: "alerting", "forge:10110": "forge", "attic:10110": "attic"}
_GIB: Final = 2.0**30
_LINE: Final = re.compile(rb"^(\w+)(?:\{(.*)\})? (\S+)\n$", re.DOTALL)


class Builder:
    """One builder: its journal, filled as time passes, and what its exporter shows at a time."""

    def __init__(self, journal: Path, instance: str, build: str) -> None:
        self.instance, self.build = instance, build
        self.clock = 0.0
        self._journal = journal
        self._coming: list[tuple[float, str, str]] = []
        self._web = WebCounts()
        journal.mkdir(parents=True, exist_ok=True)
        self._monitor = monitor = Monitor(str(journal), lambda: self.clock)
        self._collectors = (
            BuildCollector(monitor, 10),
            StepCollector(monitor, 500, 10),
            AnalysisCollector(monitor, Schedule(duration=3 * HOUR), 10),
            SourceFilesCollector(monitor, 10),
            ToolchainCollector(monitor, 10),
            ThresholdCollector(Config().threshold_values()),
            ExporterCollector(monitor, self._web, dict),
        )

    def plan(self, run: str, events: Iterable[tuple[float, dict[str, Any]]]) -> None:
        """Take events of a run that will be written when their time has come."""
        for moment, event in events:
            line = json.dumps({"time": moment, "build": self.build, **event})
            self._coming.append((moment, run, line))
        self._coming.sort()

    def scrape(self, now: float) -> Iterator[bytes]:
        """Yield the lines that a scrape at a time shows, times not going back."""
        self.clock = now
        self._write(now)
        self._monitor.poll()
        for _ in self._monitor.read_history():
            pass
        self._web.requests.update({("metrics", "200"): 1, ("api", "200"): 2, ("page", "200"): 1, ("api", "401"): 1})
        self._web.stream_clients = lambda: 2
        for collector in self._collectors:
            for family in collector.collect():
                yield from b"".join(family.lines).splitlines(keepends=True)

    def _write(self, now: float) -> None:
        while self._coming and self._coming[0][0] <= now:
            _, run, line = self._coming.pop(0)
            path = self._journal / self.build / f"{run}.jsonl"
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


_VALUES: Final = {
    "mode": ("user", "system", "iowait", "idle"), "resource": ("cpu", "memory", "io"), "mountpoint": ("/", "/mnt/lfs"),
    "device": ("nvme0n1p2",), "fstype": ("ext4",), "cpu": ("0", "1", "2", "3"), "package": ("0",), "core": ("0", "1"),
    "interface": ("eth0",), "chip": ("coretemp", "nvme"), "sensor": ("1",), "result": ("ok",), "build": (BUILD,),
}  # fmt: skip
_RATES: Final = {"user": 2.6, "system": 0.4, "iowait": 0.2, "idle": 0.8, "cpu": 0.3, "memory": 0.02, "io": 0.12}
_SIZES: Final = {
    "build_host_cpus": 4.0, "build_host_memory_total_bytes": 16 * _GIB, "build_host_memory_available_bytes": 9 * _GIB,
    "build_host_memory_available_lowest_bytes": 7 * _GIB, "build_host_swap_total_bytes": 4 * _GIB,
    "build_host_swap_free_bytes": 3.5 * _GIB, "build_host_filesystem_size_bytes": 120 * _GIB,
    "build_host_filesystem_available_bytes": 34 * _GIB, "build_host_filesystem_files": 8e6,
    "build_host_filesystem_files_free": 5e6, "build_host_filesystem_readonly": 0.0, "build_host_filesystem_error": 0.0,
    "build_host_cpu_busy_peak_ratio": 0.97, "build_host_temperature_celsius": 71.0, "build_host_oom_kills_total": 0.0,
    "build_host_temperature_critical_celsius": 100.0, "build_host_load1": 4.4, "build_host_load15": 3.9,
    "build_host_cpu_frequency_hertz": 3.1e9, "build_process_processes": 9.0, "build_process_memory_bytes": 2.2 * _GIB,
    "build_process_peak_memory_bytes": 3.1 * _GIB, "build_host_network_receive_errors_total": 0.0,
}  # fmt: skip


def machine(now: float, *, builds: bool) -> Iterator[tuple[str, str, float]]:
    """Yield name, labels and value of every family of the machine; those of processes only while it `builds`."""
    since = now - BEGIN + 60 * HOUR
    wave = 1 + 0.1 * math.sin(now / 400)
    for name, row in CATALOG.items():
        of_processes = name.startswith("build_process_")
        if not (name.startswith("build_host_") or (of_processes and builds)) or row.kind is Kind.HISTOGRAM:
            continue
        for labels, values in _label_sets(row):
            fixed = _SIZES.get(name)
            if row.kind is Kind.COUNTER:
                unit = 2e6 if row.unit == "bytes" else 0.01 if row.unit == "seconds" else 3.0
                rate = (
                    2.9 if name == "build_process_cpu_seconds_total" else _RATES.get(values[-1] if values else "", unit)
                )
                value = fixed if fixed is not None else since * rate
            else:
                value = fixed if fixed is not None else 1.0
                value = value * wave if "available" in name or "memory_bytes" in name else value
            yield name, labels, value


def _label_sets(row: Metric) -> Iterator[tuple[str, tuple[str, ...]]]:
    sets: list[tuple[str, ...]] = [()]
    for name in row.labels:
        sets = [(*have, value) for have in sets for value in _VALUES.get(name, ("x",))]
    for values in sets:
        yield ",".join(f'{name}="{value}"' for name, value in zip(row.labels, values, strict=True)), values


def beside(now: float, instance: str) -> Iterator[tuple[str, str, float]]:
    """Yield what Prometheus, Alertmanager and other parts of the exporter would show of a builder at a time."""
    down = instance.startswith("attic") and BEGIN + 1.5 * HOUR < now < BEGIN + 2 * HOUR
    yield "up", "", float(not down)
    yield "scrape_duration_seconds", "", 0.004
    if down:
        return
    page = f'page_url="http://{instance}",dashboard_url="http://localhost:3000"'
    yield "build_exporter_link_info", page, 1.0
    yield "process_cpu_seconds_total", "", (now - BEGIN + 60 * HOUR) * 0.004
    yield "process_resident_memory_bytes", "", 46e6
    yield "process_start_time_seconds", "", BEGIN - 45 * HOUR
    yield "process_open_fds", "", 31.0
    yield "process_max_fds", "", 1024.0
    yield "build_exporter_series", "", 900.0
    yield "build_exporter_journal_bytes", "", 3e5
    for collector in ("builds", "steps", "cpu", "filesystem", "disk"):
        yield "build_exporter_collector_success", f'collector="{collector}"', 1.0
        yield "build_exporter_collector_duration_seconds", f'collector="{collector}"', 0.002
    for probe, kind, up in (("mirror", "http", 1.0), ("database", "tcp", float(now < BEGIN + HOUR))):
        of = f'probe="{probe}",kind="{kind}"'
        yield "build_probe_success", of, up
        yield "build_probe_duration_seconds", of, 0.043
        yield "build_probe_changed_timestamp_seconds", of, BEGIN
    yield "build_probe_certificate_expiry_timestamp_seconds", 'probe="mirror"', BEGIN + 60 * 24 * HOUR


def incident(now: float) -> Iterator[tuple[str, str, float]]:
    """Yield the series of the one incident and of alerts, while they stand."""
    failed, repaired = failure_times()
    times = 'build="lfs-12.4"'
    for family, seconds in (("acknowledge", 240.0), ("resolve", 1500.0)):
        yield f"build_alert_{family}_seconds_sum", times, seconds
        yield f"build_alert_{family}_seconds_count", times, 1.0
    if not failed <= now < repaired:
        return
    of = f'build="{BUILD}",kind="failed",failure="chapter-7/{FAILS}/1"'
    words = f'step="{FAILS}",class="missing-header",excerpt="{EXCERPT.splitlines()[0]}"'
    links = 'page_url="http://alerting:10110/builds/lfs-12.4",runbook_url="http://alerting:10110/runbook#buildfailed"'
    more = 'acknowledge_url="http://alerting:10110/alerts/acknowledge?link=x",dashboard_url="",description="",hint="",progress=""'
    yield "build_failure", of, 2.0 if now > failed + 600 else 1.0
    yield "build_failure_info", f"{of},{words},{links},{more}", 1.0
    yield "build_failure_timestamp_seconds", of, failed
    yield "build_alert_acknowledged", of, float(now > failed + 240)


def alerts(now: float) -> Iterator[tuple[str, str, float]]:
    """Yield the alerts as Prometheus' rules would leave them."""
    failed, repaired = failure_times()
    always = 'alertname="BuildDeadMansSwitch",severity="info"'
    yield "ALERTS", f'{always},alertstate="firing"', 1.0
    yield "ALERTS_FOR_STATE", always, BEGIN - 45 * HOUR
    for name, severity, begin, end, wait, more in (
        ("BuildFailed", "critical", failed, repaired, 0.0, f'build="{BUILD}",tier="1",step="{FAILS}"'),
        (
            "BuildHostDiskLow",
            "warning",
            BEGIN + 0.5 * HOUR,
            BEGIN + 2 * HOUR,
            300.0,
            f'instance="{DESK}",tier="1",mountpoint="/"',
        ),
        ("BuildFinished", "info", BEGIN + 3.1 * HOUR, BEGIN + 3.5 * HOUR, 0.0, f'build="{BUILD}"'),
    ):
        if begin <= now < end:
            state = "pending" if now < begin + wait else "firing"
            yield "ALERTS", f'alertname="{name}",severity="{severity}",alertstate="{state}",{more}', 1.0
            yield "ALERTS_FOR_STATE", f'alertname="{name}",severity="{severity}",{more}', begin


def engines(now: float) -> Iterator[tuple[str, str, float]]:
    """Yield the series that Prometheus and Alertmanager have of themselves."""
    for job in ("prometheus", "alertmanager"):
        yield "up", f'job="{job}",instance="localhost"', 1.0
    yield "prometheus_notifications_alertmanagers_discovered", "", 1.0
    yield "prometheus_notifications_errors_total", 'alertmanager="http://localhost:9093"', 0.0
    yield "prometheus_rule_evaluation_failures_total", 'rule_group="builds"', 0.0
    yield "alertmanager_notifications_failed_total", 'integration="email",reason="clientError"', (now - BEGIN) / 9e4 + 9


def failure_times() -> tuple[float, float]:
    """Return when the step failed and when it was begun again."""
    before = 0
    for _, step, minutes, _ in STEPS:
        if step == FAILS:
            break
        before += minutes
    began = BEGIN + before * 60
    return began + 300, began + 25 * 60


class World:
    """All samples of the three builders by series."""

    def __init__(self, directory: Path) -> None:
        self._samples: dict[tuple[str, str], list[tuple[float, float | str]]] = defaultdict(list)
        self._builders = [Builder(directory / name, instance, build) for instance, name, build in _WHO]
        alerting, forge, attic = self._builders
        for run, before in (("20260920T022000Z", 36), ("20260920T122000Z", 26), ("20260921T002000Z", 14)):
            alerting.plan(run, run_events(BEGIN - before * HOUR))
        alerting.plan("20260921T143320Z", run_events(BEGIN, fails=True, slower=1.8))
        forge.plan("20260921T150000Z", run_events(BEGIN - 0.4 * HOUR))
        attic.plan("20260921T150000Z", run_events(BEGIN + 0.2 * HOUR))

    def fill(self, interval: float, rarely: float) -> World:
        """Scrape all around each moment and through the run, and one builder `rarely` in the days before."""
        for now in _times(interval, rarely):
            for builder in self._builders:
                if builder.instance == DESK or now > BEGIN - HOUR or now < MOMENTS["idle"]:
                    self._scrape(builder, now)
            for find in (alerts, engines):
                for name, labels, value in find(now):
                    self._samples[name, labels].append((now, value))
        return self

    def _scrape(self, builder: Builder, now: float) -> None:
        target = f'instance="{builder.instance}",job="build-exporter",builder="{BUILDERS[builder.instance]}"'
        others = list(beside(now, builder.instance))
        if len(others) > 2:
            for line in builder.scrape(now):
                found = _LINE.match(line)
                assert found is not None, line
                labels = ",".join(filter(None, (target, (found[2] or b"").decode())))
                self._samples[found[1].decode(), labels].append((now, found[3].decode()))
            others += machine(now, builds=builder.instance == DESK and _is_building(now))
            others += [*incident(now), *_verdicts(now)] if builder.instance == DESK else []
        for name, labels, value in others:
            self._samples[name, ",".join(filter(None, (target, labels)))].append((now, value))

    def write(self, path: Path) -> Path:
        """Write OpenMetrics with times, as promtool takes it, and return the file."""
        with path.open("w", encoding="utf-8") as file:
            for (name, labels), points in self._samples.items():
                file.writelines(f"{name}{{{labels}}} {value} {moment:.3f}\n" for moment, value in points)
            file.write("# EOF\n")
        return path


_WHO: Final = (
    (DESK, "alerting", BUILD),
    ("forge:10110", "forge", "blfs-kde-plasma-6.4"),
    ("attic:10110", "attic", "a-build-with-a-really-long-name-x86_64-unknown-linux-musl-2026.11"),
)


def _is_building(now: float) -> bool:
    failed, repaired = failure_times()
    return BEGIN <= now < failed or repaired <= now < BEGIN + 3.1 * HOUR


def _verdicts(now: float) -> Iterator[tuple[str, str, float]]:
    began = BEGIN
    failed, repaired = failure_times()
    for phase, step, minutes, _ in STEPS:
        began = repaired if step == FAILS else began
        if began <= now < began + minutes * 60 and not failed <= now < repaired:
            of = f'build="{BUILD}",phase="{phase}",step="{step}",verdict="{Verdict.COMPILING.value}"'
            yield "build_step_verdict", of, 1.0
        began += minutes * 60


def _times(interval: float, rarely: float) -> list[float]:
    start, end = MOMENTS["idle"] - 600, MOMENTS["finished"]
    long_ago = range(int(start // rarely + 1), int((BEGIN - 900) // rarely))
    near = [moment - interval * each for moment in MOMENTS.values() for each in range(4)]
    lately = [BEGIN - 900 + interval * each for each in range(int((end - BEGIN + 900) / interval))]
    return sorted({*(rarely * each for each in long_ago), *lately, *near})


def blocks(world: World, directory: Path, promtool: str = "promtool") -> Path:
    """Return a directory of Prometheus' blocks that hold the world."""
    text = world.write(directory / "world.om")
    made = directory / "tsdb"
    # one block: each further one reads the whole text again
    command = [
        promtool,
        "tsdb",
        "create-blocks-from",
        "--max-block-duration=2000h",
        "openmetrics",
        str(text),
        str(made),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    text.unlink()
    return made


if __name__ == "__main__":
    place = Path(sys.argv[1])
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    blocks(World(place / "journals").fill(float(sys.argv[2]) if len(sys.argv) > 2 else 15.0, 240.0), place)

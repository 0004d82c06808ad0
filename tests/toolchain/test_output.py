"""What people and Prometheus see of toolchains, through the whole exporter."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.collectors.toolchain import PlatformCollector, ToolchainCollector
from build_exporter.monitor import Monitor

Make = Callable[..., Any]


def test_a_build_is_shown_with_its_tools_everywhere(
    serve: Make,
    process: Make,
    build_run: Make,
    linux_from_scratch: Make,
    poll: Callable[..., None],
    command: Make,
    journal: Any,
) -> None:
    """Two builds for two targets: /metrics, the page and `status` show each one's compilers and -j."""
    lfs = linux_from_scratch()
    lfs.binutils_pass1()
    lfs.gcc_pass1()
    build_run(process(LFS=str(lfs.top), LFS_TGT=lfs.triplet, MAKEFLAGS="-j3").pid, "lfs")
    build_run(process(CROSS_COMPILE="aarch64-linux-gnu-", MAKEFLAGS="-j5").pid, "kernel", jobs=1)
    served = serve()
    poll(
        lambda: (
            served.value("build_toolchain_info", build="lfs", role="cross", tool="gcc", version="14.2.0") == 1
            and served.value("build_toolchain_info", build="kernel", role="cross", target="aarch64-linux-gnu")
            is not None
        ),
        30,
        what="both are surveyed",
    )
    assert served.value("build_toolchain_info", build="kernel", target=lfs.triplet) is None
    assert served.value("build_toolchain_info", build="lfs", role="cross", target=lfs.triplet) == 2
    assert served.value("build_jobs", build="lfs") == 3
    assert served.value("build_jobs", build="kernel") == 5
    assert served.value("build_platform_info", machine=os.uname().machine, kernel=os.uname().release) == 1
    assert f"<dt>Target</dt><dd>{lfs.triplet}</dd>" in served.get("/builds/lfs")[2].decode()
    text = command("status", "--journal", str(journal), "--build", "lfs").stdout
    (line,) = [line for line in text.splitlines() if line.startswith("  toolchain")]
    assert "gcc 14.2.0 (host" in line
    assert "-j3" in line
    (reported,) = json.loads(command("status", "--journal", str(journal), "--build", "lfs", "--output", "json").stdout)
    assert reported["toolchain"]["target"] == lfs.triplet
    assert {"tool": "gcc", "version": "14.2.0", "role": "cross", "target": lfs.triplet} in reported["toolchain"][
        "tools"
    ]


def test_the_collectors_can_be_switched_off(
    serve: Make, process: Make, build_run: Make, poll: Callable[..., None]
) -> None:
    """Each has its switch, and what is off has no series."""
    build_run(process(LFS_TGT="x86_64-lfs-linux-gnu").pid)
    served = serve("--no-collector.toolchain", "--no-collector.ccache", "--no-collector.distcc")
    poll(lambda: served.value("build_state", build="lfs", state="running") == 1, what="the build is shown")
    shown = {labels for name, labels in served.samples() if name == "build_exporter_collector_success"}
    assert not {"toolchain", "platform", "ccache", "distcc"} & {value for each in shown for _, value in each}
    assert served.value("build_platform_info") is None


def test_series_come_from_journals_alone_too(monitor_of: Callable[[], Monitor], run_file: Make, values: Make) -> None:
    """A finished build keeps its series after a restart: from what was reported, and else from its steps' versions."""
    reported = run_file("told")
    reported.add("toolchain", tools=[{"tool": "gcc", "version": "14.2.0", "role": "cross", "target": "a-linux-gnu"}])
    built = run_file("built")
    built.add("step_started", phase="chapter-8", step="803-glibc", package="glibc", version="2.40")
    built.add("step_finished", phase="chapter-8", step="803-glibc", status="succeeded")
    built.add("build_finished", status="succeeded")
    collector = ToolchainCollector(monitor_of(), 10)
    expected = {
        ("build_toolchain_info", ("told", "a-linux-gnu", "cross", "gcc", "14.2.0")): 1,
        ("build_toolchain_info", ("built", "", "target", "glibc", "2.40")): 1,
    }
    assert values(collector) == values(collector) == expected


def test_a_hostile_event_costs_at_most_its_bound(
    monitor_of: Callable[[], Monitor], run_file: Make, values: Make
) -> None:
    """A line with more tools than there may be, or with roles that there are not, is rejected whole."""
    run = run_file("lfs")
    tool = {"tool": "gcc", "version": "1", "role": "host"}
    run.add("toolchain", tools=[{**tool, "target": f"t{number}"} for number in range(65)])
    run.add("toolchain", tools=[{**tool, "role": "boss"}])
    run.add("toolchain", tools=[{**tool, "target": 'x"} 1\nup{y="'}])
    monitor = monitor_of()
    shown = values(ToolchainCollector(monitor, 10))
    assert list(shown) == [("build_toolchain_info", ("lfs", 'x"} 1 up{y="', "host", "gcc", "1"))]
    assert sum(monitor.decoder.rejected.values()) == 2


def test_the_machine_is_reported_in_one_series(values: Make) -> None:
    """Triplet, processor, kernel, C library and distribution of this machine."""
    ((name, labels),) = values(PlatformCollector())
    triplet = subprocess.run(["gcc", "-dumpmachine"], capture_output=True, text=True, check=True).stdout.strip()
    assert (name, *labels[:3]) == ("build_platform_info", triplet, os.uname().machine, os.uname().release)


def test_tools_of_many_steps_are_not_looked_for_after_each_end(
    monkeypatch: pytest.MonkeyPatch, build_run: Make, journal: Any
) -> None:
    """A look that takes long has a rest, in which a compiler that is built does not show yet; a short one has none."""
    for ratio, known in ((1e6, 0), (0.0, 1)):
        monkeypatch.setattr("build_exporter.collectors.toolchain.FREE_SECONDS", -1.0)
        monkeypatch.setattr("build_exporter.collectors.toolchain.REST_RATIO", ratio)
        name = f"build-{known}"
        run = build_run(1, name)
        monitor = Monitor(str(journal))
        collector = ToolchainCollector(monitor, 100)
        for version in ("14.1.0", "14.2.0"):
            monitor.poll()
            shown = b"".join(line for family in collector.collect() for line in family.lines)
            run.add("step_started", phase="chapter-8", step=f"gcc-{version}", package="gcc", version=version)
            run.add("step_finished", phase="chapter-8", step=f"gcc-{version}", status="succeeded")
        assert shown.count(f'build="{name}"'.encode()) == known

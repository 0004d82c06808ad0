"""What the steps of finished and imported builds report the tools they built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model import events as e
from build_exporter.toolchain.steps import known_tools, tools_of_steps
from build_exporter.toolchain.summary import ccache_ratio, summary
from build_exporter.tracker import Run, apply_all


def run_of(*steps: tuple[str, str, str, str], status: Any = "succeeded", **toolchain: Any) -> Run:
    """Return a run of steps, each of phase, step, package and version."""
    run = Run("lfs", "20260101T000000Z")
    events: list[e.Event] = []
    for number, (phase, step, package, version) in enumerate(steps):
        name: dict[str, Any] = {"build": "lfs", "phase": phase, "step": step}
        events.append(e.StepStarted(time=1000.0 + number, package=package, version=version, **name))
        events.append(e.StepFinished(time=1000.5 + number, status=status, **name))
    if toolchain:
        events.append(e.Toolchain(time=2000.0, build="lfs", **toolchain))
    apply_all(run, events)
    return run


def reported(run: Run) -> dict[tuple[str, str, str], str]:
    """Return versions by role, triplet and tool."""
    return {(tool.role, tool.target or "", tool.tool): tool.version for tool in tools_of_steps(run)}


LFS = (
    ("chapter-5", "501-binutils-pass1", "binutils", "2.43.1"),
    ("chapter-5", "502-gcc-pass1", "gcc", "14.2.0"),
    ("chapter-5", "503-linux-headers", "linux-headers", "6.10.5"),
    ("chapter-5", "504-glibc", "glibc", "2.40"),
    ("chapter-5", "505-gcc-libstdc++", "gcc-libstdc++", "14.2.0"),
    ("chapter-6", "616-binutils-pass2", "binutils", "2.43.1"),
    ("chapter-6", "617-gcc-pass2", "gcc", "14.2.0"),
)


def test_the_passes_of_lfs_are_cross_and_target() -> None:
    """Pass 1 is the cross toolchain, everything after it the new system's."""
    assert reported(run_of(*LFS[:2])) == {("cross", "", "binutils"): "2.43.1", ("cross", "", "gcc"): "14.2.0"}
    assert reported(run_of(*LFS)) == {
        ("cross", "", "binutils"): "2.43.1",
        ("cross", "", "gcc"): "14.2.0",
        ("target", "", "linux-headers"): "6.10.5",
        ("target", "", "glibc"): "2.40",
        ("target", "", "binutils"): "2.43.1",
        ("target", "", "gcc"): "14.2.0",
    }


@pytest.mark.parametrize("seconds", [None, 9.0])
def test_a_start_read_after_its_end_names_the_tool(seconds: float | None) -> None:
    """Tools asked for between an end and its start, which came late, are those of now when they are asked for again."""
    run = Run("lfs", "20260101T000000Z")
    name: dict[str, Any] = {"build": "lfs", "phase": "chapter-8", "step": "gcc"}
    apply_all(run, [e.StepFinished(time=10.0, status="succeeded", seconds=seconds, **name)])
    assert reported(run) == {}
    apply_all(run, [e.StepStarted(time=1.0, package="gcc", version="15.1.0", **name)])
    assert (run.steps["chapter-8", "gcc"].attempts, reported(run)) == (1, {("target", "", "gcc"): "15.1.0"})


def test_only_steps_that_succeeded_have_built_anything() -> None:
    """A compiler whose step failed, or never began, is none."""
    assert reported(run_of(*LFS, status="failed")) == reported(run_of(*LFS, status="skipped")) == {}


def test_of_two_versions_the_one_built_last_counts() -> None:
    """A library built again in a later chapter replaces the earlier one."""
    run = run_of(("chapter-5", "504-glibc", "glibc", "2.39"), ("chapter-8", "803-glibc", "glibc", "2.40"))
    assert reported(run) == {("target", "", "glibc"): "2.40"}


@pytest.mark.parametrize(
    ("phase", "package", "version", "expected"),
    [
        ("merge", "sys-devel/gcc", "13.2.1_p20240210", ("target", "", "gcc")),
        (
            "merge",
            "cross-aarch64-unknown-linux-gnu/binutils",
            "2.42",
            ("cross", "aarch64-unknown-linux-gnu", "binutils"),
        ),
        ("unmerge", "sys-devel/gcc", "12.3.1", None),
        ("merge", "sys-devel/gcc-config", "2.11", None),
        ("install-host", "host-gcc-final", "13.3.0", ("cross", "", "gcc")),
        ("install-staging", "glibc", "2.39", ("target", "", "glibc")),
        ("extract", "host-binutils", "2.41", None),
        ("do_populate_sysroot", "binutils-cross-x86_64", "2.42", ("cross", "", "binutils")),
        ("do_install", "linux-libc-headers", "6.6", ("target", "", "linux-headers")),
        ("do_fetch", "gcc-cross-x86_64", "13.2.0", None),
        ("do_install", "gcc-runtime", "13.2.0", None),
        ("chapter-8", "glibc", "; rm -rf /", None),
    ],
)
def test_the_names_of_every_builder_are_known(
    phase: str, package: str, version: str, expected: tuple[str, str, str] | None
) -> None:
    """Portage, crossdev, Buildroot and BitBake each name the same tools in their own way."""
    found = reported(run_of((phase, package, package, version)))
    assert found == ({expected: version} if expected else {})


def test_a_real_build_that_was_imported_has_its_toolchain(records: Path, import_: Callable[..., Run]) -> None:
    """A jhalfs tree of 2024 shows which binutils, GCC and Glibc it built, and with which cross compiler."""
    run = import_("jhalfs", records / "jhalfs/alfs-sysroot/20240222.systemd")
    found = reported(run)
    assert found["cross", "", "gcc"] == found["target", "", "gcc"] == "13.2.0"
    assert found["cross", "", "binutils"] == found["target", "", "binutils"] == "2.42"
    assert found["target", "", "glibc"] == "2.39"
    assert found["target", "", "linux-headers"] == "6.7.4"


def test_what_was_found_goes_before_what_the_steps_tell() -> None:
    """The machine's own tools come from looking; what no one could look at comes from the steps."""
    seen = [
        e.ToolVersion(tool="gcc", version="12.2.0", role="host", target="x86_64-linux-gnu"),
        e.ToolVersion(tool="gcc", version="14.2.0", role="cross", target="x86_64-lfs-linux-gnu"),
    ]
    found = {(tool.role, tool.target, tool.tool) for tool in known_tools(run_of(*LFS[:2], tools=seen))}
    assert found == {
        ("host", "x86_64-linux-gnu", "gcc"),
        ("cross", "x86_64-lfs-linux-gnu", "gcc"),
        ("cross", None, "binutils"),
    }


def test_one_line_says_it_all() -> None:
    """Target and host, the compiler with what it was built by, library, -j and what ccache was worth."""
    assert summary(run_of()) == ""
    seen = [
        e.ToolVersion(tool="gcc", version="12.2.0", role="host", target="x86_64-linux-gnu"),
        e.ToolVersion(tool="glibc", version="2.36", role="host"),
    ]
    run = run_of(
        *LFS[:2],
        host="x86_64-linux-gnu",
        target="x86_64-lfs-linux-gnu",
        jobs=4,
        tools=seen,
        ccache_hits=3,
        ccache_misses=1,
    )
    assert summary(run) == (
        "x86_64-lfs-linux-gnu on x86_64-linux-gnu, gcc 14.2.0 (host 12.2.0), binutils 2.43.1, glibc 2.36, -j4, "
        "ccache 75% hits"
    )
    assert ccache_ratio(run) == 0.75
    assert ccache_ratio(run_of(tools=seen, ccache_hits=0, ccache_misses=0)) is None


def test_a_late_line_does_not_replace_a_newer() -> None:
    """Lines read out of their order leave the newest knowledge."""
    run = run_of(target="new-linux-gnu")
    apply_all(run, [e.Toolchain(time=1500.0, build="lfs", target="old-linux-gnu")])
    assert run.toolchain is not None
    assert run.toolchain.target == "new-linux-gnu"

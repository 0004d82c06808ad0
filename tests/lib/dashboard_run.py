"""One run of a build, with all that can be said of it: what the world of the dashboards builds again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_GIB: Final = 2.0**30
STEPS: Final = (
    ("chapter-5", "501-binutils-pass1", 6, 1.0), ("chapter-5", "502-gcc-pass1", 14, 3.2),
    ("chapter-5", "503-linux-headers", 1, 0.1), ("chapter-5", "504-glibc", 9, 1.4),
    ("chapter-5", "505-libstdcpp", 2, 0.2), ("chapter-6", "601-m4", 1, 0.1),
    ("chapter-6", "602-ncurses", 2, 0.4), ("chapter-6", "603-bash", 2, 0.2),
    ("chapter-6", "604-coreutils", 2, 0.3), ("chapter-6", "608-gawk", 1, 0.1),
    ("chapter-6", "616-binutils-pass2", 3, 0.4), ("chapter-6", "617-gcc-pass2", 18, 4.4),
    ("chapter-7", "707-gettext", 7, 1.3), ("chapter-7", "709-perl", 3, 0.6),
    ("chapter-8", "805-glibc", 24, 12.0), ("chapter-8", "818-binutils", 12, 1.6),
    ("chapter-8", "826-gcc", 40, 46.0), ("chapter-8", "840-openssl", 6, 1.8),
)  # fmt: skip
"""Phase, step, minutes, SBU."""
FAILS: Final = "709-perl"
EXCERPT: Final = "perl.c:1045:10: fatal error: xlocale.h: No such file or directory\ncompilation terminated."


def run_events(begin: float, *, fails: bool = False, slower: float = 1.0) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield the events of a run: plan, steps with all that can be said of them, a failure and its repair."""
    planned = [{"phase": phase, "step": step, "sbu": sbu} for phase, step, _, sbu in STEPS]
    planned[-1]["sources"] = [{"file": "openssl-3.5.tar.gz"}]
    yield begin, {"event": "build_started", "target": "x86_64-lfs-linux-gnu", "jobs": 4, "book": "12.4"}
    yield begin, {"event": "plan", "steps": planned}
    tools = [{"tool": "gcc", "version": "14.2.0", "role": "host"}, {"tool": "ld", "version": "2.45", "role": "cross"}]
    yield begin, {"event": "toolchain", "tools": tools}
    bad = [{"file": "openssl-3.5.tar.gz", "state": "missing"}]
    yield begin, {"event": "sources_verified", "verified": 17, "missing": 1, "bad": bad}
    now = begin
    for phase, step, minutes, _ in STEPS:
        seconds = minutes * 60 * (slower if step == "805-glibc" else 1.0)
        if fails and step == FAILS:
            yield from _failed(now, phase, step)
            now += 25 * 60
        yield from _step(now, phase, step, seconds)
        now += seconds
        if step == "505-libstdcpp":
            yield now, {"event": "milestone_reached", "milestone": "cross-toolchain"}
    yield now, {"event": "build_finished", "status": "succeeded"}
    yield now + 60, {"event": "feedback", "rating": 5, "message": "went well"}


def _failed(now: float, phase: str, step: str) -> Iterator[tuple[float, dict[str, Any]]]:
    of = {"phase": phase, "step": step}
    yield now, {"event": "step_started", **of, "attempt": 1}
    words = {"error_class": "missing-header", "message": EXCERPT, "exit_code": 2}
    yield now + 300, {"event": "step_finished", **of, "status": "failed", "seconds": 300.0, **words}


def _step(now: float, phase: str, step: str, seconds: float) -> Iterator[tuple[float, dict[str, Any]]]:
    of = {"phase": phase, "step": step}
    yield now, {"event": "step_started", **of}
    yield now + seconds / 2, {"event": "step_progress", **of, "ratio": 0.5}
    if "gcc" in step or "glibc" in step:
        tests = {"suite": step[4:], "passed": 4512, "failed": 2, "expected_failed": 31, "skipped": 40}
        yield now + seconds - 1, {"event": "tests_reported", **of, **tests}
    used = {
        "cpu_seconds": seconds * 2.9,
        "max_rss_bytes": int(_GIB * 1.5),
        "written_bytes": int(_GIB),
        "disk_bytes": int(2 * _GIB),
    }
    yield now + seconds, {"event": "step_finished", **of, "status": "succeeded", "seconds": seconds, **used}
    if "gcc" in step:
        yield now + seconds, {"event": "step_progress", **of, "warnings": 12, "warning_flags": {"-Wformat": 12}}

"""Other people's consoles: their results, however they are followed; and whose record `auto` takes a file for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.sources.registry import recognise
from build_exporter.tracker import Run

GOLDEN = Path(__file__).parent.parent / "golden"
CONSOLES = {
    "make-cmake-bootstrap": "other/alfs-sysroot-20240916.r-Cus-025-cmake.make-percent.log",
    "make-kernel": "other/xanmod.log",
    "make-browser": "other/0build.log",
    "make-systemd": "ninja/alfs-sysroot-20240916.r-870-systemd-256.5.console.log",
    "make-glibc-failed": "jhalfs/failed/803-glibc-2.41.119f0bad.excerpt.log",
    "make-systemd-failed": "jhalfs/failed/870-systemd-255.874ad464.excerpt.log",
}


def rendering(run: Run) -> str:
    """Return a run as text: its state, and the steps of each phase by how they ended; figures and names alone."""
    lines = [f"{run.state.name} {len(run.steps)} steps"]
    for phase in run.phases:
        steps = [step for (name, _), step in run.steps.items() if name == phase]
        counts = Counter(step.state.name for step in steps)
        reported = " ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        names = " ".join(step.step for step in steps[:12])
        lines += [f"{phase}: {reported}", f"  {names}{' ...' if len(steps) > 12 else ''}"]
    for step in run.failed.values():
        lines.append(
            f"failed: {step.phase}/{step.step} exit code {step.exit_code} for {len(step.message or '')} characters"
        )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CONSOLES)
def test_a_real_console_is_imported(records: Path, imported: Callable[..., Run], name: str) -> None:
    """Importing a real build's console gives the stages, parts and failures that were found in it by reading it."""
    assert rendering(imported(records / CONSOLES[name])) == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", CONSOLES)
def test_a_real_console_is_followed(records: Path, followed_alike: Callable[[Path], None], name: str) -> None:
    """Growing piece by piece, with exporters started again and attached late, the result is that of the import."""
    followed_alike(records / CONSOLES[name])


def test_whose_record_it_is(records: Path) -> None:
    """`auto` takes consoles for consoles, and the records of every other kind for what they are."""
    found: dict[str | None, list[str]] = {}
    for path in sorted(each for each in records.rglob("*") if each.is_file()):
        kind = recognise(path)
        found.setdefault(kind.name if kind is not None else None, []).append(str(path.relative_to(records)))
    assert set(CONSOLES.values()) - {CONSOLES["make-systemd-failed"]} <= set(found["make"])
    # beside those, what packages print as they are built
    steps = re.compile(r"jhalfs/alfs-sysroot/[\w.-]+/logs/|jhalfs/failed/")
    assert [path for path in found["make"] if path not in CONSOLES.values() and not steps.match(path)] == []
    for name in ("portage", "buildroot", "bitbake", "ninja", "jhalfs"):
        assert found[name], f"nothing is taken for a record of {name}"
    assert all(path.endswith("emerge.log") or "/qlop/" in path or "/emlop/" in path for path in found["portage"])

"""Try the tests of chosen rooms on mutants: `mutants.py [--sample N] [--write] [ROOM…]`; outside CI, by `make mutants`.

mutmut changes one thing at a time in a copy of the tree; a mutant is caught when a test of the room itself fails. A
sample of each room is tried, drawn by a fixed seed, so that two runs try the same. A mutant that loops or fills memory
is stopped and counts as caught. Results are kept in `var/mutants`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PAGE: Final = REPOSITORY / "docs" / "development.md"
PLACE: Final = REPOSITORY / "var" / "mutants"
LEAST: Final = 80
"""Percent below which a room is named on the page."""
SEED: Final = "build-exporter"
MEMORY_BYTES: Final = 4 << 30
"""Address space a mutant may take."""


def _tests(room: str, names: str) -> str:
    return " ".join(f"tests/{room}/test_{name}.py" for name in names.split())


ROOMS: Final[dict[str, tuple[str, str]]] = {
    "tracker": ("tracker/fold.py tracker/progress.py tracker/plans.py tracker/aggregates.py", "tests/tracker"),
    "estimate": ("estimate/outlook.py estimate/schedule.py estimate/parallel.py estimate/sources.py", "tests/estimate"),
    "journal": (
        "journal/lines.py journal/follow.py",
        _tests("journal", "lines follow follow_runs"),
    ),
    "jhalfs": ("sources/jhalfs/reconcile.py", _tests("sources/jhalfs", "reconcile polling report")),
    "portage": (
        "sources/portage/log.py sources/portage/session.py",
        _tests("sources/portage", "log ends doubtful_logs host_state"),
    ),
    "suites": (
        "sources/step_logs/suites/gnu.py sources/step_logs/suites/results.py",
        _tests("sources/step_logs/suites", "gnu forms emitting"),
    ),
    "series": (
        "collectors/steps.py exposition/family.py exposition/formats.py",
        "tests/collectors/test_steps.py tests/collectors/test_run_series.py tests/exposition",
    ),
    "origin": ("web/origin.py", "tests/web/test_origin.py"),
    "client": ("client/operation.py client/events.py", "tests/client"),
}
"""By room: its modules below `build_exporter`, and its own tests."""

SLOW: Final = (
    "not (time_grows or example_program or shell_example or threads or promtool or the_command_ or marks_that"
    " or a_plan_is or stays_ended_when)"
)
"""Tests of time, and of processes, in which no mutant runs."""

CAUGHT: Final = (1, 3, 24, 36, 152, 255, -9, -24)
"""A test failed, or the mutant never ended."""

CONFIGURATION: Final = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {modules}
also_copy = ["docs", "README.md", "CHANGELOG.md"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-q", "-k", "{slow}"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
timeout_multiplier = 3.0
"""


def prepare(room: str) -> Path:
    """Copy the tree as mutmut wants it, with the package in `src`; return the copy."""
    place = PLACE / room
    modules, tests = ROOMS[room]
    shutil.rmtree(place, ignore_errors=True)
    for path in _git("ls-files", "-z").split("\0"):
        if path and (REPOSITORY / path).is_file():
            target = place / (f"src{path.removeprefix('exporter')}" if path.startswith("exporter/") else path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / path, target)
    text = (place / "pyproject.toml").read_text().replace('where = ["exporter"]', 'where = ["src"]')
    changed = [f"src/build_exporter/{module}" for module in modules.split()]
    made = CONFIGURATION.format(modules=json.dumps(changed), tests=json.dumps(tests.split()), slow=SLOW)
    (place / "pyproject.toml").write_text(text + made)
    return place


def run(room: str, sample: int) -> None:
    """Try so many mutants of a room, or all of them where it has no more."""
    place = prepare(room)
    # names no mutant: mutmut makes the mutants, finds the tests of each, and stops
    _mutmut(place, "none")
    names = sorted(name for codes in _codes(room) for name in codes)
    assert names, f"{room}: mutmut made no mutants"
    _mutmut(place, *random.Random(f"{SEED} {room}").sample(names, min(sample, len(names))))


def _mutmut(place: Path, *names: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *names],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place / "mutants" / "src")},
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _codes(room: str) -> list[dict[str, int | None]]:
    """Return by module how each mutant's tests ended, None for those not tried."""
    metas = sorted((PLACE / room / "mutants").rglob("*.meta"))
    return [json.loads(path.read_text())["exit_code_by_key"] for path in metas]


def survivors(room: str) -> list[str]:
    """Return the mutants of a room that no test noticed; `mutmut show NAME` in its copy prints one."""
    return sorted(name for codes in _codes(room) for name, code in codes.items() if code not in (*CAUGHT, None))


def score(room: str) -> tuple[int, int, int]:
    """Return how many mutants a room has, how many were tried, and how many of those were caught."""
    codes = [code for of_module in _codes(room) for code in of_module.values()]
    tried = [code for code in codes if code is not None]
    return len(codes), len(tried), sum(code in CAUGHT for code in tried)


def table() -> str:
    """Return the rows of all rooms that were tried, and a line that names those below the bound."""
    rows, low = ["| room | modules | mutants | tried | caught |", "| --- | --- | ---: | ---: | ---: |"], []
    for room, (modules, _) in ROOMS.items():
        every, tried, caught = score(room)
        if tried:
            share = 100 * caught / tried
            rows.append(
                f"| {room} | {', '.join(f'`{m}`' for m in modules.split())} | {every} | {tried} | {share:.0f} % |"
            )
            low += [room] if share < LEAST else []
    return "\n".join([*rows, "", f"Below {LEAST} %: {', '.join(low) or 'none'}."])


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Run what is asked for, print the table, and write it into the page."""
    parser = argparse.ArgumentParser(description="Try the tests of chosen rooms on mutants.")
    parser.add_argument("--sample", type=int, default=40, help="mutants tried of each room (40)")
    parser.add_argument("--write", action="store_true", help="write the table into docs/development.md")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"by default all: {', '.join(ROOMS)}")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for room in arguments.rooms or ROOMS:
        run(room, arguments.sample)
        print(room, *survivors(room), sep="\n  ", flush=True)
    print(table())
    if arguments.write:
        before, _, rest = PAGE.read_text().partition("<!-- mutants -->\n")
        after = rest.partition("<!-- end -->")[2]
        PAGE.write_text(f"{before}<!-- mutants -->\n{table()}\n<!-- end -->{after}")


if __name__ == "__main__":
    main()

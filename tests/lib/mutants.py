"""Try the tests of chosen rooms on mutants: `mutants.py [--every N] [--write] [ROOM…]`; outside CI, by `make mutants`.

mutmut changes one thing at a time in a copy of the tree; a mutant is caught when a test of the room itself fails. With
`--every 10` a tenth of the mutants is tried. Results are kept in `var/mutants`, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import os
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

ROOMS: Final[dict[str, tuple[str, str]]] = {
    "tracker": ("tracker/fold.py tracker/progress.py tracker/plans.py tracker/aggregates.py", "tests/tracker"),
    "estimate": ("estimate/outlook.py estimate/schedule.py estimate/parallel.py estimate/sources.py", "tests/estimate"),
    "journal": (
        "journal/lines.py journal/follow.py",
        "tests/journal/test_lines.py tests/journal/test_follow.py tests/journal/test_future.py",
    ),
    "jhalfs": (
        "sources/jhalfs/reconcile.py",
        "tests/sources/jhalfs/test_reconcile.py tests/sources/jhalfs/test_polling.py",
    ),
    "portage": ("sources/portage/log.py sources/portage/session.py", "tests/sources/portage/test_log.py"),
    "suites": (
        "sources/step_logs/suites/gnu.py sources/step_logs/suites/results.py",
        "tests/sources/step_logs/suites/test_gnu.py tests/sources/step_logs/suites/test_forms.py",
    ),
    "series": (
        "collectors/steps.py exposition/family.py exposition/formats.py",
        "tests/collectors/test_steps.py tests/collectors/test_run_series.py tests/exposition",
    ),
    "origin": ("web/origin.py", "tests/web/test_origin.py"),
    "client": ("client/operation.py client/events.py", "tests/client"),
}
"""By room: its modules below `build_exporter`, and its own tests."""

SLOW: Final = "not (time_grows or example_program or many_threads or promtool or command)"
"""Tests of time, and of processes, in which no mutant runs."""

CAUGHT: Final = (1, 3, 24, 36, 152, 255, -9, -24)
"""A test failed, or the mutant never ended."""

CONFIGURATION: Final = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {modules}
also_copy = ["docs", "README.md", "CHANGELOG.md"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-k", "{slow}"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
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


def run(room: str, every: int) -> None:
    """Try every so many'th mutant of a room."""
    place = PLACE / room if (PLACE / room / "mutants").is_dir() else prepare(room)
    last = range(10) if every <= 1 else range(0, 10, every) if every < 10 else [5]
    patterns = [f"*__mutmut_{more}{digit}" for digit in last for more in ("", "*")] if every > 1 else []
    environment = {**os.environ, "PYTHONPATH": str(place / "mutants" / "src")}
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *patterns]
    subprocess.run(command, cwd=place, env=environment, check=False)


def score(room: str) -> tuple[int, int, int]:
    """Return how many mutants a room has, how many were tried, and how many of those were caught."""
    every, tried, caught = 0, 0, 0
    for path in (PLACE / room / "mutants").rglob("*.meta"):
        codes = json.loads(path.read_text())["exit_code_by_key"].values()
        every += len(codes)
        tried += sum(code is not None for code in codes)
        caught += sum(code in CAUGHT for code in codes)
    return every, tried, caught


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
    parser.add_argument("--every", type=int, default=1, help="try every so many'th mutant")
    parser.add_argument("--write", action="store_true", help="write the table into docs/development.md")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"by default all: {', '.join(ROOMS)}")
    arguments = parser.parse_args()
    for room in arguments.rooms or ROOMS:
        run(room, arguments.every)
    print(table())
    if arguments.write:
        before, _, rest = PAGE.read_text().partition("<!-- mutants -->\n")
        after = rest.partition("<!-- end -->")[2]
        PAGE.write_text(f"{before}<!-- mutants -->\n{table()}\n<!-- end -->{after}")


if __name__ == "__main__":
    main()

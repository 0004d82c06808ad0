"""Print the test folders of what differs from a commit, with what is not committed: `changed.py main`.

`make check-fast` runs them. Tests that start servers, builds or many shells are left to `make test`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SLOW = ("end_to_end", "examples", "bench", "hook", "wrapper", "bundle/delivery", "sources/conformance")
ALWAYS = ("architecture", "docs")
OF_PAGES = {"docs/test_readme.py": {"README.md", "docs/guide/getting-started.md"}}
"""Tests that run the commands of pages, and the pages: one is left out where none of its pages has changed."""
PLACES = {
    "grafana": "bundle", "prometheus": "bundle", "alertmanager": "bundle", "examples/plugin": "sources/plugins",
    "exporter/build_exporter/sources": "sources", "exporter/build_exporter": ".", "tests": ".",
}  # fmt: skip
"""Folders, and where their subfolders have their tests below `tests`."""


def changed(base: str) -> set[str]:
    """Return the paths that differ from the merge base of a commit and HEAD."""
    changes = _git("diff", "--name-only", _git("merge-base", base, "HEAD").strip())
    return {*changes.splitlines(), *_git("ls-files", "--others", "--exclude-standard").splitlines()}


def folders(paths: set[str], tests: Path) -> list[str]:
    """Return the test folders and files of paths, without the slow ones."""
    found = set(ALWAYS)
    for path in paths:
        prefix = next((each for each in PLACES if path.startswith(f"{each}/")), None)
        if prefix is not None:
            rest = path.removeprefix(f"{prefix}/").split("/")
            name = rest[0].partition(".")[0].removeprefix("test_")
            place = PLACES[prefix]
            own = {place} if "/" not in prefix and place != "." else {f"{place}/{name}", f"{place}/test_{name}.py"}
            found.update(str(Path(each)) for each in own if (tests / each).exists())
    return sorted(f"{tests.name}/{each}" for each in found if each != "lib" and not each.startswith(SLOW))


def ignored(paths: set[str]) -> list[str]:
    """Return the folders and files of tests to leave out for a change of paths."""
    return [*SLOW, *(test for test, pages in OF_PAGES.items() if paths.isdisjoint(pages))]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    paths = changed(sys.argv[1])
    left_out = (f"--ignore=tests/{each}" for each in ignored(paths))
    print(*folders(paths, Path(__file__).resolve().parents[1]), *left_out, sep="\n")

"""`make check-fast` runs the tests that belong to a change."""

from __future__ import annotations

from pathlib import Path

import pytest
from changed import folders, ignored


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("exporter/build_exporter/tracker/fold.py", "tests/tracker"),
        ("exporter/build_exporter/liveness.py", "tests/liveness"),
        ("exporter/build_exporter/sources/jhalfs/tree.py", "tests/sources/jhalfs"),
        ("exporter/build_exporter/sources/attach.py", "tests/sources/test_attach.py"),
        ("prometheus/rules/builds.yml", "tests/bundle"),
        ("tests/config/test_load.py", "tests/config"),
        ("tests/sources/jhalfs/conftest.py", "tests/sources"),
    ],
)
def test_a_change_runs_the_tests_of_its_room(repository: Path, path: str, expected: str) -> None:
    """A developer who changes a file gets the tests of its room, and always those of architecture and pages."""
    assert set(folders({path}, repository / "tests")) == {"tests/architecture", "tests/docs", expected}


@pytest.mark.parametrize(
    "path", ["tests/end_to_end/test_serve.py", "exporter/build_exporter/wrapper/tee.py", "README.md"]
)
def test_slow_tests_are_left_out(repository: Path, path: str) -> None:
    """A developer gets an answer within a minute: tests that start servers and builds run with `make test` only."""
    assert folders({path}, repository / "tests") == ["tests/architecture", "tests/docs"]


def test_commands_of_pages_run_when_a_page_changes() -> None:
    """A developer who edits the README gets its commands run; everyone else does not wait for them."""
    assert "docs/test_readme.py" not in ignored({"README.md"})
    assert "docs/test_readme.py" in ignored({"exporter/build_exporter/cli/status.py"})

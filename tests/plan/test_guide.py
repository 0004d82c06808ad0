"""The guide to plans says what works."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.plan.book_figures import parse_sbu


@pytest.fixture
def guide(repository: Path) -> str:
    """The page's text."""
    return (repository / "docs" / "guide" / "plan.md").read_text()


def test_every_shell_example_runs(
    guide: str, book: Callable[..., Path], tmp_path: Path, run_examples: Callable[..., Any]
) -> None:
    """The page's shell blocks run one after the other, and the plan is then what the status shows."""
    (tmp_path / "lfs-git").symlink_to(book(), target_is_directory=True)
    done = run_examples("docs/guide/plan.md", 2)[-1]
    assert "my-system" in done.stdout
    assert "4.2" in done.stdout
    wrong = (tmp_path / "my-system.yaml").read_text().replace("[binutils]", "[binutil]")
    (tmp_path / "my-system.yaml").write_text(wrong)
    done = subprocess.run(
        [tmp_path / "build-exporter", "plan", "yaml", "my-system.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"```text\n{done.stderr}```" in guide


def test_the_table_of_figures_is_true(guide: str) -> None:
    """Each phrase of the page is read as the page says."""
    rows = re.findall(r"^\| `([^`]*)` \| (.*?) \| (.*?) \|$", guide.partition("## jhalfs")[0], re.MULTILINE)
    assert len(rows) == 7
    for phrase, number, span in rows:
        figure = parse_sbu(phrase)
        if figure is None:
            assert (number, span) == ("none", "none")
            continue
        assert f"{figure.typical:g}" == number.split()[-1]
        low, high = f"{figure.low:g}", f"{figure.high:g}"
        assert span.partition(";")[0] == (low if low == high else f"{low} to {high}")
        assert (f"`with_tests` {figure.with_tests:g}" in span) if figure.with_tests else "with_tests" not in span

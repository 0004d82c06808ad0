"""The architecture page shows the package as it is, and its examples work."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rooms

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = re.compile(r"^`(\S+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"\]\(\.\./(exporter/build_exporter/[\w/]+\.py)\)\s((?:`[\w.]+`(?:, )?)+)")
PAGES = sorted(path.name for path in (rooms.REPOSITORY / "docs" / "how-to").glob("*.md"))


def test_the_picture_shows_the_imports() -> None:
    """A reader can trust the picture: it has exactly the rooms and arrows of the code."""
    drawn = rooms.PICTURE.search(rooms.PAGE.read_text())
    assert drawn is not None
    assert drawn[0] == rooms.draw(), "run `make docs`"


def test_every_room_is_in_one_layer() -> None:
    """A reader finds every room once in the picture's layers."""
    boxed = re.findall(r"^    (\w+)$", rooms.draw(), re.MULTILINE)
    assert sorted(boxed) == sorted(rooms.arrows())


def test_every_folder_has_its_row(repository: Path) -> None:
    """A newcomer finds what each folder of the package holds."""
    package = repository / "exporter" / "build_exporter"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    text = rooms.PAGE.read_text()
    assert [name for name in sorted(folders) if f"[`{name}`](../exporter/build_exporter/{name})" not in text] == []


def test_the_walk_of_an_event_names_what_is_there(repository: Path) -> None:
    """A reader who follows the walk finds each function or class in the file that the page links to."""
    found = NAMED.findall(rooms.PAGE.read_text())
    assert len(found) >= 12
    for path, names in found:
        text = (repository / path).read_text()
        for name in re.findall(r"[\w.]+", names):
            for part in name.split("."):
                assert re.search(rf"\b(?:def|class) {part}\b", text), f"{part} is not in {path}"


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_how_to_pages_work(page: str, repository: Path, tmp_path: Path) -> None:
    """A newcomer can copy the example of a how-to page, and the test on the page passes."""
    text = (repository / "docs" / "how-to" / page).read_text()
    scope: dict[str, Any] = {"__name__": page}
    exec(compile("\n".join(PYTHON.findall(text)), page, "exec", dont_inherit=True), scope)
    tests = [each for name, each in scope.items() if name.startswith("test_")]
    for test in tests:
        _call(test, tmp_path)
    for name, content in FILES.findall(text):
        (tmp_path / name).write_text(content)
    if "promtool test rules" in text:
        if shutil.which("promtool") is None:
            pytest.skip("no promtool")
        done = subprocess.run(
            ["promtool", "test", "rules", "rules_test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        assert tests, f"{page} has no test"


def _call(test: Callable[..., None], tmp_path: Path) -> None:
    given = {"tmp_path": tmp_path} if "tmp_path" in inspect.signature(test).parameters else {}
    test(**given)

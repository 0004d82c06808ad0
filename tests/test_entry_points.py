"""Entry points of installed packages; the standard library for them is loaded only where there are any."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from build_exporter.entry_points import entry_points

GROUP = "build_exporter.tried"
TEXT = f"[{GROUP}]\nname = module:thing\n"


def archive(path: Path) -> Path:
    """Write a wheel that Python imports from as it is."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("packed-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: packed\nVersion: 1\n")
        file.writestr("packed-1.dist-info/entry_points.txt", TEXT)
    return path


@pytest.mark.parametrize("folder", ["kept-1.dist-info", "kept-1.egg-info", "in a wheel", "none"])
def test_what_is_installed_is_found(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in is found wherever pip, an old setuptools or a path to an archive has put it."""
    if folder == "in a wheel":
        place = archive(tmp_path / "packed.whl")
    else:
        place = tmp_path
        if folder != "none":
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: kept\nVersion: 1\n")
            (tmp_path / folder / "METADATA").write_text("Metadata-Version: 2.1\nName: kept\nVersion: 1\n")
            (tmp_path / folder / "entry_points.txt").write_text(TEXT)
    monkeypatch.syspath_prepend(str(place))
    found = entry_points(GROUP)
    assert list(found) == list(metadata.entry_points(group=GROUP))
    assert [point.value for point in found] == ([] if folder == "none" else ["module:thing"])


def test_paths_that_are_not_there_are_no_obstacle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The search path may hold what is no directory, and what may not be read."""
    (tmp_path / "broken-1.dist-info").mkdir()
    (tmp_path / "broken-1.dist-info" / "entry_points.txt").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "nothing"), ""])
    monkeypatch.chdir(tmp_path)
    assert entry_points(GROUP) == ()


def test_an_exporter_starts_without_what_it_does_not_use() -> None:
    """Without pages, plug-ins, Alertmanager and configuration, the libraries for them take no memory."""
    unused = "jinja2 yaml h11 importlib.metadata zipfile html.entities difflib mcp rich email"
    program = f"import sys, build_exporter.cli.serve; print([n for n in {unused.split()} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", done.stderr

"""The scripts by themselves: their types, and how much of them and of the style there is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent / "node_modules"
MOST_BYTES = 60_000


@pytest.fixture(scope="session")
def static(repository: Path) -> Path:
    """The folder of scripts and style."""
    return repository / "exporter" / "build_exporter" / "web" / "page" / "static"


def check(project: Path) -> subprocess.CompletedProcess[str]:
    """Run the type checker."""
    tsc = TOOLS / ".bin" / "tsc"
    if shutil.which("node") is None or not tsc.exists():
        pytest.skip("no TypeScript here (npm ci --prefix tests/page)")
    return subprocess.run([tsc, "-p", project], capture_output=True, text=True, check=False)


def test_scripts_are_typed(tmp_path: Path, static: Path) -> None:
    """The scripts pass the type checker in its strict mode, which does find a mistake put into one of them."""
    done = check(Path(__file__).parent / "tsconfig.json")
    assert done.returncode == 0, done.stdout
    folder = tmp_path / "exporter" / "build_exporter" / "web" / "page" / "static"
    shutil.copytree(static, folder)
    (folder / "morph.js").write_text((static / "morph.js").read_text() + "\nmorph(1, 2);\n")
    (tmp_path / "tests" / "page").mkdir(parents=True)
    wrong = shutil.copy(Path(__file__).parent / "tsconfig.json", tmp_path / "tests" / "page")
    assert "morph.js" in check(Path(wrong)).stdout


def test_scripts_and_style_are_small(static: Path) -> None:
    """All that a browser loads beside the page itself is less than 60 KB, before it is compressed."""
    assert 0 < sum(each.stat().st_size for each in static.iterdir()) < MOST_BYTES

"""The pages by task work as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from shown import rounded

from build_exporter.alerting.doctor import JOB
from build_exporter.web.webconfig import read

PAGES = sorted(path.name for path in (Path(__file__).parents[2] / "docs/tasks").glob("*.md"))


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The new system's root, which LFS names."""
    monkeypatch.setenv("LFS", str(tmp_path / "lfs"))
    return tmp_path / "lfs"


def install_example(repository: Path, top: Path) -> None:
    """Leave the example of a plug-in as an installer does, where the program `build-exporter` finds it."""
    installed = top / "site" / "build_exporter_dpkg-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: build-exporter-dpkg\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[build_exporter.sources]\ndpkg = build_exporter_dpkg:Dpkg\n")
    shutil.copy(repository / "examples/plugin/build_exporter_dpkg.py", top / "site")
    (top / "examples").symlink_to(repository / "examples")
    program = f'PYTHONPATH="{top}/site:$PYTHONPATH" exec "{sys.executable}" -m build_exporter "$@"'
    (top / "build-exporter").write_text(f"#!/bin/sh\n{program}\n")


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("page", PAGES)
def test_every_example_of_a_task_works(
    page: str,
    repository: Path,
    tmp_path: Path,
    run_examples: Callable[..., Any],
    book: Callable[..., Path],
) -> None:
    """A reader can type a page's shell blocks one after another, and sees what the page shows."""
    path = repository / "docs/tasks" / page
    text = path.read_text()
    blocks = len(re.findall(r"^```sh$", text, re.MULTILINE))
    if not blocks:
        return
    (tmp_path / "lfs-git").symlink_to(book(), target_is_directory=True)
    for name in ("binutils", "gcc", "libxml2", "wget"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Makefile").write_text("all:\n\t@echo made\n")
    if page == "write-a-plugin.md":
        install_example(repository, tmp_path)
    for name, body in (("sudo", 'exec "$@"'), ("chown", ":")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    ended = run_examples(f"docs/tasks/{page}", blocks)
    for at, shown in enumerate(
        re.findall(
            r"^```sh\n.*?^```$(?:\n\n(?:## What you see\n\n)?```text\n(.*?)^```$)?", text, re.MULTILINE | re.DOTALL
        )
    ):
        if shown:
            assert rounded(ended[at].stdout) == rounded(shown)
    if page == "write-a-plugin.md":
        assert "dpkg" in ended[0].stdout
        assert "dh_auto_build" in ended[1].stdout


def test_the_index_has_every_task(repository: Path) -> None:
    """A reader finds each task on the index page."""
    index = (repository / "docs/tasks/README.md").read_text()
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == set(PAGES) - {"README.md"}


def test_the_files_of_several_machines_are_right(repository: Path, tmp_path: Path) -> None:
    """Prometheus takes the job and the list of the page, and the exporter its file of tokens, as they are written."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    text = (repository / "docs/tasks/several-machines.md").read_text()
    web, builders, job = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "builders").mkdir()
    (tmp_path / "prometheus.token").write_text("0123456789abcdef" * 4)
    files = {"web.yml": web, "builders/forge.yml": builders, "prometheus.yml": job}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert set(read(str(tmp_path / "web.yml")).roles.values()) == {"read"}
    done = subprocess.run(
        [promtool, "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "FAILED" in done.stdout) == (0, False), done.stdout + done.stderr
    (found,) = yaml.safe_load(job)["scrape_configs"][0]["relabel_configs"]
    assert found["replacement"] == JOB, "what rules, dashboards and `doctor` look for"

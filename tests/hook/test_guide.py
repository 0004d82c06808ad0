"""The guide's examples do what the guide says, in every shell that a reader may use."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STUBS = {
    "make": 'case " $* " in *" broken "* | *" check "*) echo "make: *** broken"; exit 2 ;; esac; echo "made $*"',
    "chown": ":",
    "wget": ":",
    "build-exporter": f'exec "{sys.executable}" -m build_exporter "$@"',
}
"""Programs that stand for those of a real build."""

OUTCOMES = {
    "A first script": ["zlib succeeded", "xz succeeded"],
    "Steps": [
        "unpack-zlib succeeded", "configure-zlib succeeded", "build succeeded", "tests succeeded", "perl succeeded",
        "tests failed", "sources succeeded", "xz succeeded", "zlib succeeded",
    ],
    "Scripts that stop at errors": ["glibc failed"],
    "Resuming": ["zlib succeeded", "xz succeeded", "perl succeeded"],
    "Logs": ["zlib succeeded", "xz succeeded"],
    "The plan": ["501-binutils-pass1 succeeded"],
    "Linux From Scratch": ["502-gcc-pass1 succeeded", "601-m4 succeeded", "805-glibc succeeded"],
}  # fmt: skip
"""The steps that each chapter's examples finish."""


def chapters(guide: str) -> dict[str, list[str]]:
    """Return the `sh` blocks of each chapter, without chapters that have none."""
    found = {part.split("\n", 1)[0]: re.findall(r"```sh\n(.*?)```", part, re.DOTALL) for part in guide.split("\n## ")}
    return {title: blocks for title, blocks in found.items() if blocks}


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A directory with what the examples build, and a PATH entry with the programs that build it."""
    (tmp_path / "bin").mkdir()
    for name, body in STUBS.items():
        stub = tmp_path / "bin" / name
        stub.write_text(f"#!/bin/sh\n{body}\n")
        stub.chmod(0o755)
    for name in ("zlib", "xz", "perl", "glibc", "gcc", "lfs"):
        (tmp_path / name).mkdir()
    configure = tmp_path / "zlib" / "configure"
    configure.write_text("#!/bin/sh\n")
    configure.chmod(0o755)
    subprocess.run(["tar", "-cf", "zlib.tar", "zlib"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("hook", ["bash", "posix", "dash"], indirect=True)
@pytest.mark.parametrize("chapter", OUTCOMES)
def test_examples(hook: Any, sandbox: Path, repository: Path, chapter: str) -> None:
    """Each example ends as its text promises, and so do its steps in the journal."""
    blocks = chapters((repository / "docs" / "guide" / "shell-hook.md").read_text())[chapter]
    lfs = sandbox / "lfs"
    if chapter == "Linux From Scratch":
        hook.journal = lfs / "var" / "lib" / "build-exporter" / "journal"
    for block in blocks:
        script = block.replace(". /var/lib", ". $LFS/var/lib").replace("=/var/log", f"={sandbox}/log")
        done = hook.run(
            f"cd '{sandbox}'; {script}",
            PATH=f"{sandbox}/bin:{hook.environment['PATH']}",
            status=2 if chapter == "Scripts that stop at errors" else 0,
            LFS=str(lfs),
            BUILD_EXPORTER_JOURNAL=str(hook.journal),
        )
        assert done.stderr == "", block
    finished = [f"{e['step']} {e['status']}" for e in hook.events() if e["event"] == "step_finished"]
    assert sorted(finished) == sorted(OUTCOMES[chapter])


def test_every_example_is_tried(repository: Path) -> None:
    """No chapter with an example is left out of the test above."""
    assert set(chapters((repository / "docs" / "guide" / "shell-hook.md").read_text())) == set(OUTCOMES)


def test_every_function_and_variable_is_reported(hook: Any, repository: Path) -> None:
    """The guide names every public function and every variable that changes what the hook does."""
    guide = (repository / "docs" / "guide" / "shell-hook.md").read_text()
    script = hook.path.read_text()
    for name in set(re.findall(r"(?m)^(be_\w+)\(\)", script)) | set(
        re.findall(r"\b(B(?:E|UILD_EXPORTER)_[A-Z_]+)\b", script)
    ):
        assert f"`{name}" in guide, name


@pytest.mark.parametrize("hook", ["bash", "posix", "dash"], indirect=True)
def test_the_lfs_examples_are_one_run(hook: Any, sandbox: Path, repository: Path) -> None:
    """The user lfs and root in the chroot write one run, and the logs inside are named as seen from the host."""
    test_examples(hook, sandbox, repository, "Linux From Scratch")
    assert len(list(hook.journal.glob("*/*.jsonl"))) == 1
    assert [e["log"] for e in hook.events() if "log" in e] == [f"/mnt/lfs{sandbox}/log/build/805-glibc.log"]

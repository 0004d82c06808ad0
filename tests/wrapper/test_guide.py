"""The guide's examples run, and it names every option and what is recorded."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.wrapper.options import OPTIONS

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

JHALFS = """all:
	@set -- $$(stty size); test $$1 -ge 24 && test $$2 -ge 80 && echo large enough
"""
"""A make that wants a terminal of 80 columns and 24 lines."""


@pytest.fixture
def guide(repository: Path) -> str:
    """The page."""
    return (repository / "docs" / "guide" / "run.md").read_text()


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A directory with the command on its path and things to make."""
    (tmp_path / "bin").mkdir()
    launcher = tmp_path / "bin" / "build-exporter"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m build_exporter "$@"\n')
    launcher.chmod(0o755)
    for name in ("linux", "zlib", "xz", "jhalfs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Makefile").write_text(JHALFS if name == "jhalfs" else "all check:\n\t@echo made\n")
    return tmp_path


def test_examples(
    guide: str,
    sandbox: Path,
    environment: dict[str, str],
    terminal: Callable[..., Any],
    events: Callable[..., list[dict[str, Any]]],
) -> None:
    """Every example works, at a terminal as the reader has one, and leads to the steps the text speaks of."""
    blocks = BLOCK.findall(guide)
    assert [kind for kind, _ in blocks] == ["sh", "sh", "make", "sh", "sh"]
    environment["PATH"] = f"{sandbox}/bin:{environment['PATH']}"
    for kind, text in blocks:
        if kind == "make":
            (sandbox / "Makefile").write_text(text)
            continue
        screen = terminal("sh", "-e", "-c", f"cd {sandbox}\n{text}")
        assert screen.end() == 0, screen.text
    assert b"large enough" in screen.text
    finished = [(e["step"], e["status"]) for e in events("my-system") if e["event"] == "step_finished"]
    assert finished[:2] == [("zlib", "succeeded"), ("zlib-tests", "succeeded")]
    assert sorted(finished[2:]) == [("xz", "succeeded"), ("zlib", "succeeded")]
    assert events("my-kernel")[-1]["status"] == "succeeded"
    assert (sandbox / "zlib.log").read_text().splitlines()[1] == "made"
    assert "made" in (sandbox / "logs" / "xz.log").read_text()


def test_every_option_is_documented(
    guide: str, run: Callable[..., Any], events: Callable[..., list[dict[str, Any]]]
) -> None:
    """The guide names every option, and every figure that a step's end has."""
    for option in OPTIONS:
        assert f"`--{option.name} {option.metavar}".rstrip() in guide
    run("sh", "-c", "kill -TERM $$")
    for field in events()[-1].keys() - {"time", "event", "build", "phase", "step", "file"}:
        assert f"`{field}`" in guide, field


def test_log_at_jhalfs(sandbox: Path, terminal: Callable[..., Any], wrapper: list[str]) -> None:
    """A make that wants a terminal of a certain size is content with the one it gets beside a log."""
    screen = terminal(
        *wrapper, "--build", "b", "--log", f"{sandbox}/log", "--", "make", "-s", "-C", f"{sandbox}/jhalfs"
    )
    assert screen.end() == 0
    assert screen.text == b"large enough\r\n"
    small = terminal(*wrapper, "--build", "b", "--", "make", "-s", "-C", f"{sandbox}/jhalfs", rows=24, columns=79)
    assert small.end() == 2
    assert (
        subprocess.run(["grep", "-c", "large enough", f"{sandbox}/log"], check=False, capture_output=True).stdout
        == b"1\n"
    )

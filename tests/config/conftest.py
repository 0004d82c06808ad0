"""What the tests of the configuration share: a file's faults as a user sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.config.kinds import Outside
from build_exporter.config.load import load
from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import Config
from build_exporter.queries.filters import questions
from build_exporter.sources.registry import BUILT_IN

NAMES = ("bitbake", "blfs", "buildroot", "jhalfs", "log", "ninja", "portage")
ASKED = ("errors", "milestones", "tasks")
OUTSIDE = Outside(
    {kind.name: kind.options for kind in BUILT_IN if kind.name in NAMES},
    {name: question for name, question in questions().items() if name in ASKED},
)
"""Some of the kinds and queries there are, so that one that comes changes no error in faults.txt."""

Faults = Callable[[str | bytes], list[str]]
Loaded = Callable[[str], Config]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """Load a text as the file `config.yml` of a directory of its own."""

    def load_text(text: str) -> Config:
        file = tmp_path / "config.yml"
        file.write_text(text, encoding="utf-8")
        return load(file, OUTSIDE)

    return load_text


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Return the lines that loading a text as `config.yml` in the working directory shows; none when it is right."""
    monkeypatch.chdir(tmp_path)

    def faults_of(content: str | bytes) -> list[str]:
        Path("config.yml").write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            load("config.yml", OUTSIDE)
        except ConfigError as error:
            return str(error).split("\n")
        return []

    return faults_of

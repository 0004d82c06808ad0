"""The measurements' own modules, which are no part of the package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def figure(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that keeps and judges figures."""
    spec = importlib.util.spec_from_file_location("bench_figure", repository / "bench" / "figure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look up the module they are made in
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module

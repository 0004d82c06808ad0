"""The verdict that a running exporter shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

SERIES = "build_step_verdict"


@pytest.fixture(scope="session")
def verdict_on() -> Callable[[Any, str], str]:
    """Return the function that gives the verdict an exporter shows of a build's step; empty while it shows none."""

    def verdict(exporter: Any, build: str) -> str:
        found = [dict(labels) for (name, labels), value in exporter.samples().items() if value == 1 and name == SERIES]
        return next((labels["verdict"] for labels in found if labels["build"] == build), "")

    return verdict

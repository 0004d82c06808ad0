"""The reference pages are made from the code and never drift from it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from build_exporter.cli.docs import render as render_commands
from build_exporter.model.docs import render as render_events
from build_exporter.model.events import EVENT_NAMES, AnyEvent
from build_exporter.web.docs import render as render_api


def test_the_page_of_events_is_what_the_types_say(repository: Path) -> None:
    """docs/events.md is made by `make docs`, names every event, and its example is one."""
    page = (repository / "docs" / "events.md").read_text()
    assert page == render_events()
    assert all(f"## `{name}`" in page for name in EVENT_NAMES)
    example = re.search(r"^\{.*\}$", page, re.MULTILINE)
    assert example is not None
    msgspec.json.decode(example[0], type=AnyEvent)
    assert json.loads(example[0])["event"] in EVENT_NAMES


def test_the_page_of_commands_is_what_help_says(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/cli.md is made by `make docs`, whatever the environment of whoever makes it."""
    monkeypatch.setenv("BUILD_EXPORTER_JOURNAL", "/somewhere/else")
    monkeypatch.setenv("COLUMNS", "40")
    assert (repository / "docs" / "cli.md").read_text() == render_commands()


def test_the_page_of_the_api_is_what_the_endpoints_say(repository: Path) -> None:
    """docs/api.md is made by `make docs`, and describes every object that an answer holds."""
    page = (repository / "docs" / "api.md").read_text()
    assert page == render_api()
    headings = {line.removeprefix("### ").lower() for line in page.splitlines() if line.startswith("### ")}
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= headings

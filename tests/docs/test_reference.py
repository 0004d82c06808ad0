"""The reference pages are made from the code and never drift from it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest

from build_exporter.cli import main
from build_exporter.model.docs import render as render_events
from build_exporter.model.emit_fields import render as render_fields
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


def test_the_quick_way_of_emit_knows_the_fields_that_events_have(repository: Path) -> None:
    """wrapper/emit_fields.py is made by `make docs` from the event types."""
    assert (repository / "exporter/build_exporter/wrapper/emit_fields.py").read_text() == render_fields()


def test_the_page_of_commands_is_what_help_says(repository: Path) -> None:
    """docs/cli.md is made by `make docs`, whatever the environment of whoever makes it."""
    environment = {**os.environ, "BUILD_EXPORTER_JOURNAL": "/somewhere/else", "COLUMNS": "40"}
    # a process of its own: how-to examples that were tried in this one add commands
    command = [sys.executable, "-m", "build_exporter.cli.docs", "commands"]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert (repository / "docs" / "cli.md").read_text() == made


def test_the_page_of_the_api_is_what_the_endpoints_say(repository: Path) -> None:
    """docs/api.md is made by `make docs`, and describes every object that an answer holds."""
    page = (repository / "docs" / "api.md").read_text()
    assert page == render_api()
    headings = {line.removeprefix("### ").lower() for line in page.splitlines() if line.startswith("### ")}
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= headings


def console_lines(repository: Path) -> list[tuple[str, list[str]]]:
    """Return page and words of every command of ours that a page shows for a terminal."""
    return [
        (page.name, shlex.split(re.split(r" [|>&]", line)[0], comments=True))
        for page in [repository / "README.md", *sorted((repository / "docs").rglob("*.md"))]
        for block in re.findall(r"^ *```console\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL)
        for line in re.findall(r"^ *[$#] build-exporter (.*)$", block, re.MULTILINE)
    ]


def test_every_command_that_a_page_shows_can_be_typed(repository: Path) -> None:
    """Commands, options and numbers of arguments on the pages are those that there are; nothing is run."""
    lines = console_lines(repository)
    assert len(lines) > 25
    for page, words in lines:
        command: click.Command = main
        context, rest = click.Context(main, info_name="build-exporter"), words
        while isinstance(command, click.Group) and rest:
            name, found, rest = command.resolve_command(context, list(rest))
            assert found is not None, (page, words)
            command, context = found, click.Context(found, parent=context, info_name=name)
        try:
            command.make_parser(context).parse_args(list(rest))
        except click.UsageError as error:
            pytest.fail(f"{page}: {words}: {error.format_message()}")

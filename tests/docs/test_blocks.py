"""Every fenced block of every page is tried: configurations are accepted, shell, Python and data are read."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml
from pages import pages

from build_exporter.cli.options import read_config
from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import Config
from build_exporter.config.section import fields_of

_FENCE: Final = re.compile(r"^( *)```(\S*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
_KINDS: Final = {"sh", "console", "text", "python", "yaml", "json", "toml", "make", "ini", "promql", "mermaid", "nginx"}
_OTHER_YAML: Final = {"add-an-alert.md", "scaling.md", "several-machines.md", "security.md", "prometheus/sd/README.md"}
"""Pages with files of Prometheus or of web credentials, which tests of their own try."""


def blocks(repository: Path, *kinds: str) -> Iterator[tuple[str, str, str]]:
    """Yield page, kind and text of each fenced block, of some kinds."""
    for page in pages(repository):
        for indent, kind, text in _FENCE.findall(page.read_text()):
            if not kinds or kind in kinds:
                yield str(page.relative_to(repository)), kind, re.sub(f"^{indent}", "", text, flags=re.MULTILINE)


def test_every_block_has_a_kind_and_commands_are_in_one(repository: Path) -> None:
    """Whatever looks like something to type or copy is in a block that a test reads."""
    assert [(page, text) for page, kind, text in blocks(repository) if kind not in _KINDS] == []
    for page in pages(repository):
        rest = _FENCE.sub("", page.read_text())
        assert re.findall(r"^    +(?:\$ )?(?:build-exporter|promtool|make) .*$", rest, re.MULTILINE) == [], page


def test_every_configuration_is_accepted(repository: Path, tmp_path: Path) -> None:
    """A reader can copy any part of a configuration that a page shows."""
    keys = {field.name for field in fields_of(Config)}
    tried = 0
    for page, _, text in blocks(repository, "yaml"):
        if not any(page.endswith(other) for other in _OTHER_YAML):
            assert set(yaml.safe_load(text)) <= keys, page
            (tmp_path / "config.yml").write_text(text)
            try:
                read_config(str(tmp_path / "config.yml"))
            except ConfigError as error:
                pytest.fail(f"{page}: {error}")
            tried += 1
    assert tried > 8


def test_shell_python_and_data_are_readable(repository: Path) -> None:
    """No block has a syntax error, also where running it would install, send or delete something."""
    for page, kind, text in blocks(repository, "sh", "console", "python", "json", "toml"):
        if kind in {"sh", "console"}:
            lines = re.findall(r"^[$#] (.*(?:\\\n.*)*)$", text, re.MULTILINE) if kind == "console" else [text]
            assert lines, (page, text)
            done = subprocess.run(["sh", "-n"], input="\n".join(lines), capture_output=True, text=True, check=False)
            assert done.returncode == 0, (page, text, done.stderr)
        elif kind == "python":
            compile(text, page, "exec")
        else:
            (json if kind == "json" else tomllib).loads(text)


def test_every_link_leads_somewhere(repository: Path) -> None:
    """A reader finds every page and heading that a page links to."""
    for page in (page for page in pages(repository) if not page.is_symlink()):
        for target, heading in _LINK.findall(re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text(), flags=re.DOTALL)):
            linked = (page.parent / target).resolve() if target else page
            assert linked.exists(), (page, target)
            if heading and linked.suffix == ".md":
                assert heading in headings(linked), (page, target, heading)


def headings(page: Path) -> set[str]:
    """Return the names that the headings of a page are linked by."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

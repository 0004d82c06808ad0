"""The reference page and the command that checks a file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from zygote import forks

from build_exporter.cli.docs import render_configuration
from build_exporter.config.schema import Config
from build_exporter.config.section import fields_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"


def config_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return forks().run(["config", "check", *arguments])


def test_page_is_what_the_schema_says() -> None:
    """The committed page is the schema's; `make docs` renews it."""
    assert PAGE.read_text(encoding="utf-8") == render_configuration()


def test_page_names_every_key() -> None:
    """A reader finds each top-level key once."""
    for section, field in zip(render_configuration().split("\n## ")[1:], fields_of(Config), strict=True):
        assert section.startswith(f"`{field.name}`\n")


@pytest.mark.parametrize(
    "row",
    [
        "| `stalled_seconds` | a duration, at least 1s | `30m` | ",
        "| `runs` | a whole number, at least 1, or none | `50` | ",
        "| `kind` | auto, bitbake, blfs, ",
        "| `hosts` | a list, each item: a name | empty | ",
        "| `timeout` | a duration, 10ms to 1h | `5s` | ",
    ],
)
def test_page_has_the_row(row: str) -> None:
    """Bounds and defaults are written as one would write them into the file."""
    assert f"\n{row}" in render_configuration()


def test_check_of_a_right_file(tmp_path: Path) -> None:
    """A right file: exit 0, ok, and one line of what it sets."""
    done = config_check(str(ROOT / "examples" / "config.yml"))
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.endswith("examples/config.yml: ok")
    assert second.startswith("3 milestones, schedule, thresholds, 2 sources, 2 probes, ")
    (tmp_path / "config.yml").touch()
    assert config_check(str(tmp_path / "config.yml")).stdout.splitlines()[1] == "all defaults"


def test_check_of_a_wrong_file(tmp_path: Path) -> None:
    """A wrong file: exit 2, every problem on standard error by line, nothing on standard output, no traceback."""
    file = tmp_path / "config.yml"
    file.write_text("milestones:\n  - name: half\n    progress: 0.5\n    progres: 1\nwebb: {}\n")
    done = config_check(str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.removeprefix(f"{file}:").split(";")[0] for line in done.stderr.splitlines()] == [
        "4:5: unknown key 'progres' in milestones[0]",
        "5:1: unknown key 'webb' at the top level",
    ]


def test_check_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file: exit 2 and its name, like every wrong file."""
    done = config_check(str(tmp_path / "none.yml"))
    assert (done.returncode, done.stderr) == (2, f"{tmp_path}/none.yml: cannot be read: No such file or directory\n")

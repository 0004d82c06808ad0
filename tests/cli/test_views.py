"""Views of the configuration: questions of one's own by name, in the terminal and as sections of reports."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from build_exporter.cli import main

VIEWS = """\
views:
  - name: long steps
    title: Steps <beyond> 90 s
    query: tasks
    filters: {threshold: 90}
    columns: [step, seconds, error_class]
    sort: [-seconds]
    limit: 2
    report: table
  - name: attempts
    query: tasks
    build: mini-lfs-resumed
    sort: [-attempts, seconds]
    limit: 3
    report: bars
    value: seconds
  - name: to come
    query: milestones
    columns: [milestone, state]
    report: list
  - {name: what fits, query: history, filters: {package: nothing-of-it}, report: table}
  - {name: late errors, query: errors, window: 10m, columns: [step, severity]}
"""

Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A directory with a journal of two recorded builds, and a configuration with views."""
    place = tmp_path_factory.mktemp("views")
    (place / "views.yml").write_text(VIEWS)
    for name in ("mini-lfs", "mini-lfs-resumed"):
        (record,) = (repository / "examples" / "recorded" / name).glob("*.jsonl")
        (place / "journal" / name).mkdir(parents=True)
        (place / "journal" / name / record.name).write_bytes(record.read_bytes())
    return place


@pytest.fixture
def ask(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Run a command about the journal with the configuration in the environment; logging stays as it was."""
    monkeypatch.setenv("BUILD_EXPORTER_JOURNAL", str(place / "journal"))
    monkeypatch.setenv("BUILD_EXPORTER_CONFIG", str(place / "views.yml"))
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield lambda *arguments: CliRunner().invoke(main, arguments, prog_name="build-exporter")
    root.handlers[:] = handlers
    root.setLevel(level)


def rows(result: Result) -> list[list[str]]:
    """Return the rows of an answer in CSV, the one of names first."""
    assert result.exit_code == 0, result.output
    return list(csv.reader(io.StringIO(result.stdout)))


def test_a_view_has_its_columns_order_and_limit(ask: Ask) -> None:
    """The recorded steps beyond 90 s, the longest first, two of them, with the columns of the view and no others."""
    found = rows(ask("view", "long steps", "--build", "mini-lfs", "--output", "csv"))
    assert found[0] == ["step", "seconds", "error_class"]
    assert [(step, round(float(seconds)), error) for step, seconds, error in found[1:]] == [
        ("616-binutils-pass2", 283, ""),
        ("501-binutils-pass1", 163, ""),
    ]
    table = ask("view", "long steps", "--build", "mini-lfs").stdout
    assert "error class" in table.splitlines()[0], "a column that was asked for is shown though it is empty"
    answer = json.loads(ask("view", "long steps", "--limit", "1", "--output", "json").stdout)
    assert (answer["view"], answer["query"], len(answer["rows"])) == ("long steps", "tasks", 1)


def test_a_view_sorts_by_several_columns(ask: Ask) -> None:
    """Steps with the most attempts first, among equals the shortest; the view names the build."""
    found = rows(ask("view", "attempts", "--output", "csv"))
    place = {name: found[0].index(name) for name in ("build", "step", "attempts")}
    assert [(row[place["step"]], row[place["attempts"]]) for row in found[1:3]] == [
        ("607-findutils", "2"),
        ("604-coreutils", "2"),
    ]
    assert {row[place["build"]] for row in found[1:]} == {"mini-lfs-resumed"}


def test_options_take_precedence_over_the_views(ask: Ask) -> None:
    """`--build` and a window on the command line replace those of the view."""
    assert {row[0] for row in rows(ask("view", "attempts", "--build", "mini-lfs", "--output", "csv"))[1:]} == {
        "mini-lfs"
    }
    assert rows(ask("view", "late errors", "--output", "csv")) == [["step", "severity"]]
    then = rows(ask("view", "late errors", "--since", "2026-11-21T00:00:00Z", "--output", "csv"))
    assert then[1:] == [["607-findutils", "warning"], ["604-coreutils", "warning"]]


def test_views_are_listed(ask: Ask, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name, and in `--help`, the views of the configuration are shown with what they ask."""
    listed = rows(ask("view", "--output", "csv"))
    assert listed[1] == ["long steps", "Steps <beyond> 90 s", "tasks --threshold 90", "table"]
    assert [row[0] for row in listed[1:]] == ["long steps", "attempts", "to come", "what fits", "late errors"]
    assert re.search(r"long steps +Steps <beyond> 90 s: tasks --threshold 90", ask("view", "--help").stdout)
    monkeypatch.delenv("BUILD_EXPORTER_CONFIG")
    assert "Views of" not in ask("view", "--help").stdout
    assert "Views of" in ask("view", "--config", str(place / "views.yml"), "--help").stdout
    assert "the configuration has no views" in ask("view").stdout


def test_wrong_use_names_what_there_is(ask: Ask, tmp_path: Path) -> None:
    """A view that is not there ends with 2 and the nearest names; so does a wrong configuration, with file and line."""
    done = ask("view", "long stepps")
    assert (done.exit_code, done.stderr) == (
        2, "build-exporter: the configuration has no view 'long stepps'; there are: long steps\n",
    )  # fmt: skip
    (tmp_path / "wrong.yml").write_text("views:\n  - {name: a, query: taks}\n")
    done = ask("view", "a", "--config", str(tmp_path / "wrong.yml"))
    assert done.exit_code == 2
    assert f"{tmp_path}/wrong.yml:2:22: views[0].query is 'taks'; did you mean 'tasks'?" in done.stderr
    assert "did you mean 'tasks'?" in " ".join(
        ask("view", "--config", str(tmp_path / "wrong.yml"), "--help").stdout.split()
    )


def test_views_are_sections_of_reports(ask: Ask) -> None:
    """Views with `report` are sections in the file's order: a table, bars, a list; their text stays text."""
    page = ask("report", "mini-lfs-resumed").stdout
    own = re.findall(r"<h2>([^<]*)</h2>", page)
    assert [each for each in own if each in ("Steps &lt;beyond&gt; 90 s", "attempts", "to come", "what fits")] == [
        "Steps &lt;beyond&gt; 90 s", "attempts", "to come", "what fits",
    ]  # fmt: skip
    assert "late errors" not in page
    assert re.search(r'<th>Step<th class="n">Took', page)
    (bars,) = re.findall(r'aria-label="attempts">(.*?)</section>', page, re.DOTALL)
    assert re.findall(r'class="name">([^<]*)<', bars)[:2] == ["607-findutils", "604-coreutils"]
    assert "<li>cross-binutils, reached</li>" in page
    text = ask("report", "mini-lfs-resumed", "--format", "md").stdout
    assert "## Steps \\<beyond\\> 90 s\n\n| step | took |" in text
    assert "\n- cross-binutils, reached\n" in text
    sections = json.loads(ask("report", "mini-lfs-resumed", "--format", "json").stdout)["sections"]
    assert [(each["title"], each["form"], len(each["rows"])) for each in sections] == [
        ("Steps <beyond> 90 s", "table", 2), ("attempts", "bars", 3), ("to come", "list", 2), ("what fits", "table", 0),
    ]  # fmt: skip


def test_a_section_that_cannot_be_answered_says_why(ask: Ask, tmp_path: Path) -> None:
    """A comparison without an earlier run is a sentence in its section, and the report is made all the same."""
    (tmp_path / "c.yml").write_text("views:\n  - {name: a, title: Than before, query: compare, report: table}\n")
    done = ask("report", "mini-lfs", "--config", str(tmp_path / "c.yml"), "--format", "md")
    assert done.exit_code == 0, done.stderr
    assert re.search(r"## Than before\n+.*no run before", done.stdout)

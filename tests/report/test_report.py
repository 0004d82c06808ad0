"""Reports of a run: complete, safe to open, and as a reader wants them."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
NASTY = 'a"><script>alert(1)</script>|`x`'


@pytest.fixture
def journal(tmp_path: Path, repository: Path, command: Command) -> Path:
    """A journal with the recorded build that failed twice and was resumed."""
    place = tmp_path / "journal"
    (record,) = (repository / "examples" / "recorded" / "mini-lfs-resumed").glob("*.jsonl")
    assert command("replay", str(record), "--journal", str(place), "--keep-times", "--quiet").returncode == 0
    return place


class Page(HTMLParser):
    """What a page is made of: its tags, its words, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "data", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_stands_alone(command: Command, journal: Path) -> None:
    """The HTML report is one file: no script, nothing loaded, plots in it, both colour schemes, a form for print."""
    done = command("report", "mini-lfs-resumed", "--journal", str(journal))
    assert done.returncode == 0, done.stderr
    page = Page(done.stdout)
    assert page.loads == []
    assert "script" not in page.tags
    assert done.stdout.count('class="bars') >= 3
    assert "prefers-color-scheme: dark" in done.stdout
    assert "@media print" in done.stdout
    words = " ".join(" ".join(page.words).split())
    assert "All 16 steps are done, in 23 min 19 s. What was expected to take 20 min 44 s took 15 min 26 s." in words
    assert "2 attempts did not succeed and were repeated." in words
    for part in ("16 of 16", "23 min 19 s", "607-findutils", "Attempts that did not succeed", "2 min 26 s"):
        assert part in words, part


def test_a_bar_for_each_step_where_it_ran(command: Command, journal: Path) -> None:
    """The time line has one bar a step, in the order of their starts, none beyond the run's end."""
    text = command("report", "mini-lfs-resumed", "--journal", str(journal)).stdout
    (line,) = re.findall(r'aria-label="Time line of the steps">(.*?)<div class="axis"', text, re.DOTALL)
    bars = [(float(x), float(w)) for x, w in re.findall(r'<i style="left:([\d.]+)%;width:([\d.]+)%">', line)]
    assert len(bars) == 16
    assert bars == sorted(bars)
    assert bars[0][0] == 0
    assert 99.9 <= max(left + wide for left, wide in bars) <= 100.1
    # the first pause of 128 s of 1,399 s, between the fourth and the fifth step
    assert bars[4][0] - sum(bars[3]) == pytest.approx(128 / 1399 * 100, abs=0.1)


def test_every_format(command: Command, journal: Path) -> None:
    """JSON holds what the page shows, CSV a row a step, Markdown the tables, sbu the unit of this machine."""
    call = ("report", "mini-lfs-resumed", "--journal", str(journal), "--format")
    found = json.loads(command(*call, "json").stdout)
    assert (found["board"]["state"], len(found["steps"]), len(found["bad_attempts"])) == ("succeeded", 16, 2)
    assert round(found["analysis"]["idle_seconds"]) == 102  # 248 s less the two attempts that did not succeed
    rows = list(csv.DictReader(io.StringIO(command(*call, "csv").stdout)))
    assert [row["step"] for row in rows][:2] == ["501-binutils-pass1", "601-m4"]
    markdown = command(*call, "md").stdout
    assert "| chapter-6/603-bash | 2 min 20 s |" in markdown
    assert markdown.endswith(".\n")
    assert "The SBU unit value is equal to 225 seconds at -j2." in command(*call, "sbu").stdout


def test_text_of_a_build_stays_text(
    command: Command, tmp_path: Path, run_file: Callable[..., Any], journal: Path
) -> None:
    """A step named like a script is shown as its name in HTML and in Markdown."""
    run = run_file("nasty")
    run.step("p", NASTY, status="failed", message=NASTY)
    call = ("report", "nasty", "--journal", str(run.path.parents[1]), "--format")
    page = command(*call, "html").stdout
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    markdown = command(*call, "md").stdout
    assert NASTY not in markdown
    assert "0 steps are done" in markdown


def test_comparison_with_the_run_before(command: Command, run_file: Callable[..., Any]) -> None:
    """A step that took twice as long stands first, with both times."""
    for day, seconds in ((1, 100.0), (2, 200.0)):
        run = run_file("lfs", run=f"2026010{day}T000000Z", clock=1.78e9 + day * 1e5)
        run.step("p", "a", seconds=50.0)
        run.step("p", "slow", seconds=seconds)
        run.step("p", "b", seconds=150.0)
        run.add("build_finished", status="succeeded")
    call = ("report", "lfs", "--journal", str(run.path.parents[1]), "--compare", "previous", "--format")
    first = json.loads(command(*call, "json").stdout)["comparison"]["steps"][0]
    assert (first["step"], first["before_seconds"], first["seconds"], first["significant"]) == ("slow", 100, 200, True)
    assert "Against run 20260101T000000Z" in command(*call, "html").stdout


def test_a_template_of_ones_own(command: Command, journal: Path, tmp_path: Path) -> None:
    """A jinja2 template takes the place of the shipped one; one with a mistake is one sentence."""
    mine = tmp_path / "mine.md"
    mine.write_text("{{ board.build }} took {{ report.analysis.wall_seconds | duration }}\n")
    call = ("report", "mini-lfs-resumed", "--journal", str(journal), "--format", "md", "--template", str(mine))
    assert command(*call).stdout == "mini-lfs-resumed took 23 min 19 s\n"
    mine.write_text("{{ board.nothing }}")
    done = command(*call)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mini-lfs-resumd"], "there are: mini-lfs-resumed"),
        (["--compare", "previous"], "no run previous"),
        (["--format", "json", "--template", __file__], "--template is for html and md"),
    ],
)
def test_wrong_use(command: Command, journal: Path, arguments: list[str], message: str) -> None:
    """What can't be reported ends with 2 and says why."""
    done = command("report", *arguments, "--journal", str(journal))
    assert done.returncode == 2
    assert message in done.stderr


def test_a_repaired_step_keeps_its_first_error(command: Command, run_file: Callable[..., Any]) -> None:
    """Earlier failures are named, times say of how many attempts they are, and empty columns are left out."""
    run = run_file("lfs")
    error = "gcc.c:1:10: fatal error: gmp.h: No such file or directory"
    run.step("p", "gcc", seconds=50.0, status="failed", error_class="missing-header", message=error)
    run.step("p", "gcc", seconds=40.0)
    run.step("p", "m4", seconds=10.0)
    call = ("report", "lfs", "--journal", str(run.path.parents[1]), "--format")
    markdown, html = (command(*call, form).stdout for form in ("md", "html"))
    assert re.search(rf"p/gcc, attempt 1: failed, missing-header at [\d :-]+: {re.escape(error)}\n", markdown)
    assert f"<td>{error}</tr>" in html
    assert all("gcc took longest: 1 min 30 s in 2 attempts, 90.0 % of" in text for text in (markdown, html))
    assert "| p/gcc | 1 min 30 s in 2 attempts | 90.0 % |\n| p/m4 | 10 s | 10.0 % |\n" in markdown
    assert "40 s (attempt 2)" in html
    assert "cores busy" not in markdown
    run.step("p", "bash", seconds=10.0, cpu_seconds=20.0)
    markdown = command(*call, "md").stdout
    assert "| share | cores busy |\n|---|---:|---:|---:|\n" in markdown
    assert "| p/bash | 10 s | 9.0 % | 2.0 |\n" in markdown


def test_a_terminal_gets_markdown(journal: Path) -> None:
    """A report is HTML for a file or a pipe, and a text to read where a person would see the tags."""
    master, slave = pty.openpty()
    call = [sys.executable, "-m", "build_exporter", "report", "--journal", str(journal)]
    done = subprocess.run(call, stdout=slave, stderr=subprocess.DEVNULL, timeout=60, check=True)
    os.close(slave)
    assert done.returncode == 0
    assert os.read(master, 4096).startswith(b"# mini-lfs-resumed: succeeded")
    os.close(master)

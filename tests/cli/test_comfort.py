"""What makes the command line pleasant: completion, man pages, plug-ins shown, help that costs nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from build_exporter.cli import COMMANDS, main
from build_exporter.cli.plugins import POINTS

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("shell", "word", "offered"),
    [
        ("bash", "1", "plain,progress"),
        ("zsh", "1", "plain\nprogress\nShow how far builds and their phases are."),
        ("fish", "prog", "plain,progress\tShow how far builds and their phases are."),
    ],
)
def test_completion_is_right_for_its_shell(command: Command, shell: str, word: str, offered: str) -> None:
    """Each shell takes its script, and is offered the commands that begin as what is typed."""
    script = command("completion", shell).stdout
    environment = {**os.environ, "_BUILD_EXPORTER_COMPLETE": f"{shell}_complete", "COMP_WORDS": "build-exporter prog",
                   "COMP_CWORD": word}  # fmt: skip
    assert command(env=environment).stdout.strip() == offered
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    checked = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_and_pages_are_put_where_they_are_found(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--install` and `man` write into the user's own directories; zsh is named what else it needs."""
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    done = CliRunner().invoke(main, ["completion", shell, "--install"])
    places = {
        "bash": "data/bash-completion/completions/build-exporter",
        "zsh": "data/zsh/site-functions/_build-exporter",
        "fish": "config/fish/completions/build-exporter.fish",
    }
    assert done.stdout.startswith(f"{tmp_path / places[shell]}: used by the next {shell}\n")
    assert "build-exporter" in (tmp_path / places[shell]).read_text()
    assert ("fpath=(" in done.stdout) == (shell == "zsh")
    if shell == "bash":
        written = CliRunner().invoke(main, ["man"])
        assert written.exit_code == 0
        pages = tmp_path / "data" / "man" / "man1"
        assert (pages / "build-exporter-view.1").exists()
        removal = written.stdout.partition("; to remove them: ")[2]
        assert removal.strip() == f"rm {pages}/build-exporter*.1"


def test_man_pages(command: Command, tmp_path: Path) -> None:
    """There is a page for each command, with its options and its example, and groff has nothing to say about them."""
    done = command("man", str(tmp_path))
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.iterdir()}
    assert {"build-exporter.1", *(f"build-exporter-{name}.1" for name in COMMANDS)} <= names
    page = (tmp_path / "build-exporter-tasks.1").read_text()
    assert "\\fB\\-\\-status" in page
    assert "build\\-exporter tasks \\-\\-status failed" in page
    if shutil.which("groff") is None:
        pytest.skip("no groff")
    for path in tmp_path.iterdir():
        call = ["groff", "-man", "-ww", "-Wbreak", "-z", str(path)]
        lint = subprocess.run(call, capture_output=True, text=True, check=False)
        assert (lint.returncode, lint.stderr) == (0, ""), path.name


def install(place: Path, group: str, entries: dict[str, str], code: str) -> None:
    """Install a package with entry points, as pip leaves one."""
    (place / "plug.py").write_text(code)
    info = place / "plug-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.2\n")
    lines = "\n".join(f"{name} = {target}" for name, target in entries.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")


def test_plugins_are_listed_with_their_state(command: Command, tmp_path: Path) -> None:
    """A plug-in that loads is fine, one that raises is shown with what it said, and makes the command exit with 1."""
    entries = {"good": "plug:good", "bad": "absent:bad", "odd": "plug:NUMBER"}
    install(tmp_path, "build_exporter.event_handlers", entries, "NUMBER = 7\ndef good(event): pass\n")
    done = command("plugins", "--output", "json", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"] if row["package"] == "plug"}
    assert rows["good"] == {"kind": "handlers of live events", "name": "good", "package": "plug", "version": "1.2",
                            "ok": True, "detail": None}  # fmt: skip
    assert "absent" in rows["bad"]["detail"]
    assert "neither a class nor a function" in rows["odd"]["detail"]


def test_a_report_format_of_a_plugin(command: Command, tmp_path: Path, run_file: Callable[..., Any]) -> None:
    """A format of a package is printed like a built-in one; one that returns nonsense is one sentence."""
    run = run_file("lfs")
    run.step("p", "a")
    code = "def short(report): return report['board']['build'] + ' done'\ndef wrong(report): return 7\n"
    install(tmp_path, "build_exporter.report_formats", {"short": "plug:short", "wrong": "plug:wrong"}, code)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    call = ("report", "lfs", "--journal", str(run.path.parents[1]), "--format")
    assert command(*call, "short", env=environment).stdout == "lfs done"
    done = command(*call, "wrong", env=environment)
    assert (done.returncode, "wrong of plug 1.2 returned no text" in done.stderr) == (2, True), done.stderr
    assert "formats: html, md, json, csv, sbu, short, wrong" in command(*call, "x", env=environment).stderr


def test_every_extension_point_is_documented(repository: Path) -> None:
    """What the code looks for among entry points is listed by `plugins` and has a part and an example in the guide."""
    package = repository / "exporter" / "build_exporter"
    used = {
        group
        for path in package.rglob("*.py")
        for group in re.findall(r'^GROUP: Final = "([\w.]+)"', path.read_text(), re.MULTILINE)
    }
    assert used == POINTS.keys()
    guide = (repository / "docs" / "guide" / "plugins.md").read_text()
    assert [group for group in POINTS if f'[project.entry-points."{group}"]' not in guide] == []
    text = "".join(path.read_text() for path in package.rglob("*.py"))
    assert set(re.findall(r"entry_points\(group=(\S+?)\)", text)) == {"GROUP", "group"}, "no group beside those named"


def test_help_and_emit_start_fast(tmp_path: Path) -> None:
    """The list of commands costs less than eight times an empty Python, an event less than four times: best of five."""

    def best(*arguments: str) -> float:
        lines = (
            "import resource, subprocess, sys",
            "subprocess.run(sys.argv[1:], capture_output=True)",
            "used = resource.getrusage(resource.RUSAGE_CHILDREN)",
            "print(used.ru_utime + used.ru_stime)",
        )
        code = "\n".join(lines)
        call = [sys.executable, "-c", code, sys.executable, *arguments]
        return min(float(subprocess.run(call, capture_output=True, text=True, check=True).stdout) for _ in range(5))

    empty = best("-c", "pass")
    assert best("-m", "build_exporter", "--help") < 8 * empty
    event = ("step_started", "phase=p", "step=s")
    assert best("-m", "build_exporter", "emit", "--journal", str(tmp_path), "--build", "b", *event) < 4 * empty
    assert list(tmp_path.glob("b/*.jsonl"))

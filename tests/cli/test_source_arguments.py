"""What the command line and the configuration give a source beside its path."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_jhalfs_tree_is_weighed_by_its_book(command: Callable[..., Any], journal: Path, records: Path) -> None:
    """With the LFS book at hand an imported build has the book's SBU, and so progress by time."""
    tree = records / "jhalfs" / "alfs-sysroot" / "20240330.sysv"
    book = records / "lfs-book"
    done = command("import", "jhalfs", str(tree), "--build", "lfs", "--journal", str(journal), "--book", str(book))
    assert done.returncode == 0, done.stderr
    (file,) = (journal / "lfs").glob("*.jsonl")
    assert file.read_text().count('"sbu":') > 100


def test_patterns_of_the_configuration_reach_the_log_source(
    serve: Callable[..., Any], poll: Callable[..., None], tmp_path: Path
) -> None:
    """A log in a tool's own words is followed by the patterns the configuration gives."""
    log = tmp_path / "builder.log"
    log.write_text("==> Making gcc\n")
    config = tmp_path / "config.yml"
    config.write_text(
        "sources:\n  - kind: log\n    path: builder.log\n    build: mine\n"
        "    patterns:\n      started: '^==> Making (?P<step>\\S+)'\n"
    )
    served = serve("--config", str(config))
    poll(lambda: served.value("build_step_status", build="mine", step="gcc") == 1, what="the step runs")


STARTED = r"started=^==> (?P<step>\S+) = begins"


def test_options_on_the_command_line_reach_the_source(
    command: Callable[..., Any], serve: Callable[..., Any], poll: Callable[..., None], journal: Path, tmp_path: Path
) -> None:
    """`--watch-option` and `import --option` say what the configuration's `options` say, whatever is in the value."""
    log = tmp_path / "mine.log"
    log.write_text("==> gcc = begins\n")
    served = serve("--watch", f"log={log}", "--watch-option", f"log.{STARTED}")
    poll(lambda: served.value("build_step_status", build="mine", step="gcc") == 1, what="the step runs")
    done = command("import", "log", str(log), "--option", STARTED, "--journal", str(tmp_path / "other"))
    assert (done.returncode, done.stderr) == (0, "")
    assert '"step":"gcc"' in next((tmp_path / "other" / "mine").iterdir()).read_text()


def test_options_of_the_configuration_reach_the_source(
    command: Callable[..., Any], serve: Callable[..., Any], poll: Callable[..., None], tmp_path: Path
) -> None:
    """What once was known to the code alone can be set: here how long a pause parts two runs of Buildroot."""
    output = tmp_path / "output" / "build"
    output.mkdir(parents=True)
    lines = [f"{1.77e9 + at:.1f}:{what:<5}:build               : {name}" for name, at in (("zlib", 0), ("bash", 30))
             for what, at in (("start", at), ("end", at + 10))]  # fmt: skip
    (output / "build-time.log").write_text("".join(f"{line}\n" for line in lines))
    config = tmp_path / "config.yml"
    for pause, runs in (("15m", 1), ("5s", 2)):
        journal = tmp_path / pause
        config.write_text(f"sources:\n  - {{kind: buildroot, path: output, build: br, options: {{pause: {pause}}}}}\n")
        serve("--config", str(config), journal=journal)
        poll(lambda at=journal / "br", count=runs: len(list(at.glob("*"))) == count, what=f"{runs} runs")


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (("serve", "--watch", "log=/x", "--watch-option", "log.failde=x"), "unknown key 'failde' in options; did you"),
        (("serve", "--watch", "log=/x", "--watch-option", "portage.pretend=x"), "no --watch is of kind 'portage'"),
        (("serve", "--watch", "ninja=/x", "--watch-option", "ninja.a=x"), "kind ninja has no options"),
        (("serve", "--watch", "ninja=/x", "--watch-option", "ninja.a"), "takes KIND.NAME=VALUE, not 'ninja.a'"),
        (("import", "buildroot", "/", "--option", "pause=soon"), "options.pause is 'soon'; allowed: a duration"),
        (("import", "log", "/", "--option", "failed=a", "--option", "failed=b"), "'failed' is given twice"),
        (("import", "log", "/", "--option", "started=a"), "without the group (?P<step>…)"),
        (("import", "ninja", "/", "--book", "/"), "kind ninja has no options"),
    ],
)
def test_a_wrong_option_is_reported(command: Callable[..., Any], arguments: tuple[str, ...], reported: str) -> None:
    """What is no option of the kind, or no value of it, is one line with what would be right, and code 2."""
    done = command(*arguments)
    assert done.returncode == 2
    assert reported in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("watch", "reported"),
    [
        ("nothing", "KIND=PATH"),
        ("nosuch=/tmp", "there is no kind 'nosuch'"),
        ("portge=/tmp", "did you mean 'portage'?"),
        ("auto=/dev/null", "is no known kind of record"),
    ],
)
def test_unwatchable_paths_are_reported(command: Callable[..., Any], journal: Path, watch: str, reported: str) -> None:
    """A wrong --watch is one clear line and code 2."""
    done = command("serve", "--journal", str(journal), "--web.listen-address", "127.0.0.1:0", "--watch", watch)
    assert done.returncode == 2
    assert reported in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["portage", "make", "auto"])
def test_a_compressed_record_is_reported_as_such(
    command: Callable[..., Any], journal: Path, tmp_path: Path, kind: str
) -> None:
    """A log that rotation has compressed is refused by name instead of being a record with nothing in it."""
    log = tmp_path / "emerge.log.gz"
    log.write_bytes(gzip.compress(b"1517699371: Started emerge on: Feb 04, 2018 00:09:31\n"))
    done = command("import", kind, str(log), "--journal", str(journal))
    assert (done.returncode, "emerge.log.gz is compressed by gzip" in done.stderr) == (2, True), done.stderr
    assert not journal.exists() or not list(journal.iterdir())


@pytest.mark.parametrize("kind", ["portage", "buildroot", "bitbake", "log", "make"])
def test_a_file_without_any_build_is_no_success(
    command: Callable[..., Any], journal: Path, tmp_path: Path, kind: str
) -> None:
    """An empty file, or the wrong one, has nothing to import: that is reported, unlike what was imported before."""
    empty = tmp_path / "some.log"
    empty.touch()
    done = command("import", kind, str(empty), "--journal", str(journal))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"build-exporter: {empty}: no build found there by kind {kind}\n"


def test_what_is_not_there_yet_needs_a_kind(command: Callable[..., Any], tmp_path: Path) -> None:
    """`auto` reads a record to find its kind; a missing record is an error that says so."""
    done = command("serve", "--watch", f"auto={tmp_path / 'later.log'}", "--journal", str(tmp_path / "journal"))
    assert (done.returncode, "later.log is not there yet, so its kind must be named" in done.stderr) == (2, True)


def test_a_journal_that_cannot_be_written_is_called_so(command: Callable[..., Any], tmp_path: Path) -> None:
    """A fault of the journal is not reported as one of the record."""
    log = tmp_path / "mine.log"
    log.write_text("STARTED gcc\nCOMPLETED gcc\n")
    done = command("import", "log", str(log), "--journal", str(log))
    assert done.returncode == 1
    assert done.stderr.startswith(f"build-exporter: the journal can't be written: {log}"), done.stderr

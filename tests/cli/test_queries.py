"""The query commands: one grammar, three sources, and exit codes that scripts can rely on."""

from __future__ import annotations

import csv
import io
import json
import logging
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from build_exporter.cli import main
from build_exporter.cli.query import window_of
from build_exporter.cli.query_output import csv_cell, fitting
from build_exporter.model.names import nearest_names, run_start
from build_exporter.queries.commands import SUMMARIES, find
from build_exporter.queries.commands.history import HistoryRow, matches
from build_exporter.queries.filters import ARGUMENTS, FILTERS

Command = Callable[..., Any]
ONE = {"compare"}
"""Queries that are about one build."""


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def call(*arguments: str) -> Done:
    """Run the command line in this process: a hundred processes would take minutes."""
    result = CliRunner().invoke(main, arguments, prog_name="build-exporter")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def command() -> Iterator[Command]:
    """Run a command, and leave this process's logging as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield call
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A journal with two recorded builds: one that failed twice on its way, and one that did not."""
    place = tmp_path_factory.mktemp("journal")
    for name in ("mini-lfs", "mini-lfs-resumed"):
        (record,) = (repository / "examples" / "recorded" / name).glob("*.jsonl")
        done = call("replay", str(record), "--journal", str(place), "--keep-times", "--quiet")
        assert done.returncode == 0, done.stderr
    return place


def ask(command: Command, journal: Path, *arguments: str) -> Any:
    """Return what a query says in JSON, its exit code as `code`."""
    done = command(*arguments, "--journal", str(journal), "--output", "json")
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout) | {"code": done.returncode}


@pytest.mark.parametrize("name", sorted(SUMMARIES))
def test_every_query_answers_in_every_form(command: Command, journal: Path, name: str) -> None:
    """Each query answers from a journal as table, JSON and CSV, and says where the answer comes from."""
    build = ["--build", "mini-lfs-resumed"] if name not in ONE else ["--build", "mini-lfs", "newest", "newest"]
    answer = ask(command, journal, name, *build)
    assert answer["query"] == name
    assert str(journal) in answer["source"]
    table = command(name, *build, "--journal", str(journal))
    assert str(journal) in table.stderr
    assert "\x1b" not in table.stdout
    rows = list(csv.reader(io.StringIO(command(name, *build, "--journal", str(journal), "--output", "csv").stdout)))
    assert rows[0] == list(find(name).row.__struct_fields__)


@pytest.mark.parametrize("name", sorted(SUMMARIES))
def test_every_example_of_the_help_is_right_use(command: Command, journal: Path, name: str) -> None:
    """The example in a query's help runs; it may find nothing wrong, or nothing at all, but is never wrong use."""
    example = find(name).example.replace("lfs-12.4", "mini-lfs").replace("newest previous", "newest newest")
    done = command(name, *shlex.split(example), "--journal", str(journal))
    one_of_two = "which build?" in done.stderr
    assert done.returncode in (0, 1) or (name in ONE and one_of_two), done.stderr
    assert f"build-exporter {name} {find(name).example}".rstrip() in command(name, "--help").stdout


def test_one_run_shows_no_trend_of_errors(command: Command, journal: Path) -> None:
    """Where there is one run there is no earlier half: its failures are counted, and nothing is said of a trend."""
    (row,) = ask(command, journal, "error-trends", "--build", "mini-lfs-resumed")["rows"]
    assert (row["failures"], row["runs"], row["earlier_per_run"], row["later_per_run"]) == (2, 1, None, None)
    assert "no build is running" in command("fit", "--journal", str(journal)).stdout


def test_tasks_are_filtered(command: Command, journal: Path) -> None:
    """Only steps in a state, of a phase, of at least so many seconds, and at most so many rows."""
    rows = ask(command, journal, "tasks", "--build", "mini-lfs", "--phase", "chapter-5")["rows"]
    assert [row["step"] for row in rows] == ["501-binutils-pass1"]
    long = ask(command, journal, "tasks", "--build", "mini-lfs", "--threshold", "90")["rows"]
    assert [row["step"] for row in long] == ["501-binutils-pass1", "604-coreutils", "616-binutils-pass2"]
    assert len(ask(command, journal, "tasks", "--limit", "2")["rows"]) == 2
    assert ask(command, journal, "tasks", "--status", "failed")["rows"] == []


def test_a_window_chooses_what_happened_in_it(command: Command, journal: Path) -> None:
    """A window that ends before the second build began holds the steps of the first alone."""
    rows = ask(command, journal, "tasks", "--until", "2026-11-21T06:40:00Z", "--window", "1h")["rows"]
    assert {row["build"] for row in rows} == {"mini-lfs"}


def test_exit_code_shows_what_is_not_fine(command: Command, tmp_path: Path) -> None:
    """A failed step makes `tasks`, `errors`, `progress` and `resolution` exit with 1."""
    lines = [
        {"event": "build_started", "time": 1.0},
        {"event": "step_started", "time": 2.0, "phase": "p", "step": "x"},
        {"event": "step_finished", "time": 3.0, "phase": "p", "step": "x", "status": "failed"},
    ]
    (tmp_path / "k").mkdir()
    text = "".join(json.dumps(line | {"build": "k"}) + "\n" for line in lines)
    (tmp_path / "k" / "20260101T000000Z.jsonl").write_text(text)
    for name in ("tasks", "errors", "progress", "resolution"):
        assert command(name, "--journal", str(tmp_path)).returncode == 1, name
    assert command("milestones", "--journal", str(tmp_path)).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["progress", "--build", "mini-lsf"], "there are: mini-lfs"),
        (["tasks", "--build", "mini-lfs", "--run", "20200101T000000Z"], "no run 20200101T000000Z of mini-lfs"),
        (["tasks", "--since", "1h", "--until", "2h"], "ends before it begins"),
        (["tasks", "--since", "900", "--until", "900"], "ends before it begins"),
        (["tasks", "--since", "1h", "--window", "2h"], "give one of them"),
        (["tasks", "--since", "yesterdayish"], "is no time"),
        (["tasks", "--since", "nan"], "is no time"),
        (["tasks", "--since", "1e300"], "is no time"),
        (["tasks", "--window", "soon"], "is not a duration"),
        (["tasks", "--window", "0"], "at least 100ms"),
        (["throughput", "--bucket", "0"], "at least 1s"),
        (["resources", "--resource", "cpu,memroy"], "'memroy' is not one of"),
        (["explain", "604-corutils", "--build", "mini-lfs"], "there are: 604-coreutils"),
        (["explain", "--build", "mini-lsf"], "there are: mini-lfs"),
        (["progress", "--exporter", "127.0.0.1:1"], "--exporter 127.0.0.1:1 is no http"),
        (["progress", "--exporter", "http://127.0.0.1:1"], "127.0.0.1:1/api/v1/builds does not answer"),
        (["progress", "--prometheus", "http://127.0.0.1:1"], "does not answer"),
        (["progress", "--prometheus", "ftp://host"], "is no http"),
        (["progress", "--exporter", "http://a", "--prometheus", "http://b"], "give one of them"),
        (["compare"], "which build?"),
        (["compare", "--build", "mini-lfs"], "no run before"),
    ],
)
def test_wrong_use_is_one_sentence(command: Command, journal: Path, arguments: list[str], message: str) -> None:
    """What can't be asked ends with 2 and a sentence that says what is wrong."""
    done = command(*arguments, "--journal", str(journal))
    assert done.returncode == 2
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    ["progress", "explain", "status", "report", "export", "watch --once", "alerts list", "alerts stats",
     "alerts ack lfs", "alerts escalate lfs"],
)  # fmt: skip
def test_a_journal_that_is_not_there(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """A journal that was named and does not exist is wrong use, as is a file; nothing is made. The default may come."""
    done = command(*words.split(), "--journal", str(tmp_path / "none"))
    assert done == (2, "", f"build-exporter: no journal at {tmp_path}/none: there is no such directory\n")
    assert not (tmp_path / "none").exists()
    file = tmp_path / "file"
    file.write_text("")
    for place in (file, file / "below"):
        done = command(*words.split(), "--journal", str(place))
        reason = f"{file} is a file; a journal is a directory"
        assert done == (2, "", f"build-exporter: no journal at {place}: {reason}\n")
    monkeypatch.setenv("BUILD_EXPORTER_JOURNAL", str(tmp_path / "none"))
    assert "there is no such directory" not in command(*words.split()).stderr


def recorded(build: Path, steps: dict[str, str], run: str = "20260101T000000Z") -> None:
    """Write a run that failed, with steps and their results, in a journal of its own."""
    names = [{"event": "build_started"}]
    for step, status in steps.items():
        names += [{"event": event, "phase": "p", "step": step} for event in ("step_started", "step_finished")]
        names[-1]["status"] = status
    names.append({"event": "build_finished", "status": "failed"})
    begin = run_start(run)
    lines = [json.dumps({"time": begin + n, "build": build.name, **each}) for n, each in enumerate(names)]
    build.mkdir(exist_ok=True)
    (build / f"{run}.jsonl").write_text("\n".join(lines) + "\n")


def test_what_there_is_is_counted(command: Command, tmp_path: Path) -> None:
    """A message that lists five of eight builds, steps or runs says that there are three more; five are all."""
    for number in range(8):
        recorded(tmp_path / f"b{number}", {f"s{number}": "succeeded"})
    journal = str(tmp_path)
    for words in ("status", "explain", "report", "watch --once", "alerts list", "tasks"):
        named = ("zzz",) if words == "report" else ("--build", "zzz")
        done = command(*words.split(), *named, "--journal", journal)
        assert done.returncode == 2
        assert done.stderr.endswith("there are: b0, b1, b2, b3, b4, and 3 more\n"), words
    assert command("explain", "zzz", "--journal", journal).stderr.endswith("s0, s1, s2, s3, s4, and 3 more\n")
    assert command("tasks", "--run", "zzz", "--journal", journal).stderr.endswith(", and 3 more\n")
    assert "b0 is a build, no step: build-exporter explain --build b0" in command(
        "explain", "b0", "--journal", journal
    ).stderr  # fmt: skip
    assert nearest_names("zzz", ["a", "b", "c", "d", "e"]) == "a, b, c, d, e"
    assert nearest_names("504", ["503-gcc", "504-linux-headers", "505-glibc"]) == "504-linux-headers"


def test_history_of_a_step_has_the_steps_result(command: Command, tmp_path: Path) -> None:
    """The times of a package are of steps that succeeded, in a run that failed as well, and the answer says so."""
    for day in (1, 2):
        recorded(tmp_path / "lfs", {"make": "succeeded", "gcc": "failed"}, f"2026010{day}T000000Z")
    found = ask(command, tmp_path, "history", "make")
    assert [row["result"] for row in found["rows"]] == ["succeeded", "succeeded"]
    assert "`failing-steps` lists those that failed" in command("history", "make", "--journal", str(tmp_path)).stdout
    assert [row["result"] for row in ask(command, tmp_path, "history")["rows"]] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("source", "log", "words"),
    [
        ("portage", None, "none is known"),
        ("", None, "none is known; BE_LOG_DIR=DIR has the hook keep one for each step, --log FILE has `run`"),
        ("", "/nowhere/gcc.log", "/nowhere/gcc.log: No such file or directory"),
    ],
)
def test_explain_says_why_it_shows_no_log(
    command: Command, tmp_path: Path, source: str, log: str | None, words: str
) -> None:
    """Whoever builds by another tool is not sent to the hook's option, and a log that can't be read has its reason."""
    name = {"build": "b", "phase": "p", "step": "s"}
    events = [
        {"time": 1.78e9, "event": "build_started", "build": "b", "source": source},
        {"time": 1.78e9, "event": "step_started", **name, **({"log": log} if log else {})},
        {"time": 1.78e9 + 1, "event": "step_finished", **name, "status": "failed"},
    ]
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "20260528T202640Z.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in events))
    shown = command("explain", "--journal", str(tmp_path)).stdout
    assert f"  log file   {words}\n" in shown


@pytest.mark.parametrize(
    ("step", "names", "others"),
    [
        ("app-arch/gzip-1.13", ["gzip", "app-arch/gzip", "app-arch/gzip-1.13"], ["app", "arch", "zip"]),
        ("sys-devel/gcc-config-2.11 to /mnt/gentoo/", ["gcc-config", "sys-devel/gcc-config"], ["gentoo", "mnt"]),
        ("502-gcc-pass1", ["gcc", "gcc-pass1", "502-gcc-pass1"], ["cc", "pass"]),
        ("842-xml-parser", ["xml-parser"], ["ml"]),
    ],
)
def test_a_package_is_found_by_its_name(step: str, names: list[str], others: list[str]) -> None:
    """`history gcc` finds Portage's category/name-version and jhalfs' number-name, by the whole name alone."""
    assert [name for name in names if not matches(name, step)] == []
    assert [name for name in others if matches(name, step)] == []


def test_a_mistyped_command_is_guessed(command: Command) -> None:
    """A command that is not there is answered with those it may have been."""
    done = command("progres")
    assert done.returncode == 2
    assert "Did you mean progress" in done.stderr
    assert "Did you mean errors or explain?" in command("failures").stderr


def test_a_narrow_terminal_shows_whole_words() -> None:
    """Where not all columns fit, those at the end are left out; names stay readable, figures whole."""
    given: dict[str, Any] = dict.fromkeys(HistoryRow.__struct_fields__)
    row = HistoryRow(**given | {"build": "lfs", "step": "501-binutils-pass1", "seconds": 4000.0})
    names = ["step", "seconds", "jobs", "start"]
    assert fitting(names, [row], 200) == names
    assert fitting(names, [row], 14 + 3 + 10) == ["step", "seconds"]
    assert fitting(names, [row], 14 + 3 + 9) == ["step"]
    assert fitting(names, [row], 3) == ["step"]


def test_a_pipe_gets_lines_that_a_terminal_shows(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table in a pipe is at most 100 columns wide, or as wide as COLUMNS says; CSV is for programs."""
    event = {"event": "step_finished", "build": "lfs", "phase": "chapter-8", "step": "813-gcc", "status": "failed"}
    words = "tc-i386.c:1234:10: fatal error: libiberty/obstack.h: No such file or directory " * 2
    line = {"time": 1.78e9, **event, "message": words, "error_class": "missing-header"}
    (tmp_path / "lfs").mkdir()
    (tmp_path / "lfs" / "20260101T000000Z.jsonl").write_text(json.dumps(line) + "\n")
    monkeypatch.delenv("COLUMNS", raising=False)

    def width() -> int:
        return max(map(len, command("errors", "--journal", str(tmp_path)).stdout.splitlines()))

    assert 80 < width() <= 100
    monkeypatch.setenv("COLUMNS", "60")
    assert width() <= 60
    monkeypatch.setenv("COLUMNS", "180")
    assert 100 < width() <= 180


def test_no_cell_of_a_sheet_is_a_formula() -> None:
    """A text that begins as one gets a quote; figures, also negative ones, stay figures."""
    cells = {"=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "a=1": "a=1", "": "", None: "", True: "true", -2: -2}
    assert [csv_cell(cell) for cell in cells] == list(cells.values())


@pytest.fixture
def two_hours_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be in a zone that is two hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Etc/GMT-2")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("two_hours_east")
def test_windows() -> None:
    """A window is a time ago, a date or Unix seconds, up to now or another time."""
    assert window_of(None, None, None, 1000.0) is None
    for given, expected in [
        (("5m", None, None), (700.0, 1000.0)),
        ((None, "900", 60.0), (840.0, 900.0)),
        (("1970-01-01T00:10:00Z", None, None), (600.0, 1000.0)),
        # without a zone: that of this machine
        (("1970-01-01T02:10", "1970-01-01T02:15", None), (600.0, 900.0)),
    ]:
        window = window_of(*given, 1000.0)
        assert window is not None
        assert (window.since, window.until) == expected


def test_every_filter_is_used() -> None:
    """No option is kept that no query takes."""
    assert {each for name in SUMMARIES for each in find(name).filters} == FILTERS.keys()
    assert {each for name in SUMMARIES for each in find(name).arguments} == ARGUMENTS.keys()

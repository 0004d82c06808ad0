"""Try the readers of output against the oldest and the newest versions of the tools, which this script installs.

    python tests/real/versions.py [DIRECTORY]        or        make matrix

Each row runs a real tool under `build-exporter run` beside one exporter, and its log is imported as well; what both
recorded is compared with what was built on purpose. DIRECTORY keeps the installed tools for the next time. Tools come
from PyPI in pinned versions, GNU make 4.4 from Debian's sources. Exits with 1 where a row is wrong; takes minutes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from installed_tools import Tools

COMMAND = (sys.executable, "-m", "build_exporter")
PINNED = {
    "ninja": ("1.9.0.post1", "1.10.0", "1.11.1", "1.13.2"),
    "cmake": ("3.18.4.post1", "3.25.0", "4.4.5"),
    "pytest": ("6.2.5", "8.0.0", "9.2.0"),
    "meson": ("0.55.3", "1.0.0", "1.12.1"),
    "make": ("4.3", "4.4.1"),
}
SETTLE_SECONDS = 4.0
NOT_IMPORTED = "-"
"""A log that nothing but the line of its results shows to be one of a build."""


class Row(NamedTuple):
    """A build on purpose: its name, how it is run, and what is right.

    Attributes:
        name: tool, version and what it shows.
        directory: where it runs.
        command: shell words.
        state: how the build ends.
        error_class: of its failure, empty without one.
        tests: passed, failed, skipped, expected failures of all suites together; None where there are none.
        path: a directory put before PATH.
        imported: how the log alone lets the build end, where nobody can know its exit code.
    """

    name: str
    directory: Path
    command: str
    state: str
    error_class: str = ""
    tests: tuple[int, int, int, int] | None = None
    path: str = ""
    imported: str = ""


def written(top: Path, name: str, **files: str) -> Path:
    """Return a new directory with these files; `__` in a name stands for a dot."""
    directory = top / name
    directory.mkdir(parents=True)
    for file, text in files.items():
        (directory / file.replace("__", ".")).write_text(text)
    return directory


def ninja_rows(tools: Tools, top: Path) -> Iterator[Row]:
    """Yield builds of ninja: pruned by restat, stopped by signals, failed, and with forms of NINJA_STATUS."""
    rule = "rule r\n  command = {}\n  restat = 1\nrule c\n  command = cp $in $out\n"
    chain = "build a: r in\n" + "".join(f"build {b}: c {a}\n" for a, b in ("ab", "bc", "cd", "de"))
    second = "build a: c in\nbuild b: r a\n"
    for version in PINNED["ninja"]:
        path = tools.pip("ninja", version)
        pruned = written(top, f"n-restat-{version}", build__ninja=rule.format("test -e $out || echo 1 > $out") + chain)
        (pruned / "in").touch()
        twice = "ninja && sleep 1.1 && touch in && ninja -v -d explain"
        yield Row(f"ninja {version} restat", pruned, twice, "succeeded", path=path)
        for number, kind in ((15, "interrupted"), (1, "interrupted"), (9, "killed")):
            killed = written(top, f"n-{number}-{version}", build__ninja=rule.format(f"kill -{number} $$$$") + second)
            (killed / "in").touch()
            # a command that ends by a signal is no person's Ctrl-C: the build failed; ninja's words are the same
            ends = "failed" if kind == "killed" else "interrupted"
            name = f"ninja {version} signal {number}"
            yield Row(name, killed, "ninja", "failed", f"{kind}|other", path=path, imported=ends)
        for code in (130, 143, 1):
            failed = written(top, f"n-e{code}-{version}", build__ninja=rule.format(f"exit {code}") + second)
            (failed / "in").touch()
            # since 1.12 ninja takes 130 for a person's Ctrl-C, and prints nothing of the command
            ends = "interrupted" if code == 130 and version.startswith("1.13") else ""
            name = f"ninja {version} exit {code}"
            yield Row(name, failed, "ninja", "failed", "interrupted|other", path=path, imported=ends)


CTEST = """\
cmake_minimum_required(VERSION 3.5...4.0)
project(x NONE)
enable_testing()
add_test(NAME good COMMAND true)
add_test(NAME other COMMAND true)
"""
BAD = """\
add_test(NAME bad COMMAND false)
add_test(NAME aborted COMMAND sh -c "kill -6 $$")
add_test(NAME killed COMMAND sh -c "kill -9 $$")
add_test(NAME ended COMMAND sh -c "kill -15 $$")
add_test(NAME missing COMMAND no-such-program)
add_test(NAME skipped COMMAND sh -c "exit 77")
set_tests_properties(skipped PROPERTIES SKIP_RETURN_CODE 77)
"""


def ctest_rows(tools: Tools, top: Path) -> Iterator[Row]:
    """Yield suites of ctest, all green and with every way to fail, and configurations that fail."""
    for version in PINNED["cmake"]:
        path = tools.pip("cmake", version)
        green = written(top, f"c-green-{version}", CMakeLists__txt=CTEST)
        yield Row(f"ctest {version} green", green, "cmake . && ctest", "succeeded", tests=(2, 0, 0, 0), path=path)
        red = written(top, f"c-red-{version}", CMakeLists__txt=CTEST + BAD)
        yield Row(f"ctest {version} red", red, "cmake . && ctest", "failed", "test-failure", (2, 5, 1, 0), path)
        lacking = written(top, f"c-find-{version}", CMakeLists__txt=CTEST + "find_package(Nowhere REQUIRED)\n")
        yield Row(f"cmake {version} find", lacking, "cmake .", "failed", "dependency-unsatisfied", path=path)
        wrong = written(top, f"c-src-{version}", CMakeLists__txt="project(x NONE)\nadd_custom_target(\n")
        yield Row(f"cmake {version} syntax", wrong, "cmake .", "failed", "configure-error", path=path)


PYTEST = """\
import unittest, pytest
class T(unittest.TestCase):
    def test_sub(self):
        for n in range(3):
            with self.subTest(n=n):
                assert n < {limit}
def test_good(): pass
@pytest.mark.skip(reason="no")
def test_skipped(): pass
@pytest.mark.xfail
def test_expected(): assert 0
"""


def pytest_rows(tools: Tools, top: Path) -> Iterator[Row]:
    """Yield suites of pytest in its three manners: with dots, quiet and with names."""
    for version in PINNED["pytest"]:
        path = tools.pip("pytest", version, *(["attrs"] if version < "7" else []))
        for manner in ("", "-q", "-v"):
            green = written(top, f"p-green{manner}-{version}", test_x__py=PYTEST.format(limit=9))
            run = f"pytest {manner} -p no:cacheprovider"
            alone = NOT_IMPORTED if manner == "-q" else ""
            yield Row(f"pytest {version} {manner} green", green, run, "succeeded", "", (2, 0, 1, 1), path, alone)
            # a test with failed parts has failed, however many parts a version counts
            red = written(top, f"p-red{manner}-{version}", test_x__py=PYTEST.format(limit=2))
            yield Row(f"pytest {version} {manner} red", red, run, "failed", "test-failure", None, path, alone)


MESON = "project('x', 'c')\ntest('good', find_program('true'))\n"


def meson_rows(tools: Tools, top: Path) -> Iterator[Row]:
    """Yield meson's tests and what it says where a dependency or program is missing."""
    ninja = tools.pip("ninja", PINNED["ninja"][-1])
    for version in PINNED["meson"]:
        path = f"{tools.pip('meson', version)}:{ninja}"
        lines = {
            "green": ("", "succeeded", "", (1, 0, 0, 0)),
            "red": ("test('bad', find_program('false'))\n", "failed", "test-failure", (1, 1, 0, 0)),
            "dependency": ("dependency('no-such-thing')\n", "failed", "dependency-unsatisfied", None),
            "program": ("find_program('no-such-program')\n", "failed", "missing-program", None),
        }
        for name, (more, state, kind, tests) in lines.items():
            project = written(top, f"m-{name}-{version}", meson__build=MESON + more)
            run = "meson setup b . && ninja -C b && meson test -C b"
            yield Row(f"meson {version} {name}", project, run, state, kind, tests, path)


MAKEFILE = """\
all: first second
first:
\t-$(MAKE) -f sub.mk broken
second:
\t{command}
"""
SUB = "broken:\n\t@echo sub.c:1:2: error: not this one; exit 3\n"


def make_rows(tools: Tools, top: Path) -> Iterator[Row]:
    """Yield builds of GNU make, in order and shuffled: an ignored failure of a sub-make, and a real one."""
    for version in PINNED["make"]:
        path = tools.make(version)
        if path is None:
            print(f"make {version}: not tried, it could not be had")
            continue
        for more in ("", " --shuffle=7", " -j2", " -j2 --output-sync") if version != "4.3" else ("", " -j2"):
            name = f"k{more.replace(' ', '')}-{version}"
            good = written(top, f"{name}-good", Makefile=MAKEFILE.format(command="true"), sub__mk=SUB)
            yield Row(f"make {version}{more} ignored", good, f"make{more}", "succeeded", path=path)
            bad = written(top, f"{name}-bad", Makefile=MAKEFILE.format(command="./no-such-program"), sub__mk=SUB)
            # a log alone, undated, keeps the words of the first of two failures of one step
            kinds = "missing-program|compiler-error"
            yield Row(f"make {version}{more} failed", bad, f"make{more}", "failed", kinds, path=path)


def gtest_rows(_tools: Tools, top: Path) -> Iterator[Row]:
    """Yield a googletest program in its usual and its brief manner, where the sources are installed."""
    source = Path("/usr/src/googletest/googletest")
    if not source.is_dir():
        print("googletest: not tried, its sources are not installed")
        return
    text = "#include <gtest/gtest.h>\nTEST(A, good) {}\nTEST(A, bad) { FAIL(); }\nTEST(A, skip) { GTEST_SKIP(); }\n"
    directory = written(top, "g", x__cc=text)
    words = ["g++", "-O0", f"-I{source}", f"-I{source}/include", "x.cc", str(source / "src/gtest-all.cc")]
    subprocess.run([*words, str(source / "src/gtest_main.cc"), "-o", "x", "-lpthread"], cwd=directory, check=True)
    yield Row("gtest", directory, "./x", "failed", "test-failure", (1, 1, 1, 0))
    brief = "./x --gtest_brief=1"
    yield Row("gtest brief", directory, brief, "failed", "test-failure", (1, 1, 1, 0), imported=NOT_IMPORTED)


ROWS: tuple[Callable[[Tools, Path], Iterator[Row]], ...] = (
    ninja_rows, ctest_rows, pytest_rows, meson_rows, make_rows, gtest_rows,
)  # fmt: skip


def events_of(journal: Path, build: str) -> list[dict[str, Any]]:
    """Return the events of a build, of all its runs."""
    return [json.loads(line) for file in sorted((journal / build).glob("*.jsonl")) for line in file.open()]


def tests_in(events: list[dict[str, Any]]) -> tuple[int, int, int, int] | None:
    """Return passed, failed (with errors), skipped and expected failures of all suites together."""
    suites: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["event"] == "tests_reported":
            suites.pop(event.get("replaces", ""), None)
            suites[event["suite"]] = event
    if not suites:
        return None

    def total(*keys: str) -> int:
        return sum(each.get(key) or 0 for each in suites.values() for key in keys)

    return total("passed"), total("failed", "errors"), total("skipped"), total("expected_failed")


def faults(row: Row, journal: Path, build: str) -> Iterator[str]:
    """Yield what the journal has of a build that is not right."""
    events = events_of(journal, build)
    if len(list((journal / build).glob("*.jsonl"))) != 1:
        yield f"{len(list((journal / build).glob('*.jsonl')))} runs"
    states = [event["status"] for event in events if event["event"] == "build_finished"]
    if states[-1:] != [row.state]:
        yield f"state {states[-1:]}, not {row.state}"
    kinds = [event["error_class"] for event in events if event.get("error_class")]
    if row.error_class and not re.fullmatch(row.error_class, kinds[-1] if kinds else "other"):
        yield f"class {kinds}, not {row.error_class}: {[e.get('message') for e in events if e.get('status')][:1]}"
    if row.tests is not None and tests_in(events) != row.tests:
        yield f"tests {tests_in(events)}, not {row.tests}"


def tried(rows: list[Row], journal: Path, top: Path) -> int:
    """Run the rows, import their logs, and return how many are wrong; each is printed."""
    names = {row.name: re.sub(r"[^\w.+-]+", "-", row.name) for row in rows}
    for row in rows:
        log = top / f"{names[row.name]}.log"
        environment = {**os.environ, "PATH": f"{row.path}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
            environment.pop(name, None)
        words = [*COMMAND, "run", "--journal", str(journal), "--build", names[row.name], "--log", str(log), "--"]
        subprocess.run(
            [*words, "sh", "-c", row.command],
            cwd=row.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    time.sleep(SETTLE_SECONDS)
    wrong = 0
    for row in rows:
        found = [f"run: {text}" for text in faults(row, journal, names[row.name])]
        imported = top / "imported"
        words = ["import", "make", str(top / f"{names[row.name]}.log"), "--journal", str(imported)]
        done = subprocess.run([*COMMAND, *words, "--build", names[row.name]], capture_output=True, check=False)
        if row.imported == NOT_IMPORTED:
            pass
        elif done.returncode == 0:
            alone = row._replace(state=row.imported or row.state)
            found += [f"import: {text}" for text in faults(alone, imported, names[row.name])]
        elif row.tests is not None or row.state == "failed":
            found.append("import: no build found")
        wrong += bool(found)
        print(f"{'wrong' if found else 'right'}  {row.name}{''.join(f'; {text}' for text in found)}", flush=True)
    return wrong


def ninja_logs(tools: Tools, top: Path) -> int:
    """Watch a ninja build live and import its log; return how many versions gave more than one run."""
    wrong = 0
    for version in PINNED["ninja"]:
        text = "rule r\n  command = sleep $n; touch $out\n"
        text += "build fast: r\n  n = 0.1\n" + "".join(f"build slow{n}: r fast\n  n = 1.5\n" for n in range(3))
        directory = written(top, f"log-{version}", build__ninja=text)
        journal = top / f"log-journal-{version}"
        words = ["serve", "--journal", str(journal), "--web.listen-address", "127.0.0.1:0", "--watch"]
        server = subprocess.Popen([*COMMAND, *words, f"ninja={directory}"], stderr=subprocess.DEVNULL)
        try:
            time.sleep(SETTLE_SECONDS)
            ninja = Path(tools.pip("ninja", version), "ninja")
            subprocess.run([str(ninja), "-j1"], cwd=directory, stdout=subprocess.DEVNULL, check=True)
            time.sleep(3 * SETTLE_SECONDS)
        finally:
            server.terminate()
            server.wait(30)
        watched = sorted(journal.glob("*/*.jsonl"))
        subprocess.run(
            [*COMMAND, "import", "ninja", str(directory), "--build", "i", "--journal", str(top / f"li-{version}")],
            stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        imported = sorted((top / f"li-{version}").glob("*/*.jsonl"))
        good = [len(watched), len(imported)] == [1, 1]
        wrong += not good
        print(f"{'right' if good else 'wrong'}  ninja {version} log: {len(watched)} run live, {len(imported)} imported")
    return wrong


def main() -> int:
    """Install, run, compare."""
    kept = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(prefix="versions-") as scratch:
        top, journal = Path(scratch, "rows"), Path(scratch, "journal")
        tools = Tools(kept or Path(scratch, "tools"))
        for directory in (top, journal, tools.top):
            directory.mkdir(parents=True, exist_ok=True)
        rows = [row for make in ROWS for row in make(tools, top)]
        address = ["--web.listen-address", "127.0.0.1:0"]
        server = subprocess.Popen(
            [*COMMAND, "serve", "--journal", str(journal), *address], stderr=subprocess.DEVNULL
        )  # fmt: skip
        try:
            time.sleep(SETTLE_SECONDS)
            wrong = tried(rows, journal, top)
        finally:
            server.terminate()
            server.wait(30)
        wrong += ninja_logs(tools, top)
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

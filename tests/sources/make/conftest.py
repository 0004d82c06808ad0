"""Real builds in small, their consoles captured, and consoles followed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.make.source import Make
from build_exporter.sources.protocol import Settings
from build_exporter.tracker import Run

DIRECTORIES = ("lib", "src", "doc")

TOP = """\
.PHONY: all install lib src doc
all: lib src doc
	@echo all is linked
lib src doc:
	$(MAKE) -C $@ all
src: lib
install:
	for d in lib src doc; do $(MAKE) -C $$d install || exit 1; done
"""
BELOW = """\
all: a.o b.o
	ar rcs lib.a a.o b.o
%.o: %.c
	$(WAIT)
	gcc -c -o $@ $<
install:
	mkdir -p $(DESTDIR)/inst
	install -m 644 lib.a $(DESTDIR)/inst/lib.a
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.10)
project(p C)
enable_testing()
foreach(n RANGE 1 20)
  file(WRITE ${CMAKE_BINARY_DIR}/s${n}.c "int f${n}(void){return ${n};}\\n")
  list(APPEND S ${CMAKE_BINARY_DIR}/s${n}.c)
endforeach()
add_library(a ${S})
add_executable(m m.c)
target_link_libraries(m a)
add_test(NAME one COMMAND m)
install(TARGETS m DESTINATION bin)
if(BAD)
message(FATAL_ERROR "this can't be configured")
endif()
"""
MESON = """\
project('p', 'c')
e = executable('m', 'm.c', install: true)
test('one', e)
if get_option('buildtype') == 'release'
error('no releases')
endif
"""


class Project:
    """A source tree, and commands run in it whose console is captured as a person does it."""

    def __init__(self, top: Path) -> None:
        self.top, self.log = top, top.parent / "build.log"
        self.started: list[subprocess.Popen[bytes]] = []
        top.mkdir(exist_ok=True)

    def recursive(self) -> Project:
        """Fill it with a Makefile that calls make in three directories."""
        (self.top / "Makefile").write_text(TOP)
        for name in DIRECTORIES:
            (self.top / name).mkdir()
            (self.top / name / "Makefile").write_text(BELOW)
            for letter in "ab":
                self.source(f"{name}/{letter}.c", f"int {letter}(void) {{ return 0; }}")
        return self

    def cmake(self) -> Project:
        """Fill it with a project of CMake's."""
        (self.top / "CMakeLists.txt").write_text(CMAKE)
        self.source("m.c", "int f1(void); int main(void) { return f1() - 1; }")
        return self

    def meson(self) -> Project:
        """Fill it with a project of Meson's."""
        (self.top / "meson.build").write_text(MESON)
        self.source("m.c", "int main(void) { return 0; }")
        return self

    def source(self, name: str, text: str) -> None:
        """Write a source file."""
        (self.top / name).write_text(text + "\n")

    def start(self, command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a command with its output in the log, as a process group of its own."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        clean |= {"LC_ALL": "C", "DESTDIR": str(self.top.parent / "destination"), **environment}
        line = command if ">" in command else f"({command}) > '{self.log}' 2>&1"
        process = subprocess.Popen(["bash", "-c", line], cwd=self.top, env=clean, start_new_session=True)
        self.started.append(process)
        return process

    def run(self, command: str, **environment: str) -> int:
        """Run a command to its end and return its exit code."""
        return self.start(command, **environment).wait(120)


def state_of(run: Run) -> tuple[Any, ...]:
    """Return what must be the same however a console was followed: a console holds no times."""
    tests = {key: sorted((n, t.passed, t.failed) for n, t in s.tests.items()) for key, s in run.steps.items()}
    steps = {
        key: (s.state.name, s.attempts, s.message, s.exit_code, tests[key], s.warnings or 0)
        for key, s in run.steps.items()
    }
    return run.state.name, steps, dict(run.warning_flags)


@pytest.fixture(scope="session")
def same_state() -> Callable[[Run], tuple[Any, ...]]:
    """Compare runs by what is known however they were followed."""
    return state_of


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project to be filled."""
    for tool in ("make", "gcc"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here")
    made = Project(tmp_path / "project")
    yield made
    for process in made.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


@pytest.fixture
def follow(tmp_path: Path, follower: Callable[..., Any]) -> Callable[..., Any]:
    """Attach to a console."""
    return lambda path, journal="journal": follower(lambda: Make(Settings(path, "b")), tmp_path / journal)


@pytest.fixture
def imported(follow: Callable[..., Any]) -> Callable[..., Run]:
    """Import a console into a journal of its own and return its newest run."""

    def take(path: Path, journal: str = "imported") -> Run:
        follower = follow(path, journal)
        follower.poll(over=True)
        found: Run = follower.newest
        assert follow(path, journal).poll(over=True) == 0, "a second import emits nothing new"
        return found

    return take


@pytest.fixture
def console(tmp_path: Path, imported: Callable[..., Run]) -> Callable[[str], Run]:
    """Import a text as a console."""

    def take(text: str) -> Run:
        path = tmp_path / "text.log"
        path.write_text(text)
        return imported(path)

    return take


@pytest.fixture
def followed_alike(
    tmp_path: Path, follow: Callable[..., Any], same_state: Callable[[Run], tuple[Any, ...]]
) -> Callable[[Path], None]:
    """Read a console as it grows: to its end, started again at each of 20 cuts, and attached late at each of them."""

    def read(whole: Path) -> None:
        imported = follow(whole, "imported")
        imported.poll(over=True)
        expected = same_state(imported.newest)
        data = whole.read_bytes()
        log = tmp_path / "grows.log"
        log.touch()
        followed, restarted, late = follow(log, "followed"), follow(log, "restarted"), []
        random.seed(whole.name)
        with log.open("ab", buffering=0) as file:
            cuts = sorted(random.sample(range(1, len(data)), 20))
            for number, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(data)], strict=True)):
                file.write(data[begin:end])
                followed.poll()
                restarted.restart()
                restarted.poll()
                late.append(follow(log, f"late-{number}"))
                late[-1].poll()
        for each in (followed, restarted, *late):
            each.poll(over=True)
            assert [same_state(run) for run in each.runs()] == [expected]
            assert each.poll(over=True) == 0
            each.restart()
            assert each.poll(over=True) == 0, "a new start emits nothing new"

    return read

"""Consoles of real builds in small: what make, CMake, Meson and ninja print is understood as it happened."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.tracker import Run

BROKEN = "int b(void) { return 0 }"


def outcome(run: Run) -> dict[str, str]:
    """Return the steps and how each ended."""
    return {f"{phase}/{step}": found.state.name.lower() for (phase, step), found in run.steps.items()}


def needs(*tools: str) -> None:
    """Skip where a tool is missing."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here")


@pytest.mark.parametrize("flags", ["", "-j4", "-w", "-s -w"])
def test_directories_are_steps(project: Any, imported: Callable[..., Run], flags: str) -> None:
    """Each directory make enters is a step of its stage, in sequence and in parallel, and of the install another."""
    assert project.recursive().run(f"make {flags} && make {flags} install") == 0
    run = imported(project.log)
    wanted = {f"{phase}/{name}" for phase in ("build", "install") for name in ("lib", "src", "doc")}
    found = {name: state for name, state in outcome(run).items() if not name.endswith("/make")}
    # told to be silent, make says where it is and the rest of the build nothing
    assert set(found) == wanted or flags.startswith("-s")
    assert run.state.name == "SUCCEEDED"
    assert set(outcome(run).values()) <= {"succeeded"}


@pytest.mark.parametrize("sync", ["target", "line", "recurse"])
def test_synchronised_output(project: Any, imported: Callable[..., Run], sync: str) -> None:
    """With --output-sync make says where it is round each target's output: that makes a handful of steps, not many."""
    project.recursive()
    for number in range(40):
        project.source(f"src/x{number}.c", f"int x{number};")
    text = (project.top / "src/Makefile").read_text()
    objects = " ".join(f"x{number}.o" for number in range(40))
    (project.top / "src/Makefile").write_text(text.replace("all: a.o b.o", f"all: a.o b.o {objects}"))
    assert project.run(f"make -j4 --output-sync={sync}") == 0
    run = imported(project.log)
    assert (run.state.name, set(outcome(run).values())) == ("SUCCEEDED", {"succeeded"})
    assert {"build/lib", "build/src", "build/doc"} <= set(outcome(run))
    assert len(run.steps) <= 7


@pytest.mark.parametrize("flags", ["", "-j4", "-k", "-k -j4", "--output-sync=target -j4"])
def test_a_failure_is_that_of_its_directory(project: Any, imported: Callable[..., Run], flags: str) -> None:
    """The directory that failed has failed, with the compiler's words and the exit code; nothing else has."""
    project.recursive().source("src/b.c", BROKEN)
    assert project.run(f"make {flags}") == 2
    run = imported(project.log)
    assert run.state.name == "FAILED"
    (failed,) = run.failed.values()
    assert (failed.key[0], failed.key[1].split("#")[0], failed.exit_code) == ("build", "src", 1)
    assert re.search(r"b\.c:1:\d+: error: expected", failed.message or "")
    if flags.startswith("-k"):
        assert outcome(run)["build/doc"] == "succeeded"


def test_without_directories(project: Any, imported: Callable[..., Run]) -> None:
    """Where make does not say where it is, the build is one step, and so is what it installs."""
    project.recursive()
    assert project.run("make --no-print-directory && make --no-print-directory install") == 0
    run = imported(project.log)
    assert outcome(run) == {"build/make": "succeeded", "install/make": "succeeded"}
    project.source("src/b.c", BROKEN)
    assert project.run("make --no-print-directory") == 2
    run = imported(project.log, "failed")
    assert outcome(run) == {"build/make": "failed"}


def test_ignored_errors_are_no_failure(project: Any, imported: Callable[..., Run]) -> None:
    """What make ignores has not failed."""
    project.recursive().source("src/b.c", BROKEN)
    assert project.run("make -i") == 0
    run = imported(project.log)
    assert (run.state.name, run.failed) == ("SUCCEEDED", {})


def test_no_rule(project: Any, imported: Callable[..., Run]) -> None:
    """A target that make knows no way to make is a failure with make's own words."""
    assert project.recursive().run("make nothing-known") == 2
    run = imported(project.log)
    assert "No rule to make target 'nothing-known'" in (run.steps["build", "make"].message or "")
    assert run.state.name == "FAILED"


@pytest.mark.parametrize("language", ["de", "fr", "es", "ja", "pl"])
def test_other_languages(project: Any, imported: Callable[..., Run], language: str) -> None:
    """Make's words in another language are known by what stands around them."""
    if not Path(f"/usr/share/locale/{language}/LC_MESSAGES/make.mo").exists():
        pytest.skip(f"make has no messages in {language} here")
    project.recursive().source("src/b.c", BROKEN)
    assert project.run("make -k", LC_ALL="C.UTF-8", LANGUAGE=language) == 2
    assert "Entering" not in project.log.read_text(), "make spoke English all the same"
    run = imported(project.log)
    assert outcome(run) == {"build/lib": "succeeded", "build/src": "failed", "build/doc": "succeeded"}
    assert run.steps["build", "src"].exit_code == 1


def test_called_again_after_a_failure(project: Any, imported: Callable[..., Run]) -> None:
    """What failed, put right and made again on the same console, is another attempt, and that has succeeded."""
    project.recursive().source("src/b.c", BROKEN)
    project.run(f"make > {project.log} 2>&1; echo 'int b;' > src/b.c; make >> {project.log} 2>&1")
    run = imported(project.log)
    assert run.state.name == "SUCCEEDED"
    assert (run.steps["build", "src"].attempts, run.failures) == (2, {("build", "compiler-error"): 1})
    assert outcome(run)["build/doc"] == "succeeded"


@pytest.mark.parametrize(
    ("generator", "tool"), [("Unix Makefiles", "make"), ("Ninja", "ninja")], ids=["makefiles", "ninja"]
)
def test_cmake(project: Any, imported: Callable[..., Run], generator: str, tool: str) -> None:
    """A build by CMake has a step a stage, however it is driven; a test's result and a failure's reason are known."""
    needs("cmake", tool)
    prepare = f"cmake -G '{generator}' -S . -B b -DCMAKE_INSTALL_PREFIX=/inst"
    build = f"{prepare} && cmake --build b -j2 && cmake --build b --target test && cmake --install b"
    assert project.cmake().run(build) == 0
    run = imported(project.log)
    assert list(outcome(run)) == ["configure/cmake", f"build/{tool}", "test/ctest", "install/cmake"]
    assert (run.state.name, set(outcome(run).values())) == ("SUCCEEDED", {"succeeded"})
    (suite,) = run.steps["test", "ctest"].tests.values()
    assert (suite.passed, suite.failed) == (1, 0)
    project.source("m.c", "int main(void) { return 0 }")
    assert project.run("cmake --build b") != 0
    run = imported(project.log, "failed")
    assert outcome(run) == {f"build/{tool}": "failed"}
    assert "error: expected" in (run.failed["build", tool].message or "")
    assert project.run(f"{prepare} -DBAD=1") != 0
    run = imported(project.log, "unconfigured")
    assert outcome(run) == {"configure/cmake": "failed"}
    assert (run.failed["configure", "cmake"].message or "").endswith("this can't be configured")


def test_meson(project: Any, imported: Callable[..., Run]) -> None:
    """A build by Meson has a step a stage; a configuration error has its words."""
    needs("meson", "ninja")
    command = "meson setup b --prefix=/inst && ninja -C b && meson test -C b && meson install -C b"
    assert project.meson().run(command) == 0
    run = imported(project.log)
    assert list(outcome(run)) == ["configure/meson", "build/ninja", "test/meson", "install/meson"]
    assert (run.state.name, set(outcome(run).values())) == ("SUCCEEDED", {"succeeded"})
    assert project.run("meson setup r -Dbuildtype=release") != 0
    run = imported(project.log, "unconfigured")
    assert outcome(run) == {"configure/meson": "failed"}
    assert "no releases" in (run.failed["configure", "meson"].message or "")


KERNEL = """\
DIRECTORIES = init mm drivers/net drivers/usb
all: vmlinux
%.o: %.c
	@printf '  %-7s %s\\n' CC $@
	@gcc -c -o $@ $<
built = $(foreach d,$(DIRECTORIES),$(d)/a.o $(d)/b.o)
$(DIRECTORIES:%=%/built-in.a): $(built)
	@printf '  %-7s %s\\n' AR $@
	@ar rcs $@ $(filter $(dir $@)%,$(built))
vmlinux: $(DIRECTORIES:%=%/built-in.a)
	@printf '  %-7s %s\\n' LD $@
	@touch $@
"""


def test_terse_lines(project: Any, imported: Callable[..., Run]) -> None:
    """Lines as a kernel's build prints them: its directories are steps, those below drivers each, and the linking."""
    (project.top / "Makefile").write_text(KERNEL)
    for name in ("init", "mm", "drivers/net", "drivers/usb"):
        (project.top / name).mkdir(parents=True)
        for letter in "ab":
            project.source(f"{name}/{letter}.c", f"int {letter}(void) {{ return 0; }}")
    assert project.run("make -j2") == 0
    run = imported(project.log)
    steps = ["init", "mm", "drivers/net", "drivers/usb", "vmlinux"]
    assert sorted(outcome(run)) == sorted(f"build/{name}" for name in steps)
    assert run.state.name == "SUCCEEDED"
    project.source("drivers/net/b.c", BROKEN)
    assert project.run("rm -f */*/*.o; make -j2") == 2
    run = imported(project.log, "failed")
    assert list(run.failed) == [("build", "drivers/net")]
    assert "drivers/net/b.c:1" in (run.failed["build", "drivers/net"].message or "")


def test_script(project: Any, imported: Callable[..., Run]) -> None:
    """A session captured by script(1), colours and overwritten lines included, has its dates and its exit code."""
    needs("script")
    project.recursive()
    project.run(f"script -q -e -c 'make -j2' {project.log} > /dev/null")
    run = imported(project.log)
    assert (run.state.name, set(outcome(run).values())) == ("SUCCEEDED", {"succeeded"})
    began = re.search(r"started on (\S+ \S+)", project.log.read_text())
    assert began is not None
    # the name of a run is the date that script writes, in UTC
    assert run.run == subprocess.check_output(["date", "-u", "-d", began[1], "+%Y%m%dT%H%M%SZ"], text=True).strip()
    project.source("doc/a.c", BROKEN)
    project.run(f"script -q -e -c 'make --no-print-directory -s; exit 3' {project.log} > /dev/null")
    assert imported(project.log, "failed").state.name == "FAILED"


def test_interrupted(project: Any, imported: Callable[..., Run], poll: Callable[..., None]) -> None:
    """Ctrl-C is no failure: the build and what ran were interrupted; so they were where make was killed in silence."""
    for number, journal in ((signal.SIGINT, "by hand"), (signal.SIGKILL, "killed")):
        if number is signal.SIGINT:
            project.recursive()
        project.log.unlink(missing_ok=True)
        make = project.start("rm -f */*.o */*.a; exec make WAIT='sleep 60'")
        poll(lambda: project.log.exists() and "sleep 60" in project.log.read_text(), 30, "a command runs")
        os.killpg(make.pid, number)
        make.wait(30)
        run = imported(project.log, journal)
        assert (run.state.name, run.failed) == ("INTERRUPTED", {})
        assert outcome(run)["build/lib"] == "interrupted"
        if number is signal.SIGINT:
            project.run(f"make >> {project.log} 2>&1")
            run = imported(project.log, "again")
            assert (run.state.name, outcome(run)["build/lib"]) == ("SUCCEEDED", "succeeded")

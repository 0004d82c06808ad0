"""Which kind of work processes do, by their names and by what their callers were asked for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from build_exporter.verdicts.activity import activity, asked_for, is_driver


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("make -j2 check", "testing"), ("make -C build check-gcc RUNTESTFLAGS=x", "testing"),
        ("make test TESTSUITEFLAGS=-j4", "testing"), ("make DESTDIR=/mnt/lfs install", "installing"),
        ("make modules_install", "installing"), ("make check_tools", "testing"), ("make test-all", "testing"),
        ("make install_root", "installing"), ("make CONFIG=defconfig", None), ("cargo nextest run", "testing"),
        ("meson compile -C build", None), ("make defconfig", "configuring"), ("make -j2", None),
        ("make all-gcc", None), ("ninja install", "installing"), ("ninja -C build", None),
        ("cmake -B build -G Ninja ..", "configuring"), ("cmake --build build", None),
        ("cmake --install build", "installing"), ("cmake -E cmake_depends", None),
        ("meson setup build", "configuring"), ("python3 /usr/bin/meson test -C build", "testing"),
        ("python3 -m pytest -q", "testing"), ("python3 -m test -j2", "testing"), ("python3 setup.py build", None),
        ("perl t/harness", "testing"), ("bash ../../source/bfd/configure --srcdir=../bfd", "configuring"),
        ("sh ./config.status --recheck", "configuring"), ("bash ../libtool --tag=CC --mode=link gcc -o x", "linking"),
        ("sh ./libtool --mode=compile cc -c x.c", "compiling"), ("sh ../install-sh -c x /usr/bin/x", "installing"),
        ("sh -c ./configure", None), ("sh build.sh", None), ("perl Makefile.PL", None),
        ("cargo test --workspace", "testing"), ("cargo build --release", "compiling"), ("go test ./...", "testing"),
    ],
)  # fmt: skip
def test_what_a_driver_was_asked_for(command: str, kind: str | None) -> None:
    """`make check` tests and `make install` installs, whatever runs below."""
    name, *arguments = command.split()
    assert is_driver(name)
    assert asked_for(name, arguments) == kind


@dataclass
class Fake:
    """A process."""

    pid: int
    parent: int
    name: str
    ticks: int = 0


def of(*rows: str, used: dict[int, int] | None = None) -> tuple[str | None, str]:
    """Return the activity of processes given as `PID PARENT NAME [COMMAND LINE]`."""
    processes, asked = {}, {}
    for row in rows:
        pid, parent, name, *arguments = row.split()
        processes[int(pid)] = Fake(int(pid), int(parent), name)
        if is_driver(name):
            asked[int(pid)] = asked_for(name, arguments)
    kind, program = activity(processes, used or {}, asked)
    return (kind.value if kind is not None else None, program)


def test_a_compiler_below_configure_configures() -> None:
    """A compiler that configure starts to try something is not compiling; one that make starts is."""
    assert of("1 0 sh", "2 1 configure", "3 2 gcc", "4 3 cc1")[0] == "configuring"
    assert of("1 0 make", "2 1 sh", "3 2 gcc", "4 3 cc1", used={4: 90}) == ("compiling", "cc1")


def test_the_most_cpu_time_decides() -> None:
    """One link among many compilers is compiling, until the link is what takes the time."""
    tree = ("1 0 make", "2 1 cc1plus", "3 1 cc1", "4 1 ld")
    assert of(*tree, used={2: 60, 3: 50, 4: 100}) == ("compiling", "cc1plus")
    assert of(*tree, used={2: 50, 3: 60, 4: 100}) == ("compiling", "cc1")
    assert of(*tree, used={2: 10, 3: 10, 4: 150}) == ("linking", "ld")
    assert of("1 0 make", "2 1 ld", "3 1 cc1", "4 1 cc1")[0] == "compiling", "without any, how many there are"


def test_a_compiler_below_make_check_tests() -> None:
    """A test suite that compiles its programs is testing; so is what runtest starts."""
    assert of("1 0 make check", "2 1 cc1")[0] == "testing"
    assert of("1 0 sh", "2 1 expect", "3 2 xgcc", "4 3 cc1", used={4: 100})[0] == "testing"


def test_nothing_known_is_none() -> None:
    """Programs of no known kind say nothing."""
    assert of("1 0 sh", "2 1 frobnicate", used={2: 500}) == (None, "")


def test_parents_in_a_circle_end() -> None:
    """A pid used again may make a process its own forebear; that costs nothing."""
    assert of("1 2 sh", "2 1 sh") == (None, "")

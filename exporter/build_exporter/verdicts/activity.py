"""Classify the work of a process by the names of programs and the arguments of their callers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Final, Protocol

from build_exporter.model.states import Verdict


class ProcessView(Protocol):
    """Figures of a process; `ticks` include those of children that were waited for."""

    pid: int
    parent: int
    ticks: int
    name: str


_PROGRAMS: Final = {
    Verdict.UNPACKING: """
        tar bsdtar gtar xz gzip bzip2 unxz gunzip bunzip2 pigz pbzip2 zstd lzip plzip lzma unzip 7z 7za cpio rpm2cpio
        unsquashfs patch git git-remote-http git-remote-https wget curl aria2c
    """,
    Verdict.COMPILING: """
        cc1 cc1plus cc1obj cc1objplus f951 gnat1 d21 cc1gm2 rust1 cpp as gas nasm yasm gcc g++ cc c++ clang clang++
        clang-cl rustc javac compile asm cgo ghc ocamlopt ocamlc swift-frontend valac moc uic rcc cython dtc bison flex
        yacc gperf genattrtab insn-recog tblgen llvm-tblgen clang-tblgen mlir-tblgen ccache sccache distcc protoc
    """,
    Verdict.LINKING: """
        ld ld.bfd ld.gold ld.lld lld mold ld.mold collect2 lto1 lto-wrapper ar gcc-ar llvm-ar ranlib link dwz
    """,
    Verdict.INSTALLING: "install ginstall ldconfig install-info strip depmod update-mime-da",
}
PROGRAMS: Final = {name: kind for kind, names in _PROGRAMS.items() for name in names.split()}
"""Programs that do one kind of work wherever they run; the kernel keeps 15 characters of a name."""

_CALLERS: Final = {
    Verdict.CONFIGURING: """
        configure config.status config.guess conftest autoconf automake autoreconf aclocal autom4te autoheader
        libtoolize pkg-config pkgconf conf qmake
    """,
    Verdict.TESTING: """
        runtest expect ctest prove lit pytest py.test runtests.pl test-driver run-tests tst-runner regrtest bats
    """,
}
CALLERS: Final = {name: kind for kind, names in _CALLERS.items() for name in names.split()}
"""Programs below which everything is of their kind: a compiler that configure starts only tries what works."""

MAKERS: Final = frozenset(("make", "gmake", "ninja", "ninja-build", "samu", "jom", "bmake"))
"""Programs that run others as a target of theirs asks for."""

SHELLS: Final = frozenset(("sh", "bash", "dash", "ksh", "zsh", "ash", "busybox"))
"""Programs that are named for a script only where the kernel, not a maker, starts it: `make` runs `sh ./configure`."""

_DRIVERS: Final = "cmake meson cargo go perl python python2 python3 pip scons waf bazel"
DRIVERS: Final = MAKERS | SHELLS | frozenset(_DRIVERS.split())
"""Programs whose arguments say what is done below them."""

_TEST_SCRIPTS: Final = ("pytest", "regrtest", "unittest", "t/TEST", "t/harness", "runtests", "/lit")


def is_driver(name: str) -> bool:
    """Return whether a program's arguments say what is done below it."""
    return name in DRIVERS or name.startswith("python3.")


def asked_for(name: str, arguments: Iterable[str]) -> Verdict | None:
    """Return what a driver was asked to do by its arguments; None where they do not say."""
    arguments = list(arguments)
    options = {word for word in arguments if word.startswith("-")}
    words = [word for word in arguments if word and word not in options]
    first = words[0].rpartition("/")[2] if words else ""
    if name in SHELLS:
        runs_words = any("c" in word for word in takewhile(lambda word: word.startswith("-"), arguments))
        return _of_script(first, options) if not runs_words else None
    if name in MAKERS:
        return next((found for word in words if (found := _of_target(word)) is not None), None)
    if name == "cmake":
        install = Verdict.INSTALLING if "--install" in options else Verdict.CONFIGURING
        return None if options & {"--build", "-E", "-P"} else install
    if name == "meson" or first.startswith("meson"):
        return next((_MESON[word] for word in words if word in _MESON), None)
    if name in ("cargo", "go"):
        return Verdict.TESTING if first in ("test", "nextest", "vet") else Verdict.COMPILING
    script = " ".join(words[:3])
    is_test = "test" in words[:2] or any(mark in script for mark in _TEST_SCRIPTS)
    return Verdict.TESTING if is_test else None


_MESON: Final = {
    "setup": Verdict.CONFIGURING,
    "configure": Verdict.CONFIGURING,
    "compile": None,
    "test": Verdict.TESTING,
    "install": Verdict.INSTALLING,
}


_LIBTOOL: Final = {
    "--mode=compile": Verdict.COMPILING,
    "--mode=link": Verdict.LINKING,
    "--mode=relink": Verdict.LINKING,
    "--mode=install": Verdict.INSTALLING,
    "--mode=finish": Verdict.INSTALLING,
}


def _of_script(name: str, options: set[str]) -> Verdict | None:
    if name in ("libtool", "ltmain.sh"):
        return next((_LIBTOOL[option] for option in options if option in _LIBTOOL), None)
    if name in ("install-sh", "mkinstalldirs"):
        return Verdict.INSTALLING
    return CALLERS.get(name)


def _of_target(word: str) -> Verdict | None:
    if word in ("check", "test", "tests", "tst") or word.startswith(("check-", "test-", "check_")):
        return Verdict.TESTING
    if word == "install" or word.startswith(("install-", "install_")) or word.endswith("_install"):
        return Verdict.INSTALLING
    if word.endswith("config") and "=" not in word:
        return Verdict.CONFIGURING
    return None


def activity(
    processes: Mapping[int, ProcessView], used: Mapping[int, int], asked: Mapping[int, Verdict | None]
) -> tuple[Verdict | None, str]:
    """Return the kind of work that most of the CPU time goes to, and the program that stands for it.

    None where no program is of a known kind.

    Args:
        processes: the step's processes, by pid.
        used: clock ticks each of them used since the last look.
        asked: of drivers, what they were asked for.
    """
    weights: dict[Verdict, float] = {}
    programs: dict[Verdict, tuple[float, str]] = {}
    for process in processes.values():
        kind = _kind_of(process, processes, asked)
        if kind is None:
            continue
        # a process that is merely there counts a little: most live for less than a look
        weight = used.get(process.pid, 0) + 0.1
        weights[kind] = weights.get(kind, 0.0) + weight
        programs[kind] = max(programs.get(kind, (0.0, "")), (weight, process.name))
    if not weights:
        return None, ""
    best = max(weights, key=lambda kind: weights[kind])
    return best, programs[best][1]


def _kind_of(
    process: ProcessView, processes: Mapping[int, ProcessView], asked: Mapping[int, Verdict | None]
) -> Verdict | None:
    """Return what a process does: by its nearest caller that says so, else by its own name."""
    caller: ProcessView | None = process
    seen: set[int] = set()
    while caller is not None and caller.pid not in seen:
        seen.add(caller.pid)
        kind = CALLERS.get(caller.name) or asked.get(caller.pid)
        if kind is not None:
            return kind
        caller = processes.get(caller.parent)
    return PROGRAMS.get(process.name)

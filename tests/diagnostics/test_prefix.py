"""What others put before a line is removed once, and nothing of the line itself is."""

from __future__ import annotations

import time

import pytest

from build_exporter.diagnostics.prefix import parted, unprefixed
from build_exporter.diagnostics.terminal import MAX_LINE, shown

ERROR = "gmake[2]: *** [Makefile:7: a.o] Error 1"

PREFIXES = (
    "2026-09-14T03:12:31.8579732Z ",
    "2026-09-14 03:12:31,857 ",
    "[2026-09-14T03:12:31+02:00] ",
    "2026-09-14T03:12:31 ",
    "2026-09-14T03:12:31.123456Z stdout F ",
    "2026-09-14T03:12:31.123456Z 01O ",
    "1795241576.25 ",
    "Nov 21 06:12:56 ",
    "Nov  1 06:12:56 host make[773]: ",
    "[06:12:56] ",
    "06:12:56.123 ",
    "12:34.56 ",
    "[03:34] / ",
    "[   12.345678] ",
    "[  112s] ",
    "#23 29.47 ",
    "#7 ",
    "[ERROR]    ",
    "[ALL  ]    ",
    "[error] ",
    "##[error]",
    "::error file=a.c,line=3::",
    "| ",
    "     [exec] ",
    "[step-build] ",
    "DEBUG util.py:445:  ",
    "builder-1  | ",
    "web | ",
    "hello> ",
    "       > ",
    "build\tRun make\t2026-09-14T03:12:31.8579732Z ",
    "#23 29.47 [ERROR]    ",
    "builder-1  | 2026-09-14T03:12:31Z [ERROR]    | ",
)


@pytest.mark.parametrize("prefix", [prefix for prefix in PREFIXES if prefix != "#7 "])
def test_prefixes_of_every_kind_are_removed(prefix: str) -> None:
    """A line reads the same whatever container, logger, job or clock stood before it."""
    assert unprefixed(prefix + ERROR) == ERROR


@pytest.mark.parametrize(
    "line",
    [
        "  CC      kernel/fork.o",
        "   55 | #elif HAVE_LIBSIGSEGV && SIGSTKSZ < 16384",
        "      | ^~~~",
        "   |     match x {",
        ">>> referenced by main.c:12",
        "[ 58%] Building CXX object x.o",
        "[3/10] Linking x",
        "# TOTAL: 5",
        "#include <stdio.h>",
        "#0 0x00007f in main () at a.c:3",
        "  3/57 Test #3: x ..... Passed",
        "1 passed, 2 failed",
        "2026 is the year",
        "::",
        "ERROR: boom",
        "make: *** [all] Error 2",
        "error[E0425]: cannot find value",
        "[",
        "",
    ],
)
def test_lines_without_prefix_stay_as_they_are(line: str) -> None:
    """Quoted source, counters, comments and terse make lines lose nothing."""
    assert unprefixed(line) == line


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("2026-09-14T03:12:31Z [ERROR]    no", ("no", "2026-09-14T03:12:31Z ", "error")),
        ("2026-09-14T03:12:31Z 2026-09-14T04:00:00Z no", ("no", "2026-09-14T03:12:31Z ", "")),
        ("[WARN ] | no", ("no", "", "warn")),
        ("::error file=a.c,line=3::no", ("no", "", "error")),
        ("Nov 21 06:12:56 host make[77]: no", ("no", "Nov 21 06:12:56 ", "")),
        ("| | | | | no", ("| no", "", "")),
    ],
)
def test_stamp_and_level_are_kept(line: str, found: tuple[str, str, str]) -> None:
    """Readers that need the time or the level before a line get both: the outermost stamp, and at most four go."""
    assert parted(line) == found


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        ("plain", ["plain"]),
        ("1%\r2%\r100%", ["1%", "2%", "100%"]),
        ("\x1b[3A\x1b[2K\rERROR: boom", ["ERROR: boom"]),
        ("\x1b[2K\rCurrently 2\x1b[1;1Hdone", ["Currently 2", "done"]),
        ("10%\x08\x08\x0820%", ["20%"]),
        ("ok\x1b[10Cdone", ["ok          done"]),
        ("[1/2] CC\x1b[K", ["[1/2] CC"]),
        ("\x1b(B\x1b[mred\x1b[0m", ["red"]),
        ("\r\r\x1b[2K", []),
        ("a" * (MAX_LINE + 9), ["a" * MAX_LINE]),
    ],
)
def test_a_line_is_read_as_a_terminal_shows_it(raw: str, texts: list[str]) -> None:
    """Progress written over in place, moved cursors and erased characters leave what a person saw."""
    assert shown(raw) == texts


def test_a_hostile_line_takes_linear_time() -> None:
    """A line of megabytes, whatever it is made of, is read about as fast as its bytes are counted."""
    for unit in ("\r", "\x1b[", "a\x08", "[", "#1 ", "1", "2026-", "a | ", "\x1b]", "\t", " "):
        began = time.process_time()
        for text in shown(unit * (1_000_000 // len(unit)))[:1000]:
            parted(text)
        assert time.process_time() - began < 2.0, repr(unit)


def test_an_event_of_go_is_the_line_in_it() -> None:
    """Whoever keeps `go test -json` gets reasons and times from it as from the text; other JSON stays as it is."""
    head = '{"Time":"2026-11-30T06:51:10.28Z","Action":"output","Package":"p","Test":"T","Output":'
    assert parted(head + r'"a \"b\"\tc\n"}') == ('a "b"\tc', "2026-11-30T06:51:10.28Z", "")
    assert unprefixed('{"ImportPath":"p","Action":"build-output","Output":"./a.go:3:2: undefined: x\\n"}') == (
        "./a.go:3:2: undefined: x"
    )
    assert unprefixed('{"Time":"2026-11-30T06:51:10.28Z","Action":"pass","Package":"p","Elapsed":0.02}') == ""
    assert unprefixed(head + '"no end of a line"}') == "no end of a line"
    assert unprefixed(head + r'"\u001b[31mred\u001b[0m \u0007\n"}') == "red "
    # half of a surrogate pair can't be written anywhere
    assert unprefixed(head + r'"half \ud800\n"}') == "half ?"
    for other in (head + '"cut', '{"Time":"2026-11-30T06:51:10.28Z","level":"error"}', '{"ImportPath":"p"}'):
        assert unprefixed(other) == other

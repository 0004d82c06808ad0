"""Diagnostics of several lines, by what a person reads there: words, last line, and the place they name."""

from __future__ import annotations

import pytest

from build_exporter.diagnostics.joining import Joined, joined, place_of

OCAML = 'File "a.ml", line 3, characters 4-9:'
CMAKE = "CMake Error at CMakeLists.txt:3 (find_package):"
HEAD = "Traceback (most recent call last):"
NEEDS = "configure: error: Package requirements (gtk4 >= 4.0) were not met:"
GRADLE = "* What went wrong:"
RUST = "error[E0425]: cannot find value `x`"
DUBIOUS = "Dubious, test returned 2 (wstat 512, 0x200)"


@pytest.mark.parametrize(
    ("lines", "index", "found"),
    [
        (["words", "next"], 0, Joined("words", 0)),
        (["checking for gcc... configure: error: none"], 0, Joined("configure: error: none", 0)),
        # the exception stands where the traceback began, or further left
        ([f"  {HEAD}", '    File "a.py", line 1', "", "  KeyError: 1"], 0, Joined("KeyError: 1", 3)),
        ([f"  {HEAD}", "   x", "KeyError: 1"], 0, Joined("KeyError: 1", 2)),
        (["During handling of it", "", HEAD, '  File "a.py"', "OSError: b"], 0, Joined("OSError: b", 4)),
        ([HEAD, *["  x"] * 398, "E: a"], 0, Joined("E: a", 399)),
        ([HEAD, *["  x"] * 399, "E: a"], 0, Joined(HEAD, 0)),
        # a message of CMake's ends with the blank after a sentence, before other output, or at a limit
        ([CMAKE, "", "  One", "", "  two.", "", "  Next."], 0, Joined(f"{CMAKE} One two.", 4)),
        ([CMAKE, "  One", "Call"], 0, Joined(f"{CMAKE} One", 1)),
        ([CMAKE, "  One", "  Call Stack (most recent call first):"], 0, Joined(f"{CMAKE} One", 1)),
        ([CMAKE, *["  a"] * 6, "", "  b"], 0, Joined(f"{CMAKE} a a a a a a", 6)),
        ([CMAKE, *["  a"] * 5, "", "  b"], 0, Joined(f"{CMAKE} a a a a a b", 7)),
        ([CMAKE, *["  a"] * 50], 0, Joined(CMAKE + " a" * 39, 39)),
        # what is lacking follows, unless advice comes first
        ([NEEDS, "", "other", "No package 'gtk4' found"], 0, Joined(f"{NEEDS} No package 'gtk4' found", 3)),
        ([NEEDS, "", "Consider adjusting", "No package 'gtk4' found"], 0, Joined(NEEDS, 0)),
        (
            ["configure: error: Package requirements (a", "b: c) were not met:", "", "Package 'a' is old"],
            0,
            Joined("configure: error: Package requirements (a b: c) were not met: Package 'a' is old", 3),
        ),
        (["t/a.t .. ", DUBIOUS], 1, Joined(f"t/a.t .. {DUBIOUS}", 1)),
        ([DUBIOUS], 0, Joined(DUBIOUS, 0)),
        ([GRADLE, "Execution failed."], 0, Joined("Execution failed.", 1, f"{GRADLE} Execution failed.")),
        ([GRADLE], 0, Joined(GRADLE, 0)),
        # the compiler quotes source before its error; a warning or another place is of something else
        ([OCAML, *["1 | x"] * 18, "Error: Unbound"], 0, Joined(f"{OCAML} Error: Unbound", 19)),
        ([OCAML, *["1 | x"] * 19, "Error: Unbound"], 0, Joined(OCAML, 0)),
        ([OCAML, "Error:", "  Unbound"], 0, Joined(f"{OCAML} Error: Unbound", 2)),
        ([OCAML, "Warning 8: x", "Error: Unbound"], 0, Joined(OCAML, 0)),
        ([OCAML, OCAML, "Error: Unbound"], 0, Joined(OCAML, 0)),
        # words that were cut after a colon go on within three lines
        (["a.c:1: error:", "", "", " * bad "], 0, Joined("a.c:1: error: bad", 3)),
        (["a.c:1: error:", "", "", "", "bad"], 0, Joined("a.c:1: error:", 0)),
        (["Error:", "in x:", "bad", "more"], 0, Joined("Error: in x: bad", 2)),
        (["==> Missing dependencies:", "  -> foo"], 0, Joined("==> Missing dependencies: -> foo", 1)),
        (
            ["Checking for a : not found", "x", "y", "The configuration failed"],
            3,
            Joined("Checking for a : not found", 3, "The configuration failed: Checking for a : not found"),
        ),
        (["Checking for a : no", "x", "y", "z", "The configuration failed"], 4, Joined("The configuration failed", 4)),
        ([RUST, " --> src/main.rs:3:5"], 0, Joined(RUST, 0, f"src/main.rs:3:5: {RUST}")),
        ([RUST, "x", " --> src/main.rs:3:5"], 0, Joined(RUST, 0)),
        ([RUST], 0, Joined(RUST, 0)),
    ],
)
def test_words_end_where_a_person_stops_reading(lines: list[str], index: int, found: Joined) -> None:
    """The whole message is the reason, however a tool breaks it, and nothing of what comes after it."""
    assert joined(lines, index) == found


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("src/a.c:3:1: error: x", "src/a.c:3"),
        ("C:/a.c:3: error: x", "C:/a.c:3"),
        ("a.cs(3,7): error CS1: x", "a.cs:3"),
        ("Makefile:7: *** missing separator.", "Makefile:7"),
        ("make:3: x", None),
        ("12:34: error", None),
        ("ld: src/x.c:12: undefined reference", "src/x.c:12"),
        ("Can't locate X.pm at a.pl line 3.", "a.pl:3"),
        ("./x.sh: line 3: y: command not found", "./x.sh:3"),
        ("thread 'main' panicked at src/a.rs:3:5:", "src/a.rs:3"),
        (CMAKE, "CMakeLists.txt:3"),
        ("bad", None),
    ],
)
def test_a_place_is_that_of_the_words(text: str, place: str | None) -> None:
    """A file and line to open, not a time or make's own level."""
    assert place_of([text], 0, 0, text) == place


@pytest.mark.parametrize(
    ("lines", "at", "place"),
    [
        (["bad", *"xxx", " --> a.rs:3:5"], 0, "a.rs:3"),
        (["bad", *"xxxx", " --> a.rs:3:5"], 0, None),
        (['  File "a.py", line 7', *"xxxx", "bad"], 5, "a.py:7"),
        (['  File "a.py", line 7', *"xxxxx", "bad"], 6, None),
        (['  File "a.py", line 7', "bad", ">>> referenced by b.c:9"], 1, "b.c:9"),
        (['  File "a.py", line 7', '  File "b.py", line 8', "bad"], 2, "b.py:8"),
        (["bad", "    at x.Y.z(Y.java:12)"], 0, "Y.java:12"),
    ],
)
def test_a_place_near_the_words_is_theirs(lines: list[str], at: int, place: str | None) -> None:
    """The four lines after them come first, then the five before, the nearest first."""
    assert place_of(lines, at, at, "bad") == place

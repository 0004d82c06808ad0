"""Why a step failed, in one line of its log."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from build_exporter.diagnostics.diagnosis import MAX_REASON, first_error, was_stopped


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["x.c:1:2: error: first", "y.c:1:2: error: second", "make: *** [x.o] Error 1"], "x.c:1:2: error: first"),
        (["make[2]: *** [Makefile:1: a] Error 1", "make: *** [all] Error 2"], "make[2]: *** [Makefile:1: a] Error 1"),
        (["cc1: error: x", "as: x.o: No space left on device"], "as: x.o: No space left on device"),
        (["ld: main.o: undefined reference to `f'", "collect2: error: ld returned 1 exit status"],
         "ld: main.o: undefined reference to `f'"),
        (["checking for error: handling... no", "configure: error: no acceptable C compiler found in $PATH"],
         "configure: error: no acceptable C compiler found in $PATH"),
        (["CMake Error at CMakeLists.txt:3 (find_package):", "make: *** [all] Error 1"],
         "CMake Error at CMakeLists.txt:3 (find_package):"),
        (["patching file a", "Hunk #1 FAILED at 3.", "1 out of 1 hunk FAILED"], "Hunk #1 FAILED at 3."),
        (["./x.sh: line 3: bison: command not found"], "./x.sh: line 3: bison: command not found"),
        (["Entering directory", "PASS: error.test", "done"], None),
        (["tar: stdout: write error", "make: [Makefile:3: x] Error 1 (ignored)"], None),
        ([], None),
    ],
)  # fmt: skip
def test_most_telling_line(lines: list[str], wanted: str | None) -> None:
    """The first line of the most telling kind, not the last line, and none where nothing went wrong."""
    assert first_error(lines) == wanted


def test_message_is_short() -> None:
    """A line without end becomes a message of 300 characters, soon."""
    began = time.perf_counter()
    found = first_error(["x.c:1:1: error: " + "a" * 1_000_000, *["*** " * 500] * 500])
    assert found is not None
    assert len(found) == MAX_REASON
    assert time.perf_counter() - began < 5


def test_real_failures(records: Path) -> None:
    """Real failed steps show their error: meson's, make's, the XML parser's; a step that went well shows none."""
    failed = records / "jhalfs/failed"
    found = {path.name.split(".")[0]: first_error(path.read_text().splitlines()) for path in failed.glob("*.log")}
    assert found["869-jinja2-3"] is None
    assert found["870-systemd-255"] is not None
    assert "Unknown filesystems defined" in found["870-systemd-255"]
    assert found["803-glibc-2"] is not None
    assert found["803-glibc-2"].startswith("make[3]: ***")
    assert found["000-masterscript"] is not None
    assert "not defined" in found["000-masterscript"]


def test_stopped_by_hand() -> None:
    """Ctrl-C, as make and ninja write it, is no failure."""
    assert was_stopped(["make[1]: *** [Makefile:2: a.o] Interrupt", "make: *** [all] Error 2"])
    assert was_stopped(["ninja: build stopped: interrupted by user."])
    assert not was_stopped(["make: *** [Makefile:2: a.o] Error 1", "Interrupt handling: ok"])

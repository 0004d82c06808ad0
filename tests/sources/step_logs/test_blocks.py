"""A log gives the same, however much of it is read at a time, and whatever library looks for the words in it."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_exporter.diagnostics import finder
from build_exporter.sources.step_logs import scan
from build_exporter.sources.step_logs.attempt_logs import AttemptLogs
from build_exporter.sources.step_logs.phases import EbuildPhase
from build_exporter.sources.step_logs.progress import LogProgress
from build_exporter.sources.step_logs.suites import Results, SuiteReader
from build_exporter.sources.step_logs.warnings import WarningReader
from build_exporter.sources.step_logs.watcher import new_readers

LIBRARIES: Final = {"hyperscan": lambda: None, "ahocorasick_rs": None}
"""Names in `finder`, and what they are without the library: the fastest first."""

BUILD: Final = """>>> Configuring source in /var/tmp/a ...
checking for gcc... gcc
configure: WARNING: unrecognized options: --with-x
>>> Compiling source in /var/tmp/a ...
[  1%] Building C object a.o
gcc -O2 -c a.c -o a.o
  CC       b.o
a.c:1:2: warning: unused variable 'x' [-Wunused-variable]
b.c:7:2: warning: unused variable 'y' [-Wunused-variable]
\x1b[01;35m\x1b[Kwarning: \x1b[m\x1b[Kthree
make[1]: *** [Makefile:7: check] Error 1
""".splitlines()
TESTS: Final = """1..3
ok 1 - a
not ok 2 - b
ok 3
PASS: one.sh
FAIL: two.sh
Testsuite summary for thing 1.0
# TOTAL: 2
# PASS:  1
# FAIL:  1
=====
\t\t=== gcc tests ===
PASS: a.c
warning: in the middle of a summary
\t\t=== gcc Summary ===

# of expected passes\t\t1
## GNU thing 1.2 test suite. ##
  1: the first                        ok
  2: the second                       ok
  3: the third                        FAILED (a.at:6)
running 2 tests
test a::b ... ok
test a::c ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
ok  \tpkg/a\t0.1s
FAIL\tpkg/b\t0.1s
=== test session starts ===
t.py .F                                    [100%]
=== 1 failed, 1 passed in 0.1s ===
PASS   : tst_QDir::mkdir()
SKIP   : tst_QDir::links() no links
Totals: 1 passed, 0 failed, 1 skipped, 0 blacklisted, 1ms
lib/a ... ok
t/io/fs ..... skipped: no fs
u=0.1  s=0.1  scripts=2  tests=9
[==========] 2 tests from 1 test suite ran. (0 ms total)
[  PASSED  ] 1 test.
[  FAILED  ] 1 test, listed below:
""".splitlines()
ODD: Final = [
    *("", " ", "\r", "x" * 3000 + "PASS: no", "ok\r\n", "PASS: over\rFAIL: over", "a\x08b", "ok", " ok", "\xe9: ok"),
    *("  ok 1", "[ 12/480] CC a.o", "warning: ", " ok ok", "|+ ", "ok 2\x00", "1..1", "[ 40%]", "t.py . [ 40%]"),
]
LOGS: Final = st.lists(st.sampled_from(BUILD + TESTS + ODD), max_size=60) | st.permutations([BUILD, TESTS, ODD]).map(
    lambda parts: list(itertools.chain.from_iterable(parts))
)


@pytest.fixture(params=["all libraries", "little read", "no library"], scope="module")
def library(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have the libraries that look for words, the one for small logs alone, or none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "LARGE_BYTES", 10**9 if request.param == "little read" else 1)
        for name, nothing in LIBRARIES.items() if request.param == "no library" else ():
            patch.setattr(finder, name, nothing)
        _forget()
        yield request.param
    _forget()


def _forget() -> None:
    scan.word_search.cache_clear()
    scan.word_count.cache_clear()


def read(path: Path, pieces: Sequence[bytes]) -> dict[str, Any]:
    """Return what readers know of a log after it has grown by some pieces, and been read after each."""
    path.write_bytes(b"")
    logs = AttemptLogs(new_readers, path, "s", None)
    with path.open("ab", buffering=0) as file:
        for number, piece in enumerate(pieces):
            file.write(piece)
            logs.read(lambda _: True, over=number == len(pieces) - 1)
    found: dict[str, Any] = {}
    for reader in logs.readers:
        if isinstance(reader, SuiteReader):
            reader.finish()
            found["suites"] = reader.results
            found["failing"] = {name: suite.failing for name, suite in reader.ledger.suites.items()}
        elif isinstance(reader, WarningReader):
            found["warnings"], found["flags"] = reader.count, reader.flags
        elif isinstance(reader, EbuildPhase):
            found["phase"] = reader._phase
        elif isinstance(reader, LogProgress):
            found["tasks"] = reader.tasks
    return found


def test_everything_in_a_log_is_found(tmp_path: Path, library: str) -> None:
    """Warnings, tests of eight runners, tasks and the phase are read out of one log, with any library and without."""
    found = read(tmp_path / "log", ["\n".join(BUILD + TESTS).encode()])
    assert (found["warnings"], found["flags"]) == (5, Counter({"-Wunused-variable": 2}))
    assert found["phase"] == "compile"
    # two compilers' runs and a line of cmake's, three tests of TAP, three PASS or FAIL, Go's `ok`, two `[`
    assert found["tasks"] == 3 + 3 + 3 + 1 + 2
    assert found["suites"] == {
        "tap": Results(passed=2, failed=1),
        "thing 1.0": Results(passed=1, failed=1),
        "gcc": Results(passed=1),
        "autotest": Results(passed=2, failed=1),
        "cargo test": Results(passed=1, failed=1),
        "go test": Results(passed=1, failed=1),
        "pytest": Results(passed=1, failed=1),
        "qttest": Results(passed=1, skipped=1),
        "perl": Results(passed=1, skipped=1),
        "gtest": Results(passed=1, failed=1),
    }


@given(LOGS, st.lists(st.integers(0, 4000), max_size=8))
@settings(deadline=None, max_examples=15)
def test_blocks_change_nothing(tmp_path_factory: pytest.TempPathFactory, lines: list[str], cuts: list[int]) -> None:
    """Wherever a poll cuts a log, within a line too, the counts are those of reading it line by line."""
    path = tmp_path_factory.getbasetemp() / "cut"
    log = "\n".join(lines).encode()
    places = sorted({min(cut, len(log)) for cut in cuts} | {0, len(log)})
    by_line = read(path, log.splitlines(keepends=True) or [b""])
    assert read(path, [log[begin:end] for begin, end in itertools.pairwise(places)] or [b""]) == by_line
    assert read(path, [log]) == by_line


def test_libraries_change_nothing(tmp_path: Path) -> None:
    """Without a library for the search a log gives the same as with it: only slower."""
    random = Random(7)
    logs = ["\n".join(random.choices(BUILD + TESTS + ODD, k=50)).encode() for _ in range(8)]
    found = []
    for missing in range(len(LIBRARIES) + 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scan, "LARGE_BYTES", 1)
            for name, nothing in list(LIBRARIES.items())[:missing]:
                patch.setattr(finder, name, nothing)
            _forget()
            found.append([read(tmp_path / "log", [log]) for log in logs])
    _forget()
    assert found[1:] == found[:-1]


@pytest.mark.parametrize(
    "piece",
    [b"PASS: ", b" ok", b"\x1b[", b"[ 1/9] ", b": warning"],
    ids=["tests", "short", "terminal", "count", "warning"],
)
def test_hostile_lines_take_linear_time(tmp_path: Path, library: str, piece: bytes) -> None:
    """A line made to be slow costs at most eight times as much when it is four times as long."""

    def seconds(text: bytes) -> float:
        (tmp_path / "log").write_bytes(b"written\rover\n" + text)
        best = 9e9
        for _ in range(2):
            began = time.thread_time()
            AttemptLogs(new_readers, tmp_path / "log", "s", None).read(lambda _: True, over=True)
            best = min(best, time.thread_time() - began)
        return best

    line = piece * (200_000 // len(piece))
    assert seconds(line) < 8 * seconds(line[: len(line) // 4]) + 0.05

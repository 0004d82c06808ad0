"""What is made of evidence: its limits, both sides of each, with lines whose reason is plain."""

from __future__ import annotations

import pytest

from build_exporter.diagnostics.diagnosis import diagnose, ended_in_error, with_failed_tests
from build_exporter.diagnostics.evidence import MAX_LINES, MAX_READ, read

ERROR = "a.c:3:1: error: unknown type name 'x'"
KILLED = "c++: fatal error: Killed signal terminated program cc1plus"
IGNORED = "make: [Makefile:7: a.o] Error 1 (ignored)"
FAILED, PASSED = "1/2 Test #1: a ...***Failed 0.1 sec", "1/2 Test #1: a ... Passed 0.1 sec"
STOP = "make: *** [Makefile:7: a.o] Error 1"


@pytest.mark.parametrize(
    ("lines", "exit_code", "signal", "reason", "error_class"),
    [
        (["words"], 137, None, "ended by SIGKILL after: words", "killed"),
        (["words", ""], None, 9, "ended by SIGKILL after: words", "killed"),
        (["words"], 143, None, "ended by SIGTERM after: words", "interrupted"),
        ([], 192, None, "ended by SIGRTMAX", "other"),
        ([], 193, None, "exit code 193", "other"),
        (["words"], None, 11, "ended by SIGSEGV after: words", "other"),
        (["words"], 128, None, "words", "other"),
        ([], None, 99, "ended by signal 99", "other"),
        ([], 124, None, "exit code 124", "timeout"),
        ([], 3, None, "exit code 3", "other"),
        ([], None, 15, "ended by SIGTERM", "interrupted"),
        ([], None, None, "failed without a word", "other"),
        ([ERROR], 137, None, ERROR, "compiler-error"),
    ],
)
def test_how_a_command_ended_counts_where_its_words_say_less(
    lines: list[str], exit_code: int | None, signal: int | None, reason: str, error_class: str
) -> None:
    """A shell's code above 128 is a signal; the last words stand beside it."""
    found = diagnose(lines, exit_code=exit_code, signal=signal)
    assert (found.reason, found.error_class) == (reason, error_class)


@pytest.mark.parametrize(("length", "reason"), [(300, 300), (301, 299)])
def test_a_reason_is_cut_at_300_characters(length: int, reason: int) -> None:
    """The mark of the cut is one of them."""
    line = ERROR + "y" * (length - len(ERROR))
    assert diagnose([line]).reason == line[:reason] + "…" * (length > 300)


def test_the_context_is_three_lines_before_and_five_after() -> None:
    """Enough to see what was compiled and what followed."""
    lines = [*"abcde", ERROR, *"fghijkl"]
    assert diagnose(lines).context == ("c", "d", "e", ERROR, *"fghij")
    assert diagnose(["a", ERROR, "b"]).context == ("a", ERROR, "b")


def test_an_error_after_the_stop_is_another_jobs() -> None:
    """However strong: what failed before make gave up is why it did; nothing before it, and it is the reason."""
    full = "cc1plus: fatal error: error writing to /tmp/x.s: No space left on device"
    assert diagnose([full, ERROR, STOP]).error_class == "disk-full"
    assert diagnose([ERROR, STOP, full]).error_class == "compiler-error"
    assert diagnose([STOP, full]).error_class == "disk-full"


@pytest.mark.parametrize(
    ("before", "after", "error_class", "evidence"),
    [
        ("03:00:00", "03:05:00", "out-of-memory", ("no output for 5 min before it was killed",)),
        ("03:00:00", "03:04:59", "killed", ()),
        ("23:59:59", "03:05:00", "killed", ()),
    ],
)
def test_a_compiler_killed_after_five_silent_minutes_lacked_memory(
    before: str, after: str, error_class: str, evidence: tuple[str, ...]
) -> None:
    """Minutes without a word before a kill are spent swapping; a clock set back shows nothing."""
    found = diagnose([f"2026-09-14T{before}Z compiling", f"2026-09-14T{after}Z {KILLED}"])
    assert (found.error_class, found.evidence) == (error_class, evidence)
    assert diagnose(["compiling", KILLED]).error_class == "killed"


@pytest.mark.parametrize(
    ("names", "reason"),
    [("a", "FAIL: a"), ("ab", "FAIL: a, b"), ("abc", "FAIL: a, b, c"), ("abcde", "FAIL: a, b, c and 2 more"),
     ("aa", "FAIL: a")],
)  # fmt: skip
def test_three_failed_tests_are_named(names: str, reason: str) -> None:
    """The first in full, the next two by name, each once, and how many more there are."""
    assert diagnose([*(f"FAIL: {name}" for name in names), "make: *** [check] Error 1"]).reason == reason


@pytest.mark.parametrize(
    ("lines", "names", "reason", "error_class"),
    [
        (["FAIL: one"], ["two"], "FAIL: one (failed tests: two)", "test-failure"),
        (["FAIL: one"], ["two", "one"], "FAIL: one", "test-failure"),
        (["FAIL: one"], [], "FAIL: one", "test-failure"),
        ([STOP], ["t1", "t2", "t3", "t1"], "failed tests: t1, t2, t3", "test-failure"),
        ([STOP], ["t1", "t2", "t3", "t4", "t5"], "failed tests: t1, t2, t3 and 2 more", "test-failure"),
        ([ERROR], ["a"], ERROR, "compiler-error"),
    ],
)
def test_tests_that_a_suite_reported_are_named_where_the_words_name_none(
    lines: list[str], names: list[str], reason: str, error_class: str
) -> None:
    """A builder's line alone becomes the failure of these tests; an error of another kind stays what it is."""
    found = with_failed_tests(diagnose(lines), names)
    assert (found.reason, found.error_class) == (reason, error_class)


@pytest.mark.parametrize(
    ("after", "failed"),
    [
        ([], True),
        (["  CC a.o"] * 3, True),
        (["  CC a.o"] * 4, False),
        (["gcc -c b.c"], False),
        (["make[1]: Leaving directory '/b'"], False),
        (["", "---", "Summary: 1"], True),
    ],
)
def test_work_that_goes_on_after_an_error_shows_that_it_was_none(after: list[str], failed: bool) -> None:
    """Three lines of progress of other jobs may follow, not a command nor a make that goes on."""
    assert (ended_in_error([ERROR, STOP, *after]) is not None) == failed


@pytest.mark.parametrize(
    ("lines", "reasons"),
    [
        # what make ignored is none, back to the command that printed it, five lines at most
        (["gcc -c a.c", ERROR, "x", IGNORED], []),
        ([ERROR, "gcc -c a.c", IGNORED], [ERROR]),
        ([ERROR, *"wxyz", IGNORED], []),
        ([ERROR, *"vwxyz", IGNORED], [ERROR]),
        (
            ["make[1]: Entering directory '/b'", ERROR, "gcc -c b.c", "make[1]: Leaving directory '/b'", IGNORED],
            [],
        ),
        # a test that passed when it was repeated did not fail, one that failed last did
        ([FAILED, PASSED], []),
        ([FAILED, PASSED, FAILED], [FAILED]),
    ],
)
def test_failures_that_ended_nothing_are_no_evidence(lines: list[str], reasons: list[str]) -> None:
    """Ignored errors and repeated tests are left out, and nothing beside them is."""
    assert [each.text for each in read(lines).evidence] == reasons


def test_of_very_many_lines_the_first_and_the_last_errors_are_read() -> None:
    """What failed is among the first, how it ended among the last; of the log the last lines count."""
    errors = [f"a.c:{number}:1: error: unknown type name 'x'" for number in range(MAX_READ + 9)]
    texts = [each.text for each in read(errors).evidence]
    assert texts == errors[: MAX_READ // 2] + errors[-MAX_READ // 2 :]
    assert [each.text for each in read([ERROR, *["x"] * (MAX_LINES - 1)]).evidence] == [ERROR]
    assert read([ERROR, *["x"] * MAX_LINES]).evidence == []


@pytest.mark.parametrize(
    ("progress", "commands", "error_class"),
    [(30, 0, "missing-file"), (31, 0, "x"), (15, 16, "x"), (15, 15, "missing-file")],
)
def test_words_are_stale_after_thirty_lines_of_work(progress: int, commands: int, error_class: str) -> None:
    """A file that is missing matters little where thirty commands and more went well after it."""
    lines = ["cat: a: No such file or directory", *["  CC a.o"] * progress, *["gcc -c a.c"] * commands, ERROR, STOP]
    reading = read(lines)
    assert (reading.score(reading.evidence[0]) == reading.evidence[0].rank) == (error_class != "x")


def test_the_last_words_are_those_before_a_wrappers_and_not_indented_by_a_tab() -> None:
    """Where nothing is known as an error, the last line with words of trouble before the stop is the reason."""
    wrapper = "E: Sub-process /usr/bin/dpkg returned an error code (1)"
    for after in (["\tcannot be meant"], [wrapper, "cleaner: cannot remove it"]):
        assert diagnose(["it cannot open that", *after, STOP]).reason == "it cannot open that"

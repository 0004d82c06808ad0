"""Consoles of BitBake that other consoles do not prepare for: of a terminal, and of builds that end before a task."""

from __future__ import annotations

import pytest

from build_exporter.sources.bitbake.console import PARSE, Console

TERMINAL = (
    "Loading cache:   0% |      | ETA:  --:--:--\rLoading cache: 100% |######| Time: 0:00:01\n"
    "NOTE: Executing Tasks\n"
    "\x1b[2K\rCurrently  2 running tasks (3 of 40)   7% |##          |\n"
    "0: zlib-1.3.1-r0 do_compile - 5s (pid 811)\n"
    "1: bash-5.2-r0 do_configure - 2s (pid 812)\n"
    "\x1b[3A\x1b[2K\rERROR: bash-5.2-r0 do_configure: Execution of '/b/run.do_configure.9' failed with exit code 1\n"
    "ERROR: Logfile of failure stored in: /b/log.do_configure.9\n"
    "Log data follows:\n"
    "| checking for tgetent... no\n"
    "| configure: error: termcap library not found\n"
    "ERROR: Task (/layers/bash_5.2.bb:do_configure) failed with exit code '1'\n"
    "Currently  1 running tasks (39 of 40)  97% |########### |\n"
    "0: gcc-14.1-r0 do_install - 9s (pid 820)\n"
    "NOTE: Tasks Summary: Attempted 40 tasks of which 30 didn't need to be rerun and 1 failed.\n"
)


def fed(text: str) -> Console:
    """Return a console that has taken a text."""
    console = Console(keeps_signs=True)
    for line in text.splitlines():
        console.feed(line)
    return console


def test_the_display_of_a_terminal_tells_tasks_and_failures() -> None:
    """A build watched through a terminal's log has its tasks, the failed one with its reason, and its totals."""
    console = fed(TERMINAL)
    assert (console.index, console.total, console.outcome) == (39, 40, "failed")
    reason = {"bash-5.2-r0": "configure: error: termcap library not found"}
    assert {key[1]: words for sign, key, words in console.signs if sign == "Failed"} == reason
    assert [key[1] for sign, key, _ in console.signs if sign == "Succeeded"] == ["zlib-1.3.1-r0", "gcc-14.1-r0"]


def test_a_build_that_ends_before_a_task_has_failed() -> None:
    """Recipes that can't be parsed and dependencies that nothing provides are failures with their words."""
    for error in (
        "ParseError at /l/a_1.bb:3: unparsed line: 'X +='",
        "Nothing PROVIDES 'libnone' (but /l/b.bb DEPENDS on it)",
    ):
        last = "Summary: There was 1 ERROR message, returning a non-zero exit code."
        console = fed(f"Parsing recipes: 100% |###|\nERROR: {error}\n\n{last}\n")
        assert console.outcome == "failed"
        assert ("Failed", PARSE, f"ERROR: {error}") in console.signs


def test_the_disk_monitor_is_the_reason_of_a_task_it_ends() -> None:
    """A task that BitBake aborts for want of space says so, not nothing."""
    console = fed(
        "NOTE: Running task 8 of 9 (/l/gcc.bb:do_compile)\n"
        "NOTE: recipe gcc-14.1-r0: task do_compile: Started\n"
        "WARNING: The free space of /b/tmp (ext4) is running low (0.1GB left)\n"
        'ERROR: Immediately abort since the disk space monitor action is "ABORT"!\n'
        "NOTE: recipe gcc-14.1-r0: task do_compile: Failed\n"
    )
    assert console.messages["do_compile", "gcc-14.1-r0"].startswith("Immediately abort since the disk space monitor")


STOP = 'Immediately abort since the disk space monitor action is "ABORT"!'


@pytest.mark.parametrize(
    ("before", "reason"),
    [("", STOP), ("WARNING: The free inode of /b (ext4) is low\n", "The free inode of /b (ext4) is low")],
)
def test_why_the_disk_monitor_stopped(before: str, reason: str) -> None:
    """It is what was said of the free space before, else the words of the stop themselves; the first of several."""
    console = fed(
        f"NOTE: Executing Tasks\n{before}ERROR: {STOP}\nWARNING: The free space of /c is low\nERROR: {STOP}\n"
    )
    assert console.disk == reason

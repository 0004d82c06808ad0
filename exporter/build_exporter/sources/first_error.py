"""The line of a failed step's log that says best why: the first of the most telling kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_MESSAGE: Final = 300
"""Longest message, in characters."""

_MAX_LINE: Final = 2000
"""Longest line looked at: patterns meet no more than that."""

_KINDS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"No space left on device|Cannot allocate memory|virtual memory exhausted|internal compiler error",
        r"\bfatal error: |^[^\s:]+:\d+(?::\d+)?: (?:\w+ )?error\b|\bmultiple definition of |\bundefined reference to ",
        r"^error(?:\[\w+\])?: |^\S*(?:configure|meson\.build\S*): (?:error|ERROR)\b|^CMake Error|\bERROR: ",
        r"\bld(?:\.\w+)?: cannot find |^collect2: |^\S*ninja: (?:error|fatal)|^FAILED: ",
        r"Hunk #\d+ FAILED|^patch: \*\*\*\* |can't find file to patch",
        r"^(?:fatal|E|error|Error): |[Cc]ommand not found|: not found$|No such file or directory$|Permission denied$",
        r"Segmentation fault|\bKilled\b|core dumped|^Traceback |\b\w*(?:Error|Exception): |\berror: ",
        r"cannot (?:stat|open|create|remove|access)|^tar: .*[Ee]rror|FAILED open or read|checksum did NOT match",
        r"\*\*\* .*(?:Error \d+|No rule to make target|\bStop\.)",
    )
)
"""Kinds of lines from the most to the least telling; within a kind the first line counts."""

_HARMLESS: Final = re.compile(
    r"^tar: stdout: write error|^checking |\bignored\)|-Werror\b(?!.*: error)|^\s*(?:PASS|XFAIL|ok|SKIP)\b"
    r"|^make(?:\[\d+\])?: (?:Entering|Leaving) directory|^\s*(?:CC|CXX|LD|AR|install|cp|mv|gcc|g\+\+|cc)\s"
)

_STOPPED: Final = re.compile(
    r"^(?:\S*make|ninja)\S*: (?:\*\*\* .*\b(?:Interrupt|Terminated|Hangup)\b|build stopped: interrupted)"
)


def first_error(lines: Iterable[str]) -> str | None:
    """Return the line that tells best what failed, at most 300 characters; None where none looks like an error."""
    best: str | None = None
    kinds = len(_KINDS)
    for raw in lines:
        line = raw[:_MAX_LINE].rstrip()
        if not line or _HARMLESS.search(line):
            continue
        # only kinds more telling than what was found already
        for index in range(kinds):
            if _KINDS[index].search(line):
                best, kinds = line.strip(), index
                break
        if kinds == 0:
            break
    if best is None or len(best) <= MAX_MESSAGE:
        return best
    return best[: MAX_MESSAGE - 1] + "…"


def was_stopped(lines: Iterable[str]) -> bool:
    """Return whether the log says that somebody ended the build: Ctrl-C, or a signal to make or ninja."""
    return any(_STOPPED.match(line[:_MAX_LINE]) for line in lines)

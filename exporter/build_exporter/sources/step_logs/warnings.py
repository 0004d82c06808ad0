"""Warnings of compilers and related tools, counted as often as they are printed, as `grep -c` would.

A header's warning that comes with each file that includes it counts each time: what stands in the log can be found
there. Only messages in English, which builds from source set, are counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from build_exporter.model.events import Event
from build_exporter.sources.step_logs.growth import MIN_SECONDS
from build_exporter.sources.step_logs.reader import StepContext

EMIT_SECONDS: Final = 10.0
"""Least time between two counts emitted while the step runs."""

EMIT_GROWTH: Final = 1.1
"""And so much more than the last count it must be: a log with ten thousand costs some hundred lines."""

_WARNING: Final = re.compile(
    r"(?:[^\"'`|]{1,400}?: )?[Ww]arning: "  # gcc, clang, ld, as, gfortran, rustc, make, bison, autoconf
    r"|CMake (?:Deprecation )?Warning\b"
    r"|(?:checking [^\"'`]*\.\.\. )?configure: WARNING:"
    r"|\S*meson\.build:\d+: WARNING:"
    r"|WARNING: (?:modpost: |.*[Ss]ection mismatch)"  # the kernel's last look at its modules
)

_NO_WARNING: Final = re.compile(
    r"\s*echo |\+ "  # a command as it is shown
    r"|warning: (?:`.*` \(.*\) generated |\d+ warnings? emitted|build failed, waiting)"  # cargo and rustc sum up
)

_FLAG: Final = re.compile(r"\[(-W[A-Za-z0-9+=-]{1,60})\]$")

MAX_FLAGS: Final = 200
"""Options counted of one step: more than any compiler's build prints."""

FLAGS_EMITTED: Final = 10
"""The most frequent of them, which are emitted."""

_COLOUR: Final = re.compile(r"\x1b(?:\[[0-9;]*[mK]|\]8;[^\x07\x1b]*(?:\x07|\x1b\\))")
"""Colours, and links as gcc puts about the names of options."""


def is_warning(line: str) -> bool:
    """Return whether a line of a log is a warning of a compiler, linker, assembler, cmake or configure."""
    return "arning" in line.lower() and _is_warning(_plain(line))


def _is_warning(line: str) -> bool:
    return _WARNING.match(line) is not None and _NO_WARNING.match(line) is None


def _plain(line: str) -> str:
    return _COLOUR.sub("", line) if "\x1b" in line else line


class WarningReader:
    """Counts the warnings in one step's log; emits the count now and then, and when the step is over.

    Attributes:
        count: warnings so far.
        flags: how many of them named which option of the compiler.
    """

    WORDS: Final = (b"arning", b"ARNING")
    is_busy = False

    def __init__(self) -> None:
        self.count = 0
        self.flags: Counter[str] = Counter()
        self._emitted_at = 0.0

    def feed(self, line: str, words: Sequence[bytes] | None = None) -> None:
        """Take one line into account."""
        # most lines cost no more than this
        if "arning" not in line and "ARNING" not in line:
            return
        line = _plain(line)
        if not _is_warning(line):
            return
        self.count += 1
        flag = _FLAG.search(line)
        if flag is not None and (flag[1] in self.flags or len(self.flags) < MAX_FLAGS):
            self.flags[flag[1]] += 1

    def emit(self, context: StepContext) -> Iterator[Event]:
        """Yield the count, unless it is known or the builder itself counts."""
        step = context.step
        if step.reported_warnings or not (self._is_final(context) if context.over else self._is_due(context)):
            return
        self._emitted_at = context.time
        flags = dict(self.flags.most_common(FLAGS_EMITTED)) if context.over and self.flags else None
        yield context.progress(warnings=self.count, warning_flags=flags)

    def _is_due(self, context: StepContext) -> bool:
        reported = context.step.warnings or 0
        return self.count > reported * EMIT_GROWTH and context.time - self._emitted_at >= EMIT_SECONDS

    def _is_final(self, context: StepContext) -> bool:
        reported = context.step.warnings
        if self.flags and context.step.key not in context.run.warning_flags:
            return True
        if reported is not None or self.count:
            return self.count > (reported or 0)
        # that there were none is worth a line where a compiler may have run
        return context.read_bytes > 0 and (context.step.seconds or 0.0) >= MIN_SECONDS

"""The section `failures` of the configuration: a user's own rules on what failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from build_exporter.config.section import Section, about, repeated
from build_exporter.config.values import compiled

MAX_EXAMPLE = 1000

ErrorClass = Literal[
    "assembler-error", "bad-option", "build-script-error", "checksum-mismatch", "compiler-error", "configure-error",
    "dependency-unsatisfied", "disk-full", "download-failed", "internal-compiler-error", "interrupted", "killed",
    "linker-error", "missing-file", "missing-header", "missing-library", "missing-program", "other", "out-of-memory",
    "patch-failed", "permission-denied", "test-failure", "timeout",
]  # fmt: skip


class FailureRule(Section, frozen=True):
    """A line that is the reason of a failure wherever it stands, and the class of the failure."""

    pattern: Annotated[
        str,
        about("What such a line holds, after time stamps and other prefixes; `^` is where the line begins.", "regex"),
    ]
    error_class: Annotated[ErrorClass, about("Class of the failure.")]
    hint: Annotated[str | None, about("What people do about it, shown by `explain`, page and alerts.", "name")] = None
    examples: Annotated[
        tuple[str, ...], about("Lines that the pattern must find; the file is refused where it does not.", "text")
    ] = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where the pattern finds everything, or not its own example."""
        if compiled(self.pattern).search("") is not None:
            yield "pattern", "has a pattern that every line matches; allowed: one that an empty line does not match"
            return
        for number, example in enumerate(self.examples):
            if compiled(self.pattern).search(example[:MAX_EXAMPLE]) is None:
                yield "examples", f"has a pattern that does not find its example {number + 1}"

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the patterns given twice."""
        yield from repeated(items, "pattern")


class Failures(Section, frozen=True):
    """What is known of failures in addition to the shipped table of rules."""

    rules: Annotated[
        tuple[FailureRule, ...],
        about("Rules of yours, tried in their order before the shipped ones; the first that matches decides."),
    ] = ()

"""Problems of a configuration; in a file of their own, as a run without a configuration reads none."""

from __future__ import annotations

from typing import NamedTuple

from build_exporter.config.values import escaped


class Problem(NamedTuple):
    """One thing wrong with a configuration file."""

    file: str
    line: int
    """From 1; 0 where the file could not be read at all."""
    column: int
    path: str
    """Place in the configuration, as in `milestones[0].progress`; empty for the whole."""
    message: str
    """The error and, after `allowed:`, the allowed values."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return escaped(f"{place}: {self.message}")


class ConfigError(Exception):
    """The configuration cannot be used; its text is one line a problem."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))

"""The class of a failure from its exit code or signal alone."""

from __future__ import annotations

import signal as signals
from typing import Final

from build_exporter.diagnostics.rules import RULES, Rank, Rule

_KINDS: Final = {
    124: "timeout",
    126: "permission-denied",
    127: "missing-program",
    137: "killed",
    130: "interrupted",
    143: "interrupted",
    129: "interrupted",
}
"""Exit codes whose meaning is the same everywhere: those of shells, of timeout(1), and 128 + a signal's number."""


def signal_name(number: int) -> str:
    """Return a signal's name, `SIGKILL` for 9; `signal 99` for one that has none."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"


def of_ending(exit_code: int | None, signal: int | None) -> Rule | None:
    """Return a rule with the class and hint that follow from how a command ended, None where nothing does."""
    code = 128 + signal if signal else exit_code
    kind = _KINDS.get(code) if code is not None else None
    if kind is None:
        return None
    return next((rule for rule in RULES if rule.kind == kind and rule.hint), None) or Rule(
        kind, "kernel", Rank.ROOT, (), "", "", ()
    )

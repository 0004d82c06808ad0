"""Read the phase of an ebuild from its build.log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from build_exporter.model.events import Event
from build_exporter.model.states import StepState
from build_exporter.sources.step_logs.reader import StepContext

_PHASES: Final = tuple(
    (re.compile(pattern), phase)
    for pattern, phase in (
        (r">>> Unpacking source", "unpack"),
        (r">>> Preparing source in /", "prepare"),
        (r">>> Configuring source in /", "configure"),
        (r">>> Compiling source in /", "compile"),
        (r">>> Test phase: \S+/", "test"),
        (r">>> Install \S+/\S+ into /", "install"),
        (r">>> Creating binpkg|>>> Building package ", "package"),
    )
)
"""Lines by which Portage says what comes next, and what it calls that."""

NAMES: Final = frozenset(phase for _, phase in _PHASES)


class EbuildPhase:
    """Emits the phase as message of the running step; a message from elsewhere stays."""

    WORDS: Final = (b"\n>>> ",)
    is_busy = False

    def __init__(self) -> None:
        self._phase = ""

    def feed(self, line: str, words: Sequence[bytes] | None = None) -> None:
        """Take one line into account."""
        if line.startswith(">>> "):
            self._phase = next((phase for pattern, phase in _PHASES if pattern.match(line)), self._phase)

    def emit(self, context: StepContext) -> Iterator[Event]:
        """Yield the phase when it differs from the one emitted."""
        step = context.step
        is_free = step.message is None or step.message in NAMES
        if not self._phase or self._phase == step.message or not is_free or step.state is not StepState.RUNNING:
            return
        yield context.progress(message=self._phase)

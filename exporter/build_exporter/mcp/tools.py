"""The tools: each a question about builds, answered as bounded JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from build_exporter.mcp.bounded import DEFAULT_BYTES, MAX_BYTES, MIN_BYTES, UNTRUSTED, encode
from build_exporter.queries.build import board
from build_exporter.queries.builds import builds
from build_exporter.queries.commands import find
from build_exporter.queries.context import BadRequestError, Context, NotFoundError
from build_exporter.queries.failures import failures
from build_exporter.queries.log import LogPart, log
from build_exporter.queries.request import Request
from build_exporter.queries.steps import StepFilter, StepRow, steps

LOG_SHARE: Final = 2
"""A part of a log takes at most the budget divided by this: its escapes in JSON take room too."""


class ToolError(ValueError):
    """The question can't be answered; the text says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Questions about the builds.

    Attributes:
        context: returns the builds as of now.
        request: returns what a query command works from, for one build.
        acknowledge: acknowledges the alerts of a build in somebody's name and returns what it did; None: not allowed.
    """

    context: Callable[[], Context]
    request: Callable[[str], Request]
    acknowledge: Callable[[str, str], str] | None = None

    def list_builds(self, max_bytes: int = DEFAULT_BYTES) -> str:
        """List all builds with state, progress, time left and what needs attention, worst and newest first."""
        return self._answer(lambda: builds(self.context()), max_bytes)

    def status(self, build: str, max_bytes: int = DEFAULT_BYTES) -> str:
        """Show everything about one build: phases, running steps with their verdict, failures, what comes next."""
        return self._answer(lambda: board(self.context(), build), max_bytes)

    def steps(
        self, build: str, state: str | None = None, search: str = "", after: str = "", max_bytes: int = DEFAULT_BYTES
    ) -> str:
        """List steps of a build: all, or those in a state (pending, running, succeeded, failed, skipped, interrupted).

        `search` is a part of the name. Pass `next` of an answer as `after` to go on.
        """
        asked = {"state": state, "q": search, "after": after, "limit": 50}
        return self._answer(lambda: steps(self.context(), build, msgspec.convert(asked, StepFilter)), max_bytes)

    def explain_failure(self, build: str, step: str | None = None, max_bytes: int = DEFAULT_BYTES) -> str:
        """Explain why steps failed: class, reason, the lines around it, evidence, hint, and how many steps wait.

        Without `step` all failed steps of the build are explained, the newest failure first.
        """
        return self._answer(lambda: self._failures(build, step), max_bytes)

    def log(self, build: str, step: str, offset: int = -4096, max_bytes: int = DEFAULT_BYTES) -> str:
        """Read a part of a step's log; a negative offset counts from its end.

        Pass `next` of an answer as `offset` to read on; `eof` says that nothing more is there yet.
        """
        part = LogPart(step=step, offset=offset, limit=_bounded(max_bytes) // LOG_SHARE)
        return self._answer(lambda: log(self.context(), build, part), max_bytes)

    def estimate(self, build: str, max_bytes: int = DEFAULT_BYTES) -> str:
        """Estimate when a build ends: a band, what it rests on, the longest steps to come."""
        return self._answer(lambda: self._estimate(build), max_bytes)

    def compare(self, build: str, max_bytes: int = DEFAULT_BYTES) -> str:
        """Compare the newest run of a build with the one before, step by step."""
        return self._answer(lambda: self._query("compare", build), max_bytes)

    def analyze(self, build: str, max_bytes: int = DEFAULT_BYTES) -> str:
        """Show where the time of a build's newest run went and what would save most."""
        return self._answer(lambda: self._query("analyze", build), max_bytes)

    def acknowledge_alerts(self, build: str, name: str) -> str:
        """Acknowledge the alerts of a build in the name of a person, so that nobody else is woken."""
        if self.acknowledge is None:
            raise ToolError("acknowledging is not enabled on this server")
        return self.acknowledge(build, name)

    def _failures(self, build: str, step: str | None) -> object:
        found = failures(self.context(), build)
        cards = [card for card in found.failures if step in (None, card.step, f"{card.phase}/{card.step}")]
        if step is not None and not cards:
            failed = ", ".join(card.step for card in found.failures) or "none"
            raise NotFoundError(f"step {step} of {build} has not failed; failed steps: {failed}")
        return msgspec.structs.replace(found, failures=cards)

    def _estimate(self, build: str) -> object:
        found = board(self.context(), build)
        coming = sorted(found.upcoming, key=lambda row: row.expected_seconds or 0.0, reverse=True)
        return {
            "build": found.build,
            "state": found.state,
            "progress_ratio": found.progress_ratio,
            "estimate": found.estimate,
            "running": [_times(row) for row in found.running_steps],
            "longest_to_come": [_times(row) for row in coming[:10]],
        }

    def _query(self, name: str, build: str) -> object:
        reply = find(name).run(self.request(build))
        return {"summary": list(reply.lines), "answer": reply.answer if reply.answer is not None else list(reply.rows)}

    def _answer(self, ask: Callable[[], object], max_bytes: int) -> str:
        """Return an answer with the remark that its texts are data.

        Raises:
            ToolError: there is no such build or step, or the question is wrong.
        """
        try:
            plain: Any = msgspec.to_builtins(ask())
        except (NotFoundError, BadRequestError, msgspec.ValidationError) as problem:
            raise ToolError(str(problem)) from None
        value = plain if isinstance(plain, dict) else {"answer": plain}
        return encode({"note": UNTRUSTED, **value}, _bounded(max_bytes))


def _times(row: StepRow) -> dict[str, object]:
    names = ("phase", "step", "start", "expected_seconds", "progress_ratio", "overdue", "verdict")
    return {name: getattr(row, name) for name in names}


def _bounded(max_bytes: int) -> int:
    return min(MAX_BYTES, max(MIN_BYTES, max_bytes))

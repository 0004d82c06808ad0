"""A run as an OpenTelemetry trace in OTLP/JSON, by the CI/CD conventions: spans of the run, its phases, its attempts.

Identifiers are made from build, run, step and attempt: the same run exported twice is the same trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from build_exporter import __version__
from build_exporter.model.states import BuildState
from build_exporter.queries.attempts import Attempt
from build_exporter.queries.context import shown
from build_exporter.tracker import Run

_RESULTS: Final = {
    "succeeded": "success", "failed": "failure", "skipped": "skip", "interrupted": "cancellation",
}  # fmt: skip
_INTERNAL, _SERVER = 1, 2
_OK, _ERROR = 1, 2


def trace(run: Run, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return the spans of a run as one entry of `resourceSpans`."""
    root = _identifier(run, "run")
    end = run.end or run.last_event or 0.0
    spans = [_root(run, root, end)]
    for phase in dict.fromkeys(each.phase for each in attempts):
        mine = [each for each in attempts if each.phase == phase]
        begun = min((each.start if each.start is not None else each.end) for each in mine)
        spans.append(
            _span(run, _identifier(run, f"phase {phase}"), root, shown(phase), begun, max(each.end for each in mine))
        )
    spans += [_attempt(run, each) for each in attempts]
    return {
        "resource": {"attributes": _attributes({"service.name": "build-exporter", "service.version": __version__})},
        "scopeSpans": [{"scope": {"name": "build_exporter", "version": __version__}, "spans": spans}],
    }


def _root(run: Run, identifier: str, end: float) -> dict[str, Any]:
    failed = run.state in (BuildState.FAILED, BuildState.INTERRUPTED)
    more = {
        "cicd.pipeline.name": run.build,
        "cicd.pipeline.run.id": run.run,
        "cicd.pipeline.result": _RESULTS.get(run.state.value),
    }
    span = _span(run, identifier, "", f"RUN {run.build}", run.start or end, end, more, failed=failed)
    return span | {"kind": _SERVER}


def _attempt(run: Run, attempt: Attempt) -> dict[str, Any]:
    more = {
        "cicd.pipeline.task.name": shown(attempt.step),
        "cicd.pipeline.task.run.id": f"{run.run}/{shown(attempt.phase)}/{shown(attempt.step)}/{attempt.number}",
        "cicd.pipeline.task.run.result": _RESULTS.get(attempt.status),
        "error.type": attempt.error_class,
    }
    return _span(
        run,
        _identifier(run, f"step {attempt.phase}/{attempt.step} {attempt.number}"),
        _identifier(run, f"phase {attempt.phase}"),
        shown(attempt.step),
        attempt.start if attempt.start is not None else attempt.end,
        attempt.end,
        more,
        failed=attempt.status == "failed",
    )


def _span(  # noqa: PLR0913, PLR0917
    run: Run, identifier: str, parent: str, name: str, start: float, end: float,
    more: Mapping[str, str | None] | None = None, *, failed: bool = False,
) -> dict[str, Any]:  # fmt: skip
    return {
        "traceId": hashlib.sha256(f"{run.build}/{run.run}".encode()).hexdigest()[:32],
        "spanId": identifier,
        "parentSpanId": parent,
        "name": name,
        "kind": _INTERNAL,
        "startTimeUnixNano": str(round(start * 1e9)),
        "endTimeUnixNano": str(round(max(start, end) * 1e9)),
        "attributes": _attributes(more or {}),
        "status": {"code": _ERROR if failed else _OK},
    }


def _identifier(run: Run, what: str) -> str:
    return hashlib.sha256(f"{run.build}/{run.run}/{what}".encode()).hexdigest()[:16]


def _attributes(given: Mapping[str, str | None]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in given.items() if value is not None]

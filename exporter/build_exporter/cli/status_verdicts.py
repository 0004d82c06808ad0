"""Verdicts on the running steps of a status, asked of a running exporter."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from build_exporter.cli.query_http import PROBE_SECONDS, UnreachableError, get
from build_exporter.cli.query_source import DEFAULT_EXPORTER
from build_exporter.model.text import plain_line
from build_exporter.tracker import Run, Step

STEPS: Final = 200
"""Running steps of a build that are asked for."""


class Doing(NamedTuple):
    """What a running step is doing: the verdict, and what it rests on."""

    verdict: str
    evidence: tuple[str, ...]


Verdicts = Callable[[Run, Step], Doing | None]
"""Returns what a running step of a run is doing, None where nobody judges it."""


def nobody(_run: Run, _step: Step) -> None:
    """Judge nothing."""


def ask_exporter(url: str | None, runs: Iterable[Run]) -> Verdicts:
    """Return the verdicts of an exporter on the steps that run; `nobody` where none answers and none was named.

    Raises:
        UnreachableError: the exporter that was named does not answer.
    """
    found: dict[tuple[str, str, str, str], Doing] = {}
    for run in runs:
        if not run.running:
            continue
        try:
            answer = _steps(url or DEFAULT_EXPORTER, run.build)
        except UnreachableError:
            if url is not None:
                raise
            return nobody
        for row in answer.get("steps", ()):
            if row.get("verdict") is not None:
                evidence = tuple(plain_line(str(text)) for text in row.get("verdict_evidence", ()))
                name = (run.build, str(answer.get("run")), str(row["phase"]), str(row["step"]))
                found[name] = Doing(plain_line(str(row["verdict"])), evidence)
    return lambda run, step: found.get((run.build, run.run, step.phase, step.step))


def _steps(url: str, build: str) -> dict[str, Any]:
    body = get(f"{url.rstrip('/')}/api/v1/builds/{quote(build)}/steps?state=running&limit={STEPS}", PROBE_SECONDS)
    try:
        answer = json.loads(body)
    except ValueError:
        raise UnreachableError(f"{url} does not answer as an exporter does") from None
    return answer if isinstance(answer, dict) else {}

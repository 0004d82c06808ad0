"""`history`: how long steps took in past runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from build_exporter.analysis.samples import times_of, times_of_summary
from build_exporter.model.states import StepState
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown, shown_or_none
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run

ONLY_SUCCESSES: Final = "steps that succeeded; `failing-steps` lists those that failed"


class HistoryRow(Answer, frozen=True):
    """A step that succeeded in a run; without a step the run as a whole. `result` is that of what the row is about."""

    build: str
    run: str
    result: str
    start: float | None
    phase: str | None
    step: str | None
    version: str | None
    seconds: float | None
    jobs: int | None
    max_rss_bytes: int | None
    disk_bytes: int | None


def history(request: Request) -> Reply:
    """Return past runs, or with a package the steps that build it, oldest first."""
    wanted = request.filter("package")
    rows = [row for run in request.newest() for row in _rows(request, run, wanted)]
    lines = [ONLY_SUCCESSES] if wanted is not None and rows else []
    return Reply(rows, bad=not rows, lines=lines)


def _rows(request: Request, newest: Run, wanted: str | None) -> Iterator[HistoryRow]:
    for summary in request.history(newest.build):
        whole = summary.end - summary.start if summary.start is not None and summary.end is not None else None
        base = {"build": newest.build, "run": summary.run, "result": summary.result, "start": summary.start,
                "jobs": summary.jobs}  # fmt: skip
        if not request.in_window(summary.start):
            continue
        if wanted is None:
            yield _of(base, seconds=whole)
            continue
        for sample in times_of_summary(summary).values():
            if matches(wanted, sample.key[1]):
                usage = summary.usage.get(sample.key)
                yield _of(
                    base,
                    result=StepState.SUCCEEDED.label,
                    phase=shown(sample.key[0]),
                    step=shown(sample.key[1]),
                    version=shown_or_none(sample.version),
                    seconds=sample.seconds,
                    max_rss_bytes=usage.max_rss_bytes if usage else None,
                    disk_bytes=usage.disk_bytes if usage else None,
                )
    yield from _newest(request, newest, wanted)


def _newest(request: Request, run: Run, wanted: str | None) -> Iterator[HistoryRow]:
    if not request.in_window(run.start):
        return
    base = {"build": run.build, "run": run.run, "result": run.state.value, "start": run.start, "jobs": run.jobs_used}
    if wanted is None:
        end = run.end or run.last_event
        yield _of(base, seconds=end - run.start if end is not None and run.start is not None else None)
        return
    for sample in times_of(run).values():
        if matches(wanted, sample.key[1]):
            step = run.steps[sample.key]
            yield _of(
                base,
                result=step.state.label,
                phase=shown(step.phase),
                step=shown(step.step),
                version=shown_or_none(step.version),
                seconds=sample.seconds,
                max_rss_bytes=step.max_rss_bytes,
                disk_bytes=step.disk_bytes,
            )


def _of(base: Mapping[str, object], **more: object) -> HistoryRow:
    fields = {**dict.fromkeys(HistoryRow.__struct_fields__), **base, **more}
    return HistoryRow(**fields)  # type: ignore[arg-type]


def matches(wanted: str, step: str) -> bool:
    """Return whether a step builds a package: named so behind its category or number, before a pass or a version."""
    name = step if "/" in wanted else step.partition(" to /")[0].rpartition("/")[2]
    parts = name.split("-")
    return wanted in {step, *parts} or name.startswith(f"{wanted}-") or "-".join(parts[1:]).startswith(wanted)


QUERY = Query(
    history,
    HistoryRow,
    "List past runs; with PACKAGE how long its steps took in each of them, where they succeeded.",
    arguments=("package",),
    example="gcc --build lfs-12.4",
    not_fine="there is nothing to list",
)

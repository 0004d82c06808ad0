"""Panels on what steps say of the packages: results of their tests, warnings, and the files they are built from."""

from __future__ import annotations

from layout import Grid
from promql import BUILD
from style import COUNT, CRITICAL, NEUTRAL, WARNING, About, Column, Json, Query, table, thresholds

_COLOURED_TEXT: Json = {"id": "custom.cellOptions", "value": {"type": "color-text"}}
_BAD: tuple[Json, ...] = (_COLOURED_TEXT, {"id": "thresholds", "value": thresholds((None, NEUTRAL), (1, CRITICAL))})
_MANY: tuple[Json, ...] = (_COLOURED_TEXT, {"id": "thresholds", "value": thresholds((None, NEUTRAL), (100, WARNING))})
_OUTCOMES = (
    ("Passed", "passed", ()),
    ("Failed", "failed", _BAD),
    ("Errors", "errors", _BAD),
    ("Known to fail", "expected_failed", ()),
    ("Skipped", "skipped", ()),
)


def quality(grid: Grid) -> None:
    """Add the row on tests, warnings and sources, closed at first."""
    grid.head(106, "Tests, warnings, sources", collapsed=True)
    grid.line(10, (24, _tests()))
    grid.line(9, (8, _warnings()), (6, _sources()), (10, _bad_sources()))


def _tests() -> Json:
    purpose = "Results of each suite. All zeros: it should have run and gave no result. Failed excludes known failures."
    suites = "max by (build, phase, step, suite)"
    return table(
        About(56, "Test suites", purpose, COUNT, "No test suite has reported results"),
        *(Query(f'{suites} (build_step_tests{{{BUILD},outcome="{outcome}"}})') for _, outcome, _ in _OUTCOMES),
        columns=(
            Column("Build", label="build", width=140),
            Column("Phase", label="phase", width=140),
            Column("Step", label="step"),
            Column("Suite", label="suite"),
            *(
                Column(title, query=number, unit=COUNT, width=110, properties=properties)
                for number, (title, _, properties) in enumerate(_OUTCOMES)
            ),
        ),
        sort="Failed",
    )


def _warnings() -> Json:
    purpose = "The most frequent warnings of finished steps, by compiler option."
    return table(
        About(57, "Compiler warnings", purpose, COUNT, "No compiler has warned"),
        Query(f"max by (build, flag) (build_warnings{{{BUILD}}})"),
        columns=(
            Column("Build", label="build"),
            Column("Option", label="flag"),
            Column("Warnings", query=0, unit=COUNT, width=100, properties=_MANY),
        ),
        sort="Warnings",
    )


def _sources() -> Json:
    purpose = "Source files of the plan's steps, by checksum state."
    return table(
        About(58, "Sources", purpose, COUNT, "The plan names no files"),
        Query(f"max by (build, state) (build_source_files{{{BUILD}}}) > 0"),
        columns=(
            Column("Build", label="build"),
            Column("State", label="state"),
            Column("Files", query=0, unit=COUNT, width=80),
        ),
        sort="Files",
    )


def _bad_sources() -> Json:
    purpose = "Steps that will fail because a source file is missing or differs from the plan."
    return table(
        About(59, "Steps without their sources", purpose, COUNT, "Every file is as planned"),
        Query(f"max by (build, phase, step, file, state) (build_step_source_info{{{BUILD}}})"),
        columns=(
            Column("Build", label="build"),
            Column("Step", label="step"),
            Column("File", label="file"),
            Column("State", label="state", width=110),
        ),
    )

"""Output of `verify`: a table, JSON, CSV, and a progress bar."""

from __future__ import annotations

import csv
import io
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import click

from build_exporter.checksums.check import Finding
from build_exporter.checksums.manifest import Manifest
from build_exporter.config.values import escaped
from build_exporter.model.events import SourceFile
from build_exporter.model.states import SourceState

STEPS_NAMED: Final = 3
_COLOURS: Final = {SourceState.VERIFIED: "green", SourceState.UNCHECKED: "yellow", SourceState.PENDING: "yellow"}
_STATE_WIDTH: Final = 11


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Result: each file with its state, and files that no list names."""

    directory: str
    manifest: Manifest
    findings: Sequence[tuple[SourceFile, Finding]]
    unlisted: Sequence[str]

    @property
    def counts(self) -> Counter[SourceState]:
        """Number of files by state."""
        return Counter(finding.state for _, finding in self.findings)

    @property
    def is_good(self) -> bool:
        """Whether every file is there and nothing speaks against any."""
        is_whole = not any(state.is_bad or state is SourceState.PENDING for state in self.counts)
        return is_whole and not self.manifest.problems


def table(result: VerifyResult, *, every: bool) -> Iterator[str]:
    """Yield a line for each file that is not as it should be, with `every` for the others too, and one for all."""
    for planned, finding in result.findings:
        if every or finding.state is not SourceState.VERIFIED:
            state = click.style(f"{finding.state.value:<{_STATE_WIDTH}}", fg=_COLOURS.get(finding.state, "red"))
            details = [finding.detail, _needed(result.manifest.steps, planned.file)]
            if finding.state is SourceState.UNCHECKED:
                details[0] = "no checksum is known"
            if finding.state.is_bad and planned.url:
                details.append(f"from {planned.url}")
            yield f"{state} {escaped(planned.file)}" + "".join(f"; {escaped(each)}" for each in details if each)
    if every:
        yield from (f"{'unlisted':<{_STATE_WIDTH}} {escaped(name)}" for name in result.unlisted)
    counts = result.counts
    parts = [f"{counts[state]} {state.value}" for state in SourceState if counts[state]]
    if result.unlisted:
        parts.append(f"{len(result.unlisted)} unlisted")
    many = len(result.findings)
    yield f"{many} file{'' if many == 1 else 's'} in {escaped(result.directory)}: {', '.join(parts)}"


def _needed(steps: Mapping[str, Sequence[str]], file: str) -> str:
    names = list(dict.fromkeys(steps.get(file, ())))
    more = f" and {len(names) - STEPS_NAMED} more" if len(names) > STEPS_NAMED else ""
    return f"needed by {', '.join(names[:STEPS_NAMED])}{more}" if names else ""


def _object(result: VerifyResult, planned: SourceFile, finding: Finding) -> dict[str, Any]:
    return {
        "file": planned.file,
        "state": finding.state.value,
        "detail": finding.detail or None,
        "size_bytes": finding.size,
        "expected": dict(text.split(":", 1) for text in planned.digests),
        "found": finding.digests,
        "steps": list(dict.fromkeys(result.manifest.steps.get(planned.file, ()))),
        "url": planned.url,
    }


def as_json(result: VerifyResult) -> str:
    """Return everything as one JSON object in ASCII: no name can do anything to a terminal."""
    whole = {
        "directory": result.directory,
        "good": result.is_good,
        "counts": {state.value: result.counts[state] for state in SourceState},
        "files": [_object(result, *each) for each in result.findings],
        "unlisted": list(result.unlisted),
        "problems": result.manifest.problems,
    }
    return json.dumps(whole, indent=2)


def as_csv(result: VerifyResult) -> str:
    """Return a row for each file, those that nothing names among them; characters that don't print are escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("state", "file", "size_bytes", "detail", "steps", "url"))
    for planned, finding in result.findings:
        steps = " ".join(dict.fromkeys(result.manifest.steps.get(planned.file, ())))
        size = "" if finding.size is None else finding.size
        row = (planned.file, size, finding.detail, steps, planned.url or "")
        writer.writerow((finding.state.value, *(escaped(str(cell)) for cell in row)))
    for name in result.unlisted:
        writer.writerow(("unlisted", escaped(name), "", "", "", ""))
    return text.getvalue().removesuffix("\n")


class Progress:
    """A bar of bytes on standard error, where that is a terminal; nothing elsewhere."""

    def __init__(self, total: int) -> None:
        is_shown = sys.stderr.isatty() and total > 0
        self._bar = click.progressbar(length=total, label="Verifying", file=sys.stderr) if is_shown else None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)

    def add(self, count: int) -> None:
        """Count bytes read, from any thread."""
        if self._bar is not None:
            with self._lock:
                self._bar.update(count)

"""The reference page of metrics, made from the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from build_exporter.catalog.alerts import ALERTS
from build_exporter.catalog.analysis import ANALYSIS
from build_exporter.catalog.build import BUILD
from build_exporter.catalog.exporter import EXPORTER
from build_exporter.catalog.host import HOST
from build_exporter.catalog.metric import Metric
from build_exporter.catalog.probes import PROBES
from build_exporter.catalog.sources import SOURCES
from build_exporter.catalog.step import STEP
from build_exporter.catalog.toolchain import TOOLCHAIN

_HEAD: Final = """\
# Metrics

This page is made from the catalog (`make docs`); every family the exporter shows is on it. Units are base units:
seconds, bytes, ratios from 0 to 1. Times are Unix time, so that Prometheus' `time()` gives ages. Texts from outside
never become a label, but for the excerpt of a failure, which is cut, cleaned and there only while the failure stands.
"""

_GROUPS: Final[tuple[tuple[str, str, tuple[Metric, ...]], ...]] = (
    ("Builds", "Of the newest run of each build, unless stated otherwise.", BUILD),
    (
        "Steps",
        "Of the newest run. A step keeps its series until the next run; see `metrics.max_steps_per_build`.",
        STEP,
    ),
    ("Analysis", "Deadline, what is to come, and steps slower than before; of the newest run.", ANALYSIS),
    ("Sources", "Files that steps are built from; see [the guide](guide/checksums.md).", SOURCES),
    (
        "Toolchains",
        "The machine, and of the newest run what it is built with; see [the guide](guide/toolchain.md).",
        TOOLCHAIN,
    ),
    ("Incidents and alerts", "What needs a person at once; see [the guide](guide/alerts.md).", ALERTS),
    ("Machine and processes", "Sampled in the background; each group has its `--collector` switch.", HOST),
    ("Probes", "Services that builds need, tried again and again; see [`probes`](configuration.md).", PROBES),
    ("The exporter itself", "Besides these, the families every Prometheus client exports about its process.", EXPORTER),
)


def render() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *(line for group in _GROUPS for line in _group(*group))])


def _group(title: str, text: str, rows: Sequence[Metric]) -> Iterator[str]:
    yield f"## {title}\n\n{text}\n"
    yield "| name | type | labels | what it is | since |\n|---|---|---|---|---|"
    for row in rows:
        labels = " ".join(f"`{label}`" for label in row.labels)
        text = row.help.replace("|", "\\|")
        bounds = f" Bounds: {', '.join(f'{bound:g}' for bound in row.buckets)}." if row.buckets else ""
        yield f"| `{row.name}` | {row.kind} | {labels} | {text}{bounds} | {row.since} |"
    yield ""

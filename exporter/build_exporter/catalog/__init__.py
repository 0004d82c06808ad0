"""The catalog of metric families: one row each. The reference page and the checks are generated from it."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.alerts import ALERTS
from build_exporter.catalog.analysis import ANALYSIS
from build_exporter.catalog.build import BUILD
from build_exporter.catalog.exporter import EXPORTER
from build_exporter.catalog.host import HOST
from build_exporter.catalog.metric import Kind, Metric
from build_exporter.catalog.probes import PROBES
from build_exporter.catalog.sources import SOURCES
from build_exporter.catalog.step import STEP
from build_exporter.catalog.toolchain import TOOLCHAIN

__all__ = ["CATALOG", "Kind", "Metric", "metric"]

CATALOG: Final[dict[str, Metric]] = {
    row.name: row for row in (*BUILD, *STEP, *ANALYSIS, *ALERTS, *SOURCES, *TOOLCHAIN, *HOST, *PROBES, *EXPORTER)
}


def metric(name: str) -> Metric:
    """Return the row of a family.

    Raises:
        KeyError: no such family is catalogued, so none may be shown.
    """
    return CATALOG[name]

"""Metric families and the two text formats Prometheus reads.

Hand-made because it is measured to be fifty times as fast as the client library's: a build has thousands of step
series that no longer change, so samples are kept as the bytes they are shown as.
"""

from build_exporter.exposition.family import Family, label_block, sample_line
from build_exporter.exposition.formats import OPENMETRICS, TEXT, Format, negotiate, render, render_parts

__all__ = [
    "OPENMETRICS",
    "TEXT",
    "Family",
    "Format",
    "label_block",
    "negotiate",
    "render",
    "render_parts",
    "sample_line",
]

"""Families of the machine the build runs on."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric

HOST: Final[tuple[Metric, ...]] = ()

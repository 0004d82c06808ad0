"""Collectors that installed packages bring, by the entry point group `build_exporter.collectors`.

Each is sampled in a thread of its own, and may show what is its own: families named `build_custom_…`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

from build_exporter.catalog import CATALOG, Kind, Metric
from build_exporter.entry_points import entry_points
from build_exporter.exposition import Family
from build_exporter.sources.isolation import PluginError, describe_error
from build_exporter.sources.plugins import origin, with_timeout
from build_exporter.sources.protocol import API_VERSION

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "build_exporter.collectors"

INTERVAL_SECONDS: Final = 5.0
"""Between two samples."""

MAX_FAMILIES: Final = 50
MAX_SAMPLES: Final = 1000
"""Most samples of one collector: each is a series."""

MAX_LABEL: Final = 256
"""Longest label value, in characters."""

_SWITCH: Final = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")
_FAMILY: Final = re.compile(r"build_custom_[a-z0-9]+(?:_[a-z0-9]+)*")
_LABEL: Final = re.compile(r"(?!__|le$|quantile$)[a-z_][a-z0-9_]*")


def plugin_collectors(taken: Collection[str]) -> tuple[dict[str, EntryPoint], list[EntryPoint]]:
    """Return the collectors of installed packages, none of them loaded yet.

    Args:
        taken: names of the built-in ones.

    Returns:
        Those that can be had, by the name they are switched by; and those whose name is taken or can't be one.
    """
    found: dict[str, EntryPoint] = {}
    refused: list[EntryPoint] = []
    for point in entry_points(group=GROUP):
        if point.name in taken or point.name in found or not _SWITCH.fullmatch(point.name):
            refused.append(point)
        else:
            found[point.name] = point
    return found, refused


class PluginCollector:
    """A package's collector, loaded on first use; any error counts as a failure and names the package."""

    def __init__(self, point: EntryPoint) -> None:
        self.name = point.name
        self._point = point
        self._collector: Any = None
        self._families: dict[str, Metric] = {}

    def collect(self) -> Iterator[Family]:
        """Return the collector's families.

        Raises:
            PluginError: it can't be loaded, raised, or shows what it may not.
        """
        try:
            if self._collector is None:
                self._load()
            yield from self._shown()
        except GeneratorExit:
            raise
        except PluginError as error:
            raise PluginError(f"by {origin(self._point)}: {error}") from None
        except BaseException as error:  # noqa: BLE001 - `sys.exit()` in a plug-in must not end the sampling
            raise PluginError(f"by {origin(self._point)}: {describe_error(error)}") from None

    def _load(self) -> None:
        def make() -> Any:
            return self._point.load()()

        made = with_timeout(make)
        if (needed := getattr(made, "api_version", API_VERSION)) != API_VERSION:
            raise PluginError(f"it is made for version {needed} of the interface; here is version {API_VERSION}")
        rows = list(made.metrics)
        for row in rows:
            _check(row)
        self._families = {row.name: row for row in rows}
        if not 0 < len(self._families) == len(rows) <= MAX_FAMILIES:
            raise PluginError(f"it has {len(rows)} metrics, or two of a name; allowed: 1 to {MAX_FAMILIES}")
        self._collector = made

    def _shown(self) -> Iterator[Family]:
        shown = {name: Family(row) for name, row in self._families.items()}
        seen: set[tuple[str, ...]] = set()
        for name, value, *labels in self._collector.collect():
            if name not in shown:
                raise PluginError(f"it shows {str(name)[:100]!r}, which is not among its metrics")
            if not isinstance(value, int | float) or not all(isinstance(label, str) for label in labels):
                raise PluginError(f"it shows {name} with a value that is no number or a label that is no text")
            cut = tuple(label[:MAX_LABEL] for label in labels)
            if (name, *cut) in seen:
                raise PluginError(f"it shows {name} twice with the same labels")
            seen.add((name, *cut))
            if len(seen) > MAX_SAMPLES:
                raise PluginError(f"it shows more than {MAX_SAMPLES} samples")
            shown[name].add(value, *cut)
        yield from shown.values()


def _check(row: object) -> None:
    """Raise a `PluginError` unless a row declares a family that a plug-in may show."""
    if not isinstance(row, Metric):
        raise PluginError(f"its metrics hold a {type(row).__name__}, not what gauge() or counter() return")
    if not _FAMILY.fullmatch(row.name) or row.name in CATALOG:
        raise PluginError(f"it calls a metric {row.name[:100]!r}; names begin with build_custom_, in lower case")
    if row.kind is Kind.HISTOGRAM or (row.kind is Kind.COUNTER) != row.name.endswith("_total"):
        raise PluginError(f"{row.name} has the wrong type: a counter's name ends in _total, a gauge's does not")
    if not all(_LABEL.fullmatch(label) for label in row.labels) or len(set(row.labels)) < len(row.labels):
        raise PluginError(f"{row.name} has a label that can't be one, or one twice")

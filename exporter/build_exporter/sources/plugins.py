"""Kinds of source from installed packages: found by entry point and isolated.

A package names them in the group `build_exporter.sources`; see `docs/guide/plugins.md`. Whatever such a source does,
raise, hang or emit nonsense, only that source goes down, with a reason that names the package.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import re
import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from build_exporter.config.kinds import AUTO, NoOptions, filled
from build_exporter.config.section import Section
from build_exporter.entry_points import entry_points
from build_exporter.sources.isolation import IsolatedSource, PluginError, describe_error
from build_exporter.sources.protocol import API_VERSION, Settings, Source

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP: Final = "build_exporter.sources"

TIMEOUT_SECONDS: Final = 10.0
"""Longest that loading a plug-in, or asking it whether a record is its own, may take."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class PluginKind:
    """A kind of record that a package reads.

    Attributes:
        name: what the entry point calls it.
        point: where it is.
    """

    name: str
    point: EntryPoint

    @property
    def help(self) -> str:
        """Which package it is of, and that one's version."""
        return f"by {origin(self.point)}"

    def make(self, settings: Settings) -> Source:
        """Return a source that never raises but `SourceError`; the plug-in's own is made on the first poll."""
        return IsolatedSource(self.name, self.help, lambda: self._make(settings), settings)

    def options(self) -> type[Section] | None:
        """Return the form of its options; None where it can't be loaded, and nothing is known of them."""
        loaded = self._loaded
        if isinstance(loaded, PluginError):
            return None
        return cast("type[Section]", getattr(loaded, "Options", NoOptions))

    def recognises(self, path: Path) -> bool:
        """Return whether a path looks like a record of this kind; an error counts as no and is logged."""
        judge = getattr(self._loaded, "recognises", None)
        if judge is None:
            return False
        try:
            return bool(with_timeout(lambda: judge(path)))
        except PluginError as error:
            log.warning("plug-in cannot recognise records", extra={"error": f"{self.help}: {error}"})
            return False

    @property
    def fault(self) -> str:
        """Why it can't be used, empty where it can."""
        return str(self._loaded) if isinstance(self._loaded, PluginError) else ""

    def _make(self, settings: Settings) -> Source:
        loaded = self._loaded
        if isinstance(loaded, PluginError):
            raise PluginError(str(loaded))
        options = filled(self.options() or NoOptions, settings.options)
        return cast("Source", loaded(replace(settings, options=options)))

    @cached_property
    def _loaded(self) -> Callable[[Settings], object] | PluginError:
        """The plug-in's class, or why there is none: one that hung is not tried again."""
        try:
            return _fit(with_timeout(self.point.load))
        except PluginError as error:
            return PluginError(f"{self.help}: {error}")


def _fit(loaded: Any) -> Callable[[Settings], object]:
    """Return what an entry point led to where it can make a source.

    Raises:
        PluginError: it can't, and why.
    """
    if not callable(loaded):
        raise PluginError(f"the entry point leads to a {type(loaded).__name__}, not to a class")
    if (needed := getattr(loaded, "api_version", API_VERSION)) != API_VERSION:
        raise PluginError(f"it is made for version {needed} of the interface; here is version {API_VERSION}")
    form = getattr(loaded, "Options", NoOptions)
    if not (inspect.isclass(form) and issubclass(form, Section)):
        raise PluginError("its Options is not a class made from Section")
    return cast("Callable[[Settings], object]", loaded)


def with_timeout(call: Callable[[], T]) -> T:
    """Return what a call returns.

    Raises:
        PluginError: it raised, whatever it was, or takes too long; then it is left behind in its thread.
    """
    outcome: list[tuple[T | None, str]] = []

    def work() -> None:
        try:
            outcome.append((call(), ""))
        except BaseException as error:  # noqa: BLE001 - `sys.exit()` in a plug-in must not end the exporter
            outcome.append((None, describe_error(error)))

    thread = threading.Thread(target=work, name="plug-in", daemon=True)
    # what it prints must not get into what this command prints
    with contextlib.redirect_stdout(sys.stderr):
        thread.start()
        thread.join(TIMEOUT_SECONDS)
    if not outcome:
        raise PluginError(f"it takes longer than {TIMEOUT_SECONDS:g} s")
    result, error = outcome[0]
    if error:
        raise PluginError(error)
    return cast("T", result)


def origin(point: EntryPoint) -> str:
    """Return the name and version of the distribution that has an entry point."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "a package without a name"


def find_plugins(built_in: Collection[str]) -> dict[str, PluginKind]:
    """Return the kinds of installed packages by name; those that can't be used are logged.

    Args:
        built_in: names that are taken.
    """
    found: dict[str, PluginKind] = {}
    for point in entry_points(group=GROUP):
        if reason := _refusal(point, built_in, found):
            log.warning("plug-in not taken", extra={"kind": point.name, "package": origin(point), "reason": reason})
        else:
            found[point.name] = PluginKind(point.name, point)
    return found


def _refusal(point: EntryPoint, built_in: Collection[str], found: Collection[str]) -> str:
    if point.name in built_in or point.name == AUTO:
        return "the name is a built-in kind's"
    if point.name in found:
        return "another package has a kind of that name"
    if not _NAME.fullmatch(point.name):
        return "a kind's name is of a-z, 0-9, _ and -, at most 40"
    return ""

"""The registry of source kinds: one row each; packages add theirs by the entry point group `build_exporter.sources`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from build_exporter.config.kinds import Kinds, NoOptions, filled
from build_exporter.config.section import Section
from build_exporter.sources.plugins import PluginKind, find_plugins
from build_exporter.sources.protocol import Settings, Source


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record.

    Attributes:
        name: what users call it.
        target: `module:Class`, called with `Settings`; `recognises` is a static method of it.
        help: what is watched, in one line.
        is_common: many tools leave such records, so that `auto` asks those that know one tool first, plug-ins too.
    """

    name: str
    target: str
    help: str
    is_common: bool = False

    def make(self, settings: Settings) -> Source:
        """Return a new source with every option of its kind; its module is loaded only now.

        Raises:
            TypeError: the kind needs an option that is not given.
        """
        options = filled(self.options(), settings.options)
        return cast("Callable[[Settings], Source]", self._load())(replace(settings, options=options))

    def options(self) -> type[Section]:
        """Return the form of the kind's options: the class's `Options`, else one without any."""
        return cast("type[Section]", getattr(self._load(), "Options", NoOptions))

    def recognises(self, path: Path) -> bool:
        """Return whether a path looks like a record of this kind."""
        judge = getattr(self._load(), "recognises", None)
        return judge is not None and bool(judge(path))

    def _load(self) -> object:
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)


_HERE: Final = "build_exporter.sources"

BUILT_IN: Final[tuple[Kind, ...]] = (
    Kind("jhalfs", f"{_HERE}.jhalfs.source:Jhalfs", "LFS by jhalfs: its directory, or the one it is in"),
    Kind(
        "jhalfs-report",
        f"{_HERE}.jhalfs.report:JhalfsReports",
        "LFS by jhalfs: its SBU_DU report, or a directory of them",
    ),
    Kind("blfs", f"{_HERE}.blfs:Blfs", "BLFS by jhalfs' tools: the work directory, or the one it is in"),
    Kind("portage", f"{_HERE}.portage.source:Portage", "Gentoo: emerge.log, its directory, or the root it is under"),
    Kind("buildroot", f"{_HERE}.buildroot.source:Buildroot", "Buildroot: build-time.log, or the output directory"),
    Kind(
        "bitbake",
        f"{_HERE}.bitbake.source:BitBake",
        "Yocto: build directory, tmp, buildstats or console log",
    ),
    Kind("ninja", f"{_HERE}.ninja.source:Ninja", "ninja: .ninja_log, or the build directory it is in"),
    Kind(
        "log",
        f"{_HERE}.log:Log",
        "any log with lines STARTED, COMPLETED, FAILED, or by patterns",
        is_common=True,
    ),
    Kind(
        "make",
        f"{_HERE}.make.source:Make",
        "a captured console of configure, make, CMake, Meson or a kernel's build",
        is_common=True,
    ),
)
"""Rows in the order in which `auto` tries them: the most specific records first."""


@cache
def kinds() -> Mapping[str, Kind | PluginKind]:
    """Return every kind by name: the built-in ones, then those of installed packages, searched once."""
    built_in = {kind.name: kind for kind in BUILT_IN}
    return MappingProxyType({**built_in, **find_plugins(built_in)})


def option_forms() -> Kinds:
    """Return what the configuration needs to know of every kind: the form of its options."""
    return {name: kind.options for name, kind in kinds().items()}


def fault_of(name: str) -> str:
    """Return why a kind that there is can't be used, empty where it can."""
    kind = kinds().get(name)
    return kind.fault if isinstance(kind, PluginKind) else ""


def recognise(path: Path) -> Kind | PluginKind | None:
    """Return the first kind that recognises `path`, None if none does."""
    in_order = sorted(kinds().values(), key=lambda kind: isinstance(kind, Kind) and kind.is_common)
    return next((kind for kind in in_order if kind.recognises(path)), None)

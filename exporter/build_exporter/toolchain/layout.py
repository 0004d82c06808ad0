"""Find the tools in a directory tree: compilers, linkers, C libraries and headers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from build_exporter.model.events import MAX_TOOLS, ToolRole, ToolVersion
from build_exporter.toolchain.files import Files, resolve
from build_exporter.toolchain.versions import TRIPLET, VERSION, by_age, version_in

_LIBRARIES: Final = ("usr/lib", "usr/lib64", "lib", "lib64")
_PROGRAMS: Final = ("usr/bin", "bin")
_LIBEXECS: Final = ("usr/libexec", "libexec")
_MAX_TRIPLETS: Final = 32
_MAX_VERSIONS: Final = 16
_ROOT: Final = Path("/")


@dataclass(frozen=True, slots=True)
class Place:
    """A tree searched for tools.

    Attributes:
        path: its top.
        role: what its tools are to the build.
        inside: whether links in it are meant for somebody whose root directory it is.
        wanted: triplets of other systems whose tools are reported too; in a `host` tree there may be many more.
        triplet: what its own tools make code for, where that is known.
    """

    path: Path
    role: ToolRole
    inside: bool = False
    wanted: frozenset[str] = frozenset()
    triplet: str | None = None


class Compiler(NamedTuple):
    """A GCC: what it makes code for, its version, and whether its directory is that of compilers for other systems."""

    triplet: str
    version: str
    is_foreign: bool


def tools_in(files: Files, place: Place) -> list[ToolVersion]:
    """Return the tools found in a tree, at most `MAX_TOOLS`; one of a kind for each role and triplet."""
    found: dict[tuple[str, str | None, str], ToolVersion] = {}
    for tool in _Tree(files, place).tools():
        found.setdefault((tool.role, tool.target, tool.tool), tool)
    return list(found.values())[:MAX_TOOLS]


def compilers_in(files: Files, place: Place) -> list[Compiler]:
    """Return the versions of GCC found in a tree, one for each triplet."""
    return list(_Tree(files, place).compilers())


class _Tree:
    """One search of one tree."""

    def __init__(self, files: Files, place: Place) -> None:
        self._files = files
        self._place = place

    def tools(self) -> Iterator[ToolVersion]:
        """Yield every tool found; earlier rows take precedence."""
        compilers = list(self.compilers())
        own = self._own_triplet(compilers)
        foreign = set()
        for compiler in compilers:
            role = self._role_of(compiler.triplet, own)
            if role is not None:
                yield ToolVersion(tool="gcc", version=compiler.version, role=role, target=compiler.triplet)
        for triplet in sorted({each.triplet for each in compilers} | self._place.wanted):
            role = self._role_of(triplet, own)
            if role is not None:
                yield from self._first("binutils", role, triplet, _linkers(triplet))
            if role == "cross":
                foreign.add(triplet)
        if self._place.role != "cross":
            yield from self._of_the_system(self._place.role, own)
        for triplet in sorted(foreign):
            yield from self._of_another_system(triplet)

    def compilers(self) -> Iterator[Compiler]:
        """Yield the versions of GCC, for each triplet the one that its name leads to, else the newest."""
        seen: set[str] = set()
        for name, base in ((name, base) for name in ("gcc", "gcc-cross") for base in _LIBRARIES):
            directory = self._at(f"{base}/{name}")
            if directory is None:
                continue
            triplets = [each for each in self._files.names(directory) if TRIPLET.match(each) and each not in seen]
            for triplet in triplets[:_MAX_TRIPLETS]:
                version = self._gcc_version(directory, f"{name}/{triplet}", triplet)
                if version is not None:
                    seen.add(triplet)
                    yield Compiler(triplet, version, name == "gcc-cross")

    def _gcc_version(self, directory: Path, below: str, triplet: str) -> str | None:
        versions = [each for each in self._files.names(directory / triplet) if VERSION.match(each)][-_MAX_VERSIONS:]
        bases = (*_LIBRARIES, *_LIBEXECS)
        # a directory alone may be what other compilers need of GCC
        whole = [each for each in versions if any(self._at(f"{base}/{below}/{each}/cc1") for base in bases)]
        if not whole:
            return None
        version = self._named(whole, triplet) or max(whole, key=by_age)
        if version.count(".") >= 2:
            return version
        # some distributions name the directory by the major version: the compiler signed what was built with it
        return version_in(self._files, "gcc", directory / triplet / version / "crtbegin.o") or version

    def _named(self, versions: list[str], triplet: str) -> str | None:
        """Return which of the versions the compiler's name is a link to."""
        for program in (f"{base}/{name}" for name in (f"{triplet}-gcc", "gcc") for base in _PROGRAMS):
            path = self._at(program)
            for version in versions if path is not None else ():
                if re.search(rf"[-/]{re.escape(version)}(?:/|\Z)", str(path)):
                    return version
        return None

    def _own_triplet(self, compilers: list[Compiler]) -> str | None:
        if self._place.triplet is not None or self._place.role == "cross":
            return self._place.triplet
        found = [each.triplet for each in compilers if not each.is_foreign]
        # the temporary compiler of a system that has its own by now makes code for the same machine
        mine = [each for each in found if each not in self._place.wanted] or found
        return mine[0] if len(mine) == 1 else None

    def _role_of(self, triplet: str, own: str | None) -> ToolRole | None:
        if self._place.role != "host" or triplet == own:
            return self._place.role
        return "cross" if triplet in self._place.wanted else None

    def _of_the_system(self, role: ToolRole, own: str | None) -> Iterator[ToolVersion]:
        """Yield what a system has under plain names."""
        yield from self._first("binutils", role, own, [f"{base}/{name}" for base in _PROGRAMS for name in _LINKERS])
        yield from self._library(role, own, [*_LIBRARIES, *(f"{base}/{own}" for base in _LIBRARIES if own)])
        headers = ["usr/include/linux/version.h"]
        yield from self._first("linux-headers", role, own, headers)
        yield from self._first("make", role, None, [f"{base}/make" for base in _PROGRAMS])
        yield from self._clang(role)
        yield from self._first("rust", role, None, [*(f"{base}/rustc" for base in _PROGRAMS), "opt/rustc/bin/rustc"])

    def _of_another_system(self, triplet: str) -> Iterator[ToolVersion]:
        """Yield the C library and headers that belong to a cross compiler."""
        for base in ("usr/", ""):
            yield from self._library("target", triplet, [f"{base}{triplet}/lib", f"{base}{triplet}/lib64"])
            headers = [f"{base}{triplet}/include/linux/version.h", f"{base}{triplet}/sys-include/linux/version.h"]
            yield from self._first("linux-headers", "target", triplet, headers)
        sysroot = self._at(f"{triplet}/sysroot")
        if sysroot is not None and self._place.role == "cross":
            inner = _Tree(self._files, Place(sysroot, "target", inside=True, triplet=triplet))
            yield from (tool for tool in inner.tools() if tool.tool in _OF_A_SYSROOT)

    def _library(self, role: ToolRole, triplet: str | None, directories: list[str]) -> Iterator[ToolVersion]:
        """Yield the C library: the one that programs are linked with unless they ask for another."""
        glibc = list(self._first("glibc", role, triplet, [f"{each}/libc.so.6" for each in directories]))
        yield from glibc
        for each in directories if not glibc else ():
            path = self._at(each)
            names = self._files.names(path) if path is not None and self._is_short(path) else []
            loaders = [f"{each}/{name}" for name in names if name.startswith("ld-musl-") and name.endswith(".so.1")]
            yield from self._first("musl", role, triplet, loaders[:4])

    def _clang(self, role: ToolRole) -> Iterator[ToolVersion]:
        found = []
        for base in _LIBRARIES:
            directory = self._at(base)
            names = self._files.names(directory) if directory is not None else []
            suites = [(f"{base}/{name}/lib", f"{base}/{name}/bin") for name in names if name.startswith("llvm-")]
            for libraries, programs in ((base, "usr/bin"), *suites[:_MAX_VERSIONS]):
                place = self._at(f"{libraries}/clang")
                if place is not None and self._at(f"{programs}/clang") is not None:
                    found += [name for name in self._files.names(place) if VERSION.match(name)]
        if found:
            yield ToolVersion(tool="clang", version=max(found, key=by_age), role=role)

    def _first(self, tool: str, role: ToolRole, triplet: str | None, paths: list[str]) -> Iterator[ToolVersion]:
        """Yield the tool from the first path that exists and has its version."""
        for path in paths:
            place = self._at(path)
            version = version_in(self._files, tool, place) if place is not None else None
            if version is not None:
                yield ToolVersion(tool=tool, version=version, role=role, target=triplet)
                return

    def _at(self, path: str) -> Path | None:
        if self._place.inside:
            return resolve(self._place.path, path)
        return resolve(_ROOT, f"{self._place.path}/{path}")

    def _is_short(self, path: Path) -> bool:
        """Return whether a directory is small enough to be listed in search of a loader."""
        try:
            return os.stat(path).st_size < 1024 * 1024  # noqa: PTH116 - each poll
        except OSError:
            return False


_LINKERS: Final = ("ld.bfd", "ld", "as")
_OF_A_SYSROOT: Final = frozenset({"glibc", "musl", "linux-headers"})


def _linkers(triplet: str) -> list[str]:
    prefixed = [f"{base}/{triplet}-{name}" for base in _PROGRAMS for name in _LINKERS]
    return prefixed + [f"{triplet}/bin/{name}" for name in _LINKERS]

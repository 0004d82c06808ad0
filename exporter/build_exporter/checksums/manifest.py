"""The files to verify: by name, with the steps that need them and the checksum files that list them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from build_exporter.checksums.check import merged
from build_exporter.checksums.checksum_files import FOUND_BESIDE, read_checksum_file
from build_exporter.model.events import SourceFile

MAX_HASH_FILES: Final = 20_000
_PARTS_OF_BUILDROOT: Final = ("package", "boot", "linux", "toolchain", "fs", "support", "arch")


@dataclass(slots=True)
class Manifest:
    """Files to verify.

    Attributes:
        files: by name, in the order of the plan or list.
        steps: names of the steps that need each, if a plan names them.
        lists: the lists read, which are no files of the build themselves.
        problems: what could not be read of them, a line each.
    """

    files: dict[str, SourceFile] = field(default_factory=dict)
    steps: dict[str, list[str]] = field(default_factory=dict)
    lists: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, step: str, sources: Iterable[SourceFile]) -> None:
        """Add the files of a step."""
        for each in sources:
            self.files[each.file] = merged(self.files, each)
            self.steps.setdefault(each.file, []).append(step)

    def add_list(self, path: Path, algorithm: str | None = None) -> None:
        """Add what a list of checksums names.

        Raises:
            OSError: it can't be read.
            ValueError: it is too large, or names too many files.
        """
        listing = read_checksum_file(path, algorithm)
        for each in listing.files.values():
            self.files[each.file] = merged(self.files, each)
        self.problems += listing.problems
        self.lists.append(path)


def checksum_files_beside(directory: Path) -> list[Path]:
    """Return the checksum files in a directory, found by their usual names."""
    return [path for name in FOUND_BESIDE if (path := directory / name).is_file()]


def buildroot_manifest(tree: Path, downloads: Path) -> Manifest:
    """Return what has been downloaded to `downloads/PACKAGE/`, with its checksums from the package's `.hash`.

    Which versions a configuration asks for isn't read: a package not downloaded yet is not missed.

    Raises:
        OSError: the downloads can't be listed.
    """
    manifest = Manifest()
    by_package: dict[str, list[Path]] = {}
    for path in _hash_files(tree):
        by_package.setdefault(path.stem, []).append(path)
    for package in sorted(entry.name for entry in os.scandir(downloads) if entry.is_dir(follow_symlinks=False)):
        said = Manifest()
        for path in by_package.get(package, ()):
            said.add_list(path)
        manifest.problems += said.problems
        there = sorted(entry.name for entry in os.scandir(downloads / package))
        for name in [name for name in there if name in said.files]:
            full = f"{package}/{name}"
            known = said.files[name]
            manifest.files[full] = SourceFile(file=full, digests=known.digests)
            manifest.steps[full] = [package]
    return manifest


def _hash_files(tree: Path) -> Iterator[Path]:
    count = 0
    for part in _PARTS_OF_BUILDROOT:
        for folder, _, names in os.walk(tree / part):
            for name in names:
                if name.endswith(".hash") and count < MAX_HASH_FILES:
                    count += 1
                    yield Path(folder) / name

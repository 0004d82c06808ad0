"""What a jhalfs tree's steps unpack: the files beside it, by the lists that jhalfs downloaded them by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from build_exporter.model.events import SourceFile
from build_exporter.plan.jhalfs_makefile import JhalfsMakefile, JhalfsStep
from build_exporter.plan.jhalfs_sources import jhalfs_sources, sources_directory


class Tarballs:
    """The steps' files, looked up once for one Makefile.

    Args:
        directory: where they are; None: beside the tree, where there is such a directory.

    Attributes:
        directory: where they are, None where that isn't known: then nothing is told of files.
    """

    def __init__(self, directory: Path | None) -> None:
        self.directory: Path | None = None
        self._given = directory
        self._steps: tuple[JhalfsStep, ...] | None = None
        self._files: Mapping[str, list[SourceFile]] = {}

    def of(self, tree: Path, makefile: JhalfsMakefile) -> Mapping[str, list[SourceFile]]:
        """Return each target's files, those that have any."""
        if makefile.steps is not self._steps:
            beside = sources_directory(tree.absolute())
            self._steps = makefile.steps
            # a tree that was copied, to be read in, has no files that anybody will unpack
            self.directory = self._given or (beside if beside.is_dir() else None)
            self._files = jhalfs_sources(tree, makefile, self.directory) if self.directory is not None else {}
        return self._files

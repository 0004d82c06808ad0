"""What the tests of plug-ins share: packages with entry points, as an installer leaves them."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

HEAD = """\
from build_exporter.plugin import *

class Good:
    kind = "good"

    def __init__(self, settings):
        self.build, self.path = settings.build or "good-build", settings.path

    @staticmethod
    def recognises(path):
        return path.suffix == ".good"

    def poll(self, now, *, over=False):
        try:
            words = self.path.read_text().split()
        except OSError as error:
            raise SourceError(str(error)) from error
        yield SourceEvent(1.78e9, events.BuildStarted(time=1.78e9, build=self.build, source="good"))
        for number, word in enumerate(words):
            event = events.StepStarted(time=1.78e9 + number, build=self.build, phase="build", step=word)
            yield SourceEvent(1.78e9, event)

"""


class Site:
    """A directory that Python takes packages from."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(self, package: str, code: str, group: str = "build_exporter.sources", **points: str) -> None:
        """Install a package of one module, with entry points `kind=Class`; version 1.5."""
        module = package.replace("-", "_")
        info = self.path / f"{module}-1.5.dist-info"
        info.mkdir(parents=True)
        (self.path / f"{module}.py").write_text(HEAD + textwrap.dedent(code))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
        lines = [f"{name.replace('_', '-')} = {module}:{target}" for name, target in points.items()]
        (info / "entry_points.txt").write_text(f"[{group}]\n" + "\n".join(lines) + "\n")

    @property
    def environment(self) -> dict[str, str]:
        """An environment whose Python sees the packages."""
        paths = [str(self.path), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A directory for packages, empty but for a good one."""
    made = Site(tmp_path / "site")
    made.install("good-plugin", "", good="Good")
    return made

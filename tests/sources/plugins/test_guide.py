"""The guide's package is a package: installed as the page says, its test passes, on a log that Nix 2.8 wrote."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from build_exporter import plugin, plugin_testing
from build_exporter.model.states import FailureClass

if TYPE_CHECKING:
    from tests.sources.plugins.conftest import Site

BLOCK = re.compile(r"^`(\S+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def written(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as the page has it, in `package`, and installed into `site`."""
    top = tmp_path_factory.mktemp("guide")
    package = top / "package"
    package.mkdir()
    for name, text in BLOCK.findall((repository / "docs" / "guide" / "plugins.md").read_text()):
        (package / name).write_text(text)
    shutil.copy(HERE / "nix-failed.log", package / "nix.log")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps")
    done = subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(top / "site"), "."],
        cwd=package, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return top


@pytest.fixture
def environment(written: Path) -> dict[str, str]:
    """An environment in which it is installed."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(written / "site"), os.environ.get("PYTHONPATH", "")])}


def test_the_test_of_the_page_passes(written: Path, environment: dict[str, str]) -> None:
    """Whoever copies the page has a source that comes to the same state however a real log is followed."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_nix.py")
    done = subprocess.run(
        command, cwd=written / "package", capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len((written / "package" / "build_exporter_nix.py").read_text().splitlines()) < 85


def test_the_kind_of_the_page_is_there(command: Callable[..., Any], environment: dict[str, str], journal: Path) -> None:
    """Once installed it can be imported by, as the page says."""
    arguments = ("import", "nix", str(HERE / "nix.log"), "--journal", str(journal))
    done = command(*arguments, env=environment)
    assert done.stdout.startswith("nix: 4 new events from "), done
    assert command(*arguments, env=environment).stdout.startswith("nix: nothing new in ")


def test_the_collector_of_the_page_succeeds(
    written: Path, serve: Callable[..., Any], poll: Callable[..., None], site: Site
) -> None:
    """Its files are the kernel's: with fans or without, it is shown to succeed."""
    site.install("fans-plugin", (written / "package" / "fans.py").read_text(), "build_exporter.collectors", fans="Fans")
    served = serve(environment=site.environment)
    poll(lambda: served.value("build_exporter_collector_success", collector="fans") == 1, what="it succeeds")


def test_the_report_format_and_the_rule_of_the_page_work(repository: Path) -> None:
    """The two functions of the page are what their entry points ask for."""
    page = (repository / "docs" / "guide" / "plugins.md").read_text()
    short, rules = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[-2:]
    scope: dict[str, Any] = {}
    exec(short + rules, scope)
    assert scope["short"]({"summary": "lfs succeeded"}) == "lfs succeeded\n"
    (rule,) = scope["rules"]()
    assert rule.error_class in set(FailureClass)
    assert re.search(rule.pattern, "frobnicator 7 is not licensed")


def test_the_page_and_the_interface_have_the_same_version(repository: Path) -> None:
    """What the page promises is promised of this version, and every name there is has its words."""
    page = (repository / "docs" / "guide" / "plugins.md").read_text()
    assert f"`API_VERSION` is {plugin.API_VERSION};" in page
    assert f"api_version = {plugin.API_VERSION}" in page
    assert [name for name in (*plugin.__all__, *plugin_testing.__all__) if f"`{name}`" not in page] == []

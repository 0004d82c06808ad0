"""The example package, installed as any package is, on a Debian package that is really built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CONTROL = """\
Source: greet
Section: misc
Priority: optional
Maintainer: A Person <person@example.org>
Build-Depends: debhelper-compat (= 13)
Standards-Version: 4.6.2

Package: greet
Architecture: all
Description: greets
 It says hello.
"""
CHANGELOG = """\
greet (1.0) unstable; urgency=low

  * First.

 -- A Person <person@example.org>  Thu, 01 Jan 2026 00:00:00 +0000
"""
MAKEFILE = "all:\n\ttouch built; while [ -e hold ]; do sleep 0.05; done\ncheck:\n\t@false\nclean:\n\trm -f built\n"


@pytest.fixture(scope="module")
def installed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that pip installed the example into, as it does from a checkout, without the network."""
    place = tmp_path_factory.mktemp("example")
    copy = shutil.copytree(repository / "examples" / "plugin", place / "plugin")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps")
    done = subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(place / "site"), str(copy)],
        capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place / "site"


@pytest.fixture
def environment(installed: Path) -> dict[str, str]:
    """An environment in which the example is installed."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The source of a small Debian package whose build waits while there is a file `hold`, and whose tests fail."""
    if shutil.which("dpkg-buildpackage") is None or shutil.which("dh") is None:
        pytest.skip("no dpkg-buildpackage or debhelper here")
    top = tmp_path / "greet-1.0"
    (top / "debian" / "source").mkdir(parents=True)
    (top / "Makefile").write_text(MAKEFILE)
    (top / "debian" / "control").write_text(CONTROL)
    (top / "debian" / "changelog").write_text(CHANGELOG)
    (top / "debian" / "source" / "format").write_text("3.0 (native)\n")
    rules = top / "debian" / "rules"
    rules.write_text("#!/usr/bin/make -f\n%:\n\tdh $@\n")
    rules.chmod(0o755)
    return top


@pytest.fixture
def build(package: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start dpkg-buildpackage with its output in `greet.log` beside the package."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        # make's own variables would inform the build of another make above it
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        with (package.parent / "greet.log").open("wb") as log:
            command = ["dpkg-buildpackage", "-us", "-uc", "-b", "-d"]
            process = subprocess.Popen(
                command, cwd=package, stdout=log, stderr=log, env={**clean, "LC_ALL": "C", "DEB_BUILD_OPTIONS": ""}
            )
        started.append(process)
        return process

    yield start
    (package / "hold").unlink(missing_ok=True)
    for process in started:
        process.wait(60)


def test_its_own_tests_pass(repository: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Whoever takes the example as a beginning has tests that run with nothing but the package and pytest."""
    tests = shutil.copytree(repository / "examples" / "plugin" / "tests", tmp_path / "tests")
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tests), str(tests))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_build_is_followed_while_it_continues(
    serve: Callable[..., Any],
    poll: Callable[..., None],
    build: Callable[[], subprocess.Popen[bytes]],
    package: Path,
    environment: dict[str, str],
) -> None:
    """The step that runs is seen running, the failure of the package's tests seen with its step, live."""
    (package / "hold").touch()
    process = build()
    log = package.parent / "greet.log"
    poll((package / "built").exists, seconds=60, what="the build compiles")
    served = serve("--watch", f"auto={log}", "--watch-option", "dpkg.silence=1h", environment=environment)
    poll(lambda: served.value("build_step_status", build="greet", step="dh_auto_build") == 1, what="it is seen to run")
    assert served.value("build_step_status", build="greet", phase="clean", step="dh_clean") == 2
    (package / "hold").unlink()
    assert process.wait(60) == 2
    poll(lambda: served.value("build_state", build="greet", state="failed") == 1, what="the failure is seen")
    assert served.value("build_step_status", build="greet", phase="build", step="dh_auto_test") == 3
    assert served.value("build_exporter_source_up", source="dpkg/greet") == 1


def test_a_past_build_is_imported(
    command: Callable[..., Any],
    build: Callable[[], subprocess.Popen[bytes]],
    package: Path,
    journal: Path,
    environment: dict[str, str],
) -> None:
    """A log that is already whole goes into the history, and a second import finds nothing new."""
    (package / "Makefile").write_text(MAKEFILE.replace("@false", "@true"))
    assert build().wait(60) == 0
    arguments = ("import", "auto", str(package.parent / "greet.log"), "--journal", str(journal))
    done = command(*arguments, env=environment)
    assert done.stdout.startswith("greet: "), done
    assert "new events" in done.stdout
    assert command(*arguments, env=environment).stdout.startswith("greet: nothing new")
    status = command("status", "--journal", str(journal), env=environment)
    assert "greet" in status.stdout
    assert "succeeded" in status.stdout

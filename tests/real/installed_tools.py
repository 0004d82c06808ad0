"""Tools in the versions that are asked for, installed into a directory: from PyPI, GNU make from Debian's sources."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


class Tools:
    """The installed tools."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def pip(self, package: str, version: str, *more: str) -> str:
        """Return the directory with the programs of a package's version, in an environment of its own."""
        home = self.top / f"{package}-{version}"
        if not (home / "done").exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            words = [str(home / "bin/pip"), "install", "-q", "--disable-pip-version-check", f"{package}=={version}"]
            subprocess.run([*words, *more], check=True)
            (home / "done").touch()
        return str(home / "bin")

    def make(self, version: str) -> str | None:
        """Return the directory with a GNU make, built from Debian's sources; None where that can't be."""
        here = shutil.which("make") or ""
        if version in subprocess.run([here, "--version"], capture_output=True, text=True, check=True).stdout:
            return str(Path(here).parent)
        home = self.top / f"make-{version}"
        if not (home / "make").exists():
            home.mkdir(exist_ok=True)
            if not _built(home, version):
                return None
        return str(home)


def _built(home: Path, version: str) -> bool:
    """Fetch GNU make's sources with apt, without touching the system's lists, and build it."""
    (home / "lists/partial").mkdir(parents=True, exist_ok=True)
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    places = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    mirrors = subprocess.run(places, capture_output=True, text=True, check=False).stdout.split()
    # the one this machine is installed from, which has the newer release as well
    mirror = next((each for each in mirrors if "security" not in each), None)
    if mirror is None:
        print(f"make {version}: apt knows no mirror")
        return False
    (home / "list").write_text(f"deb-src [signed-by={key}] {mirror} trixie main\n")
    options = [
        f"Dir::Etc::sourcelist={home}/list",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::lists={home}/lists",
    ]
    apt = ["apt-get", "-q", *(word for option in (*options, "APT::Sandbox::User=root") for word in ("-o", option))]
    steps = (
        [*apt, "update"],
        [*apt, "--download-only", "source", f"make-dfsg={version}-2"],
        # Debian's sources are without the manual, which configure asks for
        [
            "sh",
            "-c",
            "tar -xf make-dfsg_*orig* --strip-components=1; mkdir doc; echo all: > doc/Makefile.in; echo > doc/make.1",
        ],
        ["./configure", "--disable-dependency-tracking"],
        ["make", "-j2", "MAKEINFO=true"],
    )
    for words in steps:
        done = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)
        if done.returncode and words[0] != "make":
            print(f"make {version}: {' '.join(words[:2])}: {done.stderr.strip()[-200:]}")
            return False
    return (home / "make").exists()

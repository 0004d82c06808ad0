"""A Gentoo made for the tests, and the real Portage at work in it: a prefix of its own, nothing of it outside."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

NEEDED = (3, 0, 82)

FEATURES = (
    "observability -sandbox -usersandbox -userpriv -userfetch -ipc-sandbox -network-sandbox -pid-sandbox "
    "-mount-sandbox -news -strict"
)

MAKE_GLOBALS = """\
BINPKG_COMPRESS="gzip"
BINPKG_FORMAT="gpkg"
FETCHCOMMAND="false"
GENTOO_MIRRORS=""
PORTAGE_GRPNAME="{group}"
PORTAGE_INST_GID="{gid}"
PORTAGE_INST_UID="{uid}"
PORTAGE_USERNAME="{user}"
PORTAGE_WORKDIR_MODE="0700"
RESUMECOMMAND="false"
RPMDIR="{root}/var/cache/rpm"
"""

SETS = """\
[world]
class = portage.sets.base.DummyPackageSet
packages = @selected @system
[selected]
class = portage.sets.files.WorldSelectedSet
[system]
class = portage.sets.profiles.PackagesSystemSet
"""

EBUILD = """\
EAPI=8
DESCRIPTION="made for a test"
HOMEPAGE="https://example.org/"
LICENSE="none"
SLOT="0"
KEYWORDS="amd64"
S=${WORKDIR}
"""

QUICK = """
src_compile() { echo 'int main(void) { return 0; }' > made.c; gcc made.c -o made || die "gcc failed"; }
src_install() { dobin made; }
"""

# it waits for the test, and for no longer than a minute
GATED = """
src_compile() {
    local turn
    for turn in 1 2 3; do
        echo "[${turn}/10] Building C object part${turn}.c.o"
        echo "int part${turn}(void) { return ${turn}; }" > "part${turn}.c"
        gcc -c "part${turn}.c" || die
    done
    for turn in {1..1200}; do [[ -e ${EPREFIX}/open ]] && break; sleep 0.05; done
    echo "[10/10] Linking C program"
}
src_install() { insinto /usr/share/gated; doins part1.o; }
"""

BROKEN = """
src_compile() { echo 'int main(void) { return undeclared_thing; }' > broken.c; emake broken; }
"""

UNTESTED = """
IUSE="test"
RESTRICT="!test? ( test )"
src_compile() { :; }
src_test() { echo "FAIL: a_test"; die "1 of 3 tests failed"; }
"""


class Gentoo:
    """A prefix with one small repository. Packages of category `app-test`; what is written here is read by Portage.

    Attributes:
        root: where it is; to be watched.
        log: its emerge.log.
        started: the emerges started here.
        owner: who runs the tests, and so Portage.
        features: what is configured.
    """

    features = FEATURES

    def __init__(self, root: Path) -> None:
        self.root, self.log = root, root / "var/log/emerge.log"
        self.started: list[subprocess.Popen[bytes]] = []
        self.owner = _owner()
        profile = root / "repository/profiles/base"
        for name in ("etc/portage/repos.conf", "var/db/pkg", "var/log", "var/tmp", "run", "etc/env.d"):
            (root / name).mkdir(parents=True)
        profile.mkdir(parents=True)
        self._write("repository/metadata/layout.conf", "masters =\nthin-manifests = true\n")
        self._write("repository/profiles/repo_name", "tests\n")
        self._write("repository/profiles/categories", "app-test\n")
        self._write("repository/profiles/arch.list", "amd64\n")
        self._write("repository/licenses/none", "none\n")
        self._write("repository/profiles/base/make.defaults", 'ARCH="amd64"\nACCEPT_KEYWORDS="amd64"\n')
        (root / "etc/portage/make.profile").symlink_to(profile)
        repository = f"[DEFAULT]\nmain-repo = tests\n[tests]\nlocation = {root}/repository\nauto-sync = no\n"
        self._write("etc/portage/repos.conf/tests.conf", repository)
        self.configure()
        self._write("share/portage/config/make.globals", MAKE_GLOBALS.format(root=root, **self.owner))
        self._write("share/portage/config/sets/portage.conf", SETS)
        for name, body in {"quick": QUICK, "gated": GATED, "broken": BROKEN, "untested": UNTESTED}.items():
            self.ebuild(name, body)
        self.ebuild("user", QUICK + 'DEPEND="app-test/broken"')

    def _write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def configure(self, **settings: str) -> None:
        """Write make.conf."""
        found = {
            "FEATURES": FEATURES, "PORTAGE_TMPDIR": f"{self.root}/var/tmp", "PKGDIR": f"{self.root}/packages",
            "DISTDIR": f"{self.root}/distfiles", "MAKEOPTS": "-j2", "CLEAN_DELAY": "0", "EMERGE_WARNING_DELAY": "0",
        }  # fmt: skip
        self._write("etc/portage/make.conf", "".join(f'{k}="{v}"\n' for k, v in (found | settings).items()))

    def ebuild(self, name: str, body: str) -> None:
        """Add a package to the repository, of version 1."""
        self._write(f"repository/app-test/{name}/{name}-1.ebuild", EBUILD + body)

    def emerge(self, *arguments: str, before: tuple[str, ...] = (), features: str = "") -> subprocess.Popen[bytes]:
        """Start an emerge; `before` is what to start it by."""
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.root), "LANG": "C.UTF-8",
            "PORTAGE_OVERRIDE_EPREFIX": str(self.root), "PORTAGE_CONFIGROOT": str(self.root),
            "PORTAGE_USERNAME": self.owner["user"], "PORTAGE_GRPNAME": self.owner["group"], "FEATURES": features,
        }  # fmt: skip
        program = shutil.which("emerge", path=str(Path(sys.executable).parent)) or "emerge"
        output = self.root / f"output-{len(self.started)}"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [*before, sys.executable, program, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # a shell's background job would hand down that Ctrl-C is ignored
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
            )
        self.started.append(process)
        return process

    def merge(self, *arguments: str, status: int = 0, **options: Any) -> str:
        """Run an emerge to its end; return what it wrote."""
        process = self.emerge(*arguments, **options)
        assert process.wait(90) == status, self.output(process)
        return self.output(process)

    def output(self, process: subprocess.Popen[bytes]) -> str:
        """Return what an emerge has written."""
        return (self.root / f"output-{self.started.index(process)}").read_text(errors="replace")

    def open(self) -> None:
        """Let the gated packages continue."""
        (self.root / "open").touch()

    def line_type(self, text: str) -> bool:
        """Return whether emerge.log has a text."""
        return self.log.exists() and text in self.log.read_text(errors="replace")

    def end(self) -> None:
        """End what still runs."""
        self.open()
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 10
        for process in self.started:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _owner() -> dict[str, str]:
    try:
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(os.getgid())
    except KeyError:
        pytest.skip("Portage wants a user and a group with names")
    return {"uid": str(user.pw_uid), "gid": str(group.gr_gid), "user": user.pw_name, "group": group.gr_name}


def _version() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version("portage").split(".") if part.isdigit())
    except PackageNotFoundError:
        return ()


@pytest.fixture
def gentoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gentoo]:
    """A Gentoo, where the real Portage is installed."""
    if _version() < NEEDED:
        pytest.skip("Portage 3.0.82 or newer is not installed beside the tests")
    for tool in ("gcc", "make", "bash"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} for Portage to build with")
    # the paths of sockets have to be short
    made = Gentoo(tmp_path_factory.mktemp("g"))
    yield made
    made.end()


@pytest.fixture
def watch(serve: Callable[..., Any], gentoo: Gentoo) -> Callable[..., Any]:
    """Start an exporter that watches it."""
    return lambda *flags, **options: serve("--watch", f"portage={gentoo.root}", *flags, **options)

"""Every way in which a file can be other than planned has a name, and none makes the verification hang."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from build_exporter.checksums.check import Finding, check_file, check_metadata
from build_exporter.checksums.digests import digest_bytes
from build_exporter.checksums.verify import verify
from build_exporter.model.events import SourceFile
from build_exporter.model.states import SourceState

Sources = Callable[..., list[dict[str, Any]]]


def stand(directory: Path, planned: dict[str, Any], **more: Any) -> Finding:
    """Return how a file stands."""
    return check_file(str(directory), msgspec.convert(planned | more, SourceFile))


def state(directory: Path, planned: dict[str, Any], **more: Any) -> str:
    """Return the state alone."""
    return stand(directory, planned, **more).state.value


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512", "blake2b"])
def test_one_byte_decides(algorithm: str, tarballs: Path, sources: Sources) -> None:
    """A file as planned is verified; with one bit of one byte turned over it is another file."""
    (said,) = sources("linux-2.tar.gz", algorithm=algorithm)
    assert state(tarballs, said) == "verified"
    data = bytearray((tarballs / "linux-2.tar.gz").read_bytes())
    data[1_234_567] ^= 1
    (tarballs / "linux-2.tar.gz").write_bytes(data)
    finding = stand(tarballs, said)
    assert finding.state is SourceState.MISMATCH
    assert said["digests"][0].split(":")[1][:12] in finding.detail
    assert finding.digests == {algorithm: digest_bytes(algorithm, bytes(data))}


def test_a_download_that_broke_off(tarballs: Path, sources: Sources) -> None:
    """A file that ends too early is reported as such: by its planned size, its xz stream, or being empty."""
    xz, gz = sources("gcc-1.tar.xz", "linux-2.tar.gz")
    for name in ("gcc-1.tar.xz", "linux-2.tar.gz"):
        os.truncate(tarballs / name, 500_000)
    assert (state(tarballs, xz), state(tarballs, gz)) == ("truncated", "mismatch")
    assert stand(tarballs, gz, size_bytes=3_000_000).detail == "500,000 bytes instead of 3,000,000"
    assert state(tarballs, gz, size_bytes=3_000_000) == state(tarballs, gz, about_bytes=3_000_000) == "truncated"
    # a size in round figures that the file is near to says nothing
    assert state(tarballs, gz, about_bytes=505_000) == "mismatch"
    os.truncate(tarballs / "linux-2.tar.gz", 0)
    assert (state(tarballs, gz), stand(tarballs, gz).detail) == ("truncated", "empty")
    assert state(tarballs, {"file": "linux-2.tar.gz"}) == "truncated"
    assert state(tarballs, {"file": "linux-2.tar.gz", "digests": [f"md5:{digest_bytes('md5', b'')}"]}) == "verified"


def test_a_web_page_instead_of_the_file(tarballs: Path, sources: Sources) -> None:
    """A server's error page saved under the file's name is reported as what it is."""
    (said,) = sources("bash-3.tar.gz")
    (tarballs / "bash-3.tar.gz").write_text("\n<!DOCTYPE HTML><html><body>404</body></html>")
    assert "a web page" in stand(tarballs, said).detail


def test_what_is_no_file(tarballs: Path, sources: Sources) -> None:
    """A missing file, a dangling link, a link to itself, a directory and a FIFO are distinguished, without waiting."""
    said = sources("none", "dangling", "loop", "directory", "fifo", "x.patch/below")
    (tarballs / "dangling").symlink_to("nowhere")
    (tarballs / "loop").symlink_to("loop")
    (tarballs / "directory").mkdir()
    os.mkfifo(tarballs / "fifo")
    began = time.monotonic()
    found = [(each["file"], *msgspec.structs.astuple(stand(tarballs, each))[:2]) for each in said]
    assert time.monotonic() - began < 5
    assert found == [
        ("none", "missing", "no such file"),
        ("dangling", "missing", "a link to a file that isn't there"),
        ("loop", "unreadable", "a link that leads back to itself"),
        ("directory", "unreadable", "a directory"),
        ("fifo", "unreadable", "a FIFO"),
        ("x.patch/below", "missing", "no such file"),
    ]


def test_a_link_to_a_file_is_the_file(tarballs: Path, sources: Sources, tmp_path: Path) -> None:
    """Sources kept elsewhere and linked to are verified like others."""
    (said,) = sources("linux-2.tar.gz")
    shutil.move(tarballs / "linux-2.tar.gz", tmp_path / "archive")
    (tarballs / "linux-2.tar.gz").symlink_to(tmp_path / "archive")
    assert state(tarballs, said) == "verified"


def test_a_file_that_may_not_be_read() -> None:
    """For a user without the right to read it a file is unreadable, in these words; the one beside it is verified."""
    digests = (f"md5:{digest_bytes('md5', b'x')}",)
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        for name, mode in (("secret", 0), ("open", 0o644)):
            (Path(directory) / name).write_text("x")
            (Path(directory) / name).chmod(mode)
        Path(directory).chmod(0o755)
        user = os.geteuid()
        if user == 0:
            # root may read everything
            os.seteuid(65534)
        try:
            secret, beside = (check_file(directory, SourceFile(file=n, digests=digests)) for n in ("secret", "open"))
        finally:
            os.seteuid(user)
    assert (secret.state.value, secret.detail) == ("unreadable", "permission denied")
    assert beside.state is SourceState.VERIFIED


def test_names_stay_in_the_directory(tarballs: Path) -> None:
    """A plan can't have a file outside its directory looked at, by whatever way its name leads out."""
    outside = tarballs.parent / "outside"
    outside.write_text("x")
    digests = [f"md5:{digest_bytes('md5', b'x')}"]
    for name in ("../outside", str(outside), "a/../../outside", "x\0y"):
        finding = stand(tarballs, {"file": name, "digests": digests})
        assert (finding.state.value, finding.detail) == ("unreadable", "its name leads out of the directory")
    assert state(tarballs, {"file": "ü" * 200, "digests": digests}) in ("missing", "unreadable")


def test_of_another_user_only_his_own_files(tarballs: Path, sources: Sources) -> None:
    """Whoever may write a run learns nothing of files that are not his, not even by a link of his own to them."""
    (said,) = sources("linux-2.tar.gz")
    planned = msgspec.convert(said, SourceFile)
    stranger = os.getuid() + 12345
    for seen in (
        check_metadata(str(tarballs), planned, owner=stranger),
        check_file(str(tarballs), planned, owner=stranger),
    ):
        assert (seen.state.value, seen.digests) == ("unreadable", {})
    (tarballs / "link").symlink_to("linux-2.tar.gz")
    linked = msgspec.structs.replace(planned, file="link")
    assert check_file(str(tarballs), linked, owner=os.getuid()).state is SourceState.UNREADABLE
    assert check_file(str(tarballs), planned, owner=os.getuid()).state is SourceState.VERIFIED


def test_a_large_sparse_file(tmp_path: Path) -> None:
    """A file far larger than memory allows to read at once is read in pieces, and md5sum says the same of it."""
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1024**3 // 2)
    printed = subprocess.run(["md5sum", tmp_path / "sparse"], capture_output=True, text=True, check=True).stdout
    code = (
        "import sys; from build_exporter.checksums.check import check_file\n"
        "from build_exporter.model.events import SourceFile\n"
        "print(check_file(sys.argv[1], SourceFile(file='sparse', digests=('md5:' + sys.argv[2],))).state)\n"
        # not ru_maxrss, which begins with that of the process that made this one
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, printed.split()[0]], capture_output=True, text=True, check=True
    )
    reports, kibibytes = done.stdout.split()
    assert reports == "verified"
    assert int(kibibytes) < 100 * 1024


def test_a_file_written_while_it_is_read_is_left_for_later(tarballs: Path, sources: Sources) -> None:
    """What changes under the reader is neither good nor bad: it is pending."""
    (said,) = sources("linux-2.tar.gz")

    def grow(_: int) -> None:
        with (tarballs / "linux-2.tar.gz").open("ab") as file:
            file.write(b"x")

    finding = check_file(str(tarballs), msgspec.convert(said, SourceFile), grow)
    assert (finding.state.value, finding.detail) == ("pending", "is being written")


def test_many_at_once_keep_their_order(tarballs: Path, sources: Sources) -> None:
    """Files read in parallel come in the order of the list, and giving up ends the reading."""
    names = ["linux-2.tar.gz", "x.patch", "gcc-1.tar.xz", "bash-3.tar.gz"] * 5
    planned = [msgspec.convert(each, SourceFile) for each in sources(*names)]
    assert [(each.file, found.state.value) for each, found in verify(str(tarballs), planned, jobs=4)] == [
        (name, "verified") for name in names
    ]
    results = verify(str(tarballs), planned, jobs=2)
    next(results)
    results.close()


def test_md5_where_security_forbids_it(monkeypatch: pytest.MonkeyPatch, tarballs: Path, sources: Sources) -> None:
    """On a machine that refuses MD5 for security the book's MD5 can be compared all the same."""
    (said,) = sources("x.patch")
    new = hashlib.new

    def refusing(name: str, data: bytes = b"", *, usedforsecurity: bool = True) -> Any:
        if name in ("md5", "sha1") and usedforsecurity:
            raise ValueError("disabled for FIPS")
        return new(name, data, usedforsecurity=usedforsecurity)

    monkeypatch.setattr(hashlib, "new", refusing)
    assert state(tarballs, said) == "verified"

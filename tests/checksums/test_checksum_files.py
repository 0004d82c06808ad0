"""Lists of checksums as the programs that make them write them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from build_exporter.checksums.checksum_files import parse_checksum_file, read_checksum_file
from build_exporter.checksums.digests import digest_bytes
from build_exporter.checksums.verify import verify
from build_exporter.model.states import SourceState

PROGRAMS = ("md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "b2sum")
ODD_NAMES = (
    "two words",
    "-dash",
    "back\\slash",
    "new\nline",
    "cr\rhere",
    "\x1b[31mred",
    "ümlaut",
    "*star",
    os.fsdecode(b"\xff"),
)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("form", [(), ("--tag",), ("-b",), ("-z",)], ids=["plain", "tag", "binary", "zero"])
def test_what_the_programs_write_is_read(program: str, form: tuple[str, ...], tmp_path: Path) -> None:
    """Every form of each program's output names every file, whatever is in its name, and verifies it."""
    directory = tmp_path / "files"
    directory.mkdir()
    for name in ODD_NAMES:
        (directory / name).write_bytes(name.encode("utf-8", "surrogateescape") * 1000)
    names = [f"./{name}" if name.startswith("-") else name for name in ODD_NAMES]
    written = subprocess.run([program, *form, *names], cwd=directory, capture_output=True, check=True).stdout
    (tmp_path / f"{program}.txt").write_bytes(written)
    # a digest of 128 digits is sha512's unless the list's name says otherwise
    listing = read_checksum_file(tmp_path / f"{program}.txt")
    assert listing.problems == []
    assert set(listing.files) == set(ODD_NAMES)
    found = {planned.file: finding for planned, finding in verify(str(directory), list(listing.files.values()))}
    assert {finding.state for finding in found.values()} == {SourceState.VERIFIED}


def test_our_digests_are_those_of_the_programs(tmp_path: Path) -> None:
    """The digest of each algorithm is, digit for digit, what the program for it prints."""
    data = os.urandom(100_001)
    (tmp_path / "data").write_bytes(data)
    for program in PROGRAMS:
        printed = subprocess.run([program, tmp_path / "data"], capture_output=True, text=True, check=True).stdout
        algorithm = {"b2sum": "blake2b"}.get(program, program.removesuffix("sum"))
        assert digest_bytes(algorithm, data) == printed.split()[0]


def test_the_programs_read_on_where_we_do(tmp_path: Path) -> None:
    """A list with one wrong file is good, and bad, of the same files for md5sum as for us."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    with (tmp_path / "md5sums").open("wb") as file:
        subprocess.run(["md5sum", "a", "b", "c"], cwd=tmp_path, stdout=file, check=True)
    (tmp_path / "b").write_text("B")
    theirs = subprocess.run(
        ["md5sum", "-c", "md5sums"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
    ).stdout.split("\n")
    ours = verify(str(tmp_path), list(read_checksum_file(tmp_path / "md5sums").files.values()))
    assert [
        f"{planned.file}: {'OK' if finding.state is SourceState.VERIFIED else 'FAILED'}" for planned, finding in ours
    ] == theirs[:3]


def test_lists_of_build_tools() -> None:
    """The lists of Buildroot, Portage and jhalfs, and a list of addresses, name files with their data."""
    md5, sha = "0123456789abcdef" * 2, "0123456789abcdef" * 4
    buildroot = parse_checksum_file(
        f"# Locally computed\nsha256  {sha}  foo-1.tar.gz\nmd5  {md5}  foo-1.tar.gz\nnone  xxx  b.gz\n".encode(), "h"
    )
    assert buildroot.files["foo-1.tar.gz"].digests == (f"sha256:{sha}", f"md5:{md5}")
    assert buildroot.files["b.gz"].digests == ()
    manifest = parse_checksum_file(
        f"AUX a.patch 12 SHA512 {sha * 2}\nDIST foo.tar.xz 4711 BLAKE2B {sha * 2} SHA512 {sha * 2}\n".encode(),
        "M",
    )
    assert list(manifest.files) == ["foo.tar.xz"]
    assert manifest.files["foo.tar.xz"].size_bytes == 4711
    assert manifest.files["foo.tar.xz"].digests == (f"blake2b:{sha * 2}", f"sha512:{sha * 2}")
    urls = parse_checksum_file(
        f"https://a.example/x/foo%2B1.tar.xz http://mirror.example/foo%2B1.tar.xz {md5}\n"
        "https://a.example/boot-1.tar.xz http://mirror.example/boot-1.tar.xz BOOT-MD5SUM\nhttps://a.example/bar.patch\n".encode(),
        "urls.lst",
    )
    assert {name: each.digests for name, each in urls.files.items()} == {
        "foo+1.tar.xz": (f"md5:{md5}",),
        "boot-1.tar.xz": (),
        "bar.patch": (),
    }
    assert urls.files["foo+1.tar.xz"].url == "https://a.example/x/foo%2B1.tar.xz"
    assert [each.problems for each in (buildroot, manifest, urls)] == [[], [], []]


def test_what_is_no_list_is_reported(tmp_path: Path) -> None:
    """A line that is none is reported with its number, never taken for a file; a FIFO or a huge file is refused."""
    listing = parse_checksum_file(b"hello\n\n# fine\nzz  name\n" + b"0" * 31 + b"  short\n\x00\xff\n", "list")
    assert listing.files == {}
    assert len(listing.problems) >= 1
    assert parse_checksum_file(b"abc\r\n" + b"0" * 32 + b"  dos.txt\r\n", "list").files.keys() == {"dos.txt"}
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="regular"):
        read_checksum_file(tmp_path / "fifo")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2 * 1024**3)
    with pytest.raises(ValueError, match="larger"):
        read_checksum_file(tmp_path / "large")


def test_a_file_named_twice_must_fit_both(tmp_path: Path) -> None:
    """A list that gives a file two digests of which one is wrong does not verify it."""
    (tmp_path / "a").write_text("a")
    good, wrong = digest_bytes("md5", b"a"), digest_bytes("md5", b"b")
    listing = parse_checksum_file(f"{good}  a\n{wrong}  a\n".encode(), "list")
    ((_, finding),) = verify(str(tmp_path), list(listing.files.values()))
    assert finding.state is SourceState.MISMATCH


def test_programs_are_there() -> None:
    """The programs that these tests compare with are coreutils', which every Linux has."""
    assert all(shutil.which(program) for program in PROGRAMS)

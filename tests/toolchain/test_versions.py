"""Versions read from files are those that the programs themselves print."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.toolchain.files import MAX_FILE_BYTES, MAX_NAMES, Files, resolve
from build_exporter.toolchain.layout import Place, tools_in
from build_exporter.toolchain.machine import alike, machine_id, this_machine
from build_exporter.toolchain.versions import version_in

LD = b"GNU ld %s\n\0"
"""What every linker of binutils says beside its version."""


def found(files: Files, place: Place) -> dict[tuple[str, str, str], str]:
    """Return the versions found in a tree by role, triplet and tool."""
    return {(tool.role, tool.target or "", tool.tool): tool.version for tool in tools_in(files, place)}


def test_the_machines_own_tools_are_what_they_say_they_are(
    files: Files, version_of: Callable[..., str], output_of: Callable[..., str]
) -> None:
    """GCC, binutils, the C library and make of this machine have the versions that they print, under GCC's triplet."""
    machine = this_machine(files)
    triplet = output_of("gcc", "-dumpmachine").strip()
    assert machine.triplet == triplet
    tools = {(tool.tool, tool.target): tool.version for tool in machine.tools if tool.role == "host"}
    assert tools["gcc", triplet] == output_of("gcc", "-dumpfullversion").strip()
    assert tools["binutils", triplet] == version_of("ld", "--version")
    assert tools["make", None] == version_of("make", "--version")
    if shutil.which("clang") is not None:
        reported = re.search(r"clang version (\d+(?:\.\d+)*)", output_of("clang", "--version"))
        assert reported is not None
        assert reported[1].startswith(tools["clang", None])
    asked = ctypes.CDLL(None).gnu_get_libc_version
    asked.restype = ctypes.c_char_p
    assert tools["glibc", triplet] == asked().decode()
    assert machine.libc == f"glibc {asked().decode()}"
    assert machine.kernel == output_of("uname", "-r").strip()
    assert machine.distribution in Path("/etc/os-release").read_text()


def test_the_kernel_headers_are_those_that_programs_are_compiled_with(files: Files, tmp_path: Path) -> None:
    """The compiler that includes the headers sees the version that is reported."""
    source = tmp_path / "a.c"
    source.write_text("#include <linux/version.h>\nCODE LINUX_VERSION_CODE\n")
    reported = subprocess.run(["gcc", "-E", "-P", str(source)], capture_output=True, text=True, check=True).stdout
    code = int(reported.split()[-1])
    tools = found(files, Place(Path("/"), "host"))
    (version,) = (version for (_, _, tool), version in tools.items() if tool == "linux-headers")
    assert version == f"{code >> 16}.{code >> 8 & 255}.{code & 255}"


def test_a_cross_toolchain_is_reported_where_it_is_wanted(
    files: Files, cross_compiler: str, version_of: Callable[..., str], output_of: Callable[..., str]
) -> None:
    """Of the compilers for other systems on a machine those are reported that a build uses, with their C library."""
    assert output_of(f"{cross_compiler}-gcc", "-dumpmachine").strip() == cross_compiler
    without = this_machine(files).tools
    assert {tool.role for tool in without} == {"host"}
    tools = {
        (tool.role, tool.tool): tool.version
        for tool in this_machine(files, wanted=frozenset({cross_compiler})).tools
        if tool.target == cross_compiler
    }
    assert tools["cross", "gcc"] == output_of(f"{cross_compiler}-gcc", "-dumpfullversion").strip()
    assert tools["cross", "binutils"] == version_of(f"{cross_compiler}-ld", "--version")
    library = Path(f"/usr/{cross_compiler}/lib/libc.so.6").read_bytes()
    assert f"release version {tools['target', 'glibc']}.".encode() in library
    assert ("target", "linux-headers") in tools


@pytest.mark.parametrize(
    ("tool", "text", "version"),
    [
        ("binutils", LD + b"(GNU Binutils) 2.43.1\0", "2.43.1"),
        ("binutils", LD + b"(GNU Binutils; SUSE Linux Enterprise 15) 2.41.0.20230908-150100\0", "2.41.0.20230908"),
        ("binutils", LD + b"(Linux/GNU Binutils) 2.26.0.20160501\0", "2.26.0.20160501"),
        ("binutils", LD + b"(Gentoo 2.42 p6) 2.42.0\0", "2.42.0"),
        ("binutils", LD + b"version 2.41-37.fc40\0", "2.41"),
        ("binutils", b"GNU assembler version %s (%s)\0(GNU Binutils) 2.44\0", "2.44"),
        ("binutils", b"\0(Some other program) 1.0\0", None),
        ("glibc", b"GNU C Library (GNU libc) stable release version 2.40.\n", "2.40"),
        ("glibc", b"GNU C Library (GNU libc) development release version 2.40.9000.\n", "2.40.9000"),
        ("gcc", b"\0GCC: (GNU) 14.2.0\0", "14.2.0"),
        ("gcc", b"\0GCC: (Gentoo 13.2.1_p20240210 p14) 13.2.1 20240210\0", "13.2.1"),
        ("make", b"%sGNU Make %s\n\0x86_64-pc-linux-gnu\0" + b"4.3\0", "4.3"),
        ("make", b"\0" + b"4.4.1\0x86_64-lfs-linux-gnu\0 %sGNU Make %s\n", "4.4.1"),
        ("make", b"x86_64-pc-linux-gnu\0" + b"4.3\0 some other program", None),
        ("linux-headers", b"#define LINUX_VERSION_CODE 395264\n", "6.8.0"),
        ("rust", b"rustc version 1.81.0 (eeb90cda1 2024-09-04)", "1.81.0"),
        ("musl", b"musl libc (x86_64)\nVersion %s\n\0" + b"1.2.5\0", "1.2.5"),
    ],
)
def test_the_texts_of_other_distributions_are_understood(
    files: Files, tmp_path: Path, tool: str, text: bytes, version: str | None
) -> None:
    """What upstream and distributions put into their programs shows the version, wherever in the file it stands."""
    path = tmp_path / "program"
    for before in (0, 1024 * 1024 - 7):
        path.write_bytes(b"\1" * before + b"\0" + text + b"\0" * 64)
        assert version_in(files, tool, path) == version


def test_the_stages_of_lfs_are_kept_apart(files: Files, linux_from_scratch: Callable[..., Any]) -> None:
    """`$LFS/tools` holds the cross tools, `$LFS/usr` the new system's, which are found by the links of that system."""
    lfs = linux_from_scratch()
    tools, new = Place(lfs.top / "tools", "cross"), Place(lfs.top, "target", inside=True)
    assert found(files, tools) == found(files, new) == {}
    lfs.binutils_pass1()
    wanted = Place(tools.path, "cross", wanted=frozenset({lfs.triplet}))
    assert found(files, wanted).keys() == {("cross", lfs.triplet, "binutils")}
    lfs.gcc_pass1()
    assert found(files, tools)["cross", lfs.triplet, "gcc"] == "14.2.0"
    assert found(files, new) == {}
    lfs.glibc()
    assert {key[2] for key in found(files, new)} == {"glibc", "linux-headers"}
    lfs.gcc_pass2("14.3.0")
    own = found(files, new)
    assert own["target", lfs.triplet, "gcc"] == "14.3.0"
    assert own.keys() >= {("target", lfs.triplet, "binutils"), ("target", "", "make")}
    assert found(files, tools)["cross", lfs.triplet, "gcc"] == "14.2.0"


def test_a_program_that_was_replaced_is_read_again(files: Files, tmp_path: Path) -> None:
    """What was found in a file counts until the file changes."""
    path = tmp_path / "ld"
    path.write_bytes(LD + b"(GNU Binutils) 2.42\0")
    assert version_in(files, "binutils", path) == "2.42"
    path.write_bytes(LD + b"(GNU Binutils) 2.43\0")
    os.utime(path, (1.0, 1.0))
    assert version_in(files, "binutils", path) == "2.43"


def test_what_has_not_changed_is_not_read_again(files: Files) -> None:
    """Looking again at a machine whose tools are the same reads none of them."""
    first = this_machine(files)
    assert files.bytes_read > 0
    files.begin(None)
    assert this_machine(files) == first
    assert files.bytes_read == 0


def test_of_several_compilers_the_one_is_reported_that_the_name_leads_to(files: Files, tmp_path: Path) -> None:
    """Where GCC is installed in two versions, that of `gcc` counts, and without the link the newest."""
    for version in ("9", "11", "12"):
        directory = tmp_path / "usr/lib/gcc/x86_64-linux-gnu" / version
        directory.mkdir(parents=True)
        (directory / "cc1").touch()
        (directory / "crtbegin.o").write_bytes(f"\0GCC: (Some 1) {version}.4.0\0".encode())
    (tmp_path / "usr/lib/gcc/x86_64-linux-gnu/13").mkdir()
    place = Place(tmp_path, "target", inside=True)
    assert found(files, place)["target", "x86_64-linux-gnu", "gcc"] == "12.4.0"
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/bin/gcc-11").touch()
    (tmp_path / "usr/bin/gcc").symlink_to("gcc-11")
    assert found(files, place)["target", "x86_64-linux-gnu", "gcc"] == "11.4.0"


def test_a_clang_is_reported_by_where_its_own_headers_are(files: Files, tmp_path: Path) -> None:
    """Clang's directory bears its version; without the program it is what a library needs."""
    (tmp_path / "usr/lib/clang/19/include").mkdir(parents=True)
    (tmp_path / "usr/lib/llvm-14/lib/clang/14.0.6").mkdir(parents=True)
    place = Place(tmp_path, "target", inside=True)
    assert found(files, place) == {}
    for path in ("usr/lib/llvm-14/bin", "usr/bin"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "clang").touch()
    assert found(files, place)["target", "", "clang"] == "19"


def test_a_sysroot_beside_the_cross_tools_is_the_target(files: Files, tmp_path: Path, cross_compiler: str) -> None:
    """Buildroot's `output/host` holds the compiler, and below its triplet the C library that it links with."""
    triplet = "aarch64-buildroot-linux-gnu"
    cc1 = tmp_path / "libexec/gcc" / triplet / "13.3.0/cc1"
    cc1.parent.mkdir(parents=True)
    cc1.touch()
    (tmp_path / "lib/gcc" / triplet / "13.3.0").mkdir(parents=True)
    library = tmp_path / triplet / "sysroot/lib/libc.so.6"
    library.parent.mkdir(parents=True)
    shutil.copy(Path(f"/usr/{cross_compiler}/lib/libc.so.6").resolve(), library)
    tools = found(files, Place(tmp_path, "cross"))
    assert tools["cross", triplet, "gcc"] == "13.3.0"
    assert ("target", triplet, "glibc") in tools


def test_nothing_that_is_put_in_the_way_holds_up_or_leads_astray(files: Files, tmp_path: Path) -> None:
    """FIFOs, devices, loops of links, files without end and crowded directories are passed over, in little time."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/lib/gcc/loop-linux-gnu").mkdir(parents=True)
    os.mkfifo(tmp_path / "usr/bin/ld")
    (tmp_path / "usr/bin/ld.bfd").symlink_to("/dev/zero")
    (tmp_path / "usr/bin/as").symlink_to("as")
    (tmp_path / "usr/lib64").symlink_to("../usr/lib64")
    (tmp_path / "usr/lib/gcc/loop-linux-gnu/1").symlink_to("../..")
    with (tmp_path / "usr/lib/libc.so.6").open("wb") as file:
        file.truncate(1 << 42)
    for number in range(MAX_NAMES + 500):
        (tmp_path / f"usr/lib/gcc/a{number:05}-linux-gnu").mkdir()
    began = time.monotonic()
    assert found(files, Place(tmp_path, "target", inside=True)) == {}
    assert time.monotonic() - began < 20
    assert files.find(tmp_path / "usr/lib/libc.so.6", re.compile(rb"x")) is None
    assert MAX_FILE_BYTES < 1 << 30


def test_of_large_files_only_the_version_is_kept(files: Files, tmp_path: Path) -> None:
    """A hundred compilers cost the exporter no more memory than their versions, however large they are."""
    paths = [tmp_path / f"ld{number}" for number in range(20)]
    for path in paths:
        path.write_bytes(b"\x7fELF" + bytes(100_000) + LD + b"(GNU Binutils) 2.42\0" + bytes(100_000))
    tracemalloc.start()
    assert {version_in(files, "binutils", path) for path in paths} == {"2.42"}
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 200_000


def test_the_kernels_own_files_are_not_read(files: Files, tmp_path: Path) -> None:
    """A link to a file by which the kernel shows something, and may show it only once, is passed over."""
    (tmp_path / "ld").symlink_to("/proc/self/cmdline")
    assert (tmp_path / "ld").is_file()
    assert files.read(tmp_path / "ld") == b""


def test_a_link_does_not_lead_out_of_the_new_system(files: Files, tmp_path: Path) -> None:
    """The linker that the new system will have is not mistaken for the machine's by an absolute link."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/ld").symlink_to(shutil.which("ld") or "/usr/bin/ld")
    assert found(files, Place(tmp_path, "target", inside=True)) == {}
    assert resolve(tmp_path, "/usr/../../../etc/passwd") is None
    (tmp_path / "out").symlink_to("../../../../usr/bin")
    assert resolve(tmp_path, "out") == tmp_path / "usr/bin"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read what is others'")
def test_what_is_anothers_is_not_read_for_a_user(tmp_path: Path) -> None:
    """For a build of an ordinary user an exporter of root reads what that user could read himself."""
    path = tmp_path / "ld"
    path.write_bytes(LD + b"(GNU Binutils) 2.42\0")
    path.chmod(0o600)
    files = Files()
    files.begin(65534)
    assert version_in(files, "binutils", path) is None
    os.chown(path, 65534, 65534)
    assert version_in(files, "binutils", path) == "2.42"
    os.chown(path, 0, 0)
    path.chmod(0o644)
    assert version_in(files, "binutils", path) == "2.42"


def test_nothing_in_a_tree_is_ever_run(files: Files, tmp_path: Path) -> None:
    """A program put where a compiler should be is read and not started."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    trap = tmp_path / "ran"
    for name in ("gcc", "ld", "as", "make", "rustc", "clang"):
        program = tmp_path / "usr/bin" / name
        program.write_text(f"#!{sys.executable}\nopen({str(trap)!r}, 'w')\n")
        program.chmod(0o755)
    found(files, Place(tmp_path, "target", inside=True))
    this_machine(files, tmp_path)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("processor", "machine", "same"),
    [
        ("x86_64", "x86_64", True), ("i686", "x86_64", False), ("i586", "i686", True), ("aarch64", "x86_64", False),
        ("arm", "armv7l", True), ("riscv64", "riscv64", True),
    ],
)  # fmt: skip
def test_the_machines_own_compiler_is_reported_from_those_for_others(processor: str, machine: str, same: bool) -> None:
    """A machine with several compilers has one of its own kind."""
    assert alike(processor, machine) is same


def test_a_machine_has_a_name_that_shows_nothing(tmp_path: Path) -> None:
    """The same for ever, another one on another machine, no part of the machine-id, and none without that."""
    (tmp_path / "etc").mkdir()
    found = []
    for text in ("0123456789abcdef" * 2, "0123456789abcdef" * 2 + "\n", "f" * 32, "", "uninitialized\n", "F" * 32):
        (tmp_path / "etc/machine-id").write_text(text)
        found.append(machine_id(Files(), tmp_path))
    assert (found[0], found[3:]) == (found[1], ["", "", ""])
    assert len({*found[:3]}) == 2
    assert [re.fullmatch("[0-9a-f]{16}", each) is not None for each in found[:3]] == [True] * 3
    assert not any(each in "0123456789abcdef" * 4 for each in found[:3])
    assert machine_id(Files(), tmp_path / "none") == ""

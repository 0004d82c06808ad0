"""Tests that pages of Linux From Scratch name as known to fail, of the development book after 12.3 (spring 2025)."""

from __future__ import annotations

from typing import Final, NamedTuple


class Known(NamedTuple):
    """A test known to fail.

    Attributes:
        packages: names of the package, in lower case.
        test: its name or a pattern (`*`, `?`, `[abc]`), compared with the test's whole name, with its first word, and
            with what of that follows the last slash.
        page: the book's page.
        when: what the failure depends on; empty where the page names nothing.
    """

    packages: tuple[str, ...]
    test: str
    page: str
    when: str = ""


EXPECTED: Final = (
    Known(("acl",), "test/cp.test", "chapter08/acl.xml", "Coreutils is not built with Acl yet"),
    Known(("e2fsprogs",), "m_assume_storage_prezeroed", "chapter08/e2fsprogs.xml"),
    Known(("e2fsprogs",), "m_rootdir_acl", "chapter08/e2fsprogs.xml", "the file system is not ext4"),
    Known(("gcc",), "*/tsan/*", "chapter08/gcc.xml", "the host's kernel has many random bits in addresses"),
    Known(("glibc",), "io/tst-lchmod", "chapter08/glibc.xml", "in the chroot environment"),
    Known(("glibc",), "nss/tst-nss-files-hosts-multi", "chapter08/glibc.xml", "the machine is slow"),
    Known(("glibc",), "nptl/tst-thread-affinity*", "chapter08/glibc.xml", "the machine is slow"),
    Known(("glibc",), "elf/tst-cpu-features-cpuinfo", "chapter08/glibc.xml", "the CPU is old"),
    Known(("glibc",), "stdlib/tst-arc4random-thread", "chapter08/glibc.xml", "the host's kernel is old"),
    Known(("libelf", "elfutils"), "dwarf_srclang_check", "chapter08/libelf.xml"),
    Known(("libelf", "elfutils"), "run-backtrace-native-core.sh", "chapter08/libelf.xml"),
    Known(("openssl",), "30-test_afalg.t", "chapter08/openssl.xml", "the host's kernel lacks AF_ALG ciphers"),
    Known(
        ("procps-ng", "procps"),
        "ps with output flag bsdtime,cputime,etime,etimes",
        "chapter08/procps.xml",
        "the host's kernel lacks CONFIG_BSD_PROCESS_ACCT",
    ),
    Known(("python",), "test_ssl", "chapter08/python.xml", "in the chroot environment"),
    Known(("systemd",), "*test-namespace", "chapter08/systemd.xml", "in the chroot environment"),
    Known(("systemd",), "*test-copy", "chapter08/systemd.xml", "many jobs make the disk slow"),
    Known(("tar",), "capabilities: binary store/restore", "chapter08/tar.xml", "there is no SELinux"),
    Known(("util-linux",), "hardlink: *", "chapter08/util-linux.xml", "the host's kernel lacks hashes for user space"),
    Known(("util-linux",), "lsfd: inotify", "chapter08/util-linux.xml", "the host's kernel lacks CONFIG_NETLINK_DIAG"),
    Known(("util-linux",), "lsfd: SOURCE column", "chapter08/util-linux.xml", "in the chroot environment"),
    Known(("util-linux",), "utmp: last", "chapter08/util-linux.xml", "in the chroot environment"),
)

UNCOUNTED: Final = frozenset({"bash", "bc", "bzip2", "libcap", "lz4", "ncurses", "perl", "vim", "zlib", "zstd"})
"""Packages whose tests print no results in any form that is read: nothing counted means nothing for them."""

"""Select the file systems to watch, from /proc/self/mountinfo."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

MAX_MOUNTS: Final = 64
"""File systems shown at most: whoever may mount could make any number of series."""

# Types that hold no files of their own, that are mounted by being asked, or that are always full.
_PSEUDO: Final = frozenset(
    b"autofs bdev binder binfmt_misc bpf cgroup cgroup2 configfs cpuset debugfs devfs devpts devtmpfs dlmfs efivarfs "
    b"fuse.gvfsd-fuse fuse.lxcfs fuse.portal fusectl hugetlbfs mqueue nfsd none nsfs overlay pipefs proc pstore "
    b"resctrl rpc_pipefs securityfs selinuxfs sockfs spufs sysfs tracefs "
    b"cramfs erofs iso9660 romfs squashfs udf".split()
)

_HIDDEN: Final = (
    *(b"/dev", b"/proc", b"/sys", b"/run/credentials", b"/run/containerd", b"/run/docker", b"/run/netns"),
    *(b"/var/lib/containerd", b"/var/lib/containers", b"/var/lib/docker", b"/var/lib/kubelet"),
)

_OCTAL: Final = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system: `path` to ask the kernel with, the others to show."""

    path: bytes
    device: bytes
    fstype: bytes

    @property
    def labels(self) -> tuple[str, str, str]:
        """Mount point, device and type as text; bytes that are not UTF-8 are escaped, so that labels stay distinct."""
        point, device, fstype = (
            part.decode("utf-8", "backslashreplace") for part in (self.path, self.device, self.fstype)
        )
        return point, device, fstype


def parse_mounts(mountinfo: bytes) -> list[Mount]:
    """Return the real file systems, shortest paths first, at most `MAX_MOUNTS`.

    Of several mounted on one another only the last, visible one is returned. Lines that are not what the kernel
    writes are passed over.
    """
    found: dict[bytes, Mount | None] = {}
    for line in mountinfo.split(b"\n"):
        before, _, after = line.partition(b" - ")
        left, right = before.split(b" "), after.split(b" ")
        if len(left) > 5 and len(right) > 1:
            path = _plain(left[4])
            found[path] = Mount(path, _plain(right[1]), right[0]) if _is_real(path, right[0]) else None
    # by label: a path that spells out the bytes of another must not make a series twice
    real = {mount.labels[0]: mount for mount in found.values() if mount is not None}
    return sorted(real.values(), key=lambda mount: (len(mount.path), mount.path))[:MAX_MOUNTS]


def _is_real(path: bytes, fstype: bytes) -> bool:
    if path == b"/":
        return fstype != b"rootfs"  # in a container the root is an overlay, and all there is
    return fstype not in _PSEUDO and not any(path == hidden or path.startswith(hidden + b"/") for hidden in _HIDDEN)


def _plain(field: bytes) -> bytes:
    """Return a field with the kernel's octal escapes of space, tab, newline and backslash undone."""
    return _OCTAL.sub(lambda match: bytes((int(match[1], 8) & 255,)), field)


def is_directory(path: bytes) -> bool:
    """Return whether a mount point is a directory: containers mount single files over their own.

    Raises:
        OSError: the mount point can't be asked.
    """
    return os.stat(path).st_mode & 0o170000 == 0o040000  # noqa: PTH116 - a path of bytes, as the kernel has it

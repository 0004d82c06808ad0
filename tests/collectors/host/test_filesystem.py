"""File systems that hang, refuse, hide one another or have names no one would choose."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from build_exporter.collectors.host.filesystem import Filesystem
from build_exporter.collectors.host.load import Load
from build_exporter.collectors.host.mounts import MAX_MOUNTS, parse_mounts
from build_exporter.collectors.runners import BackgroundRunner, SamplingThread
from build_exporter.exposition import Family

SamplesOf = Callable[[Iterable[Family]], dict[str, float]]


def line(path: bytes, fstype: bytes = b"ext4", device: bytes = b"/dev/sda1") -> bytes:
    """Return a line of mountinfo."""
    return b"30 1 8:1 / " + path + b" rw shared:1 - " + fstype + b" " + device + b" rw\n"


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Return an event that lets hanging file systems go, set when the test is over."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def hanging(released: threading.Event) -> Callable[[bytes], os.statvfs_result | None]:
    """Return a statvfs over which /net/dist hangs until released, and the others answer as / does."""

    def statvfs(path: bytes) -> os.statvfs_result:
        if path == b"/net/dist":
            released.wait()
        return os.statvfs("/")

    return statvfs


def test_a_hanging_network_mount_hides_no_other_file_system(
    machine: Path,
    released: threading.Event,
    hanging: Callable[[bytes], os.statvfs_result | None],
    samples_of: SamplesOf,
) -> None:
    """With the server of one mount gone, the disk the build writes to is still watched, and the mount is reported."""
    filesystem = Filesystem(str(machine / "proc"), hanging, timeout=0.2)
    dist = 'build_host_filesystem_error{mountpoint="/net/dist",device="server:/export/dist files",fstype="nfs4"}'
    size = 'build_host_filesystem_size_bytes{mountpoint="/",device="/dev/nvme0n1p1",fstype="ext4"}'
    shown = samples_of(filesystem.collect())
    assert shown[dist] == 1
    assert shown[size] > 0
    assert not [series for series in shown if "/net/dist" in series and series != dist]

    threads = threading.active_count()
    began = time.monotonic()
    assert samples_of(filesystem.collect())[dist] == 1
    assert time.monotonic() - began < 0.2, "a mount known to hang is not waited for again"
    assert threading.active_count() <= threads, "and not asked again either"

    released.set()
    deadline = time.monotonic() + 10
    while samples_of(filesystem.collect())[dist] == 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert samples_of(filesystem.collect())[dist] == 0


def test_a_hanging_file_system_costs_the_other_collectors_nothing(
    machine: Path, hanging: Callable[[bytes], os.statvfs_result | None], samples_of: SamplesOf
) -> None:
    """However long a file system hangs, the load is there at once and the file systems shortly after."""
    slow = BackgroundRunner(Filesystem(str(machine / "proc"), hanging, timeout=0.5), interval=15)
    quick = BackgroundRunner(Load(), interval=1)
    threads = [SamplingThread(each.name, [each]) for each in (slow, quick)]
    for thread in threads:
        thread.start()
    assert quick.wait_first(5)
    assert not slow.wait_first(0), "the load was there before the file systems"
    assert slow.wait_first(10)
    assert slow.success
    assert any("/net/dist" in series for series in samples_of(slow.families()))
    for thread in threads:
        thread.stop()


def test_a_refusing_file_system_is_reported_and_a_gone_one_is_not(machine: Path, samples_of: SamplesOf) -> None:
    """A dead FUSE server shows as an error; what was unmounted meanwhile shows no more."""

    def statvfs(path: bytes) -> os.statvfs_result:
        if path == b"/":
            raise OSError(107, "Transport endpoint is not connected")
        raise FileNotFoundError(2, "gone")

    shown = samples_of(Filesystem(str(machine / "proc"), statvfs).collect())
    assert shown == {'build_host_filesystem_error{mountpoint="/",device="/dev/nvme0n1p1",fstype="ext4"}': 1}


def test_a_file_system_that_may_not_be_entered_is_reported(
    machine: Path, unprivileged: Callable[[], AbstractContextManager[None]], samples_of: SamplesOf
) -> None:
    """A mount point within another user's directory is an error of that file system and of no other."""
    closed = machine / "closed/inner"
    closed.mkdir(parents=True)
    closed.parent.chmod(0)
    (machine / "proc/self/mountinfo").write_bytes(line(os.fsencode(closed)) + line(b"/"))
    with unprivileged():
        shown = samples_of(Filesystem(str(machine / "proc")).collect())
    errors = {series.split('"')[1]: value for series, value in shown.items() if "_error{" in series}
    assert errors == {str(closed): 1, "/": 0}


def test_only_what_is_visible_and_real_is_asked() -> None:
    """Of mounts over one another the last counts, and what holds no files of its own is not shown."""
    table = line(b"/a", b"ext4", b"/dev/a") + line(b"/a", b"xfs", b"/dev/b") + line(b"/b") + line(b"/b", b"proc")
    table += line(b"/dev/shm", b"tmpfs") + line(b"/devices") + line(b"/var/lib/docker") + line(b"/", b"overlay")
    found = [(mount.path, mount.fstype) for mount in parse_mounts(table)]
    assert found == [(b"/", b"overlay"), (b"/a", b"xfs"), (b"/devices", b"ext4")]


def test_names_that_are_no_utf8_stay_apart() -> None:
    """Two mount points that differ in undecodable bytes are two series, and one that imitates them none of theirs."""
    mounts = parse_mounts(line(b"/x\xff") + line(b"/x\xfe") + line(rb"/x\134xff"))
    assert len(mounts) == 2
    assert {mount.labels[0] for mount in mounts} == {r"/x\xff", r"/x\xfe"}


def test_the_number_of_file_systems_is_bounded() -> None:
    """Whoever may mount can't flood Prometheus; the shortest paths, which matter most, are kept."""
    table = (
        b"".join(line(b"/run/user/1000/mount%d" % number) for number in range(1000)) + line(b"/") + line(b"/mnt/lfs")
    )
    mounts = parse_mounts(table)
    assert len(mounts) == MAX_MOUNTS
    assert [mount.path for mount in mounts[:2]] == [b"/", b"/mnt/lfs"]


def test_the_kernel_and_the_collector_agree_on_odd_names(tmp_path: Path) -> None:
    """A real mount point with spaces, newlines, a backslash and umlauts is found and its size shown."""
    inside = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3"'
    program = (
        "from build_exporter.collectors.host.filesystem import Filesystem\n"
        "from build_exporter.exposition import TEXT, render\n"
        "import sys; sys.stdout.buffer.write(render(Filesystem().collect(), TEXT))"
    )
    point = tmp_path / 'my disk\nnew\\line "größe"'
    point.mkdir()
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("making a mount for a test takes root and unshare")
    done = subprocess.run(
        [unshare, "--mount", "sh", "-c", inside, "sh", str(point), sys.executable, program],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"no mounts of one's own here, as in a chroot: {done.stderr}")
    escaped = str(point).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    expected = f'build_host_filesystem_size_bytes{{mountpoint="{escaped}",device="none",fstype="tmpfs"}} 1048576'
    assert expected in done.stdout.splitlines(), done.stdout + done.stderr

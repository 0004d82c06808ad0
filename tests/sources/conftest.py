"""Small records of every kind, as pieces in the order in which a build writes them."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import pytest
from journals import runs_of

from build_exporter.sources.attach import Attachment
from build_exporter.sources.protocol import Source
from build_exporter.tracker import Run

BEGIN: Final = 1_780_000_000.0
WORK: Final = "root/work"
"""Where the BLFS tools of jhalfs work."""
HONG_KONG: Final = timezone(timedelta(hours=8), "HKT")


class Follower:
    """A journal and the source attached to it, looked at by hand; `make` returns a new source."""

    def __init__(self, make: Callable[[], Source], journal: Path) -> None:
        self.journal = journal
        self._make = make
        self.restart()

    def restart(self) -> None:
        """Begin again on the same journal."""
        self.source = self._make()
        self.attachment = Attachment(self.source, str(self.journal))

    def poll(self, now: float | None = None, *, over: bool = False) -> int:
        """Look once; return how many lines were reported."""
        return self.attachment.poll(time.time() if now is None else now, over=over)

    def runs(self) -> list[Run]:
        """Return the runs the journal holds, oldest first."""
        return runs_of(self.journal)

    @property
    def newest(self) -> Run:
        """The newest run."""
        return self.runs()[-1]


@pytest.fixture(scope="session")
def follower() -> Callable[[Callable[[], Source], Path], Follower]:
    """Attach what makes a source to a journal."""
    return Follower


@dataclass(frozen=True, slots=True)
class Piece:
    """What a build appends to a file at a moment, in Unix seconds; nothing makes an empty file."""

    time: float
    name: str
    data: bytes = b""


@dataclass(frozen=True)
class Record:
    """A record and how it comes to be.

    Attributes:
        name: of the record, its kind first.
        kind: as `serve --watch` calls it.
        pieces: in the order of time.
        watch: what is watched, below the directory it is written into.
        victim: file or directory without which it can't be read.
        text: file that grows by lines.
        part: file that is read beside others when it has changed, where the record is of many.
        keeps_times: the times of the files mean something, and are those of the pieces.
        is_dated: every event's time is in the record; else steps are timed as they are watched.
        reports_end: that the last run is over is in the record.
    """

    name: str
    kind: str
    pieces: list[Piece]
    watch: str = "."
    victim: str = ""
    text: str = ""
    part: str = ""
    keeps_times: bool = False
    is_dated: bool = True
    reports_end: bool = True
    options: dict[str, object] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file by which its kind is known."""
        return self.text or self.victim


class Writing:
    """Pieces as they come. `clock` is Unix seconds."""

    def __init__(self, clock: float = BEGIN) -> None:
        self.pieces: list[Piece] = []
        self.clock = clock

    def add(self, name: str, text: str = "", after: float = 0.0) -> None:
        """Append text to a file, so many seconds later."""
        self.clock += after
        self.pieces.append(Piece(self.clock, name, text.encode()))


def cut(name: str, data: bytes, date: re.Pattern[bytes] | None, count: int) -> list[Piece]:
    """Return a log in pieces that end anywhere, within a line or between two; dated by the last date in each."""
    cuts = sorted(random.Random(7).sample(range(1, len(data)), min(count, len(data) // 2)))
    pieces: list[Piece] = []
    clock = BEGIN
    for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        dates = date.findall(data[begin:end]) if date is not None else []
        clock = max(clock if pieces else 0.0, float(dates[-1])) if dates else clock + 1
        pieces.append(Piece(clock, name, data[begin:end]))
    return pieces


def date_line(clock: float, zone: timezone = UTC) -> str:
    """Return what `date` prints."""
    return datetime.fromtimestamp(clock, zone).strftime("%a %b %e %H:%M:%S %Z %Y\n")


JHALFS_STEPS: Final = (
    # part, chapter, target, version, seconds
    ("SETUP", "04", "401-creatingdirs", "", 3),
    ("LUSER", "04", "402-environment", "", 2),
    ("LUSER", "05", "501-linker", "2.42", 60),
    ("LUSER", "06", "601-c++", "14.2.0", 125),
    ("CHROOT", "07", "701-entering", "", 1),
    ("CHROOT", "08", "801-Shell", "5.3-rc1", 31),
    ("CHROOT", "08", "802-library", "1.0", 44),
    ("BOOT", "09", "901-clock", "", 1),
    ("BOOT", "10", "1001-fstab", "", 2),
    ("CUSTOM_TOOLS", "", "Cus-001-editor", "", 9),
)


def jhalfs_makefile(book: str = "12.4") -> str:
    """Return a Makefile of the form that jhalfs writes."""
    parts = dict.fromkeys(part for part, *_ in JHALFS_STEPS)
    lines = [
        "# This file is automatically generated by jhalfs\n# Generated on 2026-05-28 20:26:00 UTC\nMOUNT_PT = /mnt/lfs",
        f"all:\tck_UID {' '.join(f'mk_{part}' for part in parts)}\n\t@echo {book} > lfs-release && \\",
        "CHROOT:       SHELL=$(filter %bash,$(CHROOT1))",
        *(f"{part}:        {' '.join(step[2] for step in JHALFS_STEPS if step[0] == part)}" for part in parts),
    ]
    before = ""
    for _, chapter, target, version, _ in JHALFS_STEPS:
        folder, log = f"chapter{chapter}" if chapter else "custom-tools", f"$@-{version}" if version else "$@"
        lines.append(f'{target}:  {before}\n\t@echo "`date`" >logs/{log}')
        lines.append(f"\t@$(CMDSDIR)/{folder}/$@ >> $(LOGDIR)/{log} 2>&1\n\t@touch $@")
        before = target
    return "\n".join(lines) + "\n"


def written_jhalfs(book: str = "12.4") -> Record:
    """Ten steps, from chapter 8 on with the new system's time zone."""
    made = Writing()
    made.add("jhalfs/Makefile", jhalfs_makefile(book))
    made.add("jhalfs/jhalfs.config", "N_PARALLEL   <3>\nINITSYS   <sysv>\n")
    made.clock += 60
    for part, chapter, target, version, seconds in JHALFS_STEPS:
        made.clock = float(int(made.clock) + 1)
        log = f"jhalfs/logs/{target}-{version}" if version else f"jhalfs/logs/{target}"
        zone = HONG_KONG if part in {"CHROOT", "BOOT", "CUSTOM_TOOLS"} else UTC
        made.add(log, f"{date_line(made.clock, zone)}KB: 1000000\t/mnt/lfs/\n")
        made.add(log, "checking for gcc... y", seconds / 2)
        if chapter in {"", "04"}:
            made.add(log, "es\n", seconds / 2)
        else:
            made.add(log, f"es\n\nTotalseconds: {seconds}\n\nKB: 1500000\t/mnt/lfs/\n", seconds / 2)
        made.add(f"jhalfs/{target}", after=0.25)
    part = "jhalfs/logs/601-c++-14.2.0"
    return Record("jhalfs", "jhalfs", made.pieces, "jhalfs", victim="jhalfs/Makefile", part=part, keeps_times=True)


def written_blfs() -> Record:
    """Four packages."""
    made = Writing()
    targets = ["001-z-first", "002-z-Second", "003-y-lib++", "004-z-last"]
    rules = "".join(
        f"{t}:  {b}\n\t@../scripts/$@ >logs/$@ 2>&1\n\t@touch $@\n\n"
        for t, b in zip(targets, ["", *targets], strict=False)
    )
    for number, target in enumerate(targets):
        made.add(f"root/scripts/{target}", f'export MAKEFLAGS="-j3"\nPACKAGE={target[6:]}-1.{number}.tar.xz\n')
    head = "# This file is automatically generated by gen-makefile.sh\n"
    made.add(f"{WORK}/Makefile", f"{head}all :  {' '.join(targets)} update\n\n{rules}")
    for number, target in enumerate(targets):
        made.add(f"{WORK}/logs/{target}", "building\n", 0.5)
        made.add(f"{WORK}/logs/{target}", "still\n", 20 + number)
        made.add(f"{WORK}/{target}", after=0.25)
    return Record("blfs", "blfs", made.pieces, WORK, victim=f"{WORK}/Makefile", keeps_times=True)


def written_portage() -> Record:
    """Three emerges: one with a failure, its resumption, one of two packages at once."""
    made = Writing()

    def add(text: str, after: float = 0.0) -> None:
        space = "" if text.startswith("Started") else " "
        made.clock += after
        made.add("emerge.log", f"{int(made.clock)}: {space}{text}\n")

    def started(arguments: str) -> None:
        add("Started emerge on: sty 02, 2026 00:00:00", 500)
        add(f"*** emerge {arguments}")

    def begin(number: int, total: int, name: str) -> None:
        add(f">>> emerge ({number} of {total}) {name} to /", 1)
        add(f"=== ({number} of {total}) Cleaning ({name}::/var/db/repos/x/{name}.ebuild)")
        add(f"=== ({number} of {total}) Compiling/Merging ({name}::/var/db/repos/x/{name}.ebuild)")

    def completed(number: int, total: int, name: str, after: float) -> None:
        add(f"=== ({number} of {total}) Merging ({name}::/var/db/repos/x/{name}.ebuild)", after)
        add(f"::: completed emerge ({number} of {total}) {name} to /", 2)

    started("--verbose @world")
    begin(1, 3, "app-misc/a-1")
    completed(1, 3, "app-misc/a-1", 30)
    begin(2, 3, "app-misc/b-2.0-r1")
    add("*** exiting unsuccessfully with status '1'.", 15)
    add("*** terminating.")
    started("--resume")
    add("*** Resuming merge...")
    begin(1, 2, "app-misc/b-2.0-r1")
    completed(1, 2, "app-misc/b-2.0-r1", 25)
    begin(2, 2, "app-misc/c-3")
    completed(2, 2, "app-misc/c-3", 40)
    add("*** exiting successfully.")
    add("*** terminating.")
    started("--jobs=2 a b")
    begin(1, 2, "app-misc/a-2")
    begin(2, 2, "app-misc/b-3")
    completed(2, 2, "app-misc/b-3", 20)
    completed(1, 2, "app-misc/a-2", 35)
    add("*** exiting successfully.")
    add("*** terminating.")
    return Record("portage", "portage", made.pieces, "emerge.log", text="emerge.log")


def written_buildroot() -> Record:
    """Two runs; in the first a step is begun again."""
    made = Writing()

    def add(what: str, step: str, package: str, after: float) -> None:
        made.clock += after
        line = f"{made.clock:.9f}:{what:<5.5}:{step:<20.20}: {package}\n"
        made.add("output/build/build-time.log", line[:30])
        made.add("output/build/build-time.log", line[30:])

    for run, packages in enumerate((("host-skeleton", "busybox", "linux"), ("busybox", "rootfs"))):
        made.clock += 5000 * run
        for package in packages:
            for step in ("extract", "configure", "build", "install-target"):
                add("start", step, package, 0.5)
                if (run, package, step) == (0, "busybox", "build"):
                    add("start", step, package, 60)
                add("end", step, package, 7.25)
    name = "output/build/build-time.log"
    return Record("buildroot", "buildroot", made.pieces, "output", victim=name, text=name)


class BitBakeWriting(Writing):
    """A build directory as BitBake fills it."""

    def __init__(self, *, stats: bool, console: bool) -> None:
        super().__init__()
        self._has = {"stats": stats, "console": console}
        stamp = datetime.fromtimestamp(BEGIN, UTC).strftime("%Y%m%d%H%M%S")
        self.stats, self.log = f"build/tmp/buildstats/{stamp}", f"build/tmp/log/cooker/qemuarm/{stamp}.log"
        self.say("NOTE: Executing Tasks")
        self.stat("build_stats", f"Host Info: Linux test \nBuild Started: {self.clock:.2f} \n")

    def stat(self, name: str, text: str) -> None:
        """Append to a file of the buildstats."""
        if self._has["stats"]:
            self.add(f"{self.stats}/{name}", text)

    def say(self, *lines: str) -> None:
        """Append to the console log."""
        if self._has["console"]:
            self.add(self.log, "".join(f"{line}\n" for line in lines))

    def task(self, recipe: str, task: str, seconds: float, status: str = "PASSED") -> None:
        """A whole task."""
        self.clock += 0.25
        self.stat(f"{recipe}/{task}", f"Event: TaskStarted \nStarted: {self.clock:.2f} \n")
        self.say(f"NOTE: recipe {recipe}: task {task}: Started")
        self.clock += seconds
        if status == "FAILED":
            self.say(f"ERROR: {recipe} {task}: oe_runmake failed", "ERROR: Logfile of failure stored in: /t/log.1")
            self.say("| x.c:3:1: error: no such thing")
        self.stat(
            f"{recipe}/{task}",
            f"{recipe}: {task}\nElapsed time: {seconds:.2f} seconds\nIO read_bytes: 4096\nIO write_bytes: 8192\n"
            "rusage ru_utime: 0.5\nrusage ru_stime: 0.25\nrusage ru_maxrss: 1000\nChild rusage ru_utime: 2.5\n"
            f"Child rusage ru_stime: 0.25\nChild rusage ru_maxrss: 3000\nStatus: {status} \nEnded: {self.clock:.2f} \n",
        )
        self.say(f"NOTE: recipe {recipe}: task {task}: {'Succeeded' if status == 'PASSED' else 'Failed'}")


def written_bitbake(name: str, *, stats: bool, console: bool) -> Record:
    """Sixteen tasks, one of which fails."""
    made = BitBakeWriting(stats=stats, console=console)
    number = 0
    for recipe in ("zlib-1.3.1-r0", "glib-2.0-native-1_2.78.4-r0", "busybox-1.36.1-r0", "gcc-13.2.0-r0"):
        for task, seconds in (("do_fetch", 2.0), ("do_configure", 5.5), ("do_compile", 31.0), ("do_install", 3.0)):
            number += 1
            made.say(f"NOTE: Running task {number} of 16 (/x/{recipe}.bb:{task})")
            is_bad = (recipe, task) == ("gcc-13.2.0-r0", "do_install")
            made.task(recipe, task, seconds, "FAILED" if is_bad else "PASSED")
    made.clock += 1
    elapsed = made.clock - BEGIN
    made.stat("build_stats", f"Failed at: gcc-13.2.0-r0 at task: do_install \nElapsed time: {elapsed:.2f} seconds \n")
    made.say("NOTE: Tasks Summary: Attempted 16 tasks of which 0 didn't need to be rerun and 1 failed.")
    watch, victim = ("build", "build/tmp/buildstats") if stats else (made.log, made.log)
    part = f"{made.stats}/busybox-1.36.1-r0/do_fetch" if stats else ""
    text = made.log if console else ""
    return Record(name, "bitbake", made.pieces, watch, victim, text, part, is_dated=stats)


def written_ninja() -> Record:
    """Two runs of ninja."""
    made = Writing()
    made.add("project/.ninja_log", "# ninja log v6\n")
    for run, count in ((0, 40), (1, 12)):
        began = BEGIN + 1000 * run
        for number in range(count):
            start, end = number * 500, number * 500 + 1750
            made.clock = began + end / 1e3
            moment = int((began + start / 1e3) * 1e9)
            made.add("project/.ninja_log", f"{start}\t{end}\t{moment}\tout {run}/{number}.o\t{number:x}\n")
    name = "project/.ninja_log"
    return Record("ninja", "ninja", made.pieces, "project", victim=name, text=name)


def written_log(name: str, *, dated: bool) -> Record:
    """Six steps; one fails and is tried again."""
    made = Writing()

    def say(words: str, after: float) -> None:
        made.clock += after
        date = datetime.fromtimestamp(made.clock, UTC).strftime("%Y-%m-%d %H:%M:%SZ ") if dated else ""
        line = f"{date}{words}\n"
        made.add(f"{name}.txt", line[:8])
        made.add(f"{name}.txt", line[8:])

    for number in range(6):
        say(f"STARTED chapter-{number // 3}/step-{number}", 1)
        say("gcc -c x.c", 5)
        if number == 2:
            say("x.c:1:2: error: no such thing", 1)
            say(f"FAILED chapter-{number // 3}/step-{number}", 1)
            say(f"STARTED chapter-{number // 3}/step-{number}", 100)
        say(f"COMPLETED chapter-{number // 3}/step-{number}", 30)
    return Record(name, "log", made.pieces, f"{name}.txt", text=f"{name}.txt", is_dated=dated, reports_end=False)


MADE: Final[dict[str, Callable[[], Record]]] = {
    "jhalfs": written_jhalfs, "blfs": written_blfs, "portage": written_portage, "buildroot": written_buildroot,
    "bitbake": lambda: written_bitbake("bitbake", stats=True, console=True),
    "buildstats": lambda: written_bitbake("buildstats", stats=True, console=False),
    "console": lambda: written_bitbake("console", stats=False, console=True), "ninja": written_ninja,
    "log": lambda: written_log("log", dated=True), "undated-log": lambda: written_log("undated-log", dated=False),
}  # fmt: skip


@pytest.fixture(scope="session")
def made_records() -> dict[str, Record]:
    """Every record made up here, by name."""
    return {name: make() for name, make in MADE.items()}


@pytest.fixture
def second_tree() -> Record:
    """Another tree of jhalfs."""
    return replace(written_jhalfs("12.4-systemd"), name="second")

"""Files to verify, real lists of them made by the programs that people use, and plans that name them."""

from __future__ import annotations

import hashlib
import json
import lzma
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from build_exporter.checksums.background import BackgroundVerifier
from build_exporter.model.events import Plan
from build_exporter.sources.attach import read_run
from build_exporter.sources.event_lines import lines_of
from build_exporter.tracker import Run

RUN = "20260102T030405Z"


def content(name: str, size: int) -> bytes:
    """Return bytes that look like nothing, the same for a name each time; those of `*.xz` are a real stream."""
    data = random.Random(name).randbytes(size)
    return lzma.compress(data) if name.endswith(".xz") else data


@pytest.fixture
def tarballs(tmp_path: Path) -> Path:
    """A directory of sources: three packages and a patch, the smallest a few bytes, the largest 3 MB."""
    directory = tmp_path / "sources"
    directory.mkdir()
    for name, size in {"gcc-1.tar.xz": 900_000, "linux-2.tar.gz": 3_000_000, "bash-3.tar.gz": 1, "x.patch": 70}.items():
        (directory / name).write_bytes(content(name, size))
    return directory


@pytest.fixture
def sources(tarballs: Path) -> Callable[..., list[dict[str, Any]]]:
    """Return a plan's entries for files, by their current content."""

    def said(*names: str, algorithm: str = "md5") -> list[dict[str, Any]]:
        found = []
        for name in names:
            path = tarballs / name
            data = path.read_bytes() if path.is_file() else name.encode()
            found.append({"file": name, "digests": [f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"]})
        return found

    return said


class Watched:
    """A build whose plan names files, and their checks, one poll at a time."""

    def __init__(self, journal: Path, tarballs: Path, steps: dict[str, list[dict[str, Any]]], **options: Any) -> None:
        self.path = journal / "lfs" / f"{RUN}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        planned = [{"phase": "chapter-8", "step": step, "sources": files} for step, files in steps.items()]
        plan = {"time": time.time(), "build": "lfs", "steps": planned, "tarballs": str(tarballs)}
        with self.path.open("ab") as file:
            file.writelines(lines_of(msgspec.convert(plan, Plan)))
        self.now = time.time()
        options.setdefault("quiet_seconds", 0.0)
        self.checks = BackgroundVerifier(str(journal), lambda: [self.run], lambda: self.now, **options)

    @property
    def run(self) -> Run:
        """The run as the journal shows it."""
        return read_run(str(self.path), "lfs", RUN)

    def add(self, event: str, **fields: object) -> None:
        """Append an event."""
        with self.path.open("a") as file:
            file.write(json.dumps({"time": time.time(), "event": event, "build": "lfs", **fields}) + "\n")

    def reports(self) -> list[dict[str, Any]]:
        """Return the recorded states of files, oldest first."""
        events = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [event for event in events if event["event"] == "sources_verified"]

    def bad(self) -> dict[str, str]:
        """Return the state of each file that the newest event calls bad."""
        return {each["file"]: each["state"] for each in self.reports()[-1].get("bad", [])} if self.reports() else {}

    def settle(self, seconds: float = 60.0) -> None:
        """Look until every file has been judged."""
        end = time.monotonic() + seconds
        self.now = time.time()
        while not self.checks.poll():
            assert time.monotonic() < end, "files are still being read"
            time.sleep(0.02)
            self.now = time.time()


@pytest.fixture
def watch(journal: Path, tarballs: Path, request: pytest.FixtureRequest) -> Callable[..., Watched]:
    """Begin to check the files of a build's steps."""

    def begin(steps: dict[str, list[dict[str, Any]]], directory: Path | None = None, **options: Any) -> Watched:
        watched = Watched(journal, directory or tarballs, steps, **options)
        request.addfinalizer(watched.checks.close)
        return watched

    return begin


SECTION = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE sect1 PUBLIC "-//OASIS//DTD DocBook XML V4.5//EN" "docbookx.dtd" [
  <!ENTITY % general-entities SYSTEM "../general.ent"> %general-entities; ]>
<sect1 id="ch-{name}"><?dbhtml filename="{name}.html"?>
  <sect1info><productname>{name}</productname><address>&{name}-url;</address></sect1info>
  <screen><userinput>{commands}</userinput></screen></sect1>
"""
CHAPTER = '<chapter><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{}.xml"/></chapter>'


@pytest.fixture
def book(tmp_path: Path, sources: Callable[..., list[dict[str, Any]]]) -> Path:
    """An LFS book of two steps: gcc, which also takes the patch and unpacks bash's tarball, and linux."""
    directory = tmp_path / "lfs-git"
    names = {"gcc": "gcc-1.tar.xz", "linux": "linux-2.tar.gz", "bash": "bash-3.tar.gz"}
    lines = ['<!ENTITY mirror "https://example.org/pub">', '<!ENTITY patches-root "&mirror;/patches/">']
    for name, file in names.items():
        (said,) = sources(file)
        lines.append(f'<!ENTITY {name}-url "&mirror;/{name}/{file}">')
        lines.append(f'<!ENTITY {name}-md5 "{said["digests"][0][4:]}">')
    lines.append('<!ENTITY linux-size "2,930 KB">')
    (patch,) = sources("x.patch")
    lines += ['<!ENTITY x-patch "x.patch">', f'<!ENTITY x-patch-md5 "{patch["digests"][0][4:]}">']
    commands = "patch -Np1 -i ../&x-patch;\ntar -xf ../bash-3.tar.gz"
    texts = {
        "general.ent": "\n".join(lines),
        "chapter08/chapter08.xml": CHAPTER.format("gcc"),
        "chapter08/gcc.xml": SECTION.format(name="gcc", commands=commands),
        "chapter10/chapter10.xml": CHAPTER.format("linux"),
        "chapter10/linux.xml": SECTION.format(name="linux", commands="make"),
    }
    for name, text in texts.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


@pytest.fixture
def jhalfs_tree(tarballs: Path, sources: Callable[..., list[dict[str, Any]]]) -> Path:
    """What jhalfs prepares beside the sources: a Makefile, the steps' scripts, and the list it downloaded by."""
    tree = tarballs.parent / "jhalfs"
    (tree / "lfs-commands" / "chapter08").mkdir(parents=True)
    (tree / "logs").mkdir()
    steps = {"801-gcc": "gcc-1.tar.xz", "802-linux": "linux-2.tar.gz"}
    rules = [f"{step}:\n\t@echo >logs/$@-1\n\t$(CMDSDIR)/chapter08/$@ >>$(LOGDIR)/$@-1 2>&1\n" for step in steps]
    head = "# This file is automatically generated by jhalfs\nall: mk_CHROOT\nCHROOT: " + " ".join(steps)
    (tree / "Makefile").write_text(head + "\n\n" + "\n".join(rules))
    for step, file in steps.items():
        text = f"#!/bin/bash\nPACKAGE={file}\ntar -xf $PACKAGE\n" + (
            "patch -Np1 -i ../x.patch\n" if "gcc" in step else ""
        )
        (tree / "lfs-commands" / "chapter08" / step).write_text(text)
    listed = [each for name in ("gcc-1.tar.xz", "linux-2.tar.gz", "x.patch") for each in sources(name)]
    lines = [
        f"https://a.example/{each['file']} https://b.example/{each['file']} {each['digests'][0][4:]}" for each in listed
    ]
    (tarballs / "urls.lst").write_text("\n".join(lines) + "\n")
    return tree

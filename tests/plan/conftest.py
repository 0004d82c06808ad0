"""A tiny book of our own, in the form of the LFS book: chapters, sections, entities, both revisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE {kind} PUBLIC "-//OASIS//DTD DocBook XML V4.5//EN"
  "http://www.oasis-open.org/docbook/xml/4.5/docbookx.dtd" [
  <!ENTITY % general-entities SYSTEM "../general.ent">
  %general-entities;
]>
"""

GENERAL = """<!ENTITY % release "IGNORE">
<!ENTITY % number "9.1">
<!ENTITY % written-by-make SYSTEM "version.ent">
%written-by-make;
<![ %release; [
<!ENTITY flavour "released"> <![ INCLUDE [ <!ENTITY inner "x"> ]]> ]]>
<![ %sysv; [ <!ENTITY flavour "classic"> ]]>
<![ %systemd; [ <!ENTITY flavour "modern"> ]]>
<!ENTITY book-number "%number;-&flavour;">
<!-- <!ENTITY linker-version "0"> -->
<!ENTITY % packages SYSTEM "packages.ent">
%packages;
<!ENTITY linker-version "1">
"""

PACKAGES = """<!ENTITY linker-major "2.4">
<!ENTITY linker-version "&linker-major;4">
<!ENTITY linker-sbu '1 SBU'>
<!ENTITY linker-du "640 MB">
<!ENTITY shell-version "5.3-rc1">
<!ENTITY shell-tests "0.5">
<!ENTITY shell-sbu "less than 0.1 SBU (about &shell-tests; SBU with tests)">
<!ENTITY shell-du "1.5 GB">
<!ENTITY kernel-sbu "0.4 - 32 SBU (typically about 2.5 SBU)">
<!ENTITY kernel-du "1.7 - 14 GB (typically about 2.3 GB)">
<!ENTITY service-version "&book-number;">
"""


def page(
    name: str, package: str = "", screens: str = "<screen><userinput>make</userinput></screen>", more: str = ""
) -> str:
    """Return a section's file."""
    information = times = ""
    if package:
        information = f"""<sect1info><productname>{package}</productname>
  <productnumber>&{package}-version;</productnumber></sect1info>"""
        times = f"""<segmentedlist><segtitle>&buildtime;</segtitle><segtitle>&diskspace;</segtitle>
  <seglistitem><seg>&{package}-sbu;</seg><seg>&{package}-du; </seg></seglistitem></segmentedlist>"""
    return f"""{HEAD.format(kind="sect1")}
<sect1 id="ch-{name}" {more}>
  <?dbhtml filename="{name}.html"?>
  {information}
  <title>A &nbsp; page</title>
  <xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="none.xml" xpointer="xpointer(/sect1/para[1])"/>
  {times}
  {screens}
</sect1>
"""


def chapter(*files: str) -> str:
    """Return a chapter's file."""
    each = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{}"/>'
    gone = "<!-- " + each.format("taken-out.xml") + " -->\n"
    return HEAD.format(kind="chapter") + f"<chapter>\n{gone}" + "\n".join(map(each.format, files)) + "</chapter>\n"


ENTER = '<screen role="nodump"><userinput>chroot /mnt</userinput></screen>'
READ = "<screen><computeroutput>nothing to do</computeroutput></screen>"

FILES = {
    "general.ent": GENERAL,
    "packages.ent": PACKAGES,
    "chapter05/chapter05.xml": chapter("about.xml", "linker.xml"),
    "chapter05/about.xml": page("about", screens=READ),
    "chapter05/linker.xml": page("linker-pass1", "linker"),
    "chapter06/chapter06.xml": chapter("shell.xml"),
    "chapter06/shell.xml": page("Shell", "shell"),
    "chapter07/chapter07.xml": chapter("owner.xml", "chroot.xml", "directories.xml"),
    "chapter07/owner.xml": page("owner"),
    "chapter07/chroot.xml": page("chroot", screens=ENTER),
    "chapter07/directories.xml": page("directories"),
    "chapter08/chapter08.xml": chapter("linker.xml", "service.xml", "init.xml", "shell.xml"),
    "chapter08/linker.xml": page("linker", "linker"),
    "chapter08/service.xml": page("service", "service", more='revision="systemd"'),
    "chapter08/init.xml": page("init", more='revision="sysv"'),
    "chapter08/shell.xml": page("Shell", "shell"),
    "chapter10/chapter10.xml": chapter("kernel.xml"),
    "chapter10/kernel.xml": page("kernel", "kernel"),
}


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., Path]:
    """Write the tiny book, with other content for the files named, and return its directory."""

    def write(changed: dict[str, str] | None = None) -> Path:
        directory = tmp_path / "book"
        for name, text in (FILES | (changed or {})).items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return directory

    return write


@pytest.fixture(scope="session")
def make_page() -> Callable[..., str]:
    """Return the text of a section's file."""
    return page


@pytest.fixture(scope="session")
def make_chapter() -> Callable[..., str]:
    """Return the text of a chapter's file that includes these."""
    return chapter

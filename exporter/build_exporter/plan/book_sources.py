"""The source files of the books' sections: names, sizes and MD5 from the books' entities.

    <!ENTITY foo-size "12,345 KB">
    <!ENTITY foo-url "&gnu;foo/foo-&foo-version;.tar.xz">
    <!ENTITY foo-md5 "0123456789abcdef0123456789abcdef">

A patch is declared as `NAME-patch` with `NAME-patch-md5`, its file's name being the entity itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from xml.etree import ElementTree as ET

import msgspec
from msgspec.json import encode

from build_exporter.checksums.checksum_files import file_of_url
from build_exporter.checksums.digests import digest_text
from build_exporter.model.events import SourceFile
from build_exporter.model.names import MAX_NAME_LENGTH
from build_exporter.plan.book_entities import Entities
from build_exporter.plan.book_figures import parse_size
from build_exporter.plan.book_xml import Document

MAX_SOURCES: Final = 50
"""Most files of a step."""

MAX_SOURCES_BYTES: Final = 48 * 1024
"""Room for a step's files: the step must fit into one line of the journal."""

MAX_URL: Final = 1_000
_WORD: Final = re.compile(r"[\w.+~@%-]{3,}")
_REQUIRED_PATCH: Final = re.compile(
    r"""Required\s+patch:?\s*<ulink\s+url\s*=\s*["']([^"']{1,500}\.patch)["']""", re.IGNORECASE
)
_PLAIN: Final = re.compile(r"[^\s&/]+\Z")


def declared_sources(entities: Entities) -> dict[str, SourceFile]:
    """Return the files that the LFS book's entities declare with an MD5, by name.

    Raises:
        BookError: an entity expands beyond bounds.
    """
    found: dict[str, SourceFile] = {}
    for entity in [name for name in entities.values if name.endswith("-md5")]:
        stem = entity.removesuffix("-md5")
        url = entities.expand(entities.values.get(f"{stem}-url", ""))
        name = file_of_url(url)
        if name is None and stem in entities.values:
            name = entities.expand(entities.values[stem])
            url = entities.expand(f"&patches-root;{name}")
        if name is not None and len(name) <= MAX_NAME_LENGTH and _PLAIN.match(name):
            size = entities.expand(entities.values.get(f"{stem}-size", ""))
            found.setdefault(name, source_file(name, url, entities.expand(entities.values[entity]), size))
    return found


def source_file(name: str, url: str, md5: str, size: str) -> SourceFile:
    """Return a file as a book declares it; invalid MD5, size or URL, as in a development book, are left out."""
    digest = digest_text("md5", md5.strip())
    figure = parse_size(size.replace(",", ""))
    return SourceFile(
        file=name,
        digests=(digest,) if digest else (),
        about_bytes=None if figure is None else round(figure.low),
        url=url if "://" in url and "&" not in url and len(url) <= MAX_URL else None,
    )


def fitting(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Return a step's files, as many as a line of the journal has room for; addresses go before files do."""
    found = list(files)[:MAX_SOURCES]
    if len(encode(found)) > MAX_SOURCES_BYTES:
        found = [msgspec.structs.replace(each, url=None) for each in found]
    while len(encode(found)) > MAX_SOURCES_BYTES:
        found.pop()
    return found


def section_sources(document: Document, section: ET.Element, declared: Mapping[str, SourceFile]) -> list[SourceFile]:
    """Return the files of a section of the LFS book: its package, and those that its commands name.

    Raises:
        BookError: an entity expands beyond bounds.
    """
    found: dict[str, SourceFile] = {}
    for address in section.findall("sect1info/address"):
        url = document.expanded("".join(address.itertext()))
        name = file_of_url(url)
        if name is not None and _PLAIN.match(name):
            found[name] = declared.get(name) or source_file(name, url, "", "")
    texts = (document.expanded("".join(each.itertext())) for each in section.findall(".//screen/userinput"))
    for name in named_in(texts, declared):
        found.setdefault(name, declared[name])
    return fitting(found.values())


def named_in(texts: Iterable[str], known: Mapping[str, SourceFile]) -> Iterator[str]:
    """Yield the names of files that commands name, of those known."""
    for text in texts:
        # a file is named as the end of a path, or at the end of a sentence in a comment
        for word in _WORD.findall(text):
            if word in known:
                yield word
            elif word.rstrip(".") in known:
                yield word.rstrip(".")


def page_sources(entities: Entities, name: str, text: str) -> list[SourceFile]:
    """Return the files of a page of the BLFS book: the package, and the patches it needs, which have no MD5.

        <!ENTITY foo-download-http "https://example.org/foo-&foo-version;.tar.gz">
        <!ENTITY foo-md5sum        "0123456789abcdef0123456789abcdef">
        <!ENTITY foo-size          "4.8 MB">
        … Required patch: <ulink url="&patch-root;/foo-&foo-version;-fixes-1.patch"/>

    Raises:
        BookError: an entity expands beyond bounds.
    """
    found: dict[str, SourceFile] = {}
    addresses = (entities.expand(entities.values.get(f"{name}-download-{way}", "")) for way in ("http", "ftp"))
    url = next((address for address in addresses if "://" in address), "")
    file = file_of_url(url)
    if file is not None and _PLAIN.match(file):
        md5, size = (entities.expand(entities.values.get(f"{name}-{kind}", "")) for kind in ("md5sum", "size"))
        found[file] = source_file(file, url, md5, size)
    for link in _REQUIRED_PATCH.findall(text):
        url = entities.expand(link)
        file = file_of_url(url)
        if file is not None and _PLAIN.match(file):
            found.setdefault(file, source_file(file, url, "", ""))
    return fitting(found.values())

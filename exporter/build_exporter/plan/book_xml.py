"""Parse a book's XML files safely: without comments, DOCTYPE, or anything for the parser to open or expand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from build_exporter.plan.book_entities import BookError, Entities, inside, read_text

MAX_INCLUDES: Final = 5_000
MAX_DEPTH: Final = 16
"""Deepest nesting of files that include each other."""

MAX_NESTING: Final = 100
"""Deepest nesting of elements; the real books have some 20."""

_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DOCTYPE: Final = re.compile(
    r"""<!DOCTYPE\s[^\["'>]*(?:"[^"]*"[^\["'>]*|'[^']*'[^\["'>]*)*
        (?:\[(?P<subset>(?:[^\]"']|"[^"]*"|'[^']*'|\](?!\s*>))*)\]\s*)?>""",
    re.VERBOSE,
)
_REFERENCE: Final = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;|#)([A-Za-z_:][\w.:-]*);")
_HELD: Final = re.compile("\ue000([^\ue000\ue001]*)\ue001")
_DBHTML: Final = re.compile(r"""dbhtml\b[^?]*\bfilename\s*=\s*["']([^"']+)["']""")
INCLUDE: Final = "{http://www.w3.org/2001/XInclude}include"


@dataclass(frozen=True, slots=True)
class Document:
    """One file.

    Attributes:
        path: where it is.
        root: its outermost element; references to entities stand in its text as `expanded` knows them.
        entities: the book's, and before them those that the file declares itself.
    """

    path: Path
    root: ET.Element
    entities: Entities

    def expanded(self, text: str | None) -> str:
        """Return text of the tree with entities filled in and white space made single.

        Raises:
            BookError: an entity expands beyond bounds.
        """
        return " ".join(self.entities.expand(_HELD.sub(r"&\1;", text or "")).split())


def read_document(path: Path, book: Path, entities: Entities, revision: str) -> Document:
    """Return the tree of a file, without what is for another revision of the book.

    Raises:
        BookError: it can't be read, or is not well-formed; names the line.
    """
    text = _COMMENT.sub(_lines, read_text(path, book))
    begin = text.find("<!DOCTYPE")
    found = _DOCTYPE.match(text, begin) if begin >= 0 else None
    own = entities
    if found:
        text = text[: found.start()] + _lines(found) + text[found.end() :]
        if found["subset"]:
            # the file's own declarations; those it takes in from the book are in `entities` already
            own = Entities()
            own.parameters.update(entities.parameters)
            own.read_text(re.sub(r"%[\w.:-]+;", "", found["subset"]), path, book)
            own.values = {**entities.values, **own.values}
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BookError(f"{path}: has declarations where none belong")
    text = re.sub(r"^\s*<\?xml[^>]*\?>", _lines, text)
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_pis=True))  # noqa: S314 - no declaration reaches it, see above
    try:
        parser.feed(_REFERENCE.sub("\ue000\\1\ue001", text))
        root: ET.Element = parser.close()
    except (ET.ParseError, ValueError) as error:
        line = getattr(error, "position", (0, 0))[0]
        raise BookError(f"{path}:{line}: is not well-formed XML: {error}") from None
    if not _keep_revision(root, revision):
        raise BookError(f"{path}: elements are nested more than {MAX_NESTING} deep")
    return Document(path, root, own)


def includes(document: Document, element: ET.Element, book: Path) -> Iterator[Path]:
    """Yield the files that an element takes in whole, in their order.

    Raises:
        BookError: one of them is not in the book.
    """
    for child in element.iter(INCLUDE):
        href = child.get("href", "")
        if not href or child.get("xpointer") or child.get("parse", "xml") != "xml":
            continue
        if "://" in href or href.startswith("/"):
            raise BookError(f"{document.path}: includes {href[:200]!r}, which is no file of the book")
        target = document.path.parent / unquote(document.expanded(href))
        inside(target, book)
        yield target


def file_name(element: ET.Element) -> str | None:
    """Return the name, without `.html`, that an element's page has; None where it isn't given."""
    for child in element:
        # a processing instruction's tag is the function that makes one, whatever its type says
        if callable(child.tag) and (found := _DBHTML.match(child.text or "")):
            return found[1].removesuffix(".html")
    return None


def _lines(found: re.Match[str]) -> str:
    """Return as many line ends as were there, so that an error names the right line."""
    return "\n" * found[0].count("\n")


def _keep_revision(root: ET.Element, revision: str) -> bool:
    """Remove what is marked for other revisions; return whether the tree is as flat as a book's."""
    waiting = [(root, 1)]
    while waiting:
        parent, depth = waiting.pop()
        if depth > MAX_NESTING:
            return False
        for child in list(parent):
            if revision_fits(child, revision):
                waiting.append((child, depth + 1))
            else:
                parent.remove(child)
    return True


def revision_fits(element: ET.Element, revision: str) -> bool:
    """Return whether an element is part of a revision of the book."""
    marked = element.get("revision")
    return marked is None or revision in marked.replace(",", ";").replace(" ", "").split(";")

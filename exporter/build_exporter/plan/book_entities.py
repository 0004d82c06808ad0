"""Entities of a book's XML: what `<!ENTITY gcc-version "14.2.0">` declares, and text with `&gcc-version;` filled in.

This reads declarations itself, where an XML parser would have to be allowed to open files and expand entities: what a
book includes is searched for in the book alone, each file is read once, and expanding is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
"""Largest file of a book; the largest of the real ones has 120 KB."""

MAX_ENTITIES: Final = 100_000
MAX_VALUE: Final = 16 * 1024
"""Longest text that an entity may expand to, in characters."""

MAX_EXPANSIONS: Final = 2_000
"""Most entities that may be filled in for one text."""

MAX_DEPTH: Final = 32
MAX_CHARACTERS: Final = 64 * 1024 * 1024
"""Most text scanned for declarations, with parameter entities expanded."""

MAX_PARAMETER_USES: Final = 16
"""Most parameter entities filled in within one value."""

_NAME: Final = r"[A-Za-z_:][\w.:-]{0,199}"
_TOKEN: Final = re.compile(
    rf"""<!--.*?(?:-->|\Z)
    |<!ENTITY\s+(?P<parameter>%\s+)?(?P<name>{_NAME})\s+
        (?P<external>SYSTEM\s+|PUBLIC\s+(?:"[^"]*"|'[^']*')\s+)?
        (?P<value>"[^"]*"|'[^']*')\s*(?:NDATA\s+{_NAME}\s*)?>
    |(?P<section><!\[\s*(?:%(?P<condition>{_NAME});|(?P<word>INCLUDE|IGNORE))\s*\[)
    |(?P<close>\]\]>)
    |%(?P<use>{_NAME});""",
    re.DOTALL | re.VERBOSE,
)
_PARAMETER: Final = re.compile(rf"%({_NAME});")
_REFERENCE: Final = re.compile(rf"&(?:(?P<name>{_NAME})|\#x(?P<hex>[0-9A-Fa-f]{{1,6}})|\#(?P<decimal>\d{{1,7}}));")
_PREDEFINED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_EDGES: Final = re.compile(r"<!\[|\]\]>")


class BookError(Exception):
    """The book can't be read; names the file and the reason."""


class Entities:
    """The entities that are declared; of two declarations of a name the first holds, as XML has it."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self.values: dict[str, str] = dict(known or {})
        self.parameters: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._read: set[Path] = set()
        self._characters = 0

    def read_file(self, path: Path, book: Path) -> None:
        """Take the declarations of a file of the book, and of those it includes.

        Raises:
            BookError: it can't be read, or declares too much.
        """
        real = inside(path, book)
        if real in self._read:
            return
        self._read.add(real)
        self.read_text(read_text(real, book), path, book)

    def read_text(self, text: str, path: Path, book: Path, depth: int = 0) -> None:
        """Take the declarations in `text`, a part of the file `path`.

        Raises:
            BookError: see `read_file`.
        """
        self._characters += len(text) + 1
        if depth > MAX_DEPTH or self._characters > MAX_CHARACTERS:
            raise BookError(f"{path}: parameter entities expand beyond bounds")
        position = 0
        while found := _TOKEN.search(text, position):
            position = found.end()
            if found["section"]:
                word = found["word"] or self.parameters.get(found["condition"] or "", "IGNORE").strip()
                if word != "INCLUDE":
                    position = _end_of_section(text, position)
            elif found["use"]:
                self._use(found["use"], path, book, depth)
            elif found["name"]:
                self._declare(found, path)

    def _declare(self, found: re.Match[str], path: Path) -> None:
        name, value = found["name"], found["value"][1:-1]
        if found["external"]:
            # only a parameter entity is ever followed: no text takes in a file
            if found["parameter"] and name not in self.parameters:
                self._files.setdefault(name, path.parent / value)
            return
        if found["parameter"]:
            if name not in self._files:
                self.parameters.setdefault(name, value)
            return
        # `"%relnum;-systemd"`: parameter entities are filled in where an entity is declared
        value = _PARAMETER.sub(lambda use: self.parameters.get(use[1], use[0]), value[:MAX_VALUE], MAX_PARAMETER_USES)
        self.values.setdefault(name, value[:MAX_VALUE])
        if len(self.values) > MAX_ENTITIES:
            raise BookError(f"{path}: more than {MAX_ENTITIES} entities")

    def _use(self, name: str, path: Path, book: Path, depth: int) -> None:
        if name in self.parameters:
            self.read_text(self.parameters[name], path, book, depth + 1)
        elif (file := self._files.get(name)) is not None and file.is_file():
            # those that a book's own make writes (version.ent, conditional.ent) may not be there
            self.read_file(file, book)

    def expand(self, text: str) -> str:
        """Return text with its entities filled in, those that no one declared left as they are.

        Raises:
            BookError: an entity contains itself, or the text grows out of bounds.
        """
        left = [MAX_EXPANSIONS]
        return self._expand(text, (), left)

    def _expand(self, text: str, within: tuple[str, ...], left: list[int]) -> str:
        parts: list[str] = []
        position = length = 0
        for found in _REFERENCE.finditer(text):
            value = self._value(found, within, left)
            parts += [text[position : found.start()], value]
            length += found.start() - position + len(value)
            position = found.end()
            if length > MAX_VALUE:
                raise BookError(f"entity &{'; in &'.join(within[::-1]) or found[0][1:-1]}; expands beyond bounds")
        return "".join([*parts, text[position:]])

    def _value(self, found: re.Match[str], within: tuple[str, ...], left: list[int]) -> str:
        name = found["name"]
        if name is None:
            code = int(found["hex"], 16) if found["hex"] else int(found["decimal"])
            return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]
        if name in within:
            raise BookError(f"entity &{name}; contains itself")
        left[0] -= 1
        if left[0] < 0 or len(within) >= MAX_DEPTH:
            raise BookError(f"entity &{(*within, name)[0]}; expands beyond bounds")
        if name in _PREDEFINED:
            return _PREDEFINED[name]
        return self._expand(self.values[name], (*within, name), left) if name in self.values else found[0]


def inside(path: Path, book: Path) -> Path:
    """Return the real path of a file of the book.

    Raises:
        BookError: it is not in the book's directory, or a part of its name can't be followed.
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise BookError(f"{path}: cannot be read: {error}") from None
    if not real.is_relative_to(book.resolve()):
        raise BookError(f"{path}: is outside the book's directory and not read")
    return real


def read_text(path: Path, book: Path) -> str:
    """Return the text of a file of the book.

    Raises:
        BookError: it can't be read, is too large, or not in the book.
    """
    real = inside(path, book)
    try:
        if not real.is_file():
            reason = "is no file" if real.exists() else "is not there"
            raise BookError(f"{path}: {reason}")
        with real.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BookError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise BookError(f"{path}: is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    return data.decode("utf-8-sig", "replace")


def _end_of_section(text: str, position: int) -> int:
    depth = 1
    for found in _EDGES.finditer(text, position):
        depth += 1 if found[0] == "<![" else -1
        if depth == 0:
            return found.end()
    return len(text)

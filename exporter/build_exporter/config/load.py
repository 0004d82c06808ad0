"""Load the configuration file into a `Config`, or report every problem with its line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn, TypeVar

from msgspec import inspect

from build_exporter.config.document import (
    MAX_REASON,
    Items,
    Mark,
    Node,
    Pairs,
    Refused,
    Scalar,
    SyntaxRefusedError,
    mark_at,
    parse,
)
from build_exporter.config.kinds import NOTHING, Outside, fields_for
from build_exporter.config.problems import ConfigError, Problem
from build_exporter.config.schema import Config
from build_exporter.config.section import About, Section, alternatives, field_type, words
from build_exporter.config.values import SHOWN_LENGTH, escaped, read, shown

S = TypeVar("S", bound=Section)

MAX_BYTES: Final = 256 * 1024
"""Largest configuration file: a reload answers within half a second whatever is in it."""

MAX_ITEMS: Final = 500
"""Longest list or mapping of any names in the configuration."""

MAX_PROBLEMS: Final = 50
"""Most problems reported at a time."""


def load(path: str | os.PathLike[str], outside: Outside = NOTHING) -> Config:
    """Return the configuration that a file holds; see `load_as`."""
    return load_as(Config, path, outside)


def load_as(form: type[S], path: str | os.PathLike[str], outside: Outside = NOTHING, limit: int = MAX_BYTES) -> S:
    """Return what a file holds, in the form of a section whose fields all have defaults.

    Relative paths in it are taken from the file's own directory, `~` from the home directory.

    Args:
        form: the section.
        path: the file.
        outside: the kinds of source and the queries there are; needed by forms that have sources or views.
        limit: bytes that the file has at most.

    Raises:
        ConfigError: the file cannot be read or is wrong; lists every problem (at most `MAX_PROBLEMS`).
    """
    file = os.fspath(path)
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([Problem(file, 0, 0, "", f"cannot be read: {reason}")]) from None
    return parse_as(form, content, file, outside, limit)


def parse_config(content: bytes, file: str, outside: Outside = NOTHING) -> Config:
    """Return the configuration that is the content of `file`, which is not read; see `load_as`."""
    return parse_as(Config, content, file, outside)


def parse_as(form: type[S], content: bytes, file: str, outside: Outside = NOTHING, limit: int = MAX_BYTES) -> S:
    """Return what `content`, that of `file`, says in the form of a section; see `load_as`."""
    walk = _Walk(file, outside)
    if len(content) > limit:
        raise ConfigError([Problem(file, 0, 0, "", f"cannot be read: larger than {limit // 1024} KiB")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        walk.stop(mark_at(before, len(before)), "", f"not UTF-8: byte 0x{error.object[error.start]:02X}")
    try:
        root, refusals = parse(text)
    except SyntaxRefusedError as fault:
        walk.stop(fault.refusal.mark, "", fault.refusal.message)
    for refusal in refusals:
        walk.problem(refusal.mark, "", refusal.message)
    return _made(form, walk, form() if root is None else walk.value(inspect.type_info(form), None, root, ""))


def read_options(form: type[S], given: Sequence[tuple[str, str]], place: str) -> S:
    """Return a section from the pairs of key and value that options of a command line give.

    Relative paths are taken from the working directory.

    Args:
        form: the section: one of single values.
        given: keys and values.
        place: where they were given, for errors.

    Raises:
        ConfigError: a key is not the section's, is given twice or missing, or its value is wrong.
    """
    walk = _Walk(place, NOTHING)
    nowhere = Mark(0, 0)
    pairs: list[tuple[Node, Node]] = []
    for key, value in given:
        if any(key == earlier for earlier, _ in given[: len(pairs)]):
            walk.stop(nowhere, "", f"the option{_shown_key(key)} is given twice")
        pairs.append((Scalar(nowhere, key, False), Scalar(nowhere, value, True)))
    return _made(form, walk, walk.value(inspect.type_info(form), None, Pairs(nowhere, pairs), "options"))


def _made(form: type[S], walk: _Walk, made: object) -> S:
    if walk.problems:
        raise ConfigError(walk.problems)
    assert made is UNSET or isinstance(made, form), "no problem means a value"
    return made if isinstance(made, form) else form()


class _Nothing:
    """The two outcomes of reading a node that are not values."""


UNSET: Final = _Nothing()
"""Nothing is written, as after `deadline:`: the default holds."""
INVALID: Final = _Nothing()
"""The value is invalid, which has been reported."""

_NAME: Final = About("", "name", (None, None), secret=False)
_WORD: Final = re.compile(r"[\w .<-]{1,60}")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


def _shown_key(text: str) -> str:
    """Return the key as an error may repeat it: what is no word may come from a file that is no configuration at all.

    Whoever names the wrong file (`web.yml` with its password hashes, `.netrc`) must not find its content in a log.
    """
    return f" {shown(text)}" if _WORD.fullmatch(text) else ", which is no word and not shown,"


def _choice(text: str, names: Iterable[str]) -> str:
    """Return the end of an error about a word that is none of the names: the nearest, if any, and all of them."""
    names = sorted(names)
    nearest = get_close_matches(text[:100], names, n=1)
    return (f"; did you mean {nearest[0]!r}? " if nearest else "; ") + f"allowed: {', '.join(names)}"


class _Walk:
    """One reading of a tree against the schema, collecting problems."""

    def __init__(self, file: str, outside: Outside) -> None:
        self.file = file
        self.outside = outside
        self.directory = Path(file).parent
        self.problems: list[Problem] = []

    def problem(self, mark: Mark, path: str, message: str) -> _Nothing:
        """Note a problem and return `INVALID`; ends the reading when there are too many."""
        self.problems.append(Problem(self.file, mark.line, mark.column, path, message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise ConfigError(self.problems)
        return INVALID

    def stop(self, mark: Mark, path: str, message: str) -> NoReturn:
        """End the reading with a problem."""
        self.problem(mark, path, message)
        raise ConfigError(self.problems)

    def value(self, kind: inspect.Type, about: About | None, node: Node, path: str) -> Any:
        """Return the value of a node for a field of this type, `UNSET` or `INVALID`."""
        if members := alternatives(kind):
            return self.either(members, node, path)
        kind, about, optional = field_type(kind, about)
        if isinstance(node, Scalar) and node.plain and (node.text in _NULLS or (optional and node.text == "none")):
            return None if optional and node.text else UNSET
        if isinstance(node, Refused):
            return INVALID
        made: Any
        if isinstance(kind, inspect.AnyType):
            made = UNSET  # no one can say what it should be
        elif isinstance(kind, inspect.StructType):
            made = self.section(kind, node, path)
        elif isinstance(kind, inspect.VarTupleType):
            made = self.items(kind, about, node, path)
        elif isinstance(kind, inspect.DictType):
            made = self.names(kind, about, node, path)
        else:
            made = self.scalar(kind, about, node, path, optional)
        return made

    def section(self, kind: inspect.StructType, node: Node, path: str) -> Any:
        """Return the section of a mapping; faults and unknown keys are recorded, the rest still loads."""
        if not isinstance(node, Pairs):
            return self.wrong(node, path, words(kind, None, False))
        declared = fields_for(kind, self.outside, partial(_text_of, node))
        fields = {field.name: field for field in declared}
        if node.pairs and not fields:
            return self.wrong(node, path, words(kind, None, False))
        values: dict[str, Any] = {}
        marks: dict[str, Mark] = {}
        for key, child in self.pairs(node, path):
            if (field := fields.get(key.text)) is None:
                place = f"in {path}" if path else "at the top level"
                self.problem(key.mark, path, f"unknown key{_shown_key(key.text)} {place}" + _choice(key.text, fields))
                continue
            marks[key.text] = key.mark
            values[key.text] = self.value(field.type, None, child, _inside(path, key.text))
        for field in declared:
            if values.get(field.name, UNSET) is UNSET:
                values.pop(field.name, None)
                if field.required:
                    values[field.name] = self.missing(field, marks.get(field.name, node.mark), path)
        if INVALID in values.values():
            return INVALID
        assert issubclass(kind.cls, Section), "every mapping of the schema is a section"
        made = kind.cls(**values)
        for name, message in made.faults():
            self.problem(marks.get(name, node.mark), path, f"{path} {message}".lstrip())
        return made

    def missing(self, field: inspect.Field, mark: Mark, path: str) -> _Nothing:
        """Note that a field without a default is not there, or has nothing after its colon."""
        kind, about, _ = field_type(field.type)
        return self.problem(mark, path, f"{path} needs {field.name!r}; allowed: {words(kind, about, False)}")

    def pairs(self, node: Pairs, path: str) -> Iterator[tuple[Scalar, Node]]:
        """Yield the mapping's entries whose key is text, and the first of that name."""
        if len(node.pairs) > MAX_ITEMS:
            self.stop(node.mark, path, f"{path or 'the file'} has {len(node.pairs)} keys; allowed: at most {MAX_ITEMS}")
        first: dict[str, Mark] = {}
        for key, child in node.pairs:
            if isinstance(key, Refused):
                continue
            if not isinstance(key, Scalar):
                self.problem(
                    key.mark, path, "a list or mapping as a key; allowed: text, with quotes if it begins with { or ["
                )
            elif (earlier := first.setdefault(key.text, key.mark)) is not key.mark:
                self.problem(key.mark, path, f"the key{_shown_key(key.text)} is there already, in line {earlier.line}")
            else:
                yield key, child

    def items(self, kind: inspect.VarTupleType, about: About | None, node: Node, path: str) -> Any:
        """Return the tuple of a list, the faults among its items noted."""
        if not isinstance(node, Items):
            return self.wrong(node, path, words(kind, None, False))
        if len(node.items) > MAX_ITEMS:
            return self.problem(node.mark, path, f"{path} has {len(node.items)} items; allowed: at most {MAX_ITEMS}")
        made = []
        for index, child in enumerate(node.items):
            item = self.value(kind.item_type, about, child, f"{path}[{index}]")
            if item is UNSET:
                item = self.problem(child.mark, path, f"{path}[{index}] is empty")
            if item is not INVALID:
                made.append((index, item))
        if isinstance(kind.item_type, inspect.StructType) and issubclass(kind.item_type.cls, Section):
            for index, key, message, other in kind.item_type.cls.faults_among(made):
                mark, line = _key_mark(node.items[index], key), _key_mark(node.items[other], key).line
                self.problem(mark, path, f"{path}[{index}] {message} {path}[{other}] (line {line})")
        return tuple(item for _, item in made) if len(made) == len(node.items) else INVALID

    def names(self, kind: inspect.DictType, about: About | None, node: Node, path: str) -> Any:
        """Return the read-only view of a mapping whose keys are names of the user's own."""
        if not isinstance(node, Pairs):
            return self.wrong(node, path, words(kind, None, False))
        made = {}
        for key, child in self.pairs(node, path):
            name = self.scalar(kind.key_type, _NAME, key, f"a key of {path}", False)
            value = self.value(kind.value_type, about, child, _inside(path, escaped(key.text[:SHOWN_LENGTH])))
            if value is UNSET:
                value = self.problem(key.mark, path, f"{path}: {shown(key.text)} has no value")
            made[name] = value
        return INVALID if INVALID in made or INVALID in made.values() else MappingProxyType(made)

    def either(self, members: Sequence[inspect.Type], node: Node, path: str) -> Any:
        """Return the value of what is a list or a single value, as it is written."""
        types = [field_type(member)[:2] for member in members]
        kind, about = next(
            each for each in types if isinstance(each[0], inspect.VarTupleType) == isinstance(node, Items)
        )
        if isinstance(node, Pairs):
            return self.wrong(node, path, ", or ".join(words(*each, False) for each in types))
        return self.value(kind, about, node, path)

    def scalar(self, kind: inspect.Type, about: About | None, node: Node, path: str, optional: bool) -> Any:
        """Return the value of a text, number, switch or choice."""
        expected = words(kind, about, optional)
        if not isinstance(node, Scalar):
            return self.wrong(node, path, expected)
        form, within = (about.form, about.within) if about else (None, (None, None))
        try:
            value = read(node.text, kind, form, within)
        except ValueError as error:
            given = (
                f"is {shown(node.text)}" if not (about and about.secret) else "is wrong (not shown: it may be secret)"
            )
            reason = f": {error}"[:MAX_REASON] if str(error) else ""
            choices = map(str, kind.values) if isinstance(kind, inspect.LiteralType) else None
            ending = _choice(node.text, choices) if choices else f"; allowed: {expected}"
            return self.problem(node.mark, path, f"{path} {given}{reason}{ending}")
        return self.absolute(value) if form == "path" else value

    def absolute(self, path: str) -> str:
        """Return a path of the file as an absolute one."""
        return os.path.abspath(self.directory / os.path.expanduser(path))  # noqa: PTH100, PTH111

    def wrong(self, node: Node, path: str, expected: str) -> _Nothing:
        """Note that a node is of another shape than the schema's."""
        given = "a list" if isinstance(node, Items) else "a mapping" if isinstance(node, Pairs) else "a single value"
        return self.problem(node.mark, path, f"{path or 'the file'} is {given}; allowed: {expected}")


def _inside(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _text_of(node: Pairs, key: str) -> str | None:
    """Return the single value that a mapping has for a key."""
    found = (child for name, child in node.pairs if isinstance(name, Scalar) and name.text == key)
    child = next(found, None)
    return child.text if isinstance(child, Scalar) else None


def _key_mark(node: Node, key: str) -> Mark:
    """Return where a mapping's key stands; where the mapping does when it has none."""
    pairs = node.pairs if isinstance(node, Pairs) else []
    return next((found.mark for found, _ in pairs if isinstance(found, Scalar) and found.text == key), node.mark)

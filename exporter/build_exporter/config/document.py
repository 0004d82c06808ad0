"""Parse YAML text into a tree of nodes with line and column.

The file is a plain document: no aliases (so none can multiply), no tags (so none can make objects), one document, a
bounded depth. Nothing is resolved here: `1.10`, `yes` and `2026-11-22` stay the text they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import yaml

from build_exporter.config.values import shown

MAX_DEPTH: Final = 32
"""Deepest nesting of lists and mappings."""


MAX_NODES: Final = 20_000
"""Most values, lists and mappings in the file: what bounds the time that reading takes."""

_NESTED: Final = re.compile(rf"(?:[\[{{]\s*){{{MAX_DEPTH + 1}}}")
"""Lists opened one within the other, with nothing between: the parser looks ahead among them, at quadratic cost."""

MAX_REASON: Final = 200
"""Longest piece of the parser's own words in an error, in characters."""


class Mark(NamedTuple):
    """A place in the file; both count from 1."""

    line: int
    column: int


class Scalar(NamedTuple):
    """A text, number or word: anything that is not a list or mapping."""

    mark: Mark
    text: str
    plain: bool
    """Whether it was written without quotes, so that nothing, `~` and `null` mean no value."""


class Items(NamedTuple):
    """A list."""

    mark: Mark
    items: list[Node]


class Pairs(NamedTuple):
    """A mapping as it is written: keys may repeat, and may be anything."""

    mark: Mark
    pairs: list[tuple[Node, Node]]


class Refused(NamedTuple):
    """A placeholder for something refused and already reported."""

    mark: Mark


Node = Scalar | Items | Pairs | Refused


class Refusal(NamedTuple):
    """Something YAML or this module does not take."""

    mark: Mark
    message: str


class SyntaxRefusedError(Exception):
    """The text is no YAML from here on."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def mark_at(text: str, offset: int) -> Mark:
    """Return the place of a character of the text."""
    return Mark(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _mark(place: yaml.error.Mark | yaml._yaml.Mark | None) -> Mark:
    assert place is not None, "events and errors of the parser have a place"
    return Mark(place.line + 1, place.column + 1)


def parse(text: str) -> tuple[Node | None, list[Refusal]]:
    """Return the document's node (None: there is none) and what in it was refused, in the order of the text.

    Raises:
        SyntaxRefusedError: it is not YAML, or nested deeper than `MAX_DEPTH`.
    """
    refusals: list[Refusal] = []
    roots: list[Node] = []
    open_nodes: list[tuple[Mark, bool, list[Node]]] = []
    nodes = 0
    if (nested := _NESTED.search(text)) is not None:
        raise SyntaxRefusedError(Refusal(mark_at(text, nested.end() - 1), f"nested deeper than {MAX_DEPTH} levels"))
    for event in _events(text):
        mark = _mark(event.start_mark)
        nodes += isinstance(event, yaml.NodeEvent)
        if nodes > MAX_NODES:
            raise SyntaxRefusedError(Refusal(mark, f"more than {MAX_NODES} values"))
        if isinstance(event, yaml.DocumentStartEvent) and roots:
            refusals.append(Refusal(mark, "a second document begins here; allowed: one"))
            break
        if isinstance(event, yaml.CollectionStartEvent):
            if len(open_nodes) == MAX_DEPTH:
                raise SyntaxRefusedError(Refusal(mark, f"nested deeper than {MAX_DEPTH} levels"))
            open_nodes.append((mark, isinstance(event, yaml.MappingStartEvent), []))
        if isinstance(event, yaml.NodeEvent):
            refusals += _refused(event, mark)
        if (node := _finished(event, mark, open_nodes)) is not None:
            (open_nodes[-1][2] if open_nodes else roots).append(node)
    return (roots[0] if roots else None), refusals


def _events(text: str) -> Iterator[yaml.Event]:
    """Yield the parser's events, errors raised as `SyntaxRefusedError`.

    The Python parser, not libyaml's: a configuration is small, and its errors name the character and are the same on
    every machine.
    """
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        raise SyntaxRefusedError(
            Refusal(mark_at(text, error.position), f"the character U+{ord(text[error.position]):04X} is not allowed")
        ) from None
    try:
        while loader.check_event():
            yield loader.get_event()  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or loader.get_mark()
        message = ", ".join(part[:MAX_REASON] for part in (error.problem, error.context) if part)
        hint = "; indent with spaces" if "'\\t'" in message else ""
        raise SyntaxRefusedError(Refusal(_mark(place), f"not YAML: {message}{hint}")) from None
    except (ValueError, OverflowError):  # the parser's own slips: "\UFFFFFFFF", a version of thousands of digits
        raise SyntaxRefusedError(Refusal(_mark(loader.get_mark()), "not YAML: a number out of range")) from None


def _refused(event: yaml.NodeEvent, mark: Mark) -> Iterator[Refusal]:
    if isinstance(event, yaml.AliasEvent):
        yield Refusal(mark, f"the alias {shown(f'*{event.anchor}')} is not allowed: write the value itself")
    elif event.anchor is not None:
        yield Refusal(mark, f"the anchor {shown(f'&{event.anchor}')} is not allowed, as aliases are not")
    if (tag := getattr(event, "tag", None)) is not None:
        yield Refusal(mark, f"the tag {shown(tag.replace('tag:yaml.org,2002:', '!!'))} is not allowed")


def _finished(event: yaml.Event, mark: Mark, open_nodes: list[tuple[Mark, bool, list[Node]]]) -> Node | None:
    """Return the node that the event completes, taking it from the open ones; None where it completes none."""
    if isinstance(event, yaml.AliasEvent):
        return Refused(mark)
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(mark, event.value, event.style is None)
    if isinstance(event, yaml.CollectionEndEvent):
        start, is_mapping, children = open_nodes.pop()
        return (
            Pairs(start, list(zip(children[::2], children[1::2], strict=True)))
            if is_mapping
            else Items(start, children)
        )
    return None

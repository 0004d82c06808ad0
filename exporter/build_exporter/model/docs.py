"""The reference page of events, made from their types."""

from __future__ import annotations

import inspect as python
import sys
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import inspect

from build_exporter.model.events import (
    EVENT_TYPES,
    BadSource,
    Event,
    PlannedMilestone,
    PlannedStep,
    SourceFile,
    ToolVersion,
)

_HEAD: Final = """\
# Events

This page is made from the event types (`make docs`). An event is one line of a run's file in the journal: a JSON
object in UTF-8, at most 64 KiB with its newline, appended by one `write()`.

```json
{"time": 1795241576.5, "event": "step_started", "build": "lfs-12.4", "phase": "chapter-5", "step": "502-gcc-pass1"}
```

Each event has `time` (Unix seconds), `event` and `build` (`[A-Za-z0-9._+-]`, at most 100 characters), and the fields
below, those in *italics* optional. Times are Unix seconds, durations seconds, sizes bytes, ratios 0 to 1; names are at
most 256 characters, texts 16,384. Fields not named here are kept in the line and ignored; an event not named here is
counted and ignored; a line that is wrong is counted by its reason and costs only itself.
"""

_OBJECTS: Final[dict[type, str]] = {
    PlannedStep: "steps",
    PlannedMilestone: "milestones",
    ToolVersion: "tools",
    SourceFile: "files",
    BadSource: "files",
}


def render() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD]
    parts.extend(_section(f"`{kind.__struct_config__.tag}`", kind) for kind in EVENT_TYPES)
    parts.append(_section("A step of a plan", PlannedStep))
    parts.append(_section("A milestone of a plan", PlannedMilestone))
    parts.append(_section("A tool of a toolchain", ToolVersion))
    parts.append(_section("A file that a step is built from", SourceFile))
    parts.append(_section("A file that is not as planned", BadSource))
    return "\n".join(parts)


def _section(title: str, kind: type[msgspec.Struct]) -> str:
    text = python.cleandoc(kind.__doc__ or "")
    return f"## {title}\n\n{text}\n\n" + "\n".join(_rows(kind)) + "\n"


def _rows(kind: type[msgspec.Struct]) -> Iterator[str]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    common = set(Event.__struct_fields__) if issubclass(kind, Event) else set()
    fields = [field for field in info.fields if field.name not in common]
    if not fields:
        return
    yield "| field | value |\n|---|---|"
    for field in sorted(fields, key=lambda field: not field.required):
        name = f"`{field.encode_name}`" if field.required else f"*`{field.encode_name}`*"
        yield f"| {name} | {_words(field.type)} |"


def _words(kind: inspect.Type) -> str:  # noqa: PLR0911 - a case a line
    """Return a description of a type's values."""
    match kind:
        case inspect.UnionType():
            return " or ".join(_words(each) for each in kind.types if not isinstance(each, inspect.NoneType))
        case inspect.Metadata():
            return _words(kind.type)
        case inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case inspect.IntType() | inspect.FloatType():
            number = "whole number" if isinstance(kind, inspect.IntType) else "number"
            bounds = f", {kind.ge} to {kind.le}" if kind.ge is not None and (kind.le or 0) <= 10 else ""
            return f"{number}{bounds}"
        case inspect.StrType():
            return "text" if (kind.max_length or 0) > 256 else "name"
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.ListType() | inspect.VarTupleType():
            return f"list of {_words(kind.item_type)}"
        case inspect.StructType():
            return f"{_OBJECTS[kind.cls]}, see below"
        case inspect.DictType():
            return f"{_words(kind.value_type)} by {_words(kind.key_type)}"
        case _:
            raise AssertionError(kind)


if __name__ == "__main__":
    sys.stdout.write(render())

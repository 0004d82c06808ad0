"""The reference page of the HTTP API, `docs/api.md`, made from the endpoints and the types of their answers."""

from __future__ import annotations

import inspect as python
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect

from build_exporter.web.endpoint import Endpoint
from build_exporter.web.openapi import shown_path
from build_exporter.web.routes import ENDPOINTS

_HEAD: Final = """\
# HTTP API

This page is made from the endpoints and the types of their answers (`make docs`).

Answers are JSON in UTF-8. Times are Unix seconds, durations seconds, sizes bytes, ratios 0 to 1; a value that is not
known is `null`. Every field below is always there; later versions may add fields. Text that came from a build is plain:
control characters and terminal escapes are gone and secrets are masked, but it is not HTML.

An error has its status code and this form, with a `code` for programs and a `message` for people:

```json
{"error": {"code": "not-found", "message": "no build lfs-13", "details": null}}
```

Unknown parameters, and parameters given twice, are errors (400 `bad-request`). `/api/v1/openapi.json` is the same as an
OpenAPI 3.1 document.

## Posting events

Programs and machines that can't write to the journal post its [events](events.md), one or many at a time, as a JSON
array, as one JSON object, or as one JSON object a line (`application/x-ndjson`):

```text
curl --data-binary @events.jsonl -H 'Content-Type: application/x-ndjson' http://localhost:10110/api/v1/events
```

A batch holds at most 5,000 events and 10 MiB (`web.max_body_bytes`). Each event gets an answer, good ones are accepted
beside bad ones, and what is answered as accepted is in the journal. An event posted twice counts once, so after a
failure a batch is posted again as it is. Events join the build's unfinished run; where there is none, work makes a new
one. `log`, `pid` and `tarballs` name files and processes of the exporter's own machine and are left out of posted
events.

## The stream

`/api/v1/stream` is a WebSocket, and on the same path server-sent events for those who accept `text/event-stream`. Each
message is one JSON object:

- `{"type": "snapshot", "cursor", "now", "builds", "board"}`: the state, a [BuildRow](#buildrow) for each build, and the
  [Board](#board) where one build is asked for. The first message, and later wherever a run was written anew.
- `{"type": "event", "cursor", "event"}`: one event as it was journaled, its texts plain and without secrets.
- `{"type": "heartbeat", "cursor", "now"}`: a sign of life; everything up to the cursor has been sent.

Parameters of the query:

- `build`, `event`: names with commas between them; only these builds, only these events.
- `after`: the cursor of the last message taken. Instead of the snapshot comes what was journaled since, nothing lost,
  nothing twice, also over a restart of the exporter. Browsers resume server-sent events so by themselves
  (`Last-Event-ID`).
- `heartbeat`: seconds between heartbeats, 0.1 to 300; 15 by default.

A client that leaves 256 KiB untaken is closed with code 4008 and may resume; 1012 says that the exporter ends. More
than `web.max_stream_clients` clients are refused with 503. Where more than 200 events come at once, of the progress of
a step only the newest is sent; no other event is ever left out.
"""


def render(endpoints: Iterable[Endpoint] = ENDPOINTS) -> str:
    """Return the page as Markdown."""
    rows = list(endpoints)
    parts = [_HEAD, "## Endpoints\n"]
    parts += [_endpoint(each) for each in rows]
    parts.append("## Objects\n")
    parts += [_object(kind) for kind in _kinds(each.answer for each in rows)]
    return "\n".join(parts)


def _endpoint(each: Endpoint) -> str:
    path = shown_path(each.path)
    lines = [f"### `{each.method} {path}`\n", f"{each.summary} Returns {_words(inspect.type_info(each.answer))}.\n"]
    info = _fields(each.parameters)
    rows = [field for field in info if f"{{{field.name}}}" not in path]
    if rows:
        lines.append("| parameter | value | meaning |\n|---|---|---|")
        lines += [
            f"| `{field.name}` | {_words(field.type).removesuffix(' or null')} | {_meaning(field)} |" for field in rows
        ]
        lines.append("")
    if each.statuses:
        lines.append("| status | meaning |\n|---|---|")
        lines += [f"| {status} | {words} |" for status, words in each.statuses.items()]
        lines.append("")
    return "\n".join(lines)


def _meaning(field: inspect.Field) -> str:
    kind = field.type
    schema = kind.extra_json_schema or {} if isinstance(kind, inspect.Metadata) else {}
    default = "" if field.default in (None, "", msgspec.NODEFAULT) else f" Default: {field.default}."
    return f"{schema.get('description', '')}{default}".strip()


def _object(kind: type[msgspec.Struct]) -> str:
    lines = [f"### {kind.__name__}\n", python.cleandoc(kind.__doc__ or "") + "\n", "| field | value |\n|---|---|"]
    lines += [f"| `{field.encode_name}` | {_words(field.type)} |" for field in _fields(kind)]
    return "\n".join(lines) + "\n"


def _fields(kind: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return info.fields


def _kinds(answers: Iterable[Any]) -> list[type[msgspec.Struct]]:
    """Return the structs of answers and those within them, each once, in the order they are met."""
    found: dict[type[msgspec.Struct], None] = {}
    for answer in answers:
        for kind in _within(inspect.type_info(answer)):
            found.setdefault(kind)
    return list(found)


def _within(kind: inspect.Type) -> Iterator[type[msgspec.Struct]]:
    match kind:
        case inspect.StructType():
            yield kind.cls
            for field in kind.fields:
                yield from _within(field.type)
        case inspect.UnionType():
            for each in kind.types:
                yield from _within(each)
        case inspect.ListType() | inspect.VarTupleType():
            yield from _within(kind.item_type)
        case inspect.DictType():
            yield from _within(kind.value_type)
        case inspect.Metadata():
            yield from _within(kind.type)


def _link(kind: type) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _words(kind: inspect.Type) -> str:  # noqa: PLR0911 - a case a line
    """Return what a value may be, as a person says it."""
    match kind:
        case inspect.UnionType():
            return " or ".join("null" if isinstance(t, inspect.NoneType) else _words(t) for t in kind.types)
        case inspect.Metadata():
            return _words(kind.type)
        case inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case inspect.EnumType():
            return ", ".join(f"`{value.value}`" for value in kind.cls)
        case inspect.IntType() | inspect.FloatType():
            number = "whole number" if isinstance(kind, inspect.IntType) else "number"
            return number + (f", {kind.ge} to {kind.le}" if kind.ge is not None and kind.le is not None else "")
        case inspect.StrType():
            return "text"
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.ListType() | inspect.VarTupleType():
            return f"list of {_words(kind.item_type)}"
        case inspect.StructType():
            return _link(kind.cls)
        case inspect.DictType():
            return f"{_words(kind.value_type)} by {_words(kind.key_type)}"
        case _:
            return "any"


if __name__ == "__main__":
    sys.stdout.write(render())

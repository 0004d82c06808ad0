"""Writes `wrapper/emit_fields.py`: what plain fields events have, for the quick way of `emit`."""

from __future__ import annotations

import sys
from pprint import pformat

from msgspec import inspect

from build_exporter.model.events import EVENT_TYPES

_HEAD = '''"""Plain fields of events by name: kind, bounds, words. Written by `make docs` from the event types."""

FIELDS: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, float, float, tuple[str, ...]]]]] = \\
'''
_LARGEST = 10**15
Plain = tuple[str, float, float, tuple[str, ...]]


def render() -> str:
    """Return the file's text."""
    table: dict[str, tuple[tuple[str, ...], dict[str, Plain]]] = {}
    for kind in EVENT_TYPES:
        info = inspect.type_info(kind)
        assert isinstance(info, inspect.StructType)
        mine = [field for field in info.fields if field.encode_name not in ("time", "build")]
        plain = {field.encode_name: found for field in mine if (found := _plain(field.type)) is not None}
        required = tuple(field.encode_name for field in mine if field.required)
        table[str(kind.__struct_config__.tag)] = (required, plain)
    return f"{_HEAD}{pformat(table, width=116, compact=True, sort_dicts=True)}\n"


def _plain(kind: inspect.Type) -> Plain | None:
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    found = [each for each in kinds if not isinstance(each, inspect.NoneType)]
    if len(found) != 1:
        return None
    (one,) = found
    if isinstance(one, inspect.StrType) and one.pattern is None:
        return ("text", one.min_length or 0, one.max_length or _LARGEST, ())
    if isinstance(one, inspect.LiteralType) and all(isinstance(value, str) for value in one.values):
        return ("word", 0, 0, tuple(map(str, one.values)))
    if isinstance(one, inspect.IntType | inspect.FloatType):
        most = min(_LARGEST, one.le if one.le is not None else one.lt - 1 if one.lt is not None else _LARGEST)
        return ("integer" if isinstance(one, inspect.IntType) else "number", max(0, one.ge or 0), most, ())
    return None


if __name__ == "__main__":
    sys.stdout.write(render())

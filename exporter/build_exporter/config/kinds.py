"""The extension point of the schema: the kinds of source and the options of each come from outside.

Whoever loads a configuration says so (`Kinds`), and a source's `kind` and `options` are read, checked and described
as if the schema had them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import NODEFAULT, inspect, structs

from build_exporter.config.schema import Source
from build_exporter.config.section import Section, fields_of

Kinds = Mapping[str, Callable[[], type[Section] | None]]
"""By a kind's name, what returns the form of its options; None where that can't be found out and nothing is checked."""

AUTO: Final = "auto"
"""Stands for whichever kind recognises the path, so it has no options of its own."""


class NoOptions(Section, frozen=True):
    """It has no options."""


def filled(form: type[Section], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with those that are not given as they are by default; what the form does not have stays.

    Raises:
        TypeError: one without a default is not given.
    """
    named = {name: value for name, value in given.items() if name in form.__struct_fields__}
    return structs.asdict(form(**named)) | dict(given)


def fields_for(section: inspect.StructType, kinds: Kinds, kind: str | None) -> tuple[inspect.Field, ...]:
    """Return the fields of a section; of a source: with the kinds there are, and the options of its kind.

    Args:
        section: any section's type.
        kinds: the kinds there are.
        kind: the source's kind; None if not given.
    """
    if section.cls is not Source:
        return section.fields
    return tuple(_field_for(field, kinds, kind) for field in section.fields)


def _field_for(field: inspect.Field, kinds: Kinds, kind: str | None) -> inspect.Field:
    if field.name == "kind":
        return structs.replace(field, type=_with_type(field.type, inspect.LiteralType((AUTO, *sorted(kinds)))))
    if field.name != "options":
        return field
    form = NoOptions if kind == AUTO else kinds[kind]() if kind is not None and kind in kinds else None
    if form is None:
        return structs.replace(field, type=_with_type(field.type, inspect.AnyType()))
    changed = structs.replace(field, type=_with_type(field.type, inspect.type_info(form)))
    if any(inner.required for inner in fields_of(form)):
        changed = structs.replace(changed, required=True, default=NODEFAULT)
    return changed


def _with_type(old: inspect.Type, new: inspect.Type) -> inspect.Type:
    """Return a type in place of another, with the description of that."""
    return structs.replace(old, type=new) if isinstance(old, inspect.Metadata) else new

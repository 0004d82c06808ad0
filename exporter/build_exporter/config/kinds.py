"""The extension points of the schema: the kinds of source with their options, and the queries with their columns.

Whoever loads a configuration says what there is (`Outside`), and a source's `kind` and `options`, a view's `query`,
`filters` and columns are read, checked and described as if the schema had them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from msgspec import NODEFAULT, inspect, structs

from build_exporter.config.schema import Source
from build_exporter.config.section import Section, fields_of
from build_exporter.config.views import View

Kinds = Mapping[str, Callable[[], type[Section] | None]]
"""By a kind's name, what returns the form of its options; None where that can't be found out and nothing is checked."""


class Question(NamedTuple):
    """A query as views may ask it: the form of its filters, its columns, and those that hold numbers."""

    filters: type[Section]
    columns: Sequence[str]
    numbers: Sequence[str]


Questions = Mapping[str, Callable[[], Question]]
"""By a query's name, what returns what views may ask of it."""


class Outside(NamedTuple):
    """What the schema does not know by itself."""

    kinds: Kinds = MappingProxyType({})
    questions: Questions = MappingProxyType({})


NOTHING: Final = Outside()
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


def fields_for(
    section: inspect.StructType, outside: Outside, chosen: Callable[[str], str | None]
) -> tuple[inspect.Field, ...]:
    """Return the fields of a section; of a source or a view: with what there is, and what goes with its choice.

    Args:
        section: any section's type.
        outside: the kinds and queries there are.
        chosen: returns the text that the section has for a key, None where it has none.
    """
    if section.cls is Source:
        return tuple(_of_source(field, outside.kinds, chosen("kind")) for field in section.fields)
    if section.cls is View:
        return tuple(_of_view(field, outside.questions, chosen("query")) for field in section.fields)
    return section.fields


def _of_source(field: inspect.Field, kinds: Kinds, kind: str | None) -> inspect.Field:
    if field.name == "kind":
        return _one_of(field, (AUTO, *sorted(kinds)))
    if field.name != "options":
        return field
    form = NoOptions if kind == AUTO else kinds[kind]() if kind is not None and kind in kinds else None
    if form is None:
        return structs.replace(field, type=_with_type(field.type, inspect.AnyType()))
    changed = structs.replace(field, type=_with_type(field.type, inspect.type_info(form)))
    if any(inner.required for inner in fields_of(form)):
        changed = structs.replace(changed, required=True, default=NODEFAULT)
    return changed


def _of_view(field: inspect.Field, questions: Questions, query: str | None) -> inspect.Field:
    if field.name == "query":
        return _one_of(field, tuple(sorted(questions)))
    known = questions[query]() if query is not None and query in questions else None
    if field.name == "filters":
        form = inspect.AnyType() if known is None else inspect.type_info(known.filters)
        return structs.replace(field, type=_with_type(field.type, form))
    if known is None:
        return field
    names = {
        "columns": tuple(known.columns),
        "sort": (*known.columns, *(f"-{each}" for each in known.columns)),
        "value": tuple(known.numbers),
    }
    return _one_of(field, names[field.name]) if field.name in names else field


def _one_of(field: inspect.Field, names: tuple[str, ...]) -> inspect.Field:
    """Return a field of texts, single or in a list, that takes only these."""
    return structs.replace(field, type=_with_text(field.type, inspect.LiteralType(names)))


def _with_text(old: inspect.Type, new: inspect.Type) -> inspect.Type:
    """Return a type with its text in place of another, within its description, list or alternatives."""
    match old:
        case inspect.Metadata():
            return structs.replace(old, type=_with_text(old.type, new))
        case inspect.UnionType():
            return structs.replace(old, types=tuple(_with_text(each, new) for each in old.types))
        case inspect.VarTupleType():
            return structs.replace(old, item_type=_with_text(old.item_type, new))
        case inspect.StrType():
            return new
        case _:
            return old


def _with_type(old: inspect.Type, new: inspect.Type) -> inspect.Type:
    """Return a type in place of another, with the description of that."""
    return structs.replace(old, type=new) if isinstance(old, inspect.Metadata) else new

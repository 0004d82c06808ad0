"""The base class of configuration mappings, and the metadata of their fields for loader and reference page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import msgspec
from msgspec import Meta, inspect

from build_exporter.config.values import Bounds, Form, allowed


class About(msgspec.Struct, frozen=True):
    """Metadata of a field for the loader and the reference page."""

    description: str
    """One or two sentences for the reference page."""
    form: Form | None
    """Meaning of the text; None if the type is enough."""
    within: Bounds
    """Least and greatest value in the unit it is stored in; None: no bound."""
    secret: bool
    """The value may hold a credential: no error repeats it."""


def about(
    description: str,
    form: Form | None = None,
    *,
    within: Bounds = (None, None),
    secret: bool = False,
) -> Meta:
    """Return a field's `About` as the annotation that `msgspec.inspect` hands on."""
    return Meta(extra={"about": About(description, form, within, secret)})


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping of the configuration: immutable, comparable, and no key beyond the declared ones."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between fields that are right each by itself.

        Yields:
            The key at fault (`""`: the section) and a message that continues the section's path.
        """
        yield from ()

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield what is wrong between the items of a list.

        Args:
            items: The items that are right each by itself, with their places in the list.

        Yields:
            The place of the item at fault, its key at fault, a message that continues the item's path and ends before
            the name of the other item, and that other's place.
        """
        yield from ()


def repeated(items: Sequence[tuple[int, Section]], key: str) -> Iterator[tuple[int, str, str, int]]:
    """Yield the items whose value of `key` an earlier item has, in the form of `Section.faults_among`."""
    first: dict[str, int] = {}
    for index, item in items:
        other = first.setdefault(getattr(item, key), index)
        if other != index:
            yield index, key, f"has the {key} of", other


def field_type(kind: inspect.Type, about: About | None = None) -> tuple[inspect.Type, About | None, bool]:
    """Return a field's type without its annotations, what is known of it (else `about`), and whether it may be None."""
    if isinstance(kind, inspect.Metadata):
        return field_type(kind.type, (kind.extra or {}).get("about", about))
    if isinstance(kind, inspect.UnionType):
        (member,) = (member for member in kind.types if not isinstance(member, inspect.NoneType))
        return *field_type(member, about)[:2], True
    return kind, about, False


def alternatives(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    """Return the types of a field that may be a list or a single value, each with its annotations; empty for others."""
    if isinstance(kind, inspect.Metadata):
        return alternatives(kind.type)
    members = kind.types if isinstance(kind, inspect.UnionType) else ()
    found = tuple(member for member in members if not isinstance(member, inspect.NoneType))
    return found if len(found) > 1 else ()


def words(kind: inspect.Type, about: About | None, optional: bool) -> str:
    """Return what may be written for a field, for error texts."""
    match kind:
        case inspect.StructType(fields=()):
            return "nothing, as there are none for it"
        case inspect.StructType():
            return f"a mapping of {', '.join(sorted(field.name for field in kind.fields))}"
        case inspect.VarTupleType():
            return "a list, each item after '- '"
        case inspect.DictType():
            return "a mapping of names of your own"
        case _:
            form, within = (about.form, about.within) if about else (None, (None, None))
            return allowed(kind, form, within) + (", or none" if optional else "")


def fields_of(section: type[Section]) -> tuple[inspect.Field, ...]:
    """Return the fields of a section's type as they are declared."""
    kind = inspect.type_info(section)
    assert isinstance(kind, inspect.StructType), "a section is a struct"
    return kind.fields

"""The reference page of the configuration, `docs/configuration.md`, made from the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import getdoc
from typing import Final

from msgspec import NODEFAULT, inspect

from build_exporter.config.kinds import Outside, fields_for
from build_exporter.config.load import MAX_BYTES, MAX_ITEMS
from build_exporter.config.schema import Config, Source
from build_exporter.config.section import About, Section, alternatives, field_type, fields_of
from build_exporter.config.values import READINGS, Form, allowed, written
from build_exporter.config.views import View

INTRODUCTION: Final = f"""\
# Configuration

<!-- Made from the schema by `make docs`: change it there. -->

`build-exporter serve --config FILE` reads one YAML file. Every key may be left out: an empty file has every default.
[examples/config.yml](../examples/config.yml) is a complete one. `build-exporter config check FILE` reports everything
that is wrong with a file, each with its line and what is allowed there, and exits 2; for a file without fault it exits
0. When a running exporter reads the file again and it is wrong, the old configuration stays in force.

The table decides what a text means, not YAML: `build: 12.10` stays `12.10`, and quotes make no difference. A key with
nothing after it has its default; `none` (or `null`) means none where the table allows it. Relative paths are taken from
the directory of the file, `~` is the home directory. Aliases, anchors, tags and repeated keys are errors, as are files
above {MAX_BYTES // 1024} KiB and lists above {MAX_ITEMS} items.

| value | what may be written | stored as |
|---|---|---|
"""

STORED: Final[Mapping[Form, str]] = {
    "seconds": "seconds",
    "bytes": "bytes",
    "bytes_per_second": "bytes a second",
    "ratio": "ratio",
    "celsius": "degrees Celsius",
    "count": "number",
    "number": "number",
    "time": "Unix seconds",
    "path": "absolute path",
}


def render(outside: Outside) -> str:
    """Return the text of the reference page, with the kinds of source and the queries there are."""
    forms = (f"| {form.noun} | {form.how or '-'} | {STORED.get(key, 'text')} |\n" for key, form in READINGS.items())
    parts = (part for field in fields_of(Config) for part in _top_level(field, outside))
    return INTRODUCTION + "".join(forms) + "".join(parts)


def _top_level(field: inspect.Field, outside: Outside) -> Iterator[str]:
    kind, about, _ = field_type(field.type)
    assert about is not None, "every field is described"
    yield f"\n## `{field.name}`\n\n{about.description}\n"
    if (section := _section(kind)) is None:
        yield f"\nA mapping of names of your own to {_words(kind, about)}.\n"
    else:
        yield from _table(section, field.name + _each(kind), outside)


def _table(section: type[Section], path: str, outside: Outside, which: str = "") -> Iterator[str]:
    """Yield the description of a section, the table of its keys, and those of the sections within it."""
    yield f"\n`{path}`{which}: {getdoc(section)}\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
    inner: list[tuple[type[Section], str]] = []
    declared = inspect.type_info(section)
    assert isinstance(declared, inspect.StructType), "a section is a struct"
    for field in fields_for(declared, outside, lambda key: None):
        kind, about, optional = field_type(field.type)
        assert about is not None, "every field is described"
        words = _words(kind, about) + (", or none" if optional else "")
        if isinstance(kind, inspect.DictType):
            words = f"a mapping of names of your own to {words}"
        yield f"| `{field.name}` | {_cell(words)} | {_default(field, about)} | {_cell(about.description)} |\n"
        if (within := _section(kind)) is not None:
            inner.append((within, f"{path}.{field.name}{_each(kind)}"))
    for within, place in inner:
        yield from _table(within, place, outside)
    if section is Source:
        for kind_name, form_of in sorted(outside.kinds.items()):
            if (form := form_of()) is not None and fields_of(form):
                yield from _table(form, f"{path}.options", outside, f" of kind `{kind_name}`")

    if section is View:
        yield "\n| query | filters and arguments | columns; those in bold hold numbers |\n|---|---|---|\n"
        for query, question_of in sorted(outside.questions.items()):
            known = question_of()
            names = (f"**{each}**" if each in known.numbers else each for each in known.columns)
            filters = ", ".join(field.name for field in fields_of(known.filters)) or "-"
            yield f"| `{query}` | {filters} | {', '.join(names)} |\n"


def _section(kind: inspect.Type) -> type[Section] | None:
    """Return the section that a field is, or is a list of."""
    if isinstance(kind, inspect.VarTupleType):
        kind = field_type(kind.item_type)[0]
    return kind.cls if isinstance(kind, inspect.StructType) and issubclass(kind.cls, Section) else None


def _each(kind: inspect.Type) -> str:
    return "[]" if isinstance(kind, inspect.VarTupleType) else ""


def _words(kind: inspect.Type, about: About) -> str:
    if isinstance(kind, inspect.AnyType):
        return "a mapping, see below"
    if isinstance(kind, inspect.DictType) and (members := alternatives(kind.value_type)):
        types = (field_type(member)[:2] for member in members)
        return ", or to ".join(_words(each, within or about) for each, within in types)
    if isinstance(kind, inspect.DictType):
        return allowed(kind.value_type, about.form, about.within, brief=True)
    if _section(kind) is not None:
        return "a list of mappings, see below" if _each(kind) else "a mapping, see below"
    if isinstance(kind, inspect.VarTupleType):
        return f"a list, each item: {allowed(kind.item_type, about.form, about.within, brief=True)}"
    return allowed(kind, about.form, about.within, brief=True)


def _default(field: inspect.Field, about: About) -> str:
    if field.required:
        return "required"
    if field.default is NODEFAULT or isinstance(field.default, Section) or field.default == ():
        return "empty"
    return f"`{written(field.default, about.form)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

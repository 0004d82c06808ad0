"""Whatever stands in the file: a configuration or an error that says where, never anything else."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from build_exporter.config.kinds import Outside
from build_exporter.config.load import parse_config
from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import Config
from build_exporter.config.section import field_type
from build_exporter.config.values import Form, read, written
from build_exporter.queries.filters import questions
from build_exporter.sources.registry import BUILT_IN


def words_of(kind: inspect.Type) -> set[str]:
    """Return the keys and choices of a type, so that generated files get past the first poll."""
    kind = field_type(kind)[0]
    match kind:
        case inspect.StructType():
            return {field.name for field in kind.fields}.union(*(words_of(field.type) for field in kind.fields))
        case inspect.VarTupleType():
            return words_of(kind.item_type)
        case inspect.LiteralType():
            return set(map(str, kind.values))
        case _:
            return set()


KINDS = {kind.name: kind.options for kind in BUILT_IN}
OUTSIDE = Outside(KINDS, questions())
OPTIONS = set().union(*(words_of(inspect.type_info(form)) for kind in BUILT_IN if (form := kind.options()) is not None))
WORDS = st.sampled_from(sorted(words_of(inspect.type_info(Config)) | set(KINDS) | OPTIONS))
VALUES = st.sampled_from(
    ["9h30m", "8 GiB", "40%", "-1", "1e300", ".inf", "2026-11-22T06:00:00Z", "(?P<step>x", "a:1", "none", "~", ""]
)
SCALARS = WORDS | VALUES | st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.none()
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | SCALARS, inner, max_size=5),
    max_leaves=20,
)
FRAGMENTS = [
    "schedule", "sources", "\n", "  ", "- ", ": ", "\t", "[", "]", "{", "}", ",", "'", '"', "#", "&a ", "*a", "!x ",
    "|\n", ">-\n", "? ", "---\n", "%YAML 1.1\n", "<<", "\\", "0x1", "\u2028", "\x85", "\ufeff", "\x00", "\r",
]  # fmt: skip


def refusal(content: bytes) -> ConfigError | None:
    """Return the error that the content is refused with; None when it is a configuration."""
    try:
        parse_config(content, "config.yml", OUTSIDE)
    except ConfigError as error:
        return error
    return None


def check(content: bytes) -> None:
    """Fail unless the content is a configuration, or refused with problems that each name a place in it."""
    error = refusal(content)
    if error is None:
        return
    reported = str(error).split("\n")
    assert len(reported) == len(error.problems) > 0
    assert all(line.isprintable() for line in reported)
    lines = 1 + len(content.decode("utf-8", "replace").splitlines())
    for problem in error.problems:
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert problem.message


@settings(deadline=None)
@given(st.binary(max_size=200))
@example(b"\xff\xfea\x00")
def test_any_bytes(content: bytes) -> None:
    """A file of any bytes is refused or read, never a traceback."""
    check(content)


@settings(deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS) | WORDS, max_size=30))
@example(["%YAML 1." + "9" * 5000 + "\n---\n"])
@example(['"\\Uffffffff"'])
@example(['"\\U00110000"'])
@example(["!<" + "%ff" * 3 + "> x"])
def test_any_syntax(fragments: list[str]) -> None:
    """Any jumble of YAML's own signs is refused or read."""
    check("".join(fragments).encode())


@settings(deadline=None)
@given(TREES)
def test_any_structure(tree: Any) -> None:
    """Right YAML of any shape is refused or read."""
    check(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "replace"))


NUMBERS: dict[Form, st.SearchStrategy[float]] = {
    "seconds": st.floats(0, 1e9) | st.integers(0, 10**9).map(float),
    "bytes": st.integers(0, 10**14).map(float),
    "ratio": st.floats(0, 100),
    "time": st.integers(0, 4 * 10**9).map(float),
}


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(NUMBERS)))
def test_any_value_reads_back_as_it_is_written(data: st.DataObject, form: Form) -> None:
    """The defaults and bounds that errors and the reference page name are exact."""
    value = data.draw(NUMBERS[form])
    kind = inspect.IntType() if form == "bytes" else inspect.FloatType()
    assert read(written(value, form), kind, form) == value

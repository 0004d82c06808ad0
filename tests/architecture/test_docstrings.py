"""Docstrings describe the code they belong to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from rooms import modules, room_of

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def named(docstring: str, section: str) -> Iterator[str]:
    """Yield the names that a section of a docstring describes."""
    found = re.search(rf"^{section}:\n((?:    .*\n?)+)", docstring, re.MULTILINE)
    for names in re.findall(r"^    (\w+(?:, \w+)*):", found[1], re.MULTILINE) if found else ():
        yield from names.split(", ")


def present(node: Documented) -> set[str]:
    """Return the parameters of a function, or the attributes of a class."""
    if not isinstance(node, ast.ClassDef):
        every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg)
        return {each.arg for each in every if each is not None}
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute):
            found.add(each.attr)
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            found.add(each.target.id)
        elif isinstance(each, ast.FunctionDef):
            found.add(each.name)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found.add(each.value)  # of __slots__
    return found


@pytest.mark.parametrize("room", sorted({room_of(file) for file in modules()}))
def test_docstrings_name_what_exists(room: str) -> None:
    """A reader finds each argument and attribute that a docstring describes, also after a rename."""
    wrong = []
    for file in modules():
        for node in ast.walk(ast.parse(file.read_text())) if room_of(file) == room else ():
            if isinstance(node, Documented):
                section = "Attributes" if isinstance(node, ast.ClassDef) else "Args"
                text = ast.get_docstring(node) or ""
                lacking = set(named(text, section)) - present(node)
                wrong += [f"{file.name}: {node.name}: {each}" for each in lacking]
    assert wrong == []

"""The API's OpenAPI document, made from the endpoints and the types of their parameters and answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from build_exporter import __version__
from build_exporter.web.endpoint import Endpoint
from build_exporter.web.http import MAX_URL_BYTES

_REFERENCE: Final = "#/components/schemas/{name}"


class ErrorBody(msgspec.Struct, frozen=True):
    """An error: `code` for programs, `message` for people."""

    code: str
    message: str
    details: Any


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The form of every error."""

    error: ErrorBody


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the document as plain data."""
    rows = list(endpoints)
    types = [each.answer for each in rows] + [each.body for each in rows if each.body is not None] + [ErrorAnswer]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    answers = dict(zip(map(id, rows), schemas, strict=False))
    paths: dict[str, dict[str, Any]] = {}
    for each in rows:
        paths.setdefault(shown_path(each.path), {})[each.method.lower()] = _operation(each, answers[id(each)])
    info = {"title": "build-exporter", "version": __version__, "description": "Builds, and what happens in them."}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": components}}


def shown_path(path: str) -> str:
    """Return an endpoint's path without the router's converters."""
    return re.sub(r":\w+}", "}", path)


def _operation(each: Endpoint, answer: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": each.summary, "parameters": list(_parameters(each))}
    if each.body is not None:
        ((schema,), _) = msgspec.json.schema_components([each.body], ref_template=_REFERENCE)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    problems = {400: "The parameters are not as they must be.", 404: "It is not there."} if each.ask else {}
    long = {414: f"The address has more than {MAX_URL_BYTES} bytes."}
    responses = {200: "The answer.", **problems, **(each.statuses or {}), **long}
    operation["responses"] = {
        str(status): {"description": words, "content": _content(each, status, answer)}
        for status, words in responses.items()
    }
    return operation


def _content(each: Endpoint, status: int, answer: dict[str, Any]) -> dict[str, Any]:
    if status >= 400:
        return {"application/json": {"schema": {"$ref": _REFERENCE.format(name=ErrorAnswer.__name__)}}}
    return {"application/json": {"schema": answer}, **{form: {"schema": {"type": "string"}} for form in each.forms}}


def _parameters(each: Endpoint) -> Iterator[dict[str, Any]]:
    path = shown_path(each.path)
    ((_,), components) = msgspec.json.schema_components([each.parameters], ref_template=_REFERENCE)
    properties: dict[str, Any] = components[each.parameters.__name__].get("properties", {})
    for name, schema in properties.items():
        in_path = f"{{{name}}}" in path
        known = {key: value for key, value in schema.items() if key not in ("default", "description")}
        if in_path:
            known = known | {"minLength": 1}
        yield {
            "name": name,
            "in": "path" if in_path else "query",
            "required": in_path or "default" not in schema,
            "description": schema.get("description", ""),
            "schema": known,
        }

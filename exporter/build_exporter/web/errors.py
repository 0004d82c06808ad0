"""The one form every error has."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from build_exporter.web.messages import Response


def error(
    status: int, code: str, message: str, details: object = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error as JSON: `code` is for programs, `message` for people."""
    body = msgspec.json.encode({"error": {"code": code, "message": message, "details": details}})
    return Response(body, status, {"x-content-type-options": "nosniff", **(headers or {})}, "application/json")

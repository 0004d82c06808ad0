"""The one form every error has."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse


def error(
    status: int, code: str, message: str, details: object = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error as JSON: `code` is for programs, `message` for people."""
    return JSONResponse({"error": {"code": code, "message": message, "details": details}}, status, headers)

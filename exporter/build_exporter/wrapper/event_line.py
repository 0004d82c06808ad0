"""Encode flat events as journal lines, without the start-up cost of a JSON library."""

from __future__ import annotations

_ESCAPES = {code: f"\\u{code:04x}" for code in range(32)} | {34: '\\"', 92: "\\\\"}


def event_line(fields: dict[str, str | int | float | None]) -> bytes:
    """Return one journal line; fields that are None are left out.

    Texts may hold bytes that were no UTF-8 (as surrogates, the way Python keeps arguments); those become U+FFFD.
    Numbers must be finite.
    """
    members = ",".join(f"{_quoted(name)}:{_value(value)}" for name, value in fields.items() if value is not None)
    return f"{{{members}}}\n".encode()


def _value(value: str | int | float) -> str:
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if not text.isascii() else text
    return f'"{readable.translate(_ESCAPES)}"'

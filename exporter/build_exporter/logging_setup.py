"""The exporter's own log: one line a message, logfmt or JSON, as Prometheus' programs write it."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

LEVELS: Final = ("debug", "info", "warn", "error")
FORMATS: Final = ("logfmt", "json")

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = "warn" if record.levelno == logging.WARNING else record.levelname.lower()
    fields: dict[str, Any] = {"ts": when, "level": level, "source": record.name, "msg": record.getMessage()}
    fields.update({key: value for key, value in record.__dict__.items() if key not in _STANDARD})
    if record.exc_info:
        fields["exception"] = logging.Formatter().formatException(record.exc_info)
    return fields


def _logfmt_value(value: object) -> str:
    text = str(value)
    if text and text.isascii() and text.isprintable() and not set(text) & set(' ="\\'):
        return text
    # JSON's escapes keep hostile text on its line and out of the terminal
    return json.dumps(text)


class LogfmtFormatter(logging.Formatter):
    """`ts=… level=… msg="…" key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return " ".join(f"{key}={_logfmt_value(value)}" for key, value in _fields(record).items())


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return json.dumps(_fields(record), default=str)


def configure_logging(level: str, form: str) -> None:
    """Send the log to standard error in a form of `FORMATS`, from a level of `LEVELS` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else LogfmtFormatter())
    logging.basicConfig(
        level={"warn": "WARNING"}.get(level, level.upper()),
        handlers=[handler],
        force=True,
    )
    # it would log each connection
    logging.getLogger("websockets").setLevel(logging.WARNING)

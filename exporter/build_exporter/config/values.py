"""Convert configuration text to values: the accepted forms, bounds, and error texts.

Nothing here guesses as YAML 1.1 does (`9:30` is not 570, `12.10` as a name stays `12.10`): the schema says which form
a field has, and the text is read in that form. No error raised here repeats the text it was given.
"""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from msgspec import inspect

from build_exporter.model.names import MAX_NAME_LENGTH, is_build_name

Form = Literal[
    "seconds", "bytes", "bytes_per_second", "ratio", "celsius", "count", "number", "time",
    "name", "build", "metric", "path", "url", "regex", "text",
]  # fmt: skip
"""Meaning of a field's text: the unit of a number, or the kind of text."""

Bounds = tuple[float | None, float | None]
"""Least and greatest value, in the unit a number is stored in; None: no bound."""

MAX_NUMBER: Final = 1e15
"""Largest number accepted anywhere: beyond it floats no longer hold every whole number of bytes or seconds."""

MAX_TEXT: Final = 4096
"""Longest text value, in characters."""

SHOWN_LENGTH: Final = 60
"""Longest piece of the file repeated in an error, in characters."""

_NUMBER = r"([0-9]{1,16}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})"
_PLAIN = re.compile(rf"[-+]?{_NUMBER}(?:[eE][-+]?[0-9]{{1,3}})?")
_WHOLE = re.compile(r"[-+]?[0-9]{1,16}")
_PERCENT = re.compile(rf"{_NUMBER}\s*%")
_TIME_UNITS: Final = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile("".join(rf"(?:{_NUMBER}\s*{unit}\s*)?" for unit in _TIME_UNITS))
_SIZE_UNITS: Final = {"B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4} | {
    "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4,
}  # fmt: skip
_SIZE = re.compile(rf"{_NUMBER}\s*({'|'.join(_SIZE_UNITS)})")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")  # what no file name, process argument or response can hold
_METRIC = re.compile(r"build_custom_[a-z0-9]+(?:_[a-z0-9]+)*")
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,254}}$){_LABEL}(?:\.{_LABEL})*\.?")


def shown(text: str) -> str:
    """Return text of the file as an error may repeat it: quoted, cut short, control characters escaped."""
    return repr(text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…")


def escaped(text: str) -> str:
    """Return text on one line that a terminal shows and does not obey: what is not printable is escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _number(text: str) -> float:
    if not _PLAIN.fullmatch(text):
        raise ValueError
    return float(text)


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError
    return int(text)


def _seconds(text: str) -> float:
    parts = _DURATION.fullmatch(text)
    if parts is None or not any(parts.groups()):
        return _number(text)
    return sum(float(part) * unit for part, unit in zip(parts.groups(), _TIME_UNITS.values(), strict=True) if part)


def _bytes(text: str) -> int:
    parts = _SIZE.fullmatch(text)
    return round(float(parts[1]) * _SIZE_UNITS[parts[2]]) if parts else _whole(text)


def _ratio(text: str) -> float:
    parts = _PERCENT.fullmatch(text)
    return float(parts[1]) / 100 if parts else _number(text)


def _time(text: str) -> float:
    if not _TIMESTAMP.fullmatch(text):
        return _number(text)
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ValueError("there is no such day, hour or zone") from None


def _name(text: str) -> str:
    if not (0 < len(text) <= MAX_NAME_LENGTH and text.isprintable() and text == text.strip()):
        raise ValueError
    return text


def _build(text: str) -> str:
    if not is_build_name(text) or not text.isprintable():
        raise ValueError
    return text


def _metric(text: str) -> str:
    if not _METRIC.fullmatch(text) or len(text) > MAX_NAME_LENGTH:
        raise ValueError
    return text


def _text(text: str) -> str:
    if not text.strip() or _NOT_TEXT.search(text):
        raise ValueError
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(_text(text))
        named = parts.hostname and parts.port != 0  # reading the port refuses one that is no number, or too large
    except ValueError:
        raise ValueError from None  # without its message, which repeats parts of the address
    if not named or parts.scheme not in {"http", "https"} or not text.isprintable() or " " in text:
        raise ValueError
    if "@" in parts.netloc:
        raise ValueError("it has a user or password")
    return text.rstrip("/")


def compiled(pattern: str) -> re.Pattern[str]:
    """Return the compiled regular expression.

    Raises:
        ValueError: it is invalid; names the reason and the character.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(pattern)
    except re.error as error:
        raise ValueError(str(error)) from None
    except (OverflowError, RecursionError):
        raise ValueError("too large or too deeply nested") from None


def _regex(text: str) -> str:
    compiled(_text(text))
    return text


class Reading(NamedTuple):
    """Parser of a form, and its description for errors and the reference page."""

    read: Callable[[str], Any]
    noun: str
    how: str = ""
    """Examples, or what else the noun leaves open."""


READINGS: Final[Mapping[Form, Reading]] = {
    "seconds": Reading(_seconds, "a duration", "90s, 15m, 9h30m; plain numbers are seconds"),
    "bytes": Reading(_bytes, "a size", "500 MB, 8 GiB; plain numbers are bytes"),
    "bytes_per_second": Reading(lambda text: _bytes(text.removesuffix("/s")), "a rate", "8 MiB or 8 MiB/s; a second"),
    "ratio": Reading(_ratio, "a ratio", "0.4 or 40%"),
    "celsius": Reading(_number, "degrees Celsius"),
    "count": Reading(_whole, "a whole number"),
    "number": Reading(_number, "a number"),
    "time": Reading(_time, "a time", "2026-11-22T06:00:00Z, …+01:00 or Unix seconds; the zone is needed"),
    "name": Reading(_name, "a name", f"1 to {MAX_NAME_LENGTH} printable characters"),
    "build": Reading(_build, "a build's name", "letters, digits and . _ + -, at most 100"),
    "metric": Reading(_metric, "a metric's name", "in lower case, begins with build_custom_"),
    "path": Reading(_text, "a path"),
    "url": Reading(_url, "an address", "http:// or https://, without user and password"),
    "regex": Reading(_regex, "a regular expression", "as Python has them"),
    "text": Reading(_text, "text", f"1 to {MAX_TEXT} characters"),
}

_TRUTH: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read(text: str, kind: inspect.Type, form: Form | None, within: Bounds = (None, None)) -> Any:
    """Return the value that a field of this type and form has when `text` is written.

    Raises:
        ValueError: the text is not of the form or not within the bounds; the message adds why, or is empty.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has {len(text)} characters")
    if isinstance(kind, inspect.BoolType):
        if text.lower() not in _TRUTH:
            raise ValueError
        return _TRUTH[text.lower()]
    if isinstance(kind, inspect.LiteralType):
        if text not in kind.values:
            raise ValueError
        return text
    assert form is not None, "only switches and choices need no form"
    value = READINGS[form].read(text)
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        least, most = within
        if not (-MAX_NUMBER if least is None else least) <= value <= (MAX_NUMBER if most is None else most):
            raise ValueError
        return int(value) if isinstance(kind, inspect.IntType) else float(value)
    return value


def words_for(form: Form) -> str:
    """Return in words what may be written in a form."""
    reading = READINGS[form]
    return f"{reading.noun} ({reading.how})" if reading.how else reading.noun


def allowed(kind: inspect.Type, form: Form | None, within: Bounds = (None, None), *, brief: bool = False) -> str:
    """Return in words what may be written for a field of this type and form, bounds included; brief: no examples."""
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if isinstance(kind, inspect.LiteralType):
        return ", ".join(map(str, kind.values))
    assert form is not None, "only switches and choices need no form"
    words = READINGS[form].noun if brief else words_for(form)
    least, most = (None if bound is None or form == "time" else written(bound, form) for bound in within)
    if least and most:
        return f"{words}, {least} to {most}"
    return words + (f", at least {least}" if least else f", at most {most}" if most else "")


def written(value: object, form: Form | None) -> str:
    """Return a value as a person would write it into the file; reading it gives the value again."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if not isinstance(value, int | float):
        return str(value)
    if form == "time":
        return datetime.fromtimestamp(value, UTC).isoformat()
    if form == "seconds" and value > 0:
        return _written_seconds(value)
    if form in {"bytes", "bytes_per_second"} and value > 0:
        return _written_bytes(int(value))
    return repr(int(value) if value == int(value) else value)


def _written_seconds(seconds: float) -> str:
    if seconds != int(seconds):
        milliseconds = round(seconds * 1000)
        return f"{milliseconds}ms" if milliseconds * _TIME_UNITS["ms"] == seconds else repr(seconds)
    parts, rest = "", int(seconds)
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_TIME_UNITS[unit]))
        parts += f"{count}{unit}" if count else ""
    return parts


def _written_bytes(size: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]} {unit}"
    return repr(size)


def check_target(kind: str, target: str) -> str | None:
    """Return what a probe of this kind needs as its target where `target` is not that, else None."""
    is_right, needed = _TARGETS[kind]
    try:
        return None if is_right(target) else needed
    except ValueError:
        return needed


def _is_address(target: str) -> bool:
    address = _ADDRESS.fullmatch(target)
    return address is not None and 0 < int(address[1]) < 65536


def _is_database(target: str) -> bool:
    parts = urlsplit(target)
    if parts.query or parts.fragment or not target.isprintable():
        return False
    if parts.scheme == "sqlite":
        return not parts.netloc and len(parts.path) > 1
    if parts.scheme not in {"postgresql", "mysql"} or not parts.hostname or parts.port == 0:
        return False
    return parts.password is None and (":" in parts.hostname or _HOST.fullmatch(parts.hostname) is not None)


_TARGETS: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "tcp": (_is_address, "host:port"),
    "http": (_url, words_for("url")),
    "dns": (_HOST.fullmatch, "a host name"),
    "process": (str.strip, "a name"),
    "command": (shlex.split, "a command line with closed quotes"),
    "database": (
        _is_database,
        "postgresql://USER@HOST/NAME, mysql://USER@HOST/NAME or sqlite:///FILE, without a password",
    ),
    "disk": (lambda target: target.startswith("/"), "an absolute path"),
}
"""What makes a target right, by kind of probe, and that in words."""

"""The quick way of `build-exporter emit`: one event with plain fields, without the libraries that explain mistakes.

Builds wait for it. What is not certainly right is left to `cli.emit`, which does the same for every case.
"""

from __future__ import annotations

import os
import time

from build_exporter.journal.append import LINE_LIMIT, Writer
from build_exporter.journal.command_uses import count_command
from build_exporter.journal.current import GOES_ON, join_run
from build_exporter.journal.layout import RUN_FILE_VARIABLE, default_journal, newest_run
from build_exporter.wrapper.emit_fields import FIELDS
from build_exporter.wrapper.event_line import event_line

_BUILD_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")


class NotPlainError(Exception):
    """The arguments need the other way."""


def emit(arguments: list[str]) -> bool:
    """Append the event that the arguments describe; return False, having done nothing, where it is no plain one."""
    try:
        event, fields, options = _parse(arguments)
        values = _values(event, fields)
        journal = options.get("journal") or default_journal()
        path = _run_file(event, journal, options)
        line = event_line({"time": round(time.time(), 6), "event": event, "build": options["build"], **values})
        if len(line) > LINE_LIMIT:
            return False
        count_command(journal, "emit")
        if not path:
            starts, goes_on = event == "build_started", event in GOES_ON
            path = join_run(journal, options["build"], time.time(), resume=starts, goes_on=goes_on)
        Writer(path).append(line)
    except (NotPlainError, OSError):
        return False
    return True


def _parse(arguments: list[str]) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return the event, its fields and the options as given; the build is that of the surrounding run without one."""
    words: list[str] = []
    options: dict[str, str] = {}
    rest = iter(arguments)
    for word in rest:
        if word in ("--build", "--journal"):
            options[word[2:]] = next(rest, "")
        elif word.startswith("-"):
            raise NotPlainError
        else:
            words.append(word)
    around = os.environ.get(RUN_FILE_VARIABLE, "") if "build" not in options else ""
    # the directory of a run's file is named after its build
    build = options.setdefault("build", around.split("/")[-2] if around.count("/") else "")
    options["run"] = around
    if not 1 <= len(build) <= 100 or not _BUILD_CHARACTERS.issuperset(build) or not build.strip("."):
        raise NotPlainError
    fields = dict(word.partition("=")[::2] for word in words[1:] if "=" in word)
    if not words or len(fields) != len(words) - 1 or "_BUILD_EXPORTER_COMPLETE" in os.environ:
        raise NotPlainError
    return words[0], fields, options


def _values(event: str, fields: dict[str, str]) -> dict[str, str | int | float | None]:
    """Return the fields' values, all known to be right."""
    required, known = FIELDS.get(event, ((), {}))
    if not known or not fields.keys() >= set(required) or not fields.keys() <= known.keys():
        raise NotPlainError
    return {name: _value(text, *known[name]) for name, text in fields.items()}


def _value(text: str, kind: str, least: float, most: float, words: tuple[str, ...]) -> str | int | float:
    number: str | int | float = text
    if kind == "text":
        is_right = least <= len(text) <= most and text.isprintable()
    elif kind == "word":
        is_right = text in words
    else:
        digits, point, decimals = text.partition(".")
        is_right = _is_digits(digits) and (digits == "0" or not digits.startswith("0")) and len(text) < 16
        is_right = is_right and (not point or (kind == "number" and _is_digits(decimals)))
        number = (float(text) if point else int(text)) if is_right else 0
        is_right = is_right and least <= number <= most
    if not is_right:
        raise NotPlainError
    return number


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _run_file(event: str, journal: str, options: dict[str, str]) -> str:
    """Return the surrounding run's file, empty where the event joins or begins a run of its build."""
    is_sure = options["run"] or event in GOES_ON or newest_run(journal, options["build"]) is not None
    if not is_sure or (event == "build_started" and options["run"]):
        raise NotPlainError
    return options["run"]

"""`build-exporter emit`: events into the journal from a shell or another program."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import click
import msgspec
from msgspec import inspect

from build_exporter.cli.options import USAGE_ERROR, journal_option, words_of
from build_exporter.journal.append import Writer
from build_exporter.journal.current import GOES_ON, join_run
from build_exporter.journal.layout import RUN_FILE_VARIABLE, builds, newest_run
from build_exporter.model.events import (
    EVENT_NAMES,
    EVENT_TYPES,
    AnyEvent,
    BuildStarted,
    Event,
    encode_line,
    event_name,
)
from build_exporter.model.names import is_build_name, nearest_names

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(AnyEvent)


@click.command()
@click.argument("event", metavar="EVENT|-")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@journal_option
@click.option("--build", metavar="NAME", help="The line of builds. Default: the surrounding run's.")
@click.option("--new", is_flag=True, help="Begin a new run even where the newest is unfinished, or a new build.")
def emit(event: str, fields: tuple[str, ...], journal: str, build: str | None, new: bool) -> None:
    """Append an event to a run: the surrounding one, else the build's newest, else a new one.

    Where the newest run is over, build_started, plan, step_started and step_finished begin a new one (build_started
    takes up one that has not succeeded); any other event, such as a note, joins it.

    With `-` events are read from standard input, a JSON object a line; `time` and `build` are filled in where missing.
    Nothing is written unless every line is right. Numbers and JSON values are taken as such, anything else as text.

    \b
    build-exporter emit --build lfs build_started target=x86_64-lfs-linux-gnu jobs=4
    build-exporter emit --build lfs step_finished phase=chapter-5 step=gcc-pass1 status=failed exit_code=2
    build-exporter emit --build lfs note 'message=second disk is nearly full'
    my-tool | build-exporter emit --build lfs -
    """
    around = os.environ.get(RUN_FILE_VARIABLE, "")
    name = build or (os.path.basename(os.path.dirname(around)) if around else "")  # noqa: PTH119, PTH120
    if not is_build_name(name):
        _stop("--build must name the build: 1 to 100 of A-Z a-z 0-9 . _ + -")
    if event == "-":
        objects = [_object(number, line) for number, line in enumerate(sys.stdin.buffer, 1) if line.strip()]
    elif event in EVENT_NAMES:
        objects = [{"event": event, **dict(_field(text, event) for text in fields)}]
    else:
        _stop(f"no event {event!r}; there are: {', '.join(EVENT_NAMES)}")
    lines = [_line(number, each, name) for number, each in enumerate(objects, 1)]
    if not lines:
        return
    starts = any(isinstance(given, BuildStarted) for given, _ in lines)
    goes_on = any(event_name(given) in GOES_ON for given, _ in lines)
    if event != "-" and not new and not around and not goes_on:
        _check_known(journal, name)
    try:
        joined = around if around and not build and not new else None
        path = joined or join_run(journal, name, time.time(), resume=starts, new=new, goes_on=goes_on)
        writer = Writer(path)
        for _, line in lines:
            writer.append(line)
    except (OSError, ValueError) as error:
        click.echo(f"build-exporter: the journal can't be written: {words_of(error)}", err=True)
        raise SystemExit(1) from None


def _check_known(journal: str, name: str) -> None:
    """End with a message where a build has no run that an event could belong to: its name is mistyped."""
    if os.path.isdir(journal) and newest_run(journal, name) is None:  # noqa: PTH112
        nearest = nearest_names(name, builds(journal))
        _stop(f"no build {name} in {journal}; there are: {nearest}; --new begins one")


def _stop(message: str) -> Any:
    click.echo(f"build-exporter emit: {message}", err=True)
    raise SystemExit(USAGE_ERROR)


def _field(text: str, event: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        _stop(f"a field is FIELD=VALUE, not {text!r}")
    text = value.encode("utf-8", "replace").decode()
    if name in _text_fields(event):
        # "version=5.1" is text even though it looks like a number
        return name, text
    try:
        return name, msgspec.json.decode(text)
    except msgspec.DecodeError:
        return name, text


def _text_fields(event: str) -> set[str]:
    """Return the fields of an event that hold text."""
    kind = next(kind for kind in EVENT_TYPES if kind.__struct_config__.tag == event)
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name for field in info.fields if _is_text(field.type)}


def _is_text(kind: inspect.Type) -> bool:
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return any(isinstance(each, inspect.StrType) for each in kinds)


def _object(number: int, line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _stop(f"line {number} is no JSON object: {error}")
        raise AssertionError from error


def _line(number: int, given: dict[str, Any], build: str) -> tuple[Event, bytes]:
    whole = {"time": round(time.time(), 6), "build": build, **given}
    if whole["build"] != build:
        _stop(f"line {number} is of build {whole['build']!r}, not {build!r}")
    text = msgspec.json.encode(whole)
    try:
        event = _decoder.decode(text)
    except msgspec.ValidationError as error:
        event_type = given.get("event")
        names = "" if event_type in EVENT_NAMES else f"; events: {', '.join(EVENT_NAMES)}"
        _stop(f"line {number}, event {event_type!r}: {_explain(error, given)}{names}")
    # fields this version does not know stay in the line
    known = msgspec.json.decode(encode_line(event), type=dict[str, Any])
    return event, msgspec.json.encode({"time": whole["time"], "event": event_name(event), **whole, **known}) + b"\n"


def _explain(error: msgspec.ValidationError, given: dict[str, Any]) -> str:
    """Return what is wrong with a field in words: which, and where the allowed values are few, which those are."""
    words, _, path = str(error).partition(" - at `$.")
    field = path.rstrip("`")
    if not field:
        return words
    allowed = _allowed(str(given.get("event")), field)
    return f"{field} can't be {given.get(field)!r}; allowed: {allowed}" if allowed else f"{field}: {words}"


def _allowed(event: str, field: str) -> str:
    kind = next((kind for kind in EVENT_TYPES if kind.__struct_config__.tag == event), None)
    info = inspect.type_info(kind) if kind is not None else None
    fields = info.fields if isinstance(info, inspect.StructType) else ()
    found = next((each.type for each in fields if each.encode_name == field), None)
    return ", ".join(map(str, found.values)) if isinstance(found, inspect.LiteralType) else ""

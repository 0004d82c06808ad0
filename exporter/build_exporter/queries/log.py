"""`log`: a part of a step's log, by bytes, as whole lines."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from build_exporter.journal.layout import run_path
from build_exporter.model.redaction import redact
from build_exporter.model.states import StepState
from build_exporter.model.text import plain
from build_exporter.queries.common import Answer
from build_exporter.queries.context import BadRequestError, Context, NotFoundError, shown
from build_exporter.sources.files import open_regular
from build_exporter.tracker import Run, Step

MAX_BYTES: Final = 1024 * 1024
_COLOUR: Final = re.compile(r"(\x1b\[[0-9;]{0,32}m)")


class LogText(Answer, frozen=True):
    """A part of a log, as whole lines where they are not longer than the part.

    `offset` is where it begins and `next` where it ends, in bytes of the file; `size` is the file's size. `eof`: it
    reaches the end of what is there; `over`: the step has ended, so that no more is to come. Secrets are masked, and
    escapes and control characters gone; with `colour` those that set colours are kept.
    """

    build: str
    run: str
    phase: str
    step: str
    path: str
    offset: int
    next: int
    size: int
    eof: bool
    over: bool
    text: str


class LogPart(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of which step's log is asked for."""

    step: Annotated[str, Meta(max_length=600, description="The step's name, or `phase/step` where two have the name.")]
    offset: Annotated[
        int, Meta(ge=-(2**62), le=2**62, description="First byte; negative: so many bytes before the end.")
    ] = -65536
    limit: Annotated[int, Meta(ge=1, le=MAX_BYTES, description="Most bytes of the log in the answer.")] = 65536
    colour: Annotated[bool, Meta(description="Keep the escapes that set colours.")] = False


def log(context: Context, name: str, wanted: LogPart) -> LogText:
    """Return a part of a step's log.

    Raises:
        NotFoundError: there is no such build or step, it has no log, or one that may not be read.
        BadRequestError: several steps have the name.
    """
    _, run = context.build(name)
    step = _step_of(context, run, wanted.step)
    if not step.log:
        raise NotFoundError(f"no log is known of {shown(step.phase)}/{shown(step.step)}")
    try:
        descriptor = open_log(context.journal, run, step.log)
    except (OSError, ValueError) as problem:
        words = getattr(problem, "strerror", None) or "it may not be read"
        raise NotFoundError(f"the log of {shown(step.phase)}/{shown(step.step)} can't be read: {words}") from None
    try:
        size = os.fstat(descriptor).st_size
        begin = min(wanted.offset, size) if wanted.offset >= 0 else max(0, size + wanted.offset)
        data = os.pread(descriptor, min(wanted.limit, size - begin), begin)
        if wanted.offset < 0 and begin > 0:
            # from the first whole line on
            first = data.find(b"\n") + 1
            begin, data = begin + first, data[first:]
    finally:
        os.close(descriptor)
    over = step.state is not StepState.RUNNING
    if not (over and begin + len(data) >= size):
        data = _whole(data, is_full=len(data) >= wanted.limit)
    text = _last_shown(data.decode("utf-8", "replace"))
    return LogText(
        build=run.build,
        run=run.run,
        phase=shown(step.phase),
        step=shown(step.step),
        path=shown(step.log),
        offset=begin,
        next=begin + len(data),
        size=size,
        eof=begin + len(data) >= size,
        over=over,
        text=coloured(text) if wanted.colour else redact(plain(text)),
    )


def open_log(journal: str, run: Run, path: str) -> int:
    """Return a descriptor of a log that an event of a run names, open for reading.

    It must be a regular file and no link, and belong to the user whose run it is unless that is root: an event's writer
    must not get read to him what he may not read himself.

    Raises:
        OSError: it can't be opened, or is not such a file.
        ValueError: the path can't be one.
    """
    writer = os.stat(run_path(journal, run.build, run.run)).st_uid  # noqa: PTH116 - beside its like
    descriptor = open_regular(Path(path), follow_links=writer == 0)
    if writer not in (0, os.fstat(descriptor).st_uid):
        os.close(descriptor)
        raise PermissionError(1, "it belongs to another user")
    return descriptor


def coloured(text: str) -> str:
    """Return text without escapes and control characters but for the escapes that set colours; secrets masked."""
    parts = _COLOUR.split(text)
    parts[::2] = map(plain, parts[::2])
    # a secret may be written in colours; then its colours are lost with it
    whole = "".join(parts)
    bare = "".join(parts[::2])
    return whole if redact(bare) == bare else redact(bare)


def _last_shown(text: str) -> str:
    """Return text with what a terminal shows last of each line that was written over in place."""
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _whole(data: bytes, *, is_full: bool) -> bytes:
    """Return data up to the end of its last whole line; of a line longer than a part as much as there is of it."""
    cut = data.rfind(b"\n") + 1
    if cut or not is_full:
        return data[:cut]
    # not within a character
    end = len(data)
    while end and end > len(data) - 4 and data[end - 1] & 0xC0 == 0x80:
        end -= 1
    return data[: end - 1] or data if end and data[end - 1] >= 0xC0 else data


def _step_of(context: Context, run: Run, name: str) -> Step:
    steps = list(run.steps.values())
    # masking every name takes seconds in a build of 100,000 steps
    found = [step for step in steps if name in (step.step, f"{step.phase}/{step.step}")] or [
        step for step in steps if name in (shown(step.step), f"{shown(step.phase)}/{shown(step.step)}")
    ]
    if not found:
        raise NotFoundError(f"no step {shown(name)} in {run.build}")
    if len(found) > 1:
        names = ", ".join(f"{shown(step.phase)}/{shown(step.step)}" for step in found[:10])
        raise BadRequestError(f"several steps have this name; allowed: {names}")
    return found[0]

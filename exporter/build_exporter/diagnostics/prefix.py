"""Prefixes that other programs put before the lines of a build: times, levels, names of containers, docker's counters.

    2025-09-14T03:12:31.8579732Z make: *** [all] Error 2        #23 29.47 make: *** [all] Error 2
    [ERROR]    make[1]: *** [all] Error 1                       builder-1  | make: *** [all] Error 2
    | make: *** [all] Error 1                                   Nov 21 06:12:56 host make[77]: make: *** …

Each line loses its prefixes here, once, before anything reads it: reasons, tests, warnings and progress alike.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from build_exporter.model.text import plain_line

_ISO: Final = (
    r"\W{0,2}\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\s?(?:Z|UTC|[+-]\d\d:?\d\d)?[\])]?:?"
    r"(?: std(?:out|err) [FP](?= )| \d\d[OE](?=[ +]))?[ +]?"
)
_EPOCH: Final = r"\W{0,2}1\d{9}(?:\.\d{1,9})?[\])]?:? ?"
_SHORT: Final = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
_STAMP: Final = re.compile(f"(?:{_ISO}|{_EPOCH}|{_SHORT})")
_UNIT: Final = re.compile(r"[\w.-]{1,100} [\w./-]{1,60}\[\d{2,}\]: ")
"""Machine and process of a line of the system's journal."""

_ELAPSED: Final = (
    r"\[?(?:\d\d:\d\d:\d\d(?:\.\d+)?| {0,3}\d{1,4}:\d\d\.\d\d)\]? (?=\S| )"
    r"|\[\d\d:\d\d\] [-\\|/] "
    r"|\[ *\d{1,7}(?:\.\d{3,6}|s)\] "
)
_LEVELS: Final = "ERROR|ALL|INFO|EXTRA|WARN|WARNING|DEBUG|CFG|FILE|STATE|NOTE|TRACE|FATAL"
_OTHERS: Final = re.compile(
    rf"(?:{_ELAPSED}"
    r"|#\d{1,4} (?:\d{1,6}\.\d{1,4} |(?=ERROR|DONE|CACHED|CANCELED|\[))"
    rf"|(?P<level>\[(?i:{_LEVELS})\s{{0,3}}\] {{0,4}}|##\[\w+\]|::(?:error|warning|notice)[^:\n]{{0,300}}::)"
    r"|\| (?=.)|BUILDSTDERR: |(?:INFO|WARN|FATA|ERRO|DEBU)\[\d{4}\] |:: (?=\S)"
    r"|:(?:info|debug|notice|error|msg|warn):\w{1,20} "
    r"|\d{1,4}: (?=(?:FAIL|ERROR|Traceback|not ok|\[  FAILED)\b)"
    r"|# (?=(?:\S{0,200}make(?:\[\d+\])?: |File \"|Error:|[\w./-]{1,200}\.\w{1,6}:\d+))"
    r"| {1,12}\[(?:exec|javac|java|junit|apply|copy|mkdir)\] "
    r"|\[[a-z][\w.:/-]{0,40}\] +(?=\S)"
    r"|(?:DEBUG|INFO) \w{1,40}\.py:\d+: {1,3}"
    r"|[a-z][\w.-]{0,60} +\| (?=\S)|[a-z][\w.+-]{1,60} {0,40}> (?=\S)| {4,10}> (?=\S)"
    r"|==> (?:default|docker|qemu)[\w.-]{0,30}: (?=\S))"
)
_GO: Final = re.compile(
    r'\{"(?:Time":"([^"]{10,40})|ImportPath":"[^"]{0,300})","Action":"[a-z-]{2,20}"(?:,"(?!Output")[A-Z]\w*":(?:"[^"\\]{0,300}"|[\d.]+))*'
    r'(?:,"Output":("(?:[^"\\]|\\.)*"))?(?:,"[A-Z]\w*":(?:"[^"\\]{0,300}"|[\d.]+))*\}$'
)
"""An event of `go test -json` or `go build -json`: what was printed, where it has that."""

_JOB: Final = re.compile(r"[^\t\n]{1,100}\t[^\t\n]{1,100}\t(?=\d{4}-\d\d-\d\dT)")
"""Job and step, as GitHub's command line shows a run's log."""

_BEGINS: Final = frozenset("#[(|:0123456789 <{=\ufeff")
_NAMED: Final = ("DEBUG", "INFO", "FATA", "ERRO", "BUILDSTDERR")
_MAX_PREFIXES: Final = 4


class Prefixed(NamedTuple):
    """A line parted.

    Attributes:
        text: the line itself.
        stamp: the first time stamp before it, as it stands there; empty without one.
        level: `error`, `info` and the like where a logger's level stood before it, in lower case; else empty.
    """

    text: str
    stamp: str
    level: str


def parted(line: str) -> Prefixed:
    """Return a plain line parted from the prefixes before it: at most four, one within the other."""
    if line[:1] not in _BEGINS and not _may_begin_with_a_name(line):
        return Prefixed(line, "", "")
    stamp = level = ""
    if line.startswith(('{"Time":"', '{"ImportPath":"')) and (event := _GO.match(line)) is not None:
        return Prefixed(_printed(event[2]), event[1] or "", "")
    for _ in range(_MAX_PREFIXES):
        job = _JOB.match(line)
        if job is not None:
            line = line[job.end() :]
        found = _STAMP.match(line)
        if found is not None:
            stamp = stamp or found[0]
            line = line[found.end() :]
            unit = _UNIT.match(line)
            line = line[unit.end() :] if unit is not None else line
            continue
        found = _OTHERS.match(line)
        if found is None:
            break
        level = (found["level"] or level).strip("[]#: ").partition(" ")[0].lower()
        line = line[found.end() :]
    return Prefixed(line, stamp, level)


def _printed(output: str | None) -> str:
    """Return the text in an event's JSON string as one plain line; empty where the event has none."""
    try:
        text: str = json.loads(output or '""', strict=False)
    except ValueError:
        return ""
    # half of a surrogate pair is text for JSON, and can't be written
    return plain_line(text.removesuffix("\n").encode("utf-8", "replace").decode())


def unprefixed(line: str) -> str:
    """Return a plain line without the prefixes before it."""
    return parted(line).text


def _may_begin_with_a_name(line: str) -> bool:
    """Return whether a line may begin with a month, a container's or a job's name: most lines cost only this poll."""
    head = line[:64]
    return (
        "| " in head
        or "> " in head
        or head[3:4] == " "
        or "\t" in head
        or head.startswith(("DEBUG", "INFO", "BUILDSTDERR"))
    )

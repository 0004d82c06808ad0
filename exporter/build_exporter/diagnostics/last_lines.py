"""The last sensible lines before the builder stopped, used when no line is known as an error."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.diagnostics.evidence import Evidence, Reading
from build_exporter.diagnostics.kinds import Kind, is_usage
from build_exporter.diagnostics.rules import Rank, rule_of

SEARCHED_LINES: Final = 40
KEPT_LINES: Final = 12

_TROUBLE: Final = re.compile(
    r"(?i)\b(?:could not|couldn't|cannot|can't|can not|failed|fails|failure|unable|illegal|invalid|not found"
    r"|missing|undefined|unknown|denied|no such|refused|unsupported|not supported|bad"
    r"|fatal|errors?|unexpected|incompatible|conflict\w*|mismatch|abort\w*|exceeded|corrupt\w*|broken|must be"
    r"|required|requires|not (?:a|an|allowed|available|valid|permitted|defined|declared|installed)|does(?: not"
    r"|n't)|too (?:old|many|few|large|small|long)|out of|unresolved|rejected)\b"
)
_SPEAKS: Final = re.compile(r"^(?:\S*/)?[\w.+-]{1,60}(?:\[\d+\])?: \S")
_IDLE: Final = re.compile(
    r"^(?:See |Please |You |For more|Try |If you|Consider|Note|Hint|hint:|note:|Stopping|Aborting|Done|done"
    r"|Exiting|Leaving|\*\*\* (?:Maybe|Please|Try)|Build|real\t|user\t|sys\t|real |Elapsed|elapsed|Total|Time)\b"
    r"|^(?:scons|ninja|samu): |^\S{0,200}(?:[Mm]akefile[\w.-]{0,40}|\.mk|\.make): ?\d+ ?: (?!\*\*\*)"
    r"|^-> required by|^(?:Called from|Raised at) "
    r"|^[^\w]*$|^\w+: exit(?:ing)?$|.*\.\.\. ?(?:done|ok|yes|no|found)?[.!]?$|^[\u2500-\u257f]"
)
_ANNOUNCES: Final = re.compile(
    r"failed to run custom build|didn't exit successfully|subprocess-exited|errored out|log lines"
)
"""Words before the output of the command that failed."""

_CUT: Final = re.compile(r"^\[?\.\.\. ?.{0,60}\b(?:cut|omitted|truncated|skipped|removed)\b.{0,20}$")
"""Marks of omitted lines in a forwarded log: text before them was not the last."""

_STARTS: Final = frozenset({Kind.COMMAND, Kind.TRACE})


def last_lines(reading: Reading) -> Evidence | None:
    """Return the most informative words before the builder's stop, None where the failed command printed nothing.

    With words of trouble in it the last such line, else the last with a speaker, else the last.
    """
    found: list[int] = []
    end = reading.stop
    wrapped = [each.first for each in reading.evidence if each.rank == Rank.MAKE and each.rule is not None]
    end = min(end, max(wrapped, default=end))
    relayed = [
        each.first
        for each in reading.evidence
        if each.rank == Rank.RELAYED and each.first < end and not _ANNOUNCES.search(each.text)
    ]
    end = min(relayed, default=end)
    while end < len(reading.lines) and end > 0 and not reading.lines[end - 1].strip():
        end -= 1
    for index in range(end - 1, max(end - SEARCHED_LINES, reading.begin) - 1, -1):
        line = reading.lines[index]
        if reading.kind(index) in _STARTS or _CUT.match(line):
            break
        if not line.strip() or is_usage(line) or line.startswith("\t") or _IDLE.match(line.strip()):
            continue
        if reading.kind(index) in (Kind.PROGRESS, Kind.SOURCE) or _is_noise(reading, index):
            continue
        found.append(index)
        if len(found) >= KEPT_LINES:
            break
    if not found:
        return None
    troubled = [index for index in found if _TROUBLE.search(reading.english(index)[:1000])]
    troubled = troubled or [index for index in reversed(found) if reading.is_loud(index)]
    speaking = [index for index in troubled if _SPEAKS.match(reading.lines[index])]
    words = [index for index in found if _SPEAKS.match(reading.lines[index])]
    chosen = next(filter(None, (speaking, troubled, words, found)))[0]
    return Evidence(chosen, chosen, reading.lines[chosen], Rank.LAST + (1 if troubled else 0), None)


def speaks(text: str) -> bool:
    """Return whether a line names the program that says it."""
    return text[:1].islower() and _SPEAKS.match(text) is not None


def _is_noise(reading: Reading, index: int) -> bool:
    rule = rule_of(reading.english(index))
    return rule is not None and rule.rank <= Rank.RELAYED

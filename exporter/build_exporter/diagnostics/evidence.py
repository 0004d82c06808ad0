"""Lines read as evidence: which are words of a tool, by which rule they count, and where the builder stopped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from build_exporter.diagnostics.candidates import candidates
from build_exporter.diagnostics.joining import joined
from build_exporter.diagnostics.kinds import Kind, is_usage, kind_of
from build_exporter.diagnostics.language import english
from build_exporter.diagnostics.prefix import parted
from build_exporter.diagnostics.rules import Rank, Rule, own_rule_of, own_rules, rule_of
from build_exporter.diagnostics.terminal import shown

MAX_LINES: Final = 50_000
"""Lines that are read, the last ones."""

MAX_READ: Final = 1200
"""Most lines that are read closely."""

STALE_LINES: Final = 30
"""Commands and progress between words and the builder's stop that show that work went on after them."""

STALE_COMMANDS: Final = 2
"""The same of a download: another mirror had the file."""

_FETCHES: Final = re.compile(r"(?:\S*/)?(?:wget|curl|aria2c|axel|scp|rsync|git (?:clone|fetch)|svn|hg|bzr|cvs) ")
QUIET_PENALTY: Final = 5
"""Rank subtracted from what a logger passes on as no trouble."""

_SILENT: Final = frozenset({Kind.COMMAND, Kind.TRACE, Kind.SOURCE})
_DECORATION: Final = " \t>\u2502\u251c\u2570\u2514\u256d\u250c\u00d7\u2717\u2718\u2500\u25b6"
"""Blanks, quotation and lines drawn before what a tool passes on."""

LATE_PENALTY: Final = 25
"""Rank subtracted from lines after the first stop: they belong to other jobs or follow from it."""

_GIVEN_UP: Final = re.compile(
    r"^(?:\S*/)?(?:g|re|p|b|d)?make(?:\[\d{1,3}\])?\s?: \*\*\* (?!No rule to make|Waiting for|.*\.\.\.$|Deleting)"
    r"|^(?:scons: )?\*\*\* \[[^\]]+\] |^\*\*\* Error code \d"
)
_RESTART: Final = re.compile(r"^(?:\S*/)?g?make(?:\[\d{1,3}\])?\s?: Entering directory|^Making \S+ in |^g?make( |$)")
_QUIET_LEVELS: Final = frozenset({"info", "extra", "debug", "trace", "note", "state", "cfg"})
"""What a logger says at these levels is how far it is."""

_LOUD_LEVELS: Final = frozenset({"error", "fatal"})
_NOT_REMADE: Final = re.compile(r"^(?:\S*/)?g?make: Target '.*' not remade because of errors")
_TOP: Final = re.compile(r"^(?:\S*/)?g?make: \*\*\* ")
_IGNORED: Final = re.compile(r"^(?:\S*/)?g?make(?:\[\d{1,3}\])?\s?: \[.*\] \S+ \d{1,3} \(\w+\)$")
_LEAVING: Final = re.compile(r"^(?:\S*/)?g?make\[(\d{1,3})\]: Leaving directory")
MAX_EXCUSED: Final = 2000
"""Lines of a make whose failure was to be ignored."""

_CTEST: Final = re.compile(r"^\s*(?:\d{1,6}/\d{1,6} )?Test\s+#(\d{1,6}): \S+ \.*\s*(?:(Passed)|.{0,20}\*\*\*)")
_NINJA_FAILED: Final = re.compile(r"^FAILED: (?:\[code=\d+\] )?(?!.*: )\S.*$")
_PLACED: Final = re.compile(r"^[^\s:]{1,300}\.\w{1,6}:\d{1,7}:(?:\d{1,7}:)? (?!warning|note|remark)\S")
_LOUD: Final = ("configure: error: ", "Invalid configuration", "***", "Could NOT")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
_NOTE: Final = re.compile(r"^\s*= note: (?=\S*(?:ld|mold|lld|link)\S*: )")
"""Lines with which rustc forwards the linker's output."""

_ERROR: Final = re.compile(r"^\s{1,20}(?:\S{1,100}: )?(?:[Ee]rror|ERROR): ")
_HEADER: Final = re.compile(r"^(?:\s*)Traceback \(most recent call last\):")


class Evidence(NamedTuple):
    """A diagnostic and what it counts: the lines it takes, its words, its rank, and the rule, None without one."""

    first: int
    last: int
    text: str
    rank: int
    rule: Rule | None


class Reading:
    """Lines read.

    Attributes:
        lines: the lines as shown, without prefixes; empty ones are kept.
        evidence: in the order of the lines.
        stop: index of the line with which the builder first gave up, the number of lines where it never says so.
        begin: index of the first line that counts: what make gave up before it was called again is over.
    """

    def __init__(self, lines: list[str], stamps: list[str], levels: list[str]) -> None:
        self.lines = lines
        self._stamps, self._levels = stamps, levels
        self.evidence: list[Evidence] = []
        self.stop = len(lines)
        self.begin = 0
        self._kinds: dict[int, Kind] = {}

    def kind(self, index: int) -> Kind:
        """Return what sort of line one is."""
        if index not in self._kinds:
            kind = kind_of(self.lines[index])
            self._kinds[index] = Kind.PROGRESS if kind is Kind.WORDS and self.is_quiet(index) else kind
        return self._kinds[index]

    def is_quiet(self, index: int) -> bool:
        """Return whether a logger's level before a line says that it is no trouble."""
        return self._levels[index] in _QUIET_LEVELS

    def is_loud(self, index: int) -> bool:
        """Return whether a logger's level before a line says that it is trouble."""
        return self._levels[index] in _LOUD_LEVELS

    def english(self, index: int) -> str:
        """Return a line with foreign words replaced."""
        return english(self.lines[index])

    def silence_before(self, index: int) -> float:
        """Return how many seconds passed between a line and the one before it, 0 where they are not dated."""
        if index < 1:
            return 0.0
        found = [_DATE.search(stamp) for stamp in self._stamps[index - 1 : index + 1]]
        try:
            before, after = (datetime.fromisoformat(each[0]) for each in found if each is not None)
        except ValueError:
            return 0.0
        return (after - before).total_seconds()

    def score(self, each: Evidence) -> float:
        """Return how much evidence counts: its rank, less where it came too late or work went on after it."""
        score = float(each.rank)
        if each.first > self.stop and each.rank > Rank.RELAYED:
            score = max(score - LATE_PENALTY, Rank.RELAYED - 1)
        elif self._is_passing(each) and self._is_stale(each):
            score = min(score, Rank.PLACED)
        return score

    @staticmethod
    def _is_passing(each: Evidence) -> bool:
        """Return whether builds go on after such words: another mirror is asked, a file is not needed."""
        return each.rank <= Rank.PROGRAM + 2 or (
            each.rule is not None and each.rule.kind in ("download-failed", "checksum-mismatch", "patch-failed")
        )

    def _is_stale(self, each: Evidence) -> bool:
        is_download = each.rule is not None and each.rule.kind in ("download-failed", "checksum-mismatch")
        after = range(each.last + 1, min(self.stop, each.last + 500))
        # the same file asked for elsewhere is no sign that it was got
        kinds = [
            self.kind(i) for i in after if self.lines[i].strip() and not (is_download and _FETCHES.match(self.lines[i]))
        ]
        if is_download and kinds.count(Kind.COMMAND) > STALE_COMMANDS:
            return True
        return kinds.count(Kind.COMMAND) + kinds.count(Kind.PROGRESS) > STALE_LINES


def read(raw: Iterable[str]) -> Reading:
    """Return what lines hold of evidence; prefixes and terminal control may be in them."""
    reading = Reading(*plain_lines(raw))
    indexes = _bounded(_candidates(reading.lines))
    usage = _usage_lines(reading.lines)
    excused = _excused(reading, indexes) | _passed_later(reading.lines, indexes)
    reading.begin, reading.stop = _span(reading, [index for index in indexes if index not in excused])
    beyond = -1
    for index in indexes:
        if index < reading.begin or index in excused or index in usage or index <= beyond:
            continue
        found = _evidence(reading, index)
        if found is not None:
            reading.evidence.append(found)
            beyond = max(beyond, found.last)
    return reading


def _candidates(lines: Sequence[str]) -> list[int]:
    """Return the indexes of the lines that may be evidence, in order."""
    if not own_rules():
        return candidates(lines)
    return sorted({*candidates(lines), *(index for index, line in enumerate(lines) if own_rule_of(line))})


def _bounded(indexes: list[int]) -> list[int]:
    """Return the first and the last of very many lines: what failed is among the first, how it ended the last."""
    return indexes if len(indexes) <= MAX_READ else indexes[: MAX_READ // 2] + indexes[-MAX_READ // 2 :]


def plain_lines(raw: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Return lines as a terminal shows them without prefixes, their time stamps and their levels.

    Empty ones stay, as diagnostics end with them.
    """
    found = [parted(text) for line in raw for text in shown(line) or [""]][-MAX_LINES:]
    return [each.text.rstrip() for each in found], [each.stamp for each in found], [each.level for each in found]


def _evidence(reading: Reading, index: int) -> Evidence | None:
    line = reading.lines[index]
    if (own := own_rule_of(line)) is not None:
        return Evidence(index, index, line.strip(), own.rank, own)
    kind = reading.kind(index)
    if kind is Kind.SOURCE and _NOTE.match(line):
        kind = Kind.WORDS
    is_quiet = kind is Kind.PROGRESS and reading.is_quiet(index) and kind_of(line) is Kind.WORDS
    if kind in _SILENT or (kind is Kind.PROGRESS and not is_quiet and not _speaks(line)):
        return None
    text, last, said = joined(reading.lines, index)
    text = _NOTE.sub("", text)
    foreign = english(text)
    if _GIVEN_UP.match(foreign) or _NINJA_FAILED.match(foreign):
        rule = rule_of(foreign)
        is_own = rule is not None and rule.rank >= Rank.PROGRAM
        return Evidence(
            index, last, text, rule.rank if is_own and rule is not None else Rank.MAKE, rule if is_own else None
        )
    rule = _rule_of(english(said) if said else foreign)
    if rule is None:
        placed = _PLACED.match(foreign) if not text.isascii() else None
        return Evidence(index, last, text, Rank.PLACED, None) if placed is not None else None
    rank = _rank(rule, kind, is_quiet=is_quiet, is_alone=last == index)
    return Evidence(index, last, text, rank, rule) if rank > Rank.NOISE else None


def _rank(rule: Rule, kind: Kind, *, is_quiet: bool, is_alone: bool) -> int:
    """Return what a line counts by its rule: less as part of something else, or where a logger plays it down."""
    if is_quiet:
        return rule.rank - QUIET_PENALTY if rule.rank >= Rank.PROGRAM else Rank.NOISE
    if kind is Kind.FRAME and is_alone and Rank.NOISE < rule.rank <= Rank.PROGRAM + 2:
        return min(rule.rank, Rank.RELAYED + 1)
    return int(rule.rank)


def _rule_of(text: str) -> Rule | None:
    """Return the rule of a diagnostic; what is set off by blanks or lines drawn before it is read without them, too."""
    rule = rule_of(text)
    bare = text.lstrip(_DECORATION)
    if (
        bare == text
        or (rule is not None and rule.rank <= Rank.RELAYED)
        or kind_of(bare) not in (Kind.WORDS, Kind.FRAME)
    ):
        return rule
    other = rule_of(bare)
    if rule is None or (other is not None and (other.rank is Rank.NOISE or other.rank > rule.rank)):
        return other
    return rule


def _speaks(line: str) -> bool:
    """Return whether a line that looks like progress holds an error all the same."""
    return line.startswith(("ERROR", " * ERROR")) or any(each in line for each in _LOUD)


def _usage_lines(lines: Sequence[str]) -> set[int]:
    """Return the lines of usage texts: from the first on, as long as they are indented."""
    found: set[int] = set()
    for index, line in enumerate(lines):
        continues = index - 1 in found and line[:1] in (" ", "\t") and not _ERROR.match(line)
        if continues or (line and (line[0] in "uUTO -") and is_usage(line)):
            found.add(index)
    return found


def _excused(reading: Reading, indexes: Sequence[int]) -> set[int]:
    """Return the lines whose failure make ignored: those before its words on that, back to the command."""
    found: set[int] = set()
    for index in indexes:
        if not _IGNORED.match(reading.english(index)):
            continue
        found.add(index)
        below = _LEAVING.match(reading.lines[index - 1]) if index else None
        if below is not None:
            found.update(_sub_make(reading.lines, index - 1, below[1]))
            continue
        for before in range(index - 1, max(index - 6, -1), -1):
            if reading.kind(before) in (Kind.COMMAND, Kind.TRACE, Kind.PROGRESS):
                break
            found.add(before)
    return found


def _passed_later(lines: Sequence[str], indexes: Sequence[int]) -> set[int]:
    """Return the lines on tests of CTest that failed and passed when they were repeated (`--repeat until-pass`)."""
    failed = {index: case[1] for index in indexes if (case := _CTEST.match(lines[index])) and not case[2]}
    if not failed:
        return set()
    after = range(min(failed), len(lines))
    passed = {case[1]: index for index in after if (case := _CTEST.match(lines[index])) and case[2]}
    return {index for index, number in failed.items() if passed.get(number, -1) > index}


def _sub_make(lines: Sequence[str], last: int, level: str) -> range:
    """Return the lines of the make of a level that has just left its directory: what it printed is excused, too."""
    entering = f"make[{level}]: Entering "
    first = next((at for at in range(last, max(last - MAX_EXCUSED, -1), -1) if entering in lines[at]), last)
    return range(first, last + 1)


def _span(reading: Reading, indexes: Sequence[int]) -> tuple[int, int]:
    """Return the first line that counts, and the line with which the builder gave up for good first."""
    begin, ended = 0, None
    stops: list[int] = []
    for index in indexes:
        if "make" not in reading.lines[index] and "*** " not in reading.lines[index]:
            continue
        text = reading.english(index)
        if _NOT_REMADE.match(text):
            ended = index
        elif _GIVEN_UP.match(text):
            if ended is not None and any(_RESTART.match(line) for line in reading.lines[ended + 1 : index]):
                # make was called again: what failed before did not end the build
                begin, stops, ended = ended + 1, [], None
            stops.append(index)
            if _TOP.match(text) and not _keeps_going(reading.lines, index):
                ended = index
    if begin and not stops:
        begin = 0
    return begin, stops[0] if stops else len(reading.lines)


def _keeps_going(lines: Sequence[str], index: int) -> bool:
    """Return whether a make that gave a target up goes on with others."""
    return any(
        "not remade because" in line or "Waiting for unfinished" in line for line in lines[index + 1 : index + 3000]
    )

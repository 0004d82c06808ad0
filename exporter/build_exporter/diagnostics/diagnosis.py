"""Find the reason of a failure in the lines a build printed: evidence is ranked, and the best is the reason.

A line that hands a failure on never outranks what it hands on; where nothing is known as an error, the last sensible
words before the builder stopped are the reason, and its own line where there are none. No failure is without a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from build_exporter.diagnostics.evidence import Evidence, Reading, read
from build_exporter.diagnostics.joining import place_of
from build_exporter.diagnostics.kinds import Kind
from build_exporter.diagnostics.last_lines import last_lines, speaks
from build_exporter.diagnostics.rules import RULES, Rank, Rule
from build_exporter.diagnostics.signals import of_ending, signal_name

UNKNOWN_SPEAKER: Final = "unknown"
MAX_REASON: Final = 300
"""Longest reason, in characters."""

CONTEXT_BEFORE: Final = 3
CONTEXT_AFTER: Final = 5
MAX_NAMED_TESTS: Final = 3

STARVED_SECONDS: Final = 300.0
"""A compiler that prints nothing for so long and is killed then has been starved of memory."""

AFTER_CERTAIN: Final = 3
"""Lines of progress that may come after an error that a build ends in."""

OUT_OF_MEMORY: Final = next(rule for rule in RULES if rule.kind == "out-of-memory")

_TESTS: Final = re.compile(
    r"^\S*make.*\*\*\* \[.*\b(?:check|tests?)(?:-(?!dep)\w+)?\] "
    r"|phase '?check'? failed|in phase 'check'|\(test phase\)|\(%check\)"
    r"|: do_check: |in check\(\)|^dh_auto_test: "
)
_WENT_ON: Final = re.compile(r"^(?:\S*/)?g?make(?:\[\d{1,3}\])?\s?: (?!\*\*\*)")
"""A make that goes on after an error, or leaves its directory without a word on it, was meant to."""

_CODE: Final = re.compile(
    r"(?:\] Error|[Ee]xit(?:ed)? (?:with )?(?:code|status)|non-zero code:) (\d{1,3})\b"
    r"|ExecutionError\('[^']{1,900}', (\d{1,3}),"
)
_SAYS_WHY: Final = re.compile(r"\*\*\* \[[^\]]{1,900}\] (?!\S+ \d)")
"""A builder's line that says more than a number."""

_REMARK: Final = re.compile(r"^\W*$|^ \*|^Summary")
_LABEL: Final = re.compile(r"^(?:FAIL|ERROR|FAILED|TIMEOUT)!?\s*: |^test (?=\S+ \.\.\. )|^ *--- FAIL: ")


class Diagnosis(NamedTuple):
    """A diagnosed failure.

    Attributes:
        reason: the line or lines that say best why, as one line of at most 300 characters.
        error_class: one of `model.states.FailureClass`.
        speaker: who says so: `compiler`, `linker`, `shell`, `test runner` …; `unknown` where no rule knew it.
        location: `FILE:LINE`, None where none is named.
        context: lines around it, without prefixes.
        hint: what people do about it; empty where nothing general can be said.
        evidence: what else was found, the strongest first, the reason not among it.
        is_handed_on: nothing but the builder's own words on it was found.
        is_own: a rule of the user's configuration decided.
        line: index of the reason among the lines given (after prefixes and overwritten text were parted), -1 for none.
    """

    reason: str
    error_class: str
    speaker: str
    location: str | None
    context: tuple[str, ...]
    hint: str
    evidence: tuple[str, ...]
    is_handed_on: bool
    is_own: bool
    line: int


def diagnose(raw: Iterable[str], *, exit_code: int | None = None, signal: int | None = None) -> Diagnosis:
    """Return why a step failed.

    Args:
        raw: the lines it printed, of very many the last; prefixes and terminal control may be in them.
        exit_code: of its command, None where unknown.
        signal: number of the signal that ended it, None or 0 without.
    """
    reading = read(raw)
    best = _best(reading)
    found = last_lines(reading) if best is None or best.rank <= Rank.RELAYED else None
    if found is not None and (best is None or found.rank > Rank.LAST or _is_certain(found) or _knows_less(best, found)):
        best = Evidence(
            found.first,
            found.last,
            found.text,
            found.rank,
            found.rule or (best.rule if best is not None and best.rank == Rank.RELAYED else None),
        )
    if best is None or (best.rank < Rank.TOOL and (signal or (exit_code or 0) > 128)):
        ending = of_ending(exit_code, signal)
        if ending is not None or best is None or signal:
            return _ended(reading, best, ending, exit_code, signal)
    return _diagnosis(reading, best, exit_code)


def _knows_less(best: Evidence, found: Evidence) -> bool:
    """Return whether the builder's words say less than the last ones before them, though these speak of no trouble."""
    is_wrapper = best.rule is not None and best.rule.speaker == "wrapper"
    return best.rank <= Rank.MAKE and not _SAYS_WHY.search(best.text) and (not is_wrapper or speaks(found.text))


def _is_certain(found: Evidence) -> bool:
    return found.rule is not None


def _best(reading: Reading) -> Evidence | None:
    """Return the evidence that counts most."""
    best: Evidence | None = None
    best_score = -1.0
    for each in reading.evidence:
        score = reading.score(each)
        is_late = each.rank in (Rank.PROGRAM, Rank.PROGRAM + 1, Rank.PLAIN) and each.first < reading.stop
        if score > best_score or (score == best_score and is_late):
            best, best_score = each, score
    return best


def _diagnosis(reading: Reading, best: Evidence, exit_code: int | None) -> Diagnosis:
    rule = best.rule
    kind = rule.kind if rule is not None else "other"
    hint = rule.hint if rule is not None else ""
    if kind == "killed" and (_of_kind(reading, "out-of-memory") or _starved(reading, best, kind)):
        kind, hint = OUT_OF_MEMORY.kind, OUT_OF_MEMORY.hint
    if kind == "other" and best.rank <= Rank.RELAYED:
        kind, hint = _by_stop(reading, best, exit_code)
    text = _named(reading, best) if kind == "test-failure" else best.text
    others = sorted((each for each in reading.evidence if each.first != best.first), key=reading.score, reverse=True)
    return Diagnosis(
        _short(text),
        kind,
        rule.speaker if rule is not None else UNKNOWN_SPEAKER,
        place_of(reading.lines, best.first, best.last, best.text),
        tuple(reading.lines[max(0, best.first - CONTEXT_BEFORE) : best.last + 1 + CONTEXT_AFTER]),
        hint,
        (*_starved(reading, best, kind), *dict.fromkeys(_short(each.text) for each in others[:8])),
        best.rank <= Rank.MAKE,
        best.rank == Rank.OWN,
        best.first,
    )


def ended_in_error(raw: Iterable[str]) -> Diagnosis | None:
    """Return what failed where lines end in an error; None where work went on after it, or there is none.

    It is for output of which nobody says whether it is that of a failure: the weaker the words the fewer lines may
    come after them.
    """
    reading = read(raw)
    best = _best(reading)
    if best is None:
        return None
    after = max((each.last for each in reading.evidence), default=0) + 1
    rest = [index for index in range(after, len(reading.lines)) if not _REMARK.match(reading.lines[index])]
    if any(_WENT_ON.match(reading.lines[index]) for index in rest):
        return None
    work = [reading.kind(index) for index in rest]
    allowed = AFTER_CERTAIN if best.rank >= Rank.STOP or best.rank in (Rank.MAKE, Rank.RELAYED) else 0
    if Kind.COMMAND in work or work.count(Kind.PROGRESS) > allowed:
        return None
    return _diagnosis(reading, best, None)


def _starved(reading: Reading, best: Evidence, kind: str) -> Iterable[str]:
    """Return the evidence of time: a compiler that is killed after minutes without a word was waiting for memory."""
    seconds = reading.silence_before(best.first) if best.rule is not None and best.rule.kind == "killed" else 0.0
    return [f"no output for {seconds / 60:.0f} min before it was killed"] if seconds >= STARVED_SECONDS else []


def _of_kind(reading: Reading, kind: str) -> Evidence | None:
    return next((each for each in reading.evidence if each.rule is not None and each.rule.kind == kind), None)


def _by_stop(reading: Reading, best: Evidence, exit_code: int | None) -> tuple[str, str]:
    """Return class and hint from the builder's own words on the failed target, when nothing else is known."""
    stop = reading.english(reading.stop) if reading.stop < len(reading.lines) else best.text
    handed_on = (reading.english(each.first) for each in reading.evidence if each.rank == Rank.MAKE)
    if any(_TESTS.search(text) for text in (stop, *handed_on)):
        return "test-failure", "The suite's own log (test-suite.log, Testing/Temporary) has the failed test."
    code = _CODE.search(stop)
    number = int(code[1] or code[2]) if code is not None else exit_code
    found = of_ending(number, None)
    return (found.kind, found.hint) if found is not None else ("other", "")


def _ended(
    reading: Reading, best: Evidence | None, ending: Rule | None, exit_code: int | None, signal: int | None
) -> Diagnosis:
    """Return a diagnosis by how the command ended, when its words say less."""
    number = signal or (exit_code - 128 if exit_code is not None and 128 < exit_code < 193 else 0)
    if number:
        reason = f"ended by {signal_name(number)}"
    else:
        reason = f"exit code {exit_code}" if exit_code is not None else "failed without a word"
    last = next((line.strip() for line in reversed(reading.lines) if line.strip()), "")
    if last:
        reason = f"{reason} after: {last}" if number else last
    return Diagnosis(
        _short(reason),
        ending.kind if ending is not None else "other",
        "kernel" if number else UNKNOWN_SPEAKER,
        None,
        tuple(reading.lines[-CONTEXT_AFTER:]),
        ending.hint if ending is not None else "",
        (_short(best.text),) if best is not None else (),
        best is None or best.rank <= Rank.MAKE,
        False,
        len(reading.lines) - 1,
    )


def _named(reading: Reading, best: Evidence) -> str:
    """Return the words on the first failed test, with the names of the next where they are reported alike."""
    label = _LABEL.match(best.text)
    if label is None:
        return best.text
    alike = [each.text for each in reading.evidence if each.rank == Rank.TEST and each.text.startswith(label[0])]
    names = [text[label.end() :].split(" ... ")[0].strip() for text in dict.fromkeys(alike)]
    if len(names) < 2:
        return best.text
    shown = ", ".join(names[1:MAX_NAMED_TESTS])
    more = f" and {len(names) - MAX_NAMED_TESTS} more" if len(names) > MAX_NAMED_TESTS else ""
    return f"{best.text}, {shown}{more}"


def with_failed_tests(found: Diagnosis, names: Sequence[str]) -> Diagnosis:
    """Return a diagnosis that names the tests a suite reported as failed, where its own words name none of them."""
    names = list(dict.fromkeys(names))
    is_of_tests = found.error_class == "test-failure" or (found.error_class == "other" and found.is_handed_on)
    if not names or not is_of_tests or any(name in found.reason for name in names):
        return found
    more = f" and {len(names) - MAX_NAMED_TESTS} more" if len(names) > MAX_NAMED_TESTS else ""
    failed = f"failed tests: {', '.join(names[:MAX_NAMED_TESTS])}{more}"
    reason = failed if found.is_handed_on else f"{found.reason} ({failed})"
    return found._replace(reason=_short(reason), error_class="test-failure", is_handed_on=False)


def _short(text: str) -> str:
    text = text.replace("\t", " ").strip()
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"


def first_error(lines: Iterable[str]) -> str | None:
    """Return the reason found in lines, at most 300 characters; None where no line looks like an error."""
    reading = read(lines)
    return _diagnosis(reading, best, None).reason if (best := _best(reading)) is not None else None


def class_of(message: str | None, exit_code: int | None, signal: int | None) -> str:
    """Return the failure class of a reason, or of how the command ended."""
    return diagnose(message.splitlines() if message else [], exit_code=exit_code, signal=signal).error_class


def was_stopped(lines: Sequence[str]) -> bool:
    """Return whether the lines say that somebody ended the build: Ctrl-C, or a signal to make or ninja."""
    return any(each.rule is not None and each.rule.kind == "interrupted" for each in read(lines).evidence)

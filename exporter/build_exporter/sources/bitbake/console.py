"""BitBake's console log: totals, why a task failed, how the build ended. It holds no times."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, fields
from typing import Final, Literal

from build_exporter.diagnostics.diagnosis import MAX_REASON, diagnose, first_error
from build_exporter.diagnostics.prefix import parted
from build_exporter.diagnostics.terminal import shown
from build_exporter.sources.bitbake.display import Display, Shown
from build_exporter.sources.bitbake.stats import SETSCENE, Key

MAX_LINE: Final = 4000
KEPT_LINES: Final = 2000
"""Lines of a failure's output in which its reason is looked for: a task's whole log may be put into the console."""

MAX_EARLY: Final = 100
PARSE: Final[Key] = ("parse", "parse")
"""Phase and step of what BitBake does before its first task."""

MAX_FAILURES: Final = 10_000

_RUNNING: Final = re.compile(r"NOTE: Running (setscene |noexec )?task (\d{1,9}) of (\d{1,9}) \(")
_TASK: Final = re.compile(r"NOTE: recipe (\S{1,256}): task (do_\S{1,120}): (Started|Succeeded|Failed)$")
_BEGINS: Final = re.compile(r"NOTE: (?:Executing (?:RunQueue )?Tasks|Running |recipe \S+: task )|Build Configuration:")
_ERROR: Final = re.compile(r"ERROR: (\S+) (do_\w+): (.*)")
_LOGFILE: Final = re.compile(r"ERROR: Logfile of failure stored in: (\S+)")
_SUMMARY: Final = re.compile(
    r"NOTE: Tasks Summary: Attempted \d+ tasks of which \d+ didn't need to be rerun and (all succeeded|\d+ failed)"
)
_TASK_FAILED: Final = re.compile(r"ERROR: Task \(.*:do_\w+\) failed with exit code")
_ERRORS: Final = re.compile(r"Summary: There (?:was|were) \d+ ERROR messages?.* returning a non-zero exit code")
_DISK: Final = re.compile(r"WARNING: (The free (?:space|inode) of \S+ .*)")
_DISK_STOP: Final = re.compile(r'ERROR: .*disk space monitor action is "')
_INTERRUPT: Final = re.compile(r"WARNING: Exiting due to interrupt|Keyboard Interrupt, closing down")
_GENERIC: Final = re.compile(
    r"Error executing a python function|ExecutionError\(|Function failed|Execution of '.*' failed with exit code"
)

Sign = Literal["Started", "Succeeded", "Failed", "setscene completed", "summary"]


@dataclass(slots=True)
class Console:
    """One build's console log, fed line by line.

    Attributes:
        index: how many tasks were begun or found done already, of `total`; 0 before the first.
        setscene_index: the same of restoring tasks from shared state.
        batches: tasks restored, in groups that each ended by "Setscene tasks completed"; the last continues.
        messages: why a task failed.
        signs: what tasks did, in order, where somebody wants that (`keeps_signs`), with why one failed, or how the
            build ended.
        disk: what the disk monitor said as it let no more tasks begin; empty where it did not.
        interrupted: whether somebody ended the build.
        summary: how it ended by its own account, None before.
        early: errors before the first task: recipes that can't be parsed, dependencies that nothing provides.
    """

    keeps_signs: bool = False
    index: int = 0
    total: int = 0
    setscene_index: int = 0
    setscene_total: int = 0
    batches: list[set[Key]] = field(default_factory=lambda: [set()])
    messages: dict[Key, str] = field(default_factory=dict)
    signs: list[tuple[Sign, Key, str]] = field(default_factory=list)
    disk: str = ""
    interrupted: bool = False
    summary: Literal["succeeded", "failed"] | None = None
    early: list[str] = field(default_factory=list)
    _display: Display = field(default_factory=Display)
    _begun: set[Key] = field(default_factory=set)
    _failing: Key | None = None
    _free: str = ""
    _abort: str = ""
    _output: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _reason: str = ""

    @property
    def outcome(self) -> Literal["succeeded", "failed", "interrupted"]:
        """Result of the build, if nothing more comes."""
        if self.disk or self.messages or self.early or self.summary == "failed":
            return "failed"
        return "interrupted" if self.interrupted or self.summary is None else "succeeded"

    def feed(self, raw: str) -> None:
        """Take the next line, as a terminal shows it."""
        for text in shown(raw):
            self._take_line(parted(text).text[:MAX_LINE])

    def _take_line(self, line: str) -> None:
        if self.summary is not None and _BEGINS.match(line) is not None:
            # the output of a further build in the same file
            fresh = Console(self.keeps_signs, signs=self.signs)
            for each in fields(self):
                setattr(self, each.name, getattr(fresh, each.name))
        if line.startswith("NOTE: "):
            self._note(line)
        elif line.startswith(("WARNING: ", "Keyboard")):
            self._warning(line)
        elif line.startswith("ERROR: "):
            self._error(line)
        elif line.startswith("Summary: "):
            self._end_early(line)
        elif (shown_now := self._display.feed(line)) is not None:
            self.index, self.total = max(self.index, shown_now.number), max(self.total, shown_now.total)
            self._take_display(shown_now)
        else:
            # what a failed task had written comes after its ERROR line
            self._output.append(line.removeprefix("| "))

    def _take_display(self, shown_now: Shown) -> None:
        for key in shown_now.ended:
            self._take(key, "Succeeded")
        for key in shown_now.begun:
            self._take(key, "Started")

    def _end_early(self, line: str) -> None:
        """Take the errors for a step of their own where BitBake ends before its first task."""
        if self.summary is not None or _ERRORS.match(line) is None:
            return
        self.summary = "failed"
        if self.early and self.keeps_signs:
            reason = diagnose(self.early).reason
            self.signs += [("Started", PARSE, ""), ("Failed", PARSE, reason), ("summary", ("", ""), "failed")]

    def _note(self, line: str) -> None:
        if (task := _TASK.match(line)) is not None:
            self._take((task[2], task[1]), task[3])
        elif (running := _RUNNING.match(line)) is not None:
            index, total = int(running[2]), int(running[3])
            if running[1] == "setscene ":
                self.setscene_index, self.setscene_total = max(self.setscene_index, index), total
            else:
                self.index, self.total = max(self.index, index), total
        elif line.startswith("NOTE: Setscene tasks completed"):
            if self.batches[-1]:
                self.batches.append(set())
            if self.keeps_signs:
                self.signs.append(("setscene completed", ("", ""), ""))
        elif (summary := _SUMMARY.match(line)) is not None:
            self.summary = "succeeded" if summary[1] == "all succeeded" else "failed"
            if not (self.interrupted or self.disk):
                # it waits for the tasks at work
                self._take_display(self._display.finish())
            if self.keeps_signs:
                self.signs.append(("summary", ("", ""), self.outcome))

    def _take(self, key: Key, what: str) -> None:
        self.early.clear()
        if what == "Failed" and key not in self._begun and self.keeps_signs:
            self.signs.append(("Started", key, ""))
        self._begun.add(key)
        if key[0].endswith(SETSCENE):
            self.batches[-1].add(key)
        elif what == "Failed" and len(self.messages) < MAX_FAILURES:
            self.messages[key] = (first_error(self._output) or self._reason or self._abort)[:MAX_REASON]
            self._output.clear()
            self._reason = ""
        if self.keeps_signs:
            sign: Sign = "Started" if what == "Started" else "Failed" if what == "Failed" else "Succeeded"
            self.signs.append((sign, key, self.messages.get(key, "") if sign == "Failed" else ""))

    def _warning(self, line: str) -> None:
        if _INTERRUPT.match(line):
            self.interrupted = True
        elif (free := _DISK.match(line)) is not None:
            self._free = free[1]

    def _error(self, line: str) -> None:
        if _DISK_STOP.match(line):
            self.disk = self.disk or self._free or line.removeprefix("ERROR: ")
            self._abort = f"{line.removeprefix('ERROR: ')} {self._free}".strip()
        elif _LOGFILE.match(line):
            pass
        elif _TASK_FAILED.match(line):
            if self._failing is not None and self._failing not in self.messages:
                # on a terminal no other line says so
                self._display.drop(self._failing)
                self._take(self._failing, "Failed")
        elif (error := _ERROR.match(line)) is not None:
            self._failing = (error[2], error[1])
            self._output.clear()
            if not self._reason or _GENERIC.search(self._reason):
                self._reason = error[3].strip()
            if not _GENERIC.search(error[3]):
                self._output.append(error[3].strip())
        else:
            self._output.append(line)
            if not self._begun and len(self.early) < MAX_EARLY:
                self.early.append(line)

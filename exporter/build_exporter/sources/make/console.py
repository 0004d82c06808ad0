"""Read a console line by line: the build's stage, the parts at work, what failed."""

from __future__ import annotations

from collections import deque

from build_exporter.diagnostics.diagnosis import Diagnosis
from build_exporter.sources.make import patterns
from build_exporter.sources.make.compiler_warnings import WarningAttribution
from build_exporter.sources.make.directories import Directories, Open, part_of_path
from build_exporter.sources.make.emitter import Emitter
from build_exporter.sources.make.failures import Reasons, UnplacedFailure, UnplacedFailures
from build_exporter.sources.make.limits import KEPT_LINES, MAX_LEVEL, MAX_STEPS, OTHERS
from build_exporter.sources.make.parts import Part, Status, Visits, idle
from build_exporter.sources.make.patterns import ORDER, Failure, Stage, Turn
from build_exporter.sources.make.repeats import Repeats
from build_exporter.sources.make.tallies import CountReader, SuiteFeed
from build_exporter.sources.step_logs.suites.reader import SuiteReader


class Console:
    """One console's meaning.

    Attributes:
        stage: the current stage, None before the first line that implies one.
        parts: steps at work, by the part they are of.
        has_failed, interrupted: the stage has failed, somebody stopped the build.
    """

    def __init__(self, emitter: Emitter) -> None:
        self.stage: Stage | None = None
        self.parts: dict[str, Part] = {}
        self.has_failed = False
        self.interrupted, self._least_level = False, MAX_LEVEL
        self._emitter, self._tool = emitter, "make"
        self._directories = Directories()
        self._warned = WarningAttribution(emitter)
        self._visits, self._reasons = Visits(), Reasons()
        self._unplaced, self._repeats = UnplacedFailures(), Repeats()
        self._broken: deque[str] = deque(maxlen=KEPT_LINES)
        self._gone: set[str] = set()
        self._counted: tuple[int, int] | None = None
        self._counts, self._suites = CountReader(), SuiteFeed(emitter)
        self._is_configured = self._is_fresh = self._is_revisiting = False
        self._lines = 0

    def feed(self, text: str, raw: str = "", *, is_dull: bool = False) -> None:
        """Take the next line, plain, without its time stamp, and as it was; `is_dull` where it is work at most."""
        self.flush(now=False)
        if is_dull:
            self._reasons.keep(raw or text)
            self._take_work(text, is_dull=True)
            return
        self._take(text, raw)
        if "arning" in text or "ARNING" in text:
            is_whole = self._counted is not None or self.stage is Stage.CONFIGURE
            self._warned.feed(text, self.parts, None if is_whole else self._directories, self._tool)

    def _take(self, text: str, raw: str) -> None:
        if patterns.is_make_message(text):
            self._take_message(text, raw)
            return
        self._reasons.keep(raw or text)
        if patterns.is_ninja_stopped(text) and not self._reasons.has_failed_edge:
            self.interrupted = True
            return
        if (fatal := patterns.fatal_stage(text)) is not None:
            self._take_fatal(fatal, text)
            return
        if (turn := patterns.turn_of(text)) is not None:
            self._take_turn(turn)
            if turn.is_command:
                return
        self._is_configured = self._is_configured or patterns.is_configured(text)
        if (count := self._counts.read(text, learns=self.stage is not Stage.TEST)) is not None:
            self._take_count(count, text)
        else:
            self._take_work(text)
        self._directories.announce(text)

    def peek(self, text: str) -> None:
        """Take the progress, and no more, of a line that has not ended yet."""
        if (count := patterns.counted(text)) is not None:
            self._take_count(count, text)

    def flush(self, *, now: bool = True) -> None:
        """Judge a tool that gave up, `now` or where it has said all."""
        if self._reasons.is_due(now=now):
            self._break_part(self._tool, None)

    def settle(self) -> None:
        """Judge the failures whose words have not ended, or whose directory is not known: nothing more will come."""
        self.flush()
        for unplaced in self._unplaced.take_all():
            if not self._broken:
                self._break(unplaced.place("", ()), unplaced.failure, unplaced.cause)
            self._end_left(unplaced)

    def conclude(self) -> None:
        """Take the end of the console for a failure where it ends in an error that make does not speak of."""
        self.settle()
        self._try_again()
        is_open = self.stage is not None and not (self.has_failed or self.interrupted)
        if is_open and (cause := self._reasons.last_cause()) is not None:
            self.has_failed = True
            self._break_part(self._part_at_work(None), None, cause)

    def status(self) -> Status:
        """Return how the build would have ended, were nothing more to come."""
        if self.interrupted or self.has_failed:
            return "interrupted" if self.interrupted else "failed"
        is_cut = self.stage is Stage.BUILD and self._counts.is_cut(self._counted)
        is_unconfigured = self.stage is Stage.CONFIGURE and not self._is_configured
        return "interrupted" if self._directories.opened or is_cut or is_unconfigured else "succeeded"

    def _take_message(self, text: str, raw: str) -> None:
        if (crossing := patterns.crossing_of(text)) is not None:
            level, path, enters = crossing
            if not self._directories.is_open(level, path) if enters is None else enters:
                self._enter(level, path)
            else:
                self._reasons.keep(text)
                self._leave(level, path)
            return
        self._reasons.keep(raw or text)
        if (failure := patterns.failure_of(text)) is not None:
            self._take_failure(failure)
        elif (level_ignored := patterns.ignored_level(text)) is not None:
            self._place(level_ignored + 1, text)
            # what had failed below was not to count; with -j another target may have failed for good
            if not self._directories.is_below(level_ignored) and self._least_level > level_ignored:
                self.has_failed = False
                for each in (self._broken, self._gone, self._visits):
                    each.clear()
        else:
            self._repeats.read(text)

    def _enter(self, level: int, path: str) -> None:
        if self.stage in (None, Stage.CONFIGURE):
            self._begin_stage(Stage.BUILD, "make")
        is_again = self.interrupted or ((level, path) in self._directories.left and not self._is_revisiting)
        if is_again and self.stage is not None and self.has_failed and not self._directories.opened:
            # make has been called again after it had failed
            self._begin_stage(self.stage, self._tool, restart=True)
        # with synchronised output make says so round each target's: leaving is no end then
        self._is_revisiting = self._is_revisiting or (level, path) in self._directories.left
        self._directories.enter(level, path)

    def _leave(self, level: int, path: str) -> None:
        left = self._directories.leave(level, path)
        if left is None:
            return
        is_suspect = self._unplaced.leave(level, left)
        if not left.name:
            if self._tool in self.parts:
                self.parts[self._tool].last = self._emitter.moment
        elif all(each.name != left.name for each in self._directories.opened):
            part = self.parts.get(left.name)
            if part is not None and (self._is_revisiting or is_suspect):
                part.last, part.line = self._emitter.moment, self._lines
            elif self._counted is None:
                self._end(left.name, "succeeded")
            if not self._is_revisiting:
                self._gone.discard(left.name)
        self._is_fresh = self._is_fresh or not self._directories.opened

    def _take_failure(self, failure: Failure) -> None:
        if self.stage is None or self._repeats.is_anew(failure):
            self._begin_stage(self.stage or Stage.BUILD, self._tool, restart=True)
        self._judge(failure)
        if self._repeats.is_later(failure):
            self._repeats.keep(failure, self._reasons.cause(failure, is_known=False))
            self._reasons.forget()

    def _try_again(self) -> None:
        """Take the failures of further makes for those of further attempts."""
        for failure, cause in self._repeats.take():
            self._begin_stage(self.stage or Stage.BUILD, self._tool, restart=True)
            kept, self._reasons, self.has_failed = self._reasons, Reasons(), True
            self._break_part(self._tool, failure, cause)
            self._reasons = kept

    def _judge(self, failure: Failure) -> None:
        self.interrupted, self._least_level = self.interrupted or failure.stopped, min(self._least_level, failure.level)
        self._place(failure.level + 1, failure.target)
        if not self._directories.is_below(failure.level):
            self.has_failed = True
        if self.interrupted:  # what else make says is for want of what was stopped
            if not self._directories.is_below(failure.level):
                self._directories.close()
            return
        self._is_fresh = self._is_fresh or not self._directories.opened
        there = [each for each in self._directories.opened if each.level == failure.level]
        if len(there) == 1 and failure.level not in self._unplaced:
            self._break(there[0], failure)
        elif there:
            if failure.exit_code is not None:
                self._unplaced.add(
                    failure.level,
                    UnplacedFailure(failure, self._reasons.cause(failure, is_known=bool(self._broken)), there),
                )
        elif not self._broken:
            self._break_part(self._part_at_work(failure), failure)

    def _part_at_work(self, failure: Failure | None) -> str:
        """Return the part that a failure in no one directory is of: by the file that was to be made, or the last."""
        if failure is not None and failure.target and self._counted is None:
            named = part_of_path("", failure.target, self._tool)
            if named in self.parts or (failure.is_needed and self.parts):
                return named
        leaves = [each.name or self._tool for each in self._directories.leaves()]
        return next(reversed([*leaves, *self.parts]), self._tool)

    def _place(self, level: int, target: str) -> None:
        """Say which of the directories at a level an earlier failure is of, now that its caller's target is known."""
        unplaced = self._unplaced.take(level)
        if unplaced is not None:
            self._break(unplaced.place(target, self._broken), unplaced.failure, unplaced.cause)
            if level not in self._unplaced:
                self._end_left(unplaced)

    def _end_left(self, unplaced: UnplacedFailure) -> None:
        """End the directories that were left and had not failed."""
        for each in unplaced.left:
            if each.name in self.parts and not self._is_revisiting:
                self._end(each.name, "succeeded", time=self.parts[each.name].last)

    def _break(self, there: Open, failure: Failure, cause: Diagnosis | None = None) -> None:
        """Fail the part that a directory is of, unless the failure is only handed on from one below it."""
        name = self._tool if self._counted is not None else there.name or self._tool
        is_handed_on = any(f"{path}/".startswith(f"{there.path.rstrip('/')}/") for path in self._broken)
        is_known = bool(self._broken)
        self._broken.append(there.path)
        if not is_handed_on:
            self._break_part(name, failure, cause, is_known=is_known)
        elif name in self.parts and self._counted is None:
            self._end(name, "interrupted")
            self._gone.add(name)

    def _break_part(
        self, name: str, failure: Failure | None, cause: Diagnosis | None = None, *, is_known: bool | None = None
    ) -> None:
        if name in self._gone:
            return
        cause = cause or self._reasons.cause(failure, is_known=bool(self._broken) if is_known is None else is_known)
        self._broken.append("")
        self._repeats.broke()
        self._suites.fail(name, self._part(name))
        self._end(name, "failed", cause, failure.exit_code if failure is not None else None)
        # make may go on with other targets: the part has failed for all that
        if len(self._gone) < MAX_STEPS:
            self._gone.add(name)
        self._reasons.forget()

    def _take_fatal(self, stage: Stage, text: str) -> None:
        is_inside = bool(self._directories.opened)
        if is_inside or (self.stage is not None and stage is not self.stage and stage is Stage.CONFIGURE):
            # make will say so itself
            self._take_work(text)
            return
        if self.stage is None:
            self._begin_stage(stage, "configure" if stage is Stage.CONFIGURE else "ninja")
        self.has_failed = True
        self._part(self._tool)
        self._reasons.wait()

    def _take_turn(self, turn: Turn) -> None:
        if turn.only_outside and self._directories.opened:
            return
        if turn.is_command:
            # a shell shows a command only when the one before is over
            self._directories.close()
        if turn.is_command or self.stage is None:
            self._begin_stage(turn.stage, turn.tool, restart=turn.is_command)
            return
        if turn.stage is self.stage:
            return
        is_back = ORDER.index(turn.stage) < ORDER.index(self.stage)
        is_counting = self._counted is not None and self._counted[0] < self._counted[1]
        if is_back and (self._directories.opened or (is_counting and not self.has_failed) or turn.tool == "ninja"):
            return
        self._begin_stage(turn.stage, turn.tool)

    def _take_count(self, count: tuple[int, int, str], text: str) -> None:
        done, total, unit = count
        if unit == "tests":
            if self.stage is Stage.TEST:
                self._count(done, total)
                self._suites.feed(self.parts, self._tool, text)
            return
        is_building = patterns.BUILDING.search(text) is not None
        if self.stage in (None, Stage.CONFIGURE) or (self.stage is not Stage.BUILD and is_building and total > done):
            if self._directories.opened and self.stage is not None:
                return
            self._begin_stage(Stage.BUILD, unit)
        elif self.stage is not Stage.BUILD:
            self._take_work(text)
            return
        if self._counted is None and unit == "ninja" and self._tool not in self.parts:
            self._tool = unit
        self._count(done, total)

    def _count(self, done: int, total: int) -> None:
        if self._tool in self._gone:
            return
        self._counted = (done, total)
        self._part(self._tool).progress.feed(f"[{done}/{total}]")

    def _take_work(self, text: str, *, is_dull: bool = False) -> None:
        built = patterns.built_path(text) if not is_dull else None
        if self.stage in (None, Stage.CONFIGURE):
            if not patterns.is_compiling(text) and built is None:
                self._touch(self._tool if self.stage is not None else "", text)
                return
            self._begin_stage(Stage.BUILD, "make")
        elif not is_dull and self._is_installing(text):
            self._begin_stage(Stage.INSTALL, "make")
        if (not is_dull or text[:1] in patterns.NOISE_BEGINS) and patterns.NOISE.match(text):
            return
        leaves = self._directories.leaves()
        is_below = any(each.name for each in leaves)
        self._is_fresh = self._is_fresh and not is_below and not patterns.is_compiling(text)
        self._lines += 1
        if self._lines % 50 == 0:
            for name in idle(self.parts, self._lines, self._tool):
                self._end(name, "succeeded", time=self.parts[name].last)
        if self._counted is not None or self.stage is Stage.CONFIGURE:
            self._touch(self._tool, text)
        elif is_below:
            for each in leaves:
                self._touch(each.name or self._tool, text, share=1.0 / len(leaves))
        elif built is not None:
            name = part_of_path(*built, self._tool)
            if built[0] != "AR" or name in self.parts:
                # a kernel makes an archive of nothing where nothing of a directory is wanted
                self._touch(name, text, line=self._lines)
        else:
            self._touch(self._tool, text)

    def _is_installing(self, text: str) -> bool:
        """Return whether a line installs to somewhere outside of the build, while no work was done since the last."""
        is_idle = self._counted is None and (self._is_fresh or not self._directories.opened)
        where = patterns.installed_to(text) if self.stage in (Stage.BUILD, Stage.TEST) and is_idle else None
        return self._directories.is_outside(where)

    def _touch(self, name: str, text: str, line: int | None = None, share: float = 1.0) -> None:
        if not name or name in self._gone:
            self._suites.feed(self.parts, name, text)
            return
        part = self._part(name)
        part.line = line
        part.count(text, share)
        self._suites.feed(self.parts, name, text)

    def _part(self, name: str) -> Part:
        if name not in self.parts:
            if self._visits.are_many:
                if OTHERS in self.parts:
                    return self.parts[OTHERS]
                name = OTHERS
            part = Part(self._visits.key((self.stage or Stage.BUILD).value, name), self._emitter.moment)
            part.suites = SuiteReader() if self.stage is Stage.TEST else None
            self.parts[name] = part
            self._warned.begin(name, part)
            self._emitter.began(part.key)
        part = self.parts[name]
        part.last = self._emitter.moment
        part.touched += 1
        return part

    def _begin_stage(self, stage: Stage, tool: str, *, restart: bool = False) -> None:
        self.settle()
        self._try_again()
        self._end_parts("interrupted" if self.has_failed else "succeeded")
        if self.has_failed and (restart or self.stage is None or ORDER.index(stage) <= ORDER.index(self.stage)):
            # done again after it had failed: further attempts, not further parts
            self._visits.clear()
        for each in (self._broken, self._gone, self._warned, self._suites, self._repeats, self._directories.left):
            each.clear()
        self.has_failed = self.interrupted = self._is_configured = self._is_revisiting = False
        self._is_fresh = self.stage is None
        self.stage, self._tool, self._counted, self._least_level = stage, tool, None, MAX_LEVEL

    def _end_parts(self, status: Status) -> None:
        for name, part in list(self.parts.items()):
            self._end(name, status, time=part.last if part.line is not None or name == self._tool else None)

    def _end(
        self,
        name: str,
        status: Status,
        cause: Diagnosis | None = None,
        exit_code: int | None = None,
        time: float | None = None,
    ) -> None:
        part = self.parts.pop(name, None)
        # one that is not there is part of a step that stands for many
        if part is not None:
            self._warned.end(name, part)
            self._emitter.ended(part, status, cause, exit_code, self._emitter.moment if time is None else time)

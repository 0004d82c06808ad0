"""Whatever a plug-in does, only that source is down, and one line names its package."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from build_exporter.plugin import events
from build_exporter.sources import isolation, plugins, runner
from build_exporter.sources.attach import Attachment
from build_exporter.sources.isolation import IsolatedSource
from build_exporter.sources.protocol import Settings, SourceError, SourceEvent

if TYPE_CHECKING:
    from tests.sources.plugins.conftest import Site


def bad(body: str, name: str = "poll", arguments: str = "self, now, *, over=False") -> str:
    """Return a plug-in whose method is this."""
    return f"class Bad(Good):\n    def {name}({arguments}):\n        {body}\n"


def emits(run: str = "1.78e9", kind: str = "events.StepStarted", more: str = "", **changed: str) -> str:
    """Return a plug-in that shows one event."""
    fields = {"time": "1.78e9", "build": "self.build", "phase": "'p'", "step": "'s'"} | changed
    event = f"{kind}({', '.join(f'{name}={value}' for name, value in fields.items())})"
    return bad(f"yield SourceEvent({run}, {event}{more})")


BAD = [
    ("1 / 0", "ZeroDivisionError: division by zero (bad_plugin0.py:"),
    ("import sys; sys.exit(3)", "SystemExit: 3"),
    ("", "has no attribute 'Bad'"),
    ("Bad = 5", "the entry point leads to a int, not to a class"),
    ("class Bad(Good):\n    Options = dict", "its Options is not a class made from Section"),
    ("class Bad(Good):\n    api_version = 99", "version 99 of the interface; here is version 1"),
    (bad("raise OSError('no')", "__init__", "self, settings"), "OSError: no (bad_plugin6.py:"),
    (bad("pass", "__init__", "self"), "TypeError: "),
    (bad("return []", arguments="self"), "TypeError: "),
    ("class Bad:\n    build = 'x'\n    def __init__(self, settings): pass", "AttributeError: "),
    (
        "class Bad(Good):\n    build = property(lambda self: 7, lambda self, x: None)",
        "it calls the build '7'",
    ),
    (bad("super().__init__(settings); self.build = '../x'", "__init__", "self, settings"), "calls the build '../x'"),
    (bad("raise KeyError('x' * 9999)"), "KeyError: 'xxx"),
    (emits() + "        raise ValueError('late')", "ValueError: late (bad_plugin13.py:"),
    (bad("raise SystemExit(0)"), "SystemExit: 0"),
    (bad("raise KeyboardInterrupt"), "KeyboardInterrupt"),
    (bad("return self.poll(now)"), "RecursionError"),
    (bad("return None"), "TypeError: 'NoneType' object is not iterable"),
    (bad("return ['hello']"), "it emitted a str and not SourceEvent(run_start, event)"),
    (bad("return [SourceEvent(1.78e9, 'x')]"), "it emitted a str and not an event"),
    ("class Mine(events.StepStarted, tag='mine'): pass\n" + emits(kind="Mine"), "it emitted a Mine and not an event"),
    (emits("float('nan')"), "a run that began at nan"),
    (emits("1e300"), "a run that began at 1e+300"),
    (emits("'now'"), "a run that began at now"),
    (emits(time="float('nan')"), "got `null` - at `$.time`"),
    (emits(time="9e9"), "far ahead of the clock"),
    (emits(step="5"), "Expected `str`, got `int` - at `$.step`"),
    (emits(step="object()"), "it emitted an invalid StepStarted"),
    (emits(step="'\\ud800'"), "it emitted an invalid StepStarted"),
    (emits(log="'x' * 70000"), "Expected `str` of length"),
    (emits(build="'other'"), "it emitted an event of 'other' while reading good-build"),
    (emits(more=", 'first'"), "it counted an event with what is no whole number"),
]
"""Plug-ins and the errors logged for them."""


def install_bad(site: Site) -> list[str]:
    """Install them all, as kinds `bad0` and on, and return the kinds."""
    for number, (code, _) in enumerate(BAD):
        site.install(f"bad-plugin{number}", code, **{f"bad{number}": "Bad"})
    return [f"bad{number}" for number in range(len(BAD))]


def test_bad_plugins_leave_the_exporter_and_the_others_alone(
    serve: Callable[..., Any], poll: Callable[..., None], site: Site, tmp_path: Path
) -> None:
    """Bad plug-ins leave the good source alone; each is down and logged once, by name."""
    record = tmp_path / "record.good"
    record.write_text("one two")
    bad_kinds = install_bad(site)
    flags = [flag for kind in [*bad_kinds, "good"] for flag in ("--watch", f"{kind}={record}")]
    served = serve(*flags, "--log.format", "json", environment=site.environment)

    def down() -> set[str]:
        return {
            dict(labels)["source"].partition("/")[0]
            for (name, labels), value in served.samples().items()
            if name == "build_exporter_source_up" and value == 0
        }

    poll(lambda: down() == set(bad_kinds), seconds=60, what="every bad source is down")
    assert served.value("build_exporter_source_up", source="good/good-build") == 1
    assert served.value("build_step_status", build="good-build", step="two") == 1
    record.write_text("one two three")
    poll(lambda: served.value("build_step_status", build="good-build", step="three") == 1, what="the good one goes on")
    assert served.stop() == 0
    lines = [json.loads(line) for line in served.log.read_text().splitlines()]
    errors = sorted(line["error"] for line in lines if line["level"] != "info")
    expected = sorted((f"by bad-plugin{number} 1.5: ", reported) for number, (_, reported) in enumerate(BAD))
    for error, (begin, reported) in zip(errors, expected, strict=True):
        assert error.startswith(begin)
        assert reported in error
        assert len(error) < 500


def test_importing_with_a_bad_plugin_fails_in_one_line(
    command: Callable[..., Any], site: Site, journal: Path, tmp_path: Path
) -> None:
    """Whoever imports with one reads which package it is of and what it did, gets code 1, and can use the others."""
    record = tmp_path / "record.good"
    record.write_text("one two")
    kinds = install_bad(site)
    for number in (0, 1, 13, 16, 30):
        done = command("import", kinds[number], str(record), "--journal", str(journal), env=site.environment)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        assert done.stderr.startswith(f"build-exporter: by bad-plugin{number} 1.5: ")
        assert BAD[number][1] in done.stderr
    done = command("import", "good", str(record), "--journal", str(journal / "other"), env=site.environment)
    assert done.stdout == f"good-build: 3 new events from {record}\n"


HANGING = """
import time
class InLook(Good):
    def poll(self, now, *, over=False):
        yield from super().poll(now)
        while True: time.sleep(1)
class WhenMade(Good):
    def __init__(self, settings): time.sleep(1e6)
"""


def test_hanging_plugins_hold_up_neither_others_nor_the_end(
    serve: Callable[..., Any], poll: Callable[..., None], site: Site, tmp_path: Path
) -> None:
    """While plug-ins hang, when made or in a poll, others are followed, and SIGTERM ends all."""
    record = tmp_path / "record.good"
    record.write_text("one two")
    site.install("slow-plugin", HANGING, poll="InLook", made="WhenMade")
    flags = [flag for kind in ("poll", "made", "good") for flag in ("--watch", f"{kind}={record}")]
    served = serve(*flags, environment=site.environment)
    poll(
        lambda: served.value("build_step_status", build="good-build", step="two") == 1, what="the good one is followed"
    )
    began = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - began < 10


def test_plugin_that_hangs_while_it_is_loaded_is_given_up(
    site: Site, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that never comes back costs so many seconds, and once: whoever asks again is reported at once."""
    site.install("stuck-plugin", "import threading\nthreading.Event().wait()")
    monkeypatch.syspath_prepend(str(site.path))
    monkeypatch.setattr(plugins, "TIMEOUT_SECONDS", 0.5)
    kind = plugins.PluginKind("stuck", EntryPoint("stuck", "stuck_plugin:Good", plugins.GROUP))
    began = time.monotonic()
    assert kind.options() is None
    assert kind.fault.endswith("it takes longer than 0.5 s")
    took = time.monotonic() - began
    attachment = Attachment(kind.make(Settings(journal)), str(journal))
    with pytest.raises(SourceError, match="takes longer"):
        attachment.poll(1.0)
    assert time.monotonic() - began < took + 0.4


class Hanging:
    """A source that hangs from its second look on until it is let go."""

    kind = "hanging"
    build = "hanging"

    def __init__(self) -> None:
        self.release = False
        self.polls = 0

    def poll(self, now: float, *, over: bool = False) -> list[SourceEvent]:
        """Return nothing, late."""
        self.polls += 1
        while self.polls > 1 and not self.release:
            time.sleep(0.01)
        return []


def test_look_that_hangs_shows_and_so_does_its_end(
    journal: Path, poll: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A source whose look does not come back is down, reported once, and up again when it does."""
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.01)
    source = Hanging()
    walled = IsolatedSource("hanging", "by slow-plugin 1.5", lambda: source, Settings(journal))
    running = runner.RunningSource(lambda: Attachment(walled, str(journal)), timeout=0.2)
    running.start()
    try:
        poll(lambda: source.polls == 2, what="the second look")

        def is_up() -> bool:
            running.watch()
            return running.up

        assert is_up()
        poll(lambda: not is_up(), what="it is down")
        assert not is_up()
        (reported,) = (record for record in caplog.records if record.levelname == "WARNING")
        assert (reported.message, reported.__dict__["origin"]) == ("source hangs", "by slow-plugin 1.5")
        source.release = True
        poll(is_up, what="it is up again")
    finally:
        source.release = True
        running.stop()


def test_a_record_that_may_not_be_looked_at_yet_is_attached_when_it_may(
    journal: Path, poll: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory of somebody else's is down, reported once, and read once it is opened; nothing is refused."""
    monkeypatch.setattr(runner, "LONGEST_REST_SECONDS", 0.01)
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.01)
    may_look, source, tries = threading.Event(), Hanging(), 0
    source.release = True

    def attach() -> Attachment:
        nonlocal tries
        tries += 1
        if not may_look.is_set():
            raise PermissionError(13, "Permission denied", "/home/ada/poky")
        return Attachment(source, str(journal))

    running = runner.RunningSource(attach)
    running.start()
    try:
        poll(lambda: tries > 3, what="some tries")
        assert (running.up, running.refusal, running.is_prepared(0)) == (False, None, True)
        assert [each.__dict__["error"] for each in caplog.records] == ["/home/ada/poky: Permission denied"]
        may_look.set()
        poll(lambda: source.polls and running.up, what="it is read")
    finally:
        running.stop()


def test_trouble_in_new_words_each_time_does_not_fill_the_log(
    journal: Path, poll: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error with a number or an address in it that changes is reported at most once a minute."""
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.01)
    polls = 0

    def make() -> Any:
        nonlocal polls
        polls += 1
        raise ValueError(f"try {polls}")

    attachment = Attachment(IsolatedSource("x", "by x", make, Settings(journal)), str(journal))
    running = runner.RunningSource(lambda: attachment)
    running.start()
    poll(lambda: polls > 5, what="some looks")
    running.stop()
    assert not running.up
    assert len(caplog.records) == 1


def test_a_long_file_of_another_kind_is_logged_once(
    tmp_path: Path, poll: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who names the wrong file or kind reads so in the log, once the file is 64 KiB long, and not before."""
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.01)
    record = tmp_path / "other.log"
    record.write_text("x" * (64 * 1024 - 1))
    polls = 0

    class Silent:
        kind = build = "silent"

        def poll(self, now: float, *, over: bool = False) -> list[SourceEvent]:
            nonlocal polls
            polls += 1
            return []

    running = runner.RunningSource(lambda: Attachment(Silent(), str(tmp_path / "journal"), record=record))
    running.start()
    try:
        poll(lambda: polls > 2, what="some looks")
        assert not caplog.records
        record.write_text("x" * 64 * 1024)
        poll(lambda: caplog.records, what="it is logged")
        seen = polls
        poll(lambda: polls > seen + 2, what="further looks")
    finally:
        running.stop()
    assert [(each.message, each.__dict__["bytes"]) for each in caplog.records] == [
        ("nothing recognised in a file: is it of this kind?", 65536)
    ]


def test_endless_look_ends(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator that never stops costs so many events, not the memory or the disk."""
    monkeypatch.setattr(isolation, "MAX_EVENTS_PER_POLL", 1000)

    class Endless:
        kind = build = "endless"

        def poll(self, now: float, *, over: bool = False) -> Any:
            while True:
                yield SourceEvent(1.0, events.Note(time=1.0, build="endless", message="again"))

    attachment = Attachment(IsolatedSource("endless", "by x", Endless, Settings(journal)), str(journal))
    with pytest.raises(Exception, match="more than 1000 events"):
        attachment.poll(2.0)
    attachment.close()
    (run,) = (journal / "endless").iterdir()
    assert run.read_bytes().count(b"\n") == 1


def test_what_a_plugin_prints_stays_out_of_the_commands_own_words(
    command: Callable[..., Any], site: Site, tmp_path: Path
) -> None:
    """Standard output is for what the command says; a plug-in's print goes to standard error."""
    site.install(
        "loud-plugin",
        """
        print("at import")
        class Loud(Good):
            def __init__(self, settings):
                print("when made")
                super().__init__(settings)
            def poll(self, now, *, over=False):
                print("in a poll")
                yield from super().poll(now)
        """,
        loud="Loud",
    )
    record = tmp_path / "record.good"
    record.write_text("one")
    done = command("import", "loud", str(record), "--journal", str(tmp_path / "j"), env=site.environment)
    assert done.stdout == f"good-build: 2 new events from {record}\n"
    assert done.stderr == "at import\nwhen made\nin a poll\n"

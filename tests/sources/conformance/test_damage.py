"""Records as they arrive: through Windows, cut anywhere, copied without their times, given as another kind's."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.sources.conftest import BEGIN, Piece, Record

from build_exporter.model.states import StepState
from build_exporter.sources.attach import Attachment
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.sources.registry import kinds

if TYPE_CHECKING:
    from tests.sources.conformance.conftest import Place

CUTS = 60
"""Places in a record at which it is cut, beside every one in its last lines."""

ONE_FILE = ("portage", "buildroot", "console", "ninja", "log", "undated-log")
TIMED = 5.0
"""Seconds by which a duration may be off where the record shows it in whole seconds and unpacking beside it."""

Outcome = dict[tuple[str, ...], str]


def outcome(place: Place, journal: str) -> Outcome:
    """Return how steps ended, by run in the order of the runs, phase and step."""
    return {
        (str(number), *key): step.state.label
        for number, run in enumerate(place.runs(journal))
        for key, step in run.steps.items()
        if step.state is not StepState.PENDING
    }


def seconds(place: Place, journal: str) -> dict[tuple[str, ...], float | None]:
    """Return what steps took, by run, phase and step."""
    return {
        (str(n), *key): step.seconds for n, run in enumerate(place.runs(journal)) for key, step in run.steps.items()
    }


def look_once(place: Place, journal: str) -> None:
    """Import the record as it is; one in which nothing is found is no build."""
    attachment = place.attach(journal)
    try:
        attachment.poll(place.now, over=True)
    except SourceError:
        pass
    finally:
        attachment.close()


def test_crlf(record: Record, put: Callable[..., Place]) -> None:
    """A record copied through Windows, an artifact or a mail shows the same as the one with Unix' line ends."""
    place = put(record)
    place.write()
    look_once(place, "plain")
    for path in place.path.rglob("*"):
        if path.is_file():
            changed = path.stat().st_mtime_ns
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
            os.utime(path, ns=(changed, changed))
    look_once(place, "windows")
    assert outcome(place, "windows") == outcome(place, "plain")
    if record.is_dated:
        assert seconds(place, "windows") == seconds(place, "plain")


MAKE_CONSOLE = """\
make[1]: Entering directory '/src/lib'
gcc -c -o one.o one.c
gcc -c -o two.o two.c
two.c:3:4: warning: unused variable 'x' [-Wunused-variable]
ar rcs libboth.a one.o two.o
make[1]: Leaving directory '/src/lib'
make[1]: Entering directory '/src/program'
gcc -c -o main.o main.c
main.c:7:1: error: expected ';' before '}' token
make[1]: *** [Makefile:4: main.o] Error 1
make[1]: Leaving directory '/src/program'
make: *** [Makefile:2: program] Error 2
make[1]: Entering directory '/src/program'
gcc -c -o main.o main.c
gcc -o program main.o ../lib/libboth.a
make[1]: Leaving directory '/src/program'
"""


@pytest.fixture
def one_file(made_records: dict[str, Record]) -> dict[str, Record]:
    """The records of one file that grows, a console of make among them, which is read as it comes and has no dates."""
    console = Record("make", "make", [Piece(BEGIN, "build.log", MAKE_CONSOLE.encode())], "build.log", text="build.log")
    return {**made_records, "make": replace(console, is_dated=False)}


@pytest.mark.parametrize("name", [*ONE_FILE, "make"])
def test_cut_anywhere(name: str, one_file: dict[str, Record], put: Callable[..., Place]) -> None:
    """A record cut at any byte has no step, failure or success that the whole one does not have."""
    record = one_file[name]
    place = put(record)
    place.write()
    look_once(place, "whole")
    whole = outcome(place, "whole")
    keys = {key[1:] for key in whole}
    failures = {key[1:] for key, state in whole.items() if state == "failed"}
    successes = {key[1:] for key, state in whole.items() if state == "succeeded"}
    failures |= {key for run in place.runs("whole") for key, step in run.steps.items() if step.attempts > 1}
    path = place.path / record.text
    data = path.read_bytes()
    changed = path.stat().st_mtime_ns
    places = {*range(len(data) - 150, len(data)), *random.Random(3).sample(range(1, len(data)), CUTS)}
    for end in sorted(places):
        path.write_bytes(data[:end])
        os.utime(path, ns=(changed, changed))
        look_once(place, f"cut-{end}")
        found = outcome(place, f"cut-{end}")
        assert {key[1:] for key in found} <= keys, data[:end][-100:]
        # a console of make without an error has no other sign of how it ended
        if name != "make":
            assert {key[1:] for key, state in found.items() if state == "succeeded"} <= successes, data[:end][-100:]
        # a step of Buildroot without an end has failed, or was interrupted: its log does not show which
        open_ends = {key for run in place.runs(f"cut-{end}") for key in run.failed if name == "buildroot"}
        assert {key[1:] for key, state in found.items() if state == "failed"} <= failures | open_ends, data[:end][-100:]


@pytest.mark.parametrize("name", ONE_FILE)
def test_two_outputs_in_one_file(name: str, one_file: dict[str, Record], put: Callable[..., Place]) -> None:
    """What another tool, or the same build again, has written into the same file changes how no step ended."""
    record = one_file[name]
    place = put(record)
    place.write()
    look_once(place, "alone")
    alone = {(key[1:], state) for key, state in outcome(place, "alone").items()}
    path = place.path / record.text
    own = path.read_bytes()
    others = {kind: other for kind, other in one_file.items() if other.kind != record.kind}
    foreign = b"".join(piece.data for piece in others["portage" if name != "portage" else "buildroot"].pieces)
    outputs = {"again": own * 2, "another": own + foreign, "before": foreign + own}
    if name == "ninja":
        # a log of ninja is known by its first line
        del outputs["before"]
    for what, data in outputs.items():
        path.write_bytes(data)
        look_once(place, what)
        assert {(key[1:], state) for key, state in outcome(place, what).items()} == alone, what


def test_paths_in_the_journal_are_whole(record: Record, put: Callable[..., Place], monkeypatch: Any) -> None:
    """Imported by a relative path, a record's logs are named so that an exporter started elsewhere finds them."""
    place = put(record)
    place.write()
    monkeypatch.chdir(place.path)
    options = {**record.options, "proc": place.top / "proc"}
    attachment = Attachment(
        kinds()[record.kind].make(Settings(Path(record.watch), "build", options)), str(place.top / "j")
    )
    attachment.poll(place.now, over=True)
    attachment.close()
    named = [step.log for run in place.runs("j") for step in run.steps.values() if step.log]
    assert all(Path(log).is_absolute() for log in named)
    assert named or record.kind not in ("jhalfs", "blfs")


def test_a_copy_without_times(record: Record, put: Callable[..., Place]) -> None:
    """Whenever it was copied, be it while it was built, no step lasts until the copying."""
    if not record.keeps_times or record.kind == "blfs":
        pytest.skip("the times of its files mean nothing, or all that there is")
    place = put(record)
    place.write()
    look_once(place, "kept")
    expected = seconds(place, "kept")
    last = record.pieces[-1].time
    for later in (20.0, 180.0, 590.0, 86400.0):
        for path in place.path.rglob("*"):
            os.utime(path, (last + later, last + later))
        look_once(place, f"copied {later}")
        found = seconds(place, f"copied {later}")
        assert found.keys() == expected.keys()
        longer = {key: took for key, took in found.items() if took and took > (expected[key] or took) + TIMED}
        assert longer == {}


@pytest.mark.parametrize("kind", ["portage", "buildroot", "bitbake", "ninja", "make", "log"])
@pytest.mark.parametrize("name", ONE_FILE)
def test_another_kinds_record(kind: str, name: str, made_records: dict[str, Record], put: Callable[..., Place]) -> None:
    """A record given as another kind's is no build of that kind."""
    record = made_records[name]
    if kind == record.kind or (kind, record.kind) == ("make", "log"):
        pytest.skip("its own kind, or one that has a compiler's lines between its own")
    place = put(record)
    place.write()
    assert found_by(kind, place.path / record.text, place.top / "other") == []


README = """# A package

Build it:

$ make test    # set up and run every check and test
$ ninja -C build

DONE is better than perfect. Apache-2.0. Changes are in the [changelog](CHANGELOG.md).
cc @somebody
as said above
"""


@pytest.mark.parametrize("kind", ["portage", "buildroot", "bitbake", "make", "log"])
def test_no_record_at_all(kind: str, tmp_path: Path) -> None:
    """A page that shows commands, and two lines of another tool's summary, are no build."""
    for number, text in enumerate((README, 'meta-clang           = "langdale:85d956"\nSummary: 1 task failed:\n')):
        path = tmp_path / f"{number}.txt"
        path.write_text(text)
        assert found_by(kind, path, tmp_path / "journal") == []


def found_by(kind: str, path: Path, journal: Path) -> list[Any]:
    """Import a file as a kind's and return what was found in it."""
    attachment = Attachment(kinds()[kind].make(Settings(path, "build")), str(journal))
    try:
        attachment.poll(path.stat().st_mtime + 5, over=True)
    except SourceError:
        pass
    finally:
        found = attachment.runs()
        attachment.close()
    return found

"""What may happen to a record while it is watched: reported once, survived, and of no matter to the others."""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from build_exporter.model.states import StepState

if TYPE_CHECKING:
    from tests.sources.conformance.conftest import Place
    from tests.sources.conftest import Record

ONE_OF_EACH = ("jhalfs", "blfs", "portage", "buildroot", "bitbake", "console", "ninja", "log")
SOURCE_UP = re.compile(r'^build_exporter_source_up\{source="([^"]+)"\} (\S+)$', re.MULTILINE)
STEP = re.compile(
    r'^build_step_(status|attempts)\{build="([^"]+)",phase="([^"]+)",step="([^"]+)"\} (\S+)$', re.MULTILINE
)
UNREAD = {("file forbidden", "blfs"), ("file forbidden", "log")}
"""A Makefile is read only when it changes, logs of BLFS packages when they fail; any other log is held open."""

Heal = Callable[[], object]
ALL_POWERFUL = "-dac_override,-dac_read_search"


def replaced(make: Callable[[Path], object]) -> Callable[[Place], Heal]:
    """Return what puts something else in the place of the record's file, and returns what takes it away again."""

    def act(place: Place) -> Heal:
        path, aside = place.victim, place.top / "aside"
        path.rename(aside)
        make(path)

        def heal() -> None:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
            aside.rename(path)

        return heal

    return act


def vanish(place: Place) -> Heal:
    """Take the directory away."""
    away = place.path.rename(place.top / "away")
    return lambda: away.rename(place.path)


def forbid(path: Path) -> Heal:
    """Let no one read a path."""
    mode = path.stat().st_mode
    path.chmod(0)
    return lambda: path.chmod(mode)


def middle_of(record: Record) -> tuple[int, int]:
    """Return how many pieces are written before anything happens, and how many when it has."""
    mine = [index for index, piece in enumerate(record.pieces, 1) if piece.name == record.part]
    return (mine[0], mine[-1]) if mine else (len(record.pieces) // 2,) * 2


def forbid_file(place: Place) -> Heal:
    """Let no one read the file that is written next."""
    heal = forbid(place.path / place.record.part if place.record.part else place.victim)
    place.write(middle_of(place.record)[1])
    return heal


def sparse(path: Path) -> None:
    """Make a file of 2 GB that takes no room."""
    with path.open("wb") as file:
        file.truncate(2 << 30)


EMITTING: dict[str, Callable[[Place], Heal]] = {
    "directory gone": vanish,
    "directory forbidden": lambda place: forbid(place.victim.parent),
    "link to itself": replaced(lambda path: path.symlink_to(path)),
    "fifo": replaced(os.mkfifo),
    "device": replaced(lambda path: path.symlink_to("/dev/zero")),
    "gone": replaced(lambda path: path.symlink_to(path.with_name("nowhere"))),
    "file forbidden": forbid_file,
}
"""What makes a record unreadable: the source is down, and one line says so."""

SILENT: dict[str, Callable[[Place], Heal]] = {
    "garbage": replaced(lambda path: path.write_bytes(random.Random(1).randbytes(300_000))),
    "line without end": replaced(lambda path: path.write_bytes(b"x" * 5_000_000)),
    "2 GB of nothing": replaced(sparse),
    "empty": replaced(Path.touch),
}
"""What may or may not make it unreadable: one line at most."""


@pytest.fixture
def unprivileged() -> tuple[str, ...]:
    """What runs a command so that permissions hold for it: root may read everything."""
    return () if os.geteuid() != 0 else ("setpriv", f"--bounding-set={ALL_POWERFUL}", f"--inh-caps={ALL_POWERFUL}")


def seldom(check: Callable[[], bool]) -> Callable[[], bool]:
    """Return a check that asks no more than five times a second: hundreds of sources leave it little time."""
    asked = [0.0]

    def ask() -> bool:
        if time.monotonic() - asked[0] < 0.2:
            return False
        asked[0] = time.monotonic()
        return check()

    return ask


def put_all(records: dict[str, Record], top: Path, new_place: Callable[..., Place]) -> dict[tuple[str, str], Place]:
    """Write half of every record for everything that is to happen to it."""
    places: dict[tuple[str, str], Place] = {}
    for act in (*EMITTING, *SILENT):
        for name in ONE_OF_EACH:
            directory = top / act.replace(" ", "-") / name
            directory.mkdir(parents=True)
            place = places[act, name] = new_place(records[name], directory)
            place.write(middle_of(records[name])[0])
    return places


def logged_sources(log: Path) -> Counter[str]:
    """Return how often the log reports that a source can't be read."""
    return Counter(re.findall(r'cannot be read.*?source_name="?([^"\s]+)', log.read_text()))


def test_hostile(
    made_records: dict[str, Record],
    new_place: Callable[..., Place],
    tmp_path: Path,
    unprivileged: tuple[str, ...],
    serve: Callable[..., Any],
    poll: Callable[..., None],
) -> None:
    """Eleven things happen to half written records of every kind at once; each continues to its end when it is over."""
    places = put_all(made_records, tmp_path, new_place)
    builds = {key: re.sub(r"\W+", "-", "-".join(key)) for key in places}
    config = tmp_path / "config.yml"
    rows = [f"  - {{kind: {p.record.kind}, path: {p.watched}, build: {builds[key]}}}" for key, p in places.items()]
    control = tmp_path / "control.log"
    control.write_text("STARTED one\n")
    config.write_text("sources:\n" + "\n".join(rows) + f"\n  - {{kind: log, path: {control}, build: control}}\n")
    exporter = serve("--config", str(config), prefix=unprivileged)
    names = {key: f"{place.record.kind}/{builds[key]}" for key, place in places.items()}

    def up() -> dict[str, float]:
        text = exporter.get("/metrics")[2].decode()
        return {name: float(value) for name, value in SOURCE_UP.findall(text)}

    poll(seldom(lambda: all(up().get(name) == 1 for name in names.values())), 60, "all can be read")
    assert not logged_sources(exporter.log)
    heals = [{**SILENT, **EMITTING}[act](place) for (act, _), place in places.items()]
    down = {name for key, name in names.items() if key[0] in EMITTING and key not in UNREAD}
    try:
        poll(seldom(lambda: down <= {name for name, value in up().items() if value == 0}), 60)
    except AssertionError:
        pytest.fail(f"not down: {down & {name for name, value in up().items() if value}}")
    for word in ("COMPLETED one", "STARTED two", "COMPLETED two"):
        # each takes a look at least: the others continue meanwhile, and emit nothing again
        with control.open("a") as file:
            file.write(f"{word}\n")
        step, state = word.split()[1], 2 if word.startswith("COMPLETED") else 1
        poll(
            lambda step=step, state=state: exporter.value("build_step_status", build="control", step=step) == state, 60
        )
    reported = logged_sources(exporter.log)
    assert {name for name in down if reported[name] != 1} == set()
    assert {name: count for name, count in reported.items() if count > 1} == {}
    for heal in heals:
        heal()
    for place in places.values():
        place.write()
    # what could not be read is at its end as if nothing had happened
    runs = {name: places["gone", name].imported()[-1] for name in ONE_OF_EACH}
    wanted = {key: runs[key[1]] if key[0] in EMITTING else place.imported()[-1] for key, place in places.items()}
    left: dict[tuple[str, str], str] = {}

    def is_as_imported() -> bool:
        # a client library takes seconds for so many samples
        samples = {row[:-1]: float(row[-1]) for row in STEP.findall(exporter.get("/metrics")[2].decode())}
        left.clear()
        for key, run in wanted.items():
            for step in run.steps.values():
                found = tuple(
                    samples.get((name, builds[key], step.phase, step.step)) for name in ("status", "attempts")
                )
                # without a ninja at work only hours of silence would show its end
                is_at_work = places[key].record.kind == "ninja" and found[0] == StepState.RUNNING
                if found != (step.state, step.attempts) and not is_at_work:
                    left[key] = f"{step.step}: {found}, not {(int(step.state), step.attempts)}"
        return not left

    try:
        poll(seldom(is_as_imported), 60)
    except AssertionError:
        pytest.fail("\n".join(map(str, left.items())))
    poll(seldom(lambda: all(up()[name] == 1 for name in names.values())), 60, "all are up again")
    reported = logged_sources(exporter.log)
    assert {name: count for name, count in reported.items() if count > 1} == {}
    assert "Traceback" not in exporter.log.read_text()

"""What a right file means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec import inspect

from build_exporter.cli.options import read_config
from build_exporter.config.load import load
from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import Config, EventName, Milestone, Source, Thresholds
from build_exporter.config.section import About, Section, field_type, fields_of
from build_exporter.config.values import READINGS, read, written
from build_exporter.model.events import EVENT_NAMES
from build_exporter.sources.registry import BUILT_IN

ALL: list[type[Section]] = [Config, *(form for kind in BUILT_IN if (form := kind.options()) is not None)]

Loaded = Callable[[str], Config]
EXAMPLE = Path(__file__).parents[2] / "examples" / "config.yml"


@pytest.mark.parametrize(
    "text", ["", "# only a comment\n", "---\n", "~\n", "\ufeff", "{}\n", "web:\nschedule:\nqueries:\n"]
)
def test_empty_file_has_every_default(loaded: Loaded, text: str) -> None:
    """A file in which everything is commented out is the same as none."""
    assert loaded(text) == Config()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("1.5h", 5400.0),
        ("9h30m", 34200.0),
        ("'9h 30m'", 34200.0),
        ("2d", 172800.0),
        ("1w1d1h1m1s500ms", 694861.5),
        ("1e3", 1000.0),
    ],
)
def test_durations_are_seconds(loaded: Loaded, text: str, seconds: float) -> None:
    """A duration may be written as people say it and is stored in seconds."""
    assert loaded(f"schedule: {{duration: {text}}}").schedule.duration == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("10485760", 10485760), ("8 GiB", 8 * 1024**3), ("8GB", 8 * 10**9), ("1.5MiB", 1572864), ("2000 kB", 2_000_000)],
)
def test_sizes_are_bytes(loaded: Loaded, text: str, size: int) -> None:
    """A size is stored in bytes, and GB is not GiB."""
    assert loaded(f"retention: {{bytes: {text}}}").retention.bytes == size


def test_rates_may_say_per_second(loaded: Loaded) -> None:
    """The limit of swapping reads as what it is."""
    assert loaded("thresholds: {swap_rate_bytes: 8 MiB/s}").thresholds.swap_rate_bytes == 8 * 1024**2


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-22T06:00:00Z", 1795327200.0),
        ("2026-11-22 07:00+01:00", 1795327200.0),
        ("2026-11-22T06:00:00.5Z", 1795327200.5),
        ("1795327200", 1795327200.0),
    ],
)
def test_deadline_is_a_moment_wherever_it_is_written(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, text: str, time: float
) -> None:
    """The same deadline means the same moment in every time zone."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    assert loaded(f"schedule: {{deadline: {text}}}").schedule.deadline == time


@pytest.mark.parametrize(("text", "ratio"), [("0.4", 0.4), ("40%", 0.4), ("'40 %'", 0.4), ("1", 1.0), (".5", 0.5)])
def test_ratios_may_be_percentages(loaded: Loaded, text: str, ratio: float) -> None:
    """A share may be written either way."""
    assert loaded(f"milestones: [{{name: a, progress: {text}}}]").milestones == (Milestone(name="a", progress=ratio),)


@pytest.mark.parametrize("name", ["12.10", "yes", "0x10", "2026-11-22", "null-modem", "1:30"])
def test_names_stay_what_is_written(loaded: Loaded, name: str) -> None:
    """YAML's guesses (12.10 is 12.1, yes is true) do not reach names of builds and steps."""
    assert loaded(f"milestones: [{{name: {name}, step: {name}}}]").milestones == (Milestone(name=name, step=name),)


def test_none_lifts_a_limit_and_nothing_keeps_it(loaded: Loaded) -> None:
    """`runs: none` keeps every run; `runs:` with nothing after it keeps the default."""
    assert loaded("retention: {runs: none}").retention.runs is None
    assert loaded("retention: {runs: null}").retention.runs is None
    assert loaded("retention: {runs: }").retention.runs == Config().retention.runs


def test_paths_begin_at_the_directory_of_the_file(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration means the same wherever the exporter was started."""
    monkeypatch.setenv("HOME", "/home/builder")
    monkeypatch.chdir("/")
    made = loaded(
        "sources:\n- {kind: log, path: logs/x.log}\n- {kind: ninja, path: ~/out}\n- {kind: blfs, path: /a/../b}\n"
    )
    assert [source.path for source in made.sources] == [str(tmp_path / "logs/x.log"), "/home/builder/out", "/b"]


def test_neighbouring_records_do_not_overlap(loaded: Loaded) -> None:
    """Two trees beside one another, or a log within a tree, are each read once."""
    made = loaded(
        "sources:\n- {kind: jhalfs, path: /a/b}\n- {kind: jhalfs, path: /a/bc}\n- {kind: log, path: /a/b/log}\n"
    )
    assert made.sources[0] == Source(kind="jhalfs", path="/a/b")
    assert len(made.sources) == 3


def test_configuration_cannot_change_and_compares_by_content(loaded: Loaded) -> None:
    """A reload replaces one value by another, never parts of it, and notices when nothing changed."""
    text = EXAMPLE.read_text()
    made: Any = loaded(text)
    assert made == loaded(text + "\n# a comment\n")
    assert made != loaded(text.replace("45m", "46m"))
    assert made != loaded(text.replace("topk(10", "topk(11"))
    with pytest.raises(AttributeError):
        made.thresholds.stalled_seconds = 1.0
    with pytest.raises(TypeError):
        made.queries["x"] = "up"
    with pytest.raises(TypeError):
        made.milestones[0] = None


def test_example_is_right_and_shows_every_key() -> None:
    """The shipped example loads, and no part of the configuration is left out of it."""
    made = read_config(str(EXAMPLE))
    assert [key.name for key in fields_of(Config) if getattr(made, key.name) == getattr(Config(), key.name)] == []


def test_thresholds_are_exported_under_their_names(loaded: Loaded) -> None:
    """The rules find every threshold, and the schedule's tolerance as late_ratio and the tiers, in base units."""
    text = "thresholds: {stalled_seconds: 1h}\nschedule: {tolerance: 20%}\nalerting: {escalation: [10m, 1h]}\n"
    values = loaded(text).threshold_values()
    assert values["stalled_seconds"] == 3600.0
    assert values["late_ratio"] == 0.2
    tiers = {"escalation_2_seconds": 600.0, "escalation_3_seconds": 3600.0}
    assert values.items() >= tiers.items()
    assert set(values) == {field.name for field in fields_of(Thresholds)} | {"late_ratio"} | tiers.keys()
    assert all(isinstance(value, float) for value in values.values())


def every_field(*sections: type[Section]) -> Iterator[tuple[str, inspect.Field, inspect.Type, About]]:
    """Yield every field of the schema and of the kinds' options: its place, the field, its type, what is known."""
    for section, field in ((each, field) for each in sections or ALL for field in fields_of(each)):
        kind, known, _ = field_type(field.type)
        assert known is not None, f"{section.__name__}.{field.name} is not described"
        yield f"{section.__name__}.{field.name}", field, kind, known
        if isinstance(kind, inspect.VarTupleType):
            kind = field_type(kind.item_type)[0]
        if isinstance(kind, inspect.StructType):
            assert issubclass(kind.cls, Section)
            yield from every_field(kind.cls)


def test_every_default_could_be_written_into_the_file() -> None:
    """A default is within its own bounds and reads back as itself, so that the reference page shows the truth."""
    for place, field, kind, known in every_field():
        if isinstance(field.default, str | int | float | bool):
            assert read(written(field.default, known.form), kind, known.form, known.within) == field.default, place


def test_every_field_has_a_form_its_type_can_hold() -> None:
    """A text has a form of text and a number a form of numbers: there is no field the loader cannot read."""
    numbers = {"seconds", "bytes", "bytes_per_second", "ratio", "celsius", "count", "time"}
    for place, _, kind, known in every_field():
        match kind:
            case inspect.IntType() | inspect.FloatType():
                assert known.form in numbers, place
            case inspect.StrType():
                assert known.form in set(READINGS) - numbers, place
            case inspect.BoolType() | inspect.LiteralType():
                assert known.form is None, place


def test_names_with_a_unit_are_stored_in_it() -> None:
    """`…_seconds` is seconds, `…_bytes` bytes and `…_ratio` a ratio: in the file, in the code and in Prometheus."""
    for field in fields_of(Thresholds):
        known = field_type(field.type)[1]
        unit = field.name.rsplit("_", 1)[1]
        assert known is not None
        expected = {"seconds": "seconds", "ratio": "ratio", "celsius": "celsius", "bytes": "bytes"}.get(unit, "count")
        assert known.form in {expected, "bytes_per_second" if "rate" in field.name else expected}


def test_extra_metrics_offer_every_event() -> None:
    """A metric of one's own can be made from any event the journal knows."""
    assert set(get_args(EventName)) == set(EVENT_NAMES)


def test_error_is_data_too(tmp_path: Path) -> None:
    """A server can answer a refused reload with file, line, column and path of each problem."""
    file = tmp_path / "config.yml"
    file.write_text("schedule:\n  duration: soon\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column, problem.path) == (str(file), 2, 13, "schedule.duration")


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("", False),
        ("hooks: {events: [build_finished, step_progress]}", True),
        ("metrics: {extra: [{name: build_custom_a_total, help: A., type: counter, event: step_progress}]}", True),
        ("metrics: {extra: [{name: build_custom_a_total, help: A., type: counter, event: step_finished}]}", False),
    ],
)
def test_progress_is_read_whole_where_something_takes_each_event_of_it(loaded: Loaded, text: str, uses: bool) -> None:
    """A hook or a metric on `step_progress` gets every line of a burst."""
    assert loaded(text).uses_progress is uses

"""The schema of the configuration file: frozen structs, each field with meaning, form, bounds and default.

The loader, the reference page and the exported `build_threshold` series are all made from these declarations.
Durations are stored in seconds, sizes in bytes, times as Unix seconds, ratios as 0 to 1 (or a multiple, where the text
says "times"), paths as absolute text. Lists are stored as tuples, mappings as read-only views.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

import msgspec

from build_exporter.config.alerting import Alerting
from build_exporter.config.failures import Failures
from build_exporter.config.probes import Probe
from build_exporter.config.processes import Processes
from build_exporter.config.section import Section, about, repeated
from build_exporter.config.values import compiled
from build_exporter.config.views import View
from build_exporter.model.events import EVENT_TYPES, Event
from build_exporter.model.names import MAX_TIME

KIB, MIB, GIB = 1024, 1024**2, 1024**3


class Milestone(Section, frozen=True):
    """A notable point of the build: reached by exactly one of a phase's end, a step's end, or a progress."""

    name: Annotated[str, about("What it is called in metrics, in messages and on the page.", "name")]
    phase: Annotated[str | None, about("Reached when every step of this phase is done.", "name")] = None
    step: Annotated[str | None, about("Reached when this step is done; `phase/step` if two have the name.", "name")] = (
        None
    )
    progress: Annotated[float | None, about("Reached at this progress of the build.", "ratio", within=(0, 1))] = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault unless exactly one of phase, step, progress is given."""
        given = [key for key in ("phase", "step", "progress") if getattr(self, key) is not None]
        if len(given) != 1:
            has = " and ".join(given) or "none"
            yield (given[-1] if given else ""), f"needs exactly one of phase, step, progress; it has {has}"

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the names given twice."""
        yield from repeated(items, "name")


class Schedule(Section, frozen=True):
    """When the build should be done: by a deadline, or within a duration from its start."""

    deadline: Annotated[float | None, about("When builds must have ended.", "time", within=(0, MAX_TIME))] = None
    duration: Annotated[
        float | None, about("How long a build may take from its start.", "seconds", within=(1, None))
    ] = None
    tolerance: Annotated[
        float,
        about(
            "Lateness, as a share of the planned duration, that still counts as on schedule. "
            'Exported as `build_threshold{name="late_ratio"}`.',
            "ratio",
            within=(0, 10),
        ),
    ] = 0.05

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where both a deadline and a duration are given."""
        if self.deadline is not None and self.duration is not None:
            yield "duration", "has both deadline and duration; allowed: one of them"


class Thresholds(Section, frozen=True):
    """Thresholds of alerts. Each is exported as `build_threshold{name}`, where the Prometheus rules read it.

    A change takes effect with the next reload of the exporter: Prometheus and its rules stay as they are.
    """

    stalled_seconds: Annotated[
        float, about("No event of a running build for so long means it has stalled.", "seconds", within=(1, None))
    ] = 1800.0
    step_stuck_seconds: Annotated[
        float,
        about("No output and no CPU use of a running step for so long: it is stuck.", "seconds", within=(1, None)),
    ] = 900.0
    step_overdue_ratio: Annotated[
        float, about("A running step is overdue at so many times its expected duration …", "ratio", within=(1, None))
    ] = 2.0
    step_overdue_seconds: Annotated[
        float, about("… and at least so far beyond the expected duration.", "seconds", within=(0, None))
    ] = 300.0
    step_regression_ratio: Annotated[
        float, about("A finished step has regressed at so many times its earlier duration …", "ratio", within=(1, None))
    ] = 1.25
    step_regression_seconds: Annotated[
        float, about("… and at least so much longer than earlier.", "seconds", within=(0, None))
    ] = 60.0
    step_attempts: Annotated[
        int, about("A step tried so many times in one run fails again and again.", "count", within=(2, None))
    ] = 3
    tests_failed: Annotated[
        int, about("Unexpected failures of a test suite above this number raise an alert.", "count", within=(0, None))
    ] = 0
    disk_free_bytes: Annotated[
        int, about("Less free space than this where a build writes is critical.", "bytes", within=(0, None))
    ] = 2 * GIB
    disk_free_ratio: Annotated[
        float, about("Less free space than this share of the file system is a warning.", "ratio", within=(0, 1))
    ] = 0.1
    disk_reserve_bytes: Annotated[
        int, about("Space that must remain free after what the coming steps need.", "bytes", within=(0, None))
    ] = GIB
    disk_full_seconds: Annotated[
        float,
        about("A file system that will be full within so long at its present rate.", "seconds", within=(60, None)),
    ] = 14400.0
    memory_available_ratio: Annotated[
        float, about("Less available memory than this share of all memory.", "ratio", within=(0, 1))
    ] = 0.05
    memory_pressure_ratio: Annotated[
        float, about("Some tasks wait for memory for more than this share of time.", "ratio", within=(0, 1))
    ] = 0.2
    io_pressure_ratio: Annotated[
        float, about("All tasks wait for I/O for more than this share of time.", "ratio", within=(0, 1))
    ] = 0.5
    swap_rate_bytes: Annotated[
        int, about("Swapping in and out faster than this.", "bytes_per_second", within=(0, None))
    ] = 10 * MIB
    cpu_temperature_celsius: Annotated[float, about("A CPU hotter than this.", "celsius", within=(20, 150))] = 90.0
    cpu_throttled_ratio: Annotated[
        float, about("A CPU held back by heat for more than this share of time.", "ratio", within=(0, 1))
    ] = 0.05
    late_probability_ratio: Annotated[
        float,
        about("A build is behind schedule when it is late with more than this probability.", "ratio", within=(0, 1)),
    ] = 0.8
    probe_seconds: Annotated[float, about("A probe answered slower than this.", "seconds", within=(0, None))] = 2.0
    certificate_seconds: Annotated[
        float, about("The certificate of a probed server ends within so long.", "seconds", within=(0, None))
    ] = 14 * 86400.0
    event_lag_seconds: Annotated[
        float, about("Events reach the exporter later than this, 99th percentile.", "seconds", within=(0, None))
    ] = 10.0
    lines_rejected: Annotated[
        int, about("More rejected journal lines than this in ten minutes.", "count", within=(0, None))
    ] = 0
    auth_failures: Annotated[
        int, about("More refused credentials than this in ten minutes.", "count", within=(0, None))
    ] = 10


class LogPatterns(Section, frozen=True):
    """Patterns for lines of a log; a pattern left out keeps the source's own.

    The named groups `step`, `phase`, `package` and `version` are taken from the line where the pattern has them.
    """

    started: Annotated[str | None, about("A step began; must have the group `(?P<step>…)`.", "regex")] = None
    completed: Annotated[str | None, about("A step succeeded; without the group: the running one.", "regex")] = None
    failed: Annotated[str | None, about("A step failed; without the group: the running one.", "regex")] = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where the start of a step would not say which."""
        if self.started is not None and "step" not in compiled(self.started).groupindex:
            yield "started", "has a pattern 'started' without the group (?P<step>…), which says what step began"


class Source(Section, frozen=True):
    """A record that a build writes by itself, watched from outside; `--watch KIND=PATH` adds one more."""

    kind: Annotated[str, about("Whose record it is; `auto` detects it from the path. Plug-ins add kinds.", "name")]
    path: Annotated[str, about("The record: a work tree, a directory or a log file, as the kind has it.", "path")]
    build: Annotated[str | None, about("The build's name; by default the source finds one.", "build")] = None
    options: Annotated[Section | None, about("Options of the kind, see below.")] = None
    book: Annotated[str | None, about("`options.book` of kind `jhalfs`; kind `auto` takes it too.", "path")] = None
    patterns: Annotated[LogPatterns | None, about("`options` of kind `log` by their older name.")] = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where patterns or a book are given to a source that has none, or beside options."""
        if self.patterns is not None and self.kind != "log":
            yield "patterns", f"has patterns, but is of kind {self.kind}; only kind log takes them"
        if self.book is not None and self.kind not in ("jhalfs", "auto"):
            yield "book", f"has a book, but is of kind {self.kind}; only kind jhalfs takes one"
        for key in ("book", "patterns"):
            if self.options is not None and getattr(self, key) is not None:
                yield key, f"has both options and {key}; allowed: options, with what {key} says in them"

    def chosen(self) -> dict[str, Any]:
        """Return the options that are set, by name, wherever they are written."""
        named = [msgspec.structs.asdict(section) for section in (self.patterns, self.options) if section is not None]
        found = {key: value for options in named for key, value in options.items() if value is not None}
        return found if self.book is None else found | {"book": self.book}

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the sources that read what another of their kind reads: every step would be recorded twice."""
        for place, (index, item) in enumerate(items):
            for other, earlier in items[:place]:
                mine, theirs = item.path.rstrip("/") + "/", earlier.path.rstrip("/") + "/"
                alike = item.kind == earlier.kind or "auto" in {item.kind, earlier.kind}
                if alike and (mine.startswith(theirs) or theirs.startswith(mine)):
                    yield index, "path", "reads what is already read by", other
                    break


EventName = Literal[
    "build_started", "plan", "step_started", "step_progress", "step_finished", "tests_reported", "milestone_reached",
    "build_finished", "toolchain", "note", "feedback", "alert", "acknowledged", "escalated",
    "sources_verified", "events_lost",
]  # fmt: skip


class Hooks(Section, frozen=True):
    """Programs of yours that run on events, see docs/guide/hooks.md."""

    directory: Annotated[str | None, about("Every executable file in it runs on each of the events.", "path")] = None
    events: Annotated[tuple[EventName, ...], about("The events on which hooks and event handlers run.")] = (
        "build_started",
        "step_finished",
        "milestone_reached",
        "build_finished",
    )
    timeout: Annotated[float, about("A hook that runs longer is killed.", "seconds", within=(0.1, 3600))] = 30.0
    parallel: Annotated[int, about("Hooks that run at a time; others wait.", "count", within=(1, 64))] = 4


ExtraLabel = Literal["phase", "step", "package", "status", "suite", "error_class", "milestone", "level"]


def _fields(kind: type[Event]) -> list[str]:
    """Return the fields of an event that can be a metric's value."""
    return [name for name in kind.__struct_fields__ if name not in ("build", "phase", "step")]


class ExtraMetric(Section, frozen=True):
    """A metric of your own, made from a field of events; its first label is `build`."""

    name: Annotated[str, about("The metric's name; a counter's ends in `_total`.", "metric")]
    help: Annotated[str, about("What it is, for the reader of `/metrics`.", "name")]
    type: Annotated[Literal["gauge", "counter"], about("gauge: the newest value; counter: the sum of all.")]
    event: Annotated[EventName, about("The events it is made from.")]
    field: Annotated[str | None, about("The event's field that is its value; a counter may do without.", "name")] = None
    labels: Annotated[tuple[ExtraLabel, ...], about("Fields of the event that become labels.")] = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield the faults of naming and of a gauge without a value."""
        if (self.type == "counter") != self.name.endswith("_total"):
            yield "name", "has a wrong name: that of a counter ends in _total, that of a gauge does not"
        if self.type == "gauge" and self.field is None:
            yield "type", "is a gauge without 'field', and so without a value"
        kind = next(each for each in EVENT_TYPES if each.__struct_config__.tag == self.event)
        if self.field is not None and self.field not in kind.__struct_fields__:
            yield "field", f"names {self.field!r}, which {self.event} has not; allowed: {', '.join(_fields(kind))}"

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the names given twice."""
        yield from repeated(items, "name")


class Metrics(Section, frozen=True):
    """Contents of `/metrics` and their limits."""

    max_steps_per_build: Annotated[
        int,
        about(
            "Steps of a build with series of their own; beyond it the oldest lose theirs.", "count", within=(1, None)
        ),
    ] = 2000
    max_builds: Annotated[
        int, about("Builds with series; beyond it the oldest lose theirs.", "count", within=(1, None))
    ] = 100
    status_file: Annotated[
        str | None,
        about(
            "A file that always holds what `status --output json` says, for status bars; replaced as a whole.", "path"
        ),
    ] = None
    extra: Annotated[tuple[ExtraMetric, ...], about("Metrics made from fields of events.")] = ()


class Retention(Section, frozen=True):
    """Limits of the journal's past. A build's newest run stays; counts of removed runs are kept."""

    runs: Annotated[int | None, about("Runs kept of each build; `none`: all.", "count", within=(1, None))] = 50
    bytes: Annotated[int | None, about("Size of the whole journal; `none`: any.", "bytes", within=(MIB, None))] = GIB
    age: Annotated[
        float | None, about("Runs that ended longer ago are removed; `none`: none is.", "seconds", within=(3600, None))
    ] = None


class Web(Section, frozen=True):
    """Limits of the HTTP server. Its address is `--web.listen-address`; TLS and users are in `--web.config.file`."""

    hosts: Annotated[
        tuple[str, ...],
        about(
            "Names under which a proxy on this machine asks for the page. Over loopback only addresses, `localhost` "
            "and the machine's own name are answered otherwise: another site's name may point here, too.",
            "name",
        ),
    ] = ()
    max_body_bytes: Annotated[int, about("Largest body of a request.", "bytes", within=(KIB, GIB))] = 10 * MIB
    max_stream_clients: Annotated[
        int, about("Stream clients at a time; the next is refused.", "count", within=(1, 100_000))
    ] = 1000
    mcp: Annotated[
        Literal["off", "read", "acknowledge"],
        about(
            "Whether language models are answered at `/mcp` (extra `build-exporter[mcp]`), and whether they may "
            "acknowledge alerts. A change takes a restart."
        ),
    ] = "off"
    max_requests_per_second: Annotated[
        int | None,
        about(
            "Requests a second from one address, as many at once; more are answered 429. `none`: any.",
            "count",
            within=(1, None),
        ),
    ] = None


def _no_queries() -> Mapping[str, str]:
    return MappingProxyType({})


def _no_failures() -> Mapping[str, int | tuple[str, ...]]:
    return MappingProxyType({})


class Tests(Section, frozen=True):
    """Known failures of test suites, in addition to the shipped list."""

    __test__ = False

    expected_failures: Annotated[
        Mapping[
            str,
            Annotated[int, about("So many may fail.", "count", within=(0, None))]
            | Annotated[tuple[str, ...], about("Names of tests.", "name")],
        ],
        about(
            "Tests that are known to fail, by package: patterns of their names (`*`, `?`, `[abc]`), or how many of "
            "them may fail. They count as expected failures."
        ),
    ] = msgspec.field(default_factory=_no_failures)
    uncounted: Annotated[
        tuple[str, ...],
        about("Packages whose tests print no results that could be counted: they are not missed.", "name"),
    ] = ()


class Config(Section, frozen=True):
    """The whole configuration; an empty file is one, and has every default."""

    milestones: Annotated[tuple[Milestone, ...], about("Milestones of every build, besides those of its plan.")] = ()
    schedule: Annotated[Schedule, about("A deadline or a planned duration, and the tolerance.")] = Schedule()
    thresholds: Annotated[Thresholds, about("The limits alert rules compare with.")] = Thresholds()
    sources: Annotated[tuple[Source, ...], about("Records of builds to watch.")] = ()
    probes: Annotated[tuple[Probe, ...], about("Services the builds need, see docs/guide/probes.md.")] = ()
    processes: Annotated[tuple[Processes, ...], about("Processes of steps that record none.")] = ()
    alerting: Annotated[Alerting, about("Alertmanager, escalation and links.")] = Alerting()
    hooks: Annotated[Hooks, about("Where they are, on which events they run, and how long they may take.")] = Hooks()
    metrics: Annotated[Metrics, about("What is exported, and the bounds of it.")] = Metrics()
    queries: Annotated[
        Mapping[str, str], about("PromQL queries of yours, by name; `build-exporter saved NAME` asks them.", "text")
    ] = msgspec.field(default_factory=_no_queries)
    views: Annotated[
        tuple[View, ...], about("Questions of yours: `build-exporter view NAME`, and sections of reports.")
    ] = ()
    retention: Annotated[Retention, about("When old runs are removed.")] = Retention()
    tests: Annotated[Tests, about("Tests that are known to fail.")] = Tests()
    failures: Annotated[Failures, about("Rules of yours on what failed.")] = Failures()
    web: Annotated[Web, about("What the HTTP server accepts.")] = Web()

    def threshold_values(self) -> dict[str, float]:
        """Return the values of `build_threshold` by name, in base units: all thresholds, `late_ratio`, the tiers."""
        named = {key: float(value) for key, value in msgspec.structs.asdict(self.thresholds).items()}
        tiers = {f"escalation_{tier}_seconds": limit for tier, limit in enumerate(self.alerting.escalation, 2)}
        return named | {"late_ratio": self.schedule.tolerance} | tiers

    @property
    def uses_progress(self) -> bool:
        """Whether a hook or a metric takes every event of progress."""
        return "step_progress" in {*self.hooks.events, *(each.event for each in self.metrics.extra)}

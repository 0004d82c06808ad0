"""The event types of the journal: one struct an event, decoded by its `event` field.

Fields not named here are ignored by the decoder and stay in the line; a field of a wrong type rejects the line.
Times are Unix seconds, durations seconds, sizes bytes, ratios 0 to 1.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from build_exporter.model.names import MAX_LINE_BYTES, MAX_NAME_LENGTH, MAX_TIME

Time = Annotated[float, Meta(ge=0, le=MAX_TIME)]
BuildName = Annotated[str, Meta(min_length=1, max_length=100)]
"""Which characters is for the reader to judge, once a build: a pattern here takes as long as all the rest."""
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
Text = Annotated[str, Meta(max_length=MAX_LINE_BYTES)]
"""As long as a line lets it be: a failure whose words are too many is still a failure. State keeps the beginning."""
Ratio = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[float, Meta(ge=0, le=1e18)]
Count = Annotated[int, Meta(ge=0, le=10**18)]
Curve = Annotated[list[Ratio], Meta(max_length=64)]
Flags = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=64)], Count], Meta(max_length=16)]
ExitCode = Annotated[int, Meta(ge=-(2**31), lt=2**32)]
FinishStatus = Literal["succeeded", "failed", "skipped", "interrupted"]
BuildStatus = Literal["succeeded", "failed", "interrupted"]
TestScope = Literal["none", "critical", "all"]
"""Which packages' test suites a build runs: none, those of the toolchain alone, or all."""
ToolRole = Literal["host", "cross", "target"]
MAX_TOOLS: Final = 64
"""Most tools of one toolchain: each is a series."""


class Event(msgspec.Struct, tag_field="event", gc=False, omit_defaults=True, kw_only=True):
    """Fields of every event: its time and its build."""

    time: Time
    build: BuildName


class SourceFile(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, kw_only=True):
    """A file that a step is built from: `file` is its name within the directory that the plan calls `tarballs`.

    `digests` are `ALGORITHM:HEXADECIMAL` of md5, sha1, sha224, sha256, sha384, sha512, blake2b; others are passed over.
    `about_bytes` is a rounded size.
    """

    file: Name
    digests: tuple[Name, ...] = ()
    size_bytes: Count | None = None
    about_bytes: Count | None = None
    url: Text | None = None


class PlannedStep(msgspec.Struct, gc=False, omit_defaults=True, kw_only=True):
    """One step of a plan; `after` names steps (or `phase/step`) that must be done before it."""

    phase: Name
    step: Name
    package: Name | None = None
    version: Name | None = None
    sbu: Amount | None = None
    expected_seconds: Amount | None = None
    disk_bytes: Count | None = None
    memory_bytes: Count | None = None
    after: list[Name] | None = None
    sources: list[SourceFile] | None = None


class PlannedMilestone(msgspec.Struct, gc=False, omit_defaults=True, kw_only=True):
    """A milestone and what reaches it: the end of a phase, of a step, or a progress ratio."""

    name: Name
    phase: Name | None = None
    step: Name | None = None
    progress: Ratio | None = None


class BuildStarted(Event, tag="build_started"):
    """A run began, or was taken up again where its file already holds one.

    `tests` says which packages' test suites it runs, where that is known. `pid` is the process that writes the run, and
    `pid_namespace` where that is its id: `BOOT/NUMBER` by `/proc/sys/kernel/random/boot_id` and `/proc/self/ns/pid`.
    """

    run: Name | None = None
    source: Name | None = None
    target: Name | None = None
    book: Name | None = None
    jobs: Count | None = None
    plan: Text | None = None
    deadline: Time | None = None
    tests: TestScope | None = None
    pid: Count | None = None
    pid_namespace: Name | None = None


class Plan(Event, tag="plan"):
    """The steps to come in their order; a later plan replaces weights and order, never what has happened.

    A plan too long for one line continues in lines with `continues`. `tarballs` is the directory of the files
    that its steps are built from, by its whole path on the exporter's machine.
    """

    steps: list[PlannedStep]
    milestones: list[PlannedMilestone] | None = None
    tarballs: Text | None = None
    continues: bool = False


class StepStarted(Event, tag="step_started"):
    """An attempt at a step began, in the process `pid`; see `build_started` for `pid_namespace`."""

    phase: Name
    step: Name
    package: Name | None = None
    version: Name | None = None
    attempt: Count | None = None
    log: Text | None = None
    pid: Count | None = None
    pid_namespace: Name | None = None


class StepProgress(Event, tag="step_progress"):
    """Progress of a running step; after its end, the size of its log.

    `warning_flags` says how many of the warnings came by which option of the compiler, the most frequent first.
    An `estimated` ratio comes from the log and the clock, and gives way to one the builder reports. `log_tasks`
    are the lines of a log that each stand for a compiler's run or a test, `log_curve` the share of it (a task counting
    as much as 1000 bytes) that was written by the end of each equal part of the attempt's time. `log_bytes` says that
    the log of a step that is over was read to its end; it is 0 where the next attempt can't be measured by it.
    `error_class` and `message` of a step that has failed say why, where its end did not. `seconds` is how long a step
    that is over took at most, where the clock that wrote its end was ahead.
    """

    phase: Name
    step: Name
    ratio: Ratio | None = None
    done: Amount | None = None
    total: Amount | None = None
    message: Text | None = None
    error_class: Name | None = None
    estimated: bool = False
    warnings: Count | None = None
    warning_flags: Flags | None = None
    log_bytes: Count | None = None
    log_tasks: Count | None = None
    log_curve: Curve | None = None
    seconds: Amount | None = None


class StepFinished(Event, tag="step_finished"):
    """An attempt ended; `seconds` is the duration where the writer measured it more precisely than the two times.

    `disk_bytes` is what the attempt needed on the disk, `disk_before_bytes` what was in use there before it. The waits
    are the seconds in which some process of the machine waited for a CPU, memory or the disk meanwhile (pressure).
    """

    phase: Name
    step: Name
    status: FinishStatus
    exit_code: ExitCode | None = None
    signal: Count | None = None
    seconds: Amount | None = None
    cpu_seconds: Amount | None = None
    max_rss_bytes: Count | None = None
    read_bytes: Count | None = None
    written_bytes: Count | None = None
    disk_bytes: Count | None = None
    disk_before_bytes: Count | None = None
    cpu_wait_seconds: Amount | None = None
    memory_wait_seconds: Amount | None = None
    io_wait_seconds: Amount | None = None
    error_class: Name | None = None
    message: Text | None = None
    warnings: Count | None = None


class TestsReported(Event, tag="tests_reported"):
    """Results of one test suite of a step; a later report of the same suite replaces the earlier.

    All zeros mean a suite that should have run and gave no result. `replaces` names a suite of the step that was
    reported before this one's own name was known and no longer exists. `failing` names the first tests that failed.
    """

    __test__ = False

    phase: Name
    step: Name
    suite: Name
    passed: Count
    failed: Count
    expected_failed: Count | None = None
    unexpected_passed: Count | None = None
    skipped: Count | None = None
    errors: Count | None = None
    replaces: Name | None = None
    failing: Annotated[list[Name], Meta(max_length=10)] | None = None


class MilestoneReached(Event, tag="milestone_reached"):
    """A milestone was reached."""

    milestone: Name


class BuildFinished(Event, tag="build_finished"):
    """The run ended."""

    status: BuildStatus


class ToolVersion(msgspec.Struct, gc=False, omit_defaults=True, kw_only=True):
    """A tool of a toolchain and its version.

    The role is `host` for the tools of the machine that builds, `cross` for those that run on it and make code for
    another system, `target` for those of the system being built. `target` is the triplet the tool makes code for.
    """

    tool: Name
    version: Name
    role: ToolRole
    target: Name | None = None


class Toolchain(Event, tag="toolchain"):
    """The toolchain of a run, as far as known; it replaces earlier ones as a whole.

    `host` and `target` are triplets, `kernel` and `libc` those of the machine that builds, `machine` a hash of its
    machine-id, by which it is known after each boot, `jobs` the -j that its processes have; the two counts are of the
    compilations in this run that ccache knew or did not know.
    """

    host: Name | None = None
    target: Name | None = None
    kernel: Name | None = None
    libc: Name | None = None
    machine: Name | None = None
    jobs: Count | None = None
    tools: Annotated[list[ToolVersion], Meta(max_length=MAX_TOOLS)] | None = None
    ccache_hits: Count | None = None
    ccache_misses: Count | None = None


class Note(Event, tag="note"):
    """Something a person or tool wants remembered."""

    message: Text
    level: Name | None = None


class Feedback(Event, tag="feedback"):
    """A rating by a person."""

    rating: Annotated[int, Meta(ge=1, le=5)]
    message: Text | None = None


class EventsLost(Event, tag="events_lost"):
    """Number of a writer's events before this one that could not be written, for lack of space or permission."""

    count: Count


class Alert(Event, tag="alert"):
    """Alertmanager's report of one alert to one of its receivers.

    `name` is the alert's name, `status` is `firing` or `resolved`; `labels` are further labels that distinguish it from
    others of the name, `fingerprint` is Alertmanager's own. `starts` and `ends` are its times, `message` its summary.
    """

    name: Name | None = None
    status: Name | None = None
    message: Text | None = None
    severity: Name | None = None
    tier: Name | None = None
    failure: Name | None = None
    labels: Annotated[dict[Name, Annotated[str, Meta(max_length=MAX_NAME_LENGTH)]], Meta(max_length=16)] | None = None
    fingerprint: Name | None = None
    receiver: Name | None = None
    starts: Time | None = None
    ends: Time | None = None


class Acknowledged(Event, tag="acknowledged"):
    """A person took an alert: `failure` names the one failure it is about, `name` the alert where it has none."""

    name: Name | None = None
    message: Text | None = None
    failure: Name | None = None
    by: Name | None = None


class Escalated(Event, tag="escalated"):
    """A person sent an alert on to a tier."""

    name: Name | None = None
    message: Text | None = None
    failure: Name | None = None
    tier: Annotated[int, Meta(ge=2, le=9)] | None = None
    by: Name | None = None


class BadSource(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, kw_only=True):
    """A file that differs from the plan, with a short description."""

    file: Name
    state: Literal["mismatch", "truncated", "missing", "unreadable"]
    detail: Text | None = None


class SourcesVerified(Event, tag="sources_verified"):
    """Number of files of the plan's steps by state; replaces the earlier event.

    `unchecked`: present, and the plan has no digest; `pending`: still being written or not read yet. `bad` names the
    others in the order of the steps, the first 100 of them.
    """

    verified: Count = 0
    unchecked: Count = 0
    mismatch: Count = 0
    truncated: Count = 0
    missing: Count = 0
    unreadable: Count = 0
    pending: Count = 0
    bad: list[BadSource] | None = None


AnyEvent = (
    BuildStarted
    | Plan
    | StepStarted
    | StepProgress
    | StepFinished
    | TestsReported
    | MilestoneReached
    | BuildFinished
    | Toolchain
    | Note
    | Feedback
    | EventsLost
    | Alert
    | Acknowledged
    | Escalated
    | SourcesVerified
)

EVENT_TYPES: Final[tuple[type[Event], ...]] = AnyEvent.__args__
EVENT_NAMES: Final = tuple(str(t.__struct_config__.tag) for t in EVENT_TYPES)

NOT_BUILD_ACTIVITY: Final[frozenset[type[Event]]] = frozenset(
    {Note, Feedback, Alert, Acknowledged, Escalated, SourcesVerified, Toolchain}
)
"""Events from people, Alertmanager and the exporter are no sign of build activity."""

_encoder = msgspec.json.Encoder()


def event_name(event: Event) -> str:
    """Return the `event` field's value for an event."""
    return str(event.__struct_config__.tag)


def encode_line(event: Event) -> bytes:
    """Return the event as one journal line, newline included."""
    return _encoder.encode(event) + b"\n"

"""The closed sets: states of steps and builds, results, failure classes, verdicts."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final, Literal, cast

StateName = Literal["pending", "running", "succeeded", "failed", "skipped", "interrupted"]
"""A step's state as labels and answers name it."""


class StepState(IntEnum):
    """State of a step; the numbers are the values of `build_step_status`."""

    PENDING = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3
    SKIPPED = 4
    INTERRUPTED = 5

    @property
    def label(self) -> StateName:
        """The state as a label value."""
        return cast("StateName", self.name.lower())

    @property
    def is_done(self) -> bool:
        """Whether nothing more is expected of the step: it succeeded or was skipped."""
        return self in DONE


DONE: Final = (StepState.SUCCEEDED, StepState.SKIPPED)
"""States of a step that nothing more is expected of."""


class BuildState(StrEnum):
    """State of a build's newest run."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class FailureClass(StrEnum):
    """Why a step failed; ordered rules as data decide which."""

    COMPILER_ERROR = "compiler-error"
    INTERNAL_COMPILER_ERROR = "internal-compiler-error"
    MISSING_HEADER = "missing-header"
    MISSING_LIBRARY = "missing-library"
    MISSING_PROGRAM = "missing-program"
    MISSING_FILE = "missing-file"
    LINKER_ERROR = "linker-error"
    ASSEMBLER_ERROR = "assembler-error"
    CONFIGURE_ERROR = "configure-error"
    PATCH_FAILED = "patch-failed"
    TEST_FAILURE = "test-failure"
    OUT_OF_MEMORY = "out-of-memory"
    KILLED = "killed"
    DISK_FULL = "disk-full"
    PERMISSION_DENIED = "permission-denied"
    DOWNLOAD_FAILED = "download-failed"
    CHECKSUM_MISMATCH = "checksum-mismatch"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    BAD_OPTION = "bad-option"
    DEPENDENCY_UNSATISFIED = "dependency-unsatisfied"
    BUILD_SCRIPT_ERROR = "build-script-error"
    OTHER = "other"


class Verdict(StrEnum):
    """Activity of a running step, in one word."""

    UNPACKING = "unpacking"
    CONFIGURING = "configuring"
    COMPILING = "compiling"
    LINKING = "linking"
    TESTING = "testing"
    INSTALLING = "installing"
    WAITING_FOR_INPUT = "waiting-for-input"
    SWAPPING = "swapping"
    THROTTLED = "throttled"
    SUSPENDED = "suspended"
    STUCK = "stuck"
    IDLE = "idle"
    UNKNOWN = "unknown"


class SourceState(StrEnum):
    """State of a source file compared with the plan."""

    VERIFIED = "verified"
    """Its content is the planned one, by every digest of the plan."""
    UNCHECKED = "unchecked"
    """It is present, and the plan has no digest to compare."""
    MISMATCH = "mismatch"
    TRUNCATED = "truncated"
    """It ends too early: a download that broke off."""
    MISSING = "missing"
    UNREADABLE = "unreadable"
    """It is no file, or may not be read."""
    PENDING = "pending"
    """It is still being written, or has not been read yet."""

    @property
    def is_bad(self) -> bool:
        """Whether a step that needs the file will fail, or build something else than planned."""
        return self not in (self.VERIFIED, self.UNCHECKED, self.PENDING)


FAILURE_CLASSES: Final = frozenset(str(c) for c in FailureClass)


def failure_class(name: str | None) -> str:
    """Return `name` where it is a known class, else `other`: the label's values stay a closed set."""
    return name if name in FAILURE_CLASSES else FailureClass.OTHER.value

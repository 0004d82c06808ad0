"""The verdict on an observation: what wins, and where each limit lies."""

from __future__ import annotations

from typing import Any

import pytest

from build_exporter.model.states import Verdict
from build_exporter.verdicts import Observation, judge

BUSY: dict[str, Any] = {"seconds": 8.0, "cpu": 1.9, "processes": 5, "activity": Verdict.COMPILING, "program": "cc1plus"}
QUIET: dict[str, Any] = {"seconds": 8.0, "cpu": 0.0, "processes": 3, "quiet_seconds": 20.0, "log_silence": 20.0}


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ({}, "unknown"),
        (BUSY, "compiling"),
        (BUSY | {"activity": None}, "unknown"),
        (BUSY | {"hidden": "/proc is hidden"}, "unknown"),
        # all of the processes, not some, are stopped
        (BUSY | {"stopped": 5}, "suspended"),
        (BUSY | {"stopped": 4}, "compiling"),
        # one that the others wait for, once they do nothing else
        (BUSY | {"stopped": 1, "held_by": "cc1"}, "compiling"),
        (QUIET | {"stopped": 1, "held_by": "cc1", "quiet_seconds": 5.0}, "suspended"),
        (QUIET | {"is_frozen": True, "is_closed": True}, "suspended"),
        # a reader of the terminal matters where nothing else goes on
        (QUIET | {"reading": "sudo", "quiet_seconds": 5.0}, "waiting-for-input"),
        (BUSY | {"reading": "make"}, "compiling"),
        (BUSY | {"memory_pressure": 0.25}, "swapping"),
        (BUSY | {"memory_pressure": 0.24}, "compiling"),
        (BUSY | {"cpu": 0.3, "faults": 100.0}, "swapping"),
        (BUSY | {"cpu": 0.3, "faults": 99.0}, "compiling"),
        (BUSY | {"cpu": 1.9, "faults": 500.0}, "compiling"),
        (BUSY | {"throttled": 0.5}, "throttled"),
        (BUSY | {"throttled": 0.49}, "compiling"),
        (BUSY | {"throttled": 0.9, "memory_pressure": 0.9}, "swapping"),
        # stuck: none of the waits can end
        (QUIET | {"is_closed": True, "waits": ("ld waits for a lock",)}, "stuck"),
        (QUIET | {"is_closed": True, "quiet_seconds": 15.0, "log_silence": 15.0}, "stuck"),
        (QUIET | {"is_closed": True, "quiet_seconds": 14.0}, "idle"),
        (QUIET | {"is_closed": True, "log_silence": 14.0}, "idle"),
        (QUIET | {"is_closed": True, "log_silence": None}, "stuck"),
        (QUIET | {"waits": ("wget waits for data from a socket",), "quiet_seconds": 9e3, "log_silence": 9e3}, "idle"),
        # where the waits can't be seen, silence beyond what the step has shown before
        (QUIET | {"quiet_seconds": 901.0, "log_silence": 901.0}, "stuck"),
        (QUIET | {"quiet_seconds": 900.0, "log_silence": 900.0}, "idle"),
        (QUIET | {"quiet_seconds": 901.0, "log_silence": 901.0, "longest_silence": 400.0}, "idle"),
        (QUIET | {"quiet_seconds": 1201.0, "log_silence": 1201.0, "longest_silence": 400.0}, "stuck"),
        (QUIET | {"quiet_seconds": 5.0, "activity": Verdict.LINKING, "program": "ld"}, "linking"),
        (QUIET | {"quiet_seconds": 5.0}, "idle"),
        # a question is answered before memory is looked at; pages come back beside little work alone
        (QUIET | {"reading": "cat", "memory_pressure": 0.9}, "waiting-for-input"),
        (QUIET | {"processes": 1, "faults": 100.0, "cpu": 0.49}, "swapping"),
        (
            QUIET | {"processes": 1, "faults": 100.0, "cpu": 0.5, "activity": Verdict.LINKING, "program": "ld"},
            "linking",
        ),
        # slow is not stuck: little CPU time is CPU time
        (QUIET | {"cpu": 0.02, "is_closed": True, "activity": Verdict.TESTING, "program": "expect"}, "testing"),
    ],
)
def test_verdicts(seen: dict[str, Any], verdict: str) -> None:
    """Each verdict holds from its limit on, not below it; a wait that may end by itself is never called stuck."""
    assert judge(Observation(**seen)).verdict == verdict


SILENT = "no CPU time or I/O for 20 s, no line of its log for 20 s"


@pytest.mark.parametrize(
    ("seen", "evidence"),
    [
        (BUSY, ("cc1plus, 1.9 CPUs in use",)),
        (BUSY | {"activity": None}, ("1.9 CPUs in use by programs of no known kind",)),
        (BUSY | {"memory_pressure": 0.254}, ("all processes wait for memory 25% of the time", "1.90 CPUs in use")),
        (BUSY | {"cpu": 0.3, "faults": 120.4}, ("120 pages a second are read back", "0.30 CPUs in use")),
        (BUSY | {"throttled": 0.75}, ("a CPU quota holds it back 75% of the time", "1.90 CPUs in use")),
        (BUSY | {"stopped": 5}, ("all 5 processes are stopped",)),
        (BUSY | {"processes": 1, "stopped": 1}, ("its only process is stopped",)),
        (BUSY | {"is_frozen": True}, ("its control group is frozen",)),
        (QUIET | {"held_by": "cc1"}, ("cc1 is stopped, and the others wait for it", SILENT)),
        (QUIET | {"reading": "sudo"}, ("sudo reads from the terminal", SILENT)),
        (QUIET | {"is_closed": True, "waits": ("a", "b", "c", "d")}, (SILENT, "a", "b", "c")),
        (QUIET | {"log_silence": None, "waits": ("a",)}, ("no CPU time or I/O for 20 s", "a")),
        (
            QUIET | {"quiet_seconds": 1300.0, "log_silence": 1250.0, "longest_silence": 400.0},
            ("no CPU time or I/O for 1300 s, no line of its log for 1250 s", "its longest silence before was 400 s"),
        ),
    ],
)
def test_evidence_names_the_program_and_the_silence(seen: dict[str, Any], evidence: tuple[str, ...]) -> None:
    """The evidence is what a person needs to decide: which program, how much of what, since when."""
    assert judge(Observation(**seen)).evidence == evidence

"""The SBU and disk report in jhalfs' form."""

from __future__ import annotations

import pytest
from tests.analysis.conftest import MakeRun

from build_exporter.analysis.sbu import sbu_report
from build_exporter.sources.files import Ends
from build_exporter.sources.jhalfs.report import parse_report

KB = 1024
EXPECTED = """
Sat Jan  3 03:04:05 UTC 2026

Book version is:\tlfs


\tjhalfs configuration settings:

N_PARALLEL \t<4>




\t\tCPU type:

CPU(s): 4

\t\tMemory info:

Mem: 1


================================================================================

The SBU unit value is equal to 58 seconds at -j4.

================================================================================
\t\t\t\t[binutils-pass1-2.44]

Build time is:\t\t\t\t\t\t0 minutes and 58 seconds
Build time in seconds is:\t\t\t\t58
Approximate SBU time is:\t\t\t\t1.0
Disk usage before unpacking the package:\t\t1000 KB or 0.977 MB
Disk usage before deleting the source and build dirs:\t3000 KB or 2.930 MB
Required space to build the package:\t\t\t2000 KB or 1.953 MB
Installed files disk usage:\t\t\t\t500 KB or 0.488 MB

================================================================================
\t\t\t\t[changingowner]

Build time is:\t\t\t\t\t\t11 minutes and 28 seconds
Build time in seconds is:\t\t\t\t688
Approximate SBU time is:\t\t\t\t11.9
Disk usage before unpacking the package:\t\t1500 KB or 1.465 MB
Disk usage before deleting the source and build dirs:\t1540 KB or 1.504 MB
Required space to build the package:\t\t\t40 KB or 0.039 MB
Installed files disk usage:\t\t\t\t40 KB or 0.039 MB


================================================================================

Total time required to build the system:\t\t12.9  SBU
Total Installed files disk usage:\t\t\t540.000 KB or 0.527 MB
"""


def test_the_form(make_run: MakeRun) -> None:
    """Each line is as jhalfs prints it: its tabs, its rounding, megabytes subtracted after rounding."""
    run = make_run(
        {
            "chapter-5/501-binutils-pass1": {
                "seconds": 58.0, "version": "2.44", "disk_before_bytes": 1000 * KB, "disk_bytes": 2000 * KB,
            },
            "chapter-7/701-changingowner": {
                "seconds": 688.0, "disk_before_bytes": 1500 * KB, "disk_bytes": 40 * KB,
            },
        }
    )  # fmt: skip
    report = sbu_report(run, "Sat Jan  3 03:04:05 UTC 2026", {"N_PARALLEL": "4"}, "CPU(s): 4\n", "Mem: 1\n")
    assert report == EXPECTED


def test_our_own_reader_takes_it(make_run: MakeRun) -> None:
    """What is written can be imported again as a run of jhalfs."""
    run = make_run({"chapter-5/501-binutils-pass1": 58.0, "chapter-6/601-m4": 20.0})
    text = sbu_report(run, "Sat Jan  3 03:04:05 UTC 2026", {})
    report = parse_report(Ends(head=text, tail="", size=len(text), changed=0.0))
    assert [(entry.step, entry.seconds) for entry in report.entries] == [("501-binutils-pass1", 58), ("601-m4", 20)]


def test_without_a_unit_there_is_no_report(make_run: MakeRun) -> None:
    """A build without binutils-pass1 has no SBU, and the error says so."""
    with pytest.raises(ValueError, match="no such step"):
        sbu_report(make_run({"p/a": 10.0}), "now", {})

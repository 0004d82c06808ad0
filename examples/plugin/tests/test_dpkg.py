"""The source on records of real builds, followed in every way."""

from __future__ import annotations

from pathlib import Path

from build_exporter_dpkg import Dpkg

from build_exporter.plugin import Settings
from build_exporter.plugin_testing import Piece, check_source, pieces_of

RECORDS = Path(__file__).parent / "records"


def test_build(tmp_path: Path) -> None:
    """A package that was built: every command of debhelper is a step, in phases by the targets of debian/rules."""
    result = check_source(Dpkg, pieces_of(RECORDS / "greet.log"), tmp_path, dated=False)
    assert list(result.runs.values()) == ["succeeded"]
    assert set(result.steps.values()) == {"succeeded"}
    assert list(result.steps)[:4] == ["dpkg/dpkg-source", "clean/rules", "clean/dh_auto_clean", "clean/dh_clean"]
    assert {"build/dh_auto_configure", "build/dh_auto_test", "binary/dh_md5sums"} <= result.steps.keys()
    assert list(result.steps)[-1] == "dpkg/dpkg-source-2"


def test_failure(tmp_path: Path) -> None:
    """A package that does not link: the step that failed, and why."""
    result = check_source(Dpkg, pieces_of(RECORDS / "greet-failed.log"), tmp_path, dated=False)
    assert list(result.runs.values()) == ["failed"]
    assert result.steps["build/dh_auto_build"] == "failed"
    assert "undefined reference to `prts'" in result.messages["build/dh_auto_build"]


def test_silence(tmp_path: Path) -> None:
    """A log that no one has written to for long is that of a build that was interrupted."""
    log = tmp_path / "greet.log"
    log.write_bytes((RECORDS / "greet.log").read_bytes()[:1000])
    source = Dpkg(Settings(log, options={"silence": 600.0}))
    written = log.stat().st_mtime
    assert [reported.event.__class__.__name__ for reported in source.poll(written + 599)][-1] == "StepStarted"
    ended = [reported.event for reported in source.poll(written + 601)]
    assert [(event.__class__.__name__, getattr(event, "status", None)) for event in ended] == [
        ("StepFinished", "interrupted"),
        ("BuildFinished", "interrupted"),
    ]


def test_command_run_again(tmp_path: Path) -> None:
    """A command of debhelper that a target runs twice is two steps."""
    lines = "dpkg-buildpackage: info: source package two\n debian/rules binary\n   dh_strip -a\n   dh_strip -i\n"
    pieces = [Piece("two.log", line.encode() + b"\n") for line in lines.splitlines()]
    result = check_source(Dpkg, pieces, tmp_path, dated=False)
    assert list(result.steps) == ["binary/rules", "binary/dh_strip", "binary/dh_strip-2"]


def test_recognises() -> None:
    """`auto` knows its logs, and no other file or path."""
    assert Dpkg.recognises(RECORDS / "greet.log")
    assert not any(Dpkg.recognises(path) for path in (Path(__file__), RECORDS, RECORDS / "none.log"))

"""Build times and disk spaces in the books' words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.plan.book_figures import Figure, parse_sbu, parse_size

MIB, GIB = 1024**2, 1024**3


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("3.2 SBU", Figure("3.2 SBU", 3.2, 3.2, 3.2)),
        (".5 SBU", Figure(".5 SBU", 0.5, 0.5, 0.5)),
        ("~1.8  SBU", Figure("~1.8 SBU", 1.8, 1.8, 1.8)),
        ("less than 0.1 SBU", Figure("less than 0.1 SBU", 0.0, 0.1, 0.1, less_than=True)),
        ("96-109 SBU (depends)", Figure("96-109 SBU (depends)", 96, 102.5, 109)),
    ],
)
def test_plain_figures(text: str, figure: Figure) -> None:
    """One number stands for a figure, and its range and words stay beside it."""
    assert parse_sbu(text) == figure


def test_a_typical_value_is_taken() -> None:
    """What a book calls typical stands for a wide range, for times and for spaces."""
    sbu = parse_sbu("0.4 - 32 SBU (typically about 2.5 SBU)")
    disk = parse_size("1.7 - 14 GB (typically about 2.3 GB)")
    assert sbu is not None
    assert (sbu.low, sbu.typical, sbu.high) == (0.4, 2.5, 32)
    assert disk is not None
    assert (disk.low, disk.typical, disk.high) == (1.7 * GIB, 2.3 * GIB, 14 * GIB)


def test_of_alternatives_the_smallest_stands() -> None:
    """A disk or an SSD: the range holds both, and the faster stands for it."""
    figure = parse_sbu("2.4 SBU on a spinning disk, 0.5 SBU on an SSD")
    assert figure is not None
    assert (figure.low, figure.typical, figure.high) == (0.5, 0.5, 2.4)


@pytest.mark.parametrize(
    ("text", "included", "whole"),
    [
        ("46 SBU (with tests)", True, 46),
        ("14 SBU using -j8, without tests", False, None),
        ("less than 0.1 SBU (about 0.4 SBU with tests)", None, 0.4),
        ("25 SBU (with parallelism=4, add 92 SBU for tests)", None, 117),
        ("3.5 SBU, additional 1.5 SBU for tests", None, 5),
        ("1.8 SBU plus 2.4 SBU for the testsuite on a machine with 4 cores", None, 4.2),
        ("0.4 SBU (with documentation; add 0.4 SBU for tests)", None, 0.8),
        ("1 SBU (add 2 SBU for documentation)", None, None),
        ("4.0 SBU including the additional downloads and the tests", True, 4),
        ("2 SBU", None, None),
    ],
)
def test_what_is_said_of_tests_is_kept_apart(text: str, included: bool | None, whole: float | None) -> None:
    """A plan without test suites is not weighed with them: the number is that without, unless it says otherwise."""
    figure = parse_sbu(text)
    assert figure is not None
    assert figure.includes_tests is included
    assert figure.with_tests == (None if whole is None else pytest.approx(whole))
    assert figure.typical == pytest.approx(float(text.replace("less than ", "").split()[0]))


@pytest.mark.parametrize(
    ("text", "jobs"),
    [
        ("14 SBU using -j8, without tests", 8),
        ("0.7 SBU (Using parallelism=4; with tests)", 4),
        ("4.8 SBU with 4 jobs (add 33 SBU for tests with 4 jobs)", 4),
        ("13 SBU (on a 8-core machine)", 8),
        ("0.4 SBU (on 64-bit LFS)", None),
    ],
)
def test_how_many_jobs_it_was_measured_with(text: str, jobs: int | None) -> None:
    """A time at -j8 says so: it is not the time of one core."""
    figure = parse_sbu(text)
    assert figure is not None
    assert figure.jobs == jobs


@pytest.mark.parametrize("text", ["", "varies", "TBD SBU)", "?? SBU", "12 MB", "SBU 3"])
def test_what_shows_no_number_is_no_figure(text: str) -> None:
    """No number is invented."""
    assert parse_sbu(text) is None


def test_spaces_are_powers_of_1024() -> None:
    """The books count disk blocks, as du does."""
    for text, size in (("500 KB", 500 * 1024), ("4.8 GB ", 4.8 * GIB), ("7 MB (5 MB installed)", 7 * MIB)):
        figure = parse_size(text)
        assert figure is not None
        assert figure.typical == size


@given(st.one_of(st.text(max_size=600), st.text(alphabet="0123456789. -sbuSBU,;()withaddtests~<", max_size=600)))
def test_any_text_is_read_without_an_error(text: str) -> None:
    """A book can say what it likes: its range holds the number that stands for it."""
    figure = parse_sbu(text)
    if figure is not None:
        assert 0 <= figure.low <= figure.high


def test_the_phrases_of_the_blfs_book(records: Path) -> None:
    """Of 1,388 real phrases all but the five without a number are read, and the number is the one they begin with."""
    rows = json.loads((records / "other" / "blfs_sbu.json").read_text())["rows"]
    figures = {row["sbu_text"]: parse_sbu(row["sbu_text"]) for row in rows}
    unread = [row["sbu_text"] for row in rows if figures[row["sbu_text"]] is None]
    assert len(unread) == 5
    assert not any(row["sbu"] for row in rows if row["sbu_text"] in unread)
    # a range is taken at its middle here and at its end there
    other = [row["sbu_text"] for row in rows if (f := figures[row["sbu_text"]]) and f.typical != row["sbu"]]
    assert other == ["96-109 SBU (depending on configured options)"]
    for row in rows:
        if figure := figures[row["sbu_text"]]:
            # `1.0 SBU (…; add less than 0.1 SBU for tests)` is no upper bound of the build
            assert figure.less_than is row["sbu_text"].startswith("less than")
            assert row["j"] in (None, figure.jobs)

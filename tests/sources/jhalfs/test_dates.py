"""Dates as `date` prints them in many languages, and what an ambiguous time zone means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.sources.jhalfs.dates import Evidence, Zones, parse_date


@pytest.mark.parametrize(
    ("line", "date", "zone"),
    [
        ("Sat Mar 30 17:19:10 CST 2024", (2024, 3, 30, 17, 19, 10), "CST"),
        ("Thu May  1 08:37:09 +0330 2025", (2025, 5, 1, 8, 37, 9), "+0330"),
        ("Thu 01 May 2025 08:37:09 PM EDT", (2025, 5, 1, 20, 37, 9), "EDT"),
        ("Fri 05 Aug 2022 12:00:00 AM UTC", (2022, 8, 5, 0, 0, 0), "UTC"),
        ("mar. 06 août 2024 10:00:00 CEST", (2024, 8, 6, 10, 0, 0), "CEST"),
        ("Mi 13. Mär 10:00:00 CET 2024", (2024, 3, 13, 10, 0, 0), "CET"),
        ("lunes, 16 de septiembre de 2024, 08:57:27 CEST", (2024, 9, 16, 8, 57, 27), "CEST"),
        ("2024년 09월 16일 (월) 08:57:27 KST", (2024, 9, 16, 8, 57, 27), "KST"),
        ("2024. 09. 16. (월) 08:57:27 KST", (2024, 9, 16, 8, 57, 27), "KST"),
        ("ven 1 gen 2027 00:00:00 -03", (2027, 1, 1, 0, 0, 0), "-03"),
    ],
)
def test_dates_of_many_languages(line: str, date: tuple[int, ...], zone: str) -> None:
    """The date is read as it stands, with the zone as it calls itself."""
    found = parse_date(line)
    assert found is not None
    assert (tuple(found.date.timetuple())[:6], found.zone, found.month_known) == (date, zone, True)


@pytest.mark.parametrize(
    "line", ["", "tar: stdout: write error", "KB: 1 /", "12:00:00", "Sat Mar 99 10:00:00 UTC 2024"]
)
def test_what_is_no_date(line: str) -> None:
    """A line without a whole date is none."""
    assert parse_date(line) is None


@given(st.text(max_size=300))
def test_any_line_is_a_date_or_none(line: str) -> None:
    """Whatever stands in a log's first line, reading it does not fail."""
    found = parse_date(line)
    if found is not None:
        Zones().unix(found, Evidence(changed=1.7e9))


def unix(*date: int) -> float:
    """Return the Unix seconds of a date in UTC."""
    return datetime(*date, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


CST = parse_date("Sat Mar 30 17:19:10 CST 2024")
CHINA, CHICAGO = unix(2024, 3, 30, 9, 19, 10), unix(2024, 3, 30, 23, 19, 10)


@pytest.mark.parametrize(
    ("evidence", "wanted"),
    [
        (Evidence(after=CHINA - 900), CHINA),
        (Evidence(after=CHICAGO - 900), CHICAGO),
        (Evidence(changed=CHINA + 62, seconds=60), CHINA),
        (Evidence(changed=CHICAGO + 62, seconds=60), CHICAGO),
        (Evidence(changed=CHINA + 3), CHINA),
        (Evidence(zone="Asia/Shanghai", after=0.0, changed=9e9), CHINA),
        # in March Chicago calls itself CDT
        (Evidence(zone="America/Chicago", after=CHINA), CHINA),
        (Evidence(after=CHINA - 30, changed=4e9, seconds=10), CHINA),
    ],
    ids=[
        "order, China",
        "order, Chicago",
        "end, China",
        "end, Chicago",
        "running",
        "setting",
        "setting that does not call itself so",
        "copied",
    ],
)
def test_what_an_ambiguous_zone_means(evidence: Evidence, wanted: float) -> None:
    """CST is eight hours before UTC or six behind it: the setting, the log's end and the step before decide."""
    assert CST is not None
    assert Zones().unix(CST, evidence, inside=True) == wanted


def test_once_found_out_it_stays() -> None:
    """The steps after the first are read by the meaning found for it, however long the build rested in between."""
    zones = Zones()
    assert CST is not None
    assert zones.unix(CST, Evidence(after=CHINA - 10), inside=True) == CHINA
    later = parse_date("Mon Apr  1 17:19:10 CST 2024")
    assert later is not None
    assert zones.unix(later, Evidence(after=CHINA + 50), inside=True) == CHINA + 2 * 86400


def test_host_and_new_system_may_mean_different_zones() -> None:
    """The host's CST and the new system's are found out apart."""
    zones = Zones()
    assert CST is not None
    assert zones.unix(CST, Evidence(changed=CHICAGO + 11, seconds=10)) == CHICAGO
    assert zones.unix(CST, Evidence(zone="Asia/Shanghai"), inside=True) == CHINA


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("GMT", 0), ("+0530", 5.5), ("-03", -3), ("+08:45", 8.75)])
def test_zones_that_tell_their_offset(zone: str, hours: float) -> None:
    """Offsets in numbers, and UTC, need no evidence."""
    found = parse_date(f"Sat Mar 30 12:00:00 {zone} 2024")
    assert found is not None
    assert Zones().unix(found, Evidence()) == unix(2024, 3, 30, 12) - hours * 3600


def test_zone_no_one_knows() -> None:
    """An abbreviation of no zone known is taken for the quarter of an hour that fits the log's end."""
    found = parse_date("Sat Mar 30 12:00:00 XQZ 2024")
    assert found is not None
    began = unix(2024, 3, 30, 9, 15)
    assert Zones().unix(found, Evidence(changed=began + 100, seconds=98)) == began

"""Dates as `date` prints them in many languages, and what an ambiguous time zone means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.sources.jhalfs.dates import Evidence, LocalDate, Zones, parse_date


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
        ("2024. 12. 01. (일) 08:57:27 KST", (2024, 12, 1, 8, 57, 27), "KST"),
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


MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "fr": "janv. févr. mars avril mai juin juil. août sept. oct. nov. déc.",
    "de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "es": "ene feb mar abr may jun jul ago sep oct nov dic",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
    "pt": "jan fev mar abr mai jun jul ago set out nov dez",
    "nl": "jan feb mrt apr mei jun jul aug sep okt nov dec",
}


@pytest.mark.parametrize("language", MONTHS)
def test_months_of_each_language(language: str) -> None:
    """Every month is known by the name that `date` has for it."""
    found = [parse_date(f"di 12 {name} 2024 10:00:00 CET") for name in MONTHS[language].split()]
    assert [(each.date.month, each.month_known) for each in found if each] == [(n, True) for n in range(1, 13)]


@pytest.mark.parametrize(
    ("printed", "zone", "changed", "wanted"),
    [
        ((2026, 1, 28, 17, 30), "UTC", (2026, 2, 28, 17, 31), (2026, 2, 28, 17, 30)),
        # the date is a day ahead of the file's time in UTC
        ((2026, 1, 1, 0, 30), "+0800", (2026, 2, 28, 16, 31), (2026, 2, 28, 16, 30)),
        ((2026, 1, 31, 0, 30), "UTC", (2026, 3, 2, 1, 0), (2026, 1, 31, 0, 30)),
    ],
)
def test_an_unknown_month_is_the_last_that_fits(
    printed: tuple[int, ...], zone: str, changed: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    """Before the log was last written; a day that a month does not have is of another."""
    local = LocalDate(datetime(*printed), zone, month_known=False)  # type: ignore[arg-type]
    assert Zones().unix(local, Evidence(changed=unix(*changed))) == unix(*wanted)


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Be in UTC, or in the zone given to the function that this returns."""
    with monkeypatch.context() as patch:

        def be_in(zone: str) -> None:
            patch.setenv("TZ", zone)
            time.tzset()

        be_in("UTC")
        yield be_in
    time.tzset()


def test_the_machine_has_a_zone_of_its_own(in_utc: Callable[[str], None]) -> None:
    """Where nothing else is known an abbreviation is the machine's, and a date without one is, too."""
    assert CST is not None
    in_utc("Asia/Shanghai")
    assert Zones().unix(CST, Evidence()) == CHINA
    bare = parse_date("Sat Mar 30 17:19:10 2024")
    assert bare is not None
    assert Zones().unix(bare, Evidence()) == CHINA


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
        # the end of the log decides within ten minutes, then the step before: by five seconds, for two weeks
        (Evidence(after=CHICAGO, changed=CHINA + 660, seconds=60), CHINA),
        (Evidence(after=CHICAGO, changed=CHINA + 661, seconds=60), CHICAGO),
        (Evidence(after=CHINA + 5), CHINA),
        (Evidence(after=CHINA + 6), CHICAGO),
        (Evidence(after=CHINA - 14 * 86400 + 5), CHINA),
        (Evidence(after=CHINA - 14 * 86400 + 4), CHICAGO),
        # it was printed before the last change; where nothing is known the least offset counts
        (Evidence(changed=CHINA + 14 * 3600 - 6), CHINA),
        (Evidence(changed=CHINA + 14 * 3600 - 5), CHICAGO),
        (Evidence(changed=CHINA - 5), CHINA),
        (Evidence(changed=CHINA - 6), CHICAGO),
        (Evidence(), CHICAGO),
    ],
)
@pytest.mark.usefixtures("in_utc")
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


@pytest.mark.parametrize(
    ("zone", "hours"), [("UTC", 0), ("GMT", 0), ("+0530", 5.5), ("-03", -3), ("+08:45", 8.75), ("-0930", -9.5)]
)
def test_zones_that_tell_their_offset(zone: str, hours: float) -> None:
    """Offsets in numbers, and UTC, need no evidence."""
    found = parse_date(f"Sat Mar 30 12:00:00 {zone} 2024")
    assert found is not None
    assert Zones().unix(found, Evidence()) == unix(2024, 3, 30, 12) - hours * 3600


def test_zone_no_one_knows() -> None:
    """An abbreviation of no zone known is taken for the quarter of an hour that fits the log's end."""
    found = parse_date("Sat Mar 30 12:00:00 XQZ 2024")
    assert found is not None
    for began in (unix(2024, 3, 30, 9, 15), unix(2024, 3, 29, 22), unix(2024, 3, 31)):
        assert Zones().unix(found, Evidence(changed=began + 100, seconds=98)) == began

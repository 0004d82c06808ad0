"""Lines of the log, and figures as people say them."""

from __future__ import annotations

import json
import logging
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.formatting import clock_time, duration, percent, size
from build_exporter.logging_setup import JsonFormatter, LogfmtFormatter

values = st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.binary(max_size=9))
fields = st.dictionaries(st.sampled_from(("build", "path", "error", "line")), values)


def record(message: str, extra: dict[str, object]) -> logging.LogRecord:
    """Return a record as a logger makes it."""
    return logging.getLogger("x").makeRecord("x.y", logging.WARNING, "f", 1, message, (), None, extra=extra)


@given(st.text(), fields)
def test_any_text_is_one_line_of_plain_ascii(message: str, extra: dict[str, object]) -> None:
    """Whatever is logged, a line is printable, is one, and gives back what went in, in both forms."""
    reported = {**{key: str(value) for key, value in extra.items()}, "msg": message, "level": "warn", "source": "x.y"}
    line = LogfmtFormatter().format(record(message, extra))
    assert re.fullmatch(r"[ -~]*", line)
    pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?: |$)', line)
    assert " ".join(f"{key}={value}" for key, value in pairs) == line
    found = {key: json.loads(value) if value.startswith('"') else value for key, value in pairs}
    assert {key: found[key] for key in reported} == reported
    line = JsonFormatter().format(record(message, extra))
    assert re.fullmatch(r"[ -~]*", line)
    found = json.loads(line)
    assert (found["msg"], found["level"], found["source"]) == (message, "warn", "x.y")
    assert found.keys() == {"ts", "level", "source", "msg", *extra}


def test_an_exception_stays_on_its_line() -> None:
    """A traceback is one field, not many lines that no log reader puts together again."""
    try:
        raise ValueError("one\ntwo")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    made = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "failed", (), info)
    for form in (LogfmtFormatter(), JsonFormatter()):
        line = form.format(made)
        assert "\n" not in line
        assert "ValueError: one\\ntwo" in line
        assert form.format(made) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (128, "2 min 08 s"), (3599.7, "1 h 00 min"),
        (11_100, "3 h 05 min"), (86_400, "1 d 00 h"), (1_000_000, "11 d 13 h"), (-5, "0 s"),
        (1e18, "11574074074074 d 01 h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    """Two units are enough, and rounding goes up through all of them."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0, "0.0 %"), (0.375, "37.5 %"), (0.99999, "99.9 %"), (1, "100.0 %"), (0.0004, "0.0 %")]
)
def test_shares(ratio: float, text: str) -> None:
    """Only what is done is 100 %."""
    assert percent(ratio) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 2**30, "5.0 GiB"), (2**50, "1024.0 TiB")]
)
def test_sizes(count: float, text: str) -> None:
    """Sizes have the unit that keeps them short."""
    assert size(count) == text


def test_times_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are those of the zone one lives in; what is no date is no error."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    assert clock_time(0) == "1970-01-01 05:30", "another week's day is shown by its date"
    assert clock_time(time.time() - 5 * 86400).split()[0] in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    assert clock_time(1e30) == "-"
    assert clock_time(float("nan")) == "-"
    monkeypatch.undo()
    time.tzset()

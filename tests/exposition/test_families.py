"""Any label and any value comes out of Prometheus' own parsers as it went in, in both formats."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from build_exporter.catalog import CATALOG, Kind
from build_exporter.catalog.metric import gauge
from build_exporter.exposition import OPENMETRICS, TEXT, Family, label_block, render, sample_line
from build_exporter.exposition.family import KEPT_SECONDS, MAX_KEPT, number

# a lone surrogate is no character: it can be in no event
labels = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
values = (
    st.floats() | st.integers(-(10**18), 10**18) | st.sampled_from((0.0, -0.0, 1e15, -1e15, 1e16, 5e-324, 2**53 + 1))
)
PARSERS: dict[Any, Callable[[str], Any]] = {TEXT: text_format, OPENMETRICS: openmetrics}


def same(one: float, other: float) -> bool:
    """Return whether two values are the same number, NaN too."""
    return one == other or (math.isnan(one) and math.isnan(other))


@pytest.mark.parametrize("form", PARSERS, ids=["text", "OpenMetrics"])
@given(st.lists(st.tuples(labels, labels, labels, values), max_size=5, unique_by=lambda row: row[:3]))
def test_anything_round_trips(form: Any, rows: list[tuple[str, str, str, float]]) -> None:
    """Quotes, backslashes, newlines, control characters, any script: a parser gives back the very labels and values."""
    family = Family("build_step_duration_seconds")
    for build, phase, step, value in rows:
        family.add(value, build, phase, step)
    body = render([family], form).decode()
    found = [sample for each in PARSERS[form](body) for sample in each.samples]
    assert len(found) == family.count == len(rows)
    for sample, (build, phase, step, value) in zip(found, rows, strict=True):
        assert sample.labels == {"build": build, "phase": phase, "step": step}
        assert same(float(sample.value), float(value))


@given(labels)
def test_a_label_stays_within_its_line(text: str) -> None:
    """No text, whatever it holds, makes a second line or ends its quotes."""
    line = Family("build_threshold").add(1, text).lines[0].decode()
    assert line.count("\n") == 1
    assert re.fullmatch(r'build_threshold\{name="(?:[^"\\\n]|\\["\\n])*"\} 1\n', line)


@given(st.text(st.characters(categories=["Cs", "L"]), min_size=1))
def test_half_a_character_breaks_nothing(text: str) -> None:
    """Text that is no Unicode, which no event can hold, is still shown as UTF-8."""
    Family("build_threshold").add(1, text).lines[0].decode("utf-8", "strict")
    sample_line("build_step_status", label_block(("step",), (text,)), 2).decode("utf-8", "strict")


@given(st.lists(st.integers(0, 10**6), min_size=9, max_size=9), st.floats(0, 1e12))
def test_histograms_add_up(counts: list[int], total: float) -> None:
    """Buckets are cumulative and end with the count of all, in both formats."""
    family = Family("build_exporter_event_lag_seconds").add_histogram(counts, total)
    for form, parse in PARSERS.items():
        (found,) = parse(render([family], form).decode())
        by_name: dict[str, list[Any]] = {}
        for sample in found.samples:
            by_name.setdefault(sample.name.removeprefix("build_exporter_event_lag_seconds"), []).append(sample)
        buckets = [sample.value for sample in by_name["_bucket"]]
        assert buckets == [sum(counts[: place + 1]) for place in range(9)]
        bounds = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, math.inf]
        assert [float(s.labels["le"]) for s in by_name["_bucket"]] == bounds
        assert by_name["_count"][0].value == sum(counts)
        assert by_name["_sum"][0].value == total
        assert family.count == len(found.samples)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1"), (-3, "-3"), (True, "1"), (False, "0"), (2.0, "2"), (0.5, "0.5"), (1e300, "1e+300"),
        (999999999999999.0, "999999999999999"), (1e15, "1000000000000000.0"),
        (123456789012345678, "123456789012345678"),
        (math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf"),
    ],
)  # fmt: skip
def test_numbers_are_spelt_as_prometheus_does(value: float, text: str) -> None:
    """Whole numbers have no fraction, truth is 0 or 1, and what is no number has the names the formats give it."""
    assert number(value) == text


HEADERS = {
    TEXT: {
        "build_runs_total": ["# HELP build_runs_total ", "# TYPE build_runs_total counter"],
        "build_progress_ratio": ["# HELP build_progress_ratio ", "# TYPE build_progress_ratio gauge"],
        "build_state": ["# HELP build_state ", "# TYPE build_state gauge"],
        "build_exporter_event_lag_seconds": [
            "# HELP build_exporter_event_lag_seconds ", "# TYPE build_exporter_event_lag_seconds histogram",
        ],
        "process_cpu_seconds_total": [
            "# HELP process_cpu_seconds_total ", "# TYPE process_cpu_seconds_total counter",
        ],
    },
    OPENMETRICS: {
        "build_runs_total": ["# HELP build_runs ", "# TYPE build_runs counter"],
        "build_progress_ratio": [
            "# HELP build_progress_ratio ", "# TYPE build_progress_ratio gauge", "# UNIT build_progress_ratio ratio",
        ],
        "build_state": ["# HELP build_state ", "# TYPE build_state gauge"],
        "build_exporter_event_lag_seconds": [
            "# HELP build_exporter_event_lag_seconds ", "# TYPE build_exporter_event_lag_seconds histogram",
            "# UNIT build_exporter_event_lag_seconds seconds",
        ],
        "process_cpu_seconds_total": [
            "# HELP process_cpu_seconds ", "# TYPE process_cpu_seconds counter",
            "# UNIT process_cpu_seconds seconds",
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("form", HEADERS, ids=["text", "OpenMetrics"])
@pytest.mark.parametrize("name", HEADERS[TEXT])
def test_headers_are_those_of_the_format(form: Any, name: str) -> None:
    """Counters lose `_total` in OpenMetrics' headers alone, units are reported there alone; no sample differs."""
    family = Family(name)
    if family.metric.kind is Kind.HISTOGRAM:
        family.add_histogram([0] * 9, 0.0)
    else:
        family.add(1, *("x" for _ in family.metric.labels))
    lines = render([family], form).decode().splitlines()
    end = ["# EOF"] if form is OPENMETRICS else []
    heads = [line for line in lines if line.startswith("#")]
    expected = HEADERS[form][name] + end
    assert [head if head == want else head[: len(want)] for head, want in zip(heads, expected, strict=True)] == expected
    assert all(line.startswith(name) for line in lines if not line.startswith("#"))


def test_help_of_any_text_stays_on_its_line() -> None:
    """A plug-in's help may hold anything: each format escapes what it must, and parsers give the text back."""
    text = 'two\nlines, a "quote" and a \\'
    family = Family(gauge("build_x_seconds", "seconds", "", text)).add(1)
    for form, written in (
        (TEXT, 'two\\nlines, a "quote" and a \\\\'),
        (OPENMETRICS, 'two\\nlines, a \\"quote\\" and a \\\\'),
    ):
        body = render([family], form).decode()
        assert body.splitlines()[0] == f"# HELP build_x_seconds {written}"
        assert [found.documentation for found in PARSERS[form](body)] == [text]


def test_a_unit_is_reported_where_the_name_ends_with_it() -> None:
    """OpenMetrics refuses a UNIT that the name does not have; the text format knows none."""
    for name, form, count in (
        ("build_y_seconds", OPENMETRICS, 1),
        ("build_y", OPENMETRICS, 0),
        ("build_y_seconds", TEXT, 0),
    ):
        body = render([Family(gauge(name, "seconds", "", "x")).add(1)], form).decode()
        assert body.count("# UNIT ") == count
        assert list(PARSERS[form](body))


def test_a_family_without_samples_is_left_out() -> None:
    """Nothing to show is no header; an empty scrape is valid in both formats."""
    assert render([Family("build_state")], TEXT) == b""
    assert render([Family("build_state")], OPENMETRICS) == b"# EOF\n"
    assert list(openmetrics("# EOF\n")) == []


def test_only_what_is_catalogued_can_be_shown() -> None:
    """A family without a row, or a sample without all its labels, is an error of ours and never on /metrics."""
    with pytest.raises(KeyError):
        Family("build_made_up")
    for wrong in ((), ("a",), ("a", "b", "c")):
        with pytest.raises(ValueError, match="argument"):
            Family("build_state").add(1, *wrong)
    with pytest.raises(ValueError, match="bounds"):
        Family("build_exporter_event_lag_seconds").add_histogram([1, 2], 3.0)
    with pytest.raises(ValueError, match="bounds"):
        Family("build_threshold").add_histogram([1], 3.0)


def test_a_sample_shows_its_newest_value() -> None:
    """What was rendered for the scrape before is shown again only while value and labels are the same."""
    row = gauge("build_kept", "", "a", "x")
    for value, shown in ((1, b"1"), (1.0, b"1"), (True, b"1"), (2.5, b"2.5"), (1, b"1"), (float("nan"), b"NaN")):
        assert Family(row).add(value, "x").add(7, "y").lines == [
            b'build_kept{a="x"} %b\n' % shown,
            b'build_kept{a="y"} 7\n',
        ]
    assert Family(gauge("build_kept", "", "b", "x")).add(1, "x").lines == [b'build_kept{b="x"} 1\n']
    times = Family("build_exporter_event_lag_seconds")
    counts = [0] * (len(times.metric.buckets) + 1)
    for half in (1, 2):
        counts[0] += 1
        body = b"".join(Family(times.metric).add_histogram(counts, half / 2).lines)
        assert b"_count %d\n" % half in body
        assert b"_sum %b\n" % (b"0.5" if half == 1 else b"1") in body
    assert b"_sum 7\n" in Family(times.metric).add_histogram(counts, 7.0).lines[0], "of as many that took longer"
    other = replace(times.metric, buckets=tuple(bound * 3 for bound in times.metric.buckets))
    assert b'le="180.0"' in Family(other).add_histogram(counts, 7.0).lines[0], "a plug-in's, loaded again"


def test_the_lines_kept_for_the_next_scrape_are_bounded() -> None:
    """Labels that never come back, as of a build that is gone, do not stay in memory for ever."""
    row = gauge("build_bounded", "", "a", "x")
    for each in range(MAX_KEPT + 10):
        assert Family(row).add(each, f"{each}").lines == [b'build_bounded{a="%d"} %d\n' % (each, each)]
    assert len(Family(row)._kept) <= MAX_KEPT


def test_lines_that_no_scrape_shows_any_more_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few builds that come and go leave nothing either; what is shown at each scrape is rendered once."""
    now = [0.0]
    monkeypatch.setattr("build_exporter.exposition.family.time.monotonic", lambda: now[0])
    row = gauge("build_aged", "", "a", "x")
    first = Family(row).add(1, "gone").add(1, "shown").lines[1]
    for seconds in (KEPT_SECONDS - 0.1, KEPT_SECONDS, 2 * KEPT_SECONDS - 0.1, 2 * KEPT_SECONDS):
        now[0] = seconds
        family = Family(row).add(1, "shown")
        assert family.lines[0] is first
        is_kept = ("gone",) in family._kept or ("gone",) in family._older
        assert is_kept == (seconds < 2 * KEPT_SECONDS)


def test_blocks_of_labels() -> None:
    """Labels come in the order of their names; without any there are no braces."""
    assert label_block((), ()) == ""
    assert label_block(("a", "b"), ('x"y', "z\\")) == '{a="x\\"y",b="z\\\\"}'


def test_promtool_accepts_every_family_with_hostile_labels() -> None:
    """Prometheus' own parser reads a scrape of all families whose labels hold everything that could break it."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    hostile = 'a"} 1\nbuild_state{build="x', "\\", "\\n\n\r\t", "\0\x1b[2J\x7f\u2028", "😀é" * 50, "{},=#"
    families = []
    for row in CATALOG.values():
        family = Family(row.name)
        for text in hostile:
            if row.kind is Kind.HISTOGRAM:
                continue
            family.add(1, *(text for _ in row.labels))
            if not row.labels:
                break
        families.append(family)
    body = render(families, TEXT)
    checked = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
    found = [sample for family in text_format(body.decode()) for sample in family.samples]
    assert len(found) == sum(family.count for family in families)

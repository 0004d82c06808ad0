"""Which format a client gets, by the Accept headers that are really sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.exposition import OPENMETRICS, TEXT, negotiate
from build_exporter.web.compress import accepts_gzip

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PROMETHEUS_3_PROTOBUF = (
    f"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,{PROMETHEUS_3}"
)
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)

SENT: dict[str, tuple[str, Any]] = {
    "Prometheus 2.42": (PROMETHEUS_2_42, OPENMETRICS),
    "Prometheus 3": (PROMETHEUS_3, OPENMETRICS),
    "Prometheus 3 with native histograms": (PROMETHEUS_3_PROTOBUF, OPENMETRICS),
    "Prometheus 2.4": ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),
    "Prometheus 2.5": (
        "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPENMETRICS
    ),
    "VictoriaMetrics": ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),
    "curl": ("*/*", TEXT),
    "Python": ("", TEXT),
    "Firefox": ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", TEXT),
    "Chrome": (CHROME, TEXT),
    "text first": ("text/plain, application/openmetrics-text;q=0.9", TEXT),
    "OpenMetrics alone": ("application/openmetrics-text", OPENMETRICS),
    "spaces": ("application/openmetrics-text ; version=1.0.0 ; q=0.7 , text/plain ; q=0.3", OPENMETRICS),
    "capitals": ("Application/OpenMetrics-Text; Version=1.0.0; Q=0.9, text/plain; q=0.1", OPENMETRICS),
    "quotes": ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
    "refused": ("application/openmetrics-text;q=0, */*", TEXT),
    "anything rather": ("application/openmetrics-text;q=0.5, */*;q=0.8", TEXT),
    "any text rather": ("application/openmetrics-text;q=0.5, text/*;q=0.8", TEXT),
    "refused all": ("application/openmetrics-text;q=0", TEXT),
    "a version to come": ("application/openmetrics-text;version=2.0.0,text/plain;q=0.5", TEXT),
    "no number": ("application/openmetrics-text;q=high,text/plain;q=0.1", TEXT),
    "not a number": ("application/openmetrics-text;q=nan", TEXT),
    "both alike, text first": ("text/plain, application/openmetrics-text", TEXT),
    "JSON alone": ("application/json", TEXT),
    "nonsense": (";;,,=;q=1,/", TEXT),
}  # fmt: skip


@pytest.mark.parametrize("client", SENT)
def test_each_client_gets_the_format_it_prefers(client: str) -> None:
    """Prometheus gets OpenMetrics, people and old scrapers the text format, and no one an error."""
    accept, form = SENT[client]
    assert negotiate(accept) is form


@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_is_an_error(accept: str) -> None:
    """Whatever bytes a client sends, it gets one of the two formats."""
    assert negotiate(accept) in (TEXT, OPENMETRICS)
    assert accepts_gzip(accept) in (True, False)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True), ("gzip, deflate, br, zstd", True), ("deflate, gzip;q=0.5", True), ("*", True), ("GZIP", True),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", True), ("*;q=0, gzip", True), ("identity, gzip;q=0.001", True),
        ("", False), ("identity", False), ("deflate", False), ("gzip;q=0", False), ("gzip;q=0.000", False),
        ("gzip;q=0, *", False), ("*;q=0", False), ("br;q=1.0, *;q=0.0", False), ("x-gzip-other", False),
    ],
)  # fmt: skip
def test_compression_is_for_those_who_take_it(header: str, accepted: bool) -> None:
    """An answer is compressed only where the client said it may be, with any weight but nothing."""
    assert accepts_gzip(header) is accepted

"""The plug-in API: everything that a source or collector of your own needs.

Names listed in `__all__` stay and keep their meaning as long as `API_VERSION` does. New ones may come, events may get
new optional fields, and `Settings` may gain fields. Whatever is imported from elsewhere in the package may change with
any release. `docs/guide/plugins.md` says how to write a plug-in, `build_exporter.plugin_testing` tests one.
"""

from build_exporter.catalog.metric import Metric, counter, gauge
from build_exporter.config.section import Section, about
from build_exporter.diagnostics.diagnosis import first_error
from build_exporter.diagnostics.rules.rule import FailureRule
from build_exporter.model import events
from build_exporter.model.names import build_name_from
from build_exporter.sources.birthtime import birth_time
from build_exporter.sources.dates import leading_date
from build_exporter.sources.files import Directory, Limits, Lines, TailFile, read_ends
from build_exporter.sources.protocol import API_VERSION, Settings, Source, SourceError, SourceEvent
from build_exporter.sources.sequence import Attempt, Emitter

__all__ = [
    "API_VERSION",
    "Attempt",
    "Directory",
    "Emitter",
    "FailureRule",
    "Limits",
    "Lines",
    "Metric",
    "Section",
    "Settings",
    "Source",
    "SourceError",
    "SourceEvent",
    "TailFile",
    "about",
    "birth_time",
    "build_name_from",
    "counter",
    "events",
    "first_error",
    "gauge",
    "leading_date",
    "read_ends",
]

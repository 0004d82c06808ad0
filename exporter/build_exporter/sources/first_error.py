"""The reason of a failure as sources and plug-ins ask for it; see `diagnostics.diagnosis`."""

from build_exporter.diagnostics.diagnosis import MAX_REASON as MAX_MESSAGE
from build_exporter.diagnostics.diagnosis import first_error, was_stopped

__all__ = ["MAX_MESSAGE", "first_error", "was_stopped"]

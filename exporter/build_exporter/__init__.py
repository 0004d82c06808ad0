"""build-exporter: Prometheus metrics, live view and alerts for builds of Linux from source."""

__version__ = "0.1.0"

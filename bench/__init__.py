"""Measurements of build-exporter beside its peers, taken in one run on one machine."""

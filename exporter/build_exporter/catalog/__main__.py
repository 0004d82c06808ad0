"""`python -m build_exporter.catalog`: print the reference page of metrics."""

from __future__ import annotations

import sys

from build_exporter.catalog.docs import render

sys.stdout.write(render())

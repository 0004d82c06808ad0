"""How an estimate with its band is drawn, wherever it is."""

from __future__ import annotations

from typing import Final

from style import COLOURS, Json, fixed, override

END_NAMES: Final = (("10", "At the earliest"), ("50", "Likely"), ("90", "At the latest"))
"""The percentiles of an estimate, and what people call them."""


def end_band() -> tuple[Json, ...]:
    """Return the overrides that draw the middle as a line and the other two as a band around it."""
    (_, low), (_, middle), (_, high) = END_NAMES
    blue = fixed(COLOURS["running"])
    return (
        override("byName", middle, color=blue, custom__lineWidth=2),
        override("byName", high, color=blue, custom__lineWidth=0, custom__fillBelowTo=low, custom__fillOpacity=15),
        override("byName", low, color=blue, custom__lineWidth=0),
    )

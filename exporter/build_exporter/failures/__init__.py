"""Failures: what is shown of them. The excerpt that fits a label, and the card with everything a person needs to act.

Which line says why, and of which class a failure is, is worked out in `diagnostics`, which sources use as well.
"""

from build_exporter.failures.card import MAX_CARD_BYTES, Card, card
from build_exporter.failures.excerpt import EXCERPT_LENGTH, excerpt

__all__ = ["EXCERPT_LENGTH", "MAX_CARD_BYTES", "Card", "card", "excerpt"]

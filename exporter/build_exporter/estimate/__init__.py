"""Estimate when a run ends, with a band and the basis of the estimate."""

from build_exporter.estimate.accuracy import Accuracy
from build_exporter.estimate.estimator import Estimator, expected_by, remaining
from build_exporter.estimate.outlook import Estimate, Outlook, StepOutlook

__all__ = ["Accuracy", "Estimate", "Estimator", "Outlook", "StepOutlook", "expected_by", "remaining"]

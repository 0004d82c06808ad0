"""Report a build's progress from a Python program, whether the exporter runs or not.

`Operation` is for a program that goes through some steps one after the other; `Workflow` for one with phases, parallel
steps and milestones. Both only append to the journal. They are safe to use from several threads and never raise over
the journal: a program continues when it can't be written, which is logged once.
"""

from build_exporter.client.operation import Operation
from build_exporter.client.workflow import Milestone, Workflow

__all__ = ["Milestone", "Operation", "Workflow"]

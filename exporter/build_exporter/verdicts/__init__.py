"""Verdicts on running steps: one word with its evidence, judged from the step's processes."""

from build_exporter.verdicts.judge import Judgement, Observation, judge
from build_exporter.verdicts.roots import Match, StepRoots
from build_exporter.verdicts.watcher import Verdicts

__all__ = ["Judgement", "Match", "Observation", "StepRoots", "Verdicts", "judge"]

"""The phases of an ebuild, from build.log."""

from __future__ import annotations

import pytest

from build_exporter.model.events import StepProgress
from build_exporter.model.states import StepState
from build_exporter.sources.step_logs.phases import EbuildPhase
from build_exporter.sources.step_logs.reader import StepContext
from build_exporter.tracker import Run, Step

WORK = "/var/tmp/portage/app-misc/a-1/work"
LINES = {
    "unpack": ">>> Unpacking source...",
    "prepare": f">>> Preparing source in {WORK}/a-1 ...",
    "configure": f">>> Configuring source in {WORK}/a-1 ...",
    "compile": f">>> Compiling source in {WORK}/a-1 ...",
    "test": ">>> Test phase: app-misc/a-1",
    "install": ">>> Install app-misc/a-1 into /var/tmp/portage/app-misc/a-1/image",
}


@pytest.fixture
def step() -> Step:
    """A step that runs."""
    return Step("merge", "app-misc/a-1", 0, state=StepState.RUNNING, start=0.0)


def reported(reader: EbuildPhase, step: Step) -> list[str | None]:
    """Poll once and return the messages emitted, taken into the step as the tracker would."""
    found = list(
        reader.emit(StepContext(1.0, Run("portage", "20260102T030405Z"), step, 0, step.state is not StepState.RUNNING))
    )
    messages = [event.message for event in found if isinstance(event, StepProgress)]
    step.message = messages[-1] if messages else step.message
    return messages


def test_each_phase_is_told_once(step: Step) -> None:
    """Who looks at a package that is built for hours sees whether it compiles or is tested."""
    reader = EbuildPhase()
    assert reported(reader, step) == []
    for phase, line in LINES.items():
        reader.feed(line)
        assert reported(reader, step) == [phase]
        reader.feed(">>> Source compiled.")
        assert reported(reader, step) == []


def test_restarted_tells_only_what_is_new(step: Step) -> None:
    """A reader that starts again reads the log again and repeats nothing."""
    step.message = "compile"
    reader = EbuildPhase()
    for phase in ("unpack", "configure", "compile"):
        reader.feed(LINES[phase])
    assert reported(reader, step) == []
    reader.feed(">>> Test phase [not enabled]: app-misc/a-1")
    assert reported(reader, step) == []


def test_other_words_stay(step: Step) -> None:
    """A builder's own message of a step is kept, and so is that of a failed step."""
    reader = EbuildPhase()
    reader.feed(LINES["compile"])
    step.message = "half way"
    assert reported(reader, step) == []
    step.message, step.state = None, StepState.FAILED
    assert reported(reader, step) == []

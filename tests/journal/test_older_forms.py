"""A journal that an earlier version wrote, or a later one, is read as far as it is understood."""

from __future__ import annotations

from pathlib import Path

from build_exporter.journal.current import join_run
from build_exporter.monitor import Monitor

FIRST_FORM = """\
{"time":1763700000.0,"event":"build_started","build":"lfs"}
{"time":1763700000.0,"event":"plan","build":"lfs","steps":[{"phase":"p","step":"a"},{"phase":"p","step":"b"}]}
{"time":1763700001.0,"event":"step_started","build":"lfs","phase":"p","step":"a"}
{"time":1763700002.0,"event":"step_progress","build":"lfs","phase":"p","step":"a","ratio":0.5}
{"time":1763700011.0,"event":"step_finished","build":"lfs","phase":"p","step":"a","status":"succeeded"}
{"time":1763700012.0,"event":"tests_reported","build":"lfs","phase":"p","step":"a","suite":"s","passed":3,"failed":1}
{"time":1763700013.0,"event":"milestone_reached","build":"lfs","milestone":"half"}
{"time":1763700014.0,"event":"step_started","build":"lfs","phase":"p","step":"b"}
{"time":1763700015.0,"event":"step_finished","build":"lfs","phase":"p","step":"b","status":"failed","error_class":"old-word"}
{"time":1763700016.0,"event":"build_finished","build":"lfs","status":"failed"}
"""
"""The events with the fields that each must have and no others, as the first version wrote them."""

NEWER_FORM = """\
{"time":1763700020.0,"event":"build_started","build":"lfs","form":9,"source":"newer","people":[{"name":"x"}]}
{"time":1763700021.0,"event":"coffee_made","build":"lfs","cups":2}
{"time":1763700022.0,"event":"step_started","build":"lfs","phase":"p","step":"b","cores":{"0":1}}
{"time":1763700023.0,"event":"step_finished","build":"lfs","phase":"p","step":"b","status":"succeeded","joules":5.5}
{"time":1763700024.0,"event":"build_finished","build":"lfs","status":"succeeded"}
"""
"""What a later version may append to the same run."""


def test_the_first_form_and_a_later_one_make_one_run(journal: Path) -> None:
    """After an upgrade, or back from one, steps, attempts, tests, failures and results of the journal are all there."""
    path = journal / "lfs" / "20251121T044000Z.jsonl"
    path.parent.mkdir()
    path.write_text(FIRST_FORM)
    monitor = Monitor(str(journal))
    monitor.poll()
    (run,) = monitor.newest_runs()
    assert (run.state, run.status, run.start, run.end) == ("failed", "failed", 1763700000.0, 1763700016.0)
    assert [(step.state.label, step.seconds) for step in run.steps.values()] == [("succeeded", 10.0), ("failed", 1.0)]
    assert run.steps["p", "a"].tests["s"].passed == 3
    assert run.milestones == {"half": 1763700013.0}
    assert run.failure_counts() == {("p", "other"): 1}, "a class that is none any more"
    assert join_run(str(journal), "lfs", 1763700018.0, resume=True) == str(path), "it is taken up again"
    with path.open("a") as file:
        file.write(NEWER_FORM)
    monitor.poll()
    assert (run.state, run.results) == ("succeeded", {"failed": 1, "succeeded": 1})
    assert (run.steps["p", "b"].attempts, run.source) == (2, "newer")
    assert monitor.decoder.unknown_events == 1
    assert not monitor.decoder.rejected
    monitor.follower.close()

"""Times of events of a record that holds none: those seen at one moment are made distinct, as equal ones count once."""

from __future__ import annotations

from build_exporter.model import events as e


class DistinctTimes:
    """Remembers the newest time of each step, and of the run."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], float] = {}

    def of(self, event: e.Event) -> float:
        """Return an event's time to the ms, later than that of the last start or end of its step, or of its run."""
        time = round(event.time, 3)
        if isinstance(event, e.StepStarted | e.StepFinished):
            key = (event.phase, event.step)
        elif isinstance(event, e.BuildStarted | e.BuildFinished):
            key = ("", "")
        else:
            return time
        newest = self._newest[key] = max(time, round(self._newest.get(key, 0.0) + 0.001, 3))
        return newest

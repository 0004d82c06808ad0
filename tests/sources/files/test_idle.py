"""Silence that was watched, by a clock that jumps."""

from __future__ import annotations

import pytest

from build_exporter.sources.idle import IdleTimer

T = 1.78e9


def test_an_old_record_is_silent_at_once() -> None:
    """Of a record that is first seen days after its last line the days count."""
    assert IdleTimer().seconds(T + 3 * 86400, T) == 3 * 86400


def test_what_was_watched_adds_up() -> None:
    """Poll by poll, the time since the last change is counted; another change begins it again."""
    silence = IdleTimer()
    assert [silence.seconds(T + second, T) for second in range(0, 50, 10)] == [0, 10, 20, 30, 40]
    assert silence.seconds(T + 50, T + 45) == 0
    assert silence.seconds(T + 60, T + 45) == 10


@pytest.mark.parametrize("jump", [5 * 86400.0, -5 * 86400.0])
def test_a_jump_is_no_silence(jump: float) -> None:
    """A clock that is set, or a machine that slept for days, makes no record silent."""
    silence = IdleTimer()
    silence.seconds(T, T)
    assert silence.seconds(T + jump, T) <= 120
    assert silence.seconds(T + jump + 10, T) <= 130
    assert silence.seconds(T + jump + 20, T - 9e6) == 0, "whatever clock dates the change"

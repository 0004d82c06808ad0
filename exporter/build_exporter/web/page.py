"""The page at `/`: every build at a glance, made by the server and good without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Final

from build_exporter import __version__
from build_exporter.estimate import remaining
from build_exporter.failures import excerpt
from build_exporter.model.states import StepState
from build_exporter.model.text import plain_line
from build_exporter.monitor import Monitor
from build_exporter.summary import bad_suites, elapsed, missing_sources, step_summary
from build_exporter.formatting import clock_time, duration, percent
from build_exporter.toolchain.summary import summary as toolchain_summary
from build_exporter.tracker import Run, Step, build_progress, phase_progress, step_progress

RECENT_STEPS: Final = 8
MAX_BUILDS: Final = 50
MAX_STEPS: Final = 50
"""Builds, and steps of each kind of one build, that the page shows: it is made anew every few seconds."""
MAX_SUMMARIES: Final = 10

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --good: #2a8a4a; --bad: #c0392b; --run: #2874c8; --dim: #888; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.2rem; } h2 { font-size: 1.1rem; margin: 0; }
section { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; margin-top: .75rem; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-top: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--dim); border: 0; } td.number, th.number { text-align: right; }
progress { width: 100%; height: .8rem; accent-color: var(--run); }
.state { border-radius: 1rem; padding: .05rem .6rem; color: #fff; background: var(--dim); font-size: .85rem; }
.running { background: var(--run); } .succeeded { background: var(--good); }
.failed, .interrupted { background: var(--bad); }
.dim { color: var(--dim); } pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; }
.phases { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .3rem 1rem; }
.phases span { float: right; color: var(--dim); } .phases progress { height: .4rem; display: block; }
.head { display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; } .head .dim { margin-left: auto; }
""".strip()

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but the page's own style may run or load, whatever text a log puts on it."""


def render_page(monitor: Monitor, telemetry_path: str) -> str:
    """Return the whole page as HTML; every text from outside is escaped."""
    now = monitor.clock()
    runs = [build.current for build in monitor.tracker.builds.values() if build.current is not None]
    runs.sort(key=lambda run: run.last_event or 0.0, reverse=True)
    body = "".join(_run(run, now) for run in runs[:MAX_BUILDS]) + _more(len(runs) - MAX_BUILDS, "builds") or (
        "<section><p>No build has told anything yet. The journal is "
        f"<code>{escape(monitor.follower.root)}</code>.</p>"
        "<p>Run one step to see it here: <code>build-exporter run --build my-build -- make</code></p></section>"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>build-exporter</title>'
        f"<style>{_STYLE}</style></head><body><h1>build-exporter</h1>{body}"
        f'<p class="dim">build-exporter {__version__} · <a href="{escape(telemetry_path)}">metrics</a></p>'
        "</body></html>"
    )


def _text(text: str) -> str:
    """Return what a build told as HTML text on one line."""
    return escape(plain_line(text))


def _run(run: Run, now: float) -> str:
    return f"<section>{''.join(_parts(run, now))}</section>"


def _parts(run: Run, now: float) -> Iterator[str]:
    state = run.state.value
    yield f'<div class="head"><h2>{escape(run.build)}</h2><span class="state {state}">{state}</span>'
    facts = [run.target, run.book, f"run {run.run}"]
    yield f'<span class="dim">{_text(" · ".join(fact for fact in facts if fact))}</span></div>'
    ratio = build_progress(run, now)
    if ratio is not None:
        yield f'<progress max="1" value="{ratio:.4f}"></progress>'
    yield f"<p>{escape(summary(run, now))}</p>"
    if run.waiting_for is not None:
        yield f"<p><b>Waiting:</b> {_text(run.waiting_for)}</p>"
    built_with = toolchain_summary(run)
    if built_with:
        yield f'<p class="dim">Toolchain: {_text(built_with)}</p>'
    yield from _phases(run, now)
    if run.milestones:
        reached = sorted(run.milestones.items(), key=lambda item: item[1])
        text = " · ".join(f"{name} {clock_time(when)}" for name, when in reached)
        yield f'<p class="dim">Milestones: {_text(text)}</p>'
    failed = sorted(run.failed.values(), key=lambda s: s.end or 0.0)
    for step in failed[:MAX_STEPS]:
        yield f"<p><b>{_text(step.phase)} / {_text(step.step)}</b> failed: {escape(step.error_class or 'other')}</p>"
        text = excerpt(step.message)
        yield f"<pre>{escape(text)}</pre>" if text else ""
    yield _more(len(failed) - MAX_STEPS, "failed steps")
    blocked = run.blocked()
    if blocked:
        yield f"<p>{len(blocked)} steps wait for it.</p>"
    yield from _summaries(run)
    running = list(run.running.values())
    rows = [*running[:MAX_STEPS], *_recent(run)]
    if rows:
        yield '<table><tr><th>Phase</th><th>Step</th><th>State</th><th class="number">Time</th>'
        yield '<th class="number">Expected</th><th class="number">Done</th></tr>'
        yield from (_row(run, step, now) for step in rows)
        yield "</table>"
    yield _more(len(running) - MAX_STEPS, "running steps")


def _summaries(run: Run) -> Iterator[str]:
    lacking = [f"{step.phase} / {step.step} {what}" for step, what in missing_sources(run)]
    if lacking:
        yield f"<p><b>Will fail:</b> {'<br>'.join(map(_text, lacking[:MAX_SUMMARIES]))}</p>"
        yield _more(len(lacking) - MAX_SUMMARIES, "files that are missing or wrong")
    bad = [f"{each.step.phase} / {each.step.step}, {each.report.suite}: {each.text}" for each in bad_suites(run)]
    if bad:
        yield f"<p><b>Tests:</b> {'<br>'.join(map(_text, bad[:MAX_SUMMARIES]))}</p>"
        yield _more(len(bad) - MAX_SUMMARIES, "suites with failures")


def _more(count: int, what: str) -> str:
    return f'<p class="dim">and {count} more {what}</p>' if count > 0 else ""


def _phases(run: Run, now: float) -> Iterator[str]:
    if not run.has_plan or len(run.phases) < 2:
        return
    yield '<div class="phases">'
    for phase in run.phases.values():
        done = phase.states[StepState.SUCCEEDED] + phase.states[StepState.SKIPPED]
        yield f"<div>{_text(phase.name)} <span>{done}/{sum(phase.states)}</span>"
        yield f'<progress max="1" value="{phase_progress(run, phase, now):.4f}"></progress></div>'
    yield "</div>"


def summary(run: Run, now: float) -> str:
    """Return one line on where the run is: steps, progress, elapsed, what is left."""
    done = run.count(StepState.SUCCEEDED) + run.count(StepState.SKIPPED)
    parts = [f"{done} of {len(run.steps)} steps"]
    ratio = build_progress(run, now)
    if ratio is not None:
        parts.insert(0, percent(ratio))
    if run.start is not None:
        parts.append(elapsed(run, now))
    estimate = remaining(run, now)
    if estimate is not None:
        parts.append(
            f"{duration(estimate.middle)} left ({duration(estimate.low)} to {duration(estimate.high)}), "
            f"done about {clock_time(now + estimate.middle)}"
        )
    return ", ".join(parts)


def _recent(run: Run) -> list[Step]:
    ended = [step for step in run.steps.values() if step.end is not None and step.state is not StepState.RUNNING]
    return sorted(ended, key=lambda step: step.end or 0.0, reverse=True)[:RECENT_STEPS]


def _notes(step: Step) -> Iterator[str]:
    if step.attempts > 1:
        yield f"attempt {step.attempts}"
    if remark := step_summary(step):
        yield remark


def _row(run: Run, step: Step, now: float) -> str:
    seconds = now - step.start if step.state is StepState.RUNNING and step.start is not None else step.seconds
    ratio = step_progress(run, step, now) if step.state is StepState.RUNNING else None
    expected = step.expected_at_start or 0.0
    cells = (
        _text(step.phase),
        _text(step.step) + (f' <span class="dim">{_text(aside)}</span>' if (aside := ", ".join(_notes(step))) else ""),
        f'<span class="state {step.state.label}">{step.state.label}</span>',
    )
    numbers = (
        "" if seconds is None else duration(seconds),
        duration(expected) if expected >= 0.5 else "",
        "" if ratio is None else percent(ratio),
    )
    return (
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}"
        f"{''.join(f'<td class=number>{number}</td>' for number in numbers)}</tr>"
    )

"""`/api/v1/builds…`: the queries over builds, steps, failures and runs, as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from build_exporter.queries.build import Board, board
from build_exporter.queries.builds import Builds, builds
from build_exporter.queries.estimate import EstimateAnswer, estimate
from build_exporter.queries.events import EventFilter, Events, events
from build_exporter.queries.failures import Failures, failures
from build_exporter.queries.log import LogPart, LogText, log
from build_exporter.queries.runs import Runs, runs
from build_exporter.queries.step import StepDetail, step
from build_exporter.queries.steps import StepFilter, Steps, steps
from build_exporter.web.endpoint import Endpoint, Nothing
from build_exporter.web.routing import Route
from build_exporter.web.service import Service


class OfBuild(msgspec.Struct, frozen=True, kw_only=True):
    """Which build is asked about."""

    build: str


class OfStep(OfBuild, frozen=True, kw_only=True):
    """Which step of a build is asked about."""

    phase: str
    step: str


class OfSteps(StepFilter, frozen=True, kw_only=True):
    """Which steps of a build are asked for."""

    build: str


class OfEvents(EventFilter, frozen=True, kw_only=True):
    """Which events of a build are asked for."""

    build: str


class OfLog(LogPart, frozen=True, kw_only=True):
    """Which part of the log of which step is asked for."""

    build: str


_BUILD: Final = "/api/v1/builds/{build}"

ENDPOINTS: Final = (
    Endpoint("/api/v1/builds", "Every build with its newest run.", Nothing, Builds, lambda c, _: builds(c)),
    Endpoint(_BUILD, "The whole board of a build.", OfBuild, Board, lambda c, p: board(c, p.build)),
    Endpoint(
        f"{_BUILD}/steps",
        "Steps of a build in the order of its plan.",
        OfSteps,
        Steps,
        lambda c, p: steps(c, p.build, p),
    ),
    Endpoint(
        f"{_BUILD}/steps/{{phase:empty}}/{{step:path}}",
        "One step with everything known of it.",
        OfStep,
        StepDetail,
        lambda c, p: step(c, p.build, p.phase, p.step),
    ),
    Endpoint(
        f"{_BUILD}/estimate",
        "When a build ends, what that rests on, and what its steps to come should take.",
        OfBuild,
        EstimateAnswer,
        lambda c, p: estimate(c, p.build),
    ),
    Endpoint(
        f"{_BUILD}/failures",
        "The first-error card of each failed step.",
        OfBuild,
        Failures,
        lambda c, p: failures(c, p.build),
    ),
    Endpoint(
        f"{_BUILD}/events",
        "What was journaled of a build, from a cursor on.",
        OfEvents,
        Events,
        lambda c, p: events(c, p.build, p),
        reads_files=True,
    ),
    Endpoint(
        f"{_BUILD}/log",
        "A part of a step's log.",
        OfLog,
        LogText,
        lambda c, p: log(c, p.build, p),
        reads_files=True,
    ),
    Endpoint(f"{_BUILD}/runs", "The runs of a build.", OfBuild, Runs, lambda c, p: runs(c, p.build)),
)


def routes(service: Service) -> list[Route]:
    """Return the routes of the queries."""
    return [endpoint.route(service) for endpoint in ENDPOINTS]

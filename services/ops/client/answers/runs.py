"""Runs: what they are about, and how far they are."""

from typing import TypedDict

from services.ops.client.answers.findings import FindingCounts
from services.ops.client.answers.numbers import Day, Measure, Moment
from services.ops.client.answers.vendors import RunRequests


class Run(TypedDict):
    """What a run is about."""

    run_id: str
    kind: str
    first_session: Day
    last_session: Day
    requested_by: str


class RunSummary(TypedDict):
    """A run in a list."""

    run: Run
    status: str
    requested_at: Moment
    finished_at: Moment | None


class Stage(TypedDict):
    """How far a stage of a run is."""

    stage: str
    parts_done: int
    parts_total: int | None
    subjects: int
    failures: int
    seconds: float | None


class Failure(TypedDict):
    """What a stage could not serve."""

    stage: str
    subject: str
    reason: str
    detail: str


class LogLine(TypedDict):
    """Something that happened in a run."""

    place: int
    at: Moment
    what: str
    level: str
    message: str
    stage: str | None


class ToldLine(LogLine):
    """A line as it is told while the run goes on."""

    eta_s: float | None


class Holder(TypedDict):
    """A portfolio that holds what failed, or failed itself."""

    portfolio_id: str
    name: str | None


class Cause(TypedDict):
    """What failed for one reason, and what that made unavailable further down."""

    stage: str
    reason: str
    detail: str
    subjects: int
    first_subjects: list[str]
    then: list[str]
    portfolios: int
    first_portfolios: list[Holder]


class RunProgress(RunSummary):
    """A run with its stages."""

    seconds: float | None
    eta: Measure | None
    stages: list[Stage]
    failures: list[Failure]
    missing: list[str]


class RunReport(RunProgress):
    """A run with its failures by cause, how many rows it set aside, and what it asked of vendors."""

    causes: list[Cause]
    findings: FindingCounts
    requests: RunRequests

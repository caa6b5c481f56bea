"""What was wrong with delivered data."""

from typing import TypedDict

from services.ops.client.answers.numbers import Day, Moment


class Finding(TypedDict):
    """A row, or a field of it, that was set aside."""

    finding_id: int
    provider: str
    rule: str
    symbol: str | None
    day: Day | None
    file: str | None
    line: int | None
    detail: str
    value: float | None
    decision: str | None
    run_id: str
    found_at: Moment


class BarChange(TypedDict):
    """A bar before and after a decision."""

    session: Day
    close_before: float | None
    close_after: float | None
    split_before: float
    split_after: float


class Ruling(TypedDict):
    """A decision about a bar, and what it changes."""

    symbol: str
    session: Day
    rule: str
    decision: str
    value: float
    stored: bool
    changes: list[BarChange]


class FindingCount(TypedDict):
    """How many findings there are by a rule."""

    rule: str
    findings: int
    symbols: int


class FindingCounts(TypedDict):
    """How many findings a run has made."""

    findings: int
    rules: list[FindingCount]

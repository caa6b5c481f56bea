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
    run_id: str
    found_at: Moment


class FindingCount(TypedDict):
    """How many findings there are by a rule."""

    rule: str
    findings: int
    symbols: int


class FindingCounts(TypedDict):
    """How many findings a run has made."""

    findings: int
    rules: list[FindingCount]

"""What is done of each session, and whether portfolios are ready."""

from typing import TypedDict

from services.ops.client.answers.numbers import Day, Moment


class Count(TypedDict):
    """Cells of a fact at a session."""

    fact: str
    expected: int
    done: int
    failed: int
    missing: int


class Cell(TypedDict):
    """A cell: done, failed or missing."""

    subject: str
    fact: str
    state: str
    reason: str | None
    detail: str | None
    run_id: str | None
    asked_at: Moment | None
    revision: int | None


class Session(TypedDict):
    """One session."""

    session: Day
    counts: list[Count]
    cells: list[Cell]


class ReasonGroup(TypedDict):
    """Why cells of a fact are not done."""

    fact: str
    reason: str
    detail: str
    cells: int
    first: Day
    last: Day
    subjects: list[str]


class Age(TypedDict):
    """How many are how many sessions behind."""

    fact: str
    sessions_behind: int | None
    subjects: int


class Coverage(TypedDict):
    """A page of sessions."""

    portfolio_id: str | None
    symbol: str | None
    items: list[Session]
    reasons: list[ReasonGroup]
    freshness: list[Age]
    names: dict[str, str]
    next: str | None


class Cause(TypedDict):
    """Why a portfolio is not ready, and what to do about it."""

    kind: str
    what: str
    todo: str
    subjects: list[str]


class Readiness(TypedDict):
    """How a portfolio stands at a session."""

    portfolio_id: str
    name: str | None
    as_of: Day
    state: str
    newest_session: Day | None
    causes: list[Cause]
    notes: list[str]


class ReadinessLine(TypedDict):
    """How a portfolio stands, in one line."""

    portfolio_id: str
    name: str | None
    state: str
    newest_session: Day | None
    cause: str | None


class ReadinessList(TypedDict):
    """How all portfolios stand, and a page of them."""

    as_of: Day
    counts: dict[str, int]
    dead_letters: int
    items: list[ReadinessLine]
    next: str | None

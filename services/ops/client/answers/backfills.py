"""Backfills: what one would compute, and how far one is."""

from typing import TypedDict

from services.ops.client.answers.numbers import Day, Moment


class Step(TypedDict):
    """One run of a backfill."""

    first_session: Day
    last_session: Day
    symbols: int
    portfolios: int
    cells: int


class Plan(TypedDict):
    """What a backfill would compute."""

    cells: int
    cells_by_fact: dict[str, int]
    sessions: list[Day]
    symbols_to_fetch: int
    steps: int
    seconds: float
    first_steps: list[Step]


class Progress(TypedDict):
    """How many cells are wanted, done, unchanged and failed."""

    cells: int
    done: int
    unchanged: int
    failed: int
    steps: int
    steps_ended: int
    eta_s: float | None


class Backfill(TypedDict):
    """A backfill and how it stands."""

    backfill_id: str
    first: Day
    last: Day
    symbols: list[str] | None
    portfolio_ids: list[str] | None
    reprocess: str
    status: str
    requested_by: str
    requested_at: Moment
    progress: Progress


class StepOutcome(Step):
    """A step with what came of it."""

    place: int
    status: str
    run_id: str | None
    done: int
    unchanged: int
    failed: int


class Retry(TypedDict):
    """How many cells are queued again."""

    backfill_id: str
    cells: int

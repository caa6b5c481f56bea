"""The schedule: its triggers, what is next, and what came of the last."""

from typing import TypedDict

from services.ops.client.answers.numbers import Day, Moment


class Trigger(TypedDict):
    """A trigger as it is set."""

    stage: str
    crontab: str
    zone: str


class Due(TypedDict):
    """A time to come."""

    stage: str
    due_at: Moment
    session: Day
    expected: str


class Fire(TypedDict):
    """A trigger that fired, and what came of it."""

    fire_id: str
    stage: str
    due_at: Moment
    session: Day
    outcome: str
    detail: str
    run_ids: list[str]
    waits_for: str | None
    asked_by: str | None


class Pause(TypedDict):
    """A time in which the schedule asks for nothing."""

    paused_at: Moment
    paused_by: str
    why: str


class Schedule(TypedDict):
    """The schedule as it stands."""

    enabled: bool
    pause: Pause | None
    triggers: list[Trigger]
    next: list[Due]
    last: list[Fire]

"""Dead letters: messages that could not be processed."""

from typing import TypedDict

from services.ops.client.answers.numbers import Day, Moment


class Letter(TypedDict):
    """A message that could not be processed, and how it stands."""

    letter_id: str
    place: int
    topic: str
    partition: int
    offset: int
    consumer: str
    run_id: str | None
    reason: str
    detail: str
    attempts: int
    recorded_at: Moment
    status: str
    redrives: int
    dropped_at: Moment | None
    dropped_by: str | None
    dropped_why: str | None


class Attempt(TypedDict):
    """A redrive of a letter, and what came of it."""

    redrive_id: str
    requested_by: str
    why: str
    requested_at: Moment
    way: str
    status: str
    run_id: str | None
    detail: str


class LetterDetail(Letter):
    """A letter with its message and its redrives."""

    key: str
    headers: dict[str, str]
    payload: str
    payload_bytes: int
    attempted: list[Attempt]


class LetterCount(TypedDict):
    """How many letters have one cause."""

    consumer: str
    reason: str
    letters: int


class LetterCounts(TypedDict):
    """How many letters somebody still has to deal with."""

    letters: int
    causes: list[LetterCount]


class Messages(TypedDict):
    """Messages that are sent again."""

    topic: str
    consumer: str
    messages: int


class PlannedRun(TypedDict):
    """A run that makes letters of another one good."""

    run_id: str
    letters: int
    symbols: int | None
    portfolios: int | None
    first: Day | None
    last: Day | None
    why: str


class RedrivePlan(TypedDict):
    """What a redrive would do."""

    letters: int
    messages: list[Messages]
    runs: int
    first_runs: list[PlannedRun]


class Redrive(TypedDict):
    """A redrive and how far it is."""

    redrive_id: str
    requested_by: str
    why: str
    requested_at: Moment
    finished_at: Moment | None
    letters: int
    counts: dict[str, int]
    run_ids: list[str]


class LeftOut(TypedDict):
    """A letter that is not redriven."""

    letter_id: str
    why: str


class RedriveAnswer(TypedDict):
    """What a redrive would do, or the one that was begun."""

    plan: RedrivePlan | None
    redrive: Redrive | None
    left_out: list[LeftOut]

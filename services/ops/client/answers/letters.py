"""Dead letters: messages that could not be processed."""

from typing import TypedDict

from services.ops.client.answers.numbers import Moment


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
    dropped_at: Moment | None
    dropped_by: str | None
    dropped_why: str | None


class LetterDetail(Letter):
    """A letter with its message."""

    key: str
    headers: dict[str, str]
    payload: str
    payload_bytes: int


class LetterCount(TypedDict):
    """How many letters have one cause."""

    consumer: str
    reason: str
    letters: int


class LetterCounts(TypedDict):
    """How many letters somebody still has to deal with."""

    letters: int
    causes: list[LetterCount]

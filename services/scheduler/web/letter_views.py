"""What goes out of dead letters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.scheduler.core.letters import LetterStatus
from services.scheduler.storage.letter_repository import LetterCount, LetterMessage, StoredLetter


class LetterView(BaseModel):
    """A message that could not be processed."""

    letter_id: UUID
    place: int = Field(description="grows from letter to letter as they are recorded")
    topic: str = Field(description="where the message came from")
    partition: int
    offset: int
    consumer: str = Field(description="which consumer could not process it")
    run_id: UUID | None
    reason: str = Field(description="the class of the error")
    detail: str
    attempts: int
    recorded_at: datetime
    status: LetterStatus
    dropped_at: datetime | None
    dropped_by: str | None
    dropped_why: str | None

    @classmethod
    def of(cls, letter: StoredLetter) -> Self:
        """Return the view of a letter."""
        told = letter._asdict()
        return cls(partition=told.pop("partition_number"), offset=told.pop("position"), **told)


class LetterDetail(LetterView):
    """A letter with its message."""

    key: str
    headers: dict[str, str] = Field(description="those of the message, and its origin and cause as `dlq-`")
    payload: str = Field(description="the message; bytes that are no UTF-8 are replaced")
    payload_bytes: int

    @classmethod
    def showing(cls, letter: StoredLetter, message: LetterMessage) -> Self:
        """Return the view of a letter with its message."""
        return cls(
            **LetterView.of(letter).model_dump(),
            key=message.key,
            headers=message.headers,
            payload=message.value.decode(errors="replace"),
            payload_bytes=len(message.value),
        )


class LetterCountView(BaseModel):
    """How many letters have one cause."""

    consumer: str
    reason: str
    letters: int


class LetterCountsView(BaseModel):
    """How many letters somebody still has to deal with."""

    letters: int
    causes: list[LetterCountView]

    @classmethod
    def of(cls, counts: Sequence[LetterCount]) -> Self:
        """Return the view of counts."""
        return cls(
            letters=sum(each.letters for each in counts),
            causes=[LetterCountView.model_validate(each, from_attributes=True) for each in counts],
        )

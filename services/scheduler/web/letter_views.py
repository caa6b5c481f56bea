"""What goes out of dead letters."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.scheduler.commands.redrive_letters import PlannedRun
from services.scheduler.core.letters import LetterStatus
from services.scheduler.core.redrive import RedrivePlan, RedriveStatus, Way
from services.scheduler.storage.letter_repository import LetterCount, LetterMessage, StoredLetter
from services.scheduler.storage.redrive_repository import Attempt, StoredRedrive


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
    redrives: int = Field(description="how often it, or the letter that it goes back to, was redriven")
    dropped_at: datetime | None
    dropped_by: str | None
    dropped_why: str | None

    @classmethod
    def of(cls, letter: StoredLetter) -> Self:
        """Return the view of a letter."""
        told = letter._asdict()
        return cls(partition=told.pop("partition_number"), offset=told.pop("position"), **told)


class AttemptView(BaseModel):
    """A redrive of a letter, and what came of it."""

    redrive_id: UUID
    requested_by: str
    why: str
    requested_at: datetime
    way: Way = Field(description="sent again, made good by a run over what it led to, or both")
    status: RedriveStatus
    run_id: UUID | None = Field(description="the run that makes it good")
    detail: str


class LetterDetail(LetterView):
    """A letter with its message and its redrives, the oldest first."""

    key: str
    headers: dict[str, str] = Field(description="those of the message, and its origin and cause as `dlq-`")
    payload: str = Field(description="the message; bytes that are no UTF-8 are replaced")
    payload_bytes: int
    attempted: list[AttemptView]

    @classmethod
    def showing(cls, letter: StoredLetter, message: LetterMessage, attempts: Sequence[Attempt]) -> Self:
        """Return the view of a letter with its message and its redrives."""
        return cls(
            **LetterView.of(letter).model_dump(),
            key=message.key,
            headers=message.headers,
            payload=message.value.decode(errors="replace"),
            payload_bytes=len(message.value),
            attempted=[AttemptView.model_validate(each, from_attributes=True) for each in attempts],
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


class MessagesView(BaseModel):
    """Messages of a topic that are sent again to the consumer that could not process them."""

    topic: str
    consumer: str
    messages: int


class PlannedRunView(BaseModel):
    """Letters of a run that one run over what it could not do makes good."""

    run_id: UUID = Field(description="the run that could not do it")
    letters: int
    symbols: int | None = Field(description="how many are computed again; null: `why` says why that is not known")
    portfolios: int | None
    first: date | None
    last: date | None
    why: str

    @classmethod
    def of(cls, planned: PlannedRun) -> Self:
        """Return the view of what is planned."""
        undone = planned.undone
        return cls(
            run_id=planned.run_id,
            letters=planned.letters,
            symbols=undone and len(undone.symbols),
            portfolios=undone and len(undone.portfolio_ids),
            first=undone and undone.first,
            last=undone and undone.last,
            why=planned.why,
        )


class LeftOutView(BaseModel):
    """A letter that is not redriven."""

    letter_id: UUID
    why: str

    @classmethod
    def all_of(cls, left_out: Mapping[UUID, str]) -> list[Self]:
        """Return a view each."""
        return [cls(letter_id=letter_id, why=why) for letter_id, why in left_out.items()]


class RedrivePlanView(BaseModel):
    """What a redrive would do."""

    letters: int
    messages: list[MessagesView]
    runs: int
    first_runs: list[PlannedRunView]

    @classmethod
    def of(cls, plan: RedrivePlan, runs: Sequence[PlannedRun]) -> Self:
        """Return the view of a plan, some of its runs in detail."""
        return cls(
            letters=len(plan.ways),
            messages=[
                MessagesView(topic=topic, consumer=consumer, messages=count)
                for (topic, consumer), count in plan.messages.items()
            ],
            runs=len(plan.runs),
            first_runs=[PlannedRunView.of(each) for each in runs],
        )


class RedriveView(BaseModel):
    """A redrive and how far it is."""

    redrive_id: UUID
    requested_by: str
    why: str
    requested_at: datetime
    finished_at: datetime | None
    letters: int
    counts: dict[RedriveStatus, int]
    run_ids: list[UUID] = Field(description="the runs that it opened or joined")

    @classmethod
    def of(cls, stored: StoredRedrive) -> Self:
        """Return the view of a redrive."""
        return cls(
            redrive_id=stored.redrive_id,
            requested_by=stored.requested_by,
            why=stored.why,
            requested_at=stored.requested_at,
            finished_at=stored.finished_at,
            letters=sum(stored.counts.values()),
            counts=dict.fromkeys(RedriveStatus, 0) | dict(stored.counts),
            run_ids=list(stored.run_ids),
        )


class RedriveAnswer(BaseModel):
    """What a redrive would do, or the one that was begun; and what it leaves out."""

    plan: RedrivePlanView | None = Field(description="null: it was no dry run")
    redrive: RedriveView | None = Field(description="null: it was a dry run")
    left_out: list[LeftOutView]

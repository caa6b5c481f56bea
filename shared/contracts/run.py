"""What every event carries: the run it belongs to and which part of the stage it is."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from shared.symbols import SYMBOL_PATTERN

# As strict as what files may say; to readers a text, as ever.
Symbol = Annotated[str, StringConstraints(pattern=SYMBOL_PATTERN), WithJsonSchema({"type": "string"})]
Named = Literal["symbols", "portfolio_ids"]

# A year of 50,000 symbols is 12,500 shards.
MAX_PARTS: Final = 100_000


class Contract(BaseModel):
    """A frozen piece of an event: readers ignore fields they don't know, writers never send NaN."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class RunKind(StrEnum):
    """Why a run was asked for. For people: no handler reads it."""

    NIGHTLY = "nightly"
    ON_DEMAND = "on_demand"
    BACKFILL = "backfill"
    ONBOARDING = "onboarding"
    CORRECTION = "correction"
    REPLAY = "replay"


class PartOf(Contract):
    """A part of a stage of another run."""

    topic: str
    index: int = Field(ge=0)


class After(Contract):
    """What a run goes on from: its barriers open after those of another run."""

    run_id: UUID
    parts: tuple[PartOf, ...] | None = Field(
        default=None, description="these parts of it are enough; None: the barrier of the same service has opened"
    )


class Run(Contract):
    """Which sessions, symbols and portfolios are to be computed."""

    run_id: UUID
    kind: RunKind
    first_session: date
    last_session: date
    symbols: tuple[Symbol, ...] | None = Field(
        default=None, description="None: every watched symbol; empty: the proxies only"
    )
    portfolio_ids: tuple[UUID, ...] | None = Field(default=None, description="None: every portfolio; empty: none")
    requested_by: str = Field(max_length=200)
    after: After | None = None
    unsaid: tuple[Named, ...] = Field(
        default=(), description="what only the event that opened the run names, or the first part of a stage: null here"
    )

    @model_validator(mode="after")
    def _sessions_are_ordered(self) -> Self:
        if self.first_session > self.last_session:
            raise ValueError(f"first_session must not be after {self.last_session}, was {self.first_session}")
        return self

    def leaving_unsaid(self, *names: Named) -> Self:
        """Return the run as it is said by one of many events: without these names, where it has any.

        With its portfolios it leaves out what it goes on from, which may be many parts: who is told the one is told
        the other.
        """
        left_out = tuple(name for name in names if getattr(self, name))
        unsaid = tuple(dict.fromkeys((*self.unsaid, *left_out)))
        update: dict[str, object] = {**dict.fromkeys(left_out), "unsaid": unsaid}
        if "portfolio_ids" in left_out:
            update["after"] = None
        return self.model_copy(update=update) if left_out else self


class Part(Contract):
    """One of the `total` events that a stage of a run consists of."""

    index: int = Field(ge=0)
    total: int = Field(ge=1)

    @model_validator(mode="after")
    def _total_is_bounded(self) -> Self:
        if self.total > MAX_PARTS:
            raise ValueError(f"total must be at most {MAX_PARTS}, was {self.total}")
        return self

    @model_validator(mode="after")
    def _index_is_inside(self) -> Self:
        if self.index >= self.total:
            raise ValueError(f"index must be below {self.total}, was {self.index}")
        return self


ONLY_PART = Part(index=0, total=1)

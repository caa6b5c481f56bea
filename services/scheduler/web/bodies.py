"""What people send."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.scheduler.commands.open_run import RunRequest
from services.scheduler.commands.plan_backfill import check_selection
from services.scheduler.commands.redrive_letters import RedriveRequest
from services.scheduler.core.backfill_plan import Reprocess, Scope, Selection
from services.scheduler.core.letters import LetterStatus
from services.scheduler.storage.letter_repository import LetterFilter
from shared.clock import SessionClock
from shared.contracts.run import RunKind
from shared.selection import Day
from shared.symbols import SymbolText

Who = Annotated[str, Field(min_length=1, max_length=180, pattern=r"^[^\x00]*$")]
Why = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class RunBody(BaseModel):
    """A request for a run; without dates, the target session."""

    model_config = ConfigDict(extra="forbid")

    kind: RunKind = RunKind.ON_DEMAND
    first_session: Day | None = Field(default=None, description="none: the last one")
    last_session: Day | None = Field(default=None, description="none: the last closed session")
    symbols: list[SymbolText] | None = Field(
        default=None,
        min_length=1,
        max_length=10_000,
        description="none: what the portfolios hold; without portfolios, all",
    )
    portfolio_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=10_000, description="none: all")
    requested_by: str = Field(default="api", max_length=200, pattern=r"^[^\x00]*$")

    def request(self) -> RunRequest:
        """Return the request; what is named twice is meant once."""
        return RunRequest(
            kind=self.kind,
            first_session=self.first_session,
            last_session=self.last_session,
            symbols=None if self.symbols is None else tuple(sorted(set(self.symbols))),
            portfolio_ids=None if self.portfolio_ids is None else tuple(sorted(set(self.portfolio_ids))),
            requested_by=self.requested_by,
        )


class ReasonBody(BaseModel):
    """Why somebody does something that is kept with the reason: a pause of the schedule, a dropped letter."""

    model_config = ConfigDict(extra="forbid")

    why: Why
    requested_by: Who = "api"


class RequestBody(BaseModel):
    """Who asks."""

    model_config = ConfigDict(extra="forbid")

    requested_by: Who = "api"


class RedriveBody(BaseModel):
    """Which dead letters are redriven: these, or those that wait of a cause, a topic, a run."""

    model_config = ConfigDict(extra="forbid")

    letter_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=10_000)
    reason: str | None = Field(default=None, max_length=200, pattern=r"^[^\x00]*$")
    topic: str | None = Field(default=None, max_length=200, pattern=r"^[^\x00]*$")
    run_id: UUID | None = None
    again: bool = Field(default=False, description="also those that were redriven three times already")
    dry_run: bool = Field(default=False, description="only say what would be done")
    why: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""
    requested_by: Who = "api"

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if (self.letter_ids is None) == (self.reason is None and self.topic is None and self.run_id is None):
            raise ValueError("name either letter_ids, or what the letters have in common: reason, topic, run_id")
        return self

    def request(self) -> RedriveRequest:
        """Return the request; what is named twice is meant once."""
        only = LetterFilter(self.reason, self.topic, self.run_id, LetterStatus.WAITING)
        ids = None if self.letter_ids is None else tuple(dict.fromkeys(self.letter_ids))
        return RedriveRequest(ids, only, again=self.again, requested_by=self.requested_by, why=self.why)


class SelectionBody(BaseModel):
    """Which cells: of the sessions in [first, last], of these symbols and portfolios, or of all where none is named."""

    model_config = ConfigDict(extra="forbid")

    first: Day
    last: Day | None = Field(default=None, description="none: the last closed session")
    symbols: list[SymbolText] | None = Field(default=None, max_length=10_000)
    portfolio_ids: list[UUID] | None = Field(default=None, max_length=10_000)
    reprocess: Reprocess = Reprocess.MISSING
    requested_by: str = Field(default="api", max_length=200, pattern=r"^[^\x00]*$")

    def selection(self, clock: SessionClock) -> Selection:
        """Return the selection; what names only symbols takes no portfolios, and the other way round."""
        symbols, portfolio_ids = self.symbols, self.portfolio_ids
        if symbols is not None or portfolio_ids is not None:
            symbols, portfolio_ids = symbols or [], portfolio_ids or []
        scope = Scope.of(symbols, portfolio_ids)
        return check_selection(self.first, self.last, scope, self.reprocess, newest=clock.last_closed_session())

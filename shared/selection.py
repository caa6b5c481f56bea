"""Which results a listing asks for: what every service's pages have in common."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.calendar import FIRST_SESSION
from shared.clock import Clock

Subject = TypeVar("Subject", str, UUID)


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from error


# An offset can lead out of the calendar, and no database column would take that.
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]


@dataclass(frozen=True, slots=True)
class Slice(Generic[Subject]):
    """Which results to read, as they were known at an instant, and where the page begins: after a session and subject.

    Subjects are symbols or portfolios, None for all of them; `limit` counts them.
    """

    subjects: tuple[Subject, ...] | None
    first: date
    last: date
    known_at: datetime | None
    limit: int
    after_as_of: date = date.min
    after_subject: Subject | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of a query, one a field."""
        return {**asdict(self), "subjects": None if self.subjects is None else list(self.subjects)}


class SessionSelection(BaseModel):
    """Results of the sessions in [first, last], as they were known at an instant, after the last one of a page."""

    model_config = ConfigDict(extra="forbid")

    first: date = FIRST_SESSION
    last: date | None = Field(default=None, description="none: up to now")
    known_at: Instant | None = Field(default=None, description="what was known then; none: now")
    after_as_of: date = date.min

    def slice_of(
        self, subjects: Sequence[Subject] | None, clock: Clock, *, after: Subject, limit: int
    ) -> Slice[Subject]:
        """Return the selection of these subjects, None for all of them, for a repository."""
        return Slice(
            subjects=None if subjects is None else tuple(subjects),
            first=self.first,
            last=self.last or clock.now().date(),
            known_at=self.known_at,
            limit=limit,
            after_as_of=self.after_as_of,
            after_subject=after,
        )


class PortfolioSelection(SessionSelection):
    """Which results of portfolios to list, and where the page begins; a service says how long its pages are."""

    portfolio_id: list[UUID] | None = Field(default=None, description="repeat for several; none: all")
    after_portfolio_id: UUID = UUID(int=0)
    limit: int

    def slice(self, clock: Clock) -> Slice[UUID]:
        """Return the selection for a repository."""
        return self.slice_of(self.portfolio_id, clock, after=self.after_portfolio_id, limit=self.limit)

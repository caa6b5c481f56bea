"""Which results a listing asks for: what every service's pages have in common."""

from datetime import date

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.calendar import FIRST_SESSION
from shared.clock import Clock


class SessionSelection(BaseModel):
    """Results of the sessions in [first, last], as they were known at an instant, after the last one of a page."""

    model_config = ConfigDict(extra="forbid")

    first: date = FIRST_SESSION
    last: date | None = Field(default=None, description="none: up to now")
    known_at: AwareDatetime | None = Field(default=None, description="what was known then; none: now")
    after_as_of: date = date.min

    def until(self, clock: Clock) -> date:
        """Return the last session that is asked for."""
        return self.last or clock.now().date()

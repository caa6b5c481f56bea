"""What goes out of data quality."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.scheduler.core.readiness import PortfolioReadiness, Readiness
from services.scheduler.web.batch_views import Everything, Started, percent

_SHOWN: Final = 20


class Recommendation(BaseModel):
    """What to do about a portfolio that is not ready."""

    portfolio_id: UUID
    portfolio_name: str | None
    state: Readiness
    issue: str
    recommendation: str


class DataQuality(BaseModel):
    """Which portfolios are complete at the last closed session, and what is to be done about the others."""

    portfolio_id: UUID | Everything
    as_of: date
    timestamp: datetime
    portfolios_checked: int
    portfolios_by_state: dict[Readiness, int]
    quality_score: float | None = Field(description="how many of a hundred portfolios are ready; null: there are none")
    recommendations: list[Recommendation]

    @classmethod
    def of(cls, found: Sequence[PortfolioReadiness], **said: object) -> Self:
        """Return the view of how portfolios stand."""
        states = [each.state for each in found]
        advice = [
            Recommendation(
                portfolio_id=UUID(each.portfolio_id),
                portfolio_name=each.name,
                state=each.state,
                issue=cause.what,
                recommendation=cause.todo,
            )
            for each in found
            for cause in each.causes
        ]
        told = {
            "portfolios_checked": len(found),
            "portfolios_by_state": {state: states.count(state) for state in Readiness},
            "quality_score": percent(states.count(Readiness.READY), len(found)) if found else None,
            "recommendations": advice[:_SHOWN],
        }
        return cls.model_validate(said | told)


class QualityStarted(Started):
    """A run over what may be incomplete that was asked for, and how complete it was then."""

    portfolio_id: UUID | Everything
    current_quality_score: float | None

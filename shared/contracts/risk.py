"""What risk publishes."""

from collections.abc import Iterator
from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.event import Event, Measure
from shared.contracts.run import Contract

MAX_HEADLINES = 2_000  # some 700 kB; the API pages through all of them


class RiskDue(Event):
    """The books of these portfolios are to be assessed: those of these sessions, and those that the run has touched."""

    topic: ClassVar[str] = "risk.due"

    portfolio_ids: tuple[UUID, ...]
    first_session: date | None = Field(default=None, description="null: those of the run")
    last_session: date | None = None

    def days(self) -> Iterator[date]:
        """Yield the last day of the run and of the sessions to assess."""
        yield from super().days()
        if self.last_session is not None:
            yield self.last_session


class Headline(Contract):
    """The risk of a portfolio in a few numbers."""

    portfolio_id: UUID
    as_of: date
    market_beta: Measure
    market_beta_coverage: float | None
    volatility_63d: Measure
    effective_positions: Measure


class AssessedSpan(Contract):
    """A portfolio and consecutive sessions at which its risk is stored."""

    portfolio_id: UUID
    first_session: date
    last_session: date


class PortfoliosAssessed(Event):
    """The risk of these portfolios is stored."""

    topic: ClassVar[str] = "portfolios.assessed"

    headlines: tuple[Headline, ...] = Field(default=(), description="oldest first; the newest where there are many")
    assessed: tuple[AssessedSpan, ...] = Field(default=(), description="all that was assessed, with a headline or not")

    def days(self) -> Iterator[date]:
        """Yield the last day of the run and those of what is assessed."""
        yield from super().days()
        yield from (headline.as_of for headline in self.headlines)
        yield from (span.last_session for span in self.assessed)

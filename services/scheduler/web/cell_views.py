"""What goes out of cells: coverage and readiness."""

from datetime import date, datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.scheduler.core.cells import Fact
from services.scheduler.core.coverage import Covered, NamedCell
from services.scheduler.core.readiness import CauseKind, PortfolioReadiness, Readiness
from shared.pages import Page


class CountView(BaseModel):
    """Cells of a fact at a session."""

    fact: Fact
    expected: int
    done: int
    failed: int
    missing: int = Field(description="nobody has ever asked for them")


class CellView(BaseModel):
    """A cell as the newest run says that spoke of it."""

    subject: str
    fact: Fact
    state: Literal["done", "failed", "missing"]
    reason: str | None = None
    detail: str | None = None
    run_id: UUID | None = None
    asked_at: datetime | None = None
    revision: int | None = None

    @classmethod
    def of(cls, named: NamedCell) -> Self:
        """Return the view of a cell, or of one that nobody has asked for."""
        cell = named.cell
        if cell is None:
            return cls(subject=named.subject, fact=named.fact, state="missing")
        return cls(
            subject=named.subject,
            fact=named.fact,
            state="failed" if cell.why else "done",
            reason=cell.why and cell.why.reason,
            detail=cell.why and cell.why.detail,
            run_id=cell.run_id,
            asked_at=cell.asked_at,
            revision=cell.revision,
        )


class SessionView(BaseModel):
    """One session: the counts, and the cells of whom was asked for, with those of its symbols that are not done."""

    session: date
    counts: list[CountView]
    cells: list[CellView]

    @classmethod
    def of(cls, covered: Covered) -> Self:
        """Return the view of a session."""
        return cls(
            session=covered.session,
            counts=[CountView.model_validate(count, from_attributes=True) for count in covered.counts],
            cells=[CellView.of(named) for named in covered.cells],
        )


class ReasonView(BaseModel):
    """Why cells of a fact are not done, how many, and the first of those concerned."""

    fact: Fact
    reason: str = Field(description="NEVER_ASKED where no run has asked")
    detail: str
    cells: int
    first: date
    last: date
    subjects: list[str]


class AgeView(BaseModel):
    """How many have their newest done cell of a fact so many sessions before the last of the page."""

    fact: Fact
    sessions_behind: int | None = Field(description="null: none in the last thirty sessions")
    subjects: int


class CoverageView(Page[SessionView]):
    """A page of sessions, oldest first, with the reasons, ages and names of the page."""

    portfolio_id: UUID | None
    symbol: str | None
    reasons: list[ReasonView]
    freshness: list[AgeView]
    names: dict[str, str] = Field(description="of the portfolios that are named by their ids")


class CauseView(BaseModel):
    """One reason why a portfolio is not ready, in words, and what to do about it."""

    kind: CauseKind
    what: str
    todo: str
    subjects: list[str] = Field(description="the symbols or the portfolio concerned, the first ten")
    fact: Fact | None
    reason: str | None
    run_id: UUID | None


class ReadinessView(BaseModel):
    """How a portfolio stands at a session."""

    portfolio_id: UUID
    name: str | None
    as_of: date
    state: Readiness
    newest_session: date | None = Field(description="the newest one that is complete, of the last thirty")
    causes: list[CauseView]
    notes: list[str] = Field(description="what is not there and never will be, so that nothing is to be done")


class ReadinessLine(BaseModel):
    """How a portfolio stands, in one line."""

    portfolio_id: UUID
    name: str | None
    state: Readiness
    newest_session: date | None
    cause: str | None = Field(description="the first of its causes")

    @classmethod
    def of(cls, found: PortfolioReadiness) -> Self:
        """Return the line of a portfolio."""
        return cls(
            portfolio_id=UUID(found.portfolio_id),
            name=found.name,
            state=found.state,
            newest_session=found.newest_session,
            cause=found.causes[0].what if found.causes else None,
        )


class ReadinessList(Page[ReadinessLine]):
    """How many portfolios stand how at a session, and a page of them by id."""

    as_of: date
    counts: dict[Readiness, int]
    dead_letters: int = Field(description="of runs over the session, that somebody still has to deal with")

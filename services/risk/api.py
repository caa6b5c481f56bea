"""risk over HTTP: factor exposures, sectors and measures by as_of, of one portfolio or of many."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from services.risk.repository import RiskRepository, Slice, StoredAssessments
from shared.clock import Clock
from shared.contracts.event import Measure
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.problems import Problem
from shared.selection import SessionSelection

View = TypeVar("View")


class Selection(SessionSelection):
    """Which assessments to list, and where the page begins."""

    portfolio_id: list[UUID] | None = Field(default=None, description="repeat for several; none: all")
    after_portfolio_id: UUID = UUID(int=0)
    limit: int = Field(default=100, ge=1, le=500, description="portfolios a page")

    def slice(self, clock: Clock) -> Slice:
        """Return the selection for the repository."""
        return Slice(
            portfolio_ids=None if self.portfolio_id is None else tuple(self.portfolio_id),
            first=self.first,
            last=self.until(clock),
            known_at=self.known_at,
            limit=self.limit,
            after_as_of=self.after_as_of,
            after_portfolio_id=self.after_portfolio_id,
        )


class FactorExposureView(BaseModel):
    """The exposure to a factor: over equity, in currency a unit of factor return, and the part of gross it covers."""

    factor: str
    beta: Measure
    dollars: Measure
    coverage: Measure


class SectorExposureView(BaseModel):
    """The exposure to a sector, in currency and over equity."""

    sector: str
    net: Decimal
    gross: Decimal
    net_over_equity: Measure
    gross_over_equity: Measure


class MeasureView(BaseModel):
    """A measure, or why there is none, and the part of gross exposure that it speaks for."""

    measure: str
    value: Measure
    coverage: Measure
    unit: str


class PortfolioRisk(BaseModel):
    """The risk of a portfolio as of a session."""

    portfolio_id: UUID
    as_of: date
    revision: int
    known_at: datetime
    equity: Decimal
    factors: list[FactorExposureView]
    sectors: list[SectorExposureView]
    measures: list[MeasureView]


def build_router(unit_of_work: UnitOfWorkFactory, clock: Clock) -> APIRouter:
    """Return the routes of risk."""
    router = APIRouter()

    @router.get("/risk/portfolios/{portfolio_id}")
    async def get_portfolio_risk(
        portfolio_id: UUID, as_of: date | None = None, known_at: AwareDatetime | None = None
    ) -> PortfolioRisk:
        """Show the risk of a portfolio as of the newest session on or before `as_of`."""
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            stored = await RiskRepository(connection).find_last_assessment(portfolio_id, until=until, known_at=known_at)
        if stored is None:
            known = "" if known_at is None else f", as known at {known_at.isoformat()}"
            raise Problem(404, f"portfolio {portfolio_id} has not been assessed on or before {until}{known}")
        return _views(stored)[0]

    @router.get("/risk")
    async def list_risk(selection: Annotated[Selection, Query()]) -> list[PortfolioRisk]:
        """List risk by as_of and portfolio; page on with the last entry's as `after_as_of`, `after_portfolio_id`."""
        async with unit_of_work.reading() as connection:
            stored = await RiskRepository(connection).list_assessments(selection.slice(clock))
        return await asyncio.to_thread(_views, stored)

    return router


def _views(stored: StoredAssessments) -> list[PortfolioRisk]:
    factors = _by_assessment(stored.factors, _factor)
    sectors = _by_assessment(stored.sectors, _sector)
    measures = _by_assessment(stored.measures, _measure)
    return [
        PortfolioRisk(
            portfolio_id=head.portfolio_id,
            as_of=head.as_of,
            revision=head.revision,
            known_at=head.known_at,
            equity=head.equity,
            factors=factors.get((head.as_of, head.portfolio_id), []),
            sectors=sectors.get((head.as_of, head.portfolio_id), []),
            measures=measures.get((head.as_of, head.portfolio_id), []),
        )
        for head in stored.heads
    ]


def _by_assessment(rows: Sequence[Any], view: Callable[[Any], View]) -> dict[tuple[date, UUID], list[View]]:
    grouped: dict[tuple[date, UUID], list[View]] = {}
    for row in rows:
        grouped.setdefault((row.as_of, row.portfolio_id), []).append(view(row))
    return grouped


def _factor(row: Any) -> FactorExposureView:
    return FactorExposureView(
        factor=row.factor,
        beta=Measure(value=row.beta, reason=row.reason, detail=row.detail),
        dollars=Measure(value=row.dollars, reason=row.reason, detail=row.detail),
        coverage=_coverage(row),
    )


def _sector(row: Any) -> SectorExposureView:
    return SectorExposureView(
        sector=row.sector,
        net=row.net,
        gross=row.gross,
        net_over_equity=Measure(value=row.net_over_equity, reason=row.reason, detail=row.detail),
        gross_over_equity=Measure(value=row.gross_over_equity, reason=row.reason, detail=row.detail),
    )


def _measure(row: Any) -> MeasureView:
    return MeasureView(
        measure=row.measure,
        value=Measure(value=row.value, reason=row.reason, detail=row.detail),
        coverage=_coverage(row),
        unit=row.unit,
    )


def _coverage(row: Any) -> Measure:
    return Measure(value=row.coverage, reason=row.coverage_reason, detail=row.coverage_detail)

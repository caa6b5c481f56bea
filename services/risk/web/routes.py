"""risk over HTTP: factor exposures, sectors and measures by as_of, of one portfolio or of many."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncConnection

from services.risk.core.assessment import assess
from services.risk.core.scenarios import SCENARIOS, RateSensitivity
from services.risk.storage.inputs import InputLoader
from services.risk.storage.repository import DetailRow, RiskRepository
from services.risk.storage.rows import (
    ActiveSectorsRow,
    ContributionsRow,
    CorrelationsRow,
    FactorRow,
    HeadRow,
    MeasuresRow,
    StressRow,
)
from services.risk.storage.universe_repository import UniverseRepository
from services.risk.web.bodies import BenchmarkBody, BenchmarkName, benchmark_of
from services.risk.web.changes import add_changes
from services.risk.web.explanation import EXPLAINED, Explanation, explain, stored_number
from services.risk.web.stress import PortfolioStress, ScenarioView
from services.risk.web.views import (
    BenchmarkView,
    PortfolioActiveSectors,
    PortfolioContributions,
    PortfolioCorrelations,
    PortfolioRisk,
    risk_views,
)
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.dependencies import made
from shared.factor_set import FactorSet
from shared.openapi import refused
from shared.pages import Page, Paging, paged
from shared.prices.last_prices import load_last_prices
from shared.prices.panel import PricePanel
from shared.problems import Problem
from shared.selection import Day, Instant, PortfolioSelection
from shared.validators import Held, still_held

Assessments = Annotated[Paging, paged(100, most=500, of="portfolios")]
Scenarios = Annotated[Paging, paged(100, most=1000)]


def build_router(
    unit_of_work: UnitOfWorkFactory, clock: Clock, *, panel: PricePanel, factor_set: FactorSet, rate: RateSensitivity
) -> APIRouter:
    """Return the routes of risk."""
    router = APIRouter()

    @router.get("/risk/portfolios/{portfolio_id}", responses=refused(404) | still_held())
    async def get_portfolio_risk(
        portfolio_id: UUID, held: Held, as_of: Day | None = None, known_at: Instant | None = None
    ) -> PortfolioRisk:
        """Show the risk of a portfolio as of the newest session on or before `as_of`."""
        async with unit_of_work.reading() as connection:
            repository = RiskRepository(connection)
            head = await _get_head(repository, portfolio_id, as_of or clock.now().date(), known_at)
            held.unless_held(head)
            stored = await repository.with_rows([head])
        return risk_views(stored)[0]

    @router.get("/risk", responses=still_held())
    async def list_risk(
        selection: Annotated[PortfolioSelection, made(PortfolioSelection)], paging: Assessments, held: Held
    ) -> Page[PortfolioRisk]:
        """List risk by as_of and portfolio."""
        wanted = selection.slice(clock, paging.after(tuple[date, UUID]), paging.wanted)
        async with unit_of_work.reading() as connection:
            repository = RiskRepository(connection)
            heads = await repository.list_heads(wanted)
            held.unless_held(heads)
            stored = await repository.with_rows(heads)
        views = await asyncio.to_thread(risk_views, stored)
        page, following = paging.cut(views, lambda view: (view.as_of, view.portfolio_id))
        return Page(items=[*page], next=following)

    _add_details(router, unit_of_work, clock)
    _add_benchmarks(router, unit_of_work, clock)

    def loader(connection: AsyncConnection) -> InputLoader:
        return InputLoader(RiskRepository(connection), UniverseRepository(connection), panel, factor_set, rate)

    _add_explanations(router, unit_of_work, clock, loader)
    add_changes(router, unit_of_work, clock, loader)
    return router


def _add_details(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    @router.get("/risk/scenarios")
    async def list_scenarios(paging: Scenarios) -> Page[ScenarioView]:
        """List the stress scenarios and their shocks, by name."""
        (after,) = paging.after(tuple[str]) or ("",)
        found = sorted((each for each in SCENARIOS if each.name > after), key=lambda each: each.name)
        return paging.page(found, ScenarioView.of, lambda each: (each.name,))

    @router.get("/risk/portfolios/{portfolio_id}/stress", responses=refused(404) | still_held())
    async def get_portfolio_stress(
        portfolio_id: UUID, held: Held, as_of: Day | None = None, known_at: Instant | None = None
    ) -> PortfolioStress:
        """Show what the scenarios would do to a portfolio, directly and by the factor model."""
        async with unit_of_work.reading() as connection:
            repository = RiskRepository(connection)
            head = await _get_head(repository, portfolio_id, as_of or clock.now().date(), known_at)
            held.unless_held(head)
            row = await _get_row(repository, head, StressRow)
            moves = await repository.get_moves(head.as_of, row.moves_digest)
        return PortfolioStress.of(head, row, moves)

    @router.get("/risk/portfolios/{portfolio_id}/correlations", responses=refused(404) | still_held())
    async def get_portfolio_correlations(
        portfolio_id: UUID, held: Held, as_of: Day | None = None, known_at: Instant | None = None
    ) -> PortfolioCorrelations:
        """Show how the larger holdings of a portfolio move together, and its clusters."""
        async with unit_of_work.reading() as connection:
            repository = RiskRepository(connection)
            head = await _get_head(repository, portfolio_id, as_of or clock.now().date(), known_at)
            held.unless_held(head)
            row = await _get_row(repository, head, CorrelationsRow)
            measures = await _get_row(repository, head, MeasuresRow)
        return PortfolioCorrelations.of(head, row, measures)

    @router.get("/risk/portfolios/{portfolio_id}/contributions", responses=refused(404) | still_held())
    async def get_portfolio_contributions(
        portfolio_id: UUID, held: Held, as_of: Day | None = None, known_at: Instant | None = None
    ) -> PortfolioContributions:
        """Show whose the volatility of a portfolio is: which factors' and which holdings'."""
        async with unit_of_work.reading() as connection:
            repository = RiskRepository(connection)
            head = await _get_head(repository, portfolio_id, as_of or clock.now().date(), known_at)
            held.unless_held(head)
            row = await _get_row(repository, head, ContributionsRow)
            measures = await _get_row(repository, head, MeasuresRow)
        return PortfolioContributions.of(head, row, measures)


def _add_benchmarks(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    @router.put("/risk/benchmarks/{name}")
    async def load_benchmark(name: BenchmarkName, body: BenchmarkBody) -> BenchmarkView:
        """Load the sector weights of a benchmark as of a day; what is assessed from then on is compared with them."""
        benchmark = benchmark_of(name, body)
        async with unit_of_work() as uow:
            await RiskRepository(uow.connection).store_benchmark(benchmark)
        return BenchmarkView.of(benchmark)

    @router.get("/risk/benchmarks/{name}", responses=refused(404))
    async def get_benchmark(name: BenchmarkName, as_of: Day | None = None) -> BenchmarkView:
        """Show the newest sector weights of a benchmark that are not after a day."""
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            found = await RiskRepository(connection).find_benchmark(name, until)
        if found is None:
            raise Problem(404, f"no weights of benchmark {name} on or before {until} are loaded")
        return BenchmarkView.of(found)

    @router.get("/risk/portfolios/{portfolio_id}/active-sectors", responses=refused(404) | still_held())
    async def get_active_sectors(
        portfolio_id: UUID, held: Held, as_of: Day | None = None, known_at: Instant | None = None
    ) -> PortfolioActiveSectors:
        """Show how far the sectors of a portfolio are from the benchmark's."""
        async with unit_of_work.reading() as connection:
            repository = RiskRepository(connection)
            head = await _get_head(repository, portfolio_id, as_of or clock.now().date(), known_at)
            held.unless_held(head)
            return PortfolioActiveSectors.of(head, await _get_row(repository, head, ActiveSectorsRow))


def _add_explanations(
    router: APIRouter,
    unit_of_work: UnitOfWorkFactory,
    clock: Clock,
    loader: Callable[[AsyncConnection], InputLoader],
) -> None:
    @router.get("/risk/portfolios/{portfolio_id}/explain/{measure}", responses=refused(404, 409))
    async def explain_measure(
        portfolio_id: UUID, measure: str, as_of: Day | None = None, known_at: Instant | None = None
    ) -> Explanation:
        """Show what a number was made from, and compute it again from that: a measure, a factor or a scenario."""
        if measure not in EXPLAINED:
            raise Problem(404, f"there is no number {measure!r}; there are {', '.join(EXPLAINED)}")
        async with unit_of_work.reading() as connection:
            repository = RiskRepository(connection)
            head = await _get_head(repository, portfolio_id, as_of or clock.now().date(), known_at)
            measures = await _get_row(repository, head, MeasuresRow)
            stress = await repository.load_rows([head], StressRow)
            factors = await repository.load_rows([head], FactorRow)
            stored = stored_number(measure, measures=measures, factors=factors, stress=stress[0] if stress else None)
            if stored is None:
                raise Problem(404, f"revision {head.revision} of {head.as_of} was made before there was {measure}")
            inputs = await loader(connection).of_one(portfolio_id, head.as_of)
            prices = await load_last_prices(connection, inputs.books.symbols, head.as_of)
        assessment = await asyncio.to_thread(assess, inputs)
        return explain(measure, head, stored, inputs=inputs, assessment=assessment, prices=prices)


async def _get_head(repository: RiskRepository, portfolio_id: UUID, until: date, known_at: datetime | None) -> HeadRow:
    head = await repository.find_head(portfolio_id, until=until, known_at=known_at)
    if head is None:
        raise _not_assessed(portfolio_id, until, known_at)
    return head


async def _get_row(repository: RiskRepository, head: HeadRow, kind: type[DetailRow]) -> DetailRow:
    rows = await repository.load_rows([head], kind)
    if not rows:
        raise Problem(404, f"the assessment of {head.as_of}, revision {head.revision}, was made before there was this")
    return rows[0]


def _not_assessed(portfolio_id: UUID, until: date, known_at: datetime | None) -> Problem:
    known = "" if known_at is None else f", as known at {known_at.isoformat()}"
    return Problem(404, f"portfolio {portfolio_id} has not been assessed on or before {until}{known}")

"""market_data over HTTP: bars, profiles, statements, coverage, and what was wrong with the data."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.market_data.core.findings import Rule
from services.market_data.storage.fundamentals_repository import FundamentalsRepository, StatementSlice
from services.market_data.storage.profile_repository import ProfileRepository
from services.market_data.storage.repository import MarketDataRepository
from services.market_data.web.bodies import FundamentalsSelection
from services.market_data.web.views import (
    BarView,
    CoverageView,
    FindingView,
    FundamentalsView,
    PricesView,
    ProfileView,
    StatementView,
)
from shared.calendar import FIRST_SESSION
from shared.clock import Clock
from shared.contracts.run import SYMBOL_PATTERN
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.problems import Problem

Limit = Annotated[int, Query(ge=1, le=10_000)]
SymbolPath = Annotated[str, Path(pattern=SYMBOL_PATTERN)]


def build_router(unit_of_work: UnitOfWorkFactory, clock: Clock) -> APIRouter:
    """Return the routes of market_data."""
    router = APIRouter()

    @router.get("/prices/{symbol}")
    async def get_prices(
        symbol: SymbolPath, first: date = FIRST_SESSION, last: date | None = None, limit: Limit = 1000
    ) -> PricesView:
        """Show a symbol's bars from `first` to `last`; page on with the day after the last bar as `first`."""
        until = last or clock.now().date()
        async with unit_of_work.reading() as connection:
            rows = await MarketDataRepository(connection).list_bars(symbol, first=first, last=until, limit=limit)
        return PricesView(symbol=symbol, bars=[BarView(**row._asdict()) for row in rows])

    @router.get("/profiles/{symbol}")
    async def get_profile(symbol: SymbolPath) -> ProfileView:
        """Show what is known about a symbol."""
        async with unit_of_work.reading() as connection:
            found = (await ProfileRepository(connection).load_profiles([symbol])).get(symbol)
        if found is None:
            raise Problem(404, f"no provider has given a profile of {symbol}")
        return ProfileView(
            profile=found.facts, source=found.source, fetched_at=found.fetched_at, origins=dict(found.origins)
        )

    @router.get("/fundamentals/{symbol}")
    async def get_fundamentals(
        symbol: SymbolPath, selection: Annotated[FundamentalsSelection, Query()]
    ) -> FundamentalsView:
        """Show a statement of a company; page on with the day after the last `period_end` as `first`."""
        async with unit_of_work.reading() as connection:
            if not await MarketDataRepository(connection).load_symbol_ids([symbol]):
                raise Problem(404, f"{symbol} is not watched")
            wanted = StatementSlice(symbol, **selection.model_dump())
            rows = await FundamentalsRepository(connection).list_statements(wanted)
        return FundamentalsView(
            symbol=symbol,
            statement=selection.statement,
            frequency=selection.frequency,
            periods=[StatementView.of(row) for row in rows],
        )

    @router.get("/coverage")
    async def list_coverage(after: str = "", limit: Limit = 1000) -> list[CoverageView]:
        """List the watched symbols; page on with the last symbol as `after`."""
        async with unit_of_work.reading() as connection:
            rows = await MarketDataRepository(connection).list_coverage(after=after, limit=limit)
        return [CoverageView(**row._asdict()) for row in rows]

    @router.get("/findings")
    async def list_findings(
        symbol: str | None = None, rule: Rule | None = None, after: int = 0, limit: Limit = 1000
    ) -> list[FindingView]:
        """List what was wrong with delivered data; page on with the last `finding_id` as `after`."""
        async with unit_of_work.reading() as connection:
            repository = MarketDataRepository(connection)
            rows = await repository.list_findings(symbol=symbol, rule=rule, after=after, limit=limit)
        return [FindingView(**row._asdict()) for row in rows]

    return router

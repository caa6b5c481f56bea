"""symbol_analytics over HTTP: factor betas and daily metrics by as_of, of one symbol or of many."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.symbol_analytics.storage.repository import SymbolAnalyticsRepository
from services.symbol_analytics.web.bodies import Selection
from services.symbol_analytics.web.views import SymbolFactors, SymbolMetrics, SymbolSummary, SymbolView, factor_views
from shared.clock import Clock
from shared.contracts.run import SYMBOL_PATTERN
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.problems import Problem
from shared.selection import Instant, Slice

Limit = Annotated[int, Query(ge=1, le=5_000, description="symbols a page")]
SymbolPath = Annotated[str, Path(pattern=SYMBOL_PATTERN)]


def build_router(unit_of_work: UnitOfWorkFactory, clock: Clock) -> APIRouter:
    """Return the routes of symbol_analytics."""
    router = APIRouter()

    @router.get("/symbols")
    async def list_symbols(after: str = "", limit: Limit = 1000) -> list[SymbolSummary]:
        """List the analysed symbols; page on with the last symbol as `after`."""
        async with unit_of_work.reading() as connection:
            rows = await SymbolAnalyticsRepository(connection).list_symbols(after=after, limit=limit)
        return [SymbolSummary(symbol=row.symbol, last_as_of=row.last_as_of) for row in rows]

    @router.get("/symbols/{symbol}")
    async def get_symbol(symbol: SymbolPath, as_of: date | None = None, known_at: Instant | None = None) -> SymbolView:
        """Show a symbol as of the newest session on or before `as_of`."""
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            repository = SymbolAnalyticsRepository(connection)
            session = await repository.find_last_session(symbol, until=until, known_at=known_at)
            if session is None:
                known = "" if known_at is None else f", as known at {known_at.isoformat()}"
                raise Problem(404, f"{symbol} has not been analysed on or before {until}{known}")
            one = Slice((symbol,), session, session, known_at, limit=1)
            factors = factor_views(await repository.list_factors(one))
            metrics = [SymbolMetrics.of(row) for row in await repository.list_metrics(one)]
        return SymbolView(symbol=symbol, as_of=session, factors=factors[0], metrics=metrics[0] if metrics else None)

    @router.get("/factors")
    async def list_factors(selection: Annotated[Selection, Query()]) -> list[SymbolFactors]:
        """List factor betas by as_of and symbol; page on with the last entry's as `after_as_of` and `after_symbol`."""
        async with unit_of_work.reading() as connection:
            rows = await SymbolAnalyticsRepository(connection).list_factors(selection.slice(clock))
        return factor_views(rows)

    @router.get("/symbol-metrics")
    async def list_metrics(selection: Annotated[Selection, Query()]) -> list[SymbolMetrics]:
        """List daily metrics by as_of and symbol; page on with the last entry's as `after_as_of` and `after_symbol`."""
        async with unit_of_work.reading() as connection:
            rows = await SymbolAnalyticsRepository(connection).list_metrics(selection.slice(clock))
        return [SymbolMetrics.of(row) for row in rows]

    return router

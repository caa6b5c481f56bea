"""symbol_analytics over HTTP: factor betas and daily metrics by as_of, of one symbol or of many."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter

from services.symbol_analytics.storage.repository import (
    FactorRow,
    MetricsRow,
    SymbolAnalyticsRepository,
)
from services.symbol_analytics.web.bodies import Selection
from services.symbol_analytics.web.views import SymbolFactors, SymbolMetrics, SymbolSummary, SymbolView, factor_views
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.dependencies import made
from shared.openapi import refused
from shared.pages import Page, Paging, Text, paged
from shared.problems import Problem
from shared.selection import Day, Instant, Slice
from shared.symbols import SymbolText
from shared.validators import Held, still_held

Symbols = Annotated[Paging, paged(1000, most=5_000, of="symbols")]
# Some 5 kB a symbol.
Results = Annotated[Paging, paged(100, most=500, of="symbols")]


def build_router(unit_of_work: UnitOfWorkFactory, clock: Clock) -> APIRouter:
    """Return the routes of symbol_analytics."""
    router = APIRouter()

    @router.get("/symbols")
    async def list_symbols(paging: Symbols) -> Page[SymbolSummary]:
        """List the analysed symbols."""
        (after,) = paging.after(tuple[Text]) or ("",)
        async with unit_of_work.reading() as connection:
            rows = await SymbolAnalyticsRepository(connection).list_symbols(after=after, limit=paging.wanted)
        return paging.page(rows, SymbolSummary.of, lambda row: (row.symbol,))

    @router.get("/symbols/{symbol}", responses=refused(404) | still_held())
    async def get_symbol(
        symbol: SymbolText, held: Held, as_of: Day | None = None, known_at: Instant | None = None
    ) -> SymbolView:
        """Show a symbol as of the newest session on or before `as_of`."""
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            repository = SymbolAnalyticsRepository(connection)
            session = await repository.find_last_session(symbol, until=until, known_at=known_at)
            if session is None:
                known = "" if known_at is None else f", as known at {known_at.isoformat()}"
                raise Problem(404, f"{symbol} has not been analysed on or before {until}{known}")
            one = Slice((symbol,), session, session, known_at, limit=1)
            rows, loadings = await repository.list_factors(one), await repository.list_loadings(one)
            metrics = await repository.list_metrics(one)
        held.unless_held(_revisions(rows), loadings, _revisions(metrics))
        factors = factor_views(rows, loadings)
        of_metrics = SymbolMetrics.of(metrics[0]) if metrics else None
        return SymbolView(symbol=symbol, as_of=session, factors=factors[0], metrics=of_metrics)

    @router.get("/factors", responses=still_held())
    async def list_factors(
        selection: Annotated[Selection, made(Selection)], paging: Results, held: Held
    ) -> Page[SymbolFactors]:
        """List factor betas by as_of and symbol."""
        wanted = selection.slice(clock, paging.after(tuple[date, Text]), paging.wanted)
        async with unit_of_work.reading() as connection:
            repository = SymbolAnalyticsRepository(connection)
            rows, loadings = await repository.list_factors(wanted), await repository.list_loadings(wanted)
        held.unless_held(_revisions(rows), loadings)
        views, following = paging.cut(factor_views(rows, loadings), lambda view: (view.as_of, view.symbol))
        return Page(items=[*views], next=following)

    @router.get("/symbol-metrics", responses=still_held())
    async def list_metrics(
        selection: Annotated[Selection, made(Selection)], paging: Results, held: Held
    ) -> Page[SymbolMetrics]:
        """List daily metrics by as_of and symbol."""
        wanted = selection.slice(clock, paging.after(tuple[date, Text]), paging.wanted)
        async with unit_of_work.reading() as connection:
            rows = await SymbolAnalyticsRepository(connection).list_metrics(wanted)
        held.unless_held(_revisions(rows))
        return paging.page(rows, SymbolMetrics.of, lambda row: (row.as_of, row.symbol))

    return router


def _revisions(rows: Sequence[FactorRow] | Sequence[MetricsRow]) -> list[tuple[object, ...]]:
    return [(row.as_of, row.symbol, row.revision) for row in rows]

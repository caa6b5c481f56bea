"""How a portfolio did, over HTTP."""

import asyncio
from uuid import UUID

from fastapi import APIRouter

from services.portfolio.commands import lookup
from services.portfolio.storage.rate_repository import RateRepository
from services.portfolio.storage.snapshot_repository import SnapshotRepository
from services.portfolio.web.performance_views import Performance, RealisedPerformance
from services.portfolio.web.position_values import revisions_of
from shared.calendar import shift_session
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.openapi import refused
from shared.problems import Problem
from shared.selection import Day, Instant, Slice, check_range
from shared.validators import Held, still_held

MAX_SESSIONS = 10_000


def add_performance(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    """Add the routes of returns over windows."""

    @router.get("/portfolios/{portfolio_id}/performance", responses=refused(404) | still_held())
    async def get_performance(
        portfolio_id: UUID,
        held: Held,
        first: Day | None = None,
        last: Day | None = None,
        known_at: Instant | None = None,
    ) -> Performance:
        """Show time- and money-weighted return and drawdown from the close before `first` to that of `last`."""
        until = last or clock.now().date()
        if first is not None:
            check_range(first, until)
        async with unit_of_work.reading() as connection:
            portfolio = await lookup.get_portfolio(connection, portfolio_id)
            since = max(first or portfolio.opened_on, portfolio.opened_on)
            repository = SnapshotRepository(connection)
            window = Slice((portfolio_id,), since, until, known_at, limit=MAX_SESSIONS)
            snapshots = await repository.list_snapshots(window)
            if not snapshots:
                raise Problem(404, f"portfolio {portfolio_id} has no snapshot from {since} to {until}")
            eve = shift_session(snapshots[0].as_of, -1)
            before = await repository.list_snapshots(Slice((portfolio_id,), eve, eve, known_at, limit=1))
        held.unless_held(portfolio, revisions_of([*before, *snapshots]))
        # A money-weighted return is searched for.
        return await asyncio.to_thread(Performance.of, portfolio, snapshots, before[0] if before else None)

    @router.get("/portfolios/{portfolio_id}/realised", responses=refused(404) | still_held())
    async def get_realised_performance(
        portfolio_id: UUID, held: Held, as_of: Day | None = None, known_at: Instant | None = None
    ) -> RealisedPerformance:
        """Show what the daily returns that were say: 1M, 3M, 6M, YTD, 1Y and since inception."""
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            portfolio = await lookup.get_portfolio(connection, portfolio_id)
            whole = Slice((portfolio_id,), portfolio.opened_on, until, known_at, limit=MAX_SESSIONS)
            snapshots = await SnapshotRepository(connection).list_snapshots(whole)
            quoted = await RateRepository(connection).load_rates(until)
        if not snapshots:
            raise Problem(404, f"portfolio {portfolio_id} has no snapshot on or before {until}")
        held.unless_held(portfolio, revisions_of(snapshots), quoted and (quoted.days.tobytes(), quoted.rates.tobytes()))
        return await asyncio.to_thread(RealisedPerformance.of, portfolio, snapshots, quoted)

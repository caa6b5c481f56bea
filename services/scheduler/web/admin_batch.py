"""Batches as administrators know them: a run of everything or of a portfolio asked for, and the one under way.

Views of what runs, their log and the readiness of portfolios say: nothing is kept for them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.scheduler.commands.errors import UnknownRun
from services.scheduler.commands.open_run import RunRequest
from services.scheduler.commands.request_run import request_run
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.repository import RunFilter, SchedulerRepository, StoredRun
from services.scheduler.web.batch_views import BatchStarted, Idle, ProfilesStarted, Running, Started, TagsStarted
from services.scheduler.web.problems import unknown_portfolio
from shared.calendar import session_on_or_after, session_on_or_before
from shared.clock import SessionClock
from shared.contracts.run import RunKind
from shared.contracts.scheduler import RunStatus
from shared.db.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.openapi import refused
from shared.problems import Problem
from shared.selection import Day

OfPortfolio = Annotated[UUID | None, Query(description="of one portfolio; none: of all")]
_BY = "admin"


def build_router(unit_of_work: UnitOfWorkFactory, clock: SessionClock, settings: SchedulerSettings) -> APIRouter:
    """Return the routes that ask for batches."""
    router = APIRouter(prefix="/admin/batch")
    asking = Asking(clock, settings)
    _add_run(router, unit_of_work, asking)
    _add_triggers(router, unit_of_work, asking)
    return router


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks for runs that several routes ask for."""

    clock: SessionClock
    settings: SchedulerSettings

    async def ask(
        self,
        uow: UnitOfWork,
        symbols: tuple[str, ...] | None,
        portfolio_ids: tuple[UUID, ...] | None,
        sessions: tuple[date, date] | None = None,
        *,
        beside: bool = False,
    ) -> tuple[StoredRun, bool]:
        """Ask for a run, without sessions over the last closed one; return it and whether it is new."""
        newest = self.clock.last_closed_session()
        first, last = sessions or (newest, newest)
        request = RunRequest(RunKind.ON_DEMAND, first, last, symbols, portfolio_ids, _BY)
        run_id, is_new = await request_run(request, uow, newest=newest, settings=self.settings, beside=beside)
        stored = await SchedulerRepository(uow.connection).find_run(run_id)
        if stored is None:
            raise UnknownRun(run_id)
        return stored, is_new

    def sessions(self, start_date: date | None, end_date: date | None, *, force_rerun: bool) -> tuple[date, date]:
        """Return the first and last session of a range of days; without one, the last closed session.

        Raises
        ------
        Problem
            400 where the dates and `force_rerun` don't go together; 422 where no session lies between them.
        """
        newest = self.clock.last_closed_session()
        if not force_rerun:
            if start_date or end_date:
                raise Problem(400, "start_date and end_date go with force_rerun=true only")
            return newest, newest
        if start_date is None:
            raise Problem(400, "force_rerun needs a start_date")
        first, last = session_on_or_after(start_date), session_on_or_before(min(end_date or newest, newest))
        if first > last:
            raise Problem.of_field("query.start_date", f"must not be after {last}, was {first}")
        return first, last


def _add_run(router: APIRouter, unit_of_work: UnitOfWorkFactory, asking: Asking) -> None:
    @router.post("/run", responses=refused(400, 409))
    async def run_batch(
        portfolio_id: OfPortfolio = None,
        force: Annotated[bool, Query(description="beside a run that computes some of the same")] = False,
        force_rerun: Annotated[bool, Query(description="compute the sessions from `start_date` on again")] = False,
        start_date: Annotated[Day | None, Query(description="with force_rerun: the first day")] = None,
        end_date: Annotated[Day | None, Query(description="with force_rerun: the last day; none: the newest")] = None,
    ) -> BatchStarted:
        """Compute a portfolio or all of them, prices first: the last closed session, or with force_rerun a range.

        The same run under way is joined; where another one would compute some of the same, that is a conflict (409),
        unless it is forced.
        """
        sessions = asking.sessions(start_date, end_date, force_rerun=force_rerun)
        async with unit_of_work() as uow:
            stored, is_new = await asking.ask(uow, None, only(portfolio_id), sessions, beside=force)
        return BatchStarted.of(
            stored,
            "the run has been asked for" if is_new else "the same run is under way",
            is_new=is_new,
            now=asking.clock.now(),
            portfolio_id=portfolio_id or "all",
            force_rerun=force_rerun,
            date_range={"start": stored.run.first_session, "end": stored.run.last_session},
        )

    @router.get("/run/current")
    async def get_current_run() -> Running | Idle:
        """Show the run under way that was asked for last, or that there is none."""
        async with unit_of_work.reading() as connection:
            repository = SchedulerRepository(connection)
            active = await repository.list_runs(RunFilter(status=RunStatus.ACTIVE), limit=1)
            if not active:
                return Idle()
            tallies = await repository.load_tallies(active[0].run.run_id)
        return Running.of(active[0], tallies, asking.clock.now())


def _add_triggers(router: APIRouter, unit_of_work: UnitOfWorkFactory, asking: Asking) -> None:
    @router.post("/trigger/market-data", responses=refused(409))
    async def trigger_market_data() -> Started:
        """Fetch what is missing of every watched symbol at the last closed session, and analyse the symbols."""
        async with unit_of_work() as uow:
            stored, is_new = await asking.ask(uow, None, ())
        return Started.of(stored, "market data of every symbol", is_new=is_new, now=asking.clock.now())

    @router.post("/trigger/correlations", responses=refused(409))
    async def trigger_correlations(portfolio_id: OfPortfolio = None) -> Started:
        """Compute the correlations of a portfolio or of all again, at the last closed session.

        They are part of the assessment of a portfolio: it is valued and assessed from the prices that are stored.
        """
        async with unit_of_work() as uow:
            stored, is_new = await asking.ask(uow, (), only(portfolio_id))
        return Started.of(stored, "correlations, with the assessment", is_new=is_new, now=asking.clock.now())

    @router.post("/trigger/company-profiles", responses=refused(409))
    async def trigger_company_profiles() -> ProfilesStarted:
        """Ask the providers for company profiles again that are not fresh; prices that are missing come with them."""
        async with unit_of_work() as uow:
            stored, is_new = await asking.ask(uow, None, ())
        return ProfilesStarted.of(
            stored,
            "company profiles of every symbol",
            is_new=is_new,
            now=asking.clock.now(),
            info="a profile that is still fresh is not asked for again",
        )

    @router.post("/restore-sector-tags", responses=refused(404, 409))
    async def restore_sector_tags(portfolio_id: OfPortfolio = None) -> TagsStarted:
        """Give the positions of a portfolio or of all the sectors of the newest company profiles.

        The sector of a position is computed with its value: the portfolios are valued and assessed again at the last
        closed session, from the prices that are stored.
        """
        async with unit_of_work() as uow:
            books = await BookRepository(uow.connection).load_books(only(portfolio_id))
            if portfolio_id is not None and not books:
                raise unknown_portfolio(portfolio_id)
            stored, is_new = await asking.ask(uow, (), only(portfolio_id))
        return TagsStarted.of(
            stored,
            "sectors, with the values of positions",
            is_new=is_new,
            now=asking.clock.now(),
            portfolios_processed=len(books),
            total_portfolios=len(books),
            positions_tagged=None,
            positions_skipped=None,
            tags_created=0,
        )


def only(portfolio_id: UUID | None) -> tuple[UUID, ...] | None:
    """Return the portfolios of a run: one, or all."""
    return None if portfolio_id is None else (portfolio_id,)

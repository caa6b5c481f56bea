"""market_data over HTTP: bars, profiles, statements, coverage, and what was wrong with the data."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from services.market_data.commands.name_share import name_share, weigh_name, withdraw_name
from services.market_data.commands.rule_on_bar import rule_on_bar, weigh_ruling
from services.market_data.core.plans import Plan
from services.market_data.core.rates import SeriesName
from services.market_data.core.window import planning_window
from services.market_data.providers.chain import ProviderChain
from services.market_data.storage.absence_repository import AbsenceRepository
from services.market_data.storage.action_repository import ActionRepository
from services.market_data.storage.attempt_repository import AttemptRepository
from services.market_data.storage.fundamentals_repository import FundamentalsRepository
from services.market_data.storage.identifier_repository import IdentifierRepository
from services.market_data.storage.interest_repository import InterestRepository
from services.market_data.storage.judgement_repository import JudgementRepository
from services.market_data.storage.profile_repository import ProfileRepository
from services.market_data.storage.rate_repository import RateRepository
from services.market_data.storage.repository import MarketDataRepository
from services.market_data.storage.request_repository import RequestCount, RequestRepository
from services.market_data.storage.universe_repository import UniverseRepository
from services.market_data.storage.vendor_repository import VendorRepository
from services.market_data.updating.planning import estimate_requests, plan_shards
from services.market_data.web.bodies import (
    AbsenceSelection,
    ActionBody,
    AskAgainBody,
    FindingSelection,
    FundamentalsSelection,
    IdentifierBody,
    RulingBody,
    UniverseBody,
    WithdrawalBody,
)
from services.market_data.web.vendor_views import AbsenceView, RunRequestsView, TriedView, VendorStand, VendorView
from services.market_data.web.views import (
    ActionView,
    BarView,
    ConstituentView,
    CoverageView,
    FindingCountsView,
    FindingView,
    FundamentalsView,
    IdentifierView,
    InterestView,
    NamedView,
    PricesView,
    ProfileView,
    RateView,
    RulingAnswer,
    RulingView,
    SourceView,
    StatementView,
    UniverseView,
)
from shared.calendar import FIRST_SESSION
from shared.clock import Clock, SystemClock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.factor_set import FactorSet
from shared.openapi import refused
from shared.pages import Page, Paging, Place, Text, paged
from shared.problems import Problem
from shared.selection import Day, check_range
from shared.symbols import SymbolText

A_MONTH = timedelta(days=31)
Series = Annotated[SeriesName, Path(description="three-month or ten-year Treasuries, under FRED's name")]
Many = Annotated[Paging, paged(1000, most=10_000)]
Asked = Annotated[list[SymbolText], Query(min_length=1, max_length=200, description="repeat for several")]
UniverseName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,40}$", description="of an index, such as SP500")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="of an entry, as the list has it")]
AtOnce = Annotated[Paging, paged(200, most=200)]


def build_router(
    unit_of_work: UnitOfWorkFactory,
    clock: Clock,
    chain: ProviderChain,
    plans: Mapping[str, Plan],
    factor_set: FactorSet,
) -> APIRouter:
    """Return the routes of market_data."""
    router = APIRouter()

    @router.get("/prices/{symbol}")
    async def get_prices(
        symbol: SymbolText, paging: Many, first: Day | None = None, last: Day | None = None
    ) -> PricesView:
        """List a symbol's bars from `first` to `last`, the oldest first."""
        since, until = first or FIRST_SESSION, last or clock.now().date()
        check_range(since, until)
        async with unit_of_work.reading() as connection:
            repository = MarketDataRepository(connection)
            rows = await repository.list_bars(symbol, first=_next_day(paging) or since, last=until, limit=paging.wanted)
        bars, following = paging.cut(rows, lambda row: (row.session,))
        return PricesView(symbol=symbol, items=[BarView(**row._asdict()) for row in bars], next=following)

    @router.get("/profiles/{symbol}", responses=refused(404))
    async def get_profile(symbol: SymbolText) -> ProfileView:
        """Show what is known about a symbol."""
        async with unit_of_work.reading() as connection:
            found = (await ProfileRepository(connection).load_profiles([symbol])).get(symbol)
        if found is None:
            raise Problem(404, f"no provider has given a profile of {symbol}")
        return ProfileView(
            profile=found.facts, source=found.source, fetched_at=found.fetched_at, origins=dict(found.origins)
        )

    @router.get("/fundamentals/{symbol}", responses=refused(404))
    async def get_fundamentals(
        symbol: SymbolText, selection: Annotated[FundamentalsSelection, Depends()], paging: Many
    ) -> FundamentalsView:
        """List the periods of a statement of a company, the oldest first."""
        wanted = selection.slice(symbol, since=_next_day(paging), limit=paging.wanted)
        async with unit_of_work.reading() as connection:
            if not await MarketDataRepository(connection).load_symbol_ids([symbol]):
                raise Problem(404, f"{symbol} is not watched")
            rows = await FundamentalsRepository(connection).list_statements(wanted)
        periods, following = paging.cut(rows, lambda row: (row.period_end,))
        return FundamentalsView(
            symbol=symbol,
            statement=selection.statement,
            frequency=selection.frequency,
            items=[StatementView.of(row) for row in periods],
            next=following,
        )

    @router.get("/coverage")
    async def list_coverage(paging: Many) -> Page[CoverageView]:
        """List the watched symbols."""
        (after,) = paging.after(tuple[Text]) or ("",)
        async with unit_of_work.reading() as connection:
            rows = await MarketDataRepository(connection).list_coverage(after=after, limit=paging.wanted)
        return paging.page(rows, CoverageView.of, lambda row: (row.symbol,))

    _add_series(router, unit_of_work, clock)
    _add_sources(router, unit_of_work, clock, chain)
    _add_asking(router, unit_of_work, clock, plans)
    _add_absences(router, unit_of_work)
    _add_requests(router, unit_of_work, chain, plans, factor_set)
    _add_findings(router, unit_of_work)
    _add_rulings(router, unit_of_work)
    _add_identifiers(router, unit_of_work)
    _add_actions(router, unit_of_work)
    _add_universes(router, unit_of_work, clock)
    return router


def _add_series(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    @router.get("/rates/{series}")
    async def list_rates(
        series: Series, paging: Many, first: Day | None = None, last: Day | None = None
    ) -> Page[RateView]:
        """List the rates of a series from `first` to `last`, the oldest first."""
        since, until = first or FIRST_SESSION, last or clock.now().date()
        check_range(since, until)
        async with unit_of_work.reading() as connection:
            rows = await RateRepository(connection).list_rates(
                series, first=_next_day(paging) or since, last=until, limit=paging.wanted
            )
        return paging.page(rows, RateView.of, lambda row: (row.day,))

    @router.get("/open-interest/{symbol}")
    async def list_open_interest(
        symbol: SymbolText, paging: Many, first: Day | None = None, last: Day | None = None
    ) -> Page[InterestView]:
        """List how many contracts of an option were open at the end of sessions, the oldest first."""
        since, until = first or FIRST_SESSION, last or clock.now().date()
        check_range(since, until)
        async with unit_of_work.reading() as connection:
            rows = await InterestRepository(connection).list_open_interest(
                symbol, first=_next_day(paging) or since, last=until, limit=paging.wanted
            )
        return paging.page(rows, InterestView.of, lambda row: (row.session,))


def _add_sources(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock, chain: ProviderChain) -> None:
    @router.get("/sources")
    async def list_sources(
        symbol: Asked, paging: AtOnce, first: Day | None = None, last: Day | None = None
    ) -> Page[SourceView]:
        """Say who has prices of symbols from a month before `first` to `last`; without them, of the last month.

        Providers are asked for those that have no bar then, but for one whose list of what was traded is kept.
        """
        until = last or clock.now().date()
        check_range(first or until, until)
        (after,) = paging.after(tuple[Text]) or ("",)
        wanted = [name for name in sorted(set(symbol)) if name > after]
        names, following = paging.cut(wanted[: paging.wanted], lambda name: (name,))
        since = (first or until) - A_MONTH
        async with unit_of_work.reading() as connection:
            stored = await MarketDataRepository(connection).load_sources(names, first=since, last=until)
        new = [name for name in names if name not in stored]
        found = {**stored, **(await chain.find_sources(new, since, until) if new else {})}
        return Page(items=[SourceView.of(name, found[name]) for name in names], next=following)


def _add_asking(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock, plans: Mapping[str, Plan]) -> None:
    @router.get("/attempts/{symbol}")
    async def list_attempts(symbol: SymbolText, paging: Many, as_of: Day | None = None) -> Page[TriedView]:
        """List who was asked for a symbol in vain and what each said, for the newest session up to `as_of`.

        By kind and in the order in which they were asked; nothing where the first one had what was asked for.
        """
        after = paging.after(tuple[Text, Place]) or ("", 0)
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            repository = AttemptRepository(connection)
            rows = await repository.list_attempts(symbol, until, after=after, limit=paging.wanted)
        return paging.page(rows, TriedView.of, lambda row: (row.kind, row.place))

    @router.get("/vendors")
    async def list_vendors(paging: Many) -> Page[VendorView]:
        """List the vendors of the chain: what their plans allow, what was asked of them, and how they answer."""
        (after,) = paging.after(tuple[Text]) or ("",)
        now = SystemClock().now()
        async with unit_of_work.reading() as connection:
            repository = VendorRepository(connection)
            windows, breakers = await repository.list_windows(), await repository.list_breakers()
            absences = await AbsenceRepository(connection).count_waiting(clock.now())
        stand = VendorStand(windows, breakers, absences)
        names = [name for name in sorted(plans) if name > after][: paging.wanted]
        return paging.page(names, lambda name: VendorView.of(name, plans[name], stand, now), lambda name: (name,))


def _add_absences(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/absences")
    async def list_absences(paging: Many, selection: Annotated[AbsenceSelection, Depends()]) -> Page[AbsenceView]:
        """List what vendors have said that they do not have, and when they are asked again, by symbol."""
        after = paging.after(tuple[Text, Text, Text]) or ("", "", "")
        only = selection.filter()
        async with unit_of_work.reading() as connection:
            rows = await AbsenceRepository(connection).list_absences(only, after=after, limit=paging.wanted)
        return paging.page(rows, AbsenceView.of, lambda row: (row.symbol, row.kind, row.vendor))

    @router.post("/absences/forgotten")
    async def forget_absences(body: AskAgainBody) -> list[AbsenceView]:
        """Forget what vendors have said that they do not have, and return it: the next run asks again."""
        async with unit_of_work() as uow:
            forgotten = await AbsenceRepository(uow.connection).forget_absences(body.filter())
        return [AbsenceView.of(row) for row in forgotten]


def _add_requests(
    router: APIRouter,
    unit_of_work: UnitOfWorkFactory,
    chain: ProviderChain,
    plans: Mapping[str, Plan],
    factor_set: FactorSet,
) -> None:
    @router.get("/vendors/requests")
    async def count_requests(run_id: UUID) -> RunRequestsView:
        """Count what a run has asked of each vendor, beside what it was to."""
        async with unit_of_work.reading() as connection:
            return RunRequestsView.of(await RequestRepository(connection).list_requests(run_id))

    @router.get("/vendors/estimate")
    async def estimate_run(first: Day, last: Day) -> RunRequestsView:
        """Say what a run of every watched symbol from `first` to `last` would ask of the vendors, and ask nothing."""
        check_range(first, last)
        window = planning_window(first, last)
        async with unit_of_work.reading() as connection:
            scope = await MarketDataRepository(connection).list_symbols()
            planned = await plan_shards(connection, chain, scope, factor_set, window=window, first_session=first)
            estimates = await estimate_requests(planned, connection, chain, plans, until=last)
        return RunRequestsView.of([RequestCount(vendor, count, 0) for vendor, count in sorted(estimates.items())])


def _add_findings(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/findings")
    async def list_findings(paging: Many, selection: Annotated[FindingSelection, Depends()]) -> Page[FindingView]:
        """List what was wrong with delivered data, in the order in which it was found.

        About one symbol, by one rule, found first by one run where these are given.
        """
        (after,) = paging.after(tuple[Place]) or (0,)
        only = selection.filter()
        async with unit_of_work.reading() as connection:
            rows = await MarketDataRepository(connection).list_findings(only, after=after, limit=paging.wanted)
        return paging.page(rows, FindingView.of, lambda row: (row.finding_id,))

    @router.get("/findings/counts")
    async def count_findings(run_id: UUID) -> FindingCountsView:
        """Count what a run found wrong first, by rule."""
        async with unit_of_work.reading() as connection:
            return FindingCountsView.of(await MarketDataRepository(connection).count_findings(run_id))


def _add_rulings(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.post("/findings/rulings", responses=refused(404))
    async def decide(body: RulingBody) -> RulingAnswer:
        """Decide about a held close, or about a split that was inferred or not used, and say which bars that changes.

        The next run over the symbol applies it, and announces what changes as a correction; a dry run keeps nothing.
        """
        request = body.request()
        if body.dry_run:
            async with unit_of_work.reading() as connection:
                return RulingAnswer.of(request, await weigh_ruling(request, connection), stored=False)
        async with unit_of_work() as uow:
            return RulingAnswer.of(request, await rule_on_bar(request, uow.connection), stored=True)

    @router.get("/findings/rulings")
    async def list_rulings(paging: Many, symbol: SymbolText | None = None) -> Page[RulingView]:
        """List what was decided about bars, by whom and why, in the order in which it was."""
        (after,) = paging.after(tuple[Place]) or (0,)
        async with unit_of_work.reading() as connection:
            rows = await JudgementRepository(connection).list_rulings(symbol, after=after, limit=paging.wanted)
        return paging.page(rows, RulingView.of, lambda row: (row.ruling_id,))


def _add_identifiers(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/identifiers")
    async def list_identifiers(paging: Many, symbol: SymbolText | None = None) -> Page[IdentifierView]:
        """List what shares are called, by whom and when: renames, and spellings of vendors.

        Of one share under any of its names; also what was taken back, in the order in which it was said.
        """
        (after,) = paging.after(tuple[Place]) or (0,)
        async with unit_of_work.reading() as connection:
            repository = IdentifierRepository(connection)
            rows = await repository.list_identifiers(symbol, after=after, limit=paging.wanted)
        return paging.page(rows, IdentifierView.of, lambda row: (row.identifier_id,))

    @router.post("/identifiers", responses=refused(409))
    async def add_identifier(body: IdentifierBody) -> NamedView:
        """Say what a share is called: from the next run on it is asked for so, and its whole history counts as open."""
        naming = body.naming()
        if body.dry_run:
            async with unit_of_work.reading() as connection:
                return NamedView(identifier=None, symbols=list(await weigh_name(naming, connection)))
        async with unit_of_work() as uow:
            row, symbols = await name_share(naming, uow.connection)
        return NamedView(identifier=IdentifierView.of(row), symbols=list(symbols))

    @router.post("/identifiers/{identifier_id}/withdraw", responses=refused(404))
    async def withdraw_identifier(identifier_id: Number, body: WithdrawalBody) -> IdentifierView:
        """Take back what a share is called; a vendor that tells it again is not believed."""
        async with unit_of_work() as uow:
            row = await withdraw_name(identifier_id, by=body.requested_by, connection=uow.connection)
        return IdentifierView.of(row)


def _add_actions(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("/corporate-actions/{symbol}")
    async def list_actions(symbol: SymbolText, paging: Many) -> Page[ActionView]:
        """List what a company did to its shares, the oldest first: as vendors tell it, else as its bars show it."""
        (after,) = paging.after(tuple[Place]) or (0,)
        async with unit_of_work.reading() as connection:
            rows = await ActionRepository(connection).list_actions(symbol, after=after, limit=paging.wanted)
        return paging.page(rows, ActionView.of, lambda row: (row.place,))

    @router.post("/corporate-actions")
    async def add_action(body: ActionBody) -> ActionView:
        """Enter a spin-off or a merger: runs over its day make a finding of it, and change no book."""
        async with unit_of_work() as uow:
            repository, action = ActionRepository(uow.connection), body.action()
            await repository.store_actions([action], source="operator", why=body.why)
            return ActionView.of(await repository.get_action(action))


def _add_universes(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    @router.get("/universes")
    async def list_universes(paging: Many) -> Page[UniverseView]:
        """List the indices whose constituents are loaded, and from which days on."""
        after = paging.after(tuple[Text, Day]) or ("", date.min)
        async with unit_of_work.reading() as connection:
            rows = await UniverseRepository(connection).list_universes(after=after, limit=paging.wanted)
        return paging.page(rows, UniverseView.of, lambda row: (row.universe, row.as_of))

    @router.get("/universes/{name}")
    async def list_constituents(name: UniverseName, paging: Many, as_of: Day | None = None) -> Page[ConstituentView]:
        """List the constituents of an index: of the newest list up to `as_of`, by symbol."""
        (after,) = paging.after(tuple[Text]) or ("",)
        async with unit_of_work.reading() as connection:
            repository, until = UniverseRepository(connection), as_of or clock.now().date()
            rows = await repository.list_constituents(name, until, after=after, limit=paging.wanted)
        return paging.page(rows, ConstituentView.of, lambda row: (row.symbol,))

    @router.put("/universes/{name}")
    async def load_universe(name: UniverseName, body: UniverseBody) -> UniverseView:
        """Load what an index is made of from a day on, whole or not at all; its symbols are watched from now on."""
        if not body.dry_run:
            async with unit_of_work() as uow:
                await UniverseRepository(uow.connection).store_constituents(
                    name, body.as_of, body.weights, loaded_at=clock.now()
                )
        return UniverseView(universe=name, as_of=body.as_of, symbols=len(body.weights), stored=not body.dry_run)


def _next_day(paging: Paging) -> date | None:
    after = paging.after(tuple[Day])
    return None if after is None else after[0] + timedelta(days=1)

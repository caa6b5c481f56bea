"""market_data over HTTP: bars, profiles, coverage, and what was wrong with the data."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from services.market_data.core.findings import Rule
from services.market_data.core.profile_merge import Origin
from services.market_data.profile_repository import ProfileRepository
from services.market_data.repository import MarketDataRepository
from shared.calendar import FIRST_SESSION
from shared.clock import Clock
from shared.contracts.run import SYMBOL_PATTERN
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.problems import Problem
from shared.profile import ProfileFacts

Limit = Annotated[int, Query(ge=1, le=10_000)]
SymbolPath = Annotated[str, Path(pattern=SYMBOL_PATTERN)]


class BarView(BaseModel):
    """A bar: as-traded close, total-return adjusted close, and where they come from."""

    session: date
    close: float
    adjusted: float
    open: float | None
    high: float | None
    low: float | None
    volume: float | None
    split: float
    dividend: float
    source: str
    fetched_at: datetime


class PricesView(BaseModel):
    """A symbol's bars, oldest first."""

    symbol: str
    bars: list[BarView]


class ProfileView(BaseModel):
    """What is known about a symbol, and from whom."""

    profile: ProfileFacts
    source: str
    fetched_at: datetime
    origins: dict[str, Origin] = Field(description="fact -> who gave it and when; else as the profile")


class CoverageView(BaseModel):
    """How much of a symbol is stored, and why it may be nothing."""

    symbol: str
    bars: int
    first_session: date | None
    last_session: date | None
    checked_first: date | None
    checked_through: date | None
    unavailable_reason: str | None
    unavailable_detail: str | None


class FindingView(BaseModel):
    """A row, or a field of it, that was set aside: which, by which rule, and where it stands."""

    finding_id: int
    provider: str
    rule: Rule
    symbol: str | None
    day: date | None
    file: str | None
    line: int | None
    detail: str
    run_id: UUID
    found_at: datetime


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
        return PricesView(symbol=symbol, bars=[BarView(**row._mapping) for row in rows])

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

    @router.get("/coverage")
    async def list_coverage(after: str = "", limit: Limit = 1000) -> list[CoverageView]:
        """List the watched symbols; page on with the last symbol as `after`."""
        async with unit_of_work.reading() as connection:
            rows = await MarketDataRepository(connection).list_coverage(after=after, limit=limit)
        return [CoverageView(**row._mapping) for row in rows]

    @router.get("/findings")
    async def list_findings(
        symbol: str | None = None, rule: Rule | None = None, after: int = 0, limit: Limit = 1000
    ) -> list[FindingView]:
        """List what was wrong with delivered data; page on with the last `finding_id` as `after`."""
        async with unit_of_work.reading() as connection:
            repository = MarketDataRepository(connection)
            rows = await repository.list_findings(symbol=symbol, rule=rule, after=after, limit=limit)
        return [FindingView(**row._mapping) for row in rows]

    return router

"""market_data over HTTP: bars, profiles, statements, coverage, and what was wrong with the data."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from services.market_data.core.findings import Rule
from services.market_data.core.profile_merge import Origin
from services.market_data.storage.fundamentals_repository import FundamentalsRepository, StatementSlice
from services.market_data.storage.profile_repository import ProfileRepository
from services.market_data.storage.repository import MarketDataRepository
from shared.calendar import FIRST_SESSION
from shared.clock import Clock
from shared.contracts.run import SYMBOL_PATTERN
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.fundamentals import ITEMS
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


class StatementView(BaseModel):
    """One reported period of a statement, as last revised."""

    period_end: date
    revision: int
    known_at: datetime
    published_on: date | None
    counts_from: date = Field(description="the first day that may use it")
    currency: str | None
    fiscal_year: int | None
    fiscal_quarter: int | None
    items: dict[str, float | None] = Field(description="null: not known")
    derived: list[str] = Field(description="the items that follow from others, the provider did not give them")
    source: str
    fetched_at: datetime
    digest: str


class FundamentalsView(BaseModel):
    """The periods of one statement of a company, oldest first."""

    symbol: str
    statement: str
    frequency: str
    periods: list[StatementView]


class FundamentalsSelection(BaseModel):
    """Which statement, quarterly or annual, which periods by their last day, and as it was known when."""

    statement: Literal["income", "balance", "cash_flow"]
    frequency: Literal["quarterly", "annual"] = "quarterly"
    first: date = date.min
    last: date = date.max
    known_at: AwareDatetime | None = None
    limit: int = Field(default=1000, ge=1, le=10_000)


class CoverageView(BaseModel):
    """How much of a symbol is stored, why it may be nothing, and when its company was last asked about."""

    symbol: str
    bars: int
    first_session: date | None
    last_session: date | None
    checked_first: date | None
    checked_through: date | None
    unavailable_reason: str | None
    unavailable_detail: str | None
    profile_fetched_at: datetime | None
    fundamentals_fetched_at: datetime | None


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
            periods=_statements(selection.statement, rows),
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


def _statements(statement: str, rows: Sequence[Any]) -> list[StatementView]:
    views = []
    for row in rows:
        entry = row._asdict() | {"digest": row.digest.hex()}
        items = {name: entry.pop(name) for name in ITEMS[statement]}
        views.append(StatementView(**entry, items=items))
    return views

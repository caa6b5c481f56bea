"""symbol_analytics over HTTP: factor betas and daily metrics by as_of, of one symbol or of many."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from services.symbol_analytics.core.measures import FROM_PRICES, METRICS, RATIOS
from services.symbol_analytics.storage.repository import SymbolAnalyticsRepository
from services.symbol_analytics.storage.rows import FACTOR_COLUMNS
from shared.clock import Clock
from shared.contracts.event import Measure
from shared.contracts.run import SYMBOL_PATTERN
from shared.conventions import FACTORS
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.problems import Problem
from shared.selection import SessionSelection, Slice

Limit = Annotated[int, Query(ge=1, le=5_000, description="symbols a page")]
SymbolPath = Annotated[str, Path(pattern=SYMBOL_PATTERN)]


class Selection(SessionSelection):
    """Which results to list, and where the page begins."""

    symbol: list[str] | None = Field(default=None, description="repeat for several; none: all")
    after_symbol: str = ""
    limit: int = Field(default=500, ge=1, le=5_000, description="symbols a page")

    def slice(self, clock: Clock) -> Slice[str]:
        """Return the selection for the repository."""
        return self.slice_of(self.symbol, clock, after=self.after_symbol, limit=self.limit)


class FactorView(BaseModel):
    """A factor beta, or why there is none, with the evidence behind it."""

    factor: str
    beta: Measure
    method: str
    capped: bool
    r_squared: float | None
    std_error: float | None
    p_value: float | None
    n_observations: int
    first_session: date | None
    last_session: date | None
    source: str | None = Field(description="the provider that gave the beta; none: estimated here")
    source_date: date | None = Field(description="of when the provider's beta is, as far as it says")


class Trail(BaseModel):
    """Whose numbers they are, and which inputs and version of the code they come from."""

    symbol: str
    as_of: date
    revision: int
    known_at: datetime
    digest: str = Field(description="of everything that the numbers were computed from")
    code_version: int


class SymbolFactors(Trail):
    """The factor betas of a symbol as of a session."""

    factor_set: dict[str, str | None]
    factors: list[FactorView]


class MetricView(Measure):
    """A metric, or why there is none, and what it was measured from."""

    n_observations: int | None = Field(
        default=None, description="closes of a return, returns of a volatility, also where they were too few"
    )
    first_session: date | None = Field(default=None, description="a return's base, or a volatility's first return")
    last_session: date | None = None
    basis: str | None = Field(
        default=None,
        description="of a ratio: ttm (sum of four quarters), quarterly, annual, profile (as the provider has it) or "
        "profile_shares (its number of shares at our close)",
    )
    period_end: date | None = Field(default=None, description="of a ratio: of the statement or the profile's figure")


class SymbolMetrics(Trail):
    """The daily metrics of a symbol as of a session, and beside them the betas that its factors have, by factor."""

    metrics: dict[str, MetricView]
    betas: dict[str, Measure]


class SymbolView(BaseModel):
    """A symbol as of a session: its factors and its metrics."""

    symbol: str
    as_of: date
    factors: SymbolFactors
    metrics: SymbolMetrics | None


class SymbolSummary(BaseModel):
    """An analysed symbol and its newest session."""

    symbol: str
    last_as_of: date


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
    async def get_symbol(symbol: SymbolPath, as_of: date | None = None, known_at: datetime | None = None) -> SymbolView:
        """Show a symbol as of the newest session on or before `as_of`."""
        until = as_of or clock.now().date()
        async with unit_of_work.reading() as connection:
            repository = SymbolAnalyticsRepository(connection)
            session = await repository.find_last_session(symbol, until=until)
            if session is None:
                raise Problem(404, f"{symbol} has not been analysed on or before {until}")
            one = Slice((symbol,), session, session, known_at, limit=1)
            factors = _symbol_factors(await repository.list_factors(one))
            metrics = _symbol_metrics(await repository.list_metrics(one))
        if not factors:
            raise Problem(404, f"nothing was known of {symbol} as of {session} at {known_at}")
        return SymbolView(symbol=symbol, as_of=session, factors=factors[0], metrics=metrics[0] if metrics else None)

    @router.get("/factors")
    async def list_factors(selection: Annotated[Selection, Query()]) -> list[SymbolFactors]:
        """List factor betas by as_of and symbol; page on with the last entry's as `after_as_of` and `after_symbol`."""
        async with unit_of_work.reading() as connection:
            rows = await SymbolAnalyticsRepository(connection).list_factors(selection.slice(clock))
        return _symbol_factors(rows)

    @router.get("/metrics")
    async def list_metrics(selection: Annotated[Selection, Query()]) -> list[SymbolMetrics]:
        """List daily metrics by as_of and symbol; page on with the last entry's as `after_as_of` and `after_symbol`."""
        async with unit_of_work.reading() as connection:
            rows = await SymbolAnalyticsRepository(connection).list_metrics(selection.slice(clock))
        return _symbol_metrics(rows)

    return router


def _symbol_factors(rows: Sequence[Any]) -> list[SymbolFactors]:
    views = []
    for _, group in groupby(rows, key=lambda row: (row.as_of, row.symbol)):
        entries = list(group)
        newest = max(entries, key=lambda row: row.revision)
        views.append(
            SymbolFactors(**_trail(newest), factor_set=newest.factor_set, factors=[_factor(row) for row in entries])
        )
    return views


def _trail(row: Any) -> dict[str, Any]:
    return {**{name: getattr(row, name) for name in Trail.model_fields}, "digest": row.digest.hex()}


def _factor(row: Any) -> FactorView:
    return FactorView(
        factor=row.factor,
        beta=Measure(value=row.beta, reason=row.reason, detail=row.detail),
        method=row.method,
        capped=row.capped,
        r_squared=row.r_squared,
        std_error=row.std_error,
        p_value=row.p_value,
        n_observations=row.n_observations,
        first_session=row.first_session,
        last_session=row.last_session,
        source=row.source,
        source_date=row.source_date,
    )


def _symbol_metrics(rows: Sequence[Any]) -> list[SymbolMetrics]:
    return [
        SymbolMetrics(
            **_trail(row),
            metrics={name: MetricView(**_cell(row, name), **_measured_from(row, name)) for name in METRICS},
            betas={
                factor: Measure(**_cell(row, column)) for factor, column in zip(FACTORS, FACTOR_COLUMNS, strict=True)
            },
        )
        for row in rows
    ]


def _cell(row: Any, name: str) -> dict[str, Any]:
    value = getattr(row, name)
    if value is not None:
        return {"value": value}
    reason, detail = row.unavailable[name]
    return {"reason": reason, "detail": detail}


def _measured_from(row: Any, name: str) -> dict[str, Any]:
    if name in RATIOS:
        return {part: getattr(row, f"{name}_{part}") for part in ("basis", "period_end")}
    if row.first_sessions is None:  # stored before they were
        return {}
    place = FROM_PRICES.index(name)
    first = row.first_sessions[place]
    last = row.as_of if first else None
    return {"n_observations": row.n_observations[place], "first_session": first, "last_session": last}

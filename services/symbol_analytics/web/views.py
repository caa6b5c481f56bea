"""What people read: factor betas and daily metrics of symbols, each number a value or a reason."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any, Self

from pydantic import BaseModel, Field

from services.symbol_analytics.core.columns import FACTOR_COLUMNS, FROM_PRICES, METRICS, RATIOS
from services.symbol_analytics.storage.repository import FactorRow, LoadingsRow, MetricsRow, SymbolRow
from shared.contracts.event import Measure
from shared.conventions import FACTORS, RISK_FACTORS
from shared.unavailable import Reason


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

    @classmethod
    def of(cls, row: FactorRow) -> Self:
        """Return the view of a stored estimate."""
        beta = Measure(value=row.beta, reason=row.reason, detail=row.detail)
        return cls(factor=row.factor, beta=beta, **row.evidence)


class LoadingView(BaseModel):
    """What a symbol returns a unit of a risk factor, beside the other factors."""

    factor: str
    loading: Measure
    std_error: float | None

    @classmethod
    def of(cls, row: LoadingsRow, place: int) -> Self:
        """Return the view of a factor of a stored row."""
        factor, value = RISK_FACTORS[place], row.loadings[place]
        without = {"reason": Reason.NOT_APPLICABLE, "detail": f"no proxy configured for {factor}"}
        why = {"reason": row.reason, "detail": row.detail} if row.reason else without
        return cls(
            factor=factor,
            loading=Measure(value=value) if value is not None else Measure(**why),
            std_error=row.std_errors[place],
        )


class ModelView(BaseModel):
    """The joint regression of a symbol on the market, the styles beside it and the rate beside those."""

    loadings: list[LoadingView]
    specific_volatility: Measure = Field(description="a year's, of what the factors leave of its returns")
    r_squared: float | None
    n_observations: int
    first_session: date | None
    last_session: date | None

    @classmethod
    def of(cls, row: LoadingsRow) -> Self:
        """Return the view of a stored row."""
        return cls(
            loadings=[LoadingView.of(row, place) for place in range(len(RISK_FACTORS))],
            specific_volatility=Measure(value=row.specific_volatility, reason=row.reason, detail=row.detail),
            r_squared=row.r_squared,
            n_observations=row.n_observations,
            first_session=row.first_session,
            last_session=row.last_session,
        )


class Trail(BaseModel):
    """Whose numbers they are, and which inputs and version of the code they come from."""

    symbol: str
    as_of: date
    revision: int
    known_at: datetime
    digest: str = Field(description="of everything that the numbers were computed from")
    code_version: int

    @classmethod
    def fields_of(cls, row: FactorRow | MetricsRow) -> dict[str, Any]:
        """Return the fields of a stored row."""
        return {
            "symbol": row.symbol,
            "as_of": row.as_of,
            "revision": row.revision,
            "known_at": row.known_at,
            "digest": row.digest.hex(),
            "code_version": row.code_version,
        }


class SymbolFactors(Trail):
    """The factor betas of a symbol as of a session."""

    factor_set: dict[str, str | None]
    factors: list[FactorView]
    model: ModelView | None = Field(description="none: computed before there were loadings")

    @classmethod
    def of(cls, rows: Sequence[FactorRow], loadings: LoadingsRow | None) -> Self:
        """Return the view of the stored estimates of one symbol and session."""
        newest = max(rows, key=lambda row: row.revision)
        return cls(
            **Trail.fields_of(newest),
            factor_set=newest.definition,
            factors=[FactorView.of(row) for row in rows],
            model=None if loadings is None else ModelView.of(loadings),
        )


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

    @classmethod
    def of(cls, row: MetricsRow) -> Self:
        """Return the view of a stored row."""
        betas = zip(FACTORS, FACTOR_COLUMNS, strict=True)
        return cls(
            **Trail.fields_of(row),
            metrics={name: MetricView(**_number(row, name), **_measured_from(row, name)) for name in METRICS},
            betas={factor: Measure(**_number(row, column)) for factor, column in betas},
        )


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

    @classmethod
    def of(cls, row: SymbolRow) -> Self:
        """Return the view of a row."""
        return cls(symbol=row.symbol, last_as_of=row.last_as_of)


def factor_views(rows: Sequence[FactorRow], loadings: Sequence[LoadingsRow]) -> list[SymbolFactors]:
    """Return the view of each symbol and session in a list of estimates that is ordered by them."""
    known: Mapping[tuple[date, str], LoadingsRow] = {(row.as_of, row.symbol): row for row in loadings}
    groups = groupby(rows, key=lambda row: (row.as_of, row.symbol))
    return [SymbolFactors.of(list(group), known.get(key)) for key, group in groups]


def _number(row: MetricsRow, name: str) -> dict[str, Any]:
    value = row.values[name]
    if value is not None:
        return {"value": value}
    reason, detail = row.unavailable[name]
    return {"reason": reason, "detail": detail}


def _measured_from(row: MetricsRow, name: str) -> dict[str, Any]:
    if name in RATIOS:
        return {part: row.origins[f"{name}_{part}"] for part in ("basis", "period_end")}
    if row.n_observations is None or row.first_sessions is None:  # stored before they were
        return {}
    place = FROM_PRICES.index(name)
    first = row.first_sessions[place]
    last = row.as_of if first else None
    return {"n_observations": row.n_observations[place], "first_session": first, "last_session": last}

"""What people read: stored rows as values or reasons."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self, TypeVar
from uuid import UUID

import numpy as np
from pydantic import BaseModel

from services.risk.core.coverage_floor import FigureReason, Figures
from services.risk.core.measures import MEASURES
from services.risk.core.sectors import Benchmark
from services.risk.storage.repository import StoredAssessments
from services.risk.storage.rows import (
    ActiveSectorsRow,
    ContributionsRow,
    CorrelationsRow,
    FactorRow,
    HeadRow,
    MeasuresRow,
    SectorRow,
)
from shared.contracts.event import Measure
from shared.unavailable import Reason

View = TypeVar("View")
Row = TypeVar("Row", FactorRow, SectorRow)

_UNITS = {measure.name: measure.unit for measure in MEASURES}


class Trail(BaseModel):
    """What an assessment was made of, and by which version of the code."""

    portfolio_id: UUID
    as_of: date
    revision: int
    known_at: datetime
    digest: str
    code_version: int

    @classmethod
    def fields_of(cls, head: HeadRow) -> dict[str, Any]:
        """Return the fields of the stored head."""
        return {
            "portfolio_id": head.portfolio_id,
            "as_of": head.as_of,
            "revision": head.revision,
            "known_at": head.known_at,
            "digest": head.digest.hex(),
            "code_version": head.code_version,
        }


class Figure(BaseModel):
    """A number of a portfolio or the reason why there is none.

    LOW_COVERAGE: it would speak for too small a part of gross exposure. What that part alone says is `of_covered`, null
    otherwise and in revisions made before it was.
    """

    value: float | None = None
    reason: Reason | FigureReason | None = None
    detail: str | None = None
    of_covered: float | None = None

    @classmethod
    def of(cls, figures: Figures, cell: tuple[int, int]) -> Self:
        """Return a number as it was computed."""
        found, part = figures.at(cell), figures.of_covered[cell]
        if isinstance(found, float):
            return cls(value=found)
        return cls(reason=found.reason, detail=found.detail, of_covered=float(part) if np.isfinite(part) else None)


class FactorExposureView(BaseModel):
    """The exposure to a factor: over equity, in currency a unit of factor return, and the part of gross it covers."""

    factor: str
    beta: Figure
    dollars: Figure
    coverage: Measure

    @classmethod
    def of(cls, row: FactorRow) -> Self:
        """Return the view of a stored row."""
        return cls(
            factor=row.factor,
            beta=figure(row.beta, row.reason, row.detail, row.beta_of_covered),
            dollars=figure(row.dollars, row.reason, row.detail, row.dollars_of_covered),
            coverage=Measure(value=row.coverage, reason=row.coverage_reason, detail=row.coverage_detail),
        )


class SectorExposureView(BaseModel):
    """The exposure to a sector, in currency and over equity."""

    sector: str
    net: Decimal
    gross: Decimal
    net_over_equity: Measure
    gross_over_equity: Measure

    @classmethod
    def of(cls, row: SectorRow) -> Self:
        """Return the view of a stored row."""
        return cls(
            sector=row.sector,
            net=row.net,
            gross=row.gross,
            net_over_equity=Measure(value=row.net_over_equity, reason=row.reason, detail=row.detail),
            gross_over_equity=Measure(value=row.gross_over_equity, reason=row.reason, detail=row.detail),
        )


class MeasureView(BaseModel):
    """A measure, or why there is none, and the part of gross exposure that it speaks for.

    `window` are the sessions that it looks back on, 0 for the state as of the session, `observations` the returns used.
    """

    measure: str
    value: Figure
    coverage: Measure
    unit: str
    observations: int
    window: int


class PortfolioRisk(Trail):
    """The risk of a portfolio as of a session."""

    equity: Decimal
    factors: list[FactorExposureView]
    sectors: list[SectorExposureView]
    measures: list[MeasureView]


class ClusterView(BaseModel):
    """Holdings that move together, under the sector with the largest exposure among them."""

    name: str
    symbols: list[str]


class PortfolioCorrelations(Trail):
    """Correlations of a portfolio's larger holdings; null for a pair with too few common sessions.

    `clip` is the largest change by which the matrix had to be repaired, 0 if none; `coverage` the part of gross
    exposure that the complete part speaks for, `window` the sessions that it looks back on, 0 where there is none.
    """

    coverage: Measure
    window: int
    symbols: list[str]
    matrix: list[list[float | None]]
    clip: float
    missing_pairs: int
    clusters: list[ClusterView]

    @classmethod
    def of(cls, head: HeadRow, row: CorrelationsRow, measures: MeasuresRow) -> Self:
        """Return the view of a stored row and the measures stored with it."""
        bets = measure_view(measures, "effective_bets")
        members = list(zip(row.symbols, row.clusters, strict=True))
        return cls(
            **Trail.fields_of(head),
            coverage=bets.coverage,
            window=bets.window,
            symbols=row.symbols,
            matrix=square(row.symbols, row.correlations),
            clip=row.clip,
            missing_pairs=row.missing_pairs,
            clusters=[
                ClusterView(name=name, symbols=[symbol for symbol, cluster in members if cluster == number])
                for number, name in enumerate(row.cluster_names)
            ],
        )


class FactorContribution(BaseModel):
    """What a factor adds to the volatility; null without a proxy."""

    factor: str
    contribution: float | None


class HoldingContribution(BaseModel):
    """What a holding adds to the volatility, and what a unit more of its weight would; null outside the model."""

    symbol: str
    weight: float | None
    contribution: float | None
    marginal: float | None


class PortfolioContributions(Trail):
    """Whose the volatility of a portfolio is: factors and `specific` add up to it, and so do the holdings.

    `observations` are the sessions behind the covariance of the factors, of `window`.
    """

    volatility: Figure
    coverage: Measure
    observations: int
    window: int
    factors: list[FactorContribution]
    specific: float | None
    holdings: list[HoldingContribution]

    @classmethod
    def of(cls, head: HeadRow, row: ContributionsRow, measures: MeasuresRow) -> Self:
        """Return the view of a stored row and the measures stored with it."""
        total = measure_view(measures, "model_volatility")
        holdings = zip(row.symbols, row.weights, row.by_holding, row.marginal, strict=True)
        return cls(
            **Trail.fields_of(head),
            volatility=total.value,
            coverage=total.coverage,
            observations=total.observations,
            window=total.window,
            factors=[
                FactorContribution(factor=factor, contribution=part)
                for factor, part in zip(row.factors, row.by_factor, strict=True)
            ],
            specific=row.by_specific,
            holdings=[
                HoldingContribution(symbol=symbol, weight=weight, contribution=part, marginal=marginal)
                for symbol, weight, part, marginal in holdings
            ],
        )


class ActiveSector(BaseModel):
    """A sector against the benchmark: its weight there, and net exposure over equity less that; null for no sector."""

    sector: str
    benchmark_weight: float | None
    active: float | None


class PortfolioActiveSectors(Trail):
    """The sectors of a portfolio against a benchmark, or why they cannot be compared."""

    benchmark: str | None
    benchmark_as_of: date | None
    reason: Reason | None
    detail: str | None
    sectors: list[ActiveSector]

    @classmethod
    def of(cls, head: HeadRow, row: ActiveSectorsRow) -> Self:
        """Return the view of a stored row."""
        return cls(
            **Trail.fields_of(head),
            benchmark=row.benchmark,
            benchmark_as_of=row.benchmark_as_of,
            reason=row.reason,
            detail=row.detail,
            sectors=[
                ActiveSector(sector=sector, benchmark_weight=weight, active=active)
                for sector, weight, active in zip(row.sectors, row.weights, row.active, strict=True)
            ],
        )


class BenchmarkView(BaseModel):
    """Sector weights of a benchmark as of a day, under our names of the sectors."""

    benchmark: str
    as_of: date
    weights: dict[str, float]

    @classmethod
    def of(cls, benchmark: Benchmark) -> Self:
        """Return the view of a benchmark."""
        return cls(benchmark=benchmark.name, as_of=benchmark.as_of, weights=dict(benchmark.weights))


def risk_views(stored: StoredAssessments) -> list[PortfolioRisk]:
    """Return the risk of each stored assessment."""
    factors = _by_assessment(stored.factors, FactorExposureView.of)
    sectors = _by_assessment(stored.sectors, SectorExposureView.of)
    measures = {(row.as_of, row.portfolio_id): measure_views(row) for row in stored.measures}
    return [
        PortfolioRisk(
            **Trail.fields_of(head),
            equity=head.equity,
            factors=factors.get((head.as_of, head.portfolio_id), []),
            sectors=sectors.get((head.as_of, head.portfolio_id), []),
            measures=measures.get((head.as_of, head.portfolio_id), []),
        )
        for head in stored.heads
    ]


def measure_views(row: MeasuresRow) -> list[MeasureView]:
    """Return the measures of a stored row."""
    values = figures_of(row.values, row.values_reasons, row.values_details, row.values_of_covered)
    coverages = measures_of(row.coverages, row.coverages_reasons, row.coverages_details)
    columns = zip(row.measures, values, coverages, row.observations, row.window_sessions, strict=True)
    return [
        MeasureView(measure=name, value=value, coverage=part, unit=_UNITS.get(name, ""), observations=n, window=window)
        for name, value, part, n, window in columns
    ]


def measure_view(row: MeasuresRow, name: str) -> MeasureView:
    """Return the measure of a stored row that has this name."""
    return next(view for view in measure_views(row) if view.measure == name)


def square(names: Sequence[str], above: Sequence[float | None]) -> list[list[float | None]]:
    """Return the symmetric matrix with ones on its diagonal of which the part above is given row by row."""
    matrix: list[list[float | None]] = [[1.0] * len(names) for _ in names]
    for (row, column), value in zip(np.argwhere(np.triu(np.ones((len(names),) * 2), 1)).tolist(), above, strict=True):
        matrix[row][column] = matrix[column][row] = value
    return matrix


def measures_of(
    values: Sequence[float | None], reasons: Sequence[str | None], details: Sequence[str | None]
) -> list[Measure]:
    """Return values or reasons from the three arrays in which they are stored."""
    columns = zip(values, reasons, details, strict=True)
    return [Measure(value=value, reason=reason, detail=detail) for value, reason, detail in columns]


def figures_of(
    values: Sequence[float | None],
    reasons: Sequence[str | None],
    details: Sequence[str | None],
    of_covered: Sequence[float | None] | None,
) -> list[Figure]:
    """Return numbers or reasons from the arrays in which they are stored."""
    parts = of_covered or [None] * len(values)
    return [figure(*cells) for cells in zip(values, reasons, details, parts, strict=True)]


def figure(value: float | None, reason: str | None, detail: str | None, of_covered: float | None) -> Figure:
    """Return a number or its reason as it is stored."""
    return Figure.model_validate({"value": value, "reason": reason, "detail": detail, "of_covered": of_covered})


def _by_assessment(rows: Sequence[Row], view: Callable[[Row], View]) -> dict[tuple[date, UUID], list[View]]:
    grouped: dict[tuple[date, UUID], list[View]] = {}
    for row in rows:
        grouped.setdefault((row.as_of, row.portfolio_id), []).append(view(row))
    return grouped

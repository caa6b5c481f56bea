"""The scenarios, and what they do to a portfolio."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Self

from pydantic import BaseModel

from services.risk.core.scenarios import SCENARIOS, Scenario
from services.risk.storage.rows import HeadRow, MovesRow, StressRow
from services.risk.web.views import Trail, measures_of, square
from shared.contracts.event import Measure

_NAMES = {scenario.scenario_id: scenario for scenario in SCENARIOS}


class FactorMoveView(BaseModel):
    """What a scenario does to a factor: shocked, or moving along; `extrapolated` beyond anything in its history."""

    factor: str
    shock: float | None
    move: float | None
    extrapolated: bool


class ScenarioResult(BaseModel):
    """What a scenario does to a portfolio, in its currency.

    `basis`: hypothetical, or for a historical replay realised (the factors' own returns) or tabulated. `beyond_gross`:
    the loss exceeds the gross exposure; losses are not clipped.
    """

    scenario: str
    name: str
    category: str
    severity: str
    basis: str
    direct: Measure
    propagated: Measure
    coverage: Measure
    beyond_gross: bool
    moves: list[FactorMoveView]


class PortfolioStress(Trail):
    """The scenarios of a portfolio as of a session, and how the factors that have every return are correlated."""

    equity: Decimal
    scenarios: list[ScenarioResult]
    correlated_factors: list[str]
    factor_correlations: list[list[float | None]]

    @classmethod
    def of(cls, head: HeadRow, row: StressRow, moves: MovesRow) -> Self:
        """Return the view of a stored row and the factor moves behind it."""
        return cls(
            **Trail.fields_of(head),
            equity=head.equity,
            scenarios=list(_scenarios(row, moves)),
            correlated_factors=moves.correlated,
            factor_correlations=square(moves.correlated, moves.correlations),
        )


class ScenarioView(BaseModel):
    """A scenario: shocks are returns of the factors' proxies, of the rate a change of yield."""

    scenario: str
    name: str
    category: str
    severity: str
    shocks: dict[str, float]
    episode: tuple[date, date] | None

    @classmethod
    def of(cls, scenario: Scenario) -> Self:
        """Return the view of a scenario."""
        return cls(
            scenario=scenario.scenario_id,
            name=scenario.name,
            category=scenario.category,
            severity=scenario.severity,
            shocks=dict(scenario.shocks),
            episode=scenario.episode,
        )


def _scenarios(row: StressRow, moves: MovesRow) -> Iterator[ScenarioResult]:
    direct = measures_of(row.direct, row.direct_reasons, row.direct_details)
    propagated = measures_of(row.propagated, row.propagated_reasons, row.propagated_details)
    coverage = measures_of(row.coverages, row.coverages_reasons, row.coverages_details)
    for index, scenario_id in enumerate(row.scenarios):
        known = _NAMES.get(scenario_id)
        place = moves.scenarios.index(scenario_id)
        yield ScenarioResult(
            scenario=scenario_id,
            name=known.name if known else scenario_id,
            category=known.category if known else "",
            severity=known.severity if known else "",
            basis=moves.basis[place],
            direct=direct[index],
            propagated=propagated[index],
            coverage=coverage[index],
            beyond_gross=row.beyond_gross[index],
            moves=_moves(moves, place),
        )


def _moves(moves: MovesRow, scenario: int) -> list[FactorMoveView]:
    size = len(moves.factors)
    cells = slice(scenario * size, (scenario + 1) * size)
    columns = zip(moves.factors, moves.shocks[cells], moves.moves[cells], moves.extrapolated[cells], strict=True)
    return [
        FactorMoveView(factor=factor, shock=shock, move=move, extrapolated=extrapolated)
        for factor, shock, move, extrapolated in columns
    ]

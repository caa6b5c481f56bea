"""The scenarios, and what they do to a portfolio."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Self

from pydantic import BaseModel

from services.risk.core.scenarios import SCENARIOS, Scenario
from services.risk.storage.rows import HeadRow, MovesRow, StressRow
from services.risk.web.views import Figure, Trail, figures_of, measures_of, square
from shared.contracts.event import Measure

_NAMES = {scenario.scenario_id: scenario for scenario in SCENARIOS}


class FactorMoveView(BaseModel):
    """What a scenario does to a factor.

    `shock` is the return of its proxy that a direct P&L takes, `move` that of the factor, which the model P&L is made
    of: the market's, a style's beside the market, the rate's beside both. `extrapolated`: further than over any 21
    sessions of its window.
    """

    factor: str
    shock: float | None
    move: float | None
    extrapolated: bool


class ScenarioResult(BaseModel):
    """What a scenario does to a portfolio, in its currency.

    `basis`: hypothetical, or for a historical replay realised (the factors' own returns) or tabulated. `beyond_gross`:
    the loss exceeds the gross exposure; losses are not clipped. `extrapolated_share` is the part of what the model P&L
    is added up from that comes of extrapolated moves, `realised_share` the part of gross exposure that counts with its
    own return over the episode; null where there is no P&L, and in revisions made before they were. Options are
    revalued at their volatility; `model_at_risen_volatility` is the model P&L with one a quarter higher, of a book that
    has options, where the market falls; null elsewhere.
    """

    scenario: str
    name: str
    category: str
    severity: str
    basis: str
    direct: Figure
    model: Figure
    model_at_risen_volatility: float | None
    coverage: Measure
    extrapolated_share: float | None
    realised_share: float | None
    beyond_gross: bool
    moves: list[FactorMoveView]


class ReverseMove(BaseModel):
    """How far a factor moves, and in its own deviations of one session."""

    factor: str
    move: float | None
    deviations: float | None


class NearSession(BaseModel):
    """A session on which the factors moved in a similar way, and what they would have made of today's book."""

    session: date
    book_return: float


class ReverseStressView(BaseModel):
    """The most plausible moves that cost this part of equity, at this distance: Mahalanobis', of one session."""

    loss: float
    distance: Figure
    moves: list[ReverseMove]
    nearest: list[NearSession]


class PortfolioStress(Trail):
    """The scenarios of a portfolio as of a session, and how the factors that have every return are correlated."""

    equity: Decimal
    scenarios: list[ScenarioResult]
    reverse: list[ReverseStressView]
    correlated_factors: list[str]
    factor_correlations: list[list[float | None]]

    @classmethod
    def of(cls, head: HeadRow, row: StressRow, moves: MovesRow) -> Self:
        """Return the view of a stored row and the factor moves behind it."""
        return cls(
            **Trail.fields_of(head),
            equity=head.equity,
            scenarios=list(_scenarios(row, moves)),
            reverse=list(_reverse(row, moves)),
            correlated_factors=moves.correlated,
            factor_correlations=square(moves.correlated, moves.correlations),
        )


class ScenarioView(BaseModel):
    """A scenario: shocks are returns, of a style those beside the market, of the rate a change of yield."""

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
    direct = figures_of(row.direct, row.direct_reasons, row.direct_details, row.direct_of_covered)
    model = figures_of(row.model, row.model_reasons, row.model_details, row.model_of_covered)
    coverage = measures_of(row.coverages, row.coverages_reasons, row.coverages_details)
    nothing = [None] * len(row.scenarios)
    extrapolated, realised = row.extrapolated_shares or nothing, row.realised_shares or nothing
    risen = row.at_risen_volatility or nothing
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
            model=model[index],
            model_at_risen_volatility=risen[index],
            coverage=coverage[index],
            extrapolated_share=extrapolated[index],
            realised_share=realised[index],
            beyond_gross=row.beyond_gross[index],
            moves=_moves(moves, place),
        )


def _reverse(row: StressRow, moves: MovesRow) -> Iterator[ReverseStressView]:
    if row.reverse_losses is None:
        return
    reasons, details = row.reverse_distances_reasons, row.reverse_distances_details
    distances = figures_of(row.reverse_distances, reasons, details, row.reverse_distances_of_covered)
    size, near = len(moves.factors), len(row.nearest_sessions) // len(row.reverse_losses)
    for place, loss in enumerate(row.reverse_losses):
        cells, sessions = slice(place * size, (place + 1) * size), slice(place * near, (place + 1) * near)
        columns = zip(moves.factors, row.reverse_moves[cells], row.reverse_deviations[cells], strict=True)
        nearest = zip(row.nearest_sessions[sessions], row.nearest_returns[sessions], strict=True)
        yield ReverseStressView(
            loss=loss,
            distance=distances[place],
            moves=[ReverseMove(factor=name, move=move, deviations=own) for name, move, own in columns],
            nearest=[
                NearSession(session=session, book_return=found)
                for session, found in nearest
                if session is not None and found is not None
            ],
        )


def _moves(moves: MovesRow, scenario: int) -> list[FactorMoveView]:
    size = len(moves.factors)
    cells = slice(scenario * size, (scenario + 1) * size)
    columns = zip(moves.factors, moves.shocks[cells], moves.moves[cells], moves.extrapolated[cells], strict=True)
    return [
        FactorMoveView(factor=factor, shock=shock, move=move, extrapolated=extrapolated)
        for factor, shock, move, extrapolated in columns
    ]

"""How a stored number came about: its inputs, and the same number computed from them on the spot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from pydantic import BaseModel

from services.risk.core.assessment import Assessment, AssessmentInputs
from services.risk.core.coverage_floor import Figures
from services.risk.core.measures import MEASURES
from services.risk.core.risk_context import RETURN_SESSIONS
from services.risk.core.scenarios import SCENARIOS
from services.risk.core.stress import BETA_COLUMNS, direct_returns, model_exposures, model_returns
from services.risk.core.volatility import return_series
from services.risk.storage.rows import FactorRow, HeadRow, MeasuresRow, StressRow
from services.risk.web.views import FactorExposureView, Figure, Trail, figures_of, measure_view, measures_of
from shared.arrays import FloatArray
from shared.calendar import shift_session
from shared.contracts.event import Measure
from shared.conventions import FACTORS, MODEL_COLUMNS, RISK_FACTORS
from shared.prices.last_prices import LastPrice
from shared.unavailable import Quantities, nullable

_MODEL: Final = ".model"
_SCENARIO_IDS: Final = [scenario.scenario_id for scenario in SCENARIOS]
_MEASURES: Final = [measure.name for measure in MEASURES]

# A scenario's id is the name of its direct P&L.
EXPLAINED: Final = (
    *_MEASURES,
    *FACTORS,
    *_SCENARIO_IDS,
    *(scenario + _MODEL for scenario in _SCENARIO_IDS),
)


class HoldingInput(BaseModel):
    """A holding: signed exposure in currency, over equity, what is known of its symbol, and its part in the number.

    `betas` by factor; `loadings` on the factors of the model, their standard errors and the specific volatility;
    `returns` are those known of the last that an assessment looks at; `contribution` is null for numbers that are no
    sums over holdings.
    """

    symbol: str
    exposure: float
    weight: float | None
    sector: str
    betas: dict[str, Measure]
    loadings: dict[str, Measure]
    returns: int
    contribution: float | None


class DatedReturn(BaseModel):
    """What today's book would have returned on a session."""

    session: date
    value: float


class FactorInput(BaseModel):
    """A factor in a scenario: exposure in currency, and the move that it is multiplied by.

    In a direct P&L the exposure is by the betas and `counted` is the shock; in a model P&L it is by the loadings of the
    holdings without a return of their own, and `counted` is the move. The contributions, one times the other, add up to
    the P&L, with `realised` of the holdings that have their own return and what `revaluation` of options adds to their
    deltas; null where there is none.
    """

    factor: str
    dollars: Measure
    shock: float | None
    move: float | None
    counted: float | None
    contribution: float | None


class Explanation(Trail):
    """A stored number, what it was made from, and the number that they make now.

    `prices` are the last bars of the holdings' symbols.
    `inputs_unchanged` tells whether the digest of what is stored here now is that of the stored number: then
    `recomputed` is it to the bit. Otherwise something has been corrected since, and a later revision is due or there.
    """

    measure: str
    stored: Figure
    recomputed: Figure
    inputs_unchanged: bool
    agrees: bool
    coverage: Measure
    observations: int
    window: int
    equity: float
    holdings: list[HoldingInput]
    series: list[DatedReturn]
    factors: list[FactorInput]
    realised: float | None
    revaluation: float | None
    prices: list[LastPrice]


@dataclass(frozen=True, slots=True)
class Found:
    """A number of one portfolio, with its coverage and what it looked at."""

    value: Figure
    coverage: Measure
    observations: int = 0
    window: int = 0


def stored_number(
    name: str, *, measures: MeasuresRow, factors: Sequence[FactorRow], stress: StressRow | None
) -> Found | None:
    """Return a number as it is stored: a measure, a factor's beta, or the P&L of a scenario."""
    if name in measures.measures:
        found = measure_view(measures, name)
        return Found(found.value, found.coverage, found.observations, found.window)
    scenario, kind = _scenario_of(name)
    if stress is not None and scenario in stress.scenarios:
        at = stress.scenarios.index(scenario)
        direct = stress.direct, stress.direct_reasons, stress.direct_details, stress.direct_of_covered
        model = stress.model, stress.model_reasons, stress.model_details, stress.model_of_covered
        coverages = stress.coverages, stress.coverages_reasons, stress.coverages_details
        return Found(figures_of(*(model if kind == "model" else direct))[at], measures_of(*coverages)[at])
    row = next((entry for entry in factors if entry.factor == name), None)
    if row is None:
        return None
    exposure = FactorExposureView.of(row)
    return Found(exposure.beta, exposure.coverage)


def explain(
    name: str,
    head: HeadRow,
    stored: Found,
    *,
    inputs: AssessmentInputs,
    assessment: Assessment,
    prices: list[LastPrice],
) -> Explanation:
    """Return the explanation of a number of the one portfolio that was assessed."""
    recomputed = _recomputed(name, assessment)
    same = assessment.digests[0] == head.digest
    return Explanation(
        **Trail.fields_of(head),
        measure=name,
        stored=stored.value,
        recomputed=recomputed.value,
        inputs_unchanged=same,
        agrees=recomputed.value == stored.value,
        coverage=stored.coverage,
        observations=stored.observations,
        window=stored.window,
        equity=float(head.equity),
        holdings=_holdings(name, inputs, assessment),
        series=_series(inputs, stored.window) if name in assessment.measures else [],
        factors=_factors(name, inputs, assessment),
        realised=_realised(name, inputs, assessment),
        revaluation=_revaluation(name, inputs, assessment),
        prices=prices,
    )


def _recomputed(name: str, assessment: Assessment) -> Found:
    if name in assessment.measures:
        cell = 0, _MEASURES.index(name)
        return Found(Figure.of(assessment.told.measures, cell), Measure.of(assessment.measures[name].coverage.at(0)))
    if name in FACTORS:
        cell = 0, FACTORS.index(name)
        return Found(Figure.of(assessment.told.betas, cell), Measure.of(assessment.factors.coverage.at(cell)))
    scenario, kind = _scenario_of(name)
    cell = 0, _SCENARIO_IDS.index(scenario)
    figures: Figures = getattr(assessment.told, kind)
    return Found(Figure.of(figures, cell), Measure.of(assessment.stress.coverage.at(cell)))


def _scenario_of(name: str) -> tuple[str, str]:
    """Return the scenario whose P&L has this name, and its kind."""
    return name.removesuffix(_MODEL), "model" if name.endswith(_MODEL) else "direct"


def _holdings(name: str, inputs: AssessmentInputs, assessment: Assessment) -> list[HoldingInput]:
    holdings = inputs.books.holdings
    cells = zip(
        holdings.symbol.tolist(),
        holdings.net.tolist(),
        nullable(holdings.weights()),
        _contributions(name, inputs, assessment),
        strict=True,
    )
    return [
        HoldingInput(
            symbol=inputs.books.symbols[symbol],
            exposure=net / 100.0,
            weight=weight,
            sector=inputs.sectors[symbol],
            betas={factor: Measure.of(inputs.betas.at((symbol, column))) for column, factor in enumerate(FACTORS)},
            loadings={each: Measure.of(inputs.model.at((symbol, at))) for at, each in enumerate(MODEL_COLUMNS)},
            returns=int(np.isfinite(inputs.returns[symbol]).sum()),
            contribution=None if part is None or not np.isfinite(part) else float(part),
        )
        for symbol, net, weight, part in cells
    ]


def _contributions(name: str, inputs: AssessmentInputs, assessment: Assessment) -> Sequence[float | None]:
    """Return what each holding adds to the number, None where it is no sum over holdings."""
    holdings = inputs.books.holdings
    if name in FACTORS and holdings.equity[0] > 0:
        betas = inputs.betas.values[holdings.symbol, FACTORS.index(name)]
        return list(holdings.net / holdings.equity[0] * betas)
    if name == "model_volatility":
        return list(assessment.decomposition.by_holding)
    if _scenario_of(name)[0] in _SCENARIO_IDS:
        return list(_of_scenario(name, inputs, assessment))
    if name in {"net_leverage", "gross_leverage"} and holdings.equity[0] > 0:
        return list((holdings.net if name == "net_leverage" else holdings.gross) / holdings.equity[0])
    return [None] * holdings.symbol.size


def _series(inputs: AssessmentInputs, window: int) -> list[DatedReturn]:
    """Return the returns of today's book over the window of the number."""
    if not 1 < window <= RETURN_SESSIONS:
        return []
    found = return_series(inputs.books.holdings, inputs.returns, window=window)
    ages = found.ages.get(0, np.arange(window)[::-1])
    return [
        DatedReturn(session=shift_session(inputs.books.as_of, -age), value=value)
        for age, value in zip(ages.tolist(), found.values[0].tolist(), strict=True)
        if np.isfinite(value)
    ]


def _of_scenario(name: str, inputs: AssessmentInputs, assessment: Assessment) -> FloatArray:
    """Return what each holding adds to the P&L of a scenario, NaN where there is no P&L."""
    holdings, counted = inputs.books.holdings, _counted(name, assessment)
    if counted is None:
        return np.full(holdings.symbol.size, np.nan)
    returns = np.nan_to_num(_scenario_returns(name, inputs, assessment))
    contributions: FloatArray = holdings.net / 100.0 * returns[holdings.symbol]
    place = holdings.options.place
    added = holdings.options.convexity(returns[holdings.symbol[place], None])
    np.add.at(contributions, place, added[:, 0])
    return contributions


def _scenario_returns(name: str, inputs: AssessmentInputs, assessment: Assessment) -> FloatArray:
    """Return what each symbol returns in a scenario; NaN where that is not known."""
    scenario, kind = _scenario_of(name)
    if kind == "direct":
        found = direct_returns(assessment.factors, assessment.moves)
    else:
        found = model_returns(inputs.model, assessment.moves, inputs.episodes)
    return found[:, _SCENARIO_IDS.index(scenario)]


def _factors(name: str, inputs: AssessmentInputs, assessment: Assessment) -> list[FactorInput]:
    scenario, kind = _scenario_of(name)
    if scenario not in _SCENARIO_IDS:
        return []
    row, counted = _SCENARIO_IDS.index(scenario), _counted(name, assessment)
    exposures = _dollars(name, inputs, assessment)
    used = np.isfinite((assessment.moves.shocks if kind == "direct" else assessment.moves.moves)[row])
    return [
        FactorInput(
            factor=factor,
            dollars=Measure.of(exposures.at(place)),
            shock=_finite(assessment.moves.shocks[row, place]),
            move=_finite(assessment.moves.moves[row, place]),
            counted=None if counted is None or not used[place] else float(counted[place]),
            contribution=None
            if counted is None or not used[place]
            else _finite(exposures.values[place] * counted[place]),
        )
        for place, factor in enumerate(RISK_FACTORS)
    ]


def _dollars(name: str, inputs: AssessmentInputs, assessment: Assessment) -> Quantities:
    """Return the exposure to each risk factor that a P&L is made of."""
    scenario, kind = _scenario_of(name)
    if kind == "direct":
        return assessment.factors.dollars.part((0, BETA_COLUMNS))
    found = model_exposures(inputs.books.holdings, inputs.model, inputs.episodes.get(scenario))
    reasons = np.empty(len(RISK_FACTORS), dtype=object)
    reasons[:] = assessment.moves.unavailable
    return Quantities.of(found.dollars[0]).withheld(reasons)


def _realised(name: str, inputs: AssessmentInputs, assessment: Assessment) -> float | None:
    """Return the P&L of the holdings that count with their own return, None in a number without any."""
    scenario, kind = _scenario_of(name)
    if kind == "direct" or scenario not in inputs.episodes or _counted(name, assessment) is None:
        return None
    return float(model_exposures(inputs.books.holdings, inputs.model, inputs.episodes[scenario]).realised[0])


def _revaluation(name: str, inputs: AssessmentInputs, assessment: Assessment) -> float | None:
    """Return what options add to their deltas in a P&L, None in a number that is none and in a book without options."""
    holdings = inputs.books.holdings
    if _scenario_of(name)[0] not in _SCENARIO_IDS or not holdings.options.place.size:
        return None
    if _counted(name, assessment) is None:
        return None
    return float(holdings.convexity(_scenario_returns(name, inputs, assessment)[:, None])[0, 0])


def _counted(name: str, assessment: Assessment) -> FloatArray | None:
    """Return the moves that a P&L takes, zero for factors that stand still, None where there is no P&L."""
    scenario, kind = _scenario_of(name)
    row = _SCENARIO_IDS.index(scenario)
    if getattr(assessment.stress, kind).unavailable[0, row] is not None:
        return None
    moves: FloatArray = np.nan_to_num(assessment.moves.shocks[row] if kind == "direct" else assessment.moves.moves[row])
    return moves


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

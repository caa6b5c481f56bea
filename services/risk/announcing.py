"""From an assessment to the headlines that are announced."""

from services.risk.assessment import Assessment
from shared.contracts.event import Measure
from shared.contracts.risk import Headline
from shared.conventions import FACTORS, MARKET_BETA
from shared.unavailable import Quantities, Unavailable

_MARKET = FACTORS.index(MARKET_BETA)


def headlines(assessment: Assessment) -> list[Headline]:
    """Return the risk of each portfolio in a few numbers."""
    factors, measures = assessment.factors, assessment.measures
    return [
        Headline(
            portfolio_id=portfolio_id,
            as_of=assessment.held.as_of,
            market_beta=_measure(factors.beta, (index, _MARKET)),
            market_beta_coverage=_measure(factors.coverage, (index, _MARKET)).value,
            volatility_63d=_measure(measures["volatility_63d"].values, (index,)),
            effective_positions=_measure(measures["effective_positions"].values, (index,)),
        )
        for index, portfolio_id in enumerate(assessment.held.portfolio_ids)
    ]


def _measure(quantities: Quantities, at: tuple[int, ...]) -> Measure:
    found = quantities.at(at)
    if isinstance(found, Unavailable):
        return Measure(reason=found.reason, detail=found.detail)
    return Measure(value=found)

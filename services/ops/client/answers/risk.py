"""The risk of a portfolio as of a session, and what it is compared with."""

from typing import TypedDict, final

from services.ops.client.answers.numbers import Amount, Day, Explained, Measure, Moment, Trail


class Figure(Measure):
    """A number of a portfolio; what its covered part says where it is withheld for its coverage."""

    of_covered: float | None


class FactorExposure(TypedDict):
    """A portfolio's exposure to a factor."""

    factor: str
    beta: Figure
    dollars: Figure
    coverage: Measure


class SectorExposure(TypedDict):
    """A portfolio's exposure to a sector."""

    sector: str
    net: Amount
    gross: Amount
    net_over_equity: Measure
    gross_over_equity: Measure


class RiskMeasure(TypedDict):
    """A line of the table of measures."""

    measure: str
    value: Figure
    coverage: Measure
    unit: str
    observations: int
    window: int


class PortfolioRisk(Trail):
    """The risk of a portfolio as of a session."""

    portfolio_id: str
    factors: list[FactorExposure]
    sectors: list[SectorExposure]
    measures: list[RiskMeasure]


class FactorMove(TypedDict):
    """What a scenario does to a factor."""

    factor: str
    extrapolated: bool


class Scenario(TypedDict):
    """What a scenario does to a portfolio."""

    scenario: str
    name: str
    basis: str
    direct: Figure
    model: Figure
    coverage: Measure
    beyond_gross: bool
    moves: list[FactorMove]


class ReverseMove(TypedDict):
    """How far a factor moves, and in its own deviations."""

    factor: str
    move: float | None
    deviations: float | None


class NearSession(TypedDict):
    """A session on which the factors moved in a similar way."""

    session: Day
    book_return: float


class ReverseStress(TypedDict):
    """The most plausible moves that cost a part of equity."""

    loss: float
    distance: Figure
    moves: list[ReverseMove]
    nearest: list[NearSession]


class Stress(TypedDict):
    """What the scenarios do to a portfolio, and what would cost it given parts of its equity."""

    scenarios: list[Scenario]
    reverse: list[ReverseStress]


class Cluster(TypedDict):
    """Holdings that move together."""

    name: str
    symbols: list[str]


class Correlations(TypedDict):
    """How a portfolio's holdings move together."""

    symbols: list[str]
    matrix: list[list[float | None]]
    clip: float
    missing_pairs: int
    clusters: list[Cluster]


class FactorContribution(TypedDict):
    """What a factor adds to the volatility."""

    factor: str
    contribution: float | None


class HoldingContribution(TypedDict):
    """What a holding adds to the volatility."""

    symbol: str
    weight: float | None
    contribution: float | None
    marginal: float | None


class Contributions(TypedDict):
    """Whose a portfolio's volatility is."""

    volatility: Figure
    factors: list[FactorContribution]
    specific: float | None
    holdings: list[HoldingContribution]


class ActiveSector(TypedDict):
    """A sector against the benchmark."""

    sector: str
    benchmark_weight: float | None
    active: float | None


class ActiveSectors(TypedDict):
    """A portfolio's sectors against the benchmark, or why they cannot be compared."""

    benchmark: str | None
    benchmark_as_of: Day | None
    reason: str | None
    detail: str | None
    sectors: list[ActiveSector]


class Benchmark(TypedDict):
    """The sector weights of a benchmark."""

    benchmark: str
    as_of: Day
    weights: dict[str, float]


class HoldingInput(TypedDict):
    """What a holding brings to a measure."""

    symbol: str
    exposure: float
    weight: float | None
    sector: str
    betas: dict[str, Measure]
    loadings: dict[str, Measure]
    returns: int
    contribution: float | None


class FactorInput(TypedDict):
    """What a factor brings to a scenario."""

    factor: str
    dollars: Measure
    shock: float | None
    move: float | None
    counted: float | None
    contribution: float | None


class DatedReturn(TypedDict):
    """The return of a session."""

    session: Day
    value: float


@final
class ExplainedRisk(Explained, Trail):
    """A measure, factor or scenario of a portfolio's risk, explained."""

    equity: float
    coverage: Measure
    holdings: list[HoldingInput]
    factors: list[FactorInput]
    series: list[DatedReturn]


class ComparedAssessment(TypedDict):
    """A revision of an assessment that is compared."""

    as_of: Day
    revision: int
    known_at: Moment
    code_version: int


class NumberChangePart(TypedDict):
    """What one cause adds to a change, or why that cannot be told."""

    part: str
    change: Figure


class NumberChange(TypedDict):
    """A number before and after, and what changed it."""

    measure: str
    before: Figure
    after: Figure
    total: Figure
    parts: list[NumberChangePart]


class RiskChanges(TypedDict):
    """What changed numbers of a portfolio's risk."""

    before: ComparedAssessment
    after: ComparedAssessment
    changes: list[NumberChange]

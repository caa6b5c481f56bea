"""Symbols: their prices, betas and metrics."""

from typing import TypedDict

from services.ops.client.answers.numbers import Day, Measure, Trail


class Bar(TypedDict):
    """A symbol's price on a session."""

    session: Day
    close: float
    adjusted: float
    source: str


class Source(TypedDict):
    """The first provider that has prices of a symbol, or why none has."""

    symbol: str
    source: str | None
    reason: str | None
    detail: str | None


class Prices(TypedDict):
    """A symbol's prices."""

    items: list[Bar]


class FactorBeta(TypedDict):
    """A symbol's beta to a factor."""

    factor: str
    beta: Measure
    method: str
    capped: bool
    r_squared: float | None
    std_error: float | None
    p_value: float | None
    n_observations: int
    first_session: Day | None
    last_session: Day | None
    source: str | None
    source_date: Day | None


class SymbolFactors(Trail):
    """A symbol's betas as of a session."""

    symbol: str
    factor_set: dict[str, str | None]
    factors: list[FactorBeta]


class Metric(Measure):
    """A metric of a symbol, and what it is of."""

    n_observations: int | None
    first_session: Day | None
    last_session: Day | None
    basis: str | None
    period_end: Day | None


class SymbolMetrics(Trail):
    """A symbol's metrics as of a session."""

    symbol: str
    metrics: dict[str, Metric]


class SymbolSummary(TypedDict):
    """A symbol that has been analysed, and the newest session of that."""

    symbol: str
    last_as_of: Day


class Symbol(TypedDict):
    """What is known of a symbol as of a session."""

    symbol: str
    as_of: Day
    factors: SymbolFactors
    metrics: SymbolMetrics | None

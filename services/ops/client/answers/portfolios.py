"""Portfolios: what was entered, what it was worth, and how it did."""

from typing import TypedDict, final

from services.ops.client.answers.numbers import Amount, Day, Explained, Measure, Moment, Trail


class Accepted(TypedDict):
    """A portfolio was changed or is to be calculated, and the run that does it."""

    portfolio_id: str
    run_id: str
    positions: int
    is_new: bool


class Understood(TypedDict):
    """What a new portfolio is understood to be, at the prices of its own trades."""

    opened_on: Day
    positions: int
    symbols: list[str]
    separator: str | None
    decimal_sign: str | None
    gross: Amount
    gross_over_equity: Measure
    cash_left: Amount
    before_opening: int
    first_entry: Day | None
    oversold: list[str]


class PortfolioAccepted(Accepted):
    """A portfolio was stored, and what it is understood to be."""

    understood: Understood


class Portfolio(TypedDict):
    """A portfolio."""

    portfolio_id: str
    name: str
    opened_on: Day
    opening_equity: Amount
    closed_on: Day | None
    currency: str
    owner: str | None


class Snapshot(Trail):
    """A portfolio at the end of a session."""

    portfolio_id: str
    equity: Amount
    pnl: Amount
    flow: Amount
    contributions: Amount
    withdrawals: Amount
    cash: Amount
    long_value: Amount
    short_value: Amount
    gross: Amount
    net: Amount
    exit_pnl: Amount
    realised_pnl: Amount | None
    gain_reason: str | None
    gain_detail: str | None
    dividends: Amount
    positions: int
    long_positions: int
    short_positions: int
    stale_positions: int
    at_cost_positions: int
    unvalued_positions: int
    stale_gross: Amount
    oldest_mark: int
    daily_return: Measure
    twr_index: Measure


class PositionValue(TypedDict):
    """A position at the end of a session."""

    as_of: Day
    portfolio_id: str
    position_id: str
    revision: int
    symbol: str
    sector: str
    quantity: float
    mark: float
    mark_source: str
    mark_age: int
    value_reason: str | None
    value_detail: str | None
    market_value: Amount | None
    exposure: Amount | None
    cost: Amount | None
    unrealised_pnl: Amount | None
    pnl: Amount | None
    exit_pnl: Amount | None
    realised_pnl: Amount | None
    gain_reason: str | None
    gain_detail: str | None
    dividends: Amount | None
    oversold: bool
    delta: Measure | None
    gamma: float | None
    vega: float | None
    theta: float | None
    rho: float | None
    implied_volatility: Measure | None
    assumed_volatility: float | None
    inferred_splits: list[Day]


class Fall(TypedDict):
    """A fall of an index, until what it fell from is reached again."""

    depth: float
    peak: Day
    trough: Day
    recovery: Day | None


class Drawdown(TypedDict):
    """The deepest fall of an index, and the deepest ones."""

    depth: Measure
    peak: Day | None
    trough: Day | None
    recovery: Day | None
    worst: list[Fall]


class PerformancePoint(TypedDict):
    """A session of a performance."""

    as_of: Day
    equity: Amount
    twr_index: float | None
    drawdown: float | None


class Performance(TypedDict):
    """How a portfolio did over its sessions."""

    first: Day
    last: Day
    sessions: int
    contributions: Amount
    withdrawals: Amount
    pnl: Amount
    twr: Measure
    twr_annual: Measure
    mwr: Measure
    mwr_annual: Measure
    drawdown: Drawdown
    points: list[PerformancePoint]


class Extreme(Measure):
    """The best or the worst return, and when."""

    on: Day | None


class RealisedWindow(TypedDict):
    """What the daily returns of a window say."""

    window: str
    returns: int
    total: Measure
    volatility: Measure
    downside_deviation: Measure
    sharpe: Measure
    sortino: Measure
    maximum_drawdown: Measure
    calmar: Measure
    best_day: Extreme
    worst_day: Extreme
    best_month: Extreme
    worst_month: Extreme
    hit_rate: Measure
    skew: Measure
    excess_kurtosis: Measure


class Realised(TypedDict):
    """What the daily returns of a portfolio say, over the windows of a tear sheet."""

    last: Day
    risk_free_rate: Measure
    risk_free_source: str
    windows: list[RealisedWindow]


class PositionInput(TypedDict):
    """What a position brings to an amount."""

    value: PositionValue
    contribution: Amount | None


@final
class ExplainedAmount(Explained):
    """An amount of a snapshot, explained."""

    snapshot: Snapshot
    opening_equity: Amount
    positions: list[PositionInput]


class ComparedSnapshot(TypedDict):
    """A revision of a snapshot that is compared."""

    as_of: Day
    revision: int
    known_at: Moment
    code_version: int
    equity: Amount


class ValueChangePart(TypedDict):
    """What one cause adds to a change of value."""

    part: str
    amount: Amount


class PositionChange(TypedDict):
    """What one position adds to a change of value."""

    symbol: str
    positions: Amount
    dividends: Amount
    prices: Amount
    total: Amount


class ValueChanges(TypedDict):
    """What changed the value of a portfolio."""

    before: ComparedSnapshot
    after: ComparedSnapshot
    total: Amount
    parts: list[ValueChangePart]
    by_position: list[PositionChange]

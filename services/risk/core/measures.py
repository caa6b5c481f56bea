"""The table of risk measures: a new one is a function and a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

import numpy as np

from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import over_equity
from services.risk.core.risk_context import RiskContext
from services.risk.core.volatility import ReturnSeries, realised_volatility, volatility_percentile, volatility_trend
from shared.arrays import BoolArray, IntArray
from shared.conventions import (
    CORRELATION_WINDOW,
    FACTOR_WINDOW,
    HAR_HORIZONS,
    VAR_HORIZONS,
    VAR_LEVELS,
)
from shared.unavailable import Quantities


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of every portfolio; all of shape (n_portfolios,).

    `coverage` is the part of the gross exposure it speaks for, `covered` (n_holdings,) the holdings in it, `window` the
    sessions it looks back on (0: the state as of the session), `observations` the returns that it used.
    """

    values: Quantities
    coverage: Quantities
    covered: BoolArray
    observations: IntArray
    window: IntArray

    @classmethod
    def of_series(cls, values: Quantities, series: ReturnSeries) -> Self:
        """Return what was measured on a series."""
        return cls(values, series.coverage, series.covered, series.length, series.length)

    @classmethod
    def of_state(cls, values: Quantities, holdings: NetHoldings) -> Self:
        """Return what was measured on the whole book as it stands."""
        nothing = np.zeros(values.values.shape, dtype=np.int64)
        everything = np.ones(holdings.symbol.shape, dtype=np.bool_)
        return cls(values, Quantities.of(np.ones(values.values.shape)), everything, nothing, nothing)


@dataclass(frozen=True, slots=True)
class RiskMeasure:
    """One line of the table."""

    name: str
    what: str
    unit: str
    compute: Callable[[RiskContext], Measured]


def volatility_21d(context: RiskContext) -> Measured:
    """Return the volatility over 21 sessions."""
    return Measured.of_series(realised_volatility(context.series_21), context.series_21)


def volatility_63d(context: RiskContext) -> Measured:
    """Return the volatility over 63 sessions."""
    return Measured.of_series(realised_volatility(context.series_63), context.series_63)


def volatility_har(context: RiskContext) -> Measured:
    """Return the forecast of volatility over the longest horizon."""
    longest = slice(None), HAR_HORIZONS.index(max(HAR_HORIZONS))
    return Measured.of_series(context.har.volatility.part(longest), context.longest_series)


def volatility_har_floored(context: RiskContext) -> Measured:
    """Return of how many sessions of that forecast is the floor."""
    return Measured.of_series(context.har.floored, context.longest_series)


def volatility_trend_slope(context: RiskContext) -> Measured:
    """Return the slope of volatility."""
    return Measured.of_series(volatility_trend(context.series_of_trend)[0], context.series_of_trend)


def volatility_trend_strength(context: RiskContext) -> Measured:
    """Return how much of the moves of volatility the slope explains."""
    return Measured.of_series(volatility_trend(context.series_of_trend)[1], context.series_of_trend)


def volatility_rank(context: RiskContext) -> Measured:
    """Return where volatility stands in its year."""
    return Measured.of_series(volatility_percentile(context.series_of_percentile), context.series_of_percentile)


def tail(context: RiskContext, *, kind: str, level: int, horizon: int) -> Measured:
    """Return a value at risk or an expected shortfall."""
    table: Quantities = getattr(context.tails, kind)
    cell = slice(None), VAR_LEVELS.index(level), VAR_HORIZONS.index(horizon)
    return Measured.of_series(table.part(cell), context.longest_series)


def ten_session_losses(context: RiskContext, *, kind: str) -> Measured:
    """Return how many losses over the longer horizon the historical figures rest on, all or those apart."""
    table: Quantities = getattr(context.tails, kind)
    return Measured.of_series(table.part((slice(None), -1)), context.longest_series)


def backtested(context: RiskContext, *, kind: str, level: int) -> Measured:
    """Return a figure of the back-test."""
    table: Quantities = getattr(context.backtest, kind)
    values = table.part((slice(None), VAR_LEVELS.index(level)))
    tested = np.nan_to_num(context.backtest.sessions.values[:, VAR_LEVELS.index(level)]).astype(np.int64)
    series = context.longest_series
    seen = np.where(tested > 0, tested + series.length, 0)
    return Measured(values, series.coverage, series.covered, tested, seen)


def against_market(context: RiskContext, *, kind: str) -> Measured:
    """Return a figure of how far from the market the book moves."""
    found, series = context.active, context.longest_series
    values: Quantities = getattr(found, kind)
    return Measured(values, series.coverage, series.covered, found.observations, series.length)


def against_index(context: RiskContext) -> Measured:
    """Return how much of the book is not the index."""
    found = context.active_share
    nothing = np.zeros(found.share.values.shape, dtype=np.int64)
    return Measured(found.share, found.coverage, found.covered, nothing, nothing)


def diversified(context: RiskContext, *, kind: str) -> Measured:
    """Return a figure of the correlations."""
    values = context.diversification.quantity(kind)
    sessions = np.where(values.available, CORRELATION_WINDOW, 0)
    found = context.diversification
    return Measured(values, found.coverage, found.covered, sessions, sessions)


def decomposed(context: RiskContext, *, kind: str) -> Measured:
    """Return a figure of the factor model."""
    found = context.decomposition
    values: Quantities = getattr(found, kind)
    sessions = np.where(values.available, FACTOR_WINDOW, 0)
    return Measured(values, found.coverage, found.covered, found.observations, sessions)


def hhi(context: RiskContext) -> Measured:
    """Return the Herfindahl-Hirschman index."""
    return Measured.of_state(context.concentration.hhi, context.holdings)


def effective_positions(context: RiskContext) -> Measured:
    """Return the effective number of positions."""
    return Measured.of_state(context.concentration.effective_positions, context.holdings)


def top_3_concentration(context: RiskContext) -> Measured:
    """Return the weight of the three largest names."""
    return Measured.of_state(context.concentration.top_3, context.holdings)


def top_10_concentration(context: RiskContext) -> Measured:
    """Return the weight of the ten largest names."""
    return Measured.of_state(context.concentration.top_10, context.holdings)


def gross_leverage(context: RiskContext) -> Measured:
    """Return gross exposure over equity."""
    holdings = context.holdings
    return Measured.of_state(over_equity(holdings, holdings.totals(holdings.gross).astype(np.float64)), holdings)


def net_leverage(context: RiskContext) -> Measured:
    """Return net exposure over equity."""
    holdings = context.holdings
    return Measured.of_state(over_equity(holdings, holdings.totals(holdings.net).astype(np.float64)), holdings)


def _tail_measures() -> list[RiskMeasure]:
    figures = {"var": "loss that is not exceeded with", "es": "mean loss beyond the VaR at"}
    return [
        RiskMeasure(
            name=f"{figure}_{level}_{horizon}d_{method}",
            what=f"{method} {what} {level} % over {horizon} sessions, over equity",
            unit="1",
            compute=partial(tail, kind=f"{method}_{figure}", level=level, horizon=horizon),
        )
        for method in ("historical", "parametric", "har")
        for figure, what in figures.items()
        for level in VAR_LEVELS
        for horizon in VAR_HORIZONS
    ]


def _backtest_measures() -> list[RiskMeasure]:
    figures = {
        "var_exceptions": ("exceptions", "sessions whose loss exceeded the historical VaR before them", "sessions"),
        "kupiec_likelihood_ratio": ("kupiec", "Kupiec's likelihood ratio of the exceptions", "1"),
        "kupiec_p": ("kupiec_p", "chance of exceptions as far from their promise as these", "1"),
        "independence_likelihood_ratio": ("independence", "Christoffersen's likelihood ratio of their clusters", "1"),
        "independence_p": ("independence_p", "chance of clusters like these of independent exceptions", "1"),
        "conditional_coverage_likelihood_ratio": ("coverage", "the sum of both likelihood ratios", "1"),
        "conditional_coverage_p": ("coverage_p", "chance of a sum as large if the VaR is right", "1"),
    }
    return [
        RiskMeasure(f"{name}_{level}", f"{what}, {level} %", unit, partial(backtested, kind=kind, level=level))
        for name, (kind, what, unit) in figures.items()
        for level in VAR_LEVELS
    ]


MEASURES: Final = (
    RiskMeasure(
        "volatility_21d", "annualised volatility of today's book over the last 21 sessions", "1", volatility_21d
    ),
    RiskMeasure(
        "volatility_63d", "annualised volatility of today's book over the last 63 sessions", "1", volatility_63d
    ),
    RiskMeasure("volatility_har", "annualised volatility expected over the next 21 sessions", "1", volatility_har),
    RiskMeasure(
        "volatility_har_floored",
        "sessions of the next 21 whose forecast is the floor",
        "sessions",
        volatility_har_floored,
    ),
    RiskMeasure(
        "volatility_trend", "slope of the last ten 21-session volatilities", "1 a session", volatility_trend_slope
    ),
    RiskMeasure("volatility_trend_strength", "R squared of that line", "1", volatility_trend_strength),
    RiskMeasure(
        "volatility_percentile", "share of a year of 21-session volatilities below today's", "1", volatility_rank
    ),
    *_tail_measures(),
    RiskMeasure(
        "ten_session_losses",
        "overlapping losses over ten sessions behind the historical figures",
        "losses",
        partial(ten_session_losses, kind="losses"),
    ),
    RiskMeasure(
        "ten_session_losses_apart",
        "losses over ten sessions that do not overlap",
        "losses",
        partial(ten_session_losses, kind="apart"),
    ),
    *_backtest_measures(),
    RiskMeasure(
        "tracking_error",
        "annualised deviation of today's book from the market's proxy",
        "1",
        partial(against_market, kind="tracking_error"),
    ),
    RiskMeasure(
        "information_ratio",
        "annualised mean of what today's book would have returned above it, over that deviation",
        "1",
        partial(against_market, kind="information_ratio"),
    ),
    RiskMeasure(
        "active_share",
        "half of all differences between the book's weights and the index's, cash among them",
        "1",
        against_index,
    ),
    RiskMeasure(
        "average_correlation",
        "correlation of the holdings' P&L, weighted by exposure",
        "1",
        partial(diversified, kind="average"),
    ),
    RiskMeasure(
        "effective_bets", "effective number of uncorrelated bets", "bets", partial(diversified, kind="effective_bets")
    ),
    RiskMeasure(
        "model_volatility", "annualised volatility by the factor model", "1", partial(decomposed, kind="total")
    ),
    RiskMeasure("systematic_volatility", "what the style factors explain", "1", partial(decomposed, kind="systematic")),
    RiskMeasure("specific_volatility", "what they leave", "1", partial(decomposed, kind="specific")),
    RiskMeasure(
        "systematic_share", "part of the variance that they explain", "1", partial(decomposed, kind="systematic_share")
    ),
    RiskMeasure("hhi", "Herfindahl-Hirschman index of absolute exposure by symbol", "0-10000", hhi),
    RiskMeasure("effective_positions", "number of equal positions with the same HHI", "positions", effective_positions),
    RiskMeasure("top_3_concentration", "three largest names over total absolute exposure", "1", top_3_concentration),
    RiskMeasure("top_10_concentration", "ten largest names over total absolute exposure", "1", top_10_concentration),
    RiskMeasure("gross_leverage", "gross exposure over equity", "1", gross_leverage),
    RiskMeasure("net_leverage", "net exposure over equity", "1", net_leverage),
)

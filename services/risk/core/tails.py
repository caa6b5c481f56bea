"""Value at risk and expected shortfall of today's book, and a back-test of the former (methodology, 10)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from services.risk.core.ratios import quantities
from services.risk.core.volatility import ReturnSeries
from shared.arrays import FloatArray, IntArray, ReasonArray
from shared.conventions import (
    BACKTEST_SESSIONS,
    SESSIONS_PER_YEAR,
    VAR_HORIZONS,
    VAR_LEVELS,
    VAR_MIN_OBSERVATIONS,
)
from shared.unavailable import Quantities, Reason, Unavailable, is_available

_QUANTILE: Final = tuple(float(stats.norm.ppf(level / 100)) for level in VAR_LEVELS)
# Mean of a standard normal variable beyond the quantile.
_TAIL_MEAN: Final = tuple(
    float(stats.norm.pdf(quantile)) / (1 - level / 100) for level, quantile in zip(VAR_LEVELS, _QUANTILE, strict=True)
)


@dataclass(frozen=True, slots=True)
class TailRisk:
    """Losses as fractions of equity, positive for a loss; each of shape (n_portfolios, n_levels, n_horizons)."""

    historical_var: Quantities
    historical_es: Quantities
    parametric_var: Quantities
    parametric_es: Quantities
    har_var: Quantities
    har_es: Quantities


@dataclass(frozen=True, slots=True)
class Backtest:
    """How often the loss of a session exceeded the historical VaR estimated before it.

    `exceptions` (a count), `likelihood_ratio` and `p_value` have the shape (n_portfolios, n_levels): Kupiec's test of
    the frequency that the level promises.
    """

    exceptions: Quantities
    likelihood_ratio: Quantities
    p_value: Quantities


def rank(n: int, level: int) -> int:
    """Return which largest of `n` losses is the VaR at a level in percent: the smallest k with k/n >= 1 - level."""
    return -(-n * (100 - level) // 100)


def tail_risk(series: ReturnSeries, forecast: Quantities) -> TailRisk:
    """Return VaR and ES at VAR_LEVELS over VAR_HORIZONS sessions.

    Historical: with losses sorted and ``k = ceil(n (100 - level) / 100)`` in integers, VaR is the k-th largest loss and
    ES the mean of the k largest; over several sessions from overlapping compounded returns. Parametric: normal with
    the sample's mean and deviation, scaled by the horizon and its root. HAR: normal with the forecast volatility, mean
    zero.

    Parameters
    ----------
    series : ReturnSeries
        Returns of today's books.
    forecast : Quantities of shape (n_portfolios,)
        Annualised volatility forecast.

    Returns
    -------
    TailRisk
        `INSUFFICIENT_HISTORY` below VAR_MIN_OBSERVATIONS of the level, else the reason that the series or the forecast
        has. A VaR below zero is a gain even there.
    """
    shape = series.values.shape[0], len(VAR_LEVELS), len(VAR_HORIZONS)
    reasons = _too_short(series)
    historical_var, historical_es = np.full(shape, np.nan), np.full(shape, np.nan)
    for number, horizon in enumerate(VAR_HORIZONS):
        losses = -compounded(series.values, horizon)
        historical_var[..., number], historical_es[..., number] = _empirical(losses)

    mean, deviation = _moments(series)
    normal_var, normal_es = _normal(mean, deviation)
    har_var, har_es = _normal(np.zeros_like(mean), forecast.values / np.sqrt(SESSIONS_PER_YEAR))
    whys: ReasonArray = np.broadcast_to(reasons[..., None], shape)
    no_forecast: ReasonArray = np.broadcast_to(forecast.unavailable[:, None, None], shape)
    return TailRisk(
        historical_var=quantities(historical_var, whys),
        historical_es=quantities(historical_es, whys),
        parametric_var=quantities(normal_var, whys),
        parametric_es=quantities(normal_es, whys),
        har_var=quantities(har_var, no_forecast),
        har_es=quantities(har_es, no_forecast),
    )


def kupiec_backtest(series: ReturnSeries) -> Backtest:
    """Compare each of the last BACKTEST_SESSIONS losses with the historical VaR of as many sessions before it.

    Parameters
    ----------
    series : ReturnSeries
        Twice BACKTEST_SESSIONS returns; shorter ones are `INSUFFICIENT_HISTORY`.

    Returns
    -------
    Backtest
        With x exceptions in m sessions and p = 1 - level, the likelihood ratio is
        ``-2 ln[(1-p)^(m-x) p^x / ((1-x/m)^(m-x) (x/m)^x)]``, chi-squared with one degree of freedom (Kupiec 1995).
    """
    long = series.of_length(2 * BACKTEST_SESSIONS)
    losses = -long.values
    before = np.lib.stride_tricks.sliding_window_view(losses[:, :-1], BACKTEST_SESSIONS, axis=1)
    exceptions = np.empty((losses.shape[0], len(VAR_LEVELS)), dtype=np.int64)
    ranks = [rank(BACKTEST_SESSIONS, level) for level in VAR_LEVELS]
    ordered = np.partition(before, [BACKTEST_SESSIONS - k for k in ranks], axis=-1)
    for number, k in enumerate(ranks):
        exceptions[:, number] = (losses[:, BACKTEST_SESSIONS:] > ordered[..., BACKTEST_SESSIONS - k]).sum(axis=1)
    promised = 1 - np.array(VAR_LEVELS) / 100
    ratio = _likelihood_ratio(exceptions, promised)
    whys: ReasonArray = np.broadcast_to(long.unavailable[:, None], exceptions.shape)
    return Backtest(
        quantities(exceptions.astype(np.float64), whys),
        quantities(ratio, whys),
        quantities(np.asarray(stats.chi2.sf(ratio, 1), dtype=np.float64), whys),
    )


def compounded(returns: FloatArray, horizon: int) -> FloatArray:
    """Return the compounded returns of all overlapping stretches of `horizon` sessions.

    Shape (n_portfolios, n_sessions - horizon + 1); those of one session are the returns themselves, to the bit.
    """
    if horizon == 1:
        return returns
    stretches = np.lib.stride_tricks.sliding_window_view(returns, horizon, axis=1)
    product: FloatArray = (1.0 + stretches).prod(axis=-1) - 1.0
    return product


def _empirical(losses: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return VaR and ES per level, (n_portfolios, n_levels); rows have NaN where there is no loss."""
    ordered = np.sort(np.where(np.isnan(losses), -np.inf, losses), axis=1)[:, ::-1]
    observed = np.isfinite(losses).sum(axis=1)
    shape = losses.shape[0], len(VAR_LEVELS)
    var, shortfall = np.full(shape, np.nan), np.full(shape, np.nan)
    for n in np.unique(observed[observed > 0]).tolist():
        rows = np.flatnonzero(observed == n)
        for number, level in enumerate(VAR_LEVELS):
            k = rank(n, level)
            worst = ordered[rows, :k]
            var[rows, number], shortfall[rows, number] = worst[:, -1], worst.sum(axis=1) / k
    return var, shortfall


def _moments(series: ReturnSeries) -> tuple[FloatArray, FloatArray]:
    """Return mean and sample standard deviation of each series."""
    n = np.maximum(series.length, 2)
    known = np.isfinite(series.values)
    mean = np.where(known, series.values, 0.0).sum(axis=1) / n
    deviations = np.where(known, series.values - mean[:, None], 0.0)
    return mean, np.sqrt((deviations * deviations).sum(axis=1) / (n - 1))


def _normal(mean: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return VaR and ES of normal returns of a session, (n_portfolios, n_levels, n_horizons)."""
    horizons = np.array(VAR_HORIZONS, dtype=np.float64)
    centre = mean[:, None, None] * horizons
    spread = deviation[:, None, None] * np.sqrt(horizons)
    return (
        spread * np.array(_QUANTILE)[:, None] - centre,
        spread * np.array(_TAIL_MEAN)[:, None] - centre,
    )


def _too_short(series: ReturnSeries) -> ReasonArray:
    reasons: ReasonArray = np.repeat(series.unavailable[:, None], len(VAR_LEVELS), axis=1)
    for number, needed in enumerate(VAR_MIN_OBSERVATIONS):
        for portfolio in np.flatnonzero(is_available(series.unavailable) & (series.length < needed)):
            detail = f"{series.length[portfolio]} of {needed} returns"
            reasons[portfolio, number] = Unavailable(Reason.INSUFFICIENT_HISTORY, detail)
    return reasons


def _likelihood_ratio(exceptions: IntArray, promised: FloatArray) -> FloatArray:
    observed = exceptions / BACKTEST_SESSIONS
    expected = stats.binom.logpmf(exceptions, BACKTEST_SESSIONS, promised)
    best = stats.binom.logpmf(exceptions, BACKTEST_SESSIONS, observed)
    ratio: FloatArray = np.maximum(2.0 * (best - expected), 0.0)
    return ratio

"""Value at risk and expected shortfall of today's book (methodology, 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from services.risk.core.holdings import NetHoldings
from services.risk.core.ratios import quantities
from services.risk.core.volatility import ReturnSeries, revaluation
from shared.arrays import FloatArray, IntArray, ReasonArray
from shared.conventions import HAR_HORIZONS, SESSIONS_PER_YEAR, VAR_HORIZONS, VAR_LEVELS, VAR_MIN_OBSERVATIONS
from shared.unavailable import Quantities, Reason, Unavailable, is_available

_QUANTILE: Final = tuple(float(special.ndtri(level / 100)) for level in VAR_LEVELS)
# Mean of a standard normal variable beyond the quantile.
_TAIL_MEAN: Final = tuple(
    float(np.exp(-(quantile**2) / 2) / np.sqrt(2 * np.pi)) / (1 - level / 100)
    for level, quantile in zip(VAR_LEVELS, _QUANTILE, strict=True)
)
# Which forecast a VaR over each horizon takes.
_FORECASTS: Final = [HAR_HORIZONS.index(horizon) for horizon in VAR_HORIZONS]


@dataclass(frozen=True, slots=True)
class TailRisk:
    """Losses as fractions of equity, positive for a loss; each of shape (n_portfolios, n_levels, n_horizons).

    `losses` (n_portfolios, n_horizons) is the number of losses behind the historical figures, of several sessions
    overlapping ones, and `apart` that of such losses that do not overlap.
    """

    historical_var: Quantities
    historical_es: Quantities
    parametric_var: Quantities
    parametric_es: Quantities
    har_var: Quantities
    har_es: Quantities
    losses: Quantities
    apart: Quantities


def var_rank(n: int, level: int) -> tuple[int, float]:
    """Return where among `n` losses, the largest first, the VaR at a level in percent lies: a number and a fraction.

    The unbiased plotting position ``p (n + 1)``, which the next loss exceeds with the chance p; in integers, so that no
    rounding moves a whole one.
    """
    whole, rest = divmod((100 - level) * (n + 1), 100)
    return whole, rest / 100.0


def returns_over(horizon: int, series: ReturnSeries, holdings: NetHoldings, returns: FloatArray) -> FloatArray:
    """Return those of the books over all overlapping stretches of `horizon` sessions, options revalued at their end.

    Parameters
    ----------
    horizon : int
        Sessions.
    series : ReturnSeries
        Of today's books.
    holdings, returns
        What it was made of.

    Returns
    -------
    ndarray of shape (n_portfolios, n_sessions - horizon + 1)
        Of one session the series itself, to the bit.
    """
    if horizon == 1 or series.revaluation is None:
        return compounded(series.values, horizon)
    moved = compounded(np.ascontiguousarray(returns[:, -series.values.shape[1] :]), horizon)
    return compounded(series.values - series.revaluation, horizon) + revaluation(
        holdings, moved, covered=series.covered
    )


def tail_risk(series: ReturnSeries, forecast: Quantities, longer: Sequence[FloatArray] | None = None) -> TailRisk:
    """Return VaR and ES at VAR_LEVELS over VAR_HORIZONS sessions.

    Historical: VaR is the loss at the position of `var_rank`, interpolated; ES the mean of the worst ``n p`` losses, of
    the last one its fraction (Acerbi & Tasche 2002); over several sessions from overlapping compounded returns.
    Parametric: normal with the sample's mean and deviation, scaled by the horizon and its root. HAR: normal with the
    volatility that is forecast over the horizon, mean zero.

    Parameters
    ----------
    series : ReturnSeries
        Returns of today's books.
    forecast : Quantities of shape (n_portfolios, len(HAR_HORIZONS))
        Annualised volatility forecasts.
    longer : sequence of ndarray, optional
        Returns over each of VAR_HORIZONS; if not given, the series compounded.

    Returns
    -------
    TailRisk
        `INSUFFICIENT_HISTORY` below VAR_MIN_OBSERVATIONS of the level, or with too few losses over the horizon for the
        position to be among them, else the reason that the series or the forecast has. A VaR below zero is a gain even
        there.
    """
    shape = series.values.shape[0], len(VAR_LEVELS), len(VAR_HORIZONS)
    reasons = _too_short(series)
    losses = np.maximum(series.length[:, None] - np.array(VAR_HORIZONS) + 1, 0)
    historical_var, historical_es = np.full(shape, np.nan), np.full(shape, np.nan)
    for number, stretches in enumerate(longer or [compounded(series.values, horizon) for horizon in VAR_HORIZONS]):
        historical_var[..., number], historical_es[..., number] = empirical_tail(-stretches)

    mean, deviation = _moments(series)
    horizons = np.array(VAR_HORIZONS, dtype=np.float64)
    normal_var, normal_es = _normal(mean[:, None] * horizons, deviation[:, None] * np.sqrt(horizons))
    expected = forecast.values[:, _FORECASTS] * np.sqrt(horizons / SESSIONS_PER_YEAR)
    har_var, har_es = _normal(np.zeros_like(expected), expected)
    whys: ReasonArray = np.broadcast_to(reasons[..., None], shape)
    no_rank = _no_rank(whys, losses)
    no_forecast: ReasonArray = np.broadcast_to(forecast.unavailable[:, None, _FORECASTS], shape)
    counted: ReasonArray = np.repeat(series.unavailable[:, None], len(VAR_HORIZONS), axis=1)
    return TailRisk(
        historical_var=quantities(historical_var, no_rank),
        historical_es=quantities(historical_es, no_rank),
        parametric_var=quantities(normal_var, whys),
        parametric_es=quantities(normal_es, whys),
        har_var=quantities(har_var, no_forecast),
        har_es=quantities(har_es, no_forecast),
        losses=quantities(losses.astype(np.float64), counted),
        apart=quantities((series.length[:, None] // np.array(VAR_HORIZONS)).astype(np.float64), counted),
    )


def compounded(returns: FloatArray, horizon: int) -> FloatArray:
    """Return the compounded returns of all overlapping stretches of `horizon` sessions.

    Shape (n_portfolios, n_sessions - horizon + 1); those of one session are the returns themselves, to the bit.
    """
    if horizon == 1:
        return returns
    growth = 1.0 + returns
    last = max(returns.shape[1] - horizon + 1, 0)
    product: FloatArray = growth[:, :last].copy()
    for session in range(1, horizon):
        product *= growth[:, session : session + last]
    return product - 1.0


def empirical_tail(losses: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return VaR and ES of samples of losses.

    Parameters
    ----------
    losses : ndarray of shape (n_portfolios, n_losses)
        NaN where there is none.

    Returns
    -------
    tuple of ndarray of shape (n_portfolios, n_levels)
        NaN where the VaR lies beyond the largest loss.
    """
    ordered = np.sort(np.where(np.isnan(losses), -np.inf, losses), axis=1)[:, ::-1]
    observed = np.isfinite(losses).sum(axis=1)
    shape = losses.shape[0], len(VAR_LEVELS)
    var, shortfall = np.full(shape, np.nan), np.full(shape, np.nan)
    for n in np.unique(observed[observed > 0]).tolist():
        rows = np.flatnonzero(observed == n)
        for number, level in enumerate(VAR_LEVELS):
            rank, beyond = var_rank(n, level)
            if rank == 0:
                continue
            var[rows, number] = _between(ordered[rows, rank - 1], ordered[rows, min(rank, n - 1)], beyond)
            whole, part = divmod((100 - level) * n, 100)
            worst = ordered[rows, :whole].sum(axis=1) + ordered[rows, whole] * (part / 100.0)
            shortfall[rows, number] = worst / ((100 - level) * n / 100.0)
    return var, shortfall


def _between(larger: FloatArray, smaller: FloatArray, beyond: float) -> FloatArray:
    """Return the loss between two neighbours; the larger itself where the position is whole."""
    return larger if beyond == 0.0 else larger - beyond * (larger - smaller)


def _moments(series: ReturnSeries) -> tuple[FloatArray, FloatArray]:
    """Return mean and sample standard deviation of each series."""
    n = np.maximum(series.length, 2)
    known = np.isfinite(series.values)
    mean = np.where(known, series.values, 0.0).sum(axis=1) / n
    deviations = np.where(known, series.values - mean[:, None], 0.0)
    return mean, np.sqrt((deviations * deviations).sum(axis=1) / (n - 1))


def _normal(mean: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return VaR and ES of normal returns over the horizons, (n_portfolios, n_levels, n_horizons)."""
    centre, spread = mean[:, None], deviation[:, None]
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


def _no_rank(reasons: ReasonArray, losses: IntArray) -> ReasonArray:
    """Return the reasons, and one where the position of the VaR is not among the losses, by level and horizon."""
    found = reasons.copy()
    for number, level in enumerate(VAR_LEVELS):
        needed = 100 // (100 - level) - 1
        for portfolio, horizon in np.argwhere(is_available(found[:, number]) & (losses < needed)).tolist():
            detail = f"{losses[portfolio, horizon]} of {needed} losses"
            found[portfolio, number, horizon] = Unavailable(Reason.INSUFFICIENT_HISTORY, detail)
    return found

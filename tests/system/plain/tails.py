"""Value at risk and expected shortfall of today's book, and how often the former was exceeded (methodology, 10)."""

from fractions import Fraction
from functools import cache
from math import ceil

import numpy as np
from scipy import integrate, stats

from tests.system.plain.known import SHORT, Number
from tests.system.plain.series import YEAR, Series

LEVELS = {95: 63, 99: 100}  # percent -> returns needed


def tail_measures(series: Series, forecast: Number) -> dict[str, Number]:
    """VaR and ES at both levels over one and ten sessions: historical, normal, and normal with the forecast."""
    found: dict[str, Number] = {}
    for level, needed in LEVELS.items():
        for horizon in (1, 10):
            why = series.why or (None if series.length >= needed else SHORT)
            pairs = {
                "historical": why or _historical(series, level, horizon),
                "parametric": why or _normal(_moments(series), level, horizon),
                "har": forecast
                if isinstance(forecast, str)
                else _normal((0, forecast / np.sqrt(YEAR)), level, horizon),
            }
            for method, pair in pairs.items():
                for place, figure in enumerate(("var", "es")):
                    value = pair if isinstance(pair, str) else pair[place]
                    found[f"{figure}_{level}_{horizon}d_{method}"] = value
    return found


def _historical(series: Series, level: int, horizon: int) -> tuple[float, float]:
    """The k-th largest loss and the mean of the k largest, k the smallest with k/n >= 1 - level."""
    growth = 1 + series.returns.to_numpy()
    ends = range(horizon, len(growth) + 1)
    losses = sorted((1 - float(np.prod(growth[end - horizon : end])) for end in ends), reverse=True)
    k = ceil(len(losses) * Fraction(100 - level, 100))
    return losses[k - 1], sum(losses[:k]) / k


def _moments(series: Series) -> tuple[float, float]:
    return float(series.returns.mean()), float(series.returns.std(ddof=1))


def _normal(moments: tuple[float, float], level: int, horizon: int) -> tuple[float, float]:
    """The quantile of the loss and the mean of the losses beyond."""
    loss, deviation = -moments[0] * horizon, moments[1] * np.sqrt(horizon)
    quantile, beyond = _standard_tail(level)
    return float(loss + deviation * quantile), float(loss + deviation * beyond)


@cache
def _standard_tail(level: int) -> tuple[float, float]:
    """The quantile of a standard normal loss, and the mean of the quantiles beyond, by integration."""
    quantile = stats.norm.ppf(level / 100)
    area, _ = integrate.quad(stats.norm.ppf, level / 100, 1, epsabs=1e-13, epsrel=1e-13)
    return float(quantile), float(area / (1 - level / 100))


def backtest_measures(series: Series) -> dict[str, Number]:
    """Losses beyond the VaR of the 126 sessions before each of the last 126, and Kupiec's test of their number."""
    found: dict[str, Number] = {}
    for level in LEVELS:
        names = [f"{name}_{level}" for name in ("var_exceptions", "kupiec_likelihood_ratio", "kupiec_p")]
        why = series.why or (None if series.length >= 252 else SHORT)
        found |= dict.fromkeys(names, why) if why else dict(zip(names, _kupiec(series, level), strict=True))
    return found


def _kupiec(series: Series, level: int) -> tuple[float, float, float]:
    losses = -series.returns.to_numpy()[-252:]
    k = ceil(126 * Fraction(100 - level, 100))
    exceptions = sum(losses[day] > sorted(losses[day - 126 : day])[-k] for day in range(126, 252))
    promised, seen = 1 - level / 100, exceptions / 126
    likelihoods = [_log_likelihood(exceptions, share) for share in (promised, seen)]
    ratio = -2 * (likelihoods[0] - likelihoods[1])
    return float(exceptions), ratio, float(stats.chi2.sf(ratio, 1))


def _log_likelihood(exceptions: int, share: float) -> float:
    """The logarithm of (1-p)^(m-x) p^x, where 0^0 is one."""
    terms = ((exceptions, share), (126 - exceptions, 1 - share))
    return sum(float(count * np.log(part)) for count, part in terms if count)

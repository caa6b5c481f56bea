"""Value at risk and expected shortfall of today's book, and how often the former was exceeded (methodology, 10)."""

from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np
from scipy import integrate, stats

from tests.system.plain.known import SHORT, Number
from tests.system.plain.series import YEAR, Forecast, Series

LEVELS = {95: 63, 99: 100}  # percent -> returns needed
TESTED = {95: 63, 99: 250}  # percent -> sessions needed


def tail_measures(series: Series, forecast: Forecast) -> dict[str, Number]:
    """VaR and ES at both levels over one and ten sessions: historical, normal, and normal with the forecast."""
    found: dict[str, Number] = {}
    for level, needed in LEVELS.items():
        for horizon in (1, 10):
            why = series.why or (None if series.length >= needed else SHORT)
            expected = forecast.over[horizon]
            pairs = {
                "historical": why or _historical(series, level, horizon),
                "parametric": why or _normal(_moments(series), level, horizon),
                "har": expected
                if isinstance(expected, str)
                else _normal((0, expected / np.sqrt(YEAR)), level, horizon),
            }
            for method, pair in pairs.items():
                for place, figure in enumerate(("var", "es")):
                    value = pair if isinstance(pair, str) else pair[place]
                    found[f"{figure}_{level}_{horizon}d_{method}"] = value
    return found


def _historical(series: Series, level: int, horizon: int) -> tuple[float, float] | str:
    """The loss at the place p (n + 1), and the mean of the worst n p, of the last one its fraction."""
    losses = sorted((-value for value in (series.returns if horizon == 1 else series.over_ten)), reverse=True)
    share = Fraction(100 - level, 100)
    if share * (len(losses) + 1) < 1:
        return SHORT
    count = len(losses) * share
    parts = [min(max(count - place, Fraction(0)), Fraction(1)) for place in range(len(losses))]
    return value_at_risk(losses, level), sum(
        float(part) * loss for part, loss in zip(parts, losses, strict=True)
    ) / float(count)


def value_at_risk(losses: list[float], level: int) -> float:
    """The loss at the place p (n + 1), the largest first."""
    place = Fraction(100 - level, 100) * (len(losses) + 1)
    rank, beyond = int(place), float(place - int(place))
    return losses[rank - 1] * (1 - beyond) + (losses[rank] * beyond if beyond else 0.0)


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


def tested_sessions(series: Series) -> int:
    """Sessions before which the holdings have as many returns as the series has, a year of them at most."""
    known = series.history.notna().to_numpy()
    length = len(known) if known.all() else int(known[::-1].argmin())
    return 0 if series.why else min(max(length - series.length, 0), 252)


def backtest_measures(series: Series) -> dict[str, Number]:
    """Losses beyond the VaR of as many sessions before as the series has, and tests of their number and clusters."""
    found: dict[str, Number] = {}
    names = (
        *("var_exceptions", "kupiec_likelihood_ratio", "kupiec_p", "independence_likelihood_ratio", "independence_p"),
        *("conditional_coverage_likelihood_ratio", "conditional_coverage_p"),
    )
    for level in LEVELS:
        why = series.why or (None if tested_sessions(series) >= TESTED[level] else SHORT)
        values = dict.fromkeys(names, why) if why else dict(zip(names, _tests(series, level), strict=True))
        found |= {f"{name}_{level}": value for name, value in values.items()}
    return found


def _tests(series: Series, level: int) -> tuple[float, ...]:
    losses = [-float(value) for value in series.history]
    days = range(len(losses) - tested_sessions(series), len(losses))
    beyond = [
        losses[day] > value_at_risk(sorted(losses[day - series.length : day], reverse=True), level) for day in days
    ]
    x, m, promised = sum(beyond), len(beyond), 1 - level / 100
    kupiec = -2 * (_log_likelihood(x, m, promised) - _log_likelihood(x, m, x / m))
    after = {eve: [day for before, day in pairwise(beyond) if before == eve] for eve in (True, False)}
    both = [day for days_after in after.values() for day in days_after]
    apart = sum(_log_likelihood(sum(some), len(some), sum(some) / len(some)) for some in after.values() if some)
    clusters = max(-2 * (_log_likelihood(sum(both), len(both), sum(both) / len(both)) - apart), 0.0)
    ratios = ((kupiec, 1), (clusters, 1), (kupiec + clusters, 2))
    return (float(x), *(figure for ratio, n in ratios for figure in (ratio, float(stats.chi2.sf(ratio, n)))))


def _log_likelihood(count: int, sessions: int, share: float) -> float:
    """The logarithm of (1-p)^(m-x) p^x, where 0^0 is one."""
    terms = ((count, share), (sessions - count, 1 - share))
    return sum(float(number * np.log(part)) for number, part in terms if number)

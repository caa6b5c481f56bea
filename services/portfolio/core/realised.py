"""Realised performance: what the daily returns that a book has had say of it, over the windows of a tear sheet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Final

import numpy as np

from shared.arrays import DateArray, FloatArray
from shared.calendar import months_before, shift_session
from shared.conventions import REALISED_MIN_RETURNS, SESSIONS_PER_YEAR
from shared.unavailable import Reason, Unavailable

# The day after which each window's returns are.
WINDOWS: Final[Mapping[str, Callable[[date], date]]] = MappingProxyType(
    {
        "1M": lambda last: months_before(last, 1),
        "3M": lambda last: months_before(last, 3),
        "6M": lambda last: months_before(last, 6),
        "YTD": lambda last: date(last.year - 1, 12, 31),
        "1Y": lambda last: months_before(last, 12),
    }
)
SINCE_INCEPTION: Final = "since inception"

STEADY: Final = Unavailable(Reason.DEGENERATE_INPUT, "the returns do not vary")
NEVER_BELOW: Final = Unavailable(Reason.DEGENERATE_INPUT, "no return was below the risk-free one")
NEVER_FELL: Final = Unavailable(Reason.DEGENERATE_INPUT, "the index never fell")
ALL_LOST: Final = Unavailable(Reason.DEGENERATE_INPUT, "everything was lost")

Number = float | Unavailable


@dataclass(frozen=True, slots=True)
class Extreme:
    """The best or the worst return, and the session that it ends on."""

    value: Number
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Realised:
    """A window of daily returns; ratios are a year's."""

    returns: int
    whole: Number
    volatility: Number
    downside_deviation: Number
    sharpe: Number
    sortino: Number
    maximum_drawdown: Number
    calmar: Number
    best_day: Extreme
    worst_day: Extreme
    best_month: Extreme
    worst_month: Extreme
    hit_rate: Number
    skew: Number
    excess_kurtosis: Number


def windows_of(
    days: DateArray,
    returns: FloatArray,
    risk_free: FloatArray,
    *,
    opened_on: date,
    broken: Unavailable | None = None,
) -> dict[str, Realised]:
    """Return the realised performance over each window that ends with the last session, and since inception.

    Parameters
    ----------
    days : ndarray of datetime64[D], shape (n,)
        The sessions, at least one, oldest first.
    returns : ndarray of shape (n,)
        The daily returns; NaN where there was none, which is no return and counted as none.
    risk_free : ndarray of shape (n,)
        What each session earned without risk; NaN where that is not known.
    opened_on : date
        A window that begins before has nothing to say.
    broken : Unavailable or None
        Why the returns do not make a chain: then no window says anything.

    Returns
    -------
    dict of str to Realised
    """
    if broken is not None:
        return {name: _nothing(broken) for name in (*WINDOWS, SINCE_INCEPTION)}
    last: date = days[-1].item()
    found = {}
    for name, begin in WINDOWS.items():
        after = begin(last)
        if after < shift_session(opened_on, -1):
            found[name] = _nothing(Unavailable(Reason.INSUFFICIENT_HISTORY, f"opened on {opened_on}"))
        else:
            inside = days > np.datetime64(after, "D")
            found[name] = realised(days[inside], returns[inside], risk_free[inside])
    return found | {SINCE_INCEPTION: realised(days, returns, risk_free)}


def realised(days: DateArray, returns: FloatArray, risk_free: FloatArray) -> Realised:
    """Return what the daily returns of a window say, from `REALISED_MIN_RETURNS` on; what they add up to, always.

    Deviations are sample ones. Sharpe's and Sortino's ratio and the downside deviation are over the risk-free return:
    of a window in which it is not known of every session they are unavailable.
    Calmar's ratio is of a year's return at the rate of the window's sessions. Months are those of the calendar, the
    first and the last as far as they lie in the window.

    Parameters
    ----------
    days : ndarray of datetime64[D], shape (n,)
        Oldest first.
    returns : ndarray of shape (n,)
        Fractions; NaN where there was none, which is left out.
    risk_free : ndarray of shape (n,)

    Returns
    -------
    Realised
    """
    there = np.isfinite(returns)
    days, returns, risk_free = days[there], returns[there], risk_free[there]
    if returns.size < REALISED_MIN_RETURNS:
        short = Unavailable(Reason.INSUFFICIENT_HISTORY, f"{returns.size} of {REALISED_MIN_RETURNS} returns")
        whole = float(np.prod(1.0 + returns) - 1.0) if returns.size else short
        return replace(_nothing(short), returns=returns.size, whole=whole)
    growth: FloatArray = np.cumprod(1.0 + returns, dtype=np.float64)
    fall = _fall(growth)
    spread = float(returns.std(ddof=1)) if np.ptp(returns) > 0 else 0.0
    ends, months = _by_month(days, returns)
    skew, excess_kurtosis = _shape(returns) if spread else (STEADY, STEADY)
    downside_deviation, sharpe, sortino = _over_risk_free(days, returns, risk_free, spread)
    return Realised(
        returns=returns.size,
        whole=float(growth[-1] - 1.0),
        volatility=spread * np.sqrt(SESSIONS_PER_YEAR),
        downside_deviation=downside_deviation,
        sharpe=sharpe,
        sortino=sortino,
        maximum_drawdown=fall,
        calmar=_calmar(growth, fall),
        best_day=_extreme(days, returns, int(returns.argmax())),
        worst_day=_extreme(days, returns, int(returns.argmin())),
        best_month=_extreme(ends, months, int(months.argmax())),
        worst_month=_extreme(ends, months, int(months.argmin())),
        hit_rate=float(np.mean(returns > 0)),
        skew=skew,
        excess_kurtosis=excess_kurtosis,
    )


def _nothing(why: Unavailable) -> Realised:
    none = Extreme(why)
    return Realised(0, why, why, why, why, why, why, why, none, none, none, none, why, why, why)


def _over_risk_free(
    days: DateArray, returns: FloatArray, risk_free: FloatArray, spread: float
) -> tuple[Number, Number, Number]:
    unknown = days[np.isnan(risk_free)]
    if unknown.size:
        detail = f"no risk-free rate before {unknown.size} of {days.size} sessions, the first {unknown[0]}"
        why = Unavailable(Reason.MISSING_DATA, detail)
        return why, why, why
    excess = returns - risk_free
    below = float(np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2)))
    return (
        below * float(np.sqrt(SESSIONS_PER_YEAR)),
        _yearly(float(excess.mean()), over=spread, otherwise=STEADY),
        _yearly(float(excess.mean()), over=below, otherwise=NEVER_BELOW),
    )


def _yearly(mean: float, *, over: float, otherwise: Unavailable) -> Number:
    return mean / over * float(np.sqrt(SESSIONS_PER_YEAR)) if over > 0 else otherwise


def _shape(returns: FloatArray) -> tuple[float, float]:
    """Return skewness and excess kurtosis, of which neither is biased for normal returns (Joanes & Gill, 1998)."""
    n = returns.size
    apart = returns - returns.mean()
    second, third, fourth = (float(np.mean(apart**order)) for order in (2, 3, 4))
    skew = float(np.sqrt(n * (n - 1))) / (n - 2) * third / second**1.5
    kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * fourth / second**2 - 3 * (n - 1))
    return skew, kurtosis


def _fall(growth: FloatArray) -> float:
    index = np.concatenate([[1.0], growth])
    return float((index / np.maximum.accumulate(index)).min()) - 1.0


def _calmar(growth: FloatArray, fall: float) -> Number:
    if fall == 0:
        return NEVER_FELL
    if growth[-1] <= 0:
        return ALL_LOST
    return float(growth[-1] ** (SESSIONS_PER_YEAR / growth.size) - 1.0) / -fall


def _by_month(days: DateArray, returns: FloatArray) -> tuple[DateArray, FloatArray]:
    """Return the last session and the return of each month."""
    months = days.astype("datetime64[M]")
    starts = np.flatnonzero(np.concatenate([[True], months[1:] != months[:-1]]))
    return days[np.append(starts[1:], days.size) - 1], np.multiply.reduceat(1.0 + returns, starts) - 1.0


def _extreme(days: DateArray, returns: FloatArray, place: int) -> Extreme:
    return Extreme(float(returns[place]), days[place].item())

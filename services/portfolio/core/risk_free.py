"""What sessions earn without risk: from the yields of three-month Treasuries, else from a constant rate."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.arrays import DateArray, FloatArray
from shared.conventions import OPTION_RISK_FREE_RATE, RISK_FREE_STALE_DAYS, SESSIONS_PER_YEAR

# What a session earns at the constant rate.
RISK_FREE_RETURN: Final = float(np.expm1(OPTION_RISK_FREE_RATE / SESSIONS_PER_YEAR))
_QUARTER: Final = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Quoted:
    """Yields as quoted, fractions a year, and their days, the oldest first."""

    days: DateArray
    rates: FloatArray


def continuous(quoted: FloatArray) -> FloatArray:
    """Return the continuously compounded rates a year of yields that are simple interest over a quarter."""
    rates: FloatArray = np.log1p(quoted * _QUARTER) / _QUARTER
    return rates


def option_rates(days: DateArray, quoted: Quoted | None) -> FloatArray:
    """Return the rates that options are valued at in sessions, (n,): continuously compounded, a year.

    The newest of a day before each; OPTION_RISK_FREE_RATE where there is none or it is too old.
    """
    known = _rates_before(days, quoted)
    return np.where(np.isfinite(known), known, OPTION_RISK_FREE_RATE)


def risk_free_returns(days: DateArray, quoted: Quoted | None) -> FloatArray:
    """Return what each session earns without risk: at the newest rate of a day before it.

    Parameters
    ----------
    days : ndarray of datetime64[D], shape (n,)
        The sessions, oldest first.
    quoted : Quoted or None
        None: nobody is asked for rates, and the constant counts.

    Returns
    -------
    ndarray of shape (n,)
        Fractions; NaN where the newest rate is older than `RISK_FREE_STALE_DAYS` days or there is none.
    """
    if quoted is None:
        return np.full(len(days), RISK_FREE_RETURN)
    returns: FloatArray = np.expm1(_rates_before(days, quoted) / SESSIONS_PER_YEAR)
    return returns


def _rates_before(days: DateArray, quoted: Quoted | None) -> FloatArray:
    """Return the newest rates of days before these; NaN where they are too old or there is none."""
    found = np.full(len(days), np.nan)
    if quoted is None:
        return found
    place = np.searchsorted(quoted.days, days) - 1
    known = place >= 0
    age = days[known] - quoted.days[place[known]]
    rates = continuous(quoted.rates[place[known]])
    found[known] = np.where(age <= np.timedelta64(RISK_FREE_STALE_DAYS, "D"), rates, np.nan)
    return found

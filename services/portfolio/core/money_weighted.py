"""The money-weighted return: the one rate at which what was paid in grows to what is there (XIRR)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from scipy.optimize import brentq

from shared.arrays import FloatArray
from shared.conventions import DAYS_PER_YEAR
from shared.unavailable import Reason, Unavailable

# Logarithms of growth over the window that are looked at: from almost everything lost to a factor of a billion.
_GRID: Final = np.linspace(-20.0, 20.0, 401)

ONE_SIGN: Final = Unavailable(Reason.DEGENERATE_INPUT, "money only went one way: there is no rate of return")
NO_ROOT: Final = Unavailable(Reason.DEGENERATE_INPUT, "no rate of return explains the flows")
SEVERAL_ROOTS: Final = Unavailable(Reason.DEGENERATE_INPUT, "several rates of return explain the flows")
NO_TIME: Final = Unavailable(Reason.INSUFFICIENT_HISTORY, "all amounts are of one day")


@dataclass(frozen=True, slots=True)
class MoneyWeighted:
    """The return over the window, and a year's at the same rate where the window is a year or longer."""

    period: float | Unavailable
    annual: float | Unavailable


def money_weighted_return(days: Sequence[date], amounts: FloatArray) -> MoneyWeighted:
    """Return the internal rate of return of dated amounts.

    Parameters
    ----------
    days : sequence of date
        In any order.
    amounts : ndarray of shape (n,)
        As the investor sees them: paid in negative, taken out and what is left at the end positive.

    Returns
    -------
    MoneyWeighted
        The rate r for which ``sum(amount / (1 + r) ** (days since the first / 365)) == 0``. `DEGENERATE_INPUT` when
        money went one way only, or no or several rates do. A year's rate of a shorter window is `NOT_APPLICABLE`, as
        the Global Investment Performance Standards have it.
    """
    since = np.array([(day - min(days)).days for day in days], dtype=np.float64)
    span = float(since.max())
    if span == 0:
        return MoneyWeighted(NO_TIME, NO_TIME)
    if not ((amounts > 0).any() and (amounts < 0).any()):
        return MoneyWeighted(ONE_SIGN, ONE_SIGN)
    growth = _solve(since / span, amounts / np.abs(amounts).max())
    if isinstance(growth, Unavailable):
        return MoneyWeighted(growth, growth)
    if span < DAYS_PER_YEAR:
        short = Unavailable(Reason.NOT_APPLICABLE, f"{span:.0f} days are no year")
        return MoneyWeighted(float(np.expm1(growth)), short)
    return MoneyWeighted(float(np.expm1(growth)), float(np.expm1(growth * DAYS_PER_YEAR / span)))


def _solve(times: FloatArray, amounts: FloatArray) -> float | Unavailable:
    """Return the logarithm of the growth over the window, times running from 0 to 1."""

    def value(growth: float) -> float:
        # Discounted to the end as well as to the beginning, so that neither end overflows.
        return float((amounts * np.exp(growth * (0.5 - times))).sum())

    signs = np.sign([value(growth) for growth in _GRID])
    # A root on the grid is a change of sign once.
    changes = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    exact = np.flatnonzero(signs == 0)
    if changes.size + exact.size != 1:
        return SEVERAL_ROOTS if changes.size + exact.size else NO_ROOT
    if exact.size:
        return float(_GRID[exact[0]])
    return float(brentq(value, _GRID[changes[0]], _GRID[changes[0] + 1], xtol=1e-14, rtol=1e-14))

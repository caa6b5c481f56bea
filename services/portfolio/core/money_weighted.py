"""The money-weighted return: the one rate at which what was paid in grows to what is there (XIRR)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np
from scipy.optimize import brentq

from shared.arrays import FloatArray
from shared.conventions import DAYS_PER_YEAR
from shared.unavailable import Reason, Unavailable

NO_MONEY: Final = Unavailable(Reason.DEGENERATE_INPUT, "no money was there: there is no rate of return")
ONE_SIGN: Final = Unavailable(Reason.DEGENERATE_INPUT, "money only went one way: there is no rate of return")
NO_ROOT: Final = Unavailable(Reason.DEGENERATE_INPUT, "no rate of return explains the flows")
NO_TIME: Final = Unavailable(Reason.INSUFFICIENT_HISTORY, "all amounts are of one day")

_STEPS: Final = 20  # of Newton, which needs three or four
_SETTLED: Final = 1e-14  # of a logarithm of growth
_TANGENT: Final = 1e-13  # a sum so small beside its terms is none


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
        As the investor sees them: paid in negative, taken out and what is left at the end positive. Amounts of
        nothing say nothing, about the window neither: it is that from the first to the last of the others.

    Returns
    -------
    MoneyWeighted
        The rate r for which ``sum(amount / (1 + r) ** (days since the first / 365)) == 0``, wherever it lies above
        -100 %. `DEGENERATE_INPUT` when money went one way only, or no or several rates do. A year's rate of a shorter
        window is `NOT_APPLICABLE`, as the Global Investment Performance Standards have it.
    """
    told = np.flatnonzero(amounts)
    ordinals = np.array([days[place].toordinal() for place in told.tolist()], dtype=np.float64)
    ordinals, amounts = _by_day(ordinals, amounts[told])
    if not amounts.size:
        return MoneyWeighted(NO_MONEY, NO_MONEY)
    span = float(ordinals[-1] - ordinals[0])
    if span == 0:
        return MoneyWeighted(NO_TIME, NO_TIME)
    scaled = amounts / np.abs(amounts).max()
    growth = _growth((ordinals - ordinals[0]) / span, scaled, years=span / DAYS_PER_YEAR)
    if isinstance(growth, Unavailable):
        return MoneyWeighted(growth, growth)
    if span < DAYS_PER_YEAR:
        short = Unavailable(Reason.NOT_APPLICABLE, f"{span:.0f} days are no year")
        return MoneyWeighted(float(np.expm1(growth)), short)
    return MoneyWeighted(float(np.expm1(growth)), float(np.expm1(growth * DAYS_PER_YEAR / span)))


def _by_day(ordinals: FloatArray, amounts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return increasing days with the sum of each, without those of which nothing remains."""
    if (ordinals[1:] > ordinals[:-1]).all():
        return ordinals, amounts
    each, place = np.unique(ordinals, return_inverse=True)
    sums = np.bincount(place, weights=amounts)
    return each[sums != 0], sums[sums != 0]


def _growth(times: FloatArray, amounts: FloatArray, *, years: float) -> float | Unavailable:
    """Return the logarithm of the growth over the window, times running from 0 to 1."""
    if not np.isfinite(amounts).all():
        return NO_ROOT
    if amounts.min() > 0 or amounts.max() < 0:
        return ONE_SIGN
    if _has_one_root(amounts) and (found := _newton(times, amounts)) is not None:
        return found
    roots = _roots(times, amounts)
    if len(roots) > 1:
        with np.errstate(over="ignore"):
            rates = ", ".join(f"{np.expm1(root / years):.6g}" for root in roots)
        return Unavailable(Reason.DEGENERATE_INPUT, f"several rates of return explain the flows, a year {rates}")
    return roots[0] if roots else NO_ROOT


def _has_one_root(amounts: FloatArray) -> bool:
    """Tell of the flows of most books, at the cost of two sums, that one rate explains them.

    What has been paid in and taken out by a time changes its sign at least as often as there are positive rates, and
    what is still to come as often as there are negative ones: Descartes' rule for the Laplace transform of either.
    """
    so_far = amounts.cumsum()
    to_come = so_far[-1] - so_far[:-1]
    signs = np.concatenate([to_come[::-1] < 0, so_far[-1:] < 0, (so_far < 0)[::-1]])
    return bool(so_far[-1] != 0) and int(np.count_nonzero(signs[1:] != signs[:-1])) == 1


def _newton(times: FloatArray, amounts: FloatArray) -> float | None:
    """Return the root of log(received) - log(paid), which is next to a straight line; None if it isn't found."""
    received, paid = np.maximum(amounts, 0.0), np.maximum(-amounts, 0.0)
    sides = np.array([received, paid, received * times, paid * times])
    growth: float = 0.0
    for _ in range(_STEPS):
        inflow, outflow, inflow_time, outflow_time = map(float, (sides * _discounts(times, growth)).sum(axis=1))
        lag = inflow_time * outflow - outflow_time * inflow
        if not (inflow > 0 and outflow > 0 and lag != 0):
            return None
        step = float(np.log(inflow / outflow)) * inflow * outflow / lag
        growth += step
        if abs(step) <= _SETTLED * max(1.0, abs(growth)):
            return growth
    return None


def _roots(times: FloatArray, amounts: FloatArray) -> list[float]:
    """Return every logarithm of growth at which the amounts are worth nothing, the smallest first.

    Discounted to a time between two amounts of different sign, the worth has a derivative whose amounts change their
    sign once less. Between two of its roots the worth rises or falls and has one root at most: as often down as there
    are changes of sign.
    """
    changes = np.flatnonzero((amounts[1:] < 0) != (amounts[:-1] < 0))
    if not changes.size:
        return []
    first = int(changes[0])
    slopes = amounts * ((times[first] + times[first + 1]) / 2 - times)
    turns = _roots(times, slopes / np.abs(slopes).max())
    reach = _reach(times, amounts)
    places = [-reach, *turns, reach]
    worths = [_worth(place, times, amounts) for place in places]
    found = [place for place, worth in zip(places, worths, strict=True) if worth == 0]
    for (left, before), (right, after) in pairwise(zip(places, worths, strict=True)):
        if before * after < 0:
            found.append(float(brentq(_worth, left, right, args=(times, amounts), xtol=_SETTLED, rtol=_SETTLED)))
    return sorted(found)


def _reach(times: FloatArray, amounts: FloatArray) -> float:
    """Return a logarithm of growth beyond which either way one amount, the first or the last, outweighs all others."""
    sizes = np.abs(amounts)
    first = np.log(sizes.sum() / sizes[0]) / (times[1] - times[0])
    last = np.log(sizes.sum() / sizes[-1]) / (times[-1] - times[-2])
    return float(max(first, last)) + 1.0


def _worth(growth: float, times: FloatArray, amounts: FloatArray) -> float:
    """Return what the amounts are worth, beside what is added up; nothing where roundings are all that is left."""
    terms = amounts * _discounts(times, growth)
    worth, sizes = float(terms.sum()), float(np.abs(terms).sum())
    return 0.0 if abs(worth) <= _TANGENT * sizes else worth / sizes


def _discounts(times: FloatArray, growth: float) -> FloatArray:
    # To the end that keeps every factor at 1 or below, so that none overflows.
    discounts: FloatArray = np.exp(-growth * (times if growth > 0 else times - 1.0))
    return discounts

"""The money-weighted return: the one rate at which what was paid in grows to what is there (XIRR)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, pairwise
from operator import lt, ne
from typing import Final

import numpy as np
from scipy.optimize import brentq

from shared.arrays import FloatArray
from shared.conventions import DAYS_PER_YEAR
from shared.unavailable import Reason, Unavailable

NO_MONEY: Final = Unavailable(Reason.DEGENERATE_INPUT, "no money was there: there is no rate of return")
ONE_SIGN: Final = Unavailable(Reason.DEGENERATE_INPUT, "money only went one way: there is no rate of return")
NO_ROOT: Final = Unavailable(Reason.DEGENERATE_INPUT, "no rate of return explains the flows")
BEYOND: Final = Unavailable(Reason.DEGENERATE_INPUT, "the rate of return is beyond any number")
NO_TIME: Final = Unavailable(Reason.INSUFFICIENT_HISTORY, "all amounts are of one day")

# What is received and what is paid, at some growth, and either times when.
Worths = tuple[float, float, float, float]

_FEW: Final = 40  # flows whose terms Python adds up sooner than numpy begins
_STEPS: Final = 20  # of Newton, which needs three or four
_SETTLED: Final = 1e-14  # of a logarithm of growth
_NEAR: Final = 1e-4  # a step from which on the next ones are squares
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
        -100 %. `DEGENERATE_INPUT` when money went one way only, no or several rates do, or one beyond any float. A
        year's rate of a shorter window is `NOT_APPLICABLE`, as the Global Investment Performance Standards have it.
    """
    told = amounts.nonzero()[0]
    ordinals = [days[place].toordinal() for place in told.tolist()]
    ordinals, paid = _by_day(ordinals, amounts[told].tolist())
    if not paid:
        return MoneyWeighted(NO_MONEY, NO_MONEY)
    first, span = ordinals[0], ordinals[-1] - ordinals[0]
    if span == 0:
        return MoneyWeighted(NO_TIME, NO_TIME)
    growth = _growth([(ordinal - first) / span for ordinal in ordinals], paid, years=span / DAYS_PER_YEAR)
    if isinstance(growth, Unavailable):
        return MoneyWeighted(growth, growth)
    if span < DAYS_PER_YEAR:
        short = Unavailable(Reason.NOT_APPLICABLE, f"{span} days are no year")
        return MoneyWeighted(_rate(growth), short)
    return MoneyWeighted(_rate(growth), _rate(growth * DAYS_PER_YEAR / span))


def _by_day(ordinals: list[int], amounts: list[float]) -> tuple[list[int], list[float]]:
    """Return increasing days with the sum of each, without those of which nothing remains."""
    if all(map(lt, ordinals, ordinals[1:])):
        return ordinals, amounts
    sums: dict[int, float] = {}
    for ordinal, amount in zip(ordinals, amounts, strict=True):
        sums[ordinal] = sums.get(ordinal, 0.0) + amount
    each = sorted(ordinal for ordinal, remains in sums.items() if remains != 0)
    return each, [sums[ordinal] for ordinal in each]


def _growth(times: list[float], amounts: list[float], *, years: float) -> float | Unavailable:
    """Return the logarithm of the growth over the window, times running from 0 to 1."""
    if not all(map(math.isfinite, amounts)):
        return NO_ROOT
    least, most = min(amounts), max(amounts)
    if least > 0 or most < 0:
        return ONE_SIGN
    largest = max(-least, most)
    amounts = [amount / largest for amount in amounts]
    if _has_one_root(amounts) and (found := _newton(times, amounts)) is not None:
        return found
    roots = _roots(np.array(times), np.array(amounts))
    if len(roots) > 1:
        with np.errstate(over="ignore"):
            rates = ", ".join(f"{np.expm1(root / years):.6g}" for root in roots)
        return Unavailable(Reason.DEGENERATE_INPUT, f"several rates of return explain the flows, a year {rates}")
    return roots[0] if roots else NO_ROOT


def _rate(growth: float) -> float | Unavailable:
    try:
        return math.expm1(growth)
    except OverflowError:
        return BEYOND


def _has_one_root(amounts: list[float]) -> bool:
    """Tell of the flows of most books, at the cost of two sums, that one rate explains them.

    What has been paid in and taken out by a time changes its sign at least as often as there are positive rates, and
    what is still to come as often as there are negative ones: Descartes' rule for the Laplace transform of either.
    """
    so_far = list(accumulate(amounts))
    whole = so_far.pop()
    signs = [whole - before < 0 for before in reversed(so_far)]
    signs.append(whole < 0)
    signs += [before < 0 for before in reversed(so_far)]
    return whole != 0 and sum(map(ne, signs, signs[1:])) == 1


def _newton(times: list[float], amounts: list[float]) -> float | None:
    """Return the root of log(received) - log(paid), which is next to a straight line; None if it isn't found."""
    worths = _worths_of_few(times, amounts) if len(times) <= _FEW else _worths_of_many(times, amounts)
    growth, before = 0.0, math.nan
    for _ in range(_STEPS):
        inflow, outflow, inflow_time, outflow_time = worths(growth)
        lag = inflow_time * outflow - outflow_time * inflow
        if not (inflow > 0 and outflow > 0 and lag != 0):
            return None
        step = math.log(inflow / outflow) * inflow * outflow / lag
        growth += step
        # It converges as squares do: the next step would be so much smaller again.
        shrunk = step / before
        if step == 0 or (abs(step) < _NEAR and abs(step) * shrunk * shrunk <= _SETTLED * max(1.0, abs(growth))):
            return growth
        before = step
    return None


def _worths_of_few(times: list[float], amounts: list[float]) -> Callable[[float], Worths]:
    """Return what tells of a growth what is received and paid, and either times when: one by one."""
    flows = list(zip(times, amounts, strict=True))

    def worths(growth: float) -> Worths:
        base = 0.0 if growth > 0 else 1.0
        inflow = outflow = inflow_time = outflow_time = 0.0
        for time, amount in flows:
            worth = amount * math.exp(growth * (base - time))
            if worth > 0:
                inflow += worth
                inflow_time += worth * time
            else:
                outflow -= worth
                outflow_time -= worth * time
        return inflow, outflow, inflow_time, outflow_time

    return worths


def _worths_of_many(times: list[float], amounts: list[float]) -> Callable[[float], Worths]:
    """Return the same, all at once."""
    at, flows = np.array(times), np.array(amounts)
    received, paid = np.maximum(flows, 0.0), np.maximum(-flows, 0.0)
    sides = np.array([received, paid, received * at, paid * at])

    def worths(growth: float) -> Worths:
        inflow, outflow, inflow_time, outflow_time = (sides * _discounts(at, growth)).sum(axis=1).tolist()
        return inflow, outflow, inflow_time, outflow_time

    return worths


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

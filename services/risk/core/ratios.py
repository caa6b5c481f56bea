"""Ratios of a portfolio's amounts, each a number or the reason why there is none."""

from typing import Final

import numpy as np

from services.risk.core.holdings import NetHoldings
from shared.arrays import BoolArray, FloatArray, IntArray, ReasonArray
from shared.unavailable import Quantities, Reason, Unavailable, no_reasons, reason_where

NO_CAPITAL: Final = Unavailable(Reason.DEGENERATE_INPUT, "equity is not positive")
TOO_LARGE: Final = Unavailable(Reason.DEGENERATE_INPUT, "the inputs are too large or too small for a number")
EMPTY_BOOK: Final = Unavailable(Reason.NOT_APPLICABLE, "the book is empty")


def why_not_over_equity(holdings: NetHoldings) -> ReasonArray:
    """Return per portfolio why nothing relative to equity can be said: no capital, an empty book, or None."""
    reasons = no_reasons(holdings.n_portfolios)
    reasons[is_empty(holdings)] = EMPTY_BOOK
    reasons[holdings.equity <= 0] = NO_CAPITAL
    return reasons


def is_empty(holdings: NetHoldings) -> BoolArray:
    """Return which portfolios hold nothing of value."""
    empty: BoolArray = holdings.totals(holdings.gross) == 0
    return empty


def quantities(values: FloatArray, reasons: ReasonArray) -> Quantities:
    """Return numbers where there is no reason against them; what is not finite has one."""
    found = Quantities.of(values).withheld(reasons)
    overflown = found.available & ~np.isfinite(values)
    return found.withheld(reason_where(overflown, TOO_LARGE)) if overflown.any() else found


def over_equity(holdings: NetHoldings, amounts: FloatArray) -> Quantities:
    """Return amounts of shape (n_portfolios,) over equity, an empty book counting as zero."""
    reasons = no_reasons(holdings.n_portfolios)
    reasons[holdings.equity <= 0] = NO_CAPITAL
    return quantities(divide(amounts, holdings.equity.astype(np.float64)), reasons)


def coverage_of(holdings: NetHoldings, covered: BoolArray) -> Quantities:
    """Return covered gross over total gross exposure; `covered` is per holding."""
    total = holdings.totals(holdings.gross)
    reasons = no_reasons(holdings.n_portfolios)
    reasons[total == 0] = EMPTY_BOOK
    part: IntArray = holdings.totals(np.where(covered, holdings.gross, 0))
    return quantities(divide(part.astype(np.float64), total.astype(np.float64)), reasons)


def divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return quotients, NaN where the denominator is zero."""
    quotients = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotients, where=denominator != 0)
    return quotients

"""Returns of a portfolio: the daily return on the capital at the open, and the time-weighted index."""

import numpy as np

from shared.unavailable import FloatArray, IntArray, Quantities, Reason, ReasonArray, Unavailable

BASE_NOT_POSITIVE = Unavailable(Reason.DEGENERATE_INPUT, "equity at the open, flows included, is not positive")
CHAIN_BROKEN = Unavailable(
    Reason.DEGENERATE_INPUT, "the chain ended on a session with P&L but no positive capital, or with a loss above it"
)


def daily_returns(pnl: IntArray, base: IntArray) -> Quantities:
    """Return P&L over the capital at the open.

    Parameters
    ----------
    pnl, base : ndarray of int64, same shape
        P&L of the session, and equity at the previous close plus the flows of the session, in cents.

    Returns
    -------
    Quantities
        Fractions; `DEGENERATE_INPUT` where the base is not positive.
    """
    funded = base > 0
    values = np.full(pnl.shape, np.nan)
    np.divide(pnl, base, out=values, where=funded)
    reasons: ReasonArray = np.full(pnl.shape, None, dtype=object)
    reasons[~funded] = BASE_NOT_POSITIVE
    return Quantities(values, reasons)


def twr_index(opening: FloatArray, *, pnl: IntArray, base: IntArray) -> Quantities:
    """Return the time-weighted index: daily returns chain-linked, so that flows neither fake nor hide a gain.

    A session without capital and without P&L leaves the index where it was (a portfolio that waits for its first
    contribution). P&L without positive capital, or a loss above it, ends the chain for good: no index from there on.

    Parameters
    ----------
    opening : ndarray of shape (n_portfolios,)
        Index at the previous close, NaN where the chain is broken.
    pnl, base : ndarray of int64, shape (n_sessions, n_portfolios)
        As in `daily_returns`.

    Returns
    -------
    Quantities of shape (n_sessions, n_portfolios)
    """
    returns = np.zeros(pnl.shape)
    np.divide(pnl, base, out=returns, where=base > 0)
    broken = ((base <= 0) & (pnl != 0)) | (returns < -1.0)
    values = np.empty(pnl.shape)
    index = opening
    for session in range(pnl.shape[0]):
        index = np.where(broken[session], np.nan, index * (1.0 + returns[session]))
        values[session] = index
    reasons: ReasonArray = np.full(pnl.shape, None, dtype=object)
    reasons[np.isnan(values)] = CHAIN_BROKEN
    return Quantities(values, reasons)

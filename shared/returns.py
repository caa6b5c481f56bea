"""Returns of price series: one definition for every service."""

from shared.arrays import FloatArray


def simple_returns(prices: FloatArray) -> FloatArray:
    """Return r(t) = P(t) / P(t-1) - 1 over consecutive sessions.

    Parameters
    ----------
    prices : ndarray of shape (n_sessions, n_symbols)
        Prices on consecutive sessions, oldest first, positive; NaN where there is none.

    Returns
    -------
    ndarray of shape (n_sessions - 1, n_symbols)

    Notes
    -----
    NaN policy: propagated. A return with a missing end is missing; gaps are never bridged (methodology, 2).

    Examples
    --------
    >>> simple_returns(np.array([[100.0], [110.0], [99.0]])).round(4).tolist()
    [[0.1], [-0.1]]
    """
    returns: FloatArray = prices[1:] / prices[:-1] - 1.0
    return returns

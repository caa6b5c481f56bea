"""Returns of a shard's symbols and of the proxies on the same sessions, and whose prices are not current."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.symbol_analytics.core.freshness import checked_closes, why_not_current
from services.symbol_analytics.core.parameters import RegressionWindow
from shared.arrays import BoolArray, FloatArray, ReasonArray
from shared.conventions import FACTOR_WINDOW
from shared.factor_set import FactorSet
from shared.returns import simple_returns
from shared.unavailable import Reason, Unavailable


@dataclass(frozen=True, slots=True)
class Panel:
    """Returns of the symbols and of the proxies on the same sessions."""

    returns: FloatArray  # (n_symbols, n_sessions - 1), contiguous
    not_current: ReasonArray  # (n_symbols,)
    proxies: Mapping[str, FloatArray]  # ticker -> (n_sessions - 1,)
    stale_proxies: Mapping[str, str]  # ticker -> how old

    def begun_before(self, window: RegressionWindow) -> BoolArray:
        """Return which symbols have a return in the longest window from before this one."""
        earlier = self.returns[:, -FACTOR_WINDOW : -window.sessions]
        return np.asarray((~np.isnan(earlier)).any(axis=1))

    def why_no_regressor(self, tickers: Sequence[str], window: RegressionWindow) -> Unavailable | None:
        """Return why these proxies cannot serve as regressors, naming the missing ones before the stale ones."""
        missing = [
            ticker
            for ticker in tickers
            if ticker not in self.stale_proxies and np.isnan(self.proxies[ticker][-window.sessions :]).all()
        ]
        if missing:
            return Unavailable(Reason.MISSING_DATA, f"no returns of {', '.join(missing)} in {window.sessions} sessions")
        stale = [self.stale_proxies[ticker] for ticker in tickers if ticker in self.stale_proxies]
        return Unavailable(Reason.STALE_INPUT, "; ".join(stale)) if stale else None


def panel_of(
    closes: FloatArray, proxies: Mapping[str, FloatArray], factor_set: FactorSet, *, stale_after: int
) -> Panel:
    """Return the panel of a shard.

    Parameters
    ----------
    closes : ndarray of shape (n_sessions, n_symbols)
        Checked ones.
    proxies : mapping of str to ndarray of shape (n_sessions,)
        By ticker; one without prices may be left out.
    factor_set : FactorSet
    stale_after : int
        A last price more sessions old than this is not current.

    Returns
    -------
    Panel
        A return beyond the range of a float is missing.
    """
    nothing = np.full(len(closes), np.nan)
    returns: dict[str, FloatArray] = {}
    stale: dict[str, str] = {}
    for ticker in factor_set.tickers():
        column = checked_closes(np.asarray(proxies.get(ticker, nothing))[:, None])
        if len(column) != len(closes):
            raise ValueError(f"closes of {ticker} must hold {len(closes)} sessions, was {len(column)}")
        returns[ticker] = _finite_returns(column)[:, 0]
        why = why_not_current(column, stale_after=stale_after)[0]
        if why is not None and why.reason == Reason.STALE_INPUT:
            stale[ticker] = f"{ticker}: {why.detail}"
    return Panel(
        np.ascontiguousarray(_finite_returns(closes).T),
        why_not_current(closes, stale_after=stale_after),
        returns,
        stale,
    )


def _finite_returns(closes: FloatArray) -> FloatArray:
    """Return simple returns; one beyond the range of a float is missing."""
    with np.errstate(over="ignore"):
        returns = simple_returns(closes)
    return np.where(np.isinf(returns), np.nan, returns)

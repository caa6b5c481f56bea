"""The books of a shard as arrays: what each portfolio holds of each symbol, netted, in one canonical order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from services.risk.core.options import Options
from shared.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class NetHoldings:
    """Holdings of all portfolios, one row per (portfolio, symbol), sorted by portfolio and symbol name.

    The order is a function of the names alone and amounts are summed as integer cents, so that every sum over a
    portfolio's rows has the same bits whatever the order of its positions, its neighbours or the symbols of the shard.

    Parameters
    ----------
    portfolio, symbol : ndarray of shape (n_holdings,)
        Indices of the portfolio and of the symbol.
    net : ndarray of int64, shape (n_holdings,)
        Signed exposure in cents, all positions in the symbol summed.
    gross : ndarray of int64, shape (n_holdings,)
        Sum of the absolute exposures of the positions, in cents.
    equity : ndarray of int64, shape (n_portfolios,)
        In cents.
    options : Options
        Those in `net` and `gross` by their delta that can be revalued; their places are rows.
    """

    portfolio: IntArray
    symbol: IntArray
    net: IntArray
    gross: IntArray
    equity: IntArray
    options: Options = field(default_factory=Options.none)

    @classmethod
    def of(
        cls,
        portfolio: IntArray,
        symbol: IntArray,
        *,
        exposure: IntArray,
        equity: IntArray,
        names: Sequence[str],
        options: Options | None = None,
    ) -> Self:
        """Net positions into holdings.

        Parameters
        ----------
        portfolio, symbol : ndarray of shape (n_positions,)
            Indices, positions in any order.
        exposure : ndarray of int64, shape (n_positions,)
            Signed exposure in cents, short negative.
        equity : ndarray of int64, shape (n_portfolios,)
            In cents.
        names : sequence of str
            Symbols, each once; `symbol` points into it.
        options : Options, optional
            Those among the positions.
        """
        if len(set(names)) != len(names):
            raise ValueError(f"symbols must be distinct, was {len(names)} with {len(set(names))} distinct")
        by_name = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
        rank = np.empty(len(names), dtype=np.int64)
        rank[by_name] = np.arange(len(names))
        keys, holding = np.unique(portfolio * max(len(names), 1) + rank[symbol], return_inverse=True)
        net, gross = np.zeros(keys.size, dtype=np.int64), np.zeros(keys.size, dtype=np.int64)
        np.add.at(net, holding, exposure)
        np.add.at(gross, holding, np.abs(exposure))
        placed = (options or Options.none()).placed(holding.astype(np.int64))
        return cls(keys // max(len(names), 1), by_name[keys % max(len(names), 1)], net, gross, equity, placed)

    @property
    def n_portfolios(self) -> int:
        """Return the number of portfolios."""
        return int(self.equity.size)

    def bounds(self) -> IntArray:
        """Return where the rows of each portfolio begin, and where the last one's end, (n_portfolios + 1,)."""
        return np.searchsorted(self.portfolio, np.arange(self.n_portfolios + 1))

    def weights(self) -> FloatArray:
        """Return net exposure over equity per holding, (n_holdings,); NaN where equity is not positive."""
        equity = self.equity[self.portfolio]
        weights = np.full(equity.shape, np.nan)
        np.divide(self.net, equity, out=weights, where=equity > 0)
        return weights

    def totals(self, cents: IntArray) -> IntArray:
        """Return exact sums of cents per portfolio, (n_holdings,) -> (n_portfolios,)."""
        totals = np.zeros(self.n_portfolios, dtype=np.int64)
        np.add.at(totals, self.portfolio, cents)
        return totals

    def sums(self, amounts: FloatArray) -> FloatArray:
        """Return sums of floats per portfolio, added one after another in the canonical order."""
        return np.asarray(np.bincount(self.portfolio, amounts, minlength=self.n_portfolios), dtype=np.float64)

    def convexity(
        self, returns: FloatArray, *, covered: BoolArray | None = None, volatility: float = 1.0
    ) -> FloatArray:
        """Return what revaluing the options adds to the P&L of the holdings, in portfolio currency.

        Parameters
        ----------
        returns : ndarray of shape (n_symbols, n_moves)
            NaN where unknown: such options add nothing.
        covered : ndarray of bool, shape (n_holdings,), optional
            The holdings that count.
        volatility : float
            What the volatilities are multiplied by.

        Returns
        -------
        ndarray of shape (n_portfolios, n_moves)
        """
        place = self.options.place
        found = self.options.convexity(returns[self.symbol[place]], volatility=volatility)
        counted = np.isfinite(found) if covered is None else np.isfinite(found) & covered[place, None]
        totals = np.zeros((self.n_portfolios, returns.shape[1]))
        # One option after another, in the canonical order.
        np.add.at(totals, self.portfolio[place], np.where(counted, found, 0.0))
        return totals

    def over_capital(self, amounts: FloatArray) -> FloatArray:
        """Return amounts of shape (n_portfolios, n) over equity; over one cent where that is not positive."""
        return amounts / (np.where(self.equity > 0, self.equity, 1)[:, None] / 100.0)

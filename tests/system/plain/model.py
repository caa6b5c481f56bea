"""Whose the variance of a book is: the factors' and the holdings' own (methodology, 10)."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.covariance import LedoitWolf

from tests.system.plain.book import Book
from tests.system.plain.known import DEGENERATE, MISSING, Number
from tests.system.plain.loadings import Basis
from tests.system.plain.series import YEAR


@dataclass(frozen=True)
class Model:
    """Annualised fractions of equity; contributions of factors, of what is specific, and of holdings."""

    why: str | None
    coverage: Number
    total: float = 0.0
    systematic: float = 0.0
    specific: float = 0.0
    observations: int = 0
    by_factor: dict[str, float] = field(default_factory=dict)
    by_specific: float | None = None
    by_holding: dict[str, float] = field(default_factory=dict)
    marginal: dict[str, float] = field(default_factory=dict)

    def measures(self) -> dict[str, Number]:
        if self.why is not None:
            names = ("model_volatility", "systematic_volatility", "specific_volatility", "systematic_share")
            return dict.fromkeys(names, self.why)
        return {
            "model_volatility": self.total,
            "systematic_volatility": self.systematic,
            "specific_volatility": self.specific,
            "systematic_share": self.systematic**2 / self.total**2,
        }


def model_of(book: Book, basis: Basis) -> Model:
    """The covariance of the factors, shrunk, and a variance of its own for each holding."""
    inside = [symbol for symbol in book.symbols if book.loadings[symbol].why is None]
    coverage = book.coverage(set(inside))
    why = book.why_nothing or (None if inside else MISSING)
    if why is not None:
        return Model(why, coverage)
    history = basis.factors.dropna()
    used = [str(name) for name in history]
    covariance = LedoitWolf().fit(history.to_numpy()).covariance_ * YEAR
    weight = {symbol: book.weight(symbol) for symbol in inside}
    loading = {symbol: np.array([book.loadings[symbol].loadings[name] for name in used]) for symbol in inside}
    own = {symbol: book.loadings[symbol].specific ** 2 for symbol in inside}
    exposure = sum((weight[symbol] * loading[symbol] for symbol in inside), np.zeros(len(used)))
    systematic = float(exposure @ covariance @ exposure)
    shared = _shared_within_sectors(book, basis, weight, used)
    specific = max(sum(weight[s] ** 2 * own[s] + weight[s] * shared[s] for s in inside), 0.0)
    if systematic + specific <= 0:
        return Model(DEGENERATE, coverage)
    total = float(np.sqrt(systematic + specific))
    marginal = {s: float(loading[s] @ covariance @ exposure + weight[s] * own[s] + shared[s]) / total for s in inside}
    return Model(
        why=None,
        coverage=coverage,
        total=total,
        systematic=float(np.sqrt(systematic)),
        specific=float(np.sqrt(specific)),
        observations=len(history),
        by_factor=dict(zip(used, (exposure * (covariance @ exposure) / total).tolist(), strict=True)),
        by_specific=specific / total,
        by_holding={symbol: weight[symbol] * marginal[symbol] for symbol in inside},
        marginal=marginal,
    )


def _shared_within_sectors(book: Book, basis: Basis, weight: dict[str, float], used: list[str]) -> dict[str, float]:
    """What the residual of a holding has in common with those of its sector, at their average correlation."""
    factors = basis.factors[used].dropna()
    left = {
        symbol: book.returns[symbol].reindex(factors.index) - factors @ pd.Series(book.loadings[symbol].loadings)[used]
        for symbol in weight
    }
    shared = dict.fromkeys(weight, 0.0)
    for sector in {book.sectors[symbol] for symbol in weight} - {"ETFs", "Unclassified"}:
        members = [symbol for symbol in weight if book.sectors[symbol] == sector]
        matrix = pd.DataFrame({symbol: left[symbol] for symbol in members}).corr(min_periods=30).to_numpy()
        known = [value for value in matrix[np.triu_indices(len(members), 1)] if np.isfinite(value)]
        if len(known) < 20:
            continue
        rho = max(sum(known) / len(known), -1 / (len(members) - 1))
        sizes = {symbol: weight[symbol] * book.loadings[symbol].specific for symbol in members}
        for symbol in members:
            rest = sum(size for name, size in sizes.items() if name != symbol)
            shared[symbol] = rho * book.loadings[symbol].specific * rest
    return shared

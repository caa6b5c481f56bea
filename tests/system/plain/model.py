"""Whose the variance of a book is: the style factors' and the holdings' own (methodology, 10)."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.covariance import LedoitWolf

from tests.system.plain.book import Book
from tests.system.plain.known import DEGENERATE, MISSING, NOT_APPLICABLE, Number
from tests.system.plain.series import YEAR
from tests.system.plain.symbols import STYLES


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


def model_of(book: Book, factor_returns: pd.DataFrame) -> Model:
    """The joint style model: covariance of the styles, shrunk, and a variance of its own for each holding."""
    year = factor_returns[list(STYLES)].iloc[-252:]
    used = [style for style in STYLES if year[style].notna().all()]
    residuals = {symbol: _residuals(book, symbol, year[used]) for symbol in book.symbols}
    inside = [symbol for symbol in book.symbols if residuals[symbol].notna().sum() >= 60]
    coverage = book.coverage(set(inside) if used else set())
    why = book.why_nothing or (None if used else NOT_APPLICABLE) or (None if inside else MISSING)
    if why is not None:
        return Model(why, coverage)
    covariance = LedoitWolf().fit(year[used].to_numpy()).covariance_ * YEAR
    weight = {symbol: book.weight(symbol) for symbol in inside}
    loading = {symbol: np.array([book.betas[symbol][style] for style in used], dtype=float) for symbol in inside}
    own = {symbol: float(residuals[symbol].var(ddof=1)) * YEAR for symbol in inside}
    exposure = sum((weight[symbol] * loading[symbol] for symbol in inside), np.zeros(len(used)))
    systematic = float(exposure @ covariance @ exposure)
    specific = sum(weight[symbol] ** 2 * own[symbol] for symbol in inside)
    if systematic + specific <= 0:
        return Model(DEGENERATE, coverage)
    total = float(np.sqrt(systematic + specific))
    marginal = {s: float(loading[s] @ covariance @ exposure + weight[s] * own[s]) / total for s in inside}
    return Model(
        why=None,
        coverage=coverage,
        total=total,
        systematic=float(np.sqrt(systematic)),
        specific=float(np.sqrt(specific)),
        observations=min(int(residuals[symbol].notna().sum()) for symbol in inside),
        by_factor=dict(zip(used, (exposure * (covariance @ exposure) / total).tolist(), strict=True)),
        by_specific=specific / total,
        by_holding={symbol: weight[symbol] * marginal[symbol] for symbol in inside},
        marginal=marginal,
    )


def _residuals(book: Book, symbol: str, styles: pd.DataFrame) -> pd.Series:
    """What the styles leave of a symbol's returns; nothing without its betas."""
    left = book.returns[symbol].iloc[-252:].copy()
    for style in map(str, styles):
        beta = book.betas[symbol][style]
        left -= (beta if isinstance(beta, float) else np.nan) * styles[style]
    return left

"""Generated price panels for the tests of the symbol analytics core."""

from dataclasses import dataclass

import numpy as np

from services.symbol_analytics.core.estimates import FactorEstimates
from services.symbol_analytics.core.factors import estimate_factors
from services.symbol_analytics.core.parameters import FactorParameters, RegressionWindow
from shared.arrays import FloatArray
from shared.conventions import FACTORS
from shared.factor_set import FactorSet
from shared.unavailable import Quantities, Reason, Unavailable

STANDARD = FactorSet()
NO_PROFILE = Unavailable(Reason.MISSING_DATA, "no profile")


def closes_of(returns: FloatArray) -> FloatArray:
    """Return closes, one row more than there are returns, that start at 100."""
    start = np.full((1, returns.shape[1]), 100.0)
    return np.vstack([start, 100.0 * np.cumprod(1.0 + returns, axis=0)])


def no_provider_betas(n_symbols: int) -> Quantities:
    return Quantities.unavailable_everywhere((n_symbols,), NO_PROFILE)


@dataclass(frozen=True)
class World:
    """Adjusted closes of some symbols and of the proxies of the standard factor set."""

    closes: FloatArray
    proxies: dict[str, FloatArray]

    def estimate(
        self, *, factor_set: FactorSet = STANDARD, parameters: FactorParameters | None = None
    ) -> FactorEstimates:
        return estimate_factors(
            self.closes,
            self.proxies,
            factor_set=factor_set,
            provider_betas=no_provider_betas(self.closes.shape[1]),
            parameters=parameters or FactorParameters(),
        )


def random_world(*, n_symbols: int = 5, n_sessions: int = 253, seed: int = 7) -> World:
    rng = np.random.default_rng(seed)
    tickers = STANDARD.tickers()
    common = rng.normal(0.0005, 0.01, (n_sessions - 1, 1))
    proxy_returns = common + rng.normal(0.0, 0.006, (n_sessions - 1, len(tickers)))
    loadings = rng.uniform(-0.5, 1.0, (len(tickers), n_symbols))
    returns = proxy_returns @ loadings + rng.normal(0.0, 0.01, (n_sessions - 1, n_symbols))
    proxies = closes_of(proxy_returns)
    return World(closes_of(returns), {ticker: proxies[:, j] for j, ticker in enumerate(tickers)})


def small_windows(sessions: int, min_observations: int) -> FactorParameters:
    window = RegressionWindow(sessions, min_observations)
    return FactorParameters(style=window, spread=window, beta=window)


def column(factor: str) -> int:
    return FACTORS.index(factor)

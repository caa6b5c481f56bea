"""Everything that is computed of a shard as of one session, from one cut of its prices and what was known then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Final

from services.symbol_analytics.core.anchors import HORIZONS
from services.symbol_analytics.core.digest import factor_digests, metric_digests, tainted_digests
from services.symbol_analytics.core.estimates import FactorEstimates
from services.symbol_analytics.core.factors import estimate_factors
from services.symbol_analytics.core.freshness import sessions_since_last_close
from services.symbol_analytics.core.fundamentals import Fundamentals
from services.symbol_analytics.core.histories import Figures
from services.symbol_analytics.core.loadings import FactorLoadings, estimate_loadings
from services.symbol_analytics.core.metrics import (
    MeasuredPrices,
    horizon_returns,
    realised_volatilities,
    side_by_side,
    split_adjusted_closes,
)
from services.symbol_analytics.core.provider_betas import provider_betas
from services.symbol_analytics.core.taints import Taint, tainted
from services.symbol_analytics.core.valuation_ratios import ValuationRatios, valuation_ratios
from shared.arrays import DateArray, FloatArray
from shared.conventions import (
    BETA_WINDOW,
    FACTOR_WINDOW,
    FACTORS,
    MARKET_BETA,
    PROVIDER_BETA,
    RATE_BETA,
    VOLATILITY_WINDOWS,
)
from shared.factor_set import FactorSet
from shared.unavailable import Quantities

# How many sessions each number looks back on; a provider's beta on no prices, a return on the last ones at least.
_OF_BETAS: Final = [
    {MARKET_BETA: BETA_WINDOW, RATE_BETA: BETA_WINDOW, PROVIDER_BETA: -1}.get(factor, FACTOR_WINDOW)
    for factor in FACTORS
]
_OF_METRICS: Final = [*[0] * (2 * len(HORIZONS)), *(window + 1 for window in VOLATILITY_WINDOWS)]


@dataclass(frozen=True, slots=True, eq=False)
class ShardPrices:
    """What a shard's numbers of one session may see of its prices; the last row is that session.

    Parameters
    ----------
    sessions : ndarray of datetime64[D], shape (n_sessions,)
    close, adjusted, split : ndarray of shape (n_sessions, n_symbols)
        As-traded closes, total-return adjusted closes and split factors.
    proxies : mapping of str to ndarray of shape (n_sessions,)
        Adjusted closes of the factor set's tickers.
    taints : sequence of Taint or None
        By symbol what is held of its closes on these sessions.
    """

    sessions: DateArray
    close: FloatArray
    adjusted: FloatArray
    split: FloatArray
    proxies: Mapping[str, FloatArray]
    taints: Sequence[Taint | None] = ()

    @property
    def as_of(self) -> date:
        """The session of the last row."""
        day: date = self.sessions[-1].tolist()
        return day


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """The numbers of a shard as of one session, with the digests of what they were computed from, one per symbol.

    `estimates` are of the shape (n_symbols, n_factors); `sessions` are those that rows of estimates and measures
    count; `provided` are the providers' betas with their origin.
    """

    as_of: date
    sessions: DateArray
    provided: Figures
    factor_digests: tuple[bytes, ...]
    estimates: FactorEstimates
    loadings: FactorLoadings
    metric_digests: tuple[bytes, ...]
    measured: MeasuredPrices
    ratios: ValuationRatios

    @property
    def announced_factors(self) -> Quantities:
        """The factor betas and what belongs to the model, (n_symbols, n_columns), in the order of SYMBOL_COLUMNS."""
        return Quantities.side_by_side([self.estimates.betas, self.loadings.announced])

    @property
    def metrics(self) -> Quantities:
        """The daily metrics, (n_symbols, n_metrics), in the order of METRICS."""
        return Quantities.side_by_side([self.measured, self.ratios.quantities])


def analyse(prices: ShardPrices, fundamentals: Fundamentals, *, factor_set: FactorSet) -> Analysis:
    """Return the factor betas, the loadings and the daily metrics of every symbol of a shard.

    Parameters
    ----------
    prices : ShardPrices
    fundamentals : Fundamentals
        Of the same symbols; what counts from a later day is not seen.
    factor_set : FactorSet
        Which ticker stands for which factor.

    Returns
    -------
    Analysis
    """
    as_of, adjusted = prices.as_of, prices.adjusted
    known = fundamentals.known_at(as_of)
    provided, betas = known.figures["beta"], provider_betas(fundamentals.figures["beta"], as_of)
    origins = zip(provided.sources, provided.days.tolist(), strict=True)
    of_factors = factor_digests(
        adjusted, prices.proxies, factor_set=factor_set, provider_betas=betas, provider_origins=origins
    )
    of_factors = tainted_digests(of_factors, [None if taint is None else taint.text for taint in prices.taints])
    tell = partial(tainted, taints=prices.taints, silent=sessions_since_last_close(adjusted))
    close = split_adjusted_closes(prices.close, prices.split)
    estimates = estimate_factors(adjusted, prices.proxies, factor_set=factor_set, provider_betas=betas)
    loadings = estimate_loadings(adjusted, prices.proxies, factor_set=factor_set)
    measured = side_by_side(
        [
            horizon_returns(close, prices.sessions),
            horizon_returns(adjusted, prices.sessions),
            realised_volatilities(adjusted),
        ]
    )
    labels = (f"{digest.hex()} {label}" for digest, label in zip(of_factors, known.labels(), strict=True))
    return Analysis(
        as_of=as_of,
        sessions=prices.sessions,
        provided=provided,
        factor_digests=of_factors,
        estimates=replace(
            estimates, betas=replace(estimates.betas, unavailable=tell(estimates.betas.unavailable, reach=_OF_BETAS))
        ),
        loadings=replace(loadings, unavailable=tell(loadings.unavailable[:, None], reach=[FACTOR_WINDOW])[:, 0]),
        metric_digests=metric_digests(close, adjusted, prices.split, labels=labels),
        measured=replace(measured, unavailable=tell(measured.unavailable, reach=_OF_METRICS)),
        ratios=valuation_ratios(prices.close, prices.split, prices.sessions, known),
    )

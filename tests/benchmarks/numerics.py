"""The numbers of a night from arrays to arrays, family by family, each timed: no database, no events."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from services.portfolio.core.marking import Holdings
from services.portfolio.core.trades import CashFlows, Exits, Market, PositionArrays
from services.portfolio.core.valuation import Opening, Valuation, roll_forward
from services.risk.core.factor_moves import factor_moves
from services.risk.core.holdings import NetHoldings
from services.risk.core.measures import MEASURES
from services.risk.core.risk_context import RETURN_SESSIONS, RiskContext
from services.risk.core.scenarios import RateSensitivity
from services.symbol_analytics.core.estimates import FactorEstimates
from services.symbol_analytics.core.factors import estimate_factors
from services.symbol_analytics.core.loadings import estimate_loadings
from services.symbol_analytics.core.metrics import horizon_returns, realised_volatilities
from shared.arrays import FloatArray
from shared.conventions import RISK_FACTORS
from shared.factor_set import FactorSet
from shared.returns import simple_returns
from shared.unavailable import Quantities
from tests.benchmarks.universe import SECTORS, Universe

_SESSIONS = 265
# family -> what an assessment computes of it; in an order in which nothing is timed twice.
_RISK_FAMILIES = {
    "exposures and sectors": ("exposures", "sector_exposures", "active_sectors", "concentration"),
    "return series": ("series_21", "series_63", "series_of_trend", "series_of_percentile", "longest_series"),
    "HAR forecast": ("har",),
    "VaR and ES": ("tails",),
    "back-test": ("backtest",),
    "correlations, clusters, bets": ("diversification",),
    "factor model, contributions": ("decomposition",),
    "stress, 22 scenarios": ("stress",),
}


@dataclass(slots=True)
class Stopwatch:
    """CPU seconds by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        started = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - started


@dataclass(frozen=True, slots=True)
class Night:
    """The numbers of one session."""

    estimates: FactorEstimates
    metrics: tuple[Quantities, ...]
    valuation: Valuation
    risk: RiskContext
    measures: FloatArray


def compute_night(universe: Universe, *, portfolios: int, size: int, watch: Stopwatch) -> Night:
    """Return the numbers of the universe's last session for as many portfolios of `size` positions."""
    closes = universe.close[-_SESSIONS:]
    factor_set = FactorSet()
    column = {symbol: index for index, symbol in enumerate(universe.symbols)}
    proxies = {ticker: closes[:, column[ticker]] for ticker in factor_set.tickers()}
    provider = Quantities.of(np.ones(closes.shape[1]))
    with watch.on("13 factors"):
        estimates = estimate_factors(closes, proxies, factor_set=factor_set, provider_betas=provider)
    with watch.on("loadings"):
        loadings = estimate_loadings(closes, proxies, factor_set=factor_set)
    with watch.on("returns and volatilities"):
        sessions = np.array(universe.sessions[-_SESSIONS:], dtype="datetime64[D]")
        metrics = (*(horizon_returns(closes, sessions) for _ in range(2)), realised_volatilities(closes))

    positions, holdings = _books(universe, portfolios, size)
    with watch.on("valuation"):
        valuation = _valued(positions, closes[-1:], portfolios)
    returns = np.ascontiguousarray(simple_returns(universe.close[-RETURN_SESSIONS - 1 :]).T)
    tickers = tuple(factor_set.proxy(factor) for factor in RISK_FACTORS)
    factor_returns = returns[[column[ticker or ""] for ticker in tickers]]
    with watch.on("factor moves"):
        moves = factor_moves(factor_returns, tickers, episodes={}, rate=RateSensitivity())
    sectors = [SECTORS[number % len(SECTORS)] for number in range(len(universe.symbols))]
    risk = RiskContext(holdings, estimates.betas, sectors, returns, loadings.announced, moves)
    for family, parts in _RISK_FAMILIES.items():
        with watch.on(family):
            for part in parts:
                getattr(risk, part)
    with watch.on("trend, percentile, other measures"):
        measures = np.concatenate([measure.compute(risk).values.values for measure in MEASURES])
    return Night(estimates, metrics, valuation, risk, measures)


def _valued(positions: PositionArrays, closes: FloatArray, portfolios: int) -> Valuation:
    opening = Opening(np.full(portfolios, 10**8), np.ones(portfolios), Holdings.none(len(positions.portfolio)))
    blank = np.ones((1, closes.shape[1]))
    none = np.zeros(0, dtype=np.int64)
    return roll_forward(
        positions,
        Market(closes, blank, blank - 1.0),
        exits=Exits(none, none, none.astype(float), none.astype(float)),
        flows=CashFlows(*np.zeros((2, 1, portfolios), dtype=np.int64)),
        opening=opening,
    )


def _books(universe: Universe, portfolios: int, size: int) -> tuple[PositionArrays, NetHoldings]:
    generator = np.random.default_rng(11)
    n_positions = portfolios * size
    symbol = generator.integers(len(FactorSet().tickers()), len(universe.symbols), n_positions)
    owner = np.repeat(np.arange(portfolios), size)
    ones = np.ones(n_positions)
    positions = PositionArrays(
        portfolio=owner,
        column=symbol,
        split_column=symbol,
        multiplier=ones.astype(np.int64),
        entry_session=np.zeros(n_positions, dtype=np.int64),
        entry_quantity=ones * 100.0,
        entry_price=ones * 100.0,
    )
    exposure = np.round(universe.close[-1, symbol] * 10_000).astype(np.int64)
    holdings = NetHoldings.of(
        owner, symbol, exposure=exposure, equity=np.full(portfolios, 10**8), names=universe.symbols
    )
    return positions, holdings

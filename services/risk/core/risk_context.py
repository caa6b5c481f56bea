"""What the risk measures are computed from; what several of them share is computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from services.risk.core.active import ActiveRisk, active_risk
from services.risk.core.active_share import ActiveShare, active_share
from services.risk.core.backtest import Backtest, backtest
from services.risk.core.concentration import Concentration, concentration
from services.risk.core.diversification import Diversifications, diversify
from services.risk.core.exposures import FactorExposures, factor_exposures
from services.risk.core.factor_model import Decomposition, decompose, known_loadings
from services.risk.core.factor_moves import FactorMoves
from services.risk.core.har import HarForecast, har_forecast
from services.risk.core.holdings import NetHoldings
from services.risk.core.residuals import residual_returns, sector_correlations
from services.risk.core.reverse_stress import ReverseStress, reverse_stress
from services.risk.core.sectors import (
    ActiveSectors,
    Benchmark,
    SectorExposures,
    active_sectors,
    sector_exposures,
)
from services.risk.core.stress import StressResults, stress
from services.risk.core.tails import TailRisk, returns_over, tail_risk
from services.risk.core.volatility import TREND_WINDOW, ReturnSeries, longest_series, return_series
from shared.arrays import FloatArray
from shared.conventions import BACKTEST_SESSIONS, PERCENTILE_SESSIONS, SERIES_WINDOWS, TREND_SESSIONS, VAR_HORIZONS
from shared.factor_basis import FactorBasis
from shared.unavailable import Quantities

TREND_RETURNS: Final = TREND_WINDOW + TREND_SESSIONS - 1
PERCENTILE_RETURNS: Final = TREND_WINDOW + PERCENTILE_SESSIONS - 1
# Sessions of returns that an assessment needs.
RETURN_SESSIONS: Final = max(PERCENTILE_RETURNS, SERIES_WINDOWS[0] + BACKTEST_SESSIONS)
# Sessions of prices behind them; the betas of the same session look less far back.
PRICE_SESSIONS: Final = RETURN_SESSIONS + 1


@dataclass(frozen=True)
class RiskContext:
    """The books of a shard as of a session, and what is known of their symbols and of the factors.

    Parameters
    ----------
    holdings : NetHoldings
    betas : Quantities of shape (n_symbols, len(FACTORS))
        Of the symbols that `holdings` points to.
    sectors : sequence of str
        One a symbol.
    returns : ndarray of shape (n_symbols, RETURN_SESSIONS)
        Total returns, oldest first, the last one that of the session; NaN where missing.
    model : Quantities of shape (n_symbols, len(MODEL_COLUMNS))
        Loadings of the symbols on the factors, and what these leave.
    moves : FactorMoves
        Of the session.
    episodes : mapping of scenario id to ndarray of shape (n_symbols,)
        Realised returns of the symbols over historical replays; NaN where unknown.
    benchmark : Benchmark or None
        What sectors are compared with.
    index : ndarray of shape (n_symbols,) or None
        Weights of the symbols in the index that books are compared with.
    """

    holdings: NetHoldings
    betas: Quantities
    sectors: Sequence[str]
    returns: FloatArray
    model: Quantities
    moves: FactorMoves
    episodes: Mapping[str, FloatArray] = field(default_factory=dict)
    benchmark: Benchmark | None = None
    index: FloatArray | None = None

    @cached_property
    def exposures(self) -> FactorExposures:
        """Return the factor exposures."""
        return factor_exposures(self.holdings, self.betas)

    @cached_property
    def sector_exposures(self) -> SectorExposures:
        """Return the sector exposures."""
        return sector_exposures(self.holdings, self.sectors)

    @cached_property
    def active_sectors(self) -> ActiveSectors:
        """Return the sectors against the benchmark."""
        return active_sectors(self.holdings, self.sector_exposures, self.benchmark)

    @cached_property
    def concentration(self) -> Concentration:
        """Return the concentration of the books."""
        return concentration(self.holdings)

    @cached_property
    def series_21(self) -> ReturnSeries:
        """Return the return series over 21 sessions."""
        return return_series(self.holdings, self.returns, window=21)

    @cached_property
    def series_63(self) -> ReturnSeries:
        """Return the return series over 63 sessions."""
        return return_series(self.holdings, self.returns, window=63)

    @cached_property
    def series_of_trend(self) -> ReturnSeries:
        """Return the return series of the volatilities in the trend."""
        return return_series(self.holdings, self.returns, window=TREND_RETURNS)

    @cached_property
    def series_of_percentile(self) -> ReturnSeries:
        """Return the return series of the trailing year of volatilities."""
        return return_series(self.holdings, self.returns, window=PERCENTILE_RETURNS)

    @cached_property
    def longest_series(self) -> ReturnSeries:
        """Return the longest series that speaks for each book."""
        return self._longest[0]

    @cached_property
    def _longest(self) -> tuple[ReturnSeries, FloatArray]:
        return longest_series(self.holdings, self.returns)

    @cached_property
    def har(self) -> HarForecast:
        """Return the volatility forecasts."""
        return har_forecast(self.longest_series)

    @cached_property
    def tails(self) -> TailRisk:
        """Return value at risk and expected shortfall."""
        series = self.longest_series
        longer = [returns_over(horizon, series, self.holdings, self.returns) for horizon in VAR_HORIZONS]
        return tail_risk(series, self.har.volatility, longer)

    @cached_property
    def backtest(self) -> Backtest:
        """Return the back-test of the former."""
        return backtest(*self._longest)

    @cached_property
    def active(self) -> ActiveRisk:
        """Return how far from the market the books move."""
        return active_risk(self.longest_series, self.moves.factors)

    @cached_property
    def active_share(self) -> ActiveShare:
        """Return how much of the books is not the index."""
        return active_share(self.holdings, self.sectors, self.index)

    @cached_property
    def diversification(self) -> Diversifications:
        """Return the correlations."""
        return diversify(self.holdings, self.returns, self.sectors)

    @cached_property
    def decomposition(self) -> Decomposition:
        """Return the variance by factors and holdings."""
        basis, within = self.moves.factors, None
        if isinstance(basis, FactorBasis):
            residuals = residual_returns(self.returns, known_loadings(self.model), basis)
            within = sector_correlations(self.holdings, residuals, self.sectors)
        return decompose(self.holdings, self.model, basis, within=within)

    @cached_property
    def reverse_stress(self) -> ReverseStress:
        """Return the most plausible moves that cost a given part of equity."""
        return reverse_stress(self.holdings, self.model, self.moves)

    @cached_property
    def stress(self) -> StressResults:
        """Return the P&L of the scenarios."""
        return stress(self.holdings, self.exposures, self.model, self.moves, episodes=self.episodes)

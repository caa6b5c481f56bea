"""How the risk factors move together, and what a scenario's shocks imply for the others (methodology, 9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.correlation import CorrelationMatrix, correlate, varying
from services.risk.core.scenarios import SCENARIOS, Scenario
from services.risk.core.tails import compounded
from shared.arrays import BoolArray, FloatArray
from shared.conventions import (
    CORRELATION_WINDOW,
    EWMA_DECAY,
    EWMA_WINDOW,
    EXTRAPOLATION_SESSIONS,
    RATE_DURATION,
    RISK_FACTORS,
)
from shared.unavailable import Reason, Unavailable

HYPOTHETICAL: Final = "hypothetical"
REALISED: Final = "realised"
TABULATED: Final = "tabulated"
_MARKET: Final = RISK_FACTORS.index("market")
_RATE: Final = RISK_FACTORS.index("rate")
# Beyond, the inverse of a covariance is rounding.
_MAX_CONDITION: Final = 1e12


@dataclass(frozen=True, slots=True)
class FactorMoves:
    """What the session knows of the factors and makes of the scenarios; the same for every portfolio.

    Parameters
    ----------
    covariance : ndarray of shape (n_factors, n_factors)
        Of one session's returns, exponentially weighted; NaN for factors that are unavailable.
    unavailable : tuple
        Per factor `Unavailable` or None.
    largest : ndarray of shape (n_factors,)
        Largest absolute return over EXTRAPOLATION_SESSIONS within EWMA_WINDOW.
    shocks : ndarray of shape (n_scenarios, n_factors)
        Returns of the proxies; NaN where a factor isn't shocked.
    basis : tuple of str
        Per scenario HYPOTHETICAL, REALISED or TABULATED.
    moves : ndarray of shape (n_scenarios, n_factors)
        The shocks, and the conditional expectation of the other factors; NaN where there is none.
    loadings : ndarray of shape (n_scenarios, n_factors)
        By how much an exposure to each factor counts in the propagated P&L; NaN rows where there is none. The market
        counts with its move, a style with the part of its move that the market does not explain, the rate with the
        part of its shock that the other shocks do not.
    extrapolated : ndarray of bool, shape (n_scenarios, n_factors)
        Moves beyond `largest`.
    correlations : CorrelationMatrix
        Of the factors that are available, in their order, over CORRELATION_WINDOW sessions.
    """

    covariance: FloatArray
    unavailable: tuple[Unavailable | None, ...]
    largest: FloatArray
    shocks: FloatArray
    basis: tuple[str, ...]
    moves: FloatArray
    loadings: FloatArray
    extrapolated: BoolArray
    correlations: CorrelationMatrix


def factor_moves(
    factor_returns: FloatArray,
    proxies: Sequence[str | None],
    *,
    episodes: Mapping[str, FloatArray],
    scenarios: Sequence[Scenario] = SCENARIOS,
) -> FactorMoves:
    """Return covariance, moves and flags of every scenario.

    Parameters
    ----------
    factor_returns : ndarray of shape (len(RISK_FACTORS), n_sessions)
        Total returns of the proxies, the last one that of the calculation session; NaN where missing.
    proxies : sequence of str or None
        Ticker per factor.
    episodes : mapping of scenario id to ndarray of shape (len(RISK_FACTORS),)
        Realised returns of the proxies over historical replays; NaN where unknown.

    Returns
    -------
    FactorMoves
        A factor that lacks a return within EWMA_WINDOW, or whose returns do not vary, is unavailable, and with it the
        scenarios that shock it.
    """
    unavailable = tuple(_why_missing(row, proxy) for row, proxy in zip(factor_returns, proxies, strict=True))
    available = np.array([why is None for why in unavailable])
    covariance, largest = _covariance(factor_returns, available), _largest(factor_returns, available)
    resolved = [resolve_shocks(scenario, episodes.get(scenario.scenario_id)) for scenario in scenarios]
    shocks = np.stack([shock for shock, _ in resolved])
    moves = np.stack([_condition(shock, covariance) for shock in shocks])
    with np.errstate(invalid="ignore"):
        extrapolated: BoolArray = np.abs(moves) > largest
    return FactorMoves(
        covariance=covariance,
        unavailable=unavailable,
        largest=largest,
        shocks=shocks,
        basis=tuple(basis for _, basis in resolved),
        moves=moves,
        loadings=np.stack([loadings_of(shock, covariance) for shock in shocks]),
        extrapolated=extrapolated,
        correlations=correlate(np.ascontiguousarray(factor_returns[available, -CORRELATION_WINDOW:])),
    )


def resolve_shocks(scenario: Scenario, realised: FloatArray | None) -> tuple[FloatArray, str]:
    """Return the returns of the shocked proxies, NaN for the others, and where they come from.

    A change of yield dy moves the rate proxy by ``-RATE_DURATION * dy``. A replay takes the realised returns of the
    factors that it shocks where all of them are known.
    """
    shocks = np.full(len(RISK_FACTORS), np.nan)
    for factor, size in scenario.shocks:
        shocks[RISK_FACTORS.index(factor)] = -RATE_DURATION * size if factor == "rate" else size
    if scenario.episode is None:
        return shocks, HYPOTHETICAL
    shocked = np.isfinite(shocks)
    if realised is not None and np.isfinite(realised[shocked]).all():
        return np.where(shocked, realised, np.nan), REALISED
    return shocks, TABULATED


def _why_missing(returns: FloatArray, proxy: str | None) -> Unavailable | None:
    if proxy is None:
        return Unavailable(Reason.NOT_APPLICABLE, "no proxy is configured")
    present = int(np.isfinite(returns[-EWMA_WINDOW:]).sum())
    if present < EWMA_WINDOW:
        return Unavailable(Reason.INSUFFICIENT_HISTORY, f"{proxy} has {present} of {EWMA_WINDOW} returns")
    if varying(returns[None, -EWMA_WINDOW:]).all():
        return None
    return Unavailable(Reason.DEGENERATE_INPUT, f"the returns of {proxy} do not vary")


def _covariance(factor_returns: FloatArray, available: BoolArray) -> FloatArray:
    covariance = np.full((len(RISK_FACTORS), len(RISK_FACTORS)), np.nan)
    if available.any():
        covariance[np.ix_(available, available)] = weighted_covariance(factor_returns[available, -EWMA_WINDOW:])
    return covariance


def weighted_covariance(returns: FloatArray, *, decay: float = EWMA_DECAY) -> FloatArray:
    """Return the covariance with weights that fall by `decay` a session, the newest one's first (RiskMetrics 1996).

    Parameters
    ----------
    returns : ndarray of shape (k, n_sessions)
        Oldest first, none missing.
    decay : float
        Between 0 and 1.

    Returns
    -------
    ndarray of shape (k, k)
        About the weighted means, without a correction for them.
    """
    age = np.arange(returns.shape[1])[::-1]
    return np.atleast_2d(np.cov(returns, aweights=decay**age, ddof=0))


def _largest(factor_returns: FloatArray, available: BoolArray) -> FloatArray:
    moves = np.abs(compounded(factor_returns[:, -EWMA_WINDOW:], EXTRAPOLATION_SESSIONS))
    return np.where(available, np.max(moves, axis=1), np.nan)


def _condition(shocks: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the moves of all factors given the shocks: themselves, and the expectation of the others.

    NaN for a factor without covariance, and everywhere where a shocked factor has none or they are collinear; zero
    without any shock.
    """
    shocked = np.isfinite(shocks)
    inner = covariance[np.ix_(shocked, shocked)]
    if np.isnan(inner).any() or (inner.size and np.linalg.cond(inner) > _MAX_CONDITION):
        return np.full(shocks.size, np.nan)
    implied = (covariance[:, shocked] * np.linalg.solve(inner, shocks[shocked])).sum(axis=1)
    return np.where(shocked, shocks, np.where(np.isnan(np.diag(covariance)), np.nan, implied))


def loadings_of(shocks: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return how much a unit of exposure to each factor counts in the propagated P&L of the shocks.

    Parameters
    ----------
    shocks : ndarray of shape (n_factors,)
        Returns of the proxies; NaN where a factor isn't shocked.
    covariance : ndarray of shape (n_factors, n_factors)
        NaN for factors that are unavailable.

    Returns
    -------
    ndarray of shape (n_factors,)
        NaN where a shocked factor, or beside a style the market, is unavailable, or the shocked ones are collinear.
    """
    on_rate = np.isfinite(shocks[_RATE])
    others = np.where(np.arange(shocks.size) == _RATE, np.nan, shocks)
    moves = _condition(others, covariance)
    if np.isnan(moves[np.isfinite(shocks) | (np.isfinite(others).any() & (np.arange(shocks.size) == _MARKET))]).any():
        return np.full(shocks.size, np.nan)
    market = np.nan_to_num(moves[_MARKET])
    with_market = np.nan_to_num(covariance[_MARKET] / covariance[_MARKET, _MARKET])
    loadings = np.where(np.isnan(moves), 0.0, moves - with_market * market)
    loadings[_MARKET] = market
    loadings[_RATE] = shocks[_RATE] - moves[_RATE] if on_rate else 0.0
    return loadings

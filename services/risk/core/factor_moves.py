"""How the risk factors move together, and what a scenario's statements imply for all of them (methodology, 9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.risk.core.correlation import CorrelationMatrix, correlate, varying
from services.risk.core.scenarios import SCENARIOS, RateSensitivity, Scenario
from services.risk.core.tails import compounded
from shared.arrays import BoolArray, FloatArray
from shared.conventions import CORRELATION_WINDOW, EWMA_DECAY, EXTRAPOLATION_SESSIONS, FACTOR_WINDOW, RISK_FACTORS
from shared.factor_basis import FactorBasis, factor_basis
from shared.unavailable import Reason, Unavailable

HYPOTHETICAL: Final = "hypothetical"
REALISED: Final = "realised"
TABULATED: Final = "tabulated"
_N: Final = len(RISK_FACTORS)
_RATE: Final = RISK_FACTORS.index("rate")
# Beyond, the inverse of a covariance is rounding.
_MAX_CONDITION: Final = 1e12


@dataclass(frozen=True, slots=True)
class FactorMoves:
    """What the session knows of the factors and makes of the scenarios; the same for every portfolio.

    Parameters
    ----------
    factors : FactorBasis or Unavailable
        The factors over FACTOR_WINDOW sessions, or why there are none.
    unavailable : tuple
        Per factor `Unavailable` or None.
    covariance : ndarray of shape (n_factors, n_factors)
        Of one session's factors, exponentially weighted, about zero; NaN for factors that are unavailable.
    largest : ndarray of shape (n_factors,)
        Largest absolute move over EXTRAPOLATION_SESSIONS within the window.
    shocks : ndarray of shape (n_scenarios, n_factors)
        Returns of the proxies that the scenario names; NaN for the others. Direct P&L is made of them.
    basis : tuple of str
        Per scenario HYPOTHETICAL, REALISED or TABULATED.
    moves : ndarray of shape (n_scenarios, n_factors)
        Of the factors: what the scenario states of them, and for the rest the conditional expectation. NaN where there
        is none. Model P&L is made of them.
    extrapolated : ndarray of bool, shape (n_scenarios, n_factors)
        Moves beyond `largest`.
    correlations : CorrelationMatrix
        Of the proxies that have every return and vary, `correlated`, over CORRELATION_WINDOW sessions.
    """

    factors: FactorBasis | Unavailable
    unavailable: tuple[Unavailable | None, ...]
    covariance: FloatArray
    largest: FloatArray
    shocks: FloatArray
    basis: tuple[str, ...]
    moves: FloatArray
    extrapolated: BoolArray
    correlated: tuple[str, ...]
    correlations: CorrelationMatrix


def factor_moves(
    factor_returns: FloatArray,
    proxies: Sequence[str | None],
    *,
    episodes: Mapping[str, FloatArray],
    rate: RateSensitivity,
    scenarios: Sequence[Scenario] = SCENARIOS,
) -> FactorMoves:
    """Return covariance, moves and flags of every scenario.

    Parameters
    ----------
    factor_returns : ndarray of shape (n_factors, n_sessions)
        Total returns of the proxies, the last one that of the calculation session; NaN where missing.
    proxies : sequence of str or None
        Ticker per factor.
    episodes : mapping of scenario id to ndarray of shape (n_factors,)
        Realised returns of the proxies over historical replays; NaN where unknown.
    rate : RateSensitivity
        Of the rate's proxy.

    Returns
    -------
    FactorMoves
        A factor without proxy is `NOT_APPLICABLE`; where there is no basis, all have its reason.
    """
    configured = np.array([proxy is not None for proxy in proxies])
    found = factor_basis(factor_returns[:, -FACTOR_WINDOW:], configured)
    covariance, largest = np.full((_N, _N), np.nan), np.full(_N, np.nan)
    if isinstance(found, FactorBasis):
        history = np.ascontiguousarray(found.factors[:, found.rows][configured])
        covariance[np.ix_(configured, configured)] = weighted_covariance(history, age=_ages(found))
        largest[configured] = np.abs(compounded(history, EXTRAPOLATION_SESSIONS)).max(axis=1)
    shocks, basis = zip(
        *(resolve_shocks(each, episodes.get(each.scenario_id), rate) for each in scenarios), strict=True
    )
    moves = np.full((len(scenarios), _N), np.nan)
    for row, (scenario, origin) in enumerate(zip(scenarios, basis, strict=True)):
        if isinstance(found, FactorBasis):
            realised = episodes[scenario.scenario_id] if origin == REALISED else None
            moves[row] = expected_moves(*_statements(scenario, rate, found, realised), covariance)
    with np.errstate(invalid="ignore"):
        extrapolated: BoolArray = np.abs(moves) > largest
    window = np.ascontiguousarray(factor_returns[:, -CORRELATION_WINDOW:])
    complete = np.isfinite(window).all(axis=1) & varying(np.where(np.isfinite(window), window, 0.0))
    return FactorMoves(
        factors=found,
        unavailable=tuple(_why_missing(proxy, found) for proxy in proxies),
        covariance=covariance,
        largest=largest,
        shocks=np.stack(shocks),
        basis=tuple(basis),
        moves=moves,
        extrapolated=extrapolated,
        correlated=tuple(name for name, there in zip(RISK_FACTORS, complete, strict=True) if there),
        correlations=correlate(window[complete]),
    )


def resolve_shocks(scenario: Scenario, realised: FloatArray | None, rate: RateSensitivity) -> tuple[FloatArray, str]:
    """Return the returns of the proxies that a scenario names, NaN for the others, and where they come from.

    Of the rate to first order in the change of yield. A replay takes realised returns where those of all the proxies
    that it names are known.
    """
    shocks = np.full(_N, np.nan)
    for factor, size in scenario.shocks:
        shocks[RISK_FACTORS.index(factor)] = -rate.duration * size if factor == "rate" else size
    if scenario.episode is None:
        return shocks, HYPOTHETICAL
    named = np.isfinite(shocks)
    if realised is not None and np.isfinite(realised[named]).all():
        return np.where(named, realised, np.nan), REALISED
    return shocks, TABULATED


def _statements(
    scenario: Scenario, rate: RateSensitivity, basis: FactorBasis, realised: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return what a scenario says: combinations of factors, (n_statements, n_factors), and what they come to.

    The market's move, a style's beside the market, and what the rate's proxy returns, all told; a replay that is
    realised says what every known proxy returned, all told.
    """
    if realised is not None:
        known = np.isfinite(realised) & basis.configured
        return basis.proxies[known], realised[known]
    places = [RISK_FACTORS.index(factor) for factor, _ in scenario.shocks]
    combinations = np.stack([basis.proxies[_RATE] if place == _RATE else np.eye(_N)[place] for place in places])
    sizes = [rate.proxy_return(size) if factor == "rate" else size for factor, size in scenario.shocks]
    combinations[[not basis.configured[place] for place in places]] = np.nan
    return combinations, np.array(sizes)


def expected_moves(combinations: FloatArray, sizes: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the expectation of all factors given what some combinations of them come to.

    Parameters
    ----------
    combinations : ndarray of shape (n_statements, n_factors)
        NaN rows name a factor that there is not.
    sizes : ndarray of shape (n_statements,)
    covariance : ndarray of shape (n_factors, n_factors)
        About zero; NaN for factors that are unavailable.

    Returns
    -------
    ndarray of shape (n_factors,)
        ``S A' (A S A')^-1 sizes``: a factor that is stated by itself moves as stated. NaN for an unavailable factor,
        and everywhere where the statements name one or cannot be told apart.
    """
    nothing = np.full(covariance.shape[0], np.nan)
    known = np.isfinite(np.diag(covariance))
    if not np.isfinite(combinations).all():
        return nothing
    inner = np.where(known[:, None] & known, covariance, 0.0)
    across = (inner[:, None] * combinations).sum(axis=-1)  # (n_factors, n_statements)
    among = (combinations[:, :, None] * across).sum(axis=1)
    if not np.isfinite(among).all() or np.linalg.cond(among) > _MAX_CONDITION:
        return nothing
    return np.where(known, (across * np.linalg.solve(among, sizes)).sum(axis=1), np.nan)


def weighted_covariance(factors: FloatArray, *, age: FloatArray, decay: float = EWMA_DECAY) -> FloatArray:
    """Return the covariance about zero with weights that fall by `decay` a session (RiskMetrics 1996).

    Parameters
    ----------
    factors : ndarray of shape (k, n_sessions)
        None missing.
    age : ndarray of shape (n_sessions,)
        Sessions since each.
    decay : float
        Between 0 and 1.

    Returns
    -------
    ndarray of shape (k, k)
    """
    weights = decay**age
    weighted: FloatArray = (factors[:, None] * factors * (weights / weights.sum())).sum(axis=-1)
    return weighted


def _ages(basis: FactorBasis) -> FloatArray:
    return np.arange(basis.rows.size, dtype=np.float64)[::-1][basis.rows]


def _why_missing(proxy: str | None, basis: FactorBasis | Unavailable) -> Unavailable | None:
    if proxy is None:
        return Unavailable(Reason.NOT_APPLICABLE, "no proxy is configured")
    return basis if isinstance(basis, Unavailable) else None

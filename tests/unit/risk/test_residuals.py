"""What the factors leave of the holdings of one sector, and what that adds to the volatility."""

import numpy as np
import pandas as pd
import pytest

from services.risk.core.factor_model import decompose
from services.risk.core.residuals import SectorCorrelations, residual_returns, sector_correlations
from shared.arrays import FloatArray
from shared.conventions import CORRELATION_MIN_OVERLAP, RISK_FACTORS
from shared.factor_basis import FactorBasis, factor_basis
from shared.unavailable import Unavailable
from tests.unit.risk.shards import book, loadings_of

N, COMMON = 7, 0.4  # 21 pairs
NAMES = [f"S{place}" for place in range(N)]


def basis() -> FactorBasis:
    proxies = np.random.default_rng(5).normal(0, 0.01, (len(RISK_FACTORS), 252))
    found = factor_basis(proxies, np.ones(len(RISK_FACTORS), dtype=np.bool_))
    assert not isinstance(found, Unavailable)
    return found


def correlated(n: int, rho: float, *, seed: int, sessions: int = 252) -> FloatArray:
    rng = np.random.default_rng(seed)
    drawn = np.sqrt(rho) * rng.normal(0, 0.01, sessions) + np.sqrt(1 - rho) * rng.normal(0, 0.01, (n, sessions))
    return np.asarray(drawn)


def test_residuals_are_what_is_added_to_loadings_times_factors() -> None:
    factors, own = basis(), correlated(3, 0.2, seed=1)
    loadings = np.random.default_rng(2).normal(0, 1, (3, len(RISK_FACTORS)))
    before = np.zeros((3, 10))
    returns = np.concatenate([before, loadings @ factors.factors + own], axis=1)

    np.testing.assert_allclose(residual_returns(returns, loadings, factors), own, atol=1e-15)


def test_average_is_that_of_numpy_over_the_pairs() -> None:
    residuals = correlated(N, COMMON, seed=3)
    holdings, _ = book([(name, 10_000.0) for name in NAMES])

    found = sector_correlations(holdings, residuals, ["Energy"] * N)

    expected = np.asarray(np.corrcoef(residuals))[np.triu_indices(N, 1)].mean()
    assert (found.group.tolist(), found.correlation.tolist()) == ([0] * N, [pytest.approx(expected, rel=1e-12)])


def test_average_with_missing_sessions_is_that_of_pandas_over_the_pairs() -> None:
    residuals = correlated(N + 1, COMMON, seed=5)
    residuals[1, 7:11] = np.nan
    residuals[3, 0] = np.nan
    residuals[N] = 0.01  # without variance: in no pair
    holdings, _ = book([(name, 10_000.0) for name in (*NAMES, "STILL")])

    found = sector_correlations(holdings, residuals, ["Energy"] * (N + 1))

    pairs = pd.DataFrame(residuals[:N].T).corr(min_periods=CORRELATION_MIN_OVERLAP).to_numpy()
    expected = pairs[np.triu_indices(N, 1)].mean()
    assert (found.group.tolist(), found.correlation.tolist()) == ([0] * (N + 1), [pytest.approx(expected, rel=1e-12)])


def test_known_correlation_of_simulated_residuals_is_found() -> None:
    residuals = correlated(40, COMMON, seed=4, sessions=5_000)
    names = [f"S{place:02d}" for place in range(40)]
    holdings, _ = book([(name, 10_000.0) for name in names])

    found = sector_correlations(holdings, residuals, ["Energy"] * 40)

    assert found.correlation[0] == pytest.approx(COMMON, abs=0.02)


@pytest.mark.parametrize(
    ("sectors", "missing"),
    [
        (["Energy"] * 6 + ["Utilities"], 0),  # 15 pairs
        (["ETFs"] * N, 0),
        (["Unclassified"] * N, 0),
        (["Energy"] * N, 1),  # no residual of one: 15 pairs
    ],
)
def test_too_few_pairs_and_what_is_no_sector_have_no_correlation(sectors: list[str], missing: int) -> None:
    residuals = correlated(N, COMMON, seed=3)
    residuals[:missing] = np.nan
    holdings, _ = book([(name, 10_000.0) for name in NAMES])

    found = sector_correlations(holdings, residuals, sectors)

    assert (found.group.tolist(), found.correlation.size) == ([-1] * N, 0)


def test_pairs_with_too_few_common_sessions_do_not_count() -> None:
    residuals = correlated(N, COMMON, seed=3)
    residuals[0, 20:] = np.nan  # 15 of 21 pairs are left
    holdings, _ = book([(name, 10_000.0) for name in NAMES])

    assert sector_correlations(holdings, residuals, ["Energy"] * N).correlation.size == 0


def test_specific_variance_within_a_sector_by_hand() -> None:
    # Weights 0.5, 0.3 and -0.2, specific volatilities of 0.3; the first two at a correlation of 0.25:
    # 0.0225 + 0.0081 + 0.0036 + 2 x 0.25 x 0.15 x 0.09.
    holdings, _ = book([("A", 50_000.0), ("B", 30_000.0), ("C", -20_000.0)])
    within = SectorCorrelations(np.array([0, 0, -1]), np.array([0.25]))

    found = decompose(holdings, loadings_of({}, {}, {}, specific=0.3), basis(), within=within)

    assert found.specific.at(0) == pytest.approx(np.sqrt(0.0342 + 0.00675), rel=1e-12)
    assert np.nansum(found.by_holding) == pytest.approx(found.total.at(0), rel=1e-12)
    assert found.by_holding[1] * found.total.values[0] == pytest.approx(0.0081 + 0.25 * 0.15 * 0.09, rel=1e-12)


def test_neighbours_change_no_bit() -> None:
    residuals = correlated(N, COMMON, seed=3)
    alone, _ = book([(name, 10_000.0) for name in NAMES])
    first = sector_correlations(alone, residuals, ["Energy"] * N)
    more = np.concatenate([residuals, correlated(30, 0.1, seed=8)])
    second = sector_correlations(alone, more, ["Energy"] * (N + 30))
    assert first.correlation.tobytes() == second.correlation.tobytes()

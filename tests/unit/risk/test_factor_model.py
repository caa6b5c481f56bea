"""The factor model: known truth, identities, and what is left out of it."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.covariance import ledoit_wolf

from services.risk.core.factor_model import NO_PROXIES, decompose, factor_covariance
from shared.arrays import FloatArray
from shared.conventions import FACTORS, RISK_FACTORS, STYLE_FACTORS
from shared.unavailable import Quantities, Reason
from tests.unit.risk.shards import Shard, betas_of, book, shards, why

N = 252


def _betas(*rows: dict[str, float]) -> Quantities:
    return betas_of([[row.get(factor, 0.0) for factor in FACTORS] for row in rows])


def _proxies(*, seed: int = 3, n: int = N) -> FloatArray:
    rng = np.random.default_rng(seed)
    factors: FloatArray = rng.normal(0, 0.008, (len(RISK_FACTORS), n)) + rng.normal(0, 0.006, n)
    return factors


def test_covariance_is_that_of_scikit_learn_annualised() -> None:
    proxies = _proxies()

    covariance, included = factor_covariance(proxies)

    np.testing.assert_allclose(covariance, ledoit_wolf(proxies[1:7].T)[0] * 252, rtol=1e-12)
    assert included.all()
    assert np.linalg.eigvalsh(covariance)[0] > 0


def test_one_holding_on_one_factor_by_hand() -> None:
    # Weight 2, beta 0.5 to value: loading 1. Residual r - 0.5 f, weight squared 4.
    proxies = _proxies()
    rest = np.random.default_rng(5).normal(0, 0.01, N)
    returns = (0.5 * proxies[1] + rest)[None]
    holdings, _ = book([("A", 200_000.0)])

    found = decompose(holdings, _betas({"value": 0.5}), returns, proxies)

    variance = factor_covariance(proxies)[0][0, 0]
    assert found.systematic.at(0) == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert found.specific.at(0) == pytest.approx(2 * rest.std(ddof=1) * np.sqrt(252), rel=1e-12)
    assert found.systematic_share.at(0) == pytest.approx(variance / (variance + 4 * rest.var(ddof=1) * 252), rel=1e-12)
    assert found.observations.tolist() == [N]


def test_model_recovers_the_volatility_of_a_simulated_book() -> None:
    rng = np.random.default_rng(11)
    proxies = _proxies(seed=4)
    betas = rng.normal(0.3, 0.2, (40, 6))
    returns = betas @ proxies[1:7] + rng.normal(0, 0.015, (40, N))
    holdings, _ = book([(f"S{i:02d}", 5_000.0) for i in range(40)])
    rows = [dict(zip(STYLE_FACTORS, row, strict=True)) for row in betas.tolist()]

    found = decompose(holdings, _betas(*rows), returns, proxies)

    realised = (returns.mean(axis=0) * 2).std(ddof=1) * np.sqrt(252)
    assert found.total.at(0) == pytest.approx(realised, rel=0.05)


@given(shards())
def test_contributions_add_up_to_the_volatility(shard: Shard) -> None:
    found = shard.inputs.decomposition
    holdings = shard.holdings

    total = found.total.values
    known = np.isfinite(total)
    np.testing.assert_allclose(
        found.systematic.values[known] ** 2 + found.specific.values[known] ** 2, total[known] ** 2, rtol=1e-12
    )
    by_factor = np.nansum(found.by_factor, axis=1) + np.nan_to_num(found.by_specific)
    np.testing.assert_allclose(by_factor[known], total[known], rtol=1e-9)
    by_holding = np.bincount(holdings.portfolio, np.nan_to_num(found.by_holding), minlength=holdings.n_portfolios)
    np.testing.assert_allclose(by_holding[known], total[known], rtol=1e-9)


def test_marginal_contribution_is_the_derivative() -> None:
    rng = np.random.default_rng(6)
    proxies, returns = _proxies(), rng.normal(0, 0.01, (3, N))
    betas = _betas({"value": 0.5}, {"size": 1.2, "growth": -0.3}, {"momentum": 0.4})

    def volatility(middle: float) -> float:
        holdings, _ = book([("A", 30_000.0), ("B", middle), ("C", -20_000.0)])
        return float(decompose(holdings, betas, returns, proxies).total.values[0])

    holdings, _ = book([("A", 30_000.0), ("B", 50_000.0), ("C", -20_000.0)])
    slope = (volatility(50_001.0) - volatility(49_999.0)) / (2.0 / 100_000.0)
    assert decompose(holdings, betas, returns, proxies).marginal[1] == pytest.approx(slope, rel=1e-6)


def test_defect_33_market_beta_is_not_counted_beside_the_styles() -> None:
    proxies, returns = _proxies(), np.random.default_rng(6).normal(0, 0.01, (1, N))
    holdings, _ = book([("A", 100_000.0)])

    without = decompose(holdings, _betas({"value": 0.5}), returns, proxies).total
    with_market = decompose(holdings, _betas({"value": 0.5, "market_beta": 1.3}), returns, proxies).total

    assert without.at(0) == with_market.at(0)


def test_holding_without_betas_or_history_is_left_out_and_coverage_says_so() -> None:
    proxies = _proxies()
    returns = np.random.default_rng(6).normal(0, 0.01, (3, N))
    returns[1, :-59] = np.nan
    betas = _betas({"value": 0.5}, {"value": 0.5}, {})
    betas.values[2, 0] = np.nan
    holdings, _ = book([("A", 60_000.0), ("B", 20_000.0), ("C", 20_000.0)])

    found = decompose(holdings, betas, returns, proxies)

    assert found.coverage.at(0) == 0.6
    assert np.isfinite(found.by_holding).tolist() == [True, False, False]
    nobody = decompose(holdings, betas, returns * np.nan, proxies)
    assert why(nobody.total).reason is Reason.MISSING_DATA


def test_style_without_proxy_is_left_out() -> None:
    proxies = _proxies()
    proxies[RISK_FACTORS.index("growth")] = np.nan
    holdings, _ = book([("A", 100_000.0)])
    betas = _betas({"value": 0.5})
    betas.values[0, FACTORS.index("growth")] = np.nan

    found = decompose(holdings, betas, np.random.default_rng(6).normal(0, 0.01, (1, N)), proxies)

    assert isinstance(found.total.at(0), float)
    assert np.isnan(found.by_factor[0]).tolist() == [factor == "growth" for factor in STYLE_FACTORS]


def test_model_without_any_proxy_is_not_applicable() -> None:
    holdings, _ = book([("A", 100_000.0)])

    found = decompose(holdings, _betas({}), np.zeros((1, N)), np.full((8, N), np.nan))

    assert found.total.at(0) == NO_PROXIES


@pytest.mark.parametrize("equity", [0.0, -1_000.0])
def test_book_without_capital_has_no_decomposition(equity: float) -> None:
    holdings, _ = book([("A", 100_000.0)], equity=equity)

    found = decompose(holdings, _betas({"value": 1.0}), np.zeros((1, N)), _proxies())

    assert why(found.total).reason is Reason.DEGENERATE_INPUT
    assert np.isnan(found.by_holding).all()

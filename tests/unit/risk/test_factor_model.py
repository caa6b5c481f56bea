"""The factor model: known truth, identities, and what is left out of it."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.covariance import ledoit_wolf

from services.risk.core.factor_model import NO_HOLDING, decompose, factor_covariance
from services.risk.core.factor_moves import factor_moves
from services.risk.core.scenarios import RateSensitivity, Scenario
from shared.arrays import FloatArray
from shared.conventions import MODEL_COLUMNS, RISK_FACTORS
from shared.factor_basis import FactorBasis, factor_basis
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.risk.shards import Shard, book, loadings_of, shards, why

N = 252
EVERY = np.ones(len(RISK_FACTORS), dtype=np.bool_)


def _proxies(*, seed: int = 3, n: int = N) -> FloatArray:
    rng = np.random.default_rng(seed)
    factors: FloatArray = rng.normal(0, 0.008, (len(RISK_FACTORS), n)) + rng.normal(0, 0.006, n)
    return factors


def _basis(proxies: FloatArray | None = None, configured: np.ndarray = EVERY) -> FactorBasis:
    found = factor_basis(_proxies() if proxies is None else proxies, configured)
    assert isinstance(found, FactorBasis)
    return found


@pytest.mark.parametrize("n_factors", range(1, len(RISK_FACTORS) + 1))
def test_covariance_is_that_of_scikit_learn_annualised(n_factors: int) -> None:
    basis = _basis(configured=np.arange(len(RISK_FACTORS)) < n_factors)

    covariance = factor_covariance(basis)[:n_factors, :n_factors]

    expected = ledoit_wolf(basis.factors[:n_factors].T)[0] * 252
    np.testing.assert_allclose(covariance, expected, rtol=1e-10, atol=1e-15)
    assert np.linalg.eigvalsh(covariance)[0] > 0


def test_one_holding_on_one_factor_by_hand() -> None:
    # Weight 2, loading 0.5 on value: exposure 1. Specific volatility 0.3, weight squared 4.
    basis = _basis()
    holdings, _ = book([("A", 200_000.0)])

    found = decompose(holdings, loadings_of({"value": 0.5}, specific=0.3), basis)

    variance = factor_covariance(basis)[1, 1]
    assert found.systematic.at(0) == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert found.specific.at(0) == pytest.approx(0.6, rel=1e-12)
    assert found.systematic_share.at(0) == pytest.approx(variance / (variance + 0.36), rel=1e-12)
    assert found.observations.tolist() == [N]


def test_model_recovers_the_volatility_of_a_simulated_book() -> None:
    rng = np.random.default_rng(11)
    basis = _basis(_proxies(seed=4))
    loadings = rng.normal(0.3, 0.2, (40, 8))
    returns = loadings @ basis.factors + rng.normal(0, 0.015, (40, N))
    holdings, _ = book([(f"S{i:02d}", 5_000.0) for i in range(40)])
    rows = [dict(zip(RISK_FACTORS, row, strict=True)) for row in loadings.tolist()]

    found = decompose(holdings, loadings_of(*rows, specific=0.015 * np.sqrt(252)), basis)

    realised = (returns.mean(axis=0) * 2).std(ddof=1) * np.sqrt(252)
    assert found.total.at(0) == pytest.approx(realised, rel=0.05)


def test_stress_and_ex_ante_volatility_are_made_of_the_same_exposures() -> None:
    # A move of one factor alone costs its exposure; the derivative of the variance by it is that exposure too.
    proxies = _proxies()
    alone = Scenario("alone", "", "", "", tuple((name, 0.1 * (name == "size")) for name in RISK_FACTORS[:-1]))
    moves = factor_moves(proxies, RISK_FACTORS, episodes={}, rate=RateSensitivity(), scenarios=(alone,))
    loadings = dict(zip(RISK_FACTORS, np.linspace(-0.5, 1.0, 8).tolist(), strict=True))
    holdings, _ = book([("A", 200_000.0)])

    found = decompose(holdings, loadings_of(loadings), moves.factors)

    exposure = 2.0 * np.array(list(loadings.values()))
    covariance = factor_covariance(_basis(proxies))
    np.testing.assert_allclose(
        found.by_factor[0] * found.total.at(0), exposure * (covariance @ exposure), rtol=1e-9, atol=1e-15
    )
    assert moves.moves[0, 5] == pytest.approx(0.1)


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
    basis = _basis()
    loadings = loadings_of({"market": 0.5}, {"size": 1.2, "growth": -0.3}, {"momentum": 0.4})

    def volatility(middle: float) -> float:
        holdings, _ = book([("A", 30_000.0), ("B", middle), ("C", -20_000.0)])
        return float(decompose(holdings, loadings, basis).total.values[0])

    holdings, _ = book([("A", 30_000.0), ("B", 50_000.0), ("C", -20_000.0)])
    slope = (volatility(50_001.0) - volatility(49_999.0)) / (2.0 / 100_000.0)
    assert decompose(holdings, loadings, basis).marginal[1] == pytest.approx(slope, rel=1e-6)


def test_holding_without_loadings_is_left_out_and_coverage_says_so() -> None:
    reasons = np.full((2, len(MODEL_COLUMNS)), None, dtype=object)
    reasons[1] = Unavailable(Reason.INSUFFICIENT_HISTORY, "59 of 60 sessions")
    loadings = loadings_of({"value": 0.5}, {"value": 0.5}).withheld(reasons)
    holdings, _ = book([("A", 60_000.0), ("B", 40_000.0)])

    found = decompose(holdings, loadings, _basis())

    assert found.coverage.at(0) == 0.6
    assert np.isfinite(found.by_holding).tolist() == [True, False]
    nobody = Quantities.unavailable_everywhere((2, len(MODEL_COLUMNS)), reasons[1, 0])
    assert why(decompose(holdings, nobody, _basis()).total) == NO_HOLDING


def test_factor_without_proxy_is_left_out() -> None:
    configured = np.array([name != "growth" for name in RISK_FACTORS])
    loadings = loadings_of({"value": 0.5, "growth": np.nan})
    holdings, _ = book([("A", 100_000.0)])

    found = decompose(holdings, loadings, _basis(None, configured))

    assert isinstance(found.total.at(0), float)
    assert np.isnan(found.by_factor[0]).tolist() == [name == "growth" for name in RISK_FACTORS]


def test_reason_of_the_factors_is_the_reason_of_the_model() -> None:
    holdings, _ = book([("A", 100_000.0)])
    missing = Unavailable(Reason.INSUFFICIENT_HISTORY, "12 of 60 sessions have a return of every proxy")

    assert decompose(holdings, loadings_of({}), missing).total.at(0) == missing


@pytest.mark.parametrize("equity", [0.0, -1_000.0])
def test_book_without_capital_has_no_decomposition(equity: float) -> None:
    holdings, _ = book([("A", 100_000.0)], equity=equity)

    found = decompose(holdings, loadings_of({"value": 1.0}), _basis())

    assert why(found.total).reason is Reason.DEGENERATE_INPUT
    assert np.isnan(found.by_holding).all()

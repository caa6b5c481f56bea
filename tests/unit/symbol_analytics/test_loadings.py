"""Loadings on the factors of the coherent model: oracle, known truth, identities, and reasons."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant

from services.symbol_analytics.core.joint import COLLINEAR, fit_joint
from services.symbol_analytics.core.loadings import FactorLoadings, estimate_loadings
from shared.arrays import FloatArray
from shared.conventions import LOADING_ERRORS, LOADINGS, MODEL_COLUMNS, RISK_FACTORS, SPECIFIC_VOLATILITY
from shared.factor_basis import FactorBasis, factor_basis
from shared.factor_set import FactorSet
from shared.returns import simple_returns
from shared.unavailable import Reason, Unavailable
from tests.unit.symbol_analytics.worlds import STANDARD, World, closes_of, random_world

N = len(RISK_FACTORS)


def loadings_of(world: World, *, factor_set: FactorSet = STANDARD) -> FactorLoadings:
    return estimate_loadings(world.closes, world.proxies, factor_set=factor_set)


def basis_of(world: World) -> FactorBasis:
    returns = np.stack(
        [simple_returns(world.proxies[STANDARD.proxy(name) or ""][:, None])[:, 0] for name in RISK_FACTORS]
    )
    found = factor_basis(returns[:, -252:], np.ones(N, dtype=np.bool_))
    assert isinstance(found, FactorBasis)
    return found


def test_joint_fit_on_orthogonal_regressors_by_hand() -> None:
    # y = 0.01 + 2 a - b + e, orthogonal signs of 1, 1 and 0.5: s2 = 8 * 0.25 / (8 - 3), se = s / sqrt 8.
    a, b = np.tile([1.0, 1.0, -1.0, -1.0], 2), np.tile([1.0, -1.0], 4)
    rest = 0.5 * np.array([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0])

    fits = fit_joint((0.01 + 2 * a - b + rest)[None], np.stack([a, b]), min_observations=4)

    np.testing.assert_allclose(fits.coefficients, [[2.0, -1.0]], rtol=1e-12)
    np.testing.assert_allclose(fits.std_errors, [[np.sqrt(0.4 / 8)] * 2], rtol=1e-12)
    np.testing.assert_allclose(fits.residual_variances, [0.4], rtol=1e-12)
    np.testing.assert_allclose(fits.r_squared, [40 / 42], rtol=1e-12)


def test_loadings_with_random_gaps_match_statsmodels() -> None:
    world = random_world(n_symbols=12)
    gaps = np.random.default_rng(5).random(world.closes.shape) < 0.1
    gaps[-1] = False
    world.closes[gaps] = np.nan
    factors, returns = basis_of(world).factors, simple_returns(world.closes)

    found = loadings_of(world)

    for symbol in range(12):
        rows = np.isfinite(returns[:, symbol])
        fit = OLS(returns[rows, symbol], add_constant(factors[:, rows].T)).fit()
        np.testing.assert_allclose(found.values[symbol], fit.params[1:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.std_errors[symbol], fit.bse[1:], rtol=1e-9)
        assert found.r_squared[symbol] == pytest.approx(fit.rsquared, rel=1e-10)
        assert found.specific_volatility[symbol] == pytest.approx(np.sqrt(fit.mse_resid * 252), rel=1e-10)
        assert found.n_observations[symbol] == rows.sum()


def test_known_loadings_are_recovered_within_their_standard_errors() -> None:
    world = random_world(n_symbols=1)
    factors = basis_of(world).factors
    rng = np.random.default_rng(9)
    truth = np.array([1.2, 0.5, -0.4, 0.3, 0.0, -0.7, 0.2, 0.25])
    returns = truth @ factors + rng.normal(0, 0.01, (400, 252))

    found = loadings_of(replace(world, closes=closes_of(returns.T)))

    errors = (found.values - truth) / found.std_errors
    assert np.abs(errors.mean(axis=0)).max() < 0.2
    assert errors.std() == pytest.approx(1.0, abs=0.03)
    assert found.specific_volatility.mean() == pytest.approx(0.01 * np.sqrt(252), rel=0.01)


def test_proxies_load_on_their_factors_as_the_basis_says() -> None:
    world = random_world()
    as_symbols = np.column_stack([world.proxies[STANDARD.proxy(name) or ""] for name in RISK_FACTORS])

    found = loadings_of(replace(world, closes=as_symbols))

    np.testing.assert_allclose(found.values, basis_of(world).proxies, atol=1e-12)
    np.testing.assert_allclose(found.specific_volatility, 0.0, atol=1e-12)


@given(st.lists(st.integers(0, 7), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_subset_and_order_of_the_shard_change_no_bit(chosen: list[int], seed: int) -> None:
    world = random_world(n_symbols=8, seed=seed % 1000)
    world.closes[np.random.default_rng(seed).random(world.closes.shape) < 0.02] = np.nan

    whole, part = loadings_of(world), loadings_of(replace(world, closes=world.closes[:, chosen]))

    for name in ("values", "std_errors", "r_squared", "specific_volatility", "n_observations"):
        np.testing.assert_array_equal(getattr(whole, name)[chosen], getattr(part, name))
    assert whole.unavailable[chosen].tolist() == part.unavailable.tolist()


def test_factor_without_proxy_is_not_applicable_and_the_others_are_estimated() -> None:
    without = STANDARD.model_copy(update={"growth": None})
    found = loadings_of(random_world(), factor_set=without).announced

    growth = RISK_FACTORS.index("growth")
    why = Unavailable(Reason.NOT_APPLICABLE, "no proxy configured for growth")
    assert [found.at((0, MODEL_COLUMNS.index(f"{kind}_growth"))) for kind in ("loading", "loading_error")] == [why] * 2
    assert np.isfinite(np.delete(found.values, [growth, growth + N], axis=1)).all()


def test_announced_numbers_are_loadings_errors_and_what_is_left() -> None:
    found = loadings_of(random_world())

    table = dict(zip(MODEL_COLUMNS, found.announced.values.T, strict=True))
    np.testing.assert_array_equal(np.column_stack([table[name] for name in LOADINGS]), found.values)
    np.testing.assert_array_equal(np.column_stack([table[name] for name in LOADING_ERRORS]), found.std_errors)
    np.testing.assert_array_equal(table[SPECIFIC_VOLATILITY], found.specific_volatility)


def _reason(change: str) -> Unavailable | None:
    world = random_world()
    closes, proxies = world.closes.copy(), dict(world.proxies)
    match change:
        case "short":
            closes[:193, 0] = np.nan
        case "stale":
            closes[-6:, 0] = np.nan
        case "flat":
            closes[:, 0] = 50.0
        case "no proxy":
            del proxies["USMV"]
        case "short proxy":
            proxies["TLT"] = np.where(np.arange(253) < 193, np.nan, proxies["TLT"])
    why: Unavailable | None = loadings_of(World(closes, proxies)).unavailable[0]
    return why


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("nothing", None),
        ("short", Unavailable(Reason.INSUFFICIENT_HISTORY, "59 of 60 sessions")),
        ("stale", Unavailable(Reason.STALE_INPUT, "last price is 6 sessions old, limit 5")),
        ("flat", Unavailable(Reason.DEGENERATE_INPUT, "the symbol's returns do not vary over 252 sessions")),
        ("no proxy", Unavailable(Reason.MISSING_DATA, "no returns of USMV in 252 sessions")),
        (
            "short proxy",
            Unavailable(Reason.INSUFFICIENT_HISTORY, "59 of 60 sessions have a return of every proxy"),
        ),
    ],
)
def test_symbol_without_loadings_has_a_reason(change: str, expected: Unavailable | None) -> None:
    assert _reason(change) == expected


def test_regressors_that_coincide_over_the_rows_of_a_symbol_are_refused() -> None:
    rng = np.random.default_rng(2)
    one = rng.normal(size=100)
    other: FloatArray = np.where(np.arange(100) < 50, one, rng.normal(size=100))
    returns = np.stack([rng.normal(size=100), np.where(np.arange(100) < 50, rng.normal(size=100), np.nan)])

    found = fit_joint(returns, np.stack([one, other]), min_observations=10)

    assert found.unavailable.tolist() == [None, COLLINEAR]
    assert np.isnan(found.coefficients[1]).all()

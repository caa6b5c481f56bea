"""Correlations against pandas, the vectors, and matrices that do not exist."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.correlation_tools import corr_clipped

from services.risk.core.correlation import (
    CorrelationMatrix,
    correlate,
    correlate_complete,
    nearest_psd,
    standardised,
)
from shared.arrays import FloatArray


def _drawn(k: int, n: int, *, seed: int, gaps: float = 0.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    returns: FloatArray = rng.normal(0, 0.01, (k, n)) + rng.normal(0, 0.01, n)
    returns[rng.random((k, n)) < gaps] = np.nan
    return returns


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_correlations_match_pandas_pair_by_pair(gaps: float) -> None:
    returns = _drawn(12, 90, seed=5, gaps=gaps)

    found = correlate(returns)

    # Only the oracle is pandas': nothing below is a frame.
    expected = pd.DataFrame(returns.T).corr(min_periods=30).to_numpy()
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=2e-14)
    assert (found.clip, found.missing_pairs) == (0.0, 0)


@pytest.mark.parametrize("size", [0, 1, 2, 17])
def test_series_without_a_gap_have_the_same_bits_standardised_among_others(size: int) -> None:
    among = standardised(_drawn(40, 63, seed=6))
    rows = np.random.default_rng(3).choice(40, size=size, replace=False)

    found, expected = correlate_complete(among[rows]), correlate(_drawn(40, 63, seed=6)[rows])

    assert found is not None
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.complete, expected.complete)
    assert (found.clip, found.missing_pairs) == (expected.clip, expected.missing_pairs)


@pytest.mark.parametrize("spoilt", [np.nan, 0.01])
def test_series_with_a_gap_or_without_variance_are_left_to_the_pairs(spoilt: float) -> None:
    returns = _drawn(5, 63, seed=6)
    returns[2, 1 if np.isnan(spoilt) else slice(None)] = spoilt

    assert correlate_complete(standardised(returns)) is None


def test_correlation_of_three_sessions_by_hand() -> None:
    # Deviations (-1, 0, 1) and (-1, 1, 0) percent: 1 / (2^0.5 * 2^0.5).
    returns = np.array([[0.01, 0.02, 0.03], [0.01, 0.03, 0.02]])

    assert correlate(returns, min_overlap=3).values[0, 1] == pytest.approx(0.5, rel=1e-12)


def test_one_factor_correlation_is_recovered() -> None:
    rng = np.random.default_rng(2)
    returns = 0.6 * rng.normal(size=50_000) + 0.8 * rng.normal(size=(4, 50_000))

    above = correlate(returns).values[np.triu_indices(4, 1)]

    np.testing.assert_allclose(above, 0.36, atol=0.015)


def test_repair_of_the_vector_is_the_predecessors() -> None:
    matrix = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])

    repaired = nearest_psd(matrix)

    np.testing.assert_allclose(repaired[np.triu_indices(3, 1)], [0.5, -0.5, 0.5], atol=1e-12)


def test_repair_of_random_matrices_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        drawn = rng.uniform(-1.0, 1.0, (30, 30))
        matrix = (drawn + drawn.T) / 2
        np.fill_diagonal(matrix, 1.0)
        np.testing.assert_allclose(nearest_psd(matrix), corr_clipped(matrix, threshold=0.0), rtol=0, atol=1e-13)


def _contradictory() -> FloatArray:
    """Return three series whose pairs are observed on different sessions: each pair strongly, together impossible."""
    rng = np.random.default_rng(9)
    first, second, third = rng.normal(0, 0.01, (3, 40))
    nothing = np.full(40, np.nan)
    return np.array(
        [
            np.concatenate([first, second, nothing]),
            np.concatenate([first, nothing, third]),
            np.concatenate([nothing, -second, third]),
        ]
    )


def test_pairs_that_contradict_one_another_are_repaired_and_the_clip_is_told() -> None:
    found = correlate(_contradictory())

    assert found.clip > 0.3
    assert np.linalg.eigvalsh(found.values)[0] > -1e-12
    np.testing.assert_array_equal(np.diag(found.values), 1.0)


def test_defect_45_pair_below_the_overlap_is_missing_and_counted() -> None:
    returns = _drawn(3, 90, seed=1)
    returns[2, :61] = np.nan  # 29 common sessions with the others

    found = correlate(returns)

    assert np.isnan(found.values[2, :2]).all()
    assert (found.missing_pairs, found.complete.tolist()) == (2, [0, 1])


def test_defect_46_young_series_leaves_the_other_pairs_alone() -> None:
    returns = _drawn(3, 90, seed=1)
    young = returns.copy()
    young[2, :50] = np.nan

    assert correlate(young).values[0, 1] == pytest.approx(correlate(returns[:2]).values[0, 1], abs=1e-14)


@pytest.mark.parametrize("value", [0.0, 0.01, 1e-9])
def test_series_without_variance_has_no_pairs(value: float) -> None:
    returns = _drawn(3, 90, seed=1)
    returns[1] = value

    found = correlate(returns)

    assert np.isnan(found.values[1, [0, 2]]).all()
    assert found.complete.tolist() == [0, 2]


def test_series_that_does_not_vary_where_two_overlap_has_no_pair_there() -> None:
    returns = _drawn(2, 90, seed=1)
    returns[0, :45] = 0.01
    returns[1, 45:] = np.nan

    assert np.isnan(correlate(returns).values[0, 1])


def test_matrix_of_one_and_of_none_is_there() -> None:
    assert correlate(_drawn(1, 90, seed=1)).values.tolist() == [[1.0]]
    assert correlate(np.empty((0, 90))).complete.tolist() == []


def _psd(found: CorrelationMatrix) -> bool:
    part = found.values[np.ix_(found.complete, found.complete)]
    return bool(part.size == 0 or np.linalg.eigvalsh(part)[0] > -1e-10)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0.0, 0.7))
@settings(max_examples=30)
def test_matrix_is_symmetric_bounded_and_psd(seed: int, k: int, gaps: float) -> None:
    found = correlate(_drawn(k, 90, seed=seed, gaps=gaps))

    np.testing.assert_array_equal(found.values, found.values.T)
    known = found.values[np.isfinite(found.values)]
    assert (np.abs(known) <= 1.0).all()
    assert _psd(found)
    assert not np.isnan(found.values[np.ix_(found.complete, found.complete)]).any()
    assert found.missing_pairs == np.isnan(found.values[np.triu_indices(k, 1)]).sum()


@given(st.integers(0, 2**32 - 1), st.integers(-30, 30))
def test_scale_of_a_series_changes_no_correlation(seed: int, power: int) -> None:
    returns = _drawn(5, 90, seed=seed)
    scaled = returns.copy()
    scaled[2] *= 2.0**power

    np.testing.assert_allclose(correlate(scaled).values, correlate(returns).values, atol=1e-12)

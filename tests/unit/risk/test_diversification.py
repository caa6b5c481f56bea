"""Average correlation, effective bets and clusters of portfolios."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.decomposition import PCA

from services.risk.core.diversification import NO_CLUSTER, NO_RISK, Diversification, diversify
from services.risk.core.holdings import NetHoldings
from shared.arrays import FloatArray
from shared.unavailable import Reason, Unavailable
from tests.unit.risk.shards import book

N = 90


def _independent(k: int, *, seed: int = 4) -> FloatArray:
    """Return series whose sample correlations are exactly those of independent ones, all of one volatility."""
    drawn = np.random.default_rng(seed).normal(size=(N, k))
    orthogonal, _ = np.linalg.qr(drawn - drawn.mean(axis=0))
    centred = orthogonal - orthogonal.mean(axis=0)
    returns: FloatArray = (centred / np.sqrt((centred**2).sum(axis=0)) * 0.1).T
    return returns


def _one(
    positions: list[tuple[str, float]], returns: FloatArray, *, sectors: list[str] | None = None
) -> Diversification:
    holdings, names = book(positions)
    return diversify(holdings, returns, sectors or ["Technology"] * len(names)).portfolios[0]


def test_uncorrelated_holdings_of_equal_risk_are_as_many_bets() -> None:
    # Of different volatilities, so that the components are the holdings.
    returns = _independent(5) * np.arange(1.0, 6.0)[:, None]

    found = _one([(f"S{i}", 600.0 / (i + 1)) for i in range(5)], returns)

    assert found.effective_bets == pytest.approx(5.0, rel=1e-9)
    assert found.average == pytest.approx(0.0, abs=1e-12)


def test_holdings_that_move_as_one_are_one_bet() -> None:
    returns = np.repeat(np.random.default_rng(1).normal(0, 0.01, (1, N)), 4, axis=0)

    found = _one([(f"S{i}", 100.0 * (i + 1)) for i in range(4)], returns)

    assert found.effective_bets == pytest.approx(1.0, rel=1e-9)
    assert found.average == pytest.approx(1.0, rel=1e-12)


def test_two_bets_of_unequal_size_by_hand() -> None:
    # Risks 300 x 1 and 50 x 2 without correlation: shares 0.9 and 0.1.
    found = _one([("A", 300.0), ("B", 50.0)], _independent(2) * np.array([[1.0], [2.0]]))

    assert found.effective_bets == pytest.approx(np.exp(-(0.9 * np.log(0.9) + 0.1 * np.log(0.1))), rel=1e-9)


def test_effective_bets_match_principal_components_of_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    returns = rng.normal(0, 0.01, (6, N)) + rng.normal(0, 0.01, N)
    weights = np.array([300.0, -100.0, 250.0, 50.0, 80.0, 120.0])

    found = _one([(f"S{i}", weight) for i, weight in enumerate(weights)], returns)

    pca = PCA().fit(returns.T)
    shares = (pca.components_ @ weights) ** 2 * pca.explained_variance_
    shares /= shares.sum()
    assert found.effective_bets == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-9)


def test_bets_of_a_book_on_one_component_and_of_one_on_two_by_hand() -> None:
    # Correlation 0.6: components (1, 1) and (1, -1) over root 2 with variances 1.6 and 0.4. Long both by 1: one bet.
    # By 3 and 1: along them 4 and 2, shares 16 x 1.6 and 4 x 0.4, that is 16/17 and 1/17.
    returns = np.linalg.cholesky(np.array([[1.0, 0.6], [0.6, 1.0]])) @ _independent(2)

    both, unequal = (_one([("A", a), ("B", 100.0)], returns).effective_bets for a in (100.0, 300.0))

    assert both == pytest.approx(1.0, rel=1e-9)
    entropy = -(16 / 17 * np.log(16 / 17) + 1 / 17 * np.log(1 / 17))
    assert unequal == pytest.approx(np.exp(entropy), rel=1e-9)


def test_average_correlation_is_weighted_by_exposure_and_has_its_sides() -> None:
    rng = np.random.default_rng(3)
    returns = rng.normal(0, 0.01, (3, N)) + rng.normal(0, 0.01, N)
    rho = np.atleast_2d(np.corrcoef(returns))

    found = _one([("A", 100.0), ("B", -200.0), ("C", 300.0)], returns)

    weights = {(0, 1): 2.0, (0, 2): 3.0, (1, 2): 6.0}
    sides = {(0, 1): -1.0, (0, 2): 1.0, (1, 2): -1.0}
    expected = sum(weight * sides[pair] * rho[pair] for pair, weight in weights.items()) / 11.0
    assert found.average == pytest.approx(expected, rel=1e-12)


def test_defect_44_lots_and_names_without_data_add_no_bets() -> None:
    # Six lots of three names, and three names without data: still three bets.
    sizes = {"A": 60.0, "B": 30.0, "C": 20.0}  # over volatilities of 1, 2 and 3
    returns = np.vstack([_independent(3) * np.arange(1.0, 4.0)[:, None], np.full((3, N), np.nan)])
    positions = [*sizes.items()] * 2 + [("X", 100.0), ("Y", 60.0), ("Z", 60.0)]
    holdings, names = book(positions)
    assert names == ["A", "B", "C", "X", "Y", "Z"]

    found = diversify(holdings, returns, ["Technology"] * 6)

    assert found.portfolios[0].effective_bets == pytest.approx(3.0, rel=1e-9)
    assert found.coverage.at(0) == 0.5
    assert found.portfolios[0].matrix.missing_pairs == 12


def test_average_of_the_vector_is_signed_and_keeps_its_zeros() -> None:
    # 0.5, -0.2 and 0.1 of equal weight: 0.4 / 3. The predecessor has the mean of the absolute values, and drops zeros.
    target = np.array([[1.0, 0.5, -0.2], [0.5, 1.0, 0.1], [-0.2, 0.1, 1.0]])
    returns = np.linalg.cholesky(target) @ _independent(3)

    assert _one([(name, 100.0) for name in "ABC"], returns).average == pytest.approx(0.4 / 3, rel=1e-9)


def test_holding_below_one_percent_of_gross_is_left_out() -> None:
    found = _one([("A", 990.0), ("B", -500.0), ("C", 14.0)], _independent(3))

    assert found.rows.tolist() == [0, 1]


def _blocks() -> FloatArray:
    """Return two groups of two that move together, and one series of its own."""
    rng = np.random.default_rng(8)
    factors = rng.normal(0, 0.01, (3, N))
    noise = rng.normal(0, 0.002, (5, N))
    return np.vstack([factors[0], factors[1], factors[0], factors[1], factors[2]]) + noise


def test_defect_48_clusters_are_found_and_named_after_their_largest_sector() -> None:
    sectors = ["Energy", "Utilities", "Technology", "Utilities", "Energy"]

    found = _one([("A", 100.0), ("B", 100.0), ("C", 200.0), ("D", 100.0), ("E", 500.0)], _blocks(), sectors=sectors)

    assert found.cluster.tolist() == [0, 1, 0, 1, NO_CLUSTER]
    assert found.cluster_names == ("Technology", "Utilities")


def test_clusters_of_one_sector_have_distinct_names() -> None:
    found = _one([(name, 100.0) for name in "ABCDE"], _blocks())

    assert found.cluster_names == ("Technology", "Technology 2")


def test_clusters_are_those_of_scipy() -> None:
    rng = np.random.default_rng(12)
    returns = rng.normal(0, 0.01, (20, N)) + np.repeat(rng.normal(0, 0.012, (4, N)), 5, axis=0)

    found = _one([(f"S{i:02d}", 100.0) for i in range(20)], returns)

    distances = np.sqrt((1 - np.atleast_2d(np.corrcoef(returns))[np.triu_indices(20, 1)]) / 2)
    labels = fcluster(linkage(distances, "average"), 0.5, "distance")
    ours = np.where(found.cluster == NO_CLUSTER, -1 - np.arange(20), found.cluster)
    np.testing.assert_array_equal(ours[:, None] == ours, labels[:, None] == labels)


@pytest.mark.parametrize(
    ("positions", "returns", "name", "reason"),
    [
        ([], np.empty((0, N)), "average", Reason.NOT_APPLICABLE),
        ([], np.empty((0, N)), "effective_bets", Reason.NOT_APPLICABLE),
        ([("A", 100.0)], _independent(1), "average", Reason.NOT_APPLICABLE),
        ([("A", 100.0)], np.zeros((1, N)), "effective_bets", Reason.DEGENERATE_INPUT),
        ([("A", 100.0)], np.full((1, N), np.nan), "effective_bets", Reason.DEGENERATE_INPUT),
        ([("A", 100.0), ("A", -100.0)], _independent(1), "effective_bets", Reason.DEGENERATE_INPUT),
        ([("A", 1.0), ("A", -1.0), ("B", 1.0), ("B", -1.0)], _independent(2), "average", Reason.DEGENERATE_INPUT),
    ],
)
def test_what_cannot_be_said_has_its_reason(
    positions: list[tuple[str, float]], returns: FloatArray, name: str, reason: Reason
) -> None:
    if not positions:
        nothing = np.zeros(0, dtype=np.int64)
        holdings = NetHoldings.of(nothing, nothing, exposure=nothing, equity=np.array([100]), names=())
    else:
        holdings, _ = book(positions)

    found = diversify(holdings, returns, ["Technology"] * len(returns)).quantity(name).at(0)

    assert isinstance(found, Unavailable)
    assert found.reason is reason


def test_perfect_hedge_is_no_bet_and_its_holdings_go_against_one_another() -> None:
    returns = np.repeat(np.random.default_rng(1).normal(0, 0.01, (1, N)), 2, axis=0)

    found = _one([("A", 100.0), ("B", -100.0)], returns)

    assert found.effective_bets == NO_RISK
    assert found.average == pytest.approx(-1.0, rel=1e-9)

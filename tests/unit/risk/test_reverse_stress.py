"""Reverse stress: by hand, against a numerical optimum, and right for books of every side."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from services.risk.core.factor_moves import FactorMoves, factor_moves
from services.risk.core.reverse_stress import UNMOVED, ReverseStress, reverse_stress
from services.risk.core.scenarios import RateSensitivity
from services.risk.core.stress import NO_LOADINGS
from shared.arrays import FloatArray
from shared.conventions import MODEL_COLUMNS, REVERSE_LOSSES, RISK_FACTORS
from shared.factor_basis import FactorBasis
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.risk.shards import Shard, book, loadings_of, small_shards, why

N = 252


def _moves(*, seed: int = 3) -> FactorMoves:
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.01, N)
    styles = 0.95 * market + rng.normal(0, 0.004, (6, N))
    returns = np.vstack([market, styles, -0.2 * market + rng.normal(0, 0.007, N)])
    return factor_moves(returns, RISK_FACTORS, episodes={}, rate=RateSensitivity())


def _found(*rows: dict[str, float], amounts: tuple[float, ...], moves: FactorMoves) -> ReverseStress:
    """Return the reverse stress of a book of an equity of 100,000."""
    holdings, _ = book([(f"S{index}", amount) for index, amount in enumerate(amounts)])
    return reverse_stress(holdings, loadings_of(*rows), moves)


def _factors(moves: FactorMoves) -> FloatArray:
    assert isinstance(moves.factors, FactorBasis)
    return moves.factors.factors


def test_two_factors_by_hand() -> None:
    # Exposures 100,000 and 50,000, covariance of 4, 1 and 9 of 1e-4: d'Sd = (4 + 2 x 0.5 + 9 x 0.25) x 1e6 = 7.25e6.
    moves = _moves()
    covariance = np.diag(np.full(8, 1e-4))
    covariance[:2, :2] = np.array([[4.0, 1.0], [1.0, 9.0]]) * 1e-4

    found = _found({"market": 1.0, "value": 0.5}, amounts=(100_000.0,), moves=replace(moves, covariance=covariance))

    assert found.distance.at((0, 0)) == pytest.approx(5_000 / np.sqrt(7.25e6), rel=1e-12)
    # S d = (45, 55): moves of -5,000 x (45, 55) / 7.25e6.
    np.testing.assert_allclose(found.moves[0, 0, :2], np.array([-45.0, -55.0]) * 5_000 / 7.25e6, rtol=1e-12)
    np.testing.assert_allclose(found.deviations[0, 0, :2], found.moves[0, 0, :2] / [0.02, 0.03], rtol=1e-12)


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_moves_are_the_numerical_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    moves = _moves(seed=seed)
    loading = dict(zip(RISK_FACTORS, rng.normal(1, 0.7, 8).tolist(), strict=True))
    side = 1.0 if seed % 2 else -1.0

    found = _found(loading, amounts=(side * 150_000.0,), moves=moves)

    spread = np.sqrt(np.diag(moves.covariance))
    correlation = moves.covariance / spread / spread[:, None]
    exposure = side * 1.5 * np.array(list(loading.values())) * spread  # of equity, a deviation
    inverse = np.linalg.inv(correlation)
    best = minimize(
        lambda f: f @ inverse @ f,
        np.zeros(8),
        jac=lambda f: 2 * inverse @ f,
        constraints={"type": "eq", "fun": lambda f: exposure @ f + 0.05, "jac": lambda f: exposure},
        method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 500},
    )
    assert found.distance.values[0, 0] == pytest.approx(np.sqrt(best.fun), rel=1e-6)
    np.testing.assert_allclose(found.deviations[0, 0], best.x, rtol=1e-3, atol=1e-4)


@given(small_shards())
@settings(max_examples=6)
def test_moves_lose_what_they_are_to_lose_at_the_distance_that_is_said(shard: Shard) -> None:
    context = shard.inputs
    found, moves = context.reverse_stress, context.moves
    loadings = np.nan_to_num(context.model.values[:, :8])
    inverse = np.linalg.inv(moves.covariance)

    for portfolio, loss in zip(*np.nonzero(found.distance.available), strict=True):
        mine = shard.holdings.portfolio == portfolio
        dollars = shard.holdings.net[mine] @ loadings[shard.holdings.symbol[mine]]
        f = found.moves[portfolio, loss]
        expected = -REVERSE_LOSSES[loss] * shard.holdings.equity[portfolio]
        options = shard.holdings.convexity((loadings @ f)[:, None])[portfolio, 0] * 100.0
        assert dollars @ f + options == pytest.approx(expected, rel=1e-8)
        assert found.distance.values[portfolio, loss] == pytest.approx(np.sqrt(f @ inverse @ f), rel=1e-6)


# Three searches an example for each portfolio and loss.
@given(small_shards(), st.integers(0, 2**32 - 1))
@settings(max_examples=4)
def test_neighbours_and_the_order_of_symbols_change_no_bit(shard: Shard, seed: int) -> None:
    whole = shard.inputs.reverse_stress
    portfolios = range(shard.equity.size)
    shuffled = shard.symbols(np.random.default_rng(seed).permutation(len(shard.names))).inputs.reverse_stress
    alone = [shard.alone(portfolio).inputs.reverse_stress for portfolio in portfolios]

    for portfolio in portfolios:
        for found, place in ((alone[portfolio], 0), (shuffled, portfolio)):
            np.testing.assert_array_equal(found.distance.values[place], whole.distance.values[portfolio])
            np.testing.assert_array_equal(found.moves[place], whole.moves[portfolio])
            np.testing.assert_array_equal(found.nearest[place], whole.nearest[portfolio])


def test_short_book_loses_when_the_market_rises_and_a_levered_one_sooner() -> None:
    moves = _moves()

    long = _found({"market": 1.0}, amounts=(100_000.0,), moves=moves)
    short = _found({"market": 1.0}, amounts=(-100_000.0,), moves=moves)
    levered = _found({"market": 1.0}, amounts=(300_000.0,), moves=moves)

    np.testing.assert_allclose(short.moves[0], -long.moves[0], rtol=1e-12)
    assert long.moves[0, 1, 0] == pytest.approx(-0.10, rel=1e-9)
    np.testing.assert_allclose(levered.distance.values, long.distance.values / 3, rtol=1e-12)


def test_neutral_book_falls_by_what_it_is_exposed_to() -> None:
    found = _found({"market": 1.0, "size": 1.0}, {"market": 1.0}, amounts=(200_000.0, -200_000.0), moves=_moves())

    assert found.moves[0, 0, RISK_FACTORS.index("size")] == pytest.approx(-0.025, rel=1e-9)


def test_nearest_sessions_are_those_of_a_plain_search() -> None:
    moves = _moves()
    loading = {"market": 1.2, "value": 0.4, "rate": -0.3}

    found = _found(loading, amounts=(150_000.0,), moves=moves)

    inverse = np.linalg.inv(moves.covariance)
    history = _factors(moves).T
    for loss in range(3):
        apart = history - found.moves[0, loss]
        distances = np.einsum("ti,ij,tj->t", apart, inverse, apart)
        assert found.nearest[0, loss].tolist() == np.argsort(distances)[:3].tolist()
    exposure = 1.5 * np.array([loading.get(name, 0.0) for name in RISK_FACTORS])
    np.testing.assert_allclose(found.nearest_returns[0, 0], history[found.nearest[0, 0]] @ exposure, rtol=1e-9)


def test_what_no_move_can_do_is_not_applicable_with_the_reason() -> None:
    moves = _moves()

    small = _found({"market": 1.0}, amounts=(8_000.0,), moves=moves).distance
    hedged = _found({"market": 1.0}, {"market": 1.0}, amounts=(50_000.0, -50_000.0), moves=moves).distance

    assert isinstance(small.at((0, 0)), float)
    # 8,000 in the market lose 10,000 if it falls by 125 %, and a style's proxy by a little more.
    assert why(small, (0, 1)).reason is Reason.NOT_APPLICABLE
    assert "would have to fall by 13" in why(small, (0, 1)).detail
    assert hedged.at((0, 0)) == UNMOVED
    nobody = Quantities.unavailable_everywhere((1, len(MODEL_COLUMNS)), Unavailable(Reason.MISSING_DATA, "no prices"))
    holdings, _ = book([("A", 100.0)])
    assert reverse_stress(holdings, nobody, moves).distance.at((0, 0)) == NO_LOADINGS

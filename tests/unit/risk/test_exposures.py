"""Factor exposures: by hand, against a plain loop, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given

from services.risk.core.exposures import factor_exposures
from shared.unavailable import Reason, Unavailable
from tests.unit.risk.shards import N_FACTORS, Shard, betas_of, book, shards, why

SHORT_HISTORY = Unavailable(Reason.INSUFFICIENT_HISTORY, "42 of 60 sessions")
NO_PROXY = Unavailable(Reason.NOT_APPLICABLE, "no proxy")


def test_beta_of_a_long_short_book_by_hand() -> None:
    # (60 000 x 1.2 - 30 000 x 0.8) / 100 000
    holdings, _ = book([("AAA", 60_000), ("BBB", -30_000)])
    exposures = factor_exposures(holdings, betas_of([[1.2], [0.8]]))
    assert exposures.beta.at((0, 0)) == pytest.approx(0.48, abs=1e-15)
    assert exposures.dollars.at((0, 0)) == pytest.approx(48_000, abs=1e-9)
    assert exposures.coverage.at((0, 0)) == 1.0


def test_defect_g15_rate_beta_is_not_summed_over_absolute_values() -> None:
    # Net short with rate betas of -0.1: the predecessor sums absolute values and gets -0.1.
    holdings, _ = book([("AAA", -70_000), ("BBB", 30_000)])
    exposures = factor_exposures(holdings, betas_of([[-0.3], [-0.1]]))
    assert exposures.beta.at((0, 0)) == pytest.approx(0.18, abs=1e-15)


def test_beta_of_the_rate_vector_of_the_predecessor() -> None:
    # AAA +1 000 at 100 with -0.3, BBB -500 at 100 with -0.1, equity 200 000: -0.3/2 + 0.1/4 = -0.125, signed.
    holdings, _ = book([("AAA", 100_000), ("BBB", -50_000)], equity=200_000)
    assert factor_exposures(holdings, betas_of([[-0.3], [-0.1]])).beta.at((0, 0)) == pytest.approx(-0.125, abs=1e-15)


def test_defect_51_holding_without_a_beta_lowers_the_coverage_and_is_no_zero() -> None:
    holdings, _ = book([("AAA", 60_000), ("YOUNG", -20_000)])
    exposures = factor_exposures(holdings, betas_of([[1.2], [SHORT_HISTORY]]))
    assert exposures.beta.at((0, 0)) == pytest.approx(0.72, abs=1e-15)
    assert exposures.coverage.at((0, 0)) == 0.75


def test_infinite_beta_is_left_out_like_a_missing_one() -> None:
    holdings, _ = book([("AAA", 60_000), ("ODD", -20_000)])
    exposures = factor_exposures(holdings, betas_of([[1.2], [float("inf")]]))
    assert exposures.beta.at((0, 0)) == pytest.approx(0.72, abs=1e-15)
    assert exposures.coverage.at((0, 0)) == 0.75


def test_beta_missing_for_every_holding_tells_why() -> None:
    holdings, _ = book([("A", 1_000), ("B", 2_000), ("C", -500)])
    lacking = Unavailable(Reason.MISSING_DATA, "no prices")
    exposures = factor_exposures(holdings, betas_of([[SHORT_HISTORY], [SHORT_HISTORY], [lacking]]))
    reason = why(exposures.beta, (0, 0))
    assert reason.reason is Reason.MISSING_DATA
    assert "1 MISSING_DATA, 2 INSUFFICIENT_HISTORY" in reason.detail
    assert why(exposures.dollars, (0, 0)) == reason
    assert exposures.coverage.at((0, 0)) == 0.0


def test_beta_of_a_factor_without_a_proxy_is_not_applicable() -> None:
    holdings, _ = book([("A", 1_000), ("B", 2_000)])
    exposures = factor_exposures(holdings, betas_of([[1.0, NO_PROXY], [1.0, NO_PROXY]]))
    assert exposures.beta.at((0, 0)) == pytest.approx(0.03)
    assert why(exposures.beta, (0, 1)).reason is Reason.NOT_APPLICABLE


@pytest.mark.parametrize("equity", [0.0, -1.0])
def test_beta_without_positive_equity_is_degenerate(equity: float) -> None:
    holdings, _ = book([("A", 1_000)], equity=equity)
    exposures = factor_exposures(holdings, betas_of([[1.0]]))
    assert why(exposures.beta, (0, 0)).reason is Reason.DEGENERATE_INPUT
    assert why(exposures.dollars, (0, 0)).reason is Reason.DEGENERATE_INPUT
    assert exposures.coverage.at((0, 0)) == 1.0


def test_beta_of_an_empty_book_is_not_applicable() -> None:
    holdings, _ = book([])
    exposures = factor_exposures(holdings, betas_of([[1.0]]))
    assert why(exposures.beta, (0, 0)).reason is Reason.NOT_APPLICABLE
    assert why(exposures.coverage, (0, 0)).reason is Reason.NOT_APPLICABLE


@given(shards())
def test_exposures_agree_with_a_plain_loop_over_positions(shard: Shard) -> None:
    exposures = factor_exposures(shard.holdings, shard.betas)
    for portfolio, equity in enumerate(shard.equity):
        mine = np.flatnonzero(shard.portfolio == portfolio)
        for factor in range(N_FACTORS):
            beta = shard.betas.values[shard.symbol[mine], factor]
            known = ~np.isnan(beta)
            gross = np.abs(shard.exposure[mine])
            if equity <= 0 or not gross.sum() or not gross[known].sum():
                assert np.isnan(exposures.beta.values[portfolio, factor])
                continue
            dollars = sum(shard.exposure[mine][known] * beta[known]) / 100
            np.testing.assert_allclose(exposures.dollars.values[portfolio, factor], dollars, rtol=1e-9, atol=1e-6)
            np.testing.assert_allclose(exposures.beta.values[portfolio, factor] * equity / 100, dollars, atol=1e-6)
            assert exposures.coverage.values[portfolio, factor] == gross[known].sum() / gross.sum()


@given(shards())
def test_every_missing_exposure_has_a_reason_and_no_other(shard: Shard) -> None:
    exposures = factor_exposures(shard.holdings, shard.betas)
    for quantity in (exposures.beta, exposures.dollars, exposures.coverage):
        np.testing.assert_array_equal(np.isnan(quantity.values), quantity.unavailable.astype(bool))

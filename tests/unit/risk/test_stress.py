"""Scenarios: the predecessor's direct figures, known truth for the propagated ones, and what is flagged."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.linear_model import WLS
from statsmodels.tools import add_constant

from services.risk.core.exposures import factor_exposures
from services.risk.core.factor_moves import (
    HYPOTHETICAL,
    REALISED,
    TABULATED,
    FactorMoves,
    factor_moves,
    loadings_of,
    resolve_shocks,
    weighted_covariance,
)
from services.risk.core.scenarios import SCENARIOS, Scenario
from services.risk.core.stress import StressResults, stress
from shared.arrays import FloatArray
from shared.conventions import EWMA_DECAY, EWMA_WINDOW, FACTORS, RISK_FACTORS, STYLE_FACTORS
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.risk.shards import betas_of, book, why

N = 252
VECTOR = {
    "market_beta": 1.1,
    "value": 0.3,
    "growth": 0.4,
    "momentum": 0.1,
    "quality": -0.05,
    "size": 0.2,
    "low_volatility": 0.15,
}


def _proxies(*, seed: int = 3, n: int = N) -> FloatArray:
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.01, n)
    styles = 0.95 * market + rng.normal(0, 0.004, (6, n))
    rate = -0.2 * market + rng.normal(0, 0.007, n)
    return np.vstack([market, styles, rate])


def _betas(*rows: dict[str, float]) -> Quantities:
    return betas_of([[row.get(factor, 0.0) for factor in FACTORS] for row in rows])


def _index(scenario: str) -> int:
    return [entry.scenario_id for entry in SCENARIOS].index(scenario)


def _stressed(
    *rows: dict[str, float], amount: float = 200_000.0, equity: float = 200_000.0, moves: FactorMoves | None = None
) -> StressResults:
    holdings, _ = book([(f"S{index}", amount / len(rows)) for index in range(len(rows))], equity=equity)
    moves = moves or factor_moves(_proxies(), RISK_FACTORS, episodes={})
    return stress(holdings, factor_exposures(holdings, _betas(*rows)), moves)


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("market_down_10", -22_000.0),
        ("value_rotation_20", 4_000.0),
        ("vix_spike_150", -40_500.0),
        ("liquidity_crisis", -58_500.0),
    ],
)
def test_direct_figures_of_the_vector_are_the_predecessors(scenario: str, expected: float) -> None:
    assert _stressed(VECTOR).direct.at((0, _index(scenario))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("scenario", "change"), [("rates_up_100bp", 0.01), ("rate_spike_300bp", 0.03)])
def test_defect_34_rate_shock_goes_through_the_duration_and_keeps_its_sign(scenario: str, change: float) -> None:
    # A bond-like holding loses when yields rise: 200,000 x 1 x -16.5 x dy. The predecessor showed a gain of dy.
    found = _stressed({"rate_beta": 1.0})

    assert found.direct.at((0, _index(scenario))) == pytest.approx(-200_000 * 16.5 * change, rel=1e-12)


def test_defect_34_shorts_offset_in_a_rate_shock() -> None:
    holdings, _ = book([("A", 100_000.0), ("B", -50_000.0)])
    exposures = factor_exposures(holdings, _betas({"rate_beta": -0.3}, {"rate_beta": -0.1}))

    found = stress(holdings, exposures, factor_moves(_proxies(), RISK_FACTORS, episodes={}))

    dollars = 100_000 * -0.3 + 50_000 * 0.1
    assert found.direct.at((0, _index("rates_up_100bp"))) == pytest.approx(dollars * -0.165, rel=1e-12)


@pytest.mark.parametrize("scenario", [entry for entry in SCENARIOS if len(entry.shocks) == 1], ids=str)
def test_defect_31_shock_of_market_or_rate_alone_reproduces_the_direct_figure(scenario: Scenario) -> None:
    found = _stressed({**VECTOR, "rate_beta": -0.2})
    cell = 0, _index(scenario.scenario_id)

    if scenario.shocks[0][0] in {"market", "rate"}:
        assert found.propagated.at(cell) == pytest.approx(found.direct.at(cell), rel=1e-9)


def test_defect_32_propagated_move_is_the_weighted_regression_of_statsmodels() -> None:
    proxies = _proxies()
    found = factor_moves(proxies, RISK_FACTORS, episodes={})

    weights = 0.94 ** np.arange(N)[::-1]
    value, growth, market = (proxies[RISK_FACTORS.index(name)] for name in ("value", "growth", "market"))
    fit = WLS(market, add_constant(np.column_stack([value, growth])), weights=weights).fit()
    expected = fit.params[1] * 0.20 + fit.params[2] * -0.10
    assert found.moves[_index("value_rotation_20"), 0] == pytest.approx(expected, rel=1e-8)


def test_conditional_expectation_of_two_factors_by_hand() -> None:
    # Value moves with 0.8 of the market's deviation and correlation: b = cov / var.
    proxies = _proxies()
    moves = factor_moves(proxies, RISK_FACTORS, episodes={})
    market, value = 0, RISK_FACTORS.index("value")

    slope = moves.covariance[market, value] / moves.covariance[value, value]
    only_value = Scenario("v", "", "", "", (("value", 0.1),))
    found = factor_moves(proxies, RISK_FACTORS, episodes={}, scenarios=(only_value,))

    assert found.moves[0, market] == pytest.approx(0.1 * slope, rel=1e-12)
    assert found.moves[0, value] == 0.1


def test_covariance_is_the_exponentially_weighted_one_written_out() -> None:
    proxies = _proxies(n=300)
    weights = 0.94 ** np.arange(N)[::-1]
    weights /= weights.sum()
    recent = proxies[:, -N:]
    deviations = recent - (recent * weights).sum(axis=1, keepdims=True)

    found = factor_moves(proxies, RISK_FACTORS, episodes={}).covariance

    np.testing.assert_allclose(found, (deviations * weights) @ deviations.T, rtol=1e-12)


def test_weighted_correlation_of_the_vector_is_the_predecessors() -> None:
    k = np.arange(1, 61, dtype=np.float64)
    x = 0.01 * np.sin(1.3 * k)
    y = 0.008 * np.sin(1.3 * k + 0.4) + 0.003 * np.cos(2.1 * k)

    for decay, expected in ((0.94, 0.868319), (1.0, 0.865919)):
        covariance = weighted_covariance(np.stack([x, y]), decay=decay)
        found = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
        assert found == pytest.approx(expected, abs=5e-7)


def test_defect_38_sessions_that_the_decay_amounts_to_are_stated() -> None:
    # Kish: the square of the sum of the weights over the sum of their squares.
    weights = EWMA_DECAY ** np.arange(EWMA_WINDOW)
    effective = weights.sum() ** 2 / (weights**2).sum()

    page = Path(__file__).parents[3] / "docs" / "methodology" / "stress.md"
    assert f"{effective:.1f} sessions" in page.read_text()


LOADINGS = dict(zip(STYLE_FACTORS, (0.3, 0.2, -0.1, 0.4, 0.15, 0.25), strict=True))


def _consistent(moves: FactorMoves, *, off_by: float = 0.0) -> dict[str, float]:
    """Return the betas of a book of the styles alone: its market beta is what the styles bring."""
    with_market = moves.covariance[0] / moves.covariance[0, 0]
    market = sum(loading * with_market[RISK_FACTORS.index(name)] for name, loading in LOADINGS.items())
    return {**LOADINGS, "market_beta": float(market) + off_by}


@pytest.mark.parametrize("scenario", [entry for entry in SCENARIOS if "rates" not in entry.category], ids=str)
def test_defect_32_propagated_pnl_is_the_joint_model_on_conditional_moves(scenario: Scenario) -> None:
    moves = factor_moves(_proxies(), RISK_FACTORS, episodes={})

    found = _stressed(_consistent(moves), moves=moves).propagated.at((0, _index(scenario.scenario_id)))

    row = moves.moves[_index(scenario.scenario_id)]
    expected = 200_000 * sum(loading * row[RISK_FACTORS.index(name)] for name, loading in LOADINGS.items())
    assert found == pytest.approx(expected, rel=1e-9)


def test_defect_33_market_is_not_counted_beside_the_styles() -> None:
    # Of a book of the styles alone a fall of the market takes what the styles bring; the predecessor's sum over the
    # market beta and the styles' own moves is twice that.
    moves = factor_moves(_proxies(), RISK_FACTORS, episodes={})
    rows = _consistent(moves)

    found = _stressed(rows, moves=moves).propagated.at((0, _index("market_down_10")))

    truth = -0.1 * rows["market_beta"] * 200_000
    assert found == pytest.approx(truth, rel=1e-12)
    row = moves.moves[_index("market_down_10")]
    styles = 200_000 * sum(loading * row[RISK_FACTORS.index(name)] for name, loading in LOADINGS.items())
    assert truth + styles == pytest.approx(2 * truth, rel=1e-9)


@pytest.mark.parametrize("scenario", ["quality_flight_12", "vix_spike_150", "liquidity_crisis"])
def test_error_of_the_market_beta_is_not_amplified_by_collinear_factors(scenario: str) -> None:
    # The market beta comes of 90 sessions, the styles' of 252: they never agree exactly.
    moves = factor_moves(_proxies(), RISK_FACTORS, episodes={})
    cell = 0, _index(scenario)

    exact = _stressed(_consistent(moves), moves=moves).propagated.values[cell]
    off = _stressed(_consistent(moves, off_by=0.1), moves=moves).propagated.values[cell]

    assert off - exact == pytest.approx(0.1 * 200_000 * moves.moves[cell[1], 0], rel=1e-9)


def test_shock_of_rate_and_market_counts_the_rate_beside_what_the_market_implies() -> None:
    both = Scenario("both", "", "", "", (("market", -0.1), ("rate", 0.01)))
    moves = factor_moves(_proxies(), RISK_FACTORS, episodes={}, scenarios=(both,))

    found = _stressed({"market_beta": 1.0, "rate_beta": 0.5}, moves=moves).propagated.at((0, 0))

    implied = -0.1 * moves.covariance[0, 7] / moves.covariance[0, 0]
    assert found == pytest.approx(200_000 * (-0.1 + 0.5 * (-0.165 - implied)), rel=1e-9)


def test_propagated_loss_recovers_the_conditional_mean_of_a_simulated_book() -> None:
    rng = np.random.default_rng(17)
    market = rng.normal(0, 0.01, 400_000)
    value = 0.9 * market + rng.normal(0, 0.004, market.size)
    growth = 1.1 * market - 0.5 * (value - 0.9 * market) + rng.normal(0, 0.003, market.size)
    portfolio = 0.6 * value + 0.5 * growth
    near = (np.abs(value - 0.004) < 0.0005) & (np.abs(market + 0.002) < 0.0005)
    slopes = np.polyfit(market, value, 1)[0], np.polyfit(market, growth, 1)[0]
    covariance = np.full((8, 8), 0.0)
    covariance[:3, :3] = np.cov(np.vstack([market, value, growth]))
    covariance += np.diag([0.0, 0.0, 0.0, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4])
    shocks = np.full(8, np.nan)
    shocks[:2] = -0.002, 0.004

    loadings = loadings_of(shocks, covariance)

    beta = 0.6 * slopes[0] + 0.5 * slopes[1]
    assert loadings[:3] @ [beta, 0.6, 0.5] == pytest.approx(portfolio[near].mean(), abs=1.5e-4)


@pytest.mark.parametrize("exposure", [-50_000.0, 0.0])
def test_defect_35_losses_are_not_clipped_for_short_or_neutral_books(exposure: float) -> None:
    holdings, _ = book([("A", 100_000.0), ("B", exposure - 100_000.0)])
    exposures = factor_exposures(holdings, _betas({"market_beta": 1.0}, {"market_beta": 2.0}))

    found = stress(holdings, exposures, factor_moves(_proxies(), RISK_FACTORS, episodes={}))

    dollars = 100_000 + 2 * (exposure - 100_000)
    assert found.direct.at((0, _index("market_up_10"))) == pytest.approx(0.1 * dollars, rel=1e-12)


@pytest.mark.parametrize(("scenario", "expected"), [("market_down_5", -11_000.0), ("market_up_5", 11_000.0)])
def test_defect_35_figures_of_the_vector_do_not_depend_on_net_exposure(scenario: str, expected: float) -> None:
    # Exposure of -50 000: the predecessor has -0.99 for the loss.
    found = _stressed({"market_beta": -4.4}, amount=-50_000.0)

    assert found.direct.at((0, _index(scenario))) == pytest.approx(expected, rel=1e-12)


def test_defect_36_loss_above_gross_exposure_is_flagged_and_kept() -> None:
    found = _stressed({"market_beta": 4.0})

    cell = 0, _index("market_crash_35")
    assert found.direct.at(cell) == pytest.approx(-280_000.0)
    assert found.beyond_gross[cell]
    assert not found.beyond_gross[0, _index("market_rally_25")]


def test_defect_37_covariance_sees_nothing_after_the_session() -> None:
    proxies = _proxies(n=300)

    until = factor_moves(proxies[:, :280], RISK_FACTORS, episodes={})
    later = factor_moves(proxies, RISK_FACTORS, episodes={})

    assert not np.array_equal(until.covariance, later.covariance)
    np.testing.assert_array_equal(
        until.covariance, factor_moves(proxies[:, :280].copy(), RISK_FACTORS, episodes={}).covariance
    )


def test_defect_39_scenario_without_an_exposure_has_a_reason_and_no_zero() -> None:
    betas = _betas(VECTOR)
    column = FACTORS.index("size")
    betas.values[0, column] = np.nan
    betas.unavailable[0, column] = Unavailable(Reason.INSUFFICIENT_HISTORY, "42 of 60 sessions")
    holdings, _ = book([("A", 200_000.0)])

    found = stress(holdings, factor_exposures(holdings, betas), factor_moves(_proxies(), RISK_FACTORS, episodes={}))

    reason = why(found.direct, (0, _index("small_cap_outperformance_10")))
    assert reason.reason is Reason.MISSING_DATA
    assert reason.detail.startswith("size: ")
    assert isinstance(found.direct.at((0, _index("market_down_10"))), float)
    # A style's conditional moves need the whole joint model.
    assert why(found.propagated, (0, _index("value_rotation_20"))).detail.startswith("size: ")


def test_scenario_of_a_factor_without_proxy_is_not_applicable_and_the_others_go_on() -> None:
    proxies = _proxies()
    tickers: list[str | None] = list(RISK_FACTORS)
    tickers[-1] = None
    proxies[-1] = np.nan

    found = _stressed(VECTOR, moves=factor_moves(proxies, tickers, episodes={}))

    assert found.direct.at((0, _index("rates_up_50bp"))) == Unavailable(
        Reason.NOT_APPLICABLE, "rate: no proxy is configured"
    )
    assert isinstance(found.propagated.at((0, _index("liquidity_crisis"))), float)


def test_proxy_with_a_gap_makes_its_scenarios_unavailable() -> None:
    proxies = _proxies()
    proxies[0, 100] = np.nan

    found = _stressed(VECTOR, moves=factor_moves(proxies, RISK_FACTORS, episodes={}))

    assert why(found.direct, (0, 0)) == Unavailable(
        Reason.INSUFFICIENT_HISTORY, "market: market has 251 of 252 returns"
    )
    assert isinstance(found.direct.at((0, _index("rates_up_50bp"))), float)


def test_collinear_shocks_have_no_conditional_expectation() -> None:
    proxies = _proxies()
    proxies[RISK_FACTORS.index("growth")] = proxies[RISK_FACTORS.index("value")]

    found = _stressed(VECTOR, moves=factor_moves(proxies, RISK_FACTORS, episodes={}))

    cell = 0, _index("value_rotation_20")
    assert found.propagated.at(cell) == Unavailable(Reason.DEGENERATE_INPUT, "the shocked factors are collinear")
    assert isinstance(found.direct.at(cell), float)


def test_move_beyond_the_history_is_flagged() -> None:
    found = factor_moves(_proxies(), RISK_FACTORS, episodes={})

    assert found.extrapolated[_index("market_crash_35"), 0]
    quiet = factor_moves(_proxies() * 1e3, RISK_FACTORS, episodes={})
    assert not quiet.extrapolated[_index("market_down_5"), 0]


def test_replay_takes_realised_returns_only_where_it_knows_all_that_it_shocks() -> None:
    covid = SCENARIOS[_index("covid_crash_2020")]
    realised = np.full(len(RISK_FACTORS), -0.3)
    shocked = [factor for factor, _ in covid.shocks]

    shocks, basis = resolve_shocks(covid, realised)
    assert basis == REALISED
    assert [shocks[RISK_FACTORS.index(name)] for name in shocked] == [-0.3] * 5
    assert np.isnan(shocks).sum() == 3
    realised[RISK_FACTORS.index("quality")] = np.nan
    assert resolve_shocks(covid, realised)[1] == TABULATED
    assert resolve_shocks(covid, None)[1] == TABULATED
    assert resolve_shocks(SCENARIOS[0], realised)[1] == HYPOTHETICAL


def test_there_are_22_scenarios_with_distinct_ids() -> None:
    assert len({scenario.scenario_id for scenario in SCENARIOS}) == 22


def test_scenario_of_an_unknown_factor_is_rejected() -> None:
    with pytest.raises(ValueError, match="distinct risk factors"):
        Scenario("x", "", "", "", (("credit", 0.1),))


@given(st.integers(0, 2**32 - 1), st.floats(-2.0, 2.0))
@settings(max_examples=30)
def test_pnl_is_linear_in_exposure(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    rows = {name: float(rng.normal()) for name in FACTORS}

    once, scaled = _stressed(rows), _stressed({name: beta * factor for name, beta in rows.items()})

    np.testing.assert_allclose(scaled.propagated.values, once.propagated.values * factor, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(scaled.direct.values, once.direct.values * factor, rtol=1e-9, atol=1e-6)

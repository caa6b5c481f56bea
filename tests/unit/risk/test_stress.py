"""Scenarios: the predecessor's direct figures, the invariants of the model, and what is flagged."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.linear_model import WLS

from services.risk.core.exposures import factor_exposures
from services.risk.core.factor_moves import (
    HYPOTHETICAL,
    REALISED,
    TABULATED,
    FactorMoves,
    expected_moves,
    factor_moves,
    resolve_shocks,
)
from services.risk.core.scenarios import SCENARIOS, RateSensitivity, Scenario
from services.risk.core.stress import COLLINEAR, NO_LOADINGS, StressResults, model_exposures, stress
from shared.arrays import FloatArray
from shared.conventions import EWMA_DECAY, FACTOR_WINDOW, FACTORS, RISK_FACTORS, STYLE_FACTORS
from shared.factor_basis import FactorBasis
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.risk.shards import betas_of, book, loadings_of, why

N = 252
MARKET, RATE = 0, 7
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
    rate = -0.2 * market + 0.3 * styles[1] + rng.normal(0, 0.007, n)
    return np.vstack([market, styles, rate])


def _moves(
    proxies: FloatArray | None = None,
    *,
    tickers: tuple[str | None, ...] = RISK_FACTORS,
    episodes: dict[str, FloatArray] | None = None,
    scenarios: tuple[Scenario, ...] = SCENARIOS,
) -> FactorMoves:
    returns = _proxies() if proxies is None else proxies
    return factor_moves(returns, tickers, episodes=episodes or {}, rate=RateSensitivity(), scenarios=scenarios)


def _basis(moves: FactorMoves) -> FactorBasis:
    assert isinstance(moves.factors, FactorBasis)
    return moves.factors


def _of_proxy(moves: FactorMoves, factor: str) -> dict[str, float]:
    """Return the loadings of a factor's proxy."""
    row = _basis(moves).proxies[RISK_FACTORS.index(factor)]
    return dict(zip(RISK_FACTORS, row.tolist(), strict=True))


def _betas(*rows: dict[str, float]) -> Quantities:
    return betas_of([[row.get(factor, 0.0) for factor in FACTORS] for row in rows])


def _index(scenario: str) -> int:
    return [entry.scenario_id for entry in SCENARIOS].index(scenario)


def _stressed(
    *rows: dict[str, float], amount: float = 200_000.0, equity: float = 200_000.0, moves: FactorMoves | None = None
) -> StressResults:
    """Return the stress of equal holdings with these betas, and loadings where they have the names of factors."""
    holdings, _ = book([(f"S{index}", amount / len(rows)) for index in range(len(rows))], equity=equity)
    exposures = factor_exposures(holdings, _betas(*rows))
    return stress(holdings, exposures, loadings_of(*rows), moves or _moves(), episodes={})


def _modelled(
    *rows: dict[str, float],
    moves: FactorMoves,
    scenarios: tuple[Scenario, ...] = SCENARIOS,
    amounts: tuple[float, ...] = (200_000.0,),
    episodes: dict[str, FloatArray] | None = None,
) -> StressResults:
    holdings, _ = book([(f"S{index}", amount) for index, amount in enumerate(amounts)], equity=200_000.0)
    exposures = factor_exposures(holdings, _betas(*rows))
    return stress(holdings, exposures, loadings_of(*rows), moves, episodes=episodes or {}, scenarios=scenarios)


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

    found = stress(holdings, exposures, loadings_of({}, {}), _moves(), episodes={})

    dollars = 100_000 * -0.3 + 50_000 * 0.1
    assert found.direct.at((0, _index("rates_up_100bp"))) == pytest.approx(dollars * -0.165, rel=1e-12)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_defect_31_book_of_the_market_proxy_loses_the_market_shock(scenario: Scenario) -> None:
    moves = _moves()
    column = _index(scenario.scenario_id)

    found = _modelled(_of_proxy(moves, "market"), moves=moves).model.at((0, column))

    assert found == pytest.approx(200_000 * moves.moves[column, MARKET], rel=1e-12)
    shock = dict(scenario.shocks).get("market")
    if shock is not None:
        assert found == pytest.approx(200_000 * shock, rel=1e-9)


@given(st.sampled_from(STYLE_FACTORS), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.integers(0, 50))
def test_book_of_a_style_proxy_loses_its_beta_times_the_market_shock_and_the_style_shock(
    style: str, market: float, own: float, seed: int
) -> None:
    scenario = Scenario("x", "", "", "", (("market", market), (style, own)))
    moves = _moves(_proxies(seed=seed), scenarios=(scenario,))

    found = _modelled(_of_proxy(moves, style), moves=moves, scenarios=(scenario,)).model.at((0, 0))

    proxies = _proxies(seed=seed)
    beta = np.polyfit(proxies[0], proxies[RISK_FACTORS.index(style)], 1)[0]
    assert found == pytest.approx(200_000 * (beta * market + own), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("scenario", "expected"), [("rates_up_100bp", -29_200.0), ("rate_spike_300bp", -64_800.0)])
def test_book_of_the_rate_proxy_loses_what_duration_and_convexity_say(scenario: str, expected: float) -> None:
    # -16.5 x 0.01 + 380 x 0.01^2 / 2 = -0.146, and for 300 bp -0.495 + 0.171 = -0.324.
    moves = _moves()

    found = _modelled(_of_proxy(moves, "rate"), moves=moves).model.at((0, _index(scenario)))

    assert found == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(-2.0, 2.0))
@settings(max_examples=15)
def test_pnl_is_linear_in_exposure(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    rows = {name: float(rng.normal()) for name in (*FACTORS, *RISK_FACTORS)}

    once, scaled = _stressed(rows), _stressed({name: beta * factor for name, beta in rows.items()})

    np.testing.assert_allclose(scaled.model.values, once.model.values * factor, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(scaled.direct.values, once.direct.values * factor, rtol=1e-9, atol=1e-6)


@given(st.lists(st.sampled_from(RISK_FACTORS[:-1]), min_size=1, unique=True), st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_model_pnl_is_linear_in_the_shocks(factors: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(0, 0.1, (2, len(factors)))
    both = tuple(
        Scenario(str(place), "", "", "", tuple(zip(factors, sizes.tolist(), strict=True)))
        for place, sizes in enumerate((one, other, 2 * one - other))
    )
    loadings = dict(zip(RISK_FACTORS, rng.normal(size=8).tolist(), strict=True))
    moves = _moves(scenarios=both)

    first, second, combined = _modelled(loadings, moves=moves, scenarios=both).model.values[0]

    assert combined == pytest.approx(2 * first - second, rel=1e-9, abs=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_holdings_and_factors_add_up_to_the_model_pnl(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [dict(zip(RISK_FACTORS, rng.normal(size=8).tolist(), strict=True)) for _ in range(4)]
    amounts = rng.integers(-90_000, 90_000, 4).astype(float)
    own = np.array([-0.3, np.nan, 0.1, np.nan])
    moves = _moves()
    holdings, _ = book([(f"S{index}", amount) for index, amount in enumerate(amounts)], equity=200_000.0)
    returns = np.array([[row[name] for name in RISK_FACTORS] for row in rows]) @ moves.moves.T

    found = _modelled(*rows, moves=moves, amounts=tuple(amounts), episodes={"covid_crash_2020": own})

    covid = _index("covid_crash_2020")
    returns[:, covid] = np.where(np.isfinite(own), own, returns[:, covid])
    np.testing.assert_allclose(found.model.values[0], amounts @ returns, rtol=1e-9, atol=1e-4)
    whole, rest = model_exposures(holdings, loadings_of(*rows)), model_exposures(holdings, loadings_of(*rows), own)
    by_factor = whole.dollars[0] * moves.moves
    by_factor[covid] = rest.dollars[0] * moves.moves[covid]
    totals = by_factor.sum(axis=1)
    totals[covid] += rest.realised[0]
    np.testing.assert_allclose(totals, found.model.values[0], rtol=1e-9, atol=1e-4)


def test_scenarios_that_are_the_same_in_other_words_give_the_same_pnl() -> None:
    # Quality 12 % beside a market of -5 %, and both proxies' whole returns over an episode.
    covid = SCENARIOS[_index("covid_crash_2020")]
    beside = Scenario("beside", "", "", "", (("market", -0.05), ("quality", 0.12)))
    whole = Scenario("whole", "", "", "", (("market", -0.05), ("quality", 0.0)), covid.episode)
    quality = RISK_FACTORS.index("quality")
    realised = np.full(8, np.nan)
    beta = _basis(_moves()).proxies[quality, MARKET]
    realised[[MARKET, quality]] = -0.05, beta * -0.05 + 0.12
    moves = _moves(scenarios=(beside, whole), episodes={"whole": realised})

    found = _modelled(
        {"market": 1.3, "quality": 0.4, "size": -0.7, "rate": 0.2}, moves=moves, scenarios=(beside, whole)
    )

    assert moves.basis == (HYPOTHETICAL, REALISED)
    assert found.model.values[0, 0] == pytest.approx(found.model.values[0, 1], rel=1e-9)


def test_defect_32_conditional_move_is_the_weighted_regression_of_statsmodels() -> None:
    moves = _moves()
    factors = _basis(moves).factors

    weights = 0.94 ** np.arange(N)[::-1]
    stated = np.column_stack([factors[RISK_FACTORS.index(name)] for name in ("value", "growth")])
    for factor in (MARKET, 4, RATE):
        fit = WLS(factors[factor], stated, weights=weights).fit()
        expected = fit.params @ [0.20, -0.10]
        assert moves.moves[_index("value_rotation_20"), factor] == pytest.approx(expected, rel=1e-8)


def test_move_given_the_rate_proxy_is_the_weighted_regression_on_it() -> None:
    moves = _moves()
    basis = _basis(moves)

    weights = 0.94 ** np.arange(N)[::-1]
    fit = WLS(basis.factors[MARKET], basis.proxies[RATE] @ basis.factors, weights=weights).fit()

    assert moves.moves[_index("rates_up_100bp"), MARKET] == pytest.approx(fit.params[0] * -0.146, rel=1e-8)


def test_expected_moves_of_two_factors_by_hand() -> None:
    # S = [[4, 1], [1, 9]]: given 2 for the first, the second moves 2 x 1 / 4; given 2 for their sum, by 5/15 and 10/15.
    covariance = np.array([[4.0, 1.0], [1.0, 9.0]])

    np.testing.assert_allclose(expected_moves(np.array([[1.0, 0.0]]), np.array([2.0]), covariance), [2.0, 0.5])
    summed = expected_moves(np.array([[1.0, 1.0]]), np.array([2.0]), covariance)
    np.testing.assert_allclose(summed, [2 / 3, 4 / 3], rtol=1e-12)


def test_expected_moves_recover_the_conditional_mean_of_simulated_factors() -> None:
    rng = np.random.default_rng(17)
    value = rng.normal(0, 0.01, 400_000)
    size = 0.5 * value + rng.normal(0, 0.01, value.size)
    quality = -0.3 * value + 0.4 * size + rng.normal(0, 0.005, value.size)
    near = (np.abs(value - 0.004) < 0.001) & (np.abs(size + 0.002) < 0.001)
    factors = np.vstack([value, size, quality])

    found = expected_moves(np.eye(3)[:2], np.array([0.004, -0.002]), factors @ factors.T / value.size)

    assert found[2] == pytest.approx(quality[near].mean(), abs=1.5e-4)


def test_covariance_is_the_exponentially_weighted_one_about_zero_written_out() -> None:
    moves = _moves(_proxies(n=300))
    factors = _basis(moves).factors
    weights = 0.94 ** np.arange(N)[::-1]
    weights /= weights.sum()

    np.testing.assert_allclose(moves.covariance, (factors * weights) @ factors.T, rtol=1e-10, atol=1e-20)


def test_session_that_a_proxy_lacks_has_no_weight_and_the_others_keep_their_age() -> None:
    proxies = _proxies()
    proxies[3, 100] = np.nan

    moves = _moves(proxies)

    kept = np.delete(np.arange(N), 100)
    weights = 0.94 ** np.arange(N)[::-1][kept]
    factors = _basis(moves).factors[:, kept]
    np.testing.assert_allclose(
        moves.covariance, (factors * weights) @ factors.T / weights.sum(), rtol=1e-10, atol=1e-20
    )


def test_defect_38_sessions_that_the_decay_amounts_to_are_stated() -> None:
    # Kish: the square of the sum of the weights over the sum of their squares.
    weights = EWMA_DECAY ** np.arange(FACTOR_WINDOW)
    effective = weights.sum() ** 2 / (weights**2).sum()

    page = Path(__file__).parents[3] / "docs" / "methodology" / "stress.md"
    assert f"{effective:.1f} sessions" in page.read_text()


def test_defect_33_market_is_not_counted_beside_the_styles() -> None:
    # A style's proxy carries the market within it: a fall by 10 % costs its beta once, the direct figure twice.
    moves = _moves()
    proxy = _of_proxy(moves, "value")
    cell = 0, _index("market_down_10")

    found = _modelled(proxy, moves=moves).model.at(cell)

    unexpected = proxy["value"] * moves.moves[cell[1], RISK_FACTORS.index("value")]
    assert found == pytest.approx(200_000 * (-0.1 * proxy["market"] + unexpected), rel=1e-9)
    assert abs(unexpected) < 0.3 * abs(0.1 * proxy["market"])


@pytest.mark.parametrize("exposure", [-50_000.0, 0.0])
def test_defect_35_losses_are_not_clipped_for_short_or_neutral_books(exposure: float) -> None:
    holdings, _ = book([("A", 100_000.0), ("B", exposure - 100_000.0)])
    exposures = factor_exposures(holdings, _betas({"market_beta": 1.0}, {"market_beta": 2.0}))

    found = stress(holdings, exposures, loadings_of({}, {}), _moves(), episodes={})

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

    until, later = _moves(proxies[:, :280]), _moves(proxies)

    assert not np.array_equal(until.covariance, later.covariance)
    np.testing.assert_array_equal(until.covariance, _moves(proxies[:, :280].copy()).covariance)


def test_defect_39_scenario_without_an_exposure_has_a_reason_and_no_zero() -> None:
    betas = _betas(VECTOR)
    column = FACTORS.index("size")
    betas.values[0, column] = np.nan
    betas.unavailable[0, column] = Unavailable(Reason.INSUFFICIENT_HISTORY, "42 of 60 sessions")
    nothing = loadings_of({}).withheld(np.full((1, 17), Unavailable(Reason.INSUFFICIENT_HISTORY, "42"), dtype=object))
    holdings, _ = book([("A", 200_000.0)])

    found = stress(holdings, factor_exposures(holdings, betas), nothing, _moves(), episodes={})

    reason = why(found.direct, (0, _index("small_cap_outperformance_10")))
    assert reason.reason is Reason.MISSING_DATA
    assert reason.detail.startswith("size: ")
    assert isinstance(found.direct.at((0, _index("market_down_10"))), float)
    assert found.model.at((0, 0)) == NO_LOADINGS


def test_holding_without_loadings_lowers_the_coverage_and_the_others_count() -> None:
    whole = loadings_of({"market": 1.0}, {"market": 1.0})
    lacking = np.array(
        [[None] * 17, [Unavailable(Reason.INSUFFICIENT_HISTORY, "42 of 60 sessions")] * 17], dtype=object
    )
    holdings, _ = book([("A", 150_000.0), ("B", 50_000.0)])
    exposures = factor_exposures(holdings, _betas(VECTOR, VECTOR))

    found = stress(holdings, exposures, whole.withheld(lacking), _moves(), episodes={})

    cell = 0, _index("market_down_10")
    assert found.model.at(cell) == pytest.approx(-15_000.0)
    assert found.coverage.at(cell) == 0.75


def test_scenario_of_a_factor_without_proxy_is_not_applicable_and_the_others_go_on() -> None:
    proxies = _proxies()
    proxies[RATE] = np.nan
    moves = _moves(proxies, tickers=(*RISK_FACTORS[:-1], None))

    found = _modelled({"market": 1.0, "rate": np.nan}, moves=moves)

    missing = Unavailable(Reason.NOT_APPLICABLE, "rate: no proxy is configured")
    assert found.model.at((0, _index("rates_up_50bp"))) == missing
    assert isinstance(found.model.at((0, _index("liquidity_crisis"))), float)


def test_proxies_of_too_few_sessions_leave_no_model_and_every_direct_figure() -> None:
    proxies = _proxies()
    proxies[3, :200] = np.nan

    found = _stressed(VECTOR, moves=_moves(proxies))

    assert why(found.model, (0, 0)) == Unavailable(
        Reason.INSUFFICIENT_HISTORY, "market: 52 of 60 sessions have a return of every proxy"
    )
    assert found.direct.available.all()


def test_statements_that_cannot_be_told_apart_have_no_moves() -> None:
    # The rate's proxy is all but the market, and the two are said to go different ways.
    twice = Scenario("twice", "", "", "", (("market", -0.1), ("rate", -0.01)))
    proxies = _proxies()
    proxies[RATE] = proxies[MARKET] + 1e-8 * proxies[RATE]
    moves = _moves(proxies, scenarios=(twice,))

    found = _modelled({"market": 1.0}, moves=moves, scenarios=(twice,))

    assert found.model.at((0, 0)) == COLLINEAR


def test_move_beyond_the_history_is_flagged_and_its_part_of_the_pnl_is_said() -> None:
    moves = _moves()
    column = _index("market_crash_35")

    found = _modelled({"market": 1.0, "rate": 1.0}, moves=moves)

    assert moves.extrapolated[column, MARKET]
    sizes = np.abs(moves.moves[column, [MARKET, RATE]])
    flagged = moves.extrapolated[column, [MARKET, RATE]]
    share = sizes[flagged].sum() / sizes.sum()
    assert found.extrapolated_share.at((0, column)) == pytest.approx(share, rel=1e-12)
    assert not _moves(_proxies() * 1e3).extrapolated[_index("market_down_5"), MARKET]


def test_largest_move_is_the_largest_compounded_over_21_sessions() -> None:
    moves = _moves()
    value = _basis(moves).factors[1]

    stretches = [np.prod(1 + value[start : start + 21]) - 1 for start in range(N - 20)]
    assert moves.largest[1] == pytest.approx(np.abs(stretches).max(), rel=1e-12)


def test_replay_takes_realised_returns_only_where_it_knows_all_that_it_names() -> None:
    covid, rate = SCENARIOS[_index("covid_crash_2020")], RateSensitivity()
    realised = np.full(len(RISK_FACTORS), -0.3)
    shocked = [factor for factor, _ in covid.shocks]

    shocks, basis = resolve_shocks(covid, realised, rate)
    assert basis == REALISED
    assert [shocks[RISK_FACTORS.index(name)] for name in shocked] == [-0.3] * 5
    assert np.isnan(shocks).sum() == 3
    realised[RISK_FACTORS.index("quality")] = np.nan
    assert resolve_shocks(covid, realised, rate)[1] == TABULATED
    assert resolve_shocks(covid, None, rate)[1] == TABULATED
    assert resolve_shocks(SCENARIOS[0], realised, rate)[1] == HYPOTHETICAL


def test_realised_replay_moves_the_factors_so_that_every_proxy_returns_what_it_did() -> None:
    realised = np.array([-0.34, -0.37, -0.31, -0.33, -0.32, -0.41, -0.3, 0.15])
    moves = _moves(episodes={"covid_crash_2020": realised})

    found = moves.moves[_index("covid_crash_2020")]

    np.testing.assert_allclose(_basis(moves).proxies @ found, realised, rtol=1e-9)
    assert moves.basis[_index("covid_crash_2020")] == REALISED


def test_holdings_with_a_return_of_their_own_count_with_it_and_the_share_is_said() -> None:
    moves = _moves()
    column = _index("covid_crash_2020")
    own = {"covid_crash_2020": np.array([-0.4, np.nan])}

    found = _modelled({"market": 1.0}, {"market": 1.0}, moves=moves, amounts=(50_000.0, -150_000.0), episodes=own)

    assert moves.basis[column] == TABULATED
    assert found.model.at((0, column)) == pytest.approx(50_000 * -0.4 + -150_000 * -0.35, rel=1e-9)
    assert found.realised_share.at((0, column)) == 0.25
    assert found.realised_share.at((0, 0)) == 0.0


def test_there_are_22_scenarios_with_distinct_ids() -> None:
    assert len({scenario.scenario_id for scenario in SCENARIOS}) == 22


def test_scenario_of_an_unknown_factor_is_rejected() -> None:
    with pytest.raises(ValueError, match="distinct risk factors"):
        Scenario("x", "", "", "", (("credit", 0.1),))

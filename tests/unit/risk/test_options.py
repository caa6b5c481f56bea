"""Options revalued: in scenarios, in the history behind a VaR, and in what would cost a book a part of its equity."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from services.risk.core.digest import portfolio_digests
from services.risk.core.exposures import factor_exposures
from services.risk.core.factor_moves import FactorMoves, factor_moves
from services.risk.core.har import har_forecast
from services.risk.core.holdings import NetHoldings
from services.risk.core.reverse_stress import OUT_OF_REACH, reverse_stress
from services.risk.core.scenarios import SCENARIOS, RateSensitivity
from services.risk.core.stress import StressResults, stress
from services.risk.core.tails import returns_over, tail_risk
from services.risk.core.volatility import longest_series, return_series
from shared.arrays import FloatArray
from shared.conventions import FACTORS, MARKET_BETA, RISK_FACTORS
from shared.factor_basis import FactorBasis
from shared.unavailable import Quantities
from tests.unit.risk.shards import loadings_of, with_options

CALL, PUT = True, False
CRASH = [scenario.scenario_id for scenario in SCENARIOS].index("market_crash_35")
RALLY = [scenario.scenario_id for scenario in SCENARIOS].index("market_rally_25")


def worth(spot: float, strike: float, years: float, volatility: float, *, call: bool) -> float:
    """Return a Black-Scholes price, written down from the lognormal expectation, without dividends, at 5 %."""
    forward, spread = spot * math.exp(0.05 * years), volatility * math.sqrt(years)
    d2 = (math.log(forward / strike) - spread**2 / 2) / spread
    sign = 1 if call else -1
    mean = sign * (forward * norm.cdf(sign * (d2 + spread)) - strike * norm.cdf(sign * d2))
    return float(math.exp(-0.05 * years) * mean)


def moves(*, seed: int = 5) -> FactorMoves:
    returns = np.random.default_rng(seed).normal(0, 0.01, (len(RISK_FACTORS), 300))
    return factor_moves(returns, RISK_FACTORS, episodes={}, rate=RateSensitivity())


def stressed(holdings: NetHoldings, *, loading: float = 1.0, own: float = np.nan) -> StressResults:
    """Return the scenarios of a book whose symbol has a beta, and a loading on the market alone."""
    betas = np.zeros((1, len(FACTORS)))
    betas[0, FACTORS.index(MARKET_BETA)] = loading
    exposures = factor_exposures(holdings, Quantities.of(betas))
    episodes = {"covid_crash_2020": np.array([own])}
    return stress(holdings, exposures, loadings_of({"market": loading}), moves(), episodes=episodes)


@pytest.mark.parametrize(("scenario", "shock"), [(CRASH, -0.35), (RALLY, 0.25)])
@pytest.mark.parametrize("call", [CALL, PUT])
def test_option_in_a_scenario_is_worth_what_it_is_at_the_shocked_close(scenario: int, shock: float, call: bool) -> None:
    found = stressed(with_options((-300.0, 105.0, 0.5, 0.3, call)), loading=1.2)

    change = worth(100 * (1 + 1.2 * shock), 105, 0.5, 0.3, call=call) - worth(100, 105, 0.5, 0.3, call=call)
    assert found.direct.values[0, scenario] == pytest.approx(-300 * change, rel=1e-9)
    assert found.model.values[0, scenario] == pytest.approx(-300 * change, rel=1e-9)


def test_option_whose_underlying_has_its_own_return_is_revalued_on_that() -> None:
    covid = [scenario.scenario_id for scenario in SCENARIOS].index("covid_crash_2020")

    found = stressed(with_options((100.0, 90.0, 1.0, 0.4, PUT)), own=-0.55)

    change = worth(45, 90, 1.0, 0.4, call=PUT) - worth(100, 90, 1.0, 0.4, call=PUT)
    assert found.model.values[0, covid] == pytest.approx(100 * change, rel=1e-9)


def test_volatility_rises_by_a_quarter_where_the_market_falls_in_a_second_run() -> None:
    straddle = ((-200.0, 100.0, 0.25, 0.2, CALL), (-200.0, 100.0, 0.25, 0.2, PUT))

    found = stressed(with_options(*straddle))

    then, now = (sum(worth(s, 100, 0.25, v, call=kind) for kind in (CALL, PUT)) for s, v in ((65, 0.25), (100, 0.2)))
    assert found.at_risen_volatility[0, CRASH] == pytest.approx(-200 * (then - now), rel=1e-9)
    assert found.at_risen_volatility[0, CRASH] < found.model.values[0, CRASH]
    assert np.isnan(found.at_risen_volatility[0, RALLY])
    shares = with_options((0.0, 100.0, 0.25, 0.2, CALL), shares=10.0)
    assert np.isnan(stressed(replace(shares, options=type(shares.options).none())).at_risen_volatility).all()


def test_long_call_and_short_put_are_the_forward_and_linear() -> None:
    found = with_options((100.0, 95.0, 0.5, 0.3, CALL), (-100.0, 95.0, 0.5, 0.3, PUT))

    assert found.convexity(np.linspace(-0.9, 2.0, 30)[None]) == pytest.approx(0.0, abs=0.02)  # of a cent of the deltas


def test_share_that_falls_by_more_than_its_worth_is_worth_nothing() -> None:
    call, put = with_options((100.0, 95.0, 0.5, 0.3, CALL)), with_options((100.0, 95.0, 0.5, 0.3, PUT))

    for each, left in ((call, 0.0), (put, 95 * math.exp(-0.025))):
        before = worth(100, 95, 0.5, 0.3, call=each is call)
        expected = 100 * (left - before) + 1.5 * each.options.exposure[0]
        assert each.convexity(np.array([[-1.5]]))[0, 0] == pytest.approx(expected, rel=1e-9)


def test_small_moves_add_half_of_gamma() -> None:
    found = with_options((100.0, 100.0, 0.5, 0.3, CALL))
    d1 = (0.05 + 0.3**2 / 2) * 0.5 / (0.3 * math.sqrt(0.5))
    gamma = norm.pdf(d1) / (100 * 0.3 * math.sqrt(0.5))

    added = found.convexity(np.array([[0.01, -0.01]])).sum() / 2

    assert added == pytest.approx(100 * gamma / 2 * 1.0**2, rel=1e-3)


def test_history_behind_a_var_is_that_of_the_options_revalued() -> None:
    returns = np.random.default_rng(2).normal(0, 0.03, (1, 504))
    holdings = with_options((-500.0, 95.0, 0.3, 0.35, PUT), shares=200.0)

    series, history = longest_series(holdings, returns)

    now = worth(100, 95, 0.3, 0.35, call=PUT)

    def book(move: float) -> float:
        return (-500 * (worth(100 * (1 + move), 95, 0.3, 0.35, call=PUT) - now) + 200 * 100 * move) / 100_000

    np.testing.assert_allclose(history[0], [book(move) for move in returns[0]], atol=1e-9)
    np.testing.assert_allclose(series.values[0], history[0, -252:], atol=0)
    np.testing.assert_array_equal(return_series(holdings, returns, window=63).values[0], history[0, -63:])
    # Over ten sessions the shares, at their deltas, are those of each close, and the options revalued at the end.
    ten = [math.prod(1 + returns[0, -252:][end - 10 : end]) - 1 for end in range(10, 253)]
    delta = float(holdings.net[0]) / 100 / 100_000
    linear = [math.prod(1 + delta * returns[0, -252:][end - 10 : end]) - 1 for end in range(10, 253)]
    expected = [line + book(move) - delta * move for line, move in zip(linear, ten, strict=True)]
    longer = [returns_over(horizon, series, holdings, returns) for horizon in (1, 10)]
    np.testing.assert_allclose(longer[1][0], expected, atol=1e-9)
    tails = tail_risk(series, har_forecast(series).volatility, longer)
    worst = sorted((-value for value in expected), reverse=True)
    # The place of 5 % of 243: 12.2.
    assert tails.historical_var.values[0, 0, 1] == pytest.approx(worst[11] * 0.8 + worst[12] * 0.2, rel=1e-9)


def test_put_under_shares_bounds_the_loss_of_any_history() -> None:
    returns = np.random.default_rng(3).normal(-0.05, 0.2, (1, 504))
    holdings = with_options((400.0, 90.0, 0.1, 0.3, PUT), shares=400.0)

    _, history = longest_series(holdings, returns)

    now = worth(100, 90, 0.1, 0.3, call=PUT)
    floor = 400 * (90 * math.exp(-0.005) - 100 - now) / 100_000
    assert history.min() >= floor - 1e-6
    assert history.min() < floor + 0.01


def test_option_of_an_uncovered_underlying_adds_nothing() -> None:
    returns = np.random.default_rng(2).normal(0, 0.03, (1, 504))
    returns[0, -5] = np.nan

    assert not with_options((1.0, 95.0, 0.3, 0.35, PUT)).convexity(returns)[0, -5]
    assert return_series(with_options((1.0, 95.0, 0.3, 0.35, PUT)), returns, window=21).unavailable[0] is not None


def one_factor(*, deviation: float = 0.01) -> FactorMoves:
    """Return moves of the market alone: the others don't move with it."""
    found = moves()
    return replace(found, covariance=np.diag(np.full(len(RISK_FACTORS), deviation**2)))


def nearest(holdings: NetHoldings, loss: float) -> float:
    """Return the smallest market move, by a fine search, at which a book of a loading of 1 loses an amount."""
    grid = np.linspace(-0.9, 0.9, 180_001)
    pnl = holdings.net[0] / 100.0 * grid + holdings.convexity(grid[None])[0]
    reached = grid[pnl <= -loss]
    return float(reached[np.abs(reached).argmin()])


@pytest.mark.parametrize(
    "contracts",
    [
        [(-800.0, 110.0, 0.2, 0.3, CALL)],
        [(-800.0, 90.0, 0.2, 0.3, PUT)],
        [(-600.0, 100.0, 0.2, 0.3, CALL), (-600.0, 95.0, 0.2, 0.3, PUT)],
        [(-900.0, 110.0, 0.1, 0.3, CALL), (300.0, 95.0, 0.2, 0.3, CALL)],
    ],
)
def test_reverse_stress_of_options_is_the_nearest_of_a_fine_search(
    contracts: list[tuple[float, float, float, float, bool]],
) -> None:
    holdings = with_options(*contracts)

    found = reverse_stress(holdings, loadings_of({"market": 1.0}), one_factor())

    for place, loss in enumerate((5_000.0, 10_000.0, 20_000.0)):
        move = nearest(holdings, loss)
        assert found.moves[0, place, 0] == pytest.approx(move, abs=2e-5)
        assert found.distance.values[0, place] == pytest.approx(abs(move) / 0.01, abs=2e-3)


def test_reverse_stress_loses_what_it_is_to_lose_and_is_the_nearest_around() -> None:
    holdings, spread = with_options((-700.0, 100.0, 0.2, 0.3, CALL), shares=500.0), moves()
    loadings = loadings_of({"market": 1.1, "value": 0.6, "rate": -0.4})

    found = reverse_stress(holdings, loadings, spread)

    inverse = np.linalg.inv(spread.covariance)

    def loss(move: FloatArray) -> float:
        underlying = float(loadings.values[0, :8] @ move)
        return -float(holdings.net[0] / 100.0 * underlying + holdings.convexity(np.array([[underlying]]))[0, 0])

    best, rng = found.moves[0, 1], np.random.default_rng(4)
    assert loss(best) == pytest.approx(10_000, rel=1e-7)
    assert found.distance.values[0, 1] == pytest.approx(math.sqrt(best @ inverse @ best), rel=1e-9)
    for _ in range(200):
        other = best + rng.normal(0, 0.003, 8)
        if loss(other) >= 10_000:
            assert other @ inverse @ other >= best @ inverse @ best - 1e-9


def test_book_that_cannot_lose_so_much_says_so() -> None:
    # What calls cost is all that they can lose, and with puts under shares only a share below nothing loses more.
    calls = with_options((1_000.0, 100.0, 0.1, 0.2, CALL))
    protected = with_options((1_000.0, 97.0, 0.1, 0.2, PUT), shares=1_000.0)

    of_calls, of_shares = (
        reverse_stress(each, loadings_of({"market": 1.0}), one_factor()) for each in (calls, protected)
    )

    assert of_calls.distance.unavailable[0].tolist() == [OUT_OF_REACH] * 3
    assert of_shares.distance.unavailable[0, 1].detail == "market would have to fall by 105%"
    assert reverse_stress(calls, loadings_of({}), one_factor()).distance.at((0, 0)) == OUT_OF_REACH


def test_sessions_nearest_to_a_move_tell_what_the_options_made_of_them() -> None:
    holdings, spread = with_options((-700.0, 100.0, 0.2, 0.3, CALL)), moves()

    found = reverse_stress(holdings, loadings_of({"market": 1.0}), spread)

    assert isinstance(spread.factors, FactorBasis)
    market = spread.factors.factors[0, found.nearest[0, 0]]
    expected = (holdings.net[0] / 100.0 * market + holdings.convexity(market[None])[0]) / 100_000
    np.testing.assert_allclose(found.nearest_returns[0, 0], expected, rtol=1e-9)


def test_digest_of_a_portfolio_knows_its_options() -> None:
    one, other = with_options((100.0, 95.0, 0.5, 0.3, CALL)), with_options((100.0, 95.0, 0.5, 0.3, CALL))
    known = np.zeros((1, 16), dtype=np.uint8)

    same, more = (
        portfolio_digests(replace(other, options=replace(other.options, volatility=np.array([v]))), known, common=b"")
        for v in (0.3, 0.31)
    )

    assert portfolio_digests(one, known, common=b"") == same != more

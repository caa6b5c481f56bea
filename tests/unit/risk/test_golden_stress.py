"""Stress of the synthetic world: the predecessor's figures to the cent, and the right ones where it was wrong."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from services.risk.core.exposures import FactorExposures
from services.risk.core.factor_moves import FactorMoves, factor_moves
from services.risk.core.scenarios import SCENARIOS, RateSensitivity
from services.risk.core.stress import stress
from shared.arrays import FloatArray
from shared.conventions import EWMA_DECAY, FACTORS, RISK_FACTORS, STYLE_FACTORS
from shared.unavailable import Quantities
from tests.support.golden import closes, output
from tests.unit.risk.golden import (
    DAYS,
    LONG_ONLY,
    NET_SHORT,
    PROXIES,
    Held,
    evenings,
    returns_until,
    snapshot,
    stored_exposure,
)
from tests.unit.risk.shards import loadings_of


def stored_scenarios(portfolio: str, day: str) -> pd.DataFrame:
    rows = output("stress_test_results")
    return rows[(rows["portfolio"] == portfolio) & (rows["date"] == day)].set_index("scenario")


def stored_dollars(portfolio: str, day: str) -> Quantities:
    return Quantities.of(np.array([[stored_exposure(portfolio, day, name, "exposure_dollar") for name in FACTORS]]))


def proxy_returns() -> pd.DataFrame:
    return closes()[list(PROXIES)].pct_change(fill_method=None).iloc[1:]


@cache
def moves_of(day: str) -> FactorMoves:
    return factor_moves(
        np.ascontiguousarray(proxy_returns().loc[:day].to_numpy().T), PROXIES, episodes={}, rate=RateSensitivity()
    )


def stressed(portfolio: str, day: str) -> dict[str, float]:
    """Return our direct P&L on the predecessor's exposures in dollars."""
    dollars = stored_dollars(portfolio, day)
    holdings = Held.at(portfolio, day).holdings()
    known = np.ones((holdings.symbol.size, dollars.values.shape[1]), dtype=np.bool_)
    exposures = FactorExposures(dollars, dollars, Quantities.of(np.ones(dollars.values.shape)), known, dollars.values)
    nothing = loadings_of(*[{}] * (int(holdings.symbol.max()) + 1))
    found = stress(holdings, exposures, nothing, moves_of(day), episodes={}).direct.values[0]
    return dict(zip((scenario.scenario_id for scenario in SCENARIOS), found.tolist(), strict=True))


def of_equities(scenarios: pd.DataFrame) -> list[str]:
    return [name for name in scenarios.index if not name.startswith("rate")]


def test_direct_stress_of_the_golden_world_is_the_predecessors_to_the_cent() -> None:
    compared = 0
    for portfolio, day in evenings():
        if portfolio == NET_SHORT:
            continue
        rows, found = stored_scenarios(portfolio, day), stressed(portfolio, day)
        for name in of_equities(rows):
            assert found[name] == pytest.approx(rows["direct_pnl"][name], abs=0.0051)
            compared += 1
    assert compared == 50 * 12


def test_defect_g17_losses_of_a_net_short_book_are_not_cut_at_a_dollar() -> None:
    day = DAYS[0]
    rows, found = stored_scenarios(NET_SHORT, day), stressed(NET_SHORT, day)

    losing = [name for name in of_equities(rows) if found[name] < 0]
    assert len(losing) > 3
    assert set(rows["direct_pnl"][losing]) == {-0.99}
    assert max(found[name] for name in losing) < -1_000
    winning = [name for name in of_equities(rows) if found[name] >= 0]
    for name in winning:
        assert found[name] == pytest.approx(rows["direct_pnl"][name], abs=0.0051)


def test_defect_g16_rate_shock_has_the_sign_and_size_of_the_duration() -> None:
    day = DAYS[0]
    rows, found = stored_scenarios(LONG_ONLY, day), stressed(LONG_ONLY, day)
    beta = stored_exposure(LONG_ONLY, day, "rate_beta")
    equity = Held.at(LONG_ONLY, day).equity

    assert rows["direct_pnl"]["rates_up_100bp"] == pytest.approx(equity * beta * 0.01, abs=1.0)
    assert found["rates_up_100bp"] == pytest.approx(equity * beta * -16.5 * 0.01, rel=1e-5)


def factor_correlations(day: str) -> FloatArray:
    returns = returns_until(day, calendar_days=282)[list(PROXIES)].to_numpy().T
    age = np.arange(returns.shape[1])[::-1]
    covariance = np.cov(returns, aweights=EWMA_DECAY**age, ddof=0)
    scale = np.sqrt(np.diag(covariance))
    clipped: FloatArray = np.clip(covariance / scale / scale[:, None], -0.95, 0.95)
    np.fill_diagonal(clipped, 1.0)
    return clipped


def test_defect_g18_correlated_stress_lacks_the_market_and_the_ratio_of_volatilities() -> None:
    styles = [FACTORS.index(name) for name in STYLE_FACTORS]
    compared = 0
    for portfolio, day in evenings():
        if portfolio == NET_SHORT:
            continue
        correlation, rows = factor_correlations(day), stored_scenarios(portfolio, day)
        dollars = stored_dollars(portfolio, day).values[0]
        net = snapshot(portfolio, day)["net_exposure"]
        for scenario in SCENARIOS:
            if scenario.scenario_id not in of_equities(rows):
                continue
            # Every shock times every style's exposure times their correlation, and no market beta.
            theirs = sum(
                size * float(correlation[1:7, RISK_FACTORS.index(factor)] @ dollars[styles])
                for factor, size in scenario.shocks
            )
            expected = max(theirs, -0.99 * net)
            assert rows["correlated_pnl"][scenario.scenario_id] == pytest.approx(expected, abs=0.02)
            compared += 1
    assert compared == 50 * 12
    # A fall of the market is the market's, and costs its proxy as much.
    row = [scenario.scenario_id for scenario in SCENARIOS].index("market_down_10")
    assert moves_of(DAYS[0]).moves[row, 0] == pytest.approx(-0.1, rel=1e-12)


def test_defect_g19_covariance_of_an_evening_does_not_know_the_next() -> None:
    # As of today instead, the predecessor's backfill of the first evening has the last one's covariance.
    first, last = moves_of(DAYS[0]).covariance, moves_of(DAYS[-1]).covariance

    market = proxy_returns().loc[: DAYS[0]].to_numpy()[-252:, 0]
    weights = EWMA_DECAY ** np.arange(252)[::-1]
    assert first[0, 0] == pytest.approx((market**2 @ weights) / weights.sum(), rel=1e-12)
    assert np.abs(last / first - 1.0).max() > 0.1

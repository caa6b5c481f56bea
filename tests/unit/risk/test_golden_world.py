"""Parity with what the predecessor stored of risk in the synthetic world, and the right figure where it was wrong.

Its windows (calendar days), its returns and its values of positions are passed in. Factor exposures are compared to
within the rounding of the betas that they are made of, everything else to the precision it was stored with.
"""

import json
from typing import Final

import numpy as np
import pandas as pd
import pytest

from services.risk.core.concentration import concentration
from services.risk.core.correlation import correlate
from services.risk.core.diversification import diversify
from services.risk.core.exposures import factor_exposures
from services.risk.core.har import har_forecast
from services.risk.core.sectors import sector_exposures
from services.risk.core.volatility import (
    ReturnSeries,
    realised_volatility,
    return_series,
    volatility_percentile,
    volatility_trend,
)
from shared.arrays import FloatArray
from shared.conventions import (
    CORRELATION_WINDOW,
    FACTORS,
    PERCENTILE_SESSIONS,
)
from shared.sectors import UNCLASSIFIED
from shared.unavailable import Reason, Unavailable
from tests.support.golden import WORLD, closes, output
from tests.unit.risk.golden import (
    DAYS,
    LONG_ONLY,
    LONG_SHORT,
    NET_SHORT,
    OPTIONS,
    PORTFOLIOS,
    PRIVATES,
    TRADING,
    Held,
    betas_of,
    evenings,
    positions,
    public_exposures,
    returns_until,
    rounding_of,
    sectors,
    snapshot,
    stored_exposure,
)
from tests.unit.risk.series import components, next_day_forecast, series_of

# Whose volatility no lot and no option distorts.
PLAIN: Final = (LONG_ONLY, LONG_SHORT, NET_SHORT, PRIVATES)
FOUR_DECIMALS: Final = 0.5e-4 + 1e-12


@pytest.mark.parametrize("factor", FACTORS[:10])
def test_exposures_of_the_golden_world_are_the_predecessors(factor: str) -> None:
    for portfolio, day in evenings():
        held, found = public_exposures(portfolio, day)
        cell = 0, FACTORS.index(factor)
        within = rounding_of(held)
        assert found.beta.at(cell) == pytest.approx(stored_exposure(portfolio, day, factor), abs=within)
        dollars = stored_exposure(portfolio, day, factor, "exposure_dollar")
        assert found.dollars.at(cell) == pytest.approx(dollars, abs=within * held.equity + 0.005)


@pytest.mark.parametrize("portfolio", [name for name in PORTFOLIOS if name != OPTIONS])
def test_market_betas_of_the_golden_world_are_the_predecessors(portfolio: str) -> None:
    for day in DAYS:
        held, exposures = public_exposures(portfolio, day)
        found = exposures.beta.at((0, FACTORS.index("market_beta")))
        assert found == pytest.approx(stored_exposure(portfolio, day, "market_beta"), abs=rounding_of(held))


def test_defect_g6_option_has_no_beta_of_its_premium() -> None:
    # The predecessor regresses the premium on SPY and caps the beta at 5: by that its exposure is off.
    day = DAYS[1]
    column = FACTORS.index("market_beta")
    shares = Held.at(OPTIONS, day).of_class("PUBLIC").exposures(day).beta.at((0, column))

    assert stored_exposure(OPTIONS, day, "market_beta") == pytest.approx(0.65, abs=0.005)
    assert shares == pytest.approx(0.906, abs=0.0005)
    premiums = Held.at(OPTIONS, day).of_class("OPTIONS")
    assert np.abs(premiums.betas(day).values[:, column]).max() == 5.0


def test_defect_g2_missing_provider_beta_is_no_zero_and_no_other_beta() -> None:
    day = DAYS[0]
    held = Held.at(LONG_ONLY, day).of_class("PUBLIC")
    cell = 0, FACTORS.index("provider_beta")
    found = held.exposures(day)

    # Counted as zero it is 0.80; with regressed betas in the gaps 1.01, what the predecessor's first pipeline stored.
    assert found.beta.at(cell) == pytest.approx(0.85, abs=0.06)
    assert 0.7 < found.coverage.values[cell] < 0.9
    filled = held.betas(day)
    gaps = np.isnan(filled.values[:, cell[1]])
    filled.values[gaps, cell[1]] = filled.values[gaps, FACTORS.index("market_beta")]
    theirs = factor_exposures(held.holdings(), filled).beta.at(cell)
    assert theirs == pytest.approx(stored_exposure(LONG_ONLY, day, "provider_beta"), abs=2e-6)


def test_defect_g15_rate_beta_of_a_net_short_book_keeps_its_sign() -> None:
    day = DAYS[-1]
    held = Held.at(NET_SHORT, day).of_class("PUBLIC")
    found = held.exposures(day).beta.at((0, FACTORS.index("rate_beta")))

    rates = betas_of(day)["rate_beta"].reindex(list(held.rows["symbol"])).to_numpy()
    absolute = float((held.rows["value"].abs().to_numpy() * rates).sum() / held.equity)
    assert absolute == pytest.approx(stored_exposure(NET_SHORT, day, "rate_beta"), abs=rounding_of(held))
    assert absolute == pytest.approx(-0.468, abs=0.0005)
    assert found == pytest.approx(0.188, abs=0.0005)


@pytest.mark.parametrize("portfolio", [LONG_ONLY, OPTIONS, PRIVATES])
def test_rate_betas_of_books_without_shorts_are_the_predecessors(portfolio: str) -> None:
    for day in DAYS:
        held = Held.at(portfolio, day).of_class("PUBLIC")
        found = held.exposures(day).beta.at((0, FACTORS.index("rate_beta")))
        assert found == pytest.approx(stored_exposure(portfolio, day, "rate_beta"), abs=rounding_of(held))


def yearly_series(day: str) -> tuple[list[str], ReturnSeries]:
    returns = returns_until(day, calendar_days=365)
    names = sorted(set(output("position_volatility")["symbol"]))
    return names, series_of(*returns[names].to_numpy().T)


@pytest.mark.parametrize("day", DAYS)
def test_volatilities_of_positions_of_the_golden_world_are_the_predecessors(day: str) -> None:
    names, series = yearly_series(day)
    last = components(series.values)[:, -1]
    forecast, r_squared = next_day_forecast(series.values)
    ours = {
        "realized_vol_21d": realised_volatility(series.of_length(21)).values,
        "realized_vol_63d": realised_volatility(series.of_length(63)).values,
        "vol_daily": last[:, 0],
        "vol_weekly": realised_volatility(series.of_length(5)).values,
        "vol_monthly": last[:, 2],
        "vol_trend_strength": volatility_trend(series.of_length(41), sessions=21)[1].values,
        "expected_vol_21d": forecast,
        "model_r_squared": r_squared,
        "observations": series.length.astype(np.float64),
    }

    rows = output("position_volatility")
    rows = rows[rows["calculation_date"] == day]

    assert len(rows) > 130
    underlying = positions().drop_duplicates("position_id").set_index("position_id")["underlying_symbol"]
    symbols = underlying.reindex(rows["position_id"]).fillna(rows.set_index("position_id")["symbol"])
    at = [names.index(symbol) for symbol in symbols]
    for column, values in ours.items():
        np.testing.assert_allclose(values[at], rows[column], rtol=0, atol=FOUR_DECIMALS, err_msg=column)


@pytest.mark.parametrize("portfolio", PLAIN)
def test_volatilities_of_portfolios_are_the_predecessors_over_their_net_value(portfolio: str) -> None:
    for day in DAYS:
        series = portfolio_series(Held.at(portfolio, day), day)
        found = {
            "realized_volatility_21d": realised_volatility(series.of_length(21)).at(0),
            "realized_volatility_63d": realised_volatility(series.of_length(63)).at(0),
            "expected_volatility_21d": float(next_day_forecast(series.values)[0][0]),
        }
        for column, value in found.items():
            assert value == pytest.approx(snapshot(portfolio, day)[column], abs=FOUR_DECIMALS), column


def portfolio_series(held: Held, day: str, *, equity: float | None = None) -> ReturnSeries:
    """Return the series of the shares of a book, over their net value as the predecessor does, or another amount."""
    shares = held.of_class("PUBLIC")
    returns = returns_until(day, calendar_days=365)
    net = abs(float(shares.rows["value"].sum()))
    holdings = shares.holdings(equity=net if equity is None else equity)
    return return_series(holdings, returns[shares.names].to_numpy().T, window=len(returns))


def test_defect_g14_volatility_of_a_net_short_book_is_over_its_equity() -> None:
    day = DAYS[-1]
    held = Held.at(NET_SHORT, day)

    found = realised_volatility(portfolio_series(held, day, equity=held.equity).of_length(21)).at(0)

    assert snapshot(NET_SHORT, day)["realized_volatility_21d"] == pytest.approx(0.211, abs=0.0005)
    assert found == pytest.approx(0.173, abs=0.0005)


def test_defect_g14_two_lots_of_a_symbol_count_both() -> None:
    day = DAYS[0]
    held = Held.at(TRADING, day)
    assert held.rows["symbol"].duplicated().sum() == 1

    found = realised_volatility(portfolio_series(held, day).of_length(21)).at(0)

    assert snapshot(TRADING, day)["realized_volatility_21d"] == 0.1207
    assert found == pytest.approx(0.1304, abs=5e-5)


def test_defect_g13_forecast_is_of_volatility_and_not_of_the_next_absolute_return() -> None:
    _, series = yearly_series(DAYS[-1])
    realised = realised_volatility(series).values

    ours = har_forecast(series).volatility.values[:, -1] / realised
    theirs = next_day_forecast(series.values)[0] / realised

    assert np.median(ours) == pytest.approx(1.0, abs=0.05)
    assert np.median(theirs) == pytest.approx(np.sqrt(2 / np.pi), abs=0.06)


def test_defect_g12_percentile_is_there_with_every_session_of_its_year() -> None:
    assert output("position_volatility")["vol_percentile"].isna().all()
    assert output("portfolio_snapshots")["volatility_percentile"].isna().all()
    returns = closes().pct_change(fill_method=None).loc[: DAYS[-1]].to_numpy()[-(PERCENTILE_SESSIONS + 20) :]

    found = volatility_percentile(series_of(*returns.T))

    assert not found.unavailable.any()
    assert ((found.values >= 0) & (found.values < 1)).all()


def test_defect_g3_window_is_not_cut_to_what_a_cache_holds() -> None:
    # The second pipeline holds 200 calendar days: 140 sessions pass there for a year.
    returns = returns_until(DAYS[-1], calendar_days=200).to_numpy().T
    held = Held.at(LONG_ONLY, DAYS[-1])
    known = [list(closes().columns).index(name) for name in held.names]

    found = return_series(held.holdings(), returns[known], window=252)

    detail = f"no holding has all 252 returns, the most complete has {returns.shape[1]}"
    assert found.unavailable[0] == Unavailable(Reason.INSUFFICIENT_HISTORY, detail)


def previous_evening(portfolio: str, day: str) -> Held:
    """Return what is open on an evening at the values of the one before, or of entry on the first."""
    today = Held.at(portfolio, day)
    if day == DAYS[0]:
        terms = pd.read_csv(WORLD / "inputs" / "positions.csv")
        contract = np.where(terms["investment_class"] == "OPTIONS", 100, 1)
        values = (terms["quantity"] * terms["entry_price"] * contract).set_axis(terms["position_id"])
    else:
        before = positions()[positions()["date"] == DAYS[DAYS.index(day) - 1]]
        values = before.set_index("position_id")["value"]
    rows = today.rows.assign(value=values.reindex(today.rows["position_id"]).to_numpy())
    return Held(rows, today.equity)


def test_concentration_of_the_golden_world_is_the_predecessors_at_its_values() -> None:
    for portfolio, day in evenings():
        if portfolio == TRADING and day > DAYS[2]:
            continue  # from the first sale on its values are of the quantity before
        found = concentration(previous_evening(portfolio, day).holdings())
        stored = snapshot(portfolio, day)
        assert found.hhi.at(0) == pytest.approx(stored["hhi"], abs=FOUR_DECIMALS)
        assert found.effective_positions.at(0) == pytest.approx(stored["effective_num_positions"], abs=0.005 + 1e-9)
        assert found.top_3.at(0) == pytest.approx(stored["top_3_concentration"], abs=FOUR_DECIMALS)
        assert found.top_10.at(0) == pytest.approx(stored["top_10_concentration"], abs=FOUR_DECIMALS)


def sector_weights(held: Held) -> tuple[dict[str, float], dict[str, float]]:
    """Return net and gross weights by sector."""
    found = sector_exposures(held.holdings(), [sectors().get(name, UNCLASSIFIED) for name in held.names])
    net, gross = (dict(zip(found.names, each.values[0].tolist(), strict=True)) for each in (found.net, found.gross))
    return net, gross


@pytest.mark.parametrize("portfolio", PORTFOLIOS)
def test_defect_g7_sectors_are_of_todays_values_signed_and_complete(portfolio: str) -> None:
    day = DAYS[1]
    stored = json.loads(str(snapshot(portfolio, day)["sector_exposure"]))

    # At the values of the evening before, gross, they are the predecessor's but for what has no sector.
    _, gross = sector_weights(previous_evening(portfolio, day))
    for name in set(stored) - {UNCLASSIFIED}:
        assert gross[name] == pytest.approx(stored[name], rel=1e-7)  # its equity is stored in cents
    today = Held.at(portfolio, day)
    net, _ = sector_weights(today)
    assert sum(net.values()) * today.equity == pytest.approx(today.rows["value"].sum(), abs=0.01)
    if portfolio == NET_SHORT:
        assert sum(net.values()) < 0 < sum(stored.values())


def quarter_of_log_returns(day: str, names: list[str]) -> FloatArray:
    prices = closes().loc[pd.Timestamp(day) - pd.Timedelta(days=90) : day]
    logs: FloatArray = np.log(prices[names].to_numpy())
    return np.diff(logs, axis=0).T


def correlated_lots(portfolio: str, day: str) -> pd.DataFrame:
    """Return the lots that the predecessor correlates: 10,000 and a hundredth of gross, at the last or entry price."""
    rows = Held.at(portfolio, day).of_class("PUBLIC", "OPTIONS").rows
    size = rows["value"].abs()
    large = (size >= 10_000) & (size >= 0.01 * snapshot(portfolio, day)["gross_exposure"])
    lots: pd.DataFrame = rows.loc[large]
    return lots


def test_average_correlations_of_the_golden_world_are_the_predecessors() -> None:
    stored = output("correlation_calculations")
    keys = zip(stored["portfolio"], stored["calculation_date"].str[:10], strict=True)
    rows = dict(zip(keys, stored.to_dict("records"), strict=True))
    for portfolio, day in evenings():
        lots = correlated_lots(portfolio, day)
        names = sorted(set(lots["symbol"]))
        matrix = correlate(quarter_of_log_returns(day, names)).values
        row = rows[portfolio, day]
        above = np.abs(matrix[np.triu_indices(len(names), 1)])
        assert above.mean() == pytest.approx(row["overall_correlation"], abs=0.5e-6 + 1e-12)
        assert len(names) == row["positions_included"]
        if len(names) == len(lots):
            assert len(names) ** 2 / matrix.sum() == pytest.approx(row["effective_positions"], abs=0.005 + 1e-9)


def test_defect_g20_bets_are_of_net_weights_by_symbol_and_every_pair_stands_alone() -> None:
    day = DAYS[0]
    held = Held.at(TRADING, day).of_class("PUBLIC")
    returns = returns_until(day, calendar_days=365)[held.names].to_numpy().T
    found = diversify(held.holdings(), returns, [sectors().get(name, UNCLASSIFIED) for name in held.names]).portfolios[
        0
    ]
    assert (output("correlation_calculations")["correlation_concentration_score"] == 0).all()

    # The book's own variance along the principal components of the holdings, lots in one symbol added up.
    value = held.rows.groupby("symbol")["value"].sum()[held.names].to_numpy()
    kept = np.abs(value) >= 0.01 * held.rows["value"].abs().sum()
    variances, components = np.linalg.eigh(np.cov(returns[kept, -CORRELATION_WINDOW:]))
    shares = (components.T @ value[kept]) ** 2 * variances
    shares /= shares.sum()
    assert found.effective_bets == pytest.approx(float(np.exp(-(shares * np.log(shares)).sum())), rel=1e-9)
    young = returns.copy()
    young[0, :-10] = np.nan
    left = diversify(held.holdings(), young, [UNCLASSIFIED] * len(held.names)).portfolios[0].matrix
    np.testing.assert_allclose(left.values[1:, 1:], found.matrix.values[1:, 1:], atol=1e-12)


def test_defect_g22_fit_that_explains_nothing_is_a_zero_and_no_gap() -> None:
    flat = series_of(np.zeros(31))

    assert volatility_trend(flat)[1].at(0) == 0.0

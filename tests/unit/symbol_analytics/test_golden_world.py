"""Parity with what the predecessor stored for the synthetic world, its windows passed in, at its stored precision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property

import numpy as np
import pandas as pd
import pytest

from services.symbol_analytics.core.anchors import HORIZONS
from services.symbol_analytics.core.columns import RATIOS
from services.symbol_analytics.core.estimates import FactorEstimates
from services.symbol_analytics.core.factors import estimate_factors
from services.symbol_analytics.core.metrics import horizon_returns
from services.symbol_analytics.core.ols import LineFits, fit_lines
from services.symbol_analytics.core.parameters import FactorParameters, RegressionWindow
from services.symbol_analytics.core.valuation_ratios import valuation_ratios
from shared.arrays import FloatArray
from shared.conventions import FACTORS
from shared.factor_set import FactorSet
from shared.returns import simple_returns
from shared.unavailable import Quantities, Reason, Unavailable
from tests.support.golden import WORLD, closes, output
from tests.unit.symbol_analytics.companies import Company, fundamentals

SIX_DECIMALS = 0.5e-6 + 1e-12
FOUR_DECIMALS = 0.5e-4 + 1e-12

FACTOR_NAMES = {
    "Value": "value",
    "Growth": "growth",
    "Momentum": "momentum",
    "Quality": "quality",
    "Size": "size",
    "Low Volatility": "low_volatility",
    "Growth-Value Spread": "growth_value_spread",
    "Momentum Spread": "momentum_spread",
    "Size Spread": "size_spread",
    "Quality Spread": "quality_spread",
    "Market Beta (90D)": "market_beta",
    "IR Beta": "rate_beta",
    "Provider Beta (1Y)": "provider_beta",
}
SPREADS = [name for name in FACTOR_NAMES if name.endswith("Spread")]
LINES = ["Market Beta (90D)", "IR Beta"]
STYLES = ["Value", "Growth", "Momentum", "Quality", "Size", "Low Volatility"]
METRIC_FACTORS = {name: f"factor_{FACTOR_NAMES[name]}" for name in (*STYLES, *SPREADS)} | {
    "Low Volatility": "factor_low_vol"
}


@dataclass(frozen=True)
class Evening:
    """What was known at the close of one day, and our estimates with the predecessor's calendar-day windows."""

    closes: pd.DataFrame
    factor_window: int
    spread_window: int
    estimates: FactorEstimates

    def beta(self, symbol: str, factor: str) -> float | Unavailable:
        return self.estimates.betas.at(self._cell(symbol, factor))

    def r_squared(self, symbol: str, factor: str) -> float:
        value = self.estimates.r_squared.at(self._cell(symbol, factor))
        assert isinstance(value, float)
        return value

    def n_observations(self, symbol: str, factor: str) -> int:
        return int(self.estimates.n_observations[self._cell(symbol, factor)])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {symbol: row for row, symbol in enumerate(self.closes.columns)}

    def _cell(self, symbol: str, factor: str) -> tuple[int, int]:
        return self._rows[symbol], FACTORS.index(FACTOR_NAMES[factor])


def provider_betas(symbols: list[str]) -> Quantities:
    known = pd.read_csv(WORLD / "inputs" / "profiles.csv").set_index("symbol")["beta"].replace(0.0, np.nan)
    values = known.reindex(symbols).to_numpy(dtype=np.float64, copy=True)
    why = np.full(len(values), None, dtype=object)
    why[np.isnan(values)] = Unavailable(Reason.MISSING_DATA, "no provider beta")
    return Quantities(values, why)


@cache
def evening(day: str) -> Evening:
    as_of = pd.Timestamp(day)
    known = closes().loc[:as_of]
    factor_window, spread_window = (len(known.loc[as_of - pd.Timedelta(days=days) :]) - 1 for days in (120, 210))
    prices = known.to_numpy()
    estimates = estimate_factors(
        prices,
        {ticker: known[ticker].to_numpy() for ticker in FactorSet().tickers()},
        factor_set=FactorSet(),
        provider_betas=provider_betas(list(known.columns)),
        parameters=FactorParameters(
            style=RegressionWindow(factor_window, 30),
            spread=RegressionWindow(spread_window, 60),
            beta=RegressionWindow(factor_window, 30),
        ),
    )
    return Evening(known, factor_window, spread_window, estimates)


def compare(rows: pd.DataFrame, ours: Sequence[float | Unavailable], column: str, within: float) -> None:
    theirs = rows[column].to_numpy(dtype=np.float64)
    assert len(ours) == len(theirs)
    assert np.isfinite(theirs).all()
    for place, (expected, value) in enumerate(zip(theirs, ours, strict=True)):
        assert isinstance(value, float), f"{value} for {rows.iloc[place].to_dict()}"
        assert abs(value - expected) <= within, f"{value} for {rows.iloc[place].to_dict()}"


def stored_factors(factors: list[str]) -> pd.DataFrame:
    """Return the stored rows of these factors; an R squared of 0 was stored as missing."""
    stored = output("symbol_factor_exposures")
    return stored[stored["factor"].isin(factors)].fillna({"r_squared": 0.0})


def keys(rows: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    return list(zip(*(rows[column].astype(str) for column in columns), strict=True))


@pytest.mark.parametrize(
    ("factors", "expected_rows"),
    [(STYLES, 3300), (SPREADS, 2200), (["Market Beta (90D)"], 550), (["IR Beta"], 550), (["Provider Beta (1Y)"], 330)],
)
def test_betas_of_the_golden_world_match_to_six_decimals(factors: list[str], expected_rows: int) -> None:
    rows = stored_factors(factors)
    assert len(rows) == expected_rows
    ours = [evening(day).beta(symbol, factor) for day, symbol, factor in keys(rows, "date", "symbol", "factor")]
    compare(rows, ours, "beta_value", SIX_DECIMALS)


@pytest.mark.parametrize(("factors", "expected_rows"), [(STYLES, 3300), (SPREADS, 2200), (LINES, 1100)])
def test_observations_of_the_golden_world_match(factors: list[str], expected_rows: int) -> None:
    rows = stored_factors(factors)
    assert len(rows) == expected_rows
    cells = keys(rows, "date", "symbol", "factor")
    assert [evening(day).n_observations(symbol, factor) for day, symbol, factor in cells] == list(rows["observations"])


def test_provider_betas_of_the_golden_world_are_unavailable_where_none_was_stored() -> None:
    stored = set(keys(stored_factors(["Provider Beta (1Y)"]), "date", "symbol"))
    days = {day for day, _ in stored}
    assert len(days) == 10
    for day in days:
        for symbol in closes().columns:
            beta = evening(day).beta(symbol, "Provider Beta (1Y)")
            assert isinstance(beta, float) == ((day, symbol) in stored)


@pytest.mark.parametrize(("factors", "expected_rows"), [(STYLES, 3300), (LINES, 1100)])
def test_r_squared_of_the_golden_world_matches_to_four_decimals(factors: list[str], expected_rows: int) -> None:
    rows = stored_factors(factors)
    assert len(rows) == expected_rows
    ours = [evening(day).r_squared(symbol, factor) for day, symbol, factor in keys(rows, "date", "symbol", "factor")]
    compare(rows, ours, "r_squared", FOUR_DECIMALS)


def test_defect_q16_each_spread_has_its_own_r_squared_and_theirs_is_the_mean() -> None:
    rows = stored_factors(SPREADS[:1])
    assert len(rows) == 550
    own = [
        [evening(day).r_squared(symbol, spread) for spread in SPREADS] for day, symbol in keys(rows, "date", "symbol")
    ]
    compare(rows, [float(np.mean(of_symbol)) for of_symbol in own], "r_squared", FOUR_DECIMALS)
    assert np.ptp(own, axis=1).max() > 0.1


@cache
def market_fits(day: str) -> LineFits:
    e = evening(day)
    returns: FloatArray = simple_returns(e.closes.to_numpy())[-e.factor_window :].T
    return fit_lines(returns, returns[list(e.closes.columns).index("SPY")], min_observations=30)


@pytest.mark.parametrize(
    ("column", "statistic"),
    [
        ("beta", "betas"),
        ("alpha", "intercepts"),
        ("r_squared", "r_squared"),
        ("std_error", "std_errors"),
        ("p_value", "p_values"),
    ],
)
def test_position_market_regressions_of_the_golden_world_match_to_six_decimals(column: str, statistic: str) -> None:
    rows = output("position_market_betas")
    assert len(rows) == 470
    symbols = list(closes().columns)
    ours = [
        float(getattr(market_fits(day), statistic)[symbols.index(symbol)])
        for day, symbol in keys(rows, "date", "symbol")
    ]
    compare(rows, ours, column, SIX_DECIMALS)


def test_position_rate_betas_of_the_golden_world_match_to_six_decimals() -> None:
    rows = output("position_interest_rate_betas")
    assert len(rows) == 430
    ours = [evening(day).beta(symbol, "IR Beta") for day, symbol in keys(rows, "date", "symbol")]
    compare(rows, ours, "ir_beta", SIX_DECIMALS)


@cache
def returns_at(day: str) -> Quantities:
    known = closes().loc[: pd.Timestamp(day)]
    return horizon_returns(known.to_numpy(), known.index.to_numpy())


def our_returns(rows: pd.DataFrame, horizon: str) -> list[float | Unavailable]:
    symbols = list(closes().columns)
    cells = keys(rows, "metrics_date", "symbol")
    return [returns_at(day).at((symbols.index(symbol), HORIZONS.index(horizon))) for day, symbol in cells]


def test_one_day_returns_of_the_golden_world_match_to_six_decimals() -> None:
    rows = output("symbol_daily_metrics")
    assert len(rows) == 550
    compare(rows, our_returns(rows, "1d"), "return_1d", SIX_DECIMALS)


def close_on(symbol: str, day: pd.Timestamp) -> float:
    """Return the last close on or before a day."""
    return float(closes()[symbol].loc[:day].to_numpy()[-1])


@pytest.mark.parametrize(
    ("horizon", "back"),
    [
        ("1m", pd.DateOffset(months=1)),
        ("3m", pd.DateOffset(months=3)),
        ("1y", pd.DateOffset(years=1)),
        ("mtd", pd.offsets.MonthEnd()),
        ("ytd", pd.offsets.YearEnd()),
    ],
)
def test_defect_g8_return_is_from_the_last_close_on_or_before_its_anchor_on_every_evening(
    horizon: str, back: pd.DateOffset
) -> None:
    rows = output("symbol_daily_metrics")
    for (day, symbol), value in zip(keys(rows, "metrics_date", "symbol"), our_returns(rows, horizon), strict=True):
        today = pd.Timestamp(day)
        expected = close_on(symbol, today) / close_on(symbol, today - back) - 1.0
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("horizon", "months", "days", "cells"), [("1m", 1, 30, 330), ("1y", 12, 365, 440)])
def test_returns_of_the_golden_world_over_the_same_days_match_to_six_decimals(
    horizon: str, months: int, days: int, cells: int
) -> None:
    rows = output("symbol_daily_metrics")
    rows = rows[rows[f"return_{horizon}"].notna()]
    base = [
        closes().loc[: pd.Timestamp(day) - pd.DateOffset(months=months)].index[-1]
        == pd.Timestamp(day) - pd.Timedelta(days=days)
        for day in rows["metrics_date"]
    ]
    assert sum(base) == cells
    compare(rows[base], our_returns(rows[base], horizon), f"return_{horizon}", SIX_DECIMALS)


def test_defect_q2_return_of_the_month_includes_its_first_session() -> None:
    rows = output("symbol_daily_metrics")
    first_session = closes().loc["2026-10-01"] / closes().loc["2026-09-30"]  # left out by the predecessor
    ours = np.array(our_returns(rows, "mtd"), dtype=np.float64)
    without = (1.0 + ours) / first_session[rows["symbol"]].to_numpy() - 1.0
    compare(rows, without.tolist(), "return_mtd", SIX_DECIMALS)
    assert np.abs(ours - rows["return_mtd"]).max() > 0.01


def test_defect_q2_return_of_the_year_is_there_on_every_session() -> None:
    assert output("symbol_daily_metrics")["return_ytd"].isna().all()
    panel = closes()
    sessions = [day for day in panel.index if day.year == 2026]
    assert len(sessions) == 209
    for day in sessions:
        expected = float(panel.loc[day, "ZAAA"] / panel.loc["2025-12-31", "ZAAA"] - 1.0)
        returns = returns_at(str(day.date()))
        ytd = HORIZONS.index("ytd")
        assert not any(returns.unavailable[:, ytd])
        assert returns.at((list(panel.columns).index("ZAAA"), ytd)) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_defect_q2_every_horizon_is_there_on_each_of_the_ten_evenings() -> None:
    rows = output("symbol_daily_metrics")
    assert rows[["return_1m", "return_3m", "return_1y"]].isna().any(axis=None)
    for horizon in HORIZONS:
        assert all(isinstance(value, float) for value in our_returns(rows, horizon))


@pytest.mark.parametrize(("name", "column"), METRIC_FACTORS.items())
def test_betas_beside_the_metrics_of_the_golden_world_match_to_six_decimals(name: str, column: str) -> None:
    rows = output("symbol_daily_metrics")
    assert len(rows) == 550
    ours = [evening(day).beta(symbol, name) for day, symbol in keys(rows, "metrics_date", "symbol")]
    compare(rows, ours, column, SIX_DECIMALS)


@cache
def ratios_at(day: str) -> Quantities:
    """The ratios where of a company only the market value of its profile is known, as in the golden world."""
    known = closes().loc[: pd.Timestamp(day)]
    profiles = pd.read_csv(WORLD / "inputs" / "profiles.csv").set_index("symbol")["market_cap"].dropna()
    companies = [
        Company([], [("market_cap", date.fromisoformat(day), float(profiles[symbol]))] if symbol in profiles else [])
        for symbol in known.columns
    ]
    prices = known.to_numpy()
    fundamentals_known = fundamentals(companies).known_at(date.fromisoformat(day))
    return valuation_ratios(prices, np.ones_like(prices), known.index.to_numpy(), fundamentals_known).quantities


def test_market_values_of_the_golden_world_are_those_of_the_profiles() -> None:
    rows = output("symbol_daily_metrics")
    symbols = list(closes().columns)
    ours = [
        ratios_at(day).at((symbols.index(symbol), RATIOS.index("market_cap")))
        for day, symbol in keys(rows, "metrics_date", "symbol")
    ]
    there = rows["market_cap"].notna().to_numpy()
    assert there.sum() == 370
    assert [isinstance(value, float) for value in ours] == there.tolist()
    compare(rows[there], [value for value in ours if isinstance(value, float)], "market_cap", 0.005)


def test_ratios_of_the_golden_world_have_a_reason_and_are_not_copied_from_a_profile_without_a_day() -> None:
    day = output("symbol_daily_metrics")["metrics_date"].iloc[0]
    others = [RATIOS.index(name) for name in RATIOS if name != "market_cap"]
    assert {why.reason for why in ratios_at(day).unavailable[:, others].ravel()} == {Reason.MISSING_DATA}

"""What sessions earn without risk: the quoted yield of the day before, the constant, or a reason."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core.realised import SINCE_INCEPTION, realised, windows_of
from services.portfolio.core.risk_free import RISK_FREE_RETURN, Quoted, continuous, option_rates, risk_free_returns
from shared.calendar import shift_session
from shared.conventions import OPTION_RISK_FREE_RATE
from shared.unavailable import Reason, Unavailable
from tests.system.plain.realised import tear_sheet
from tests.unit.portfolio.test_realised import OPENED, days_of, returns_of


def quoted(**rates: float) -> Quoted:
    days = [date.fromisoformat(day.removeprefix("d").replace("_", "-")) for day in rates]
    return Quoted(np.array(days, dtype="datetime64[D]"), np.array(list(rates.values())))


def test_yield_of_a_quarter_is_compounded_by_hand() -> None:
    # 4.80 % a year is 1.2 % a quarter: four logarithms of 1.012.
    assert continuous(np.array([0.048])) == pytest.approx(0.0477142835, abs=1e-10)


def test_session_earns_at_the_newest_rate_of_a_day_before_it() -> None:
    # Monday, 1 March 2021 to Wednesday: Friday's rate, Monday's, and again Monday's, for Tuesday has none.
    rates = quoted(d2021_02_26=0.04, d2021_03_01=0.08, d2021_03_03=0.5)

    earned = risk_free_returns(days_of(3), rates)

    assert earned == pytest.approx([1.01 ** (4 / 252) - 1, 1.02 ** (4 / 252) - 1, 1.02 ** (4 / 252) - 1], rel=1e-12)


def test_options_are_valued_at_that_rate_and_at_the_constant_where_there_is_none() -> None:
    rates = quoted(d2021_03_01=0.04)

    at = option_rates(days_of(7), rates)

    monday, then, later = OPTION_RISK_FREE_RATE, float(4 * np.log(1.01)), OPTION_RISK_FREE_RATE
    assert at == pytest.approx([monday, *[then] * 5, later], rel=1e-14)
    assert option_rates(days_of(2), None).tolist() == [OPTION_RISK_FREE_RATE] * 2


def test_rate_that_is_older_than_a_week_is_none() -> None:
    # Of Monday, 1 March: not before Tuesday, and not after Monday, the 8th.
    earned = risk_free_returns(days_of(7), quoted(d2021_03_01=0.04))

    assert np.isnan(earned).tolist() == [True, False, False, False, False, False, True]


def test_nobody_asked_for_rates_is_the_constant() -> None:
    assert risk_free_returns(days_of(2), None).tolist() == [RISK_FREE_RETURN] * 2


def test_ratios_without_a_rate_for_each_session_have_the_reason_and_the_rest_does_not() -> None:
    returns, earned = np.tile([0.02, -0.01], 30), np.full(60, 0.0001)
    earned[[3, 7]] = np.nan

    found = realised(days_of(60), returns, earned)

    why = Unavailable(Reason.MISSING_DATA, "no risk-free rate before 2 of 60 sessions, the first 2021-03-04")
    assert (found.sharpe, found.sortino, found.downside_deviation) == (why, why, why)
    assert found.volatility == realised(days_of(60), returns, np.zeros(60)).volatility


@given(st.integers(0, 2**32 - 1), st.integers(60, 300))
def test_ratios_over_quoted_rates_are_those_of_the_plain_implementation(seed: int, n_sessions: int) -> None:
    days, returns, random = days_of(n_sessions), returns_of(seed, n_sessions), np.random.default_rng(seed)
    kept = random.random(n_sessions) < 0.8
    kept[0] = True
    rates = random.uniform(-0.01, 0.08, n_sessions)[kept]
    before = np.array([shift_session(day, -1) for day in days.tolist()], dtype="datetime64[D]")[kept]

    earned = risk_free_returns(days, Quoted(before, rates))
    found = windows_of(days, returns, earned, opened_on=OPENED)[SINCE_INCEPTION]

    yields = pd.Series(rates, index=pd.DatetimeIndex(before))
    series = pd.Series(returns, index=pd.DatetimeIndex(days))
    told = tear_sheet(series, OPENED, shift_session(OPENED, -1), broken=False, yields=yields)["since inception"][1]
    for name in ("sharpe", "sortino", "downside_deviation"):
        value = getattr(found, name)
        if isinstance(value, Unavailable):
            assert value.reason == told[name]
        else:
            assert value == pytest.approx(told[name], rel=1e-9)

"""Realised performance: an independent library, pandas, literals by hand, and what too few returns don't say."""

from dataclasses import fields
from datetime import date, timedelta

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.portfolio.core.performance import CHAIN_BROKEN
from services.portfolio.core.realised import (
    ALL_LOST,
    NEVER_BELOW,
    NEVER_FELL,
    SINCE_INCEPTION,
    STEADY,
    Extreme,
    Realised,
    realised,
    windows_of,
)
from services.portfolio.core.risk_free import RISK_FREE_RETURN
from shared.arrays import DateArray, FloatArray
from shared.calendar import sessions_between, shift_session
from shared.unavailable import Reason, Unavailable
from tests.system.plain.realised import tear_sheet

OPENED = date(2021, 3, 1)


def days_of(n_sessions: int) -> DateArray:
    last = shift_session(OPENED, n_sessions - 1)
    return np.array(sessions_between(OPENED, last), dtype="datetime64[D]")


def constant(n_sessions: int) -> FloatArray:
    return np.full(n_sessions, RISK_FREE_RETURN)


def returns_of(seed: int, n_sessions: int) -> FloatArray:
    drawn: FloatArray = np.random.default_rng(seed).standard_t(4, n_sessions) * 0.01 + 0.0005
    return drawn.clip(-0.5, 0.5)


@given(st.integers(0, 2**32 - 1), st.integers(60, 600))
def test_figures_are_those_of_empyrical_and_pandas(seed: int, n_sessions: int) -> None:
    days, returns = days_of(n_sessions), returns_of(seed, n_sessions)
    series = pd.Series(returns, index=pd.DatetimeIndex(days))

    found = realised(days, returns, constant(n_sessions))

    monthly = empyrical.aggregate_returns(series, "monthly")
    expected = {
        "whole": empyrical.cum_returns_final(series),
        "volatility": empyrical.annual_volatility(series),
        "downside_deviation": empyrical.downside_risk(series, required_return=RISK_FREE_RETURN),
        "sharpe": empyrical.sharpe_ratio(series, risk_free=RISK_FREE_RETURN),
        "sortino": empyrical.sortino_ratio(series, required_return=RISK_FREE_RETURN),
        "maximum_drawdown": empyrical.max_drawdown(series),
        "calmar": empyrical.calmar_ratio(series),
        "hit_rate": (series > 0).mean(),
        "skew": series.skew(),
        "excess_kurtosis": series.kurt(),
    }
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-9, abs=1e-12), name
    assert found.best_day == Extreme(series.max(), days[int(series.argmax())].item())
    assert found.worst_day == Extreme(series.min(), days[int(series.argmin())].item())
    assert [found.best_month.value, found.worst_month.value] == pytest.approx([monthly.max(), monthly.min()], abs=1e-12)


def test_figures_by_hand() -> None:
    # 30 times up by 2 % and down by 1 %: a mean of 0.5 %, 1.5 % from either, and never below the eve.
    returns = np.tile([0.02, -0.01], 30)

    found = realised(days_of(60), returns, constant(60))

    spread = 0.015 * np.sqrt(60 / 59)
    assert found.volatility == pytest.approx(spread * np.sqrt(252), rel=1e-12)
    assert found.sharpe == pytest.approx((0.005 - RISK_FREE_RETURN) / spread * np.sqrt(252), rel=1e-12)
    assert found.downside_deviation == pytest.approx((0.01 + RISK_FREE_RETURN) / np.sqrt(2) * np.sqrt(252), rel=1e-12)
    below = (0.01 + RISK_FREE_RETURN) / np.sqrt(2)
    assert found.sortino == pytest.approx((0.005 - RISK_FREE_RETURN) / below * np.sqrt(252), rel=1e-12)
    assert found.maximum_drawdown == pytest.approx(-0.01, rel=1e-12)
    assert found.calmar == pytest.approx(((1.02 * 0.99) ** 126 - 1) / 0.01, rel=1e-11)
    assert (found.hit_rate, found.returns) == (0.5, 60)
    assert found.skew == pytest.approx(0, abs=1e-12)
    assert found.best_day == Extreme(0.02, OPENED)
    # March 2021 had 23 sessions from the first on, which end with a gain.
    assert found.best_month.on == date(2021, 3, 31)
    assert found.best_month.value == pytest.approx(1.02**12 * 0.99**11 - 1)


def test_fewer_returns_than_sixty_say_only_what_they_add_up_to() -> None:
    short = Unavailable(Reason.INSUFFICIENT_HISTORY, "59 of 60 returns")

    found = realised(days_of(59), np.full(59, 0.001), constant(59))

    told = {field.name: getattr(found, field.name) for field in fields(Realised)}
    assert told.pop("whole") == pytest.approx(1.001**59 - 1)
    assert told.pop("returns") == 59
    assert all(value in (short, Extreme(short)) for value in told.values())


def test_session_without_a_return_is_no_return() -> None:
    returns = np.append(np.tile([0.02, -0.01], 30), np.nan)

    found = realised(days_of(61), returns, constant(61))

    assert found == realised(days_of(60), returns[:60], constant(60))


def test_returns_that_do_not_vary_or_never_fall_have_reasons() -> None:
    found = realised(days_of(60), np.full(60, 0.01), constant(60))

    assert (found.volatility, found.sharpe, found.skew, found.excess_kurtosis) == (0.0, STEADY, STEADY, STEADY)
    assert (found.sortino, found.calmar) == (NEVER_BELOW, NEVER_FELL)
    assert realised(days_of(61), np.append(np.full(60, 0.01), -1.0), constant(61)).calmar == ALL_LOST


def test_windows_begin_after_the_close_that_people_mean() -> None:
    days = days_of(400)  # to 2022-09-28
    last = days[-1].item()

    found = windows_of(days, np.zeros(400), constant(400), opened_on=OPENED)

    begins = {"1M": "2022-08-28", "3M": "2022-06-28", "6M": "2022-03-28", "YTD": "2021-12-31", "1Y": "2021-09-28"}
    assert last == date(2022, 9, 28)
    assert {name: found[name].returns for name in begins} == {
        name: len(sessions_between(date.fromisoformat(begin) + timedelta(days=1), last))
        for name, begin in begins.items()
    }
    assert found[SINCE_INCEPTION].returns == 400


def test_window_that_begins_before_the_book_says_when_it_was_opened() -> None:
    found = windows_of(days_of(100), np.zeros(100), constant(100), opened_on=OPENED)

    assert found["YTD"].whole == Unavailable(Reason.INSUFFICIENT_HISTORY, "opened on 2021-03-01")
    assert found["3M"].returns > 60


def test_broken_chain_has_no_windows() -> None:
    found = windows_of(days_of(100), np.zeros(100), constant(100), opened_on=OPENED, broken=CHAIN_BROKEN)

    assert {entry.whole for entry in found.values()} == {CHAIN_BROKEN}
    assert len(found) == 6


@pytest.mark.parametrize(("last", "covered"), [(date(2021, 5, 25), False), (date(2021, 5, 26), True)])
def test_window_may_begin_at_the_close_before_the_book(last: date, covered: bool) -> None:
    # The book's first session is Monday, 1 March: the close before is that of Friday, 26 February.
    days = np.array(sessions_between(OPENED, last), dtype="datetime64[D]")

    found = windows_of(days, np.zeros(days.size), constant(days.size), opened_on=OPENED)["3M"]

    assert (found.returns > 0) is covered


@given(st.integers(0, 2**32 - 1), st.integers(1, 400))
@settings(max_examples=15, deadline=None)
def test_windows_are_those_of_the_plain_implementation(seed: int, n_sessions: int) -> None:
    days, returns = days_of(n_sessions), returns_of(seed, n_sessions)
    returns[np.random.default_rng(seed).random(n_sessions) < 0.1] = np.nan
    series = pd.Series(returns, index=pd.DatetimeIndex(days))

    found = windows_of(days, returns, constant(n_sessions), opened_on=OPENED)

    names = {"total": "whole"}
    for window, (count, figures) in tear_sheet(series, OPENED, shift_session(OPENED, -1), broken=False).items():
        assert found[window].returns == count
        for name, expected in figures.items():
            value = getattr(found[window], names.get(name, name))
            told = value.value if isinstance(value, Extreme) else value
            if isinstance(told, Unavailable):
                assert told.reason == expected, (window, name)
            else:
                assert told == pytest.approx(expected, rel=1e-9, abs=1e-12), (window, name)

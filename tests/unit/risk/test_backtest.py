"""The back-test of the served VaR: by hand, against a plain loop, and on simulated truth."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats

from services.risk.core.backtest import Backtest, backtest
from shared.arrays import FloatArray
from shared.unavailable import Reason, Unavailable
from tests.unit.risk.series import series_of


def _tested(*histories: FloatArray, window: int = 252) -> Backtest:
    """Return the back-test of series over the window, each with its history before it."""
    width = max(map(len, histories))
    history = np.full((len(histories), width), np.nan)
    for place, row in enumerate(histories):
        history[place, width - len(row) :] = row
    return backtest(series_of(*(row[-window:] for row in histories)), history)


def _history(*exceptions: int) -> FloatArray:
    """Return 252 quiet returns and 252 more, of which those of these numbers lose more than any before."""
    after = np.full(252, 0.001)
    for size, place in enumerate(exceptions):
        after[place] = -0.05 - 0.001 * size
    return np.concatenate([np.linspace(-0.010, 0.010, 252), after])


def _log(count: int, share: float) -> float:
    return count * np.log(share) if count else 0.0


def test_tests_by_hand() -> None:
    # Three of six exceptions follow one another: after 6 there are 3 more, after 245 others 3.
    found = _tested(_history(10, 11, 12, 80, 81, 200))

    x, m, p = 6, 252, 0.05
    kupiec = -2 * (_log(m - x, 1 - p) + _log(x, p) - _log(m - x, 1 - x / m) - _log(x, x / m))
    one, other, both = 3 / 6, 3 / 245, 6 / 251
    apart = _log(3, 1 - one) + _log(3, one) + _log(242, 1 - other) + _log(3, other)
    clustered = -2 * (_log(245, 1 - both) + _log(6, both) - apart)
    cell = 0, 0
    assert (found.sessions.at(cell), found.exceptions.at(cell)) == (252, 6)
    assert found.kupiec.at(cell) == pytest.approx(kupiec, rel=1e-9)
    assert found.kupiec_p.at(cell) == pytest.approx(stats.chi2.sf(kupiec, 1), rel=1e-9)
    assert found.independence.at(cell) == pytest.approx(clustered, rel=1e-9)
    assert found.independence_p.at(cell) == pytest.approx(stats.chi2.sf(clustered, 1), rel=1e-9)
    assert found.coverage.at(cell) == pytest.approx(kupiec + clustered, rel=1e-9)
    assert found.coverage_p.at(cell) == pytest.approx(stats.chi2.sf(kupiec + clustered, 2), rel=1e-9)


def test_no_exception_is_a_number_too() -> None:
    found = _tested(_history())

    assert found.exceptions.at((0, 0)) == 0
    assert found.kupiec.at((0, 0)) == pytest.approx(-2 * 252 * np.log(0.95), rel=1e-9)
    assert found.independence_p.at((0, 0)) == 1.0


@example(seed=1171, window=63)
@given(st.integers(0, 2**32 - 1), st.sampled_from([63, 126, 252]))
@settings(max_examples=10)
def test_exceptions_are_those_of_a_plain_loop(seed: int, window: int) -> None:
    # Rounded, so that losses repeat.
    history = np.round(np.random.default_rng(seed).standard_t(3, window + 300) * 0.01, 3)

    found = _tested(history, window=window)

    losses = -history
    for level, wanted in enumerate((0.95, 0.99) if window > 99 else (0.95,)):
        days = range(len(history) - 252, len(history))
        beyond = [losses[day] - np.quantile(losses[day - window : day], wanted, method="weibull") for day in days]
        # Between two steps a quantile may be a third one, but for its last bits: nobody's losses lie on steps.
        assume(not any(0.0 < abs(each) < 1e-12 for each in beyond))
        assert found.exceptions.at((0, level)) == sum(each > 0.0 for each in beyond)


def test_tests_reject_about_as_often_as_they_promise() -> None:
    sample = np.random.default_rng(6).normal(0, 0.01, (400, 504))

    found = _tested(*sample)

    for p_values in (found.kupiec_p, found.independence_p, found.coverage_p):
        assert 0.01 < (p_values.values[:, 0] < 0.05).mean() < 0.12


def test_clustered_losses_are_found_and_scattered_ones_are_not() -> None:
    clustered = _tested(_history(*range(100, 112))).independence_p.at((0, 0))
    scattered = _tested(_history(*range(5, 250, 21))).independence_p.at((0, 0))

    assert isinstance(clustered, float)
    assert isinstance(scattered, float)
    assert clustered < 1e-6
    assert scattered > 0.1


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (62, ("62 of 63 sessions after the 252 of the window", "62 of 250 sessions after the 252 of the window")),
        (249, (None, "249 of 250 sessions after the 252 of the window")),
        (250, (None, None)),
    ],
)
def test_as_many_sessions_are_tested_as_there_are_and_too_few_have_a_reason(
    before: int, expected: tuple[str | None, str | None]
) -> None:
    found = _tested(np.random.default_rng(2).normal(0, 0.01, 252 + before)).kupiec_p

    for level, detail in enumerate(expected):
        if detail is None:
            assert isinstance(found.at((0, level)), float)
        else:
            assert found.at((0, level)) == Unavailable(Reason.INSUFFICIENT_HISTORY, detail)


def test_neighbours_change_nothing() -> None:
    rng = np.random.default_rng(9)
    rows = [rng.standard_t(4, n) * 0.01 for n in (504, 400, 330)]

    together, alone = _tested(*rows), _tested(rows[1])

    for name in ("sessions", "exceptions", "kupiec", "independence_p", "coverage_p"):
        np.testing.assert_array_equal(getattr(together, name).values[1], getattr(alone, name).values[0])

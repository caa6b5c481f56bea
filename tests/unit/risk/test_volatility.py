"""Volatility of today's book: the predecessor's vector, hand figures, an oracle."""

import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given

from services.risk.core.backtest import backtest
from services.risk.core.options import Options
from services.risk.core.volatility import (
    longest_series,
    realised_volatility,
    return_series,
    volatility_percentile,
    volatility_trend,
)
from shared.arrays import FloatArray
from shared.black_scholes import Terms
from shared.conventions import HISTORY_SESSIONS, PERCENTILE_SESSIONS
from shared.unavailable import Quantities, Reason
from tests.unit.risk.series import series_of
from tests.unit.risk.shards import N_SESSIONS, Shard, book, shard_of, shards, why


def vector(n: int) -> FloatArray:
    """Return the returns of portfolio_risk.md 11.3, one row."""
    k = np.arange(1, n + 1, dtype=np.float64)
    return (0.012 * np.sin(1.3 * k) + 0.005 * np.cos(0.37 * k**2))[None, :]


def volatility(returns: FloatArray, window: int, positions: list[tuple[str, float]] | None = None) -> Quantities:
    holdings, _ = book(positions or [("AAA", 100_000.0)])
    return realised_volatility(return_series(holdings, returns, window=window))


@pytest.mark.parametrize(
    ("n", "short", "long"),
    [
        (63, 0.153432, 0.151450),
        (130, 0.154080, 0.142335),
        (252, 0.138341, 0.141010),
        (300, 0.154678, 0.139786),
    ],
)
def test_volatility_of_the_vector_is_the_predecessors(n: int, short: float, long: float) -> None:
    assert volatility(vector(n), 21).at(0) == pytest.approx(short, abs=5e-7)
    assert volatility(vector(n), 63).at(0) == pytest.approx(long, abs=5e-7)


def test_volatility_with_62_of_63_sessions_is_unavailable_with_the_counts() -> None:
    assert volatility(vector(62), 21).at(0) == pytest.approx(0.155846, abs=5e-7)
    reason = why(volatility(vector(62), 63))
    assert reason.reason is Reason.INSUFFICIENT_HISTORY
    assert "63" in reason.detail
    assert "62" in reason.detail


def test_volatility_of_an_old_holding_with_many_holes_misses_data_and_is_no_short_history() -> None:
    returns = vector(70).copy()
    returns[..., -30:-22] = np.nan
    assert why(volatility(returns, 63)).reason is Reason.MISSING_DATA


@pytest.mark.parametrize("window", [21, 63, 252])
def test_session_that_a_large_holding_lacks_is_no_session_of_the_series(window: int) -> None:
    # Two in ten sessions of both are gone: what is left is what the book of the other sessions has.
    returns = np.random.default_rng(3).normal(0, 0.01, (2, 289))
    holed = returns.copy()
    holed[0, -2] = holed[1, -15] = np.nan
    holdings, _ = book([("AAA", 60_000.0), ("BBB", -40_000.0)])

    found = return_series(holdings, holed, window=window)
    whole = return_series(holdings, np.delete(returns, (-2, -15), axis=1), window=window)

    assert (found.coverage.at(0), found.length.tolist()) == (1.0, [window])
    np.testing.assert_array_equal(found.values, whole.values)
    assert found.ages[0].tolist() == [age for age in range(window + 1, -1, -1) if age not in {1, 14}]
    assert realised_volatility(found).at(0) == realised_volatility(whole).at(0)


def test_longest_series_and_what_was_before_it_are_those_of_the_sessions_that_all_have() -> None:
    returns = np.random.default_rng(4).normal(0, 0.01, (2, 400))
    holed, gone = returns.copy(), (-3, -100, -300, -350)
    holed[0, gone] = np.nan
    holdings, _ = book([("AAA", 60_000.0), ("BBB", 40_000.0)])

    found, history = longest_series(holdings, holed)
    whole, before = longest_series(holdings, np.delete(returns, gone, axis=1))

    np.testing.assert_array_equal(found.values, whole.values)
    np.testing.assert_array_equal(history[:, len(gone) :], before)
    assert np.isnan(history[:, : len(gone)]).all()
    tested, expected = backtest(found, history), backtest(whole, before)
    for name in ("sessions", "exceptions", "kupiec_p", "coverage_p"):
        np.testing.assert_array_equal(getattr(tested, name).values, getattr(expected, name).values)


@pytest.mark.parametrize(
    ("exposures", "missing", "coverage"),
    [
        ((96_000.0, 4_000.0), 1, 0.96),  # a small one is left out, and no session
        ((90_000.0, 10_000.0), 1, 1.0),
        ((90_000.0, 10_000.0), 2, 1.0),
        ((90_000.0, 10_000.0), 3, 0.9),  # 20 of the last 23 sessions
    ],
)
def test_series_leaves_out_few_sessions_for_what_is_much_of_a_book(
    exposures: tuple[float, float], missing: int, coverage: float
) -> None:
    returns = np.random.default_rng(5).normal(0, 0.01, (2, 60))
    returns[1, -1 - np.arange(missing) * 5] = np.nan
    holdings, _ = book([("AAA", exposures[0]), ("BBB", exposures[1])])

    assert return_series(holdings, returns, window=21).coverage.at(0) == pytest.approx(coverage)


def test_holdings_that_lack_different_sessions_are_left_out_where_these_are_too_many_together() -> None:
    returns = np.random.default_rng(6).normal(0, 0.01, (3, 60))
    returns[0, [-2, -3]] = returns[1, [-5, -6]] = np.nan
    holdings, _ = book([("AAA", 30_000.0), ("BBB", 30_000.0), ("CCC", 40_000.0)])

    found = return_series(holdings, returns, window=21)

    assert (found.coverage.at(0), dict(found.ages)) == (0.4, {})
    np.testing.assert_allclose(found.values[0], 0.4 * returns[2, -21:], rtol=1e-15)


def test_book_with_options_leaves_no_session_out() -> None:
    returns = np.random.default_rng(8).normal(0, 0.01, (1, 60))
    returns[0, -2] = np.nan
    holdings, _ = book([("AAA", 60_000.0)])
    one = np.ones(1)
    terms = Terms(one * 100, one * 100, one * 0.5, one * 0.0, one * 0.05, np.array([True]))
    optional = replace(holdings, options=Options(np.zeros(1, dtype=np.int64), one, one, terms, one * 0.2))

    assert return_series(holdings, returns, window=21).coverage.at(0) == 1.0
    assert return_series(optional, returns, window=21).coverage.at(0) == 0.0


def test_volatility_of_a_short_is_that_of_the_long() -> None:
    assert volatility(vector(63), 63, [("AAA", -100_000.0)]).at(0) == volatility(vector(63), 63).at(0)


def test_volatility_counts_leverage_and_idle_cash() -> None:
    whole = volatility(vector(63), 63).values
    np.testing.assert_allclose(volatility(vector(63), 63, [("AAA", 50_000.0)]).values, whole / 2, rtol=1e-14)
    np.testing.assert_allclose(volatility(vector(63), 63, [("AAA", 200_000.0)]).values, whole * 2, rtol=1e-14)


def test_defect_41_weights_are_over_equity_and_not_the_signed_sum() -> None:
    # +10 000 / -9 500 over equity of 100 000: weights 0.1 and -0.095. The predecessor's are 20 and -19.
    returns = np.vstack([vector(63), vector(64)[:, 1:]])
    series = return_series(book([("AAA", 10_000.0), ("BBB", -9_500.0)])[0], returns, window=63)
    np.testing.assert_allclose(series.values[0], 0.1 * returns[0] - 0.095 * returns[1], rtol=1e-12)


def test_defect_41_two_lots_of_one_symbol_count_both() -> None:
    # Lots of 6 000 and 1 000 AAA and 3 000 BBB, equity 10 000: 0.7 and 0.3. The predecessor's are 0.2 and 0.3.
    returns = np.vstack([vector(63), vector(64)[:, 1:]])
    lots = book([("AAA", 6_000.0), ("BBB", 3_000.0), ("AAA", 1_000.0)], equity=10_000.0)[0]
    series = return_series(lots, returns, window=63)
    np.testing.assert_allclose(series.values[0], 0.7 * returns[0] + 0.3 * returns[1], rtol=1e-12)


def test_volatility_leaves_a_young_holding_out_and_tells() -> None:
    young = vector(63)
    young[0, :40] = np.nan
    holdings, _ = book([("AAA", 75_000.0), ("YOUNG", -25_000.0)])
    long = return_series(holdings, np.vstack([vector(63), young]), window=63)
    short = return_series(holdings, np.vstack([vector(63), young]), window=21)
    assert (long.coverage.at(0), short.coverage.at(0)) == (0.75, 1.0)
    np.testing.assert_allclose(realised_volatility(long).values, 0.75 * volatility(vector(63), 63).values, rtol=1e-13)


def test_volatility_without_any_complete_holding_names_the_most_complete() -> None:
    returns = np.vstack([vector(63), vector(63)])
    returns[0, 3] = returns[1, 5] = returns[1, 6] = np.nan  # and no session is before the 63
    holdings, _ = book([("AAA", 1.0), ("BBB", 1.0)])
    assert why(realised_volatility(return_series(holdings, returns, window=63))).detail.endswith("has 62")


@pytest.mark.parametrize(
    ("positions", "equity", "reason"),
    [
        ([("AAA", 1.0)], 0.0, Reason.DEGENERATE_INPUT),
        ([("AAA", 1.0)], -1.0, Reason.DEGENERATE_INPUT),
        ([], 100.0, Reason.NOT_APPLICABLE),
    ],
)
def test_volatility_of_a_book_without_weights_has_a_reason(
    positions: list[tuple[str, float]], equity: float, reason: Reason
) -> None:
    holdings, _ = book(positions, equity=equity)
    assert why(realised_volatility(return_series(holdings, vector(63), window=63))).reason is reason


def test_volatility_of_one_session_is_refused() -> None:
    holdings, _ = book([("AAA", 1.0)])
    with pytest.raises(ValueError, match="at least 2"):
        realised_volatility(return_series(holdings, vector(63), window=1))


@example(shard_of(923, 4, 1, 4))
@given(shards())
def test_volatility_agrees_with_a_plain_loop_over_positions(shard: Shard) -> None:
    # What a single missing print does is another rule, which the loop does not know.
    gone = np.asarray(np.isnan(shard.returns[:, -22:]).any(axis=1))
    returns = np.where(gone[:, None], np.nan, shard.returns)
    shard = replace(shard, options=Options.none(), returns=returns)
    series = return_series(shard.holdings, shard.returns, window=21)
    volatilities = realised_volatility(series)
    for portfolio, equity in enumerate(shard.equity.tolist()):
        gross = covered = 0
        expected = [0.0] * 21
        for position in np.flatnonzero(shard.portfolio == portfolio):
            returns = shard.returns[shard.symbol[position]][-21:].tolist()
            exposure = int(shard.exposure[position])
            gross += abs(exposure)
            if not any(np.isnan(returns)):
                covered += abs(exposure)
                expected = [total + r * exposure / equity for total, r in zip(expected, returns, strict=True)]
        if equity <= 0 or not covered:
            assert np.isnan(volatilities.values[portfolio])
            continue
        annualised = statistics.stdev(expected) * 252**0.5
        np.testing.assert_allclose(series.values[portfolio], expected, atol=1e-12)
        np.testing.assert_allclose(volatilities.values[portfolio], annualised, rtol=1e-9, atol=1e-12)
        assert series.coverage.values[portfolio] == covered / gross


def test_shards_have_room_for_the_window() -> None:
    assert N_SESSIONS >= 21


@pytest.mark.parametrize(
    ("n", "strength"), [(62, 0.077689), (63, 0.181238), (130, 0.258456), (252, 0.005596), (300, 0.502395)]
)
def test_trend_strength_of_the_vector_is_the_predecessors(n: int, strength: float) -> None:
    _, found = volatility_trend(series_of(vector(n)[0]), sessions=21)

    assert found.at(0) == pytest.approx(strength, abs=5e-7)


def test_trend_slope_of_the_vector_is_the_predecessors() -> None:
    slope, _ = volatility_trend(series_of(vector(300)[0]), sessions=21)

    assert slope.at(0) == pytest.approx(0.000622, abs=5e-7)


def test_trend_of_ten_volatilities_matches_polyfit() -> None:
    returns = np.random.default_rng(3).normal(0, 0.01, 30)
    rolling = [np.std(returns[end - 21 : end], ddof=1) * np.sqrt(252) for end in range(21, 31)]

    slope, _ = volatility_trend(series_of(returns))

    assert slope.at(0) == pytest.approx(np.polyfit(np.arange(10), rolling, 1)[0], rel=1e-9)


def test_trend_of_volatility_that_does_not_move_has_no_strength() -> None:
    slope, strength = volatility_trend(series_of(np.zeros(30)))

    assert (slope.at(0), strength.at(0)) == (0.0, 0.0)


@pytest.mark.parametrize(("n", "percentile"), [(252, 0.133621), (300, 0.864286)])
def test_percentile_of_the_vector_is_the_predecessors(n: int, percentile: float) -> None:
    assert volatility_percentile(series_of(vector(n)[0])).at(0) == pytest.approx(percentile, abs=5e-7)


def test_defect_43_percentile_is_there_with_the_history_that_is_kept() -> None:
    # 252 volatilities over 21 sessions need 272 returns.
    returns = np.random.default_rng(5).normal(0, 0.01, (1, HISTORY_SESSIONS - 1))
    holdings, _ = book([("AAA", 100_000.0)])

    found = volatility_percentile(return_series(holdings, returns, window=PERCENTILE_SESSIONS + 20)).at(0)

    assert isinstance(found, float)
    assert 0 <= found < 1


def _histories(*lengths: int) -> FloatArray:
    returns = np.random.default_rng(7).normal(0, 0.01, (len(lengths), 289))
    for row, length in zip(returns, lengths, strict=True):
        row[:-length] = np.nan
    return returns


@pytest.mark.parametrize(
    ("exposures", "lengths", "expected"),
    [
        ((96.0, 4.0), (289, 70), 252),  # a small young holding is left out of a long series
        ((94.0, 6.0), (289, 70), 63),  # a larger one is not
        ((50.0, 50.0), (289, 130), 126),
        ((50.0, 50.0), (289, 20), 252),  # too young for any window: the longest of those that cover as much
        ((100.0, 0.0), (62, 62), 0),
    ],
)
def test_longest_series_speaks_for_the_book(
    exposures: tuple[float, float], lengths: tuple[int, int], expected: int
) -> None:
    holdings, _ = book([("AAA", exposures[0]), ("BBB", exposures[1])])

    found, history = longest_series(holdings, _histories(*lengths))

    assert found.length.tolist() == [expected]
    assert np.isfinite(found.values[0]).sum() == expected
    if expected:
        np.testing.assert_array_equal(history[0, -expected:], found.values[0, -expected:])
        in_series = [n for n in lengths if n >= expected]
        assert np.isfinite(history[0]).sum() == min(in_series)


def test_series_of_a_length_declines_where_there_are_fewer_returns() -> None:
    found = series_of(np.zeros(100), np.zeros(80)).of_length(90)

    assert found.length.tolist() == [90, 0]
    assert found.unavailable[1].detail == "80 of 90 returns"
    assert np.isnan(found.values[1]).all()

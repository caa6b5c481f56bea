"""Volatility of today's book: the predecessor's vector, hand figures, an oracle."""

import statistics

import numpy as np
import pytest
from hypothesis import given

from services.risk.core.volatility import realised_volatility, return_series
from shared.unavailable import FloatArray, Quantities, Reason
from tests.unit.risk.shards import N_SESSIONS, Shard, book, shards, why


def vector(n: int) -> FloatArray:
    """Return the returns of portfolio_risk.md 11.3, one row."""
    k = np.arange(1, n + 1, dtype=np.float64)
    return (0.012 * np.sin(1.3 * k) + 0.005 * np.cos(0.37 * k**2))[None, :]


def volatility(returns: FloatArray, window: int, positions: list[tuple[str, float]] | None = None) -> Quantities:
    books, _ = book(positions or [("AAA", 100_000.0)])
    return realised_volatility(return_series(books, returns, window=window))


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


def test_volatility_of_a_short_is_that_of_the_long() -> None:
    assert volatility(vector(63), 63, [("AAA", -100_000.0)]).at(0) == volatility(vector(63), 63).at(0)


def test_volatility_counts_leverage_and_idle_cash() -> None:
    whole = volatility(vector(63), 63).values
    np.testing.assert_allclose(volatility(vector(63), 63, [("AAA", 50_000.0)]).values, whole / 2, rtol=1e-14)
    np.testing.assert_allclose(volatility(vector(63), 63, [("AAA", 200_000.0)]).values, whole * 2, rtol=1e-14)


def test_defect_14_weights_over_the_signed_sum_are_gone() -> None:
    # +10 000 / -9 500 over equity of 100 000: weights 0.1 and -0.095. The predecessor's are 20 and -19.
    returns = np.vstack([vector(63), vector(64)[:, 1:]])
    series = return_series(book([("AAA", 10_000.0), ("BBB", -9_500.0)])[0], returns, window=63)
    np.testing.assert_allclose(series.values[0], 0.1 * returns[0] - 0.095 * returns[1], rtol=1e-12)


def test_defect_14_two_lots_of_one_symbol_count_both() -> None:
    # Lots of 6 000 and 1 000 AAA and 3 000 BBB, equity 10 000: 0.7 and 0.3. The predecessor's are 0.2 and 0.3.
    returns = np.vstack([vector(63), vector(64)[:, 1:]])
    lots = book([("AAA", 6_000.0), ("BBB", 3_000.0), ("AAA", 1_000.0)], equity=10_000.0)[0]
    series = return_series(lots, returns, window=63)
    np.testing.assert_allclose(series.values[0], 0.7 * returns[0] + 0.3 * returns[1], rtol=1e-12)


def test_volatility_leaves_a_young_holding_out_and_tells() -> None:
    young = vector(63)
    young[0, :40] = np.nan
    books, _ = book([("AAA", 75_000.0), ("YOUNG", -25_000.0)])
    long = return_series(books, np.vstack([vector(63), young]), window=63)
    short = return_series(books, np.vstack([vector(63), young]), window=21)
    assert (long.coverage.at(0), short.coverage.at(0)) == (0.75, 1.0)
    np.testing.assert_allclose(realised_volatility(long).values, 0.75 * volatility(vector(63), 63).values, rtol=1e-13)


def test_volatility_without_any_complete_holding_names_the_most_complete() -> None:
    returns = np.vstack([vector(63), vector(63)])
    returns[0, 3] = returns[1, 5] = returns[1, 6] = np.nan
    books, _ = book([("AAA", 1.0), ("BBB", 1.0)])
    assert why(realised_volatility(return_series(books, returns, window=63))).detail.endswith("has 62")


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
    books, _ = book(positions, equity=equity)
    assert why(realised_volatility(return_series(books, vector(63), window=63))).reason is reason


def test_volatility_of_one_session_is_refused() -> None:
    books, _ = book([("AAA", 1.0)])
    with pytest.raises(ValueError, match="at least 2"):
        realised_volatility(return_series(books, vector(63), window=1))


@given(shards())
def test_volatility_agrees_with_a_plain_loop_over_positions(shard: Shard) -> None:
    series = return_series(shard.books, shard.returns, window=21)
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

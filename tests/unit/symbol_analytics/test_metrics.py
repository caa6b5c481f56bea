import statistics
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.symbol_analytics.core.anchors import CALENDAR_HORIZONS, HORIZONS
from services.symbol_analytics.core.metrics import horizon_returns, realised_volatilities, split_adjusted_closes
from shared.arrays import DateArray, FloatArray
from shared.calendar import months_before, sessions_between
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.symbol_analytics.worlds import closes_of

AS_OF = date(2024, 7, 31)
SESSIONS = np.array(sessions_between(date(2023, 6, 1), AS_OF), dtype="datetime64[D]")


def row_of(day: str) -> int:
    (row,) = np.flatnonzero(np.datetime64(day) == SESSIONS)
    return int(row)


def flat_closes(changes: dict[str, float]) -> FloatArray:
    """Return one symbol that closes at 100 but on the days given."""
    closes = np.full((len(SESSIONS), 1), 100.0)
    for day, close in changes.items():
        closes[row_of(day)] = close
    return closes


def at(returns: Quantities, horizon: str, symbol: int = 0) -> float | Unavailable:
    return returns.at((symbol, HORIZONS.index(horizon)))


def test_horizons_come_in_the_documented_order() -> None:
    assert HORIZONS == ("1d", "5d", "1m", "3m", "6m", "1y", "mtd", "qtd", "ytd")


@pytest.mark.parametrize(
    ("horizon", "base_day"),
    [
        ("1d", "2024-07-30"),
        ("5d", "2024-07-24"),
        ("1m", "2024-06-28"),  # the anchor, 30 June, is a Sunday
        ("3m", "2024-04-30"),
        ("6m", "2024-01-31"),
        ("1y", "2023-07-31"),
        ("mtd", "2024-06-28"),
        ("qtd", "2024-06-28"),
        ("ytd", "2023-12-29"),
    ],
)
def test_defect_q2_base_is_the_last_close_on_or_before_the_anchor(horizon: str, base_day: str) -> None:
    closes = flat_closes({"2024-07-31": 150.0, base_day: 120.0})
    assert at(horizon_returns(closes, SESSIONS), horizon) == pytest.approx(0.25, abs=1e-15)
    without_base = flat_closes({"2024-07-31": 150.0})
    assert at(horizon_returns(without_base, SESSIONS), horizon) == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2024, 3, 31), 1, date(2024, 2, 29)),
        (date(2023, 3, 31), 1, date(2023, 2, 28)),
        (date(2024, 1, 15), 1, date(2023, 12, 15)),
        (date(2024, 5, 31), 3, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, date(2023, 2, 28)),
        (date(2024, 12, 31), 6, date(2024, 6, 30)),
        (date(2024, 12, 1), 12, date(2023, 12, 1)),
    ],
)
def test_months_are_calendar_months_that_end_with_their_month(day: date, months: int, expected: date) -> None:
    assert months_before(day, months) == expected


@pytest.mark.parametrize(
    ("as_of", "mtd", "qtd"),
    [
        (date(2024, 1, 2), date(2023, 12, 31), date(2023, 12, 31)),
        (date(2024, 3, 28), date(2024, 2, 29), date(2023, 12, 31)),
        (date(2024, 12, 31), date(2024, 11, 30), date(2024, 9, 30)),
    ],
)
def test_periods_are_anchored_at_the_end_of_the_previous_one(as_of: date, mtd: date, qtd: date) -> None:
    assert CALENDAR_HORIZONS["mtd"](as_of) == mtd
    assert CALENDAR_HORIZONS["qtd"](as_of) == qtd
    assert CALENDAR_HORIZONS["ytd"](as_of) == date(as_of.year - 1, 12, 31)


def test_defect_q2_one_day_return_after_a_holiday_is_from_the_session_before_it() -> None:
    sessions = np.array(sessions_between(date(2024, 6, 1), date(2024, 7, 5)), dtype="datetime64[D]")
    closes = np.full((len(sessions), 1), 100.0)
    closes[-1] = 101.0  # Friday after Independence Day
    assert at(horizon_returns(closes, sessions), "1d") == pytest.approx(0.01)


def test_defect_q2_year_and_month_to_date_are_there_on_every_session_of_a_year() -> None:
    sessions = np.array(sessions_between(date(2022, 12, 1), date(2023, 12, 31)), dtype="datetime64[D]")
    closes = closes_of(np.random.default_rng(1).normal(0.0, 0.01, (len(sessions) - 1, 2)))
    last_of_2022 = int(np.searchsorted(sessions, np.datetime64("2023-01-01"))) - 1
    for row in range(last_of_2022 + 1, len(sessions)):
        returns = horizon_returns(closes[: row + 1], sessions[: row + 1])
        for horizon in ("1d", "5d", "mtd", "qtd", "ytd"):
            assert np.isfinite(returns.values[:, HORIZONS.index(horizon)]).all()
        assert at(returns, "ytd") == pytest.approx(closes[row, 0] / closes[last_of_2022, 0] - 1.0, abs=1e-15)


def test_defect_q3_one_day_return_never_bridges_a_gap() -> None:
    closes = flat_closes({"2024-07-30": np.nan})
    returns = horizon_returns(closes, SESSIONS)
    assert at(returns, "1d") == Unavailable(Reason.MISSING_DATA, "no close at 2024-07-30")
    assert at(returns, "5d") == 0.0


@pytest.mark.parametrize(("gap", "available"), [(5, True), (6, False)])
def test_base_may_lie_five_sessions_before_its_anchor(gap: int, available: bool) -> None:
    closes = flat_closes({})
    base = row_of("2023-12-29")
    closes[base - gap + 1 : base + 1] = np.nan
    closes[base - gap] = 80.0
    expected = Unavailable(Reason.MISSING_DATA, "no close at 2023-12-29 or 5 sessions before")
    assert at(horizon_returns(closes, SESSIONS), "ytd") == (0.25 if available else expected)


def test_symbol_younger_than_a_horizon_has_the_shorter_ones() -> None:
    closes = flat_closes({})
    closes[: row_of("2024-07-01")] = np.nan
    returns = horizon_returns(closes, SESSIONS)
    assert at(returns, "ytd") == Unavailable(Reason.INSUFFICIENT_HISTORY, "no close on or before 2023-12-29")
    assert at(returns, "mtd") == Unavailable(Reason.INSUFFICIENT_HISTORY, "no close on or before 2024-06-28")
    assert at(returns, "5d") == 0.0


def test_panel_that_begins_after_an_anchor_says_so() -> None:
    returns = horizon_returns(flat_closes({})[-30:], SESSIONS[-30:])
    assert at(returns, "ytd") == Unavailable(
        Reason.INSUFFICIENT_HISTORY, f"the base of ytd lies before {SESSIONS[-30]}"
    )
    assert at(returns, "mtd") == 0.0


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (1, Unavailable(Reason.MISSING_DATA, "no close at 2024-07-31")),
        (5, Unavailable(Reason.MISSING_DATA, "no close at 2024-07-31")),
        (6, Unavailable(Reason.STALE_INPUT, "last price is 6 sessions old, limit 5")),
        (len(SESSIONS), Unavailable(Reason.MISSING_DATA, f"no price in {len(SESSIONS)} sessions")),
    ],
)
def test_symbol_without_a_close_at_as_of_has_no_return_at_all(missing: int, expected: Unavailable) -> None:
    closes = flat_closes({})
    closes[-missing:] = np.nan
    assert set(horizon_returns(closes, SESSIONS).unavailable[0].tolist()) == {expected}


@pytest.mark.parametrize("price", [0.0, -2.0, np.inf])
def test_price_that_is_not_positive_and_finite_is_rejected(price: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        horizon_returns(flat_closes({"2024-07-30": price}), SESSIONS)


@pytest.mark.parametrize("sessions", [SESSIONS[1:], SESSIONS[::-1]])
def test_sessions_that_do_not_belong_to_the_rows_are_rejected(sessions: DateArray) -> None:
    with pytest.raises(ValueError, match="ascending dates"):
        horizon_returns(flat_closes({}), sessions)


def test_price_and_total_return_differ_by_the_dividend() -> None:
    # 2 paid out of 100 at the close of 2024-07-29: the earlier adjusted closes are 98 % of the closes
    closes = flat_closes({})
    adjusted = closes.copy()
    adjusted[: row_of("2024-07-29")] *= 0.98
    assert at(horizon_returns(closes, SESSIONS), "5d") == 0.0
    assert at(horizon_returns(adjusted, SESSIONS), "5d") == pytest.approx(1.0 / 0.98 - 1.0)


def test_defect_q9_split_leaves_no_break_in_the_price_return() -> None:
    closes = flat_closes({})
    split = row_of("2024-07-15")
    closes[split:] = 25.0
    factors = np.ones_like(closes)
    factors[split] = 4.0
    adjusted = split_adjusted_closes(closes, factors)
    assert adjusted[:, 0].tolist() == [25.0] * len(closes)
    assert at(horizon_returns(adjusted, SESSIONS), "1m") == 0.0


def test_two_splits_multiply_and_one_on_the_first_session_changes_nothing() -> None:
    closes = np.array([[120.0], [60.0], [np.nan], [10.0]])
    factors = np.array([[7.0], [2.0], [3.0], [2.0]])
    np.testing.assert_array_equal(split_adjusted_closes(closes, factors), [[10.0], [10.0], [np.nan], [10.0]])


@pytest.mark.parametrize("factor", [0.0, np.nan, np.inf])
def test_split_factor_that_is_no_positive_number_is_rejected(factor: float) -> None:
    with pytest.raises(ValueError, match="split_factors must be positive"):
        split_adjusted_closes(np.ones((2, 1)), np.array([[1.0], [factor]]))


def test_split_factors_of_another_shape_are_rejected() -> None:
    with pytest.raises(ValueError, match="split_factors must have the shape"):
        split_adjusted_closes(np.ones((2, 1)), np.ones((1, 1)))


def test_volatility_of_alternating_returns_matches_the_hand_worked_value() -> None:
    # +-1 %, mean 0, over 4 returns: sample variance 4/3 of 1 %^2, times 252
    closes = closes_of(np.array([[0.01], [-0.01], [0.01], [-0.01]]))
    expected = 0.01 * np.sqrt(4.0 / 3.0 * 252.0)
    assert realised_volatilities(closes, windows=(4,)).at((0, 0)) == pytest.approx(expected, rel=1e-12)


def test_volatility_matches_numpy_on_each_window() -> None:
    returns = np.random.default_rng(5).normal(0.0004, 0.012, (300, 3))
    ours = realised_volatilities(closes_of(returns)).values
    expected = [[returns[-window:, i].std(ddof=1) * np.sqrt(252.0) for window in (21, 63, 252)] for i in range(3)]
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_volatility_leaves_out_what_one_missing_print_costs() -> None:
    # Returns 1, 3, [2, 5 lost with the close between them], -1, -3 % and so on, ten in all: 8 of 10 would be too few.
    returns = np.array([1, 3, 2, 5, -1, -3, 4, -4, 0, 2, 1, -1, 2, -2, 3, -3, 1, -1, 0, 2]) / 100
    closes = closes_of(returns[:, None])
    closes[3] = np.nan  # between the third return and the fourth
    kept = np.delete(returns, [2, 3])
    found = realised_volatilities(closes, windows=(20,))
    assert found.at((0, 0)) == pytest.approx(statistics.stdev(kept.tolist()) * 252**0.5, rel=1e-12)
    assert found.n_observations.tolist() == [[18]]


@pytest.mark.parametrize(
    ("gaps", "known", "why"),
    [
        ([-10], 19, None),
        ([-10, -20], 17, Unavailable(Reason.MISSING_DATA, "4 of 21 returns are missing, 19 have to be there")),
    ],
)
def test_volatility_needs_nine_tenths_of_the_returns_of_its_window(
    gaps: list[int], known: int, why: Unavailable | None
) -> None:
    closes = closes_of(np.random.default_rng(5).normal(0.0, 0.01, (252, 1)))
    closes[gaps] = np.nan
    found = realised_volatilities(closes)
    assert (found.unavailable[0, 0], found.n_observations[0, 0]) == (why, known)
    assert found.unavailable[0, 1:].tolist() == [None, None]


def test_volatility_of_prices_that_begin_within_its_window_is_too_short_a_history() -> None:
    closes = closes_of(np.random.default_rng(5).normal(0.0, 0.01, (252, 2)))
    closes[:-63, 0] = np.nan  # one return short of 63
    closes[:-64, 1] = np.nan
    found = realised_volatilities(closes)
    assert found.at((0, 1)) == Unavailable(Reason.INSUFFICIENT_HISTORY, "62 of 63 sessions")
    assert found.unavailable[1, 1] is None


def test_volatility_of_a_price_that_does_not_move_is_zero() -> None:
    assert realised_volatilities(np.full((253, 1), 12.34)).values.tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (3, Unavailable(Reason.MISSING_DATA, "3 of 21 returns are missing, 19 have to be there")),
        (6, Unavailable(Reason.STALE_INPUT, "last price is 6 sessions old, limit 5")),
        (253, Unavailable(Reason.MISSING_DATA, "no price in 253 sessions")),
    ],
)
def test_volatility_of_prices_that_end_early_says_why(missing: int, expected: Unavailable) -> None:
    closes = closes_of(np.random.default_rng(5).normal(0.0, 0.01, (252, 1)))
    closes[-missing:] = np.nan
    assert realised_volatilities(closes).at((0, 0)) == expected


@pytest.mark.parametrize("windows", [(1,), (253,)])
def test_volatility_window_beyond_the_panel_is_rejected(windows: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="windows must lie in"):
        realised_volatilities(np.ones((253, 1)), windows=windows)


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_subset_and_order_of_the_shard_do_not_change_a_bit(seed: int, data: st.DataObject) -> None:
    n_symbols = data.draw(st.integers(1, 30))
    rng = np.random.default_rng(seed)
    closes = closes_of(rng.normal(0.0, 0.02, (len(SESSIONS) - 1, n_symbols)))
    closes[rng.random(closes.shape) < data.draw(st.sampled_from([0.0, 0.003]))] = np.nan
    chosen = data.draw(st.lists(st.integers(0, n_symbols - 1), min_size=1, max_size=40))
    pairs = [
        (horizon_returns(closes, SESSIONS), horizon_returns(closes[:, chosen], SESSIONS)),
        (realised_volatilities(closes), realised_volatilities(closes[:, chosen])),
    ]
    for whole, part in pairs:
        assert np.array_equal(whole.values[chosen], part.values, equal_nan=True)
        assert whole.unavailable[chosen].tolist() == part.unavailable.tolist()
        assert np.array_equal(np.isnan(part.values), [[why is not None for why in row] for row in part.unavailable])


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-8, 8))
def test_currency_unit_of_a_symbol_does_not_change_a_bit(seed: int, power: int) -> None:
    closes = closes_of(np.random.default_rng(seed).normal(0.0, 0.02, (len(SESSIONS) - 1, 3)))
    rescaled = closes * 2.0**power
    assert np.array_equal(horizon_returns(closes, SESSIONS).values, horizon_returns(rescaled, SESSIONS).values)
    assert np.array_equal(realised_volatilities(closes).values, realised_volatilities(rescaled).values)

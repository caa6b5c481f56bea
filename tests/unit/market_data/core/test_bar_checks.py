from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.core.bars import BAR_FIELDS
from services.market_data.core.findings import Finding, Rule
from tests.unit.market_data.core.rows import DAYS, SESSIONS, check, raw, rules

GOOD = {"close": 100.0, "open": 99.0, "high": 101.0, "low": 98.0, "volume": 1000.0}


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("close", np.nan, Rule.NON_FINITE_CLOSE),
        ("close", np.inf, Rule.NON_FINITE_CLOSE),
        ("close", -np.inf, Rule.NON_FINITE_CLOSE),
        ("close", 0.0, Rule.NON_POSITIVE_CLOSE),
        ("close", -1.0, Rule.NON_POSITIVE_CLOSE),
        ("close", 110.0, Rule.CLOSE_OUTSIDE_RANGE),
        ("close", 90.0, Rule.CLOSE_OUTSIDE_RANGE),
        ("low", 101.5, Rule.HIGH_BELOW_LOW),
        ("volume", -1.0, Rule.BAD_VOLUME),
        ("volume", np.inf, Rule.BAD_VOLUME),
        ("adjusted", 0.0, Rule.BAD_ADJUSTED_CLOSE),
        ("adjusted", np.inf, Rule.BAD_ADJUSTED_CLOSE),
        ("split", -2.0, Rule.BAD_SPLIT),
        ("split", np.inf, Rule.BAD_SPLIT),
        ("dividend", -0.1, Rule.BAD_DIVIDEND),
        ("dividend", np.inf, Rule.BAD_DIVIDEND),
    ],
)
def test_check_rows_with_a_bad_field_rejects_the_row_and_keeps_the_others(field: str, value: float, rule: Rule) -> None:
    adjusted = {"adjusted": 50.0} if field == "adjusted" else {}
    rows = raw(
        {**GOOD, **adjusted, "day": DAYS[0]},
        {**GOOD, **adjusted, field: value, "day": DAYS[1]},
        {**GOOD, **adjusted, "day": DAYS[2]},
    )

    checked = check(rows)

    assert [(f.symbol, f.day, f.rule, f.line, f.file) for f in checked.findings] == [
        ("AAA", DAYS[1], rule, 3, "prices.csv")
    ]
    assert checked.bars.present[:, 0].tolist() == [True, False, True] + [False] * 7


@pytest.mark.parametrize(("close", "accepted"), [(101.0 * 1.009, True), (101.0 * 1.011, False), (98.0 * 0.991, True)])
def test_check_rows_with_a_close_near_the_range_tolerates_one_percent(close: float, accepted: bool) -> None:
    assert bool(check(raw({**GOOD, "close": close, "day": DAYS[0]})).bars.present[0, 0]) is accepted


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf])
def test_check_rows_with_an_unusable_open_drops_the_field_and_keeps_the_bar(value: float) -> None:
    checked = check(raw({**GOOD, "open": value, "day": DAYS[0]}))

    assert rules(checked) == [Rule.UNUSABLE_FIELD]
    assert checked.bars.close[0, 0] == 100.0
    assert np.isnan(checked.bars.open[0, 0])


def test_check_rows_with_missing_optional_fields_finds_nothing() -> None:
    checked = check(raw({"close": 100.0, "day": DAYS[0]}))

    assert checked.findings == ()
    assert (checked.bars.split[0, 0], checked.bars.dividend[0, 0]) == (1.0, 0.0)
    assert np.isnan(checked.bars.adjusted[0, 0])


def test_check_rows_with_identical_duplicates_keeps_one() -> None:
    checked = check(raw({**GOOD, "day": DAYS[0]}, {**GOOD, "day": DAYS[0]}, {**GOOD, "day": DAYS[0]}))

    assert rules(checked) == [Rule.DUPLICATE_IDENTICAL] * 2
    assert checked.bars.close[0, 0] == 100.0


@pytest.mark.parametrize("field", ["close", "volume", "dividend"])
def test_check_rows_with_conflicting_duplicates_keeps_none(field: str) -> None:
    checked = check(raw({**GOOD, "day": DAYS[0]}, {**GOOD, field: 99.0, "day": DAYS[0]}, {**GOOD, "day": DAYS[1]}))

    assert rules(checked) == [Rule.DUPLICATE_CONFLICTING] * 2
    assert checked.bars.present[:2, 0].tolist() == [False, True]


def test_check_rows_with_a_bad_and_a_good_row_of_one_day_keeps_the_good_one() -> None:
    checked = check(raw({**GOOD, "day": DAYS[0]}, {**GOOD, "close": 0.0, "day": DAYS[0]}))

    assert rules(checked) == [Rule.NON_POSITIVE_CLOSE]
    assert checked.bars.close[0, 0] == 100.0


def test_check_rows_dated_after_the_target_are_from_the_future() -> None:
    later = date(2024, 3, 18)

    checked = check(raw({"close": 100.0, "day": DAYS[0]}, {"close": 100.0, "day": later}))

    assert [(f.rule, f.day) for f in checked.findings] == [(Rule.FUTURE_DATE, later)]


def test_check_rows_after_the_request_but_not_after_the_target_are_no_finding() -> None:
    rows = raw({"close": 100.0, "day": date(2024, 3, 1)}, {"close": 100.0, "day": date(2024, 3, 18)})

    checked = check(rows, target=date(2024, 4, 1))

    assert checked.findings == ()
    assert not checked.bars.present.any()


def test_check_rows_on_a_saturday_are_off_session() -> None:
    checked = check(raw({"close": 100.0, "day": date(2024, 3, 9)}))

    assert rules(checked) == [Rule.OFF_SESSION]


def closes(*values: float, **first: Any) -> Any:
    return raw(*({"close": value, "day": day} | (first if day == DAYS[0] else {}) for value, day in zip(values, DAYS)))  # noqa: B905


def test_check_rows_with_some_adjusted_closes_never_mixes_them_with_derived_ones() -> None:
    rows = raw({"close": 100.0, "adjusted": 90.0, "day": DAYS[0]}, {"close": 101.0, "day": DAYS[1]})

    checked = check(rows)

    assert rules(checked) == [Rule.MISSING_ADJUSTED_CLOSE]
    assert checked.bars.present[:2, 0].tolist() == [True, False]


def test_check_rows_with_a_split_on_a_rejected_row_carries_it_to_the_next_bar() -> None:
    rows = raw(
        {"close": 100.0, "day": DAYS[0]},
        {"close": np.nan, "split": 4.0, "dividend": 0.5, "day": DAYS[1]},
        {"close": 25.0, "day": DAYS[2]},
    )

    checked = check(rows)

    assert rules(checked) == [Rule.NON_FINITE_CLOSE]
    assert (checked.bars.split[2, 0], checked.bars.dividend[2, 0]) == (4.0, 0.5)
    assert (checked.bars.split[1, 0], checked.bars.dividend[1, 0]) == (1.0, 0.0)


def test_check_rows_with_a_carried_dividend_pays_it_on_the_shares_of_the_bar_that_gets_it() -> None:
    rows = raw(
        {**GOOD, "day": DAYS[0]},
        {**GOOD, "close": -1.0, "split": 2.0, "dividend": 6.0, "day": DAYS[1]},
        {**GOOD, "close": -1.0, "split": 3.0, "dividend": 1.0, "day": DAYS[2]},
        {"close": 10.0, "split": 2.0, "dividend": 0.5, "day": DAYS[3]},
    )

    bars = check(rows).bars

    assert bars.split[3, 0] == 12.0
    assert bars.dividend[3, 0] == pytest.approx(6.0 / (3.0 * 2.0) + 1.0 / 2.0 + 0.5)


def test_check_rows_with_rejected_rows_that_disagree_about_a_split_carries_none() -> None:
    rows = raw(
        {"close": 100.0, "day": DAYS[0]},
        {"close": np.nan, "split": 4.0, "day": DAYS[1]},
        {"close": 0.0, "split": 2.0, "day": DAYS[1]},
        {"close": 100.0, "day": DAYS[2]},
    )

    assert check(rows).bars.split[2, 0] == 1.0


def test_check_rows_with_a_split_on_a_rejected_last_row_does_not_reach_another_symbol() -> None:
    rows = raw(
        {"close": np.nan, "split": 4.0, "day": DAYS[0]},
        {"symbol": "BBB", "close": 25.0, "day": DAYS[1]},
        symbols=("AAA", "BBB"),
    )

    assert check(rows).bars.split[:, 1].tolist() == [1.0] * 10


def test_check_rows_without_rows_or_without_sessions_returns_no_bars() -> None:
    assert not check(raw()).bars.present.any()
    empty = check_rows(raw({"close": 1.0, "day": DAYS[0]}), Request("files", SESSIONS[:0], DAYS[-1]))
    assert empty.bars.close.shape == (0, 1)
    assert empty.findings == ()


anything = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(0.5, 200), st.just(0.0))


@st.composite
def row_sets(draw: st.DrawFn) -> list[dict[str, Any]]:
    days = st.sampled_from([*DAYS, date(2024, 3, 9), date(2024, 3, 1), date(2025, 1, 2)])
    row = st.fixed_dictionaries(
        {"symbol": st.sampled_from(["AAA", "BBB"]), "day": days, "close": anything},
        optional=dict.fromkeys([name for name in BAR_FIELDS if name != "close"], anything),
    )
    return draw(st.lists(row, max_size=25))


def told(findings: tuple[Finding, ...]) -> list[tuple[Any, ...]]:
    return sorted((f.symbol, f.day, f.rule, f.detail) for f in findings)


@given(rows=row_sets(), random=st.randoms(use_true_random=False))
def test_check_rows_with_anything_raises_nothing_and_does_not_depend_on_the_order(
    rows: list[dict[str, Any]], random: Any
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)

    checked = check(raw(*rows, symbols=("AAA", "BBB")))
    again = check(raw(*shuffled, symbols=("AAA", "BBB")))

    assert checked.bars.equals(again.bars)
    assert told(checked.findings) == told(again.findings)
    present = checked.bars.present
    assert np.isfinite(checked.bars.close[present]).all()
    assert (checked.bars.close[present] > 0).all()
    adjusted = checked.bars.adjusted
    assert (np.isnan(adjusted) | (np.isfinite(adjusted) & (adjusted > 0))).all()


@given(rows=row_sets())
def test_check_rows_of_one_symbol_does_not_depend_on_its_batch_mates(rows: list[dict[str, Any]]) -> None:
    alone = check(raw(*(row for row in rows if row["symbol"] == "BBB"), symbols=("BBB",)))

    together = check(raw(*rows, symbols=("AAA", "BBB")))

    assert together.bars.select(["BBB"]).equals(alone.bars)

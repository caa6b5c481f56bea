"""Bars beside one another: which count, with which splits, and that nothing else decides it."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market_data.core.bars import Bars
from services.market_data.core.findings import Rule
from services.market_data.core.judging import Decision, Judged, Place, Ruling, Rulings, judge, notable
from services.market_data.core.jumps import confirms
from shared.calendar import sessions_between

SESSIONS = np.array(sessions_between(date(2023, 3, 6), date(2023, 4, 28)), dtype="datetime64[D]")
NOTHING: Rulings = {}


def delivered(*bars: dict[str, Any], symbol: str = "AAA") -> Bars:
    """Return bars on consecutive sessions; an empty one is none, `skip` leaves out further sessions."""
    grid, row = Bars.blank(SESSIONS, [symbol]), 0
    for bar in bars:
        for name, value in bar.items():
            if name != "skip":
                getattr(grid, name)[row, 0] = value
        row += 1 + bar.get("skip", 0)
    return grid


def closes(*values: float | None) -> Bars:
    return delivered(*({} if value is None else {"close": value} for value in values))


def counted(judged: Judged) -> list[int]:
    """Tell of each bar whether it counts."""
    there = judged.delivered.present[:, 0]
    return [int(counts) for counts in judged.used.present[there, 0]]


def rules(judged: Judged) -> list[Rule]:
    return [verdict.rule for verdict in judged.verdicts]


GAP = (None,) * 5


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((10, 11, 1100, 11, 12), (1, 1, 0, 1, 1)),  # a spike costs itself only
        ((10, 11, 0.11, 11, 12), (1, 1, 0, 1, 1)),
        ((10, 11, 1100, 11, 1150, 1160), (1, 1, 0, 1, 0, 0)),  # and confirms no other
        ((1000, 10, 11, 12), (0, 1, 1, 1)),  # a bad beginning does not cost the rest
        ((10, 11, 12, 1000), (1, 1, 1, 0)),
        ((10, 11, 12, 1300, 1400), (1, 1, 1, 0, 0)),  # one further close is not enough
        ((10, 11, 12, 1300, 1400, 1350), (1, 1, 1, 1, 1, 1)),  # two are
        ((10, 11, 12, 1300, 5000, 1350), (1, 1, 1, 0, 0, 0)),  # not where they lie threefold away
        ((10, 11, 12, 1300, 4000, 4100, 4200), (1, 1, 1, 1, 1, 1, 1)),  # a ragged way to a new level
        ((10, 11, 12, 1300, 9e6, 1350, 1360, 1370), (1, 1, 1, 1, 0, 1, 1, 1)),
        ((10, 11, 12, *GAP, 1300), (1, 1, 1, 1)),  # after a halt
        ((10, 11, 12, *GAP[1:], 1300), (1, 1, 1, 0)),  # four sessions are none
        ((10, 11, 12, 1300, *GAP, 1400), (1, 1, 1, 1, 1)),
        ((10, 11, 12, 1300, *GAP, 50000, 49000), (1, 1, 1, 0, 1, 1)),
        ((1000, *GAP, 10, 11, 12), (1, 1, 1, 1)),
        ((10, 1300), (1, 0)),
        ((10, 1300, 1400), (1, 0, 0)),
        ((10, 100, 1000), (1, 1, 1)),  # exactly tenfold is no jump
        ((10, 100.001), (1, 0)),
        ((10, 1.0, 10), (1, 1, 1)),
    ],
)
def test_close_far_from_what_was_expected_is_held_until_it_is_confirmed(
    values: tuple[float | None, ...], expected: tuple[int, ...]
) -> None:
    judged = judge(closes(*values), NOTHING)

    assert counted(judged) == [*expected]
    assert rules(judged) == [Rule.UNEXPLAINED_JUMP] * expected.count(0)


def test_crash_after_a_halt_counts_from_its_first_close() -> None:
    before = ({"close": 267.39}, {"close": 267.83}, {"close": 106.04, "skip": 12})
    after = ({"close": value} for value in (0.40, 0.90, 1.00, 0.96, 0.92, 0.88, 0.85, 0.80))

    judged = judge(delivered(*before, *after), NOTHING)

    assert counted(judged) == [1] * 11
    assert judged.verdicts == ()


def test_return_of_capital_is_expected_and_so_is_what_is_left() -> None:
    fall = ({"close": 41.10}, {"close": 41.20}, {"close": 3.83, "dividend": 37.39}, {"close": 3.84})

    assert counted(judge(delivered(*fall), NOTHING)) == [1] * 4


@pytest.mark.parametrize("dividend", [41.20, 45.0])
def test_dividend_at_or_above_the_close_before_is_no_reason_to_hold(dividend: float) -> None:
    fall = ({"close": 41.10}, {"close": 41.20}, {"close": 0.03, "dividend": dividend}, {"close": 0.04})

    judged = judge(delivered(*fall), NOTHING)

    assert counted(judged) == [1] * 4
    assert np.isfinite(judged.used.adjusted[:4, 0]).all()


@pytest.mark.parametrize(("split", "after"), [(50.0, 2.0), (0.02, 5000.0)])
def test_split_that_explains_a_jump_is_used_and_nothing_is_said(split: float, after: float) -> None:
    judged = judge(delivered({"close": 100.0}, {"close": after, "split": split}), NOTHING)

    assert (counted(judged), judged.verdicts) == ([1, 1], ())
    assert judged.used.adjusted[:2, 0] == pytest.approx([after, after])


def test_events_of_a_held_bar_are_those_of_the_next_one_that_counts() -> None:
    held = {"close": 99_999.0, "split": 4.0, "dividend": 0.5}

    judged = judge(delivered({"close": 100.0}, held, {"close": 25.0}), NOTHING)

    assert counted(judged) == [1, 0, 1]
    assert (judged.used.split[2, 0], judged.used.dividend[2, 0]) == (4.0, 0.5)
    # (1/4)(1 - 0.5 * 4 / 100) of 100
    assert judged.used.adjusted[[0, 2], 0] == pytest.approx([24.5, 25.0])
    assert judged.altered[:, 0].nonzero()[0].tolist() == [1, 2]


def test_jump_of_the_adjusted_close_alone_holds_the_bar() -> None:
    bars = ({"close": 100.0, "adjusted": adjusted} for adjusted in (50.0, 51.0, 5100.0, 52.0))

    assert counted(judge(delivered(*bars), NOTHING)) == [1, 1, 0, 1]


def test_split_of_a_series_that_is_adjusted_already_is_not_used() -> None:
    bars = ({"close": 100.0}, {"close": 100.0}, {"close": 101.0, "split": 4.0}, {"close": 102.0})

    judged = judge(delivered(*bars), NOTHING)

    assert [(v.session, v.rule, v.value) for v in judged.verdicts] == [
        (SESSIONS[2].item(), Rule.SPLIT_WITHOUT_MOVE, 4.0)
    ]
    assert judged.used.split[:4, 0].tolist() == [1.0] * 4
    assert judged.used.adjusted[:4, 0].tolist() == [100.0, 100.0, 101.0, 102.0]


def test_large_split_of_an_adjusted_series_holds_nothing() -> None:
    judged = judge(delivered({"close": 100.0}, {"close": 101.0, "split": 20.0}), NOTHING)

    assert (counted(judged), rules(judged)) == ([1, 1], [Rule.SPLIT_WITHOUT_MOVE])


@pytest.mark.parametrize(
    ("before", "after", "split"),
    [
        (100.0, 26.0, 4.0),  # moved
        (100.0, 35.0, 4.0),  # moved by more than an ordinary session, and not stayed either
        (100.0, 101.0, 1.1),  # both are ordinary: whoever gives it is believed
    ],
)
def test_split_that_the_close_may_well_have_made_is_used(before: float, after: float, split: float) -> None:
    judged = judge(delivered({"close": before}, {"close": after, "split": split}), NOTHING)

    assert (judged.used.split[1, 0], judged.verdicts) == (split, ())


def test_split_after_a_halt_is_believed() -> None:
    judged = judge(delivered({"close": 100.0, "skip": 5}, {"close": 101.0, "split": 4.0}), NOTHING)

    assert judged.verdicts == ()


def test_split_whose_adjustment_bears_it_out_is_used_whatever_the_close_did() -> None:
    bars = delivered({"close": 100.0, "adjusted": 25.0}, {"close": 101.0, "adjusted": 101.0, "split": 4.0})

    assert (judge(bars, NOTHING).used.split[1, 0], judge(bars, NOTHING).verdicts) == (4.0, ())


NOBODY_GAVE = (
    {"close": 80.00, "adjusted": 40.00},
    {"close": 80.60, "adjusted": 40.30},
    {"close": 40.20, "adjusted": 40.20},
    {"close": 40.60, "adjusted": 40.60},
)


def test_split_that_nobody_gives_is_seen_in_the_adjusted_close_and_used() -> None:
    judged = judge(delivered(*NOBODY_GAVE), NOTHING)

    assert judged.used.split[:4, 0].tolist() == [1.0, 1.0, 2.0, 1.0]
    (verdict,) = judged.verdicts
    assert (verdict.session, verdict.rule, verdict.value) == (SESSIONS[2].item(), Rule.INFERRED_SPLIT, 2.0)


@pytest.mark.parametrize("factor", [1.5, 2, 3, 4, 5, 10, 20])
@pytest.mark.parametrize("error", [-0.0049, 0.0, 0.0049])
def test_usual_split_is_inferred_in_both_directions_within_half_a_percent(factor: float, error: float) -> None:
    for split in (factor, 1.0 / factor):
        seen = split * (1.0 + error)
        bars = delivered({"close": 80.0, "adjusted": 80.0 / seen}, {"close": 80.0 / seen, "adjusted": 80.0 / seen})
        assert judge(bars, NOTHING).used.split[1, 0] == pytest.approx(split)


@pytest.mark.parametrize("seen", [2.02, 1.35, 0.7, 6.0])
def test_other_change_of_the_adjustment_is_told_and_nothing_else(seen: float) -> None:
    bars = delivered({"close": 80.0, "adjusted": 80.0 / seen}, {"close": 80.0 / seen, "adjusted": 80.0 / seen})

    judged = judge(bars, NOTHING)

    assert (judged.used.split[1, 0], rules(judged)) == (1.0, [Rule.UNEXPLAINED_ADJUSTMENT])


def test_change_that_a_dividend_explains_is_nothing_to_tell() -> None:
    bars = delivered({"close": 80.0, "adjusted": 40.0}, {"close": 41.0, "adjusted": 41.0, "dividend": 40.0})

    assert judge(bars, NOTHING).verdicts == ()


def test_change_in_a_session_that_was_not_ordinary_is_no_split() -> None:
    bars = delivered({"close": 80.0, "adjusted": 40.0}, {"close": 30.0, "adjusted": 30.0})

    assert rules(judge(bars, NOTHING)) == [Rule.UNEXPLAINED_ADJUSTMENT]


def ruling(session: int, rule: Rule, decision: Decision, value: float) -> Rulings:
    return {Place("AAA", SESSIONS[session].item(), rule): Ruling(decision, value)}


def test_accepted_close_counts_and_what_follows_is_measured_from_it() -> None:
    rulings = ruling(2, Rule.UNEXPLAINED_JUMP, Decision.ACCEPT, 1300.0)

    assert counted(judge(closes(10, 11, 1300, 1350), rulings)) == [1, 1, 1, 1]


def test_refused_close_stays_held_whatever_follows() -> None:
    rulings = ruling(2, Rule.UNEXPLAINED_JUMP, Decision.REFUSE, 1300.0)

    assert counted(judge(closes(10, 11, 1300, 12, 13), rulings)) == [1, 1, 0, 1, 1]
    assert counted(judge(closes(10, 11, 1300, 12, 1400, 1350), rulings)) == [1, 1, 0, 1, 0, 0]
    assert counted(judge(closes(10, 11, 1300, 12, 1400, 1350, 1360), rulings)) == [1, 1, 0, 1, 1, 1, 1]


def test_refused_split_is_not_used_and_stays_on_the_list() -> None:
    judged = judge(delivered(*NOBODY_GAVE), ruling(2, Rule.INFERRED_SPLIT, Decision.REFUSE, 2.0))

    assert (judged.used.split[2, 0], rules(judged)) == (1.0, [Rule.INFERRED_SPLIT])


def test_ruling_about_another_number_says_nothing_of_this_one() -> None:
    rulings = ruling(2, Rule.UNEXPLAINED_JUMP, Decision.ACCEPT, 1301.0)

    assert counted(judge(closes(10, 11, 1300, 1350), rulings)) == [1, 1, 0, 0]


@pytest.mark.parametrize(("other", "agrees"), [(102.0, True), (98.0, True), (102.1, False), (np.nan, False)])
def test_close_of_another_provider_confirms_within_two_percent(other: float, agrees: bool) -> None:
    assert confirms(other, 100.0) is agrees


PRICES = st.sampled_from([10.0, 11.0, 25.0, 90.0, 1000.0, 1100.0, 0.5])
BARS = st.fixed_dictionaries(
    {
        "close": PRICES,
        "split": st.sampled_from([1.0, 1.0, 1.0, 4.1]),
        "dividend": st.sampled_from([0.0, 0.0, 8.7]),
        "skip": st.sampled_from([0, 0, 0, 5]),
    }
)


@given(st.lists(BARS, min_size=1, max_size=7))
def test_what_is_not_notable_counts_as_it_was_delivered(bars: list[dict[str, Any]]) -> None:
    grid = delivered(*bars)

    judged = judge(grid, NOTHING)

    assert notable(grid).any() or (not judged.verdicts and not judged.altered.any())
    assert judged.used.present.any()


@given(st.lists(BARS, min_size=1, max_size=7), st.floats(0.01, 100.0))
def test_verdicts_do_not_depend_on_the_unit_of_money(bars: list[dict[str, Any]], scale: float) -> None:
    other = [{**bar, "close": bar["close"] * scale, "dividend": bar["dividend"] * scale} for bar in bars]

    # the prices lie away from the borders of the rules, where rounding would decide
    assert counted(judge(delivered(*other), NOTHING)) == counted(judge(delivered(*bars), NOTHING))

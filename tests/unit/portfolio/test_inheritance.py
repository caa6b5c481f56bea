"""Positions bought before their book was opened: as traded or as of the opening, and what no history reaches."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core.inheritance import LastClose, PositionState, SplitHistory, find_oversold, inherited_state
from services.portfolio.core.marking import MarkSource
from services.portfolio.core.positions import Basis, Exit, PositionTerms, PositionType

BOUGHT = date(2025, 1, 2)
OPENING = date(2025, 6, 5)
NO_SPLITS = SplitHistory(date(2024, 1, 2))
# 3 for 2 in March, 1 for 2 in May.
SPLITS = SplitHistory(date(2024, 1, 2), ((date(2025, 3, 3), 1.5), (date(2025, 5, 1), 0.5)))


def terms(exits: tuple[Exit, ...] = (), quantity: str = "10", *, basis: Basis = Basis.AS_TRADED) -> PositionTerms:
    return PositionTerms("AAA", PositionType.LONG, Decimal(quantity), BOUGHT, Decimal(60), exits, basis=basis)


def state_of(
    entered: PositionTerms, close: LastClose | None = None, history: SplitHistory = NO_SPLITS
) -> PositionState:
    return inherited_state(entered, until=OPENING, last_close=close, history=history)


def test_position_is_handed_over_less_its_exits() -> None:
    # 10 at 60, 4 sold before the opening and the rest after it; closes at 25.
    sold = terms((Exit(date(2025, 3, 3), Decimal(22), Decimal(4)), Exit(date(2025, 6, 6), Decimal(26))))
    assert state_of(sold, LastClose(25.0)) == PositionState(6.0, 25.0, MarkSource.CLOSE, 0, 15_000, 36_000)


def test_position_closed_before_holds_nothing() -> None:
    state = state_of(terms((Exit(date(2025, 3, 3), Decimal(70)),)), LastClose(80.0))
    assert (state.quantity, state.market_value, state.cost) == (0.0, 0, 0)


def test_position_with_an_old_close_is_stale_from_the_start() -> None:
    state = state_of(terms(), LastClose(80.0, age=3))
    assert (state.mark_source, state.mark_age, state.market_value) == (MarkSource.CARRIED, 3, 80_000)


def test_position_without_any_close_is_held_at_cost() -> None:
    state = state_of(terms())
    assert (state.mark_source, state.mark, state.market_value, state.cost) == (MarkSource.COST, 60.0, 60_000, 60_000)


def test_close_older_than_the_purchase_marks_nothing() -> None:
    # 107 sessions lie between the second of January and the opening.
    assert state_of(terms(), LastClose(80.0, age=105)).mark_source is MarkSource.CARRIED
    older = state_of(terms(), LastClose(80.0, age=106))
    assert (older.mark_source, older.mark, older.market_value) == (MarkSource.COST, 60.0, 60_000)


def test_splits_since_the_entry_change_the_quantity_and_never_the_cost() -> None:
    # 10 at 60 are 15 at 40, then 7.5 at 80: 600 all along.
    state = state_of(terms(), LastClose(82.0), SPLITS)
    assert state == PositionState(7.5, 82.0, MarkSource.CLOSE, 0, 61_500, 60_000)
    assert state_of(terms(), None, SPLITS).mark == 80.0


def test_exit_before_the_opening_is_in_the_shares_of_its_day() -> None:
    # 3 of 10; 7 become 10.5, of which 6 go; 4.5 become 2.25, 3 of those bought at 60. A Saturday has Monday's shares.
    exits = (Exit(date(2025, 2, 28), Decimal(60), Decimal(3)), Exit(date(2025, 4, 1), Decimal(41), Decimal(6)))
    state = state_of(terms(exits), LastClose(80.0), SPLITS)
    assert (state.quantity, state.market_value, state.cost) == (2.25, 18_000, 18_000)
    weekend = (Exit(date(2025, 3, 1), Decimal(60), Decimal(3)),)
    assert state_of(terms(weekend), LastClose(80.0), SPLITS).quantity == (15 - 3) / 2


def test_position_as_of_the_opening_is_in_its_shares() -> None:
    state = state_of(terms(basis=Basis.AS_OF_OPENING), LastClose(82.0), SPLITS)
    assert state == PositionState(10.0, 82.0, MarkSource.CLOSE, 0, 82_000, 60_000)


def test_split_of_the_day_of_the_entry_is_in_what_was_bought() -> None:
    assert state_of(terms(), None, SplitHistory(BOUGHT, ((BOUGHT, 3.0),))).quantity == 10.0


@pytest.mark.parametrize(
    ("history", "basis", "known"),
    [
        (SplitHistory(BOUGHT), Basis.AS_TRADED, True),
        (SplitHistory(date(2025, 1, 3)), Basis.AS_TRADED, False),
        (SplitHistory(), Basis.AS_TRADED, False),
        (SplitHistory(), Basis.AS_OF_OPENING, True),
    ],
)
def test_splits_are_known_where_prices_reach_back_to_the_entry(
    history: SplitHistory, basis: Basis, known: bool
) -> None:
    assert state_of(terms(basis=basis), LastClose(80.0), history).splits_known is known


def test_private_holding_has_no_splits() -> None:
    private = replace(terms(), kind=PositionType.PRIVATE)
    state = state_of(private, None, replace(SPLITS, since=None))
    assert (state.quantity, state.splits_known) == (10.0, True)


@given(st.permutations([2.0, 3.0, 1.5, 0.25]), st.integers(1, 1_000))
def test_splits_and_their_opposites_leave_what_was_bought(factors: list[float], quantity: int) -> None:
    there = [(date(2025, 2, 3 + place), factor) for place, factor in enumerate(factors)]
    back = [(date(2025, 3, 3 + place), 1 / factor) for place, factor in enumerate(factors)]

    state = state_of(terms(quantity=str(quantity)), None, SplitHistory(BOUGHT, (*there, *back)))

    assert (state.quantity, state.cost) == (quantity, quantity * 6_000)


def exit_of(quantity: str | None, on: date) -> Exit:
    return Exit(on, Decimal(70), None if quantity is None else Decimal(quantity))


@pytest.mark.parametrize(
    ("exits", "found"),
    [
        # 10 became 15 in March and 7.5 in May
        ((exit_of("15", date(2025, 3, 3)),), None),
        ((exit_of("15.1", date(2025, 3, 3)),), (date(2025, 3, 3), 15.1, 15.0)),
        ((exit_of("11", date(2025, 2, 3)),), (date(2025, 2, 3), 11.0, 10.0)),
        ((exit_of("4", date(2025, 2, 3)), exit_of("9", date(2025, 3, 4))), None),
        ((exit_of("4", date(2025, 2, 3)), exit_of("9", date(2025, 5, 2))), (date(2025, 5, 2), 9.0, 4.5)),
        ((exit_of(None, date(2025, 5, 2)), exit_of("1", date(2025, 5, 5))), (date(2025, 5, 5), 1.0, 0.0)),
        ((exit_of("99", date(2025, 6, 6)),), None),  # after the last session that is known
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_exit_of_more_than_was_held_then_is_found(
    exits: tuple[Exit, ...], found: tuple[date, float, float] | None, side: int
) -> None:
    entered = replace(
        terms(exits), kind=PositionType.LONG if side > 0 else PositionType.SHORT, quantity=Decimal(10 * side)
    )
    oversold = find_oversold(entered, replace(SPLITS, last=OPENING))
    assert (oversold and (oversold.on, oversold.size, oversold.held)) == (found and pytest.approx(found))


def test_exit_is_not_judged_where_splits_may_be_unknown_and_of_a_private_holding_always() -> None:
    much = terms((exit_of("11", date(2025, 2, 3)),))
    young = SplitHistory(date(2025, 1, 3), last=OPENING)
    assert find_oversold(much, SplitHistory()) is None
    assert find_oversold(much, young) is None
    assert find_oversold(replace(much, basis=Basis.AS_OF_OPENING), replace(NO_SPLITS, last=OPENING)) is None
    assert find_oversold(replace(much, kind=PositionType.PRIVATE), SplitHistory()) is not None


def test_third_of_a_share_that_a_split_leaves_is_no_more_than_was_held() -> None:
    thirds = SplitHistory(date(2024, 1, 2), ((date(2025, 3, 3), 1 / 3),), OPENING)
    assert find_oversold(terms((exit_of("3.3333333333", date(2025, 3, 4)),)), thirds) is None

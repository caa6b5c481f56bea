"""From labels to arrays: which session books what, and what an opening knows."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest

from services.portfolio.core.assembly import Known, Window, assemble, flows_by_session
from services.portfolio.core.inheritance import LastClose, PositionState
from services.portfolio.core.marking import MarkSource
from services.portfolio.core.positions import Exit, Flow
from services.portfolio.core.trades import NOT_IN_WINDOW, UNPRICED
from tests.unit.portfolio.rolls import PORTFOLIO, position

# Thursday before a weekend, then Friday, Monday, Tuesday.
WINDOW = Window(date(2025, 6, 5), (date(2025, 6, 6), date(2025, 6, 9), date(2025, 6, 10)))


@pytest.mark.parametrize(
    ("day", "session"), [(5, NOT_IN_WINDOW), (6, 0), (7, 1), (8, 1), (9, 1), (10, 2), (11, NOT_IN_WINDOW)]
)
def test_window_books_a_day_without_session_on_the_next_one(day: int, session: int) -> None:
    assert WINDOW.index_of([date(2025, 6, day)]).tolist() == [session]


def test_window_out_of_order_is_refused() -> None:
    with pytest.raises(ValueError, match="increasing"):
        Window(date(2025, 6, 6), (date(2025, 6, 6),))


def test_flows_of_a_portfolio_and_session_add_up_in_cents() -> None:
    other = UUID(int=2)
    paid = [(PORTFOLIO, 7, "10.10"), (PORTFOLIO, 9, "-0.05"), (other, 6, "3"), (PORTFOLIO, 5, "99"), (other, 11, "99")]
    flows = [Flow(portfolio, date(2025, 6, day), Decimal(amount)) for portfolio, day, amount in paid]
    booked = flows_by_session(flows, WINDOW, portfolios={PORTFOLIO: 0, other: 1})
    assert booked.contributions.tolist() == [[0, 300], [1010, 0], [0, 0]]
    assert booked.withdrawals.tolist() == [[0, 0], [5, 0], [0, 0]]
    assert booked.net.tolist() == [[0, 300], [1005, 0], [0, 0]]


def test_assemble_continues_states_enters_new_and_inherits_the_rest() -> None:
    held, new, old, later = (
        position("AAA", "10", "50", date(2025, 6, 5)),
        position("AAA", "10", "51", date(2025, 6, 7), exits=(Exit(date(2025, 6, 10), Decimal(55)),)),
        position("BBB", "-4", "20", date(2025, 6, 5)),
        position("BBB", "4", "20", date(2025, 6, 12)),
    )
    state = PositionState(10.0, 52.0, MarkSource.CARRIED, 2, 52_000, 50_000)
    known = Known({held.position_id: state}, {"AAA": LastClose(53.0)})
    arrays = assemble([held, new, old, later], WINDOW, portfolios={PORTFOLIO: 0}, columns={"AAA": 0}, known=known)
    assert arrays.positions.entry_session.tolist() == [NOT_IN_WINDOW, 1, NOT_IN_WINDOW, NOT_IN_WINDOW]
    assert arrays.positions.column.tolist() == [0, 0, UNPRICED, UNPRICED]
    assert arrays.holdings.quantity.tolist() == [10, 0, -4, 0]
    assert arrays.holdings.market_value.tolist() == [52_000, 0, -8_000, 0]
    assert arrays.holdings.mark_source[2] == MarkSource.COST
    assert (arrays.exits.position.tolist(), arrays.exits.session.tolist()) == ([1], [2])
    assert np.isnan(arrays.exits.size).all()


def test_assemble_of_nothing_is_an_empty_book() -> None:
    arrays = assemble([], WINDOW, portfolios={PORTFOLIO: 0}, columns={}, known=Known({}, {}))
    assert arrays.positions.portfolio.size == arrays.exits.position.size == arrays.holdings.quantity.size == 0
